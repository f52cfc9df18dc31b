/* series_notation.h - series as Prometheus' unit tests of rules write them: labels and the values at equal intervals.
 * Source: Prometheus' documentation of unit testing for rules. */
#ifndef MEERKAT_METRICS_PROMQL_SERIES_NOTATION_H
#define MEERKAT_METRICS_PROMQL_SERIES_NOTATION_H

#include "base/err.h"
#include "model/histogram.h"
#include "model/labels.h"

typedef struct NotedValue {
    bool omitted; /* _: no sample */
    double value; /* a stale marker is one */
    const Histogram *histogram;
} NotedValue;

typedef struct NotedSeries {
    Labels labels; /* sorted */
    const NotedValue *v;
    size_t n;
} NotedSeries;

/* `name{a="b"} 1 2x3 1+2x5 _ _x3 stale {{sum:4}}`; everything lives in the arena. ERR_INVALID; ERR_TOO_LARGE. */
ErrCode promql_parse_noted(Str line, Arena *arena, NotedSeries *ret, Err *reterr);
/* {{count:3 sum:4 buckets:[1 2]}} as Prometheus' tests print a histogram. */
void promql_put_noted_histogram(Buf *out, const Histogram *h, bool with_reset_hint);

#endif
