/* am_metrics.c - alertmanager_* metrics: the original's names and labels, which dashboards and alerts rely on. */
#include "alert/am_int.h"

#include "sys/clock.h"

#define VALUE(type, name, value) metrics_batch_emit(b, t, type, name, (double)(value), NULL)
#define LABELLED(type, name, value, label, text)                                                                       \
    metrics_batch_emit(b, t, type, name, (double)(value), label, text, NULL)

/* Of the original's integrations and ours; the same list whatever is configured. */
static const IntegrationKind kinds[] = {INTEGRATION_EMAIL, INTEGRATION_PAGERDUTY, INTEGRATION_WECHAT,
    INTEGRATION_PUSHOVER, INTEGRATION_SLACK, INTEGRATION_OPSGENIE, INTEGRATION_WEBHOOK, INTEGRATION_VICTOROPS,
    INTEGRATION_SNS, INTEGRATION_TELEGRAM, INTEGRATION_DISCORD, INTEGRATION_WEBEX, INTEGRATION_MSTEAMS,
    INTEGRATION_MSTEAMSV2, INTEGRATION_INCIDENTIO, INTEGRATION_JIRA, INTEGRATION_ROCKETCHAT, INTEGRATION_MATTERMOST,
    INTEGRATION_NTFY};

static void put_latency(const AmCounters *c, IntegrationKind k, const char *name, MetricsBatch *b, int64_t t) {
    static const char *const bounds[] = {"1", "5", "10", "15", "20", "+Inf"};
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        sum += c->latency_bucket[k][i];
        metrics_batch_emit(b, t, METRIC_HISTOGRAM, "alertmanager_notification_latency_seconds_bucket", (double)sum,
            "integration", name, "le", bounds[i], NULL);
    }
    LABELLED(METRIC_HISTOGRAM, "alertmanager_notification_latency_seconds_sum", c->latency_sum[k], "integration", name);
    LABELLED(
        METRIC_HISTOGRAM, "alertmanager_notification_latency_seconds_count", c->latency_count[k], "integration", name);
}

static void put_notifications(const AmCounters *c, MetricsBatch *b, int64_t t) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        IntegrationKind k = kinds[i];
        const char *name = integration_name(k);
        LABELLED(METRIC_COUNTER, "alertmanager_notifications_total", c->notifications[k], "integration", name);
        LABELLED(METRIC_COUNTER, "alertmanager_notification_requests_total", c->requests[k], "integration", name);
        LABELLED(METRIC_COUNTER, "alertmanager_notification_requests_failed_total", c->requests_failed[k],
            "integration", name);
        for (size_t r = 0; r < ARRAY_LEN(am_failure_reasons); r++) {
            metrics_batch_emit(b, t, METRIC_COUNTER, "alertmanager_notifications_failed_total", (double)c->failed[k][r],
                "integration", name, "reason", am_failure_reasons[r], NULL);
        }
        put_latency(c, k, name, b, t);
    }
}

static void put_alerts(Alertmanager *am, MetricsBatch *b, int64_t t, int64_t now) {
    size_t active = 0, suppressed = 0, it = 0, silences[3] = {0};
    uint64_t fp, *v;
    while (u64map_next(am->alerts, &it, &fp, &v)) {
        AmAlert *a = (AmAlert *)(uintptr_t)*v;
        if (am_resolved(a, now)) continue;
        if (am_suppressed(am, a, now))
            suppressed++;
        else
            active++;
    }
    vec_foreach(AmSilence *, s, &am->silence_order) silences[am_silence_state(*s, now)]++;
    for (int marked = 0; marked < 2; marked++) {
        const char *name = marked ? "alertmanager_marked_alerts" : "alertmanager_alerts";
        LABELLED(METRIC_GAUGE, name, active, "state", "active");
        LABELLED(METRIC_GAUGE, name, suppressed, "state", "suppressed");
        LABELLED(METRIC_GAUGE, name, 0, "state", "unprocessed");
    }
    for (AmSilenceState st = AM_SILENCE_ACTIVE; st <= AM_SILENCE_EXPIRED; st++) {
        LABELLED(METRIC_GAUGE, "alertmanager_silences", silences[st], "state", am_silence_state_name(st));
    }
}

