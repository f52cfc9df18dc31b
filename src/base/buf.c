#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void buf_done(Buf *b) {
    mem_free(b->p);
    *b = (Buf){0};
}

void buf_reserve(Buf *b, size_t extra) {
    DASSERT(b->n <= b->cap);
    if (b->cap - b->n >= extra) return;
    size_t need;
    if (__builtin_add_overflow(b->n, extra, &need)) base_panic(__FILE__, __LINE__, __func__, "buffer size overflows");
    size_t cap = MAX(b->cap * 2, (size_t)64);
    if (cap < need) cap = need;
    b->p = mem_realloc_array(b->p, cap, 1);
    b->cap = cap;
}

void buf_put(Buf *b, const void *p, size_t n) {
    if (UNLIKELY(n == 0)) return;
    if (UNLIKELY(b->cap - b->n < n)) buf_reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_printf(Buf *b, const char *fmt, ...) {
    va_list args;
    buf_reserve(b, 64);
    va_start(args, fmt);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        buf_reserve(b, (size_t)n + 1);
        va_start(args, fmt);
        vsnprintf(b->p + b->n, b->cap - b->n, fmt, args);
        va_end(args);
    }
    b->n += (size_t)n;
}

void buf_put_utf8(Buf *b, Str s) {
    while (s.n) {
        size_t step = str_utf8_step(s);
        if (step)
            buf_put(b, s.p, step);
        else
            buf_put_lit(b, "\xEF\xBF\xBD");
        s = str_skip(s, step ? step : 1);
    }
}

static void put_le(Buf *b, uint64_t v, size_t bytes) {
    buf_reserve(b, bytes);
    for (size_t i = 0; i < bytes; i++) b->p[b->n++] = (char)(uint8_t)(v >> (8 * i));
}

void buf_put_u16le(Buf *b, uint16_t v) { put_le(b, v, 2); }
void buf_put_u32le(Buf *b, uint32_t v) { put_le(b, v, 4); }
void buf_put_u64le(Buf *b, uint64_t v) { put_le(b, v, 8); }

void buf_put_uvarint(Buf *b, uint64_t v) {
    buf_reserve(b, 10);
    while (v >= 0x80) {
        b->p[b->n++] = (char)(uint8_t)(v | 0x80);
        v >>= 7;
    }
    b->p[b->n++] = (char)(uint8_t)v;
}

void buf_put_svarint(Buf *b, int64_t v) { buf_put_uvarint(b, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0)); }

void buf_put_lenstr(Buf *b, Str s) {
    buf_put_uvarint(b, s.n);
    buf_put_str(b, s);
}

const char *buf_cstr(Buf *b) {
    buf_reserve(b, 1);
    b->p[b->n] = '\0';
    return b->p;
}

char *buf_take(Buf *b, size_t *ret_n) {
    char *p = b->p ? b->p : mem_alloc(1);
    if (ret_n) *ret_n = b->n;
    *b = (Buf){0};
    return p;
}
