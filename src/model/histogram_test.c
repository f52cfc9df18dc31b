#include <math.h>
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

static const HistogramSpan two[] = {{0, 2}}, backwards[] = {{0, 1}, {-1, 1}}, lowest[] = {{INT32_MIN, 2}},
                           highest[] = {{INT32_MAX, 2}}, beyond[] = {{INT32_MAX - 1, 1}, {1, 1}}, far[] = {{5, 2}};
static const double good[] = {3, 5}, below[] = {3, -1}, unsorted[] = {2, 1}, nans[] = {NAN}, open_end[] = {1, INFINITY};

/* Texts recorded from Prometheus 3's remote write. */
static void test_check(void **state) {
    (void)state;
#define POS(s, n_s, v, n_v) .pos_spans = s, .n_pos_spans = n_s, .pos = v, .n_pos = n_v
#define BOUNDS(v) .custom_bounds = v, .n_custom_bounds = ARRAY_LEN(v)
    static const struct {
        Histogram h;
        const char *text; /* NULL: fine */
    } cases[] = {
        {{.count = 8, POS(two, 1, good, 2)}, NULL},
        {{.count = 8, POS(two, 1, good, 2), .sum = NAN}, NULL},
        {{.count = 9, POS(two, 1, good, 2), .sum = NAN}, NULL},
        {{.count = 9, POS(two, 1, good, 2)},
            "8 observations found in buckets, but the Count field is 9: histogram's observation count should equal the "
            "number of observations found in the buckets (in absence of NaN)"},
        {{.count = 7, POS(two, 1, good, 2), .sum = NAN},
            "8 observations found in buckets, but the Count field is 7: histogram's observation count should be at "
            "least the number of observations found in the buckets"},
        {{.count = 9, POS(two, 1, good, 2), .is_float = true}, NULL},
        {{.count = 3, POS(two, 1, good, 1)}, "positive side: spans need 2 buckets, have 1 buckets: histogram spans "
                                             "specify different number of buckets than provided"},
        {{.count = 8, POS(backwards, 2, good, 2)},
            "positive side: span number 2 with offset -1: histogram has a span whose offset is negative"},
        {{.count = 8, POS(lowest, 1, good, 2)}, "positive side: span number 1 starts at bucket index -2147483648: "
                                                "histogram has a span whose bucket index is out of range"},
        {{.count = 8, POS(highest, 1, good, 2)}, "positive side: span number 1 ends at bucket index 2147483648: "
                                                 "histogram has a span whose bucket index is out of range"},
        {{.count = 8, POS(beyond, 2, good, 2)}, "positive side: span number 2 ends at bucket index 2147483648: "
                                                "histogram has a span whose bucket index is out of range"},
        {{.count = 2, POS(two, 1, below, 2)}, "positive side: bucket number 2 has observation count of -1: histogram "
                                              "has a bucket whose observation count is negative"},
        {{.count = 2, .neg_spans = two, .n_neg_spans = 1, .neg = below, .n_neg = 2},
            "negative side: bucket number 2 has observation count of -1: histogram has a bucket whose observation "
            "count is negative"},
        {{.schema = 9}, "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or "
                        "-53 for custom buckets, got schema 9"},
        {{.count = 8, POS(two, 1, good, 2), BOUNDS(good)},
            "histogram with exponential schema must not have custom bounds"},
        {{.schema = -53, .count = 8, POS(two, 1, good, 2), BOUNDS(good)}, NULL},
        {{.schema = -53, .count = 8, POS(far, 1, good, 2), BOUNDS(good)},
            "custom buckets: only 2 custom bounds defined which is insufficient to cover total span length of 7: "
            "histogram custom bounds are too few"},
        {{.schema = -53, BOUNDS(unsorted)}, "custom buckets: previous bound is 2.000000 and current is 1.000000: "
                                            "histogram custom bounds must be in strictly increasing order"},
        {{.schema = -53, BOUNDS(nans)}, "custom buckets: histogram custom bounds must not be NaN"},
        {{.schema = -53, BOUNDS(open_end)},
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite"},
        {{.schema = -53, .zero_count = 1}, "custom buckets: must have zero count of 0"},
        {{.zero_count = -0.5, .is_float = true},
            "zero bucket has observation count of -0.5: histogram has a bucket whose observation count is negative"},
        {{.count = -2, .is_float = true}, "observation count is  -2: histogram's observation count is negative"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Err err = {0};
        ErrCode code = histogram_check(&cases[i].h, &err);
        assert_int_equal(code, cases[i].text ? ERR_INVALID : OK);
        assert_string_equal(err.msg, cases[i].text ? cases[i].text : "");
    }
}

/* Buckets of Prometheus after the same remote write. */
static void test_fit_schema(void **state) {
    (void)state;
    static const HistogramSpan runs[] = {{0, 4}, {3, 2}}, low[] = {{-100001, 2}}, back[] = {{0, 4}, {-1, 2}};
    static const double six[] = {1, 2, 3, 4, 5, 6};
    static const struct {
        Histogram h;
        const char *want; /* schema, then spans with their counts; or the error */
    } cases[] = {
        {{.schema = 8, POS(runs, 2, six, 6)}, "8 0:1,2,3,4 3:5,6"},
        {{.schema = 9, POS(runs, 2, six, 6)}, "8 0:1,5,4 1:11"},
        {{.schema = 12, POS(runs, 2, six, 6)}, "8 0:1,20"},
        {{.schema = 52, POS(runs, 2, six, 6)}, "8 0:1,20"},
        {{.schema = 9, POS(low, 1, six, 2)}, "8 -50000:3"},
        {{.schema = 10, .neg_spans = runs, .n_neg_spans = 2, .neg = six, .n_neg = 6}, "8 -0:1,9,11"},
        {{.schema = 53, POS(runs, 2, six, 6)}, "53 0:1,2,3,4 3:5,6"},
        {{.schema = 9}, "8"},
        {{.schema = 9, POS(back, 2, six, 6)},
            "span number 2 with offset -1: histogram has a span whose offset is negative"},
        {{.schema = 9, POS(runs, 2, six, 5)},
            "have 5 buckets but spans need more: histogram spans specify different number of buckets than provided"},
        {{.schema = 9, POS(runs, 1, six, 6)},
            "spans need 4 buckets, have 6 buckets: histogram spans specify different number of buckets than provided"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 16);
        Histogram h = cases[i].h;
        Err err = {0};
        Buf got = {0};
        if (histogram_fit_schema(&h, arena, &err) == OK) {
            buf_printf(&got, "%d", h.schema);
            const double *v = h.n_neg ? h.neg : h.pos;
            for (uint32_t s = 0; s < h.n_pos_spans + h.n_neg_spans; s++) {
                const HistogramSpan *span = h.n_neg ? &h.neg_spans[s] : &h.pos_spans[s];
                buf_printf(&got, " %s%d:", h.n_neg ? "-" : "", span->offset);
                for (uint32_t k = 0; k < span->length; k++) buf_printf(&got, "%s%g", k ? "," : "", *v++);
            }
        } else {
            buf_put_str(&got, str_cstr(err.msg));
        }
        assert_string_equal(buf_cstr(&got), cases[i].want);
        buf_done(&got);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_fit_schema),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncation_is_refused),
        cmocka_unit_test(test_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
