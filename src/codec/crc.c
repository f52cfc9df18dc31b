#include "codec/crc.h"

#include "base/base.h"
#include "sys/thread.h"

#include <string.h>

/* The Castagnoli polynomial, bit-reflected: x^32 is implied, x^31 is bit 0. */
#define POLY UINT32_C(0x82f63b78)

/* Slicing by 8: table[k][b] is the register after byte b and k zero bytes. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_fill(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t r = b;
        for (int bit = 0; bit < 8; bit++) r = (r >> 1) ^ (POLY & (0 - (r & 1)));
        table[0][b] = r;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++) table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n) {
    const uint8_t *s = p;
    uint32_t r = ~crc;
    pthread_once(&table_once, table_fill);
    for (; n >= 8; n -= 8, s += 8) {
        uint32_t lo = r ^ ((uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24);
        r = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^ table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
            table[3][s[4]] ^ table[2][s[5]] ^ table[1][s[6]] ^ table[0][s[7]];
    }
    for (; n; n--, s++) r = (r >> 8) ^ table[0][(r ^ *s) & 0xff];
    return ~r;
}

#ifdef __x86_64__
#include <immintrin.h>

/* The crc32 instruction takes three cycles but one can start every cycle, so three neighbouring lanes are
 * summed at once. Lane sums are joined by moving the earlier ones over the bytes that follow them: a
 * carry-less product with x^(8 * bytes - 33) mod P, reduced by the instruction itself. The 33 are the 32
 * that the reduction multiplies by, and one for the reflected product's spare bit. */
#define LANE_LONG 2048
#define LANE_SHORT 128
#define SHIFT_LONG_1 UINT32_C(0xa51b6135)
#define SHIFT_LONG_2 UINT32_C(0x82f89c77)
#define SHIFT_SHORT_1 UINT32_C(0x0d3b6092)
#define SHIFT_SHORT_2 UINT32_C(0xb9e02b86)

#define TARGET_CRC __attribute__((target("sse4.2,pclmul")))

TARGET_CRC static inline uint64_t load_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

TARGET_CRC static inline uint32_t shift_over(uint32_t r, uint32_t k) {
    __m128i prod = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)r), _mm_cvtsi32_si128((int)k), 0);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(prod));
}

TARGET_CRC static inline uint32_t three_lanes(uint32_t r, const uint8_t *s, size_t lane, uint32_t k1, uint32_t k2) {
    uint64_t a = r, b = 0, c = 0;
    for (size_t i = 0; i < lane; i += 8) {
        a = _mm_crc32_u64(a, load_u64(s + i));
        b = _mm_crc32_u64(b, load_u64(s + lane + i));
        c = _mm_crc32_u64(c, load_u64(s + 2 * lane + i));
    }
    return shift_over((uint32_t)a, k2) ^ shift_over((uint32_t)b, k1) ^ (uint32_t)c;
}

TARGET_CRC static uint32_t crc32c_sse42(uint32_t crc, const void *p, size_t n) {
    const uint8_t *s = p;
    uint32_t r = ~crc;
    for (; n >= 3 * LANE_LONG; n -= 3 * LANE_LONG, s += 3 * LANE_LONG)
        r = three_lanes(r, s, LANE_LONG, SHIFT_LONG_1, SHIFT_LONG_2);
    for (; n >= 3 * LANE_SHORT; n -= 3 * LANE_SHORT, s += 3 * LANE_SHORT)
        r = three_lanes(r, s, LANE_SHORT, SHIFT_SHORT_1, SHIFT_SHORT_2);
    for (; n >= 8; n -= 8, s += 8) r = (uint32_t)_mm_crc32_u64(r, load_u64(s));
    for (; n; n--, s++) r = _mm_crc32_u8(r, *s);
    return ~r;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n) {
#ifdef __x86_64__
    if (LIKELY(__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))) return crc32c_sse42(crc, p, n);
#endif
    return crc32c_portable(crc, p, n);
}
