/* jaeger_api.c - services, operations and dependencies of the legacy API; its routes. */
#include "base/timefmt.h"
#include "sys/clock.h"
#include "traces/jaeger_int.h"

#include <stdlib.h>

#define DEPENDENCIES_LOOKBACK_MS INT64_C(86400000)

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
/* --- services and operations --- */

static void get_services(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    Str *names;
    size_t n;
    Err err = {0};
    if (api->opts.store->ops->services(api->opts.store, req->arena, &names, &n, &err)) {
        jaeger_send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    jaeger_put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) json_str(&w, names[i]);
    json_end_array(&w);
    jaeger_put_tail(&w, n, NULL);
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
        jaeger_send_error(res, 400, "parameter 'service' is required");
        return;
    }
    TraceOperation *ops;
    size_t n;
    Err err = {0};
    if (load_operations(ctx, req, service, http_param(req, STR("spanKind")), &ops, &n, &err)) {
        jaeger_send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    jaeger_put_head(&w);
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
    jaeger_put_tail(&w, n, NULL);
    jaeger_send_json(req, res, &out);
}

static void get_service_operations(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceOperation *ops;
    size_t n, unique = 0;
    Err err = {0};
    if (load_operations(ctx, req, http_path_param(req, STR("service")), STR(""), &ops, &n, &err)) {
        jaeger_send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    jaeger_put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) { /* sorted by name, then kind */
        if (i > 0 && str_eq(ops[i].name, ops[i - 1].name)) continue;
        json_str(&w, ops[i].name);
        unique++;
    }
    json_end_array(&w);
    jaeger_put_tail(&w, unique, NULL);
    jaeger_send_json(req, res, &out);
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
        jaeger_send_err(res, &err);
        return;
    }
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    jaeger_put_head(&w);
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
    jaeger_put_tail(&w, 0, NULL);
    jaeger_send_json(req, res, &out);
}

static void get_metrics(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    jaeger_send_error(res, 501, "metrics querying is currently disabled");
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
        {HTTP_GET, "/api/traces", jaeger_get_traces, ROUTE_QUERY, 0},
        {HTTP_GET, "/api/traces/{id}", trace_handler, ROUTE_QUERY, 0},
        {HTTP_POST, "/api/archive/{id}", jaeger_post_archive, ROUTE_INSTANT, 0},
        {HTTP_GET, "/api/dependencies", get_dependencies, ROUTE_QUERY, 0},
        {HTTP_POST, "/api/transform", jaeger_post_transform, ROUTE_QUERY, TRANSFORM_BYTES_MAX},
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

void jaeger_api_routes(JaegerApi *api, Router *router) { add_routes(api, router, jaeger_get_trace); }

void jaeger_api_routes_shared(JaegerApi *api, Router *router, HttpHandler tempo_trace, void *tempo_ctx) {
    ASSERT(!api->tempo_trace);
    api->tempo_trace = tempo_trace;
    api->tempo_ctx = tempo_ctx;
    add_routes(api, router, jaeger_get_trace_shared);
}
