#include "logs/logql_parse_int.h"

#include "base/diag.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* --- errors and tokens --- */

bool lq_fail_at(LqParser *p, LangSpan span, const char *fmt, ...) {
    if (p->failed) return false;
    p->failed = true;
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    int line, col;
    diag_locate(p->src, MIN((size_t)span.start, p->src.n), &line, &col);
    err_set_at(p->err, ERR_INVALID, line, col, "parse error at line %d, col %d: %s", line, col, msg);
    return false;
}

bool lq_fail_plain(LqParser *p, const char *fmt, ...) {
    if (p->failed) return false;
    p->failed = true;
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    err_set(p->err, ERR_INVALID, "parse error : %s", msg);
    return false;
}

bool lq_fail_memory(LqParser *p) {
    if (!p->failed) err_set(p->err, ERR_TOO_LARGE, "parse error : the query needs more memory than it is allowed");
    p->failed = true;
    return false;
}

bool lq_fail_unsupported(LqParser *p, LangSpan span, Str what) {
    return lq_fail_at(p, span, "%" STR_FMT " is not supported", STR_ARG(what));
}

static bool fail_bad_token(LqParser *p) {
    const LqToken *t = &p->tok;
    if (!t->error) return lq_fail_at(p, t->span, "syntax error: unexpected %" STR_FMT, STR_ARG(t->text));
    if (!str_eq_lit(str_cstr(t->error), "range")) return lq_fail_at(p, t->span, "syntax error: %s", t->error);
    if (p->failed) return false;
    p->failed = true;
    Str unit = t->text;
    while (unit.n > 0 && (isdigit((unsigned char)unit.p[0]) || unit.p[0] == '.')) unit = str_skip(unit, 1);
    bool has_number = unit.n < t->text.n;
    size_t n = 0;
    while (n < unit.n && !isdigit((unsigned char)unit.p[n]) && unit.p[n] != '.') n++;
    Str text = t->text;
    int col = (int)t->span.start + 1; /* the lexer knows columns only; Loki says line 0 here */
    if (has_number && unit.n == 0)
        err_set_at(p->err, ERR_INVALID, 1, col,
            "parse error at line 0, col %d: missing unit in duration \"%" STR_FMT "\"", col, STR_ARG(text));
    else if (has_number)
        err_set_at(p->err, ERR_INVALID, 1, col,
            "parse error at line 0, col %d: unknown unit \"%" STR_FMT "\" in duration \"%" STR_FMT "\"", col, (int)n,
            unit.p, STR_ARG(text));
    else
        err_set_at(p->err, ERR_INVALID, 1, col, "parse error at line 0, col %d: invalid duration \"%" STR_FMT "\"", col,
            STR_ARG(text));
    return false;
}

bool lq_fail_unexpected(LqParser *p, const char *expecting) {
    char lower[64];
    const char *name = NULL;
    switch (p->tok.kind) {
    case LQ_T_BAD: return fail_bad_token(p);
    case LQ_T_END: name = "$end"; break;
    case LQ_T_IDENT: name = "IDENTIFIER"; break;
    case LQ_T_STRING: name = "STRING"; break;
    case LQ_T_NUMBER: name = "NUMBER"; break;
    case LQ_T_DURATION: name = "DURATION"; break;
    case LQ_T_BYTES: name = "BYTES"; break;
    case LQ_T_RANGE: name = "RANGE"; break;
    case LQ_T_FLAG: name = "PARSER_FLAG"; break;
    case LQ_T_WORD:
    case LQ_T_FUNC:
    case LQ_T_PUNCT: {
        size_t n = MIN(p->tok.text.n, sizeof lower - 1);
        for (size_t i = 0; i < n; i++) lower[i] = (char)tolower((unsigned char)p->tok.text.p[i]);
        lower[n] = 0;
        name = lower;
        break;
    }
    }
    if (expecting) return lq_fail_at(p, p->tok.span, "syntax error: unexpected %s, expecting %s", name, expecting);
    return lq_fail_at(p, p->tok.span, "syntax error: unexpected %s", name);
}

void lq_advance(LqParser *p) { p->tok = lq_lex(p->src, p->tok.span.end); }

bool lq_take_punct(LqParser *p, const char *text) {
    if (!lq_is_punct(p, text)) return false;
    lq_advance(p);
    return true;
}

bool lq_expect_punct(LqParser *p, const char *text, const char *expecting) {
    return lq_take_punct(p, text) || lq_fail_unexpected(p, expecting);
}

