#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/clock.h"
#include "traces/span_codec.h"
#include "traces/span_gen_test.h"
#include "traces/store_int.h"

#include <stdlib.h>
#include <unistd.h>

#define TRACES 120

/* The oracle: every span that was acknowledged, once, in one batch. */
typedef struct Model {
    Arena *arena;
    SpansBatch batch;
    SpanSink sink;
    bool deleted[TRACES];
} Model;

typedef struct Fixture {
    char dir[64];
    TraceStore *store;
    TraceStoreOptions opts;
    Model m;
    Rng rng;
    uint64_t next_span;
} Fixture;

static void model_init(Model *m) {
    memset(m, 0, sizeof *m);
    m->arena = arena_create(ARENA_UNLIMITED);
    m->batch.arena = m->arena;
    span_sink_init(&m->sink, &m->batch);
}

static void model_done(Model *m) {
    span_sink_done(&m->sink);
    arena_free(m->arena);
}

/* Takes the batch's rows over on the way a span goes through the store, without one: encode, decode. */
static void model_add(Model *m, const SpansBatch *b) {
    Buf bytes = {0};
    SpanPayload p;
    span_payload_encode(&bytes, b);
    assert_true(span_payload_open(buf_str(&bytes), &p));
    Cursor c = cursor_of(p.rows);
    for (uint32_t i = 0; i < p.n_rows; i++) assert_true(span_sink_row(&m->sink, &p, cursor_lenstr(&c)));
    span_payload_done(&p);
    buf_done(&bytes);
    span_batch_sort_dedupe(&m->batch);
}

static void open_store(Fixture *f) {
    Err err = {0};
    if (trace_store_open(fs_real(), f->dir, &f->opts, &f->store, &err)) fail_msg("%s", err.msg);
}

static void close_store(Fixture *f) {
    f->store->ops->close(f->store);
    f->store = NULL;
}

static void fixture_init(Fixture *f, uint64_t seed) {
    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/mk-traces-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->opts = (TraceStoreOptions){.durable = false, .head_bytes_max = 1 << 20};
    rng_seed(&f->rng, seed);
    model_init(&f->m);
    open_store(f);
}

static void fixture_done(Fixture *f) {
    if (f->store) close_store(f);
    model_done(&f->m);
    assert_int_equal(fs_remove_tree(fs_real(), f->dir, NULL), OK);
}

static void append(Fixture *f, const SpansBatch *b, TraceAppendResult *ret) {
    Err err = {0};
    ErrCode code;
    while ((code = f->store->ops->append(f->store, b, ret, &err)) == ERR_OVERLOADED) clock_sleep_ms(1);
    if (code) fail_msg("%s", err.msg);
}

static void append_random(Fixture *f, size_t n) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    uint32_t resources[GEN_SERVICES], scope = gen_begin(&b, resources);
    for (size_t i = 0; i < n; i++) {
        uint64_t trace = rng_u64(&f->rng) % TRACES;
        if (f->m.deleted[trace]) continue;
        int64_t start =
            GEN_T0 + (int64_t)(trace * 120 * UINT64_C(1000000000)) + (int64_t)(rng_u64(&f->rng) % 5000000000);
        uint64_t parent = rng_u64(&f->rng) % 3 ? f->next_span - rng_u64(&f->rng) % 20 : 0;
        gen_span(&b, &f->rng, gen_trace_id(trace), ++f->next_span, parent, start, resources, scope);
    }
    TraceAppendResult r;
    append(f, &b, &r);
    assert_int_equal(r.spans, b.rows.n);
    assert_int_equal(r.duplicates, 0);
    if (rng_u64(&f->rng) % 3 == 0 && b.rows.n) { /* a retry of the sender; some of it may be in parts already */
        append(f, &b, &r);
        assert_int_equal(r.spans + r.duplicates, b.rows.n);
    }
    model_add(&f->m, &b);
    arena_free(arena);
}

/* --- get --- */

