/* remote_metrics.c - remote write's own metrics, under Prometheus' names. */
#include "metrics/remote/remote_int.h"

#include <stdio.h>

typedef struct Sink {
    MetricsBatch *b;
    int64_t t_ms;
    const char *name, *url; /* of the endpoint; "": of all */
} Sink;

/* extra_name: one more label, or NULL. */
static void put(Sink *s, MetricType type, const char *metric, const char *extra_name, Str extra, double value) {
    metrics_batch_emit(
        s->b, s->t_ms, type, metric, value, "remote_name", s->name, "url", s->url, extra_name, extra.p, NULL);
}

static void put_plain(Sink *s, MetricType type, const char *metric, double value) {
    put(s, type, metric, NULL, STR_NULL, value);
}

static void put_counts(Sink *s, const char *const names[3], const RemoteCount *c) {
    put_plain(s, METRIC_COUNTER, names[0], (double)c->samples);
    put_plain(s, METRIC_COUNTER, names[1], (double)c->histograms);
    put_plain(s, METRIC_COUNTER, names[2], (double)c->exemplars);
}

#define NAMES(what)                                                                                                    \
    (const char *const[]) {                                                                                            \
        "prometheus_remote_storage_samples_" what "total", "prometheus_remote_storage_histograms_" what "total",       \
            "prometheus_remote_storage_exemplars_" what "total"                                                        \
    }

static void put_dropped(Sink *s, const RemoteStats *st) {
    static const Str reasons[DROP_REASONS] = {
        STR_INIT("too_old"), STR_INIT("dropped_series"), STR_INIT("nhcb_in_rw1_not_supported"), STR_INIT("queue_full")};
    const char *const *names = NAMES("dropped_");
    for (size_t i = 0; i < DROP_REASONS; i++) {
        put(s, METRIC_COUNTER, names[0], "reason", reasons[i], (double)st->dropped[i].samples);
        put(s, METRIC_COUNTER, names[1], "reason", reasons[i], (double)st->dropped[i].histograms);
        put(s, METRIC_COUNTER, names[2], "reason", reasons[i], (double)st->dropped[i].exemplars);
    }
}

static void put_durations(Sink *s, const RemoteStats *st) {
#define DURATION "prometheus_remote_storage_sent_batch_duration_seconds"
    uint64_t sum = 0;
    for (size_t i = 0; i <= SEND_BUCKETS; i++) {
        sum += st->buckets[i];
        Str le = i < SEND_BUCKETS ? arena_printf(s->b->arena, "%g", remote_send_bounds[i]) : STR("+Inf");
        put(s, METRIC_HISTOGRAM, DURATION "_bucket", "le", le, (double)sum);
    }
    put_plain(s, METRIC_HISTOGRAM, DURATION "_sum", st->seconds);
    put_plain(s, METRIC_HISTOGRAM, DURATION "_count", (double)sum);
}

static void put_endpoint(Sink *s, const RemoteStats *st, const PromQueueConfig *q, uint64_t queue_bytes) {
    put_counts(s, NAMES(""), &st->sent);
    put_counts(s, NAMES("failed_"), &st->failed);
    put_counts(s, NAMES("retried_"), &st->retried);
    put_dropped(s, st);
    put_durations(s, st);
    put_plain(s, METRIC_COUNTER, "prometheus_remote_storage_metadata_total", (double)st->metadata);
    put_plain(s, METRIC_COUNTER, "prometheus_remote_storage_metadata_failed_total", (double)st->metadata_failed);
    put_plain(s, METRIC_COUNTER, "prometheus_remote_storage_metadata_retried_total", 0);
    put_plain(s, METRIC_COUNTER, "prometheus_remote_storage_bytes_total", (double)st->bytes);
    put_plain(s, METRIC_COUNTER, "prometheus_remote_storage_metadata_bytes_total", (double)st->metadata_bytes);
    put_plain(s, METRIC_COUNTER, "prometheus_remote_storage_enqueue_retries_total", 0);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_samples_pending", (double)st->pending.samples);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_histograms_pending", (double)st->pending.histograms);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_exemplars_pending", (double)st->pending.exemplars);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_shards", (double)st->shards);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_shards_desired", (double)st->shards_desired);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_shards_min", (double)q->min_shards);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_shards_max", (double)q->max_shards);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_shard_capacity", (double)q->capacity);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_max_samples_per_send", (double)q->max_samples_per_send);
    put_plain(s, METRIC_GAUGE, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
        (double)st->highest_ms / 1000);
    put_plain(s, METRIC_GAUGE, "meerkat_remote_write_queue_bytes", (double)queue_bytes);
}

void remote_out_gather(RemoteOut *o, MetricsBatch *b, int64_t t_ms) {
    Sink all = {b, t_ms, "", ""};
    if (atomic_load(&o->active) == 0) return;
    put_plain(&all, METRIC_COUNTER, "prometheus_remote_storage_samples_in_total", (double)atomic_load(&o->samples_in));
    put_plain(
        &all, METRIC_COUNTER, "prometheus_remote_storage_histograms_in_total", (double)atomic_load(&o->histograms_in));
    put_plain(
        &all, METRIC_COUNTER, "prometheus_remote_storage_exemplars_in_total", (double)atomic_load(&o->exemplars_in));
    put_plain(&all, METRIC_GAUGE, "prometheus_remote_storage_highest_timestamp_in_seconds",
        (double)atomic_load(&o->highest_ms) / 1000);
    put_plain(
        &all, METRIC_COUNTER, "meerkat_remote_write_queue_failures_total", (double)atomic_load(&o->append_failures));
    mutex_lock(&o->mutex);
    for (size_t i = 0; i < o->endpoints.n; i++) {
        Endpoint *e = o->endpoints.v[i];
        Str name = e->write->name.n ? e->write->name : str_of(e->id, 6);
        char *url = http_url_redacted(e->write->url);
        Sink s = {b, t_ms, arena_copy(b->arena, name).p, arena_copy(b->arena, str_cstr(url)).p};
        mem_free(url);
        if (!s.name || !s.url) break;
        mutex_lock(&e->mutex);
        RemoteStats st = e->stats;
        mutex_unlock(&e->mutex);
        put_endpoint(&s, &st, &e->write->queue, spool_bytes_from(o->spool, atomic_load(&e->acked)));
    }
    mutex_unlock(&o->mutex);
}
