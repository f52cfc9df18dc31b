/* quantile.c - quantiles of values and of classic histograms. */
#include "metrics/promql/engine_int.h"

#include <stdlib.h>

static void swap(double *a, double *b) {
    double t = *a;
    *a = *b;
    *b = t;
}

/* NaN to the front; their number. */
static size_t nans_first(double *v, size_t n) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (isnan(v[i])) swap(&v[i], &v[k++]);
    return k;
}

/* The k-th smallest of v[0..n), at its place, with none greater before and none smaller behind it (Hoare's selection;
 * the median of three as the pivot). No NaN. */
static void select_kth(double *v, size_t n, size_t k) {
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2, i = lo, j = hi;
        if (v[mid] < v[lo]) swap(&v[mid], &v[lo]);
        if (v[hi] < v[lo]) swap(&v[hi], &v[lo]);
        if (v[hi] < v[mid]) swap(&v[hi], &v[mid]);
        double pivot = v[mid];
        for (;;) {
            while (v[i] < pivot) i++;
            while (pivot < v[j]) j--;
            if (i >= j) break;
            swap(&v[i++], &v[j--]);
        }
        /* v[lo..j] <= pivot <= v[j+1..hi] */
        if (k <= j)
            hi = j;
        else
            lo = j + 1;
    }
}

double quantile_of(double q, double *v, size_t n) {
    if (n == 0 || isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    double rank = q * ((double)n - 1), lower = fmax(0, floor(rank)), upper = fmin((double)n - 1, lower + 1);
    double weight = rank - floor(rank);
    size_t k = (size_t)lower, nans = nans_first(v, n);
    if (k >= nans) select_kth(v + nans, n - nans, k - nans);
    double low = k < nans ? NAN : v[k], high = low;
    if (weight == 0) return low; /* not times 0, of which infinities make NaN */
    if (upper > lower) {
        size_t from = MAX(k + 1, nans);
        high = k + 1 < nans ? NAN : v[from];
        for (size_t i = from; k + 1 >= nans && i < n; i++) high = v[i] < high ? v[i] : high;
    }
    return low * (1 - weight) + high * weight;
}

static int cmp_upper(const void *a, const void *b) {
    double x = ((const ClassicBucket *)a)->upper, y = ((const ClassicBucket *)b)->upper;
    return (x > y) - (x < y);
}

/* Sorted, buckets with one bound added up. */
static size_t coalesce(ClassicBucket *b, size_t n) {
    size_t out = 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].upper == b[out].upper)
            b[out].count += b[i].count;
        else
            b[++out] = b[i];
    }
    return out + 1;
}

static bool almost_equal(double a, double b, double tolerance) {
    if (a == b) return true;
    double diff = fabs(a - b), sum = fabs(a) + fabs(b);
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308) return diff < tolerance * 2.2250738585072014e-308;
    return diff / fmin(sum, 1.7976931348623157e308) < tolerance;
}

/* Tiny differences are rounding errors, larger decreases are repaired and told. */
static bool force_monotonic(ClassicBucket *b, size_t n, double *min_b, double *max_b, double *max_diff) {
    bool forced = false;
    double prev = b[0].count;
    *min_b = INFINITY;
    *max_b = -INFINITY;
    *max_diff = 0;
    for (size_t i = 1; i < n; i++) {
        double cur = b[i].count;
        if (cur == prev) continue;
        if (almost_equal(prev, cur, 1e-12)) {
            b[i].count = prev;
        } else if (cur < prev) {
            b[i].count = prev;
            forced = true;
            *min_b = fmin(*min_b, b[i].upper);
            *max_b = fmax(*max_b, b[i].upper);
            *max_diff = fmax(*max_diff, prev - cur);
        } else {
            prev = cur;
        }
    }
    return forced;
}

double classic_quantile(
    double q, ClassicBucket *b, size_t n, bool *ret_forced, double *min_b, double *max_b, double *max_diff) {
    *ret_forced = false;
    if (isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    qsort(b, n, sizeof *b, cmp_upper);
    if (b[n - 1].upper != INFINITY) return NAN;
    n = coalesce(b, n);
    *ret_forced = force_monotonic(b, n, min_b, max_b, max_diff);
    if (n < 2 || b[n - 1].count == 0) return NAN;
    double rank = q * b[n - 1].count;
    size_t at = 0;
    while (at < n - 1 && !(b[at].count >= rank)) at++;
    if (at == n - 1) return b[n - 2].upper;
    if (at == 0 && b[0].upper <= 0) return b[0].upper;
    double start = at ? b[at - 1].upper : 0, below = at ? b[at - 1].count : 0;
    return start + (b[at].upper - start) * ((rank - below) / (b[at].count - below));
}

double classic_fraction(double lower, double upper, ClassicBucket *b, size_t n) {
    qsort(b, n, sizeof *b, cmp_upper);
    if (b[n - 1].upper != INFINITY) return NAN;
    n = coalesce(b, n);
    double count = b[n - 1].count, limits[2] = {lower, upper}, ranks[2] = {0, 0}, rank = 0;
    if (count == 0 || isnan(lower) || isnan(upper)) return NAN;
    if (lower >= upper) return 0;
    bool set[2] = {false, false};
    double lo = b[0].upper <= 0 ? -INFINITY : 0;
    for (size_t i = 0; i < n && !(set[0] && set[1]); i++) {
        if (i > 0) lo = b[i - 1].upper;
        for (int k = 0; k < 2; k++) {
            if (set[k]) continue;
            if (lo >= limits[k])
                ranks[k] = rank;
            else if (b[i].upper > limits[k])
                ranks[k] =
                    lo == -INFINITY ? b[i].count : rank + (b[i].count - rank) * (limits[k] - lo) / (b[i].upper - lo);
            else
                continue;
            set[k] = true;
        }
        rank = b[i].count;
    }
    for (int k = 0; k < 2; k++)
        if (!set[k] || ranks[k] > count) ranks[k] = count;
    return (ranks[1] - ranks[0]) / count;
}
