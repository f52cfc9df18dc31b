/* window_batch.c - functions of range vectors over all windows of one series in one pass: windows overlap, so each
 * sample is looked at a few times, not once per window it is in. */
#include "metrics/promql/steps.h"

void batch_scratch_done(BatchScratch *s) {
    mem_free(s->queue);
    mem_free(s->sum);
    mem_free(s->rest);
    *s = (BatchScratch){0};
}

static void reserve(BatchScratch *s, size_t n) {
    if (n <= s->cap) return;
    batch_scratch_done(s);
    s->cap = n;
    s->queue = mem_alloc_array(n, sizeof *s->queue);
    s->sum = mem_alloc_array(n, sizeof *s->sum);
    s->rest = mem_alloc_array(n, sizeof *s->rest);
}

typedef struct Batch {
    const Grid *g;
    const Steps *s;
    const int64_t *t;
    const double *v;
    size_t n;
    double range_s;
    BatchScratch *scratch;
    PqlSeries *out;
} Batch;

static void all_present(const Batch *b) {
    memcpy(b->out->present, b->s->present, bitmap_words(b->g->n) * sizeof *b->out->present);
}

#define FOR_WINDOWS(i, b) FOR_PRESENT(i, (b)->s, (b)->g->n)

/* --- rate, increase, delta --- */

/* Places where the counter fell; their number. */
static size_t find_resets(const Batch *b) {
    const double *v = b->v;
    size_t falls = 0, n = 0;
    for (size_t i = 1; i < b->n; i++) falls += v[i] < v[i - 1];
    if (!falls) return 0;
    reserve(b->scratch, b->n);
    for (size_t i = 1; i < b->n; i++)
        if (v[i] < v[i - 1]) b->scratch->queue[n++] = (uint32_t)i;
    return n;
}

/* A counter cannot have been below zero: the stretch to the window's start ends there. */
static double limited_factor(const Batch *b, const Stretch *x, double first, double result, bool per_second) {
    /* Without a division in the usual case, in which zero is far away. */
    if (first * x->sampled > x->to_start * result * 1.0000001) return x->factor;
    double to_zero = x->sampled * (first / result);
    if (!(to_zero < x->to_start)) return x->factor;
    double f = x->sampled != 0 ? (x->sampled + to_zero + x->to_end) / x->sampled : 1;
    return per_second ? f / b->range_s : f;
}

static void rates(const Batch *b, bool counter, bool per_second) {
    const Steps *s = b->s;
    const double *v = b->v;
    size_t n_resets = counter ? find_resets(b) : 0, lo = 0;
    const uint32_t *resets = b->scratch->queue;
    FOR_WINDOWS(i, b) {
        uint32_t from = s->from[i], to = s->to[i];
        double first = v[from], result = v[to - 1] - first;
        while (lo < n_resets && resets[lo] <= from) lo++;
        for (size_t r = lo; r < n_resets && resets[r] < to; r++) result += v[resets[r] - 1];
        double f = s->stretch[i].factor;
        if (counter && result > 0 && first >= 0) f = limited_factor(b, &s->stretch[i], first, result, per_second);
        b->out->v[i] = result * f;
    }
}

/* --- the last two samples --- */

static void last_pairs(const Batch *b, bool rate) {
    FOR_WINDOWS(i, b) {
        uint32_t to = b->s->to[i];
        double a = b->v[to - 2], z = b->v[to - 1];
        double d = rate && z < a ? z : z - a;
        b->out->v[i] = rate ? d / ((double)(b->t[to - 1] - b->t[to - 2]) / 1000) : d;
    }
}

/* --- minimum, maximum: a queue of those that may still become the extreme --- */

static void extremes(const Batch *b, bool max) {
    reserve(b->scratch, b->n);
    uint32_t *q = b->scratch->queue;
    size_t head = 0, tail = 0, seen = 0;
    const double *v = b->v;
    FOR_WINDOWS(i, b) {
        uint32_t from = b->s->from[i], to = b->s->to[i];
        for (seen = MAX(seen, from); seen < to; seen++) {
            double x = v[seen];
            if (isnan(x)) continue;
            while (tail > head && (q[tail - 1] < from || (max ? v[q[tail - 1]] < x : v[q[tail - 1]] > x))) tail--;
            q[tail++] = (uint32_t)seen;
        }
        while (head < tail && q[head] < from) head++;
        b->out->v[i] = head < tail ? v[q[head]] : v[from]; /* nothing but NaN */
        if (head == tail) head = tail = 0;
    }
}

/* --- sums: those of the windows' older part from behind, those of the newer part from the front; they meet at a place
 * that moves on when the windows have passed it --- */

