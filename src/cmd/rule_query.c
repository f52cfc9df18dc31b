/* rule_query.c - LogQL and TraceQL metrics for rules, into the vector that PromQL would give. */
#include "cmd/rule_query.h"

#include "base/timefmt.h"
#include "logs/logql.h"
#include "traces/traceql_metrics.h"

#include <math.h>

static ErrCode too_large(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
}

/* --- logs --- */

static ErrCode parse_logql(Str expr, Arena *arena, const LqExpr **ret, Err *reterr) {
    ErrCode r = logql_parse(expr, arena, ret, reterr);
    if (r == OK && logql_is_log_query(*ret)) {
        err_set(reterr, ERR_INVALID, "a rule needs a number per series, and this query gives lines");
        err_hint(reterr, "count them: sum(count_over_time({...} [5m])) > 0");
        r = ERR_INVALID;
    }
    return r;
}

static ErrCode logs_to_vector(const LogqlMatrix *m, int64_t t_ms, Arena *arena, PromqlResult *ret, Err *reterr) {
    *ret = (PromqlResult){.type = m->is_scalar ? PQL_TYPE_SCALAR : PQL_TYPE_VECTOR};
    PromqlSeries *v = ARENA_ARRAY(arena, PromqlSeries, m->n);
    int64_t *t = ARENA_NEW(arena, int64_t);
    if (!v || !t) return too_large(reterr);
    *t = t_ms;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].present[0]) v[ret->n++] = (PromqlSeries){m->v[i].labels, 1, t, &m->v[i].v[0], NULL};
    ret->series = v;
    return OK;
}

static ErrCode run_logql(const RuleQuery *q, Arena *arena, PromqlResult *ret, Err *reterr) {
    const LqExpr *e;
    LogqlMatrix m = {0};
    LogqlStats stats = {0};
    ErrCode r = parse_logql(q->expr, arena, &e, reterr);
    if (r != OK) return r;
    LogqlRequest req = {.store = q->logs,
        .arena = arena,
        .start_ns = q->t_ms * NS_PER_MS,
        .end_ns = q->t_ms * NS_PER_MS,
        .cancel = q->cancel,
        .deadline_mono_ns = q->deadline_mono_ns};
    r = logql_run_metric(&req, e, &m, &stats, reterr);
    return r == OK ? logs_to_vector(&m, q->t_ms, arena, ret, reterr) : r;
}

/* --- traces --- */

static bool has_compare(const TqlMetrics *m) {
    if (m->kind == TQL_M_BINARY) return has_compare(m->left) || has_compare(m->right);
    return m->kind == TQL_M_PIPELINE && m->func == TQL_M_COMPARE;
}

static ErrCode parse_traceql(Str expr, Arena *arena, const TraceQl **ret, Err *reterr) {
    ErrCode r = traceql_parse(expr, arena, ret, reterr);
    if (r != OK) return r;
    if (!(*ret)->is_metrics) {
        err_set(reterr, ERR_INVALID, "a rule needs a number per series, and this query finds traces");
        err_hint(reterr, "count their spans: {...} | count_over_time() > 0");
        return ERR_INVALID;
    }
    if (has_compare((*ret)->metrics)) {
        return err_set(reterr, ERR_INVALID, "compare() tells two groups of spans apart and has no place in a rule");
    }
    return OK;
}

/* resource.service.name -> resource_service_name: what $labels.NAME, routes and PromQL can be written with. Of
 * __bucket the underscores go: such names are Prometheus' own. */
static Str label_name(Arena *arena, Str name) {
    while (name.n && (name.p[0] == '_' || name.p[0] == '.')) name = str_skip(name, 1);
    char *p = arena_alloc(arena, name.n + 2);
    size_t n = 0;
    if (!p) return STR_NULL;
    if (name.n == 0 || (name.p[0] >= '0' && name.p[0] <= '9')) p[n++] = '_';
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        p[n++] = word ? c : '_';
    }
    return str_of(p, n);
}

