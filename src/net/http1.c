/* http1.c - HTTP/1.1 on libmicrohttpd: sockets come from the acceptor, requests become exchanges.
 *
 * A connection is suspended while a worker has its request. libmicrohttpd only knows an idle timeout; the
 * deadlines for heads and bodies are kept here and enforced by shutting the socket down. */
#include "net/http1_int.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECTION_MEMORY ((size_t)32 << 10)
#define DISCARD_MAX ((int64_t)1 << 20) /* an unwanted body up to this is read so that the connection can stay */

static Conn1 *conn_of(struct MHD_Connection *c) {
    return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *mhd) {
    Http1 *h = cls;
    Conn1 *conn = conn_of(mhd);
    Request1 *r = NEW(Request1);
    r->mhd = mhd;
    r->conn = conn;
    r->x = exchange_create(h->server, conn->listener, conn->peer, conn->tls, false);
    r->x->engine = r;
    r->x->on_done = request1_done;
    r->x->resume_stream = request1_resume;
    r->target = arena_copy(r->x->head, str_cstr(uri));
    mutex_lock(&h->lock);
    conn->request = r;
    mutex_unlock(&h->lock);
    return r;
}

/* RFC 9110 section 5.6.2. "Content-Length : 5" is the name that matters: the engine would not know its own header. */
static bool is_token(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return s.n > 0;
}

/* RFC 9110 section 5.5: no control characters but the tab. */
static bool is_field_value(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f) return false;
    }
    return true;
}

static enum MHD_Result on_header(
    void *cls, enum MHD_ValueKind kind, const char *k, size_t k_n, const char *v, size_t v_n) {
    Request1 *r = cls;
    (void)kind;
    Str name = str_of(k, k_n), value = str_of(v, v_n);
    if (!is_token(name) || !is_field_value(value)) r->malformed = true;
    if (str_eq_nocase(name, STR("host"))) r->n_host++;
    if (str_eq_nocase(name, STR("content-length"))) r->n_content_length++;
    if (str_eq_nocase(name, STR("transfer-encoding"))) {
        r->n_transfer_encoding++;
        /* Exactly as the engine compares it: " chunked" (a folded line) would be another framing to it. */
        if (!str_eq_nocase(value, STR("chunked"))) r->odd_transfer_encoding = true;
    }
    if (str_eq_nocase(name, STR("expect"))) r->expects_continue = true;
    if (!exchange_add_header(r->x, name, value)) r->too_many_headers = true;
    return MHD_YES;
}

/* Framing that two parsers could read differently must not pass (RFC 9112 section 6.3). */
static ErrCode check_framing(Request1 *r) {
    Exchange *x = r->x;
    bool doubtful =
        r->n_content_length > 1 || r->n_transfer_encoding > 1 || (r->n_content_length && r->n_transfer_encoding);
    bool malformed = r->malformed || r->n_host > 1;
    r->must_close = doubtful || malformed || r->odd_transfer_encoding || r->too_many_headers;
    if (malformed) return exchange_fail(x, ERR_INVALID, 400, "malformed header");
    if (doubtful) return exchange_fail(x, ERR_INVALID, 400, "ambiguous message length");
    if (r->odd_transfer_encoding) return exchange_fail(x, ERR_NOT_IMPLEMENTED, 501, "unsupported Transfer-Encoding");
    if (r->too_many_headers || !r->target.p) return exchange_fail(x, ERR_TOO_LARGE, 431, "request head is too large");
    return OK;
}

static enum MHD_Result on_head(Request1 *r, const char *method) {
    Exchange *x = r->x;
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, on_header, r);
    ErrCode code = check_framing(r);
    if (code == OK) code = exchange_begin(x, str_cstr(method), r->target);
    atomic_store(&r->state, REQUEST1_BODY);
    bool has_body = x->content_length > 0 || r->n_transfer_encoding;
    conn1_set_state(r->conn, has_body ? CONN1_BODY : CONN1_BUSY);
    if (code == OK) return MHD_YES;
    bool now = r->must_close || (has_body && (r->expects_continue || x->content_length > DISCARD_MAX));
    return now ? request1_send(r) : MHD_YES;
}

