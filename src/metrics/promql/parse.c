/* parse.c - expressions of PromQL: operators, aggregations, calls, literals. */
#include "metrics/promql/function.h"
#include "metrics/promql/parse_int.h"

static int parse_peek(void *ctx) {
    const PqlParser *p = ctx;
    return (int)p->cur.tok;
}

static void parse_too_deep(void *ctx) {
    PqlParser *p = ctx;
    lang_fail_code(&p->err, ERR_TOO_LARGE, p->cur.span,
        "expression is nested deeper than %d levels or has more than %d operators", PRATT_DEPTH_MAX,
        PRATT_OPERATORS_MAX);
}

static void *parse_prefix(void *ctx);
static void *parse_infix(void *ctx, void *left, const PrattInfix *op);

/* Low to high; ^ is right-associative. Unary minus binds as * does, so that -1^2 is -1. */
enum { BP_UNARY_OPERAND = 12 };
static const PrattInfix infix_table[] = {
    {TOK_LOR, 1, 2},
    {TOK_LAND, 3, 4},
    {TOK_LUNLESS, 3, 4},
    {TOK_EQLC, 5, 6},
    {TOK_NEQ, 5, 6},
    {TOK_LTE, 5, 6},
    {TOK_LSS, 5, 6},
    {TOK_GTE, 5, 6},
    {TOK_GTR, 5, 6},
    {TOK_TRIM_UPPER, 5, 6},
    {TOK_TRIM_LOWER, 5, 6},
    {TOK_ADD, 7, 8},
    {TOK_SUB, 7, 8},
    {TOK_MUL, 9, 10},
    {TOK_DIV, 9, 10},
    {TOK_MOD, 9, 10},
    {TOK_ATAN2, 9, 10},
    {TOK_POW, 12, 12},
};
static const PrattSyntax syntax = {
    infix_table, ARRAY_LEN(infix_table), parse_peek, parse_prefix, parse_infix, parse_too_deep};

void pql_parser_init(PqlParser *p, Arena *arena, Str src) {
    *p = (PqlParser){.arena = arena, .src = src};
    p->lex = pql_lexer(src, &p->err);
    p->pratt = (Pratt){&syntax, p, 0};
    pql_advance(p);
}

void pql_advance(PqlParser *p) {
    p->last_end = p->cur.span.end;
    p->cur = pql_lex(&p->lex);
}

bool pql_accept(PqlParser *p, PqlTok tok) {
    if (p->cur.tok != tok) return false;
    pql_advance(p);
    return true;
}

bool pql_unexpected(PqlParser *p, const char *context, const char *expected) {
    if (p->cur.tok == TOK_ERROR) return false;
    Buf b = {0};
    buf_put_lit(&b, "unexpected ");
    pql_token_describe(&b, &p->cur);
    if (!*context && p->aggregations) context = "aggregation"; /* the nearest rule with a text of its own */
    if (*context) buf_printf(&b, " in %s", context);
    if (*expected) buf_printf(&b, ", expected %s", expected);
    lang_fail(&p->err, p->cur.span, "%s", buf_cstr(&b));
    buf_done(&b);
    return false;
}

bool pql_expect(PqlParser *p, PqlTok tok, const char *context, const char *expected) {
    return pql_accept(p, tok) || pql_unexpected(p, context, expected);
}

void *pql_no_memory(PqlParser *p) {
    lang_fail_code(&p->err, ERR_TOO_LARGE, p->cur.span, "query needs more memory than it may use");
    return NULL;
}

PqlNode *pql_node(PqlParser *p, PqlKind kind, size_t start, size_t end) {
    PqlNode *n = ARENA_NEW(p->arena, PqlNode);
    if (!n) return pql_no_memory(p);
    n->kind = kind;
    n->span = (LangSpan){(uint32_t)start, (uint32_t)end};
    return n;
}

/* --- grouping labels: (a, b,) --- */

static bool parse_grouping_label(PqlParser *p, StrVec *out) {
    Str name;
    PqlToken t = p->cur;
    if (t.tok == TOK_STRING) {
        if (!pql_unquote(p, &t, &name)) return false;
    } else if (t.tok == TOK_IDENT || t.tok == TOK_METRIC_IDENT || (t.tok >= TOK_LAND && t.tok != TOK_WITHOUT)) {
        name = t.text;
    } else {
        return pql_unexpected(p, "grouping opts", "label");
    }
    if (name.n == 0 || !str_is_utf8(name)) {
        Buf b = {0};
        lang_put_quoted(&b, name);
        lang_fail(&p->err, t.span, "invalid label name for grouping: %s", buf_cstr(&b));
        buf_done(&b);
        return false;
    }
    pql_advance(p);
    return avec_push(p->arena, out, name) || pql_no_memory(p);
}

