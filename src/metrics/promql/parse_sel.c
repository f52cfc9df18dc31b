/* parse_sel.c - selectors of PromQL: names, matchers, ranges, offset, @, and arithmetic on durations. */
#include "metrics/promql/parse_int.h"

#include <math.h>

bool pql_is_metric_name(PqlTok t) {
    if (t == TOK_IDENT || t == TOK_METRIC_IDENT || pql_tok_is_aggregator(t) || t >= TOK_START) return true;
    return t == TOK_LAND || t == TOK_LOR || t == TOK_LUNLESS || t == TOK_OFFSET || t == TOK_SMOOTHED ||
           t == TOK_ANCHORED || t == TOK_BY || t == TOK_WITHOUT || t == TOK_FILL || t == TOK_FILL_LEFT ||
           t == TOK_FILL_RIGHT;
}

bool pql_unquote(PqlParser *p, const PqlToken *t, Str *ret) {
    return lang_unquote(t->text, p->arena, ret) || pql_no_memory(p);
}

bool pql_number_value(PqlParser *p, const PqlToken *t, double *ret) {
    if (t->tok == TOK_DURATION) {
        int64_t ms;
        if (lang_parse_duration(t->text, &ms)) {
            *ret = (double)ms / 1000;
            return true;
        }
        Buf b = {0};
        lang_put_quoted(&b, t->text);
        if (ms == INT64_MAX)
            lang_fail(&p->err, t->span, "duration out of range");
        else
            lang_fail(&p->err, t->span, "not a valid duration string: %s", buf_cstr(&b));
        buf_done(&b);
        return false;
    }
    if (lang_parse_number(t->text, ret)) return true;
    Buf b = {0};
    lang_put_quoted(&b, t->text);
    bool hex = t->text.n > 1 && (t->text.p[1] == 'x' || t->text.p[1] == 'X');
    lang_fail(&p->err, t->span, "error parsing number: strconv.ParseFloat: parsing %s: %s", buf_cstr(&b),
        hex ? "invalid syntax" : "value out of range");
    buf_done(&b);
    return false;
}

/* --- matchers --- */

typedef AVEC(const Matcher *) MatcherVec;

static bool add_matcher(PqlParser *p, MatcherVec *out, MatchType type, Str name, Str value, LangSpan span) {
    const Matcher *m;
    Err err;
    ErrCode rc = matcher_create(p->arena, type, name, value, &m, &err);
    if (rc != OK) {
        /* Prometheus 3.16 parses the expression bare before it wraps it: that is what its text shows. */
        const char *wrapped = strstr(err.msg, "): `^(?s:");
        if (!wrapped) return lang_fail_code(&p->err, rc, span, "%s", err.msg);
        return lang_fail_code(
            &p->err, rc, span, "%.*s`%" STR_FMT "`", (int)(wrapped + 3 - err.msg), err.msg, STR_ARG(value));
    }
    return avec_push(p->arena, out, m) || pql_no_memory(p);
}

static bool parse_matcher(PqlParser *p, MatcherVec *out) {
    PqlToken label = p->cur;
    Str name = label.text, value;
    if (label.tok != TOK_IDENT && label.tok != TOK_STRING)
        return pql_unexpected(p, "label matching", "identifier or \"}\"");
    if (label.tok == TOK_STRING && !pql_unquote(p, &label, &name)) return false;
    pql_advance(p);

    MatchType type;
    switch (p->cur.tok) {
    case TOK_EQL: type = MATCH_EQ; break;
    case TOK_NEQ: type = MATCH_NEQ; break;
    case TOK_EQL_REGEX: type = MATCH_RE; break;
    case TOK_NEQ_REGEX: type = MATCH_NRE; break;
    default:
        if (label.tok == TOK_IDENT) return pql_unexpected(p, "label matching", "label matching operator");
        return add_matcher(p, out, MATCH_EQ, LABEL_NAME_METRIC, name, label.span);
    }
    pql_advance(p);
    PqlToken string = p->cur;
    if (string.tok != TOK_STRING) return pql_unexpected(p, "label matching", "string");
    if (!pql_unquote(p, &string, &value)) return false;
    pql_advance(p);
    return add_matcher(p, out, type, name, value, lang_span_join(label.span, string.span));
}

