#include "base/map.h"
#include "base/num.h"
#include "traces/jaeger_int.h"
#include "traces/otlp_json.h"

#include <stdlib.h>

/* --- answers --- */

static void send_error(HttpResponse *res, int status, const char *msg) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    json_begin_object(&w);
    json_key_lit(&w, "error");
    json_begin_object(&w);
    json_key_lit(&w, "httpCode");
    json_i64(&w, status);
    json_key_lit(&w, "message");
    json_str(&w, str_cstr(msg));
    json_end_object(&w);
    json_end_object(&w);
    buf_put_char(&out, '\n');
    http_reply(res, status, STR("text/plain; charset=utf-8"), buf_str(&out));
    http_set_header(res, STR("X-Content-Type-Options"), STR("nosniff"));
    buf_done(&out);
}

static void send_err(HttpResponse *res, const Err *err) { send_error(res, err_http_status(err->code), err->msg); }

static void send_json(HttpResponse *res, Buf *json) {
    http_reply(res, 200, STR("application/json"), buf_str(json));
    buf_done(json);
}

/* --- services, operations --- */

static void get_services(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    Str *names;
    size_t n;
    Err err = {0};
    if (api->opts.store->ops->services(api->opts.store, req->arena, &names, &n, &err)) {
        send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    json_begin_object(&w);
    json_key_lit(&w, "services");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) json_str(&w, names[i]);
    json_end_array(&w);
    json_end_object(&w);
    send_json(res, &out);
}

