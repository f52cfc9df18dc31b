#include "metrics/scrape/scrape_created.h"
#include "metrics/scrape/scrape_nhcb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* OpenMetrics text, and what is left of it: per sample its value and, when known, its start time. */
static const struct {
    const char *text, *want;
} cases[] = {
    {"# TYPE a counter\na_total 1\na_created 12.5\n", "1@12500"},
    {"# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 2\na_total{x=\"2\"} 3\na_created{x=\"2\"} 4\n",
        "1@2000 3@4000"},
    /* Of another series, of none, out of range. */
    {"# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"2\"} 2\n", "1"},
    {"# TYPE a counter\na_created 2\na_total 1\n", "1"},
    {"# TYPE a counter\na_total 1\na_created NaN\n", "1"},
    {"# TYPE a counter\na_total 1\na_created 1e300\n", "1"},
    /* Between others. */
    {"# TYPE g gauge\ng 7\n# TYPE a counter\na_total 1\na_created 2\n# TYPE u unknown\nu 8\n", "7 1@2000 8"},
    /* All of a histogram, all of a summary, and no label of another that looks like theirs. */
    {"# TYPE h histogram\nh_bucket{x=\"le=,\",le=\"1\"} 1\nh_bucket{x=\"le=,\",le=\"+Inf\"} 2\nh_sum{x=\"le=,\"} 3\n"
     "h_count{x=\"le=,\"} 2\nh_created{x=\"le=,\"} 9\nh_bucket{x=\"b\",le=\"+Inf\"} 5\n",
        "1@9000 2@9000 3@9000 2@9000 5"},
    {"# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\ns_created 4\n", "1@4000 2@4000 3@4000"},
    {"# TYPE \"a.b\" counter\n{\"a.b_total\",x=\"}\"} 1\n{\"a.b_created\",x=\"}\"} 2\n", "1@2000"},
    /* A series with such a name where it is none of a family's. */
    {"# TYPE g gauge\ng 1\n# TYPE g_created gauge\ng_created 5\n", "1 5"},
};

typedef struct Reader {
    Created created;
    MetricsBatch b;
} Reader;

static ErrCode on_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    (void)reterr;
    Reader *r = ctx;
    if (created_take(&r->created, s, &r->b)) return OK;
    assert_true(metrics_batch_add(&r->b, (Labels){0}, 1, s->value) && metrics_batch_set_start(&r->b, 0));
    return OK;
}

static ErrCode on_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    (void)reterr;
    if (m->kind == PROMTEXT_TYPE) created_family(&((Reader *)ctx)->created, m->metric);
    return OK;
}

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Reader r = {.b = {.arena = arena_create(1 << 20)}};
        PromTextVisitor visitor = {&r, on_sample, on_meta, NULL};
        Buf text = {0}, got = {0};
        Err err = {0};
        buf_printf(&text, "%s# EOF\n", cases[i].text);
        PromTextOptions o = {.format = PROMTEXT_OPENMETRICS};
        if (promtext_parse(buf_str(&text), &o, &visitor, r.b.arena, &err) != OK) fail_msg("%zu: %s", i, err.msg);
        for (size_t k = 0; k < r.b.value.n; k++) {
            const int64_t *start = metrics_batch_starts(&r.b, k, 1);
            buf_printf(&got, "%s%g", k ? " " : "", r.b.value.v[k]);
            if (start && *start) buf_printf(&got, "@%lld", (long long)*start);
        }
        assert_string_equal(buf_cstr(&got), cases[i].want);
        buf_done(&text);
        buf_done(&got);
        arena_free(r.b.arena);
    }
}

/* A classic histogram that becomes a native one keeps its start; the classic series have it as well. */
static ErrCode on_native(void *ctx, const PromTextSample *s, Err *reterr) {
    Reader *r = ctx;
    if (!s->histogram) return on_sample(ctx, s, reterr);
    Histogram h = *s->histogram;
    assert_true(avec_push(r->b.arena, &r->b.histograms, h));
    assert_true(metrics_batch_set_histogram_start(&r->b, s->start_ms));
    return OK;
}

static void check_native(const char *text, bool classic, bool created, const char *want) {
    Reader r = {.b = {.arena = arena_create(1 << 20)}};
    PromTextVisitor inner = {&r, on_native, on_meta, NULL};
    Nhcb *n = nhcb_create(&inner, &(NhcbOptions){classic, created, false}, r.b.arena);
    PromTextVisitor visitor = nhcb_visitor(n);
    Buf got = {0};
    Err err = {0};
    PromTextOptions o = {.format = PROMTEXT_OPENMETRICS};
    if (promtext_parse(str_cstr(text), &o, &visitor, r.b.arena, &err) != OK) fail_msg("%s", err.msg);
    assert_int_equal(nhcb_finish(n, NULL), OK);
    for (size_t k = 0; k < r.b.histograms.n; k++) {
        const int64_t *start = metrics_batch_histogram_starts(&r.b, k, 1);
        buf_printf(&got, "h%g@%lld ", r.b.histograms.v[k].count, start ? (long long)*start : 0);
    }
    for (size_t k = 0; k < r.b.value.n; k++) {
        const int64_t *start = metrics_batch_starts(&r.b, k, 1);
        buf_printf(&got, "%g@%lld ", r.b.value.v[k], start ? (long long)*start : 0);
    }
    assert_string_equal(buf_cstr(&got), want);
    buf_done(&got);
    nhcb_free(n);
    arena_free(r.b.arena);
}

static void test_native(void **state) {
    (void)state;
    const char *two =
        "# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 2\nh_sum{a=\"1\"} "
        "3\nh_count{a=\"1\"} 2\nh_created{a=\"1\"} 9\nh_bucket{a=\"2\",le=\"+Inf\"} 5\nh_count{a=\"2\"} "
        "5\n# EOF\n";
    check_native(two, false, true, "h2@9000 h5@0 ");
    check_native(two, true, true, "h2@9000 h5@0 1@9000 2@9000 3@9000 2@9000 5@0 5@0 ");
    check_native(two, false, false, "h2@0 h5@0 ");
    /* Another's, no time; a time of the sample's own does not part them. */
    check_native("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_created{a=\"1\"} 9\n# EOF\n", false, true, "h2@0 ");
    check_native("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_created NaN\n# EOF\n", false, true, "h2@0 ");
    check_native("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2 50\nh_created 7\n# EOF\n", false, true, "h2@7000 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_native)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
