#include "base/timefmt.h"
#include "sys/clock.h"
#include "traces/jaeger_int.h"
#include "traces/tempo_int.h"

#include <stdlib.h>

#define TRANSFORM_BYTES_MAX (32u << 20)
#define DEPENDENCIES_LOOKBACK_MS INT64_C(86400000)

/* --- the envelope --- */

static void put_head(JsonWriter *w) {
    json_begin_object(w);
    json_key_lit(w, "data");
}

/* An error about one trace goes into the list of an answer that is otherwise fine. */
typedef struct MissingTraces {
    const TraceId *v;
    size_t n;
} MissingTraces;

static void put_tail(JsonWriter *w, size_t total, const MissingTraces *missing) {
    json_key_lit(w, "total");
    json_u64(w, total);
    json_key_lit(w, "limit");
    json_u64(w, 0);
    json_key_lit(w, "offset");
    json_u64(w, 0);
    json_key_lit(w, "errors");
    if (!missing || missing->n == 0) {
        json_null(w);
        json_end_object(w);
        return;
    }
    json_begin_array(w);
    for (size_t i = 0; i < missing->n; i++) {
        Buf id = {0};
        jaeger_put_trace_id(&id, missing->v[i]);
        json_begin_object(w);
        json_key_lit(w, "msg");
        json_str(w, STR("trace not found"));
        json_key_lit(w, "traceID");
        json_str(w, buf_str(&id));
        json_end_object(w);
        buf_done(&id);
    }
    json_end_array(w);
    json_end_object(w);
}

/* Errors are text/plain with the envelope as their text, as Go's http.Error sends it. */
static void send_error(HttpResponse *res, int status, const char *msg) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    put_head(&w);
    json_null(&w);
    json_key_lit(&w, "total");
    json_u64(&w, 0);
    json_key_lit(&w, "limit");
    json_u64(&w, 0);
    json_key_lit(&w, "offset");
    json_u64(&w, 0);
    json_key_lit(&w, "errors");
    json_begin_array(&w);
    json_begin_object(&w);
    json_key_lit(&w, "code");
    json_i64(&w, status);
    json_key_lit(&w, "msg");
    json_str(&w, str_cstr(msg));
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    buf_put_char(&out, '\n');
    http_reply(res, status, STR("text/plain; charset=utf-8"), buf_str(&out));
    http_set_header(res, STR("X-Content-Type-Options"), STR("nosniff"));
    buf_done(&out);
}

static void send_err(HttpResponse *res, const Err *err) { send_error(res, err_http_status(err->code), err->msg); }

/* --- pretty printing --- */

static void indent(Buf *out, unsigned depth) {
    buf_put_char(out, '\n');
    for (unsigned i = 0; i < depth; i++) buf_put_lit(out, "    ");
}

/* in is valid JSON of our own writer: no white space between tokens. */
static void put_pretty(Buf *out, Str in) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (in_string) {
            buf_put_char(out, c);
            if (c == '\\' && i + 1 < in.n) buf_put_char(out, in.p[++i]);
            in_string = c != '"';
            continue;
        }
        bool empty = i + 1 < in.n && ((c == '{' && in.p[i + 1] == '}') || (c == '[' && in.p[i + 1] == ']'));
        if (c == '}' || c == ']') indent(out, --depth);
        buf_put_char(out, c);
        if (empty)
            buf_put_char(out, in.p[++i]);
        else if (c == '{' || c == '[')
            indent(out, ++depth);
        else if (c == ',')
            indent(out, depth);
        else if (c == ':')
            buf_put_char(out, ' ');
        in_string = c == '"';
    }
}

void jaeger_send_json(HttpRequest *req, HttpResponse *res, Buf *json) {
    Str pretty = http_param(req, STR("prettyPrint"));
    res->status = 200;
    res->content_type = STR("application/json");
    buf_clear(&res->body);
    if (pretty.n && !str_eq_lit(pretty, "false"))
        put_pretty(&res->body, buf_str(json));
    else
        buf_put_str(&res->body, buf_str(json));
    buf_put_char(&res->body, '\n');
    buf_done(json);
}

