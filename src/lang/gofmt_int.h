/* gofmt_int.h - what the parts of fmt.Sprintf share. Private to lang. */
#ifndef MEERKAT_LANG_GOFMT_INT_H
#define MEERKAT_LANG_GOFMT_INT_H

#include "lang/govalue.h"

#define GOFMT_WIDTH_MAX 1000000     /* as in Go */
#define GOFMT_PADDED_MAX (4u << 20) /* output beyond which widths are ignored: formats come from strangers */

typedef struct GoFmt {
    Buf *out;
    Arena *arena;
    size_t start;
    int width, prec;
    bool has_width, has_prec, minus, plus, sharp, space, zero, plus_v, sharp_v;
    bool bad_index, reordered;
    bool indirect; /* a pointer prints as what it points to */
} GoFmt;

/* One value under the verb and the flags; depth: of values in values. */
void gofmt_value(GoFmt *f, GoValue v, uint32_t verb, int depth);
void gofmt_int(GoFmt *f, GoValue v, uint32_t verb);
void gofmt_float(GoFmt *f, GoValue v, uint32_t verb);
void gofmt_bad_verb(GoFmt *f, GoValue v, uint32_t verb); /* "%!d(string=x)" */
void gofmt_pad(GoFmt *f, Str s);                         /* to the width */
void gofmt_put_padding(GoFmt *f, size_t n);

#endif
