/* traceql_eval.h - running spanset pipelines: over one trace, and over the traces of a store.
 *
 * A program is a pipeline made ready to run, with further field expressions somebody wants of the spans it keeps
 * (by(...), the argument of *_over_time). It is immutable and shared by threads. traceql_scan runs one over a store and
 * hands out the spansets of one trace after the other; a program that looks at each span alone
 * (traceql_program_is_local) gets spans straight from the columns, many traces at a time, and never a whole trace. */
#ifndef MEERKAT_TRACES_TRACEQL_EVAL_H
#define MEERKAT_TRACES_TRACEQL_EVAL_H

#include "traces/trace_store.h"
#include "traces/traceql.h"

/* --- programs --- */

typedef struct TqlProgram TqlProgram;

typedef struct TqlProgramOptions {
    const TqlExpr *const *fields; /* extra expressions, for traceql_value; their number is their place here */
    size_t n_fields;
    bool all_attributes; /* views hold every attribute (compare) */
    bool summaries;      /* views hold what traces are shown with: root, names, times, errors */
} TqlProgramOptions;
/* Lives in the arena, as does the pipeline, which must outlive it. */
ErrCode traceql_program_create(
    const TqlPipeline *p, const TqlProgramOptions *opts, Arena *arena, const TqlProgram **ret, Err *reterr);
bool traceql_program_is_local(const TqlProgram *p);

/* --- a view: spans with what is known about them --- */

typedef struct TqlView TqlView;
/* The rows are one whole trace (any order), or, local, spans of any traces of which traces are not asked about. The
 * batch must outlive the view. NULL: the arena is used up. */
ATTR_MUST TqlView *traceql_view(const SpansBatch *batch, bool whole_trace, Arena *arena);
const SpansBatch *traceql_view_batch(const TqlView *v);
/* Of a whole trace: row of its root, or UINT32_MAX when no span is without a parent. Of several the first in time. */
uint32_t traceql_view_root(const TqlView *v);

typedef struct TqlNumber {
    Str name; /* "by(resource.service.name)", "count()", "avg(duration)" */
    TqlValue value;
} TqlNumber;
/* A spanset: rows of the view in ascending start, then span id, and what the stages found out about them. */
typedef struct TqlSpanset {
    uint32_t *rows;
    uint32_t n;
    AVEC(TqlNumber) numbers;
} TqlSpanset;
typedef AVEC(TqlSpanset) TqlSpansets;

/* Runs the pipeline; *ret is empty when nothing is left. Memory is from the arena: ERR_TOO_LARGE. */
ErrCode traceql_run(const TqlProgram *p, const TqlView *v, Arena *arena, TqlSpansets *ret, Err *reterr);

/* Extra field i of a row. Strings are slices of the batch or lie in the arena. */
TqlValue traceql_value(const TqlProgram *p, size_t field, const TqlView *v, uint32_t row, Arena *arena);
/* Any expression, not prepared; for few rows. */
TqlValue traceql_eval(const TqlExpr *e, const TqlView *v, uint32_t row, Arena *arena);
/* An expression as a condition: true and nothing else. */
bool traceql_test(const TqlExpr *e, const TqlView *v, uint32_t row, Arena *arena);
/* The attributes a search shows of a span: those the query's conditions and select() name, each once, in the query's
 * order; intrinsics that are part of every answer (duration, name, span ids) only where select() or a condition names
 * them. */
size_t traceql_program_attrs(const TqlProgram *p, const TqlAttr **ret);
TqlValue traceql_attr_value(const TqlAttr *a, const TqlView *v, uint32_t row, Arena *arena);

/* --- over a store --- */

typedef struct TqlScan {
    TraceStore *store;
    const TqlProgram *program;
    int64_t start_ns, end_ns; /* [start, end); 0, 0: everything */
    bool clip; /* spansets hold only rows that start in the window (metrics); else whole traces that have one there */
    unsigned threads;    /* 0: as many as there are processors, at most 8 */
    size_t memory_bytes; /* of each thread; 0: 256 MiB */
    const _Atomic bool *cancel;
    int64_t deadline_mono_ns; /* 0: none; ERR_TIMEOUT */
    /* Traces all of whose spans start before this are of no interest any more; callers raise it while they go on.
     * NULL: all. The scan goes from the newest to the oldest. */
    const _Atomic int64_t *floor_ns;
} TqlScan;

typedef struct TqlScanStats {
    uint64_t traces, spans;   /* looked at row by row */
    uint64_t bytes;           /* of blocks that were opened, as stored */
    uint64_t blocks, skipped; /* opened; ruled out by statistics, dictionaries and filters */
    uint64_t corrupt_blocks;  /* left out */
    uint64_t too_large;       /* traces that need more than memory_bytes: left out */
} TqlScanStats;

/* What is found: called on the worker's thread, several at a time, each with its own number below traceql_scan_threads.
 * View, spansets and what lies in the arena are gone afterwards. Anything but OK ends the scan with that error. */
typedef ErrCode (*TqlFoundFn)(
    void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *reterr);
unsigned traceql_scan_threads(const TqlScan *s);
ErrCode traceql_scan(const TqlScan *s, TqlFoundFn fn, void *ctx, TqlScanStats *ret_stats, Err *reterr);

/* --- searching --- */

typedef struct TqlField {
    TqlAttr attr;
    TqlValue value;
} TqlField;
typedef struct TqlFoundSpan {
    SpanId span_id;
    int64_t start_ns, duration_ns;
    Str name;
    TqlField *fields;
    size_t n_fields;
} TqlFoundSpan;
typedef struct TqlFoundSet {
    TqlFoundSpan *spans; /* at most spans_per_set, ascending start */
    size_t n_spans;
    uint64_t matched; /* all of them */
    TqlNumber *numbers;
    size_t n_numbers;
} TqlFoundSet;
typedef struct TqlServiceStats {
    Str service;
    uint32_t spans, errors;
} TqlServiceStats;
typedef struct TqlFoundTrace {
    TraceId id;
    Str root_service, root_name; /* empty when its root is not there */
    int64_t start_ns, duration_ns;
    TqlFoundSet *sets;
    size_t n_sets;
    TqlServiceStats *services; /* by name */
    size_t n_services;
} TqlFoundTrace;

typedef struct TqlSearch {
    TraceStore *store;
    const TraceQl *query; /* a search: ERR_INVALID for metrics */
    int64_t start_ns, end_ns;
    uint32_t limit;                           /* traces; 0: 20 */
    uint32_t spans_per_set;                   /* 0: 3 */
    int64_t min_duration_ns, max_duration_ns; /* of the trace; 0: no bound */
    unsigned threads;
    const _Atomic bool *cancel;
    int64_t deadline_mono_ns;
} TqlSearch;
typedef struct TqlSearchResult {
    TqlFoundTrace *traces; /* newest start first, then by id: the same question has the same answer */
    size_t n_traces;
    TqlScanStats stats;
} TqlSearchResult;
/* The result lies in the arena. ERR_INVALID, ERR_TOO_LARGE, ERR_CANCELLED, ERR_TIMEOUT, or the store's errors. */
ErrCode traceql_search(const TqlSearch *s, Arena *arena, TqlSearchResult *ret, Err *reterr);

#endif
