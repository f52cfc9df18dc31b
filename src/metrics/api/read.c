/* read.c - /api/v1/read: the answering end of remote read, by samples in one piece or by a stream of chunks. */
#include "metrics/api/read_stream.h"

#include "codec/compress.h"
#include "codec/proto.h"

#define READ_BYTES_MAX ((size_t)32 << 20)
#define READ_SAMPLES_MAX UINT64_C(50000000)
#define READS_MAX 10 /* at once */

static void reply_failed(HttpResponse *res, const Err *err) {
    bool refused = err->code == ERR_INVALID || err->code == ERR_UNPROCESSABLE;
    int status = refused ? 400 : err->code == ERR_TOO_LARGE ? 413 : 500;
    buf_clear(&res->body);
    http_reply_text(res, status, "%s\n", err->msg);
}

/* --- samples --- */

typedef struct Answer {
    Buf message;
    Labels external;
    size_t bytes_max;
    uint64_t samples;
    bool names_only;
    Err err;
} Answer;

static bool put_series(void *ctx, const SeriesColumn *c) {
    Answer *a = ctx;
    SeriesColumn name = {.labels = c->labels};
    if (a->names_only) c = &name;
    a->samples += c->n + c->n_histograms;
    if (a->samples > READ_SAMPLES_MAX) {
        err_set(&a->err, ERR_UNPROCESSABLE, "exceeded sample limit (%llu)", (unsigned long long)READ_SAMPLES_MAX);
        return false;
    }
    remote_read_put_series(&a->message, c, a->external);
    if (a->message.n <= a->bytes_max) return true;
    err_set(&a->err, ERR_TOO_LARGE, "answer needs more memory than it may use");
    return false;
}

static ErrCode put_query(PromApi *api, const RemoteReadQuery *q, Answer *a, Err *err) {
    MetricsStore *store = api->opts.store;
    Arena *arena = arena_create(api->opts.query_arena_bytes);
    MetricsSelect sel = {.matchers = q->matchers, .min_t_ms = q->min_t_ms, .max_t_ms = q->max_t_ms, .arena = arena};
    size_t mark = proto_begin(&a->message, 1);
    a->names_only = q->names_only;
    ErrCode rc = store->ops->visit(store, &sel, false, put_series, a, err);
    if (rc == OK && a->err.code != OK) *err = a->err;
    if (rc == OK) proto_end(&a->message, mark);
    arena_free(arena);
    return rc == OK ? a->err.code : rc;
}

static void answer_samples(PromApi *api, HttpRequest *req, HttpResponse *res, const RemoteReadRequest *request) {
    Answer a = {.external = api_external_labels(api, req->arena), .bytes_max = api->opts.query_arena_bytes};
    Err err = {0};
    ErrCode rc = OK;
    for (size_t i = 0; rc == OK && i < request->n; i++) rc = put_query(api, &request->v[i], &a, &err);
    if (rc == OK) rc = compress(ENCODING_SNAPPY, buf_str(&a.message), 0, &res->body);
    buf_done(&a.message);
    if (rc != OK) {
        reply_failed(res, &err);
        return;
    }
    res->status = 200;
    res->content_type = STR("application/x-protobuf");
    http_set_header(res, STR("Content-Encoding"), STR("snappy"));
}

/* --- entry --- */

static void reply_foreign(HttpResponse *res, const RemoteReadRequest *r) {
    Buf types = {0};
    for (size_t i = 0; i < r->types.n && i < 32; i++)
        buf_printf(&types, "%s%lld", i ? " " : "", (long long)(int32_t)r->types.v[i]);
    http_reply_text(res, 400,
        "server does not support any of the requested response types: [%s]; supported: map[SAMPLES:{} "
        "STREAMED_XOR_CHUNKS:{}]\n",
        buf_cstr(&types));
    buf_done(&types);
}

static bool read_request(PromApi *api, HttpRequest *req, HttpResponse *res, RemoteReadRequest *ret) {
    Err err = {0};
    Str body;
    Labels external = api_external_labels(api, req->arena);
    if (decompress(ENCODING_SNAPPY, req->body, READ_BYTES_MAX, req->arena, &body, &err) != OK ||
        remote_read_decode(body, external, req->arena, ret, &err) != OK) {
        reply_failed(res, &err);
        return false;
    }
    if (ret->foreign) {
        reply_foreign(res, ret);
        return false;
    }
    if (!ret->bad_matcher[0]) return true;
    http_reply_text(res, 500, "%s\n", ret->bad_matcher); /* Prometheus' status */
    return false;
}

void api_read(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    RemoteReadRequest request;
    if (!api_is_ready(api)) {
        http_reply_text(res, 503, "Service Unavailable");
        return;
    }
    if (!read_request(api, req, res, &request)) return;
    if (atomic_fetch_add(&api->reads, 1) >= READS_MAX) {
        http_reply_text(res, 503, "too many remote reads at once, retry later\n");
        http_set_header(res, STR("Retry-After"), STR("1"));
    } else if (request.chunks) {
        atomic_fetch_add(&api->reads, 1); /* the stream's own, until it ends */
        read_stream_answer(api, req, res, &request);
    } else {
        answer_samples(api, req, res, &request);
    }
    atomic_fetch_sub(&api->reads, 1);
}
