#include "traces/traceql_parse_int.h"

/* && and || bind alike and weakest, as in Tempo; see docs/traceql.md. */
static const PrattInfix field_table[] = {
    {TQL_OR, 1, 2},
    {TQL_AND, 1, 2},
    {TQL_EQ, 3, 4},
    {TQL_NEQ, 3, 4},
    {TQL_RE, 3, 4},
    {TQL_NRE, 3, 4},
    {TQL_GT, 3, 4},
    {TQL_GE, 3, 4},
    {TQL_LT, 3, 4},
    {TQL_LE, 3, 4},
    {TQL_ADD, 5, 6},
    {TQL_SUB, 5, 6},
    {TQL_MUL, 9, 10},
    {TQL_DIV, 9, 10},
    {TQL_MOD, 9, 10},
    {TQL_POW, 11, 11},
};
#define NEG_BP 6
#define NOT_BP 7

/* --- literals --- */

static const struct {
    const char *word;
    TqlValue value;
} words[] = {
    {"true", {.type = TQL_BOOL, .b = true}},
    {"false", {.type = TQL_BOOL, .b = false}},
    {"nil", {.type = TQL_NIL}},
    {"minInt", {.type = TQL_INT, .i = INT64_MIN}},
    {"maxInt", {.type = TQL_INT, .i = INT64_MAX}},
    {"unset", {.type = TQL_STATUS, .i = SPAN_STATUS_UNSET}},
    {"ok", {.type = TQL_STATUS, .i = SPAN_STATUS_OK}},
    {"error", {.type = TQL_STATUS, .i = SPAN_STATUS_ERROR}},
    {"unspecified", {.type = TQL_KIND, .i = SPAN_UNSPECIFIED}},
    {"internal", {.type = TQL_KIND, .i = SPAN_INTERNAL}},
    {"server", {.type = TQL_KIND, .i = SPAN_SERVER}},
    {"client", {.type = TQL_KIND, .i = SPAN_CLIENT}},
    {"producer", {.type = TQL_KIND, .i = SPAN_PRODUCER}},
    {"consumer", {.type = TQL_KIND, .i = SPAN_CONSUMER}},
};

static int word_of(const TqlParser *p) {
    for (size_t i = 0; p->tok.kind == TQL_T_WORD && i < ARRAY_LEN(words); i++) {
        if (str_eq(p->tok.text, str_cstr(words[i].word))) return (int)i;
    }
    return -1;
}

static bool is_number(TqlTok kind) { return kind == TQL_T_INT || kind == TQL_T_FLOAT || kind == TQL_T_DURATION; }

bool tql_is_static(const TqlParser *p) {
    return p->tok.kind == TQL_T_STRING || is_number(p->tok.kind) || word_of(p) >= 0;
}

static void negate(TqlValue *v) {
    if (v->type == TQL_FLOAT)
        v->d = -v->d;
    else
        v->i = (int64_t)(0 - (uint64_t)v->i);
}

bool tql_parse_static(TqlParser *p, TqlValue *ret) {
    bool minus = tql_take_punct(p, "-");
    int word = word_of(p);
    if (is_number(p->tok.kind)) {
        *ret = p->tok.value;
        if (minus) negate(ret);
    } else if (!minus && word >= 0) {
        *ret = words[word].value;
    } else if (!minus && p->tok.kind == TQL_T_STRING) {
        *ret = (TqlValue){.type = TQL_STRING};
        if (!lang_unquote(p->tok.text, p->arena, &ret->s)) return tql_fail_memory(p);
        if (!str_is_utf8(ret->s)) return lang_fail(&p->error, p->tok.span, "syntax error: string is not UTF-8");
    } else {
        return tql_fail_unexpected(p, NULL);
    }
    tql_advance(p);
    return true;
}

/* --- expressions --- */

static TqlExpr *new_expr(TqlParser *p, TqlExprKind kind, LangSpan span) {
    TqlExpr *e = TQL_NODE(p, TqlExpr);
    if (!e) return NULL;
    e->kind = kind;
    e->span = span;
    return e;
}

