/* store_append_int.h - an append on its way: made by a worker (store_append.c), applied by the log's writer thread
 * (store_apply.c). Private to the store. */
#ifndef MEERKAT_METRICS_STORE_APPEND_INT_H
#define MEERKAT_METRICS_STORE_APPEND_INT_H

#include "metrics/store_int.h"
#include "metrics/store_zero.h"

typedef struct AppendJob {
    EmbeddedStore *store;
    const MetricsBatch *batch;
    Head *head;
    uint32_t *series;  /* ids per batch series; HEAD_NO_SERIES: refused */
    uint32_t *missing; /* batch indices of series the head does not know yet */
    size_t n_missing;
    VEC(uint32_t) told, told_series; /* symbols and series the record defines */
    int64_t min_t, max_t;            /* what is older, newer is refused */
    U64Map *conflicts;               /* for the tap; NULL: none yet */
    const MetricsBatch *asked;       /* as it came: whom complaints go to */
    int64_t *newest;                 /* per batch series, before it: with complaints; else NULL */
    U64Map *first_of;                /* series -> first batch series with it; NULL: not needed yet */
    ZeroStarts zeros;                /* what was put into the batch besides what came */
    MetricsAppendResult *result;
    Buf payload; /* the record */
    /* Of an append that nobody waits for (store_append_soon). */
    CommitRecord record;
    Err *reterr;
    MetricsDoneFn done;
    void *done_ctx;
} AppendJob;

static inline bool append_in_time(const AppendJob *job, int64_t t) { return t >= job->min_t && t <= job->max_t; }
/* An exemplar that may not be is no error, as in Prometheus: the samples are what counts. */
static inline bool append_takes_exemplar(const AppendJob *job, const Exemplar *e) {
    return e->t_ms <= job->max_t && exemplar_length(e) <= EXEMPLAR_LENGTH_MAX;
}
static inline bool append_has_data(const BatchSeries *bs) {
    return bs->n_samples || bs->n_histograms || bs->n_exemplars;
}

#endif
