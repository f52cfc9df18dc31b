/* Retention and downsampling by selector, rewriting of deleted samples, visiting. */
#include "metrics/store_int.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    Arena *arena;
    int64_t now;
} World;

static Matchers matchers(Arena *a, MatchType type, const char *name, const char *value) {
    const Matcher **v = ARENA_ARRAY(a, const Matcher *, 1);
    assert_int_equal(matcher_create(a, type, str_cstr(name), str_cstr(value), v, NULL), OK);
    return (Matchers){v, 1};
}

static World open_world(const MetricsRules *rules, int64_t retention_ms) {
    World w = {.fs = fs_fault_create(1), .arena = arena_create(ARENA_UNLIMITED), .now = clock_now_ms()};
    /* Only the tests merge: what they count must not change between two looks. */
    MetricsStoreOptions o = {.durable = true, .retention_ms = retention_ms, .no_maintenance = true};
    if (rules) o.rules = *rules;
    assert_int_equal(metrics_store_open(w.fs, "/data", &o, &w.store, NULL), OK);
    return w;
}

static void close_world(World *w) {
    arena_free(w->arena);
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
}

/* One sample a minute from `from` to `to` (ages), value by fn. */
static void put(World *w, const char *name, int64_t from_age, int64_t to_age, double (*fn)(int64_t i)) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsBatch b = {.arena = a};
    Label l = {LABEL_NAME_METRIC, str_cstr(name)};
    int64_t start = (w->now - from_age) / 60000 * 60000;
    for (int64_t i = 0; start + i * 60000 <= w->now - to_age; i++)
        assert_true(metrics_batch_add(&b, (Labels){&l, 1}, start + i * 60000, fn(i)));
    MetricsAppendResult r;
    assert_int_equal(w->store->ops->append(w->store, &b, &r, NULL), OK);
    assert_int_equal(r.samples, b.t_ms.n);
    arena_free(a);
}

static SeriesColumn get(World *w, const char *name) {
    MetricsSelect req = {.matchers = matchers(w->arena, MATCH_EQ, "__name__", name), .min_t_ms = 0};
    req.max_t_ms = INT64_MAX;
    req.arena = w->arena;
    SeriesColumns c;
    assert_int_equal(w->store->ops->select(w->store, &req, &c, NULL), OK);
    assert_true(c.n <= 1);
    return c.n ? c.v[0] : (SeriesColumn){0};
}

static void merge_all(World *w) {
    EmbeddedStore *s = CONTAINER_OF(w->store, EmbeddedStore, base);
    assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
    mutex_lock(&s->merge_lock);
    u64map_clear(s->rules_checked); /* the background thread may have looked before the flush */
    mutex_unlock(&s->merge_lock);
    for (bool did = true; did;) assert_int_equal(store_merge_once(s, &did, NULL), OK);
}

static double rising(int64_t i) { return (double)i; }
static double sawtooth(int64_t i) { return (double)(i % 7); }

static void test_keep(void **state) {
    (void)state;
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsKeepRule keep[] = {{matchers(a, MATCH_EQ, "__name__", "short"), 2 * HOUR},
        {matchers(a, MATCH_RE, "__name__", "long.*|short"), 30 * DAY}};
    World w = open_world(&(MetricsRules){.keep = keep, .n_keep = 2}, 5 * DAY);
    arena_free(a); /* the rules were copied */
    put(&w, "short", 4 * DAY, 3 * DAY, rising);
    put(&w, "short", HOUR, 0, rising);
    put(&w, "normal", 4 * DAY, 3 * DAY, rising);
    put(&w, "normal", 12 * DAY, 11 * DAY, rising); /* accepted, because something is kept so long */
    put(&w, "longer", 12 * DAY, 11 * DAY, rising);
    merge_all(&w);
    SeriesColumn s = get(&w, "short"), n = get(&w, "normal"), l = get(&w, "longer");
    assert_int_equal(s.n, 61);
    assert_true(s.t_ms[0] >= w.now - 2 * HOUR);
    assert_int_equal(n.n, 24 * 60 + 1);
    assert_true(n.t_ms[0] >= w.now - 5 * DAY);
    assert_int_equal(l.n, 24 * 60 + 1);
    MetricsStoreStats stats;
    w.store->ops->stats(w.store, &stats);
    assert_true(stats.rules_parts_rewritten > 0 && stats.rules_samples_dropped > 0);
    close_world(&w);
}

