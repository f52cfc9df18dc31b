#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "self/own_metrics.h"
#include "sys/clock.h"

#include <stdatomic.h>

static void test_text(void **state) {
    (void)state;
    MetricsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    metrics_batch_emit(&b, 1, METRIC_COUNTER, "b_total", 3, "x", "2", NULL);
    metrics_batch_emit(&b, 1, METRIC_GAUGE, "a", 0.5, NULL);
    metrics_batch_emit(&b, 1, METRIC_COUNTER, "b_total", 4, "x", "1\"\n", "a", "y", NULL);
    Buf out = {0};
    own_metrics_put_text(&out, &b);
    assert_string_equal(buf_cstr(&out),
        "# TYPE a gauge\na 0.5\n# TYPE b_total counter\nb_total{x=\"2\"} 3\nb_total{a=\"y\",x=\"1\\\"\\n\"} 4\n");
    buf_done(&out);
    arena_free(b.arena);
}

/* A histogram's series are one family, buckets in the order in which they came. */
static void test_histogram_text(void **state) {
    (void)state;
    MetricsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    MetricMetadata m = {STR("h"), METRIC_HISTOGRAM, STR("how long"), STR("")};
    assert_true(avec_push(b.arena, &b.metadata, m));
    static const Label bucket[] = {{STR_INIT("__name__"), STR_INIT("h_bucket")}, {STR_INIT("le"), STR_INIT("5")}};
    static const Label inf[] = {{STR_INIT("__name__"), STR_INIT("h_bucket")}, {STR_INIT("le"), STR_INIT("+Inf")}};
    static const Label count[] = {{STR_INIT("__name__"), STR_INIT("h_count")}};
    assert_true(metrics_batch_add(&b, (Labels){bucket, 2}, 1, 1) && metrics_batch_add(&b, (Labels){inf, 2}, 1, 2) &&
                metrics_batch_add(&b, (Labels){count, 1}, 1, 2));
    Buf out = {0};
    own_metrics_put_text(&out, &b);
    assert_string_equal(buf_cstr(&out), "# HELP h how long\n# TYPE h histogram\nh_bucket{le=\"5\"} 1\n"
                                        "h_bucket{le=\"+Inf\"} 2\nh_count 2\n");
    buf_done(&out);
    arena_free(b.arena);
}

static _Atomic int rounds, stale_rounds, bad_labels;

static void gather(void *ctx, MetricsBatch *b, int64_t t_ms) {
    (void)ctx;
    own_metrics_process(b, t_ms, "test");
}

static ErrCode sink(void *ctx, const MetricsBatch *b, Err *reterr) {
    (void)ctx;
    (void)reterr;
    for (size_t i = 0; i < b->series.n; i++) {
        if (!str_eq_lit(labels_get(b->series.v[i].labels, STR("job")), "meerkat")) bad_labels++;
    }
    if (is_stale_nan(b->value.v[0])) stale_rounds++;
    rounds++;
    return OK;
}

static void test_rounds_end_with_stale_markers(void **state) {
    (void)state;
    OwnMetrics *m = own_metrics_start(5, "here", gather, sink, NULL);
    while (rounds < 2) clock_sleep_ms(5);
    own_metrics_stop(m);
    assert_true(rounds >= 3);
    assert_int_equal(stale_rounds, 1);
    assert_int_equal(bad_labels, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_histogram_text),
        cmocka_unit_test(test_rounds_end_with_stale_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
