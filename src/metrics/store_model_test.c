/* A store under everything at once - odd labels, histograms, late and contradicting samples, deletions, small heads,
 * power cuts, failing disks - beside a plain model of what it must and may hold. */
#include "metrics/series_set.h"
#include "metrics/store_int.h"
#include "sys/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_SERIES 48
#define N_TIMES 1500
#define N_HISTOGRAMS 6
#define LONG_VALUE 70000
#define MANY_LABELS 90
#define STEP INT64_C(61000)
#define BASE INT64_C(1700000000000)

/* What a place in time may hold: `sure` that it is there, else it may be missing; one of two values when a later one
 * contradicted an earlier one that was in another head. */
typedef struct Cell {
    uint64_t bits, other;       /* of a histogram: which one */
    int64_t start, other_start; /* as with the values: the same value may come again with another start time */
    bool can, sure;
} Cell;

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    MetricsStoreOptions opts;
    Rng rng;
    Arena *arena;
    Labels labels[N_SERIES];
    Histogram histograms[N_HISTOGRAMS];
    Cell floats[N_SERIES][N_TIMES], hists[N_SERIES][N_TIMES];
} World;

/* --- what is put --- */
static const Str odd[] = {STR_INIT("a"), STR_INIT("\xff\xfe"), STR_INIT("\0x\0"), STR_INIT("ü ✓ {}\"\\\n"),
    STR_INIT("a\0"), STR_INIT("A"), STR_INIT(" ")};

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

static Labels odd_labels(World *w, int i) {
    size_t n = i % 9 == 8 ? MANY_LABELS : (size_t)(2 + i % 4);
    Label *l = ARENA_ARRAY(w->arena, Label, n);
    for (size_t k = 0; k < n; k++) {
        char text[32];
        snprintf(text, sizeof text, k % 2 ? "l%zu" : "l\xc3\xa4%zu", k);
        l[k] = (Label){arena_copy(w->arena, str_cstr(text)), odd[(size_t)(i / 2) * (k + 1) % ARRAY_LEN(odd)]};
    }
    l[0].name = LABEL_NAME_METRIC;
    l[1].name = STR("id");
    char id[32];
    snprintf(id, sizeof id, "%d", i);
    l[1].value = arena_copy(w->arena, str_cstr(id));
    if (i % 11 == 10) {
        char *p = arena_alloc(w->arena, LONG_VALUE);
        memset(p, 'a' + i % 20, LONG_VALUE);
        l[n - 1].value = str_of(p, LONG_VALUE);
        if (n == 2) l[0].value = l[1].value, l[1].value = arena_copy(w->arena, str_cstr(id));
    }
    qsort(l, n, sizeof *l, by_name);
    return (Labels){l, n};
}

static void make_histograms(World *w) {
    static const HistogramSpan spans[] = {{-3, 2}, {4, 1}}, custom[] = {{0, 3}};
    static const double counts[] = {1, 0, 7}, bounds[] = {-1, 0.5};
    Histogram exponential = {.schema = 3,
        .count = 8,
        .sum = 1.5,
        .zero_threshold = 1e-9,
        .pos_spans = spans,
        .n_pos_spans = 2,
        .pos = counts,
        .n_pos = 3};
    for (int i = 0; i < N_HISTOGRAMS; i++) w->histograms[i] = exponential;
    Histogram *h = w->histograms;
    h[1].neg_spans = spans, h[1].n_neg_spans = 2, h[1].neg = counts, h[1].n_neg = 3, h[1].count = 16;
    h[2] = (Histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .count = 8,
        .sum = -0.0,
        .pos_spans = custom,
        .n_pos_spans = 1,
        .pos = counts,
        .n_pos = 3,
        .custom_bounds = bounds,
        .n_custom_bounds = 2};
    h[3].reset = HISTOGRAM_RESET_GAUGE, h[3].is_float = true, h[3].zero_count = 0.25;
    h[4] = (Histogram){.sum = stale_nan()};
    h[5].schema = -4, h[5].reset = HISTOGRAM_RESET_NO, h[5].sum = NAN;
}