/* What a span does not have is no label; nor is the function's name. */
static ErrCode series_labels(const TqlSeries *s, Arena *arena, Labels *ret, Err *reterr) {
    Label *v = ARENA_ARRAY(arena, Label, s->n_labels + 1);
    size_t n = 0;
    Buf text = {0};
    for (size_t i = 0; v && i < s->n_labels; i++) {
        const TqlLabel *l = &s->labels[i];
        if (l->value.type == TQL_NIL || str_eq_lit(l->name, "__name__")) continue;
        buf_clear(&text);
        traceql_put_value(&text, &l->value);
        if (text.n == 0) continue;
        v[n++] = (Label){label_name(arena, l->name), arena_copy(arena, buf_str(&text))};
    }
    buf_done(&text);
    if (!v || arena_exhausted(arena)) return too_large(reterr);
    ErrCode r = labels_normalize(v, &n, reterr);
    if (r != OK) {
        err_hint(reterr, "two labels of by() have the same name as labels of series: leave one out");
        return r;
    }
    *ret = (Labels){v, n};
    return OK;
}

static ErrCode traces_to_vector(const TqlMatrix *m, int64_t t_ms, Arena *arena, PromqlResult *ret, Err *reterr) {
    *ret = (PromqlResult){.type = PQL_TYPE_VECTOR};
    PromqlSeries *v = ARENA_ARRAY(arena, PromqlSeries, m->n + 1);
    int64_t *t = ARENA_NEW(arena, int64_t);
    if (!v || !t) return too_large(reterr);
    *t = t_ms;
    for (size_t i = 0; i < m->n; i++) {
        Labels labels;
        if (isnan(m->series[i].v[0])) continue;
        ErrCode r = series_labels(&m->series[i], arena, &labels, reterr);
        if (r != OK) return r;
        v[ret->n++] = (PromqlSeries){labels, 1, t, &m->series[i].v[0], NULL};
    }
    ret->series = v;
    return OK;
}

static ErrCode run_traceql(const RuleQuery *q, Arena *arena, PromqlResult *ret, Err *reterr) {
    TqlMetricsRequest req = {.store = q->traces,
        .start_ns = (q->t_ms - q->range_ms) * NS_PER_MS,
        .end_ns = q->t_ms * NS_PER_MS,
        .memory_bytes = q->memory_bytes,
        .threads = 1, /* rules run side by side already */
        .cancel = q->cancel,
        .deadline_mono_ns = q->deadline_mono_ns};
    TqlMatrix m;
    ErrCode r = parse_traceql(q->expr, arena, &req.query, reterr);
    if (r == OK) r = traceql_metrics(&req, arena, &m, reterr);
    return r == OK ? traces_to_vector(&m, q->t_ms, arena, ret, reterr) : r;
}

/* --- both --- */

static ErrCode no_such_language(Str datasource, Err *reterr) {
    err_set(
        reterr, ERR_NOT_IMPLEMENTED, "rules over %" STR_FMT " cannot be evaluated by this server", STR_ARG(datasource));
    err_hint(reterr, "datasource is prometheus, loki or tempo");
    return ERR_NOT_IMPLEMENTED;
}

ErrCode rule_query_check(void *ctx, Str datasource, Str expr, Err *reterr) {
    (void)ctx;
    Arena *arena = arena_create(8u << 20);
    const LqExpr *logql;
    const TraceQl *traceql;
    ErrCode r = str_eq_lit(datasource, "loki")    ? parse_logql(expr, arena, &logql, reterr)
                : str_eq_lit(datasource, "tempo") ? parse_traceql(expr, arena, &traceql, reterr)
                                                  : no_such_language(datasource, reterr);
    arena_free(arena);
    return r;
}

ErrCode rule_query_run(const RuleQuery *q, Arena *arena, PromqlResult *ret, Err *reterr) {
    if (str_eq_lit(q->datasource, "loki")) return run_logql(q, arena, ret, reterr);
    if (str_eq_lit(q->datasource, "tempo")) return run_traceql(q, arena, ret, reterr);
    return no_such_language(q->datasource, reterr);
}