static bool parse_grouping(PqlParser *p, StrVec *out) {
    if (!pql_expect(p, TOK_LPAREN, "grouping opts", "\"(\"")) return false;
    if (pql_accept(p, TOK_RPAREN)) return true;
    do {
        if (out->n > 0 && p->cur.tok == TOK_RPAREN) break;
        if (!parse_grouping_label(p, out)) return false;
    } while (pql_accept(p, TOK_COMMA));
    return pql_expect(p, TOK_RPAREN, "grouping opts", "\",\" or \")\"");
}

/* --- calls and aggregations --- */

/* An error of the lexer is told by itself. */
static bool begins_expression(PqlTok t) {
    switch (t) {
    case TOK_ERROR:
    case TOK_STRING:
    case TOK_NUMBER:
    case TOK_DURATION:
    case TOK_LPAREN:
    case TOK_LBRACE:
    case TOK_ADD:
    case TOK_SUB: return true;
    default: return pql_is_metric_name(t);
    }
}

/* Up to the closing parenthesis, which is cur then: what is wrong with a call is told before what lies behind it. */
static bool parse_args(PqlParser *p, PqlNodeVec *out) {
    pql_advance(p);
    if (p->cur.tok == TOK_RPAREN) return true;
    for (;;) {
        PqlNode *arg = pratt_parse(&p->pratt, 0);
        if (!arg) return false;
        if (!avec_push(p->arena, out, arg)) return pql_no_memory(p);
        PqlToken comma = p->cur;
        if (!pql_accept(p, TOK_COMMA)) break;
        if (!begins_expression(p->cur.tok))
            return lang_fail(&p->err, comma.span, "trailing commas not allowed in function call args");
    }
    return p->cur.tok == TOK_RPAREN || pql_unexpected(p, "", "");
}

static bool parse_aggregate_modifier(PqlParser *p, PqlNode *n) {
    n->aggregate.without = p->cur.tok == TOK_WITHOUT;
    pql_advance(p);
    return parse_grouping(p, &n->aggregate.grouping);
}

static bool check_aggregate_args(PqlParser *p, const PqlNode *n, size_t got) {
    size_t want = pql_tok_aggregator_has_param(n->aggregate.op) ? 2 : 1;
    if (got == want) return true;
    if (got == 0) return lang_fail(&p->err, n->span, "no arguments for aggregate expression provided");
    return lang_fail(&p->err, n->span,
        "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", want, got);
}

static PqlNode *parse_aggregate(PqlParser *p, PqlToken op) {
    PqlNodeVec args = {0};
    PqlNode *n = pql_node(p, PQL_AGGREGATE, op.span.start, op.span.end);
    if (!n) return NULL;
    n->aggregate.op = op.tok;
    bool modifier_first = p->cur.tok != TOK_LPAREN;
    if (modifier_first && !parse_aggregate_modifier(p, n)) return NULL;
    if (p->cur.tok != TOK_LPAREN) {
        pql_unexpected(p, "aggregation", "");
        return NULL;
    }
    p->aggregations++;
    if (!parse_args(p, &args)) return NULL;
    p->aggregations--;
    n->span.end = p->cur.span.end;
    if (modifier_first && !check_aggregate_args(p, n, args.n)) return NULL;
    pql_advance(p);
    if (!modifier_first && (p->cur.tok == TOK_BY || p->cur.tok == TOK_WITHOUT) && !parse_aggregate_modifier(p, n))
        return NULL;
    n->span.end = (uint32_t)p->last_end;
    if (!check_aggregate_args(p, n, args.n)) return NULL;
    size_t want = pql_tok_aggregator_has_param(op.tok) ? 2 : 1;
    n->aggregate.param = want == 2 ? args.v[0] : NULL;
    n->aggregate.expr = args.v[want - 1];
    return n;
}

static PqlNode *parse_call(PqlParser *p, PqlToken name) {
    PqlNode *n = pql_node(p, PQL_CALL, name.span.start, name.span.end);
    if (!n || !parse_args(p, &n->call.args)) return NULL;
    n->span.end = p->cur.span.end;
    n->call.fn = pql_function_find(name.text);
    if (n->call.fn) {
        pql_advance(p);
    } else {
        Buf b = {0};
        lang_put_quoted(&b, name.text);
        lang_fail(&p->err, name.span, "unknown function with name %s", buf_cstr(&b));
        buf_done(&b);
        return NULL;
    }
    return n;
}

