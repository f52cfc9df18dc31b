/* prom_api.c - creation, routes, and the envelope around every answer. */
#include "metrics/api/api_int.h"

#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>

static Str copy(PromApi *api, Str s, Str missing) {
    Str c = arena_copy(api->arena, s.n ? s : missing);
    ASSERT(c.p);
    return c;
}

PromApi *prom_api_create(const PromApiOptions *opts) {
    ASSERT(opts->store);
    PromApi *api = NEW(PromApi);
    api->opts = *opts;
    api->arena = arena_create(ARENA_UNLIMITED);
    api->external = labels_copy(api->arena, (Labels){opts->external_labels, opts->n_external_labels});
    api->opts.version = copy(api, opts->version, STR("3.14.0"));
    api->opts.revision = copy(api, opts->revision, STR(""));
    api->opts.branch = copy(api, opts->branch, STR(""));
    api->opts.build_user = copy(api, opts->build_user, STR(""));
    api->opts.build_date = copy(api, opts->build_date, STR(""));
    api->opts.storage_retention = copy(api, opts->storage_retention, STR("15d"));
    if (!api->opts.query_timeout_ms) api->opts.query_timeout_ms = 120000;
    if (!api->opts.query_arena_bytes) api->opts.query_arena_bytes = (size_t)512 << 20;
    api->start_ns = clock_now_ns();
    return api;
}

PromApi *prom_api_free(PromApi *api) {
    if (!api) return NULL;
    arena_free(api->arena);
    mem_free(api);
    return NULL;
}

/* --- errors --- */

static void write_error(ApiCall *c, ApiErrorType type, Str msg) {
    static const struct {
        const char *name;
        int status;
    } types[] = {[API_BAD_DATA] = {"bad_data", 400},
        [API_EXECUTION] = {"execution", 422},
        [API_CANCELED] = {"canceled", 499},
        [API_TIMEOUT] = {"timeout", 503},
        [API_INTERNAL] = {"internal", 500},
        [API_UNAVAILABLE] = {"unavailable", 500},
        [API_NOT_FOUND] = {"not_found", 404}};
    c->failed = true;
    buf_clear(&c->res->body);
    c->res->status = types[type].status;
    c->res->content_type = STR("application/json");
    JsonWriter w = json_writer(&c->res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("error"));
    json_key_lit(&w, "errorType");
    json_str(&w, str_cstr(types[type].name));
    json_key_lit(&w, "error");
    json_str(&w, msg);
    json_end_object(&w);
}

