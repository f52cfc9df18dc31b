/* lanes.h - the loops over points in which queries spend most of their time: without branches, so that the compiler
 * makes vectors of them; compiled for AVX2 as well, where the machine has it. The same bits either way. Private to
 * promql. */
#ifndef MEERKAT_METRICS_PROMQL_LANES_H
#define MEERKAT_METRICS_PROMQL_LANES_H

#include "base/base.h"

#include <math.h>

/* Compensated addition (Neumaier 1974), the error by Knuth's way, which needs no comparison: the same number. */
static inline void kahan_add(double inc, double *sum, double *c) {
    double t = *sum + inc, part = t - *sum, error = (*sum - (t - part)) + (inc - part);
    *c = isinf(t) ? 0 : *c + error;
    *sum = t;
}

/* kahan_add of x[i] to sum[i], c[i] for all n. The arrays do not overlap. */
void lanes_kahan_add(double *sum, double *c, const double *x, size_t n);
/* Whether some value is not within [-limit, limit] (NaN is not). */
bool lanes_any_beyond(const double *v, size_t n, double limit);
/* Whether some value is less than the one before. */
bool lanes_any_fall(const double *v, size_t n);

/* Rates and increases of n windows of a counter that does not fall, window i of samples [from[i], to[i]) (at least
 * two). sampled, to_start, factor as in steps.h. false: for some window the counter's zero counts; out is of no use
 * then. */
bool lanes_rates(const double *v, const uint32_t *from, const uint32_t *to, const double *sampled,
    const double *to_start, const double *factor, size_t n, double *out);

#endif
