#include "metrics/series_set.h"

#include "base/num.h"
#include "metrics/store_int.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A store under test beside a plain model of what it must hold. */
#define N_SERIES 24
#define N_TIMES 4000

typedef struct Model {
    bool has[N_SERIES][N_TIMES];
    uint64_t bits[N_SERIES][N_TIMES];
    size_t count;
} Model;

typedef struct World {
    Fs *fs;
    char dir[64];
    MetricsStore *store;
    MetricsStoreOptions opts;
    Label labels[N_SERIES][3];
    char text[N_SERIES][3][16];
    Model *model;
    Rng rng;
    int64_t base, step;
} World;

static void open_store(World *w) {
    Err err = {0};
    ErrCode code = metrics_store_open(w->fs, w->dir, &w->opts, &w->store, &err);
    if (code != OK) fail_msg("open: %s", err.msg);
}

static World *world_new(uint64_t seed) {
    World *w = NEW(World);
    w->fs = fs_fault_create(seed);
    snprintf(w->dir, sizeof w->dir, "/data");
    w->opts = (MetricsStoreOptions){.durable = true, .retention_ms = INT64_MAX / 2};
    w->model = NEW(Model);
    rng_seed(&w->rng, seed);
    w->base = 1700000000000;
    w->step = 15000;
    for (int i = 0; i < N_SERIES; i++) {
        snprintf(w->text[i][0], 16, "m%d", i % 3);
        snprintf(w->text[i][1], 16, "host%d", i);
        snprintf(w->text[i][2], 16, "j%d", i % 5);
        w->labels[i][0] = (Label){LABEL_NAME_METRIC, str_cstr(w->text[i][0])};
        w->labels[i][1] = (Label){STR("instance"), str_cstr(w->text[i][1])};
        w->labels[i][2] = (Label){STR("job"), str_cstr(w->text[i][2])};
    }
    open_store(w);
    return w;
}

static void world_free(World *w) {
    if (w->store) w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    mem_free(w->model);
    mem_free(w);
}

static double random_value(World *w) {
    switch (rng_u64(&w->rng) % 8) {
    case 0: return stale_nan();
    case 1: {
        uint64_t b = NORMAL_NAN_BITS;
        double d;
        memcpy(&d, &b, 8);
        return d;
    }
    case 2: return rng_f64(&w->rng) * 1e9;
    case 3: return -0.0;
    case 4: return 1.0 / 0.0;
    default: return (double)(rng_u64(&w->rng) % 1000) / 10;
    }
}

typedef struct Sent {
    int series, t;
    double v;
} Sent;

static bool add_sent(World *w, MetricsBatch *b, Sent s) {
    Labels l = {w->labels[s.series], 3};
    return metrics_batch_add(b, l, w->base + s.t * w->step, s.v);
}

/* Appends a random batch: mostly new times in order, some late, some repeated, some contradicting. */
static ErrCode random_append(World *w, int t_from, int t_len, size_t n) {
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsBatch b = {.arena = arena};
    uint64_t stored = 0, dups = 0;
    Model *copy = NEW(Model);
    *copy = *w->model;
    for (size_t i = 0; i < n; i++) {
        Sent s = {
            .series = (int)(rng_u64(&w->rng) % N_SERIES), .t = t_from + (int)(rng_u64(&w->rng) % (uint64_t)t_len)};
        s.v = random_value(w);
        if (copy->has[s.series][s.t]) {
            uint64_t have = copy->bits[s.series][s.t];
            /* a contradiction is certain to be seen only while the first value is in the same head */
            memcpy(&s.v, &have, 8);
            dups++;
        } else {
            copy->has[s.series][s.t] = true;
            copy->bits[s.series][s.t] = f64_bits(s.v);
            stored++;
        }
        assert_true(add_sent(w, &b, s));
    }
    MetricsAppendResult res;
    Err err;
    ErrCode code = w->store->ops->append(w->store, &b, &res, &err);
    if (code == OK) {
        assert_int_equal(res.samples + res.duplicates, stored + dups);
        assert_int_equal(res.conflicts, 0);
        *w->model = *copy;
    }
    mem_free(copy);
    arena_free(arena);
    return code;
}

static SeriesColumns select_all(World *w, Arena *arena, int t_from, int t_to, const Matcher *m) {
    const Matcher *ms[1] = {m};
    MetricsSelect req = {.matchers = {ms, m ? 1 : 0}, .arena = arena};
    req.min_t_ms = w->base + t_from * w->step;
    req.max_t_ms = w->base + t_to * w->step;
    SeriesColumns cols;
    Err err = {0};
    ErrCode code = w->store->ops->select(w->store, &req, &cols, &err);
    if (code != OK) fail_msg("select: %s", err.msg);
    return cols;
}

