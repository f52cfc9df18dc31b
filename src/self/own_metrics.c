#include "self/own_metrics.h"

#include "base/num.h"
#include "self/crash.h"
#include "self/log_ring.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define OWN_BUDGET_BYTES (4u << 20)

void own_metrics_process(MetricsBatch *b, int64_t t_ms, const char *version) {
    ProcessStats st;
    process_stats(&st);
    metrics_batch_emit(b, t_ms, METRIC_COUNTER, "process_cpu_seconds_total", st.cpu_seconds, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "process_resident_memory_bytes", (double)st.rss_bytes, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "process_virtual_memory_bytes", (double)st.vsize_bytes, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "process_open_fds", (double)st.open_fds, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "process_max_fds", (double)st.max_fds, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "process_threads", (double)st.threads, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "process_start_time_seconds", (double)st.start_time_ms / 1000.0, NULL);
    metrics_batch_emit(
        b, t_ms, METRIC_GAUGE, "meerkat_build_info", 1, "version", version, "build_id", crash_build_id(), NULL);
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (int i = LOG_INFO; i <= LOG_ERROR; i++) {
        metrics_batch_emit(b, t_ms, METRIC_COUNTER, "meerkat_log_messages_total", (double)log_ring_count((LogLevel)i),
            "level", levels[i], NULL);
    }
}

static const MetricMetadata *find_metadata(const MetricsBatch *b, Str name) {
    for (size_t i = 0; i < b->metadata.n; i++) {
        if (str_eq(b->metadata.v[i].metric, name)) return &b->metadata.v[i];
    }
    return NULL;
}

/* Series of histograms and summaries belong to the family whose name they extend. */
static Str family_of(const MetricsBatch *b, Str name, const MetricMetadata **ret) {
    static const Str suffixes[] = {STR_INIT("_bucket"), STR_INIT("_count"), STR_INIT("_sum")};
    *ret = find_metadata(b, name);
    for (size_t i = 0; !*ret && i < ARRAY_LEN(suffixes); i++) {
        if (!str_ends_with(name, suffixes[i])) continue;
        const MetricMetadata *m = find_metadata(b, str_slice(name, 0, name.n - suffixes[i].n));
        if (m && (m->type == METRIC_HISTOGRAM || m->type == METRIC_SUMMARY)) *ret = m;
    }
    return *ret ? (*ret)->metric : name;
}

typedef struct OwnSeries {
    const BatchSeries *series;
    const MetricMetadata *metadata; /* NULL: none */
    Str family;
} OwnSeries;

/* Families by name; within one the order in which they were gathered: buckets ascend. */
static int by_family(const void *a, const void *b) {
    const OwnSeries *x = a, *y = b;
    int c = str_cmp(x->family, y->family);
    return c != 0 ? c : (x->series > y->series) - (x->series < y->series);
}

static void put_family_lines(Buf *out, const OwnSeries *s) {
    const MetricMetadata *m = s->metadata;
    const char *text = !m || m->type == METRIC_UNKNOWN ? "untyped" : metric_type_name(m->type);
    if (m && m->help.n) buf_printf(out, "# HELP %" STR_FMT " %" STR_FMT "\n", STR_ARG(s->family), STR_ARG(m->help));
    buf_printf(out, "# TYPE %" STR_FMT " %s\n", STR_ARG(s->family), text);
}

/* Text format 0.0.4 wants no blanks after commas and only \\, \n and \" escaped. */
static void put_series_text(Buf *out, Labels l) {
    buf_put_str(out, labels_get(l, LABEL_NAME_METRIC));
    char sep = '{';
    for (size_t i = 0; i < l.n; i++) {
        if (str_eq(l.v[i].name, LABEL_NAME_METRIC)) continue;
        buf_put_char(out, sep);
        buf_put_str(out, l.v[i].name);
        buf_put_lit(out, "=\"");
        for (size_t j = 0; j < l.v[i].value.n; j++) {
            char c = l.v[i].value.p[j];
            if (c == '"' || c == '\\' || c == '\n') buf_put_char(out, '\\');
            buf_put_char(out, c == '\n' ? 'n' : c);
        }
        buf_put_char(out, '"');
        sep = ',';
    }
    if (sep == ',') buf_put_char(out, '}');
}

