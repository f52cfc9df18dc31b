/* fhist_int.h - private: what fhist.c and fhist_add.c share. */
#ifndef MEERKAT_METRICS_PROMQL_FHIST_INT_H
#define MEERKAT_METRICS_PROMQL_FHIST_INT_H

#include "metrics/promql/fhist.h"

/* Room for n buckets; with kahan the compensation is zero. false: no memory. */
bool fh_buckets_alloc(Arena *a, FhBuckets *b, size_t n, bool kahan);
/* In place, from a finer schema to a coarser one. */
void fh_buckets_coarsen(FhBuckets *b, int32_t from, int32_t to);
/* Upper bound of a bucket of an exponential schema. */
double fh_bound(int32_t idx, int32_t schema);

static inline bool fh_same_layout(const FhBuckets *a, const FhBuckets *b) {
    return a->n == b->n && (a->n == 0 || memcmp(a->idx, b->idx, a->n * sizeof *a->idx) == 0);
}

/* Custom buckets: the same upper bounds. */
static inline bool fh_same_bounds(const FHist *a, const FHist *b) {
    return a->n_bounds == b->n_bounds &&
           (a->n_bounds == 0 || memcmp(a->bounds, b->bounds, a->n_bounds * sizeof(double)) == 0);
}

#endif
