/* trace_store.h - the interface of a store for spans. All calls are thread-safe. */
#ifndef MEERKAT_TRACES_TRACE_STORE_H
#define MEERKAT_TRACES_TRACE_STORE_H

#include "model/spans_batch.h"
#include "sys/fs.h"
#include "traces/trace_scan.h"

typedef struct TraceStore TraceStore;

typedef struct TraceAppendResult {
    uint64_t spans, duplicates /* same trace, span id and content */, refused;
    char first_error[256];
} TraceAppendResult;

typedef struct TraceTag {
    Str key, value;
} TraceTag; /* equality on the value's text; also matches resource attributes, "error", "span.kind"... as Jaeger's tags
             */

typedef struct TraceFind {
    Str service, operation; /* empty: any */
    const TraceTag *tags;
    size_t n_tags;
    int64_t start_ns, end_ns;                 /* a span that matches starts within, both ends included; end 0: no end */
    int64_t min_duration_ns, max_duration_ns; /* of the matching span; 0: no bound */
    uint32_t limit;                           /* traces, newest first; 0: no limit */
    Arena *arena;
    const _Atomic bool *cancel;
} TraceFind;

typedef struct TraceOperation {
    Str name;
    uint8_t kind;
} TraceOperation;

/* Requests, errors and latency of one service over a window, kept at ingest from server and consumer spans
 * (a service that has neither: from its root spans). */
typedef struct ServiceRed {
    Str service;
    uint64_t requests, errors;
    double p50_s, p95_s, p99_s;
    int64_t last_seen_ns;
} ServiceRed;

/* The same with points over time. Services are ordered by name. */
typedef struct RedPoint {
    int64_t t_ns;
    uint64_t requests, errors;
    double p50_s, p95_s, p99_s;
} RedPoint;
typedef struct ServiceRedSeries {
    ServiceRed total;
    RedPoint *points;
    size_t n_points;
} ServiceRedSeries;
#define TRACE_RED_POINTS_MAX 1500

/* Calls of service child by service parent (equal for calls within one), counted where the child's span starts in the
 * window. */
typedef struct TraceDependency {
    Str parent, child;
    uint64_t calls;
} TraceDependency;

/* Where a tag (an attribute's key) was seen. */
typedef enum TraceTagScope {
    TRACE_TAG_RESOURCE,
    TRACE_TAG_SPAN,
    TRACE_TAG_EVENT,
    TRACE_TAG_LINK,
    TRACE_TAG_INSTRUMENTATION,
    TRACE_TAG_SCOPES
} TraceTagScope;

typedef struct TraceTagNames {
    unsigned scopes;          /* which to look for: bits 1 << TraceTagScope */
    int64_t start_ns, end_ns; /* blocks with spans that start there, both ends included; end 0: no end */
    size_t max;               /* names per scope, the first that are met; 0: no limit */
    Arena *arena;
    const _Atomic bool *cancel;
    /* The answer: sorted, unique. */
    Str *names[TRACE_TAG_SCOPES];
    size_t n[TRACE_TAG_SCOPES];
} TraceTagNames;

typedef struct TraceStoreStats {
    uint64_t spans_total, traces_head, parts, bytes_on_disk, wal_bytes, memory_bytes, corrupt_parts,
        corrupt_blocks /* met by queries, left out of their answers */, wal_corrupt_frames, wal_torn_bytes;
    const char *wal_problem; /* the first: file and place; lives as long as the store, "": none */
    int64_t min_t_ns, max_t_ns;
} TraceStoreStats;

typedef struct TraceStoreOps {
    ErrCode (*append)(TraceStore *s, const SpansBatch *batch, TraceAppendResult *ret, Err *reterr);
    /* All spans of one trace, from head and parts, into *ret (its arena is the given one). ERR_NOT_FOUND. */
    ErrCode (*get)(TraceStore *s, TraceId id, Arena *arena, SpansBatch *ret, Err *reterr);
    /* Ids of traces with a matching span, newest first by that span's start, at most limit. */
    ErrCode (*find)(TraceStore *s, const TraceFind *req, TraceId **ret, size_t *ret_n, Err *reterr);
    /* Traces or spans that may meet the request's conditions, newest first, each once. ERR_CANCELLED, ERR_TIMEOUT,
     * ERR_TOO_LARGE (a trace that needs more than memory_bytes), or the callback's. */
    ErrCode (*scan)(TraceStore *s, const TraceScan *req, TraceScanStats *ret, Err *reterr);
    ErrCode (*services)(TraceStore *s, Arena *arena, Str **ret, size_t *ret_n, Err *reterr); /* sorted */
    /* kind SPAN_UNSPECIFIED: all kinds. Sorted by name, then kind; unique. */
    ErrCode (*operations)(
        TraceStore *s, Str service, SpanKind kind, Arena *arena, TraceOperation **ret, size_t *ret_n, Err *reterr);
    ErrCode (*red)(
        TraceStore *s, int64_t start_ns, int64_t end_ns, Arena *arena, ServiceRed **ret, size_t *ret_n, Err *reterr);
    /* Windows are widened to whole minutes. step_ns is rounded up to whole minutes; ERR_INVALID beyond
     * TRACE_RED_POINTS_MAX points. Points without requests are there, with zeros. */
    ErrCode (*red_series)(TraceStore *s, int64_t start_ns, int64_t end_ns, int64_t step_ns, Arena *arena,
        ServiceRedSeries **ret, size_t *ret_n, Err *reterr);
    /* Sorted by parent, then child; service empty: all, else those it takes part in. */
    ErrCode (*dependencies)(TraceStore *s, int64_t start_ns, int64_t end_ns, Str service, Arena *arena,
        TraceDependency **ret, size_t *ret_n, Err *reterr);
    /* Keys of attributes by where they stand, mostly from the tables of parts: they may belong to spans just outside
     * of the window or deleted since. */
    ErrCode (*tag_names)(TraceStore *s, TraceTagNames *q, Err *reterr);
    ErrCode (*delete_trace)(TraceStore *s, TraceId id, Err *reterr); /* ERR_NOT_FOUND */
    void (*stats)(TraceStore *s, TraceStoreStats *ret);
    ErrCode (*flush)(TraceStore *s, Err *reterr);
    void (*close)(TraceStore *s);
} TraceStoreOps;

struct TraceStore {
    const TraceStoreOps *ops;
};

typedef struct TraceStoreOptions {
    bool durable;
    int64_t
        retention_ms; /* 0: 7 days; counted from when spans arrived, so that late and backfilled ones live as long */
    uint64_t retention_bytes;
    size_t head_bytes_max; /* 0: 64 MiB */
} TraceStoreOptions;

ErrCode trace_store_open(Fs *fs, const char *dir, const TraceStoreOptions *opts, TraceStore **ret, Err *reterr);

#endif