/* --- shared with v3 --- */

Str jaeger_kind_text(uint8_t kind) {
    return kind == SPAN_UNSPECIFIED ? STR("") : str_cstr(span_kind_name((SpanKind)kind));
}

bool jaeger_kind_of(Str name, SpanKind *ret) {
    *ret = SPAN_UNSPECIFIED;
    if (name.n == 0) return true;
    for (int k = SPAN_INTERNAL; k <= SPAN_CONSUMER; k++) {
        if (str_eq(name, str_cstr(span_kind_name((SpanKind)k)))) return *ret = (SpanKind)k, true;
    }
    return false;
}

ErrCode jaeger_fetch(JaegerApi *api, HttpRequest *req, TraceId id, bool raw, JaegerTrace *t, Err *reterr) {
    TraceStore *s = api->opts.store;
    SpansBatch *batch = ARENA_NEW(req->arena, SpansBatch);
    if (!batch) return err_set(reterr, ERR_TOO_LARGE, "the answer is too large");
    *t = (JaegerTrace){.batch = batch};
    ErrCode e = s->ops->get(s, id, req->arena, batch, reterr);
    if (e || raw || jaeger_trace_adjust(t, api->opts.max_clock_skew_ns)) return e;
    return err_set(reterr, ERR_TOO_LARGE, "the answer is too large");
}

ErrCode jaeger_fetch_all(
    JaegerApi *api, HttpRequest *req, const TraceId *ids, size_t n, bool raw, JaegerTraces *ret, Err *reterr) {
    *ret = (JaegerTraces){ARENA_ARRAY(req->arena, JaegerTrace, n + 1), 0};
    if (!ret->v) return err_set(reterr, ERR_TOO_LARGE, "the answer is too large");
    for (size_t i = 0; i < n; i++) {
        ErrCode e = jaeger_fetch(api, req, ids[i], raw, &ret->v[ret->n], reterr);
        if (e == ERR_NOT_FOUND) continue; /* deleted since it was found */
        if (e) return e;
        ret->n++;
    }
    return OK;
}

ErrCode jaeger_search(JaegerApi *api, HttpRequest *req, const JaegerQuery *q, JaegerTraces *ret, Err *reterr) {
    TraceStore *s = api->opts.store;
    TraceId *ids;
    size_t n;
    ErrCode e = s->ops->find(s, &q->find, &ids, &n, reterr);
    return e ? e : jaeger_fetch_all(api, req, ids, n, q->raw, ret, reterr);
}

/* --- services and operations --- */

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
    put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) json_str(&w, names[i]);
    json_end_array(&w);
    put_tail(&w, n, NULL);
    jaeger_send_json(req, res, &out);
}

static ErrCode load_operations(
    JaegerApi *api, HttpRequest *req, Str service, Str kind_name, TraceOperation **ret, size_t *ret_n, Err *err) {
    SpanKind kind;
    *ret = NULL;
    *ret_n = 0;
    if (!jaeger_kind_of(kind_name, &kind)) return OK; /* no operation has it */
    TraceStore *s = api->opts.store;
    return s->ops->operations(s, service, kind, req->arena, ret, ret_n, err);
}

static void get_operations(void *ctx, HttpRequest *req, HttpResponse *res) {
    Str service = http_param(req, STR("service"));
    if (service.n == 0) {
        send_error(res, 400, "parameter 'service' is required");
        return;
    }
    TraceOperation *ops;
    size_t n;
    Err err = {0};
    if (load_operations(ctx, req, service, http_param(req, STR("spanKind")), &ops, &n, &err)) {
        send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w);
        json_key_lit(&w, "name");
        json_str(&w, ops[i].name);
        json_key_lit(&w, "spanKind");
        json_str(&w, jaeger_kind_text(ops[i].kind));
        json_end_object(&w);
    }
    json_end_array(&w);
    put_tail(&w, n, NULL);
    jaeger_send_json(req, res, &out);
}

