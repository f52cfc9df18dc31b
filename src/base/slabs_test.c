#include "base/slabs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Pieces of all sizes keep what is written into them, do not overlap and are aligned. */
static void test_pieces(void **state) {
    (void)state;
    enum { N = 20000 };
    for (unsigned unit_log = 2; unit_log <= 12; unit_log += 5) {
        static SlabRef ref[N];
        static uint32_t units[N];
        Slabs s;
        slabs_init(&s, unit_log);
        assert_true(slabs_bytes(&s) == 0);
        uint64_t total = 0;
        for (uint32_t i = 0; i < N; i++) {
            units[i] = i % 1000 == 999 ? (UINT32_C(1) << (SLAB_LOG - unit_log)) - 1 : 1 + i % 7;
            ref[i] = slabs_take(&s, units[i]);
            assert_true(ref[i] != 0);
            memset(slabs_at(&s, ref[i]), (int)(i & 0xff), (size_t)units[i] << unit_log);
            total += (uint64_t)units[i] << unit_log;
        }
        assert_true(slabs_bytes(&s) >= total);
        for (uint32_t i = 0; i < N; i++) {
            const uint8_t *p = slabs_at(&s, ref[i]);
            size_t n = (size_t)units[i] << unit_log;
            for (size_t k = 0; k<n; k += n> 4096 ? 4095 : 1) assert_int_equal(p[k], i & 0xff);
        }
        slabs_done(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