static void put_config(Alertmanager *am, MetricsBatch *b, int64_t t) {
    VALUE(METRIC_GAUGE, "alertmanager_config_hash", am->config->hash & ((UINT64_C(1) << 48) - 1));
    VALUE(METRIC_GAUGE, "alertmanager_config_last_reload_successful", am->reload_ok);
    VALUE(METRIC_GAUGE, "alertmanager_config_last_reload_success_timestamp_seconds", am->reload_ns / 1000000 / 1e3);
    VALUE(METRIC_GAUGE, "alertmanager_receivers", am->config->receivers.n);
    VALUE(METRIC_GAUGE, "alertmanager_integrations", am->n_lanes);
    VALUE(METRIC_GAUGE, "alertmanager_dispatcher_aggregation_groups", u64map_count(am->groups));
}

static void put_journal(Alertmanager *am, MetricsBatch *b, int64_t t) {
    AmJournalStats s = {0};
    if (am->journal) amjournal_stats(am->journal, &s);
    VALUE(METRIC_GAUGE, "alertmanager_nflog_snapshot_size_bytes", s.snapshot_bytes);
    VALUE(METRIC_GAUGE, "alertmanager_silences_snapshot_size_bytes", s.snapshot_bytes);
    VALUE(METRIC_COUNTER, "alertmanager_nflog_maintenance_total", s.snapshots);
    VALUE(METRIC_COUNTER, "alertmanager_nflog_maintenance_errors_total", s.failures);
    VALUE(METRIC_COUNTER, "alertmanager_silences_maintenance_total", s.snapshots);
    VALUE(METRIC_COUNTER, "alertmanager_silences_maintenance_errors_total", s.failures);
    VALUE(METRIC_SUMMARY, "alertmanager_nflog_snapshot_duration_seconds_sum", (double)s.snapshot_sum_ns / 1e9);
    VALUE(METRIC_SUMMARY, "alertmanager_nflog_snapshot_duration_seconds_count", s.snapshots);
    VALUE(METRIC_SUMMARY, "alertmanager_silences_snapshot_duration_seconds_sum", (double)s.snapshot_sum_ns / 1e9);
    VALUE(METRIC_SUMMARY, "alertmanager_silences_snapshot_duration_seconds_count", s.snapshots);
    VALUE(METRIC_COUNTER, "meerkat_alerting_state_records_total", s.records);
    VALUE(METRIC_COUNTER, "meerkat_alerting_state_bytes_total", s.bytes);
    VALUE(METRIC_COUNTER, "meerkat_alerting_state_syncs_total", s.syncs);
    VALUE(METRIC_COUNTER, "meerkat_alerting_state_write_failures_total", s.failures);
}

/* One summary-like pair under both names the original has them by. */
static void put_queries(const AmCounters *c, MetricsBatch *b, int64_t t) {
    VALUE(METRIC_COUNTER, "alertmanager_nflog_queries_total", c->nflog_queries);
    VALUE(METRIC_COUNTER, "alertmanager_nflog_query_errors_total", 0);
    VALUE(METRIC_HISTOGRAM, "alertmanager_nflog_query_duration_seconds_sum", c->nflog_query_sum);
    VALUE(METRIC_HISTOGRAM, "alertmanager_nflog_query_duration_seconds_count", c->nflog_queries);
    VALUE(METRIC_COUNTER, "alertmanager_nflog_gossip_messages_propagated_total",
        0); /* every server tells every other one itself */
    VALUE(METRIC_COUNTER, "alertmanager_silences_gossip_messages_propagated_total", 0);
    VALUE(METRIC_COUNTER, "alertmanager_silences_queries_total", c->silence_queries);
    VALUE(METRIC_COUNTER, "alertmanager_silences_query_errors_total", 0);
    VALUE(METRIC_HISTOGRAM, "alertmanager_silences_query_duration_seconds_sum", c->silence_query_sum);
    VALUE(METRIC_HISTOGRAM, "alertmanager_silences_query_duration_seconds_count", c->silence_queries);
    VALUE(METRIC_SUMMARY, "alertmanager_nflog_gc_duration_seconds_sum", c->gc_sum);
    VALUE(METRIC_SUMMARY, "alertmanager_nflog_gc_duration_seconds_count", c->gcs);
    VALUE(METRIC_SUMMARY, "alertmanager_silences_gc_duration_seconds_sum", c->gc_sum);
    VALUE(METRIC_SUMMARY, "alertmanager_silences_gc_duration_seconds_count", c->gcs);
}