static void check_trace(Fixture *f, uint64_t trace) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch got;
    TraceId id = gen_trace_id(trace);
    Err err = {0};
    ErrCode code = f->store->ops->get(f->store, id, arena, &got, &err);
    size_t k = 0;
    vec_foreach(const SpanRow, want, &f->m.batch.rows) {
        if (f->m.deleted[trace] || !trace_id_eq(want->trace_id, id)) continue;
        assert_int_equal(code, OK);
        assert_true(k < got.rows.n);
        if (!span_rows_equal(&f->m.batch, want, &got, &got.rows.v[k]))
            fail_msg("trace %d: span %zu differs", (int)trace, k);
        k++;
    }
    if (k == 0)
        assert_int_equal(code, ERR_NOT_FOUND);
    else
        assert_int_equal(k, got.rows.n);
    arena_free(arena);
}

static void check_all(Fixture *f) {
    for (uint64_t i = 0; i < TRACES; i++) check_trace(f, i);
}

/* --- find against brute force --- */

typedef struct Find {
    const char *service, *operation;
    const char *tags[4][2];
    int64_t from_s, to_s; /* relative to GEN_T0; both 0: all */
    int64_t min_ms, max_ms;
    uint32_t limit;
} Find;

static bool attrs_have(const SpansBatch *b, AttrRange range, Str key, Str value) {
    Buf text = {0};
    bool found = false;
    for (uint32_t i = 0; i < range.n && !found; i++) {
        const Attr *a = &b->attrs.v[range.first + i];
        buf_clear(&text);
        attr_put_text(&text, &a->value);
        found = str_eq(a->key, key) && str_eq(buf_str(&text), value);
    }
    buf_done(&text);
    return found;
}

static bool span_has_tag(const SpansBatch *b, const SpanRow *r, Str key, Str value) {
    if (attrs_have(b, r->attrs, key, value)) return true;
    if (attrs_have(b, b->resources.v[r->resource].attrs, key, value)) return true;
    if (attrs_have(b, b->scopes.v[r->scope].attrs, key, value)) return true;
    for (uint32_t i = 0; i < r->events.n; i++) {
        const SpanEvent *e = &b->events.v[r->events.first + i];
        if (attrs_have(b, e->attrs, key, value) || (str_eq_lit(key, "event") && str_eq(e->name, value))) return true;
    }
    for (uint32_t i = 0; i < r->links.n; i++) {
        if (attrs_have(b, b->links.v[r->links.first + i].attrs, key, value)) return true;
    }
    if (str_eq_lit(key, "error")) return str_eq_lit(value, "true") == (r->status == SPAN_STATUS_ERROR);
    if (str_eq_lit(key, "span.kind")) return str_eq(value, str_cstr(span_kind_name((SpanKind)r->kind)));
    if (str_eq_lit(key, "otel.status_description")) return str_eq(r->status_message, value);
    if (str_eq_lit(key, "otel.scope.name")) return str_eq(b->scopes.v[r->scope].name, value);
    if (str_eq_lit(key, "w3c.tracestate")) return str_eq(r->trace_state, value);
    if (str_starts_with(key, STR("resource."))) {
        return attrs_have(b, b->resources.v[r->resource].attrs, str_skip(key, 9), value);
    }
    return false;
}

static bool span_matches(const SpansBatch *b, const SpanRow *r, const TraceFind *f) {
    int64_t d = r->end_ns - r->start_ns;
    if (f->service.n && !str_eq(f->service, spans_batch_service(b, r))) return false;
    if (f->operation.n && !str_eq(f->operation, r->name)) return false;
    if (r->start_ns < f->start_ns || (f->end_ns && r->start_ns > f->end_ns)) return false;
    if ((f->min_duration_ns && d < f->min_duration_ns) || (f->max_duration_ns && d > f->max_duration_ns)) return false;
    for (size_t i = 0; i < f->n_tags; i++) {
        if (!span_has_tag(b, r, f->tags[i].key, f->tags[i].value)) return false;
    }
    return true;
}

static bool is_deleted(const Fixture *f, TraceId id) {
    bool yes = false;
    for (uint64_t t = 0; t < TRACES; t++) yes |= f->m.deleted[t] && trace_id_eq(gen_trace_id(t), id);
    return yes;
}

/* Rows of the model are sorted by start: backwards, the first hit of a trace is its newest. */
static size_t brute_force(const Fixture *f, const TraceFind *find, TraceId *out) {
    size_t n = 0;
    for (size_t i = f->m.batch.rows.n; i-- > 0 && (find->limit == 0 || n < find->limit);) {
        const SpanRow *r = &f->m.batch.rows.v[i];
        if (!span_matches(&f->m.batch, r, find)) continue;
        bool seen = false;
        for (size_t k = 0; k < n; k++) seen |= trace_id_eq(out[k], r->trace_id);
        seen |= is_deleted(f, r->trace_id);
        if (!seen) out[n++] = r->trace_id;
    }
    return n;
}

