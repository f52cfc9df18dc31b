/* promqltest_run.c - runs an eval of a promqltest script in all the ways Prometheus' own runner does. */
#include "metrics/promql/promqltest_int.h"

#include <stdio.h>

static const Expect *expected_failure(const Eval *e) {
    for (size_t i = 0; i < e->expects.n; i++)
        if (e->expects.v[i].kind == EXPECT_FAIL) return &e->expects.v[i];
    return NULL;
}

/* *ret_done: the eval is decided (it failed, as expected or not). */
static bool run(Runner *r, Arena *a, const Eval *e, Str expr, int64_t start, int64_t end, int64_t step,
    PromqlResult *res, bool *ret_done) {
    PromqlQuery q = {.start_ms = start, .end_ms = end, .step_ms = step};
    Err err = {0};
    PqlNode *root;
    *ret_done = true;
    if (promql_parse(expr, a, &root, &err) != OK) return test_fail(r, "parse: %s", err.msg);
    ErrCode rc = promql_eval(r->store, &r->opts, &q, root, expr, a, res, &err);
    const Expect *x = expected_failure(e);
    if (rc != OK) {
        if (!x) return test_fail(r, "error: %s", err.msg);
        if (!test_text_matches(x, str_cstr(err.msg))) return test_fail(r, "other error: %s", err.msg);
        return true;
    }
    if (x) return test_fail(r, "should have failed");
    *ret_done = false;
    return true;
}

static bool check_instant_value(Runner *r, Arena *a, const Eval *e, const PromqlResult *res, int64_t t) {
    if (e->has_string)
        return str_eq(res->string, e->string) || test_fail(r, "string is %" STR_FMT, STR_ARG(res->string));
    if (e->has_scalar) {
        if (res->type != PQL_TYPE_SCALAR || res->n != 1) return test_fail(r, "not a scalar");
        return test_close_enough(e->scalar, res->series[0].value[0]) ||
               test_fail_series(r, "wrong scalar", &res->series[0]);
    }
    if (e->has_vector_range) return test_compare(r, a, e, res, e->rv_start_ms, e->rv_step_ms);
    if (res->type == PQL_TYPE_MATRIX) return test_fail(r, "result is a range vector");
    return test_compare(r, a, e, res, t, 0);
}

/* The same as a range query around t: the point in the middle must be equal. */
static bool run_as_range(Runner *r, Arena *a, const Eval *e, Str expr, int64_t t) {
    if (e->has_string || e->has_vector_range || str_contains(expr, STR("start()")) ||
        str_contains(expr, STR("end()")) || str_contains(expr, STR("range()")) || str_contains(expr, STR("step()")))
        return true;
    PromqlResult res;
    bool done;
    if (!run(r, a, e, expr, t - 60000, t + 60000, 60000, &res, &done)) return false;
    if (done || e->ordered) return true;
    PromqlResult middle = {.type = PQL_TYPE_VECTOR, .series = ARENA_ARRAY(a, PromqlSeries, res.n)};
    for (size_t i = 0; i < res.n; i++) {
        if (i > 0 && labels_cmp(res.series[i - 1].labels, res.series[i].labels) >= 0)
            return test_fail(r, "matrix is not sorted");
        for (size_t k = 0; k < res.series[i].n; k++) {
            const PromqlSeries *s = &res.series[i];
            if (s->t_ms[k] == t)
                middle.series[middle.n++] =
                    (PromqlSeries){s->labels, 1, s->t_ms + k, s->value + k, s->histogram ? s->histogram + k : NULL};
        }
    }
    if (e->has_scalar)
        return (middle.n == 1 && test_close_enough(e->scalar, middle.series[0].value[0])) ||
               test_fail(r, "wrong scalar as a range");
    return test_compare(r, a, e, &middle, t, 0);
}

