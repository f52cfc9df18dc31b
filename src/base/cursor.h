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
/* A fixed width, little-endian: false (and bad) when there is not so much. */
static inline bool cursor_take_le(Cursor *c, void *ret, size_t bytes) {
    if (UNLIKELY(c->bad || cursor_left(c) < bytes)) {
        c->bad = true;
        return false;
    }
    memcpy(ret, c->p, bytes);
    c->p += bytes;
    return true;
}
static inline uint8_t cursor_u8(Cursor *c) {
    uint8_t v;
    return cursor_take_le(c, &v, sizeof v) ? v : 0;
}
static inline uint16_t cursor_u16le(Cursor *c) {
    uint16_t v;
    return cursor_take_le(c, &v, sizeof v) ? v : 0;
}
static inline uint32_t cursor_u32le(Cursor *c) {
    uint32_t v;
    return cursor_take_le(c, &v, sizeof v) ? v : 0;
}
static inline uint64_t cursor_u64le(Cursor *c) {
    uint64_t v;
    return cursor_take_le(c, &v, sizeof v) ? v : 0;
}
uint64_t cursor_long_uvarint(Cursor *c);
/* Most are short. */
static inline uint64_t cursor_uvarint(Cursor *c) {
    if (LIKELY(!c->bad && c->end - c->p >= 2)) {
        if (c->p[0] < 0x80) return *c->p++;
        if (c->p[1] < 0x80) {
            c->p += 2;
            return (c->p[-2] & 0x7Fu) | (uint64_t)c->p[-1] << 7;
        }
    }
    return cursor_long_uvarint(c);
}
static inline int64_t cursor_svarint(Cursor *c) {
    uint64_t v = cursor_uvarint(c);
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}
Str cursor_bytes(Cursor *c, size_t n);
Str cursor_lenstr(Cursor *c);

#endif