bool lq_take_string(LqParser *p, Str *ret) {
    if (p->tok.kind != LQ_T_STRING) return lq_fail_unexpected(p, "STRING");
    if (!lang_unquote(p->tok.text, p->arena, ret)) return lq_fail_memory(p);
    if (!str_is_utf8(*ret)) return lq_fail_at(p, p->tok.span, "syntax error: invalid UTF-8 in string");
    lq_advance(p);
    return true;
}

bool lq_take_ident(LqParser *p, Str *ret, const char *expecting) {
    if (p->tok.kind != LQ_T_IDENT) return lq_fail_unexpected(p, expecting);
    *ret = p->tok.text;
    lq_advance(p);
    return true;
}

static LqExpr *new_expr(LqParser *p, LqKind kind, LangSpan span) {
    LqExpr *e = ARENA_NEW(p->arena, LqExpr);
    if (!e) {
        lq_fail_memory(p);
        return NULL;
    }
    e->kind = kind;
    e->span = span;
    return e;
}

/* --- grouping, modifiers --- */

#define PARSE_NAMES(p, names)                                                                                          \
    do {                                                                                                               \
        if (!lq_expect_punct((p), "(", "(")) return false;                                                             \
        while (!lq_take_punct((p), ")")) {                                                                             \
            Str name_;                                                                                                 \
            if (!lq_take_ident((p), &name_, (names)->n ? "IDENTIFIER" : "IDENTIFIER or )")) return false;              \
            if (!avec_push((p)->arena, (names), name_)) return lq_fail_memory(p);                                      \
            if (!lq_is_punct((p), ")") && !lq_expect_punct((p), ",", ") or ,")) return false;                          \
        }                                                                                                              \
    } while (0)

static bool is_grouping(const LqParser *p) { return lq_is_word(p, "by") || lq_is_word(p, "without"); }

static bool parse_grouping(LqParser *p, LqGrouping *g) {
    g->set = true;
    g->without = lq_is_word(p, "without");
    lq_advance(p);
    PARSE_NAMES(p, &g->names);
    return true;
}

static bool parse_signed_duration(LqParser *p, int64_t *ret) {
    bool negative = lq_take_punct(p, "-");
    if (p->tok.kind == LQ_T_NUMBER && p->tok.number == 0) p->tok.kind = LQ_T_DURATION;
    if (p->tok.kind != LQ_T_DURATION) return lq_fail_unexpected(p, "DURATION");
    *ret = negative ? -p->tok.ns : p->tok.ns;
    lq_advance(p);
    return true;
}

/* [5m] with its offset, where it stands; nothing there is fine. */
static bool parse_range(LqParser *p, LqExpr *e) {
    if (p->tok.kind != LQ_T_RANGE || e->range_ns > 0) return true;
    e->range_ns = p->tok.ns;
    lq_advance(p);
    if (!lq_is_word(p, "offset")) return true;
    lq_advance(p);
    return parse_signed_duration(p, &e->offset_ns);
}

/* selector, stages and range in any of the allowed orders, with parentheses around any prefix of it. */
static bool parse_log_range(LqParser *p, LqExpr *e, LqStage ***tail) {
    if (!pratt_enter(&p->pratt)) return false;
    bool ok;
    if (lq_take_punct(p, "("))
        ok = parse_log_range(p, e, tail) && lq_expect_punct(p, ")", NULL);
    else
        ok = lq_is_punct(p, "{") ? lq_parse_braces(p, e) : lq_fail_unexpected(p, NULL);
    pratt_leave(&p->pratt);
    return ok && parse_range(p, e) && lq_parse_stages(p, e, tail, true) && parse_range(p, e);
}

/* --- functions --- */

static bool range_takes_grouping(LqRangeOp op) {
    return op == LQ_AVG_OVER_TIME || op == LQ_MAX_OVER_TIME || op == LQ_MIN_OVER_TIME || op == LQ_STDVAR_OVER_TIME ||
           op == LQ_STDDEV_OVER_TIME || op == LQ_QUANTILE_OVER_TIME || op == LQ_FIRST_OVER_TIME ||
           op == LQ_LAST_OVER_TIME;
}

static bool check_unwrap(LqParser *p, const LqExpr *e) {
    bool needs = e->range_op >= LQ_RATE_COUNTER;
    bool may = needs || e->range_op == LQ_RATE || e->range_op == LQ_ABSENT_OVER_TIME;
    const char *name = lq_range_names[e->range_op];
    if (needs && !e->unwrap.set) return lq_fail_plain(p, "invalid aggregation %s without unwrap", name);
    if (!may && e->unwrap.set) return lq_fail_plain(p, "invalid aggregation %s with unwrap", name);
    return true;
}