static bool run_instant_at(Runner *r, const Eval *e, Str expr, int64_t t, const char *mode) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    PromqlResult res;
    bool done, ok = run(r, a, e, expr, t, t, 0, &res, &done);
    if (ok && !done) {
        ok = test_annotations_ok(r, e, &res) && check_instant_value(r, a, e, &res, t);
        if (ok && !run_as_range(r, a, e, expr, t)) {
            ok = false;
            mode = "as a range query";
        }
    }
    if (!ok && *mode) {
        char why[sizeof r->why];
        memcpy(why, r->why, sizeof why);
        test_fail(r, "%s (%.*s at %lld): %.1200s", mode, (int)MIN(expr.n, (size_t)200), expr.p, (long long)t, why);
    }
    arena_free(a);
    return ok;
}

/* Puts @ t on what has none; false when a function forbids it. */
static bool add_at(PqlNode *n, int64_t t, bool inside) {
    static const PqlFn unsafe[] = {FN_DAYS_IN_MONTH, FN_DAY_OF_MONTH, FN_DAY_OF_WEEK, FN_DAY_OF_YEAR, FN_HOUR,
        FN_MINUTE, FN_MONTH, FN_YEAR, FN_PREDICT_LINEAR, FN_TIME, FN_TIMESTAMP, FN_START, FN_END, FN_STEP, FN_RANGE};
    PqlShift *shift = n->kind == PQL_SELECTOR   ? &n->selector.shift
                      : n->kind == PQL_SUBQUERY ? &n->subquery.shift
                                                : NULL;
    if (shift && !inside && shift->at == PQL_AT_NONE) {
        shift->at = PQL_AT_TIME;
        shift->at_ms = t;
    }
    switch (n->kind) {
    case PQL_MATRIX: return add_at(n->matrix.selector, t, inside);
    case PQL_SUBQUERY: return add_at(n->subquery.expr, t, true);
    case PQL_UNARY: return add_at(n->unary.expr, t, inside);
    case PQL_PAREN: return add_at(n->paren, t, inside);
    case PQL_BINARY: return add_at(n->binary.lhs, t, inside) && add_at(n->binary.rhs, t, inside);
    case PQL_AGGREGATE:
        return add_at(n->aggregate.expr, t, inside) && (!n->aggregate.param || add_at(n->aggregate.param, t, inside));
    case PQL_CALL:
        for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
            if (n->call.fn->id == unsafe[i]) return false;
        for (size_t i = 0; i < n->call.args.n; i++)
            if (!add_at(n->call.args.v[i], t, inside)) return false;
        return true;
    default: return true;
    }
}

static bool run_with_at(Runner *r, const Eval *e) {
    int64_t t = e->start_ms;
    Arena *a = arena_create(ARENA_UNLIMITED);
    PqlNode *root;
    bool ok = true;
    if (promql_parse(e->expr, a, &root, NULL) == OK && !e->has_vector_range && add_at(root, t, false)) {
        Buf b = {0};
        promql_print(&b, root);
        int64_t times[] = {-10 * t, 0, t / 5, t, 10 * t};
        if (t == 0) {
            times[0] = times[2] = -1000;
            times[3] = times[4] = 1000;
        }
        for (size_t i = 0; ok && i < ARRAY_LEN(times); i++) ok = run_instant_at(r, e, buf_str(&b), times[i], "with @");
        buf_done(&b);
    }
    arena_free(a);
    return ok;
}

bool test_run_eval(Runner *r, const Eval *e) {
    if (!e->range) {
        int64_t t = e->has_vector_range ? e->rv_end_ms : e->start_ms;
        return run_instant_at(r, e, e->expr, t, "") && (expected_failure(e) || run_with_at(r, e));
    }
    Arena *a = arena_create(ARENA_UNLIMITED);
    PromqlResult res;
    bool done, ok = run(r, a, e, e->expr, e->start_ms, e->end_ms, e->step_ms, &res, &done);
    if (ok && !done) ok = test_annotations_ok(r, e, &res) && test_compare(r, a, e, &res, e->start_ms, e->step_ms);
    arena_free(a);
    return ok;
}
