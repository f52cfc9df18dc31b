/* The store under several threads at once, with a head so small that it is frozen all the time; long series over
 * many blocks; a log larger than the head; retention. */
#include "metrics/series_set.h"
#include "metrics/store_int.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define WRITERS 3
#define BATCHES 120
#define PER_BATCH 20

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    MetricsStoreOptions opts;
    _Atomic int acknowledged[WRITERS]; /* batches */
    _Atomic bool stop;
} World;

static void open_store(World *w) {
    Err err = {0};
    if (metrics_store_open(w->fs, "/data", &w->opts, &w->store, &err) != OK) fail_msg("open: %s", err.msg);
}

static void world_init(World *w, size_t head_bytes) {
    *w = (World){.fs = fs_fault_create(5)};
    w->opts = (MetricsStoreOptions){.durable = true, .retention_ms = INT64_MAX / 2, .head_bytes_max = head_bytes};
    open_store(w);
}

static void world_done(World *w) {
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
}

static ErrCode append_run(World *w, int series, int64_t t, int64_t step, size_t n, double first, double inc) {
    Arena *arena = arena_create((size_t)64 << 20);
    MetricsBatch b = {.arena = arena};
    Label labels[] = {{LABEL_NAME_METRIC, STR("m")}, {STR("i"), arena_printf(arena, "%d", series)}};
    BatchSeries bs = {.labels = {labels, 2}, .n_samples = (uint32_t)n};
    bool ok = avec_push(arena, &b.series, bs);
    for (size_t i = 0; i < n; i++)
        ok = ok && avec_push(arena, &b.t_ms, t + (int64_t)i * step) &&
             avec_push(arena, &b.value, first + (double)i * inc);
    MetricsAppendResult res;
    ErrCode code = ok ? w->store->ops->append(w->store, &b, &res, NULL) : ERR_TOO_LARGE;
    arena_free(arena);
    return code;
}

/* Samples of a series, each checked to be value == time. */
static size_t count(World *w, int series) {
    Arena *arena = arena_create((size_t)256 << 20);
    const Matcher *m;
    SeriesColumns cols;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("i"), arena_printf(arena, "%d", series), &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .max_t_ms = INT64_MAX, .arena = arena};
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, NULL), OK);
    assert_true(cols.n <= 1);
    size_t n = cols.n ? cols.v[0].n : 0;
    for (size_t i = 0; i < n; i++) assert_true(cols.v[0].value[i] == (double)cols.v[0].t_ms[i]);
    arena_free(arena);
    return n;
}

typedef struct Worker {
    World *w;
    int number;
} Worker;

static void write_all(void *ctx) {
    Worker *x = ctx;
    for (int i = 0; i < BATCHES; i++) {
        int64_t t = (int64_t)i * PER_BATCH * 1000;
        while (append_run(x->w, x->number, t, 1000, PER_BATCH, (double)t, 1000) == ERR_OVERLOADED) clock_sleep_ms(1);
        x->w->acknowledged[x->number] = i + 1;
    }
}

static void flush_all(void *ctx) {
    World *w = ctx;
    while (!w->stop) {
        bool did;
        assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
        (void)store_merge_once(CONTAINER_OF(w->store, EmbeddedStore, base), &did, NULL);
        clock_sleep_ms(5);
    }
}

static void test_threads(void **state) {
    (void)state;
    World w;
    world_init(&w, 64 << 10);
    Worker workers[WRITERS];
    Thread *threads[WRITERS], *flusher = thread_start("flusher", flush_all, &w);
    for (int i = 0; i < WRITERS; i++) {
        workers[i] = (Worker){&w, i};
        threads[i] = thread_start("writer", write_all, &workers[i]);
    }
    for (int rounds = 0; w.acknowledged[0] + w.acknowledged[1] + w.acknowledged[2] < WRITERS * BATCHES; rounds++) {
        int s = rounds % WRITERS, before = w.acknowledged[s];
        assert_true(
            count(&w, s) >= (size_t)before * PER_BATCH); /* what was acknowledged is visible, wherever it is now */
    }
    for (int i = 0; i < WRITERS; i++) thread_join(threads[i]);
    w.stop = true;
    thread_join(flusher);
    for (int i = 0; i < WRITERS; i++) assert_int_equal(count(&w, i), BATCHES * PER_BATCH);
    world_done(&w);
}

