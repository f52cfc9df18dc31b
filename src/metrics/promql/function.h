/* function.h - the one table of PromQL functions: names, types, and what the engine calls. */
#ifndef MEERKAT_METRICS_PROMQL_FUNCTION_H
#define MEERKAT_METRICS_PROMQL_FUNCTION_H

#include "metrics/promql/ast.h"

#define PQL_FUNCTION_ARGS_MAX 5

typedef enum PqlFn {
    FN_ABS,
    FN_ABSENT,
    FN_ABSENT_OVER_TIME,
    FN_ACOS,
    FN_ACOSH,
    FN_ASIN,
    FN_ASINH,
    FN_ATAN,
    FN_ATANH,
    FN_AVG_OVER_TIME,
    FN_CEIL,
    FN_CHANGES,
    FN_CLAMP,
    FN_CLAMP_MAX,
    FN_CLAMP_MIN,
    FN_COS,
    FN_COSH,
    FN_COUNT_OVER_TIME,
    FN_DAY_OF_MONTH,
    FN_DAY_OF_WEEK,
    FN_DAY_OF_YEAR,
    FN_DAYS_IN_MONTH,
    FN_DEG,
    FN_DELTA,
    FN_DERIV,
    FN_DOUBLE_EXPONENTIAL_SMOOTHING,
    FN_END,
    FN_EXP,
    FN_FIRST_OVER_TIME,
    FN_FLOOR,
    FN_HISTOGRAM_AVG,
    FN_HISTOGRAM_COUNT,
    FN_HISTOGRAM_FRACTION,
    FN_HISTOGRAM_QUANTILE,
    FN_HISTOGRAM_QUANTILES,
    FN_HISTOGRAM_STDDEV,
    FN_HISTOGRAM_STDVAR,
    FN_HISTOGRAM_SUM,
    FN_HOUR,
    FN_IDELTA,
    FN_INCREASE,
    FN_INFO,
    FN_INTEGRAL,
    FN_IRATE,
    FN_LABEL_JOIN,
    FN_LABEL_REPLACE,
    FN_LAST_OVER_TIME,
    FN_LN,
    FN_LOG10,
    FN_LOG2,
    FN_MAD_OVER_TIME,
    FN_MAX_OF,
    FN_MAX_OVER_TIME,
    FN_MIN_OF,
    FN_MIN_OVER_TIME,
    FN_MINUTE,
    FN_MONTH,
    FN_PI,
    FN_PREDICT_LINEAR,
    FN_PRESENT_OVER_TIME,
    FN_QUANTILE_OVER_TIME,
    FN_RAD,
    FN_RANGE,
    FN_RATE,
    FN_RESETS,
    FN_ROUND,
    FN_SCALAR,
    FN_SGN,
    FN_SIN,
    FN_SINH,
    FN_SORT,
    FN_SORT_BY_LABEL,
    FN_SORT_BY_LABEL_DESC,
    FN_SORT_DESC,
    FN_SQRT,
    FN_START,
    FN_START_TIMESTAMP,
    FN_STDDEV_OVER_TIME,
    FN_STDVAR_OVER_TIME,
    FN_STEP,
    FN_SUM_OVER_TIME,
    FN_TAN,
    FN_TANH,
    FN_TIME,
    FN_TIMESTAMP,
    FN_TS_OF_FIRST_OVER_TIME,
    FN_TS_OF_LAST_OVER_TIME,
    FN_TS_OF_MAX_OVER_TIME,
    FN_TS_OF_MIN_OVER_TIME,
    FN_VECTOR,
    FN_YEAR,
} PqlFn;

struct PqlFunction {
    const char *name;
    PqlFn id;
    int8_t n_args;   /* length of args */
    int8_t variadic; /* 0: exactly n_args; k > 0: n_args - 1 up to n_args - 1 + k; -1: n_args - 1 or more */
    uint8_t ret;     /* PqlType */
    uint8_t args[PQL_FUNCTION_ARGS_MAX]; /* PqlType; the last one repeats for variadic ones */
    bool experimental;                   /* behind a flag in stock Prometheus */
};

/* NULL when there is no such function. */
const PqlFunction *pql_function_find(Str name);
/* The whole table, sorted by name (features, completion). */
const PqlFunction *pql_function_table(size_t *ret_n);

#endif
