#include "base/cursor.h"

static const uint8_t *take(Cursor *c, size_t n) {
    if (UNLIKELY(c->bad || cursor_left(c) < n)) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    if (n) c->p += n; /* NULL + 0 is undefined in C */
    return p;
}

static uint64_t read_le(Cursor *c, size_t bytes) {
    const uint8_t *p = take(c, bytes);
    uint64_t v = 0;
    if (p)
        for (size_t i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t cursor_u8(Cursor *c) { return (uint8_t)read_le(c, 1); }
uint16_t cursor_u16le(Cursor *c) { return (uint16_t)read_le(c, 2); }
uint32_t cursor_u32le(Cursor *c) { return (uint32_t)read_le(c, 4); }
uint64_t cursor_u64le(Cursor *c) { return read_le(c, 8); }

uint64_t cursor_long_uvarint(Cursor *c) {
    uint64_t v = 0;
    if (c->bad) return 0;
    for (unsigned shift = 0; shift < 64 && c->p < c->end; shift += 7) {
        uint8_t byte = *c->p++;
        if (shift == 63 && byte > 1) break; /* does not fit 64 bits */
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return v;
    }
    c->bad = true;
    return 0;
}

int64_t cursor_svarint(Cursor *c) {
    uint64_t v = cursor_uvarint(c);
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

Str cursor_bytes(Cursor *c, size_t n) {
    const uint8_t *p = take(c, n);
    return p ? str_of((const char *)p, n) : STR_NULL;
}

Str cursor_lenstr(Cursor *c) { return cursor_bytes(c, cursor_uvarint(c)); }
