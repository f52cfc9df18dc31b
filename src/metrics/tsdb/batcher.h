/* batcher.h - gathers imported samples into batches of moderate size. Private to metrics/tsdb. */
#ifndef MEERKAT_METRICS_TSDB_BATCHER_H
#define MEERKAT_METRICS_TSDB_BATCHER_H

#include "metrics/tsdb/tsdb_int.h"

typedef struct Batcher {
    const TsdbImport *import;
    MetricsAppendResult *total;
    Arena *arena;
    MetricsBatch batch;
    ErrCode code; /* of the sink, or the cancellation; stays */
    Err *reterr;
} Batcher;

void batcher_init(Batcher *b, const TsdbImport *import, MetricsAppendResult *total, Err *reterr);
void batcher_done(Batcher *b); /* what was not flushed is dropped */
/* Everything is copied. false: b->code says why. */
bool batcher_add(Batcher *b, const SeriesColumn *s, const Exemplar *exemplars, size_t n_exemplars);
bool batcher_add_metadata(Batcher *b, const MetricMetadata *m);
bool batcher_flush(Batcher *b);

#endif
