/* TraceQL over a store: whatever the store passes over, heads, parts, traces in both, retries and deletions included,
 * answers are those of looking at every trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/clock.h"
#include "sys/thread.h"
#include "traces/span_gen_test.h"
#include "traces/trace_store.h"
#include "traces/traceql_eval.h"

#include <stdlib.h>
#include <unistd.h>

#define TRACES 150
#define TRACE_STEP_NS INT64_C(120000000000)

typedef struct Fixture {
    char dir[64];
    TraceStore *store;
    Rng rng;
    uint64_t next_span;
} Fixture;

static void append(Fixture *f, const SpansBatch *b) {
    Err err = {0};
    TraceAppendResult r;
    ErrCode code;
    while ((code = f->store->ops->append(f->store, b, &r, &err)) == ERR_OVERLOADED) clock_sleep_ms(1);
    if (code) fail_msg("%s", err.msg);
}

static void append_random(Fixture *f, size_t n) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    uint32_t resources[GEN_SERVICES], scope = gen_begin(&b, resources);
    for (size_t i = 0; i < n; i++) {
        uint64_t trace = rng_u64(&f->rng) % TRACES;
        int64_t start = GEN_T0 + (int64_t)trace * TRACE_STEP_NS + (int64_t)(rng_u64(&f->rng) % 5000000000);
        uint64_t parent = rng_u64(&f->rng) % 3 && f->next_span > 20 ? f->next_span - rng_u64(&f->rng) % 20 : 0;
        gen_span(&b, &f->rng, gen_trace_id(trace), ++f->next_span, parent, start, resources, scope);
    }
    append(f, &b);
    if (rng_u64(&f->rng) % 2) append(f, &b); /* a retry of the sender */
    arena_free(arena);
}

/* A trace that is larger than a block. */
static void append_huge(Fixture *f, uint64_t trace) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    uint32_t resources[GEN_SERVICES], scope = gen_begin(&b, resources);
    for (int i = 0; i < 9000; i++) {
        int64_t start = GEN_T0 + (int64_t)trace * TRACE_STEP_NS + i * INT64_C(1000000);
        uint64_t span = ++f->next_span;
        gen_span(&b, &f->rng, gen_trace_id(trace), span, i ? span - 1 : 0, start, resources, scope);
    }
    append(f, &b);
    arena_free(arena);
}

static void flush(Fixture *f) {
    Err err = {0};
    if (f->store->ops->flush(f->store, &err)) fail_msg("%s", err.msg);
}

static void fixture_init(Fixture *f, uint64_t seed) {
    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/mk-traceql-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    rng_seed(&f->rng, seed);
    TraceStoreOptions opts = {.head_bytes_max = 8 << 20, .retention_ms = INT64_C(1000000000000)};
    Err err = {0};
    if (trace_store_open(fs_real(), f->dir, &opts, &f->store, &err)) fail_msg("%s", err.msg);
}

static void fixture_done(Fixture *f) {
    f->store->ops->close(f->store);
    assert_int_equal(fs_remove_tree(fs_real(), f->dir, NULL), OK);
}

/* --- the oracle: every trace, one after the other --- */

typedef struct Oracle {
    Arena *arena;
    SpansBatch batches[TRACES + 1];
    TqlView *views[TRACES + 1]; /* NULL: no such trace */
} Oracle;

static void oracle_init(Oracle *o, Fixture *f) {
    memset(o, 0, sizeof *o);
    o->arena = arena_create(ARENA_UNLIMITED);
    for (uint64_t i = 0; i <= TRACES; i++) {
        if (f->store->ops->get(f->store, gen_trace_id(i), o->arena, &o->batches[i], NULL)) continue;
        o->views[i] = traceql_view(&o->batches[i], true, o->arena);
        assert_non_null(o->views[i]);
    }
}

