/* traceql_eval_int.h - private: views (traceql_view.c), fields of spans (traceql_field.c), pipelines (traceql_run.c),
 * programs (traceql_program.c). */
#ifndef MEERKAT_TRACES_TRACEQL_EVAL_INT_H
#define MEERKAT_TRACES_TRACEQL_EVAL_INT_H

#include "traces/traceql_eval.h"

#define TQL_NONE UINT32_MAX

/* Where spans stand in their trace. Left and right are numbers of a walk through the trees (0: in a circle of parents,
 * not reached by any walk); what lies between a span's two is below it. */
typedef struct TqlPlace {
    uint32_t parent; /* row, or TQL_NONE */
    uint32_t left, right;
    int64_t parent_left; /* -1: a root; 0: its parent is missing, or not reached */
    uint32_t children;
} TqlPlace;

struct TqlView {
    const SpansBatch *batch;
    bool whole;
    uint32_t *order;  /* rows by start, then span id */
    TqlPlace *places; /* by row; whole traces only */
    uint32_t root;
    int64_t min_start_ns, max_end_ns;
};

/* A field expression in the middle of being evaluated. */
typedef struct TqlEval {
    const TqlView *view;
    uint32_t row;
    Arena *arena;
} TqlEval;
TqlValue tql_field(const TqlEval *x, const TqlAttr *a);
TqlValue tql_eval(const TqlEval *x, const TqlExpr *e);
bool tql_is_true(TqlValue v);
/* The comparison e for two values, neither of them nil. */
bool tql_match(const TqlExpr *e, TqlValue l, TqlValue r);
/* Comparison and arithmetic of two values; NIL: no answer. */
TqlValue tql_apply(TqlOp op, TqlValue l, TqlValue r);
double tql_as_f64(TqlValue v);
bool tql_is_number(TqlValue v);
/* An attribute's value as the language sees it. */
TqlValue tql_of_attr(const AttrValue *v, Arena *arena);

typedef AVEC(TqlAttr) TqlAttrs;

struct TqlProgram {
    const TqlPipeline *pipeline;
    const TqlExpr *const *fields;
    size_t n_fields;
    bool local;
    bool all_attributes, summaries;
    TqlAttrs shown; /* what a search shows of each span */
    TqlAttrs used;  /* everything that is looked at */
};

#endif
