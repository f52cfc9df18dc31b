#include "base/timefmt.h"
#include "model/labels.h"
#include "traces/traceql_metrics_int.h"

#include <stdlib.h>

/* --- the grid --- */

void traceql_metrics_align(int64_t *start_ns, int64_t *end_ns, int64_t step_ns) {
    int64_t before = *start_ns % step_ns, after = *end_ns % step_ns;
    if (__builtin_sub_overflow(*start_ns, before < 0 ? before + step_ns : before, start_ns)) *start_ns = INT64_MIN;
    if (after && __builtin_add_overflow(*end_ns, after < 0 ? -after : step_ns - after, end_ns)) *end_ns = INT64_MAX;
}

int64_t traceql_metrics_step(int64_t start_ns, int64_t end_ns) {
    static const int32_t steps_s[] = {
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400};
    int64_t length;
    if (__builtin_sub_overflow(end_ns, start_ns, &length)) length = INT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(steps_s); i++) {
        if (length / (steps_s[i] * NS_PER_S) <= 240) return steps_s[i] * NS_PER_S;
    }
    int64_t day = 86400 * NS_PER_S;
    return (length / 240 / day + 1) * day;
}

static ErrCode make_grid(const TqlMetricsRequest *req, TqlGrid *ret, Err *reterr) {
    if (req->end_ns < req->start_ns) return err_set(reterr, ERR_INVALID, "end is before start");
    if (req->step_ns < 0) return err_set(reterr, ERR_INVALID, "step must be positive");
    int64_t length, before; /* the first point stands for the step before it */
    if (__builtin_sub_overflow(req->end_ns, req->start_ns, &length) ||
        __builtin_sub_overflow(req->start_ns, req->step_ns, &before) || req->end_ns == INT64_MAX) {
        return err_set(reterr, ERR_INVALID, "the range from start to end is too long");
    }
    if (req->step_ns == 0) {
        if (req->end_ns == req->start_ns) return err_set(reterr, ERR_INVALID, "the range from start to end is empty");
        *ret = (TqlGrid){req->end_ns, length, 1};
        return OK;
    }
    uint64_t n = (uint64_t)length / (uint64_t)req->step_ns + 1;
    if (n > TQL_POINTS_MAX) {
        err_set(
            reterr, ERR_INVALID, "%llu points are too many, the limit is %d", (unsigned long long)n, TQL_POINTS_MAX);
        err_hint(reterr, "take a longer step or a shorter range");
        return ERR_INVALID;
    }
    *ret = (TqlGrid){req->start_ns, req->step_ns, (size_t)n};
    return OK;
}

/* --- the tree --- */

static ErrCode run_node(TqlRun *run, const TqlMetrics *m, TqlVector *ret, Err *reterr) {
    TqlVector left, right;
    ErrCode e = OK;
    switch (m->kind) {
    case TQL_M_SCALAR:
        *ret = (TqlVector){.is_scalar = true, .is_int = m->literal.type == TQL_INT, .scalar = m->value};
        break;
    case TQL_M_PIPELINE: e = tql_leaf_run(run, m, ret, reterr); break;
    case TQL_M_BINARY:
        e = run_node(run, m->left, &left, reterr);
        if (!e) e = run_node(run, m->right, &right, reterr);
        if (!e) e = tql_vector_binary(run, m->op, &left, &right, ret, reterr);
        break;
    }
    bool is_compare = m->kind == TQL_M_PIPELINE && m->func == TQL_M_COMPARE; /* keeps its series without points */
    return e || is_compare ? e : tql_vector_second(run, m->second, ret, reterr);
}

static bool hint_off(const TraceQl *q) {
    const TqlValue *v = traceql_hint(q, STR("exemplars"));
    return v && ((v->type == TQL_BOOL && !v->b) || (v->type == TQL_INT && v->i <= 0));
}

static int cmp_series(const void *a, const void *b) { return tql_labels_cmp(a, b); }

ErrCode traceql_metrics(const TqlMetricsRequest *req, Arena *arena, TqlMatrix *ret, Err *reterr) {
    TqlRun run = {.req = req, .arena = arena, .wants_exemplars = req->exemplars_max && !hint_off(req->query)};
    TqlVector v;
    *ret = (TqlMatrix){0};
    if (!req->query->is_metrics) {
        err_set(reterr, ERR_INVALID, "the query finds spans and has no number");
        err_hint(reterr, "count them: ... | rate()");
        return ERR_INVALID;
    }
    ErrCode e = make_grid(req, &run.grid, reterr);
    if (!e) e = run_node(&run, req->query->metrics, &v, reterr);
    if (e) return e;
    if (v.is_scalar) return err_set(reterr, ERR_INVALID, "the query has no spans in it");
    size_t max = req->series_max ? req->series_max : TQL_SERIES_MAX;
    if (v.n > max) {
        err_set(reterr, ERR_TOO_LARGE, "the query gives %zu series, the limit is %zu", v.n, max);
        err_hint(reterr, "fewer labels in by(), or | topk(10)");
        return ERR_TOO_LARGE;
    }
    if (v.n) qsort(v.v, v.n, sizeof *v.v, cmp_series);
    *ret = (TqlMatrix){.first_ns = run.grid.first_ns,
        .step_ns = run.grid.step_ns,
        .n_points = run.grid.n,
        .series = v.v,
        .n = v.n,
        .stats = run.stats};
    return OK;
}

/* --- text --- */

static void put_quoted(Buf *out, Str s) {
    buf_put_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"' || c == '\\') buf_put_char(out, '\\');
        if (c == '\n')
            buf_put_lit(out, "\\n");
        else
            buf_put_char(out, c);
    }
    buf_put_char(out, '"');
}

void traceql_metrics_put_labels(Buf *out, const TqlLabel *labels, size_t n) {
    Buf value = {0};
    buf_put_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_lit(out, ", ");
        if (label_name_is_legacy(labels[i].name))
            buf_put_str(out, labels[i].name);
        else
            put_quoted(out, labels[i].name);
        buf_put_char(out, '=');
        buf_clear(&value);
        traceql_put_value(&value, &labels[i].value);
        put_quoted(out, buf_str(&value));
    }
    buf_put_char(out, '}');
    buf_done(&value);
}