static void get_service_operations(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceOperation *ops;
    size_t n, unique = 0;
    Err err = {0};
    if (load_operations(ctx, req, http_path_param(req, STR("service")), STR(""), &ops, &n, &err)) {
        send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) { /* sorted by name, then kind */
        if (i > 0 && str_eq(ops[i].name, ops[i - 1].name)) continue;
        json_str(&w, ops[i].name);
        unique++;
    }
    json_end_array(&w);
    put_tail(&w, unique, NULL);
    jaeger_send_json(req, res, &out);
}

/* --- traces --- */

static void send_traces(HttpRequest *req, HttpResponse *res, JaegerTraces *traces, const MissingTraces *missing) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < traces->n; i++) jaeger_trace_put_json(&w, &traces->v[i]);
    json_end_array(&w);
    put_tail(&w, 0, missing);
    jaeger_send_json(req, res, &out);
}

static bool was_fetched(const JaegerTraces *traces, TraceId id) {
    for (size_t i = 0; i < traces->n; i++) {
        if (trace_id_eq(traces->v[i].batch->rows.v[0].trace_id, id)) return true;
    }
    return false;
}

static size_t unique_ids(TraceId *ids, size_t n) {
    size_t unique = 0;
    for (size_t i = 0; i < n; i++) {
        bool seen = false;
        for (size_t k = 0; k < unique && !seen; k++) seen = trace_id_eq(ids[k], ids[i]);
        if (!seen) ids[unique++] = ids[i];
    }
    return unique;
}

static void send_traces_by_id(JaegerApi *api, HttpRequest *req, HttpResponse *res, JaegerQuery *q) {
    TraceId *ids = ARENA_ARRAY(req->arena, TraceId, q->n_ids);
    TraceId *missing = ARENA_ARRAY(req->arena, TraceId, q->n_ids);
    Err err = {0};
    JaegerTraces traces;
    if (!ids || !missing) {
        send_error(res, 413, "too many trace ids");
        return;
    }
    memcpy(ids, q->ids, q->n_ids * sizeof *ids);
    size_t n = unique_ids(ids, q->n_ids);
    if (jaeger_fetch_all(api, req, ids, n, q->raw, &traces, &err)) {
        send_err(res, &err);
        return;
    }
    MissingTraces list = {missing, 0};
    for (size_t i = 0; i < n; i++) {
        if (!was_fetched(&traces, ids[i])) missing[list.n++] = ids[i];
    }
    send_traces(req, res, &traces, &list);
}

static void get_traces(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    JaegerQuery q;
    Err err = {0};
    JaegerTraces traces;
    if (jaeger_parse_search(req, clock_now_ns(), &q, &err)) {
        send_err(res, &err);
    } else if (q.n_ids) {
        send_traces_by_id(api, req, res, &q);
    } else if (jaeger_search(api, req, &q, &traces, &err)) {
        send_err(res, &err);
    } else {
        send_traces(req, res, &traces, NULL);
    }
}

static ErrCode parse_get_trace(HttpRequest *req, TraceId *ret_id, bool *ret_raw, Err *err) {
    int64_t ignored;
    ErrCode e = jaeger_parse_trace_id(http_path_param(req, STR("id")), true, ret_id, err);
    if (!e) e = jaeger_param_i64(req, STR("start"), 0, &ignored, err);
    if (!e) e = jaeger_param_i64(req, STR("end"), 0, &ignored, err);
    return e ? e : jaeger_param_bool(req, STR("raw"), ret_raw, err);
}

static void get_trace(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceId id;
    bool raw;
    JaegerTrace trace;
    Err err = {0};
    if (parse_get_trace(req, &id, &raw, &err) || jaeger_fetch(ctx, req, id, raw, &trace, &err)) {
        send_err(res, &err);
        return;
    }
    JaegerTraces one = {&trace, 1};
    send_traces(req, res, &one, NULL);
}

