/* Bodies as a target answers them one after the other, and what is made of each: the measure is Prometheus 3.16, which
 * gave the same for all of these. */
#include "metrics/scrape/scrape_int.h"

#include "base/num.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BODIES_MAX 6

/* outcomes: "up scraped kept added[ error]" per body, parted by "; ". series: what the store has then but for the
 * reports: labels, without those of the target if it
 * has both, values by scrape ("-" for none, "end" for a stale marker). */
typedef struct Case {
    const char *job; /* more of the scrape configuration */
    const char *type;
    const char *bodies[BODIES_MAX];
    const char *outcomes, *series;
} Case;

#define PLAIN "text/plain; version=0.0.4"

static const Case cases[] = {
    {"", PLAIN, {"a 1\nb 2\n", "a 2\n", "b 3\n"}, "1 2 2 2; 1 1 1 0; 1 1 1 1", "a 1 2 end; b 2 end 3"},
    /* Names and values no label may have. */
    {"", PLAIN, {"a{\"\"=\"x\"} 1\n"},
        "0 1 0 0 invalid metric name or label names: {\"\"=\"x\", __name__=\"a\", instance=\"i\", job=\"j\"}", ""},
    {"", PLAIN, {"a{\"\xff\"=\"x\"} 1\n"},
        "0 1 0 0 invalid metric name or label names: {__name__=\"a\", instance=\"i\", job=\"j\", \"\\xff\"=\"x\"}", ""},
    {"", PLAIN, {"{\"\xff\"} 1\n"},
        "0 1 0 0 invalid metric name or label names: {__name__=\"\\xff\", instance=\"i\", job=\"j\"}", ""},
    {"  metric_name_validation_scheme: legacy\n", PLAIN, {"{\"a.b\"} 1\n"},
        "0 1 0 0 invalid metric name or label names: {__name__=\"a.b\", instance=\"i\", job=\"j\"}", ""},
    /* A name that stands there twice fails what is kept. */
    {"", PLAIN, {"b 1\na{x=\"1\",x=\"2\"} 1\n"}, "0 2 1 1 label name \"x\" is not unique: invalid sample", ""},
    {"  metric_relabel_configs: [{source_labels: [__name__], regex: a, action: drop}]\n", PLAIN,
        {"b 1\na{x=\"1\",x=\"2\"} 1\n"}, "1 2 1 1", "b 1"},
    /* Whose label is it? */
    {"", PLAIN, {"a{job=\"t\",exported_job=\"u\"} 1\nb{instance=\"\"} 2\n"}, "1 2 2 2",
        "a{exported_exported_job=\"t\", exported_job=\"u\"} 1; b 2"},
    {"  relabel_configs: [{target_label: exported_job, replacement: x}]\n", PLAIN,
        {"a{job=\"t\",exported_job=\"u\"} 1\n"}, "1 1 1 1",
        "a{exported_exported_exported_job=\"u\", exported_exported_job=\"t\", exported_job=\"x\"} 1"},
    {"  honor_labels: true\n", PLAIN, {"a{job=\"t\"} 1\nb{instance=\"\"} 2\n"}, "1 2 2 2",
        "a{instance=\"i\", job=\"t\"} 1; b{job=\"j\"} 2"},
    /* The same once more in a scrape is left out, whatever its value. */
    {"  sample_limit: 2\n", PLAIN, {"a 1\na 2\nb 1\na 1\n", "a 3\n"}, "1 4 4 2; 1 1 1 0", "a 1 3; b 1 end"},
    /* Beyond a limit no series is new. */
    {"  sample_limit: 2\n", PLAIN, {"a 1\nb 2\nc 3\nd 4\n", "a 1\nc 3\n"}, "0 4 4 2 sample limit exceeded; 1 2 2 0",
        "a - 1; c - 3"},
    /* What fails ends all that lived, once; what comes back is not new. */
    {"", PLAIN, {"a 1\nb 1\n", "a 2\nb{\n", "c\n", "a 3\nc 1\n", "a 4\nc 2\n"},
        "1 2 2 2; 0 1 1 0 line 2, column 3: expected label name or \"}\", got end of line; "
        "0 0 0 0 line 1, column 2: expected space and value, got end of line; 1 2 2 1; 1 2 2 0",
        "a 1 end - 3 4; b 1 end - - -; c - - - 1 2"},
    {"", PLAIN, {"a 1\n", "", "", "a 2\n", "b 1\n"}, "1 1 1 1; 1 0 0 0; 1 0 0 0; 1 1 1 0; 1 1 1 1",
        "a 1 end - 2 end; b - - - - 1"},
    /* Nothing needs no format. */
    {"", "application/openmetrics-text; version=1.0.0", {"", "# EOF\n", "a 1\n"},
        "1 0 0 0; 1 0 0 0; 0 1 1 1 line 2, column 1: data does not end with # EOF", ""},
};