static int series_index(World *w, Labels l) {
    for (int i = 0; i < N_SERIES; i++) {
        if (labels_eq(l, (Labels){w->labels[i], 3})) return i;
    }
    return -1;
}

static size_t model_count(const World *w, int series, int t_from, int t_to) {
    size_t n = 0;
    for (int t = t_from; t <= t_to; t++) n += w->model->has[series][t];
    return n;
}

/* What is said of the values without looking at them is so. */
static void check_known(const SeriesColumn *c, const double *v) {
    assert_true(c->value || c->fresh || c->n == 0);
    for (size_t i = 0; i < c->n; i++) assert_true(is_stale_nan(v[i]) == (!c->fresh && is_stale_nan(c->value[i])));
    for (size_t i = 1; i < c->n && c->rising; i++) assert_false(v[i] < v[i - 1]);
}

/* Read series by series, the columns are the same; equal ids mean equal times. Values that nobody wants may be missing.
 */
static void check_set(World *w, Arena *arena, MetricsSelect *req, const SeriesColumns *cols) {
    SeriesSet *set;
    req->no_values = rng_u64(&w->rng) % 2;
    Err err = {0};
    if (metrics_store_open_set(w->store, req, &set, &err) != OK) fail_msg("open: %s", err.msg);
    SeriesReader *r = series_reader_create(set, arena);
    size_t k = 0;
    uint64_t last_id = 0;
    int64_t first_t = 0, last_t = 0;
    for (size_t i = 0; i < set->n; i++) {
        SeriesColumn c;
        Labels labels;
        if (series_read(r, i, &c, &err) != OK) fail_msg("read: %s", err.msg);
        if (series_labels(set, i, arena, &labels, &err) != OK) fail_msg("labels: %s", err.msg);
        if (c.n + c.n_histograms == 0) continue;
        assert_true(k < cols->n && labels_eq(labels, cols->v[k].labels));
        assert_int_equal(c.n, cols->v[k].n);
        assert_memory_equal(c.t_ms, cols->v[k].t_ms, c.n * sizeof *c.t_ms);
        check_known(&c, cols->v[k].value);
        if (!req->no_values) assert_memory_equal(c.value, cols->v[k].value, c.n * sizeof *c.value);
        if (last_id && c.times_id == last_id) assert_true(c.t_ms[0] == first_t && c.t_ms[c.n - 1] == last_t);
        last_id = c.times_id;
        first_t = c.t_ms[0];
        last_t = c.t_ms[c.n - 1];
        k++;
    }
    assert_int_equal(k, cols->n);
    series_reader_free(r);
}

static void check_range(World *w, int t_from, int t_to, const Matcher *m) {
    Arena *arena = arena_create((size_t)256 << 20);
    SeriesColumns cols = select_all(w, arena, t_from, t_to, m);
    const Matcher *ms[1] = {m};
    MetricsSelect req = {.matchers = {ms, m ? 1 : 0}, .arena = arena};
    req.min_t_ms = w->base + t_from * w->step;
    req.max_t_ms = w->base + t_to * w->step;
    check_set(w, arena, &req, &cols);
    bool seen[N_SERIES] = {false};
    for (size_t i = 0; i < cols.n; i++) {
        const SeriesColumn *c = &cols.v[i];
        int s = series_index(w, c->labels);
        assert_true(s >= 0 && !seen[s]);
        if (i) assert_true(labels_cmp(cols.v[i - 1].labels, c->labels) < 0);
        if (m) assert_true(matcher_matches(m, labels_get(c->labels, m->name)));
        seen[s] = true;
        assert_int_equal(c->n, model_count(w, s, t_from, t_to));
        for (size_t k = 0; k < c->n; k++) {
            int t = (int)((c->t_ms[k] - w->base) / w->step);
            assert_true(t >= t_from && t <= t_to && w->model->has[s][t]);
            assert_true(f64_bits(c->value[k]) == w->model->bits[s][t]);
            if (k) assert_true(c->t_ms[k] > c->t_ms[k - 1]);
        }
    }
    for (int s = 0; s < N_SERIES; s++) {
        bool matches = !m || matcher_matches(m, labels_get((Labels){w->labels[s], 3}, m->name));
        if (matches && model_count(w, s, t_from, t_to)) assert_true(seen[s]);
        if (!matches) assert_false(seen[s]);
    }
    arena_free(arena);
}

static void check_all(World *w) { check_range(w, 0, N_TIMES - 1, NULL); }

static void flush(World *w) {
    Err err = {0};
    if (w->store->ops->flush(w->store, &err) != OK) fail_msg("flush: %s", err.msg);
}

static void reopen(World *w) {
    w->store->ops->close(w->store);
    open_store(w);
}

/* Nothing is written after the power cut: threads that were at work find a dead disk. */
static void cut_power(World *w) {
    fs_fault_power_off(w->fs);
    w->store->ops->close(w->store);
    fs_fault_arm(w->fs, FAULT_NONE, 0, false);
}

