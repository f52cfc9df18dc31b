/* hash.h - 64-bit hashes. hash_bytes is ours to change (never on disk); hash_xx64 and hash_fnv1a64
 * are fixed algorithms that other systems expect (Prometheus fingerprints, limit_ratio). */
#ifndef MEERKAT_BASE_HASH_H
#define MEERKAT_BASE_HASH_H

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed); /* fast, good avalanche, in memory only */
uint64_t hash_u64(uint64_t v);                               /* bijective mixer */
uint64_t hash_xx64(Str s, uint64_t seed);                    /* xxHash64; may be stored */
uint64_t hash_fnv1a64(Str s);
/* Seed of this process for in-memory tables; set once at start (sys has the entropy), before maps. */
uint64_t hash_process_seed(void);
void hash_set_process_seed(uint64_t seed);

#endif