static bool parse_matchers(PqlParser *p, MatcherVec *out) {
    pql_advance(p);
    if (pql_accept(p, TOK_RBRACE)) return true;
    do {
        if (out->n > 0 && p->cur.tok == TOK_RBRACE) break;
        if (!parse_matcher(p, out)) return false;
    } while (pql_accept(p, TOK_COMMA));
    return pql_expect(p, TOK_RBRACE, "label matching", "\",\" or \"}\"");
}

PqlNode *pql_parse_vector_selector(PqlParser *p) {
    PqlNode *n = pql_node(p, PQL_SELECTOR, p->cur.span.start, p->cur.span.end);
    if (!n) return NULL;
    MatcherVec matchers = {0};
    LangSpan name_span = p->cur.span;
    if (p->cur.tok != TOK_LBRACE) {
        ASSERT(pql_is_metric_name(p->cur.tok));
        n->selector.name = p->cur.text;
        pql_advance(p);
    }
    if (p->cur.tok == TOK_LBRACE && !parse_matchers(p, &matchers)) return NULL;
    if (n->selector.name.n && !add_matcher(p, &matchers, MATCH_EQ, LABEL_NAME_METRIC, n->selector.name, name_span))
        return NULL;
    n->span.end = (uint32_t)p->last_end;
    n->selector.matchers = (Matchers){matchers.v, matchers.n};
    return n;
}

/* --- durations --- */

static PqlNode *parse_duration(PqlParser *p, unsigned min_bp);

static bool duration_in_range(PqlParser *p, const PqlNode *n, LangSpan span) {
    double v = n->number.value;
    if (v <= 9223372036.854775 && v >= -9223372036.854775) return true;
    return lang_fail(&p->err, span, "duration out of range");
}

static PqlNode *duration_node(PqlParser *p, PqlTok op, PqlNode *lhs, PqlNode *rhs, size_t start, size_t end) {
    PqlNode *n = pql_node(p, PQL_DURATION, start, end);
    if (!n) return NULL;
    n->duration.op = op;
    n->duration.lhs = lhs;
    n->duration.rhs = rhs;
    return n;
}

/* Wherever a duration goes wrong, the text tells what it belongs to. */
static bool duration_unexpected(PqlParser *p) {
    static const struct {
        const char *context, *expected;
    } texts[] = {[DURATION_OF_RANGE] = {"subquery or range selector", "number, duration, step(), or range()"},
        [DURATION_OF_STEP] = {"subquery selector", "number, duration, step(), range(), or \"]\""},
        [DURATION_OF_OFFSET] = {"offset", "number, duration, step(), or range()"}};
    return pql_unexpected(p, texts[p->duration].context, texts[p->duration].expected);
}

static bool duration_expect(PqlParser *p, PqlTok tok) { return pql_accept(p, tok) || duration_unexpected(p); }

static PqlNode *parse_duration_call(PqlParser *p) {
    PqlToken fn = p->cur;
    PqlNode *lhs = NULL, *rhs = NULL;
    pql_advance(p);
    if (!duration_expect(p, TOK_LPAREN)) return NULL;
    if (fn.tok == TOK_MIN_OF || fn.tok == TOK_MAX_OF) {
        lhs = parse_duration(p, 0);
        if (!lhs || !duration_expect(p, TOK_COMMA)) return NULL;
        rhs = parse_duration(p, 0);
        if (!rhs) return NULL;
    }
    if (!duration_expect(p, TOK_RPAREN)) return NULL;
    return duration_node(p, fn.tok, lhs, rhs, fn.span.start, p->last_end);
}

/* span: where it is told that the literal is out of range. */
static PqlNode *parse_duration_literal(PqlParser *p, LangSpan span) {
    PqlToken t = p->cur;
    PqlNode *n = pql_node(p, PQL_NUMBER, t.span.start, t.span.end);
    if (!n) return NULL;
    pql_advance(p);
    n->number.is_duration = t.tok == TOK_DURATION;
    return pql_number_value(p, &t, &n->number.value) && duration_in_range(p, n, span) ? n : NULL;
}