static void crash_and_reopen(World *w) {
    cut_power(w);
    open_store(w);
}

static void merge_all(World *w) {
    bool did = true;
    Err err = {0};
    while (did) {
        ErrCode code = store_merge_once(CONTAINER_OF(w->store, EmbeddedStore, base), &did, &err);
        if (code != OK) fail_msg("merge: %s", err.msg);
    }
}

static void test_empty(void **state) {
    (void)state;
    World *w = world_new(1);
    check_all(w);
    flush(w);
    reopen(w);
    check_all(w);
    world_free(w);
}

static void test_head_and_log(void **state) {
    (void)state;
    World *w = world_new(2);
    for (int i = 0; i < 30; i++) assert_int_equal(random_append(w, i * 20, 60, 200), OK);
    check_all(w);
    check_range(w, 100, 300, NULL);
    crash_and_reopen(w); /* everything was acknowledged, so the log has it */
    check_all(w);
    world_free(w);
}

static void test_random_life(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed < 14; seed++) {
        World *w = world_new(seed);
        for (int i = 0; i < 60; i++) {
            uint64_t dice = rng_u64(&w->rng) % 12;
            int at = (int)(rng_u64(&w->rng) % (N_TIMES - 400));
            if (dice < 8) assert_int_equal(random_append(w, dice < 6 ? i * 50 : at, dice < 6 ? 80 : 400, 300), OK);
            if (dice == 8) flush(w);
            if (dice == 9) merge_all(w);
            if (dice == 10) reopen(w);
            if (dice == 11) crash_and_reopen(w);
            check_range(w, at, at + 300, NULL);
        }
        check_all(w);
        flush(w);
        merge_all(w);
        check_all(w);
        world_free(w);
    }
}

static void test_failures(void **state) {
    (void)state;
    for (uint64_t seed = 20; seed < 32; seed++) {
        World *w = world_new(seed);
        assert_int_equal(random_append(w, 0, 100, 200), OK);
        fs_fault_arm(w->fs, seed % 3 == 0 ? FAULT_ENOSPC : FAULT_EIO, 1 + seed % 7, seed % 2);
        for (int i = 0; i < 6; i++) {
            /* what was refused may still be there after all (an error is not a promise), so such times are not used
             * again */
            (void)random_append(w, 200 + 100 * i, 100, 50);
            if (i == 3) (void)w->store->ops->flush(w->store, NULL);
        }
        fs_fault_arm(w->fs, FAULT_NONE, 0, false);
        crash_and_reopen(w);
        check_range(w, 0, 199, NULL);
        for (int s = 0; s < N_SERIES; s++) { /* acknowledged samples are there, whatever else is */
            Arena *arena = arena_create((size_t)64 << 20);
            SeriesColumns cols = select_all(w, arena, 200, 900, NULL);
            size_t found = 0;
            for (size_t i = 0; i < cols.n; i++) {
                if (series_index(w, cols.v[i].labels) == s) found = cols.v[i].n;
            }
            assert_true(found >= model_count(w, s, 200, 900));
            arena_free(arena);
        }
        world_free(w);
    }
}

static void test_matchers(void **state) {
    (void)state;
    static const struct {
        MatchType type;
        const char *name, *value;
    } cases[] = {
        {MATCH_EQ, "job", "j1"},
        {MATCH_EQ, "job", "none"},
        {MATCH_EQ, "job", ""},
        {MATCH_EQ, "absent", ""},
        {MATCH_EQ, "absent", "x"},
        {MATCH_NEQ, "job", "j1"},
        {MATCH_NEQ, "job", ""},
        {MATCH_NEQ, "absent", ""},
        {MATCH_NEQ, "absent", "x"},
        {MATCH_RE, "job", "j1|j2"},
        {MATCH_RE, "job", "j[0-2]"},
        {MATCH_RE, "job", ".*"},
        {MATCH_RE, "job", ".+"},
        {MATCH_RE, "job", "|j4"},
        {MATCH_RE, "absent", ".*"},
        {MATCH_RE, "absent", ".+"},
        {MATCH_NRE, "job", "j1|j2"},
        {MATCH_NRE, "job", "j.*"},
        {MATCH_NRE, "job", ".*"},
        {MATCH_NRE, "job", ""},
        {MATCH_NRE, "instance", "host1.*"},
        {MATCH_RE, "instance", "host(1|2|13)"},
        {MATCH_EQ, "__name__", "m2"},
    };
    World *w = world_new(3);
    Arena *arena = arena_create((size_t)16 << 20);
    for (int stage = 0; stage < 3; stage++) {
        assert_int_equal(random_append(w, stage * 100, 100, 400), OK);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            const Matcher *m;
            Err err = {0};
            assert_int_equal(
                matcher_create(arena, cases[i].type, str_cstr(cases[i].name), str_cstr(cases[i].value), &m, &err), OK);
            check_range(w, 0, 400, m);
        }
        if (stage == 0) flush(w);
        if (stage == 1) merge_all(w);
    }
    arena_free(arena);
    world_free(w);
}