static uint64_t random_bits(World *w) {
    static const uint64_t special[] = {STALE_NAN_BITS, NORMAL_NAN_BITS, UINT64_C(0x8000000000000000), 0,
        UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000), UINT64_C(0xfff8dead0000beef), 1,
        UINT64_C(0x7fefffffffffffff)};
    uint64_t dice = rng_u64(&w->rng) % 24, bits;
    if (dice < ARRAY_LEN(special)) return special[dice];
    if (dice == 20) return rng_u64(&w->rng);
    double d = dice < 15 ? 42 : (double)(rng_u64(&w->rng) % 100000) / 100;
    memcpy(&bits, &d, 8);
    return bits;
}

/* --- life --- */
static void open_store(World *w) {
    Err err = {0};
    if (metrics_store_open(w->fs, "/data", &w->opts, &w->store, &err) != OK) fail_msg("open: %s", err.msg);
}

static World *world_new(uint64_t seed) {
    World *w = NEW(World);
    w->fs = fs_fault_create(seed);
    w->arena = arena_create(ARENA_UNLIMITED);
    w->opts = (MetricsStoreOptions){.durable = true, .retention_ms = INT64_MAX / 2};
    /* Some with heads so small that replaying fills several. */
    if (seed % 2) w->opts.head_bytes_max = (size_t)150 << 10;
    if (seed % 3 == 0) w->opts.partition_ms = INT64_C(40) * 86400000;
    rng_seed(&w->rng, seed);
    for (int i = 0; i < N_SERIES; i++) w->labels[i] = odd_labels(w, i);
    make_histograms(w);
    open_store(w);
    return w;
}

static void world_free(World *w) {
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    arena_free(w->arena);
    mem_free(w);
}

/* --- appending --- */
typedef struct Sent {
    Cell *cell;
    uint64_t bits;
    int64_t start;
} Sent;

static void note_sent(const Sent *s, bool acknowledged) {
    Cell *c = s->cell;
    if (!c->can) {
        *c = (Cell){s->bits, s->bits, s->start, s->start, true, acknowledged};
    } else {
        c->sure |= acknowledged;
        if (s->bits != c->bits) c->other = s->bits;
        if (s->start != c->start) c->other_start = s->start;
    }
}

/* Series without, with one for long, with one per sample as deltas have it, with odd ones. */
static int64_t start_for(World *w, const Cell *c, int s, int t) {
    if (c->can && c->start != c->other_start) return c->start;
    if (c->can && rng_u64(&w->rng) % 8) return c->start;
    switch (s % 5) {
    case 0: return 0;
    case 1: return BASE + t / 400;
    case 2: return BASE + (t - 1) * STEP;
    case 3: return rng_u64(&w->rng) % 4 ? BASE + t / 30 : 0;
    default: return (int64_t)rng_u64(&w->rng) >> (rng_u64(&w->rng) % 60);
    }
}

/* One value a cell may have besides the first: a third is not sent. */
static uint64_t value_for(World *w, const Cell *c, uint64_t fresh, bool may_contradict) {
    if (!c->can || c->bits != c->other) return c->can ? c->bits : fresh;
    return may_contradict && rng_u64(&w->rng) % 8 == 0 ? fresh : c->bits;
}

