/* Functions over the samples of one window. */
#include "logs/logql_eval_int.h"

#include <math.h>
#include <stdlib.h>

static int cmp_f64(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between the two nearest ranks, as Prometheus' quantile. */
static double quantile(double phi, const LqSample *v, size_t n, double *scratch) {
    if (isnan(phi)) return (double)NAN;
    if (phi < 0) return -(double)INFINITY;
    if (phi > 1) return (double)INFINITY;
    for (size_t i = 0; i < n; i++) scratch[i] = v[i].v;
    qsort(scratch, n, sizeof *scratch, cmp_f64);
    double rank = phi * (double)(n - 1), low = floor(rank);
    size_t lo = (size_t)low, hi = MIN(lo + 1, n - 1);
    double weight = rank - low;
    return scratch[lo] * (1 - weight) + scratch[hi] * weight;
}

static double variance(const LqSample *v, size_t n) {
    double mean = 0, m2 = 0;
    for (size_t i = 0; i < n; i++) {
        double delta = v[i].v - mean;
        mean += delta / (double)(i + 1);
        m2 += delta * (v[i].v - mean);
    }
    return m2 / (double)n;
}

/* Increase of a counter with resets, extrapolated to the window's ends as Prometheus' rate. */
static double rate_counter(const LqSample *v, size_t n, int64_t end_ns, int64_t range_ns, bool *ret_present) {
    if (n < 2) {
        *ret_present = false;
        return 0;
    }
    double increase = v[n - 1].v - v[0].v;
    for (size_t i = 1; i < n; i++)
        if (v[i].v < v[i - 1].v) increase += v[i - 1].v;
    double to_start = (double)(v[0].t_ns - (end_ns - range_ns)) / 1e9, to_end = (double)(end_ns - v[n - 1].t_ns) / 1e9;
    double sampled = (double)(v[n - 1].t_ns - v[0].t_ns) / 1e9, mean_gap = sampled / (double)(n - 1);
    if (increase > 0 && v[0].v >= 0) to_start = MIN(to_start, sampled * (v[0].v / increase));
    double limit = mean_gap * 1.1, covered = sampled;
    covered += to_start < limit ? to_start : mean_gap / 2;
    covered += to_end < limit ? to_end : mean_gap / 2;
    return sampled > 0 ? increase * (covered / sampled) / ((double)range_ns / 1e9) : 0;
}

double lq_window_value(
    const LqExpr *e, const LqSample *v, size_t n, int64_t end_ns, double *scratch, bool *ret_present) {
    double sum = 0, min = v[0].v, max = v[0].v;
    for (size_t i = 0; i < n; i++) {
        sum += v[i].v;
        if (v[i].v < min || isnan(min)) min = v[i].v;
        if (v[i].v > max || isnan(max)) max = v[i].v;
    }
    switch (e->range_op) {
    case LQ_RATE: return sum / ((double)e->range_ns / 1e9);
    case LQ_RATE_COUNTER: return rate_counter(v, n, end_ns, e->range_ns, ret_present);
    case LQ_SUM_OVER_TIME: return sum;
    case LQ_AVG_OVER_TIME: return sum / (double)n;
    case LQ_MIN_OVER_TIME: return min;
    case LQ_MAX_OVER_TIME: return max;
    case LQ_FIRST_OVER_TIME: return v[0].v;
    case LQ_LAST_OVER_TIME: return v[n - 1].v;
    case LQ_STDDEV_OVER_TIME: return sqrt(variance(v, n));
    case LQ_STDVAR_OVER_TIME: return variance(v, n);
    case LQ_QUANTILE_OVER_TIME: return quantile(e->param, v, n, scratch);
    case LQ_COUNT_OVER_TIME:
    case LQ_BYTES_OVER_TIME:
    case LQ_BYTES_RATE:
    case LQ_ABSENT_OVER_TIME:
    case LQ_RANGE_OPS: break;
    }
    UNREACHABLE();
}
