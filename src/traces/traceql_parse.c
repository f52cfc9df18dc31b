/* traceql_parse.c - tokens, errors, and what others ask of the parser. */
#include "traces/traceql_parse_int.h"

#include "base/diag.h"

/* --- tokens --- */

static const char *token_name(const TqlParser *p) {
    switch (p->tok.kind) {
    case TQL_T_END: return "$end";
    case TQL_T_STRING: return "STRING";
    case TQL_T_INT: return "INTEGER";
    case TQL_T_FLOAT: return "FLOAT";
    case TQL_T_DURATION: return "DURATION";
    case TQL_T_ATTR: return "IDENTIFIER";
    default: return NULL;
    }
}

bool tql_fail_unexpected(TqlParser *p, const char *expecting) {
    const TqlToken *t = &p->tok;
    if (t->kind == TQL_T_BAD && t->error == tql_lex_no_memory) return tql_fail_memory(p);
    if (t->kind == TQL_T_BAD && t->error)
        return lang_fail(
            &p->error, t->span, "syntax error: %s: %" STR_FMT, t->error, (int)MIN(t->text.n, (size_t)80), t->text.p);
    const char *name = token_name(p), *sep = expecting ? ", expecting " : "";
    if (!expecting) expecting = "";
    if (name) return lang_fail(&p->error, t->span, "syntax error: unexpected %s%s%s", name, sep, expecting);
    return lang_fail(&p->error, t->span, "syntax error: unexpected %" STR_FMT "%s%s", (int)MIN(t->text.n, (size_t)80),
        t->text.p, sep, expecting);
}

bool tql_fail_memory(TqlParser *p) {
    return lang_fail_code(&p->error, ERR_TOO_LARGE, p->tok.span, "%s", tql_lex_no_memory);
}

void *tql_alloc(TqlParser *p, size_t size) {
    void *v = arena_alloc_zero(p->arena, size);
    if (!v) tql_fail_memory(p);
    return v;
}

void tql_advance(TqlParser *p) { p->tok = tql_lex(p->src, p->tok.span.end, p->arena); }

bool tql_take_punct(TqlParser *p, const char *text) {
    if (!tql_is_punct(p, text)) return false;
    tql_advance(p);
    return true;
}

bool tql_expect_punct(TqlParser *p, const char *text) {
    return tql_take_punct(p, text) || tql_fail_unexpected(p, text);
}

/* --- queries --- */

static void parser_init(TqlParser *p, Str src, Arena *arena) {
    *p = (TqlParser){.src = src, .arena = arena};
    p->outer = (Pratt){&tql_outer_syntax, p, 0, 0};
    p->fields = (Pratt){&tql_field_syntax, p, 0, 0};
    p->tok = tql_lex(src, 0, arena);
}

static const TraceQl *parse(TqlParser *p, Str src, Arena *arena) {
    parser_init(p, src, arena);
    TraceQl *q = TQL_NODE(p, TraceQl);
    if (!q) return NULL;
    q->source = src;
    if (src.n > TRACEQL_SOURCE_MAX)
        lang_fail_code(&p->error, ERR_INVALID, (LangSpan){0, 0},
            "the query is too long: %zu bytes, at most %d are allowed", src.n, TRACEQL_SOURCE_MAX);
    else if (tql_parse_query(p, q) && tql_check(p, q))
        return q;
    ASSERT(p->error.set);
    return NULL;
}

ErrCode traceql_parse(Str src, Arena *arena, const TraceQl **ret, Err *reterr) {
    TqlParser p;
    const TraceQl *q = parse(&p, src, arena);
    if (!q) return lang_error_tempo(&p.error, src, reterr);
    *ret = q;
    return OK;
}

void traceql_explain_error(Str src, Str file, Buf *out, bool colour) {
    Arena *arena = arena_create(16u << 20);
    TqlParser p;
    if (!parse(&p, src, arena)) lang_error_caret(&p.error, file, src, out, colour);
    arena_free(arena);
}

ErrCode traceql_parse_attr(Str src, Arena *arena, TqlAttr *ret, Err *reterr) {
    TqlParser p;
    parser_init(&p, src, arena);
    TqlIntrinsic i = p.tok.kind == TQL_T_WORD ? tql_intrinsic_of(p.tok.text) : TQL_NOT_INTRINSIC;
    bool whole = p.tok.span.start == 0 && p.tok.span.end == src.n;
    if (whole && (p.tok.kind == TQL_T_ATTR || p.tok.kind == TQL_T_INTRINSIC)) {
        *ret = p.tok.attr;
    } else if (whole && i != TQL_NOT_INTRINSIC) {
        *ret = (TqlAttr){.intrinsic = i};
    } else if (src.n > 0 && tql_name_is_plain(src)) {
        *ret = (TqlAttr){.name = src};
    } else {
        return err_set(reterr, ERR_INVALID, "\"%" STR_FMT "\" is not an attribute", STR_ARG(src));
    }
    return OK;
}

const TqlValue *traceql_hint(const TraceQl *q, Str name) {
    vec_foreach(const TqlHint, h, &q->hints) {
        if (str_eq(h->name, name)) return &h->value;
    }
    return NULL;
}
