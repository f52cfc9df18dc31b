/* read_stream.c - the thread behind a streamed remote read. Memory: one series of the store and BUFFER_BYTES. */
#include "metrics/api/read_stream.h"

#include "base/log.h"

#define FRAME_BYTES ((size_t)1 << 20)
#define BUFFER_BYTES ((size_t)2 << 20) /* made and not yet taken; beyond it the maker waits */

typedef struct ReadStream {
    PromApi *api;
    const RemoteReadRequest *request; /* in the request's arena, which lives until the stream is freed */
    Labels external;
    Arena *arena; /* the maker's */
    HttpWaker *waker;
    Thread *maker;
    uint64_t query; /* index of the one that is read */
    Mutex lock;
    Cond taken;
    Buf ready; /* bytes [at, n) are to be sent */
    size_t at;
    bool finished, failed;
    _Atomic bool cancelled;
} ReadStream;

/* --- the maker --- */

static bool emit(void *ctx, Str frame) {
    ReadStream *s = ctx;
    mutex_lock(&s->lock);
    while (s->ready.n - s->at > BUFFER_BYTES && !s->cancelled) cond_wait(&s->taken, &s->lock);
    bool go_on = !s->cancelled;
    if (go_on) buf_put_str(&s->ready, frame);
    mutex_unlock(&s->lock);
    if (go_on) http_waker_wake(s->waker);
    return go_on;
}

static bool put_series(void *ctx, const SeriesColumn *c) {
    ReadStream *s = ctx;
    return read_frames(c, s->external, s->query, FRAME_BYTES, emit, s);
}

static void make(void *ctx) {
    ReadStream *s = ctx;
    MetricsStore *store = s->api->opts.store;
    Err err = {0};
    ErrCode rc = OK;
    for (size_t i = 0; rc == OK && i < s->request->n && !s->cancelled; i++) {
        const RemoteReadQuery *q = &s->request->v[i];
        MetricsSelect sel = {.matchers = q->matchers,
            .min_t_ms = q->min_t_ms,
            .max_t_ms = q->max_t_ms,
            .arena = s->arena,
            .cancel = &s->cancelled};
        s->query = i;
        rc = store->ops->visit(store, &sel, false, put_series, s, &err);
        arena_reset(s->arena);
    }
    if (rc != OK && rc != ERR_CANCELLED) log_warn("a streamed remote read was cut off", "error", err.msg, NULL);
    mutex_lock(&s->lock);
    s->finished = true;
    s->failed = rc != OK;
    mutex_unlock(&s->lock);
    http_waker_wake(s->waker);
}

/* --- the answer --- */

static ptrdiff_t pull(void *ctx, char *buf, size_t max) {
    ReadStream *s = ctx;
    mutex_lock(&s->lock);
    size_t n = MIN(max, s->ready.n - s->at);
    ptrdiff_t given = n ? (ptrdiff_t)n : !s->finished ? HTTP_BODY_WAIT : s->failed ? HTTP_BODY_ERROR : HTTP_BODY_END;
    if (n) memcpy(buf, s->ready.p + s->at, n);
    s->at += n;
    if (s->at == s->ready.n) {
        s->at = 0;
        buf_clear(&s->ready);
    }
    if (n) cond_signal(&s->taken);
    mutex_unlock(&s->lock);
    return given;
}

static void release(void *ctx) {
    ReadStream *s = ctx;
    mutex_lock(&s->lock);
    s->cancelled = true;
    cond_signal(&s->taken);
    mutex_unlock(&s->lock);
    thread_join(s->maker);
    atomic_fetch_sub(&s->api->reads, 1);
    http_waker_unref(s->waker);
    arena_free(s->arena);
    buf_done(&s->ready);
    cond_done(&s->taken);
    mutex_done(&s->lock);
    mem_free(s);
}

void read_stream_answer(PromApi *api, HttpRequest *req, HttpResponse *res, const RemoteReadRequest *request) {
    ReadStream *s = NEW(ReadStream);
    RemoteReadRequest *copy = ARENA_NEW(req->arena, RemoteReadRequest);
    *s = (ReadStream){.api = api,
        .request = copy,
        .external = api_external_labels(api, req->arena),
        .arena = arena_create(api->opts.query_arena_bytes),
        .waker = http_response_waker(res)};
    mutex_init(&s->lock);
    cond_init(&s->taken);
    if (copy) {
        *copy = *request;
        s->maker = thread_start("remote-read", make, s);
    }
    if (!s->maker) {
        release(s);
        http_reply_text(res, 503, "this server can start no thread for the stream, retry later\n");
        return;
    }
    http_reply_stream(
        res, 200, STR("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"), pull, release, s);
}
