/* The embedded store against a list of rows: whatever is appended, flushed, merged, deleted and reopened, select gives
 * exactly the rows of the list, each once, in order of time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "logs/log_store.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define T0 INT64_C(1700000000000000000)
#define SEC INT64_C(1000000000)

typedef struct ModelRow {
    int64_t t_ns;
    unsigned stream, n; /* the line is made of n */
} ModelRow;

typedef struct Model {
    Fs *fs;
    LogStore *store;
    VEC(ModelRow) rows;
    Rng rng;
} Model;

static const LogStoreOptions test_opts = {.durable = true, .head_bytes_max = 1u << 20};

static void model_open(Model *m) {
    Err err = {0};
    if (log_store_open(m->fs, "logs", &test_opts, &m->store, &err) != OK) fail_msg("open: %s", err.msg);
}

static void model_reopen(Model *m) {
    m->store->ops->close(m->store);
    model_open(m);
}

static Label *stream_labels(Arena *arena, unsigned stream) {
    Label *l = ARENA_ARRAY(arena, Label, 2);
    l[0] = (Label){STR("app"), arena_printf(arena, "app-%u", stream % 3)};
    l[1] = (Label){STR("pod"), arena_printf(arena, "pod-%u", stream)};
    return l;
}

static Str row_line(Arena *arena, unsigned n) {
    return arena_printf(arena, "request %u took %ums user=%x", n, n * 7 % 997, n * 2654435761u);
}

static void batch_add(LogsBatch *b, const ModelRow *r) {
    if (b->streams.n == 0)
        for (unsigned i = 0; i < 16; i++)
            assert_true(avec_push(b->arena, &b->streams, ((Labels){stream_labels(b->arena, i), 2})));
    LogRow row = {.stream = r->stream, .t_ns = r->t_ns, .line = row_line(b->arena, r->n)};
    row.metadata = (AttrRange){(uint32_t)b->attrs.n, 3};
    Attr a[3] = {{STR("trace_id"), {.type = ATTR_STR, .s = arena_printf(b->arena, "%032x", r->n)}},
        {STR("level"), {.type = ATTR_STR, .s = r->n % 2 ? STR("info") : STR("error")}},
        {STR("size"), {.type = ATTR_I64, .i = (int64_t)r->n}}};
    for (size_t i = 0; i < 3; i++) assert_true(avec_push(b->arena, &b->attrs, a[i]));
    assert_true(avec_push(b->arena, &b->rows, row));
}

static void append_rows(Model *m, const ModelRow *rows, size_t n, uint64_t expect_rows) {
    LogsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    for (size_t i = 0; i < n; i++) batch_add(&b, &rows[i]);
    LogAppendResult res;
    Err err = {0};
    if (m->store->ops->append(m->store, &b, &res, &err) != OK) fail_msg("append: %s", err.msg);
    assert_int_equal(res.rows, expect_rows);
    assert_int_equal(res.rows + res.duplicates, n);
    arena_free(b.arena);
}

/* Appends n fresh rows: mostly in order, some far back, some days ago. */
static void model_append(Model *m, size_t n) {
    size_t first = m->rows.n;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = rng_u64(&m->rng);
        int64_t t = T0 + (int64_t)m->rows.n * SEC / 100;
        if (r % 16 == 0) t -= (int64_t)(r >> 8) % (3600 * SEC);
        if (r % 64 == 1) t -= (int64_t)(r >> 8) % (86400 * SEC * 3);
        t -= t % 1000;
        if (r % 8 == 2) t -= t % SEC; /* many rows share a time */
        ModelRow row = {t, (unsigned)(r >> 40) % 16, (unsigned)m->rows.n};
        vec_push(&m->rows, row);
    }
    append_rows(m, m->rows.v + first, n, n);
}

/* --- checking --- */

typedef struct Check {
    const Model *m;
    Arena *arena;
    uint8_t *found;
    int64_t last_t;
    bool backward, any_order;
    size_t n, limit;
} Check;

