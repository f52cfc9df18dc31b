#include "codec/bitpack.h"

#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_width(void **state) {
    (void)state;
    const struct {
        uint64_t v[3];
        size_t n;
        unsigned want;
    } cases[] = {
        {{0}, 0, 0},
        {{0, 0, 0}, 3, 0},
        {{0, 1, 0}, 3, 1},
        {{1, 2, 255}, 3, 8},
        {{256, 0, 0}, 3, 9},
        {{256, 0, 0}, 1, 9},
        {{1, UINT64_MAX, 0}, 3, 64},
        {{1, UINT64_MAX, 0}, 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(bitpack_width_u64(cases[i].v, cases[i].n), cases[i].want);
}

/* The layout is on disk: fixed examples. */
static void test_layout(void **state) {
    (void)state;
    const struct {
        uint64_t v[4];
        size_t n;
        unsigned width;
        const char *bytes;
        size_t bytes_n;
    } cases[] = {
        {{1, 0, 1, 1}, 4, 1, "\x0d", 1},
        {{1, 2, 3, 4}, 4, 3, "\xd1\x08", 2},
        {{0xabc, 0x123, 0, 0}, 2, 12, "\xbc\x3a\x12", 3},
        {{UINT64_MAX, 1, 0, 0}, 2, 64, "\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0\0\0\0\0", 16},
        {{0, 0, 0, 0}, 4, 0, "", 0},
        {{(UINT64_C(1) << 63) - 1, 1, 0, 0}, 2, 63, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 16},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf out = {0};
        bitpack_encode_u64(&out, cases[i].v, cases[i].n, cases[i].width);
        assert_int_equal(out.n, cases[i].bytes_n);
        if (out.n) assert_memory_equal(out.p, cases[i].bytes, out.n);
        buf_done(&out);
    }
}

/* Exactly sized copies, so that ASan sees a read beyond the end. */
static void check_round_trip(const uint64_t *v, size_t n, unsigned width) {
    Buf out = {0};
    buf_put_lit(&out, "x");
    bitpack_encode_u64(&out, v, n, width);
    size_t size = out.n - 1;
    assert_int_equal(size, bitpack_size_bytes(n, width));
    uint8_t *in = malloc(size + 1);
    uint64_t *got = malloc((n + 1) * sizeof *got), *portable = malloc((n + 1) * sizeof *got);
    memcpy(in, out.p + 1, size);
    in = realloc(in, size ? size : 1);
    got[n] = portable[n] = UINT64_C(0x5afe5afe5afe5afe);
    assert_true(bitpack_decode_u64(in, size, n, width, got));
    assert_true(bitpack_decode_portable_u64(in, size, n, width, portable));
    for (size_t i = 0; i < n; i++) {
        assert_true(got[i] == v[i]);
        assert_true(portable[i] == v[i]);
        assert_true(bitpack_get_u64(in, size, i, width) == v[i]);
    }
    assert_true(got[n] == UINT64_C(0x5afe5afe5afe5afe) && portable[n] == got[n]);
    if (size) assert_false(bitpack_decode_u64(in, size - 1, n, width, got));
    if (size) assert_false(bitpack_decode_portable_u64(in, size - 1, n, width, portable));
    free(in);
    free(got);
    free(portable);
    buf_done(&out);
}

static void test_round_trip(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 128, 129, 1000};
    Rng rng;
    rng_seed(&rng, 7);
    uint64_t v[1000];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            for (size_t i = 0; i < sizes[s]; i++) {
                uint64_t x = rng_u64(&rng);
                if (x % 5 == 0) x = UINT64_MAX;
                v[i] = width == 0 ? 0 : x >> (64 - width);
            }
            check_round_trip(v, sizes[s], width);
        }
    }
}

static void test_refused(void **state) {
    (void)state;
    uint8_t in[16] = {0};
    uint64_t out[4];
    assert_false(bitpack_decode_u64(in, sizeof in, 1, 65, out));
    assert_false(bitpack_decode_u64(in, sizeof in, SIZE_MAX / 8, 64, out));
    assert_false(bitpack_decode_u64(in, sizeof in, SIZE_MAX, 1, out));
    assert_false(bitpack_decode_u64(in, sizeof in, 3, 64, out));
    assert_true(bitpack_decode_u64(NULL, 0, 0, 13, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