/* --- all of an append or nothing --- */

#define TOGETHER 300
#define ROUNDS 1500

static void write_together(void *ctx) {
    World *w = ctx;
    for (int i = 1; i <= ROUNDS; i++) {
        Arena *arena = arena_create((size_t)64 << 20);
        MetricsBatch b = {.arena = arena};
        for (int s = 0; s < TOGETHER; s++) {
            Label *labels = ARENA_ARRAY(arena, Label, 2);
            labels[0] = (Label){LABEL_NAME_METRIC, s % 2 ? STR("odd") : STR("even")};
            labels[1] = (Label){STR("i"), arena_printf(arena, "%d", s)};
            BatchSeries bs = {.labels = {labels, 2}, .first_sample = (uint32_t)b.t_ms.n, .n_samples = 1};
            assert_true(avec_push(arena, &b.series, bs) && avec_push(arena, &b.t_ms, i * 1000) &&
                        avec_push(arena, &b.value, (double)i));
        }
        MetricsAppendResult res;
        ErrCode code = w->store->ops->append(w->store, &b, &res, NULL);
        if (code == ERR_OVERLOADED) i--;
        arena_free(arena);
    }
    w->stop = true;
}

/* Adds up the newest values of a metric's series; *ret_least and most: of them. */
static size_t newest_values(World *w, Str metric, struct View **view, Arena *arena, double *least, double *most) {
    const Matcher *m;
    SeriesSet *set;
    size_t n = 0;
    assert_int_equal(matcher_create(arena, MATCH_EQ, LABEL_NAME_METRIC, metric, &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .max_t_ms = INT64_MAX, .arena = arena, .view = view};
    assert_int_equal(metrics_store_open_set(w->store, &req, &set, NULL), OK);
    SeriesReader *r = series_reader_create(set, arena);
    for (size_t i = 0; i < set->n; i++) {
        SeriesColumn c;
        assert_int_equal(series_read(r, i, &c, NULL), OK);
        if (c.n == 0) continue;
        double v = c.value[c.n - 1];
        assert_true(c.n == (size_t)v);
        *least = v < *least ? v : *least;
        *most = v > *most ? v : *most;
        n++;
    }
    series_reader_free(r);
    return n;
}

/* Two selections of one view, while appends, flushes and merges go on: each append is in all series of both, or none.
 */
static void test_isolation(void **state) {
    (void)state;
    World w;
    world_init(&w, 256 << 10);
    Thread *flusher = thread_start("flusher", flush_all, &w), *writer = thread_start("writer", write_together, &w);
    for (int rounds = 0; !w.stop; rounds++) {
        Arena *arena = arena_create((size_t)256 << 20);
        struct View *view = NULL;
        double least = INFINITY, most = -INFINITY;
        size_t n = newest_values(&w, STR("odd"), &view, arena, &least, &most);
        n += newest_values(&w, STR("even"), &view, arena, &least, &most);
        if (n != 0 && (n != TOGETHER || least != most))
            fail_msg("round %d: %zu series, from %g to %g", rounds, n, least, most);
        arena_free(arena);
    }
    thread_join(writer);
    thread_join(flusher);
    world_done(&w);
}

static bool check_block(void *ctx, const MBlock *b) {
    size_t *n = ctx;
    assert_true(b->has_stats == (b->n >= MPART_STATS_SAMPLES));
    if (b->has_stats) {
        assert_true(b->stats.min == (double)b->min_t && b->stats.max == (double)b->max_t && b->stats.resets == 0);
        assert_true(b->stats.first == b->stats.min && b->stats.last == b->stats.max);
    }
    *n += b->n;
    return true;
}

static void test_long_series(void **state) {
    (void)state;
    World w;
    world_init(&w, 0);
    w.opts.partition_ms = INT64_C(1) << 40;
    w.store->ops->close(w.store);
    open_store(&w);
    for (int s = 0; s < 4; s++) assert_int_equal(append_run(&w, s, s, 1 + s, 20000, s, 1 + s), OK);
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK);
    for (int s = 0; s < 4; s++) assert_int_equal(count(&w, s), 20000);
    EmbeddedStore *es = CONTAINER_OF(w.store, EmbeddedStore, base);
    PartSnapshot snap;
    partset_snapshot(es->parts, &snap);
    assert_int_equal(snap.n, 1);
    for (uint32_t s = 0; s < 4; s++) {
        size_t n = 0;
        assert_int_equal(mpart_blocks(snap.v[0].obj, s, check_block, &n, NULL), OK);
        assert_int_equal(n, 20000);
    }
    partset_release(es->parts, &snap);
    world_done(&w);
}

