#include "codec/bitpack.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed streams are read with little-endian loads");

static inline uint64_t mask_of(unsigned width) { return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1; }

static inline uint64_t load_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

unsigned bitpack_width_u64(const uint64_t *v, size_t n) {
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) all |= v[i];
    return all ? 64 - (unsigned)__builtin_clzll(all) : 0;
}

void bitpack_encode_u64(Buf *out, const uint64_t *v, size_t n, unsigned width) {
    ASSERT(width <= 64 && n <= BITPACK_N_MAX);
    size_t size = bitpack_size_bytes(n, width);
    if (size == 0) return;
    buf_reserve(out, size + 8); /* whole words are stored, the last one over the end */
    uint8_t *p = (uint8_t *)out->p + out->n;
    uint64_t acc = 0, mask = mask_of(width);
    unsigned used = 0; /* bits in acc, < 64 */
    for (size_t i = 0; i < n; i++) {
        DASSERT((v[i] & ~mask) == 0);
        uint64_t x = v[i] & mask;
        acc |= x << used;
        used += width;
        if (used < 64) continue;
        memcpy(p, &acc, 8);
        p += 8;
        used -= 64;
        acc = used ? x >> (width - used) : 0;
    }
    if (used) memcpy(p, &acc, 8);
    out->n += size;
}

/* Up to 8 bytes at p, fewer when the stream ends before; missing ones are zero. */
static inline uint64_t load_some(const uint8_t *p, const uint8_t *end) {
    uint64_t v = 0;
    if (end - p >= 8) return load_u64(p);
    if (p < end) memcpy(&v, p, (size_t)(end - p));
    return v;
}

/* Any width at any place: at most nine bytes hold a value. */
static inline uint64_t get_one(const uint8_t *in, const uint8_t *end, size_t i, unsigned width, uint64_t mask) {
    size_t bit = i * width;
    unsigned shift = bit & 7;
    const uint8_t *p = in + (bit >> 3);
    uint64_t v = load_some(p, end) >> shift;
    if (shift + width > 64) v |= (uint64_t)p[8] << (64 - shift);
    return v & mask;
}

uint64_t bitpack_get_u64(const uint8_t *in, size_t in_n, size_t i, unsigned width) {
    ASSERT(width <= 64 && i < BITPACK_N_MAX && bitpack_size_bytes(i + 1, width) <= in_n);
    return width ? get_one(in, in + in_n, i, width, mask_of(width)) : 0;
}

static void decode_tail(const uint8_t *in, size_t in_n, size_t from, size_t n, unsigned width, uint64_t *out) {
    uint64_t mask = mask_of(width);
    for (size_t i = from; i < n; i++) {
        size_t at = i * width / 8;
        bool whole = width <= 57 && at + 8 <= in_n; /* one load brings all of it */
        out[i] = whole ? (load_u64(in + at) >> (i * width & 7)) & mask : get_one(in, in + in_n, i, width, mask);
    }
}

/* Values before this index can be read with a load of load_bytes at their first byte. */
static inline size_t safe_count(size_t in_n, size_t n, unsigned width, size_t load_bytes) {
    if (in_n < load_bytes) return 0;
    size_t safe = (in_n - load_bytes) * 8 / width;
    return safe < n ? safe : n;
}

/* Eight values take exactly `width` bytes, so within a group offsets and shifts are constants once the width is
 * one: this is always inlined with a literal width. */
static inline __attribute__((always_inline)) size_t decode_groups(
    const uint8_t *in, size_t safe, unsigned width, uint64_t *out) {
    const uint64_t mask = mask_of(width);
    size_t i = 0;
    for (; i + 8 <= safe; i += 8, in += width) {
#pragma GCC unroll 8
        for (unsigned j = 0; j < 8; j++) out[i + j] = (load_u64(in + (j * width >> 3)) >> (j * width & 7)) & mask;
    }
    return i;
}

