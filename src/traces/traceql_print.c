#include "traces/traceql.h"
#include "traces/traceql_lex.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "lang/lexer.h"

#include <math.h>

static void put_pipeline(Buf *out, const TqlPipeline *p);

/* --- values --- */

static void put_f64(Buf *out, double v) {
    size_t before = out->n;
    num_put_f64_plain(out, v);
    for (size_t i = before; i < out->n; i++) {
        if (out->p[i] == '.' || out->p[i] == 'N' || out->p[i] == 'I') return;
    }
    buf_put_lit(out, ".0"); /* stays a float when it is read again */
}

static void put_elements(Buf *out, const TqlValue *v, void (*put)(Buf *, const TqlValue *)) {
    buf_put_char(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i) buf_put_lit(out, ", ");
        put(out, &v->v[i]);
    }
    buf_put_char(out, ']');
}

static const char *status_name(int64_t s) {
    return s == SPAN_STATUS_ERROR ? "error" : s == SPAN_STATUS_OK ? "ok" : "unset";
}

void traceql_put_value(Buf *out, const TqlValue *v) {
    switch (v->type) {
    case TQL_NIL: buf_put_lit(out, "nil"); break;
    case TQL_STRING: buf_put_str(out, v->s); break;
    case TQL_INT: num_put_i64(out, v->i); break;
    case TQL_FLOAT: num_put_f64_plain(out, v->d); break;
    case TQL_BOOL: buf_put_str(out, v->b ? STR("true") : STR("false")); break;
    case TQL_DURATION: duration_put_go(out, v->i); break;
    case TQL_STATUS: buf_put_str(out, str_cstr(status_name(v->i))); break;
    case TQL_KIND: buf_put_str(out, str_cstr(span_kind_name((SpanKind)v->i))); break;
    case TQL_ARRAY:
    case TQL_MANY: put_elements(out, v, traceql_put_value); break;
    }
}

void traceql_print_value(Buf *out, const TqlValue *v) {
    switch (v->type) {
    case TQL_STRING: lang_put_quoted(out, v->s); break;
    case TQL_INT:
        if (v->i == INT64_MIN)
            buf_put_lit(out, "minInt");
        else
            num_put_i64(out, v->i);
        break;
    case TQL_FLOAT: put_f64(out, v->d); break;
    case TQL_ARRAY:
    case TQL_MANY: put_elements(out, v, traceql_print_value); break;
    default: traceql_put_value(out, v);
    }
}

/* --- fields --- */

static void put_name(Buf *out, Str name) {
    if (tql_name_is_plain(name)) {
        buf_put_str(out, name);
        return;
    }
    buf_put_char(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\') buf_put_char(out, '\\');
        buf_put_char(out, name.p[i]);
    }
    buf_put_char(out, '"');
}

static bool starts_like_scope(Str name) {
    for (int s = TQL_SCOPE_SPAN; s < TQL_SCOPES; s++) {
        Str scope = str_cstr(tql_scope_names[s]);
        if (str_starts_with(name, scope) && name.n > scope.n && name.p[scope.n] == '.') return true;
    }
    return false;
}

void traceql_print_attr(Buf *out, const TqlAttr *a) {
    if (a->intrinsic != TQL_NOT_INTRINSIC) {
        buf_put_str(out, str_cstr(tql_intrinsic_name(a->intrinsic)));
        return;
    }
    if (a->parent) buf_put_lit(out, "parent.");
    buf_put_str(out, str_cstr(tql_scope_names[a->scope]));
    if (a->scope != TQL_SCOPE_ANY || !a->parent) buf_put_char(out, '.');
    bool digit = a->name.n && a->name.p[0] >= '0' && a->name.p[0] <= '9';
    if ((a->parent && a->scope == TQL_SCOPE_ANY && starts_like_scope(a->name)) ||
        (digit && a->scope == TQL_SCOPE_ANY && !a->parent)) { /* quotes keep it from being read as something else */
        buf_put_char(out, '"');
        buf_put(out, a->name.p, 1);
        buf_put_char(out, '"');
        if (a->name.n > 1) put_name(out, str_skip(a->name, 1));
    } else {
        put_name(out, a->name);
    }
}

static bool is_number(const TqlExpr *e) {
    return e->kind == TQL_E_STATIC &&
           (e->value.type == TQL_INT || e->value.type == TQL_FLOAT || e->value.type == TQL_DURATION);
}

