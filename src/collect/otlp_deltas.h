/* otlp_deltas.h - the calls behind OtlpDeltas (otlp_decode.h); private to room collect. */
#ifndef MEERKAT_COLLECT_OTLP_DELTAS_H
#define MEERKAT_COLLECT_OTLP_DELTAS_H

#include "collect/otlp_decode.h"

#define DELTA_BUCKETS_MAX 512

/* Dense exponential buckets as OTLP has them: bucket i covers (base^(offset+i), base^(offset+i+1)]. */
typedef struct DeltaBuckets {
    int32_t offset;
    uint32_t n;
    double count[DELTA_BUCKETS_MAX];
} DeltaBuckets;

typedef struct DeltaHistogram {
    int scale;
    double count, sum, zero_count, zero_threshold;
    DeltaBuckets pos, neg;
} DeltaHistogram;

/* Adds a delta to the series' sum. A point with the time of the last one gets the same sum
 * again; false: it is older, *ret_sum is untouched. *start_ms goes in as when the delta began (0: not known) and comes
 * out as when the sum did, which is when its first delta began. */
bool otlp_deltas_add(OtlpDeltas *d, uint64_t key, int64_t t_ms, double delta, double *ret_sum, int64_t *start_ms);
/* The same for exponential histograms; *h goes in as the delta and comes out as the sum. */
bool otlp_deltas_add_histogram(OtlpDeltas *d, uint64_t key, int64_t t_ms, DeltaHistogram *h, int64_t *start_ms);

#endif
