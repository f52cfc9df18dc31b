#include "metrics/store_zero.h"

/* Prometheus takes nothing into its head that is older than half a block's range, and no zeros out of order. */
#define AGE_MAX_MS INT64_C(3600000)

typedef struct Zeroing {
    StoreReach reach;
    const MetricsBatch *from;
    ZeroStarts *out;
    U64Map *newest; /* series id -> time of its newest sample in the batch so far, of those that got a zero */
} Zeroing;

/* before: the time of the sample before it in the batch, INT64_MIN: none. */
static bool is_due(Zeroing *z, uint32_t id, int64_t start, int64_t t, int64_t before) {
    if (start == 0 || start >= t || start <= before || start < t - AGE_MAX_MS) return false;
    if (start < store_retention_floor(z->reach.store)) return false;
    if (store_reaches(&z->reach, id, start, before == INT64_MIN)) return false;
    if (!z->newest) z->newest = u64map_create();
    bool is_new;
    uint64_t *newest = u64map_put(z->newest, id, &is_new);
    if (!is_new && start <= (int64_t)*newest) return false;
    *newest = (uint64_t)t;
    return true;
}

/* --- the new batch --- */

/* Goes through a series' samples and marks those that need a zero before them: how many there are. start NULL: none. */
static size_t find_due(Zeroing *z, uint32_t id, const int64_t *start, const int64_t *t, size_t n, bool *due) {
    size_t found = 0;
    int64_t before = INT64_MIN;
    for (size_t k = 0; start && k < n; k++) {
        due[k] = is_due(z, id, start[k], t[k], before);
        found += due[k];
        before = MAX(before, t[k]);
    }
    return found;
}

static bool put_sample(MetricsBatch *b, int64_t t, double v, int64_t start) {
    return avec_push(b->arena, &b->t_ms, t) && avec_push(b->arena, &b->value, v) &&
           avec_push(b->arena, &b->start_ms, start);
}

static bool put_histogram(MetricsBatch *b, int64_t t, Histogram h, int64_t start) {
    return avec_push(b->arena, &b->histogram_t_ms, t) && avec_push(b->arena, &b->histograms, h) &&
           avec_push(b->arena, &b->histogram_start_ms, start);
}

/* Of the same layout as the one that follows, with nothing in it. */
static Histogram zero_before(const Histogram *h) {
    return (Histogram){.schema = h->schema,
        .reset = HISTOGRAM_RESET_YES,
        .is_float = h->is_float,
        .zero_threshold = h->zero_threshold,
        .custom_bounds = h->custom_bounds,
        .n_custom_bounds = h->n_custom_bounds};
}

static bool put_samples(Zeroing *z, BatchSeries *bs, const bool *due) {
    MetricsBatch *b = &z->out->batch;
    size_t first = bs->first_sample, n = bs->n_samples;
    const int64_t *start = metrics_batch_starts(z->from, first, n);
    bs->first_sample = (uint32_t)b->t_ms.n;
    bool ok = true;
    for (size_t k = 0; k < n && ok; k++) {
        int64_t began = start ? start[k] : 0;
        if (due && due[k]) {
            vec_push(&z->out->samples, (uint32_t)b->t_ms.n);
            ok = put_sample(b, began, 0, 0);
        }
        ok = ok && put_sample(b, z->from->t_ms.v[first + k], z->from->value.v[first + k], began);
    }
    bs->n_samples = (uint32_t)b->t_ms.n - bs->first_sample;
    return ok;
}

static bool put_histograms(Zeroing *z, BatchSeries *bs, const bool *due) {
    MetricsBatch *b = &z->out->batch;
    size_t first = bs->first_histogram, n = bs->n_histograms;
    const int64_t *start = metrics_batch_histogram_starts(z->from, first, n);
    bs->first_histogram = (uint32_t)b->histogram_t_ms.n;
    bool ok = true;
    for (size_t k = 0; k < n && ok; k++) {
        const Histogram *h = &z->from->histograms.v[first + k];
        int64_t began = start ? start[k] : 0;
        if (due && due[k]) {
            vec_push(&z->out->histograms, (uint32_t)b->histogram_t_ms.n);
            ok = put_histogram(b, began, zero_before(h), 0);
        }
        ok = ok && put_histogram(b, z->from->histogram_t_ms.v[first + k], *h, began);
    }
    bs->n_histograms = (uint32_t)b->histogram_t_ms.n - bs->first_histogram;
    return ok;
}

/* Marks the samples, then the histograms, that need a zero; how many there are. */
static size_t mark(Zeroing *z, const uint32_t *ids, bool *samples, bool *histograms) {
    const MetricsBatch *b = z->from;
    size_t found = 0;
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *bs = &b->series.v[i];
        size_t s = bs->first_sample, h = bs->first_histogram;
        if (ids[i] == HEAD_NO_SERIES) continue;
        found +=
            find_due(z, ids[i], metrics_batch_starts(b, s, bs->n_samples), b->t_ms.v + s, bs->n_samples, samples + s);
        found += find_due(z, ids[i], metrics_batch_histogram_starts(b, h, bs->n_histograms), b->histogram_t_ms.v + h,
            bs->n_histograms, histograms + h);
    }
    return found;
}

static void build(Zeroing *z, const bool *samples, const bool *histograms) {
    MetricsBatch *b = &z->out->batch;
    z->out->arena = arena_create(ARENA_UNLIMITED); /* at most twice the batch */
    *b = (MetricsBatch){.arena = z->out->arena,
        .read_labels = z->from->read_labels,
        .read_ctx = z->from->read_ctx,
        .exemplars = z->from->exemplars,
        .metadata = z->from->metadata};
    bool ok = true;
    for (size_t i = 0; i < z->from->series.n && ok; i++) {
        BatchSeries bs = z->from->series.v[i];
        ok = put_samples(z, &bs, samples + bs.first_sample) &&
             put_histograms(z, &bs, histograms + bs.first_histogram) && avec_push(b->arena, &b->series, bs);
    }
    ASSERT(ok);
}

bool store_zero_starts(EmbeddedStore *s, Head *h, const uint32_t *ids, const MetricsBatch *from, ZeroStarts *ret) {
    *ret = (ZeroStarts){0};
    if (from->start_ms.n == 0 && from->histogram_start_ms.n == 0) return false;
    Zeroing z = {.reach = {.store = s, .head = h}, .from = from, .out = ret};
    bool *samples = mem_alloc_array(from->t_ms.n + 1, sizeof *samples);
    bool *histograms = mem_alloc_array(from->histogram_t_ms.n + 1, sizeof *histograms);
    memset(samples, 0, (from->t_ms.n + 1) * sizeof *samples);
    memset(histograms, 0, (from->histogram_t_ms.n + 1) * sizeof *histograms);
    bool any = mark(&z, ids, samples, histograms) > 0;
    if (any) build(&z, samples, histograms);
    mem_free(samples);
    mem_free(histograms);
    u64map_free(z.newest);
    return any;
}

void zero_starts_done(ZeroStarts *z) {
    if (z->arena) arena_free(z->arena);
    vec_done(&z->samples);
    vec_done(&z->histograms);
}

static bool has(const uint32_t *v, size_t n, uint32_t at) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v[mid] < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && v[lo] == at;
}

bool zero_is_sample(const ZeroStarts *z, uint32_t at) { return has(z->samples.v, z->samples.n, at); }
bool zero_is_histogram(const ZeroStarts *z, uint32_t at) { return has(z->histograms.v, z->histograms.n, at); }
