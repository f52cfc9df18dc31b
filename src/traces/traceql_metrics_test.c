#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/timefmt.h"
#include "sys/clock.h"
#include "traces/span_gen_test.h"
#include "traces/traceql_metrics_int.h"

#include <math.h>
#include <stdlib.h>

/* --- spans by hand --- */

#define SHOP 0
#define DB 1

static const struct {
    int64_t at_ns; /* after GEN_T0 */
    int64_t duration_ms;
    int64_t status_code, tokens; /* 0: no such attribute */
    double score;
    const char *name;
    uint8_t trace, span, parent, service, kind, status;
} spans[] = {
    {0, 5, 0, 1000, 0, "GET /", 9, 90, 0, SHOP, SPAN_SERVER, 0}, /* before the first interval */
    {1 * NS_PER_S, 100, 200, 10, 0, "GET /", 1, 1, 0, SHOP, SPAN_SERVER, 0},
    {5 * NS_PER_S, 200, 500, 30, 0, "GET /", 2, 2, 0, SHOP, SPAN_SERVER, SPAN_STATUS_ERROR},
    {10 * NS_PER_S, 64, 0, 0, 0, "SELECT", 1, 3, 1, DB, SPAN_CLIENT, 0}, /* the end belongs to it */
    {10 * NS_PER_S + 1, 400, 200, 0, 0, "GET /x", 3, 4, 0, SHOP, SPAN_SERVER, 0},
    {25 * NS_PER_S, 1, 0, 0, 0.25, "SELECT", 4, 5, 0, DB, SPAN_CLIENT, 0},
    {30 * NS_PER_S, 300, 200, 20, 0, "GET /", 5, 6, 0, SHOP, SPAN_SERVER, 0},
    {30 * NS_PER_S + 1, 7, 0, 1000, 0, "GET /", 9, 91, 0, SHOP, SPAN_SERVER, 0}, /* behind the last one */
};

static void append_spans(TraceStore *s) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    Attr shop[] = {gen_str("service.name", "shop")}, db[] = {gen_str("service.name", "db")};
    Resource r1 = {.attrs = gen_attrs(&b, shop, 1)}, r2 = {.attrs = gen_attrs(&b, db, 1)};
    ASSERT(avec_push(arena, &b.resources, r1) && avec_push(arena, &b.resources, r2));
    gen_scope(&b, "lib");
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        Attr attrs[3];
        size_t n = 0;
        if (spans[i].status_code) attrs[n++] = gen_i64("http.status_code", spans[i].status_code);
        if (spans[i].tokens) attrs[n++] = gen_i64("tokens", spans[i].tokens);
        if (spans[i].score != 0) attrs[n++] = (Attr){STR("score"), {.type = ATTR_F64, .d = spans[i].score}};
        SpanRow r = {.trace_id = gen_trace_id(spans[i].trace),
            .span_id = gen_span_id(spans[i].span),
            .start_ns = GEN_T0 + spans[i].at_ns,
            .end_ns = GEN_T0 + spans[i].at_ns + spans[i].duration_ms * NS_PER_MS,
            .name = str_cstr(spans[i].name),
            .kind = spans[i].kind,
            .status = spans[i].status,
            .resource = spans[i].service,
            .attrs = gen_attrs(&b, attrs, n)};
        if (spans[i].parent) r.parent_id = gen_span_id(spans[i].parent);
        ASSERT(avec_push(arena, &b.rows, r));
    }
    ASSERT(s->ops->append(s, &b, NULL, NULL) == OK);
    arena_free(arena);
}

typedef struct Fixture {
    char dir[64];
    TraceStore *store;
} Fixture;

static void open_fixture(Fixture *f) {
    strcpy(f->dir, "/tmp/mk-tqm-XXXXXX");
    ASSERT(mkdtemp(f->dir));
    ASSERT(trace_store_open(fs_real(), f->dir, &(TraceStoreOptions){.durable = false}, &f->store, NULL) == OK);
    append_spans(f->store);
}

static void close_fixture(Fixture *f) {
    f->store->ops->close(f->store);
    ASSERT(fs_remove_tree(fs_real(), f->dir, NULL) == OK);
}

/* --- queries over (T0, T0 + 30 s], points at 10, 20 and 30 s --- */