static void append_random(World *w, int newest) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsBatch b = {.arena = arena};
    VEC(Sent) sent = {0};
    int first = (int)(rng_u64(&w->rng) % N_SERIES), n = 1 + (int)(rng_u64(&w->rng) % N_SERIES);
    for (int i = 0; i < n; i++) {
        int s = (first + i) % N_SERIES;
        BatchSeries bs = {.labels = w->labels[s], .first_sample = (uint32_t)b.t_ms.n};
        bs.first_histogram = (uint32_t)b.histograms.n;
        int from = rng_u64(&w->rng) % 6 ? newest : (int)(rng_u64(&w->rng) % N_TIMES),
            count = 1 + (int)(rng_u64(&w->rng) % 12);
        bool of_histograms = s % 7 == 6 && rng_u64(&w->rng) % 4;
        for (int t = from; t < from + count && t < N_TIMES; t++) {
            Cell *c = of_histograms ? &w->hists[s][t] : &w->floats[s][t];
            /* Whether a float beside a histogram stays depends on what comes after them. */
            if (of_histograms ? w->floats[s][t].can : w->hists[s][t].can) break;
            Sent x = {c, value_for(w, c, of_histograms ? rng_u64(&w->rng) % N_HISTOGRAMS : random_bits(w), s % 3 == 0),
                start_for(w, c, s, t)};
            vec_push(&sent, x);
            double v;
            memcpy(&v, &x.bits, 8);
            if (of_histograms) {
                assert_true(avec_push(arena, &b.histogram_t_ms, BASE + t * STEP));
                assert_true(avec_push(arena, &b.histograms, w->histograms[x.bits]));
                assert_true(metrics_batch_set_histogram_start(&b, x.start));
                bs.n_histograms++;
            } else {
                assert_true(avec_push(arena, &b.t_ms, BASE + t * STEP) && avec_push(arena, &b.value, v));
                assert_true(metrics_batch_set_start(&b, x.start));
                bs.n_samples++;
            }
        }
        assert_true(avec_push(arena, &b.series, bs));
    }
    MetricsAppendResult res;
    bool ok = w->store->ops->append(w->store, &b, &res, NULL) == OK;
    if (ok) assert_int_equal(res.samples + res.histograms + res.duplicates + res.conflicts, sent.n);
    vec_foreach(const Sent, x, &sent) note_sent(x, ok);
    vec_done(&sent);
    arena_free(arena);
}

/* --- deleting --- */
static void delete_random(World *w) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    int s = (int)(rng_u64(&w->rng) % N_SERIES), from = (int)(rng_u64(&w->rng) % N_TIMES),
        n = (int)(rng_u64(&w->rng) % 200);
    const Matcher *m;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("id"), labels_get(w->labels[s], STR("id")), &m, NULL), OK);
    MetricsSelect req = {.matchers = {&m, 1}, .arena = arena, .min_t_ms = BASE + from * STEP};
    req.max_t_ms = BASE + (from + n) * STEP;
    uint64_t deleted;
    bool ok = w->store->ops->delete_series(w->store, &req, &deleted, NULL) == OK;
    for (int t = from; t <= from + n && t < N_TIMES; t++) {
        w->floats[s][t].sure = w->hists[s][t].sure = false;
        if (ok) w->floats[s][t].can = w->hists[s][t].can = false;
    }
    arena_free(arena);
}

/* --- comparing --- */
static int series_index(const World *w, Labels l) {
    for (int i = 0; i < N_SERIES; i++)
        if (labels_eq(l, w->labels[i])) return i;
    return -1;
}

static const Cell *cell_at(const Cell *row, int64_t t_ms) {
    assert_true((t_ms - BASE) % STEP == 0 && t_ms >= BASE && t_ms < BASE + N_TIMES * STEP);
    return &row[(t_ms - BASE) / STEP];
}

static size_t count_sure(const Cell *row, int from, int to) {
    size_t n = 0;
    for (int t = from; t <= to; t++) n += row[t].sure;
    return n;
}

static void check_start(const Cell *x, const int64_t *starts, size_t i, int s) {
    int64_t start = starts ? starts[i] : 0;
    if (start != x->start && start != x->other_start)
        fail_msg("series %d, sample %zu: start %lld, should be %lld or %lld", s, i, (long long)start,
            (long long)x->start, (long long)x->other_start);
}

