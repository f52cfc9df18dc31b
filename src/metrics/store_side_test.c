/* Exemplars and metadata: each once through crashes and repeated sending, and SIDE when it is damaged. */
#include "metrics/record.h"
#include "metrics/store_int.h"
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_EXEMPLARS 2000

typedef struct World {
    Fs *fs;
    MetricsStore *store;
} World;

static EmbeddedStore *store_of(World *w) { return CONTAINER_OF(w->store, EmbeddedStore, base); }

static void open_store(World *w) {
    Err err = {0};
    MetricsStoreOptions opts = {.durable = true, .retention_ms = INT64_MAX / 2, .no_maintenance = true};
    if (metrics_store_open(w->fs, "/data", &opts, &w->store, &err) != OK) fail_msg("open: %s", err.msg);
}

static World world_new(uint64_t seed) {
    World w = {.fs = fs_fault_create(seed)};
    open_store(&w);
    return w;
}

static void cut_power(World *w) {
    fs_fault_power_off(w->fs);
    w->store->ops->close(w->store);
    fs_fault_arm(w->fs, FAULT_NONE, 0, false);
}

static void world_free(World *w) {
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
}

/* Exemplars [from, to) of one series, a sample with each, and what its metric is. */
static void append(World *w, int from, int to) {
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsBatch b = {.arena = arena};
    Label series[1] = {{LABEL_NAME_METRIC, STR("m")}};
    for (int i = from; i < to; i++) {
        Label *l = ARENA_NEW(arena, Label);
        *l = (Label){STR("trace_id"), arena_printf(arena, "trace%d", i)};
        assert_true(metrics_batch_add(&b, (Labels){series, 1}, 1000 + i, i));
        assert_true(avec_push(arena, &b.exemplars, ((Exemplar){{l, 1}, i, 1000 + i})));
        b.series.v[b.series.n - 1].first_exemplar = (uint32_t)(b.exemplars.n - 1);
        b.series.v[b.series.n - 1].n_exemplars = 1;
    }
    MetricMetadata md = {STR("m"), METRIC_GAUGE, STR("Help."), STR("s")};
    assert_true(avec_push(arena, &b.metadata, md));
    MetricsAppendResult res;
    assert_int_equal(w->store->ops->append(w->store, &b, &res, NULL), OK);
    arena_free(arena);
}

/* How many exemplars are there; in order, each once, each with its own trace. */
static size_t count(World *w) {
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsSelect req = {.min_t_ms = 0, .max_t_ms = INT64_MAX, .arena = arena};
    Labels *series;
    Exemplar *ex;
    size_t n;
    assert_int_equal(w->store->ops->exemplars(w->store, &req, &series, &ex, &n, NULL), OK);
    for (size_t i = 0; i < n; i++) {
        char id[16];
        snprintf(id, sizeof id, "trace%d", (int)ex[i].value);
        assert_true(
            ex[i].t_ms == 1000 + (int64_t)ex[i].value && str_eq_lit(labels_get(series[i], LABEL_NAME_METRIC), "m"));
        assert_true(str_eq(labels_get(ex[i].labels, STR("trace_id")), str_cstr(id)));
        assert_true(i == 0 || ex[i - 1].t_ms < ex[i].t_ms);
    }
    arena_free(arena);
    return n;
}

static bool has_metadata(World *w) {
    Arena *arena = arena_create((size_t)1 << 20);
    MetricMetadata *m;
    size_t n;
    assert_int_equal(w->store->ops->metadata(w->store, STR("m"), arena, &m, &n, NULL), OK);
    bool has = n == 1;
    if (has) assert_true(m[0].type == METRIC_GAUGE && str_eq_lit(m[0].help, "Help.") && str_eq_lit(m[0].unit, "s"));
    arena_free(arena);
    return has;
}

/* SIDE is written when a head is, with what came since that head was frozen: the log has that as well. */
static void test_in_file_and_log(void **state) {
    (void)state;
    World w = world_new(1);
    append(&w, 0, 10);
    assert_int_equal(store_freeze(store_of(&w), NULL), OK);
    append(&w, 10, 30);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(side_save(store_of(&w), NULL), OK);
        assert_int_equal(count(&w), 30);
        cut_power(&w);
        open_store(&w);
        assert_int_equal(count(&w), 30);
    }
    assert_true(has_metadata(&w));
    world_free(&w);
}