static void append_one(World *w, int series, int t, double v, MetricsAppendResult *res) {
    Arena *arena = arena_create((size_t)1 << 20);
    MetricsBatch b = {.arena = arena};
    assert_true(add_sent(w, &b, (Sent){series, t, v}));
    assert_int_equal(w->store->ops->append(w->store, &b, res, NULL), OK);
    arena_free(arena);
}

static void test_duplicates(void **state) {
    (void)state;
    World *w = world_new(4);
    MetricsAppendResult res;
    for (int t = 0; t < 200; t++) append_one(w, 0, 2 * t, t, &res);
    static const struct {
        int t;
        double v;
        int stored, dup, conflict;
    } cases[] = {
        {398, 199, 0, 1, 0},
        {398, 7, 0, 0, 1},
        {0, 0, 0, 1, 0},
        {0, 1, 0, 0, 1},
        {390, 195, 0, 1, 0},
        {390, 1, 0, 0, 1},
        {1, 5, 1, 0, 0},
        {1, 5, 0, 1, 0},
        {1, 6, 0, 0, 1},
        {395, 5, 1, 0, 0},
        {395, 5, 0, 1, 0},
        {500, -0.0, 1, 0, 0},
        {500, 0.0, 0, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        append_one(w, 0, cases[i].t, cases[i].v, &res);
        assert_int_equal(res.samples, cases[i].stored);
        assert_int_equal(res.duplicates, cases[i].dup);
        assert_int_equal(res.conflicts, cases[i].conflict);
        if (res.conflicts) assert_non_null(strstr(res.first_error, "duplicate sample for timestamp"));
    }
    world_free(w);
}

static void test_delete(void **state) {
    (void)state;
    World *w = world_new(5);
    assert_int_equal(random_append(w, 0, 300, 2000), OK);
    Arena *arena = arena_create((size_t)16 << 20);
    const Matcher *m;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("job"), STR("j1"), &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .arena = arena};
    req.min_t_ms = w->base + 100 * w->step;
    req.max_t_ms = w->base + 200 * w->step;
    uint64_t deleted;
    assert_int_equal(w->store->ops->delete_series(w->store, &req, &deleted, NULL), OK);
    assert_true(deleted > 0);
    for (int s = 1; s < N_SERIES; s += 5) {
        for (int t = 100; t <= 200; t++) w->model->has[s][t] = false;
    }
    check_all(w);
    assert_int_equal(random_append(w, 150, 10, 100), OK); /* written after the deletion: stays */
    check_all(w);
    arena_free(arena);
    reopen(w);
    check_all(w);
    merge_all(w);
    check_all(w);
    assert_int_equal(w->store->ops->clean_tombstones(w->store, NULL), OK);
    assert_false(w->fs->ops->exists(w->fs, "/data/TOMBSTONES")); /* nothing is left that could be damaged */
    check_all(w);
    world_free(w);
}

/* What is written after a deletion stays, also when the power fails before the next part: its number must be beyond
 * what the deletion covers. */
static void test_delete_and_crash(void **state) {
    (void)state;
    World *w = world_new(15);
    assert_int_equal(random_append(w, 0, 300, 2000), OK);
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsSelect req = {.arena = arena, .min_t_ms = w->base, .max_t_ms = w->base + N_TIMES * w->step};
    uint64_t deleted;
    assert_int_equal(w->store->ops->delete_series(w->store, &req, &deleted, NULL), OK);
    arena_free(arena);
    *w->model = (Model){0};
    check_all(w);
    assert_int_equal(random_append(w, 0, 300, 2000), OK);
    check_all(w);
    crash_and_reopen(w);
    check_all(w);
    flush(w);
    check_all(w);
    reopen(w);
    check_all(w);
    world_free(w);
}

/* Whatever bit of the table of deletions flips: what is deleted stays so, the rest is there. */
static void test_damaged_tombstones(void **state) {
    (void)state;
    World *w = world_new(16);
    assert_int_equal(random_append(w, 0, 300, 2000), OK);
    Arena *arena = arena_create((size_t)16 << 20);
    const Matcher *m;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("job"), STR("j1"), &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .arena = arena, .max_t_ms = w->base + N_TIMES * w->step};
    uint64_t deleted, size = 0;
    assert_int_equal(w->store->ops->delete_series(w->store, &req, &deleted, NULL), OK);
    arena_free(arena);
    for (int s = 1; s < N_SERIES; s += 5) memset(w->model->has[s], 0, sizeof w->model->has[s]);
    File *f;
    assert_int_equal(fs_open(w->fs, "/data/TOMBSTONES", FILE_READ, &f, NULL), OK);
    size = file_size(f);
    file_close(f);
    for (uint64_t bit = 0; bit < 8 * size; bit += 3) {
        fs_fault_flip_bit(w->fs, "/data/TOMBSTONES", bit);
        reopen(w);
        check_all(w);
        MetricsStoreStats stats;
        w->store->ops->stats(w->store, &stats);
        assert_int_equal(stats.corrupt_parts, 1);
        fs_fault_flip_bit(w->fs, "/data/TOMBSTONES", bit);
    }
    world_free(w);
}

