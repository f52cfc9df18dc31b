/* diag.h - diagnostics about a text a person wrote: file:line:col, the line, a caret, a hint.
 *
 *   meerkat.yml:12:3: error: unknown key "retntion" in storage
 *      12 |   retntion: 15d
 *         |   ^^^^^^^^
 *         = help: did you mean "retention"?                                                     */
#ifndef MEERKAT_BASE_DIAG_H
#define MEERKAT_BASE_DIAG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

typedef enum DiagLevel { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE } DiagLevel;

typedef struct Diag {
    DiagLevel level;
    int line, col, len; /* 1-based; 0 line: about the whole file; len: caret width in bytes, >= 1 */
    char *msg, *hint;   /* owned; hint may be NULL */
} Diag;

/* A text of a stranger may have a mistake per byte, all of them in one line. */
#define DIAG_KEPT_MAX 200  /* of each level; further ones are counted */
#define DIAG_TEXT_MAX 4096 /* bytes of a message, which may quote the text */
#define DIAG_LINE_MAX 4096 /* a longer source line is not shown: a part of it could be one of a secret */

typedef struct DiagList {
    Str file, source; /* borrowed; source may be empty */
    VEC(Diag) items;
    size_t count[3]; /* of each level, those not kept included */
} DiagList;

void diag_init(DiagList *d, Str file, Str source);
void diag_done(DiagList *d);
void diag_add(DiagList *d, DiagLevel level, int line, int col, int len, const char *hint, const char *fmt, ...)
    ATTR_PRINTF(7, 8);
size_t diag_error_count(const DiagList *d);
void diag_render(const DiagList *d, Buf *out, bool colour); /* all that are kept, with source lines */
/* 1-based line and column (bytes) of an offset. */
void diag_locate(Str source, size_t offset, int *ret_line, int *ret_col);
/* The nearest of names within a small distance, or STR_NULL. */
Str diag_suggest(Str wrong, const Str *names, size_t n);

#endif
