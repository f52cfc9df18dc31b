/* rule_query.c - LogQL for rules, into the vector that PromQL would give. */
#include "cmd/rule_query.h"

#include "base/timefmt.h"
#include "logs/logql.h"

static ErrCode no_such_language(Str datasource, Err *reterr) {
    err_set(
        reterr, ERR_NOT_IMPLEMENTED, "rules over %" STR_FMT " cannot be evaluated by this server", STR_ARG(datasource));
    err_hint(reterr, "datasource is prometheus or loki");
    return ERR_NOT_IMPLEMENTED;
}

static ErrCode parse(Str datasource, Str expr, Arena *arena, const LqExpr **ret, Err *reterr) {
    if (!str_eq_lit(datasource, "loki")) return no_such_language(datasource, reterr);
    ErrCode r = logql_parse(expr, arena, ret, reterr);
    if (r == OK && logql_is_log_query(*ret)) {
        err_set(reterr, ERR_INVALID, "a rule needs a number per series, and this query gives lines");
        err_hint(reterr, "count them: sum(count_over_time({...} [5m])) > 0");
        r = ERR_INVALID;
    }
    return r;
}

ErrCode rule_query_check(void *ctx, Str datasource, Str expr, Err *reterr) {
    (void)ctx;
    Arena *arena = arena_create(8u << 20);
    const LqExpr *e;
    ErrCode r = parse(datasource, expr, arena, &e, reterr);
    arena_free(arena);
    return r;
}

static ErrCode to_vector(const LogqlMatrix *m, int64_t t_ms, Arena *arena, PromqlResult *ret, Err *reterr) {
    *ret = (PromqlResult){.type = m->is_scalar ? PQL_TYPE_SCALAR : PQL_TYPE_VECTOR};
    PromqlSeries *v = ARENA_ARRAY(arena, PromqlSeries, m->n);
    int64_t *t = ARENA_NEW(arena, int64_t);
    if (!v || !t) return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
    *t = t_ms;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].present[0]) v[ret->n++] = (PromqlSeries){m->v[i].labels, 1, t, &m->v[i].v[0], NULL};
    ret->series = v;
    return OK;
}

ErrCode rule_query_run(LogStore *logs, int64_t deadline_mono_ns, Str datasource, Str expr, int64_t t_ms,
    const _Atomic bool *cancel, Arena *arena, PromqlResult *ret, Err *reterr) {
    const LqExpr *e;
    LogqlMatrix m = {0};
    LogqlStats stats = {0};
    ErrCode r = parse(datasource, expr, arena, &e, reterr);
    if (r != OK) return r;
    LogqlRequest req = {.store = logs,
        .arena = arena,
        .start_ns = t_ms * NS_PER_MS,
        .end_ns = t_ms * NS_PER_MS,
        .cancel = cancel,
        .deadline_mono_ns = deadline_mono_ns};
    r = logql_run_metric(&req, e, &m, &stats, reterr);
    return r == OK ? to_vector(&m, t_ms, arena, ret, reterr) : r;
}