static LqExpr *parse_range_agg(LqParser *p, int op) {
    LqExpr *e = new_expr(p, LQ_RANGE, p->tok.span);
    if (!e) return NULL;
    e->range_op = (LqRangeOp)op;
    lq_advance(p);
    if (!lq_expect_punct(p, "(", "(")) return NULL;
    if (e->range_op == LQ_QUANTILE_OVER_TIME) {
        if (p->tok.kind != LQ_T_NUMBER) {
            lq_fail_plain(p, "parameter required for operation %s", lq_range_names[op]);
            return NULL;
        }
        e->param = p->tok.number;
        lq_advance(p);
        if (!lq_expect_punct(p, ",", ",")) return NULL;
    } else if (p->tok.kind == LQ_T_NUMBER) {
        lq_fail_plain(
            p, "parameter %" STR_FMT " not supported for operation %s", STR_ARG(p->tok.text), lq_range_names[op]);
        return NULL;
    }
    LqStage **tail = &e->stages;
    if (!parse_log_range(p, e, &tail)) return NULL;
    if (e->range_ns == 0) {
        lq_fail_unexpected(p, NULL);
        return NULL;
    }
    if (!lq_expect_punct(p, ")", NULL)) return NULL;
    if (is_grouping(p)) {
        if (!range_takes_grouping(e->range_op)) {
            lq_fail_plain(p, "grouping not allowed for %s aggregation", lq_range_names[op]);
            return NULL;
        }
        if (!parse_grouping(p, &e->by)) return NULL;
    }
    return check_unwrap(p, e) && lq_check_matchers(p, e) ? e : NULL;
}

static bool parse_agg_param(LqParser *p, LqExpr *e) {
    bool needs = e->agg_op == LQ_TOPK || e->agg_op == LQ_BOTTOMK;
    const char *name = lq_agg_names[e->agg_op];
    if (p->tok.kind != LQ_T_NUMBER)
        return !needs || p->tok.kind == LQ_T_IDENT || lq_fail_plain(p, "parameter required for operation %s", name);
    LqToken next = lq_lex(p->src, p->tok.span.end);
    if (next.kind != LQ_T_PUNCT || !str_eq_lit(next.text, ","))
        return !needs || lq_fail_plain(p, "parameter required for operation %s", name);
    if (!needs)
        return lq_fail_plain(p, "unsupported parameter for operation %s(%" STR_FMT ",", name, STR_ARG(p->tok.text));
    if (p->tok.number != floor(p->tok.number) || fabs(p->tok.number) > 1e9)
        return lq_fail_plain(p, "invalid parameter %s(%" STR_FMT ",", name, STR_ARG(p->tok.text));
    if (p->tok.number <= 0)
        return lq_fail_plain(p, "invalid parameter (must be greater than 0) %s(%" STR_FMT, name, STR_ARG(p->tok.text));
    e->param = p->tok.number;
    lq_advance(p);
    lq_advance(p);
    return true;
}

static LqExpr *parse_vector_agg(LqParser *p, int op) {
    LqExpr *e = new_expr(p, LQ_AGG, p->tok.span);
    if (!e) return NULL;
    e->agg_op = (LqAggOp)op;
    lq_advance(p);
    if (is_grouping(p) && !parse_grouping(p, &e->by)) return NULL;
    if (!lq_expect_punct(p, "(", "(") || !parse_agg_param(p, e)) return NULL;
    e->left = pratt_parse(&p->pratt, 0);
    if (!e->left || !lq_expect_punct(p, ")", NULL)) return NULL;
    if (!e->by.set && is_grouping(p) && !parse_grouping(p, &e->by)) return NULL;
    if (e->by.set && (op == LQ_SORT || op == LQ_SORT_DESC)) {
        lq_fail_plain(p, "grouping not allowed for %s aggregation", lq_agg_names[op]);
        return NULL;
    }
    if (e->left->kind == LQ_LITERAL) {
        lq_fail_plain(p, "invalid aggregation %s over a literal", lq_agg_names[op]);
        return NULL;
    }
    return e;
}