static void get_trace_shared(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    if (tempo_accepts(req, STR("application/protobuf")))
        api->tempo_trace(api->tempo_ctx, req, res);
    else
        get_trace(ctx, req, res);
}

static void post_archive(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceId id;
    bool raw;
    Err err = {0};
    (void)ctx;
    if (parse_get_trace(req, &id, &raw, &err))
        send_err(res, &err);
    else
        send_error(res, 500, "archive span storage was not configured");
}

/* --- transform --- */

static int cmp_trace_rows(const void *a, const void *b) {
    const SpanRow *x = *(const SpanRow *const *)a, *y = *(const SpanRow *const *)b;
    int c = memcmp(x->trace_id.b, y->trace_id.b, 16);
    return c ? c : x < y ? -1 : x > y;
}

static int cmp_first_row(const void *a, const void *b) {
    const SpanRow *x = ((const JaegerTrace *)a)->batch->rows.v, *y = ((const JaegerTrace *)b)->batch->rows.v;
    return x[0].flags < y[0].flags ? -1 : x[0].flags > y[0].flags;
}

/* Cuts a batch of many traces into batches that share its pools, in the order in which the traces come up first. */
static bool split_traces(SpansBatch *all, JaegerTraces *ret) {
    size_t n = all->rows.n;
    SpanRow **order = ARENA_ARRAY(all->arena, SpanRow *, n + 1);
    SpanRow *rows = ARENA_ARRAY(all->arena, SpanRow, n + 1);
    ret->v = ARENA_ARRAY(all->arena, JaegerTrace, n + 1);
    ret->n = 0;
    if (!order || !rows || !ret->v) return false;
    for (size_t i = 0; i < n; i++) {
        order[i] = &all->rows.v[i];
        all->rows.v[i].flags = (uint32_t)i; /* Jaeger's span flags are not shown; the place is */
    }
    qsort(order, n, sizeof *order, cmp_trace_rows);
    for (size_t i = 0; i < n; i++) {
        rows[i] = *order[i];
        if (i == 0 || !trace_id_eq(rows[i].trace_id, rows[i - 1].trace_id)) {
            SpansBatch *b = ARENA_NEW(all->arena, SpansBatch);
            if (!b) return false;
            *b = *all;
            b->rows.v = &rows[i];
            b->rows.n = 0;
            ret->v[ret->n++] = (JaegerTrace){.batch = b};
        }
        ret->v[ret->n - 1].batch->rows.n++;
    }
    if (ret->n > 1) qsort(ret->v, ret->n, sizeof(JaegerTrace), cmp_first_row);
    return true;
}

static void post_transform(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    SpansBatch batch = {.arena = req->arena};
    JaegerTraces traces;
    Str body;
    Err err = {0};
    if (!api->opts.decode_otlp_json) {
        send_error(res, 501, "OTLP cannot be decoded here");
        return;
    }
    ErrCode e = http_body_decoded(req, TRANSFORM_BYTES_MAX, &body, &err);
    if (!e) {
        e = api->opts.decode_otlp_json(body, &batch, &err);
        if (e) err_prefix(&err, "cannot unmarshal OTLP ");
    }
    if (!e && !split_traces(&batch, &traces)) e = err_set(&err, ERR_TOO_LARGE, "the answer is too large");
    if (e)
        send_err(res, &err);
    else
        send_traces(req, res, &traces, NULL);
}

/* --- dependencies --- */

