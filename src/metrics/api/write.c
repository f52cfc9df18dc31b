/* write.c - /api/v1/write: the receiving end of remote write 1.0 and 2.0. */
#include "metrics/api/api_int.h"
#include "metrics/api/remote_write.h"

#include "codec/compress.h"
#include "sys/clock.h"

#define WRITE_BYTES_MAX ((size_t)128 << 20)
#define SOON_BYTES_MAX ((size_t)256 << 10) /* what an I/O thread decodes itself: some 1000 samples */

/* A request in work, in its arena. */
typedef struct Write {
    PromApi *api;
    HttpRequest *req;
    HttpResponse *res;
    RemoteWriteVersion version;
    MetricsBatch batch;
    MetricsComplaints complaints;
    uint64_t skipped;
    MetricsAppendResult result;
    Err err, why; /* of the store; of the decoder */
} Write;

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

/* false: answered, or too large for max_bytes (*ret_more), if that is less than what may come. */
static bool read_body(Write *w, size_t max_bytes, Str *ret, bool *ret_more) {
    HttpRequest *req = w->req;
    HttpResponse *res = w->res;
    Str name = http_header(req, STR("Content-Encoding")), problem = type_problem(req, &w->version);
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
    ErrCode code = decompress(encoding, req->body, max_bytes, req->arena, ret, &err);
    *ret_more = code == ERR_TOO_LARGE && max_bytes < WRITE_BYTES_MAX;
    if (code == OK || *ret_more) return code == OK;
    http_reply_text(res, code == ERR_TOO_LARGE ? 413 : 400, "%s\n", err.msg);
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

static void reply_stored(Write *w) {
    const MetricsAppendResult *r = &w->result;
    bool left_out = w->skipped || r->invalid, version_2 = w->version == REMOTE_WRITE_2;
    uint64_t conflicts = r->conflicts - r->quiet;
    bool refused = conflicts || r->too_old || r->too_new || r->limited || (left_out && version_2);
    if (version_2) put_written(w->req, w->res, r);
    if (!refused) {
        w->res->status = 204;
        return;
    }
    Buf text = {0};
    put_complaints(&text, &w->complaints, w->version);
    http_reply(w->res, 400, STR("text/plain; charset=utf-8"), text.n ? buf_str(&text) : STR("samples were refused\n"));
    buf_done(&text);
}

static Write *write_of(PromApi *api, HttpRequest *req, HttpResponse *res) {
    Write *w = ARENA_NEW(req->arena, Write);
    ASSERT(w); /* the first thing in an arena that is much larger */
    *w = (Write){.api = api,
        .req = req,
        .res = res,
        .batch = {
            .arena = req->arena, .not_after_ms = clock_now_ms() + METRICS_AHEAD_MAX_MS, .complaints = &w->complaints}};
    return w;
}

/* The request as a batch; false as read_body. */
static bool read_request(Write *w, size_t max_bytes, bool *ret_more) {
    Str body;
    PromApi *api = w->api;
    if (api->opts.ready && !api->opts.ready(api->opts.ctx)) {
        http_reply_text(w->res, 503, "Service Unavailable");
        return false;
    }
    if (!read_body(w, max_bytes, &body, ret_more)) return false;
    ErrCode rc = api->opts.store->ops->takes_wire_labels
                     ? remote_write_decode_lazily(body, w->version, &w->batch, &w->skipped, &w->why)
                     : remote_write_decode(body, w->version, &w->batch, &w->skipped, &w->why);
    if (rc == OK) return true;
    if (w->version == REMOTE_WRITE_2) put_written(w->req, w->res, &w->result);
    http_reply_text(w->res, rc == ERR_TOO_LARGE ? 413 : 400, "%s\n", w->why.msg);
    return false;
}

static void reply_written(Write *w, ErrCode code) {
    if (code == ERR_INVALID) { /* found while reading labels */
        http_reply_text(w->res, 400, "%s\n", w->err.msg);
    } else if (code != OK) {
        http_reply_error(w->res, &w->err);
        if (w->res->status == 429) w->res->status = 503; /* Prometheus gives up at 429 */
    } else {
        w->api->write_invalid += w->skipped + w->result.invalid;
        reply_stored(w);
    }
}

static void written(void *ctx, ErrCode code) {
    Write *w = ctx;
    reply_written(w, code);
    http_finish(w->req);
}

/* Small requests for series that are known, which is nearly all that some senders have: without a worker, whose waking
 * up twice costs more than all the rest. */
bool api_write_start(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    MetricsStore *store = api->opts.store;
    if (!store->ops->append_soon) return false;
    Write *w = write_of(api, req, res);
    bool more = false;
    if (!read_request(w, SOON_BYTES_MAX, &more)) {
        if (!more) http_finish(req);
        return !more;
    }
    req->begun = w;
    return store->ops->append_soon(store, &w->batch, &w->result, &w->err, written, w);
}

void api_write(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    MetricsStore *store = api->opts.store;
    Write *w = req->begun;
    bool more = false;
    if (!w) {
        w = write_of(api, req, res);
        if (!read_request(w, WRITE_BYTES_MAX, &more)) return;
    }
    reply_written(w, store->ops->append(store, &w->batch, &w->result, &w->err));
}
