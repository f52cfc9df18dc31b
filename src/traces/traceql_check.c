#include "traces/traceql_parse_int.h"

#include <stdio.h>

#define ANY (-1) /* an attribute's type is known only when it is read */

static int check_expr(TqlParser *p, TqlExpr *e);
static bool check_pipeline(TqlParser *p, const TqlPipeline *pl);

/* "text: (expression)", as Tempo ends its messages. */
static int fail_expr(TqlParser *p, const TqlExpr *e, const char *text) {
    Buf b = {0};
    traceql_print_expr(&b, e);
    lang_fail(&p->error, e->span, "%s: %" STR_FMT, text, (int)MIN(b.n, (size_t)200), b.n ? b.p : "");
    buf_done(&b);
    return ANY;
}

static bool is_numeric(int t) { return t == TQL_INT || t == TQL_FLOAT || t == TQL_DURATION; }

static int intrinsic_type(TqlIntrinsic i) {
    switch (i) {
    case TQL_NOT_INTRINSIC: return ANY;
    case TQL_DURATION_NS:
    case TQL_TRACE_DURATION:
    case TQL_EVENT_TIME_SINCE_START: return TQL_DURATION;
    case TQL_STATUS_CODE: return TQL_STATUS;
    case TQL_SPAN_KIND: return TQL_KIND;
    case TQL_CHILD_COUNT:
    case TQL_NESTED_SET_LEFT:
    case TQL_NESTED_SET_RIGHT:
    case TQL_NESTED_SET_PARENT: return TQL_INT;
    case TQL_PARENT_SPAN: return TQL_NIL;
    default: return TQL_STRING;
    }
}

static bool types_match(int l, int r) {
    if (l == ANY || r == ANY || l == TQL_NIL || r == TQL_NIL) return true;
    return l == r || (is_numeric(l) && is_numeric(r));
}

static bool op_takes(TqlOp op, int t) {
    if (t == ANY) return true;
    switch (op) {
    case TQL_AND:
    case TQL_OR: return t == TQL_BOOL;
    case TQL_EQ:
    case TQL_NEQ: return true;
    case TQL_RE:
    case TQL_NRE: return t == TQL_STRING;
    case TQL_GT:
    case TQL_GE:
    case TQL_LT:
    case TQL_LE: return is_numeric(t) || t == TQL_STRING;
    default: return is_numeric(t);
    }
}

static void free_regex(void *re) { regex_free(re); }

static bool compile_regex(TqlParser *p, TqlExpr *e) {
    if (e->op != TQL_RE && e->op != TQL_NRE) return true;
    if (e->right->kind != TQL_E_STATIC) {
        fail_expr(p, e, "the right side of a regular expression must be a string");
        return false;
    }
    Regex *re;
    Err err = {0};
    ErrCode code = regex_compile(e->right->value.s, REGEX_ANCHORED, &re, &err);
    if (code) return lang_fail_code(&p->error, code, e->right->span, "invalid regex: %s", err.msg);
    arena_defer(p->arena, free_regex, re);
    e->re = re;
    return true;
}

/* Arithmetic of durations gives durations, of ints ints, of anything else floats. */
static int arithmetic_type(int l, int r) {
    if (l == ANY || r == ANY) return ANY;
    if (l == TQL_DURATION || r == TQL_DURATION) return TQL_DURATION;
    return l == TQL_INT && r == TQL_INT ? TQL_INT : TQL_FLOAT;
}

/* Intrinsics every span has; asking whether one is missing is a mistake. */
static bool is_always_there(const TqlExpr *e) {
    if (e->kind != TQL_E_ATTR) return false;
    switch (e->attr.intrinsic) {
    case TQL_NOT_INTRINSIC:
    case TQL_PARENT_SPAN:
    case TQL_EVENT_NAME:
    case TQL_EVENT_TIME_SINCE_START:
    case TQL_LINK_TRACE_ID:
    case TQL_LINK_SPAN_ID: return false;
    default: return true;
    }
}

static int fail_nil(TqlParser *p, const TqlExpr *e) {
    Buf b = {0};
    traceql_print_expr(&b, e);
    lang_fail(&p->error, e->span, "%s=nil is not valid because intrinsics cannot be nil", buf_cstr(&b));
    buf_done(&b);
    return ANY;
}

static int check_binary(TqlParser *p, TqlExpr *e) {
    int l = check_expr(p, e->left);
    int r = p->error.set ? ANY : check_expr(p, e->right);
    if (p->error.set) return ANY;
    bool nil = l == TQL_NIL || r == TQL_NIL;
    if (!types_match(l, r)) return fail_expr(p, e, "binary operations must operate on the same type");
    if (nil ? e->op != TQL_EQ && e->op != TQL_NEQ : !op_takes(e->op, l) || !op_takes(e->op, r))
        return fail_expr(p, e, "illegal operation for the given types");
    if (nil && e->op == TQL_EQ && (is_always_there(e->left) || is_always_there(e->right)))
        return fail_nil(p, is_always_there(e->left) ? e->left : e->right);
    if (!compile_regex(p, e)) return ANY;
    return tql_is_arithmetic(e->op) ? arithmetic_type(l, r) : TQL_BOOL;
}

/* The type of an expression, or ANY; an error is in p. */
static int check_expr(TqlParser *p, TqlExpr *e) {
    switch (e->kind) {
    case TQL_E_STATIC: return (int)e->value.type;
    case TQL_E_ATTR: return intrinsic_type(e->attr.intrinsic);
    case TQL_E_UNARY: {
        int t = check_expr(p, e->left);
        if (p->error.set) return ANY;
        bool ok = t == ANY || (e->op == TQL_NOT ? t == TQL_BOOL : is_numeric(t));
        return ok ? t : fail_expr(p, e, "illegal operation for the given type");
    }
    case TQL_E_BINARY: return check_binary(p, e);
    }
    UNREACHABLE();
}