static const Find finds[] = {
    {.limit = 0},
    {.limit = 5},
    {.service = "svc-1", .limit = 7},
    {.service = "svc-1", .operation = "op-3"},
    {.service = "nobody"},
    {.operation = "op-2", .limit = 3},
    {.min_ms = 1900},
    {.max_ms = 10},
    {.min_ms = 500, .max_ms = 600, .service = "svc-2"},
    {.from_s = 3600, .to_s = 7200},
    {.from_s = 3600, .to_s = 3601, .limit = 4},
    {.tags = {{"http.method", "GET"}}, .limit = 10},
    {.tags = {{"http.method", "twice"}}},
    {.tags = {{"http.status_code", "500"}}, .service = "svc-0"},
    {.tags = {{"user.id", "user-7"}, {"http.method", "POST"}}},
    {.tags = {{"user.id", "user-77"}}},
    {.tags = {{"cache.hit", "true"}}, .limit = 20},
    {.tags = {{"score", "0.25"}}},
    {.tags = {{"blob", "AAH/"}}},
    {.tags = {{"list", "[1,\"a\"]"}}},
    {.tags = {{"nothing", ""}}},
    {.tags = {{"\x01s", "an attribute that looks like a field"}}},
    {.tags = {{"error", "true"}}, .service = "svc-4"},
    {.tags = {{"error", "false"}}, .limit = 9},
    {.tags = {{"span.kind", "server"}, {"deployment.environment", "prod"}}},
    {.tags = {{"resource.process.pid", "3"}}, .limit = 6},
    {.tags = {{"exception.type", "Timeout"}}},
    {.tags = {{"event", "exception"}, {"attempt", "3"}}, .limit = 8},
    {.tags = {{"link.kind", "retry"}}},
    {.tags = {{"otel.status_description", "it broke"}}},
    {.tags = {{"otel.scope.name", "shop"}}, .limit = 2},
    {.tags = {{"w3c.tracestate", "vendor=1"}}, .operation = "op-1"},
    {.tags = {{"no.such.key", "x"}}},
};

static void check_find(Fixture *f, const Find *c, size_t number) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TraceTag tags[4];
    TraceFind find = {.service = str_cstr(c->service),
        .operation = str_cstr(c->operation),
        .tags = tags,
        .min_duration_ns = c->min_ms * 1000000,
        .max_duration_ns = c->max_ms * 1000000,
        .limit = c->limit,
        .arena = arena};
    while (find.n_tags < 4 && c->tags[find.n_tags][0]) {
        tags[find.n_tags] = (TraceTag){str_cstr(c->tags[find.n_tags][0]), str_cstr(c->tags[find.n_tags][1])};
        find.n_tags++;
    }
    if (c->to_s) {
        find.start_ns = GEN_T0 + c->from_s * INT64_C(1000000000);
        find.end_ns = GEN_T0 + c->to_s * INT64_C(1000000000);
    }
    TraceId want[TRACES], *got;
    size_t n_want = brute_force(f, &find, want), n_got;
    Err err = {0};
    if (f->store->ops->find(f->store, &find, &got, &n_got, &err)) fail_msg("find %zu: %s", number, err.msg);
    if (n_got != n_want) fail_msg("find %zu: %zu traces instead of %zu", number, n_got, n_want);
    for (size_t i = 0; i < n_want; i++) {
        if (!trace_id_eq(want[i], got[i])) fail_msg("find %zu: trace %zu differs", number, i);
    }
    arena_free(arena);
}

static void check_finds(Fixture *f) {
    for (size_t i = 0; i < ARRAY_LEN(finds); i++) check_find(f, &finds[i], i);
}

/* --- names, RED, calls --- */

