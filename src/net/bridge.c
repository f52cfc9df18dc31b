/* bridge.c - between a TLS session and the HTTP/1.1 engine: bytes go through a socket pair.
 *
 * Terminating TLS here and not in the engine gives one place for certificates, reload and ALPN, and needs no
 * parser of our own for the client's first handshake message. */
#include "net/tls_int.h"

#include "sys/clock.h"

#include <errno.h>
#include <unistd.h>
#include <uv.h>

#define PIPE_BYTES ((size_t)16 << 10)

/* One direction: what was read and not yet written. */
typedef struct Pipe {
    size_t from, to;
    bool eof;   /* the source has ended */
    bool ended; /* and the sink was told */
    char bytes[PIPE_BYTES];
} Pipe;

typedef struct Bridge {
    uv_poll_t outer, inner;
    int outer_events, inner_events, open_handles;
    LoopTick tick;
    NetServer *server;
    Loop *loop;
    Transport t;
    int inner_fd;
    bool closed;
    int64_t last_io_ns;
    Pipe in, out; /* in: from the client to the engine */
} Bridge;

static void handle_closed(uv_handle_t *handle) {
    Bridge *b = handle->data;
    if (--b->open_handles > 0) return;
    loop_open_add(b->loop, -1);
    mem_free(b);
}

static void bridge_close(Bridge *b) {
    if (b->closed) return;
    b->closed = true;
    uv_poll_stop(&b->outer);
    uv_poll_stop(&b->inner);
    loop_tick_remove(b->loop, &b->tick);
    uv_close((uv_handle_t *)&b->outer, handle_closed);
    uv_close((uv_handle_t *)&b->inner, handle_closed);
    transport_close(&b->t);
    close(b->inner_fd);
    net_connection_closed(b->server);
}

/* Moves what it can in one direction. false: the connection is broken. */
static bool pump(Transport *source, Transport *sink, Pipe *p, bool *ret_moved) {
    if (p->from == p->to && !p->eof) {
        ptrdiff_t n = transport_read(source, p->bytes, sizeof(p->bytes));
        if (n == TRANSPORT_FAILED) return false;
        p->eof = n == 0;
        p->from = 0;
        p->to = n > 0 ? (size_t)n : 0;
        if (n >= 0) *ret_moved = true;
    }
    while (p->from < p->to) {
        ptrdiff_t n = transport_write(sink, p->bytes + p->from, p->to - p->from);
        if (n == TRANSPORT_AGAIN) break;
        if (n < 0) return false;
        p->from += (size_t)n;
        *ret_moved = true;
    }
    if (p->eof && p->from == p->to && !p->ended) {
        p->ended = true;
        if (!sink->tls) shutdown(sink->fd, SHUT_WR);
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(uv_poll_t *poll, int *current, int events) {
    if (events == *current) return;
    *current = events;
    if (events)
        uv_poll_start(poll, events, on_poll);
    else
        uv_poll_stop(poll);
}

static void run(Bridge *b) {
    Transport inner = {.fd = b->inner_fd};
    bool moved = true;
    while (moved) {
        moved = false;
        if (!pump(&b->t, &inner, &b->in, &moved) || !pump(&inner, &b->t, &b->out, &moved)) {
            bridge_close(b);
            return;
        }
        if (moved) b->last_io_ns = clock_mono_ns();
    }
    if (b->out.ended) { /* the engine has closed and all was sent */
        bridge_close(b);
        return;
    }
    bool in_full = b->in.from < b->in.to, out_full = b->out.from < b->out.to;
    watch(&b->outer, &b->outer_events, (!in_full && !b->in.eof ? UV_READABLE : 0) | (out_full ? UV_WRITABLE : 0));
    watch(&b->inner, &b->inner_events, (!out_full && !b->out.eof ? UV_READABLE : 0) | (in_full ? UV_WRITABLE : 0));
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)events;
    if (status < 0)
        bridge_close(poll->data);
    else
        run(poll->data);
}

static void on_tick(LoopTick *tick, int64_t now_ns) {
    Bridge *b = CONTAINER_OF(tick, Bridge, tick);
    /* The engine keeps the deadlines of requests; this one is for a client that does not take its answer. */
    bool stuck = b->out.from < b->out.to && now_ns - b->last_io_ns > (int64_t)b->server->opts.idle_timeout_ms * 1000000;
    if (stuck) atomic_fetch_add(&b->server->stats.timeouts, 1);
    if (stuck || atomic_load(&b->server->closing)) bridge_close(b);
}

void bridge_start(Loop *loop, NetServer *s, const Accepted *a, Transport t) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        transport_close(&t);
        net_connection_closed(s);
        return;
    }
    Bridge *b = NEW(Bridge);
    b->server = s;
    b->loop = loop;
    b->t = t;
    b->inner_fd = pair[0];
    b->last_io_ns = clock_mono_ns();
    b->open_handles = 2;
    b->tick.fn = on_tick;
    int r = uv_poll_init(loop_uv(loop), &b->outer, t.fd);
    ASSERT(r == 0);
    r = uv_poll_init(loop_uv(loop), &b->inner, b->inner_fd);
    ASSERT(r == 0);
    b->outer.data = b->inner.data = b;
    loop_open_add(loop, 1);
    loop_tick_add(loop, &b->tick);
    Accepted plain = *a;
    plain.fd = pair[1];
    http1_add(s->http1, &plain, true);
    run(b);
}
