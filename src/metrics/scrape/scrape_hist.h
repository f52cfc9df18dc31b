/* scrape_hist.h - native_histogram_bucket_limit and native_histogram_min_bucket_factor: lower resolutions. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_HIST_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_HIST_H

#include "base/err.h"
#include "model/histogram.h"

/* Merges neighbouring buckets (schema - 1 halves their number) until there are at most `limit` (0: no limit) and they
 * are at least `min_factor` apart (0: any). h's arrays are replaced by ones in the arena. *ret_too_many: not even the
 * lowest resolution fits, or custom buckets, which cannot be merged, are too many. ERR_TOO_LARGE: the arena is
 * exhausted. */
ErrCode scrape_histogram_fit(
    Histogram *h, uint64_t limit, double min_factor, Arena *arena, bool *ret_too_many, Err *reterr);

#endif
