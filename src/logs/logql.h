/* logql.h - LogQL: parse, print, evaluate over any log store.
 *
 * Source of the language: Grafana Loki's documentation of LogQL; texts of errors are those its clients know.
 * What is not supported yet (regexp, pattern, unpack, line_format, label_format, expressions of json and logfmt,
 * label_replace, approx_topk) is refused by the parser with its place and its name. */
#ifndef MEERKAT_LOGS_LOGQL_H
#define MEERKAT_LOGS_LOGQL_H

#include "logs/log_store.h"

#define LOGQL_SOURCE_MAX 131072
#define LOGQL_STEPS_MAX 11000

typedef struct LqExpr LqExpr;

/* The tree lives in the arena and borrows src. ERR_INVALID with line, column and Loki's text. */
ErrCode logql_parse(Str src, Arena *arena, const LqExpr **ret, Err *reterr);
/* Canonical text, as Loki's format_query gives it. */
void logql_print(Buf *out, const LqExpr *e);
bool logql_is_log_query(const LqExpr *e); /* lines, not numbers */
bool logql_is_scalar(const LqExpr *e);    /* a number, not a vector: the result type of an instant query */
/* The selector's matchers of a log query (`{a="b"} | ...`); ERR_INVALID for other expressions. */
ErrCode logql_matchers(const LqExpr *e, Matchers *ret, Err *reterr);
/* {a="b"} alone, or empty text or {} for "all"; for the label and series endpoints. */
ErrCode logql_parse_selector(Str src, Arena *arena, Matchers *ret, Err *reterr);

typedef struct LogqlRequest {
    LogStore *store;
    Arena *arena;             /* results and tables; its budget bounds the query */
    int64_t start_ns, end_ns; /* lines: [start, end); numbers: evaluated at start, start + step, ... <= end */
    int64_t step_ns;          /* 0: only at start (instant) */
    uint32_t limit;           /* lines */
    bool backward;
    bool categorize;   /* streams are told apart by their index labels only */
    size_t series_max; /* 0: 100000 */
    const _Atomic bool *cancel;
    bool (*gone)(void *ctx); /* may be NULL: asked now and then whether the client has gone */
    void *gone_ctx;
    int64_t deadline_mono_ns; /* 0: none */
} LogqlRequest;

typedef struct LogqlStats {
    LogScanStats scan;
    uint64_t lines_kept; /* after the pipeline */
} LogqlStats;

typedef struct LogqlEntry {
    int64_t t_ns;
    Str line;
    Labels metadata, parsed; /* categorized; each sorted */
} LogqlEntry;
typedef struct LogqlStream {
    Labels labels;
    AVEC(LogqlEntry) entries; /* in the query's order */
} LogqlStream;
typedef struct LogqlStreams {
    LogqlStream *v;
    size_t n;
    uint64_t n_entries;
} LogqlStreams;
ErrCode logql_run_log(const LogqlRequest *req, const LqExpr *e, LogqlStreams *ret, LogqlStats *ret_stats, Err *reterr);

typedef struct LogqlSeries {
    Labels labels;
    double *v;        /* one per step */
    uint8_t *present; /* one per step: 1 has a value */
} LogqlSeries;
typedef struct LogqlMatrix {
    LogqlSeries *v; /* sorted by labels, except after sort, sort_desc at an instant */
    size_t n, n_steps;
    bool is_scalar;
    bool ordered; /* the order of series is the answer's (sort, topk) */
} LogqlMatrix;
/* ERR_INVALID, ERR_TOO_LARGE (series, memory, steps), ERR_TIMEOUT, ERR_CANCELLED, or the store's errors. */
ErrCode logql_run_metric(
    const LogqlRequest *req, const LqExpr *e, LogqlMatrix *ret, LogqlStats *ret_stats, Err *reterr);

#endif
