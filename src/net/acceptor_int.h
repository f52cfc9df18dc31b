/* acceptor_int.h - the acceptor's state and the classification of first bytes. Private to net. */
#ifndef MEERKAT_NET_ACCEPTOR_INT_H
#define MEERKAT_NET_ACCEPTOR_INT_H

#include "net/net_int.h"

#include <uv.h>

typedef enum PeekResult { PEEK_MORE, PEEK_HTTP1, PEEK_HTTP2, PEEK_GONE } PeekResult;

/* first: what has come so far, at least three bytes decide. */
PeekResult peek_classify(Str first);

typedef struct Port {
    uv_poll_t poll;
    Acceptor *acceptor;
    Listener *listener;
} Port;

/* A plain connection whose first bytes have not come. */
typedef struct Pending {
    uv_poll_t poll;
    LoopTick tick;
    Acceptor *acceptor;
    Accepted conn;
    int64_t deadline_ns;
} Pending;

struct Acceptor {
    NetServer *server;
    Loop *loop;
    VEC(Port *) ports;
    LoopTick tick; /* registered while there are connections */
    bool paused;   /* out of descriptors */
    Mutex lock;
    Cond done;
    bool stop_asked, closed; /* under lock */
};

void acceptor_readable(uv_poll_t *poll, int status, int events);

#endif
