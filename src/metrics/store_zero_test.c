/* Zeros where counters and histograms began (store_zero.h), and batches that are to go on only: both ask how far a
 * series reaches. */
#include "metrics/store_int.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    MetricsStoreOptions opts;
    int64_t t0;
    Buf tapped; /* what the tap was told of */
} World;

static void open_store(World *w) {
    assert_int_equal(metrics_store_open(w->fs, "/data", &w->opts, &w->store, NULL), OK);
}

static World world(void) {
    World w = {.fs = fs_fault_create(1), .t0 = clock_now_ms() - 300 * MINUTE};
    w.opts = (MetricsStoreOptions){.durable = true, .no_maintenance = true, .zero_starts = true};
    open_store(&w);
    return w;
}

static void done(World *w) {
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    buf_done(&w->tapped);
}

static Labels labels_of(const char *name) {
    static Label l[8];
    static size_t next;
    Label *one = &l[next++ % ARRAY_LEN(l)];
    *one = (Label){LABEL_NAME_METRIC, str_cstr(name)};
    return (Labels){one, 1};
}

/* In minutes after t0; started < 0: not known. */
typedef struct In {
    const char *name;
    int started, t;
    double v;
} In;

static MetricsAppendResult append(World *w, const In *in, size_t n, bool histograms) {
    MetricsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    MetricsAppendResult result;
    for (size_t i = 0; i < n; i++) {
        int64_t t = w->t0 + in[i].t * MINUTE, start = in[i].started < 0 ? 0 : w->t0 + in[i].started * MINUTE;
        if (histograms) {
            Histogram h = {.schema = 3, .count = in[i].v, .zero_count = in[i].v, .zero_threshold = 0.5, .sum = 1};
            BatchSeries bs = {.labels = labels_of(in[i].name), .n_histograms = 1};
            bs.first_histogram = (uint32_t)b.histograms.n;
            assert_true(avec_push(b.arena, &b.series, bs) && avec_push(b.arena, &b.histograms, h) &&
                        avec_push(b.arena, &b.histogram_t_ms, t));
            assert_true(metrics_batch_set_histogram_start(&b, start));
        } else {
            assert_true(metrics_batch_add(&b, labels_of(in[i].name), t, in[i].v));
            assert_true(metrics_batch_set_start(&b, start));
        }
    }
    assert_int_equal(w->store->ops->append(w->store, &b, &result, NULL), OK);
    arena_free(b.arena);
    return result;
}

#define APPEND(w, ...) append((w), (const In[]){__VA_ARGS__}, sizeof((const In[]){__VA_ARGS__}) / sizeof(In), false)

/* "minute:value ...", histograms by their count. */
static void expect(World *w, const char *name, const char *want) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const Matcher *m;
    assert_int_equal(matcher_create(arena, MATCH_EQ, LABEL_NAME_METRIC, str_cstr(name), &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns c;
    Buf got = {0};
    assert_int_equal(w->store->ops->select(w->store, &req, &c, NULL), OK);
    assert_true(c.n <= 1);
    for (size_t i = 0; c.n && i < c.v[0].n; i++)
        buf_printf(&got, "%lld:%g ", (long long)((c.v[0].t_ms[i] - w->t0) / MINUTE), c.v[0].value[i]);
    for (size_t i = 0; c.n && i < c.v[0].n_histograms; i++) {
        const Histogram *h = &c.v[0].histograms[i];
        assert_true(h->schema == 3 && h->zero_threshold == 0.5);
        if (h->count == 0) assert_true(h->reset == HISTOGRAM_RESET_YES && h->sum == 0 && h->n_pos == 0);
        buf_printf(&got, "%lld:%g ", (long long)((c.v[0].histogram_t_ms[i] - w->t0) / MINUTE), h->count);
    }
    assert_string_equal(buf_cstr(&got), want);
    buf_done(&got);
    arena_free(arena);
}

static void test_once(void **state) {
    (void)state;
    World w = world();
    MetricsAppendResult r = APPEND(&w, {"a", 5, 10, 7}, {"plain", -1, 10, 1});
    assert_int_equal(r.samples, 2); /* the sender's own */
    (void)APPEND(&w, {"a", 5, 11, 8});
    expect(&w, "a", "5:0 10:7 11:8 ");
    expect(&w, "plain", "10:1 ");
    (void)APPEND(&w, {"a", 13, 15, 2}); /* it began anew */
    expect(&w, "a", "5:0 10:7 11:8 13:0 15:2 ");
    done(&w);
}

/* Of the series at minute t what has nothing there or later. */
static void end_at(World *w, const char *const *names, size_t n, int t) {
    MetricsBatch b = {.arena = arena_create(ARENA_UNLIMITED), .newest_only = true};
    MetricsAppendResult r;
    for (size_t i = 0; i < n; i++) assert_true(metrics_batch_add(&b, labels_of(names[i]), w->t0 + t * MINUTE, -1));
    assert_int_equal(w->store->ops->append(w->store, &b, &r, NULL), OK);
    assert_true(r.conflicts == 0 && r.duplicates == 0 && r.first_error[0] == 0);
    arena_free(b.arena);
}

static void test_newest_only(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    World w = world();
    (void)APPEND(&w, {"a", -1, 10, 1}, {"b", -1, 11, 1}, {"c", -1, 12, 1});
    end_at(&w, names, 3, 11);
    expect(&w, "a", "10:1 11:-1 ");
    expect(&w, "b", "11:1 ");
    expect(&w, "c", "12:1 ");
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK); /* the head knows nothing of them any more */
    end_at(&w, names, 3, 12);
    expect(&w, "a", "10:1 11:-1 12:-1 ");
    expect(&w, "b", "11:1 12:-1 ");
    expect(&w, "c", "12:1 ");
    done(&w);
}

