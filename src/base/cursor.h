/* cursor.h - bounds-checked reader over bytes that came from disk or wire. After the first
 * overrun `bad` stays true and every read gives 0, so a decoder checks once per record. */
#ifndef MEERKAT_BASE_CURSOR_H
#define MEERKAT_BASE_CURSOR_H

#include "base/str.h"

typedef struct Cursor {
    const uint8_t *p, *end;
    bool bad;
} Cursor;

static inline Cursor cursor_of(Str s) {
    return (Cursor){(const uint8_t *)s.p, s.n ? (const uint8_t *)s.p + s.n : (const uint8_t *)s.p, false};
}
static inline size_t cursor_left(const Cursor *c) { return (size_t)(c->end - c->p); }
uint8_t cursor_u8(Cursor *c);
uint16_t cursor_u16le(Cursor *c);
uint32_t cursor_u32le(Cursor *c);
uint64_t cursor_u64le(Cursor *c);
uint64_t cursor_long_uvarint(Cursor *c);
/* Most are short. */
static inline uint64_t cursor_uvarint(Cursor *c) {
    if (LIKELY(!c->bad && c->p < c->end && *c->p < 0x80)) return *c->p++;
    return cursor_long_uvarint(c);
}
int64_t cursor_svarint(Cursor *c);
Str cursor_bytes(Cursor *c, size_t n);
Str cursor_lenstr(Cursor *c);

#endif
