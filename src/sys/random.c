#include "sys/random.h"

#include "base/base.h"

#include <unistd.h>

/* getentropy and not getrandom: with src/ on the include path, <sys/random.h> is the header of this file. */
void random_bytes(void *p, size_t n) {
    enum { CALL_MAX = 256 };
    for (uint8_t *out = p; n > 0;) {
        size_t part = MIN(n, (size_t)CALL_MAX);
        ASSERT(getentropy(out, part) == 0); /* going on with weak keys is not an option */
        out += part;
        n -= part;
    }
}

uint64_t random_u64(void) {
    uint64_t v;
    random_bytes(&v, sizeof v);
    return v;
}

/* splitmix64 spreads a small seed over the state; it cannot give two zeros in a row. */
static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_seed(Rng *r, uint64_t seed) {
    r->s[0] = splitmix(&seed);
    r->s[1] = splitmix(&seed);
}

static inline uint64_t rotl(uint64_t v, unsigned k) { return (v << k) | (v >> (64 - k)); }

uint64_t rng_u64(Rng *r) {
    uint64_t a = r->s[0], b = r->s[1], sum = a + b;
    b ^= a;
    r->s[0] = rotl(a, 24) ^ b ^ (b << 16);
    r->s[1] = rotl(b, 37);
    return sum;
}

double rng_f64(Rng *r) { return (double)(rng_u64(r) >> 11) * 0x1p-53; }
