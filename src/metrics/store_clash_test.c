/* Two values for one time of one series: what stays, and what the sender hears of it. */
#include "metrics/metrics_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define BASE_MS INT64_C(1700000000000)

static const Label name[] = {{STR_INIT("__name__"), STR_INIT("a")}};
static const Labels labels = {name, 1};

static MetricsStore *open_store(Fs *fs) {
    MetricsStoreOptions opts = {.durable = true, .retention_ms = INT64_MAX / 2};
    MetricsStore *store;
    assert_int_equal(metrics_store_open(fs, "/data", &opts, &store, NULL), OK);
    return store;
}

static void count_samples(MetricsStore *store, size_t *ret_floats, size_t *ret_histograms) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsSelect req = {.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .arena = arena};
    const Matcher *m;
    SeriesColumns c;
    assert_int_equal(matcher_create(arena, MATCH_EQ, STR("__name__"), STR("a"), &m, NULL), OK);
    req.matchers = (Matchers){&m, 1};
    assert_int_equal(store->ops->select(store, &req, &c, NULL), OK);
    assert_int_equal(c.n, 1);
    *ret_floats = c.v[0].n;
    *ret_histograms = c.v[0].n_histograms;
    arena_free(arena);
}

/* One append: samples as "time:value", "h" before the value: a histogram with that count. */
static void put_case(MetricsBatch *b, const char *text) {
    static const HistogramSpan one[] = {{0, 1}};
    for (const char *p = text; *p;) {
        char *end;
        long t = strtol(p, &end, 10);
        bool histogram = end[1] == 'h';
        double v = strtod(end + 1 + histogram, &end);
        p = *end ? end + 1 : end;
        BatchSeries s = {.labels = labels, .first_sample = (uint32_t)b->t_ms.n, .n_samples = !histogram};
        s.first_histogram = (uint32_t)b->histograms.n;
        s.n_histograms = histogram;
        assert_true(avec_push(b->arena, &b->series, s));
        if (!histogram) {
            assert_true(avec_push(b->arena, &b->t_ms, BASE_MS + t) && avec_push(b->arena, &b->value, v));
            continue;
        }
        double *count = ARENA_NEW(b->arena, double);
        *count = v;
        Histogram h = {.count = v, .pos = count, .n_pos = 1, .pos_spans = one, .n_pos_spans = 1};
        assert_true(avec_push(b->arena, &b->histogram_t_ms, BASE_MS + t) && avec_push(b->arena, &b->histograms, h));
    }
}

static void test_quiet_conflicts(void **state) {
    (void)state;
    static const struct {
        const char *appends[3], *kept; /* what is there in the end: floats, histograms */
        const char *want;              /* of the last: stored/taken floats, the same of histograms, complaints */
    } cases[] = {
        {{"10:1 10:2"}, "1 0", "1/2 0/0"},
        {{"10:1 10:2 20:3"}, "2 0", "2/3 0/0"},
        {{"10:1", "10:2"}, "1 0",
            "0/0 0/0 duplicate sample for timestamp %t10; overrides not allowed: existing 1, new value 2"},
        {{"10:1", "10:1"}, "1 0", "0/1 0/0"},
        {{"10:1", "10:1 10:2"}, "1 0",
            "0/1 0/0 duplicate sample for timestamp %t10; overrides not allowed: existing 1, new value 2"},
        {{"10:1", "20:5 20:6"}, "2 0", "1/2 0/0"},
        {{"10:1", "20:5 10:6"}, "2 0",
            "1/1 0/0 duplicate sample for timestamp %t10; overrides not allowed: existing 1, new value 6"},
        {{"10:1 20:2", "10:7"}, "2 0", "0/1 0/0"},
        {{"20:1", "10:2", "10:3"}, "2 0", "0/1 0/0"},
        {{"10:h1 10:h2"}, "0 1", "0/0 1/2"},
        {{"10:h1", "10:h2"}, "0 1", "0/0 0/0 duplicate sample for timestamp"},
        {{"10:1 10:h2"}, "1 0", "1/1 0/1"},
        {{"10:1", "10:h2"}, "1 0", "0/0 0/0 duplicate sample for timestamp"},
        {{"10:h2", "10:1"}, "0 1",
            "0/0 0/0 duplicate sample for timestamp %t10; overrides not allowed: existing is a histogram, new value 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Fs *fs = fs_fault_create(1);
        MetricsStore *store = open_store(fs);
        MetricsAppendResult res;
        Buf got = {0}, want = {0};
        for (size_t k = 0; k < 3 && cases[i].appends[k]; k++) {
            Arena *arena = arena_create((size_t)1 << 20);
            MetricsComplaints complaints = {0};
            MetricsBatch b = {.arena = arena, .complaints = &complaints};
            put_case(&b, cases[i].appends[k]);
            assert_int_equal(store->ops->append(store, &b, &res, NULL), OK);
            buf_clear(&got);
            buf_printf(&got, "%d/%d %d/%d", (int)res.samples, (int)res.samples_taken, (int)res.histograms,
                (int)res.histograms_taken);
            vec_foreach(MetricsComplaint, c, &complaints.list) buf_printf(&got, " %" STR_FMT, STR_ARG(c->text));
            assert_int_equal(res.conflicts, res.quiet + complaints.list.n);
            arena_free(arena);
        }
        for (const char *p = cases[i].want; *p; p++) {
            if (p[0] == '%' && p[1] == 't') {
                buf_printf(&want, "%lld", (long long)BASE_MS + 10);
                p += 3;
            } else {
                buf_put_char(&want, *p);
            }
        }
        assert_string_equal(buf_cstr(&got), buf_cstr(&want));
        buf_done(&want);
        size_t floats, histograms;
        for (int again = 0; again < 2; again++) { /* the log tells the same story */
            count_samples(store, &floats, &histograms);
            buf_clear(&got);
            buf_printf(&got, "%zu %zu", floats, histograms);
            assert_string_equal(buf_cstr(&got), cases[i].kept);
            store->ops->close(store);
            store = open_store(fs);
        }
        store->ops->close(store);
        buf_done(&got);
        fs_fault_free(fs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quiet_conflicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