/* Labels are told by two records: a damaged one costs its own samples only, even when it is the first. */
static void test_damaged_log(void **state) {
    (void)state;
    for (int at = 0; at < 4; at++) {
        World *w = world_new(40 + (uint64_t)at);
        MetricsAppendResult res;
        for (int t = 0; t < 20; t++)
            for (int s = 0; s < N_SERIES; s += 8) append_one(w, s, t, t, &res);
        cut_power(w);
        fs_fault_flip_bit(w->fs, "/data/wal/wal-0000000000000001.log", 8 * (uint64_t)(190 + 90 * at));
        open_store(w);
        MetricsStoreStats stats;
        w->store->ops->stats(w->store, &stats);
        assert_int_equal(stats.wal_corrupt_frames, 1);
        assert_int_equal(stats.head_samples, 20 * N_SERIES / 8 - 1);
        world_free(w);
    }
}

static void test_names(void **state) {
    (void)state;
    World *w = world_new(6);
    assert_int_equal(random_append(w, 0, 50, 800), OK);
    for (int stage = 0; stage < 2; stage++) {
        Arena *arena = arena_create((size_t)16 << 20);
        MetricsSelect req = {.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .arena = arena};
        Str *v;
        size_t n;
        assert_int_equal(w->store->ops->label_names(w->store, &req, 0, &v, &n, NULL), OK);
        assert_int_equal(n, 3);
        assert_true(str_eq_lit(v[0], "__name__") && str_eq_lit(v[1], "instance") && str_eq_lit(v[2], "job"));
        assert_int_equal(w->store->ops->label_values(w->store, &req, STR("job"), 0, &v, &n, NULL), OK);
        assert_int_equal(n, 5);
        assert_true(str_eq_lit(v[4], "j4"));
        const Matcher *m;
        assert_int_equal(matcher_create(arena, MATCH_EQ, STR("instance"), STR("host6"), &m, NULL), OK);
        req.matchers = (Matchers){&m, 1};
        assert_int_equal(w->store->ops->label_values(w->store, &req, STR("job"), 0, &v, &n, NULL), OK);
        assert_int_equal(n, 1);
        assert_true(str_eq_lit(v[0], "j1"));
        Labels *series;
        assert_int_equal(w->store->ops->series(w->store, &req, 0, &series, &n, NULL), OK);
        assert_int_equal(n, 1);
        arena_free(arena);
        flush(w);
    }
    world_free(w);
}

/* Values without matchers, over part and head: the first of all with a limit; none of series that are only in the
 * index, which lives on when the head with their samples is gone. */
static void test_first_values(void **state) {
    (void)state;
    World *w = world_new(9);
    assert_int_equal(random_append(w, 0, 50, 800), OK);
    flush(w);
    MetricsAppendResult res;
    for (int s = 0; s < N_SERIES; s += 3) append_one(w, s, 60, 1, &res);
    for (int stage = 0; stage < 2; stage++) {
        Arena *arena = arena_create((size_t)16 << 20);
        MetricsSelect req = {.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .arena = arena};
        if (stage) req.min_t_ms = w->base + 55 * w->step; /* only the head */
        Str *all, *first;
        size_t n, n_first;
        assert_int_equal(w->store->ops->label_values(w->store, &req, STR("instance"), 0, &all, &n, NULL), OK);
        Map *hosts = map_create(MAP_BORROW_KEYS);
        for (int s = 0; s < N_SERIES; s += stage ? 3 : 1) (void)map_put(hosts, w->labels[s][1].value, NULL);
        assert_int_equal(n, map_count(hosts));
        for (size_t i = 0; i < n; i++)
            assert_true(map_get(hosts, all[i]) && (i == 0 || str_cmp(all[i - 1], all[i]) < 0));
        map_free(hosts);
        for (size_t limit = 1; limit <= n + 1; limit++) {
            assert_int_equal(
                w->store->ops->label_values(w->store, &req, STR("instance"), limit, &first, &n_first, NULL), OK);
            assert_int_equal(n_first, MIN(n, limit));
            for (size_t i = 0; i < n_first; i++) assert_true(str_eq(first[i], all[i]));
        }
        assert_int_equal(w->store->ops->label_names(w->store, &req, 2, &first, &n_first, NULL), OK);
        assert_true(n_first == 2 && str_eq_lit(first[0], "__name__") && str_eq_lit(first[1], "instance"));
        arena_free(arena);
    }
    world_free(w);
}