static void check_names(Fixture *f) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Str *names;
    TraceOperation *ops;
    size_t n;
    assert_int_equal(f->store->ops->services(f->store, arena, &names, &n, NULL), OK);
    assert_int_equal(n, GEN_SERVICES);
    assert_true(str_eq_lit(names[0], "svc-0") && str_eq_lit(names[4], "svc-4"));
    assert_int_equal(f->store->ops->operations(f->store, STR("svc-1"), SPAN_UNSPECIFIED, arena, &ops, &n, NULL), OK);
    assert_int_equal(n, GEN_OPS * 6);
    assert_true(str_eq_lit(ops[0].name, "op-0") && ops[0].kind == 0 && ops[1].kind == 1);
    assert_int_equal(f->store->ops->operations(f->store, STR("svc-1"), SPAN_SERVER, arena, &ops, &n, NULL), OK);
    assert_int_equal(n, GEN_OPS);
    assert_int_equal(f->store->ops->operations(f->store, STR("?"), SPAN_UNSPECIFIED, arena, &ops, &n, NULL), OK);
    assert_int_equal(n, 0);
    arena_free(arena);
}

static void check_red(Fixture *f) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    ServiceRedSeries *v;
    size_t n;
    Err err = {0};
    int64_t start = GEN_T0 - GEN_T0 % RED_SLOT_NS, end = start + 5 * INT64_C(3600000000000);
    if (f->store->ops->red_series(f->store, start, end, 600 * INT64_C(1000000000), arena, &v, &n, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(n, GEN_SERVICES);
    for (size_t i = 0; i < n; i++) {
        uint64_t requests = 0, errors = 0, points = 0;
        vec_foreach(const SpanRow, r, &f->m.batch.rows) {
            if (r->kind != SPAN_SERVER && r->kind != SPAN_CONSUMER) continue;
            if (!str_eq(spans_batch_service(&f->m.batch, r), v[i].total.service)) continue;
            if (is_deleted(f, r->trace_id)) continue;
            requests++;
            errors += r->status == SPAN_STATUS_ERROR;
        }
        for (size_t k = 0; k < v[i].n_points; k++) points += v[i].points[k].requests;
        assert_int_equal(v[i].n_points, 30);
        assert_int_equal(points, v[i].total.requests);
        /* Retries that came after a flush are counted again until parts are merged; never less than there is. */
        assert_true(v[i].total.requests >= requests && v[i].total.errors >= errors);
        assert_true(v[i].total.p50_s > 0.7 && v[i].total.p50_s < 1.3);
        assert_true(v[i].total.p99_s > 1.8 && v[i].total.p99_s < 2.2);
    }
    assert_int_equal(f->store->ops->red_series(f->store, 0, end, 1, arena, &v, &n, &err), ERR_INVALID);
    arena_free(arena);
}

/* --- tests --- */

static void test_model(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 7);
    for (int round = 0; round < 14; round++) {
        append_random(&f, 300);
        if (round % 3 == 1) assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
        if (round % 5 == 4) {
            close_store(&f);
            open_store(&f);
        }
        if (round == 8) {
            bool done = true;
            Err err = {0};
            while (done) {
                if (trace_engine_merge_once(engine_of(f.store), &done, &err)) fail_msg("%s", err.msg);
            }
        }
        if (round == 10) {
            TraceId id = gen_trace_id(17);
            assert_int_equal(f.store->ops->delete_trace(f.store, id, NULL), OK);
            assert_int_equal(f.store->ops->delete_trace(f.store, id, NULL), ERR_NOT_FOUND);
            f.m.deleted[17] = true;
        }
        check_all(&f);
        check_finds(&f);
    }
    bool done = true;
    while (done) assert_int_equal(trace_engine_merge_once(engine_of(f.store), &done, NULL), OK);
    assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    check_all(&f);
    check_finds(&f);
    check_names(&f);
    check_red(&f);
    TraceStoreStats st;
    f.store->ops->stats(f.store, &st);
    assert_int_equal(st.traces_head, 0);
    assert_true(st.spans_total >= f.m.batch.rows.n - 200 && st.parts > 0 && st.bytes_on_disk > 0);
    fixture_done(&f);
}

/* What is only in the log comes back; the process dies without closing. */
static void test_replay(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 11);
    append_random(&f, 200);
    append_random(&f, 200);
    assert_int_equal(f.store->ops->delete_trace(f.store, gen_trace_id(3), NULL), OK);
    f.m.deleted[3] = true;
    char copy[80], command[256];
    snprintf(copy, sizeof copy, "%s-copy", f.dir);
    snprintf(command, sizeof command, "cp -r %s %s", f.dir, copy);
    assert_int_equal(system(command), 0); /* as the disk is now */
    close_store(&f);
    assert_int_equal(fs_remove_tree(fs_real(), f.dir, NULL), OK);
    assert_int_equal(rename(copy, f.dir), 0);
    open_store(&f);
    check_all(&f);
    check_finds(&f);
    fixture_done(&f);
}