static bool check_row(void *ctx, const LogView *v) {
    Check *c = ctx;
    unsigned n;
    char line[128];
    assert_true(v->line.n < sizeof line);
    memcpy(line, v->line.p, v->line.n);
    line[v->line.n] = 0;
    assert_int_equal(sscanf(line, "request %u ", &n), 1);
    assert_true(n < c->m->rows.n);
    const ModelRow *r = &c->m->rows.v[n];
    arena_reset(c->arena);
    assert_true(str_eq(v->line, row_line(c->arena, n)));
    assert_int_equal(v->t_ns, r->t_ns);
    assert_true(labels_eq(v->stream, (Labels){stream_labels(c->arena, r->stream), 2}));
    assert_int_equal(v->n_metadata, 3);
    assert_true(str_eq_lit(v->metadata[0].key, "level") && str_eq_lit(v->metadata[1].key, "size"));
    assert_int_equal(v->metadata[1].value.i, n);
    assert_true(str_eq(v->metadata[2].value.s, arena_printf(c->arena, "%032x", n)));
    assert_int_equal(c->found[n], 0);
    c->found[n] = 1;
    if (c->n > 0 && !c->any_order) assert_true(c->backward ? v->t_ns <= c->last_t : v->t_ns >= c->last_t);
    c->last_t = v->t_ns;
    return ++c->n != c->limit;
}

static void check_select(
    const Model *m, const char *app, int64_t start, int64_t end, bool backward, bool any_order, size_t limit) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Check c = {
        .m = m, .arena = arena_create(ARENA_UNLIMITED), .backward = backward, .any_order = any_order, .limit = limit};
    c.found = arena_alloc_zero(arena, m->rows.n + 1);
    const Matcher *matcher = NULL;
    if (app) assert_int_equal(matcher_create(arena, MATCH_EQ, STR("app"), str_cstr(app), &matcher, NULL), OK);
    LogSelect req = {.matchers = {&matcher, app ? 1 : 0},
        .start_ns = start,
        .end_ns = end,
        .backward = backward,
        .arena = arena,
        .any_order = any_order};
    LogScanStats stats = {0};
    Err err = {0};
    if (m->store->ops->select(m->store, &req, check_row, &c, &stats, &err) != OK) fail_msg("select: %s", err.msg);
    size_t expected = 0, newer = 0;
    for (size_t i = 0; i < m->rows.n; i++) {
        const ModelRow *r = &m->rows.v[i];
        char name[16];
        (void)snprintf(name, sizeof name, "app-%u", r->stream % 3);
        bool want = r->t_ns >= start && r->t_ns < end && (!app || strcmp(app, name) == 0);
        expected += want;
        if (!limit || c.n < limit)
            assert_int_equal(c.found[i], want);
        else if (want && !c.found[i] && !any_order)
            newer += backward ? r->t_ns > c.last_t : r->t_ns < c.last_t;
        if (!want) assert_int_equal(c.found[i], 0);
    }
    assert_int_equal(newer, 0);
    assert_int_equal(c.n, limit ? MIN(limit, expected) : expected);
    assert_int_equal(stats.corrupt_blocks, 0);
    arena_free(c.arena);
    arena_free(arena);
}

static void check_all(const Model *m) {
    check_select(m, NULL, INT64_MIN, INT64_MAX, false, false, 0);
    check_select(m, NULL, INT64_MIN, INT64_MAX, true, false, 0);
    check_select(m, "app-1", INT64_MIN, INT64_MAX, true, false, 0);
    check_select(m, "app-2", T0 + 3 * SEC, T0 + 17 * SEC, false, false, 0);
    check_select(m, NULL, T0 - 86400 * SEC, T0 + 5 * SEC, true, true, 0);
    check_select(m, NULL, INT64_MIN, INT64_MAX, true, false, 10);
    check_select(m, "app-0", T0, T0 + 60 * SEC, false, false, 7);
}

static int setup(void **state) {
    Model *m = NEW(Model);
    rng_seed(&m->rng, 42);
    clock_fake_set(T0 + 7200 * SEC);
    m->fs = fs_fault_create(1);
    model_open(m);
    *state = m;
    return 0;
}

