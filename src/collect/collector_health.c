/* collector_health.c - the health check of port 13133 and the otelcol_* counters of port 8888. */
#include "base/timefmt.h"
#include "collect/collector_int.h"
#include "sys/clock.h"
#include "sys/process.h"

static void handle_health(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    Collector *c = ctx;
    bool ready = atomic_load(&c->ready);
    Buf body = {0}, time = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, ready ? STR("Server available") : STR("Server not available"));
    if (ready) {
        time_put_rfc3339(&time, c->start_ns);
        json_key_lit(&w, "upSince");
        json_str(&w, buf_str(&time));
        buf_clear(&time);
        duration_put_go(&time, clock_now_ns() - c->start_ns);
        json_key_lit(&w, "uptime");
        json_str(&w, buf_str(&time));
    }
    json_end_object(&w);
    http_reply(res, ready ? 200 : 503, STR("application/json"), buf_str(&body));
    buf_done(&body);
    buf_done(&time);
}

static void handle_status(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    Collector *c = ctx;
    bool ready = atomic_load(&c->ready);
    Buf body = {0}, time = {0};
    time_put_rfc3339(&time, c->start_ns);
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    json_key_lit(&w, "start_time");
    json_str(&w, buf_str(&time));
    json_key_lit(&w, "healthy");
    json_bool(&w, ready);
    json_key_lit(&w, "status");
    json_str(&w, ready ? STR("StatusOK") : STR("StatusStarting"));
    json_end_object(&w);
    http_reply(res, ready ? 200 : 503, STR("application/json"), buf_str(&body));
    buf_done(&body);
    buf_done(&time);
}

void collector_health_routes(Collector *c, Router *r) {
    static const char *const paths[] = {"/", "/health", "/health/status"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        router_add(
            r, &(Route){
                   .methods = HTTP_GET, .pattern = paths[i], .handler = handle_health, .ctx = c, .cls = ROUTE_INSTANT});
    }
    router_add(r,
        &(Route){.methods = HTTP_GET, .pattern = "/status", .handler = handle_status, .ctx = c, .cls = ROUTE_INSTANT});
}

static void add_signal(const Collector *c, MetricsBatch *b, int64_t now_ms, int signal, int transport) {
    static const char *const accepted[] = {"otelcol_receiver_accepted_spans_total",
        "otelcol_receiver_accepted_metric_points_total", "otelcol_receiver_accepted_log_records_total"};
    static const char *const refused[] = {"otelcol_receiver_refused_spans_total",
        "otelcol_receiver_refused_metric_points_total", "otelcol_receiver_refused_log_records_total"};
    static const char *const failed[] = {"otelcol_receiver_failed_spans_total",
        "otelcol_receiver_failed_metric_points_total", "otelcol_receiver_failed_log_records_total"};
    const ReceiverCounters *n = &c->counters[signal][transport];
    const char *via = transport == TRANSPORT_GRPC ? "grpc" : "http";
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, accepted[signal], (double)atomic_load(&n->accepted), "receiver",
        "otlp", "transport", via, NULL);
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, refused[signal], (double)atomic_load(&n->refused), "receiver", "otlp",
        "transport", via, NULL);
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, failed[signal], (double)atomic_load(&n->failed), "receiver", "otlp",
        "transport", via, NULL);
}

static void add_requests(const Collector *c, MetricsBatch *b, int64_t now_ms) {
    uint64_t ok = 0, refused = 0, failed = 0;
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        for (int t = 0; t < TRANSPORT_COUNT; t++) {
            ok += atomic_load(&c->counters[s][t].requests_ok);
            refused += atomic_load(&c->counters[s][t].requests_refused);
            failed += atomic_load(&c->counters[s][t].requests_failed);
        }
    }
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, "otelcol_receiver_requests_total", (double)ok, "receiver", "otlp",
        "outcome", "success", NULL);
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, "otelcol_receiver_requests_total", (double)refused, "receiver",
        "otlp", "outcome", "refused", NULL);
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, "otelcol_receiver_requests_total", (double)failed, "receiver", "otlp",
        "outcome", "failure", NULL);
}

/* Exporters write to the own stores: what the receivers stored was sent, what a store failed to take was not. */
static void add_exporter(const Collector *c, MetricsBatch *b, int64_t now_ms) {
    static const char *const sent[] = {"otelcol_exporter_sent_spans_total", "otelcol_exporter_sent_metric_points_total",
        "otelcol_exporter_sent_log_records_total"};
    static const char *const send_failed[] = {"otelcol_exporter_send_failed_spans_total",
        "otelcol_exporter_send_failed_metric_points_total", "otelcol_exporter_send_failed_log_records_total"};
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        uint64_t ok = 0, bad = 0;
        for (int t = 0; t < TRANSPORT_COUNT; t++) {
            ok += atomic_load(&c->counters[s][t].accepted);
            bad += atomic_load(&c->counters[s][t].failed);
        }
        metrics_batch_emit(b, now_ms, METRIC_COUNTER, sent[s], (double)ok, "exporter", "meerkat", NULL);
        metrics_batch_emit(b, now_ms, METRIC_COUNTER, send_failed[s], (double)bad, "exporter", "meerkat", NULL);
    }
}

void collector_metrics(const Collector *c, MetricsBatch *b, int64_t now_ms) {
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        for (int t = 0; t < TRANSPORT_COUNT; t++) add_signal(c, b, now_ms, s, t);
    }
    add_requests(c, b, now_ms);
    add_exporter(c, b, now_ms);
    ProcessStats st;
    process_stats(&st);
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, "otelcol_process_uptime_seconds_total",
        (double)(clock_now_ns() - c->start_ns) / 1e9, NULL);
    metrics_batch_emit(b, now_ms, METRIC_COUNTER, "otelcol_process_cpu_seconds_total", st.cpu_seconds, NULL);
    metrics_batch_emit(b, now_ms, METRIC_GAUGE, "otelcol_process_memory_rss_bytes", (double)st.rss_bytes, NULL);
    for (int i = 1; i < ERR_CODE_COUNT; i++) {
        uint64_t n = atomic_load(&c->errors[i]);
        if (n > 0)
            metrics_batch_emit(b, now_ms, METRIC_COUNTER, "meerkat_otlp_errors_total", (double)n, "reason",
                err_name((ErrCode)i), NULL);
    }
}
