#include "lang/langerr.h"

#include <stdarg.h>
#include <stdio.h>

ATTR_PRINTF(4, 0)
static void lang_error_fill(LangError *e, ErrCode code, LangSpan span, const char *fmt, va_list ap) {
    if (e->set) return;
    e->set = true;
    e->code = code;
    e->span = span;
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    if (n >= (int)sizeof e->msg) memcpy(e->msg + sizeof e->msg - 4, "...", 4);
}

bool lang_fail(LangError *e, LangSpan span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    lang_error_fill(e, ERR_INVALID, span, fmt, ap);
    va_end(ap);
    return false;
}

bool lang_fail_code(LangError *e, ErrCode code, LangSpan span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    lang_error_fill(e, code, span, fmt, ap);
    va_end(ap);
    return false;
}

static void lang_error_locate(const LangError *e, Str source, int *line, int *col) {
    ASSERT(e->set);
    diag_locate(source, MIN((size_t)e->span.start, source.n), line, col);
}

ErrCode lang_error_prom(const LangError *e, Str source, Err *reterr) {
    int line, col;
    lang_error_locate(e, source, &line, &col);
    if (source.n == 0) return err_set_at(reterr, e->code, line, col, "unknown position: parse error: %s", e->msg);
    return err_set_at(reterr, e->code, line, col, "%d:%d: parse error: %s", line, col, e->msg);
}

ErrCode lang_error_loki(const LangError *e, Str source, Err *reterr) {
    int line, col;
    lang_error_locate(e, source, &line, &col);
    return err_set_at(
        reterr, e->code, line, col, "parse error at line %d, col %d: syntax error: %s", line, col, e->msg);
}

ErrCode lang_error_tempo(const LangError *e, Str source, Err *reterr) {
    int line, col;
    lang_error_locate(e, source, &line, &col);
    return err_set_at(reterr, e->code, line, col, "parse error at line %d, col %d: %s", line, col, e->msg);
}

void lang_error_caret(const LangError *e, Str file, Str source, Buf *out, bool colour) {
    int line, col;
    lang_error_locate(e, source, &line, &col);
    DiagList d;
    diag_init(&d, file, source);
    int len = e->span.end > e->span.start ? (int)(e->span.end - e->span.start) : 1;
    diag_add(&d, DIAG_ERROR, line, col, len, NULL, "%s", e->msg);
    diag_render(&d, out, colour);
    diag_done(&d);
}