static const char *const queries[] = {
    "{ }",
    "{ false }",
    "{ resource.service.name = \"svc-1\" }",
    "{ .deployment.environment = \"prod\" && status = error }",
    "{ name = \"op-3\" }",
    "{ name =~ \"op-[12]\" || kind = client }",
    "{ span.http.status_code = 500 }",
    "{ span.http.status_code >= 400 && span.http.method = \"GET\" }",
    "{ span.http.status_code != 200 }",
    "{ .http.method = \"twice\" }",
    "{ .user.id = \"user-7\" }",
    "{ .user.id = \"nobody\" }",
    "{ .user.id =~ \"user-1.*\" && .score > 1 }",
    "{ .score = 2 }",
    "{ .score != nil }",
    "{ .score = nil }",
    "{ .nothing != nil }",
    "{ .nothing = nil && .list = \"a\" }",
    "{ .list = 1 }",
    "{ .list != 1 }",
    "{ .blob != nil }",
    "{ .cache.hit }",
    "{ !.cache.hit }",
    "{ .cache.hit || .score = 0.5 }",
    "{ duration > 1900ms }",
    "{ duration < 10ms && duration >= 1ms }",
    "{ status != unset && kind != server }",
    "{ event.exception.type = \"Timeout\" }",
    "{ event:name = \"exception\" && span.http.method = \"POST\" }",
    "{ link.link.kind = \"retry\" }",
    "{ statusMessage = \"it broke\" }",
    "{ instrumentation:name = \"shop\" && .process.pid = 3 }",
    "{ span.process.pid = 3 }",
    "{ .\"\x01s\" != nil }",
    "{ (name = \"op-1\" || name = \"op-2\") && (.http.method = \"GET\" || status = error) }",
    "{ name = \"op-1\" } | { status = error }",
    "{ name = \"op-1\" } | select(.user.id, span:id)",
    "{ span:parentID = \"\" }",
    "{ parent.http.method = \"GET\" }",
    "{ childCount > 1 }",
    "{ nestedSetParent < 0 }",
    "{ rootName = \"op-2\" && name = \"op-2\" }",
    "{ traceDuration > 5s }",
    "{ name = \"op-1\" } && { name = \"op-2\" }",
    "{ .user.id = \"user-7\" } && { .user.id = \"user-8\" } && { status = error }",
    "{ .user.id = \"user-7\" } || { name = \"op-1\" && status = error }",
    "{ .user.id = \"user-7\" } >> { }",
    "{ status = error } > { status = error }",
    "{ status = error } !> { name = \"op-4\" }",
    "{ kind = server } &>> { kind = client }",
    "{ name = \"op-1\" } ~ { name = \"op-2\" }",
    "{ status = error } | count() > 2",
    "{ } | by(resource.service.name) | count() > 3",
    "{ status = error } | avg(duration) > 1s",
    "({ name = \"op-1\" } | count() > 1) && { name = \"op-2\" }",
    "({ status = error } | count()) > ({ status = ok } | count())",
};

static const TqlProgram *compile(const char *text, Arena *arena, const TraceQl **ret_query) {
    const TqlProgram *p;
    Err err = {0};
    if (traceql_parse(str_cstr(text), arena, ret_query, &err)) fail_msg("%s: %s", text, err.msg);
    if (traceql_program_create((*ret_query)->pipeline, NULL, arena, &p, &err)) fail_msg("%s: %s", text, err.msg);
    return p;
}

/* --- spans one by one --- */

typedef struct Seen {
    Mutex lock;
    uint64_t spans, hash; /* of trace, start, name: order does not matter */
} Seen;

static uint64_t span_hash(const SpanRow *r) {
    uint64_t h = (uint64_t)r->start_ns * 31 + (uint64_t)r->end_ns;
    for (int i = 0; i < 16; i++) h = h * 131 + r->trace_id.b[i];
    for (size_t i = 0; i < r->name.n; i++) h = h * 131 + (uint8_t)r->name.p[i];
    return h * UINT64_C(0x9e3779b97f4a7c15) ^ h >> 29;
}

static void count_sets(Seen *s, const SpansBatch *b, const TqlSpansets *sets, int64_t from, int64_t to) {
    for (size_t i = 0; i < sets->n; i++) {
        for (uint32_t k = 0; k < sets->v[i].n; k++) {
            const SpanRow *r = &b->rows.v[sets->v[i].rows[k]];
            if (r->start_ns < from || r->start_ns >= to) continue;
            s->spans++;
            s->hash += span_hash(r);
        }
    }
}

static ErrCode on_found(void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *err) {
    Seen *s = ctx;
    (void)worker;
    (void)arena;
    (void)err;
    mutex_lock(&s->lock);
    count_sets(s, traceql_view_batch(v), sets, INT64_MIN, INT64_MAX);
    mutex_unlock(&s->lock);
    return OK;
}

