/* promql.h - evaluates PromQL over a metrics store: instant and range queries with Prometheus' answers.
 *
 * Evaluation is column-wise: every node of the tree is evaluated once over all steps, selectors fetch their
 * samples once for the whole range. Everything lives in the caller's arena, whose budget bounds the query. */
#ifndef MEERKAT_METRICS_PROMQL_PROMQL_H
#define MEERKAT_METRICS_PROMQL_PROMQL_H

#include "metrics/metrics_store.h"
#include "metrics/promql/active.h"
#include "metrics/promql/explain.h"

#include <stdatomic.h>

#define PROMQL_STEPS_MAX 11000

typedef struct PromqlOptions {
    int64_t lookback_ms;       /* 0: 5 minutes */
    int64_t subquery_step_ms;  /* 0: 1 minute; step of expr[5m:] (global evaluation_interval) */
    uint64_t samples_max;      /* 0: 50 million */
    bool delayed_name_removal; /* keep __name__ until the end of the query (feature flag of Prometheus) */
    bool
        use_start_timestamps; /* rates honour start times (feature flag of Prometheus); start_timestamp() has results */
    struct Pool *pool;        /* threads that may help with large queries; borrowed. NULL: none */
    unsigned part_series;     /* series that are worth a part of their own, see stream.h; 0: 64 */
} PromqlOptions;

typedef struct PromqlQuery {
    int64_t start_ms, end_ms;   /* equal for an instant query */
    int64_t step_ms;            /* 0: instant query */
    int64_t lookback_ms;        /* not above 0: the engine's */
    bool has_starts, starts;    /* starts instead of the engine's use_start_timestamps */
    const _Atomic bool *cancel; /* may be NULL: the client is gone */
    int64_t deadline_mono_ns;   /* 0: none */
    bool (*gone)(void *ctx);    /* may be NULL: asked now and then, by any thread, whether the client has gone */
    void *gone_ctx;
    PromqlTicket *ticket; /* may be NULL: its place among the running queries */
    bool step_stats;      /* PromqlStats with numbers per step */
    PromqlPlan **explain; /* may be NULL: receives what the query did */
} PromqlQuery;

typedef struct PromqlSeries {
    Labels labels;
    size_t n;
    const int64_t *t_ms; /* ascending */
    const double *value;
    const Histogram *const *histogram; /* NULL, or per point: NULL where the point is a float */
} PromqlSeries;

/* As the API's "stats" tells them. */
typedef struct PromqlStats {
    int64_t exec_ns;    /* all of it */
    int64_t queue_ns;   /* waiting for a place */
    int64_t prepare_ns; /* finding series */
    int64_t eval_ns, inner_ns, sort_ns;
    uint64_t samples_total; /* what every step by itself would load: a window's samples count at each step */
    uint64_t samples_read;  /* a window's samples count at the step at which they come in */
    uint64_t samples_peak;  /* held at once */
    uint64_t series_read;   /* by each selector: one that two of them find counts twice */
    const uint64_t *total_per_step, *read_per_step; /* NULL unless asked for */
    size_t n_steps;
} PromqlStats;

typedef struct PromqlResult {
    PqlType type; /* of an instant query; always MATRIX for a range query */
    /* VECTOR: one point per series, in the order sort(), topk() gave; MATRIX: sorted by labels; SCALAR: one
     * series without labels. */
    PromqlSeries *series;
    size_t n;
    Str string;
    Str *warnings, *infos; /* "PromQL warning: ... (1:5)", unique, in order of appearance */
    size_t n_warnings, n_infos;
    PromqlStats stats;
} PromqlResult;

/* Evaluates a parsed tree; source is its text (positions in annotations refer to it). The tree's resolved times are
 * written into it: one thread at a time. ERR_UNPROCESSABLE with Prometheus' text; ERR_TOO_LARGE when the arena is used
 * up; ERR_TIMEOUT, ERR_CANCELLED. */
ErrCode promql_eval(MetricsStore *store, const PromqlOptions *opts, const PromqlQuery *query, PqlNode *root, Str source,
    Arena *arena, PromqlResult *ret, Err *reterr);
/* Parse and evaluate. Parse errors are ERR_INVALID. */
ErrCode promql_exec(MetricsStore *store, const PromqlOptions *opts, const PromqlQuery *query, Str source, Arena *arena,
    PromqlResult *ret, Err *reterr);

/* {count:3, sum:4.5, [-1,1]:2, (1,2]:1}: a native histogram as Prometheus prints it in count_values. */
void promql_put_histogram_text(Buf *out, const Histogram *h);
/* Calls fn for every bucket from the lowest to the highest: what the API's "buckets" need. bounds is 0 for (lower,
 * upper], 1 for [lower, upper), 3 for [lower, upper]; empty buckets are left out. */
void promql_each_bucket(
    const Histogram *h, void (*fn)(void *ctx, int bounds, double lower, double upper, double count), void *ctx);

#endif
