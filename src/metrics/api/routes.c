/* routes.c - the table of everything under /api/v1, and the few paths beside it. /openapi.yaml is made from it. */
#include "metrics/api/api_int.h"

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
    res->content_type = STR("text/plain; charset=utf-8"); /* as the original says */
    api_buildinfo(&c);
    buf_put_char(&res->body, '\n');
}

/* --- the table --- */

#define GET_POST (HTTP_GET | HTTP_POST)
#define POST_PUT (HTTP_POST | HTTP_PUT)
#define RANGE "start end match[] limit"
#define SEARCH                                                                                                         \
    "match[] search[] fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir include_score start end limit "          \
    "batch_size"

/* clang-format off */
static const ApiEntry entries[] = {
    {"/api/v1/query", api_query, GET_POST, ROUTE_TURNS, ROLE_VIEWER, "Evaluate an expression at one time",
     "query! time timeout limit lookback_delta stats"},
    {"/api/v1/query_range", api_query_range, GET_POST, ROUTE_TURNS, ROLE_VIEWER, "Evaluate an expression over a range of time",
     "query! start! end! step! timeout limit lookback_delta stats"},
    {"/api/v1/query_exemplars", api_query_exemplars, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "Exemplars of the series an expression selects", "query! start end"},
    {"/api/v1/format_query", api_format_query, GET_POST, ROUTE_INSTANT, ROLE_VIEWER, "An expression, prettily printed", "query!"},
    {"/api/v1/parse_query", api_parse_query, GET_POST, ROUTE_INSTANT, ROLE_VIEWER, "An expression as a syntax tree", "query!"},
    {"/api/v1/labels", api_labels, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "Label names", RANGE},
    {"/api/v1/label/{name}/values", api_label_values, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "Values of a label", RANGE},
    {"/api/v1/series", api_series, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "Label sets of series", "match[]! start end limit"},
    {"/api/v1/metadata", api_metadata, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "Type, help and unit of metrics", "limit limit_per_metric metric"},
    {"/api/v1/search/metric_names", api_search_metric_names, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "Metric names that fit what is typed", SEARCH " include_metadata"},
    {"/api/v1/search/label_names", api_search_label_names, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "Label names that fit what is typed", SEARCH},
    {"/api/v1/search/label_values", api_search_label_values, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "Label values that fit what is typed", "label! " SEARCH},
    {"/api/v1/targets", api_targets, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Targets and how their scrapes went", "state scrapePool"},
    {"/api/v1/targets/metadata", api_targets_metadata, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "Metadata by target", "match_target metric limit"},
    {"/api/v1/targets/relabel_steps", api_relabel_steps, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "What each relabelling rule does to labels", "scrapePool! labels!"},
    {"/api/v1/scrape_pools", api_scrape_pools, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Names of the scrape pools", ""},
    {"/api/v1/scrape_pools/config", api_scrape_pool_config, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "A scrape pool's configuration", "scrapePool!"},
    {"/api/v1/rules", api_rules, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Recording and alerting rules",
     "type rule_name[] rule_group[] file[] exclude_alerts match[] group_limit group_next_token"},
    {"/api/v1/alerts", api_alerts, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Pending and firing alerts", ""},
    {"/api/v1/alertmanagers", api_alertmanagers, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Where alerts are sent", ""},
    {"/api/v1/status/buildinfo", api_buildinfo, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Version", ""},
    {"/api/v1/status/runtimeinfo", api_runtimeinfo, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "State of the process", ""},
    {"/api/v1/status/flags", api_flags, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Flags in effect, under Prometheus' names", ""},
    {"/api/v1/status/config", api_config, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "prometheus.yml in effect", ""},
    {"/api/v1/status/tsdb", api_tsdb, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "Cardinality", "limit"},
    {"/api/v1/status/tsdb/blocks", api_blocks, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "Parts of the store on disk", ""},
    {"/api/v1/status/walreplay", api_walreplay, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Progress of the start", ""},
    {"/api/v1/status/self_metrics", api_self_metrics, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "The server's own metrics", "metric_name_pattern"},
    {"/api/v1/features", api_features, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "What this server can do", ""},
    {"/api/v1/notifications", api_notifications, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "What an operator should know", ""},
    {"/api/v1/notifications/live", api_notifications_live, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "The same as it comes (server-sent events)", ""},
    {"/api/v1/openapi.yaml", api_openapi, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "This description", "openapi_version"},
    {"/api/v1/admin/tsdb/delete_series", api_delete_series, POST_PUT, ROUTE_QUERY, ROLE_ADMIN, "Delete samples", "match[]! start end"},
    {"/api/v1/admin/tsdb/clean_tombstones", api_clean_tombstones, POST_PUT, ROUTE_QUERY, ROLE_ADMIN, "Remove deleted samples from the disk", ""},
    {"/api/v1/admin/tsdb/snapshot", api_snapshot, POST_PUT, ROUTE_QUERY, ROLE_ADMIN, "Write all samples as Prometheus blocks", "skip_head"},
    {"/api/meerkat/v1/queries", api_queries, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "Queries that run now", ""},
    {"/api/meerkat/v1/queries/slow", api_queries_slow, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "The newest slow queries", ""},
    {"/api/meerkat/v1/queries/{id}", api_query_kill, HTTP_DELETE, ROUTE_INSTANT, ROLE_EDITOR, "End a query", ""},
    {"/api/meerkat/v1/explain", api_explain, GET_POST, ROUTE_QUERY, ROLE_VIEWER, "What a query does, operator by operator",
     "query! time start end step timeout lookback_delta"},
    {"/api/meerkat/v1/config", api_server_config, HTTP_GET, ROUTE_INSTANT, ROLE_VIEWER, "meerkat.yml in effect", ""},
    {"/api/meerkat/v1/cardinality", api_cardinality, HTTP_GET, ROUTE_QUERY, ROLE_VIEWER, "Which metric and which label has how many series, and how they grew",
     "match[] label start end compare limit"},
};
/* clang-format on */

const ApiEntry *api_entries(size_t *ret_n) {
    *ret_n = ARRAY_LEN(entries);
    return entries;
}

/* --- routes --- */

static void add(PromApi *api, Router *r, const ApiEntry *e) {
    ASSERT(api->n_routes < API_ROUTES_MAX);
    ApiRoute *slot = &api->routes[api->n_routes++];
    *slot = (ApiRoute){api, e->fn};
    router_add(r, &(Route){.methods = e->methods | HTTP_OPTIONS,
                      .pattern = e->path,
                      .handler = api_handle,
                      .ctx = slot,
                      .cls = e->cls,
                      .role = e->role,
                      .max_body_bytes = (size_t)16 << 20}); /* queries by POST may be long */
}

void prom_api_routes(PromApi *api, Router *r) {
    ASSERT(api->n_routes == 0);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) add(api, r, &entries[i]);
    const Route plain[] = {
        {.methods = HTTP_POST,
            .pattern = "/api/v1/write",
            .handler = api_write,
            .start = api_write_start,
            .ctx = api,
            .cls = ROUTE_INGEST,
            .max_body_bytes = (size_t)32 << 20,
            .role = ROLE_EDITOR,
            .overloaded_status = 503, /* Prometheus gives up at 429 */
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
    api_lifecycle_routes(api, r);
}
