/* traceql_equal.c - equality of trees, and what is left of a query somebody is still typing. */
#include "traces/traceql.h"
#include "traces/traceql_lex.h"

static bool pipelines_equal(const TqlPipeline *a, const TqlPipeline *b);

bool traceql_value_equal(const TqlValue *a, const TqlValue *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case TQL_NIL: return true;
    case TQL_STRING: return str_eq(a->s, b->s);
    case TQL_FLOAT: return a->d == b->d || (a->d != a->d && b->d != b->d);
    case TQL_BOOL: return a->b == b->b;
    case TQL_ARRAY:
    case TQL_MANY:
        if (a->n != b->n) return false;
        for (uint32_t i = 0; i < a->n; i++) {
            if (!traceql_value_equal(&a->v[i], &b->v[i])) return false;
        }
        return true;
    default: return a->i == b->i;
    }
}

bool traceql_attr_equal(const TqlAttr *a, const TqlAttr *b) {
    return a->intrinsic == b->intrinsic && a->scope == b->scope && a->parent == b->parent && str_eq(a->name, b->name);
}

static bool exprs_equal(const TqlExpr *a, const TqlExpr *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind) return false;
    if (a->kind == TQL_E_STATIC) return traceql_value_equal(&a->value, &b->value);
    if (a->kind == TQL_E_ATTR) return traceql_attr_equal(&a->attr, &b->attr);
    return a->op == b->op && exprs_equal(a->left, b->left) && exprs_equal(a->right, b->right);
}

static bool lists_equal(const TqlExprs *a, const TqlExprs *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!exprs_equal(a->v[i], b->v[i])) return false;
    }
    return true;
}

static bool spansets_equal(const TqlSpansetExpr *a, const TqlSpansetExpr *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case TQL_S_FILTER: return exprs_equal(a->filter, b->filter);
    case TQL_S_PIPELINE: return pipelines_equal(a->pipeline, b->pipeline);
    case TQL_S_BINARY: return a->op == b->op && spansets_equal(a->left, b->left) && spansets_equal(a->right, b->right);
    }
    UNREACHABLE();
}

static bool scalars_equal(const TqlScalar *a, const TqlScalar *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case TQL_C_STATIC: return traceql_value_equal(&a->value, &b->value);
    case TQL_C_AGGREGATE: return a->aggregate == b->aggregate && exprs_equal(a->expr, b->expr);
    case TQL_C_PIPELINE: return pipelines_equal(a->pipeline, b->pipeline);
    case TQL_C_BINARY: return a->op == b->op && scalars_equal(a->left, b->left) && scalars_equal(a->right, b->right);
    }
    UNREACHABLE();
}

static bool stages_equal(const TqlStage *a, const TqlStage *b) {
    return a->kind == b->kind && a->op == b->op && spansets_equal(a->spanset, b->spanset) &&
           lists_equal(&a->exprs, &b->exprs) && scalars_equal(a->left, b->left) && scalars_equal(a->right, b->right);
}

static bool pipelines_equal(const TqlPipeline *a, const TqlPipeline *b) {
    const TqlStage *x = a ? a->stages : NULL, *y = b ? b->stages : NULL;
    for (; x && y; x = x->next, y = y->next) {
        if (!stages_equal(x, y)) return false;
    }
    return !x && !y;
}

static bool seconds_equal(const TqlSecond *a, const TqlSecond *b) {
    for (; a && b; a = a->next, b = b->next) {
        if (a->kind != b->kind) return false;
        bool same =
            a->kind == TQL_THRESHOLD ? a->op == b->op && traceql_value_equal(&a->literal, &b->literal) : a->k == b->k;
        if (!same) return false;
    }
    return !a && !b;
}

static bool functions_equal(const TqlMetrics *a, const TqlMetrics *b) {
    if (a->func != b->func || !pipelines_equal(a->pipeline, b->pipeline) || !exprs_equal(a->arg, b->arg) ||
        !lists_equal(&a->by, &b->by) || a->quantiles.n != b->quantiles.n || !spansets_equal(a->compare, b->compare) ||
        a->compare_top_n != b->compare_top_n || a->compare_start_ns != b->compare_start_ns ||
        a->compare_end_ns != b->compare_end_ns) {
        return false;
    }
    for (size_t i = 0; i < a->quantiles.n; i++) {
        if (a->quantiles.v[i] != b->quantiles.v[i]) return false;
    }
    return true;
}