static void test_refused(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 3);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    uint32_t resources[GEN_SERVICES], scope = gen_begin(&b, resources);
    gen_span(&b, &f.rng, gen_trace_id(1), 1, 0, GEN_T0, resources, scope);
    gen_span(&b, &f.rng, (TraceId){0}, 2, 0, GEN_T0, resources, scope);
    gen_span(&b, &f.rng, gen_trace_id(1), 3, 0, GEN_T0, resources, scope);
    memset(&b.rows.v[2].span_id, 0, 8);
    TraceAppendResult r;
    append(&f, &b, &r);
    assert_int_equal(r.spans, 1);
    assert_int_equal(r.refused, 2);
    assert_string_equal(r.first_error, "a span without a trace id or a span id");
    SpansBatch empty = {.arena = arena};
    append(&f, &empty, &r);
    assert_int_equal(r.spans, 0);
    arena_free(arena);
    fixture_done(&f);
}

/* Calls between services, in the head, in a part, and across a restart. */
static void test_dependencies(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 5);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    uint32_t resources[GEN_SERVICES], scope = gen_begin(&b, resources);
    for (uint64_t i = 0; i < 10; i++) {
        for (uint64_t k = 0; k < 3; k++) {
            gen_span(
                &b, &f.rng, gen_trace_id(i), i * 3 + k + 1, k ? i * 3 + k : 0, GEN_T0 + (int64_t)k, resources, scope);
            vec_last(&b.rows)->resource = resources[k];
        }
    }
    TraceAppendResult r;
    append(&f, &b, &r);
    for (int round = 0; round < 3; round++) {
        TraceDependency *v;
        size_t n;
        assert_int_equal(f.store->ops->dependencies(f.store, GEN_T0, GEN_T0 + 10, STR(""), arena, &v, &n, NULL), OK);
        assert_int_equal(n, 2);
        assert_true(str_eq_lit(v[0].parent, "svc-0") && str_eq_lit(v[0].child, "svc-1") && v[0].calls == 10);
        assert_true(str_eq_lit(v[1].parent, "svc-1") && str_eq_lit(v[1].child, "svc-2") && v[1].calls == 10);
        assert_int_equal(
            f.store->ops->dependencies(f.store, GEN_T0, GEN_T0 + 10, STR("svc-2"), arena, &v, &n, NULL), OK);
        assert_int_equal(n, 1);
        int64_t hour = INT64_C(3600000000000);
        assert_int_equal(
            f.store->ops->dependencies(f.store, GEN_T0 - hour, GEN_T0 - hour / 2, STR(""), arena, &v, &n, NULL), OK);
        assert_int_equal(n, 0);
        if (round == 0) {
            assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
        } else {
            close_store(&f);
            open_store(&f);
        }
    }
    arena_free(arena);
    fixture_done(&f);
}

static void test_retention(void **state) {
    (void)state;
    Fixture f;
    clock_fake_set(GEN_T0);
    fixture_init(&f, 9);
    append_random(&f, 100);
    assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    assert_int_equal(trace_engine_apply_retention(engine_of(f.store), NULL), OK);
    check_all(&f); /* spans are as old as the fixture says: what counts is when they came */
    clock_fake_advance(INT64_C(8) * 24 * 3600 * 1000000000);
    assert_int_equal(trace_engine_apply_retention(engine_of(f.store), NULL), OK);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Str *names;
    size_t n;
    assert_int_equal(f.store->ops->services(f.store, arena, &names, &n, NULL), OK);
    assert_int_equal(n, 0);
    arena_free(arena);
    clock_fake_off();
    fixture_done(&f);
}

/* Heads are frozen and flushed while spans keep coming. */
static void test_small_heads(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 13);
    close_store(&f);
    f.opts.head_bytes_max = 32 << 10;
    open_store(&f);
    for (int i = 0; i < 40; i++) append_random(&f, 60);
    check_all(&f);
    check_finds(&f);
    fixture_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_small_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