static int teardown(void **state) {
    Model *m = *state;
    if (m->store) m->store->ops->close(m->store);
    fs_fault_free(m->fs);
    vec_done(&m->rows);
    mem_free(m);
    clock_fake_off();
    return 0;
}

static void test_model(void **state) {
    Model *m = *state;
    check_all(m);
    for (int round = 0; round < 6; round++) {
        model_append(m, 37);
        check_all(m);
        model_append(m, 2000);
        check_all(m);
        Err err = {0};
        if (round % 2 == 0 && m->store->ops->flush(m->store, &err) != OK) fail_msg("flush: %s", err.msg);
        check_all(m);
        if (round == 3) model_reopen(m);
        check_all(m);
    }
    LogStoreStats st;
    m->store->ops->stats(m->store, &st);
    assert_int_equal(st.rows_total, m->rows.n);
    assert_true(st.parts > 0 && st.bytes_on_disk > 0);
}

static void test_duplicates(void **state) {
    Model *m = *state;
    model_append(m, 500);
    append_rows(m, m->rows.v, m->rows.n, 0); /* in memory */
    assert_int_equal(m->store->ops->flush(m->store, NULL), OK);
    append_rows(m, m->rows.v, m->rows.n, 0); /* just flushed */
    model_append(m, 100);
    append_rows(m, m->rows.v, m->rows.n, 0); /* both */
    check_all(m);
}

static void test_old_and_new(void **state) {
    Model *m = *state;
    ModelRow rows[] = {{clock_now_ns() - 31 * 86400 * SEC, 0, 0}, {clock_now_ns() + 11 * 60 * SEC, 0, 1}};
    LogsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    batch_add(&b, &rows[0]);
    batch_add(&b, &rows[1]);
    LogAppendResult res;
    assert_int_equal(m->store->ops->append(m->store, &b, &res, NULL), OK);
    assert_int_equal(res.rows, 0);
    assert_int_equal(res.too_old, 1);
    assert_int_equal(res.too_new, 1);
    assert_non_null(strstr(res.first_error, "has timestamp too old: 2023-10-15"));
    arena_free(b.arena);
    check_all(m);
}

static void test_names(void **state) {
    Model *m = *state;
    for (int flushed = 0; flushed < 2; flushed++) {
        if (flushed == 0)
            model_append(m, 1000);
        else
            assert_int_equal(m->store->ops->flush(m->store, NULL), OK);
        Arena *arena = arena_create(ARENA_UNLIMITED);
        const Matcher *matcher;
        assert_int_equal(matcher_create(arena, MATCH_RE, STR("pod"), STR("pod-[0-9]"), &matcher, NULL), OK);
        LogSelect req = {.matchers = {&matcher, 1}, .start_ns = INT64_MIN, .end_ns = INT64_MAX, .arena = arena};
        Str *names;
        Labels *streams;
        LogStreamStat *stats;
        size_t n;
        assert_int_equal(m->store->ops->label_names(m->store, &req, &names, &n, NULL), OK);
        assert_int_equal(n, 2);
        assert_true(str_eq_lit(names[0], "app") && str_eq_lit(names[1], "pod"));
        assert_int_equal(m->store->ops->label_values(m->store, &req, STR("pod"), &names, &n, NULL), OK);
        assert_int_equal(n, 10);
        assert_true(str_eq_lit(names[9], "pod-9"));
        assert_int_equal(m->store->ops->streams(m->store, &req, &streams, &n, NULL), OK);
        assert_int_equal(n, 10);
        assert_int_equal(m->store->ops->stream_stats(m->store, &req, &stats, &n, NULL), OK);
        uint64_t entries = 0, expected = 0;
        for (size_t i = 0; i < n; i++) entries += stats[i].entries;
        for (size_t i = 0; i < m->rows.n; i++) expected += m->rows.v[i].stream < 10;
        assert_int_equal(entries, expected);
        req.end_ns = T0 - 365 * 86400 * SEC;
        assert_int_equal(m->store->ops->label_names(m->store, &req, &names, &n, NULL), OK);
        assert_int_equal(n, 0);
        arena_free(arena);
    }
}