/* A word: what it is depends on what follows. */
static PqlNode *parse_word(PqlParser *p) {
    PqlToken word = p->cur;
    PqlLexer saved = p->lex;
    PqlToken next = pql_lex(&p->lex);
    bool aggregator = pql_tok_is_aggregator(word.tok);
    if (next.tok == TOK_LPAREN || (aggregator && (next.tok == TOK_BY || next.tok == TOK_WITHOUT))) {
        bool call = word.tok == TOK_IDENT || word.tok >= TOK_START;
        if (aggregator || call) {
            p->last_end = word.span.end;
            p->cur = next;
            return aggregator ? parse_aggregate(p, word) : parse_call(p, word);
        }
    }
    p->lex = saved;
    p->lex.failed = false;
    return pql_parse_vector_selector(p);
}

/* --- primaries and unary operators --- */

static PqlNode *parse_unary(PqlParser *p) {
    PqlToken op = p->cur;
    pql_advance(p);
    PqlNode *operand = pratt_parse(&p->pratt, BP_UNARY_OPERAND);
    if (!operand) return NULL;
    if (operand->kind == PQL_NUMBER) {
        if (op.tok == TOK_SUB) operand->number.value *= -1;
        operand->span.start = op.span.start;
        return operand;
    }
    PqlNode *n = pql_node(p, PQL_UNARY, op.span.start, operand->span.end);
    if (!n) return NULL;
    n->unary.op = op.tok;
    n->unary.expr = operand;
    return n;
}

static PqlNode *parse_paren(PqlParser *p) {
    size_t start = p->cur.span.start;
    pql_advance(p);
    PqlNode *inner = pratt_parse(&p->pratt, 0);
    if (!inner || !pql_expect(p, TOK_RPAREN, "", "")) return NULL;
    PqlNode *n = pql_node(p, PQL_PAREN, start, p->last_end);
    if (n) n->paren = inner;
    return n;
}

static PqlNode *parse_literal(PqlParser *p) {
    PqlToken t = p->cur;
    PqlNode *n = pql_node(p, t.tok == TOK_STRING ? PQL_STRING : PQL_NUMBER, t.span.start, t.span.end);
    if (!n) return NULL;
    pql_advance(p);
    if (t.tok == TOK_STRING) return pql_unquote(p, &t, &n->string) ? n : NULL;
    n->number.is_duration = t.tok == TOK_DURATION;
    return pql_number_value(p, &t, &n->number.value) ? n : NULL;
}

static PqlNode *parse_primary(PqlParser *p) {
    switch (p->cur.tok) {
    case TOK_NUMBER:
    case TOK_DURATION:
    case TOK_STRING: return parse_literal(p);
    case TOK_LPAREN: return parse_paren(p);
    case TOK_LBRACE: return pql_parse_vector_selector(p);
    default:
        if (pql_is_metric_name(p->cur.tok)) return parse_word(p);
        pql_unexpected(p, "", "");
        return NULL;
    }
}

static void *parse_prefix(void *ctx) {
    PqlParser *p = ctx;
    if (p->cur.tok == TOK_ADD || p->cur.tok == TOK_SUB) return parse_unary(p);
    PqlNode *n = parse_primary(p);
    while (n && (p->cur.tok == TOK_LBRACKET || p->cur.tok == TOK_OFFSET || p->cur.tok == TOK_AT ||
                    p->cur.tok == TOK_ANCHORED || p->cur.tok == TOK_SMOOTHED))
        n = pql_parse_postfix(p, n);
    return n;
}

/* --- binary operators --- */

static bool parse_fill_value(PqlParser *p, bool *ret_has, double *ret) {
    pql_advance(p);
    if (!pql_expect(p, TOK_LPAREN, "", "")) return false;
    bool negative = p->cur.tok == TOK_SUB;
    if (negative || p->cur.tok == TOK_ADD) pql_advance(p);
    PqlToken t = p->cur;
    if (t.tok != TOK_NUMBER && t.tok != TOK_DURATION) return pql_unexpected(p, "", "");
    pql_advance(p);
    if (!pql_number_value(p, &t, ret)) return false;
    if (negative) *ret *= -1;
    *ret_has = true;
    return pql_expect(p, TOK_RPAREN, "", "");
}

