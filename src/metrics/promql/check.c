/* check.c - types of PromQL expressions and the rules the grammar cannot say. */
#include "metrics/promql/function.h"

#include <stdio.h>

typedef struct Check {
    Str src;
    LangError *err;
} Check;

PqlType promql_type(const PqlNode *n) {
    switch (n->kind) {
    case PQL_NUMBER: return PQL_TYPE_SCALAR;
    case PQL_STRING: return PQL_TYPE_STRING;
    case PQL_SELECTOR:
    case PQL_AGGREGATE: return PQL_TYPE_VECTOR;
    case PQL_MATRIX:
    case PQL_SUBQUERY: return PQL_TYPE_MATRIX;
    case PQL_UNARY: return promql_type(n->unary.expr);
    case PQL_PAREN: return promql_type(n->paren);
    case PQL_CALL: return (PqlType)n->call.fn->ret;
    case PQL_DURATION: return PQL_TYPE_SCALAR;
    case PQL_BINARY: {
        bool scalar = promql_type(n->binary.lhs) == PQL_TYPE_SCALAR && promql_type(n->binary.rhs) == PQL_TYPE_SCALAR;
        return scalar ? PQL_TYPE_SCALAR : PQL_TYPE_VECTOR;
    }
    }
    UNREACHABLE();
}

const char *promql_type_name(PqlType t) {
    static const char *const names[] = {"none", "scalar", "vector", "matrix", "string"};
    return names[t];
}

const char *promql_type_documented(PqlType t) {
    static const char *const names[] = {"none", "scalar", "instant vector", "range vector", "string"};
    return names[t];
}

static PqlType check_node(Check *c, PqlNode *n);

static void check_expect(Check *c, PqlNode *n, PqlType want, const char *context) {
    PqlType got = check_node(c, n);
    if (got != want)
        lang_fail(c->err, n->span, "expected type %s in %s, got %s", promql_type_documented(want), context,
            promql_type_documented(got));
}

