/* json_int.h - shared by json_read.c and json_write.c only: the string scan. */
#ifndef MEERKAT_BASE_JSON_INT_H
#define MEERKAT_BASE_JSON_INT_H

#include "base/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_is_special(unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; }

/* Length of the longest prefix without quote, backslash and control characters. *high becomes true when
 * it has bytes that are not ASCII, and must then be checked for UTF-8. */
static inline size_t json_scan_plain(const char *p, size_t n, bool *high) {
    size_t i = 0;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1F);
    for (; n - i >= 16; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)),
            _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
        unsigned stop = (unsigned)_mm_movemask_epi8(special), top = (unsigned)_mm_movemask_epi8(x);
        if (stop) {
            unsigned at = (unsigned)__builtin_ctz(stop);
            *high |= (top & ((1U << at) - 1)) != 0;
            return i + at;
        }
        *high |= top != 0;
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    for (; n - i >= 8; i += 8) {
        uint64_t x;
        memcpy(&x, p + i, 8);
        uint64_t q = x ^ ones * '"', b = x ^ ones * '\\';
        uint64_t special = ((q - ones) & ~q) | ((b - ones) & ~b) | ((x - ones * 0x20) & ~x);
        if (special & tops) break;
        *high |= (x & tops) != 0;
    }
#endif
    for (; i < n && !json_is_special((unsigned char)p[i]); i++) *high |= (p[i] & 0x80) != 0;
    return i;
}

/* Place behind the JSON number (RFC 8259 section 6) that starts at s.p[i]. When there is none, *ret_problem
 * says why and the result is the place of the offending byte. */
size_t json_scan_number(Str s, size_t i, const char **ret_problem);

#endif