static void add_count(void *ctx, Str name, Str value, uint64_t series) {
    char key[64];
    int n = snprintf(key, sizeof key, "%.*s=%.*s", (int)name.n, name.p, (int)value.n, value.p);
    *map_put(ctx, str_of(key, (size_t)n), NULL) += series;
}

/* Counts by label are those of the listed series: each once, however many parts and heads have it, without deleted
 * ones. */
static void test_count(void **state) {
    (void)state;
    World *w = world_new(10);
    Arena *arena = arena_create((size_t)64 << 20);
    for (int stage = 0; stage < 5; stage++) {
        const Matcher *m;
        assert_int_equal(matcher_create(arena, MATCH_RE, STR("job"), STR("j[1-4]"), &m, NULL), OK);
        MetricsSelect req = {.matchers = {&m, stage % 2}, .min_t_ms = w->base, .max_t_ms = INT64_MAX, .arena = arena};
        if (stage == 3) /* of most jobs what was there so far */
            assert_int_equal(w->store->ops->delete_series(w->store, &req, &(uint64_t){0}, NULL), OK);
        assert_int_equal(random_append(w, 40 * stage, 40, stage == 1 ? 8 : 100), OK);
        Map *listed = map_create(MAP_COPY_KEYS), *counted = map_create(MAP_COPY_KEYS);
        Labels *all;
        size_t n;
        uint64_t series;
        assert_int_equal(w->store->ops->series(w->store, &req, 0, &all, &n, NULL), OK);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < all[i].n; k++) add_count(listed, all[i].v[k].name, all[i].v[k].value, 1);
        assert_int_equal(w->store->ops->count(w->store, &req, add_count, counted, &series, NULL), OK);
        assert_true(n > 0 && series == n);
        assert_int_equal(map_count(counted), map_count(listed));
        size_t it = 0;
        Str key;
        for (uint64_t *x; map_next(listed, &it, &key, &x);) assert_int_equal(*x, *map_get(counted, key));
        map_free(listed);
        map_free(counted);
        if (stage < 4) flush(w);
    }
    arena_free(arena);
    world_free(w);
}

/* With a limit the label sets are picked by symbols: they must be the first of all; over part, head and both. */
static void test_first_series(void **state) {
    (void)state;
    World *w = world_new(8);
    for (int stage = 0; stage < 3; stage++) {
        assert_int_equal(random_append(w, 40 * stage, 40, stage == 1 ? 8 : 400), OK);
        for (size_t limit = 1; limit <= N_SERIES + 1; limit++) {
            Arena *arena = arena_create((size_t)16 << 20);
            const Matcher *m;
            assert_int_equal(matcher_create(arena, MATCH_RE, STR("job"), STR("j[1-4]"), &m, NULL), OK);
            MetricsSelect req = {
                .matchers = {&m, 1}, .min_t_ms = w->base + 10 * w->step, .max_t_ms = INT64_MAX, .arena = arena};
            Labels *all, *first;
            Str *values;
            size_t n, n_first, n_values;
            assert_int_equal(w->store->ops->series(w->store, &req, 0, &all, &n, NULL), OK);
            assert_int_equal(w->store->ops->series(w->store, &req, limit, &first, &n_first, NULL), OK);
            assert_int_equal(n_first, MIN(n, limit));
            for (size_t i = 0; i < n_first; i++) assert_true(labels_eq(first[i], all[i]));
            Map *jobs = map_create(MAP_BORROW_KEYS);
            for (size_t i = 0; i < n; i++) (void)map_put(jobs, labels_get(all[i], STR("job")), NULL);
            assert_int_equal(w->store->ops->label_values(w->store, &req, STR("job"), 0, &values, &n_values, NULL), OK);
            assert_int_equal(n_values, map_count(jobs));
            for (size_t i = 0; i < n_values; i++) assert_non_null(map_get(jobs, values[i]));
            map_free(jobs);
            arena_free(arena);
        }
        if (stage == 1) flush(w);
    }
    world_free(w);
}

