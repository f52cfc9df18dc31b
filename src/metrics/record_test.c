#include "metrics/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Values that must come back bit for bit, each as a single sample and within a run. */
static void test_round_trip(void **state) {
    (void)state;
    const double values[] = {0, -0.0, 1, -1, 0.5, 1e15, 9007199254740992.0, 9007199254740994.0, -9007199254740992.0,
        1e300, 1.0 / 0.0, -1.0 / 0.0, stale_nan(), 5e-324};
    int64_t times[] = {0, 1000, 1000, 1000, -5, INT64_MAX, INT64_MIN, 7, 7, 8, 9, 10, 11, 12};
    Arena *arena = arena_create(1 << 20);
    Buf b = {0};
    RecordState rs = {0};
    record_begin(&b, 77);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        record_put_samples(&b, (uint32_t)(i < 9 ? i + 1 : 5), &times[i], &values[i], 1, &rs);
    record_put_samples(&b, 3, times, values, ARRAY_LEN(values), &rs);
    Label l[] = {{STR("__name__"), STR("a")}};
    Exemplar e = {{l, 1}, 2.5, -3};
    MetricMetadata m = {STR("a"), METRIC_GAUGE, STR("h"), STR("s")};
    const uint32_t symbols[] = {300, 2};
    record_put_symbol(&b, 2, STR("a"));
    record_put_series(&b, 9, &symbols[0], &symbols[1], 1);
    record_put_exemplar(&b, 9, &e);
    record_put_metadata(&b, &m);
    RecordReader r;
    RecordItem it;
    assert_true(record_reader_init(&r, buf_str(&b), arena));
    assert_int_equal(r.epoch, 77);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_int_equal(record_next(&r, &it), 1);
        assert_true(it.kind == RECORD_SAMPLES && it.n == 1 && it.id == (i < 9 ? i + 1 : 5) && it.t_ms[0] == times[i]);
        assert_memory_equal(it.v, &values[i], 8);
    }
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_SAMPLES && it.n == ARRAY_LEN(values) && it.id == 3);
    assert_memory_equal(it.t_ms, times, sizeof times);
    assert_memory_equal(it.v, values, sizeof values);
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_SYMBOL && it.id == 2 && str_eq_lit(it.symbol, "a"));
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_SERIES && it.id == 9 && it.n == 1 && it.names[0] == 300 && it.values[0] == 2);
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_EXEMPLAR && it.exemplar.value == 2.5 && it.exemplar.t_ms == -3);
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_METADATA && it.metadata.type == METRIC_GAUGE && str_eq_lit(it.metadata.unit, "s"));
    assert_int_equal(record_next(&r, &it), 0);
    for (size_t n = 0; n < b.n; n++) { /* every cut is noticed or a clean prefix, never a crash */
        int more = 0;
        if (record_reader_init(&r, str_of(b.p, n), arena))
            while ((more = record_next(&r, &it)) > 0) {
            }
        assert_true(more <= 0);
    }
    buf_done(&b);
    arena_free(arena);
}

/* A record as version 1 wrote it. */
static void test_version_1(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    RecordReader r;
    RecordItem it;
    Label l[] = {{STR("__name__"), STR("a")}};
    assert_true(record_reader_init(&r,
        STR("\x01\x05S\x09\x01\x08__name__\x01"
            "a\x84\x09\x0e\x02"),
        arena));
    assert_int_equal(r.epoch, 5);
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_SERIES_IN_FULL && it.id == 9 && labels_eq(it.labels, (Labels){l, 1}));
    assert_int_equal(record_next(&r, &it), 1);
    assert_true(it.kind == RECORD_SAMPLES && it.id == 9 && it.n == 1 && it.t_ms[0] == 7 && it.v[0] == 1);
    assert_int_equal(record_next(&r, &it), 0);
    assert_false(record_reader_init(&r, STR("\x03\x05"), arena)); /* a version to come */
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_version_1)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