void own_metrics_put_text(Buf *out, const MetricsBatch *b) {
    OwnSeries *sorted = mem_alloc_array(b->series.n + 1, sizeof *sorted);
    for (size_t i = 0; i < b->series.n; i++) {
        sorted[i] = (OwnSeries){.series = &b->series.v[i]};
        sorted[i].family = family_of(b, labels_get(b->series.v[i].labels, LABEL_NAME_METRIC), &sorted[i].metadata);
    }
    qsort(sorted, b->series.n, sizeof *sorted, by_family);
    for (size_t i = 0; i < b->series.n; i++) {
        if (i == 0 || !str_eq(sorted[i].family, sorted[i - 1].family)) put_family_lines(out, &sorted[i]);
        put_series_text(out, sorted[i].series->labels);
        buf_put_char(out, ' ');
        num_put_f64_go_g(out, b->value.v[sorted[i].series->first_sample]);
        buf_put_char(out, '\n');
    }
    mem_free(sorted);
}

struct OwnMetrics {
    Thread *thread;
    Mutex mutex;
    Cond cond;
    bool stopping;
    int64_t interval_ms;
    char instance[128];
    OwnMetricsGather gather;
    OwnMetricsSink sink;
    void *ctx;
};

/* job and instance go in front of every series, as if a scraper had added them. */
static void label_series(MetricsBatch *b, Str instance) {
    for (size_t i = 0; i < b->series.n; i++) {
        Labels l = b->series.v[i].labels;
        Label *v = ARENA_ARRAY(b->arena, Label, l.n + 2);
        if (!v) return;
        memcpy(v, l.v, l.n * sizeof *v);
        v[l.n] = (Label){STR("job"), STR("meerkat")};
        v[l.n + 1] = (Label){STR("instance"), instance};
        size_t n = l.n + 2;
        ErrCode r = labels_normalize(v, &n, NULL);
        ASSERT(r == OK);
        b->series.v[i].labels = (Labels){v, n};
    }
}

static void round_once(OwnMetrics *m, bool last) {
    Arena *arena = arena_create(OWN_BUDGET_BYTES);
    MetricsBatch b = {.arena = arena};
    int64_t now = clock_now_ms();
    m->gather(m->ctx, &b, now);
    metrics_batch_emit(&b, now, METRIC_GAUGE, "up", 1, NULL);
    own_metrics_describe(&b);
    label_series(&b, str_cstr(m->instance));
    for (size_t i = 0; last && i < b.value.n; i++) b.value.v[i] = stale_nan();
    Err err = {0};
    if (m->sink(m->ctx, &b, &err) != OK) log_warn("own metrics were not kept", "error", err.msg, NULL);
    arena_free(arena);
}

static void run(void *ctx) {
    OwnMetrics *m = ctx;
    mutex_lock(&m->mutex);
    while (!m->stopping) {
        mutex_unlock(&m->mutex);
        round_once(m, false);
        mutex_lock(&m->mutex);
        if (!m->stopping) cond_wait_ms(&m->cond, &m->mutex, m->interval_ms);
    }
    mutex_unlock(&m->mutex);
    round_once(m, true);
}

OwnMetrics *own_metrics_start(
    int64_t interval_ms, const char *instance, OwnMetricsGather gather, OwnMetricsSink sink, void *ctx) {
    OwnMetrics *m = NEW(OwnMetrics);
    m->interval_ms = interval_ms;
    m->gather = gather;
    m->sink = sink;
    m->ctx = ctx;
    snprintf(m->instance, sizeof m->instance, "%s", instance);
    mutex_init(&m->mutex);
    cond_init(&m->cond);
    m->thread = thread_start("own-metrics", run, m);
    return m;
}

OwnMetrics *own_metrics_stop(OwnMetrics *m) {
    if (!m) return NULL;
    mutex_lock(&m->mutex);
    m->stopping = true;
    cond_signal(&m->cond);
    mutex_unlock(&m->mutex);
    thread_join(m->thread);
    mutex_done(&m->mutex);
    cond_done(&m->cond);
    mem_free(m);
    return NULL;
}
