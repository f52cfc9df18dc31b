/* points.h - the points of a range query's floats as JSON: [t,"v"] each. An answer may have millions of them. */
#ifndef MEERKAT_METRICS_API_POINTS_H
#define MEERKAT_METRICS_API_POINTS_H

#include "metrics/promql/promql.h"

/* What stands before each step's value, as text, since all series have the same times; empty: written anew each time.
 */
typedef struct PointTimes {
    Buf text; /* ,[1700000000," for each step */
    uint32_t *end;
    size_t n;
    int64_t start_ms, step_ms;
} PointTimes;

PointTimes point_times(const PromqlResult *r, const PromqlQuery *q);
void point_times_done(PointTimes *t);
/* [[t,"v"],...] of a series without histograms. */
void points_put(Buf *out, const PromqlSeries *s, const PointTimes *t);

#endif
