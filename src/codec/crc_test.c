#include "codec/crc.h"

#include "base/base.h"
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720 appendix B.4 and the classic check value. */
static void test_known(void **state) {
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++) up[i] = (uint8_t)i, down[i] = (uint8_t)(31 - i);
    const struct {
        const void *p;
        size_t n;
        uint32_t want;
    } cases[] = {
        {NULL, 0, 0},
        {"123456789", 9, 0xe3069283},
        {"a", 1, 0xc1d04330},
        {zeros, 32, 0x8a9136aa},
        {ones, 32, 0x62a8ab43},
        {up, 32, 0x46dd794e},
        {down, 32, 0x113fdb5c},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(crc32c(0, cases[i].p, cases[i].n), cases[i].want);
        assert_int_equal(crc32c_portable(0, cases[i].p, cases[i].n), cases[i].want);
    }
}

/* Every length around the lane sizes, at odd addresses, whole and in two pieces: hardware and table agree. */
static void test_agreement(void **state) {
    (void)state;
    enum { MAX = 20000 };
    uint8_t *buf = malloc(MAX + 16);
    Rng rng;
    rng_seed(&rng, 1);
    for (size_t i = 0; i < MAX + 16; i++) buf[i] = (uint8_t)rng_u64(&rng);
    for (size_t n = 0; n <= MAX; n += n < 900 ? 1 : 1 + rng_u64(&rng) % 211) {
        const uint8_t *p = buf + rng_u64(&rng) % 16;
        size_t cut = n ? rng_u64(&rng) % n : 0;
        uint32_t want = crc32c_portable(0, p, n);
        assert_int_equal(crc32c(0, p, n), want);
        assert_int_equal(crc32c(crc32c(0, p, cut), p + cut, n - cut), want);
        assert_int_equal(crc32c_portable(crc32c_portable(0, p, cut), p + cut, n - cut), want);
    }
    free(buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_agreement)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
