/* gather.c - the API's, the engine's and the store's state as metrics, under the names of Prometheus' own. */
#include "metrics/api/api_int.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

static void put(MetricsBatch *b, int64_t t, MetricType type, const char *name, double v) {
    metrics_batch_emit(b, t, type, name, v, NULL);
}

static void gather_store(const PromApi *api, MetricsBatch *b, int64_t t) {
    MetricsStoreStats s;
    api->opts.store->ops->stats(api->opts.store, &s);
    bool empty = s.min_t_ms > s.max_t_ms;
    put(b, t, G, "prometheus_tsdb_head_series", (double)s.series_active);
    put(b, t, G, "prometheus_tsdb_head_chunks", (double)s.series_active);
    metrics_batch_emit(
        b, t, C, "prometheus_tsdb_head_samples_appended_total", (double)s.samples_total, "type", "float", NULL);
    metrics_batch_emit(b, t, C, "prometheus_tsdb_head_out_of_order_samples_appended_total", (double)s.out_of_order,
        "type", "float", NULL);
    put(b, t, G, "prometheus_tsdb_head_max_time", empty ? 0 : (double)s.max_t_ms);
    put(b, t, G, "prometheus_tsdb_head_max_time_seconds", empty ? 0 : (double)(s.max_t_ms / 1000));
    put(b, t, G, "prometheus_tsdb_head_min_time", empty ? 0 : (double)s.min_t_ms);
    put(b, t, G, "prometheus_tsdb_lowest_timestamp", empty ? 0 : (double)s.min_t_ms);
    put(b, t, G, "prometheus_tsdb_lowest_timestamp_seconds", empty ? 0 : (double)(s.min_t_ms / 1000));
    put(b, t, G, "prometheus_tsdb_blocks_loaded", (double)s.parts);
    put(b, t, G, "prometheus_tsdb_storage_blocks_bytes", (double)s.bytes_on_disk);
    put(b, t, G, "prometheus_tsdb_wal_storage_size_bytes", (double)s.wal_bytes);
    put(b, t, C, "prometheus_tsdb_wal_corruptions_total", (double)s.wal_corrupt_frames);
    static const char *const limits[] = {
        [METRICS_REFUSED_TOTAL] = "total", [METRICS_REFUSED_METRIC] = "metric", [METRICS_REFUSED_LABELS] = "labels"};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        metrics_batch_emit(
            b, t, C, "meerkat_metrics_series_refused_total", (double)s.series_refused[i], "limit", limits[i], NULL);
}

static void gather_queries(const PromApi *api, MetricsBatch *b, int64_t t) {
    PromqlActiveInfo *v = NULL;
    size_t n = 0;
    (void)promql_active_list(api->active, b->arena, &v, &n);
    put(b, t, G, "prometheus_engine_queries", (double)n);
    put(b, t, G, "prometheus_engine_queries_concurrent_max", api->opts.query_concurrency);
}

static void gather_notes(const PromApi *api, MetricsBatch *b, int64_t t) {
    ApiNotesStats n;
    api_notes_stats(api->notes, &n);
    put(b, t, G, "prometheus_api_notification_active_subscribers", (double)n.subscribers);
    put(b, t, C, "prometheus_api_notification_updates_sent_total", (double)n.sent);
    put(b, t, C, "prometheus_api_notification_updates_dropped_total", (double)n.dropped);
}

static void gather_config(const PromApi *api, MetricsBatch *b, int64_t t) {
    const PromApiOptions *o = &api->opts;
    bool ok = true;
    int64_t t_ns = api->start_ns;
    if (o->config_state) o->config_state(o->ctx, &ok, &t_ns);
    put(b, t, G, "prometheus_config_last_reload_successful", ok);
    put(b, t, G, "prometheus_config_last_reload_success_timestamp_seconds", (double)t_ns / 1e9);
    put(b, t, G, "prometheus_ready", api_is_ready(api));
}

void prom_api_gather(PromApi *api, MetricsBatch *b, int64_t t_ms) {
    gather_store(api, b, t_ms);
    gather_queries(api, b, t_ms);
    gather_notes(api, b, t_ms);
    gather_config(api, b, t_ms);
    api_metrics_gather(api->metrics, b, t_ms);
    put(b, t_ms, C, "prometheus_api_remote_write_invalid_labels_samples_total",
        (double)atomic_load(&api->write_invalid));
    put(b, t_ms, G, "prometheus_remote_read_handler_queries", (double)atomic_load(&api->reads));
}

/* --- requests --- */

/* Paths outside the table, and those with parameters. */
static Str handler_of(Str path) {
    static const char *const others[] = {"/federate", "/metrics", "/version", "/-/healthy", "/-/ready", "/-/reload",
        "/-/quit", "/api/v1/write", "/api/v1/read", "/api/v1/otlp/v1/metrics", "/graph", "/query", "/targets",
        "/alerts", "/"};
    size_t n;
    const ApiEntry *entries = api_entries(&n);
    if (str_starts_with(path, STR("/api/v1/label/"))) return STR("/api/v1/label/:name/values");
    if (str_starts_with(path, STR("/debug/"))) return STR("/debug/*subpath");
    for (size_t i = 0; i < n; i++)
        if (str_eq(path, str_cstr(entries[i].path))) return str_cstr(entries[i].path);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq(path, str_cstr(others[i]))) return str_cstr(others[i]);
    return STR("/*path");
}

void prom_api_note_request(PromApi *api, const HttpRequest *req, int status, int64_t duration_ns, size_t bytes_out) {
    if (!str_eq_lit(req->listener, "prometheus")) return;
    api_metrics_request(api->metrics, handler_of(req->path), status, duration_ns, bytes_out);
}