static void test_sent_again(void **state) {
    (void)state;
    World w = world_new(2);
    append(&w, 0, 20);
    append(&w, 0, 20);
    append(&w, 10, 25);
    assert_int_equal(count(&w), 25);
    world_free(&w);
}

static void test_oldest_leave(void **state) {
    (void)state;
    World w = world_new(3);
    char *text = mem_alloc(1 << 20);
    memset(text, 'x', 1 << 20);
    Label series[1] = {{LABEL_NAME_METRIC, STR("m")}}, large[1] = {{STR("l"), str_of(text, 1 << 20)}};
    SideData *d = &store_of(&w)->side;
    for (int i = 0; i < 300; i++) side_add_exemplar(d, (Labels){series, 1}, &(Exemplar){{large, 1}, i, 1000 + i});
    assert_true(d->exemplar_bytes <= EXEMPLAR_BYTES_MAX && d->n_exemplars > 100);
    assert_true(side_exemplar_at(d, d->n_exemplars - 1)->t_ms == 1299);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        MetricMetadata md = {str_cstr(name), METRIC_GAUGE, str_of(text, 1 << 20), STR_NULL};
        side_add_metadata(d, &md);
    }
    assert_true(d->metadata_bytes <= METADATA_BYTES_MAX && d->entries.n > 50 && d->entries.n < 64);
    mem_free(text);
    /* What fits into memory can be read again. */
    size_t exemplars = d->n_exemplars, entries = d->entries.n;
    assert_int_equal(side_save(store_of(&w), NULL), OK);
    cut_power(&w);
    open_store(&w);
    d = &store_of(&w)->side;
    assert_true(d->n_exemplars == exemplars && d->entries.n == entries);
    world_free(&w);
}

static void put_file(World *w, Str bytes) {
    assert_int_equal(fs_write_file_atomic(w->fs, "/data/SIDE", bytes, NULL), OK);
}

static void corruptions(World *w, uint64_t *ret) {
    MetricsStoreStats stats;
    w->store->ops->stats(w->store, &stats);
    *ret = stats.corrupt_parts;
}

/* Whatever is done to the file: the store opens, says so, and serves nothing that was not written. */
static void test_damage(void **state) {
    (void)state;
    World w = world_new(4);
    Buf good = {0}, bad = {0};
    Rng rng;
    rng_seed(&rng, 4);
    append(&w, 0, N_EXEMPLARS);
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK);
    assert_int_equal(fs_read_file(w.fs, "/data/SIDE", (size_t)1 << 24, &good, NULL), OK);
    size_t least = SIZE_MAX, most = 0;
    for (int i = 0; i < 60; i++) {
        cut_power(&w);
        buf_clear(&bad);
        buf_put_str(&bad, buf_str(&good));
        if (i % 3 == 0) bad.n = rng_u64(&rng) % good.n;
        if (i % 3 == 1) bad.p[rng_u64(&rng) % good.n] ^= (char)(1 << rng_u64(&rng) % 8);
        if (i % 3 == 2) memset(bad.p + good.n / 2, 0, rng_u64(&rng) % (good.n / 2) + 1);
        put_file(&w, buf_str(&bad));
        open_store(&w);
        uint64_t corrupt;
        corruptions(&w, &corrupt);
        size_t n = count(&w);
        if (buf_str(&bad).n != good.n || memcmp(bad.p, good.p, good.n) != 0) assert_true(corrupt > 0);
        (void)has_metadata(&w);
        least = MIN(least, n);
        most = MAX(most, n);
    }
    assert_true(least < N_EXEMPLARS && most > 0 && most < N_EXEMPLARS); /* damage costs a piece or what is behind it */
    buf_done(&bad);
    buf_done(&good);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_file_and_log),
        cmocka_unit_test(test_sent_again),
        cmocka_unit_test(test_oldest_leave),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
