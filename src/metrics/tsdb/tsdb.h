/* tsdb.h - Prometheus' data directory: blocks and write-ahead logs are read, blocks are written.
 *
 * What is damaged is left out, counted and reported; the rest is read. Memory grows with the number of series of a
 * block or a log, not with samples. */
#ifndef MEERKAT_METRICS_TSDB_TSDB_H
#define MEERKAT_METRICS_TSDB_TSDB_H

#include "metrics/metrics_store.h"

#define TSDB_ULID_SIZE 27 /* with the terminating NUL */

typedef struct TsdbMeta {
    char ulid[TSDB_ULID_SIZE];
    int64_t min_t, max_t; /* ms; max_t is exclusive */
    uint64_t samples, float_samples, histogram_samples, series, chunks, tombstones;
    int64_t level;
} TsdbMeta;

typedef struct TsdbBlockInfo {
    TsdbMeta meta;
    Str dir;
    uint64_t size_bytes;
} TsdbBlockInfo;

/* The blocks of a data directory (or the one block that dir is), oldest first; directories that are none, or still
 * being written, are passed over; of a damaged meta.json *ret_bad says so (may be NULL). ERR_NOT_FOUND: dir. */
ErrCode tsdb_blocks(
    Fs *fs, const char *dir, Arena *arena, TsdbBlockInfo **ret, size_t *ret_n, Err *ret_bad, Err *reterr);

/* --- one block --- */
typedef struct TsdbBlock TsdbBlock;
ErrCode tsdb_block_open(Fs *fs, const char *dir, TsdbBlock **ret, Err *reterr);
TsdbBlock *tsdb_block_close(TsdbBlock *b);
size_t tsdb_block_series_count(const TsdbBlock *b);

typedef struct TsdbProblems { /* what was left out because it is damaged */
    uint64_t series, chunks, records;
    char first[512]; /* empty: none */
} TsdbProblems;

/* Hands out series in labels order with their samples in [min_t, max_t], without deleted ones. A long series may come
 * in several pieces. The column lives until fn returns; false from fn stops. */
ErrCode tsdb_block_visit(TsdbBlock *b, Matchers matchers, int64_t min_t, int64_t max_t, MetricsVisitFn fn, void *ctx,
    TsdbProblems *problems, Err *reterr);
#define TSDB_CHUNK_FLOATS UINT32_MAX
/* Labels and the chunks' sizes only: for `tsdb analyze`. first..last: the time covered. */
typedef struct TsdbSeriesInfo {
    Labels labels;
    int64_t min_t, max_t; /* of its chunks, inclusive */
    size_t n_chunks;
    uint64_t samples;
    const uint32_t *chunk_samples, *chunk_bytes; /* n_chunks of each */
    const uint32_t *chunk_buckets;               /* of its histograms, summed up; TSDB_CHUNK_FLOATS: it has floats */
} TsdbSeriesInfo;
ErrCode tsdb_block_series(TsdbBlock *b, bool with_chunks, bool (*fn)(void *ctx, const TsdbSeriesInfo *s), void *ctx,
    TsdbProblems *problems, Err *reterr);

/* --- writing a block --- */
typedef struct TsdbBlockWriter TsdbBlockWriter;
/* Under parent, as "ULID.tmp-for-creation" until it is finished. */
ErrCode tsdb_block_writer_create(Fs *fs, const char *parent, TsdbBlockWriter **ret, Err *reterr);
/* In labels order, each label set once. */
ErrCode tsdb_block_writer_series(TsdbBlockWriter *w, const SeriesColumn *series, Err *reterr);
/* Syncs and renames; nothing is written when there was no sample (*ret_written false). */
ErrCode tsdb_block_writer_finish(TsdbBlockWriter *w, TsdbMeta *ret, bool *ret_written, Err *reterr);
TsdbBlockWriter *tsdb_block_writer_free(TsdbBlockWriter *w); /* unfinished: removes what is there */

/* --- export --- */
typedef struct TsdbExport {
    Fs *fs;
    MetricsStore *store;
    const char *dir;      /* made when missing */
    Matchers matchers;    /* n 0: everything */
    int64_t min_t, max_t; /* ms, inclusive */
    bool skip_head;
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* may be NULL; time windows */
    void *progress_ctx;
    const _Atomic bool *cancel; /* may be NULL */
} TsdbExport;
typedef struct TsdbExportResult {
    uint64_t blocks, series, samples, bytes;
} TsdbExportResult;
/* Blocks that do not cross multiples of two hours, with XOR and histogram chunks: what every Prometheus reads. */
ErrCode tsdb_export(const TsdbExport *e, TsdbExportResult *ret, Err *reterr);

/* --- import --- */
typedef struct TsdbImport {
    Fs *fs;
    const char *dir; /* Prometheus' data directory, a snapshot of it, or one block */
    int64_t min_t, max_t;
    /* Takes a batch; ERR_OVERLOADED is waited for by the sink itself. */
    ErrCode (*append)(void *ctx, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr);
    void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total); /* may be NULL; bytes */
    bool (*is_done)(void *ctx, const char *ulid); /* may be NULL: blocks to leave out, imported earlier */
    void (*done)(void *ctx, const char *ulid);    /* may be NULL: all samples of the block were taken */
    void *ctx;
    const _Atomic bool *cancel; /* may be NULL */
} TsdbImport;
typedef struct TsdbImportResult {
    uint64_t blocks, blocks_skipped, blocks_failed, wal_segments;
    MetricsAppendResult appended;
    TsdbProblems problems;
} TsdbImportResult;
/* Blocks from the oldest, then head chunks and the logs (checkpoint, wal, wbl). Importing twice does no harm: equal
 * samples are kept once. Errors are those of the sink and of the directory; damage is in ret->problems. */
ErrCode tsdb_import(const TsdbImport *import, TsdbImportResult *ret, Err *reterr);

#endif
