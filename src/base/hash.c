#include "base/hash.h"

#include <stdatomic.h>

static uint64_t load64(const unsigned char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t load32(const unsigned char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* --- hash_bytes: folded 64x64 -> 128 bit products ---
 * Both factors carry the seed, so that nobody who does not know it can make one of them zero and
 * with it swallow the other. */

#define K1 UINT64_C(0x9E3779B97F4A7C15)
#define K2 UINT64_C(0xD1B54A32D192ED03)
#define K3 UINT64_C(0x8CB92BA72F3D8DD7)
#define K4 UINT64_C(0xABC98388FB8FAC03)

static inline uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Everything beyond 16 bytes, 48 at a time in three lanes that do not wait for each other. */
static uint64_t absorb_long(const unsigned char *p, size_t n, uint64_t seed) {
    uint64_t s1 = seed, s2 = seed ^ K3, s3 = seed + K4;
    while (n > 48) {
        s1 = fold(load64(p) ^ s1 ^ K1, load64(p + 8) ^ (seed + K2));
        s2 = fold(load64(p + 16) ^ s2 ^ K2, load64(p + 24) ^ (seed + K3));
        s3 = fold(load64(p + 32) ^ s3 ^ K3, load64(p + 40) ^ (seed + K1));
        p += 48;
        n -= 48;
    }
    s1 += s2 ^ (s3 << 17 | s3 >> 47);
    while (n > 16) {
        s1 = fold(load64(p) ^ s1 ^ K1, load64(p + 8) ^ (seed + K4));
        p += 16;
        n -= 16;
    }
    return s1;
}

uint64_t hash_bytes(const void *data, size_t n, uint64_t seed) {
    const unsigned char *p = data;
    uint64_t a = 0, b = 0, s = seed ^ K1;
    s = fold(s, K2) ^ seed;
    uint64_t t = s + K4;
    if (LIKELY(n <= 16)) {
        if (n >= 8) {
            a = load64(p);
            b = load64(p + n - 8);
        } else if (n >= 4) {
            a = load32(p);
            b = load32(p + n - 4);
        } else if (n > 0) {
            a = (uint64_t)p[0] | (uint64_t)p[n >> 1] << 8 | (uint64_t)p[n - 1] << 16;
        }
    } else {
        a = load64(p + n - 16);
        b = load64(p + n - 8);
        s = absorb_long(p, n, s);
    }
    return fold(fold(a ^ s ^ K3, b ^ t) ^ K1 ^ n, s ^ K4);
}

uint64_t hash_u64(uint64_t v) {
    v ^= v >> 32;
    v *= UINT64_C(0x9FB21C651E98DF25);
    v ^= v >> 29;
    v *= UINT64_C(0xD6E8FEB86659FD93);
    v ^= v >> 32;
    return v;
}

/* --- xxHash64, from its specification (doc/xxhash_spec.md of the xxHash project) --- */

#define XX1 UINT64_C(0x9E3779B185EBCA87)
#define XX2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define XX3 UINT64_C(0x165667B19E3779F9)
#define XX4 UINT64_C(0x85EBCA77C2B2AE63)
#define XX5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotl(uint64_t v, unsigned k) { return v << k | v >> (64 - k); }
static uint64_t xx_round(uint64_t acc, uint64_t lane) { return rotl(acc + lane * XX2, 31) * XX1; }
static uint64_t xx_merge(uint64_t acc, uint64_t v) { return (acc ^ xx_round(0, v)) * XX1 + XX4; }

uint64_t hash_xx64(Str s, uint64_t seed) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = s.n;
    uint64_t h = seed + XX5;
    if (n >= 32) {
        uint64_t v[4] = {seed + XX1 + XX2, seed + XX2, seed, seed - XX1};
        for (; n >= 32; p += 32, n -= 32)
            for (int i = 0; i < 4; i++) v[i] = xx_round(v[i], load64(p + 8 * i));
        h = rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) + rotl(v[3], 18);
        for (int i = 0; i < 4; i++) h = xx_merge(h, v[i]);
    }
    h += s.n;
    for (; n >= 8; p += 8, n -= 8) h = rotl(h ^ xx_round(0, load64(p)), 27) * XX1 + XX4;
    if (n >= 4) {
        h = rotl(h ^ load32(p) * XX1, 23) * XX2 + XX3;
        p += 4, n -= 4;
    }
    for (; n; p++, n--) h = rotl(h ^ *p * XX5, 11) * XX1;
    h = (h ^ h >> 33) * XX2;
    h = (h ^ h >> 29) * XX3;
    return h ^ h >> 32;
}

uint64_t hash_fnv1a64(Str s) {
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001B3);
    return h;
}

static _Atomic uint64_t process_seed = UINT64_C(0x243F6A8885A308D3);

uint64_t hash_process_seed(void) { return atomic_load_explicit(&process_seed, memory_order_relaxed); }

void hash_set_process_seed(uint64_t seed) { atomic_store(&process_seed, seed); }
