#include "metrics/promql/function.h"

#define V PQL_TYPE_VECTOR
#define S PQL_TYPE_SCALAR
#define M PQL_TYPE_MATRIX
#define T PQL_TYPE_STRING

/* name, id, arguments, variadic, result, argument types, experimental. Sorted by name. */
static const PqlFunction functions[] = {
    {"abs", FN_ABS, 1, 0, V, {V}, false},
    {"absent", FN_ABSENT, 1, 0, V, {V}, false},
    {"absent_over_time", FN_ABSENT_OVER_TIME, 1, 0, V, {M}, false},
    {"acos", FN_ACOS, 1, 0, V, {V}, false},
    {"acosh", FN_ACOSH, 1, 0, V, {V}, false},
    {"asin", FN_ASIN, 1, 0, V, {V}, false},
    {"asinh", FN_ASINH, 1, 0, V, {V}, false},
    {"atan", FN_ATAN, 1, 0, V, {V}, false},
    {"atanh", FN_ATANH, 1, 0, V, {V}, false},
    {"avg_over_time", FN_AVG_OVER_TIME, 1, 0, V, {M}, false},
    {"ceil", FN_CEIL, 1, 0, V, {V}, false},
    {"changes", FN_CHANGES, 1, 0, V, {M}, false},
    {"clamp", FN_CLAMP, 3, 0, V, {V, S, S}, false},
    {"clamp_max", FN_CLAMP_MAX, 2, 0, V, {V, S}, false},
    {"clamp_min", FN_CLAMP_MIN, 2, 0, V, {V, S}, false},
    {"cos", FN_COS, 1, 0, V, {V}, false},
    {"cosh", FN_COSH, 1, 0, V, {V}, false},
    {"count_over_time", FN_COUNT_OVER_TIME, 1, 0, V, {M}, false},
    {"day_of_month", FN_DAY_OF_MONTH, 1, 1, V, {V}, false},
    {"day_of_week", FN_DAY_OF_WEEK, 1, 1, V, {V}, false},
    {"day_of_year", FN_DAY_OF_YEAR, 1, 1, V, {V}, false},
    {"days_in_month", FN_DAYS_IN_MONTH, 1, 1, V, {V}, false},
    {"deg", FN_DEG, 1, 0, V, {V}, false},
    {"delta", FN_DELTA, 1, 0, V, {M}, false},
    {"deriv", FN_DERIV, 1, 0, V, {M}, false},
    {"double_exponential_smoothing", FN_DOUBLE_EXPONENTIAL_SMOOTHING, 3, 0, V, {M, S, S}, true},
    {"end", FN_END, 0, 0, S, {0}, true},
    {"exp", FN_EXP, 1, 0, V, {V}, false},
    {"first_over_time", FN_FIRST_OVER_TIME, 1, 0, V, {M}, false},
    {"floor", FN_FLOOR, 1, 0, V, {V}, false},
    {"histogram_avg", FN_HISTOGRAM_AVG, 1, 0, V, {V}, false},
    {"histogram_count", FN_HISTOGRAM_COUNT, 1, 0, V, {V}, false},
    {"histogram_fraction", FN_HISTOGRAM_FRACTION, 3, 0, V, {S, S, V}, false},
    {"histogram_quantile", FN_HISTOGRAM_QUANTILE, 2, 0, V, {S, V}, false},
    {"histogram_quantiles", FN_HISTOGRAM_QUANTILES, 4, 9, V, {V, T, S, S}, true},
    {"histogram_stddev", FN_HISTOGRAM_STDDEV, 1, 0, V, {V}, false},
    {"histogram_stdvar", FN_HISTOGRAM_STDVAR, 1, 0, V, {V}, false},
    {"histogram_sum", FN_HISTOGRAM_SUM, 1, 0, V, {V}, false},
    {"hour", FN_HOUR, 1, 1, V, {V}, false},
    {"idelta", FN_IDELTA, 1, 0, V, {M}, false},
    {"increase", FN_INCREASE, 1, 0, V, {M}, false},
    {"info", FN_INFO, 2, 1, V, {V, V}, true},
    {"integral", FN_INTEGRAL, 2, 1, V, {M, S}, true},
    {"irate", FN_IRATE, 1, 0, V, {M}, false},
    {"label_join", FN_LABEL_JOIN, 4, -1, V, {V, T, T, T}, false},
    {"label_replace", FN_LABEL_REPLACE, 5, 0, V, {V, T, T, T, T}, false},
    {"last_over_time", FN_LAST_OVER_TIME, 1, 0, V, {M}, false},
    {"ln", FN_LN, 1, 0, V, {V}, false},
    {"log10", FN_LOG10, 1, 0, V, {V}, false},
    {"log2", FN_LOG2, 1, 0, V, {V}, false},
    {"mad_over_time", FN_MAD_OVER_TIME, 1, 0, V, {M}, true},
    {"max_of", FN_MAX_OF, 2, 0, S, {S, S}, true},
    {"max_over_time", FN_MAX_OVER_TIME, 1, 0, V, {M}, false},
    {"min_of", FN_MIN_OF, 2, 0, S, {S, S}, true},
    {"min_over_time", FN_MIN_OVER_TIME, 1, 0, V, {M}, false},
    {"minute", FN_MINUTE, 1, 1, V, {V}, false},
    {"month", FN_MONTH, 1, 1, V, {V}, false},
    {"pi", FN_PI, 0, 0, S, {0}, false},
    {"predict_linear", FN_PREDICT_LINEAR, 2, 0, V, {M, S}, false},
    {"present_over_time", FN_PRESENT_OVER_TIME, 1, 0, V, {M}, false},
    {"quantile_over_time", FN_QUANTILE_OVER_TIME, 2, 0, V, {S, M}, false},
    {"rad", FN_RAD, 1, 0, V, {V}, false},
    {"range", FN_RANGE, 0, 0, S, {0}, true},
    {"rate", FN_RATE, 1, 0, V, {M}, false},
    {"resets", FN_RESETS, 1, 0, V, {M}, false},
    {"round", FN_ROUND, 2, 1, V, {V, S}, false},
    {"scalar", FN_SCALAR, 1, 0, S, {V}, false},
    {"sgn", FN_SGN, 1, 0, V, {V}, false},
    {"sin", FN_SIN, 1, 0, V, {V}, false},
    {"sinh", FN_SINH, 1, 0, V, {V}, false},
    {"sort", FN_SORT, 1, 0, V, {V}, false},
    {"sort_by_label", FN_SORT_BY_LABEL, 2, -1, V, {V, T}, true},
    {"sort_by_label_desc", FN_SORT_BY_LABEL_DESC, 2, -1, V, {V, T}, true},
    {"sort_desc", FN_SORT_DESC, 1, 0, V, {V}, false},
    {"sqrt", FN_SQRT, 1, 0, V, {V}, false},
    {"start", FN_START, 0, 0, S, {0}, true},
    {"start_timestamp", FN_START_TIMESTAMP, 1, 0, V, {V}, true},
    {"stddev_over_time", FN_STDDEV_OVER_TIME, 1, 0, V, {M}, false},
    {"stdvar_over_time", FN_STDVAR_OVER_TIME, 1, 0, V, {M}, false},
    {"step", FN_STEP, 0, 0, S, {0}, true},
    {"sum_over_time", FN_SUM_OVER_TIME, 1, 0, V, {M}, false},
    {"tan", FN_TAN, 1, 0, V, {V}, false},
    {"tanh", FN_TANH, 1, 0, V, {V}, false},
    {"time", FN_TIME, 0, 0, S, {0}, false},
    {"timestamp", FN_TIMESTAMP, 1, 0, V, {V}, false},
    {"ts_of_first_over_time", FN_TS_OF_FIRST_OVER_TIME, 1, 0, V, {M}, true},
    {"ts_of_last_over_time", FN_TS_OF_LAST_OVER_TIME, 1, 0, V, {M}, true},
    {"ts_of_max_over_time", FN_TS_OF_MAX_OVER_TIME, 1, 0, V, {M}, true},
    {"ts_of_min_over_time", FN_TS_OF_MIN_OVER_TIME, 1, 0, V, {M}, true},
    {"vector", FN_VECTOR, 1, 0, V, {S}, false},
    {"year", FN_YEAR, 1, 1, V, {V}, false},
};

#undef V
#undef S
#undef M
#undef T

const PqlFunction *pql_function_table(size_t *ret_n) {
    *ret_n = ARRAY_LEN(functions);
    return functions;
}

const PqlFunction *pql_function_find(Str name) {
    size_t lo = 0, hi = ARRAY_LEN(functions);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(name, str_cstr(functions[mid].name));
        if (c == 0) return &functions[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
