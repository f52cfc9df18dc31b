/* scrape_created.h - OpenMetrics' _created lines as start times of the series they stand behind, as Prometheus reads
 * them with st-storage. Source: OpenMetrics 1.0, "Created". */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_CREATED_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_CREATED_H

#include "metrics/scrape/promtext.h"

/* The series of one metric (all buckets, sum and count of a histogram) read last. */
typedef struct Created {
    Str family; /* of the newest TYPE line */
    uint64_t key;
    size_t first; /* of its samples in the batch */
} Created;

/* A _created line's value, seconds. false: no time one can count on. */
bool created_start(double seconds, int64_t *ret_start_ms);
void created_family(Created *c, Str family);
/* Before the sample is added to b. true: it is a _created line of its family, has been told to the samples before it
 * that have its labels, and is no sample. */
bool created_take(Created *c, const PromTextSample *s, MetricsBatch *b);

#endif
