/* rule_query.h - rules over logs and traces: the languages that room alert does not know. */
#ifndef MEERKAT_CMD_RULE_QUERY_H
#define MEERKAT_CMD_RULE_QUERY_H

#include "logs/log_store.h"
#include "metrics/promql/promql.h"

/* Whether an expression may stand in a rule of that datasource. ctx is not used. */
ErrCode rule_query_check(void *ctx, Str datasource, Str expr, Err *reterr);
/* Evaluates it at one time into a vector; everything lives in the arena. */
ErrCode rule_query_run(LogStore *logs, int64_t deadline_mono_ns, Str datasource, Str expr, int64_t t_ms,
    const _Atomic bool *cancel, Arena *arena, PromqlResult *ret, Err *reterr);

#endif
