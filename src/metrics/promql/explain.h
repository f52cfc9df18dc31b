/* explain.h - what a query did, operator by operator: filled by promql_eval when PromqlQuery.explain is set.
 *
 * The tree follows the syntax tree without its parentheses. Everything is in the query's arena. */
#ifndef MEERKAT_METRICS_PROMQL_EXPLAIN_H
#define MEERKAT_METRICS_PROMQL_EXPLAIN_H

#include "metrics/promql/ast.h"

typedef struct PromqlPlan PromqlPlan;
struct PromqlPlan {
    const char *op;  /* "selector", "window", "subquery", "function", "aggregate", "binary", "unary", "literal" */
    Str name;        /* what the operator does: "rate", "sum by (job)", "+", "up{job=\"a\"}" */
    Str text;        /* the whole expression */
    LangSpan span;   /* of it in the source */
    const char *how; /* "streamed": series by series into what is above; "once": does not change from step to step;
                        "columns": all series, then all steps */
    uint64_t steps;  /* it was evaluated for */
    uint64_t series; /* its result has */
    uint64_t points;
    int64_t ns;       /* time spent, operators below included */
    unsigned threads; /* that worked on it */

    /* Of a selector: */
    int64_t min_t_ms, max_t_ms; /* what was asked of the store, inclusive */
    uint64_t series_matched;
    uint64_t samples_decoded;                        /* by the store */
    uint64_t blocks, blocks_decoded, blocks_skipped; /* skipped: their statistics sufficed */

    PromqlPlan *const *children;
    size_t n_children;
};

#endif