static PromConfig *config_of(const char *job) {
    Buf text = {0};
    DiagList diags;
    PromConfig *c = NULL;
    buf_printf(&text,
        "scrape_configs:\n- job_name: j\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
        "  static_configs: [{targets: [i]}]\n%s",
        job);
    diag_init(&diags, STR("p.yml"), buf_str(&text));
    if (prom_config_parse(buf_str(&text), STR(""), &c, &diags) != OK) fail_msg("%s", diags.items.v[0].msg);
    diag_done(&diags);
    buf_done(&text);
    return c;
}

static ScrapeTarget *target_of(const PromScrapeConfig *job) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const Label address = {STR("__address__"), STR("i")};
    Str discovered;
    const char *why;
    ScrapeTarget *t = scrape_target_create(job, (Labels){&address, 1}, arena, &discovered, &why);
    assert_non_null(t);
    arena_free(arena);
    return t;
}

static int64_t begin_ms; /* the store takes what is inside its retention */
static int64_t time_of(size_t scrape) { return begin_ms + (int64_t)scrape * 1000; }

static void put_value(Buf *b, const SeriesColumn *c, int64_t t_ms) {
    for (size_t i = 0; i < c->n; i++) {
        if (c->t_ms[i] != t_ms) continue;
        buf_put_char(b, ' ');
        if (is_stale_nan(c->value[i]))
            buf_put_lit(b, "end");
        else
            num_put_f64_prom(b, c->value[i]);
        return;
    }
    buf_put_lit(b, " -");
}

static bool is_report(Str metric) { return str_eq_lit(metric, "up") || str_starts_with(metric, STR("scrape_")); }

static void put_series(MetricsStore *store, size_t scrapes, Buf *b) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsSelect req = {.max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns cols;
    assert_int_equal(store->ops->select(store, &req, &cols, NULL), OK);
    for (size_t i = 0; i < cols.n; i++) {
        Labels all = cols.v[i].labels;
        Label own[64];
        size_t n = 0;
        if (is_report(labels_get(all, LABEL_NAME_METRIC))) continue;
        bool targets =
            str_eq_lit(labels_get(all, STR("job")), "j") && str_eq_lit(labels_get(all, STR("instance")), "i");
        for (size_t k = 0; k < all.n; k++)
            if (!targets || !(str_eq_lit(all.v[k].name, "job") || str_eq_lit(all.v[k].name, "instance")))
                own[n++] = all.v[k];
        if (b->n) buf_put_lit(b, "; ");
        labels_put_text(b, (Labels){own, n});
        for (size_t s = 0; s < scrapes; s++) put_value(b, &cols.v[i], time_of(s));
    }
    arena_free(arena);
}

static size_t run(const Case *c, MetricsStore *store, Buf *outcomes) {
    PromConfig *config = config_of(c->job);
    ScrapeTarget *t = target_of(&config->scrapes[0]);
    size_t n = 0;
    for (; n < BODIES_MAX && c->bodies[n]; n++) {
        ScrapeAnswer a = {
            .status = 200, .body = str_cstr(c->bodies[n]), .content_type = str_cstr(c->type), .t_ms = time_of(n)};
        ScrapeOutcome o;
        scrape_take(t, &config->scrapes[0], store, false, &a, &o);
        buf_printf(outcomes, "%s%d %llu %llu %llu%s%s", n ? "; " : "", o.up, (unsigned long long)o.scraped,
            (unsigned long long)o.kept, (unsigned long long)o.added, o.error[0] ? " " : "", o.error);
    }
    scrape_target_unref(t);
    prom_config_free(config);
    return n;
}

static void test_cases(void **state) {
    (void)state;
    begin_ms = clock_now_ms() - 60000;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const Case *c = &cases[i];
        Fs *fs = fs_fault_create(1);
        MetricsStore *store = NULL;
        Buf outcomes = {0}, series = {0};
        assert_int_equal(metrics_store_open(fs, "/data", &(MetricsStoreOptions){0}, &store, NULL), OK);
        size_t scrapes = run(c, store, &outcomes);
        put_series(store, scrapes, &series);
        if (!str_eq(buf_str(&outcomes), str_cstr(c->outcomes)) || !str_eq(buf_str(&series), str_cstr(c->series)))
            fail_msg("case %zu: %s\n outcomes %s\n     want %s\n series   %s\n     want %s", i, c->bodies[0],
                buf_cstr(&outcomes), c->outcomes, buf_cstr(&series), c->series);
        buf_done(&outcomes);
        buf_done(&series);
        store->ops->close(store);
        fs_fault_free(fs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