static PqlNode *parse_duration_paren(PqlParser *p) {
    size_t start = p->cur.span.start;
    pql_advance(p);
    PqlNode *inner = parse_duration(p, 0);
    if (!inner || !duration_expect(p, TOK_RPAREN)) return NULL;
    if (inner->kind == PQL_NUMBER) inner = duration_node(p, TOK_ADD, NULL, inner, start, p->last_end);
    if (inner) inner->duration.wrapped = true;
    return inner;
}

static PqlNode *duration_negate(PqlParser *p, PqlToken op, PqlNode *operand) {
    if (operand->kind == PQL_NUMBER) {
        if (op.tok == TOK_SUB) operand->number.value *= -1;
        operand->span.start = op.span.start;
        return operand;
    }
    return op.tok == TOK_SUB ? duration_node(p, TOK_SUB, NULL, operand, op.span.start, operand->span.end) : operand;
}

static PqlNode *parse_duration_primary(PqlParser *p) {
    switch (p->cur.tok) {
    case TOK_NUMBER:
    case TOK_DURATION: return parse_duration_literal(p, p->cur.span);
    case TOK_LPAREN: return parse_duration_paren(p);
    case TOK_STEP:
    case TOK_RANGE:
    case TOK_MIN_OF:
    case TOK_MAX_OF: return parse_duration_call(p);
    default: duration_unexpected(p); return NULL;
    }
}

static unsigned duration_bp(PqlTok t) {
    if (t == TOK_ADD || t == TOK_SUB) return 1;
    if (t == TOK_MUL || t == TOK_DIV || t == TOK_MOD) return 3;
    return t == TOK_POW ? 6 : 0;
}

static bool is_sign(PqlTok t) { return t == TOK_ADD || t == TOK_SUB; }

static PqlNode *parse_duration_prefix(PqlParser *p) {
    if (!is_sign(p->cur.tok)) return parse_duration_primary(p);
    PqlToken op = p->cur;
    pql_advance(p);
    PqlNode *operand = parse_duration(p, 6);
    return operand ? duration_negate(p, op, operand) : NULL;
}

/* What follows left: binary operators with the precedences of expressions; min_bp 0: all. */
static PqlNode *parse_duration_rest(PqlParser *p, PqlNode *left, unsigned min_bp) {
    unsigned bp;
    while (left && (bp = duration_bp(p->cur.tok)) > 0 && bp >= min_bp) {
        PqlToken op = p->cur;
        pql_advance(p);
        PqlNode *right = parse_duration(p, op.tok == TOK_POW ? bp : bp + 1);
        if (!right) return NULL;
        if ((op.tok == TOK_DIV || op.tok == TOK_MOD) && right->kind == PQL_NUMBER && right->number.value == 0) {
            lang_fail(&p->err, op.span, op.tok == TOK_DIV ? "division by zero" : "modulo by zero");
            return NULL;
        }
        left = duration_node(p, op.tok, left, right, left->span.start, right->span.end);
    }
    return left;
}

static PqlNode *parse_duration(PqlParser *p, unsigned min_bp) {
    if (!pratt_enter(&p->pratt)) return NULL;
    PqlNode *n = parse_duration_rest(p, parse_duration_prefix(p), min_bp);
    pratt_leave(&p->pratt);
    return n;
}

static int64_t seconds_to_ms(double s) { return (int64_t)(round(s * 1e9) / 1e6); }

static PqlSpan span_of(PqlNode *duration) {
    if (duration->kind == PQL_NUMBER) return (PqlSpan){seconds_to_ms(duration->number.value), NULL};
    return (PqlSpan){0, duration};
}

/* --- ranges and subqueries --- */

static bool parse_positive_duration(PqlParser *p, PqlSpan *ret) {
    PqlNode *d = parse_duration(p, 0);
    if (!d) return false;
    if (d->kind == PQL_NUMBER && d->number.value <= 0)
        return lang_fail(&p->err, d->span, "duration must be greater than 0");
    *ret = span_of(d);
    return true;
}

