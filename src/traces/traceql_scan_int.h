/* traceql_scan_int.h - private: between programs, hints and scans. */
#ifndef MEERKAT_TRACES_TRACEQL_SCAN_INT_H
#define MEERKAT_TRACES_TRACEQL_SCAN_INT_H

#include "traces/traceql_eval_int.h"

/* What every match meets; in the arena, borrowing the pipeline. Few or none when the arena is used up. */
void tql_hints(const TqlPipeline *pl, Arena *arena, const TraceClause **ret, size_t *ret_n);
/* What a program looks at. */
bool tql_need(const TqlProgram *p, Arena *arena, TraceNeed *ret);

#endif
