/* store_zero.h - where a counter or histogram began to count, a sample of 0 before what it has counted, so that rate()
 * sees all of it. Source of the rules: Prometheus with created-timestamp-zero-ingestion (Prometheus 3.16). */
#ifndef MEERKAT_METRICS_STORE_ZERO_H
#define MEERKAT_METRICS_STORE_ZERO_H

#include "metrics/store_int.h"

/* A batch with such samples in it. */
typedef struct ZeroStarts {
    Arena *arena;
    MetricsBatch batch;
    VEC(uint32_t) samples, histograms; /* places of the zeros in the batch, ascending */
} ZeroStarts;

/* Makes the batch out of `from`, whose series are `ids` of the active head h, if anything is to be put in; false: there
 * is nothing, `from` is to be appended as it is. Strings and histograms stay where they are. A start time is good for a
 * zero when it is before its sample, by an hour at most, and after whatever the series had before. */
bool store_zero_starts(EmbeddedStore *s, Head *h, const uint32_t *ids, const MetricsBatch *from, ZeroStarts *ret);
void zero_starts_done(ZeroStarts *z);
bool zero_is_sample(const ZeroStarts *z, uint32_t at);
bool zero_is_histogram(const ZeroStarts *z, uint32_t at);

#endif
