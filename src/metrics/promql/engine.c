/* engine.c - a query from the tree to its result: preparation, dispatch over node kinds, the end. */
#include "metrics/promql/explain_int.h"
#include "metrics/promql/stream.h"

#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool ev_fail(Ev *ev, const char *fmt, ...) {
    if (ev->rc != OK) return false;
    Err e = {.code = ev->rc = ERR_UNPROCESSABLE};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.msg, sizeof e.msg, fmt, ap);
    va_end(ap);
    if (ev->err) *ev->err = e;
    return false;
}

bool ev_no_memory(Ev *ev) {
    if (ev->rc == OK) ev->rc = err_set(ev->err, ERR_TOO_LARGE, "query needs more memory than it may use");
    return false;
}

#define GONE_EVERY_NS 20000000 /* asking whether the client is there is a system call */

static bool client_is_gone(Ev *ev, int64_t now) {
    if (!ev->query->gone || now - ev->gone_asked_ns < GONE_EVERY_NS) return false;
    ev->gone_asked_ns = now;
    return ev->query->gone(ev->query->gone_ctx);
}

/* What takes a look at the clock. */
static void check_limits(Ev *ev) {
    const PromqlQuery *q = ev->query;
    int64_t now = clock_mono_ns();
    size_t bytes = ev->parts_bytes ? ev->beside_bytes + *ev->parts_bytes : arena_used_bytes(ev->arena);
    ErrCode told = q->ticket ? promql_ticket_update(q->ticket, ev->samples_read, bytes) : OK;
    if (told == OK && q->ticket) {
        told = promql_ticket_take_turn(q->ticket, q->gone, q->gone_ctx, q->deadline_mono_ns);
        now = clock_mono_ns();
    }
    if (told == ERR_CANCELLED || client_is_gone(ev, now))
        ev->rc = err_set(ev->err, ERR_CANCELLED, "query was canceled in expression evaluation");
    else if (told == ERR_TOO_LARGE)
        ev->rc = err_set(ev->err, ERR_TOO_LARGE, "the running queries need more memory than they may use together");
    else if (q->deadline_mono_ns && now > q->deadline_mono_ns)
        ev->rc = err_set(ev->err, ERR_TIMEOUT, "query timed out in expression evaluation");
}

bool ev_alive(Ev *ev) {
    if (ev->rc != OK) return false;
    const PromqlQuery *q = ev->query;
    if (ev->stop && atomic_load_explicit(ev->stop, memory_order_relaxed)) {
        ev->stopped = true;
        ev->rc = ERR_CANCELLED;
    } else if (q->cancel && atomic_load_explicit(q->cancel, memory_order_relaxed))
        ev->rc = err_set(ev->err, ERR_CANCELLED, "query was canceled in expression evaluation");
    else if (ev->ticks++ % 64 == 0)
        check_limits(ev);
    return ev->rc == OK;
}

bool ev_alive_now(Ev *ev) {
    ev->ticks = 0;
    return ev_alive(ev);
}

bool ev_count_samples(Ev *ev, uint64_t n) {
    ev->samples += n;
    ev->samples_peak = MAX(ev->samples_peak, ev->samples);
    if (ev->samples <= ev->opts.samples_max) return true;
    return ev_fail(ev, "query processing would load too many samples into memory in query execution");
}

/* Times beyond this are taken as this, so that sums with durations cannot overflow. */
#define TIME_MAX_MS INT64_C(4000000000000000000)

/* --- preparation: durations, start() and end(), what does not change from step to step --- */

