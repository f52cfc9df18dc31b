/* trace_scan.h - going through the spans of a store, newest first, with what can be ruled out left unread.
 *
 * Conditions are hints: the store uses them to pass over blocks, traces and spans that certainly do not meet them; what
 * it hands out may still not meet them, and is to be looked at by the caller. */
#ifndef MEERKAT_TRACES_TRACE_SCAN_H
#define MEERKAT_TRACES_TRACE_SCAN_H

#include "model/spans_batch.h"

#include <stdatomic.h>

typedef enum TraceCondField {
    TRACE_COND_SPAN,     /* an attribute of the span */
    TRACE_COND_RESOURCE, /* of its resource */
    TRACE_COND_ANY,      /* of the span, or else of its resource */
    TRACE_COND_NAME,     /* match gets a string */
    TRACE_COND_DURATION, /* min, max */
    TRACE_COND_STATUS,   /* mask */
    TRACE_COND_KIND,     /* mask */
    TRACE_COND_EVENTS,   /* has some */
    TRACE_COND_LINKS,    /* has some */
} TraceCondField;

typedef struct TraceCond {
    TraceCondField field;
    Str key;
    bool (*match)(const void *ctx, const AttrValue *v); /* any thread; never called for absent attributes */
    const void *ctx;
    Str equal;        /* not empty: match takes this text only (or an array that holds it), as a string or a number */
    int64_t min, max; /* both included */
    uint32_t mask;    /* bit: SpanStatus or SpanKind */
} TraceCond;
/* All of them on one span. None: any span. */
typedef struct TraceConds {
    const TraceCond *v;
    size_t n;
} TraceConds;
/* One of the alternatives. */
typedef struct TraceClause {
    const TraceConds *v;
    size_t n;
} TraceClause;
#define TRACE_CLAUSES_MAX 8

/* What spans are handed out with. Times, name, kind, status, trace id and resource always are there. */
typedef struct TraceNeed {
    bool everything;
    bool ids;   /* span id, parent id */
    bool texts; /* status message */
    bool scope, events, links;
    const Str *keys; /* of span attributes */
    size_t n_keys;
} TraceNeed;

/* whole: batch is one whole trace with all its spans, in no particular order; else spans that meet every clause, of any
 * traces, each once. The batch is the callback's for the time of the call; scratch is emptied after it. Any thread,
 * several at a time, each with its own worker number. Anything but OK ends the scan. */
typedef ErrCode (*TraceScanFn)(void *ctx, unsigned worker, SpansBatch *batch, Arena *scratch, Err *reterr);

typedef struct TraceScan {
    int64_t start_ns, end_ns; /* [start, end); 0, 0: everything */
    /* Traces: each clause is met by some span, and a span that meets one of them starts in the window. Spans: it meets
     * all of them and starts in the window. */
    const TraceClause *clauses;
    size_t n_clauses;
    TraceNeed need;
    bool whole;
    unsigned threads;    /* at least 1 */
    size_t memory_bytes; /* of each thread, for one block and one trace */
    const _Atomic bool *cancel;
    int64_t deadline_mono_ns;        /* 0: none */
    const _Atomic int64_t *floor_ns; /* traces that start before it are of no interest any more; NULL */
    TraceScanFn fn;
    void *ctx;
} TraceScan;

typedef struct TraceScanStats {
    uint64_t traces, spans; /* handed out */
    uint64_t blocks, skipped;
    uint64_t bytes;          /* of opened blocks, near enough */
    uint64_t corrupt_blocks; /* left out */
    uint64_t too_large;      /* traces that need more than memory_bytes: left out */
} TraceScanStats;

#endif
