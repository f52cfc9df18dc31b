/* traceql_metrics.h - TraceQL metrics: series over time from the spans of a store.
 *
 * Source: Grafana Tempo's documentation of TraceQL metrics; docs/traceql-metrics.md says how each function is counted
 * and what differs. Spans are streamed: only the accumulators of series and intervals are kept. */
#ifndef MEERKAT_TRACES_TRACEQL_METRICS_H
#define MEERKAT_TRACES_TRACEQL_METRICS_H

#include "traces/traceql_eval.h"

#define TQL_POINTS_MAX 11000
#define TQL_SERIES_MAX 10000

typedef struct TqlMetricsRequest {
    TraceStore *store;
    const TraceQl *query; /* ERR_INVALID when it is a search */
    /* Points at start, start + step, ... end; each stands for the step that ends there, (t - step, t], by the starts of
     * spans. step 0: one point at end for (start, end]. */
    int64_t start_ns, end_ns, step_ns;
    size_t series_max;    /* of the answer; 0: TQL_SERIES_MAX */
    size_t exemplars_max; /* of the whole answer; 0: none */
    size_t memory_bytes;  /* of all accumulators; 0: 256 MiB */
    unsigned threads;     /* 0: as traceql_scan chooses */
    const _Atomic bool *cancel;
    bool (*gone)(void *ctx); /* asked now and then: nobody waits for the answer any more; NULL: never */
    void *gone_ctx;
    int64_t deadline_mono_ns; /* 0: none */
} TqlMetricsRequest;

typedef struct TqlLabel {
    Str name;       /* "resource.service.name", "p", "__bucket", "__name__", "__meta_type" */
    TqlValue value; /* NIL: the spans do not have it */
} TqlLabel;
typedef struct TqlExemplar {
    TraceId trace_id;
    int64_t t_ns;
    double value;
} TqlExemplar;
typedef struct TqlSeries {
    TqlLabel *labels;
    size_t n_labels;
    double *v; /* by point; NaN: none */
    TqlExemplar *exemplars;
    size_t n_exemplars;
} TqlSeries;
typedef struct TqlMatrix {
    int64_t first_ns, step_ns;
    size_t n_points;
    TqlSeries *series; /* ordered by labels */
    size_t n;
    TqlScanStats stats;
} TqlMatrix;

/* start and end widened to multiples of step, as range queries have them. */
void traceql_metrics_align(int64_t *start_ns, int64_t *end_ns, int64_t step_ns);
/* A step that gives a chart of the window a few hundred points. */
int64_t traceql_metrics_step(int64_t start_ns, int64_t end_ns);
/* Everything lies in the arena. ERR_INVALID: the query cannot be run so; ERR_TOO_LARGE: series, points, memory. */
ErrCode traceql_metrics(const TqlMetricsRequest *req, Arena *arena, TqlMatrix *ret, Err *reterr);
/* {a="x", "resource.service.name"="y"} */
void traceql_metrics_put_labels(Buf *out, const TqlLabel *labels, size_t n);

#endif