static bool duration_value(Ev *ev, const PqlNode *n, double *ret) {
    if (n->kind == PQL_NUMBER) {
        *ret = n->number.value;
        return true;
    }
    double l = 0, r = 0;
    if (n->duration.lhs && !duration_value(ev, n->duration.lhs, &l)) return false;
    if (n->duration.rhs && !duration_value(ev, n->duration.rhs, &r)) return false;
    const PromqlQuery *q = ev->query;
    bool unary = !n->duration.lhs;
    switch (n->duration.op) {
    case TOK_STEP: *ret = (double)q->step_ms / 1000; return true;
    case TOK_RANGE: *ret = (double)(q->end_ms - q->start_ms) / 1000; return true;
    case TOK_MIN_OF: *ret = isnan(l) || isnan(r) ? NAN : fmin(l, r); return true;
    case TOK_MAX_OF: *ret = isnan(l) || isnan(r) ? NAN : fmax(l, r); return true;
    case TOK_ADD: *ret = unary ? r : l + r; return true;
    case TOK_SUB: *ret = unary ? -r : l - r; return true;
    case TOK_MUL: *ret = l * r; return true;
    case TOK_POW: *ret = pow(l, r); return true;
    case TOK_DIV:
    case TOK_MOD:
        if (r == 0)
            return ev_fail(
                ev, "%u:%u: %s by zero", n->span.start, n->span.end, n->duration.op == TOK_DIV ? "division" : "modulo");
        *ret = n->duration.op == TOK_DIV ? l / r : fmod(l, r);
        return true;
    default: UNREACHABLE();
    }
}

static bool resolve_span(Ev *ev, PqlSpan *s, bool may_be_negative) {
    if (!s->expr) return true;
    double v = 0;
    if (!duration_value(ev, s->expr, &v)) return false;
    unsigned from = s->expr->span.start, to = s->expr->span.end;
    if (!isfinite(v)) return ev_fail(ev, "%u:%u: duration is NaN or infinite", from, to);
    if (v <= 0 && !may_be_negative) return ev_fail(ev, "%u:%u: duration must be greater than 0", from, to);
    if (fabs(v) > 9223372036.854775) return ev_fail(ev, "%u:%u: duration is out of range", from, to);
    s->ms = (int64_t)(v * 1000);
    return true;
}

static bool resolve_shift(Ev *ev, PqlShift *s) {
    if (s->at == PQL_AT_START) s->at_ms = ev->query->start_ms;
    if (s->at == PQL_AT_END) s->at_ms = ev->query->end_ms;
    s->at_ms = MAX(-TIME_MAX_MS, MIN(TIME_MAX_MS, s->at_ms));
    return resolve_span(ev, &s->offset, true);
}

static bool call_is_time_dependent(PqlFn id) {
    switch (id) {
    case FN_DAYS_IN_MONTH:
    case FN_DAY_OF_MONTH:
    case FN_DAY_OF_WEEK:
    case FN_DAY_OF_YEAR:
    case FN_HOUR:
    case FN_MINUTE:
    case FN_MONTH:
    case FN_YEAR:
    case FN_PREDICT_LINEAR:
    case FN_TIME:
    case FN_TIMESTAMP: return true;
    default: return false;
    }
}

static bool prepare(Ev *ev, PqlNode *n) {
    bool ok = true;
    switch (n->kind) {
    case PQL_NUMBER:
    case PQL_STRING: n->invariant = true; return true;
    case PQL_SELECTOR: n->invariant = n->selector.shift.at != PQL_AT_NONE; return resolve_shift(ev, &n->selector.shift);
    case PQL_MATRIX:
        ok = resolve_span(ev, &n->matrix.range, false) && prepare(ev, n->matrix.selector);
        n->invariant = n->matrix.selector->invariant;
        return ok;
    case PQL_SUBQUERY:
        n->invariant = n->subquery.shift.at != PQL_AT_NONE;
        return resolve_shift(ev, &n->subquery.shift) && resolve_span(ev, &n->subquery.step, false) &&
               resolve_span(ev, &n->subquery.range, false) && prepare(ev, n->subquery.expr);
    case PQL_UNARY:
        ok = prepare(ev, n->unary.expr);
        n->invariant = n->unary.expr->invariant;
        return ok;
    case PQL_PAREN:
        ok = prepare(ev, n->paren);
        n->invariant = n->paren->invariant;
        return ok;
    case PQL_BINARY:
        ok = prepare(ev, n->binary.lhs) && prepare(ev, n->binary.rhs);
        n->invariant = n->binary.lhs->invariant && n->binary.rhs->invariant;
        return ok;
    case PQL_AGGREGATE:
        ok = prepare(ev, n->aggregate.expr) && (!n->aggregate.param || prepare(ev, n->aggregate.param));
        n->invariant =
            n->aggregate.expr->invariant; /* Prometheus looks at the parameter at the first step only, then */
        return ok;
    case PQL_CALL:
        n->invariant = !call_is_time_dependent(n->call.fn->id);
        for (size_t i = 0; ok && i < n->call.args.n; i++) {
            ok = prepare(ev, n->call.args.v[i]);
            n->invariant = n->invariant && n->call.args.v[i]->invariant;
        }
        if (ok && n->call.fn->id == FN_INFO) /* its selector is evaluated where the vector is */
            n->invariant = n->call.args.v[0]->invariant && ev_info_reference(n->call.args.v[0], &(PqlShift){0});
        return ok;
    case PQL_DURATION: UNREACHABLE();
    }
    UNREACHABLE();
}

