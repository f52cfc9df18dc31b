/* tempo_trace.c - one trace by its id, as OTLP. */
#include "base/map.h"
#include "codec/proto.h"
#include "traces/jaeger_trace.h"
#include "traces/otlp_json.h"
#include "traces/otlp_proto.h"
#include "traces/tempo_int.h"

/* What answers to q say beside their spans; clients show it. */
#define FILTERED STR("Only the spans that match the filter are returned")
#define STATUS_PARTIAL 1

/* unknown_is_empty: a trace that is not there is one without spans. */
static bool fetch(TempoApi *api, HttpRequest *req, HttpResponse *res, bool unknown_is_empty, SpansBatch *ret) {
    Err err = {0};
    TraceId id;
    Str text = http_path_param(req, STR("id"));
    if (jaeger_parse_trace_id(text, false, &id, &err) != OK) {
        http_reply_text(res, 400, "trace IDs are up to 32 hex digits, and this is none: \"%" STR_FMT "\"\n",
            STR_ARG(str_slice(text, 0, MIN(text.n, 64))));
        return false;
    }
    TraceStore *s = api->opts.store;
    ErrCode e = s->ops->get(s, id, req->arena, ret, &err);
    if (e == ERR_NOT_FOUND && unknown_is_empty) *ret = (SpansBatch){.arena = req->arena};
    if (e == OK || (e == ERR_NOT_FOUND && unknown_is_empty)) return true;
    tempo_reply_error(res, &err);
    return false;
}

static void put_resource_spans(JsonWriter *w, const char *key, const SpansBatch *batch) {
    json_begin_object(w);
    json_key(w, str_cstr(key));
    json_begin_array(w);
    otlp_json_put_resource_spans(w, OTLP_JSON_NAMES, batch, NULL);
    json_end_array(w);
    json_end_object(w);
}

/* {"batches": [...]}, or the bytes of a message whose field 1 are ResourceSpans. start and end only tell where to look
 * in Tempo; here they are not needed. */
void tempo_api_trace(void *ctx, HttpRequest *req, HttpResponse *res) {
    SpansBatch batch;
    if (!fetch(ctx, req, res, false, &batch)) return;
    if (tempo_accepts(req, STR("application/protobuf"))) {
        otlp_proto_put_traces(&res->body, &batch);
        tempo_reply_protobuf(res);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    put_resource_spans(&w, "batches", &batch);
    tempo_reply_json(res);
}

/* --- some of its spans --- */

/* The condition in q; NULL: all spans. */
static bool parse_filter(HttpRequest *req, HttpResponse *res, const TqlExpr **ret) {
    Str q = http_param(req, STR("q"));
    const TraceQl *query;
    Err err = {0};
    *ret = NULL;
    if (q.n == 0) return true;
    if (traceql_parse(q, req->arena, &query, &err) != OK) {
        tempo_reply_query_error(res, &err);
        return false;
    }
    const TqlStage *stage = query->is_metrics ? NULL : query->pipeline->stages;
    if (!stage || stage->next || stage->kind != TQL_ST_SPANSET || stage->spanset->kind != TQL_S_FILTER) {
        http_reply_text(res, 400, "invalid q: spans of a trace are chosen by one filter { ... }\n");
        return false;
    }
    *ret = stage->spanset->filter;
    return true;
}

static uint64_t id_key(SpanId id) {
    uint64_t key;
    memcpy(&key, id.b, sizeof key);
    return key;
}

static U64Map *rows_by_id(const SpansBatch *b) {
    U64Map *map = u64map_create();
    for (uint32_t i = 0; i < b->rows.n; i++) *u64map_put(map, id_key(b->rows.v[i].span_id), NULL) = i;
    return map;
}

static void keep_ancestors(const SpansBatch *b, U64Map *rows, uint32_t row, bool *keep) {
    while (!span_id_is_zero(b->rows.v[row].parent_id)) {
        const uint64_t *up = u64map_get(rows, id_key(b->rows.v[row].parent_id));
        if (!up || keep[*up]) return;
        row = (uint32_t)*up;
        keep[row] = true;
    }
}

/* Keeps the spans for which the condition holds, with_ancestors: and the way to them from the root. */
static bool filter_spans(HttpRequest *req, const TqlExpr *condition, bool with_ancestors, SpansBatch *b) {
    bool *keep = arena_alloc_zero(req->arena, b->rows.n + 1);
    TqlView *view = traceql_view(b, true, req->arena);
    if (!keep || !view) return false;
    U64Map *rows = rows_by_id(b);
    for (uint32_t i = 0; i < b->rows.n; i++) {
        if (!traceql_test(condition, view, i, req->arena)) continue;
        keep[i] = true;
        if (with_ancestors) keep_ancestors(b, rows, i, keep);
    }
    u64map_free(rows);
    size_t n = 0;
    for (uint32_t i = 0; i < b->rows.n; i++) {
        if (keep[i]) b->rows.v[n++] = b->rows.v[i];
    }
    b->rows.n = n;
    return true;
}

/* {"trace": {"resourceSpans": [...]}, "status": "COMPLETE"}; as protobuf the trace is field 1, status (0: complete) 3,
 * the message 4. With q the trace is a part of itself. */
void tempo_trace_v2(void *ctx, HttpRequest *req, HttpResponse *res) {
    SpansBatch batch;
    const TqlExpr *condition;
    bool with_ancestors = str_eq_lit(http_param(req, STR("keep_hierarchy")), "true");
    if (!parse_filter(req, res, &condition) || !fetch(ctx, req, res, true, &batch)) return;
    if (condition && !filter_spans(req, condition, with_ancestors, &batch)) {
        http_reply_text(res, 422, "the trace is too large\n");
        return;
    }
    if (tempo_accepts(req, STR("application/protobuf"))) {
        size_t trace = proto_begin(&res->body, 1);
        otlp_proto_put_traces(&res->body, &batch);
        proto_end(&res->body, trace);
        if (condition) {
            proto_put_varint(&res->body, 3, STATUS_PARTIAL);
            proto_put_bytes(&res->body, 4, FILTERED);
        }
        tempo_reply_protobuf(res);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "trace");
    put_resource_spans(&w, "resourceSpans", &batch);
    json_key_lit(&w, "metrics");
    json_begin_object(&w);
    json_end_object(&w);
    json_pair_str(&w, "status", condition ? STR("PARTIAL") : STR("COMPLETE"));
    if (condition) json_pair_str(&w, "message", FILTERED);
    json_end_object(&w);
    tempo_reply_json(res);
}
