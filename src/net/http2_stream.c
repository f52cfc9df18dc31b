/* http2_stream.c - streams become exchanges; answers become frames. */
#include "net/http2_int.h"

#include "sys/clock.h"

#include <stdio.h>
#include <time.h>

/* An unwanted body up to this is read to its end: several clients lose an answer that comes earlier. */
#define DISCARD_MAX ((size_t)1 << 20)
#define ENTRY_OVERHEAD 32 /* as RFC 9113 section 6.5.2 counts a header list's size */

static void stream_reply(Stream2 *st);

static void done_on_loop(void *ctx) {
    Exchange *x = ctx;
    Stream2 *st = x->engine;
    x->running = false;
    if (!st->conn) {
        exchange_free(x);
        mem_free(st);
        return;
    }
    Conn2 *c = st->conn;
    stream_reply(st);
    conn2_flush(c);
}

static void stream_done(Exchange *x) {
    Stream2 *st = x->engine;
    loop_post(st->loop, done_on_loop, x);
}

static void resume_on_loop(void *ctx) {
    HttpWaker *w = ctx;
    Exchange *x = waker_exchange(w);
    if (x) {
        Stream2 *st = x->engine;
        Conn2 *c = st->conn;
        st->deferred = false;
        if (c) nghttp2_session_resume_data(c->session, st->id);
        if (c) conn2_flush(c);
    }
    http_waker_unref(w);
}

static void stream_resume(Exchange *x) {
    Stream2 *st = x->engine;
    loop_post(st->loop, resume_on_loop, exchange_waker_ref(x));
}

void stream2_free(Stream2 *st) {
    Conn2 *c = st->conn;
    if (st->prev)
        st->prev->next = st->next;
    else
        c->streams = st->next;
    if (st->next) st->next->prev = st->prev;
    c->n_streams--;
    c->idle_since_ns = clock_mono_ns();
    st->conn = NULL;
    atomic_store(&st->x->gone, true);
    if (st->x->running) return; /* done_on_loop frees it */
    exchange_free(st->x);
    mem_free(st);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    Conn2 *c = user;
    c->head_since_ns = clock_mono_ns();
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Stream2 *st = NEW(Stream2);
    st->conn = c;
    st->loop = c->loop;
    st->id = frame->hd.stream_id;
    st->since_ns = c->head_since_ns;
    st->x = exchange_create(c->server, c->listener, c->peer, c->t.tls != NULL, true);
    st->x->engine = st;
    st->x->on_done = stream_done;
    st->x->resume_stream = stream_resume;
    st->next = c->streams;
    if (c->streams) c->streams->prev = st;
    c->streams = st;
    c->n_streams++;
    c->had_request = true;
    nghttp2_session_set_stream_user_data(session, st->id, st);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
    const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)flags, (void)user;
    Stream2 *st = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!st || st->head_done) return 0; /* trailers say nothing to us */
    st->header_bytes += name_n + value_n + ENTRY_OVERHEAD;
    if (st->header_bytes > HEADER_BYTES_MAX) st->too_big = true;
    if (st->too_big) return 0;
    Str n = str_of((const char *)name, name_n), v = str_of((const char *)value, value_n);
    if (str_eq_lit(n, ":method"))
        st->method = arena_copy(st->x->head, v);
    else if (str_eq_lit(n, ":path"))
        st->path = arena_copy(st->x->head, v);
    else if (str_eq_lit(n, ":authority"))
        st->too_big = !exchange_add_header(st->x, STR("host"), v);
    else if (n.n && n.p[0] != ':')
        st->too_big = !exchange_add_header(st->x, n, v);
    return 0;
}

static void head_complete(Stream2 *st) {
    st->head_done = true;
    Exchange *x = st->x;
    ErrCode code = st->too_big ? exchange_fail(x, ERR_TOO_LARGE, 431, "request head is too large")
                               : exchange_begin(x, st->method, st->path);
    if (code != OK && x->content_length > (int64_t)DISCARD_MAX) stream_reply(st);
}

static void request_complete(Stream2 *st) {
    st->request_done = true;
    if (st->replied) return;
    if (st->x->answered || !exchange_submit(st->x)) stream_reply(st);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    Conn2 *c = user;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) c->head_since_ns = 0;
    Stream2 *st = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!st) return 0;
    if (!st->head_done) head_complete(st);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) request_complete(st);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user) {
    (void)flags, (void)user;
    Stream2 *st = nghttp2_session_get_stream_user_data(session, id);
    if (!st || st->replied) return 0;
    if (exchange_add_body(st->x, str_of((const char *)data, n)) == OK) return 0;
    st->discarded += n;
    if (st->discarded > DISCARD_MAX) stream_reply(st);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user) {
    Conn2 *c = user;
    (void)error;
    Stream2 *st = nghttp2_session_get_stream_user_data(session, id);
    c->head_since_ns = 0;
    if (st) stream2_free(st);
    return 0;
}

/* An answer given before the request's end: the rest is not wanted (RFC 9113 section 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (ends && nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int lib_error, void *user) {
    Conn2 *c = user;
    (void)session, (void)frame, (void)lib_error;
    atomic_fetch_add(&c->server->stats.protocol_errors, 1);
    return 0;
}

void http2_set_callbacks(nghttp2_session_callbacks *cb) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
}

/* --- answers --- */

