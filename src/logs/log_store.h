/* log_store.h - the interface of a store for log lines, and the embedded engine behind it. All calls are thread-safe.
 *
 * What append promises: OK means on disk (WAL, shared fsync) and visible to the next select. A row equal to one
 * that is already there (same stream, time, line and metadata) is dropped: always when the other one is still in
 * memory (this includes everything a crash recovery replays), and against the most recently flushed rows of
 * this process' life (LOG_RECENT_ROWS); older doubles vanish when their parts are merged. Replay never doubles a
 * row: parts and the WAL position they cover are published in one step. */
#ifndef MEERKAT_LOGS_LOG_STORE_H
#define MEERKAT_LOGS_LOG_STORE_H

#include "model/logs_batch.h"
#include "sys/fs.h"

typedef struct LogStore LogStore;

typedef struct LogAppendResult {
    uint64_t rows, duplicates; /* exact (stream, time, line, metadata) duplicates are dropped, as Loki does */
    uint64_t too_old, too_new; /* outside [now - retention, now + 10 min] */
    char first_error[256];
} LogAppendResult;

/* A condition on the line that the store may use to skip whole blocks; the engine checks lines again. */
typedef struct LogLineHint {
    Str contains;
} LogLineHint;

/* A cheap test of the line alone, run before a row's metadata is decoded; false skips the row. */
typedef bool (*LogLineFn)(void *ctx, Str line);

typedef struct LogSelect {
    Matchers matchers;        /* on stream labels */
    int64_t start_ns, end_ns; /* [start, end) as Loki's query_range */
    bool backward;            /* newest first */
    const LogLineHint *hints;
    size_t n_hints; /* all must hold */
    Arena *arena;   /* results of streams, label_names, label_values, stream_stats; tables of select */
    /* May be NULL: asked now and then by select; what is not OK ends it. */
    ErrCode (*check)(const void *ctx, Err *reterr);
    const void *check_ctx;
    bool any_order;      /* rows may come in any order: cheaper, for aggregations */
    bool skip_metadata;  /* views come without metadata: cheaper */
    bool skip_line;      /* views come with an empty line, nothing is counted in stats.bytes: cheapest */
    LogLineFn keep_line; /* may be NULL */
    void *keep_ctx;
} LogSelect;

/* A row handed to the visitor. line and metadata are valid until the visitor returns (copy what you keep: a
 * scan is larger than memory); stream labels until select returns. */
typedef struct LogView {
    Labels stream;
    uint64_t stream_ref; /* same stream, same number within one select */
    int64_t t_ns;
    Str line;
    const Attr *metadata; /* sorted by key, keys unique */
    size_t n_metadata;
} LogView;

/* false stops the scan (limit reached). Rows come in time order over all streams (ties: any), unless any_order. */
typedef bool (*LogVisitFn)(void *ctx, const LogView *row);

typedef struct LogScanStats {
    uint64_t rows, bytes, blocks, blocks_skipped;
    uint64_t corrupt_blocks; /* could not be read: the answer is partial */
} LogScanStats;
typedef struct LogStoreStats {
    uint64_t rows_total, streams, parts, bytes_on_disk, wal_bytes, memory_bytes, corrupt_parts, wal_corrupt_frames,
        wal_torn_bytes;
    const char *wal_problem; /* the first: file and place; lives as long as the store, "": none */
    int64_t min_t_ns, max_t_ns;
    uint64_t flushes, merges, maintenance_errors;
} LogStoreStats;

/* Per stream of the answer: entries and bytes of lines in the range. Exact for rows in memory and for parts inside
 * the range; parts that only overlap it count in proportion to the time covered. chunks: parts and heads holding it. */
typedef struct LogStreamStat {
    Labels stream;
    uint64_t entries, bytes, chunks;
} LogStreamStat;

typedef struct LogStoreOps {
    ErrCode (*append)(LogStore *s, const LogsBatch *batch, LogAppendResult *ret, Err *reterr);
    ErrCode (*select)(
        LogStore *s, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *ret_stats, Err *reterr);
    ErrCode (*streams)(LogStore *s, const LogSelect *req, Labels **ret, size_t *ret_n, Err *reterr);
    ErrCode (*label_names)(LogStore *s, const LogSelect *req, Str **ret, size_t *ret_n, Err *reterr);
    ErrCode (*label_values)(LogStore *s, const LogSelect *req, Str name, Str **ret, size_t *ret_n, Err *reterr);
    /* Rewrites the parts concerned; when it returns OK the rows are gone from disk. hints and keep_line are not used.
     */
    ErrCode (*delete_rows)(LogStore *s, const LogSelect *req, uint64_t *ret_deleted, Err *reterr);
    void (*stats)(LogStore *s, LogStoreStats *ret);
    ErrCode (*flush)(LogStore *s, Err *reterr); /* everything in memory into parts */
    void (*close)(LogStore *s);                 /* flushes, then frees; NULL is not allowed */
    ErrCode (*stream_stats)(LogStore *s, const LogSelect *req, LogStreamStat **ret, size_t *ret_n, Err *reterr);
} LogStoreOps;

struct LogStore {
    const LogStoreOps *ops;
};

typedef struct LogStoreOptions {
    bool durable;
    int64_t retention_ms;     /* 0: 30 days */
    uint64_t retention_bytes; /* 0: no limit */
    size_t head_bytes_max;    /* 0: 64 MiB */
} LogStoreOptions;

#define LOG_RECENT_ROWS (1u << 19)
#define LOG_FUTURE_MAX_MS INT64_C(600000)

/* dir is created when missing. Replays the WAL. */
ErrCode log_store_open(Fs *fs, const char *dir, const LogStoreOptions *opts, LogStore **ret, Err *reterr);

#endif