static void test_new_rules_reach_merged_parts(void **state) {
    (void)state;
    World w = open_world(NULL, 50 * DAY);
    put(&w, "a", 10 * DAY, 6 * DAY, rising);
    put(&w, "b", 10 * DAY, 6 * DAY, rising);
    merge_all(&w);
    assert_int_equal(get(&w, "a").n, 4 * 24 * 60 + 1);
    MetricsKeepRule keep[] = {{matchers(w.arena, MATCH_EQ, "__name__", "a"), DAY}};
    assert_int_equal(w.store->ops->set_rules(w.store, &(MetricsRules){.keep = keep, .n_keep = 1}, NULL), OK);
    merge_all(&w);
    assert_int_equal(get(&w, "a").n, 0);
    assert_int_equal(get(&w, "b").n, 4 * 24 * 60 + 1);
    close_world(&w);
}

/* Growth as PromQL's increase counts it. */
static double increase(const SeriesColumn *s) {
    double sum = 0;
    for (size_t i = 1; i < s->n; i++)
        sum += s->value[i] < s->value[i - 1] ? s->value[i] : s->value[i] - s->value[i - 1];
    return sum;
}

/* Parts end with the day. One of at most three samples a series is not worth a rewriting and stays as it is: when the
 * data begin or end within that of midnight. */
static bool in_small_part(int64_t t_ms) { return t_ms % DAY >= DAY - 3 * 60000 || t_ms % DAY < 3 * 60000; }

static void downsample_now(void) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsDownsampleRule thin[] = {{matchers(a, MATCH_RE, "__name__", ".+"), 3 * DAY, 10 * 60000},
        {matchers(a, MATCH_RE, "__name__", ".+"), 8 * DAY, HOUR}};
    World w = open_world(&(MetricsRules){.downsample = thin, .n_downsample = 2}, 50 * DAY);
    put(&w, "c_total", 5 * DAY, 4 * DAY, sawtooth);
    put(&w, "gauge", 5 * DAY, 4 * DAY, sawtooth);
    put(&w, "steady_total", 12 * DAY, 10 * DAY, rising);
    put(&w, "fresh", HOUR, 0, rising);
    SeriesColumn c = get(&w, "c_total");
    double before = increase(&c);
    merge_all(&w);
    c = get(&w, "c_total");
    SeriesColumn g = get(&w, "gauge"), steady = get(&w, "steady_total"), fresh = get(&w, "fresh");
    assert_int_equal(fresh.n, 61);
    assert_true(g.n >= 145 && g.n <= 148);
    if (!in_small_part(w.now)) assert_true(g.n <= 146);
    assert_true(c.n > g.n && c.n < 3 * 206 + g.n);
    assert_true(before == increase(&c));           /* no growth is lost */
    assert_true(steady.n >= 48 && steady.n <= 56); /* and the first one of each day's part */
    for (size_t i = 1; i + 1 < steady.n; i++)
        assert_true(steady.t_ms[i] % HOUR == 59 * 60000 || steady.t_ms[i] % DAY == 0 || in_small_part(steady.t_ms[i]));
    /* Once more: nothing changes, nothing is rewritten for ever. */
    MetricsStoreStats first, second;
    w.store->ops->stats(w.store, &first);
    EmbeddedStore *s = CONTAINER_OF(w.store, EmbeddedStore, base);
    for (bool did = true; did;) assert_int_equal(store_merge_once(s, &did, NULL), OK);
    w.store->ops->stats(w.store, &second);
    assert_int_equal(first.rules_parts_rewritten, second.rules_parts_rewritten);
    SeriesColumn again = get(&w, "c_total");
    assert_int_equal(again.n, c.n);
    arena_free(a);
    close_world(&w);
}

/* A counter that is started anew behind the back of its values, once a day: both sides of each start stay. */
static void test_downsample_starts(void **state) {
    (void)state;
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsDownsampleRule rule = {.after_ms = DAY, .resolution_ms = 6 * HOUR};
    rule.matchers = matchers(a, MATCH_EQ, "__name__", "c_total");
    clock_fake_set(INT64_C(1700000000) * 1000000000);
    World w = open_world(&(MetricsRules){.downsample = &rule, .n_downsample = 1}, 400 * DAY);
    MetricsBatch b = {.arena = a};
    Label l = {LABEL_NAME_METRIC, STR("c_total")};
    int64_t first = (w.now - 6 * DAY) / DAY * DAY;
    for (int64_t i = 0; i < 4 * 24 * 60; i++) {
        assert_true(metrics_batch_add(&b, (Labels){&l, 1}, first + i * 60000, (double)i));
        assert_true(metrics_batch_set_start(&b, first - HOUR + (i + 90) / 1440 * DAY));
    }
    MetricsAppendResult r;
    assert_int_equal(w.store->ops->append(w.store, &b, &r, NULL), OK);
    merge_all(&w);
    MetricsSelect req = {.matchers = rule.matchers, .max_t_ms = INT64_MAX, .arena = w.arena, .starts = true};
    SeriesColumns c;
    assert_int_equal(w.store->ops->select(w.store, &req, &c, NULL), OK);
    assert_true(c.n == 1 && c.v[0].n < 100 && c.v[0].start_ms);
    size_t changes = 0;
    for (size_t i = 0; i < c.v[0].n; i++) {
        int64_t at = (c.v[0].t_ms[i] - first) / 60000;
        assert_int_equal(c.v[0].start_ms[i], first - HOUR + (at + 90) / 1440 * DAY);
        if (!i || c.v[0].start_ms[i] == c.v[0].start_ms[i - 1]) continue;
        changes++;
        assert_int_equal(c.v[0].t_ms[i] - c.v[0].t_ms[i - 1], 60000);
    }
    assert_int_equal(changes, 4);
    arena_free(a);
    close_world(&w);
    clock_fake_off();
}

