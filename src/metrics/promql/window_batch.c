/* window_batch.c - functions of range vectors over all windows of one series in one pass: windows overlap, so each
 * sample is looked at a few times, not once per window it is in. */
#include "metrics/promql/steps.h"

void batch_scratch_done(BatchScratch *s) {
    mem_free(s->falls);
    mem_free(s->stretch);
    *s = (BatchScratch){0};
}

static void reserve(BatchScratch *s, size_t n) {
    if (n <= s->cap) return;
    batch_scratch_done(s);
    s->cap = n;
    s->falls = mem_alloc_array(n, sizeof *s->falls);
    s->stretch = mem_alloc_array(n, 4 * sizeof *s->stretch);
    s->rest = s->stretch + n;
    s->suffix = s->rest + n;
    s->suffix_rest = s->suffix + n;
}

typedef struct Batch {
    WindowBatch in; /* first */
    BatchScratch *scratch;
    PqlSeries *out;
} Batch;

static void all_present(const Batch *b) {
    memcpy(b->out->present, b->in.s->present, bitmap_words(b->in.g->n) * sizeof *b->out->present);
}

#define FOR_WINDOWS(i, b) FOR_PRESENT(i, (b)->in.s, (b)->in.g->n)

/* --- rate, increase, delta --- */

/* Places where the counter fell; their number. */
static size_t find_falls(const Batch *b) {
    const double *v = b->in.v;
    size_t n = 0;
    if (b->in.rising || !lanes_any_fall(v, b->in.n)) return 0;
    reserve(b->scratch, b->in.n);
    for (size_t i = 1; i < b->in.n; i++)
        if (v[i] < v[i - 1]) b->scratch->falls[n++] = (uint32_t)i;
    return n;
}

/* A counter cannot have been below zero: the stretch to the window's start ends there. */
static double limited_factor(const Batch *b, size_t i, double first, double result, bool per_second) {
    const Steps *s = b->in.s;
    /* Without a division in the usual case, in which zero is far away. */
    if (first * s->sampled[i] > s->to_start[i] * result * 1.0000001) return s->factor[i];
    double to_zero = s->sampled[i] * (first / result);
    if (!(to_zero < s->to_start[i])) return s->factor[i];
    double f = s->sampled[i] != 0 ? (s->sampled[i] + to_zero + s->to_end[i]) / s->sampled[i] : 1;
    return per_second ? f / b->in.range_s : f;
}

static void rates(const Batch *b, bool counter, bool per_second) {
    const Steps *s = b->in.s;
    const double *v = b->in.v;
    size_t n_falls = counter ? find_falls(b) : 0, lo = 0, a = s->first_present, z = a + s->n_present;
    const uint32_t *falls = b->scratch->falls;
    if (counter && n_falls == 0 && s->is_run &&
        lanes_rates(v, s->from + a, s->to + a, s->sampled + a, s->to_start + a, s->factor + a, z - a, b->out->v + a))
        return;
    FOR_WINDOWS(i, b) {
        uint32_t from = s->from[i], to = s->to[i];
        double first = v[from], result = v[to - 1] - first;
        while (lo < n_falls && falls[lo] <= from) lo++;
        for (size_t r = lo; r < n_falls && falls[r] < to; r++) result += v[falls[r] - 1];
        double f = s->factor[i];
        if (counter && result > 0 && first >= 0) f = limited_factor(b, i, first, result, per_second);
        b->out->v[i] = result * f;
    }
}

/* --- the last two samples --- */

static void last_pairs(const Batch *b, bool rate) {
    const int64_t *t = b->in.t;
    FOR_WINDOWS(i, b) {
        uint32_t to = b->in.s->to[i];
        double a = b->in.v[to - 2], z = b->in.v[to - 1];
        double d = rate && z < a ? z : z - a;
        b->out->v[i] = rate ? d / ((double)(t[to - 1] - t[to - 2]) / 1000) : d;
    }
}

