/* fhist.h - arithmetic on native histograms. A bucket list is sparse and sorted by index, so merging two layouts is a
 * merge of two lists. Facts: Prometheus' native histogram specification. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_FHIST_H
#define MEERKAT_METRICS_PROMQL_FHIST_H

#include "model/histogram.h"

typedef struct FhBuckets {
    int32_t *idx; /* ascending */
    double *v;
    double *c; /* Kahan compensation, or NULL */
    size_t n;
} FhBuckets;

typedef struct FHist {
    int32_t schema;
    uint8_t reset; /* HistogramReset */
    double count, sum, zero_threshold, zero_count;
    double count_c, sum_c, zero_c; /* Kahan compensation */
    FhBuckets pos, neg;
    const double *bounds; /* HISTOGRAM_SCHEMA_CUSTOM: upper bounds without +Inf */
    size_t n_bounds;
} FHist;

/* What an operation met. */
typedef struct FhNotes {
    bool incompatible;      /* exponential and custom buckets: nothing was done */
    bool reset_collision;   /* counter reset and no counter reset */
    bool bounds_reconciled; /* different custom bounds: reduced to the common ones */
    bool no_memory;
} FhNotes;

static inline bool fh_is_custom(const FHist *h) { return h->schema == HISTOGRAM_SCHEMA_CUSTOM; }

/* All of these give NULL when the arena is used up. */
FHist *fh_from_model(Arena *a, const Histogram *h);
Histogram *fh_to_model(Arena *a, const FHist *h);
FHist *fh_copy(Arena *a, const FHist *h);
FHist *fh_copy_to_schema(Arena *a, const FHist *h, int32_t schema); /* schema <= h's, or equal */
/* acc += sign * b; with kahan the rounding errors are kept in c. acc is changed in place. */
FhNotes fh_add(Arena *a, FHist *acc, const FHist *b, double sign, bool kahan);
void fh_fold(FHist *h);             /* adds the compensation and forgets it */
void fh_scale(FHist *h, double f);  /* also the compensation; f < 0 makes it a gauge */
void fh_divide(FHist *h, double f); /* by 0: buckets vanish, count and sum as IEEE has it */
void fh_compact(FHist *h);          /* empty buckets out */
bool fh_eq(const FHist *a, const FHist *b);
bool fh_has_overflow(const FHist *h);
/* Does cur, coming after prev, begin a counter anew? */
bool fh_detect_reset(Arena *a, const FHist *cur, const FHist *prev);
/* Keeps what lies below (upper) or above the bound. NULL without memory. */
FHist *fh_trim(Arena *a, const FHist *h, double bound, bool upper);

/* Buckets from the lowest to the highest: negative, zero, positive. */
typedef struct FhBucket {
    double lower, upper, count;
    bool lower_inclusive, upper_inclusive;
    int32_t idx;
} FhBucket;
typedef struct FhIter {
    const FHist *h;
    size_t i, n;
} FhIter;
FhIter fh_iter(const FHist *h);
/* The k-th of one side, counted from 0 outwards, with its own bounds even where the zero bucket covers a part of it. */
FhBucket fh_bucket(const FHist *h, bool positive, size_t k);
bool fh_next(FhIter *it, FhBucket *ret);
bool fh_next_reverse(FhIter *it, FhBucket *ret); /* from the highest; not to be mixed with fh_next */

double fh_quantile(const FHist *h, double q, bool *ret_nan_result, bool *ret_nan_skew);
double fh_fraction(const FHist *h, double lower, double upper, bool *ret_nans);
double fh_variance(const FHist *h);

#endif