static void check_column(const World *w, const SeriesColumn *c, int s, int from, int to) {
    size_t sure = 0;
    for (size_t i = 0; i < c->n; i++) {
        const Cell *x = cell_at(w->floats[s], c->t_ms[i]);
        uint64_t bits;
        memcpy(&bits, &c->value[i], 8);
        if (!x->can || (bits != x->bits && bits != x->other))
            fail_msg("series %d time %d: %llx, can %d %llx %llx", s, (int)((c->t_ms[i] - BASE) / STEP),
                (unsigned long long)bits, x->can, (unsigned long long)x->bits, (unsigned long long)x->other);
        assert_true(!i || c->t_ms[i] > c->t_ms[i - 1]);
        check_start(x, c->start_ms, i, s);
        sure += x->sure;
    }
    if (sure != count_sure(w->floats[s], from, to)) {
        MetricsStoreStats st;
        w->store->ops->stats(w->store, &st);
        fail_msg("series %d: %zu of %zu samples in [%d, %d]; %d damaged parts, %d records, %d torn bytes", s, sure,
            count_sure(w->floats[s], from, to), from, to, (int)st.corrupt_parts, (int)st.wal_corrupt_frames,
            (int)st.wal_torn_bytes);
    }
    sure = 0;
    for (size_t i = 0; i < c->n_histograms; i++) {
        const Cell *x = cell_at(w->hists[s], c->histogram_t_ms[i]);
        const Histogram *h = &c->histograms[i];
        if (!x->can) fail_msg("series %d time %d: a histogram", s, (int)((c->histogram_t_ms[i] - BASE) / STEP));
        assert_true((histogram_eq(h, &w->histograms[x->bits]) || histogram_eq(h, &w->histograms[x->other])));
        assert_true(!i || c->histogram_t_ms[i] > c->histogram_t_ms[i - 1]);
        check_start(x, c->histogram_start_ms, i, s);
        sure += x->sure;
    }
    assert_int_equal(sure, count_sure(w->hists[s], from, to));
}

static void check_labels(World *w, const MetricsSelect *req, const SeriesColumns *cols) {
    Labels *series;
    Str *ids;
    size_t n, n_ids;
    assert_int_equal(w->store->ops->series(w->store, req, 0, &series, &n, NULL), OK);
    assert_int_equal(w->store->ops->label_values(w->store, req, STR("id"), 0, &ids, &n_ids, NULL), OK);
    size_t at = 0, at_id = 0; /* both are sorted; an index may know more than is left */
    for (size_t i = 0; i < cols->n; i++) {
        while (at < n && labels_cmp(series[at], cols->v[i].labels) < 0) at++;
        assert_true(at < n && labels_eq(series[at], cols->v[i].labels));
        for (at_id = 0; at_id < n_ids && !str_eq(ids[at_id], labels_get(cols->v[i].labels, STR("id")));) at_id++;
        assert_true(at_id < n_ids);
    }
}

/* What a window function makes of (min_t, max_t]. */
static bool window_value(const SeriesColumn *c, int kind, int64_t min_t, int64_t max_t, double *ret) {
    bool any = false;
    for (size_t i = 0; i < c->n; i++) {
        double v = c->value[i];
        if (c->t_ms[i] <= min_t || c->t_ms[i] > max_t || is_stale_nan(v)) continue;
        bool take = !any || kind == DIGEST_LAST;
        if (any && kind == DIGEST_MIN) take = v < *ret || *ret != *ret;
        if (any && kind == DIGEST_MAX) take = v > *ret || *ret != *ret;
        if (take) *ret = v;
        any = true;
    }
    return any;
}