static void test_delete(void **state) {
    Model *m = *state;
    model_append(m, 3000);
    assert_int_equal(m->store->ops->flush(m->store, NULL), OK);
    model_append(m, 500);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const Matcher *matcher;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("app"), STR("app-1"), &matcher, NULL), OK);
    LogSelect req = {.matchers = {&matcher, 1}, .start_ns = T0, .end_ns = T0 + 20 * SEC, .arena = arena};
    uint64_t deleted, expected = 0;
    Err err = {0};
    if (m->store->ops->delete_rows(m->store, &req, &deleted, &err) != OK) fail_msg("delete: %s", err.msg);
    for (size_t i = 0; i < m->rows.n; i++) {
        ModelRow *r = &m->rows.v[i];
        if (r->stream % 3 != 1 || r->t_ns < T0 || r->t_ns >= T0 + 20 * SEC) continue;
        expected++;
        r->t_ns = INT64_MAX; /* never found: INT64_MAX is outside every range */
    }
    assert_true(expected > 0);
    assert_int_equal(deleted, expected);
    check_all(m);
    model_reopen(m);
    check_all(m);
    arena_free(arena);
}

/* A deleted row that is sent again is a new one, also right after the deletion. */
static void test_delete_and_resend(void **state) {
    Model *m = *state;
    model_append(m, 200);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    LogSelect req = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .arena = arena};
    uint64_t deleted;
    assert_int_equal(m->store->ops->delete_rows(m->store, &req, &deleted, NULL), OK);
    assert_int_equal(deleted, 200);
    append_rows(m, m->rows.v, m->rows.n, m->rows.n);
    check_all(m);
    arena_free(arena);
}

static void test_retention(void **state) {
    Model *m = *state;
    model_append(m, 300);
    assert_int_equal(m->store->ops->flush(m->store, NULL), OK);
    model_append(m, 300);
    clock_fake_advance(40 * 86400 * SEC);
    Model empty = {.store = m->store};
    check_all(&empty);
    LogStoreStats st;
    while (m->store->ops->stats(m->store, &st), st.parts > 0) /* maintenance wakes every second */
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* Needles that no block may have are not looked for; needles that are there are found. */
static bool count_row(void *ctx, const LogView *v) {
    (void)v;
    ++*(size_t *)ctx;
    return true;
}

static bool line_has(void *ctx, Str line) { return str_contains(line, *(const Str *)ctx); }

static void test_hints(void **state) {
    Model *m = *state;
    model_append(m, 5000);
    assert_int_equal(m->store->ops->flush(m->store, NULL), OK);
    static const struct {
        const char *needle;
        size_t expect;
        bool skips;
    } cases[] = {{"request 4711 took", 1, false},
        {"a zebra took", 0, true} /* whole words inside the needle are looked up */, {"quest 17 took", 1, false},
        {"request", 5000, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        LogLineHint hint = {str_cstr(cases[i].needle)};
        LogSelect req = {.start_ns = INT64_MIN,
            .end_ns = INT64_MAX,
            .arena = arena,
            .hints = &hint,
            .n_hints = 1,
            .any_order = true,
            .skip_metadata = true,
            .keep_line = line_has,
            .keep_ctx = &hint.contains};
        size_t n = 0;
        LogScanStats stats = {0};
        assert_int_equal(m->store->ops->select(m->store, &req, count_row, &n, &stats, NULL), OK);
        assert_int_equal(n, cases[i].expect);
        if (cases[i].skips) assert_true(stats.blocks_skipped > 0 && stats.blocks == 0);
        arena_free(arena);
    }
}

/* Several senders and a reader at once, with heads small enough to rotate and parts to merge meanwhile: every view
 * holds whole batches' rows at most once, and in the end all are there. */
typedef struct Sender {
    LogStore *store;
    unsigned id;
} Sender;

#define SENDERS 4
#define SENT_BATCHES 40
#define SENT_ROWS 100

static void send_batches(void *ctx) {
    const Sender *s = ctx;
    for (unsigned i = 0; i < SENT_BATCHES; i++) {
        LogsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
        for (unsigned k = 0; k < SENT_ROWS; k++) {
            unsigned n = (s->id * SENT_BATCHES + i) * SENT_ROWS + k;
            batch_add(&b, &(ModelRow){T0 + (int64_t)(i * SENT_ROWS + k) * SEC, s->id, n});
        }
        LogAppendResult res;
        Err err = {0};
        ErrCode rc;
        while ((rc = s->store->ops->append(s->store, &b, &res, &err)) == ERR_OVERLOADED)
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* a full store says so; senders wait */
        ASSERT(rc == OK && res.rows == SENT_ROWS);
        arena_free(b.arena);
    }
}

typedef struct Seen {
    uint8_t found[SENDERS * SENT_BATCHES * SENT_ROWS];
    size_t n;
} Seen;

static bool see_row(void *ctx, const LogView *v) {
    Seen *seen = ctx;
    ASSERT(v->n_metadata == 3);
    size_t n = (size_t)v->metadata[1].value.i;
    ASSERT(n < sizeof seen->found && !seen->found[n]);
    seen->found[n] = 1;
    seen->n++;
    return true;
}

static size_t see_all(LogStore *store, bool any_order) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Seen *seen = arena_alloc_zero(arena, sizeof *seen);
    LogSelect req = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .arena = arena, .any_order = any_order};
    assert_int_equal(store->ops->select(store, &req, see_row, seen, NULL, NULL), OK);
    size_t n = seen->n;
    arena_free(arena);
    return n;
}

