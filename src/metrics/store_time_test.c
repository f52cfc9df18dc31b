/* Times: gaps that no store may walk through, and samples from the future. */
#include "metrics/metrics_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)
#define BASE_MS INT64_C(1700000000000)

static MetricsStore *open_store(Fs *fs) {
    MetricsStoreOptions opts = {.durable = true, .retention_ms = INT64_MAX / 2};
    MetricsStore *store;
    assert_int_equal(metrics_store_open(fs, "/data", &opts, &store, NULL), OK);
    return store;
}

static MetricsAppendResult append(
    MetricsStore *store, const int64_t *t_ms, size_t n, int64_t not_after_ms, bool native) {
    static const Label name[] = {{STR_INIT("__name__"), STR_INIT("a")}};
    MetricsBatch b = {.arena = arena_create(ARENA_UNLIMITED), .not_after_ms = not_after_ms};
    MetricsAppendResult result;
    for (size_t i = 0; i < n; i++) {
        Histogram h = {.count = 1, .sum = 1, .zero_count = 1};
        BatchSeries bs = {.labels = {name, 1}, .first_histogram = (uint32_t)b.histograms.n, .n_histograms = 1};
        if (native)
            assert_true(avec_push(b.arena, &b.series, bs) && avec_push(b.arena, &b.histograms, h) &&
                        avec_push(b.arena, &b.histogram_t_ms, t_ms[i]));
        else
            assert_true(metrics_batch_add(&b, bs.labels, t_ms[i], 1));
    }
    assert_int_equal(store->ops->append(store, &b, &result, NULL), OK);
    arena_free(b.arena);
    return result;
}

static size_t count_samples(MetricsStore *store) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsSelect req = {.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .arena = arena};
    const Matcher *m;
    SeriesColumns c;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("__name__"), STR("a"), &m, NULL), OK);
    req.matchers = (Matchers){&m, 1};
    assert_int_equal(store->ops->select(store, &req, &c, NULL), OK);
    size_t n = c.n ? c.v[0].n + c.v[0].n_histograms : 0;
    arena_free(arena);
    return n;
}

/* Millions of partitions lie between the first and the last: the test ends only if they are not looked at. */
static void test_gaps(void **state) {
    static const int64_t times[] = {
        INT64_MIN, -200 * YEAR_MS, BASE_MS, BASE_MS + 15000, BASE_MS + 40 * YEAR_MS, INT64_MAX};
    (void)state;
    for (int native = 0; native < 2; native++) {
        Fs *fs = fs_fault_create(1);
        MetricsStore *store = open_store(fs);
        MetricsStoreStats stats;
        assert_int_equal(append(store, times, 6, 0, native).too_new, 0);
        assert_int_equal(store->ops->flush(store, NULL), OK);
        store->ops->stats(store, &stats);
        assert_int_equal(stats.parts, 5); /* the two that are near each other share one */
        assert_int_equal(count_samples(store), 6);
        store->ops->close(store);
        fs_fault_free(fs);
    }
}

static void test_future(void **state) {
    static const int64_t times[] = {BASE_MS, BASE_MS + 1, BASE_MS + 2, INT64_MAX};
    (void)state;
    for (int native = 0; native < 2; native++) {
        Fs *fs = fs_fault_create(1);
        MetricsStore *store = open_store(fs);
        MetricsAppendResult r = append(store, times, 4, BASE_MS + 1, native);
        assert_true((native ? r.histograms : r.samples) == 2 && r.too_new == 2 && r.too_old == 0);
        assert_non_null(strstr(r.first_error, "out of bounds: timestamp is too far in the future"));
        assert_int_equal(count_samples(store), 2);
        store->ops->close(store);
        store = open_store(fs); /* nor are they in the log */
        assert_int_equal(count_samples(store), 2);
        store->ops->close(store);
        fs_fault_free(fs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gaps), cmocka_unit_test(test_future)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
