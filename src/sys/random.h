/* random.h - entropy from the kernel, and a small fast generator for jitter and tests. */
#ifndef MEERKAT_SYS_RANDOM_H
#define MEERKAT_SYS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *p, size_t n); /* cryptographic */
uint64_t random_u64(void);            /* cryptographic */

typedef struct Rng {
    uint64_t s[2];
} Rng; /* xoroshiro128+; deterministic */
void rng_seed(Rng *r, uint64_t seed);
uint64_t rng_u64(Rng *r);
double rng_f64(Rng *r); /* [0, 1) */

#endif
