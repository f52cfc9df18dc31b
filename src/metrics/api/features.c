/* features.c - /features: what this server can do, by the categories and names of Prometheus 3.14. */
#include "metrics/api/api_int.h"

#include "metrics/promql/function.h"

typedef struct Feature {
    const char *name;
    bool on;
} Feature;

static void put(JsonWriter *w, const char *category, const Feature *v, size_t n) {
    json_key(w, str_cstr(category));
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        json_key(w, str_cstr(v[i].name));
        json_bool(w, v[i].on);
    }
    json_end_object(w);
}

static void put_names(JsonWriter *w, const char *category, const char *const *names, size_t n) {
    json_key(w, str_cstr(category));
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        json_key(w, str_cstr(names[i]));
        json_bool(w, true);
    }
    json_end_object(w);
}

static void put_api(JsonWriter *w, const PromApiOptions *o) {
    const Feature v[] = {{"admin", o->admin_api}, {"exclude_alerts", true}, {"exemplars", true},
        {"label_values_match", true}, {"lifecycle", o->lifecycle}, {"openapi_3.1", true}, {"openapi_3.2", true},
        {"otlp_write_receiver", true}, {"query_stats", true}, {"query_warnings", true}, {"remote_write_receiver", true},
        {"search", true}, {"search_fuzz_alg_jarowinkler", true}, {"search_fuzz_alg_subsequence", true},
        {"time_range_labels", true}, {"time_range_series", true}};
    put(w, "api", v, ARRAY_LEN(v));
}

static void put_promql(JsonWriter *w, const PromApiOptions *o) {
    static const Feature v[] = {{"anchored", true}, {"at_modifier", true}, {"bool", true}, {"by", true},
        {"delayed_name_removal", false}, {"duration_expr", true}, {"fill", true}, {"fill_left", true},
        {"fill_right", true}, {"group_left", true}, {"group_right", true}, {"ignoring", true},
        {"negative_offset", true}, {"offset", true}, {"on", true}, {"per_query_lookback_delta", true},
        {"per_step_stats", true}, {"smoothed", true}, {"subqueries", true}, {"type_and_unit_labels", false},
        {"without", true}};
    static const char *const operators[] = {"!=", "!~", "%", "*", "+", "-", "/", "<", "</", "<=", "==", "=~", ">", ">/",
        ">=", "@", "^", "and", "atan2", "avg", "bottomk", "count", "count_values", "group", "limit_ratio", "limitk",
        "max", "min", "or", "quantile", "stddev", "stdvar", "sum", "topk", "unless"};
    size_t n;
    const PqlFunction *fns = pql_function_table(&n);
    put(w, "promql", v, ARRAY_LEN(v));
    json_key_lit(w, "promql_functions");
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        json_key(w, str_cstr(fns[i].name));
        json_bool(w, fns[i].id != FN_START_TIMESTAMP || o->engine.use_start_timestamps);
    }
    json_end_object(w);
    put_names(w, "promql_operators", operators, ARRAY_LEN(operators));
}

bool api_features(ApiCall *c) {
    static const Feature otlp[] = {{"delta_conversion", true}, {"native_delta_ingestion", false}};
    static const Feature server[] = {{"agent_mode", false}, {"auto_reload_config", false}, {"server_mode", true}};
    static const Feature rules[] = {{"concurrent_rule_eval", true}, {"keep_firing_for", true}, {"query_offset", true}};
    const Feature scrape[] = {{"extra_scrape_metrics", true},
        {"start_timestamp_zero_ingestion", c->api->opts.zero_starts}, {"type_and_unit_labels", false}};
    static const char *const discovery[] = {"consul", "dns", "docker", "file", "http", "kubernetes", "static"};
    static const char *const templates[] = {"args", "externalURL", "first", "graphLink", "humanize", "humanize1024",
        "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "label", "match", "now", "parseDuration",
        "pathPrefix", "query", "reReplaceAll", "safeHtml", "sortByLabel", "stripDomain", "stripPort", "strvalue",
        "tableLink", "title", "toDuration", "toLower", "toTime", "toUpper", "urlQueryEscape", "value"};
    static const Feature tsdb[] = {{"exemplar_storage", true}, {"isolation", true}, {"native_histograms", true}};
    static const Feature ui[] = {{"ui_v2", false}, {"ui_v3", false}};
    JsonWriter *w = &c->w;
    json_begin_object(w);
    put_api(w, &c->api->opts);
    put(w, "otlp_receiver", otlp, ARRAY_LEN(otlp));
    put(w, "prometheus", server, ARRAY_LEN(server));
    put_promql(w, &c->api->opts);
    put(w, "rules", rules, ARRAY_LEN(rules));
    put(w, "scrape", scrape, ARRAY_LEN(scrape));
    put_names(w, "service_discovery_providers", discovery, ARRAY_LEN(discovery));
    put_names(w, "templating_functions", templates, ARRAY_LEN(templates));
    put(w, "tsdb", tsdb, ARRAY_LEN(tsdb));
    put(w, "ui", ui, ARRAY_LEN(ui));
    json_end_object(w);
    return true;
}
