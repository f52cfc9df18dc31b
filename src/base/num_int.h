/* num_int.h - shared by the files of num.h only. */
#ifndef MEERKAT_BASE_NUM_INT_H
#define MEERKAT_BASE_NUM_INT_H

#include "base/num.h"

#define NUM_POW10_MIN (-348)
#define NUM_POW10_MAX 347

typedef struct NumPow10 {
    uint64_t hi, lo;
} NumPow10;

extern const NumPow10 num_pow10_table[NUM_POW10_MAX - NUM_POW10_MIN + 1];

static inline NumPow10 num_pow10(int exp10) {
    DASSERT(exp10 >= NUM_POW10_MIN && exp10 <= NUM_POW10_MAX);
    return num_pow10_table[exp10 - NUM_POW10_MIN];
}

/* floor(log2(10^e)) for |e| <= 1233. */
static inline int num_floor_log2_pow10(int e) { return (e * 1741647) >> 19; }

/* Decimal digits of v at p (room for 20); gives their count. */
size_t num_write_u64(char *p, uint64_t v);

/* Correctly rounded w * 10^exp10 (w != 0) by Eisel and Lemire's method; false when it cannot tell. */
bool num_eisel_lemire(uint64_t w, int exp10, double *ret);

#endif
