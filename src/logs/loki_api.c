#include "logs/loki_api_int.h"

#include "base/timefmt.h"
#include "codec/compress.h"

#define PUSH_BODY_MAX (100u << 20)

LokiApi *loki_api_create(const LokiApiOptions *opts) {
    LokiApi *api = NEW(LokiApi);
    api->opts = *opts;
    LokiApiOptions *o = &api->opts;
    if (!o->line_bytes_max) o->line_bytes_max = 256u << 10;
    if (!o->labels_max) o->labels_max = 15;
    if (!o->entries_max) o->entries_max = 5000;
    if (!o->series_max) o->series_max = 100000;
    if (!o->query_timeout_ms) o->query_timeout_ms = 60000;
    if (!o->push_bytes_max) o->push_bytes_max = 256u << 20;
    if (!o->query_length_max_ms) o->query_length_max_ms = INT64_C(721) * 3600 * 1000;
    return api;
}

LokiApi *loki_api_free(LokiApi *api) {
    mem_free(api);
    return NULL;
}

/* --- push --- */

/* JSON by its media type, gzip or deflate around it; anything else is protobuf, in snappy unless encoded otherwise. */
static ErrCode decode_push(LokiApi *api, HttpRequest *req, LogsBatch *batch, uint64_t *rejected, Err *err) {
    LokiPushLimits limits = {api->opts.line_bytes_max, api->opts.labels_max};
    bool json = str_eq_lit(http_media_type(req), "application/json");
    Str body;
    Str encoding = http_header(req, STR("content-encoding"));
    HttpHeader snappy = {STR("content-encoding"), STR("snappy")};
    HttpRequest plain = *req;
    if (!json && encoding.n == 0) {
        plain.headers = &snappy;
        plain.n_headers = 1;
    }
    ErrCode rc = http_body_decoded(&plain, api->opts.push_bytes_max, &body, err);
    if (rc) return rc;
    Str inner; /* gzip or deflate go around snappy; senders that leave snappy out are understood as well */
    Encoding outer = encoding_parse(encoding);
    if (!json && (outer == ENCODING_GZIP || outer == ENCODING_DEFLATE) &&
        decompress(ENCODING_SNAPPY, body, api->opts.push_bytes_max, req->arena, &inner, NULL) == OK)
        body = inner;
    return json ? loki_push_decode_json(body, &limits, batch, rejected, err)
                : loki_push_decode_proto(body, &limits, batch, rejected, err);
}

void loki_push(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiApi *api = ctx;
    LogsBatch batch = {.arena = req->arena};
    uint64_t rejected = 0;
    Err err = {0};
    ErrCode rc = decode_push(api, req, &batch, &rejected, &err);
    if (rc) {
        http_reply_text(res, err_http_status(rc), "%s\n", err.msg);
        return;
    }
    LogAppendResult result = {0};
    Err store_err = {0};
    rc = api->opts.store->ops->append(api->opts.store, &batch, &result, &store_err);
    if (rc == ERR_OVERLOADED) {
        http_set_header(res, STR("Retry-After"), STR("1"));
        http_reply_text(res, 429, "%s\n", store_err.msg);
    } else if (rc) {
        http_reply_error(res, &store_err);
    } else if (rejected > 0) {
        http_reply_text(res, 400, "%s\n", err.msg);
    } else if (result.too_old + result.too_new > 0) {
        http_reply_text(res, 400, "%s\n", result.first_error);
    } else {
        res->status = 204;
    }
}

/* --- small ones --- */

static void ready(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    http_reply_text(res, 200, "ready\n");
}

/* Grafana turns features on by version: the API is that of Loki 3.4. */
static void buildinfo(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    buf_put_lit(&res->body, "{\"version\":\"3.4.0\",\"revision\":\"meerkat\",\"branch\":\"meerkat\",\"buildUser\":\"\","
                            "\"buildDate\":\"\",\"goVersion\":\"\"}");
    loki_reply_json(res);
}

static void drilldown_limits(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    LokiApi *api = ctx;
    buf_printf(&res->body,
        "{\"limits\":{\"discover_log_levels\":true,\"discover_service_name\":[\"service\",\"app\",\"application\","
        "\"app_name\",\"name\",\"app_kubernetes_io_name\",\"container\",\"container_name\",\"k8s_container_name\","
        "\"component\",\"workload\",\"job\",\"k8s_job_name\"],\"log_level_fields\":[\"level\",\"LEVEL\",\"Level\","
        "\"log.level\",\"severity\",\"SEVERITY\",\"Severity\",\"SeverityText\",\"lvl\",\"LVL\",\"Lvl\","
        "\"severity_text\",\"Severity_Text\",\"SEVERITY_TEXT\"],\"max_entries_limit_per_query\":%u,"
        "\"max_line_size_truncate\":false,\"max_query_length\":\"%lldh\",\"max_query_series\":%zu,"
        "\"volume_enabled\":true},\"pattern_ingester_enabled\":false,\"version\":\"3.4.0\"}",
        api->opts.entries_max, (long long)(api->opts.query_length_max_ms / 3600000), api->opts.series_max);
    loki_reply_json(res);
}

