/* limits.h - whether the store takes one more series. Asked only when a series is new to the head, so that samples of
 * known series cost nothing. Counts are those of the active head: series of the last hours. */
#ifndef MEERKAT_METRICS_LIMITS_H
#define MEERKAT_METRICS_LIMITS_H

#include "metrics/head.h"
#include "metrics/metrics_store.h"

typedef struct SeriesLimits SeriesLimits;

SeriesLimits *series_limits_create(const MetricsLimits *limits);
SeriesLimits *series_limits_free(SeriesLimits *l);
/* With the head's index lock held for writing. ERR_UNPROCESSABLE names the limit, the culprit and the series. What is
 * admitted counts: the caller creates it. */
ErrCode series_limits_admit(SeriesLimits *l, Head *h, Labels labels, Err *reterr);
void series_limits_stats(SeriesLimits *l, MetricsStoreStats *ret);
/* Metrics of which series were refused, most refusals first. false: the arena is used up. */
bool series_limits_refused(SeriesLimits *l, Arena *arena, MetricsRefused **ret, size_t *ret_n);

#endif
