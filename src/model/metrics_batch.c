#include "model/metrics_batch.h"

#include <stdarg.h>
#include <stdlib.h>

const char *metric_type_name(MetricType t) {
    static const char *const names[] = {
        "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};
    ASSERT((size_t)t < ARRAY_LEN(names));
    return names[t];
}

size_t exemplar_length(const Exemplar *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->labels.n; i++)
        n += str_rune_count(e->labels.v[i].name) + str_rune_count(e->labels.v[i].value);
    return n;
}

bool metrics_batch_add(MetricsBatch *b, Labels labels, int64_t t_ms, double value) {
    BatchSeries s = {.labels = labels, .first_sample = (uint32_t)b->value.n, .n_samples = 1};
    return avec_push(b->arena, &b->t_ms, t_ms) && avec_push(b->arena, &b->value, value) &&
           avec_push(b->arena, &b->series, s);
}

/* --- start times --- */
typedef AVEC(int64_t) Starts;

/* Most batches have none: the vector is made when the first one comes. */
static bool set_start(Arena *arena, void *vec, size_t n, int64_t start_ms) {
    Starts *starts = vec;
    if (start_ms == 0 && starts->n == 0) return true;
    DASSERT(n > 0 && starts->n < n);
    if (!avec_reserve(arena, starts, n - starts->n)) return false;
    while (starts->n + 1 < n) starts->v[starts->n++] = 0;
    starts->v[starts->n++] = start_ms;
    return true;
}

bool metrics_batch_set_start(MetricsBatch *b, int64_t start_ms) {
    return set_start(b->arena, &b->start_ms, b->value.n, start_ms);
}

bool metrics_batch_set_histogram_start(MetricsBatch *b, int64_t start_ms) {
    return set_start(b->arena, &b->histogram_start_ms, b->histograms.n, start_ms);
}

void metrics_batch_trim_starts(MetricsBatch *b) {
    b->start_ms.n = MIN(b->start_ms.n, b->value.n);
    b->histogram_start_ms.n = MIN(b->histogram_start_ms.n, b->histograms.n);
}

const int64_t *metrics_batch_starts(const MetricsBatch *b, size_t first, size_t n) {
    if (b->start_ms.n <= first) return NULL;
    ASSERT(first + n <= b->start_ms.n);
    return b->start_ms.v + first;
}

const int64_t *metrics_batch_histogram_starts(const MetricsBatch *b, size_t first, size_t n) {
    if (b->histogram_start_ms.n <= first) return NULL;
    ASSERT(first + n <= b->histogram_start_ms.n);
    return b->histogram_start_ms.v + first;
}

/* --- complaints --- */
static bool complain(
    const MetricsBatch *b, uint32_t series, MetricsComplaintStage stage, Str text, const Labels *labels) {
    MetricsComplaint c = {.series = series, .stage = stage, .text = arena_copy(b->arena, text)};
    if (labels) {
        Buf set = {0};
        labels_put_set(&set, *labels);
        c.labels = arena_copy(b->arena, buf_str(&set));
        buf_done(&set);
    }
    return c.text.p && (!labels || c.labels.p) && avec_push(b->arena, &b->complaints->list, c);
}

void metrics_batch_complain(
    const MetricsBatch *b, uint32_t series, MetricsComplaintStage stage, Str text, const Labels *labels) {
    if (!b->complaints) return;
    bool room = b->complaints->list.n < METRICS_COMPLAINTS_MAX;
    if (!room || !complain(b, series, stage, text, labels)) b->complaints->left_out++;
}

static int by_place(const void *a, const void *b) {
    const MetricsComplaint *x = a, *y = b;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    if (x->stage != y->stage) return x->stage < y->stage ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

void metrics_complaints_sort(MetricsComplaints *c) {
    for (size_t i = 0; i < c->list.n; i++) c->list.v[i].number = (uint32_t)i;
    if (c->list.n > 1) qsort(c->list.v, c->list.n, sizeof *c->list.v, by_place);
}

#define EMIT_LABELS_MAX 16

/* The parts of a histogram or a summary are one family. */
static Str family_of(Str name, MetricType type) {
    static const Str suffixes[] = {STR_INIT("_bucket"), STR_INIT("_count"), STR_INIT("_sum")};
    if (type != METRIC_HISTOGRAM && type != METRIC_SUMMARY) return name;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_ends_with(name, suffixes[i])) return str_slice(name, 0, name.n - suffixes[i].n);
    return name;
}

static void describe(MetricsBatch *b, Str name, MetricType type) {
    for (size_t i = b->metadata.n; i-- > 0;)
        if (str_eq(b->metadata.v[i].metric, name)) return;
    (void)avec_push(b->arena, &b->metadata, (MetricMetadata){.metric = name, .type = type});
}

void metrics_batch_emit(MetricsBatch *b, int64_t t_ms, MetricType type, const char *name, double value, ...) {
    Label v[EMIT_LABELS_MAX];
    size_t n = 0;
    v[n++] = (Label){LABEL_NAME_METRIC, str_cstr(name)};
    va_list args;
    va_start(args, value);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        ASSERT(n < EMIT_LABELS_MAX);
        v[n++] = (Label){str_cstr(key), str_cstr(va_arg(args, const char *))};
    }
    va_end(args);
    ErrCode r = labels_normalize(v, &n, NULL);
    ASSERT(r == OK);
    Label *own = ARENA_ARRAY(b->arena, Label, n);
    if (!own) return;
    memcpy(own, v, n * sizeof *v);
    describe(b, family_of(str_cstr(name), type), type);
    (void)metrics_batch_add(b, (Labels){own, n}, t_ms, value);
}

/* --- stale markers --- */

static inline __attribute__((always_inline)) bool stale_body(const double *v, size_t n) {
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        any |= bits == STALE_NAN_BITS ? UINT64_MAX : 0;
    }
    return any;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static bool stale_avx2(const double *v, size_t n) { return stale_body(v, n); }

bool stale_nan_among(const double *v, size_t n) {
    return __builtin_cpu_supports("avx2") ? stale_avx2(v, n) : stale_body(v, n);
}
#else
bool stale_nan_among(const double *v, size_t n) { return stale_body(v, n); }
#endif
