/* http1_int.h - connections and requests of the HTTP/1.1 engine. Private to net. */
#ifndef MEERKAT_NET_HTTP1_INT_H
#define MEERKAT_NET_HTTP1_INT_H

#include "base/map.h"
#include "net/net_int.h"
#include "sys/clock.h"

#include <microhttpd.h>

typedef enum Conn1State { CONN1_WAIT /* for a request's head */, CONN1_BODY, CONN1_BUSY, CONN1_ANSWER } Conn1State;

typedef struct Conn1 {
    struct Conn1 *prev, *next;
    Http1 *http1;
    const Listener *listener;
    int fd;
    bool tls; /* the plain end of a TLS connection, which is counted there */
    bool cut;
    struct Request1 *request; /* under the lock; for the end of streams at shutdown */
    Conn1State state;
    int64_t since_ns;
    uint64_t n_requests;
    char peer[PEER_MAX];
} Conn1;

struct Http1 {
    NetServer *server;
    struct MHD_Daemon *daemon;
    Mutex lock; /* conns, by_fd, and state/since/cut of each */
    Conn1 *conns;
    U64Map *by_fd;
};

typedef enum Request1State { REQUEST1_HEAD, REQUEST1_BODY, REQUEST1_RUNNING, REQUEST1_DONE } Request1State;

typedef struct Request1 {
    struct MHD_Connection *mhd;
    Conn1 *conn;
    Exchange *x;
    Str target;
    _Atomic Request1State state;
    unsigned n_content_length, n_transfer_encoding, n_host;
    bool malformed, odd_transfer_encoding, too_many_headers, expects_continue, must_close;
} Request1;

void conn1_set_state(Conn1 *c, Conn1State state);
/* Queues the finished response. */
enum MHD_Result request1_send(Request1 *r);
void request1_done(Exchange *x);
void request1_resume(Exchange *x);

#endif