static void test_rules(void **state) {
    (void)state;
    World w = world();
    (void)APPEND(&w, {"late", -1, 10, 7});
    MetricsAppendResult r = APPEND(&w, {"late", 9, 11, 8});
    expect(&w, "late", "10:7 11:8 "); /* not before what it has */
    r = APPEND(&w, {"late", 11, 12, 9});
    expect(&w, "late", "10:7 11:8 12:9 "); /* nor at the same time */
    assert_true(r.conflicts == 0 && r.first_error[0] == 0);
    (void)APPEND(&w, {"future", 20, 20, 1}, {"future2", 21, 20, 1}, {"old", 0, 61, 1}, {"oldest", 1, 61, 1});
    expect(&w, "future", "20:1 ");
    expect(&w, "future2", "20:1 ");
    expect(&w, "old", "61:1 ");
    expect(&w, "oldest", "1:0 61:1 "); /* an hour, no more */
    done(&w);
}

static void test_one_batch(void **state) {
    (void)state;
    World w = world();
    (void)APPEND(&w, {"a", 5, 10, 7}, {"a", 5, 11, 8}, {"a", 9, 12, 9}, {"a", 13, 14, 1});
    expect(&w, "a", "5:0 10:7 11:8 12:9 13:0 14:1 ");
    MetricsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    MetricsAppendResult result;
    const int64_t t[] = {3, 4, 6}, start[] = {2, 2, 5};
    assert_true(metrics_batch_add(&b, labels_of("many"), w.t0 + t[0] * MINUTE, 1));
    assert_true(metrics_batch_set_start(&b, w.t0 + start[0] * MINUTE));
    for (size_t i = 1; i < 3; i++) {
        assert_true(avec_push(b.arena, &b.t_ms, w.t0 + t[i] * MINUTE) && avec_push(b.arena, &b.value, 1.0 + (double)i));
        assert_true(metrics_batch_set_start(&b, w.t0 + start[i] * MINUTE));
    }
    b.series.v[0].n_samples = 3;
    assert_int_equal(w.store->ops->append(w.store, &b, &result, NULL), OK);
    assert_int_equal(result.samples, 3);
    arena_free(b.arena);
    expect(&w, "many", "2:0 3:1 4:2 5:0 6:3 ");
    done(&w);
}

static void test_histograms(void **state) {
    (void)state;
    World w = world();
    assert_int_equal(append(&w, &(In){"h", 5, 10, 7}, 1, true).histograms, 1);
    (void)append(&w, &(In){"h", 5, 11, 9}, 1, true);
    (void)append(&w, &(In){"h", 11, 12, 9}, 1, true);
    (void)append(&w, &(In){"h", 13, 14, 2}, 1, true);
    expect(&w, "h", "5:0 10:7 11:9 12:9 13:0 14:2 ");
    done(&w);
}

/* The head is new, what was before it is in parts. */
static void test_after_flush(void **state) {
    (void)state;
    World w = world();
    (void)APPEND(&w, {"a", 5, 10, 7}, {"b", -1, 10, 1});
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK);
    (void)APPEND(&w, {"a", 5, 12, 8}, {"b", 10, 12, 2}, {"c", 9, 12, 3});
    expect(&w, "a", "5:0 10:7 12:8 ");
    expect(&w, "b", "10:1 12:2 ");
    expect(&w, "c", "9:0 12:3 "); /* it is new */
    w.store->ops->close(w.store);
    open_store(&w); /* from the log */
    (void)APPEND(&w, {"a", 5, 13, 9}, {"c", 9, 13, 4});
    expect(&w, "a", "5:0 10:7 12:8 13:9 ");
    expect(&w, "c", "9:0 12:3 13:4 ");
    done(&w);
}

static ErrCode on_taken(void *ctx, const MetricsTaken *taken, Err *reterr) {
    World *w = ctx;
    (void)reterr;
    for (size_t i = 0; i < taken->batch->series.n; i++) {
        const BatchSeries *bs = &taken->batch->series.v[i];
        for (uint32_t k = 0; k < bs->n_samples; k++)
            buf_printf(&w->tapped, "%lld:%g ",
                (long long)((taken->batch->t_ms.v[bs->first_sample + k] - w->t0) / MINUTE),
                taken->batch->value.v[bs->first_sample + k]);
    }
    return OK;
}

/* Remote write hands zeros on. */
static void test_tap(void **state) {
    (void)state;
    World w = world();
    w.store->ops->set_tap(w.store, on_taken, NULL, &w);
    (void)APPEND(&w, {"plain", -1, 9, 1}, {"a", 5, 10, 7});
    assert_string_equal(buf_cstr(&w.tapped), "9:1 5:0 10:7 ");
    done(&w);
}

static void test_not_asked_for(void **state) {
    (void)state;
    World w = world();
    w.store->ops->close(w.store);
    w.opts.zero_starts = false;
    open_store(&w);
    (void)APPEND(&w, {"a", 5, 10, 7});
    expect(&w, "a", "10:7 ");
    done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_once), cmocka_unit_test(test_newest_only),
        cmocka_unit_test(test_rules), cmocka_unit_test(test_one_batch), cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_after_flush), cmocka_unit_test(test_tap), cmocka_unit_test(test_not_asked_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