static void check_aggregate(Check *c, PqlNode *n) {
    check_expect(c, n->aggregate.expr, PQL_TYPE_VECTOR, "aggregation expression");
    if (n->aggregate.op == TOK_COUNT_VALUES)
        check_expect(c, n->aggregate.param, PQL_TYPE_STRING, "aggregation parameter");
    else if (n->aggregate.param)
        check_expect(c, n->aggregate.param, PQL_TYPE_SCALAR, "aggregation parameter");
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* The operator with its modifiers. */
static LangSpan op_span(const Check *c, const PqlNode *n) {
    LangSpan s = {n->binary.lhs->span.end, n->binary.rhs->span.start};
    while (s.start < s.end && is_space(c->src.p[s.start])) s.start++;
    return s;
}

static void check_matching(Check *c, PqlNode *n) {
    for (size_t i = 0; i < n->binary.labels.n; i++)
        for (size_t j = 0; j < n->binary.include.n; j++) {
            Str name = n->binary.labels.v[i];
            if (!n->binary.on || !str_eq(name, n->binary.include.v[j])) continue;
            Buf b = {0};
            lang_put_quoted(&b, name);
            lang_fail(c->err, op_span(c, n), "label %s must not occur in ON and GROUP clause at once", buf_cstr(&b));
            buf_done(&b);
        }
}

static void check_matching_types(Check *c, PqlNode *n, bool vectors) {
    bool fill = n->binary.has_fill_lhs || n->binary.has_fill_rhs, set_op = pql_tok_is_set_op(n->binary.op);
    const char *op = pql_tok_text(n->binary.op);
    if (!vectors) {
        if (n->binary.labels.n > 0) lang_fail(c->err, n->span, "vector matching only allowed between instant vectors");
        if (fill) lang_fail(c->err, n->span, "filling in missing series only allowed between instant vectors");
    } else if (set_op) {
        if (n->binary.card == PQL_ONE_TO_MANY || n->binary.card == PQL_MANY_TO_ONE)
            lang_fail(c->err, n->span, "no grouping allowed for \"%s\" operation", op);
        if (fill) lang_fail(c->err, n->span, "filling in missing series not allowed for set operators");
    }
}

static void check_binary(Check *c, PqlNode *n) {
    PqlType lt = check_node(c, n->binary.lhs), rt = check_node(c, n->binary.rhs);
    bool comparison = pql_tok_is_comparison(n->binary.op), set_op = pql_tok_is_set_op(n->binary.op);
    if (n->binary.return_bool && !comparison)
        lang_fail(c->err, op_span(c, n), "bool modifier can only be used on comparison operators");
    if (comparison && !n->binary.return_bool && lt == PQL_TYPE_SCALAR && rt == PQL_TYPE_SCALAR)
        lang_fail(c->err, op_span(c, n), "comparisons between scalars must use BOOL modifier");
    if (set_op && n->binary.card == PQL_ONE_TO_ONE) n->binary.card = PQL_MANY_TO_MANY;
    check_matching(c, n);
    static const char types[] = "binary expression must contain only scalar and instant vector types";
    if (lt != PQL_TYPE_SCALAR && lt != PQL_TYPE_VECTOR) lang_fail(c->err, n->binary.lhs->span, types);
    if (rt != PQL_TYPE_SCALAR && rt != PQL_TYPE_VECTOR) lang_fail(c->err, n->binary.rhs->span, types);
    check_matching_types(c, n, lt == PQL_TYPE_VECTOR && rt == PQL_TYPE_VECTOR);
    if (set_op && (lt == PQL_TYPE_SCALAR || rt == PQL_TYPE_SCALAR))
        lang_fail(
            c->err, n->span, "set operator \"%s\" not allowed in binary scalar expression", pql_tok_text(n->binary.op));
}

static void check_info(Check *c, PqlNode *n) {
    PqlNode *arg = n->call.args.v[1];
    PqlType t = promql_type(arg);
    if (t != PQL_TYPE_VECTOR)
        lang_fail(c->err, n->span, "expected type instant vector in call to function \"info\", got %s",
            promql_type_documented(t));
    if (arg->kind != PQL_SELECTOR)
        lang_fail(c->err, arg->span, "expected label selectors only");
    else if (arg->selector.name.n)
        lang_fail(c->err, arg->span, "expected label selectors only, got vector selector instead");
    else
        arg->selector.any_ok = true;
}

static void check_call(Check *c, PqlNode *n) {
    const PqlFunction *fn = n->call.fn;
    int got = (int)n->call.args.n, least = fn->n_args - 1;
    if (fn->variadic == 0) {
        if (got != fn->n_args)
            lang_fail(c->err, n->span, "expected %d argument(s) in call to \"%s\", got %d", fn->n_args, fn->name, got);
    } else if (got < least) {
        lang_fail(c->err, n->span, "expected at least %d argument(s) in call to \"%s\", got %d", least, fn->name, got);
    } else if (fn->variadic > 0 && got > least + fn->variadic) {
        lang_fail(c->err, n->span, "expected at most %d argument(s) in call to \"%s\", got %d", least + fn->variadic,
            fn->name, got);
    }
    if (fn->id == FN_INFO && got > 1) check_info(c, n);
    char context[64];
    snprintf(context, sizeof context, "call to function \"%s\"", fn->name);
    for (int i = 0; i < got; i++) {
        if (i >= fn->n_args && fn->variadic == 0) break;
        check_expect(c, n->call.args.v[i], (PqlType)fn->args[MIN(i, fn->n_args - 1)], context);
    }
}

static void check_selector(Check *c, PqlNode *n) {
    Matchers ms = n->selector.matchers;
    if (n->selector.name.n) {
        for (size_t i = 0; i + 1 < ms.n; i++) {
            if (!str_eq(ms.v[i]->name, LABEL_NAME_METRIC)) continue;
            Buf b = {0};
            lang_put_quoted(&b, n->selector.name);
            buf_put_lit(&b, " or ");
            lang_put_quoted(&b, ms.v[i]->value);
            lang_fail(c->err, n->span, "metric name must not be set twice: %s", buf_cstr(&b));
            buf_done(&b);
        }
        return;
    }
    if (n->selector.any_ok) return;
    for (size_t i = 0; i < ms.n; i++)
        if (!matcher_matches_empty(ms.v[i])) return;
    lang_fail(c->err, n->span, "vector selector must contain at least one non-empty matcher");
}

static PqlType check_node(Check *c, PqlNode *n) {
    PqlType t;
    switch (n->kind) {
    case PQL_AGGREGATE: check_aggregate(c, n); break;
    case PQL_BINARY: check_binary(c, n); break;
    case PQL_CALL: check_call(c, n); break;
    case PQL_PAREN: check_node(c, n->paren); break;
    case PQL_UNARY:
        t = check_node(c, n->unary.expr);
        if (t != PQL_TYPE_SCALAR && t != PQL_TYPE_VECTOR)
            lang_fail(c->err, n->span,
                "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                promql_type_documented(t));
        break;
    case PQL_SUBQUERY:
        t = check_node(c, n->subquery.expr);
        if (t != PQL_TYPE_VECTOR)
            lang_fail(
                c->err, n->span, "subquery is only allowed on instant vector, got %s instead", promql_type_name(t));
        break;
    case PQL_MATRIX: check_node(c, n->matrix.selector); break;
    case PQL_SELECTOR: check_selector(c, n); break;
    case PQL_NUMBER:
    case PQL_STRING: break;
    case PQL_DURATION: UNREACHABLE();
    }
    return promql_type(n);
}

bool promql_check(PqlNode *root, Str source, LangError *err) {
    Check c = {source, err};
    check_node(&c, root);
    return !err->set;
}