static LqExpr *parse_vector(LqParser *p) {
    LqExpr *e = new_expr(p, LQ_VECTOR, p->tok.span);
    if (!e) return NULL;
    lq_advance(p);
    if (!lq_expect_punct(p, "(", "(")) return NULL;
    if (p->tok.kind != LQ_T_NUMBER) {
        lq_fail_unexpected(p, "NUMBER");
        return NULL;
    }
    e->literal = p->tok.number;
    lq_advance(p);
    return lq_expect_punct(p, ")", ")") ? e : NULL;
}

static LqExpr *parse_number(LqParser *p) {
    LqExpr *e = new_expr(p, LQ_LITERAL, p->tok.span);
    if (!e) return NULL;
    bool negative = lq_is_punct(p, "-"), sign = negative || lq_is_punct(p, "+");
    if (sign) lq_advance(p);
    if (p->tok.kind != LQ_T_NUMBER) {
        lq_fail_unexpected(p, "NUMBER");
        return NULL;
    }
    e->literal = negative ? -p->tok.number : p->tok.number;
    e->span.end = p->tok.span.end;
    lq_advance(p);
    return e;
}

static LqExpr *parse_selector_expr(LqParser *p) {
    LqExpr *e = new_expr(p, LQ_LOG, p->tok.span);
    if (!e || !lq_parse_braces(p, e)) return NULL;
    LqStage **tail = &e->stages;
    if (!lq_parse_stages(p, e, &tail, false)) return NULL;
    return lq_check_matchers(p, e) ? e : NULL;
}

/* Further stages may follow a parenthesised log expression. */
static LqExpr *parse_parens(LqParser *p) {
    lq_advance(p);
    LqExpr *e = pratt_parse(&p->pratt, 0);
    if (!e || !lq_expect_punct(p, ")", NULL)) return NULL;
    if (e->kind != LQ_LOG) return e;
    LqStage **tail = &e->stages;
    while (*tail) tail = &(*tail)->next;
    return lq_parse_stages(p, e, &tail, false) ? e : NULL;
}

static void *parse_prefix(void *ctx) {
    LqParser *p = ctx;
    if (p->tok.kind == LQ_T_FUNC) {
        int op = lq_range_op_of(p->tok.text);
        if (op >= 0) return parse_range_agg(p, op);
        op = lq_agg_op_of(p->tok.text);
        if (op >= 0) return parse_vector_agg(p, op);
        if (str_eq_nocase(p->tok.text, STR("vector"))) return parse_vector(p);
        if (str_eq_nocase(p->tok.text, STR("label_replace")) || str_eq_nocase(p->tok.text, STR("approx_topk"))) {
            lq_fail_unsupported(p, p->tok.span, p->tok.text);
            return NULL;
        }
    }
    if (p->tok.kind == LQ_T_NUMBER || lq_is_punct(p, "-") || lq_is_punct(p, "+")) return parse_number(p);
    if (lq_is_punct(p, "{")) return parse_selector_expr(p);
    if (lq_is_punct(p, "(")) return parse_parens(p);
    lq_fail_unexpected(p, NULL);
    return NULL;
}

/* --- binary operations --- */

static const PrattInfix infix_table[] = {
    {LQ_OR, 1, 2},
    {LQ_AND, 3, 4},
    {LQ_UNLESS, 3, 4},
    {LQ_BIN_EQ, 5, 6},
    {LQ_BIN_NEQ, 5, 6},
    {LQ_BIN_GT, 5, 6},
    {LQ_BIN_GE, 5, 6},
    {LQ_BIN_LT, 5, 6},
    {LQ_BIN_LE, 5, 6},
    {LQ_ADD, 7, 8},
    {LQ_SUB, 7, 8},
    {LQ_MUL, 9, 10},
    {LQ_DIV, 9, 10},
    {LQ_MOD, 9, 10},
    {LQ_POW, 11, 11},
};

static int peek_infix(void *ctx) {
    const LqParser *p = ctx;
    if (p->tok.kind != LQ_T_PUNCT && p->tok.kind != LQ_T_WORD) return -1;
    for (int i = 0; i < LQ_BIN_OPS; i++)
        if (str_eq_nocase(p->tok.text, str_cstr(lq_bin_names[i]))) return i;
    return -1;
}

static bool parse_matching(LqParser *p, LqMatching *m) {
    if (lq_is_word(p, "bool")) {
        m->return_bool = true;
        lq_advance(p);
    }
    if (!lq_is_word(p, "on") && !lq_is_word(p, "ignoring")) return true;
    m->set = true;
    m->on = lq_is_word(p, "on");
    lq_advance(p);
    PARSE_NAMES(p, &m->names);
    m->group_left = lq_is_word(p, "group_left");
    m->group_right = lq_is_word(p, "group_right");
    if (!m->group_left && !m->group_right) return true;
    lq_advance(p);
    if (lq_is_punct(p, "(")) PARSE_NAMES(p, &m->include);
    return true;
}

