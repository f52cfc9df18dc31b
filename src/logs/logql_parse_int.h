/* logql_parse_int.h - private: the parser's two halves, numbers (logql_parse.c) and lines (logql_parse_log.c). */
#ifndef MEERKAT_LOGS_LOGQL_PARSE_INT_H
#define MEERKAT_LOGS_LOGQL_PARSE_INT_H

#include "lang/pratt.h"
#include "logs/logql_lex.h"

typedef struct LqParser {
    Str src;
    Arena *arena;
    LqToken tok;
    Err *err;
    bool failed;
    Pratt pratt;
    unsigned filter_depth;
} LqParser;

void lq_advance(LqParser *p);
/* All give false, so that `return lq_fail...` works. expecting: "STRING", "= or =~", or NULL. */
bool lq_fail_unexpected(LqParser *p, const char *expecting);
bool lq_fail_at(LqParser *p, LangSpan span, const char *fmt, ...) ATTR_PRINTF(3, 4);
bool lq_fail_plain(LqParser *p, const char *fmt, ...) ATTR_PRINTF(2, 3); /* "parse error : ..." */
bool lq_fail_memory(LqParser *p);
bool lq_fail_unsupported(LqParser *p, LangSpan span, Str what);

static inline bool lq_is_punct(const LqParser *p, const char *text) {
    return p->tok.kind == LQ_T_PUNCT && str_eq(p->tok.text, str_cstr(text));
}
static inline bool lq_is_word(const LqParser *p, const char *text) {
    return p->tok.kind == LQ_T_WORD && str_eq_nocase(p->tok.text, str_cstr(text));
}
bool lq_take_punct(LqParser *p, const char *text); /* true: it was there and is consumed */
bool lq_expect_punct(LqParser *p, const char *text, const char *expecting);
bool lq_take_string(LqParser *p, Str *ret);
bool lq_take_ident(LqParser *p, Str *ret, const char *expecting);

/* {a="b"}; the current token is its brace. */
bool lq_parse_braces(LqParser *p, LqExpr *e);
/* Stages up to something that is none. *tail is where the next one is linked. */
bool lq_parse_stages(LqParser *p, LqExpr *e, LqStage ***tail, bool allow_unwrap);
bool lq_check_matchers(LqParser *p, const LqExpr *e);

#endif
