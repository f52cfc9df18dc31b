/* client_int.h - a transfer in flight. Private to net. */
#ifndef MEERKAT_NET_CLIENT_INT_H
#define MEERKAT_NET_CLIENT_INT_H

#include "net/client.h"
#include "sys/memfile.h"
#include "sys/thread.h"

#include <curl/curl.h>

typedef struct Transfer {
    struct Transfer *prev, *next;
    CURL *easy;
    HttpClientRequest req; /* strings in arena */
    Arena *arena;
    struct curl_slist *headers, *connect_to, *proxy_headers;
    MemFile pem[3];
    unsigned n_pem;
    Buf body, head;
    bool too_large, stopped;
    const char *setup_error;
    char curl_error[CURL_ERROR_SIZE];
    int64_t start_ns;
    HttpClientFacts facts;
    HttpClientDone done;
    void *ctx;
} Transfer;

struct HttpClient {
    CURLM *multi; /* the thread's, but for wakeups */
    char *user_agent;
    Thread *thread;
    Mutex lock; /* queued, stop, thread */
    Transfer *queued, **queued_tail;
    bool stop;
    size_t keep; /* 0: as it is */
    Transfer *active; /* the thread's */
};

/* Copies req. */
Transfer *transfer_create(const HttpClientRequest *req, HttpClientDone done, void *ctx);
ErrCode transfer_setup(Transfer *t, const char *user_agent); /* makes t->easy */
void transfer_result(Transfer *t, CURLcode result, HttpClientResponse *ret);
void transfer_free(Transfer *t);
/* --- client_facts.c --- */
void transfer_note_tls(Transfer *t); /* while the connection is there */
void transfer_facts(Transfer *t, HttpClientFacts *ret);

#endif
