#include "metrics/md5.h"

#include <math.h>

static uint32_t rotate(uint32_t v, unsigned n) { return v << n | v >> (32 - n); }

/* The additive constant of step i is defined as floor(2^32 * |sin(i + 1)|); a double has bits to spare for it. */
static uint32_t constant(unsigned i) { return (uint32_t)(fabs(sin((double)(i + 1))) * 0x1p32); }

static void block(uint32_t state[4], const uint8_t *p) {
    static const uint8_t shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t m[16], a = state[0], b = state[1], c = state[2], d = state[3];
    memcpy(m, p, sizeof m);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t f;
        unsigned g;
        switch (i / 16) {
        case 0: f = (b & c) | (~b & d), g = i; break;
        case 1: f = (d & b) | (~d & c), g = (5 * i + 1) % 16; break;
        case 2: f = b ^ c ^ d, g = (3 * i + 5) % 16; break;
        default: f = c ^ (b | ~d), g = 7 * i % 16; break;
        }
        uint32_t next = b + rotate(a + f + constant(i) + m[g], shifts[i / 16][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void md5(Str in, uint8_t out[MD5_BYTES]) {
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    size_t whole = in.n / 64 * 64, rest = in.n - whole;
    for (size_t i = 0; i < whole; i += 64) block(state, (const uint8_t *)in.p + i);
    uint8_t tail[128] = {0};
    if (rest) memcpy(tail, in.p + whole, rest);
    tail[rest] = 0x80;
    size_t tail_n = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)in.n * 8;
    memcpy(tail + tail_n - 8, &bits, 8);
    for (size_t i = 0; i < tail_n; i += 64) block(state, tail + i);
    memcpy(out, state, MD5_BYTES);
}