static void check_digests(World *w, MetricsSelect req, const SeriesColumns *cols) {
    int64_t range = 1 + (int64_t)(rng_u64(&w->rng) % 400) * STEP;
    req.digest.kind = 1 + rng_u64(&w->rng) % 4;
    req.digest.n = 1 + rng_u64(&w->rng) % 20;
    req.digest.step_ms = 1 + (int64_t)(rng_u64(&w->rng) % 300) * STEP / 2;
    req.digest.first_ms[1] = req.min_t_ms - 1 + range;
    req.digest.first_ms[0] = req.min_t_ms - 1;
    int64_t last = req.digest.first_ms[1] + (int64_t)(req.digest.n - 1) * req.digest.step_ms;
    req.max_t_ms = MIN(req.max_t_ms, last);
    SeriesSet *set;
    assert_int_equal(metrics_store_open_set(w->store, &req, &set, NULL), OK);
    SeriesReader *r = series_reader_create(set, req.arena);
    for (size_t i = 0, k = 0; i < set->n; i++) {
        SeriesColumn c;
        Labels labels;
        assert_int_equal(series_read(r, i, &c, NULL), OK);
        assert_int_equal(series_labels(set, i, req.arena, &labels, NULL), OK);
        while (k < cols->n && labels_cmp(cols->v[k].labels, labels) < 0) k++;
        bool same = k < cols->n && labels_eq(cols->v[k].labels, labels);
        assert_true(same || c.n == 0);
        if (!same) continue;
        for (size_t j = 0; j < req.digest.n; j++) {
            int64_t to = req.digest.first_ms[1] + (int64_t)j * req.digest.step_ms;
            double a = 0, b = 0;
            if (to > req.max_t_ms) break;
            assert_int_equal(window_value(&cols->v[k], req.digest.kind, to - range, to, &a),
                window_value(&c, req.digest.kind, to - range, to, &b));
            assert_true(memcmp(&a, &b, sizeof a) == 0 || a == b || (a != a && b != b));
        }
    }
    series_reader_free(r);
}

static MetricsSelect check_values(World *w, int from, int to, Arena *arena, SeriesColumns *cols) {
    MetricsSelect req = {.arena = arena, .min_t_ms = BASE + from * STEP, .max_t_ms = BASE + to * STEP, .starts = true};
    Err err = {0};
    if (w->store->ops->select(w->store, &req, cols, &err) != OK) fail_msg("select: %s", err.msg);
    bool seen[N_SERIES] = {false};
    for (size_t i = 0; i < cols->n; i++) {
        int s = series_index(w, cols->v[i].labels);
        assert_true(s >= 0 && !seen[s]);
        seen[s] = true;
        check_column(w, &cols->v[i], s, from, to);
    }
    for (int s = 0; s < N_SERIES; s++)
        if (!seen[s]) assert_int_equal(count_sure(w->floats[s], from, to) + count_sure(w->hists[s], from, to), 0);
    return req;
}

/* The same series by series. */
static void check_set(World *w, MetricsSelect req, int from, int to) {
    SeriesSet *set;
    assert_int_equal(metrics_store_open_set(w->store, &req, &set, NULL), OK);
    SeriesReader *r = series_reader_create(set, req.arena);
    for (size_t i = 0; i < set->n; i++) {
        SeriesColumn c;
        Labels labels;
        assert_int_equal(series_read(r, i, &c, NULL), OK);
        assert_int_equal(series_labels(set, i, req.arena, &labels, NULL), OK);
        check_column(w, &c, series_index(w, labels), from, to);
    }
    series_reader_free(r);
}

static void check(World *w, int from, int to) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SeriesColumns cols;
    MetricsSelect req = check_values(w, from, to, arena, &cols);
    check_set(w, req, from, to);
    check_labels(w, &req, &cols);
    req.starts = false;
    for (int i = 0; i < 3; i++) check_digests(w, req, &cols);
    arena_free(arena);
    MetricsStoreStats stats;
    w->store->ops->stats(w->store, &stats);
    assert_int_equal(stats.corrupt_parts, 0);
}