/* --- minimum, maximum, sums: the stretches between cuts first, each by itself; then windows as runs of stretches,
 * those of the windows' older part from behind, those of the newer part from the front. They meet at a place that moves
 * on when the windows have passed it. --- */

static const Cuts *cuts_of(const Batch *b) {
    steps_cut(b->in.s, b->in.g->n);
    reserve(b->scratch, b->in.s->cuts.n);
    return &b->in.s->cuts;
}

/* x, unless m is as good; of equal ones the earlier stays, NaN is never taken. */
static inline double better(double m, double x, bool max) { return (max ? x > m : x < m) ? x : m; }

static inline __attribute__((always_inline)) void stretch_extremes(const Batch *b, const Cuts *c, bool max) {
    const double *v = b->in.v;
    for (size_t k = 0; k < c->n; k++) {
        double m = max ? -INFINITY : INFINITY;
        for (uint32_t i = c->at[k]; i < c->at[k + 1]; i++) m = better(m, v[i], max);
        b->scratch->stretch[k] = m;
    }
}

/* The first of all is what nothing is better than: nothing but NaN, or really that. */
static double worst_extreme(const Batch *b, size_t window, double m) {
    const double *v = b->in.v;
    uint32_t from = b->in.s->from[window];
    for (uint32_t i = from; i < b->in.s->to[window]; i++)
        if (!isnan(v[i])) return m;
    return v[from];
}

static inline __attribute__((always_inline)) void extremes_body(const Batch *b, bool max) {
    const Cuts *c = cuts_of(b);
    const double worst = max ? -INFINITY : INFINITY;
    double *stretch = b->scratch->stretch, *suffix = b->scratch->suffix, front = worst;
    size_t meet = 0, seen = 0;
    stretch_extremes(b, c, max);
    FOR_WINDOWS(i, b) {
        uint32_t from = c->from[i], to = c->to[i];
        if (from >= meet) { /* the older part is used up: all of this window becomes it */
            meet = seen = to;
            front = worst;
            double m = worst;
            for (size_t k = to; k-- > from;) suffix[k] = m = better(stretch[k], m, max);
        }
        for (; seen < to; seen++) front = better(front, stretch[seen], max);
        double m = better(suffix[from], front, max);
        b->out->v[i] = m == worst ? worst_extreme(b, i, m) : m;
    }
}

static void extremes(const Batch *b, bool max) {
    if (max)
        extremes_body(b, true);
    else
        extremes_body(b, false);
}

/* Sums that could overflow in another order than Prometheus' are left to the function itself. */
static bool tame(const Batch *b) {
    return !lanes_any_beyond(b->in.v, b->in.n, fmin(1e290, 1e300 / (double)MAX(b->in.n, 1)));
}

/* kahan_add where nothing can overflow. */
static inline void add_tame(double inc, double *sum, double *c) {
    double t = *sum + inc, part = t - *sum;
    *c += (*sum - (t - part)) + (inc - part);
    *sum = t;
}

static void stretch_sums(const Batch *b, const Cuts *c) {
    const double *v = b->in.v;
    for (size_t k = 0; k < c->n; k++) {
        double sum = 0, rest = 0;
        for (uint32_t i = c->at[k]; i < c->at[k + 1]; i++) add_tame(v[i], &sum, &rest);
        b->scratch->stretch[k] = sum;
        b->scratch->rest[k] = rest;
    }
}

static inline void add_pair(double sum, double rest, double *to, double *to_rest) {
    add_tame(sum, to, to_rest);
    *to_rest += rest;
}

