/* client_int.h - a transfer in flight. Private to net. */
#ifndef MEERKAT_NET_CLIENT_INT_H
#define MEERKAT_NET_CLIENT_INT_H

#include "net/client.h"
#include "net/curl_tls_int.h"
#include "sys/thread.h"

#include <curl/curl.h>

#define CLIENT_LANES 64

/* A multi handle, made when the first host that is its own is asked; the thread's. */
typedef struct Lane {
    CURLM *multi;
    struct HttpClient *client;
    int64_t due_ns;    /* of curl's next timer; INT64_MAX: none */
    uint64_t progress; /* pieces that its transfers were given */
    size_t n_http2;    /* transfers that may be HTTP/2 */
} Lane;

typedef struct Transfer {
    struct Transfer *prev, *next;
    CURL *easy;
    Lane *lane;
    HttpClientRequest req; /* strings in arena */
    Arena *arena;
    struct curl_slist *headers, *proxy_headers;
    CurlTls tls;
    Buf body, head;
    bool too_large, stopped, may_http2, head_came, head_too_large, two_lengths;
    const char *setup_error;
    char curl_error[CURL_ERROR_SIZE];
    int64_t start_ns;
    HttpClientFacts facts;
    HttpClientCertificate *certificate; /* NULL: none, or nobody asked */
    HttpClientDone done;
    void *ctx;
} Transfer;

struct HttpClient {
    char *user_agent;
    Thread *thread;
    int epoll_fd, wake_fd; /* -1 until the thread is started */
    Mutex lock;            /* queued, stop, keep, thread */
    Transfer *queued, **queued_tail;
    bool stop;
    size_t keep; /* idle connections of a lane; 0: as it is */
    /* The thread's. */
    Transfer *active;
    size_t kept;
    Lane lanes[CLIENT_LANES];
};

/* Copies req. */
Transfer *transfer_create(const HttpClientRequest *req, HttpClientDone done, void *ctx);
ErrCode transfer_setup(Transfer *t, const char *user_agent); /* makes t->easy */
void transfer_result(Transfer *t, CURLcode result, HttpClientResponse *ret);
void transfer_free(Transfer *t);
/* --- client.c: a transfer has come to its end --- */
void client_finished(HttpClient *c, Transfer *t, CURLcode result);
/* --- client_lanes.c --- */
bool lanes_open(HttpClient *c); /* false: no descriptors left */
void lanes_close(HttpClient *c);
bool lanes_add(HttpClient *c, Transfer *t);
void lanes_remove(Transfer *t);
/* One round: timers that are due, then whatever socket is ready, waiting for it. */
void lanes_run(HttpClient *c);
void lanes_wake(HttpClient *c); /* from any thread: ends the wait */
/* A lane's share of so many idle connections in all, of at most `most`. */
size_t lanes_share(size_t connections, size_t most);
void lanes_keep(HttpClient *c, size_t per_lane);
/* --- client_facts.c --- */
void transfer_note_tls(Transfer *t); /* while the connection is there */
void transfer_facts(Transfer *t, HttpClientFacts *ret);
uint32_t ip_text_hash(const char *text); /* HttpClientFacts.ip_hash; 0: no address */

#endif