static void test_histograms_and_side(void **state) {
    (void)state;
    World *w = world_new(7);
    Arena *arena = arena_create((size_t)4 << 20);
    HistogramSpan spans[1] = {{0, 2}};
    double buckets[2] = {1, 2};
    Histogram h = {.schema = 3, .count = 3, .sum = 5, .pos_spans = spans, .n_pos_spans = 1, .pos = buckets, .n_pos = 2};
    Label el[1] = {{STR("trace_id"), STR("abc")}};
    Exemplar e = {{el, 1}, 0.5, w->base};
    MetricMetadata md = {STR("m0"), METRIC_HISTOGRAM, STR("Help."), STR("seconds")};
    MetricsBatch b = {.arena = arena};
    for (int t = 0; t < 3; t++) {
        assert_true(avec_push(arena, &b.histogram_t_ms, w->base + t * w->step) && avec_push(arena, &b.histograms, h));
    }
    assert_true(avec_push(arena, &b.exemplars, e) && avec_push(arena, &b.metadata, md));
    /* Left out: one whose labels are longer than OpenMetrics allows, one far ahead of the clock. */
    char text[EXEMPLAR_LENGTH_MAX];
    memset(text, 'x', sizeof text);
    Label long_label[1] = {{STR("l"), str_of(text, sizeof text)}};
    Exemplar too_long = {{long_label, 1}, 0.75, w->base}, ahead = e;
    ahead.t_ms = b.not_after_ms = clock_now_ms() + INT64_C(3600000);
    ahead.t_ms++;
    assert_true(avec_push(arena, &b.exemplars, too_long) && avec_push(arena, &b.exemplars, ahead));
    BatchSeries bs = {.labels = {w->labels[0], 3}, .n_histograms = 3, .n_exemplars = 3};
    assert_true(avec_push(arena, &b.series, bs));
    MetricsAppendResult res;
    assert_int_equal(w->store->ops->append(w->store, &b, &res, NULL), OK);
    assert_int_equal(res.histograms, 3);
    assert_int_equal(w->store->ops->append(w->store, &b, &res, NULL), OK);
    assert_int_equal(res.duplicates, 3);
    for (int stage = 0; stage < 4; stage++) {
        if (stage == 1) crash_and_reopen(w);
        if (stage == 2) flush(w);
        if (stage == 3) reopen(w);
        Arena *results = arena_create((size_t)4 << 20); /* results hold parts: gone before the store is closed */
        SeriesColumns cols = select_all(w, results, 0, 10, NULL);
        assert_int_equal(cols.n, 1);
        assert_int_equal(cols.v[0].n_histograms, 3);
        assert_true(histogram_eq(&cols.v[0].histograms[2], &h));
        MetricMetadata *m;
        Labels *series;
        Exemplar *ex;
        size_t n;
        assert_int_equal(w->store->ops->metadata(w->store, STR("m0"), results, &m, &n, NULL), OK);
        assert_true(n == 1 && m[0].type == METRIC_HISTOGRAM && str_eq_lit(m[0].help, "Help."));
        MetricsSelect req = {.min_t_ms = 0, .max_t_ms = INT64_MAX, .arena = results};
        assert_int_equal(w->store->ops->exemplars(w->store, &req, &series, &ex, &n, NULL), OK);
        assert_true(n == 1 && ex[0].value == 0.5 && str_eq_lit(labels_get(ex[0].labels, STR("trace_id")), "abc"));
        arena_free(results);
    }
    arena_free(arena);
    world_free(w);
}

/* --- digests: blocks answered by their statistics --- */

/* What a function of a window gives over samples in (min_t, max_t]; false: none. */
static bool window_value(
    int kind, const int64_t *t, const double *v, size_t n, int64_t min_t, int64_t max_t, double *ret) {
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (t[i] <= min_t || t[i] > max_t || is_stale_nan(v[i])) continue;
        bool take = !any || kind == DIGEST_LAST;
        if (any && kind == DIGEST_MIN) take = v[i] < *ret || *ret != *ret;
        if (any && kind == DIGEST_MAX) take = v[i] > *ret || *ret != *ret;
        if (take) *ret = v[i];
        any = true;
    }
    return any;
}

static size_t compare_digest(
    const MetricsSelect *req, const SeriesColumn *all, const SeriesColumn *some, int64_t range) {
    const MetricsDigest *d = &req->digest;
    for (size_t i = 0; i < d->n; i++) {
        int64_t max_t = d->first_ms[1] + (int64_t)i * d->step_ms;
        double a = 0, b = 0;
        bool has_a = window_value(d->kind, all->t_ms, all->value, all->n, max_t - range, max_t, &a);
        bool has_b = window_value(d->kind, some->t_ms, some->value, some->n, max_t - range, max_t, &b);
        assert_int_equal(has_a, has_b);
        if (has_a) assert_true(f64_bits(a) == f64_bits(b) || a == b);
    }
    return all->n - some->n;
}

static size_t check_digest(World *w, int kind, int64_t range, int64_t step, size_t n) {
    Arena *arena = arena_create((size_t)256 << 20);
    MetricsSelect req = {.arena = arena, .digest = {.kind = kind, .step_ms = step, .n = n}};
    req.digest.first_ms[1] = w->base + (int64_t)(rng_u64(&w->rng) % (2 * N_TIMES)) * w->step;
    req.digest.first_ms[0] = req.digest.first_ms[1] - range;
    req.min_t_ms = req.digest.first_ms[0] + 1;
    req.max_t_ms = req.digest.first_ms[1] + (int64_t)(n - 1) * step;
    SeriesColumns cols;
    SeriesSet *set;
    size_t left_out = 0, k = 0;
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, NULL), OK);
    assert_int_equal(metrics_store_open_set(w->store, &req, &set, NULL), OK);
    SeriesReader *r = series_reader_create(set, arena);
    for (size_t i = 0; i < set->n; i++) {
        SeriesColumn c;
        assert_int_equal(series_read(r, i, &c, NULL), OK);
        if (c.n) left_out += compare_digest(&req, &cols.v[k++], &c, range);
    }
    assert_int_equal(k, cols.n);
    series_reader_free(r);
    arena_free(arena);
    return left_out;
}