/* Binding strength as in traceql_parse_field.c. */
static int strength(const TqlExpr *e) {
    if (e->kind == TQL_E_UNARY) return e->op == TQL_NEG ? 6 : 7;
    if (e->kind == TQL_E_STATIC) {
        bool negative = is_number(e) && (e->value.type == TQL_FLOAT ? signbit(e->value.d) != 0 : e->value.i < 0);
        return negative && e->value.i != INT64_MIN ? 6 : 20;
    }
    if (e->kind == TQL_E_ATTR) return 20;
    switch (e->op) {
    case TQL_OR:
    case TQL_AND: return 1;
    case TQL_ADD:
    case TQL_SUB: return 5;
    case TQL_MUL:
    case TQL_DIV:
    case TQL_MOD: return 9;
    case TQL_POW: return 11;
    default: return 3;
    }
}

static void put_operand(Buf *out, const TqlExpr *e, bool parens) {
    if (parens) buf_put_char(out, '(');
    traceql_print_expr(out, e);
    if (parens) buf_put_char(out, ')');
}

static void put_op(Buf *out, TqlOp op) {
    buf_put_char(out, ' ');
    buf_put_str(out, str_cstr(tql_op_names[op]));
    buf_put_char(out, ' ');
}

void traceql_print_expr(Buf *out, const TqlExpr *e) {
    switch (e->kind) {
    case TQL_E_STATIC: traceql_print_value(out, &e->value); break;
    case TQL_E_ATTR: traceql_print_attr(out, &e->attr); break;
    case TQL_E_UNARY:
        buf_put_str(out, str_cstr(tql_op_names[e->op]));
        /* -(5) is no literal: what is one, or would become one, keeps its parentheses */
        put_operand(out, e->left, strength(e->left) < 20 || (e->op == TQL_NEG && is_number(e->left)));
        break;
    case TQL_E_BINARY: {
        int s = strength(e), l = strength(e->left), r = strength(e->right);
        bool right_assoc = e->op == TQL_POW;
        /* A unary on the left would take what follows it. */
        bool left_parens = right_assoc ? l <= s : l < s || (e->left->kind != TQL_E_BINARY && l < 20 && s > l);
        put_operand(out, e->left, left_parens);
        put_op(out, e->op);
        put_operand(out, e->right, right_assoc ? r < s : r <= s);
        break;
    }
    }
}

static void put_exprs(Buf *out, const TqlExprs *v) {
    buf_put_char(out, '(');
    for (size_t i = 0; i < v->n; i++) {
        if (i) buf_put_lit(out, ", ");
        traceql_print_expr(out, v->v[i]);
    }
    buf_put_char(out, ')');
}

/* --- spansets, scalars --- */

static void put_spanset(Buf *out, const TqlSpansetExpr *s);

static void put_side(Buf *out, const TqlSpansetExpr *s, bool parens) {
    if (parens) buf_put_char(out, '(');
    put_spanset(out, s);
    if (parens) buf_put_char(out, ')');
}

static int spanset_strength(const TqlSpansetExpr *s) {
    if (s->kind != TQL_S_BINARY) return 20;
    return s->op == TQL_AND || s->op == TQL_OR ? 1 : 3;
}

static void put_spanset(Buf *out, const TqlSpansetExpr *s) {
    switch (s->kind) {
    case TQL_S_FILTER:
        buf_put_lit(out, "{ ");
        if (s->filter) {
            traceql_print_expr(out, s->filter);
            buf_put_char(out, ' ');
        }
        buf_put_char(out, '}');
        break;
    case TQL_S_PIPELINE:
        buf_put_char(out, '(');
        put_pipeline(out, s->pipeline);
        buf_put_char(out, ')');
        break;
    case TQL_S_BINARY: {
        int own = spanset_strength(s);
        put_side(out, s->left, spanset_strength(s->left) < own);
        put_op(out, s->op);
        put_side(out, s->right, spanset_strength(s->right) <= own);
        break;
    }
    }
}

