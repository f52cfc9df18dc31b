/* query and query_range: run, and write the answer. */
#include "logs/loki_api_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <math.h>
#include <stdio.h>

#define HOUR_NS (INT64_C(3600) * NS_PER_S)

typedef struct LokiQuery {
    LokiApi *api;
    HttpRequest *req;
    HttpResponse *res;
    const LqExpr *expr;
    LogqlRequest run;
    LogqlStats stats;
    int64_t began_ns;
    bool instant;
} LokiQuery;

/* --- rendering --- */

static void put_labels(JsonWriter *w, Labels l) {
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}

static void put_value(JsonWriter *w, double v) {
    Buf b = {0};
    num_put_f64_prom(&b, v);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

static void put_time_s(JsonWriter *w, int64_t t_ns) { json_f64(w, (double)(t_ns / NS_PER_MS) / 1e3); }

static void put_u64_fields(JsonWriter *w, const char *const *names, const uint64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        json_key(w, str_cstr(names[i]));
        json_u64(w, values[i]);
    }
}

static void put_chunk_stats(JsonWriter *w, const LogScanStats *s) {
    static const char *const names[] = {"headChunkBytes", "headChunkLines", "decompressedBytes", "decompressedLines",
        "compressedBytes", "totalDuplicates", "postFilterLines", "headChunkStructuredMetadataBytes",
        "decompressedStructuredMetadataBytes"};
    uint64_t values[] = {0, 0, s ? s->bytes : 0, s ? s->rows : 0, 0, 0, 0, 0, 0};
    json_begin_object(w);
    static const char *const top[] = {
        "totalChunksRef", "totalChunksDownloaded", "chunksDownloadTime", "queryReferencedStructuredMetadata"};
    uint64_t refs[] = {s ? s->blocks + s->blocks_skipped : 0, s ? s->blocks : 0, 0};
    put_u64_fields(w, top, refs, 3);
    json_key(w, str_cstr(top[3]));
    json_bool(w, false);
    json_key_lit(w, "chunk");
    json_begin_object(w);
    put_u64_fields(w, names, values, ARRAY_LEN(values));
    json_end_object(w);
    json_end_object(w);
}

static void put_summary(JsonWriter *w, const LokiQuery *q, uint64_t returned) {
    const LogScanStats *s = &q->stats.scan;
    double seconds = (double)(clock_mono_ns() - q->began_ns) / 1e9;
    double per = seconds > 0 ? 1 / seconds : 0;
    static const char *const names[] = {
        "bytesProcessedPerSecond", "linesProcessedPerSecond", "totalBytesProcessed", "totalLinesProcessed"};
    uint64_t values[] = {(uint64_t)((double)s->bytes * per), (uint64_t)((double)s->rows * per), s->bytes, s->rows};
    json_begin_object(w);
    put_u64_fields(w, names, values, ARRAY_LEN(values));
    json_key_lit(w, "execTime");
    json_f64(w, seconds);
    json_key_lit(w, "queueTime");
    json_f64(w, 0);
    static const char *const rest[] = {"subqueries", "totalEntriesReturned", "splits", "shards", "totalPostFilterLines",
        "totalStructuredMetadataBytesProcessed"};
    uint64_t more[] = {0, returned, 1, 0, q->stats.lines_kept, 0};
    put_u64_fields(w, rest, more, ARRAY_LEN(more));
    json_end_object(w);
}

static void put_stats(JsonWriter *w, const LokiQuery *q, uint64_t returned) {
    json_key_lit(w, "stats");
    json_begin_object(w);
    json_key_lit(w, "summary");
    put_summary(w, q, returned);
    json_key_lit(w, "querier");
    json_begin_object(w);
    json_key_lit(w, "store");
    put_chunk_stats(w, &q->stats.scan);
    json_end_object(w);
    json_key_lit(w, "ingester");
    json_begin_object(w);
    static const char *const names[] = {"totalReached", "totalChunksMatched", "totalBatches", "totalLinesSent"};
    uint64_t zeros[4] = {0};
    put_u64_fields(w, names, zeros, 4);
    json_key_lit(w, "store");
    put_chunk_stats(w, NULL);
    json_end_object(w);
    json_key_lit(w, "cache");
    json_begin_object(w);
    json_end_object(w);
    json_key_lit(w, "index");
    json_begin_object(w);
    static const char *const index_names[] = {"totalChunks", "postFilterChunks", "shardsDuration"};
    put_u64_fields(w, index_names, zeros, 3);
    json_end_object(w);
    json_end_object(w);
}

