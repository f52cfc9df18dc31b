#include "codec/sha256.h"

#include <stdio.h>

typedef struct State {
    uint32_t h[8];
    uint8_t block[64];
    size_t n;       /* in block */
    uint64_t total; /* bytes */
} State;

static const uint32_t k[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152,
    0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138,
    0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70,
    0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
    0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress_block(State *s) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) {
        const uint8_t *p = s->block + 4 * i;
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] =
            w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, s->h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) s->h[i] += v[i];
    s->n = 0;
}

static void begin(State *s) {
    *s = (State){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

static void add(State *s, const void *p, size_t n) {
    const uint8_t *b = p;
    s->total += n;
    for (size_t i = 0; i < n; i++) {
        s->block[s->n++] = b[i];
        if (s->n == sizeof s->block) compress_block(s);
    }
}

static void finish(State *s, uint8_t ret[SHA256_BYTES]) {
    uint64_t bits = s->total * 8;
    const uint8_t one = 0x80, zero = 0;
    add(s, &one, 1);
    while (s->n != 56) add(s, &zero, 1);
    for (int i = 0; i < 8; i++) s->block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
    compress_block(s);
    for (int i = 0; i < SHA256_BYTES; i++) ret[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256(Str data, uint8_t ret[SHA256_BYTES]) {
    State s;
    begin(&s);
    add(&s, data.p, data.n);
    finish(&s, ret);
}

void hmac_sha256(Str key, Str data, uint8_t ret[SHA256_BYTES]) {
    uint8_t pad[64] = {0}, inner[SHA256_BYTES];
    State s;
    if (key.n > sizeof pad)
        sha256(key, pad);
    else if (key.n)
        memcpy(pad, key.p, key.n);
    for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36;
    begin(&s);
    add(&s, pad, sizeof pad);
    add(&s, data.p, data.n);
    finish(&s, inner);
    for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36 ^ 0x5c;
    begin(&s);
    add(&s, pad, sizeof pad);
    add(&s, inner, sizeof inner);
    finish(&s, ret);
}

void sha256_hex(Str data, char ret[2 * SHA256_BYTES + 1]) {
    uint8_t h[SHA256_BYTES];
    sha256(data, h);
    for (int i = 0; i < SHA256_BYTES; i++) snprintf(ret + 2 * i, 3, "%02x", h[i]);
}
