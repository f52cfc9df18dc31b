/* Appends that nobody waits for: what they take, what they leave to others, what they tell. */
#include "metrics/store_int.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SERIES 20

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    Label labels[SERIES][2];
    char text[SERIES][8];
    int64_t t0;
    Err err;
    _Atomic unsigned wanted; /* by the tap */
    unsigned tapped;
} World;

static void open_store(World *w) {
    MetricsStoreOptions opts = {.durable = true, .retention_ms = INT64_C(3600000)};
    if (metrics_store_open(w->fs, "/data", &opts, &w->store, &w->err) != OK) fail_msg("open: %s", w->err.msg);
}

static void world_init(World *w) {
    *w = (World){.fs = fs_fault_create(3), .t0 = clock_now_ms()};
    for (int i = 0; i < SERIES; i++) {
        snprintf(w->text[i], sizeof w->text[i], "%d", i);
        w->labels[i][0] = (Label){LABEL_NAME_METRIC, STR("m")};
        w->labels[i][1] = (Label){STR("i"), str_cstr(w->text[i])};
    }
    open_store(w);
}

static void world_done(World *w) {
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
}

typedef struct Call {
    Arena *arena;
    MetricsBatch batch;
    MetricsAppendResult result;
    Err err;
    ErrCode code;
    Latch done;
} Call;

static void call_done(void *ctx, ErrCode code) {
    Call *c = ctx;
    c->code = code;
    latch_open(&c->done);
}

/* A sample of each of n series from `first` on. */
static Call *call_new(World *w, int first, int n, int64_t t, double v) {
    Call *c = NEW(Call);
    c->arena = arena_create((size_t)4 << 20);
    c->batch.arena = c->arena;
    c->batch.not_after_ms = w->t0 + 1000000;
    latch_init(&c->done);
    for (int i = first; i < first + n; i++)
        assert_true(metrics_batch_add(&c->batch, (Labels){w->labels[i], 2}, w->t0 + t, v));
    return c;
}

static void call_free(Call *c) {
    latch_done(&c->done);
    arena_free(c->arena);
    mem_free(c);
}

static bool begin(World *w, Call *c) {
    return w->store->ops->append_soon(w->store, &c->batch, &c->result, &c->err, call_done, c);
}

static void make_series(World *w, int n) {
    Call *c = call_new(w, 0, n, 0, 1);
    assert_int_equal(w->store->ops->append(w->store, &c->batch, &c->result, NULL), OK);
    call_free(c);
}

/* Whether it was begun; it has ended then. */
static bool try(World *w, int first, int n, int64_t t, double v, ErrCode *ret_code, MetricsAppendResult *ret) {
    Call *c = call_new(w, first, n, t, v);
    bool begun = begin(w, c);
    if (begun) latch_wait(&c->done);
    *ret_code = c->code;
    *ret = c->result;
    if (begun && c->code != OK) assert_true(c->err.msg[0]);
    call_free(c);
    return begun;
}

static size_t samples(World *w) {
    Arena *arena = arena_create((size_t)16 << 20);
    const Matcher *m;
    SeriesColumns cols;
    size_t n = 0;
    assert_int_equal(matcher_create(arena, MATCH_EQ, LABEL_NAME_METRIC, STR("m"), &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .max_t_ms = INT64_MAX, .arena = arena};
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, NULL), OK);
    for (size_t i = 0; i < cols.n; i++) n += cols.v[i].n;
    arena_free(arena);
    return n;
}

static void test_taken(void **state) {
    (void)state;
    World w;
    ErrCode code;
    MetricsAppendResult r;
    world_init(&w);
    assert_false(try(&w, 0, 5, 1, 1, &code, &r)); /* new series: append makes them */
    assert_int_equal(samples(&w), 0);
    make_series(&w, 5);
    assert_false(try(&w, 0, 6, 1, 1, &code, &r)); /* one of them is new */
    assert_true(try(&w, 0, 5, 1, 1, &code, &r));
    assert_int_equal(code, OK);
    assert_int_equal(r.samples, 5);
    assert_int_equal(samples(&w), 10); /* as soon as it is told */
    assert_true(try(&w, 0, 5, 1, 1, &code, &r));
    assert_int_equal(r.duplicates, 5);
    assert_true(try(&w, 0, 2, 1, 2, &code, &r));
    assert_int_equal(r.conflicts, 2);
    assert_true(strstr(r.first_error, "duplicate sample"));
    assert_true(try(&w, 0, 3, 2000000, 2, &code, &r));
    assert_int_equal(r.too_new, 3);
    assert_true(try(&w, 0, 3, -7200000, 2, &code, &r));
    assert_int_equal(r.too_old, 3);
    w.store->ops->close(w.store);
    fs_fault_crash(w.fs);
    open_store(&w);
    assert_int_equal(samples(&w), 10);
    world_done(&w);
}