static void format_query(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    const LqExpr *e;
    Err err = {0};
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    if (logql_parse(http_param(req, STR("query")), req->arena, &e, &err) == OK) {
        Buf text = {0};
        logql_print(&text, e);
        json_str(&w, STR("success"));
        json_key_lit(&w, "data");
        json_str(&w, buf_str(&text));
        json_end_object(&w);
        buf_done(&text);
        loki_reply_json(res);
        return;
    }
    json_str(&w, STR("invalid-query"));
    json_key_lit(&w, "error");
    json_str(&w, str_cstr(err.msg));
    json_end_object(&w);
    loki_reply_json(res);
    res->status = 400;
}

static void no_tail(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    http_reply_text(res, 501, "tail is not supported: repeat query_range instead\n");
}

static void no_patterns(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    http_reply_text(res, 404, "patterns are not collected\n");
}

/* DELETE in Loki's sense: all lines of a selector in a range; done when it answers. */
static void delete_lines(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiApi *api = ctx;
    LogStore *s = api->opts.store;
    LokiRange range;
    Err err = {0};
    LogSelect sel = {.arena = req->arena};
    if (!http_has_param(req, STR("start"))) {
        http_reply_text(res, 400, "start time not set\n");
        return;
    }
    if (!loki_param_range(req, res, NS_PER_S, &range)) return;
    if (logql_parse_selector(http_param(req, STR("query")), req->arena, &sel.matchers, &err) != OK) {
        loki_reply_error(res, &err);
        return;
    }
    if (sel.matchers.n == 0) {
        http_reply_text(res, 400, "query not set\n");
        return;
    }
    sel.start_ns = range.start_ns;
    sel.end_ns = range.end_ns < INT64_MAX ? range.end_ns + 1 : INT64_MAX;
    uint64_t deleted;
    if (s->ops->delete_rows(s, &sel, &deleted, &err) == OK)
        res->status = 204;
    else
        loki_reply_error(res, &err);
}

/* Deletions are done at once, so none is ever pending. */
static void list_deletes(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    buf_put_lit(&res->body, "[]");
    loki_reply_json(res);
}

/* --- routes --- */

static void add_routes(LokiApi *api, Router *router, bool with_root) {
    enum { READ = HTTP_GET | HTTP_POST };
    const Route routes[] = {
        {.methods = HTTP_POST,
            .pattern = "/loki/api/v1/push",
            .handler = loki_push,
            .cls = ROUTE_INGEST,
            .role = ROLE_EDITOR,
            .max_body_bytes = PUSH_BODY_MAX,
            .arena_bytes = 1u << 30},
        {.methods = READ, .pattern = "/loki/api/v1/query_range", .handler = loki_query_range, .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/query", .handler = loki_query_instant, .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/labels", .handler = loki_labels, .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/label", .handler = loki_labels, .cls = ROUTE_QUERY},
        {.methods = READ,
            .pattern = "/loki/api/v1/label/{name}/values",
            .handler = loki_label_values,
            .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/series", .handler = loki_series, .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/index/stats", .handler = loki_index_stats, .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/index/volume", .handler = loki_volume, .cls = ROUTE_QUERY},
        {.methods = READ,
            .pattern = "/loki/api/v1/index/volume_range",
            .handler = loki_volume_range,
            .cls = ROUTE_QUERY},
        {.methods = READ,
            .pattern = "/loki/api/v1/detected_labels",
            .handler = loki_detected_labels,
            .cls = ROUTE_QUERY},
        {.methods = READ,
            .pattern = "/loki/api/v1/detected_fields",
            .handler = loki_detected_fields,
            .cls = ROUTE_QUERY},
        {.methods = READ, .pattern = "/loki/api/v1/patterns", .handler = no_patterns, .cls = ROUTE_INSTANT},
        {.methods = READ, .pattern = "/loki/api/v1/format_query", .handler = format_query, .cls = ROUTE_INSTANT},
        {.methods = HTTP_GET, .pattern = "/loki/api/v1/tail", .handler = no_tail, .cls = ROUTE_INSTANT},
        {.methods = HTTP_POST | HTTP_PUT,
            .pattern = "/loki/api/v1/delete",
            .handler = delete_lines,
            .cls = ROUTE_QUERY,
            .role = ROLE_ADMIN},
        {.methods = HTTP_GET, .pattern = "/loki/api/v1/delete", .handler = list_deletes, .cls = ROUTE_INSTANT},
        {.methods = HTTP_GET, .pattern = "/loki/api/v1/status/buildinfo", .handler = buildinfo, .cls = ROUTE_INSTANT},
        {.methods = HTTP_GET,
            .pattern = "/loki/api/v1/drilldown-limits",
            .handler = drilldown_limits,
            .cls = ROUTE_INSTANT},
        {.methods = HTTP_GET, .pattern = "/ready", .handler = ready, .cls = ROUTE_INSTANT},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        Route r = routes[i];
        if (!with_root && r.handler == ready) continue;
        r.ctx = api;
        if (r.role == ROLE_NONE) r.role = ROLE_VIEWER;
        if (r.handler == ready) r.role = ROLE_NONE;
        router_add(router, &r);
    }
}

void loki_api_routes(LokiApi *api, Router *router) { add_routes(api, router, true); }

void loki_api_routes_shared(LokiApi *api, Router *router) { add_routes(api, router, false); }
