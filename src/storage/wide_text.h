/* wide_text.h - string columns of wide events: plain, or integers (also with text around them),
 * hex ids, UUIDs in binary. Private to storage. */
#ifndef MEERKAT_STORAGE_WIDE_TEXT_H
#define MEERKAT_STORAGE_WIDE_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* words, ret_words: as of column_encode_str_words. */
void wide_text_encode(Buf *out, const Str *v, size_t n, Str *words, size_t *ret_words);
/* Slices into `in` or the arena. ERR_CORRUPT, ERR_TOO_LARGE (the arena's budget). */
ErrCode wide_text_decode(Str in, size_t n, Arena *arena, Str *out);

#endif