/* --- evaluation --- */

/* +x, and -x of a scalar; -x of a vector is an operator on rows. */
static bool eval_unary(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    if (!ev_eval(ev, g, n->unary.expr, ret)) return false;
    if (n->unary.op == TOK_ADD) return true;
    ASSERT(ret->n == 1);
    for (size_t i = 0; i < g->n; i++) ret->v[0].v[i] = -ret->v[0].v[i];
    return true;
}

/* Evaluated at the first step, then repeated. */
static bool eval_invariant(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    Grid first = {g->start_ms, g->step_ms, 1};
    PqlMatrix once = {0};
    uint64_t used = ev->samples_total, fresh = ev->samples_read, *step_total = ev->step_total;
    ev->step_total = NULL;
    bool ok = ev_eval(ev, &first, n, &once);
    ev->step_total = step_total;
    if (!ok) return false;
    used = ev->samples_total - used; /* every step would need it */
    ev->samples_total += used * (g->n - 1);
    for (size_t i = 0; step_total && i < g->n; i++) step_total[i] += used;
    if (step_total) ev->step_read[0] += ev->samples_read - fresh;
    for (size_t k = 0; k < once.n; k++) {
        PqlSeries *s = &once.v[k], *out;
        if (!bit_get(s->present, 0)) continue;
        if (!(out = matrix_add(ev, ret, g, s->labels))) return false;
        out->drop_name = s->drop_name;
        FHist *h = series_h(s, 0);
        for (size_t i = 0; i < g->n; i++) {
            if (h && !series_set_h(ev, out, g, i, h)) return false;
            if (!h) series_set(out, i, s->v[0]);
        }
        if (!ev_count_samples(ev, g->n - 1)) return false;
    }
    return true;
}

static bool eval_node(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    switch (n->kind) {
    case PQL_UNARY: return eval_unary(ev, g, n, ret);
    case PQL_BINARY: return ev_binary(ev, g, n, ret);
    case PQL_AGGREGATE: return ev_aggregate(ev, g, n, ret);
    case PQL_CALL: return ev_call(ev, g, n, ret);
    case PQL_MATRIX:
    case PQL_SUBQUERY: return ev_fail(ev, "cannot do range evaluation of matrix selector");
    case PQL_STRING:
    case PQL_NUMBER:
    case PQL_PAREN:
    case PQL_SELECTOR:
    case PQL_DURATION: UNREACHABLE();
    }
    UNREACHABLE();
}

static void plan_matrix(PlanNode *node, const Grid *g, const PqlMatrix *m) {
    PromqlPlan *p = plan_of(node);
    if (!p) return;
    p->series = m->n;
    for (size_t i = 0; i < m->n; i++) p->points += bitmap_count(m->v[i].present, g->n);
}

bool ev_eval(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    if (!ev_alive(ev)) return false;
    if (g->n == 0) return true;
    if (n->kind == PQL_PAREN) return ev_eval(ev, g, n->paren, ret);
    if (n->kind == PQL_NUMBER) return matrix_scalar(ev, g, n->number.value, ret);
    if (stream_has_rows(g, n)) return ev_stream_matrix(ev, g, n, ret);
    bool once = n->invariant && g->n > 1;
    PlanNode *plan = plan_begin(ev, n, once ? "once" : "columns", g->n);
    bool ok = once ? eval_invariant(ev, g, n, ret) : eval_node(ev, g, n, ret);
    if (ok) plan_matrix(plan, g, ret);
    plan_end(ev, plan);
    return ok;
}

