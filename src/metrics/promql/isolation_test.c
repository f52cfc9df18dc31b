/* Queries beside appends, flushes and merges: a query sees all of an append or nothing, in all its selectors, at all
 * its steps and on all its threads. */
#include "metrics/promql/promql.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/thread.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TOGETHER 200 /* series of an append, half of each metric */
#define ROUNDS 1000  /* appends, a second apart */

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    Pool *pool;
    _Atomic bool stop;
    _Atomic int queries;
} World;

/* Every sample is the number of its append. */
static void write_together(void *ctx) {
    World *w = ctx;
    for (int i = 1; i <= ROUNDS;) {
        Arena *arena = arena_create((size_t)64 << 20);
        MetricsBatch b = {.arena = arena};
        for (int s = 0; s < TOGETHER; s++) {
            Label labels[] = {{LABEL_NAME_METRIC, s % 2 ? STR("odd_total") : STR("even_total")},
                {STR("i"), arena_printf(arena, "%d", s)}};
            assert_true(metrics_batch_add(&b, labels_copy(arena, (Labels){labels, 2}), i * 1000, (double)i));
        }
        MetricsAppendResult res;
        ErrCode code = w->store->ops->append(w->store, &b, &res, NULL);
        assert_true(code == OK || code == ERR_OVERLOADED);
        i += code == OK;
        arena_free(arena);
    }
    w->stop = true;
}

static void flush_all(void *ctx) {
    World *w = ctx;
    while (!w->stop) {
        assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
        clock_sleep_ms(5);
    }
}

/* All of these are 0, or nothing while there is nothing. */
static const char *const zeros[] = {
    "sum(odd_total) - sum(even_total)",
    "max({__name__=~'odd_total|even_total'}) - min({__name__=~'even_total|odd_total'})",
    "sum(count_over_time(odd_total[1h])) - sum(count_over_time(even_total[1h]))",
    "sum(max_over_time(even_total[1h])) / 100 - count(odd_total) * scalar(max(odd_total)) / 100",
    "sum(changes(odd_total[1h])) - sum(changes(even_total[1h]))",
    "max(sum_over_time(odd_total[1h]) - on () group_left () max(sum_over_time(even_total[1h])))",
    "sum(odd_total unless on () even_total) or vector(0)",
    "count(odd_total) - 100",
};

static void ask(World *w, size_t k, bool range) {
    Arena *arena = arena_create((size_t)256 << 20);
    PromqlOptions opts = {.lookback_ms = 3600000, .pool = w->pool, .part_series = 16};
    PromqlQuery q = {.start_ms = ROUNDS * 1000, .end_ms = ROUNDS * 1000};
    if (range) q.start_ms = 1000, q.step_ms = 7000;
    PromqlResult res;
    Err err = {0};
    if (promql_exec(w->store, &opts, &q, str_cstr(zeros[k]), arena, &res, &err) != OK)
        fail_msg("%s: %s", zeros[k], err.msg);
    for (size_t i = 0; i < res.n; i++)
        for (size_t p = 0; p < res.series[i].n; p++)
            if (res.series[i].value[p] != 0)
                fail_msg("%s at %lld: %g", zeros[k], (long long)res.series[i].t_ms[p], res.series[i].value[p]);
    w->queries++;
    arena_free(arena);
}

static void query_all(void *ctx) {
    World *w = ctx;
    for (size_t k = 0; !w->stop; k++) ask(w, k % ARRAY_LEN(zeros), k / ARRAY_LEN(zeros) % 2);
}

static void test_isolation(void **state) {
    (void)state;
    World w = {.fs = fs_fault_create(5), .pool = pool_create("query", 2, 64)};
    MetricsStoreOptions opts = {.durable = true, .retention_ms = INT64_MAX / 2, .head_bytes_max = (size_t)128 << 10};
    assert_int_equal(metrics_store_open(w.fs, "/data", &opts, &w.store, NULL), OK);
    Thread *t[] = {thread_start("flusher", flush_all, &w), thread_start("reader", query_all, &w),
        thread_start("reader", query_all, &w), thread_start("writer", write_together, &w)};
    for (size_t i = 0; i < ARRAY_LEN(t); i++) thread_join(t[i]);
    for (size_t k = 0; k < ARRAY_LEN(zeros); k++) ask(&w, k, false), ask(&w, k, true);
    assert_true(w.queries > (int)(2 * ARRAY_LEN(zeros)));
    pool_free(w.pool);
    w.store->ops->close(w.store);
    fs_fault_free(w.fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_isolation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