static void *parse_infix(void *ctx, void *left_node, const PrattInfix *op) {
    LqParser *p = ctx;
    LqExpr *left = left_node, *e = new_expr(p, LQ_BINARY, p->tok.span);
    if (!e) return NULL;
    LangSpan at = p->tok.span;
    e->bin_op = (LqBinOp)op->op;
    lq_advance(p);
    if (!parse_matching(p, &e->match)) return NULL;
    LqExpr *right = pratt_parse(&p->pratt, op->right_bp);
    if (!right) return NULL;
    e->left = left;
    e->right = right;
    bool set_op = e->bin_op <= LQ_UNLESS;
    if (left->kind == LQ_LOG || right->kind == LQ_LOG) {
        lq_fail_at(p, at, "syntax error: unexpected %s", lq_bin_names[op->op]);
        return NULL;
    }
    if (set_op && (left->kind == LQ_LITERAL || right->kind == LQ_LITERAL)) {
        lq_fail_plain(p, "unexpected literal for %s leg of logical/set binary operation (%s): %g",
            left->kind == LQ_LITERAL ? "left" : "right", lq_bin_names[op->op],
            left->kind == LQ_LITERAL ? left->literal : right->literal);
        return NULL;
    }
    if (left->kind == LQ_LITERAL && right->kind == LQ_LITERAL) {
        left->literal = lq_apply(e->bin_op, left->literal, right->literal);
        left->span = lang_span_join(left->span, right->span);
        return left;
    }
    return e;
}

static void too_deep(void *ctx) {
    LqParser *p = ctx;
    lq_fail_at(p, p->tok.span, "the query is nested too deeply or has too many operators");
}

static const PrattSyntax pratt_syntax = {
    infix_table, ARRAY_LEN(infix_table), peek_infix, parse_prefix, parse_infix, too_deep};

static LqParser parser_of(Str src, Arena *arena, Err *err) {
    LqParser p = {.src = src, .arena = arena, .err = err};
    p.tok = lq_lex(src, 0);
    return p;
}

static ErrCode failure(const LqParser *p, const Err *err, Err *reterr) {
    ASSERT(p->failed && err->code != OK);
    if (reterr) *reterr = *err;
    return err->code;
}

ErrCode logql_parse(Str src, Arena *arena, const LqExpr **ret, Err *reterr) {
    if (src.n > LOGQL_SOURCE_MAX)
        return err_set(reterr, ERR_INVALID, "parse error : input size too long (%zu > %d)", src.n, LOGQL_SOURCE_MAX);
    Err err = {0};
    LqParser p = parser_of(src, arena, &err);
    p.pratt = (Pratt){&pratt_syntax, &p, 0};
    LqExpr *e = pratt_parse(&p.pratt, 0);
    if (e && p.tok.kind != LQ_T_END) {
        lq_fail_unexpected(&p, NULL);
        e = NULL;
    }
    if (!e) return failure(&p, &err, reterr);
    *ret = e;
    return OK;
}

ErrCode logql_parse_selector(Str src, Arena *arena, Matchers *ret, Err *reterr) {
    *ret = (Matchers){0};
    if (str_trim(src).n == 0) return OK;
    Err err = {0};
    LqParser p = parser_of(src, arena, &err);
    p.pratt = (Pratt){&pratt_syntax, &p, 0};
    LqExpr *e = new_expr(&p, LQ_LOG, p.tok.span);
    if (e && !lq_is_punct(&p, "{"))
        lq_fail_unexpected(&p, NULL);
    else if (e && lq_parse_braces(&p, e) && p.tok.kind != LQ_T_END)
        lq_fail_unexpected(&p, NULL);
    if (p.failed) return failure(&p, &err, reterr);
    *ret = (Matchers){e->matchers.v, e->matchers.n};
    return OK;
}

bool logql_is_log_query(const LqExpr *e) { return e->kind == LQ_LOG; }

bool logql_is_scalar(const LqExpr *e) { return e->kind == LQ_LITERAL; }

ErrCode logql_matchers(const LqExpr *e, Matchers *ret, Err *reterr) {
    if (e->kind != LQ_LOG) return err_set(reterr, ERR_INVALID, "only label matchers are supported");
    *ret = (Matchers){e->matchers.v, e->matchers.n};
    return OK;
}