static void get_operations(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    Str name, service = http_param(req, STR("service"));
    TraceOperation *ops = NULL;
    size_t n = 0;
    SpanKind kind;
    Err err = {0};
    bool some = jaeger_kind_of(jaeger_param_v3(req, STR("spanKind"), STR("span_kind"), &name), &kind);
    TraceStore *s = api->opts.store;
    if (some && s->ops->operations(s, service, kind, req->arena, &ops, &n, &err)) {
        send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    json_begin_object(&w);
    json_key_lit(&w, "operations");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        Str text = jaeger_kind_text(ops[i].kind);
        json_begin_object(&w);
        json_key_lit(&w, "name");
        json_str(&w, ops[i].name);
        json_key_lit(&w, "spanKind");
        json_str(&w, text.n ? text : STR("internal"));
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    send_json(res, &out);
}

/* --- traces --- */

static bool put_trace(JsonWriter *w, JaegerTrace *t) {
    SpansBatch *b = t->batch;
    OtlpWarnings warnings = {0};
    if (t->warnings.n) {
        uint32_t *first = arena_alloc_zero(b->arena, (b->rows.n + 1) * sizeof(uint32_t));
        Str *texts = ARENA_ARRAY(b->arena, Str, t->warnings.n);
        if (!first || !texts) return false;
        jaeger_trace_sort_warnings(t);
        for (size_t i = 0; i < t->warnings.n; i++) {
            texts[i] = t->warnings.v[i].text;
            first[t->warnings.v[i].row + 1]++;
        }
        for (size_t i = 0; i < b->rows.n; i++) first[i + 1] += first[i];
        warnings = (OtlpWarnings){texts, first};
    }
    otlp_json_put_resource_spans(w, OTLP_JSON_STANDARD, b, t->warnings.n ? &warnings : NULL);
    return true;
}

static void send_traces(HttpResponse *res, JaegerTraces *traces) {
    if (traces->n == 0) {
        send_error(res, 404, "No traces found");
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    bool ok = true;
    json_begin_object(&w);
    json_key_lit(&w, "result");
    json_begin_object(&w);
    json_key_lit(&w, "resourceSpans");
    json_begin_array(&w);
    for (size_t i = 0; ok && i < traces->n; i++) ok = put_trace(&w, &traces->v[i]);
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
    if (ok)
        send_json(res, &out);
    else
        send_error(res, 413, "the answer is too large");
    buf_done(&out);
}

static ErrCode parse_get(HttpRequest *req, TraceId *ret_id, bool *ret_raw, Err *err) {
    bool given;
    int64_t ignored; /* hints for stores that need them */
    ErrCode e = jaeger_parse_trace_id(http_path_param(req, STR("trace_id")), true, ret_id, err);
    if (e) err_prefix(err, "malformed parameter trace_id");
    if (!e) e = jaeger_param_v3_time(req, STR("startTime"), STR("start_time"), &given, &ignored, err);
    if (!e) e = jaeger_param_v3_time(req, STR("endTime"), STR("end_time"), &given, &ignored, err);
    return e ? e : jaeger_param_v3_bool(req, STR("rawTraces"), STR("raw_traces"), ret_raw, err);
}

static void get_trace(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceId id;
    bool raw;
    JaegerTraces traces;
    Err err = {0};
    ErrCode e = parse_get(req, &id, &raw, &err);
    if (!e) e = jaeger_fetch_all(ctx, req, &id, 1, raw, &traces, &err);
    if (e)
        send_err(res, &err);
    else
        send_traces(res, &traces);
}

static void find_traces(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerQuery q;
    JaegerTraces traces;
    Err err = {0};
    ErrCode e = jaeger_parse_search_v3(req, &q, &err);
    if (!e) e = jaeger_search(ctx, req, &q, &traces, &err);
    if (e)
        send_err(res, &err);
    else
        send_traces(res, &traces);
}

/* --- summaries --- */

typedef struct ServiceCount {
    Str name;
    uint32_t spans, errors;
} ServiceCount;

typedef struct Summary {
    const SpanRow *root; /* the earliest span without a parent; NULL: none */
    int64_t min_ns, max_ns;
    uint32_t errors, orphans;
    VEC(ServiceCount) services;
} Summary;

static int cmp_service(const void *a, const void *b) {
    return str_cmp(((const ServiceCount *)a)->name, ((const ServiceCount *)b)->name);
}

static void count_service(Summary *s, Map *index, Str name, bool error) {
    bool fresh;
    uint64_t *at = map_put(index, name, &fresh);
    if (fresh) {
        *at = s->services.n;
        vec_push(&s->services, (ServiceCount){.name = name});
    }
    s->services.v[*at].spans++;
    s->services.v[*at].errors += error;
}

static void summarize(const SpansBatch *b, Summary *s) {
    Map *services = map_create(MAP_BORROW_KEYS), *ids = map_create(MAP_BORROW_KEYS);
    *s = (Summary){.min_ns = INT64_MAX, .max_ns = INT64_MIN};
    vec_foreach(const SpanRow, r, &b->rows) map_put(ids, str_of((const char *)r->span_id.b, 8), NULL);
    vec_foreach(const SpanRow, r, &b->rows) {
        bool error = r->status == SPAN_STATUS_ERROR;
        count_service(s, services, spans_batch_service(b, r), error);
        s->errors += error;
        s->min_ns = MIN(s->min_ns, r->start_ns);
        s->max_ns = MAX(s->max_ns, r->end_ns);
        if (!span_id_is_zero(r->parent_id)) {
            s->orphans += map_get(ids, str_of((const char *)r->parent_id.b, 8)) == NULL;
        } else if (!s->root || r->start_ns < s->root->start_ns) {
            s->root = r;
        }
    }
    if (s->services.n) qsort(s->services.v, s->services.n, sizeof(ServiceCount), cmp_service);
    map_free(services);
    map_free(ids);
}

static void put_summary(JsonWriter *w, const SpansBatch *b) {
    Summary s;
    Buf id = {0};
    summarize(b, &s);
    num_put_hex(&id, b->rows.v[0].trace_id.b, 16);
    json_begin_object(w);
    otlp_json_put_text(w, STR("traceId"), buf_str(&id));
    otlp_json_put_text(w, STR("rootServiceName"), s.root ? spans_batch_service(b, s.root) : STR_NULL);
    otlp_json_put_text(w, STR("rootOperationName"), s.root ? s.root->name : STR_NULL);
    otlp_json_put_time(w, STR("minStartTimeUnixNano"), s.min_ns);
    otlp_json_put_time(w, STR("maxEndTimeUnixNano"), s.max_ns);
    otlp_json_put_count(w, STR("spanCount"), (uint32_t)b->rows.n);
    otlp_json_put_count(w, STR("errorSpanCount"), s.errors);
    otlp_json_put_count(w, STR("orphanSpanCount"), s.orphans);
    json_key_lit(w, "services");
    json_begin_array(w);
    vec_foreach(const ServiceCount, c, &s.services) {
        json_begin_object(w);
        otlp_json_put_text(w, STR("name"), c->name);
        otlp_json_put_count(w, STR("spanCount"), c->spans);
        otlp_json_put_count(w, STR("errorSpanCount"), c->errors);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    buf_done(&id);
    vec_done(&s.services);
}

static void find_summaries(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerQuery q;
    JaegerTraces traces;
    Err err = {0};
    ErrCode e = jaeger_parse_search_v3(req, &q, &err);
    q.raw = false; /* summaries are always of adjusted traces */
    if (!e) e = jaeger_search(ctx, req, &q, &traces, &err);
    if (e) {
        send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    json_begin_object(&w);
    json_key_lit(&w, "summaries");
    json_begin_array(&w);
    for (size_t i = 0; i < traces.n; i++) put_summary(&w, traces.v[i].batch);
    json_end_array(&w);
    json_end_object(&w);
    send_json(res, &out);
}

void jaeger_v3_routes(JaegerApi *api, Router *router) {
    static const struct {
        const char *pattern;
        HttpHandler handler;
    } routes[] = {
        {"/api/v3/services", get_services},
        {"/api/v3/operations", get_operations},
        {"/api/v3/traces/{trace_id}", get_trace},
        {"/api/v3/traces", find_traces},
        {"/api/v3/trace-summaries", find_summaries},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        Route r = {.methods = HTTP_GET,
            .pattern = routes[i].pattern,
            .handler = routes[i].handler,
            .ctx = api,
            .cls = ROUTE_QUERY,
            .role = ROLE_VIEWER};
        router_add(router, &r);
    }
}
