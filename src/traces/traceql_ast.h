/* traceql_ast.h - the tree of a TraceQL query. Nodes live in the query's arena and borrow its source.
 *
 * Source of the language: Grafana Tempo's documentation of TraceQL. docs/traceql.md has the grammar and what differs.
 * Every node has the range of the source it was read from, for messages; the printer and comparisons leave it out. */
#ifndef MEERKAT_TRACES_TRACEQL_AST_H
#define MEERKAT_TRACES_TRACEQL_AST_H

#include "base/vec.h"
#include "codec/regex.h"
#include "lang/lexer.h"
#include "model/spans_batch.h"

/* --- values: literals of the language and what fields of spans are --- */

typedef enum TqlType {
    TQL_NIL, /* also what a span does not have */
    TQL_STRING,
    TQL_INT,
    TQL_FLOAT,
    TQL_BOOL,
    TQL_DURATION, /* ns */
    TQL_STATUS,   /* i: SpanStatus */
    TQL_KIND,     /* i: SpanKind */
    TQL_ARRAY,    /* an attribute's array */
    TQL_MANY,     /* of several events or links: one for each that has it */
} TqlType;

typedef struct TqlValue TqlValue;
struct TqlValue {
    TqlType type;
    uint32_t n; /* ARRAY, MANY */
    union {
        Str s;
        int64_t i; /* INT, DURATION, STATUS, KIND */
        double d;
        bool b;
        const TqlValue *v; /* ARRAY, MANY: its elements, no arrays themselves */
    };
};

/* --- fields --- */

typedef enum TqlScope {
    TQL_SCOPE_ANY, /* .x: the span's attribute, else its resource's */
    TQL_SCOPE_SPAN,
    TQL_SCOPE_RESOURCE,
    TQL_SCOPE_EVENT,
    TQL_SCOPE_LINK,
    TQL_SCOPE_INSTRUMENTATION,
    TQL_SCOPES,
} TqlScope;

typedef enum TqlIntrinsic {
    TQL_NOT_INTRINSIC, /* an attribute: scope and name */
    TQL_DURATION_NS,
    TQL_NAME,
    TQL_STATUS_CODE,
    TQL_STATUS_MESSAGE,
    TQL_SPAN_KIND,
    TQL_CHILD_COUNT,
    TQL_PARENT_SPAN, /* parent: nil or not */
    TQL_SPAN_ID,
    TQL_SPAN_PARENT_ID,
    TQL_NESTED_SET_LEFT,
    TQL_NESTED_SET_RIGHT,
    TQL_NESTED_SET_PARENT,
    TQL_TRACE_DURATION,
    TQL_TRACE_ROOT_NAME,
    TQL_TRACE_ROOT_SERVICE,
    TQL_TRACE_ID,
    TQL_EVENT_NAME,
    TQL_EVENT_TIME_SINCE_START,
    TQL_LINK_TRACE_ID,
    TQL_LINK_SPAN_ID,
    TQL_INSTRUMENTATION_NAME,
    TQL_INSTRUMENTATION_VERSION,
    TQL_INTRINSICS,
} TqlIntrinsic;

typedef struct TqlAttr {
    TqlIntrinsic intrinsic;
    TqlScope scope;
    bool parent; /* parent.x, parent.span.x, parent.resource.x: of the span's parent; attributes only */
    Str name;    /* of attributes, without quotes */
} TqlAttr;

/* --- operators: of fields, spansets, scalars and metrics alike --- */

typedef enum TqlOp {
    TQL_OR,
    TQL_AND,
    TQL_EQ,
    TQL_NEQ,
    TQL_RE,
    TQL_NRE,
    TQL_GT,
    TQL_GE,
    TQL_LT,
    TQL_LE,
    TQL_ADD,
    TQL_SUB,
    TQL_MUL,
    TQL_DIV,
    TQL_MOD,
    TQL_POW,
    TQL_NOT, /* unary */
    TQL_NEG, /* unary */
    /* Between spansets; each gives spans of its right side. */
    TQL_CHILD,      /* >: children of a left one */
    TQL_PARENT,     /* < */
    TQL_DESCENDANT, /* >> */
    TQL_ANCESTOR,   /* << */
    TQL_SIBLING,    /* ~ */
    TQL_NOT_CHILD,
    TQL_NOT_PARENT,
    TQL_NOT_DESCENDANT,
    TQL_NOT_ANCESTOR,
    TQL_NOT_SIBLING,
    TQL_UNION_CHILD, /* &>: the left ones that have such a right one, too */
    TQL_UNION_PARENT,
    TQL_UNION_DESCENDANT,
    TQL_UNION_ANCESTOR,
    TQL_UNION_SIBLING,
    TQL_OPS,
} TqlOp;
extern const char *const tql_op_names[TQL_OPS];

/* --- field expressions: what stands in { } and in the parentheses of by, select, avg... --- */

typedef enum TqlExprKind { TQL_E_STATIC, TQL_E_ATTR, TQL_E_UNARY, TQL_E_BINARY } TqlExprKind;
typedef struct TqlExpr TqlExpr;
struct TqlExpr {
    TqlExprKind kind;
    LangSpan span;
    TqlValue value;        /* STATIC */
    TqlAttr attr;          /* ATTR */
    TqlOp op;              /* UNARY: NOT, NEG; BINARY */
    TqlExpr *left, *right; /* UNARY: left only */
    const Regex *re;       /* BINARY RE, NRE whose right side is a literal; goes with the arena */
};
typedef AVEC(TqlExpr *) TqlExprs;