/* The log holds more than the head may: opening writes parts on the way, and again after a crash right then. */
static void test_large_log(void **state) {
    (void)state;
    World w;
    world_init(&w, (size_t)64 << 20);
    for (int i = 0; i < 50; i++) {
        for (int s = 0; s < 20; s++) assert_int_equal(append_run(&w, s, i * 100, 1, 100, i * 100, 1), OK);
    }
    for (int round = 0; round < 2; round++) {
        fs_fault_power_off(w.fs);
        w.store->ops->close(w.store);
        fs_fault_arm(w.fs, FAULT_NONE, 0, false);
        w.opts.head_bytes_max = 16 << 10;
        open_store(&w);
        for (int s = 0; s < 20; s++) assert_int_equal(count(&w, s), 5000);
        MetricsStoreStats stats;
        w.store->ops->stats(w.store, &stats);
        assert_true(stats.parts > 0);
    }
    world_done(&w);
}

static void test_retention(void **state) {
    (void)state;
    World w = {.fs = fs_fault_create(6)};
    const int64_t hour = 3600000;
    w.opts = (MetricsStoreOptions){.durable = true, .retention_ms = 24 * hour};
    open_store(&w);
    int64_t now = clock_now_ms();
    assert_int_equal(append_run(&w, 1, now - 20 * hour, 1000, 100, (double)(now - 20 * hour), 1000), OK);
    assert_int_equal(append_run(&w, 1, now - hour, 1000, 100, (double)(now - hour), 1000), OK);
    assert_int_equal(append_run(&w, 1, now - 30 * hour, 1000, 100, 0, 0), OK); /* refused, counted */
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK);
    assert_int_equal(count(&w, 1), 200);
    w.store->ops->close(w.store);
    w.opts.retention_ms = 10 * hour;
    open_store(&w);
    bool did;
    assert_int_equal(store_merge_once(CONTAINER_OF(w.store, EmbeddedStore, base), &did, NULL), OK);
    assert_int_equal(count(&w, 1), 100);
    world_done(&w);
}

typedef struct Found {
    char path[FS_PATH_MAX];
    uint64_t size;
} Found;

static bool find_part(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Found *f = ctx;
    if (is_dir || !str_ends_with(name, STR(".mkp"))) return true;
    snprintf(f->path, sizeof f->path, "/data/parts/%" STR_FMT, STR_ARG(name));
    f->size = size_bytes;
    return false;
}

/* Any flipped bit of a part costs at most what it was in: never a crash, never a wrong value. */
static void test_bit_flips(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 3);
    for (int i = 0; i < 60; i++) {
        World w;
        world_init(&w, 0);
        for (int s = 0; s < 3; s++) assert_int_equal(append_run(&w, s, s, 7 + s, 700, s, 7 + s), OK);
        w.store->ops->close(w.store);
        Found f = {0};
        assert_int_equal(w.fs->ops->list(w.fs, "/data/parts", find_part, &f, NULL), OK);
        assert_true(f.size > 0);
        fs_fault_flip_bit(w.fs, f.path, rng_u64(&rng) % (f.size * 8));
        open_store(&w);
        for (int s = 0; s < 3; s++) {
            size_t n = count(&w, s); /* checks every value there is */
            assert_true(n == 700 || n == 0);
        }
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_long_series),
        cmocka_unit_test(test_large_log),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_bit_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
