/* http2_int.h - connections and streams of the HTTP/2 engine. Private to net; all on one loop's thread. */
#ifndef MEERKAT_NET_HTTP2_INT_H
#define MEERKAT_NET_HTTP2_INT_H

#include "net/net_int.h"
#include "net/transport.h"

#include <nghttp2/nghttp2.h>
#include <uv.h>

typedef struct Conn2 Conn2;

typedef struct Stream2 {
    struct Stream2 *prev, *next;
    Conn2 *conn; /* NULL: the stream has ended while a worker had its exchange */
    Loop *loop;
    int32_t id;
    Exchange *x;
    Str method, path;
    size_t header_bytes, body_off, discarded;
    int64_t since_ns; /* the head's begin, then the answer's */
    bool too_big, head_done, request_done, replied, deferred;
} Stream2;

struct Conn2 {
    NetServer *server;
    const Listener *listener;
    Loop *loop;
    Transport t;
    char peer[PEER_MAX];
    uv_poll_t poll;
    LoopTick tick;
    nghttp2_session *session;
    Stream2 *streams;
    unsigned n_streams;
    Buf out;
    size_t out_off;
    int64_t last_io_ns, idle_since_ns, head_since_ns; /* head_since_ns: 0 outside a header block */
    int events;
    bool had_request, goaway, closed;
};

/* On the loop's thread. Takes the transport. */
void http2_start(Loop *loop, NetServer *s, const Listener *l, const char *peer, Transport t);
void conn2_flush(Conn2 *c); /* writes what there is; may close c */
void conn2_close(Conn2 *c);

/* --- http2_stream.c --- */
void http2_set_callbacks(nghttp2_session_callbacks *cb);
void stream2_free(Stream2 *st); /* forgets st, or leaves it to the worker that has its exchange */
/* Ends what takes too long: a request's body, or the client's reading of the answer. */
void stream2_check_time(Stream2 *st, int64_t now_ns);

#endif
