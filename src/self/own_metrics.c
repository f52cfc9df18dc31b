#include "self/own_metrics.h"

#include "base/num.h"
#include "self/crash.h"
#include "self/log_ring.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OWN_LABELS_MAX 9
#define OWN_BUDGET_BYTES (4u << 20)

static void add_metadata(MetricsBatch *b, Str name, MetricType type) {
    for (size_t i = b->metadata.n; i-- > 0;) {
        if (str_eq(b->metadata.v[i].metric, name)) return;
    }
    (void)avec_push(b->arena, &b->metadata, (MetricMetadata){.metric = name, .type = type});
}

void own_metrics_add(MetricsBatch *b, int64_t t_ms, MetricType type, const char *name, double value, ...) {
    Label *v = ARENA_ARRAY(b->arena, Label, OWN_LABELS_MAX);
    if (!v) return;
    size_t n = 0;
    v[n++] = (Label){LABEL_NAME_METRIC, str_cstr(name)};
    va_list args;
    va_start(args, value);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        ASSERT(n < OWN_LABELS_MAX);
        v[n++] = (Label){str_cstr(key), str_cstr(va_arg(args, const char *))};
    }
    va_end(args);
    ErrCode r = labels_normalize(v, &n, NULL);
    ASSERT(r == OK);
    add_metadata(b, str_cstr(name), type);
    (void)metrics_batch_add(b, (Labels){v, n}, t_ms, value);
}

void own_metrics_process(MetricsBatch *b, int64_t t_ms, const char *version) {
    ProcessStats st;
    process_stats(&st);
    own_metrics_add(b, t_ms, METRIC_COUNTER, "process_cpu_seconds_total", st.cpu_seconds, NULL);
    own_metrics_add(b, t_ms, METRIC_GAUGE, "process_resident_memory_bytes", (double)st.rss_bytes, NULL);
    own_metrics_add(b, t_ms, METRIC_GAUGE, "process_virtual_memory_bytes", (double)st.vsize_bytes, NULL);
    own_metrics_add(b, t_ms, METRIC_GAUGE, "process_open_fds", (double)st.open_fds, NULL);
    own_metrics_add(b, t_ms, METRIC_GAUGE, "process_max_fds", (double)st.max_fds, NULL);
    own_metrics_add(b, t_ms, METRIC_GAUGE, "process_threads", (double)st.threads, NULL);
    own_metrics_add(b, t_ms, METRIC_GAUGE, "process_start_time_seconds", (double)st.start_time_ms / 1000.0, NULL);
    own_metrics_add(
        b, t_ms, METRIC_GAUGE, "meerkat_build_info", 1, "version", version, "build_id", crash_build_id(), NULL);
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (int i = LOG_INFO; i <= LOG_ERROR; i++) {
        own_metrics_add(b, t_ms, METRIC_COUNTER, "meerkat_log_messages_total", (double)log_ring_count((LogLevel)i),
            "level", levels[i], NULL);
    }
}

static int by_labels(const void *a, const void *b) {
    const BatchSeries *x = a, *y = b;
    int c = str_cmp(labels_get(x->labels, LABEL_NAME_METRIC), labels_get(y->labels, LABEL_NAME_METRIC));
    return c != 0 ? c : labels_cmp(x->labels, y->labels);
}

static MetricType type_of(const MetricsBatch *b, Str name) {
    for (size_t i = 0; i < b->metadata.n; i++) {
        if (str_eq(b->metadata.v[i].metric, name)) return b->metadata.v[i].type;
    }
    return METRIC_UNKNOWN;
}

static void put_type_line(Buf *out, const MetricsBatch *b, Str name) {
    MetricType type = type_of(b, name);
    const char *text = type == METRIC_UNKNOWN ? "untyped" : metric_type_name(type);
    buf_printf(out, "# TYPE %" STR_FMT " %s\n", STR_ARG(name), text);
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
    BatchSeries *sorted = mem_alloc_array(b->series.n + 1, sizeof *sorted);
    for (size_t i = 0; i < b->series.n; i++) sorted[i] = b->series.v[i];
    qsort(sorted, b->series.n, sizeof *sorted, by_labels);
    Str previous = STR_NULL;
    for (size_t i = 0; i < b->series.n; i++) {
        Str name = labels_get(sorted[i].labels, LABEL_NAME_METRIC);
        if (!str_eq(name, previous)) put_type_line(out, b, name);
        previous = name;
        put_series_text(out, sorted[i].labels);
        buf_put_char(out, ' ');
        num_put_f64_go_g(out, b->value.v[sorted[i].first_sample]);
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
    own_metrics_add(&b, now, METRIC_GAUGE, "up", 1, NULL);
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
