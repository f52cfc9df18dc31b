#include "metrics/promql/test_store.h"

#include "metrics/promql/fhist.h"

#include <stdlib.h>

typedef struct TestSeries {
    Labels labels;
    VEC(int64_t) t;
    VEC(double) v;
    VEC(int64_t) t_h;
    VEC(Histogram) h;
    VEC(int64_t) start, start_h;
    bool started; /* some start time is known */
} TestSeries;

typedef struct TestStore {
    MetricsStore base;
    Arena *arena;
    VEC(TestSeries) series; /* sorted by labels */
    VEC(MetricMetadata) metadata;
    uint64_t appended;
} TestStore;

static TestStore *self(MetricsStore *s) { return CONTAINER_OF(s, TestStore, base); }

static TestSeries *series_of(TestStore *st, Labels labels) {
    size_t lo = 0, hi = st->series.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = labels_cmp(st->series.v[mid].labels, labels);
        if (c == 0) return &st->series.v[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    TestSeries ts = {.labels = labels_copy(st->arena, labels)};
    vec_push(&st->series, ts);
    memmove(&st->series.v[lo + 1], &st->series.v[lo], (st->series.n - 1 - lo) * sizeof ts);
    st->series.v[lo] = ts;
    return &st->series.v[lo];
}

void test_store_add(MetricsStore *s, Labels labels, int64_t t_ms, double v, int64_t start_ms) {
    TestSeries *ts = series_of(self(s), labels);
    size_t i = ts->t.n;
    ts->started |= start_ms != 0;
    while (i > 0 && ts->t.v[i - 1] >= t_ms) i--;
    if (i == ts->t.n || ts->t.v[i] != t_ms) {
        vec_push(&ts->t, t_ms);
        vec_push(&ts->v, v);
        vec_push(&ts->start, start_ms);
        memmove(&ts->t.v[i + 1], &ts->t.v[i], (ts->t.n - 1 - i) * sizeof t_ms);
        memmove(&ts->v.v[i + 1], &ts->v.v[i], (ts->v.n - 1 - i) * sizeof v);
        memmove(&ts->start.v[i + 1], &ts->start.v[i], (ts->start.n - 1 - i) * sizeof start_ms);
    }
    ts->t.v[i] = t_ms;
    ts->v.v[i] = v;
    ts->start.v[i] = start_ms;
}

void test_store_add_histogram(MetricsStore *s, Labels labels, int64_t t_ms, const Histogram *h, int64_t start_ms) {
    TestStore *st = self(s);
    TestSeries *ts = series_of(st, labels);
    Histogram copy = *histogram_copy(st->arena, h);
    bool known = copy.reset == HISTOGRAM_RESET_GAUGE, told = copy.reset == HISTOGRAM_RESET_YES;
    if (!known) copy.reset = HISTOGRAM_RESET_UNKNOWN;
    if (!known && !told && ts->h.n && !histogram_is_stale(vec_last(&ts->h))) {
        FHist *cur = fh_from_model(st->arena, &copy), *prev = fh_from_model(st->arena, vec_last(&ts->h));
        copy.reset = fh_detect_reset(st->arena, cur, prev) ? HISTOGRAM_RESET_UNKNOWN : HISTOGRAM_RESET_NO;
    }
    ts->started |= start_ms != 0;
    vec_push(&ts->t_h, t_ms);
    vec_push(&ts->h, copy);
    vec_push(&ts->start_h, start_ms);
}

static void copy_range(const TestSeries *ts, const MetricsSelect *req, SeriesColumn *out) {
    size_t a = 0, b = ts->t.n, c = 0, d = ts->t_h.n;
    while (a < b && ts->t.v[a] < req->min_t_ms) a++;
    while (b > a && ts->t.v[b - 1] > req->max_t_ms) b--;
    while (c < d && ts->t_h.v[c] < req->min_t_ms) c++;
    while (d > c && ts->t_h.v[d - 1] > req->max_t_ms) d--;
    *out = (SeriesColumn){.labels = ts->labels, .n = b - a, .n_histograms = d - c};
    if (b > a) {
        out->t_ms = ts->t.v + a;
        out->value = ts->v.v + a;
        if (req->starts && ts->started) out->start_ms = ts->start.v + a;
    }
    if (d > c) {
        out->histogram_t_ms = ts->t_h.v + c;
        out->histograms = ts->h.v + c;
        if (req->starts && ts->started) out->histogram_start_ms = ts->start_h.v + c;
    }
}

static ErrCode test_select(MetricsStore *s, const MetricsSelect *req, SeriesColumns *ret, Err *reterr) {
    TestStore *st = self(s);
    ret->v = ARENA_ARRAY(req->arena, SeriesColumn, st->series.n);
    ret->n = 0;
    if (!ret->v) return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
    vec_foreach(TestSeries, ts, &st->series) {
        if (!matchers_match(req->matchers, ts->labels)) continue;
        copy_range(ts, req, &ret->v[ret->n]);
        if (ret->v[ret->n].n + ret->v[ret->n].n_histograms) ret->n++;
    }
    return OK;
}

static ErrCode test_series(
    MetricsStore *s, const MetricsSelect *req, size_t limit, Labels **ret, size_t *ret_n, Err *reterr) {
    SeriesColumns cols;
    ErrCode rc = test_select(s, req, &cols, reterr);
    if (rc != OK) return rc;
    *ret = ARENA_ARRAY(req->arena, Labels, cols.n);
    *ret_n = limit && limit < cols.n ? limit : cols.n;
    for (size_t i = 0; i < *ret_n; i++) (*ret)[i] = cols.v[i].labels;
    return OK;
}

static int cmp_str(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

static ErrCode strings(
    MetricsStore *s, const MetricsSelect *req, const Str *name, size_t limit, Str **ret, size_t *ret_n, Err *reterr) {
    SeriesColumns cols;
    ErrCode rc = test_select(s, req, &cols, reterr);
    if (rc != OK) return rc;
    size_t n = 0, out = 0;
    for (size_t i = 0; i < cols.n; i++) n += cols.v[i].labels.n;
    Str *v = ARENA_ARRAY(req->arena, Str, n);
    n = 0;
    for (size_t i = 0; i < cols.n; i++)
        for (size_t k = 0; k < cols.v[i].labels.n; k++) {
            const Label *l = &cols.v[i].labels.v[k];
            if (!name || str_eq(*name, l->name)) v[n++] = name ? l->value : l->name;
        }
    qsort(v, n, sizeof *v, cmp_str);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(v[i], v[i - 1])) v[out++] = v[i];
    *ret = v;
    *ret_n = limit && limit < out ? limit : out;
    return OK;
}

static ErrCode test_names(
    MetricsStore *s, const MetricsSelect *req, size_t limit, Str **ret, size_t *ret_n, Err *reterr) {
    return strings(s, req, NULL, limit, ret, ret_n, reterr);
}
static ErrCode test_values(
    MetricsStore *s, const MetricsSelect *req, Str name, size_t limit, Str **ret, size_t *ret_n, Err *reterr) {
    return strings(s, req, &name, limit, ret, ret_n, reterr);
}

static ErrCode test_append(MetricsStore *s, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    (void)reterr;
    TestStore *st = self(s);
    *ret = (MetricsAppendResult){0};
    vec_foreach(BatchSeries, bs, &b->series) {
        uint32_t first = bs->first_sample, first_h = bs->first_histogram;
        const int64_t *start = metrics_batch_starts(b, first, bs->n_samples);
        const int64_t *start_h = metrics_batch_histogram_starts(b, first_h, bs->n_histograms);
        for (uint32_t i = 0; i < bs->n_samples; i++)
            test_store_add(s, bs->labels, b->t_ms.v[first + i], b->value.v[first + i], start ? start[i] : 0);
        for (uint32_t i = 0; i < bs->n_histograms; i++)
            test_store_add_histogram(s, bs->labels, b->histogram_t_ms.v[first_h + i], &b->histograms.v[first_h + i],
                start_h ? start_h[i] : 0);
        ret->samples += bs->n_samples;
        ret->histograms += bs->n_histograms;
        ret->exemplars += bs->n_exemplars;
    }
    vec_foreach(MetricMetadata, m, &b->metadata) {
        MetricMetadata copy = {
            arena_copy(st->arena, m->metric), m->type, arena_copy(st->arena, m->help), arena_copy(st->arena, m->unit)};
        vec_push(&st->metadata, copy);
    }
    ret->samples_taken = ret->samples;
    ret->histograms_taken = ret->histograms;
    st->appended += ret->samples;
    return OK;
}

static ErrCode test_metadata(
    MetricsStore *s, Str metric, Arena *arena, MetricMetadata **ret, size_t *ret_n, Err *reterr) {
    (void)reterr;
    TestStore *st = self(s);
    *ret = ARENA_ARRAY(arena, MetricMetadata, st->metadata.n);
    *ret_n = 0;
    vec_foreach(MetricMetadata, m, &st->metadata) {
        if (metric.n == 0 || str_eq(metric, m->metric)) (*ret)[(*ret_n)++] = *m;
    }
    return OK;
}

static ErrCode test_exemplars(
    MetricsStore *s, const MetricsSelect *req, Labels **ret_series, Exemplar **ret, size_t *ret_n, Err *reterr) {
    (void)s;
    (void)req;
    (void)reterr;
    *ret_series = NULL;
    *ret = NULL;
    *ret_n = 0;
    return OK;
}

static ErrCode test_visit(
    MetricsStore *s, const MetricsSelect *req, bool skip_head, MetricsVisitFn fn, void *ctx, Err *reterr) {
    (void)skip_head;
    SeriesColumns cols = {0};
    ErrCode rc = test_select(s, req, &cols, reterr);
    for (size_t i = 0; rc == OK && i < cols.n; i++)
        if (!fn(ctx, &cols.v[i])) break;
    return rc;
}

static ErrCode test_delete(MetricsStore *s, const MetricsSelect *req, uint64_t *ret_deleted, Err *reterr) {
    (void)s;
    (void)req;
    *ret_deleted = 0;
    return err_set(reterr, ERR_NOT_IMPLEMENTED, "the test store does not delete");
}

static void test_stats(MetricsStore *s, MetricsStoreStats *ret) {
    *ret = (MetricsStoreStats){.series_active = self(s)->series.n, .samples_total = self(s)->appended};
}

static ErrCode test_flush(MetricsStore *s, Err *reterr) {
    (void)s;
    (void)reterr;
    return OK;
}

void test_store_clear(MetricsStore *s) {
    TestStore *st = self(s);
    vec_foreach(TestSeries, ts, &st->series) {
        vec_done(&ts->t);
        vec_done(&ts->v);
        vec_done(&ts->t_h);
        vec_done(&ts->h);
        vec_done(&ts->start);
        vec_done(&ts->start_h);
    }
    vec_done(&st->series);
    vec_done(&st->metadata);
    arena_reset(st->arena);
}

static void test_close(MetricsStore *s) {
    test_store_clear(s);
    arena_free(self(s)->arena);
    mem_free(self(s));
}

MetricsStore *test_store_create(void) {
    static const MetricsStoreOps ops = {.append = test_append,
        .select = test_select,
        .series = test_series,
        .label_names = test_names,
        .label_values = test_values,
        .metadata = test_metadata,
        .exemplars = test_exemplars,
        .visit = test_visit,
        .delete_series = test_delete,
        .stats = test_stats,
        .flush = test_flush,
        .close = test_close};
    TestStore *st = NEW(TestStore);
    st->base.ops = &ops;
    st->arena = arena_create(ARENA_UNLIMITED);
    return &st->base;
}