static void begin_answer(JsonWriter *w, const LokiQuery *q, const char *type) {
    json_begin_object(w);
    json_key_lit(w, "status");
    json_str(w, STR("success"));
    if (q->stats.scan.corrupt_blocks > 0) {
        json_key_lit(w, "warnings");
        json_begin_array(w);
        json_str(w, STR("damaged blocks could not be read: the answer is incomplete"));
        json_end_array(w);
    }
    json_key_lit(w, "data");
    json_begin_object(w);
    json_key_lit(w, "resultType");
    json_str(w, str_cstr(type));
}

static void end_answer(JsonWriter *w, const LokiQuery *q, uint64_t returned) {
    put_stats(w, q, returned);
    json_end_object(w);
    json_end_object(w);
    loki_reply_json(q->res);
}

static void put_entry(JsonWriter *w, const LogqlEntry *e, bool categorize) {
    char t[24];
    int n = snprintf(t, sizeof t, "%lld", (long long)e->t_ns);
    json_begin_array(w);
    json_str(w, str_of(t, (size_t)n));
    json_str(w, e->line);
    if (categorize) {
        json_begin_object(w);
        if (e->metadata.n > 0) {
            json_key_lit(w, "structuredMetadata");
            put_labels(w, e->metadata);
        }
        if (e->parsed.n > 0) {
            json_key_lit(w, "parsed");
            put_labels(w, e->parsed);
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static void render_streams(LokiQuery *q, const LogqlStreams *r) {
    JsonWriter w = json_writer(&q->res->body);
    begin_answer(&w, q, "streams");
    if (q->run.categorize) {
        json_key_lit(&w, "encodingFlags");
        json_begin_array(&w);
        json_str(&w, STR("categorize-labels"));
        json_end_array(&w);
    }
    json_key_lit(&w, "result");
    json_begin_array(&w);
    for (size_t i = 0; i < r->n; i++) {
        json_begin_object(&w);
        json_key_lit(&w, "stream");
        put_labels(&w, r->v[i].labels);
        json_key_lit(&w, "values");
        json_begin_array(&w);
        for (size_t k = 0; k < r->v[i].entries.n; k++) put_entry(&w, &r->v[i].entries.v[k], q->run.categorize);
        json_end_array(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    end_answer(&w, q, r->n_entries);
}

static void put_point(JsonWriter *w, int64_t t_ns, double v) {
    json_begin_array(w);
    put_time_s(w, t_ns);
    put_value(w, v);
    json_end_array(w);
}

static void put_series(JsonWriter *w, const LokiQuery *q, const LogqlSeries *s, size_t n_steps) {
    json_begin_object(w);
    json_key_lit(w, "metric");
    put_labels(w, s->labels);
    if (q->instant) {
        json_key_lit(w, "value");
        put_point(w, q->run.start_ns, s->v[0]);
    } else {
        json_key_lit(w, "values");
        json_begin_array(w);
        for (size_t k = 0; k < n_steps; k++)
            if (s->present[k]) put_point(w, q->run.start_ns + (int64_t)k * q->run.step_ns, s->v[k]);
        json_end_array(w);
    }
    json_end_object(w);
}

static void render_matrix(LokiQuery *q, const LogqlMatrix *m) {
    JsonWriter w = json_writer(&q->res->body);
    bool scalar = q->instant && logql_is_scalar(q->expr);
    begin_answer(&w, q, scalar ? "scalar" : q->instant ? "vector" : "matrix");
    json_key_lit(&w, "result");
    if (scalar) {
        put_point(&w, q->run.start_ns, m->n > 0 ? m->v[0].v[0] : (double)NAN);
    } else {
        json_begin_array(&w);
        for (size_t i = 0; i < m->n; i++) put_series(&w, q, &m->v[i], m->n_steps);
        json_end_array(&w);
    }
    end_answer(&w, q, 0);
}

/* --- running --- */

static bool parse_direction(LokiQuery *q) {
    Str s = http_param(q->req, STR("direction"));
    q->run.backward = true;
    if (s.n == 0 || str_eq_nocase(s, STR("backward"))) return true;
    q->run.backward = false;
    if (str_eq_nocase(s, STR("forward"))) return true;
    http_reply_text(q->res, 400, "invalid direction '%" STR_FMT "'\n", STR_ARG(s));
    return false;
}

static bool parse_common(LokiQuery *q) {
    uint32_t max = q->api->opts.entries_max;
    Str query = http_param(q->req, STR("query"));
    Err err = {0};
    if (logql_parse(query, q->req->arena, &q->expr, &err) != OK) {
        loki_reply_error(q->res, &err);
        return false;
    }
    if (!loki_param_u32(q->req, q->res, STR("limit"), 100, &q->run.limit) || !parse_direction(q)) return false;
    if (q->run.limit == 0) {
        http_reply_text(q->res, 400, "limit must be a positive value\n");
        return false;
    }
    if (logql_is_log_query(q->expr) && q->run.limit > max) {
        http_reply_text(q->res, 400,
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (%u > %u)\n", q->run.limit, max);
        return false;
    }
    q->run.categorize =
        str_contains(http_header(q->req, STR("x-loki-response-encoding-flags")), STR("categorize-labels"));
    return true;
}

static void run_query(LokiQuery *q) {
    Err err = {0};
    ErrCode rc;
    if (logql_is_log_query(q->expr)) {
        LogqlStreams streams;
        rc = logql_run_log(&q->run, q->expr, &streams, &q->stats, &err);
        if (rc == OK) render_streams(q, &streams);
    } else {
        LogqlMatrix matrix;
        rc = logql_run_metric(&q->run, q->expr, &matrix, &q->stats, &err);
        if (rc == OK) render_matrix(q, &matrix);
    }
    if (rc) loki_reply_error(q->res, &err);
}

static LokiQuery query_of(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiApi *api = ctx;
    LokiQuery q = {.api = api, .req = req, .res = res, .began_ns = clock_mono_ns()};
    q.run.store = api->opts.store;
    q.run.arena = req->arena;
    q.run.series_max = api->opts.series_max;
    q.run.gone = loki_client_gone;
    q.run.gone_ctx = req;
    q.run.deadline_mono_ns = q.began_ns + api->opts.query_timeout_ms * NS_PER_MS;
    if (req->deadline_mono_ns > 0) q.run.deadline_mono_ns = MIN(q.run.deadline_mono_ns, req->deadline_mono_ns);
    return q;
}

/* max(floor((end - start) / 250), 1) seconds. */
static int64_t default_step(LokiRange r) {
    int64_t s = (r.end_ns - r.start_ns) / NS_PER_S / 250;
    return MAX(s, 1) * NS_PER_S;
}

void loki_query_range(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiQuery q = query_of(ctx, req, res);
    LokiRange range;
    if (!loki_param_range(req, res, HOUR_NS, &range) || !parse_common(&q)) return;
    if (!loki_param_duration(req, res, STR("step"), default_step(range), &q.run.step_ns)) return;
    if (range.end_ns - range.start_ns > q.api->opts.query_length_max_ms * NS_PER_MS) {
        http_reply_text(res, 400, "the query time range exceeds the limit (query length: %llds, limit: %llds)\n",
            (long long)((range.end_ns - range.start_ns) / NS_PER_S),
            (long long)(q.api->opts.query_length_max_ms / 1000));
        return;
    }
    if (!logql_is_log_query(q.expr) && (range.end_ns - range.start_ns) / q.run.step_ns > LOGQL_STEPS_MAX) {
        http_reply_text(res, 400,
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step "
            "parameter\n");
        return;
    }
    q.run.start_ns = range.start_ns;
    q.run.end_ns = range.end_ns;
    run_query(&q);
}

void loki_query_instant(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiQuery q = query_of(ctx, req, res);
    if (!loki_param_time(req, res, STR("time"), clock_now_ns(), &q.run.start_ns) || !parse_common(&q)) return;
    if (logql_is_log_query(q.expr)) {
        http_reply_text(res, 400,
            "log queries are not supported as an instant query type, please change your query to a range query type\n");
        return;
    }
    q.run.end_ns = q.run.start_ns;
    q.instant = true;
    run_query(&q);
}
