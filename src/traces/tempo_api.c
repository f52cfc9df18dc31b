#include "traces/tempo_int.h"

TempoApi *tempo_api_create(const TempoApiOptions *opts) {
    ASSERT(opts && opts->store);
    TempoApi *api = NEW(TempoApi);
    api->opts = *opts;
    if (!api->opts.query_timeout_ms) api->opts.query_timeout_ms = 120000;
    if (!api->opts.version) api->opts.version = "";
    return api;
}

TempoApi *tempo_api_free(TempoApi *api) {
    mem_free(api);
    return NULL;
}

/* --- small ones --- */

static void echo(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    http_reply_text(res, 200, "echo\n");
}

/* Grafana turns features on by version: the API is that of Tempo 2.9. */
static void buildinfo(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    buf_put_lit(&res->body, "{\"version\":\"2.9.0\",\"revision\":\"meerkat\",\"branch\":\"meerkat\",\"buildUser\":\"\","
                            "\"buildDate\":\"\",\"goVersion\":\"\"}");
    tempo_reply_json(res);
}

static void status(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    TempoApi *api = ctx;
    TraceStoreStats stats;
    api->opts.store->ops->stats(api->opts.store, &stats);
    http_reply_text(res, 200, "meerkat %s\nspans: %llu\ntraces in memory: %llu\nparts: %llu\nbytes on disk: %llu\n",
        api->opts.version, (unsigned long long)stats.spans_total, (unsigned long long)stats.traces_head,
        (unsigned long long)stats.parts, (unsigned long long)stats.bytes_on_disk);
}

static void status_version(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    TempoApi *api = ctx;
    http_reply_text(res, 200, "meerkat, version %s\n", api->opts.version);
}

/* Nothing is overridden per tenant, and cannot be. */
static void overrides(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    buf_put_lit(&res->body, "{}");
    tempo_reply_json(res);
}

/* --- routes --- */

typedef struct TempoRoute {
    const char *pattern, *prefixed;
    HttpHandler handler;
    RouteClass cls;
    bool own_port_only; /* on a shared router the path is another API's */
} TempoRoute;

#define PATH(p) p, "/tempo" p

static const TempoRoute routes[] = {
    {PATH("/api/echo"), echo, ROUTE_INSTANT, false},
    {PATH("/api/status/buildinfo"), buildinfo, ROUTE_INSTANT, false},
    {PATH("/status"), status, ROUTE_INSTANT, true},
    {PATH("/status/version"), status_version, ROUTE_INSTANT, true},
    {PATH("/api/overrides"), overrides, ROUTE_INSTANT, false},
    {PATH("/api/traces/{id}"), tempo_api_trace, ROUTE_QUERY, true},
    {PATH("/api/v2/traces/{id}"), tempo_trace_v2, ROUTE_QUERY, false},
    {PATH("/api/search/tags"), tempo_tags, ROUTE_QUERY, false},
    {PATH("/api/v2/search/tags"), tempo_tags_v2, ROUTE_QUERY, false},
    {PATH("/api/search/tag/{tag}/values"), tempo_tag_values, ROUTE_QUERY, false},
    {PATH("/api/v2/search/tag/{tag}/values"), tempo_tag_values_v2, ROUTE_QUERY, false},
    {PATH("/api/search"), tempo_search, ROUTE_QUERY, false},
    {PATH("/api/metrics/query_range"), tempo_query_range, ROUTE_QUERY, false},
    {PATH("/api/metrics/query"), tempo_query_instant, ROUTE_QUERY, false},
};

static void add(TempoApi *api, Router *router, const TempoRoute *r, const char *pattern) {
    router_add(router, &(Route){.methods = HTTP_GET | HTTP_POST, /* long queries come in a form */
                           .pattern = pattern,
                           .handler = r->handler,
                           .ctx = api,
                           .cls = r->cls,
                           .role = r->handler == echo ? ROLE_NONE : ROLE_VIEWER});
}

void tempo_api_routes(TempoApi *api, Router *router) {
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) add(api, router, &routes[i], routes[i].pattern);
}

void tempo_api_routes_shared(TempoApi *api, Router *router) {
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!routes[i].own_port_only) add(api, router, &routes[i], routes[i].pattern);
        add(api, router, &routes[i], routes[i].prefixed);
    }
}