static size_t decode_words(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out) {
    enum { LOAD_BYTES = 8, WIDTH_MAX = 57 }; /* 57 bits and a shift of 7 still come from one load */
    if (width > WIDTH_MAX) return 0;
    size_t safe = safe_count(in_n, n, width, LOAD_BYTES);
#define CASE(w)                                                                                                        \
    case w:                                                                                                            \
        return decode_groups(in, safe, w, out);
#define CASES8(w) CASE(w) CASE(w + 1) CASE(w + 2) CASE(w + 3) CASE(w + 4) CASE(w + 5) CASE(w + 6) CASE(w + 7)
    switch (width) {
        CASES8(1)
        CASES8(9)
        CASES8(17)
        CASES8(25)
        CASE(40)
        CASE(48)
        CASE(56)
    default: return decode_groups(in, safe, width, out);
    }
#undef CASES8
#undef CASE
}

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET_AVX2 __attribute__((target("avx2")))

/* Two neighbouring values start at most 2 * 57 bits apart from the end of the second: one 16-byte load holds
 * both. A byte shuffle brings each into its own 64-bit lane, a variable shift and a mask finish it. `pair` is the
 * index of the pair within its group of eight values. */
TARGET_AVX2 static inline void pair_layout(unsigned pair, unsigned width, uint64_t bytes[2], uint64_t shifts[2]) {
    const uint64_t iota = UINT64_C(0x0706050403020100), ones = UINT64_C(0x0101010101010101);
    unsigned first_bit = 2 * pair * width, second_bit = first_bit + width;
    bytes[0] = iota;
    bytes[1] = iota + ones * ((second_bit >> 3) - (first_bit >> 3));
    shifts[0] = first_bit & 7;
    shifts[1] = second_bit & 7;
}

TARGET_AVX2 static inline __m256i unpack_four(
    const uint8_t *lo, const uint8_t *hi, __m256i bytes, __m256i shifts, __m256i mask) {
    __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)lo));
    v = _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)(const void *)hi), 1);
    return _mm256_and_si256(_mm256_srlv_epi64(_mm256_shuffle_epi8(v, bytes), shifts), mask);
}

TARGET_AVX2 static size_t decode_avx2(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out) {
    enum { LOAD_BYTES = 16, WIDTH_MAX = 57 };
    if (width > WIDTH_MAX) return 0;
    uint64_t bytes[8], shifts[8];
    for (unsigned pair = 0; pair < 4; pair++) pair_layout(pair, width, bytes + 2 * pair, shifts + 2 * pair);
    const __m256i bytes0 = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
    const __m256i bytes1 = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 4));
    const __m256i shifts0 = _mm256_loadu_si256((const __m256i *)(const void *)shifts);
    const __m256i shifts1 = _mm256_loadu_si256((const __m256i *)(const void *)(shifts + 4));
    const __m256i mask = _mm256_set1_epi64x((long long)mask_of(width));
    const size_t at1 = 2 * width >> 3, at2 = 4 * width >> 3, at3 = 6 * width >> 3;
    size_t safe = safe_count(in_n, n, width, LOAD_BYTES), i = 0;
    for (; i + 8 <= safe; i += 8, in += width) {
        __m256i a = unpack_four(in, in + at1, bytes0, shifts0, mask);
        __m256i b = unpack_four(in + at2, in + at3, bytes1, shifts1, mask);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), a);
        _mm256_storeu_si256((__m256i *)(void *)(out + i + 4), b);
    }
    return i;
}
#endif

bool bitpack_decode_u64(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out) {
    if (width > 64 || n > BITPACK_N_MAX) return false;
    size_t size = bitpack_size_bytes(n, width);
    if (in_n < size) return false;
    if (n == 0) return true;
    if (width == 0 || width == 64) {
        if (width == 0)
            memset(out, 0, n * sizeof *out);
        else
            memcpy(out, in, n * sizeof *out);
        return true;
    }
    size_t done;
#ifdef __x86_64__
    if (LIKELY(__builtin_cpu_supports("avx2")))
        done = decode_avx2(in, in_n, n, width, out);
    else
#endif
        done = decode_words(in, in_n, n, width, out);
    decode_tail(in, in_n, done, n, width, out);
    return true;
}

bool bitpack_decode_portable_u64(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out) {
    if (width > 64 || n > BITPACK_N_MAX || in_n < bitpack_size_bytes(n, width)) return false;
    if (width == 0) {
        if (n) memset(out, 0, n * sizeof *out);
        return true;
    }
    decode_tail(in, in_n, decode_words(in, in_n, n, width, out), n, width, out);
    return true;
}