static void put_scalar(Buf *out, const TqlScalar *s, bool inner) {
    switch (s->kind) {
    case TQL_C_STATIC: traceql_print_value(out, &s->value); break;
    case TQL_C_AGGREGATE:
        buf_put_str(out, str_cstr(tql_aggregate_names[s->aggregate]));
        buf_put_char(out, '(');
        if (s->expr) traceql_print_expr(out, s->expr);
        buf_put_char(out, ')');
        break;
    case TQL_C_BINARY:
        if (inner) buf_put_char(out, '(');
        put_scalar(out, s->left, true);
        put_op(out, s->op);
        put_scalar(out, s->right, true);
        if (inner) buf_put_char(out, ')');
        break;
    case TQL_C_PIPELINE:
        buf_put_char(out, '(');
        put_pipeline(out, s->pipeline);
        buf_put_char(out, ')');
        break;
    }
}

/* --- pipelines --- */

static void put_stage(Buf *out, const TqlStage *st) {
    switch (st->kind) {
    case TQL_ST_SPANSET: put_spanset(out, st->spanset); break;
    case TQL_ST_BY:
        buf_put_lit(out, "by");
        put_exprs(out, &st->exprs);
        break;
    case TQL_ST_COALESCE: buf_put_lit(out, "coalesce()"); break;
    case TQL_ST_SELECT:
        buf_put_lit(out, "select");
        put_exprs(out, &st->exprs);
        break;
    case TQL_ST_COMPARE:
        put_scalar(out, st->left, false);
        put_op(out, st->op);
        put_scalar(out, st->right, false);
        break;
    case TQL_ST_SCALAR: put_scalar(out, st->left, false); break;
    }
}

static void put_pipeline(Buf *out, const TqlPipeline *p) {
    for (const TqlStage *st = p->stages; st; st = st->next) {
        if (st != p->stages) buf_put_lit(out, " | ");
        put_stage(out, st);
    }
}

void traceql_print_pipeline(Buf *out, const TqlPipeline *p) { put_pipeline(out, p); }

/* --- metrics --- */

static void put_second(Buf *out, const TqlMetrics *m) {
    for (const TqlSecond *s = m->second; s; s = s->next) {
        if (s->kind == TQL_THRESHOLD) {
            put_op(out, s->op);
            traceql_print_value(out, &s->literal);
        } else {
            buf_printf(out, " | %s(%lld)", s->kind == TQL_TOPK ? "topk" : "bottomk", (long long)s->k);
        }
    }
}

static void put_compare(Buf *out, const TqlMetrics *m) {
    put_spanset(out, m->compare);
    if (m->n_compare_args > 1) buf_printf(out, ", %lld", (long long)m->compare_top_n);
    if (m->n_compare_args > 2)
        buf_printf(out, ", %lld, %lld", (long long)m->compare_start_ns, (long long)m->compare_end_ns);
}

static void put_func(Buf *out, const TqlMetrics *m) {
    put_pipeline(out, m->pipeline);
    buf_printf(out, " | %s(", tql_metrics_names[m->func]);
    if (m->arg) traceql_print_expr(out, m->arg);
    for (size_t i = 0; i < m->quantiles.n; i++) {
        buf_put_lit(out, ", ");
        put_f64(out, m->quantiles.v[i]);
    }
    if (m->compare) put_compare(out, m);
    buf_put_char(out, ')');
    if (m->by.n == 0) return;
    buf_put_lit(out, " by");
    put_exprs(out, &m->by);
}

/* Whole: not an operand. A binary one with something behind it stands in parentheses. */
static void put_metrics(Buf *out, const TqlMetrics *m, bool whole) {
    if (m->kind == TQL_M_SCALAR) {
        traceql_print_value(out, &m->literal);
        return;
    }
    if (!whole) buf_put_char(out, '(');
    if (m->kind == TQL_M_BINARY) {
        if (m->second) buf_put_char(out, '(');
        put_metrics(out, m->left, false);
        put_op(out, m->op);
        put_metrics(out, m->right, false);
        if (m->second) buf_put_char(out, ')');
    } else {
        put_func(out, m);
    }
    put_second(out, m);
    if (!whole) buf_put_char(out, ')');
}

void traceql_print(Buf *out, const TraceQl *q) {
    if (q->is_metrics)
        put_metrics(out, q->metrics, true);
    else
        put_pipeline(out, q->pipeline);
    for (size_t i = 0; i < q->hints.n; i++) {
        buf_put_str(out, i ? STR(", ") : STR(" with("));
        buf_put_str(out, q->hints.v[i].name);
        buf_put_char(out, '=');
        traceql_print_value(out, &q->hints.v[i].value);
    }
    if (q->hints.n) buf_put_char(out, ')');
}
