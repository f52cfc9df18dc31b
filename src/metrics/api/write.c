/* write.c - /api/v1/write: the receiving end of remote write 1.0 and 2.0. */
#include "metrics/api/api_int.h"
#include "metrics/api/remote_write.h"

#include "codec/compress.h"
#include "sys/clock.h"

#define WRITE_BYTES_MAX ((size_t)128 << 20)

/* NULL: fine; else what is wrong with the type. Parameters as RFC 9110 has them; without proto= it is 1.0. */
static Str type_problem(HttpRequest *req, RemoteWriteVersion *ret) {
    Str type = str_trim(http_header(req, STR("Content-Type"))), rest = type, part;
    *ret = REMOTE_WRITE_1;
    if (type.n == 0) return STR_NULL; /* old senders */
    (void)str_split_next(&rest, ';', &part);
    if (!str_eq_nocase(str_trim(part), STR("application/x-protobuf")))
        return arena_printf(req->arena,
            "expected application/x-protobuf as the first (media) part, got %" STR_FMT " content-type", STR_ARG(type));
    while (rest.p && str_split_next(&rest, ';', &part)) {
        part = str_trim(part);
        if (!str_starts_with(part, STR("proto="))) continue;
        Str proto = str_skip(part, 6);
        if (str_eq_lit(proto, "prometheus.WriteRequest")) return STR_NULL;
        *ret = REMOTE_WRITE_2;
        if (str_eq_lit(proto, "io.prometheus.write.v2.Request")) return STR_NULL;
        return arena_printf(req->arena,
            "got %" STR_FMT " content type; unknown type for remote write protobuf message %" STR_FMT
            ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
            STR_ARG(type), STR_ARG(proto));
    }
    return STR_NULL;
}

static void put_count(HttpRequest *req, HttpResponse *res, Str name, uint64_t n) {
    Str text = arena_printf(req->arena, "%llu", (unsigned long long)n);
    if (text.p) http_set_header(res, name, text);
}

static void put_written(HttpRequest *req, HttpResponse *res, const MetricsAppendResult *r) {
    put_count(req, res, STR("X-Prometheus-Remote-Write-Samples-Written"), r->samples_taken);
    put_count(req, res, STR("X-Prometheus-Remote-Write-Histograms-Written"), r->histograms_taken);
    put_count(req, res, STR("X-Prometheus-Remote-Write-Exemplars-Written"), r->exemplars);
}

static bool read_body(HttpRequest *req, HttpResponse *res, RemoteWriteVersion *version, Str *ret) {
    Str name = http_header(req, STR("Content-Encoding")), problem = type_problem(req, version);
    Encoding encoding = name.n ? encoding_parse(name) : ENCODING_SNAPPY;
    Err err = {0};
    if (problem.n) {
        http_reply_text(res, 415, "%" STR_FMT "\n", STR_ARG(problem));
        return false;
    }
    if (encoding != ENCODING_SNAPPY && encoding != ENCODING_ZSTD) { /* zstd: vmagent */
        http_reply_text(res, 415,
            "%" STR_FMT " encoding (compression) is not accepted by this server; only snappy is acceptable\n",
            STR_ARG(name));
        return false;
    }
    if (decompress(encoding, req->body, WRITE_BYTES_MAX, req->arena, ret, &err) == OK) return true;
    http_reply_text(res, err.code == ERR_TOO_LARGE ? 413 : 400, "%s\n", err.msg);
    return false;
}

/* Version 1: the first one, of those that count there, alone. */
static void put_complaints(Buf *out, MetricsComplaints *all, RemoteWriteVersion version) {
    metrics_complaints_sort(all);
    vec_foreach(const MetricsComplaint, c, &all->list) {
        if (version == REMOTE_WRITE_1 && (out->n || c->stage == COMPLAINT_LABELS)) continue;
        buf_put_str(out, c->text);
        if (version == REMOTE_WRITE_2 && c->labels.n) buf_printf(out, " for series %" STR_FMT, STR_ARG(c->labels));
        buf_put_char(out, '\n');
    }
    if (version == REMOTE_WRITE_2 && all->left_out)
        buf_printf(out, "and %llu more\n", (unsigned long long)all->left_out);
}

static void reply_stored(HttpRequest *req, HttpResponse *res, RemoteWriteVersion version, const MetricsBatch *batch,
    const MetricsAppendResult *r, uint64_t skipped) {
    bool left_out = skipped || r->invalid;
    uint64_t conflicts = r->conflicts - r->quiet;
    bool refused = conflicts || r->too_old || r->too_new || r->limited || (left_out && version == REMOTE_WRITE_2);
    if (version == REMOTE_WRITE_2) put_written(req, res, r);
    if (!refused) {
        res->status = 204;
        return;
    }
    Buf text = {0};
    put_complaints(&text, batch->complaints, version);
    http_reply(res, 400, STR("text/plain; charset=utf-8"), text.n ? buf_str(&text) : STR("samples were refused\n"));
    buf_done(&text);
}

void api_write(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    MetricsComplaints complaints = {0};
    MetricsBatch batch = {
        .arena = req->arena, .not_after_ms = clock_now_ms() + METRICS_AHEAD_MAX_MS, .complaints = &complaints};
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
        if (version == REMOTE_WRITE_2) put_written(req, res, &result);
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
        if (res->status == 429) res->status = 503; /* Prometheus gives up at 429 */
        return;
    }
    api->write_invalid += skipped + result.invalid;
    reply_stored(req, res, version, &batch, &result, skipped);
}