static enum MHD_Result on_body_end(Request1 *r) {
    conn1_set_state(r->conn, CONN1_BUSY);
    if (r->x->answered) return request1_send(r);
    atomic_store(&r->state, REQUEST1_RUNNING);
    MHD_suspend_connection(r->mhd);
    if (!exchange_submit(r->x)) {
        atomic_store(&r->state, REQUEST1_DONE);
        MHD_resume_connection(r->mhd);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *data, size_t *data_n, void **req_cls) {
    Request1 *r = *req_cls;
    (void)cls, (void)mhd, (void)url, (void)version;
    ASSERT(r);
    switch (atomic_load(&r->state)) {
    case REQUEST1_HEAD: return on_head(r, method);
    case REQUEST1_BODY:
        if (*data_n == 0) return on_body_end(r);
        exchange_add_body(r->x, str_of(data, *data_n));
        *data_n = 0;
        return MHD_YES;
    case REQUEST1_DONE: return request1_send(r);
    case REQUEST1_RUNNING:
    default: UNREACHABLE();
    }
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **req_cls, enum MHD_RequestTerminationCode why) {
    Http1 *h = cls;
    (void)mhd, (void)why;
    Request1 *r = *req_cls;
    if (!r) return;
    *req_cls = NULL;
    mutex_lock(&h->lock);
    r->conn->request = NULL;
    mutex_unlock(&h->lock);
    conn1_set_state(r->conn, CONN1_WAIT);
    exchange_free(r->x);
    mem_free(r);
}

/* --- connections --- */

void conn1_set_state(Conn1 *c, Conn1State state) {
    Http1 *h = c->http1;
    mutex_lock(&h->lock);
    c->state = state;
    c->since_ns = clock_mono_ns();
    if (state == CONN1_BUSY) c->n_requests++;
    mutex_unlock(&h->lock);
}

static void conn_unlink_free(Http1 *h, Conn1 *c) {
    if (c->prev)
        c->prev->next = c->next;
    else
        h->conns = c->next;
    if (c->next) c->next->prev = c->prev;
    u64map_remove(h->by_fd, (uint64_t)c->fd, NULL);
    mem_free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what) {
    Http1 *h = cls;
    mutex_lock(&h->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        uint64_t *v = u64map_get(h->by_fd, (uint64_t)fd);
        ASSERT(v);
        *ctx = (void *)(uintptr_t)*v;
        mutex_unlock(&h->lock);
        return;
    }
    Conn1 *c = *ctx;
    bool counted = !c->tls;
    conn_unlink_free(h, c);
    mutex_unlock(&h->lock);
    if (counted) net_connection_closed(h->server);
}

void http1_add(Http1 *h, const Accepted *a, bool tls) {
    Conn1 *c = NEW(Conn1);
    c->http1 = h;
    c->fd = a->fd;
    c->listener = a->listener;
    c->tls = tls;
    c->since_ns = clock_mono_ns();
    snprintf(c->peer, sizeof(c->peer), "%s", a->peer);
    mutex_lock(&h->lock);
    c->next = h->conns;
    if (h->conns) h->conns->prev = c;
    h->conns = c;
    bool inserted;
    *u64map_put(h->by_fd, (uint64_t)c->fd, &inserted) = (uint64_t)(uintptr_t)c;
    ASSERT(inserted);
    mutex_unlock(&h->lock);
    struct sockaddr_in any = {.sin_family = AF_INET};
    if (MHD_add_connection(h->daemon, a->fd, (struct sockaddr *)&any, sizeof(any)) == MHD_YES) return;
    mutex_lock(&h->lock); /* the socket is closed already */
    conn_unlink_free(h, c);
    mutex_unlock(&h->lock);
    if (!tls) net_connection_closed(h->server);
}

/* Under the lock, so that the request stays. */
static bool is_unread(const Conn1 *c, int64_t age_ms) {
    int64_t limit_ms = c->request ? exchange_answer_limit_ms(c->request->x) : 0;
    return limit_ms && age_ms > limit_ms;
}

void http1_sweep(Http1 *h, int64_t now_ns) {
    const NetServerOptions *o = &h->server->opts;
    mutex_lock(&h->lock);
    for (Conn1 *c = h->conns; c; c = c->next) {
        int64_t age_ms = (now_ns - c->since_ns) / 1000000;
        /* When a next request's head began is unknown: it may take the idle time and the head's time together. */
        int64_t head_ms = (int64_t)o->header_timeout_ms + (c->n_requests ? o->idle_timeout_ms : 0);
        bool late = (c->state == CONN1_WAIT && age_ms > head_ms) ||
                    (c->state == CONN1_BODY && age_ms > (int64_t)o->body_timeout_ms) ||
                    (c->state == CONN1_ANSWER && is_unread(c, age_ms));
        if (!late || c->cut) continue;
        c->cut = true;
        atomic_fetch_add(&h->server->stats.timeouts, 1);
        shutdown(c->fd, SHUT_RDWR);
    }
    mutex_unlock(&h->lock);
}

void http1_drain(Http1 *h) {
    mutex_lock(&h->lock);
    for (Conn1 *c = h->conns; c; c = c->next) {
        if (c->state == CONN1_WAIT) shutdown(c->fd, SHUT_RD);
    }
    mutex_unlock(&h->lock);
}

/* Escapes are decoded by the router, after the path has been split. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *s) {
    (void)cls, (void)c;
    return strlen(s);
}

/* What the engine answers itself (400, 413, 414, 431, 505) never becomes an exchange; its log is the only place that
 * tells. The status is the message's first argument. */
__attribute__((format(printf, 2, 0))) static void on_engine_log(void *cls, const char *fmt, va_list ap) {
    Http1 *h = cls;
    const char *percent = strchr(fmt, '%');
    if (strncmp(fmt, "Error processing request", 24) != 0 || !percent || percent[1] != 'u') return;
    unsigned status = va_arg(ap, unsigned);
    NetServer *s = h->server;
    atomic_fetch_add(&s->stats.requests, 1);
    atomic_fetch_add(&s->stats.protocol_errors, 1);
    atomic_fetch_add(status >= 500 ? &s->stats.responses_5xx : &s->stats.responses_4xx, 1);
}

Http1 *http1_create(NetServer *s, Err *reterr) {
    Http1 *h = NEW(Http1);
    h->server = s;
    h->by_fd = u64map_create();
    mutex_init(&h->lock);
    const NetServerOptions *o = &s->opts;
    unsigned flags = MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG;
    unsigned idle_s = (o->idle_timeout_ms + 999) / 1000;
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h,                              //
        MHD_OPTION_EXTERNAL_LOGGER, on_engine_log, h,                                              //
        MHD_OPTION_THREAD_POOL_SIZE, o->io_threads > 1 ? o->io_threads : 0U,                       //
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(o->connections_max * MAX(o->io_threads, 1U) + 64), //
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,                                     //
        MHD_OPTION_CONNECTION_TIMEOUT, MAX(idle_s, 1U),                                            //
        MHD_OPTION_STRICT_FOR_CLIENT, 1,                                                           //
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, h,                                           //
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,                                          //
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,                                              //
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,                                            //
        MHD_OPTION_END);
    if (h->daemon) return h;
    err_set(reterr, ERR_INTERNAL, "cannot start the HTTP/1.1 engine: errno %d", errno);
    return http1_free(h);
}

/* The daemon cannot be stopped while a stream that waits for its source keeps a connection suspended. */
static void end_streams(Http1 *h) {
    mutex_lock(&h->lock);
    for (Conn1 *c = h->conns; c; c = c->next) {
        if (!c->request) continue;
        atomic_store(&c->request->x->gone, true);
        if (c->request->x->waker) http_waker_wake(c->request->x->waker);
    }
    mutex_unlock(&h->lock);
}

Http1 *http1_free(Http1 *h) {
    if (!h) return NULL;
    end_streams(h);
    if (h->daemon) MHD_stop_daemon(h->daemon);
    while (h->conns) conn_unlink_free(h, h->conns); /* handed over, never begun */
    u64map_free(h->by_fd);
    mutex_done(&h->lock);
    mem_free(h);
    return NULL;
}