static bool parse_fill(PqlParser *p, PqlNode *n) {
    if (p->cur.tok == TOK_FILL) {
        if (!parse_fill_value(p, &n->binary.has_fill_lhs, &n->binary.fill_lhs)) return false;
        n->binary.has_fill_rhs = true;
        n->binary.fill_rhs = n->binary.fill_lhs;
        return true;
    }
    for (int i = 0; i < 2; i++) {
        bool ok = true;
        if (p->cur.tok == TOK_FILL_LEFT && !n->binary.has_fill_lhs)
            ok = parse_fill_value(p, &n->binary.has_fill_lhs, &n->binary.fill_lhs);
        else if (p->cur.tok == TOK_FILL_RIGHT && !n->binary.has_fill_rhs)
            ok = parse_fill_value(p, &n->binary.has_fill_rhs, &n->binary.fill_rhs);
        if (!ok) return false;
    }
    return true;
}

static bool parse_binary_modifiers(PqlParser *p, PqlNode *n) {
    n->binary.return_bool = pql_accept(p, TOK_BOOL);
    if (p->cur.tok == TOK_ON || p->cur.tok == TOK_IGNORING) {
        n->binary.matching = true;
        n->binary.on = p->cur.tok == TOK_ON;
        pql_advance(p);
        if (!parse_grouping(p, &n->binary.labels)) return false;
        if (p->cur.tok == TOK_GROUP_LEFT || p->cur.tok == TOK_GROUP_RIGHT) {
            n->binary.card = p->cur.tok == TOK_GROUP_LEFT ? PQL_MANY_TO_ONE : PQL_ONE_TO_MANY;
            pql_advance(p);
            if (p->cur.tok == TOK_LPAREN && !parse_grouping(p, &n->binary.include)) return false;
        }
    }
    return parse_fill(p, n);
}

static void *parse_infix(void *ctx, void *left, const PrattInfix *op) {
    PqlParser *p = ctx;
    PqlNode *lhs = left;
    PqlNode *n = pql_node(p, PQL_BINARY, lhs->span.start, p->cur.span.end);
    if (!n) return NULL;
    n->binary.op = p->cur.tok;
    n->binary.lhs = lhs;
    pql_advance(p);
    if (!parse_binary_modifiers(p, n)) return NULL;
    n->binary.rhs = pratt_parse(&p->pratt, op->right_bp);
    if (!n->binary.rhs) return NULL;
    n->span.end = n->binary.rhs->span.end;
    return n;
}

/* --- entry points --- */

static ErrCode parse_begin(PqlParser *p, Str source, Arena *arena, Str *ret_src, Err *reterr) {
    if (source.n > LANG_SOURCE_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "query is longer than %u bytes", LANG_SOURCE_MAX);
    *ret_src = arena_copy(arena, source);
    if (!ret_src->p) return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
    pql_parser_init(p, arena, *ret_src);
    return OK;
}

ErrCode promql_parse(Str source, Arena *arena, PqlNode **ret, Err *reterr) {
    PqlParser p;
    Str src;
    ErrCode rc = parse_begin(&p, source, arena, &src, reterr);
    if (rc != OK) return rc;
    PqlNode *root = NULL;
    if (p.cur.tok == TOK_EOF)
        lang_fail(&p.err, (LangSpan){0, 0}, "no expression found in input");
    else
        root = pratt_parse(&p.pratt, 0);
    if (root && p.cur.tok != TOK_EOF) pql_unexpected(&p, "", "");
    if (root && !p.err.set) promql_check(root, src, &p.err);
    if (p.err.set) return lang_error_prom(&p.err, src, reterr);
    ASSERT(root);
    *ret = root;
    return OK;
}

ErrCode promql_parse_selector(Str source, Arena *arena, Matchers *ret, Err *reterr) {
    PqlParser p;
    Str src;
    ErrCode rc = parse_begin(&p, source, arena, &src, reterr);
    if (rc != OK) return rc;
    PqlNode *n = NULL;
    if (p.cur.tok == TOK_LBRACE || pql_is_metric_name(p.cur.tok))
        n = pql_parse_vector_selector(&p);
    else
        pql_unexpected(&p, "", "");
    if (n && p.cur.tok != TOK_EOF) pql_unexpected(&p, "", "");
    if (p.err.set) return lang_error_prom(&p.err, src, reterr);
    ASSERT(n && n->kind == PQL_SELECTOR);
    *ret = n->selector.matchers;
    return OK;
}
