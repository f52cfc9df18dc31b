#include "metrics/api/metrics.h"

#include "base/map.h"
#include "base/num.h"
#include "sys/thread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CODES_MAX 16
#define RECENT 512 /* durations of which quantiles are told */

static const double duration_bounds[] = {0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120};
static const double size_bounds[] = {100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
static const double slice_bounds[] = {0.01, 0.1, 1, 10};

typedef struct Distribution {
    uint64_t buckets[10]; /* not cumulative; the last one is beyond all bounds */
    uint64_t count;
    double sum;
} Distribution;

typedef struct HandlerStats {
    Str name;
    struct {
        int status;
        uint64_t n;
    } codes[CODES_MAX];
    size_t n_codes;
    Distribution duration, size;
} HandlerStats;

typedef enum Slice { SLICE_INNER_EVAL, SLICE_PREPARE, SLICE_QUEUE, SLICE_SORT, SLICE_COUNT } Slice;
static const char *const slice_names[] = {"inner_eval", "prepare_time", "queue_time", "result_sort"};

typedef struct SliceStats {
    Distribution all;
    double recent[RECENT];
    size_t next, n;
} SliceStats;

struct ApiMetrics {
    Mutex lock;
    Map *by_name; /* handler -> index + 1 */
    VEC(HandlerStats) handlers;
    SliceStats slices[SLICE_COUNT];
    uint64_t samples, samples_read;
};

ApiMetrics *api_metrics_create(void) {
    ApiMetrics *m = NEW(ApiMetrics);
    mutex_init(&m->lock);
    m->by_name = map_create(MAP_BORROW_KEYS);
    return m;
}

ApiMetrics *api_metrics_free(ApiMetrics *m) {
    if (!m) return NULL;
    map_free(m->by_name);
    vec_done(&m->handlers);
    mutex_done(&m->lock);
    mem_free(m);
    return NULL;
}

/* --- counting --- */

static void observe(Distribution *d, const double *bounds, size_t n, double v) {
    size_t i = 0;
    while (i < n && v > bounds[i]) i++;
    d->buckets[i]++;
    d->count++;
    d->sum += v;
}

static void count_code(HandlerStats *h, int status) {
    size_t i = 0;
    while (i < h->n_codes && h->codes[i].status != status) i++;
    if (i == CODES_MAX) return;
    if (i == h->n_codes) h->codes[h->n_codes++].status = status;
    h->codes[i].n++;
}

void api_metrics_request(ApiMetrics *m, Str handler, int status, int64_t duration_ns, size_t bytes_out) {
    mutex_lock(&m->lock);
    uint64_t *at = map_put(m->by_name, handler, NULL);
    if (*at == 0) {
        vec_push(&m->handlers, (HandlerStats){.name = handler});
        *at = m->handlers.n;
    }
    HandlerStats *h = &m->handlers.v[*at - 1];
    count_code(h, status);
    observe(&h->duration, duration_bounds, ARRAY_LEN(duration_bounds), (double)duration_ns / 1e9);
    observe(&h->size, size_bounds, ARRAY_LEN(size_bounds), (double)bytes_out);
    mutex_unlock(&m->lock);
}

static void observe_slice(ApiMetrics *m, Slice slice, int64_t ns) {
    SliceStats *s = &m->slices[slice];
    observe(&s->all, slice_bounds, ARRAY_LEN(slice_bounds), (double)ns / 1e9);
    s->recent[s->next] = (double)ns / 1e9;
    s->next = (s->next + 1) % RECENT;
    s->n = MIN(s->n + 1, (size_t)RECENT);
}

void api_metrics_query(ApiMetrics *m, int64_t queue_ns, const PromqlStats *stats) {
    mutex_lock(&m->lock);
    observe_slice(m, SLICE_QUEUE, queue_ns);
    if (stats) {
        observe_slice(m, SLICE_INNER_EVAL, stats->inner_ns);
        observe_slice(m, SLICE_PREPARE, stats->prepare_ns);
        observe_slice(m, SLICE_SORT, stats->sort_ns);
        m->samples += stats->samples_total;
        m->samples_read += stats->samples_read;
    }
    mutex_unlock(&m->lock);
}

/* --- telling --- */

static const char *number_text(Arena *arena, double v) {
    Buf text = {0};
    num_put_f64_go_g(&text, v);
    Str s = arena_copy(arena, buf_str(&text));
    buf_done(&text);
    return s.p ? s.p : "";
}

static void put_distribution(MetricsBatch *b, int64_t t, const char *family, const Distribution *d,
    const double *bounds, size_t n, const char *label, const char *value) {
    Str bucket = arena_printf(b->arena, "%s_bucket", family), total = arena_printf(b->arena, "%s_sum", family),
        count = arena_printf(b->arena, "%s_count", family);
    uint64_t sum = 0;
    if (!bucket.p || !total.p || !count.p) return;
    for (size_t i = 0; i <= n; i++) {
        sum += d->buckets[i];
        const char *le = i < n ? number_text(b->arena, bounds[i]) : "+Inf";
        metrics_batch_emit(b, t, METRIC_HISTOGRAM, bucket.p, (double)sum, "le", le, label, value, NULL);
    }
    metrics_batch_emit(b, t, METRIC_HISTOGRAM, total.p, d->sum, label, value, NULL);
    metrics_batch_emit(b, t, METRIC_HISTOGRAM, count.p, (double)d->count, label, value, NULL);
}

static int cmp_f64(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void put_quantiles(MetricsBatch *b, int64_t t, const SliceStats *s, const char *slice) {
#define DURATION "prometheus_engine_query_duration_seconds"
    static const struct {
        double q;
        const char *text;
    } asked[] = {{0.5, "0.5"}, {0.9, "0.9"}, {0.99, "0.99"}};
    double sorted[RECENT];
    memcpy(sorted, s->recent, sizeof sorted);
    qsort(sorted, s->n, sizeof *sorted, cmp_f64);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        double v = s->n ? sorted[(size_t)(asked[i].q * (double)(s->n - 1))] : (double)NAN;
        metrics_batch_emit(b, t, METRIC_SUMMARY, DURATION, v, "slice", slice, "quantile", asked[i].text, NULL);
    }
    metrics_batch_emit(b, t, METRIC_SUMMARY, DURATION "_sum", s->all.sum, "slice", slice, NULL);
    metrics_batch_emit(b, t, METRIC_SUMMARY, DURATION "_count", (double)s->all.count, "slice", slice, NULL);
}

static void put_handler(MetricsBatch *b, int64_t t, const HandlerStats *h) {
    for (size_t i = 0; i < h->n_codes; i++) {
        Str code = arena_printf(b->arena, "%d", h->codes[i].status);
        if (code.p)
            metrics_batch_emit(b, t, METRIC_COUNTER, "prometheus_http_requests_total", (double)h->codes[i].n, "handler",
                h->name.p, "code", code.p, NULL);
    }
    put_distribution(b, t, "prometheus_http_request_duration_seconds", &h->duration, duration_bounds,
        ARRAY_LEN(duration_bounds), "handler", h->name.p);
    put_distribution(b, t, "prometheus_http_response_size_bytes", &h->size, size_bounds, ARRAY_LEN(size_bounds),
        "handler", h->name.p);
}

void api_metrics_gather(ApiMetrics *m, MetricsBatch *b, int64_t t) {
    mutex_lock(&m->lock);
    for (size_t i = 0; i < m->handlers.n; i++) put_handler(b, t, &m->handlers.v[i]);
    for (size_t i = 0; i < SLICE_COUNT; i++) {
        put_quantiles(b, t, &m->slices[i], slice_names[i]);
        put_distribution(b, t, "prometheus_engine_query_duration_histogram_seconds", &m->slices[i].all, slice_bounds,
            ARRAY_LEN(slice_bounds), "slice", slice_names[i]);
    }
    metrics_batch_emit(b, t, METRIC_COUNTER, "prometheus_engine_query_samples_total", (double)m->samples, NULL);
    metrics_batch_emit(
        b, t, METRIC_COUNTER, "prometheus_engine_query_samples_read_total", (double)m->samples_read, NULL);
    mutex_unlock(&m->lock);
}
