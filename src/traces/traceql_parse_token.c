/* traceql_parse_token.c - taking one token after the other, and saying which was not expected. */
#include "traces/traceql_parse_int.h"

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