static void check_scan(Fixture *f, const Oracle *o, const char *text, int64_t from, int64_t to) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const TraceQl *q;
    const TqlProgram *p = compile(text, arena, &q);
    Seen want = {0}, got = {0};
    mutex_init(&got.lock);
    for (size_t i = 0; i <= TRACES; i++) {
        TqlSpansets sets;
        if (!o->views[i]) continue;
        assert_int_equal(traceql_run(p, o->views[i], arena, &sets, NULL), OK);
        count_sets(&want, &o->batches[i], &sets, from ? from : INT64_MIN, from ? to : INT64_MAX);
    }
    TqlScan scan = {.store = f->store, .program = p, .start_ns = from, .end_ns = to, .clip = true, .threads = 3};
    TqlScanStats stats;
    Err err = {0};
    if (traceql_scan(&scan, on_found, &got, &stats, &err)) fail_msg("%s: %s", text, err.msg);
    if (got.spans != want.spans || got.hash != want.hash)
        fail_msg(
            "%s: %llu spans, not %llu, or others", text, (unsigned long long)got.spans, (unsigned long long)want.spans);
    mutex_done(&got.lock);
    arena_free(arena);
}

/* --- searches --- */

typedef struct Wanted {
    uint64_t trace;
    int64_t start_ns;
    uint64_t matched;
    size_t n_sets;
} Wanted;

static int cmp_wanted(const void *a, const void *b) {
    const Wanted *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns > y->start_ns ? -1 : 1;
    TraceId i = gen_trace_id(x->trace), k = gen_trace_id(y->trace);
    return memcmp(i.b, k.b, 16);
}

static size_t list_wanted(const Oracle *o, const TqlProgram *p, Arena *arena, Wanted *ret) {
    size_t n = 0;
    for (size_t i = 0; i <= TRACES; i++) {
        TqlSpansets sets;
        if (!o->views[i]) continue;
        assert_int_equal(traceql_run(p, o->views[i], arena, &sets, NULL), OK);
        if (sets.n == 0) continue;
        ret[n] = (Wanted){.trace = i, .start_ns = INT64_MAX, .n_sets = sets.n};
        for (size_t k = 0; k < sets.n; k++) ret[n].matched += sets.v[k].n;
        vec_foreach(const SpanRow, r, &o->batches[i].rows) ret[n].start_ns = MIN(ret[n].start_ns, r->start_ns);
        n++;
    }
    qsort(ret, n, sizeof *ret, cmp_wanted);
    return n;
}

static void check_search(Fixture *f, const Oracle *o, const char *text, uint32_t limit) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const TraceQl *q;
    const TqlProgram *p = compile(text, arena, &q);
    Wanted want[TRACES + 1];
    size_t n = list_wanted(o, p, arena, want);
    TqlSearch search = {.store = f->store, .query = q, .limit = limit, .spans_per_set = 2, .threads = 2};
    TqlSearchResult got;
    Err err = {0};
    if (traceql_search(&search, arena, &got, &err)) fail_msg("%s: %s", text, err.msg);
    if (got.n_traces != MIN(n, limit)) fail_msg("%s: %zu traces, not %zu", text, got.n_traces, MIN(n, (size_t)limit));
    for (size_t i = 0; i < got.n_traces; i++) {
        const TqlFoundTrace *t = &got.traces[i];
        uint64_t matched = 0;
        for (size_t k = 0; k < t->n_sets; k++) {
            matched += t->sets[k].matched;
            assert_true(t->sets[k].n_spans == MIN(t->sets[k].matched, 2));
        }
        bool same = trace_id_eq(t->id, gen_trace_id(want[i].trace)) && t->start_ns == want[i].start_ns &&
                    t->n_sets == want[i].n_sets && matched == want[i].matched;
        if (!same) fail_msg("%s: trace %zu is another one, or another part of it", text, i);
    }
    arena_free(arena);
}

static void check_all(Fixture *f) {
    Oracle o;
    oracle_init(&o, f);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        int64_t from = GEN_T0 + (int64_t)(i % 100) * TRACE_STEP_NS, to = from + 30 * TRACE_STEP_NS + 1000000000;
        check_scan(f, &o, queries[i], 0, 0);
        check_scan(f, &o, queries[i], from, to);
        check_search(f, &o, queries[i], TRACES + 1);
        check_search(f, &o, queries[i], 1 + (uint32_t)i % 12);
    }
    arena_free(o.arena);
}