/* --- spansets --- */

typedef struct TqlPipeline TqlPipeline;

typedef enum TqlSpansetKind {
    TQL_S_FILTER,   /* { expr } */
    TQL_S_BINARY,   /* left op right */
    TQL_S_PIPELINE, /* ({ } | ...) as an operand */
} TqlSpansetKind;
typedef struct TqlSpansetExpr TqlSpansetExpr;
struct TqlSpansetExpr {
    TqlSpansetKind kind;
    LangSpan span;
    TqlExpr *filter; /* FILTER; NULL: {} */
    TqlOp op;
    TqlSpansetExpr *left, *right;
    TqlPipeline *pipeline;
};

/* --- scalars: numbers of a spanset --- */

typedef enum TqlAggregate { TQL_COUNT, TQL_AVG, TQL_MAX, TQL_MIN, TQL_SUM } TqlAggregate;
extern const char *const tql_aggregate_names[5];

typedef enum TqlScalarKind {
    TQL_C_STATIC,
    TQL_C_AGGREGATE,
    TQL_C_BINARY,   /* arithmetic */
    TQL_C_PIPELINE, /* ({ } | count()): its own spans' number */
} TqlScalarKind;
typedef struct TqlScalar TqlScalar;
struct TqlScalar {
    TqlScalarKind kind;
    LangSpan span;
    TqlValue value;
    TqlAggregate aggregate;
    TqlExpr *expr; /* AGGREGATE; NULL for count */
    TqlOp op;
    TqlScalar *left, *right;
    TqlPipeline *pipeline; /* PIPELINE: its last stage is a TQL_ST_SCALAR */
};

/* --- pipelines --- */

typedef enum TqlStageKind {
    TQL_ST_SPANSET,  /* the first stage, or a further { } or combination of them */
    TQL_ST_BY,       /* by(exprs[0]) */
    TQL_ST_COALESCE, /* coalesce() */
    TQL_ST_SELECT,   /* select(exprs) */
    TQL_ST_COMPARE,  /* left op right: keeps the spansets for which it holds */
    TQL_ST_SCALAR, /* left alone, at the end of a parenthesised operand or after |: keeps spansets that have a number */
} TqlStageKind;
typedef struct TqlStage TqlStage;
struct TqlStage {
    TqlStage *next;
    TqlStageKind kind;
    LangSpan span;
    TqlSpansetExpr *spanset;
    TqlExprs exprs; /* BY: one; SELECT: attributes */
    TqlScalar *left, *right;
    TqlOp op;
};
struct TqlPipeline {
    LangSpan span;
    TqlStage *stages; /* at least one */
};

/* --- metrics --- */

typedef enum TqlMetricsFunc {
    TQL_M_RATE,
    TQL_M_COUNT_OVER_TIME,
    TQL_M_MIN_OVER_TIME,
    TQL_M_MAX_OVER_TIME,
    TQL_M_AVG_OVER_TIME,
    TQL_M_SUM_OVER_TIME,
    TQL_M_QUANTILE_OVER_TIME,
    TQL_M_HISTOGRAM_OVER_TIME,
    TQL_M_COMPARE,
    TQL_M_FUNCS,
} TqlMetricsFunc;
extern const char *const tql_metrics_names[TQL_M_FUNCS];

typedef enum TqlSecondKind { TQL_TOPK, TQL_BOTTOMK, TQL_THRESHOLD } TqlSecondKind;
typedef struct TqlSecond TqlSecond; /* what follows the function, in order */
struct TqlSecond {
    TqlSecond *next;
    TqlSecondKind kind;
    LangSpan span;
    int64_t k;        /* TOPK, BOTTOMK: > 0 */
    TqlOp op;         /* THRESHOLD: EQ, NEQ, GT, GE, LT, LE */
    double value;     /* THRESHOLD; durations in seconds */
    TqlValue literal; /* THRESHOLD: as written */
};

typedef enum TqlMetricsKind { TQL_M_PIPELINE, TQL_M_SCALAR, TQL_M_BINARY } TqlMetricsKind;
typedef struct TqlMetrics TqlMetrics;
struct TqlMetrics {
    TqlMetricsKind kind;
    LangSpan span;
    /* PIPELINE */
    TqlPipeline *pipeline; /* the spans; stages are SPANSET, BY, COALESCE, SELECT, COMPARE */
    TqlMetricsFunc func;
    TqlExpr *arg; /* of *_over_time but count: an attribute or duration; else NULL */
    TqlExprs by;
    AVEC(double) quantiles;
    TqlSpansetExpr *compare;                  /* COMPARE: the selection's filter */
    int64_t compare_top_n;                    /* 10 when not given */
    int64_t compare_start_ns, compare_end_ns; /* 0: not given */
    unsigned n_compare_args;                  /* 1, 2 or 4 as written */
    TqlSecond *second;
    /* SCALAR */
    double value;
    TqlValue literal;
    /* BINARY: ADD, SUB, MUL, DIV; or THRESHOLD of a whole (in second). */
    TqlOp op;
    TqlMetrics *left, *right;
};

/* --- the query --- */

typedef struct TqlHint {
    Str name;
    LangSpan span;
    TqlValue value;
} TqlHint;

struct TraceQl {
    Str source;
    bool is_metrics;
    TqlPipeline *pipeline; /* of a search */
    TqlMetrics *metrics;
    AVEC(TqlHint) hints; /* with(name=value, ...) */
};

#endif