/* Sums that could overflow in another order than Prometheus' are left to the function itself. */
static bool tame(const Batch *b) {
    double worst = 0;
    bool odd = false;
    for (size_t i = 0; i < b->n; i++) {
        double a = fabs(b->v[i]);
        worst = a > worst ? a : worst;
        odd |= !(a <= 1e290);
    }
    return !odd && worst * (double)b->n < 1e300;
}

static void direct_sum(const double *v, size_t from, size_t to, double *sum, double *rest) {
    *sum = *rest = 0;
    for (size_t k = from; k < to; k++) kahan_add(v[k], sum, rest);
}

static bool sums(const Batch *b, bool mean) {
    if (!tame(b)) return false;
    reserve(b->scratch, b->n + 1);
    double *suffix = b->scratch->sum, *rest = b->scratch->rest, front = 0, front_rest = 0;
    size_t meet = 0, seen = 0;
    FOR_WINDOWS(i, b) {
        uint32_t from = b->s->from[i], to = b->s->to[i];
        double sum, c;
        if (from >= meet) { /* the older part is used up: all of this window becomes it */
            meet = seen = to;
            front = front_rest = sum = c = 0;
            for (size_t k = to; k-- > from;) {
                kahan_add(b->v[k], &sum, &c);
                suffix[k] = sum;
                rest[k] = c;
            }
        }
        for (; seen < to; seen++) kahan_add(b->v[seen], &front, &front_rest);
        sum = suffix[from];
        c = rest[from];
        kahan_add(front, &sum, &c);
        c += front_rest;
        double count = to - from;
        b->out->v[i] = mean ? sum / count + c / count : sum + c;
    }
    return true;
}

static bool direct_sums(const Batch *b, bool mean) {
    if (!tame(b)) return false;
    FOR_WINDOWS(i, b) {
        double sum, c, count = b->s->to[i] - b->s->from[i];
        direct_sum(b->v, b->s->from[i], b->s->to[i], &sum, &c);
        b->out->v[i] = mean ? sum / count + c / count : sum + c;
    }
    return true;
}

/* --- the rest --- */

static void resets_or_changes(const Batch *b, bool changes) {
    reserve(b->scratch, b->n);
    uint32_t *at = b->scratch->queue;
    const double *v = b->v;
    size_t n = 0, lo = 0, hi = 0;
    for (size_t i = 1; i < b->n; i++) {
        bool differ = v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
        if (changes ? differ : v[i] < v[i - 1]) at[n++] = (uint32_t)i;
    }
    FOR_WINDOWS(i, b) {
        while (lo < n && at[lo] <= b->s->from[i]) lo++;
        while (hi < n && at[hi] < b->s->to[i]) hi++;
        b->out->v[i] = hi > lo ? (double)(hi - lo) : 0;
    }
}

static void picks(const Batch *b, bool last) {
    FOR_WINDOWS(i, b) b->out->v[i] = b->v[last ? b->s->to[i] - 1 : b->s->from[i]];
}

static void counts(const Batch *b, bool one) {
    FOR_WINDOWS(i, b) b->out->v[i] = one ? 1 : (double)(b->s->to[i] - b->s->from[i]);
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

static bool run(const Batch *b, PqlFn id) {
    bool overlap = b->s->total > 2 * b->n;
    switch (id) {
    case FN_RATE: rates(b, true, true); return true;
    case FN_INCREASE: rates(b, true, false); return true;
    case FN_DELTA: rates(b, false, false); return true;
    case FN_IRATE: last_pairs(b, true); return true;
    case FN_IDELTA: last_pairs(b, false); return true;
    case FN_MAX_OVER_TIME: extremes(b, true); return true;
    case FN_MIN_OVER_TIME: extremes(b, false); return true;
    case FN_SUM_OVER_TIME: return overlap ? sums(b, false) : direct_sums(b, false);
    case FN_AVG_OVER_TIME: return overlap ? sums(b, true) : direct_sums(b, true);
    case FN_CHANGES: resets_or_changes(b, true); return true;
    case FN_RESETS: resets_or_changes(b, false); return true;
    case FN_FIRST_OVER_TIME: picks(b, false); return true;
    case FN_LAST_OVER_TIME: picks(b, true); return true;
    case FN_COUNT_OVER_TIME: counts(b, false); return true;
    case FN_PRESENT_OVER_TIME: counts(b, true); return true;
    default: UNREACHABLE();
    }
}

bool window_batch(PqlFn id, const Grid *g, const Steps *s, const int64_t *t, const double *v, size_t n, double range_s,
    BatchScratch *scratch, PqlSeries *out) {
    Batch b = {g, s, t, v, n, range_s, scratch, out};
    if (!run(&b, id)) return false;
    all_present(&b);
    return true;
}