static TqlExpr *parse_unary(TqlParser *p) {
    LangSpan span = p->tok.span;
    bool minus = tql_is_punct(p, "-");
    tql_advance(p);
    TqlExpr *operand = pratt_parse(&p->fields, minus ? NEG_BP : NOT_BP);
    if (!operand) return NULL;
    bool literal =
        operand->kind == TQL_E_STATIC &&
        (operand->value.type == TQL_INT || operand->value.type == TQL_FLOAT || operand->value.type == TQL_DURATION);
    if (minus && literal) { /* -5 is a literal */
        negate(&operand->value);
        operand->span = lang_span_join(span, operand->span);
        return operand;
    }
    TqlExpr *e = new_expr(p, TQL_E_UNARY, lang_span_join(span, operand->span));
    if (!e) return NULL;
    e->op = minus ? TQL_NEG : TQL_NOT;
    e->left = operand;
    return e;
}

static TqlExpr *parse_field(TqlParser *p, TqlAttr attr) {
    TqlExpr *e = new_expr(p, TQL_E_ATTR, p->tok.span);
    if (!e) return NULL;
    e->attr = attr;
    tql_advance(p);
    return e;
}

static void *field_prefix(void *ctx) {
    TqlParser *p = ctx;
    if (tql_is_punct(p, "-") || tql_is_punct(p, "!")) return parse_unary(p);
    if (tql_is_punct(p, "(")) {
        tql_advance(p);
        TqlExpr *e = pratt_parse(&p->fields, 0);
        return e && tql_expect_punct(p, ")") ? e : NULL;
    }
    if (p->tok.kind == TQL_T_ATTR || p->tok.kind == TQL_T_INTRINSIC) return parse_field(p, p->tok.attr);
    if (tql_is_static(p)) {
        TqlExpr *e = new_expr(p, TQL_E_STATIC, p->tok.span);
        return e && tql_parse_static(p, &e->value) ? e : NULL;
    }
    TqlIntrinsic i = p->tok.kind == TQL_T_WORD ? tql_intrinsic_of(p->tok.text) : TQL_NOT_INTRINSIC;
    if (i != TQL_NOT_INTRINSIC) return parse_field(p, (TqlAttr){.intrinsic = i});
    if (p->tok.kind == TQL_T_WORD)
        lang_fail(&p->error, p->tok.span, "unknown identifier: %" STR_FMT, (int)MIN(p->tok.text.n, (size_t)80),
            p->tok.text.p);
    else
        tql_fail_unexpected(p, NULL);
    return NULL;
}

static int field_peek(void *ctx) {
    const TqlParser *p = ctx;
    return p->tok.kind == TQL_T_PUNCT && p->tok.op <= TQL_POW ? (int)p->tok.op : -1;
}

static void *field_infix(void *ctx, void *left_node, const PrattInfix *op) {
    TqlParser *p = ctx;
    TqlExpr *left = left_node;
    tql_advance(p);
    TqlExpr *right = pratt_parse(&p->fields, op->right_bp);
    TqlExpr *e = right ? new_expr(p, TQL_E_BINARY, lang_span_join(left->span, right->span)) : NULL;
    if (!e) return NULL;
    e->op = (TqlOp)op->op;
    e->left = left;
    e->right = right;
    return e;
}

static void field_too_deep(void *ctx) {
    TqlParser *p = ctx;
    lang_fail(&p->error, p->tok.span, "the query is nested too deeply or has too many operators");
}

const PrattSyntax tql_field_syntax = {
    field_table, ARRAY_LEN(field_table), field_peek, field_prefix, field_infix, field_too_deep};

TqlExpr *tql_parse_expr(TqlParser *p) { return pratt_parse(&p->fields, 0); }

bool tql_parse_exprs(TqlParser *p, TqlExprs *ret) {
    if (!tql_expect_punct(p, "(")) return false;
    do {
        TqlExpr *e = tql_parse_expr(p);
        if (!e) return false;
        if (!avec_push(p->arena, ret, e)) return tql_fail_memory(p);
    } while (tql_take_punct(p, ","));
    return tql_expect_punct(p, ")");
}

TqlSpansetExpr *tql_parse_filter(TqlParser *p) {
    TqlSpansetExpr *s = TQL_NODE(p, TqlSpansetExpr);
    if (!s) return NULL;
    s->kind = TQL_S_FILTER;
    s->span = p->tok.span;
    if (!tql_expect_punct(p, "{")) return NULL;
    if (!tql_is_punct(p, "}")) {
        s->filter = tql_parse_expr(p);
        if (!s->filter) return NULL;
    }
    s->span = lang_span_join(s->span, p->tok.span);
    return tql_expect_punct(p, "}") ? s : NULL;
}
