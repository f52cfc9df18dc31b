/* buf.h - Buf: a growable byte buffer on the heap, for output. Zero-initialised Buf is empty. */
#ifndef MEERKAT_BASE_BUF_H
#define MEERKAT_BASE_BUF_H

#include "base/base.h"
#include "base/str.h"

typedef struct Buf {
    char *p;
    size_t n, cap;
} Buf;

void buf_done(Buf *b); /* frees the contents; b is empty afterwards */
static inline void buf_clear(Buf *b) { b->n = 0; }
static inline Str buf_str(const Buf *b) { return (Str){b->p, b->n}; }
void buf_reserve(Buf *b, size_t extra); /* room for extra more bytes */
void buf_put(Buf *b, const void *p, size_t n);
static inline void buf_put_str(Buf *b, Str s) { buf_put(b, s.p, s.n); }
#define buf_put_lit(b, lit) buf_put((b), "" lit, sizeof(lit) - 1)
static inline void buf_put_char(Buf *b, char c) {
    if (UNLIKELY(b->n == b->cap)) buf_reserve(b, 1);
    b->p[b->n++] = c;
}
/* s with U+FFFD for each byte that belongs to no well-formed UTF-8 sequence. */
void buf_put_utf8(Buf *b, Str s);
void buf_printf(Buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Little-endian and varint writers, the counterparts of the readers in cursor.h. */
void buf_put_u16le(Buf *b, uint16_t v);
void buf_put_u32le(Buf *b, uint32_t v);
void buf_put_u64le(Buf *b, uint64_t v);
void buf_put_uvarint(Buf *b, uint64_t v); /* LEB128 */
void buf_put_svarint(Buf *b, int64_t v);  /* zigzag LEB128 */
void buf_put_lenstr(Buf *b, Str s);       /* uvarint length + bytes */
/* NUL-terminated view, valid until the next write. */
const char *buf_cstr(Buf *b);
/* Hands the bytes to the caller (mem_free); b is empty afterwards. */
ATTR_MUST char *buf_take(Buf *b, size_t *ret_n);

#endif