bool ev_scalar_arg(Ev *ev, const Grid *g, PqlNode *n, const double **ret) {
    PqlMatrix m = {0};
    *ret = NULL;
    if (!ev_eval(ev, g, n, &m)) return false;
    ASSERT(g->n == 0 || m.n == 1);
    *ret = m.n ? m.v[0].v : NULL;
    return true;
}

/* --- results --- */

/* A series with a float at every step: its column is the result, its times are those of all such series. */
static bool full_result(Ev *ev, const Grid *g, const PqlSeries *s, const int64_t **times, PromqlSeries *out) {
    if (!*times) {
        int64_t *t = ARENA_ARRAY(ev->arena, int64_t, g->n);
        for (size_t i = 0; t && i < g->n; i++) t[i] = grid_t(g, i);
        *times = t;
    }
    *out = (PromqlSeries){s->labels, g->n, *times, s->v, NULL};
    return *times || ev_no_memory(ev);
}

static bool series_result(Ev *ev, const Grid *g, const PqlSeries *s, const int64_t **times, PromqlSeries *out) {
    size_t n = bitmap_count(s->present, g->n), k = 0;
    if (n == g->n && !s->h) return full_result(ev, g, s, times, out);
    int64_t *t = ARENA_ARRAY(ev->arena, int64_t, n);
    double *v = ARENA_ARRAY(ev->arena, double, n);
    const Histogram **h = s->h ? ARENA_ARRAY(ev->arena, const Histogram *, n) : NULL;
    if (!t || !v || (s->h && !h)) return ev_no_memory(ev);
    bool any = false;
    FOR_PRESENT(i, s, g->n) {
        t[k] = grid_t(g, i);
        v[k] = s->v[i];
        FHist *fh = series_h(s, i);
        if (h) h[k] = fh ? fh_to_model(ev->arena, fh) : NULL;
        if (fh && !h[k]) return ev_no_memory(ev);
        any |= fh != NULL;
        k++;
    }
    *out = (PromqlSeries){s->labels, n, t, v, any ? h : NULL};
    return true;
}

/* Names whose removal was put off go now. */
static bool drop_delayed_names(Ev *ev, const Grid *g, PqlMatrix *m) {
    if (!ev->opts.delayed_name_removal) return true;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].drop_name) m->v[i].labels = labels_without_name(ev, m->v[i].labels);
    return ev->rc == OK && matrix_merge_same(ev, m, g, false);
}

/* Rows that come straight from the store are. */
static bool matrix_is_sorted(const PqlMatrix *m) {
    for (size_t i = 1; i < m->n; i++)
        if (labels_cmp(m->v[i - 1].labels, m->v[i].labels) > 0) return false;
    return true;
}

static bool matrix_to_result(Ev *ev, const Grid *g, PqlMatrix *m, bool sorted, PromqlResult *ret) {
    if (!drop_delayed_names(ev, g, m)) return false;
    matrix_drop_empty(m, g);
    int64_t begin = clock_mono_ns();
    if (sorted && !matrix_is_sorted(m)) qsort(m->v, m->n, sizeof *m->v, series_labels_cmp);
    ret->stats.sort_ns = clock_mono_ns() - begin;
    ret->series = ARENA_ARRAY(ev->arena, PromqlSeries, m->n);
    if (!ret->series) return ev_no_memory(ev);
    const int64_t *times = NULL;
    for (size_t i = 0; i < m->n; i++)
        if (!series_result(ev, g, &m->v[i], &times, &ret->series[i])) return false;
    ret->n = m->n;
    return true;
}

static bool eval_root(Ev *ev, PqlNode *root, PromqlResult *ret) {
    const PromqlQuery *q = ev->query;
    bool instant = q->step_ms == 0;
    Grid g = {
        q->start_ms, instant ? 1 : q->step_ms, instant ? 1 : (size_t)((q->end_ms - q->start_ms) / q->step_ms) + 1};
    ret->type = instant ? promql_type(root) : PQL_TYPE_MATRIX;
    if (!prepare(ev, root)) {
        /* A duration that is none is a mistake of the expression, found late. */
        if (ev->rc == ERR_UNPROCESSABLE) ev->rc = ERR_INVALID;
        if (ev->err) ev->err->code = ev->rc;
        return false;
    }
    if (q->step_stats) {
        ret->stats.n_steps = g.n;
        ev->step_total = arena_alloc_zero(ev->arena, 2 * g.n * sizeof *ev->step_total);
        if (!ev->step_total) return ev_no_memory(ev);
        ev->step_read = ev->step_total + g.n;
        ret->stats.total_per_step = ev->step_total;
        ret->stats.read_per_step = ev->step_read;
    }
    ev_mark_resets(root);
    if (ret->type == PQL_TYPE_STRING) {
        ret->string = promql_unparen(root)->string;
        return true;
    }
    if (instant && ret->type == PQL_TYPE_MATRIX) return ev_matrix_result(ev, root, ret);
    PqlMatrix m = {0};
    return ev_eval(ev, &g, root, &m) && matrix_to_result(ev, &g, &m, !instant, ret);
}

