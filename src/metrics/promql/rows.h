/* rows.h - operators that make one series out of one series: abs(x), x * 2, -x. They are applied to a row wherever it
 * comes from, so that a chain of them costs no memory in between. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_ROWS_H
#define MEERKAT_METRICS_PROMQL_ROWS_H

#include "metrics/promql/engine_int.h"

typedef struct RowOp {
    PqlNode *n;
    const double *a, *b; /* scalar arguments, per step */
    double (*math)(double);
    bool swapped; /* of a binary operator: the vector is on the right */
} RowOp;

/* The vector that the operator n takes its rows from; NULL: n is no such operator. */
PqlNode *row_child(PqlNode *n);
/* Evaluates what else it needs. */
bool row_prepare(Ev *ev, const Grid *g, PqlNode *n, RowOp *ret);
bool row_apply(Ev *ev, const Grid *g, const RowOp *op, PqlSeries *s);
/* What keeps __name__: filters. */
bool row_drops_name(const PqlNode *n);
/* What may take samples away by their value or kind. */
bool row_filters(const PqlNode *n);

#endif