#define STEP (10 * NS_PER_S)
#define ALL "{__name__=\"count_over_time\"}"
#define SVC(name) "{\"resource.service.name\"=\"" name "\"}"

static const struct {
    const char *query, *want; /* a line for each series: labels, then its points; - is none */
} cases[] = {
    {"{} | count_over_time()", ALL " 3 1 2\n"},
    {"{} | rate()", "{__name__=\"rate\"} 0.3 0.1 0.2\n"},
    {"{ status = error } | rate()", "{__name__=\"rate\"} 0.1 0 0\n"},
    {"{ name = \"nothing\" } | count_over_time()", ALL " 0 0 0\n"},
    {"{ name = \"nothing\" } | count_over_time() by (name)", ""},
    {"{} | count_over_time() by (resource.service.name)", SVC("db") " 1 0 1\n" SVC("shop") " 2 1 1\n"},
    {"{} | count_over_time() by (span.http.status_code)",
        "{\"span.http.status_code\"=\"nil\"} 1 0 1\n{\"span.http.status_code\"=\"200\"} 1 1 1\n"
        "{\"span.http.status_code\"=\"500\"} 1 0 0\n"},
    {"{ kind = server } | count_over_time() by (name, status)",
        "{name=\"GET /\", status=\"unset\"} 1 0 1\n{name=\"GET /\", status=\"error\"} 1 0 0\n"
        "{name=\"GET /x\", status=\"unset\"} 0 1 0\n"},
    {"{} | max_over_time(duration)", "{__name__=\"max_over_time\"} 0.2 0.4 0.3\n"},
    {"{} | min_over_time(duration)", "{__name__=\"min_over_time\"} 0.064 0.4 0.001\n"},
    {"{} | sum_over_time(duration)", "{__name__=\"sum_over_time\"} 0.364 0.4 0.301\n"},
    {"{} | avg_over_time(duration)", "{__name__=\"avg_over_time\"} 0.121333 0.4 0.1505\n"},
    {"{} | sum_over_time(span.tokens)", "{__name__=\"sum_over_time\"} 40 - 20\n"},
    {"{} | avg_over_time(span.tokens) by (resource.service.name)", SVC("shop") " 20 - 20\n"},
    {"{} | max_over_time(span.nothing)", ""},
    {"{} | quantile_over_time(duration, .5, 1)",
        "{p=\"0.5\"} 0.134218 0.536871 0.00104858\n{p=\"1\"} 0.268435 0.536871 0.536871\n"},
    {"{} | quantile_over_time(duration, .5) by (resource.service.name)",
        "{\"resource.service.name\"=\"db\", p=\"0.5\"} 0.0671089 0 0.00104858\n"
        "{\"resource.service.name\"=\"shop\", p=\"0.5\"} 0.134218 0.536871 0.536871\n"},
    {"{} | quantile_over_time(span.tokens, .9)", "{p=\"0.9\"} 32 0 32\n"},
    {"{} | histogram_over_time(duration)",
        "{__bucket=\"0.001048576\"} 0 0 1\n{__bucket=\"0.067108864\"} 1 0 0\n{__bucket=\"0.134217728\"} 1 0 0\n"
        "{__bucket=\"0.268435456\"} 1 0 0\n{__bucket=\"0.536870912\"} 0 1 1\n"},
    {"{} | histogram_over_time(span.score)", "{__bucket=\"0.25\"} 0 0 1\n"},
    {"{} | histogram_over_time(span.tokens) by (resource.service.name)",
        "{\"resource.service.name\"=\"shop\", __bucket=\"16\"} 1 0 0\n"
        "{\"resource.service.name\"=\"shop\", __bucket=\"32\"} 1 0 1\n"},
    {"{ resource.service.name = \"shop\" } > { resource.service.name = \"db\" } | count_over_time()", ALL " 1 0 0\n"},
    {"{} | count_over_time() by (resource.service.name) | topk(1)", SVC("db") " - - 1\n" SVC("shop") " 2 1 -\n"},
    {"{} | count_over_time() by (resource.service.name) | bottomk(1)", SVC("db") " 1 0 -\n" SVC("shop") " - - 1\n"},
    {"{} | count_over_time() by (resource.service.name) > 1", SVC("shop") " 2 - -\n"},
    {"{} | count_over_time() by (resource.service.name) != 0", SVC("db") " 1 - 1\n" SVC("shop") " 2 1 1\n"},
    {"{} | max_over_time(duration) >= 300ms", "{__name__=\"max_over_time\"} - 0.4 0.3\n"},
    {"{} | count_over_time() by (resource.service.name) | topk(1) > 1", SVC("shop") " 2 - -\n"},
    {"{} | count_over_time() by (resource.service.name) > 99", ""},
    {"({ status = error } | rate()) / ({} | rate())", "{__name__=\"(rate / rate)\"} 0.333333 0 0\n"},
    {"({} | sum_over_time(span.tokens)) / (2 * (1 + 4))", "{__name__=\"sum_over_time\"} 4 - 2\n"},
    {"100 * ({ status = error } | count_over_time()) / ({} | count_over_time()) > 5",
        "{__name__=\"(count_over_time / count_over_time)\"} 33.3333 - -\n"},
    {"({} | count_over_time() by (resource.service.name)) / ({} | count_over_time())",
        SVC("db") " 0.333333 0 0.5\n" SVC("shop") " 0.666667 1 0.5\n"},
    {"({} | count_over_time()) - ({} | count_over_time() by (resource.service.name))",
        SVC("db") " 2 1 1\n" SVC("shop") " 1 0 1\n"},
    {"({ status = error } | count_over_time() by (resource.service.name)) /"
     " ({} | count_over_time() by (resource.service.name))",
        SVC("shop") " 0.5 0 0\n"},
    {"({} | count_over_time() by (name, kind)) - ({} | count_over_time() by (kind, name)) | topk(1)",
        "{kind=\"server\", name=\"GET /\"} 0 0 0\n"},
    {"({} | count_over_time()) / ({ name = \"nothing\" } | count_over_time())", ""},
    {"({} | count_over_time()) * 2.5", "{__name__=\"count_over_time\"} 7.5 2.5 5\n"},
    {"10 - ({} | count_over_time())", "{__name__=\"count_over_time\"} 7 9 8\n"},
    {"({} | count_over_time()) / 2", "{__name__=\"count_over_time\"} 1.5 0.5 1\n"},
    {"({} | sum_over_time(span.tokens)) + 1", "{__name__=\"sum_over_time\"} 41 - 21\n"},
};

