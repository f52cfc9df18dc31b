/* langerr.h - the first error of a query text: its place, its message, and the clothes it wears for
 * Prometheus', Loki's and Tempo's clients and for people at a terminal. */
#ifndef MEERKAT_LANG_LANGERR_H
#define MEERKAT_LANG_LANGERR_H

#include "base/diag.h"
#include "lang/lexer.h"

typedef struct LangError {
    bool set;
    ErrCode code; /* ERR_INVALID unless a limit was hit */
    LangSpan span;
    char msg[384];
} LangError;

/* Keeps the first error only. Returns false, so that `return lang_fail(...)` works in bool parsers. */
bool lang_fail(LangError *e, LangSpan span, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* The same with another code (limits: ERR_TOO_LARGE). */
bool lang_fail_code(LangError *e, ErrCode code, LangSpan span, const char *fmt, ...) ATTR_PRINTF(4, 5);

/* "1:5: parse error: unexpected ..." as Prometheus writes it; *reterr gets code, line and column. */
ErrCode lang_error_prom(const LangError *e, Str source, Err *reterr);
/* "parse error at line 1, col 5: syntax error: unexpected ..." as Loki writes it. */
ErrCode lang_error_loki(const LangError *e, Str source, Err *reterr);
/* "parse error at line 1, col 5: ..." as Tempo writes it. */
ErrCode lang_error_tempo(const LangError *e, Str source, Err *reterr);
/* For the terminal: message, source line, caret under the span. */
void lang_error_caret(const LangError *e, Str file, Str source, Buf *out, bool colour);

#endif
