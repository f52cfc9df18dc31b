/* rule_query.h - rules over logs and traces: the languages that room alert does not know. */
#ifndef MEERKAT_CMD_RULE_QUERY_H
#define MEERKAT_CMD_RULE_QUERY_H

#include "logs/log_store.h"
#include "metrics/promql/promql.h"
#include "traces/trace_store.h"

/* Whether an expression may stand in a rule of that datasource. ctx is not used. */
ErrCode rule_query_check(void *ctx, Str datasource, Str expr, Err *reterr);

typedef struct RuleQuery {
    LogStore *logs;
    TraceStore *traces;
    Str datasource; /* "loki", "tempo" */
    Str expr;
    int64_t t_ms;
    int64_t range_ms; /* tempo: spans of (t - range, t] */
    int64_t deadline_mono_ns;
    size_t memory_bytes; /* tempo; 0: a default */
    const _Atomic bool *cancel;
} RuleQuery;
/* Evaluates it at one time into a vector; everything lives in the arena. */
ErrCode rule_query_run(const RuleQuery *q, Arena *arena, PromqlResult *ret, Err *reterr);

#endif