static PqlNode *parse_matrix(PqlParser *p, PqlNode *expr, PqlToken bracket, PqlSpan range) {
    const char *wrong = NULL;
    if (expr->kind != PQL_SELECTOR)
        wrong = "ranges only allowed for vector selectors";
    else if (expr->selector.shift.offset.ms != 0 || expr->selector.shift.offset.expr)
        wrong = "no offset modifiers allowed before range";
    else if (expr->selector.shift.at != PQL_AT_NONE)
        wrong = "no @ modifiers allowed before range";
    if (wrong) {
        lang_fail(&p->err, lang_span_join(bracket.span, p->cur.span), "%s", wrong);
        return NULL;
    }
    pql_advance(p);
    PqlNode *n = pql_node(p, PQL_MATRIX, expr->span.start, p->last_end);
    if (!n) return NULL;
    n->matrix.selector = expr;
    n->matrix.range = range;
    return n;
}

static PqlNode *parse_subquery(PqlParser *p, PqlNode *expr, PqlSpan range) {
    PqlNode *n = pql_node(p, PQL_SUBQUERY, expr->span.start, p->cur.span.end);
    if (!n) return NULL;
    pql_advance(p);
    n->subquery.expr = expr;
    n->subquery.range = range;
    if (p->cur.tok != TOK_RBRACKET) {
        p->duration = DURATION_OF_STEP;
        n->subquery.has_step = true;
        if (!parse_positive_duration(p, &n->subquery.step)) return NULL;
    }
    if (!pql_expect(p, TOK_RBRACKET, "subquery selector", "\"]\"")) return NULL;
    n->span.end = (uint32_t)p->last_end;
    return n;
}

static PqlNode *parse_brackets(PqlParser *p, PqlNode *expr) {
    PqlToken bracket = p->cur;
    PqlSpan range = {0};
    pql_advance(p);
    p->duration = DURATION_OF_RANGE;
    if (!parse_positive_duration(p, &range)) return NULL;
    if (p->cur.tok == TOK_RBRACKET) return parse_matrix(p, expr, bracket, range);
    if (p->cur.tok == TOK_COLON) return parse_subquery(p, expr, range);
    pql_unexpected(p, "subquery or range", "\":\" or \"]\"");
    return NULL;
}

/* --- offset and @ --- */

static PqlShift *shift_of(PqlNode *expr) {
    if (expr->kind == PQL_SELECTOR) return &expr->selector.shift;
    if (expr->kind == PQL_MATRIX) return &expr->matrix.selector->selector.shift;
    return expr->kind == PQL_SUBQUERY ? &expr->subquery.shift : NULL;
}

/* A literal, a call or something with one sign ends it, so that foo offset 5m * 2 is a product; but what begins with
 * parentheses or two signs goes on: Prometheus reads foo offset (5m) * 2 as foo offset ((5m) * 2). A call keeps its plus:
 * in the tree +step() is not step(). */
static PqlNode *parse_offset_duration(PqlParser *p) {
    PqlToken op = p->cur;
    p->duration = DURATION_OF_OFFSET;
    if (op.tok == TOK_LPAREN) return parse_duration(p, 0);
    if (!is_sign(op.tok)) return parse_duration_primary(p);
    pql_advance(p);
    PqlNode *d;
    switch (p->cur.tok) {
    case TOK_ADD:
    case TOK_SUB:
        d = parse_duration(p, 6);
        return d ? parse_duration_rest(p, duration_negate(p, op, d), 0) : NULL;
    case TOK_NUMBER:
    case TOK_DURATION: d = parse_duration_literal(p, op.span); return d ? duration_negate(p, op, d) : NULL;
    case TOK_LPAREN: d = parse_duration_primary(p); return d ? duration_negate(p, op, d) : NULL;
    default:
        d = parse_duration_primary(p);
        return d ? duration_node(p, op.tok, NULL, d, op.span.start, d->span.end) : NULL;
    }
}