static ErrCode check_query(const PromqlQuery *q, const PqlNode *root, Err *reterr) {
    if (q->step_ms < 0)
        return err_set(reterr, ERR_INVALID,
            "zero or negative query resolution step widths are not accepted. Try a positive integer");
    if (q->end_ms < q->start_ms) return err_set(reterr, ERR_INVALID, "end timestamp must not be before start time");
    if (q->start_ms < -TIME_MAX_MS || q->end_ms > TIME_MAX_MS)
        return err_set(reterr, ERR_INVALID, "query time is out of range");
    if (q->step_ms == 0) return OK;
    PqlType type = promql_type(root);
    if (type != PQL_TYPE_VECTOR && type != PQL_TYPE_SCALAR)
        return err_set(reterr, ERR_INVALID,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            promql_type_documented(type));
    if ((q->end_ms - q->start_ms) / q->step_ms > PROMQL_STEPS_MAX)
        return err_set(reterr, ERR_INVALID,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
            "(?step=XX)");
    return OK;
}

ErrCode promql_eval(MetricsStore *store, const PromqlOptions *opts, const PromqlQuery *query, PqlNode *root, Str source,
    Arena *arena, PromqlResult *ret, Err *reterr) {
    int64_t begin_ns = clock_mono_ns();
    ErrCode rc = check_query(query, root, reterr);
    if (rc != OK) return rc;
    Ev ev = {.store = store, .query = query, .arena = arena, .scratch = arena, .source = source, .err = reterr};
    struct View *view = NULL;
    ev.view = &view;
    ev.opts = opts ? *opts : (PromqlOptions){0};
    if (query->lookback_ms > 0) ev.opts.lookback_ms = query->lookback_ms;
    if (query->has_starts) ev.opts.use_start_timestamps = query->starts;
    if (!ev.opts.lookback_ms) ev.opts.lookback_ms = 300000;
    if (!ev.opts.subquery_step_ms) ev.opts.subquery_step_ms = 60000;
    if (!ev.opts.samples_max) ev.opts.samples_max = 50000000;
    ev.annotations = map_create(MAP_COPY_KEYS);
    *ret = (PromqlResult){0};
    bool ok = (!query->explain || plan_root(&ev)) && eval_root(&ev, root, ret) && ev.rc == OK &&
              ev_annotations_result(&ev, ret);
    ASSERT(ok || ev.rc != OK);
    ret->stats.samples_peak = ev.samples_peak;
    ret->stats.samples_read = ev.samples_read;
    ret->stats.series_read = ev.series_read;
    ret->stats.samples_total = ev.samples_total;
    ret->stats.prepare_ns = ev.prepare_ns;
    ret->stats.eval_ns = clock_mono_ns() - begin_ns;
    ret->stats.inner_ns = MAX(ret->stats.eval_ns - ev.prepare_ns - ret->stats.sort_ns, 0);
    ret->stats.queue_ns = promql_ticket_queue_ns(query->ticket);
    ret->stats.exec_ns = ret->stats.eval_ns + ret->stats.queue_ns;
    map_free(ev.annotations);
    if (query->explain) *query->explain = ok ? plan_result(&ev) : NULL;
    return ev.rc;
}

ErrCode promql_exec(MetricsStore *store, const PromqlOptions *opts, const PromqlQuery *query, Str source, Arena *arena,
    PromqlResult *ret, Err *reterr) {
    PqlNode *root;
    ErrCode rc = promql_parse(source, arena, &root, reterr);
    return rc != OK ? rc : promql_eval(store, opts, query, root, source, arena, ret, reterr);
}