static void test_digests(void **state) {
    (void)state;
    World *w = world_new(17);
    w->store->ops->close(w->store);
    w->opts.partition_ms = (int64_t)60 * 86400000;
    open_store(w);
    for (int i = 0; i < 12; i++) assert_int_equal(random_append(w, 0, N_TIMES, 6000), OK);
    assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
    size_t left_out = 0;
    for (int i = 0; i < 60; i++) {
        int64_t range = (int64_t)(1 + rng_u64(&w->rng) % (N_TIMES * 2)) * w->step / (1 + i % 3);
        int64_t step = (int64_t)(1 + rng_u64(&w->rng) % 4000) * w->step / 2;
        left_out += check_digest(w, 1 + i % 4, range, step, 1 + rng_u64(&w->rng) % 9);
    }
    assert_true(left_out > 10000); /* there is something to it */
    world_free(w);
}

static void test_limits(void **state) {
    (void)state;
    World *w = world_new(8);
    assert_int_equal(random_append(w, 0, 300, 2000), OK);
    Arena *arena = arena_create((size_t)16 << 20), *tiny = arena_create(4096);
    MetricsSelect req = {.min_t_ms = 0, .max_t_ms = INT64_MAX, .arena = arena, .samples_max = 100};
    SeriesColumns cols;
    Err err;
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, &err), ERR_UNPROCESSABLE);
    req.samples_max = 0;
    _Atomic bool cancel = true;
    req.cancel = &cancel;
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, &err), ERR_CANCELLED);
    req.cancel = NULL;
    req.arena = tiny;
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, &err), ERR_TOO_LARGE);
    arena_free(arena);
    arena_free(tiny);
    world_free(w);
}

/* --- limits --- */

static void put_one(World *w, const char *name, const char *value, MetricsAppendResult *ret) {
    Arena *a = arena_create(1 << 20);
    MetricsBatch b = {.arena = a};
    const Label l[] = {{LABEL_NAME_METRIC, str_cstr(name)}, {STR("id"), str_cstr(value)}};
    Err err = {0};
    assert_true(metrics_batch_add(&b, (Labels){l, 2}, clock_now_ms(), 1));
    assert_int_equal(w->store->ops->append(w->store, &b, ret, &err), OK);
    arena_free(a);
}

static void test_series_limits(void **state) {
    (void)state;
    static const struct {
        const char *name, *value;
        bool taken;
        const char *why;
    } cases[] = {
        {"a", "1", true, NULL},
        {"a", "2", true, NULL},
        {"a", "3", false, "metric \"a\" refused: its active series have reached 2"},
        {"a", "1", true, NULL}, /* known ones go on */
        {"b", "1", true, NULL},
        {"b", "too long a value", false, "metric \"b\" refused: a label value is longer than 8"},
        {"c", "1", true, NULL},
        {"d", "1", false, "metric \"d\" refused: active series of all metrics have reached 4"},
    };
    World *w = world_new(9);
    w->store->ops->close(w->store);
    w->opts.limits = (MetricsLimits){.series_max = 4, .series_per_metric_max = 2, .value_bytes_max = 8};
    open_store(w);
    for (int round = 0; round < 2; round++) { /* counts are those of the active head: a new one begins anew */
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            MetricsAppendResult r = {0};
            put_one(w, cases[i].name, cases[i].value, &r);
            assert_int_equal(r.limited, cases[i].taken ? 0 : 1);
            if (!cases[i].taken && !strstr(r.first_error, cases[i].why)) fail_msg("%s", r.first_error);
        }
        MetricsRefused *refused;
        size_t n;
        Arena *a = arena_create(1 << 20);
        assert_true(w->store->ops->refused(w->store, a, &refused, &n));
        assert_int_equal(n, 3);
        assert_true(str_eq_lit(refused[0].metric, "a") && refused[0].refused == 1);
        arena_free(a);
        w->store->ops->close(w->store);
        open_store(w);
    }
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_limits),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_head_and_log),
        cmocka_unit_test(test_random_life),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_matchers),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_delete_and_crash),
        cmocka_unit_test(test_damaged_tombstones),
        cmocka_unit_test(test_damaged_log),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_first_series),
        cmocka_unit_test(test_first_values),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_histograms_and_side),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
