#include "base/cursor.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "cursor_take_le copies bytes as they are"
#endif

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

Str cursor_bytes(Cursor *c, size_t n) {
    if (UNLIKELY(c->bad || cursor_left(c) < n)) {
        c->bad = true;
        return STR_NULL;
    }
    const uint8_t *p = c->p;
    if (n) c->p += n; /* NULL + 0 is undefined in C */
    return p ? str_of((const char *)p, n) : STR_NULL;
}

Str cursor_lenstr(Cursor *c) { return cursor_bytes(c, cursor_uvarint(c)); }
