/* http2.c - HTTP/2 connections: socket, session, deadlines. Requests are in http2_stream.c. */
#include "net/http2_int.h"

#include "sys/clock.h"

#include <stdio.h>

#define READ_BYTES ((size_t)16 << 10)
#define READS_PER_WAKEUP 16
#define OUT_BYTES ((size_t)64 << 10)
#define STREAMS_MAX 128
#define STREAM_WINDOW (1 << 20)
#define CONNECTION_WINDOW (8 << 20)
#define RESET_BURST 1000
#define RESET_RATE 100
#define CONTINUATIONS_MAX 8

static void conn_closed(uv_handle_t *handle) {
    Conn2 *c = handle->data;
    Loop *loop = c->loop;
    buf_done(&c->out);
    mem_free(c);
    loop_open_add(loop, -1);
}

void conn2_close(Conn2 *c) {
    if (c->closed) return;
    c->closed = true;
    uv_poll_stop(&c->poll);
    loop_tick_remove(c->loop, &c->tick);
    while (c->streams) stream2_free(c->streams);
    nghttp2_session_del(c->session);
    uv_close((uv_handle_t *)&c->poll, conn_closed);
    transport_close(&c->t);
    net_connection_closed(c->server);
}

/* Fills c->out from the session. false: the session is broken. */
static bool fill_out(Conn2 *c) {
    buf_clear(&c->out);
    c->out_off = 0;
    while (c->out.n < OUT_BYTES) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (n < 0) return false;
        if (n == 0) break;
        buf_put(&c->out, p, (size_t)n);
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void update_events(Conn2 *c) {
    int events = UV_READABLE | (c->out_off < c->out.n ? UV_WRITABLE : 0);
    if (events == c->events) return;
    c->events = events;
    uv_poll_start(&c->poll, events, on_poll);
}

void conn2_flush(Conn2 *c) {
    if (c->closed) return;
    for (;;) {
        if (c->out_off == c->out.n && !fill_out(c)) {
            conn2_close(c);
            return;
        }
        if (c->out.n == 0) break;
        ptrdiff_t n = transport_write(&c->t, c->out.p + c->out_off, c->out.n - c->out_off);
        if (n == TRANSPORT_AGAIN) break;
        if (n < 0) {
            conn2_close(c);
            return;
        }
        c->out_off += (size_t)n;
        c->last_io_ns = clock_mono_ns();
    }
    bool sent = c->out_off == c->out.n;
    if (sent && !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session)) {
        conn2_close(c);
        return;
    }
    if (sent && c->out.cap > 2 * OUT_BYTES) buf_done(&c->out), c->out_off = 0;
    update_events(c);
}

/* false: the connection is at its end. */
static bool read_some(Conn2 *c) {
    uint8_t buf[READ_BYTES];
    for (int i = 0; i < READS_PER_WAKEUP || (c->t.tls && gnutls_record_check_pending(c->t.tls)); i++) {
        ptrdiff_t n = transport_read(&c->t, buf, sizeof(buf));
        if (n == TRANSPORT_AGAIN) return true;
        if (n <= 0) {
            conn2_flush(c); /* what is due already, a GOAWAY perhaps */
            return false;
        }
        c->last_io_ns = clock_mono_ns();
        ssize_t used = nghttp2_session_mem_recv(c->session, buf, (size_t)n);
        if (used < 0) {
            atomic_fetch_add(&c->server->stats.protocol_errors, 1);
            nghttp2_session_terminate_session(c->session, NGHTTP2_PROTOCOL_ERROR);
            conn2_flush(c); /* a last GOAWAY, as far as the socket takes it */
            return false;
        }
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    Conn2 *c = poll->data;
    if (status < 0 || ((events & UV_READABLE) && !read_some(c))) {
        conn2_close(c);
        return;
    }
    conn2_flush(c);
}

static bool is_stuck(const Conn2 *c, int64_t now_ns) {
    const NetServerOptions *o = &c->server->opts;
    int64_t head_ns = (int64_t)o->header_timeout_ms * 1000000, idle_ns = (int64_t)o->idle_timeout_ms * 1000000;
    if (c->head_since_ns && now_ns - c->head_since_ns > head_ns) return true;
    if (c->n_streams == 0) return now_ns - c->idle_since_ns > (c->had_request ? idle_ns : head_ns);
    for (const Stream2 *st = c->streams; st; st = st->next) {
        if (st->x->running || st->deferred) return false;
    }
    return now_ns - c->last_io_ns > idle_ns;
}

static void on_tick(LoopTick *tick, int64_t now_ns) {
    Conn2 *c = CONTAINER_OF(tick, Conn2, tick);
    NetServer *s = c->server;
    if (atomic_load(&s->closing)) {
        conn2_close(c);
        return;
    }
    if (is_stuck(c, now_ns)) {
        atomic_fetch_add(&s->stats.timeouts, 1);
        nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
        conn2_flush(c);
        conn2_close(c);
        return;
    }
    for (Stream2 *st = c->streams, *next; st; st = next) {
        next = st->next;
        stream2_check_time(st, now_ns);
    }
    if (atomic_load(&s->draining) && !c->goaway) {
        c->goaway = true;
        int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);
        nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    }
    conn2_flush(c);
}

static nghttp2_session *make_session(Conn2 *c) {
    nghttp2_session_callbacks *cb;
    nghttp2_option *opt;
    nghttp2_session *session;
    int r = nghttp2_session_callbacks_new(&cb);
    ASSERT(r == 0);
    r = nghttp2_option_new(&opt);
    ASSERT(r == 0);
    http2_set_callbacks(cb);
    nghttp2_option_set_stream_reset_rate_limit(opt, RESET_BURST, RESET_RATE);
    nghttp2_option_set_max_continuations(opt, CONTINUATIONS_MAX);
    nghttp2_option_set_no_closed_streams(opt, 1);
    r = nghttp2_session_server_new2(&session, cb, c, opt);
    ASSERT(r == 0);
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_BYTES_MAX},
    };
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return session;
}

void http2_start(Loop *loop, NetServer *s, const Listener *l, const char *peer, Transport t) {
    Conn2 *c = NEW(Conn2);
    c->server = s;
    c->listener = l;
    c->loop = loop;
    c->t = t;
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    c->last_io_ns = c->idle_since_ns = clock_mono_ns();
    c->session = make_session(c);
    c->tick.fn = on_tick;
    int r = uv_poll_init(loop_uv(loop), &c->poll, t.fd);
    ASSERT(r == 0);
    c->poll.data = c;
    loop_open_add(loop, 1);
    loop_tick_add(loop, &c->tick);
    /* TLS may hold decrypted bytes already, so the socket alone cannot tell. */
    on_poll(&c->poll, 0, UV_READABLE);
}

typedef struct Handover {
    NetServer *server;
    Loop *loop;
    Accepted conn;
} Handover;

static void add_on_loop(void *ctx) {
    Handover *h = ctx;
    http2_start(h->loop, h->server, h->conn.listener, h->conn.peer, (Transport){.fd = h->conn.fd});
    mem_free(h);
}

void http2_add(NetServer *s, const Accepted *a) {
    Handover *h = NEW(Handover);
    h->server = s;
    h->loop = s->loops[atomic_fetch_add(&s->next_loop, 1) % s->n_loops];
    h->conn = *a;
    loop_post(h->loop, add_on_loop, h);
}
