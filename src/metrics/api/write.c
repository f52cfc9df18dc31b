/* write.c - /api/v1/write: the receiving end of remote write 1.0 and 2.0. */
#include "metrics/api/api_int.h"
#include "metrics/api/remote_write.h"

#include "codec/compress.h"

#define WRITE_BYTES_MAX ((size_t)128 << 20)

static bool message_version(const HttpRequest *req, RemoteWriteVersion *ret) {
    Str type = http_header(req, STR("Content-Type"));
    *ret = REMOTE_WRITE_1;
    if (type.n == 0) return true; /* old senders */
    if (!str_eq_nocase(http_media_type(req), STR("application/x-protobuf"))) return false;
    size_t at = str_find(type, STR("proto="));
    if (at == SIZE_MAX) return true;
    Str proto = str_skip(type, at + 6);
    size_t end = str_find_char(proto, ';');
    proto = str_trim(str_slice(proto, 0, end == SIZE_MAX ? proto.n : end));
    if (str_eq_lit(proto, "prometheus.WriteRequest")) return true;
    *ret = REMOTE_WRITE_2;
    return str_eq_lit(proto, "io.prometheus.write.v2.Request");
}

static void put_count(HttpRequest *req, HttpResponse *res, Str name, uint64_t n) {
    Str text = arena_printf(req->arena, "%llu", (unsigned long long)n);
    if (text.p) http_set_header(res, name, text);
}

static void put_written(HttpRequest *req, HttpResponse *res, const MetricsAppendResult *r) {
    put_count(req, res, STR("X-Prometheus-Remote-Write-Samples-Written"), r->samples + r->duplicates);
    put_count(req, res, STR("X-Prometheus-Remote-Write-Histograms-Written"), r->histograms);
    put_count(req, res, STR("X-Prometheus-Remote-Write-Exemplars-Written"), r->exemplars);
}

static bool read_body(HttpRequest *req, HttpResponse *res, RemoteWriteVersion *version, Str *ret) {
    Str encoding = http_header(req, STR("Content-Encoding"));
    Err err = {0};
    if (!message_version(req, version)) {
        http_reply_text(res, 415,
            "%" STR_FMT " protobuf message not accepted by this server; accepted prometheus.WriteRequest, "
            "io.prometheus.write.v2.Request\n",
            STR_ARG(http_header(req, STR("Content-Type"))));
        return false;
    }
    if (encoding.n && !str_eq_nocase(encoding, STR("snappy"))) {
        http_reply_text(res, 415,
            "%" STR_FMT " encoding (compression) is not accepted by this server; only snappy is acceptable\n",
            STR_ARG(encoding));
        return false;
    }
    if (decompress(ENCODING_SNAPPY, req->body, WRITE_BYTES_MAX, req->arena, ret, &err) == OK) return true;
    http_reply_text(res, err.code == ERR_TOO_LARGE ? 413 : 400, "%s\n", err.msg);
    return false;
}

static void reply_stored(HttpRequest *req, HttpResponse *res, RemoteWriteVersion version, const MetricsAppendResult *r,
    uint64_t skipped, const Err *why) {
    bool left_out = skipped || r->invalid;
    bool refused = r->conflicts || r->too_old || r->limited || (left_out && version == REMOTE_WRITE_2);
    if (version == REMOTE_WRITE_2) put_written(req, res, r);
    if (refused)
        http_reply_text(res, 400, "%s\n", r->first_error[0] ? r->first_error : why->msg);
    else
        res->status = 204;
}

void api_write(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    MetricsBatch batch = {.arena = req->arena};
    MetricsAppendResult result = {0};
    RemoteWriteVersion version;
    uint64_t skipped;
    Str body;
    Err err = {0}, why = {0};
    if (api->opts.ready && !api->opts.ready(api->opts.ctx)) {
        http_reply_text(res, 503, "Service Unavailable");
        return;
    }
    if (!read_body(req, res, &version, &body)) return;
    MetricsStore *store = api->opts.store;
    ErrCode rc = store->ops->takes_wire_labels ? remote_write_decode_lazily(body, version, &batch, &skipped, &why)
                                               : remote_write_decode(body, version, &batch, &skipped, &why);
    if (rc != OK) {
        http_reply_text(res, rc == ERR_TOO_LARGE ? 413 : 400, "%s\n", why.msg);
        return;
    }
    rc = store->ops->append(store, &batch, &result, &err);
    if (rc == ERR_INVALID) { /* found while reading labels */
        http_reply_text(res, 400, "%s\n", err.msg);
        return;
    }
    if (rc != OK) {
        http_reply_error(res, &err);
        return;
    }
    reply_stored(req, res, version, &result, skipped, &why);
}