static void test_failing_disk(void **state) {
    (void)state;
    static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        World w;
        ErrCode code;
        MetricsAppendResult r;
        world_init(&w);
        make_series(&w, 5);
        fs_fault_arm(w.fs, kinds[k], 1, false);
        assert_true(try(&w, 0, 5, 1, 1, &code, &r));
        assert_int_equal(code, kinds[k] == FAULT_ENOSPC ? ERR_NO_SPACE : ERR_IO);
        assert_int_equal(samples(&w), 5);
        assert_true(try(&w, 0, 5, 2, 1, &code, &r));
        assert_int_equal(code, OK);
        assert_int_equal(samples(&w), 10);
        world_done(&w);
    }
}

static ErrCode on_taken(void *ctx, const MetricsTaken *taken, Err *reterr) {
    World *w = ctx;
    w->tapped += (unsigned)taken->batch->series.n;
    return w->tapped > 100 ? err_set(reterr, ERR_IO, "the tap fails") : OK;
}

/* While somebody passes samples on, which takes time, append has to do it. */
static void test_tap(void **state) {
    (void)state;
    World w;
    ErrCode code;
    MetricsAppendResult r;
    world_init(&w);
    w.store->ops->set_tap(w.store, on_taken, &w.wanted, &w);
    make_series(&w, 5);
    assert_int_equal(w.tapped, 0);
    assert_true(try(&w, 0, 5, 1, 1, &code, &r));
    assert_int_equal(w.tapped, 0);
    w.wanted = 1;
    assert_false(try(&w, 0, 5, 2, 1, &code, &r));
    make_series(&w, 5);
    assert_int_equal(w.tapped, 5);
    w.store->ops->set_tap(w.store, NULL, NULL, NULL);
    assert_true(try(&w, 0, 5, 3, 1, &code, &r));
    world_done(&w);
}

static void flush_often(void *ctx) {
    World *w = ctx;
    while (!w->wanted) {
        assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
        clock_sleep_ms(1);
    }
}

/* Heads are frozen meanwhile: those that come to a closed gate, or to a head that does not know the series, are
 * appended in the other way. Nothing is lost or counted twice. */
static void test_beside_freezes(void **state) {
    (void)state;
    enum { ROUNDS = 200, AT_ONCE = 8 };
    World w;
    unsigned soon = 0;
    Call *calls[AT_ONCE];
    world_init(&w);
    make_series(&w, SERIES);
    Thread *t = thread_start("flush", flush_often, &w);
    for (int i = 0; i < ROUNDS; i++) {
        bool begun[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++) {
            calls[k] = call_new(&w, 0, SERIES, 1 + i * AT_ONCE + k, 1);
            begun[k] = begin(&w, calls[k]);
            if (!begun[k])
                calls[k]->code = w.store->ops->append(w.store, &calls[k]->batch, &calls[k]->result, &calls[k]->err);
            soon += begun[k];
        }
        for (int k = 0; k < AT_ONCE; k++) {
            if (begun[k]) latch_wait(&calls[k]->done);
            assert_int_equal(calls[k]->code, OK);
            assert_int_equal(calls[k]->result.samples, SERIES);
            call_free(calls[k]);
        }
    }
    w.wanted = 1;
    thread_join(t);
    assert_true(soon > 0);
    assert_int_equal(samples(&w), SERIES * (1 + ROUNDS * AT_ONCE));
    world_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_failing_disk),
        cmocka_unit_test(test_tap), cmocka_unit_test(test_beside_freezes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