static void test_concurrent(void **state) {
    Model *m = *state;
    Sender senders[SENDERS];
    Thread *threads[SENDERS];
    m->store->ops->close(m->store);
    LogStoreOptions opts = {.durable = true, .head_bytes_max = 64u << 10};
    assert_int_equal(log_store_open(m->fs, "logs", &opts, &m->store, NULL), OK);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (Sender){m->store, i};
        threads[i] = thread_start("sender", send_batches, &senders[i]);
        assert_non_null(threads[i]);
    }
    size_t last = 0;
    for (int i = 0; i < 60; i++) {
        size_t n = see_all(m->store, i % 2);
        assert_true(n >= last);
        last = n;
        if (i % 20 == 19) assert_int_equal(m->store->ops->flush(m->store, NULL), OK);
    }
    for (unsigned i = 0; i < SENDERS; i++) thread_join(threads[i]);
    assert_int_equal(see_all(m->store, false), SENDERS * SENT_BATCHES * SENT_ROWS);
    model_reopen(m);
    assert_int_equal(see_all(m->store, true), SENDERS * SENT_BATCHES * SENT_ROWS);
}

/* Power cuts at every mutating call: what was acknowledged is there exactly once, nothing else is. */
static void crash_once(uint64_t seed, uint64_t at) {
    Model model = {.fs = fs_fault_create(seed)}, *m = &model;
    rng_seed(&m->rng, seed);
    model_open(m);
    fs_fault_arm(m->fs, at % 3 == 0 ? FAULT_SHORT_WRITE : FAULT_EIO, at, true);
    size_t acknowledged = 0;
    bool alive = true;
    for (int round = 0; round < 8 && alive; round++) {
        LogsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
        size_t first = m->rows.n;
        for (size_t i = 0; i < 20; i++) {
            unsigned n = (unsigned)m->rows.n;
            vec_push(&m->rows, (ModelRow){T0 + n * SEC, n * 5 % 16, n});
            batch_add(&b, &m->rows.v[first + i]);
        }
        LogAppendResult res;
        alive = m->store->ops->append(m->store, &b, &res, NULL) == OK;
        if (alive) acknowledged = m->rows.n;
        if (alive && round % 3 == 2) (void)m->store->ops->flush(m->store, NULL);
        arena_free(b.arena);
    }
    fs_fault_power_off(m->fs);
    m->store->ops->close(m->store);
    fs_fault_arm(m->fs, FAULT_NONE, 0, false);
    model_open(m);
    /* The batch in flight may have survived, whole or not at all as far as the sender knows: send it again. */
    LogsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
    for (size_t i = acknowledged; i < m->rows.n; i++) batch_add(&b, &m->rows.v[i]);
    LogAppendResult res;
    Err err = {0};
    if (b.rows.n > 0 && m->store->ops->append(m->store, &b, &res, &err) != OK) fail_msg("append: %s", err.msg);
    arena_free(b.arena);
    check_select(m, NULL, INT64_MIN, INT64_MAX, true, false, 0);
    m->store->ops->close(m->store);
    fs_fault_free(m->fs);
    vec_done(&m->rows);
}