bool api_fail(ApiCall *c, ApiErrorType type, const char *fmt, ...) {
    char msg[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    write_error(c, type, str_cstr(msg));
    return false;
}

bool api_fail_param(ApiCall *c, const char *name, const char *fmt, ...) {
    char msg[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return api_fail(c, API_BAD_DATA, "invalid parameter \"%s\": %s", name, msg);
}

bool api_fail_err(ApiCall *c, const Err *err) {
    ApiErrorType type = API_EXECUTION;
    if (err->code == ERR_TIMEOUT) type = API_TIMEOUT;
    if (err->code == ERR_CANCELLED) type = API_CANCELED;
    if (err->code == ERR_IO || err->code == ERR_CORRUPT || err->code == ERR_INTERNAL) type = API_INTERNAL;
    if (err->code == ERR_UNAVAILABLE) type = API_UNAVAILABLE;
    write_error(c, type, str_cstr(err->msg));
    return false;
}

void api_warn(ApiCall *c, Str text) { vec_push(&c->warnings, text); }

/* --- the envelope --- */

static void put_notes(JsonWriter *w, const char *key, const char *word, const Str *v, size_t n) {
    enum { SHOWN_MAX = 10 };
    if (n == 0) return;
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) json_str(w, v[i]);
    if (n > SHOWN_MAX) {
        char more[64];
        snprintf(more, sizeof more, "%zu more %s annotations omitted", n - SHOWN_MAX, word);
        json_str(w, str_cstr(more));
    }
    json_end_array(w);
}

static void put_cors(HttpRequest *req, HttpResponse *res) {
    if (!http_header(req, STR("Origin")).n) return;
    http_set_header(res, STR("Access-Control-Allow-Origin"), STR("*"));
    http_set_header(res, STR("Access-Control-Allow-Headers"), STR("Accept, Authorization, Content-Type, Origin"));
    http_set_header(res, STR("Access-Control-Allow-Methods"), STR("GET, POST, OPTIONS"));
    http_set_header(res, STR("Access-Control-Expose-Headers"), STR("Date"));
}

bool api_is_ready(const PromApi *api) { return !api->opts.ready || api->opts.ready(api->opts.ctx); }

static void handle(void *ctx, HttpRequest *req, HttpResponse *res) {
    const ApiRoute *route = ctx;
    ApiCall c = {.api = route->api, .req = req, .res = res, .w = json_writer(&res->body)};
    put_cors(req, res);
    if (req->method == HTTP_OPTIONS) {
        res->status = 204;
        return;
    }
    if (!api_is_ready(route->api) && route->fn != api_walreplay) {
        http_reply_text(res, 503, "Service Unavailable");
        return;
    }
    res->status = 200;
    res->content_type = STR("application/json");
    json_begin_object(&c.w);
    json_key_lit(&c.w, "status");
    json_str(&c.w, STR("success"));
    json_key_lit(&c.w, "data");
    bool ok = route->fn(&c);
    ASSERT(ok || c.failed);
    if (ok && c.no_data) {
        buf_clear(&res->body);
        res->status = 204;
        res->content_type = STR_NULL;
    } else if (ok) {
        put_notes(&c.w, "warnings", "warning", c.warnings.v, c.warnings.n);
        put_notes(&c.w, "infos", "info", c.infos.v, c.infos.n);
        json_end_object(&c.w);
    }
    vec_done(&c.warnings);
    vec_done(&c.infos);
}

/* --- plain answers --- */

static void handle_healthy(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    http_reply_text(res, 200, "Prometheus Server is Healthy.\n");
}

static void handle_ready(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    if (api_is_ready(ctx))
        http_reply_text(res, 200, "Prometheus Server is Ready.\n");
    else
        http_reply_text(res, 503, "Service Unavailable");
}

static void handle_version(void *ctx, HttpRequest *req, HttpResponse *res) {
    ApiCall c = {.api = ctx, .req = req, .res = res, .w = json_writer(&res->body)};
    res->status = 200;
    res->content_type = STR("application/json");
    api_buildinfo(&c);
}

/* --- routes --- */

static void add(PromApi *api, Router *r, unsigned methods, const char *path, ApiFn fn, RouteClass cls) {
    ASSERT(api->n_routes < API_ROUTES_MAX);
    ApiRoute *slot = &api->routes[api->n_routes++];
    *slot = (ApiRoute){api, fn};
    Route route = {.methods = methods | HTTP_OPTIONS,
        .pattern = path,
        .handler = handle,
        .ctx = slot,
        .cls = cls,
        .role = ROLE_VIEWER};
    if (fn == api_delete_series) route.role = ROLE_ADMIN;
    router_add(r, &route);
}

void prom_api_routes(PromApi *api, Router *r) {
    static const struct {
        const char *path;
        ApiFn fn;
        bool post, cheap;
    } table[] = {
        {"/api/v1/query", api_query, true, false},
        {"/api/v1/query_range", api_query_range, true, false},
        {"/api/v1/query_exemplars", api_query_exemplars, true, false},
        {"/api/v1/format_query", api_format_query, true, true},
        {"/api/v1/parse_query", api_parse_query, true, true},
        {"/api/v1/labels", api_labels, true, false},
        {"/api/v1/label/{name}/values", api_label_values, false, false},
        {"/api/v1/series", api_series, true, false},
        {"/api/v1/metadata", api_metadata, false, false},
        {"/api/v1/targets", api_targets, false, true},
        {"/api/v1/targets/metadata", api_targets_metadata, false, false},
        {"/api/v1/notifications", api_notifications, false, true},
        {"/api/v1/scrape_pools", api_scrape_pools, false, true},
        {"/api/v1/rules", api_rules, false, true},
        {"/api/v1/alerts", api_alerts, false, true},
        {"/api/v1/alertmanagers", api_alertmanagers, false, true},
        {"/api/v1/status/buildinfo", api_buildinfo, false, true},
        {"/api/v1/status/runtimeinfo", api_runtimeinfo, false, true},
        {"/api/v1/status/flags", api_flags, false, true},
        {"/api/v1/status/config", api_config, false, true},
        {"/api/v1/status/tsdb", api_tsdb, false, false},
        {"/api/v1/status/walreplay", api_walreplay, false, true},
        {"/api/v1/features", api_features, false, true},
    };
    ASSERT(api->n_routes == 0);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        add(api, r, HTTP_GET | (table[i].post ? HTTP_POST : 0), table[i].path, table[i].fn,
            table[i].cheap ? ROUTE_INSTANT : ROUTE_QUERY);
    add(api, r, HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/delete_series", api_delete_series, ROUTE_QUERY);
    const Route plain[] = {
        {.methods = HTTP_POST,
            .pattern = "/api/v1/write",
            .handler = api_write,
            .ctx = api,
            .cls = ROUTE_INGEST,
            .max_body_bytes = (size_t)32 << 20,
            .role = ROLE_EDITOR,
            .arena_bytes = (size_t)256 << 20},
        {.methods = HTTP_POST,
            .pattern = "/api/v1/read",
            .handler = api_read,
            .ctx = api,
            .cls = ROUTE_QUERY,
            .role = ROLE_VIEWER},
        {.methods = HTTP_GET,
            .pattern = "/federate",
            .handler = api_federate,
            .ctx = api,
            .cls = ROUTE_QUERY,
            .role = ROLE_VIEWER},
        {.methods = HTTP_GET, .pattern = "/-/healthy", .handler = handle_healthy, .ctx = api, .cls = ROUTE_INSTANT},
        {.methods = HTTP_GET, .pattern = "/-/ready", .handler = handle_ready, .ctx = api, .cls = ROUTE_INSTANT},
        {.methods = HTTP_GET, .pattern = "/version", .handler = handle_version, .ctx = api, .cls = ROUTE_INSTANT},
    };
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) router_add(r, &plain[i]);
}