static ErrCode load_dependencies(JaegerApi *api, HttpRequest *req, TraceDependency **ret, size_t *ret_n, Err *err) {
    TraceStore *s = api->opts.store;
    int64_t end_ms, lookback_ms, start_ms, start_ns, end_ns;
    ErrCode e = jaeger_param_i64(req, STR("endTs"), clock_now_ms(), &end_ms, err);
    if (!e) e = jaeger_param_i64(req, STR("lookback"), DEPENDENCIES_LOOKBACK_MS, &lookback_ms, err);
    if (e) return e;
    if (__builtin_sub_overflow(end_ms, lookback_ms, &start_ms)) start_ms = INT64_MIN;
    if (__builtin_mul_overflow(start_ms, NS_PER_MS, &start_ns)) start_ns = start_ms < 0 ? INT64_MIN : INT64_MAX;
    if (__builtin_mul_overflow(end_ms, NS_PER_MS, &end_ns)) end_ns = end_ms < 0 ? INT64_MIN : INT64_MAX;
    if (end_ns < start_ns) return err_set(err, ERR_INTERNAL, "end time must be greater than start time");
    return s->ops->dependencies(s, start_ns, end_ns, http_param(req, STR("service")), req->arena, ret, ret_n, err);
}

static void get_dependencies(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceDependency *v;
    size_t n;
    Err err = {0};
    if (load_dependencies(ctx, req, &v, &n, &err)) {
        send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(v[i].parent, v[i].child)) continue; /* Jaeger shows calls between services only */
        json_begin_object(&w);
        json_key_lit(&w, "parent");
        json_str(&w, v[i].parent);
        json_key_lit(&w, "child");
        json_str(&w, v[i].child);
        json_key_lit(&w, "callCount");
        json_u64(&w, v[i].calls);
        json_end_object(&w);
    }
    json_end_array(&w);
    put_tail(&w, 0, NULL);
    jaeger_send_json(req, res, &out);
}

static void get_metrics(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    send_error(res, 501, "metrics querying is currently disabled");
}

/* --- routes --- */

JaegerApi *jaeger_api_create(const JaegerApiOptions *opts) {
    ASSERT(opts && opts->store);
    JaegerApi *api = NEW(JaegerApi);
    api->opts = *opts;
    return api;
}

JaegerApi *jaeger_api_free(JaegerApi *api) {
    mem_free(api);
    return NULL;
}

static void add_routes(JaegerApi *api, Router *router, HttpHandler trace_handler) {
    const struct {
        unsigned methods;
        const char *pattern;
        HttpHandler handler;
        RouteClass cls;
        size_t max_body_bytes;
    } routes[] = {
        {HTTP_GET, "/api/services", get_services, ROUTE_QUERY, 0},
        {HTTP_GET, "/api/operations", get_operations, ROUTE_QUERY, 0},
        {HTTP_GET, "/api/services/{service}/operations", get_service_operations, ROUTE_QUERY, 0},
        {HTTP_GET, "/api/traces", get_traces, ROUTE_QUERY, 0},
        {HTTP_GET, "/api/traces/{id}", trace_handler, ROUTE_QUERY, 0},
        {HTTP_POST, "/api/archive/{id}", post_archive, ROUTE_INSTANT, 0},
        {HTTP_GET, "/api/dependencies", get_dependencies, ROUTE_QUERY, 0},
        {HTTP_POST, "/api/transform", post_transform, ROUTE_QUERY, TRANSFORM_BYTES_MAX},
        {HTTP_GET, "/api/metrics/latencies", get_metrics, ROUTE_INSTANT, 0},
        {HTTP_GET, "/api/metrics/calls", get_metrics, ROUTE_INSTANT, 0},
        {HTTP_GET, "/api/metrics/errors", get_metrics, ROUTE_INSTANT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        Route r = {.methods = routes[i].methods,
            .pattern = routes[i].pattern,
            .handler = routes[i].handler,
            .ctx = api,
            .cls = routes[i].cls,
            .max_body_bytes = routes[i].max_body_bytes,
            .role = ROLE_VIEWER};
        router_add(router, &r);
    }
    jaeger_v3_routes(api, router);
}

void jaeger_api_routes(JaegerApi *api, Router *router) { add_routes(api, router, get_trace); }

void jaeger_api_routes_shared(JaegerApi *api, Router *router, HttpHandler tempo_trace, void *tempo_ctx) {
    ASSERT(!api->tempo_trace);
    api->tempo_trace = tempo_trace;
    api->tempo_ctx = tempo_ctx;
    add_routes(api, router, get_trace_shared);
}