static bool sums(const Batch *b, bool mean) {
    if (!tame(b)) return false;
    const Cuts *c = cuts_of(b);
    const BatchScratch *x = b->scratch;
    double front = 0, front_rest = 0;
    size_t meet = 0, seen = 0;
    stretch_sums(b, c);
    FOR_WINDOWS(i, b) {
        uint32_t from = c->from[i], to = c->to[i];
        double sum = 0, rest = 0;
        if (from >= meet) { /* the older part is used up: all of this window becomes it */
            meet = seen = to;
            front = front_rest = 0;
            for (size_t k = to; k-- > from;) {
                add_pair(x->stretch[k], x->rest[k], &sum, &rest);
                x->suffix[k] = sum;
                x->suffix_rest[k] = rest;
            }
        }
        for (; seen < to; seen++) add_pair(x->stretch[seen], x->rest[seen], &front, &front_rest);
        sum = x->suffix[from];
        rest = x->suffix_rest[from];
        add_pair(front, front_rest, &sum, &rest);
        double count = b->in.s->to[i] - b->in.s->from[i];
        b->out->v[i] = mean ? sum / count + rest / count : sum + rest;
    }
    return true;
}

/* --- the rest --- */

static void resets_or_changes(const Batch *b, bool changes) {
    reserve(b->scratch, b->in.n);
    uint32_t *at = b->scratch->falls;
    const double *v = b->in.v;
    size_t n = 0, lo = 0, hi = 0;
    for (size_t i = 1; i < b->in.n; i++) {
        bool differ = v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
        if (changes ? differ : v[i] < v[i - 1]) at[n++] = (uint32_t)i;
    }
    FOR_WINDOWS(i, b) {
        while (lo < n && at[lo] <= b->in.s->from[i]) lo++;
        while (hi < n && at[hi] < b->in.s->to[i]) hi++;
        b->out->v[i] = hi > lo ? (double)(hi - lo) : 0;
    }
}

static void picks(const Batch *b, bool last) {
    FOR_WINDOWS(i, b) b->out->v[i] = b->in.v[last ? b->in.s->to[i] - 1 : b->in.s->from[i]];
}

static void counts(const Batch *b, bool one) {
    FOR_WINDOWS(i, b) b->out->v[i] = one ? 1 : (double)(b->in.s->to[i] - b->in.s->from[i]);
}

size_t window_batch_least(PqlFn id) {
    switch (id) {
    case FN_RATE:
    case FN_INCREASE:
    case FN_DELTA:
    case FN_IRATE:
    case FN_IDELTA: return 2;
    case FN_MAX_OVER_TIME:
    case FN_MIN_OVER_TIME:
    case FN_SUM_OVER_TIME:
    case FN_AVG_OVER_TIME:
    case FN_CHANGES:
    case FN_RESETS:
    case FN_FIRST_OVER_TIME:
    case FN_LAST_OVER_TIME:
    case FN_COUNT_OVER_TIME:
    case FN_PRESENT_OVER_TIME: return 1;
    default: return 0;
    }
}

static bool run(const Batch *b) {
    switch (b->in.id) {
    case FN_RATE: rates(b, true, true); return true;
    case FN_INCREASE: rates(b, true, false); return true;
    case FN_DELTA: rates(b, false, false); return true;
    case FN_IRATE: last_pairs(b, true); return true;
    case FN_IDELTA: last_pairs(b, false); return true;
    case FN_MAX_OVER_TIME: extremes(b, true); return true;
    case FN_MIN_OVER_TIME: extremes(b, false); return true;
    case FN_SUM_OVER_TIME: return sums(b, false);
    case FN_AVG_OVER_TIME: return sums(b, true);
    case FN_CHANGES: resets_or_changes(b, true); return true;
    case FN_RESETS: resets_or_changes(b, false); return true;
    case FN_FIRST_OVER_TIME: picks(b, false); return true;
    case FN_LAST_OVER_TIME: picks(b, true); return true;
    case FN_COUNT_OVER_TIME: counts(b, false); return true;
    case FN_PRESENT_OVER_TIME: counts(b, true); return true;
    default: UNREACHABLE();
    }
}

bool window_batch(const WindowBatch *in, BatchScratch *scratch, PqlSeries *out) {
    Batch b = {*in, scratch, out};
    if (!run(&b)) return false;
    all_present(&b);
    return true;
}