static void put_endpoint_histogram(AmEndpoint *e, MetricsBatch *b, int64_t t, bool sizes) {
    static const char *const time_bounds[] = {"0.05", "0.1", "0.25", "0.5", "0.75", "1", "+Inf"};
    static const char *const size_bounds[] = {"100", "1000", "10000", "100000", "1e+06", "1e+07", "+Inf"};
    uint64_t sum = 0;
    for (size_t i = 0; i < AM_HTTP_BUCKETS; i++) {
        sum += atomic_load(sizes ? &e->size_bucket[i] : &e->bucket[i]);
        metrics_batch_emit(b, t, METRIC_HISTOGRAM,
            sizes ? "alertmanager_http_response_size_bytes_bucket"
                  : "alertmanager_http_request_duration_seconds_bucket",
            (double)sum, "handler", e->path, "le", sizes ? size_bounds[i] : time_bounds[i], "method", e->method, NULL);
    }
    metrics_batch_emit(b, t, METRIC_HISTOGRAM,
        sizes ? "alertmanager_http_response_size_bytes_sum" : "alertmanager_http_request_duration_seconds_sum",
        sizes ? (double)atomic_load(&e->bytes) : (double)atomic_load(&e->took_us) / 1e6, "handler", e->path, "method",
        e->method, NULL);
    metrics_batch_emit(b, t, METRIC_HISTOGRAM,
        sizes ? "alertmanager_http_response_size_bytes_count" : "alertmanager_http_request_duration_seconds_count",
        (double)sum, "handler", e->path, "method", e->method, NULL);
}

static void put_http(Alertmanager *am, MetricsBatch *b, int64_t t) {
    uint64_t in_flight = 0;
    for (size_t i = 0; i < am->n_endpoints; i++) {
        put_endpoint_histogram(&am->endpoints[i], b, t, false);
        put_endpoint_histogram(&am->endpoints[i], b, t, true);
        in_flight += atomic_load(&am->endpoints[i].in_flight);
    }
    LABELLED(METRIC_GAUGE, "alertmanager_http_requests_in_flight", in_flight, "method", "get");
    LABELLED(METRIC_COUNTER, "alertmanager_http_concurrency_limit_exceeded_total", 0, "method", "get");
}

void alertmanager_gather(Alertmanager *am, MetricsBatch *b, int64_t t) {
    static const char *const suppressed[] = {"silence", "inhibition", "mute_time_interval", "active_time_interval"};
    Str kept = arena_copy(b->arena, am->version);
    mutex_lock(&am->mutex);
    const AmCounters *c = &am->counters;
    put_alerts(am, b, t, clock_now_ns());
    metrics_batch_emit(b, t, METRIC_COUNTER, "alertmanager_alerts_received_total", (double)c->received_firing, "status",
        "firing", "version", "v2", NULL);
    metrics_batch_emit(b, t, METRIC_COUNTER, "alertmanager_alerts_received_total", (double)c->received_resolved,
        "status", "resolved", "version", "v2", NULL);
    metrics_batch_emit(
        b, t, METRIC_COUNTER, "alertmanager_alerts_invalid_total", (double)c->invalid, "version", "v2", NULL);
    VALUE(METRIC_COUNTER, "alertmanager_alerts_limited_total", c->limited);
    for (size_t i = 0; i < ARRAY_LEN(suppressed); i++) {
        LABELLED(
            METRIC_COUNTER, "alertmanager_notifications_suppressed_total", c->suppressed[i], "reason", suppressed[i]);
    }
    VALUE(METRIC_SUMMARY, "alertmanager_dispatcher_alert_processing_duration_seconds_sum", c->processing_sum);
    VALUE(METRIC_SUMMARY, "alertmanager_dispatcher_alert_processing_duration_seconds_count", c->processed);
    put_config(am, b, t);
    put_notifications(c, b, t);
    put_journal(am, b, t);
    put_queries(c, b, t);
    put_http(am, b, t);
    am_cluster_gather(am, b, t);
    mutex_unlock(&am->mutex);
    if (kept.p) LABELLED(METRIC_GAUGE, "alertmanager_build_info", 1, "version", kept.p);
}
