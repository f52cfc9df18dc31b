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
        record_put_samples(&b, (uint32_t)(i < 9 ? i + 1 : 5), &times[i], &values[i], NULL, 1, &rs);
    record_put_samples(&b, 3, times, values, NULL, ARRAY_LEN(values), &rs);
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

/* Alone and in runs, known and not, beside samples that have none. */
static void test_starts(void **state) {
    (void)state;
    const int64_t starts[] = {5, 5, 0, 5, 4, INT64_MIN, INT64_MAX, 0, 7, 7}, times[] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    const double values[ARRAY_LEN(times)] = {1, 0.5};
    const Histogram h = {.sum = 1};
    Arena *arena = arena_create(1 << 20);
    Buf b = {0};
    RecordState rs = {0};
    record_begin(&b, 1);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) record_put_samples(&b, 3, &times[i], &values[i], &starts[i], 1, &rs);
    size_t before = b.n;
    record_put_samples(&b, 4, &times[9], &values[0], &starts[9], 1, &rs);
    assert_int_equal(b.n - before, 2); /* flags and the value */
    record_put_samples(&b, 5, times, values, starts, ARRAY_LEN(times), &rs);
    record_put_samples(&b, 6, times, values, NULL, ARRAY_LEN(times), &rs);
    record_put_histogram(&b, 7, 8, 9, &h);
    record_put_histogram(&b, 8, 9, 0, &h);
    RecordReader r;
    RecordItem it;
    assert_true(record_reader_init(&r, buf_str(&b), arena));
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        assert_int_equal(record_next(&r, &it), 1);
        assert_true(it.kind == RECORD_SAMPLES && it.n == 1 && it.t_ms[0] == times[i] && it.v[0] == values[i]);
        assert_int_equal(it.start_ms ? it.start_ms[0] : 0, starts[i]);
    }
    assert_true(record_next(&r, &it) == 1 && it.id == 4 && it.start_ms && it.start_ms[0] == 7);
    assert_true(record_next(&r, &it) == 1 && it.kind == RECORD_SAMPLES && it.id == 5 && it.n == ARRAY_LEN(times));
    assert_memory_equal(it.start_ms, starts, sizeof starts);
    assert_memory_equal(it.t_ms, times, sizeof times);
    assert_true(record_next(&r, &it) == 1 && it.kind == RECORD_SAMPLES && it.id == 6 && !it.start_ms);
    assert_true(record_next(&r, &it) == 1 && it.kind == RECORD_HISTOGRAM && it.t == 8 && it.start == 9);
    assert_true(record_next(&r, &it) == 1 && it.kind == RECORD_HISTOGRAM && it.t == 9 && it.start == 0);
    assert_int_equal(record_next(&r, &it), 0);
    buf_done(&b);
    arena_free(arena);
}

/* Records of other versions are refused. */
static void test_version(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    RecordReader r;
    assert_true(record_reader_init(&r, STR("\x03\x05"), arena));
    assert_int_equal(r.epoch, 5);
    assert_false(record_reader_init(&r, STR("\x02\x05"), arena));
    assert_false(record_reader_init(&r, STR("\x04\x05"), arena));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_starts), cmocka_unit_test(test_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