static bool metrics_equal(const TqlMetrics *a, const TqlMetrics *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind || !seconds_equal(a->second, b->second)) return false;
    switch (a->kind) {
    case TQL_M_SCALAR: return traceql_value_equal(&a->literal, &b->literal);
    case TQL_M_PIPELINE: return functions_equal(a, b);
    case TQL_M_BINARY: return a->op == b->op && metrics_equal(a->left, b->left) && metrics_equal(a->right, b->right);
    }
    UNREACHABLE();
}

bool traceql_equal(const TraceQl *a, const TraceQl *b) {
    if (a->is_metrics != b->is_metrics || a->hints.n != b->hints.n) return false;
    for (size_t i = 0; i < a->hints.n; i++) {
        if (!str_eq(a->hints.v[i].name, b->hints.v[i].name) ||
            !traceql_value_equal(&a->hints.v[i].value, &b->hints.v[i].value)) {
            return false;
        }
    }
    return pipelines_equal(a->pipeline, b->pipeline) && metrics_equal(a->metrics, b->metrics);
}

/* --- unfinished queries --- */

/* Appends the condition src[from, to) when it is one by itself. */
static void keep_condition(Buf *out, Str src, size_t from, size_t to) {
    Str text = str_trim(str_slice(src, from, to));
    if (text.n == 0) return;
    Arena *scratch = arena_create(4u << 20);
    Buf alone = {0};
    buf_printf(&alone, "{ %" STR_FMT " }", STR_ARG(text));
    const TraceQl *q;
    if (traceql_parse(buf_str(&alone), scratch, &q, NULL) == OK && !q->is_metrics && !q->pipeline->stages->next &&
        q->pipeline->stages->kind == TQL_ST_SPANSET && q->pipeline->stages->spanset->kind == TQL_S_FILTER) {
        if (out->n) buf_put_lit(out, " && ");
        buf_printf(out, "(%" STR_FMT ")", STR_ARG(text));
    }
    buf_done(&alone);
    arena_free(scratch);
}

/* The complete conditions of the first filter; empty: none, or it says || somewhere. */
static void collect_conditions(Buf *out, Str src, Arena *arena) {
    size_t from = str_find_char(src, '{'), depth = 0;
    if (from == SIZE_MAX) return;
    size_t pos = ++from;
    for (;;) {
        TqlToken t = tql_lex(src, pos, arena);
        bool punct = t.kind == TQL_T_PUNCT;
        bool end = t.kind == TQL_T_END || t.kind == TQL_T_BAD || (punct && str_eq_lit(t.text, "}"));
        if (punct && str_eq_lit(t.text, "(")) depth++;
        if (punct && str_eq_lit(t.text, ")") && depth > 0) depth--;
        if (punct && t.op == TQL_OR && depth == 0) {
            buf_clear(out);
            return;
        }
        if (end || (punct && t.op == TQL_AND && depth == 0)) {
            keep_condition(out, src, from, t.span.start);
            from = t.span.end;
        }
        if (end) return;
        pos = t.span.end;
    }
}

ErrCode traceql_parse_partial(Str src, Arena *arena, const TraceQl **ret, Err *reterr) {
    Buf kept = {0};
    if (src.n <= TRACEQL_SOURCE_MAX) collect_conditions(&kept, src, arena);
    Str text = arena_printf(arena, "{ %" STR_FMT " }", STR_ARG(buf_str(&kept)));
    buf_done(&kept);
    if (!text.p) return err_set(reterr, ERR_TOO_LARGE, "%s", tql_lex_no_memory);
    if (traceql_parse(text, arena, ret, NULL) == OK) return OK;
    return traceql_parse(STR("{ }"), arena, ret, reterr); /* conditions that nest too deeply together */
}