/* Everything that is answered, to be compared. */
static void put_answers(World *w, Buf *out) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsSelect all = {.arena = arena, .min_t_ms = BASE, .max_t_ms = BASE + N_TIMES * STEP, .starts = true};
    SeriesColumns cols;
    assert_int_equal(w->store->ops->select(w->store, &all, &cols, NULL), OK);
    for (size_t i = 0; i < cols.n; i++) {
        const SeriesColumn *c = &cols.v[i];
        if (c->n + c->n_histograms == 0) continue;
        buf_printf(out, "%d:", series_index(w, c->labels));
        for (size_t k = 0; k < c->n; k++) {
            buf_put_u64le(out, (uint64_t)c->t_ms[k]);
            buf_put(out, (const char *)&c->value[k], sizeof c->value[k]);
            buf_put_u64le(out, c->start_ms ? (uint64_t)c->start_ms[k] : 0);
        }
        for (size_t k = 0; k < c->n_histograms; k++) {
            buf_put_u64le(out, (uint64_t)c->histogram_t_ms[k]);
            histogram_encode(out, &c->histograms[k]);
            buf_put_u64le(out, c->histogram_start_ms ? (uint64_t)c->histogram_start_ms[k] : 0);
        }
    }
    arena_free(arena);
}

/* --- the tests --- */
static void merge_all(World *w) {
    bool did = true;
    while (did && store_merge_once(CONTAINER_OF(w->store, EmbeddedStore, base), &did, NULL) == OK) {
    }
}

/* Nothing is written after the power cut: threads that were at work find a dead disk. */
static void cut_power(World *w) {
    fs_fault_power_off(w->fs);
    w->store->ops->close(w->store);
    fs_fault_arm(w->fs, FAULT_NONE, 0, false);
}

static void reopen(World *w, bool cut) {
    if (cut)
        cut_power(w);
    else
        w->store->ops->close(w->store);
    open_store(w);
}

static void set_same_rules(World *w) {
    MetricsKeepRule keep = {.keep_ms = INT64_MAX / 4};
    (void)w->store->ops->set_rules(w->store, &(MetricsRules){.keep = &keep, .n_keep = 1}, NULL);
}

/* What changes where samples are, but not what is answered: not even which of two that contradict one another. */
static void keep_house(World *w, uint64_t what) {
    switch (what) {
    case 0:
    case 1: (void)w->store->ops->flush(w->store, NULL); return;
    case 2: merge_all(w); return;
    case 3: (void)w->store->ops->clean_tombstones(w->store, NULL); return;
    case 4: set_same_rules(w); return;
    default: reopen(w, false); return;
    }
}

static void one_step(World *w, int i, int steps, bool faults) {
    uint64_t dice = rng_u64(&w->rng) % 21;
    if (dice > 6) {
        append_random(w, i * (N_TIMES - 20) / steps);
    } else if (dice == 6) {
        delete_random(w);
    } else if (faults) {
        if (dice < 5) keep_house(w, dice);
    } else {
        Buf before = {0}, after = {0};
        put_answers(w, &before);
        keep_house(w, dice);
        put_answers(w, &after);
        if (!str_eq(buf_str(&before), buf_str(&after)))
            fail_msg("step %d, doing %d: other answers than before", i, (int)dice);
        buf_done(&before);
        buf_done(&after);
    }
}

static void live(uint64_t seed, int steps, bool faults) {
    World *w = world_new(seed);
    for (int i = 0; i < steps; i++) {
        if (faults && i % 10 == 3) {
            FaultKind kind = FAULT_EIO + (FaultKind)(rng_u64(&w->rng) % 3);
            fs_fault_arm(w->fs, kind, 1 + rng_u64(&w->rng) % 30, rng_u64(&w->rng) % 2);
        }
        one_step(w, i, steps, faults);
        if (i % 10 == 8) {
            int from = (int)(rng_u64(&w->rng) % (N_TIMES - 300));
            fs_fault_arm(w->fs, FAULT_NONE, 0, false);
            check(w, from, from + 299);
            if (rng_u64(&w->rng) % 2) reopen(w, rng_u64(&w->rng) % 3);
            check(w, from, from + 299);
        }
    }
    fs_fault_arm(w->fs, FAULT_NONE, 0, false);
    check(w, 0, N_TIMES - 1);
    reopen(w, true);
    check(w, 0, N_TIMES - 1);
    reopen(w, false);
    merge_all(w);
    check(w, 0, N_TIMES - 1);
    world_free(w);
}