static PqlNode *parse_offset(PqlParser *p, PqlNode *expr) {
    pql_advance(p);
    PqlNode *d = parse_offset_duration(p);
    if (!d) return NULL;
    PqlShift *shift = shift_of(expr);
    if (!shift) {
        lang_fail(&p->err, expr->span,
            "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
        return NULL;
    }
    if (shift->offset.ms != 0 || shift->offset.expr) {
        lang_fail(&p->err, expr->span, "offset may not be set multiple times");
        return NULL;
    }
    shift->offset = span_of(d);
    expr->span.end = (uint32_t)p->last_end;
    return expr;
}

static bool parse_at_time(PqlParser *p, PqlNode *expr, int64_t *ret_ms) {
    bool negative = p->cur.tok == TOK_SUB;
    if (negative || p->cur.tok == TOK_ADD) pql_advance(p);
    PqlToken t = p->cur;
    double v;
    if (t.tok != TOK_NUMBER && t.tok != TOK_DURATION) return pql_unexpected(p, "@", "timestamp");
    pql_advance(p);
    if (!pql_number_value(p, &t, &v)) return false;
    if (negative) v = -v;
    if (!isfinite(v) || v >= 9223372036854775807.0 || v <= -9223372036854775808.0) {
        const char *text = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
        if (isfinite(v)) return lang_fail(&p->err, expr->span, "timestamp out of bounds for @ modifier: %f", v);
        return lang_fail(&p->err, expr->span, "timestamp out of bounds for @ modifier: %s", text);
    }
    double ms = round(v * 1000);
    *ret_ms = ms >= 9223372036854775807.0 ? INT64_MAX : ms <= -9223372036854775808.0 ? INT64_MIN : (int64_t)ms;
    return true;
}

static PqlNode *parse_at(PqlParser *p, PqlNode *expr) {
    pql_advance(p);
    PqlShift at = {0};
    if (p->cur.tok == TOK_START || p->cur.tok == TOK_END) {
        at.at = p->cur.tok == TOK_START ? PQL_AT_START : PQL_AT_END;
        pql_advance(p);
        if (!pql_expect(p, TOK_LPAREN, "@", "timestamp") || !pql_expect(p, TOK_RPAREN, "@", "timestamp")) return NULL;
    } else {
        at.at = PQL_AT_TIME;
        if (!parse_at_time(p, expr, &at.at_ms)) return NULL;
    }
    PqlShift *shift = shift_of(expr);
    if (!shift) {
        lang_fail(&p->err, expr->span,
            "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
        return NULL;
    }
    if (shift->at != PQL_AT_NONE) {
        lang_fail(&p->err, expr->span, "@ <timestamp> may not be set multiple times");
        return NULL;
    }
    shift->at = at.at;
    shift->at_ms = at.at_ms;
    expr->span.end = (uint32_t)p->last_end;
    return expr;
}

static PqlNode *parse_extended(PqlParser *p, PqlNode *expr) {
    bool anchored = p->cur.tok == TOK_ANCHORED;
    const char *word = anchored ? "anchored" : "smoothed";
    pql_advance(p);
    PqlNode *vs = expr->kind == PQL_MATRIX ? expr->matrix.selector : expr;
    if (vs->kind != PQL_SELECTOR) {
        if (expr->kind == PQL_SUBQUERY)
            lang_fail(&p->err, expr->span, "%s modifier is not supported for subqueries", word);
        else
            lang_fail(&p->err, expr->span, "%s modifier not implemented", word);
        return NULL;
    }
    vs->selector.anchored |= anchored;
    vs->selector.smoothed |= !anchored;
    if (vs->selector.anchored && vs->selector.smoothed) {
        lang_fail(&p->err, expr->span, "anchored and smoothed modifiers cannot be used together");
        return NULL;
    }
    return expr;
}

PqlNode *pql_parse_postfix(PqlParser *p, PqlNode *expr) {
    switch (p->cur.tok) {
    case TOK_LBRACKET: return parse_brackets(p, expr);
    case TOK_OFFSET: return parse_offset(p, expr);
    case TOK_AT: return parse_at(p, expr);
    case TOK_ANCHORED:
    case TOK_SMOOTHED: return parse_extended(p, expr);
    default: UNREACHABLE();
    }
}