static bool references_span(const TqlExpr *e) {
    if (!e) return false;
    return e->kind == TQL_E_ATTR || references_span(e->left) || references_span(e->right);
}

static bool check_field(TqlParser *p, TqlExpr *e, const char *what) {
    (void)check_expr(p, e);
    if (p->error.set) return false;
    if (references_span(e)) return true;
    char text[120];
    (void)snprintf(text, sizeof text, "%s expressions must reference the span", what);
    fail_expr(p, e, text);
    return false;
}

static bool check_filter(TqlParser *p, const TqlSpansetExpr *s) {
    if (!s->filter) return true;
    int t = check_expr(p, s->filter);
    if (p->error.set) return false;
    if (t == ANY || t == TQL_BOOL) return true;
    Buf b = {0};
    traceql_print_expr(&b, s->filter);
    lang_fail(&p->error, s->filter->span, "span filter field expressions must resolve to a boolean: { %" STR_FMT " }",
        (int)MIN(b.n, (size_t)200), b.p);
    buf_done(&b);
    return false;
}

static bool check_spanset(TqlParser *p, const TqlSpansetExpr *s) {
    switch (s->kind) {
    case TQL_S_FILTER: return check_filter(p, s);
    case TQL_S_BINARY: return check_spanset(p, s->left) && check_spanset(p, s->right);
    case TQL_S_PIPELINE: return check_pipeline(p, s->pipeline);
    }
    UNREACHABLE();
}

static int fail_scalar(TqlParser *p, const TqlScalar *s, const char *text) {
    lang_fail(&p->error, s->span, "%s: %" STR_FMT, text, (int)MIN((size_t)(s->span.end - s->span.start), (size_t)200),
        p->src.p + s->span.start);
    return ANY;
}

static int check_scalar(TqlParser *p, const TqlScalar *s);

static int check_aggregate(TqlParser *p, const TqlScalar *s) {
    if (s->aggregate == TQL_COUNT) return TQL_INT;
    int t = check_expr(p, s->expr);
    if (p->error.set) return ANY;
    if (t != ANY && !is_numeric(t))
        return fail_scalar(p, s, "aggregate field expressions must resolve to a number type");
    if (!references_span(s->expr)) return fail_scalar(p, s, "aggregate field expressions must reference the span");
    return t;
}

static int check_scalar(TqlParser *p, const TqlScalar *s) {
    switch (s->kind) {
    case TQL_C_STATIC: return (int)s->value.type;
    case TQL_C_AGGREGATE: return check_aggregate(p, s);
    case TQL_C_PIPELINE: return check_pipeline(p, s->pipeline) ? ANY : ANY;
    case TQL_C_BINARY: {
        int l = check_scalar(p, s->left);
        int r = p->error.set ? ANY : check_scalar(p, s->right);
        if (p->error.set) return ANY;
        if ((l != ANY && !is_numeric(l)) || (r != ANY && !is_numeric(r)))
            return fail_scalar(p, s, "illegal operation for the given types");
        return arithmetic_type(l, r);
    }
    }
    UNREACHABLE();
}

static bool check_compare(TqlParser *p, const TqlStage *st) {
    int l = check_scalar(p, st->left);
    int r = p->error.set ? ANY : check_scalar(p, st->right);
    if (p->error.set) return false;
    const TqlScalar *wrong = l != ANY && !is_numeric(l) ? st->left : r != ANY && !is_numeric(r) ? st->right : NULL;
    if (wrong) fail_scalar(p, wrong, "scalar filters compare numbers");
    return !wrong;
}

static bool check_stage(TqlParser *p, const TqlStage *st) {
    switch (st->kind) {
    case TQL_ST_SPANSET: return check_spanset(p, st->spanset);
    case TQL_ST_COALESCE: return true;
    case TQL_ST_BY: return check_field(p, st->exprs.v[0], "grouping field");
    case TQL_ST_SELECT:
        for (size_t i = 0; i < st->exprs.n; i++) {
            if (st->exprs.v[i]->kind != TQL_E_ATTR) {
                fail_expr(p, st->exprs.v[i], "select() takes attributes and intrinsics");
                return false;
            }
        }
        return true;
    case TQL_ST_COMPARE: return check_compare(p, st);
    case TQL_ST_SCALAR: (void)check_scalar(p, st->left); return !p->error.set;
    }
    UNREACHABLE();
}

static bool check_pipeline(TqlParser *p, const TqlPipeline *pl) {
    for (const TqlStage *st = pl->stages; st; st = st->next) {
        if (!check_stage(p, st)) return false;
    }
    return true;
}

static bool check_metrics(TqlParser *p, const TqlMetrics *m) {
    if (m->kind == TQL_M_SCALAR) return true;
    if (m->kind == TQL_M_BINARY) return check_metrics(p, m->left) && check_metrics(p, m->right);
    if (!check_pipeline(p, m->pipeline)) return false;
    if (m->compare && !check_filter(p, m->compare)) return false;
    int t = m->arg ? check_expr(p, m->arg) : ANY;
    if (t != ANY && !is_numeric(t)) {
        fail_expr(p, m->arg, "metrics functions take numbers and durations");
        return false;
    }
    for (size_t i = 0; i < m->by.n; i++) {
        if (!check_field(p, m->by.v[i], "grouping field")) return false;
    }
    return true;
}

bool tql_check(TqlParser *p, const TraceQl *q) {
    return q->is_metrics ? check_metrics(p, q->metrics) : check_pipeline(p, q->pipeline);
}