static bool note_part(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    (void)size_bytes;
    if (is_dir || !str_ends_with(name, STR(".mkp"))) return true;
    (void)snprintf(ctx, FS_PATH_MAX, "logs/parts/%.*s", (int)name.n, name.p);
    return false;
}

/* A damaged block costs its rows and is counted; the rest is served. */
static void test_damage(void **state) {
    Model *m = *state;
    for (unsigned i = 0; i < 20000; i++) {
        ModelRow row = {T0 + i * SEC / 10, i % 16, i};
        vec_push(&m->rows, row);
    }
    append_rows(m, m->rows.v, m->rows.n, m->rows.n);
    m->store->ops->close(m->store);
    char path[FS_PATH_MAX] = "";
    assert_int_equal(m->fs->ops->list(m->fs, "logs/parts", note_part, path, NULL), OK);
    for (uint64_t byte = 64; byte < 4096; byte += 64) fs_fault_flip_bit(m->fs, path, byte * 8);
    model_open(m);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    LogSelect req = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .arena = arena};
    LogScanStats stats = {0};
    size_t n = 0;
    assert_int_equal(m->store->ops->select(m->store, &req, count_row, &n, &stats, NULL), OK);
    assert_true(stats.corrupt_blocks > 0);
    assert_true(n > 0 && n < m->rows.n);
    arena_free(arena);
}

/* An open that fails leaves nothing behind, and the next one finds everything. */
static void test_open_faults(void **state) {
    Model *m = *state;
    model_append(m, 100);
    m->store->ops->close(m->store);
    m->store = NULL;
    for (uint64_t at = 1; at < 12; at++) {
        fs_fault_arm(m->fs, FAULT_EIO, at, false);
        LogStore *store = NULL;
        Err err = {0};
        ErrCode rc = log_store_open(m->fs, "logs", &test_opts, &store, &err);
        if (rc == OK)
            store->ops->close(store);
        else
            assert_true(err.msg[0] != 0);
        fs_fault_arm(m->fs, FAULT_NONE, 0, false);
    }
    model_open(m);
    check_all(m);
}

static ErrCode give_up(const void *ctx, Err *reterr) {
    (void)ctx;
    return err_set(reterr, ERR_CANCELLED, "nobody waits any more");
}

static bool no_line(void *ctx, Str line) {
    (void)ctx, (void)line;
    return false;
}

/* Whoever asked may give up while rows come, and while none does. */
static void test_check(void **state) {
    Model *m = *state;
    model_append(m, 3000);
    for (int i = 0; i < 8; i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        LogSelect req = {.start_ns = INT64_MIN,
            .end_ns = INT64_MAX,
            .arena = arena,
            .any_order = i & 1,
            .keep_line = i & 2 ? no_line : NULL,
            .check = give_up};
        if (i & 4) m->store->ops->flush(m->store, NULL);
        LogScanStats stats = {0};
        Err err = {0};
        size_t rows = 0;
        assert_int_equal(m->store->ops->select(m->store, &req, count_row, &rows, &stats, &err), ERR_CANCELLED);
        assert_string_equal(err.msg, "nobody waits any more");
        assert_true(rows < m->rows.n / 2);
        arena_free(arena);
    }
}

static void test_crash(void **state) {
    (void)state;
    clock_fake_set(T0 + 7200 * SEC);
    for (uint64_t at = 1; at < 60; at++) crash_once(at * 77, at);
    clock_fake_off();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_and_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete_and_resend, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_concurrent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test(test_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