typedef struct HeadWriter {
    nghttp2_nv nv[32];
    size_t n;
    Buf names; /* lower-case copies; reserved up front, so that pointers stay */
} HeadWriter;

static bool is_clean(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0') return false;
    }
    return true;
}

static bool is_hop_header(Str name) {
    return str_eq_nocase(name, STR("connection")) || str_eq_nocase(name, STR("transfer-encoding")) ||
           str_eq_nocase(name, STR("keep-alive")) || str_eq_nocase(name, STR("upgrade"));
}

static void put_nv(HeadWriter *w, Str name, Str value) {
    if (w->n == ARRAY_LEN(w->nv) || !is_clean(value) || !is_clean(name) || is_hop_header(name)) return;
    ASSERT(w->names.cap - w->names.n >= name.n);
    uint8_t *low = (uint8_t *)w->names.p + w->names.n;
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        buf_put_char(&w->names, ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch);
    }
    w->nv[w->n++] = (nghttp2_nv){low, (uint8_t *)(uintptr_t)value.p, name.n, value.n, NGHTTP2_NV_FLAG_NONE};
}

static size_t names_bytes(const HttpHeader *h, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += h[i].name.n;
    return total;
}

static void send_trailers(Stream2 *st) {
    const HttpResponse *res = &st->x->res;
    HeadWriter w = {0};
    buf_reserve(&w.names, names_bytes(res->trailers, res->n_trailers) + 1);
    for (size_t i = 0; i < res->n_trailers; i++) put_nv(&w, res->trailers[i].name, res->trailers[i].value);
    nghttp2_submit_trailer(st->conn->session, st->id, w.nv, w.n);
    buf_done(&w.names);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max, uint32_t *flags,
    nghttp2_data_source *source, void *user) {
    Stream2 *st = source->ptr;
    (void)session, (void)id, (void)user;
    HttpResponse *res = &st->x->res;
    ptrdiff_t n;
    bool end;
    if (res->stream_fn) {
        n = exchange_pull(st->x, (char *)buf, max, NULL);
        st->deferred = n == HTTP_BODY_WAIT;
        if (n == HTTP_BODY_WAIT) return NGHTTP2_ERR_DEFERRED;
        if (n == HTTP_BODY_ERROR) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        end = n == HTTP_BODY_END;
    } else {
        n = (ptrdiff_t)MIN(max, res->body.n - st->body_off);
        if (n) memcpy(buf, res->body.p + st->body_off, (size_t)n);
        st->body_off += (size_t)n;
        end = st->body_off == res->body.n;
    }
    if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (end && res->n_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        send_trailers(st);
    }
    return n;
}

/* IMF-fixdate without strftime's locale. */
static Str http_date(char out[40]) {
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(clock_now_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    int n = snprintf(out, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
        months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return str_of(out, (size_t)n);
}

static void stream_reply(Stream2 *st) {
    Exchange *x = st->x;
    HttpResponse *res = &x->res;
    ASSERT(st->conn && !st->replied);
    st->replied = true;
    st->since_ns = clock_mono_ns();
    if (x->answered) reply_finish(x);
    char status[16], length[24], date[40];
    snprintf(status, sizeof(status), "%d", res->status);
    snprintf(length, sizeof(length), "%zu", res->body.n);
    HeadWriter w = {0};
    buf_reserve(&w.names, names_bytes(res->headers, res->n_headers) + 64);
    put_nv(&w, STR(":status"), str_cstr(status));
    if (res->content_type.n) put_nv(&w, STR("content-type"), res->content_type);
    bool no_length = res->stream_fn || res->n_trailers || res->status == 204 || res->status == 304 || x->grpc;
    if (!no_length) put_nv(&w, STR("content-length"), str_cstr(length));
    put_nv(&w, STR("date"), http_date(date));
    for (size_t i = 0; i < res->n_headers; i++) put_nv(&w, res->headers[i].name, res->headers[i].value);
    bool has_body = (res->stream_fn || res->body.n || res->n_trailers) && x->req.method != HTTP_HEAD;
    nghttp2_data_provider source = {.source.ptr = st, .read_callback = read_body};
    if (!res->stream_fn && has_body) x->bytes_out = res->body.n;
    nghttp2_submit_response(st->conn->session, st->id, w.nv, w.n, has_body ? &source : NULL);
    buf_done(&w.names);
}

void stream2_check_time(Stream2 *st, int64_t now_ns) {
    const NetServerOptions *o = &st->conn->server->opts;
    int64_t age_ms = (now_ns - st->since_ns) / 1000000;
    if (st->replied) {
        /* A window that stays shut keeps the answer in memory however lively the connection is otherwise. */
        int64_t limit_ms = exchange_answer_limit_ms(st->x);
        if (limit_ms == 0 || age_ms <= limit_ms) return;
        atomic_fetch_add(&st->conn->server->stats.timeouts, 1);
        nghttp2_submit_rst_stream(st->conn->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
        st->since_ns = now_ns;
        return;
    }
    if (st->request_done || age_ms <= (int64_t)o->body_timeout_ms) return;
    atomic_fetch_add(&st->conn->server->stats.timeouts, 1);
    if (!st->head_done) st->head_done = true;
    if (!st->x->answered) exchange_fail(st->x, ERR_TIMEOUT, 408, "request body took too long");
    stream_reply(st);
}