static void answers_are_those_of_looking_at_everything(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 11);
    append_random(&f, 700);
    check_all(&f); /* a head */
    flush(&f);
    check_all(&f); /* a part */
    append_random(&f, 500);
    append_huge(&f, TRACES);
    check_all(&f); /* both, with traces in both */
    flush(&f);
    append_random(&f, 300);
    flush(&f);
    append_random(&f, 100);
    for (uint64_t i = 3; i < 20; i += 5) (void)f.store->ops->delete_trace(f.store, gen_trace_id(i), NULL);
    check_all(&f);
    append_random(&f, 200); /* some of the deleted ones come again */
    check_all(&f);
    fixture_done(&f);
}

static void ends_when_told(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 12);
    append_random(&f, 500);
    flush(&f);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const TraceQl *q;
    const TqlProgram *p = compile("{ }", arena, &q);
    _Atomic bool cancel = true;
    Seen got = {0};
    mutex_init(&got.lock);
    Err err = {0};
    TqlScan scan = {.store = f.store, .program = p, .threads = 2, .cancel = &cancel};
    assert_int_equal(traceql_scan(&scan, on_found, &got, NULL, &err), ERR_CANCELLED);
    assert_int_equal(got.spans, 0);
    mutex_done(&got.lock);
    arena_free(arena);
    fixture_done(&f);
}

static ErrCode refuse(void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *err) {
    (void)ctx;
    (void)worker;
    (void)v;
    (void)sets;
    (void)arena;
    return err_set(err, ERR_TOO_LARGE, "enough");
}

static void hands_the_callers_error_on(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 13);
    append_random(&f, 500);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const TraceQl *q;
    const TqlProgram *p = compile("{ }", arena, &q);
    Err err = {0};
    TqlScan scan = {.store = f.store, .program = p, .threads = 4};
    assert_int_equal(traceql_scan(&scan, refuse, NULL, NULL, &err), ERR_TOO_LARGE);
    assert_string_equal(err.msg, "enough");
    arena_free(arena);
    fixture_done(&f);
}

static void passes_over_what_cannot_match(void **state) {
    (void)state;
    Fixture f;
    fixture_init(&f, 14);
    append_random(&f, 700);
    flush(&f);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    /* Attributes are not among them: these spans have some that lie in no column, so that blocks are looked into. */
    static const char *const nowhere[] = {"{ resource.service.name = \"svc-9\" }", "{ name = \"op-9\" }",
        "{ duration > 1h }", "{ name = \"op-1\" && duration > 1h } && { name = \"op-9\" }",
        "{ name = \"op-9\" } >> { resource.service.name = \"svc-9\" }"};
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        const TraceQl *q;
        const TqlProgram *p = compile(nowhere[i], arena, &q);
        TqlScanStats stats;
        TqlScan scan = {.store = f.store, .program = p, .threads = 1};
        assert_int_equal(traceql_scan(&scan, refuse, NULL, &stats, NULL), OK);
        assert_int_equal(stats.blocks, 0);
        assert_true(stats.skipped > 0);
    }
    arena_free(arena);
    fixture_done(&f);
}

/* A trace over many blocks, two parts and a head. */
static void counts_spans_of_traces_larger_than_memory(void **state) {
    (void)state;
    static const struct {
        const char *query;
        uint64_t spans, too_large;
    } cases[] = {
        {"{ }", 90000, 0}, {"{ name =~ \".*\" }", 90000, 0}, {"{ } >> { }", 0, 1}, {"{ } | count() > 1", 0, 1}};
    Fixture f;
    fixture_init(&f, 15);
    for (int i = 0; i < 8; i++) append_huge(&f, 1);
    flush(&f);
    append_huge(&f, 1);
    flush(&f);
    append_huge(&f, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        const TraceQl *q;
        Seen got = {0};
        TqlScanStats stats;
        mutex_init(&got.lock);
        TqlScan scan = {
            .store = f.store, .program = compile(cases[i].query, arena, &q), .threads = 2, .memory_bytes = 16u << 20};
        assert_int_equal(traceql_scan(&scan, on_found, &got, &stats, NULL), OK);
        assert_int_equal(got.spans, cases[i].spans);
        assert_int_equal(stats.too_large, cases[i].too_large);
        mutex_done(&got.lock);
        arena_free(arena);
    }
    fixture_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_looking_at_everything),
        cmocka_unit_test(ends_when_told),
        cmocka_unit_test(hands_the_callers_error_on),
        cmocka_unit_test(passes_over_what_cannot_match),
        cmocka_unit_test(counts_spans_of_traces_larger_than_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
