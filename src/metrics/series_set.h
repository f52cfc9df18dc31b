/* series_set.h - a selection whose samples are read series by series: an engine that needs them one after the other
 * holds no more than one at a time, and several threads may read. */
#ifndef MEERKAT_METRICS_SERIES_SET_H
#define MEERKAT_METRICS_SERIES_SET_H

#include "metrics/metrics_store.h"

typedef struct SeriesSet SeriesSet;
typedef struct SeriesReader SeriesReader;

typedef struct SeriesSetOps {
    ErrCode (*labels)(SeriesSet *s, size_t i, Arena *arena, Labels *ret, Err *reterr);
    SeriesReader *(*reader)(SeriesSet *s, Arena *arena);
    ErrCode (*read)(SeriesReader *r, size_t i, SeriesColumn *ret, Err *reterr);
    void (*reader_free)(SeriesReader *r);
} SeriesSetOps;

/* Lives in the request's arena and as long as it. */
struct SeriesSet {
    const SeriesSetOps *ops;
    size_t n;   /* series, unique; sorted by labels unless MetricsSelect.any_order */
    bool typed; /* there may be labels __type__ or __unit__ among them */
};

/* What reading took. */
typedef struct SeriesReadStats {
    uint64_t samples;                                /* decoded */
    uint64_t blocks, blocks_decoded, blocks_skipped; /* skipped: outside the range, or their statistics sufficed */
} SeriesReadStats;

struct SeriesReader {
    SeriesSet *set;
    Arena *arena; /* for histograms */
    SeriesReadStats stats;
};

/* Errors as select has them. */
ErrCode metrics_store_open_set(MetricsStore *store, const MetricsSelect *req, SeriesSet **ret, Err *reterr);
/* The array from arena, the strings live as long as the set; made anew by each call, so that a set of very many series
 * does not hold their labels. Thread-safe. ERR_TOO_LARGE, ERR_CORRUPT. */
ErrCode series_labels(SeriesSet *s, size_t i, Arena *arena, Labels *ret, Err *reterr);
/* One per thread. Histograms it reads are put into arena, which must not be used by another thread meanwhile. */
SeriesReader *series_reader_create(SeriesSet *s, Arena *arena);
/* ret->labels is empty (series_labels). The arrays of floats are the reader's, until its next read; n and n_histograms
 * may both be 0. ERR_TOO_LARGE, ERR_CORRUPT. */
ErrCode series_read(SeriesReader *r, size_t i, SeriesColumn *ret, Err *reterr);
SeriesReader *series_reader_free(SeriesReader *r); /* NULL is fine; returns NULL */

#endif
