/* column_sparse.c - decoding streams of a common value and others: a bitmap says where the others are. */
#include "storage/column_int.h"

uint64_t pack_count_bits(const uint8_t *bits, size_t n) {
    uint64_t count = 0;
    for (size_t at = 0; at < n; at += 64) {
        uint64_t x = 0;
        memcpy(&x, bits + at / 8, MIN((size_t)8, (n - at + 7) / 8));
        if (n - at < 64) x &= (UINT64_C(1) << (n - at)) - 1;
        /* Without the instruction, which not every processor has: sums of ever more bits side by side. */
        x -= x >> 1 & UINT64_C(0x5555555555555555);
        x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
        x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
        count += x * UINT64_C(0x0101010101010101) >> 56;
    }
    return count;
}

static const uint8_t ones_of[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

static size_t expand_base(uint64_t word, uint64_t common, const uint64_t *others, uint64_t *out) {
    size_t taken = 0;
    for (size_t i = 0; i < 64; i++) out[i] = common;
    for (; word; word &= word - 1) out[__builtin_ctzll(word)] = others[taken++];
    return taken;
}

#ifdef __x86_64__
#include <immintrin.h>

/* For four bits: which of four others goes to each place, as pairs of 32-bit words; -1 in the mask where one goes. */
#define PLACE(bits, i) 2 * ones_before(bits, i), 2 * ones_before(bits, i) + 1
#define ones_before(bits, i) ((i > 0 ? (bits)&1 : 0) + (i > 1 ? (bits) >> 1 & 1 : 0) + (i > 2 ? (bits) >> 2 & 1 : 0))
#define PLACES(bits)                                                                                                   \
    { PLACE(bits, 0), PLACE(bits, 1), PLACE(bits, 2), PLACE(bits, 3) }
#define MASK(bits)                                                                                                     \
    { -(int64_t)((bits)&1), -(int64_t)((bits) >> 1 & 1), -(int64_t)((bits) >> 2 & 1), -(int64_t)((bits) >> 3 & 1) }
#define SIXTEEN(m)                                                                                                     \
    { m(0), m(1), m(2), m(3), m(4), m(5), m(6), m(7), m(8), m(9), m(10), m(11), m(12), m(13), m(14), m(15) }
static const int32_t places_of[16][8] = SIXTEEN(PLACES);
static const int64_t mask_of[16][4] = SIXTEEN(MASK);

__attribute__((target("avx2"))) static size_t expand_avx2(
    uint64_t word, uint64_t common, const uint64_t *others, uint64_t *out) {
    const __m256i fill = _mm256_set1_epi64x((long long)common);
    size_t taken = 0;
    for (size_t i = 0; i < 64; i += 4, word >>= 4) {
        unsigned bits = word & 15;
        __m256i next = _mm256_loadu_si256((const __m256i *)(const void *)(others + taken));
        __m256i places = _mm256_loadu_si256((const __m256i *)(const void *)places_of[bits]);
        __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)mask_of[bits]);
        __m256i v = _mm256_blendv_epi8(fill, _mm256_permutevar8x32_epi32(next, places), mask);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), v);
        taken += ones_of[bits];
    }
    return taken;
}

size_t pack_expand(uint64_t word, uint64_t common, const uint64_t *others, uint64_t *out) {
    if (__builtin_cpu_supports("avx2")) return expand_avx2(word, common, others, out);
    return expand_base(word, common, others, out);
}
#else
size_t pack_expand(uint64_t word, uint64_t common, const uint64_t *others, uint64_t *out) {
    return expand_base(word, common, others, out);
}
#endif