static void put_point(Buf *out, double v) {
    if (isnan(v))
        buf_put_lit(out, " -");
    else
        buf_printf(out, " %g", v);
}

static Str matrix_text(const TqlMatrix *m, Buf *out) {
    for (size_t i = 0; i < m->n; i++) {
        traceql_metrics_put_labels(out, m->series[i].labels, m->series[i].n_labels);
        for (size_t k = 0; k < m->n_points; k++) put_point(out, m->series[i].v[k]);
        buf_put_char(out, '\n');
    }
    return buf_str(out);
}

static TqlMetricsRequest request(const Fixture *f, const char *query, Arena *arena) {
    TqlMetricsRequest req = {.store = f->store,
        .start_ns = GEN_T0 + STEP,
        .end_ns = GEN_T0 + 3 * STEP,
        .step_ns = STEP,
        .exemplars_max = 10};
    Err err = {0};
    if (traceql_parse(str_cstr(query), arena, &req.query, &err) != OK) fail_msg("%s: %s", query, err.msg);
    return req;
}

static void check_cases(const Fixture *f) {
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(64u << 20);
        TqlMetricsRequest req = request(f, cases[i].query, arena);
        TqlMatrix m;
        Buf got = {0};
        Err err = {0};
        if (traceql_metrics(&req, arena, &m, &err) != OK) fail_msg("%s: %s", cases[i].query, err.msg);
        if (!str_eq(matrix_text(&m, &got), str_cstr(cases[i].want))) {
            fail_msg("%s\ngot\n%.*swant\n%s", cases[i].query, (int)got.n, got.p, cases[i].want);
        }
        buf_done(&got);
        arena_free(arena);
    }
}

static void test_queries(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f);
    check_cases(&f);
    assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    check_cases(&f);
    close_fixture(&f);
}

/* --- one point for the whole window --- */

#define META(type, attr, value) "{__meta_type=\"" type "\", " attr "=\"" value "\"} "
#define COMPARE "{ kind = server } | compare({ status = error }"
#define TOO_MANY "{__meta_error=\"__too_many_values__\", name=\"nil\"} -"

