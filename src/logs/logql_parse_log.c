#include "logs/logql_parse_int.h"

#include <ctype.h>

/* --- selector --- */

static bool make_matcher(LqParser *p, LangSpan span, MatchType type, Str name, Str value, const Matcher **ret) {
    Err err = {0};
    if (matcher_create(p->arena, type, name, value, ret, &err) == OK) return true;
    return err.code == ERR_TOO_LARGE && arena_exhausted(p->arena) ? lq_fail_memory(p)
                                                                  : lq_fail_at(p, span, "%s", err.msg);
}

static bool match_type_of(const LqParser *p, MatchType *ret) {
    static const struct {
        const char *text;
        MatchType type;
    } ops[] = {{"=", MATCH_EQ}, {"!=", MATCH_NEQ}, {"=~", MATCH_RE}, {"!~", MATCH_NRE}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (lq_is_punct(p, ops[i].text)) {
            *ret = ops[i].type;
            return true;
        }
    return false;
}

bool lq_parse_braces(LqParser *p, LqExpr *e) {
    lq_advance(p);
    while (!lq_take_punct(p, "}")) {
        Str name, value;
        MatchType type;
        const Matcher *m;
        if (!lq_take_ident(p, &name, e->matchers.n ? "IDENTIFIER" : "IDENTIFIER or }")) return false;
        if (!match_type_of(p, &type)) return lq_fail_unexpected(p, "= or =~ or !~ or !=");
        lq_advance(p);
        LangSpan span = p->tok.span;
        if (!lq_take_string(p, &value) || !make_matcher(p, span, type, name, value, &m)) return false;
        if (!avec_push(p->arena, &e->matchers, m)) return lq_fail_memory(p);
        if (!lq_is_punct(p, "}") && !lq_expect_punct(p, ",", "} or ,")) return false;
    }
    return true;
}

bool lq_check_matchers(LqParser *p, const LqExpr *e) {
    for (size_t i = 0; i < e->matchers.n; i++)
        if (!matcher_matches_empty(e->matchers.v[i])) return true;
    return lq_fail_plain(p,
        "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For "
        "instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will");
}

/* --- line filters --- */

static void free_regex(void *re) { regex_free(re); }

static bool compile_regex(LqParser *p, LangSpan span, Str pattern, const Regex **ret) {
    Regex *re;
    Err err = {0};
    if (regex_compile(pattern, 0, &re, &err) != OK) return lq_fail_at(p, span, "%s", err.msg);
    arena_defer(p->arena, free_regex, re);
    *ret = re;
    return true;
}

/* Literals between <_>; <name> is refused as the language does. */
static bool compile_pattern(LqParser *p, LangSpan span, LqLineAlt *alt) {
    AVEC(Str) pieces = {0};
    Str rest = alt->text;
    for (;;) {
        size_t at = str_find(rest, STR("<"));
        size_t from = 0;
        while (at != SIZE_MAX) {
            at += from;
            size_t end = lang_scan_ident(rest, at + 1, 0);
            if (end > at + 1 && end < rest.n && rest.p[end] == '>') {
                if (end != at + 2 || rest.p[at + 1] != '_')
                    return lq_fail_at(p, span, "named captures are not allowed");
                break;
            }
            from = at + 1;
            at = str_find(str_skip(rest, from), STR("<"));
        }
        Str piece = at == SIZE_MAX ? rest : str_slice(rest, 0, at);
        if (!avec_push(p->arena, &pieces, piece)) return lq_fail_memory(p);
        if (at == SIZE_MAX) break;
        rest = str_skip(rest, at + 3);
    }
    alt->pieces = pieces.v;
    alt->n_pieces = pieces.n;
    return true;
}

static bool parse_alt(LqParser *p, LqLineOp op, LqLineAlt *alt) {
    if (p->tok.kind == LQ_T_FUNC && str_eq_nocase(p->tok.text, STR("ip"))) {
        lq_advance(p);
        if (!lq_expect_punct(p, "(", "(")) return false;
        LangSpan span = p->tok.span;
        if (!lq_take_string(p, &alt->text) || !lq_expect_punct(p, ")", ")")) return false;
        if (op != LQ_LINE_EQ && op != LQ_LINE_NEQ)
            return lq_fail_at(p, span, "ip: invalid operation for the line filter, only |= and != are allowed");
        alt->is_ip = true;
        return lq_ip_parse(alt->text, &alt->ip) ||
               lq_fail_at(p, span, "ip: invalid pattern \"%" STR_FMT "\"", STR_ARG(alt->text));
    }
    LangSpan span = p->tok.span;
    if (!lq_take_string(p, &alt->text)) return false;
    if (op == LQ_LINE_RE || op == LQ_LINE_NRE) return compile_regex(p, span, alt->text, &alt->re);
    if (op == LQ_LINE_PAT || op == LQ_LINE_NPAT) return compile_pattern(p, span, alt);
    return true;
}

static bool line_op_of(const LqParser *p, LqLineOp *ret) {
    for (int i = 0; i < 6; i++)
        if (lq_is_punct(p, lq_line_names[i])) {
            *ret = (LqLineOp)i;
            return true;
        }
    return false;
}

static LqStage *new_stage(LqParser *p, LqStageKind kind) {
    LqStage *st = ARENA_NEW(p->arena, LqStage);
    if (!st) {
        lq_fail_memory(p);
        return NULL;
    }
    st->kind = kind;
    st->span = p->tok.span;
    return st;
}

static LqStage *parse_line_filter(LqParser *p, LqLineOp op) {
    LqStage *st = new_stage(p, LQ_STAGE_LINE);
    if (!st) return NULL;
    st->line_op = op;
    lq_advance(p);
    LqLineAlt **tail = &st->alts;
    for (;;) {
        LqLineAlt *alt = ARENA_NEW(p->arena, LqLineAlt);
        if (!alt) {
            lq_fail_memory(p);
            return NULL;
        }
        if (!parse_alt(p, op, alt)) return NULL;
        *tail = alt;
        tail = &alt->next;
        if (!lq_is_word(p, "or")) return st;
        LqToken next = lq_lex(p->src, p->tok.span.end); /* `... or {`: an operator between vectors */
        if (next.kind != LQ_T_STRING && next.kind != LQ_T_FUNC) return st;
        lq_advance(p);
    }
}

/* --- label filters --- */

static LqFilter *parse_filter(LqParser *p);

static bool cmp_of(const LqParser *p, LqCmp *ret) {
    static const struct {
        const char *text;
        LqCmp cmp;
    } ops[] = {{"==", LQ_CMP_EQ}, {"=", LQ_CMP_EQ}, {"!=", LQ_CMP_NEQ}, {">", LQ_CMP_GT}, {">=", LQ_CMP_GE},
        {"<", LQ_CMP_LT}, {"<=", LQ_CMP_LE}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (lq_is_punct(p, ops[i].text)) {
            *ret = ops[i].cmp;
            return true;
        }
    return false;
}

static bool parse_filter_ip(LqParser *p, LqFilter *f) {
    lq_advance(p);
    if (!lq_expect_punct(p, "(", "(")) return false;
    LangSpan span = p->tok.span;
    if (!lq_take_string(p, &f->ip_text) || !lq_expect_punct(p, ")", ")")) return false;
    f->kind = LQ_F_IP;
    if (f->cmp != LQ_CMP_EQ && f->cmp != LQ_CMP_NEQ)
        return lq_fail_at(p, span, "ip: invalid operation for the label filter, only = and != are allowed");
    return lq_ip_parse(f->ip_text, &f->ip) ||
           lq_fail_at(p, span, "ip: invalid pattern \"%" STR_FMT "\"", STR_ARG(f->ip_text));
}

static bool parse_filter_number(LqParser *p, LqFilter *f) {
    bool negative = lq_is_punct(p, "-");
    if (negative || lq_is_punct(p, "+")) lq_advance(p);
    switch (p->tok.kind) {
    case LQ_T_NUMBER:
        f->kind = LQ_F_NUMBER;
        f->number = negative ? -p->tok.number : p->tok.number;
        break;
    case LQ_T_DURATION:
        f->kind = LQ_F_DURATION;
        f->duration_ns = negative ? -p->tok.ns : p->tok.ns;
        break;
    case LQ_T_BYTES:
        f->kind = LQ_F_BYTES;
        f->number = negative ? -p->tok.number : p->tok.number;
        break;
    default: return lq_fail_unexpected(p, NULL);
    }
    lq_advance(p);
    return true;
}

static bool parse_comparison(LqParser *p, LqFilter *f) {
    if (!lq_take_ident(p, &f->name, NULL)) return false;
    MatchType type = MATCH_EQ;
    bool matcher = match_type_of(p, &type);
    if (!cmp_of(p, &f->cmp) && !matcher) return lq_fail_unexpected(p, NULL);
    bool single = lq_is_punct(p, "=");
    lq_advance(p);
    if (p->tok.kind == LQ_T_STRING && matcher) {
        Str value;
        LangSpan span = p->tok.span;
        f->kind = LQ_F_STRING;
        return lq_take_string(p, &value) && make_matcher(p, span, type, f->name, value, &f->matcher);
    }
    if (type == MATCH_RE || type == MATCH_NRE) return lq_fail_unexpected(p, "STRING");
    (void)single;
    if (p->tok.kind == LQ_T_FUNC && str_eq_nocase(p->tok.text, STR("ip"))) return parse_filter_ip(p, f);
    return parse_filter_number(p, f);
}

static LqFilter *parse_filter_primary(LqParser *p) {
    if (lq_is_punct(p, "(")) {
        if (++p->filter_depth > PRATT_DEPTH_MAX) {
            lq_fail_at(p, p->tok.span, "the query is nested too deeply");
            return NULL;
        }
        lq_advance(p);
        LqFilter *f = parse_filter(p);
        p->filter_depth--;
        return f && lq_expect_punct(p, ")", NULL) ? f : NULL;
    }
    LqFilter *f = ARENA_NEW(p->arena, LqFilter);
    if (!f) {
        lq_fail_memory(p);
        return NULL;
    }
    return parse_comparison(p, f) ? f : NULL;
}

static LqFilter *join_filters(LqParser *p, LqFilterKind kind, LqFilter *left, LqFilter *right) {
    LqFilter *f = ARENA_NEW(p->arena, LqFilter);
    if (!f) {
        lq_fail_memory(p);
        return NULL;
    }
    f->kind = kind;
    f->left = left;
    f->right = right;
    return f;
}

static LqFilter *parse_filter_and(LqParser *p) {
    LqFilter *f = parse_filter_primary(p);
    while (f && lq_is_word(p, "and")) {
        lq_advance(p);
        LqFilter *right = parse_filter_primary(p);
        f = right ? join_filters(p, LQ_F_AND, f, right) : NULL;
    }
    return f;
}

/* `and` binds tighter than `or`; a comma or a blank binds everything to its right first (the grammar of the original
 * has no precedence there): a=1, b=2 or c=3 is a and (b or c); a=1 or b=2, c=3 is a or (b and c). */
static LqFilter *parse_filter(LqParser *p) {
    if (++p->filter_depth > 4 * PRATT_DEPTH_MAX) {
        lq_fail_at(p, p->tok.span, "the query is nested too deeply");
        return NULL;
    }
    LqFilter *f = parse_filter_and(p);
    while (f) {
        bool comma = lq_is_punct(p, ",");
        if (comma || p->tok.kind == LQ_T_IDENT || lq_is_punct(p, "(")) {
            if (comma) lq_advance(p);
            LqFilter *right = parse_filter(p);
            f = right ? join_filters(p, LQ_F_AND, f, right) : NULL;
            break;
        }
        if (!lq_is_word(p, "or")) break;
        LqToken next = lq_lex(p->src, p->tok.span.end);
        if (next.kind != LQ_T_IDENT && !(next.kind == LQ_T_PUNCT && str_eq_lit(next.text, "("))) break;
        lq_advance(p);
        LqFilter *right = parse_filter_and(p);
        if (right && (lq_is_punct(p, ",") || p->tok.kind == LQ_T_IDENT)) {
            bool sep = lq_is_punct(p, ",");
            if (sep) lq_advance(p);
            LqFilter *rest = parse_filter(p);
            right = rest ? join_filters(p, LQ_F_AND, right, rest) : NULL;
        }
        f = right ? join_filters(p, LQ_F_OR, f, right) : NULL;
    }
    p->filter_depth--;
    return f;
}

/* --- other stages --- */

static LqStage *parse_logfmt(LqParser *p) {
    LqStage *st = new_stage(p, LQ_STAGE_LOGFMT);
    if (!st) return NULL;
    lq_advance(p);
    for (; p->tok.kind == LQ_T_FLAG; lq_advance(p)) {
        if (str_eq_lit(p->tok.text, "--strict"))
            st->strict = true;
        else if (str_eq_lit(p->tok.text, "--keep-empty"))
            st->keep_empty = true;
        else {
            lq_fail_unexpected(p, NULL);
            return NULL;
        }
    }
    if (p->tok.kind != LQ_T_IDENT) return st;
    lq_fail_unsupported(p, p->tok.span, STR("logfmt with expressions"));
    return NULL;
}

static LqStage *parse_json(LqParser *p) {
    LqStage *st = new_stage(p, LQ_STAGE_JSON);
    if (!st) return NULL;
    lq_advance(p);
    if (p->tok.kind != LQ_T_IDENT) return st;
    lq_fail_unsupported(p, p->tok.span, STR("json with expressions"));
    return NULL;
}

static LqStage *parse_drop_keep(LqParser *p, LqStageKind kind) {
    LqStage *st = new_stage(p, kind);
    if (!st) return NULL;
    lq_advance(p);
    do {
        LqNameMatch nm = {0};
        MatchType type;
        if (!lq_take_ident(p, &nm.name, "IDENTIFIER")) return NULL;
        if (match_type_of(p, &type)) {
            Str value;
            lq_advance(p);
            LangSpan span = p->tok.span;
            if (!lq_take_string(p, &value) || !make_matcher(p, span, type, nm.name, value, &nm.matcher)) return NULL;
        }
        if (!avec_push(p->arena, &st->names, nm)) {
            lq_fail_memory(p);
            return NULL;
        }
    } while (lq_take_punct(p, ","));
    return st;
}

static bool parse_unwrap(LqParser *p, LqUnwrap *u) {
    lq_advance(p);
    u->set = true;
    if (p->tok.kind != LQ_T_FUNC) return lq_take_ident(p, &u->name, NULL);
    u->conv_text = p->tok.text;
    if (str_eq_nocase(p->tok.text, STR("bytes")))
        u->conv = LQ_CONV_BYTES;
    else if (str_eq_nocase(p->tok.text, STR("duration")) || str_eq_nocase(p->tok.text, STR("duration_seconds")))
        u->conv = LQ_CONV_DURATION;
    else
        return lq_fail_unexpected(p, NULL);
    lq_advance(p);
    return lq_expect_punct(p, "(", "(") && lq_take_ident(p, &u->name, "IDENTIFIER") && lq_expect_punct(p, ")", ")");
}

static LqStage *parse_piped(LqParser *p) {
    static const char *const unsupported[] = {"regexp", "pattern", "unpack", "line_format", "label_format"};
    if (lq_is_word(p, "json")) return parse_json(p);
    if (lq_is_word(p, "logfmt")) return parse_logfmt(p);
    if (lq_is_word(p, "drop")) return parse_drop_keep(p, LQ_STAGE_DROP);
    if (lq_is_word(p, "keep")) return parse_drop_keep(p, LQ_STAGE_KEEP);
    if (lq_is_word(p, "decolorize")) {
        LqStage *st = new_stage(p, LQ_STAGE_DECOLORIZE);
        lq_advance(p);
        return st;
    }
    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
        if (lq_is_word(p, unsupported[i])) {
            lq_fail_unsupported(p, p->tok.span, str_cstr(unsupported[i]));
            return NULL;
        }
    if (p->tok.kind != LQ_T_IDENT && !lq_is_punct(p, "(")) {
        lq_fail_unexpected(p, NULL);
        return NULL;
    }
    LqStage *st = new_stage(p, LQ_STAGE_FILTER);
    if (st) st->filter = parse_filter(p);
    return st && st->filter ? st : NULL;
}

/* A line filter's operator in front of its operand; `!=` in front of anything else compares two vectors. */
static bool at_line_filter(const LqParser *p, LqLineOp *op) {
    if (!line_op_of(p, op)) return false;
    if (*op != LQ_LINE_NEQ) return true;
    LqToken next = lq_lex(p->src, p->tok.span.end);
    return next.kind == LQ_T_STRING || (next.kind == LQ_T_FUNC && str_eq_nocase(next.text, STR("ip"))) ||
           next.kind == LQ_T_END || next.kind == LQ_T_IDENT || next.kind == LQ_T_BAD;
}

bool lq_parse_stages(LqParser *p, LqExpr *e, LqStage ***tail, bool allow_unwrap) {
    for (LqLineOp op; !p->failed;) {
        LqStage *st = NULL;
        if (at_line_filter(p, &op)) {
            st = parse_line_filter(p, op);
        } else if (lq_take_punct(p, "|")) {
            if (lq_is_word(p, "unwrap")) {
                if (!allow_unwrap || e->unwrap.set) return lq_fail_unexpected(p, NULL);
                if (!parse_unwrap(p, &e->unwrap)) return false;
                *tail = &e->unwrap.filters;
                continue;
            }
            st = parse_piped(p);
            if (st && e->unwrap.set && st->kind != LQ_STAGE_FILTER)
                return lq_fail_at(p, st->span, "syntax error: only label filters may follow unwrap");
        } else {
            break;
        }
        if (!st) return false;
        **tail = st;
        *tail = &st->next;
    }
    return !p->failed;
}
