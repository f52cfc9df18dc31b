/* twal.h - Prometheus' write-ahead log and head chunk files. Private to metrics/tsdb.
 * Source: tsdb/docs/format/wal.md and head_chunks.md of Prometheus. */
#ifndef MEERKAT_METRICS_TSDB_TWAL_H
#define MEERKAT_METRICS_TSDB_TWAL_H

#include "metrics/tsdb/tsdb_int.h"

typedef enum WalRecordType {
    WAL_SERIES = 1,
    WAL_SAMPLES = 2,
    WAL_TOMBSTONES = 3,
    WAL_EXEMPLARS = 4,
    WAL_MMAP_MARKERS = 5,
    WAL_METADATA = 6,
    WAL_HISTOGRAMS = 7,
    WAL_FLOAT_HISTOGRAMS = 8,
    WAL_CUSTOM_HISTOGRAMS = 9,
    WAL_CUSTOM_FLOAT_HISTOGRAMS = 10,
    WAL_SAMPLES_2 = 11, /* with start times */
    WAL_HISTOGRAMS_2 = 12,
    WAL_FLOAT_HISTOGRAMS_2 = 13,
} WalRecordType;

/* --- segments: pages of 32 KiB with fragments of records --- */
/* Calls fn for every sound record of a segment's bytes, decompressed (valid until fn returns); fn's error ends it. Bad
 * fragments are skipped up to the next page, counted and described. is_last: a record cut off at the end is normal. */
ErrCode wal_segment_read(Str file, bool is_last, ErrCode (*fn)(void *ctx, Str record, Err *reterr), void *ctx,
    TsdbProblems *problems, Err *reterr);

/* --- records --- */
typedef struct WalHandler { /* NULL: not wanted. false: stop, the handler knows why */
    bool (*series)(void *ctx, uint64_t ref, Labels labels);
    bool (*sample)(void *ctx, uint64_t ref, int64_t t, int64_t start, double v); /* start: 0 when not known */
    bool (*histogram)(void *ctx, uint64_t ref, int64_t t, int64_t start, const Histogram *h);
    bool (*exemplar)(void *ctx, uint64_t ref, const Exemplar *e);
    bool (*metadata)(void *ctx, uint64_t ref, const MetricMetadata *m); /* without the metric's name */
    bool (*tombstone)(void *ctx, const Interval *i);
    void *ctx;
} WalHandler;
/* Strings are slices of the record, arrays in the arena. Unknown types are ERR_UNSUPPORTED, bad ones ERR_CORRUPT. OK
 * with *ret_stopped when a handler gave false. */
ErrCode wal_record_decode(Str record, Arena *arena, const WalHandler *h, bool *ret_stopped, Err *reterr);

/* --- head chunks --- */
typedef struct HeadChunk {
    uint64_t series;
    int64_t min_t, max_t;
    uint8_t encoding;
    bool out_of_order;
    Str data;
} HeadChunk;
/* Calls fn for every sound chunk of the file; false stops. ERR_CORRUPT at the first bad one: what follows is lost. */
ErrCode head_chunks_read(Str file, bool (*fn)(void *ctx, const HeadChunk *c), void *ctx, Err *reterr);

#endif