/* At any time of the day: parts and intervals lie differently then. */
static void test_downsample(void **state) {
    (void)state;
    for (int64_t k = 0; k < 24; k++) {
        clock_fake_set((INT64_C(1700000000) + k * 3717) * 1000000000);
        downsample_now();
    }
    for (int64_t minute = -5; minute <= 5; minute++) { /* around midnight */
        clock_fake_set((INT64_C(1700006400) + minute * 60 + 3) * 1000000000);
        downsample_now();
    }
    clock_fake_off();
}

static void test_clean_tombstones(void **state) {
    (void)state;
    World w = open_world(NULL, 50 * DAY);
    put(&w, "a", 5 * DAY, 4 * DAY, rising);
    put(&w, "b", 5 * DAY, 4 * DAY, rising);
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK);
    MetricsSelect req = {.matchers = matchers(w.arena, MATCH_EQ, "__name__", "a"), .max_t_ms = INT64_MAX};
    req.arena = w.arena;
    uint64_t n;
    assert_int_equal(w.store->ops->delete_series(w.store, &req, &n, NULL), OK);
    assert_int_equal(get(&w, "a").n, 0);
    assert_int_equal(w.store->ops->clean_tombstones(w.store, NULL), OK);
    EmbeddedStore *s = CONTAINER_OF(w.store, EmbeddedStore, base);
    assert_int_equal(s->tombs->n, 0);
    PartSnapshot snap;
    uint64_t rows = 0;
    partset_snapshot(s->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) rows += snap.v[i].info.rows;
    partset_release(s->parts, &snap);
    assert_int_equal(rows, 24 * 60 + 1);
    assert_int_equal(get(&w, "a").n, 0);
    assert_int_equal(get(&w, "b").n, 24 * 60 + 1);
    close_world(&w);
}

typedef struct Seen {
    size_t series, samples, stop_after;
    char last[32];
} Seen;

static bool visit_one(void *ctx, const SeriesColumn *c) {
    Seen *s = ctx;
    Str name = labels_get(c->labels, LABEL_NAME_METRIC);
    assert_true(str_cmp(str_cstr(s->last), name) < 0);
    snprintf(s->last, sizeof s->last, "%.*s", (int)name.n, name.p);
    s->samples += c->n;
    return ++s->series != s->stop_after;
}

static void test_visit(void **state) {
    (void)state;
    World w = open_world(NULL, 50 * DAY);
    put(&w, "a", 5 * DAY, 4 * DAY, rising);
    put(&w, "b", 5 * DAY, 4 * DAY, rising);
    assert_int_equal(w.store->ops->flush(w.store, NULL), OK);
    put(&w, "b", HOUR, 0, rising);
    put(&w, "c", HOUR, 0, rising);
    MetricsSelect req = {.max_t_ms = INT64_MAX, .arena = w.arena};
    Seen all = {0}, parts = {0}, one = {.stop_after = 1};
    assert_int_equal(w.store->ops->visit(w.store, &req, false, visit_one, &all, NULL), OK);
    assert_int_equal(all.series, 3);
    assert_int_equal(all.samples, 2 * 1441 + 2 * 61);
    assert_int_equal(w.store->ops->visit(w.store, &req, true, visit_one, &parts, NULL), OK);
    assert_int_equal(parts.series, 2);
    assert_int_equal(parts.samples, 2 * 1441);
    assert_int_equal(w.store->ops->visit(w.store, &req, false, visit_one, &one, NULL), OK);
    assert_int_equal(one.series, 1);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_new_rules_reach_merged_parts),
        cmocka_unit_test(test_downsample),
        cmocka_unit_test(test_downsample_starts),
        cmocka_unit_test(test_clean_tombstones),
        cmocka_unit_test(test_visit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
