#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/histogram.h"
#include "model/metrics_batch.h"

static const HistogramSpan spans[] = {{-2, 2}, {3, 1}};
static const double counts[] = {1, 2.5, 3}, whole[] = {1, 2, 3}, bounds[] = {0.1, 0.5};

static const Histogram samples[] = {
    {.schema = 3,
        .count = 6.5,
        .sum = -1.25,
        .zero_threshold = 1e-128,
        .pos_spans = spans,
        .n_pos_spans = 2,
        .pos = counts,
        .n_pos = 3,
        .is_float = true},
    {.schema = -4,
        .reset = HISTOGRAM_RESET_GAUGE,
        .count = 6,
        .sum = 1,
        .zero_count = 1,
        .neg_spans = spans,
        .n_neg_spans = 2,
        .neg = whole,
        .n_neg = 3},
    {.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .count = 6,
        .pos_spans = spans,
        .n_pos_spans = 2,
        .pos = whole,
        .n_pos = 3,
        .custom_bounds = bounds,
        .n_custom_bounds = 2},
    {.schema = 0},
};

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        Buf b = {0};
        histogram_encode(&b, &samples[i]);
        buf_put_lit(&b, "tail");
        Histogram h;
        size_t used = 0;
        assert_true(histogram_decode(buf_str(&b), arena, &h, &used));
        assert_int_equal(used, b.n - 4);
        assert_true(histogram_eq(&h, &samples[i]));
        assert_true(histogram_eq(histogram_copy(arena, &h), &samples[i]));
        buf_done(&b);
        arena_free(arena);
    }
}

static void test_truncation_is_refused(void **state) {
    (void)state;
    Buf b = {0};
    histogram_encode(&b, &samples[0]);
    for (size_t n = 0; n < b.n; n++) {
        Arena *arena = arena_create(1 << 16);
        Histogram h;
        size_t used;
        assert_false(histogram_decode(str_of(b.p, n), arena, &h, &used));
        arena_free(arena);
    }
    buf_done(&b);
}

static void test_stale(void **state) {
    (void)state;
    Histogram h = {.sum = stale_nan()};
    assert_true(histogram_is_stale(&h));
    assert_false(histogram_is_stale(&samples[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncation_is_refused),
        cmocka_unit_test(test_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