static const struct {
    const char *query, *line; /* one of the answer */
    size_t series;
} instants[] = {
    {"{} | count_over_time()", ALL " 6", 1},
    {"{} | rate()", "{__name__=\"rate\"} 0.2", 1},
    {"{} | max_over_time(duration)", "{__name__=\"max_over_time\"} 0.4", 1},
    {COMPARE ")", META("baseline", "name", "GET /") "2", 34},
    {COMPARE ")", META("baseline", "name", "GET /x") "1", 34},
    {COMPARE ")", META("baseline_total", "name", "nil") "3", 34},
    {COMPARE ")", META("selection", "name", "GET /") "1", 34},
    {COMPARE ")", META("selection_total", "name", "nil") "1", 34},
    {COMPARE ")", META("baseline", "\"resource.service.name\"", "shop") "3", 34},
    {COMPARE ")", META("baseline", "\"span.http.status_code\"", "200") "3", 34},
    {COMPARE ")", META("selection", "\"instrumentation:name\"", "lib") "1", 34},
    {COMPARE ")", META("selection", "\"span.http.status_code\"", "500") "1", 34},
    {COMPARE ")", META("baseline", "\"span.tokens\"", "20") "1", 34},
    {COMPARE ")", META("baseline_total", "\"span.tokens\"", "nil") "2", 34},
    {COMPARE ")", META("selection", "status", "error") "1", 34},
    {COMPARE ", 1)", META("baseline", "name", "GET /") "2", 34}, /* two values less, two remarks more */
    {COMPARE ", 1)", META("baseline_total", "name", "nil") "3", 34},
    {COMPARE ", 1)", TOO_MANY, 34},
    /* The selection in time, too: the failed span began at 5 s. */
    {COMPARE ", 10, 1700000000000000000, 1700000004000000000)", META("baseline_total", "name", "nil") "4", 21},
    {COMPARE ", 10, 1700000000000000000, 1700000005000000000)", META("selection_total", "name", "nil") "1", 34},
};

static void test_instants(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < ARRAY_LEN(instants); i++) {
        Arena *arena = arena_create(64u << 20);
        TqlMetricsRequest req = request(&f, instants[i].query, arena);
        TqlMatrix m;
        Buf got = {0};
        Err err = {0};
        req.start_ns = GEN_T0;
        req.step_ns = 0;
        if (traceql_metrics(&req, arena, &m, &err) != OK) fail_msg("%s: %s", instants[i].query, err.msg);
        Str text = matrix_text(&m, &got), line;
        bool found = false;
        while (!found && str_split_next(&text, '\n', &line)) found = str_eq(line, str_cstr(instants[i].line));
        if (!found || m.n != instants[i].series) {
            print_message("%s: %zu series\n%.*s", instants[i].query, m.n, (int)got.n, got.p);
            fail_msg("wanted %zu, among them %s", instants[i].series, instants[i].line);
        }
        buf_done(&got);
        arena_free(arena);
    }
    close_fixture(&f);
}

/* --- exemplars, limits, errors --- */

static void test_exemplars(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f);
    Arena *arena = arena_create(64u << 20);
    TqlMatrix m;
    TqlMetricsRequest req = request(&f, "{} | max_over_time(duration) by (resource.service.name)", arena);
    assert_int_equal(traceql_metrics(&req, arena, &m, NULL), OK);
    size_t n = 0;
    for (size_t i = 0; i < m.n; i++) {
        for (size_t k = 0; k < m.series[i].n_exemplars; k++, n++) {
            const TqlExemplar *x = &m.series[i].exemplars[k];
            bool known = false;
            for (size_t s = 0; s < ARRAY_LEN(spans); s++) {
                known |= GEN_T0 + spans[s].at_ns == x->t_ns && trace_id_eq(gen_trace_id(spans[s].trace), x->trace_id) &&
                         (double)spans[s].duration_ms / 1e3 == x->value && (spans[s].service == DB) == (i == 0);
            }
            assert_true(known);
        }
    }
    assert_in_range(n, 3, 6); /* every point has some */
    req = request(&f, "{} | rate() with (exemplars = false)", arena);
    assert_int_equal(traceql_metrics(&req, arena, &m, NULL), OK);
    assert_int_equal(m.series[0].n_exemplars, 0);
    req = request(&f, "{} | rate()", arena);
    assert_int_equal(traceql_metrics(&req, arena, &m, NULL), OK);
    assert_true(m.series[0].n_exemplars >= 3);
    size_t point = (size_t)((m.series[0].exemplars[0].t_ns - GEN_T0 - 1) / STEP);
    assert_true(m.series[0].exemplars[0].value == m.series[0].v[point]); /* on the line */
    arena_free(arena);
    close_fixture(&f);
}

