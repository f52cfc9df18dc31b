/* server_own.c - the server's own metrics from every room's counters. */
#include "cmd/server_int.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

static void gather_store(MetricsBatch *b, int64_t t, const char *store, double disk, double wal, double memory,
    double parts, double corrupt) {
    metrics_batch_emit(b, t, G, "meerkat_store_disk_bytes", disk, "store", store, NULL);
    metrics_batch_emit(b, t, G, "meerkat_store_wal_bytes", wal, "store", store, NULL);
    metrics_batch_emit(b, t, G, "meerkat_store_memory_bytes", memory, "store", store, NULL);
    metrics_batch_emit(b, t, G, "meerkat_store_parts", parts, "store", store, NULL);
    metrics_batch_emit(b, t, C, "meerkat_store_corruptions_total", corrupt, "store", store, NULL);
}

static void gather_stores(const Server *s, MetricsBatch *b, int64_t t) {
    MetricsStoreStats m;
    s->metrics->ops->stats(s->metrics, &m);
    gather_store(b, t, "metrics", (double)m.bytes_on_disk, (double)m.wal_bytes, (double)m.memory_bytes, (double)m.parts,
        (double)(m.corrupt_parts + m.wal_corrupt_frames));
    metrics_batch_emit(b, t, G, "meerkat_metrics_active_series", (double)m.series_active, NULL);
    metrics_batch_emit(b, t, C, "meerkat_metrics_samples_total", (double)m.samples_total, NULL);
    metrics_batch_emit(b, t, C, "meerkat_metrics_out_of_order_samples_total", (double)m.out_of_order, NULL);
    metrics_batch_emit(b, t, C, "meerkat_metrics_rules_parts_rewritten_total", (double)m.rules_parts_rewritten, NULL);
    metrics_batch_emit(b, t, C, "meerkat_metrics_rules_samples_dropped_total", (double)m.rules_samples_dropped, NULL);
    LogStoreStats l;
    s->logs->ops->stats(s->logs, &l);
    gather_store(b, t, "logs", (double)l.bytes_on_disk, (double)l.wal_bytes, (double)l.memory_bytes, (double)l.parts,
        (double)(l.corrupt_parts + l.wal_corrupt_frames));
    metrics_batch_emit(b, t, C, "meerkat_logs_rows_total", (double)l.rows_total, NULL);
    metrics_batch_emit(b, t, G, "meerkat_logs_streams", (double)l.streams, NULL);
    TraceStoreStats r;
    s->traces->ops->stats(s->traces, &r);
    gather_store(b, t, "traces", (double)r.bytes_on_disk, (double)r.wal_bytes, (double)r.memory_bytes, (double)r.parts,
        (double)(r.corrupt_parts + r.wal_corrupt_frames));
    metrics_batch_emit(b, t, C, "meerkat_traces_spans_total", (double)r.spans_total, NULL);
}

static void gather_net(const Server *s, MetricsBatch *b, int64_t t) {
    NetStats n;
    net_server_stats(s->net, &n);
    metrics_batch_emit(b, t, C, "meerkat_http_requests_total", (double)n.requests, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_errors_total", (double)n.responses_4xx, "class", "4xx", NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_errors_total", (double)n.responses_5xx, "class", "5xx", NULL);
    metrics_batch_emit(b, t, G, "meerkat_http_connections", (double)n.connections, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_connections_refused_total", (double)n.connections_refused, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_received_bytes_total", (double)n.bytes_in, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_sent_bytes_total", (double)n.bytes_out, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_protocol_errors_total", (double)n.protocol_errors, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_timeouts_total", (double)n.timeouts, NULL);
    metrics_batch_emit(b, t, C, "meerkat_http_overloaded_total", (double)n.overloaded, NULL);
}

void server_gather(void *ctx, MetricsBatch *b, int64_t t) {
    Server *s = ctx;
    own_metrics_process(b, t, s->version);
    gather_stores(s, b, t);
    if (s->net) gather_net(s, b, t);
    if (s->scraper) scrape_manager_gather(s->scraper, b, t);
    if (s->prom_api) prom_api_gather(s->prom_api, b, t);
    if (s->alertmanager) alertmanager_gather(s->alertmanager, b, t);
    if (s->rules) rule_manager_gather(s->rules, b, t);
    if (s->notifier) rule_notifier_gather(s->notifier, b, t);
    if (s->remote) remote_out_gather(s->remote, b, t);
    metrics_batch_emit(b, t, G, "prometheus_build_info", 1, "version", "3.16.0", "revision", s->version, "branch", "",
        "goversion", "", "goos", "linux", "goarch", "", NULL);
    collector_metrics(s->collector, b, t);
    metrics_batch_emit(b, t, C, "meerkat_config_reloads_total", (double)atomic_load(&s->reloads), "result", "ok", NULL);
    metrics_batch_emit(
        b, t, C, "meerkat_config_reloads_total", (double)atomic_load(&s->reload_failures), "result", "failed", NULL);
    own_metrics_describe(b);
}
