/* read.c - /api/v1/read: the answering end of remote read. */
#include "metrics/api/api_int.h"
#include "metrics/api/remote_read.h"

#include "codec/compress.h"

#define READ_BYTES_MAX ((size_t)32 << 20)
#define READ_SAMPLES_MAX UINT64_C(50000000)

static void reply_failed(HttpResponse *res, const Err *err) {
    bool refused = err->code == ERR_INVALID || err->code == ERR_UNPROCESSABLE;
    int status = refused ? 400 : err->code == ERR_TOO_LARGE ? 413 : 500;
    buf_clear(&res->body);
    http_reply_text(res, status, "%s\n", err->msg);
}

static bool read_request(PromApi *api, HttpRequest *req, HttpResponse *res, RemoteReadRequest *ret) {
    Err err = {0};
    Str body;
    if (decompress(ENCODING_SNAPPY, req->body, READ_BYTES_MAX, req->arena, &body, &err) != OK ||
        remote_read_decode(body, api->external, req->arena, ret, &err) != OK) {
        reply_failed(res, &err);
        return false;
    }
    if (ret->samples) return true;
    http_reply_text(res, 400, "server does not support any of the requested response types; supported: SAMPLES\n");
    return false;
}

void api_read(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    MetricsStore *store = api->opts.store;
    RemoteReadRequest request;
    Buf message = {0};
    Err err = {0};
    ErrCode rc = OK;
    if (!api_is_ready(api)) {
        http_reply_text(res, 503, "Service Unavailable");
        return;
    }
    if (!read_request(api, req, res, &request)) return;
    for (size_t i = 0; rc == OK && i < request.n; i++) {
        const RemoteReadQuery *q = &request.v[i];
        Arena *arena = arena_create(api->opts.query_arena_bytes);
        MetricsSelect sel = {.matchers = q->matchers,
            .min_t_ms = q->min_t_ms,
            .max_t_ms = q->max_t_ms,
            .arena = arena,
            .samples_max = READ_SAMPLES_MAX};
        SeriesColumns cols = {0};
        rc = store->ops->select(store, &sel, &cols, &err);
        if (rc == OK) remote_read_put(&message, &cols, api->external);
        arena_free(arena);
        if (rc == OK && message.n > api->opts.query_arena_bytes)
            rc = err_set(&err, ERR_TOO_LARGE, "answer needs more memory than it may use");
    }
    if (rc == OK) rc = compress(ENCODING_SNAPPY, buf_str(&message), 0, &res->body);
    buf_done(&message);
    if (rc != OK) {
        reply_failed(res, &err);
        return;
    }
    res->status = 200;
    res->content_type = STR("application/x-protobuf");
    http_set_header(res, STR("Content-Encoding"), STR("snappy"));
}