static void test_sound_disk(void **state) {
    (void)state;
    const char *more = getenv("MEERKAT_TEST_SEEDS");
    for (uint64_t seed = 1; seed <= (more ? strtoull(more, NULL, 10) : 6); seed++) live(seed, 150, false);
}

static void test_failing_disk(void **state) {
    (void)state;
    const char *more = getenv("MEERKAT_TEST_SEEDS");
    for (uint64_t seed = 101; seed <= 100 + (more ? strtoull(more, NULL, 10) : 6); seed++) live(seed, 150, true);
}

/* --- damage --- */
typedef struct Pick {
    World *w;
    const char *dir;
    char path[FS_PATH_MAX];
    uint64_t size, seen;
} Pick;

static bool pick_one(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Pick *p = ctx;
    char text[256];
    if (is_dir || !size_bytes || str_ends_with(name, STR(".bad")) || rng_u64(&p->w->rng) % ++p->seen) return true;
    snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    fs_path_join(p->path, p->dir, text);
    p->size = size_bytes;
    return true;
}

/* Flips a bit of some file; only in the first copy of what is kept twice. */
static void flip_somewhere(World *w) {
    static const char *const dirs[] = {"/data", "/data/parts", "/data/wal", "/data/wal"};
    Pick p = {.w = w, .dir = dirs[rng_u64(&w->rng) % ARRAY_LEN(dirs)]};
    assert_int_equal(w->fs->ops->list(w->fs, p.dir, pick_one, &p, NULL), OK);
    if (!p.seen) return;
    bool twice = strstr(p.path, "MANIFEST") || strstr(p.path, "TOMBSTONES");
    fs_fault_flip_bit(w->fs, p.path, rng_u64(&w->rng) % (8 * p.size / (twice ? 2 : 1)));
}

static void forget_what_is_missing(World *w) {
    for (int s = 0; s < N_SERIES; s++)
        for (int t = 0; t < N_TIMES; t++) w->floats[s][t].sure = w->hists[s][t].sure = false;
}

/* What was said to be there is there, or damage is reported; nothing is there that was never sent. */
static void test_flipped_bits(void **state) {
    (void)state;
    const char *more = getenv("MEERKAT_TEST_SEEDS");
    for (uint64_t seed = 201; seed <= 200 + (more ? strtoull(more, NULL, 10) : 6); seed++) {
        World *w = world_new(seed);
        for (int i = 0; i < 40; i++) {
            for (int k = 0; k < 6; k++) append_random(w, (i * 6 + k) * 6);
            if (i % 3 == 0) (void)w->store->ops->flush(w->store, NULL);
            if (i % 9 == 1) delete_random(w);
            append_random(w, i * 36);
            cut_power(w); /* closing would leave no log to be damaged */
            flip_somewhere(w);
            open_store(w);
            MetricsStoreStats stats;
            Arena *arena = arena_create(ARENA_UNLIMITED);
            MetricsSelect all = {.arena = arena, .min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .starts = true};
            SeriesColumns cols;
            assert_int_equal(w->store->ops->select(w->store, &all, &cols, NULL), OK);
            w->store->ops->stats(w->store, &stats);
            if (stats.corrupt_parts + stats.wal_corrupt_frames + stats.wal_torn_bytes) forget_what_is_missing(w);
            (void)check_values(w, 0, N_TIMES - 1, arena, &cols);
            arena_free(arena);
            (void)w->store->ops->flush(w->store, NULL); /* the manifest is whole again */
        }
        world_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_disk),
        cmocka_unit_test(test_failing_disk),
        cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