static bool always_gone(void *ctx) {
    (void)ctx;
    return true;
}

static void test_errors(void **state) {
    (void)state;
    Fixture f;
    open_fixture(&f);
    Arena *arena = arena_create(64u << 20);
    TqlMatrix m;
    Err err = {0};
    TqlMetricsRequest req = request(&f, "{}", arena);
    assert_int_equal(traceql_metrics(&req, arena, &m, &err), ERR_INVALID);
    assert_string_equal(err.msg, "the query finds spans and has no number");
    req = request(&f, "{} | rate() by (name)", arena);
    req.series_max = 2;
    assert_int_equal(traceql_metrics(&req, arena, &m, &err), ERR_TOO_LARGE);
    assert_string_equal(err.msg, "the query gives 3 series, the limit is 2");
    req.series_max = 0;
    req.memory_bytes = 1;
    assert_int_equal(traceql_metrics(&req, arena, &m, &err), ERR_TOO_LARGE);
    assert_string_equal(err.msg, "the query needs more memory than it may use");
    req.memory_bytes = 0;
    req.gone = always_gone;
    assert_int_equal(traceql_metrics(&req, arena, &m, &err), ERR_CANCELLED);
    req.gone = NULL;
    req.step_ns = 1;
    assert_int_equal(traceql_metrics(&req, arena, &m, &err), ERR_INVALID);
    assert_string_equal(err.msg, "20000000001 points are too many, the limit is 11000");
    req.end_ns = req.start_ns - 1;
    assert_int_equal(traceql_metrics(&req, arena, &m, &err), ERR_INVALID);
    arena_free(arena);
    close_fixture(&f);
}

/* --- pieces --- */

static void test_buckets(void **state) {
    (void)state;
    static const double values[][2] = {
        {0, 0}, {-3, 0}, {1, 1}, {2, 2}, {2.5, 4}, {3, 4}, {4, 4}, {5, 8}, {0.25, 0.25}, {0.3, 0.5}, {1e9, 1073741824}};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) assert_true(tql_bucket(values[i][0]) == values[i][1]);
    const double bounds[] = {1, 2, 4, 8}, counts[] = {0, 10, 10, 0};
    static const double quantiles[][2] = {{0.5, 2}, {0.25, 1.4142135623730951}, {1, 4}, {0.05, 1.0717734625362931}};
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        assert_true(fabs(tql_quantile(quantiles[i][0], bounds, counts, 4) - quantiles[i][1]) < 1e-12);
    }
    assert_true(isnan(tql_quantile(0.5, bounds, counts, 1)));
}

static void test_grid(void **state) {
    (void)state;
    int64_t start = 1700000007 * NS_PER_S, end = 1700000031 * NS_PER_S;
    traceql_metrics_align(&start, &end, 10 * NS_PER_S);
    assert_int_equal(start, 1700000000 * NS_PER_S);
    assert_int_equal(end, 1700000040 * NS_PER_S);
    traceql_metrics_align(&start, &end, 10 * NS_PER_S);
    assert_int_equal(start, 1700000000 * NS_PER_S);
    assert_int_equal(end, 1700000040 * NS_PER_S);
    assert_int_equal(traceql_metrics_step(0, 3600 * NS_PER_S), 15 * NS_PER_S);
    assert_int_equal(traceql_metrics_step(0, 60 * NS_PER_S), NS_PER_S);
    assert_int_equal(traceql_metrics_step(0, 7 * 86400 * NS_PER_S), 3600 * NS_PER_S);
    assert_true(traceql_metrics_step(0, INT64_C(3650) * 86400 * NS_PER_S) >= INT64_C(15) * 86400 * NS_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_queries), cmocka_unit_test(test_instants),
        cmocka_unit_test(test_exemplars), cmocka_unit_test(test_errors), cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_grid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
