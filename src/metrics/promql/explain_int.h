/* explain_int.h - how what a query does is noted while it does it. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_EXPLAIN_INT_H
#define MEERKAT_METRICS_PROMQL_EXPLAIN_INT_H

#include "metrics/promql/engine_int.h"

/* Between begin and end the operators below are begun and ended. NULL when nothing is to be noted (or on an error,
 * which is in ev): then plan_end does nothing. */
PlanNode *plan_begin(Ev *ev, const PqlNode *n, const char *how, uint64_t steps);
void plan_end(Ev *ev, PlanNode *p);
PromqlPlan *plan_of(PlanNode *p); /* to fill in; NULL for NULL */
bool plan_root(Ev *ev);           /* starts noting */
PromqlPlan *plan_result(const Ev *ev);

#endif
