/* log_store.h - the interface of a store for log lines. All calls are thread-safe. */
#ifndef MEERKAT_LOGS_LOG_STORE_H
#define MEERKAT_LOGS_LOG_STORE_H

#include "model/logs_batch.h"
#include "sys/fs.h"

typedef struct LogStore LogStore;

typedef struct LogAppendResult {
    uint64_t rows, duplicates;  /* exact (stream, time, line, metadata) duplicates are dropped, as Loki does */
    uint64_t too_old, too_new;
    char first_error[256];
} LogAppendResult;

/* A condition on the line that the store may use to skip whole blocks; the engine checks lines again. */
typedef struct LogLineHint { Str contains; } LogLineHint;

typedef struct LogSelect {
    Matchers matchers;               /* on stream labels */
    int64_t start_ns, end_ns;        /* [start, end) as Loki's query_range */
    bool backward;                   /* newest first */
    const LogLineHint *hints; size_t n_hints; /* all must hold */
    Arena *arena;
    const _Atomic bool *cancel;
} LogSelect;

/* A row handed to the visitor; slices live in the select's arena or in mapped parts until log_store select returns. */
typedef struct LogView {
    Labels stream;
    uint64_t stream_ref;             /* same stream, same number within one select */
    int64_t t_ns;
    Str line;
    const Attr *metadata; size_t n_metadata;
} LogView;

/* false stops the scan (limit reached). Rows come in time order over all streams (ties: any). */
typedef bool (*LogVisitFn)(void *ctx, const LogView *row);

typedef struct LogScanStats { uint64_t rows, bytes, blocks, blocks_skipped; } LogScanStats;
typedef struct LogStoreStats { uint64_t rows_total, streams, parts, bytes_on_disk, wal_bytes, memory_bytes, corrupt_parts, wal_corrupt_frames, wal_torn_bytes; int64_t min_t_ns, max_t_ns; } LogStoreStats;

typedef struct LogStoreOps {
    ErrCode (*append)(LogStore *s, const LogsBatch *batch, LogAppendResult *ret, Err *reterr);
    ErrCode (*select)(LogStore *s, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *ret_stats, Err *reterr);
    ErrCode (*streams)(LogStore *s, const LogSelect *req, Labels **ret, size_t *ret_n, Err *reterr);
    ErrCode (*label_names)(LogStore *s, const LogSelect *req, Str **ret, size_t *ret_n, Err *reterr);
    ErrCode (*label_values)(LogStore *s, const LogSelect *req, Str name, Str **ret, size_t *ret_n, Err *reterr);
    ErrCode (*delete_rows)(LogStore *s, const LogSelect *req, uint64_t *ret_deleted, Err *reterr);
    void (*stats)(LogStore *s, LogStoreStats *ret);
    ErrCode (*flush)(LogStore *s, Err *reterr);
    void (*close)(LogStore *s);
} LogStoreOps;

struct LogStore { const LogStoreOps *ops; };

typedef struct LogStoreOptions {
    bool durable;
    int64_t retention_ms;            /* 0: 30 days */
    uint64_t retention_bytes;
    size_t head_bytes_max;           /* 0: 64 MiB */
} LogStoreOptions;

ErrCode log_store_open(Fs *fs, const char *dir, const LogStoreOptions *opts, LogStore **ret, Err *reterr);

#endif
