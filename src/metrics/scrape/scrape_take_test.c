/* Bodies as a target answers them one after the other, and what is made of each. The measure is Prometheus 3.16, which
 * was given the same; where it does otherwise a comment says so. */
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
 * has both, values by scrape ("-" for none, "end" for a stale marker; a native histogram: count/schema/buckets that
 * are not empty). */
typedef struct Case {
    const char *job; /* more of the scrape configuration */
    const char *type;
    const char *bodies[BODIES_MAX];
    const char *outcomes, *series;
    const char *exemplars; /* labels of each, with its series' in front; NULL: none */
} Case;

#define PLAIN "text/plain; version=0.0.4"
#define OPENMETRICS "application/openmetrics-text; version=1.0.0"
#define PROTO "application/vnd.google.protobuf; encoding=delimited" /* bodies are hexadecimal */
#define NATIVE "  scrape_native_histograms: true\n"
#define NHCB "  convert_classic_histograms_to_nhcb: true\n"
#define H1 "# TYPE h histogram\n"

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
    {"  metric_name_validation_scheme: legacy\n  metric_relabel_configs: [{source_labels: [x], target_label: "
     "\"l_${1}\", "
     "replacement: v}]\n",
        PLAIN, {"a{x=\"y\"} 1\nb{x=\"/\"} 2\n"}, "1 2 2 2", "a{l_y=\"v\", x=\"y\"} 1; b{x=\"/\"} 2"},
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
    /* What fails ends all that lived, once; what comes back is not new. (Prometheus tells no end of what a failed
     * scrape had before its fault.) */
    {"", PLAIN, {"a 1\nb 1\n", "a 2\nb{\n", "c\n", "a 3\nc 1\n", "a 4\nc 2\n"},
        "1 2 2 2; 0 1 1 0 line 2, column 3: expected label name or \"}\", got end of line; "
        "0 0 0 0 line 1, column 2: expected space and value, got end of line; 1 2 2 1; 1 2 2 0",
        "a 1 end - 3 4; b 1 end - - -; c - - - 1 2"},
    {"", PLAIN, {"a 1\n", "", "", "a 2\n", "b 1\n"}, "1 1 1 1; 1 0 0 0; 1 0 0 0; 1 1 1 0; 1 1 1 1",
        "a 1 end - 2 end; b - - - - 1"},
    /* The same text without its type is another series, once it has not been there in between. */
    {"", PLAIN,
        {H1 "h_bucket{le=\"1\"} 1\n", H1 "h_bucket{le=\"1.0\"} 2\n", "h_bucket{le=\"1\"} 3\n",
            H1 "h_bucket{le=\"1\"} 4\n"},
        "1 1 1 1; 1 1 1 1; 1 1 1 1; 1 1 1 0", "h_bucket{le=\"1\"} - - 3 4; h_bucket{le=\"1.0\"} 1 2 end -"},
    /* Nothing needs no format. */
    {"", OPENMETRICS, {"", "# EOF\n", "a 1\n"},
        "1 0 0 0; 1 0 0 0; 0 1 1 1 line 2, column 1: data does not end with # EOF", ""},
    /* Protobuf: the family's type says which value is one, families without metrics are nothing. */
    {"", PROTO, {"120a01631800220b1209090000000000001440060a0265ff1800120a01671801220b120909000000000000f03f"},
        "1 2 2 2", "c 0; g 1"},
    /* What is damaged fails as a whole: a value that is no double, a bucket beside a native histogram, a start time. */
    {"", PROTO, {"0b0a0163180022041a020805"}, "0 0 0 0 malformed protobuf exposition: a field has the wrong wire type",
        ""},
    {NATIVE, PROTO, {"240a01681804221d3a1b080111000000000000f03f1a0108280231000000000000e03f3801"},
        "0 0 0 0 malformed protobuf exposition: truncated varint", ""},
    {"", PROTO, {"150a01631800220e1a0c09000000000000f03f1a0109"},
        "0 0 0 0 malformed protobuf exposition: a time is not valid", ""},
    /* Buckets behind the last are none. */
    {"", PROTO, {"2e0a0168180422273a25080311000000000000f83f1a0b080311000000000000f07f1a0b0809110000000000c05840"},
        "1 3 3 3", "h_bucket{le=\"+Inf\"} 3; h_count 3; h_sum 1.5"},
    /* Counts that are floats make a histogram of floats, though they be 0; a zero count alone does not. */
    {NATIVE, PROTO,
        {"350a01681804222e3a2c11000000000000f03f280231000000000000e03f620408001002721000000000000000000000000000000000",
            "240a01681804221d3a1b11000000000000f03f210000000000000040410000000000000040"},
        "1 1 1 1; 1 3 3 3", "h 0/1/0 end; h_bucket{le=\"+Inf\"} - 2; h_count - 2; h_sum - 1"},
    /* Both kinds: the native one, the classic one too if asked for; it does not become a native one then. */
    {NATIVE, PROTO, {"2e0a0168180422273a25080111000000000000f03f1a0b080111000000000000f03f280231000000000000e03f3801"},
        "1 1 1 1", "h 1/1/0"},
    {"", PROTO, {"2e0a0168180422273a25080111000000000000f03f1a0b080111000000000000f03f280231000000000000e03f3801"},
        "1 4 4 4", "h_bucket{le=\"+Inf\"} 1; h_bucket{le=\"1.0\"} 1; h_count 1; h_sum 1"},
    {NATIVE NHCB "  always_scrape_classic_histograms: true\n", PROTO,
        {"2e0a0168180422273a25080111000000000000f03f1a0b080111000000000000f03f280231000000000000e03f3801"}, "1 5 5 5",
        "h 1/1/0; h_bucket{le=\"+Inf\"} 1; h_bucket{le=\"1.0\"} 1; h_count 1; h_sum 1"},
    /* Empty buckets do not count against a limit. */
    {NATIVE "  native_histogram_bucket_limit: 2\n", PROTO,
        {"2f0a0168180422283a26080311000000000000f03f2804319a9999999999b93f38006204080010066a06020100000004"}, "1 1 1 1",
        "h 3/2/2"},
    /* A classic histogram that makes no sense is an error where it is to become a native one, in protobuf only. */
    {NHCB, PROTO,
        {"120a01611801220b120909000000000000f03f2e0a0168180422273a25080311000000000000f03f1a0b080511000000000000f03f"
         "1a0b0803110000000000000040"},
        "0 1 1 1 count is not cumulative: 3 < 5", ""},
    {NHCB, PLAIN, {H1 "h_bucket{le=\"1\"} 5\nh_bucket{le=\"2\"} 3\na 1\n"}, "1 1 1 1", "a 1"},
    {NHCB, PLAIN, {H1 "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_count 4\n"}, "1 0 0 0", ""},
    {NHCB, PLAIN, {H1 "h_bucket{le=\"1\"} -1\nh_count 4\n"}, "1 0 0 0", ""},
    {NHCB, PLAIN, {H1 "h_sum 4\n"}, "1 0 0 0", ""},
    /* Only a count; no count; a bound given twice; one between the others that is none. */
    {NHCB, PLAIN, {H1 "h_sum 4\nh_count 3\n"}, "1 1 1 1", "h 3/-53/1"},
    {NHCB, PLAIN, {H1 "h_bucket{le=\"2\"} 3\nh_bucket{le=\"1\"} 1\n"}, "1 1 1 1", "h 3/-53/2"},
    {NHCB, PLAIN, {H1 "h_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 3\n"}, "1 1 1 1",
        "h 3/-53/2"},
    {NHCB, PLAIN, {H1 "h_bucket{le=\"1\"} 1\nh_bucket{le=\"x\"} 9\nh_bucket 8\nh_count 3\nh_foo 7\n"}, "1 4 4 4",
        "h 3/-53/2; h_bucket 8; h_bucket{le=\"x\"} 9; h_foo 7"},
    /* Of the family TYPE names; those of gauges only from protobuf. */
    {NHCB, PLAIN, {H1 "x_bucket{le=\"1\"} 1\nx_count 1\n"}, "1 2 2 2", "x_bucket{le=\"1.0\"} 1; x_count 1"},
    {NHCB, OPENMETRICS, {"# TYPE h gaugehistogram\nh_bucket{le=\"1\"} 1\nh_gcount 1\n# EOF\n"}, "1 2 2 2",
        "h_bucket{le=\"1\"} 1; h_gcount 1"},
    /* Exemplars: once each, whether they have times or not; none that is older; none that no store takes. */
    {"", OPENMETRICS,
        {"a 1 # {t=\"x\"} 1\nb 1 # {t=\"y\"} 1 7\n# EOF\n", "a 2 # {t=\"x\"} 1\nb 2 # {t=\"y\"} 1 7\n# EOF\n",
            "a 3 # {t=\"z\"} 1\nb 3 # {t=\"w\"} 1 6\n# EOF\n", "a 4 # {\"\"=\"v\"} 1\nb 4\n# EOF\n"},
        "1 2 2 2; 1 2 2 0; 1 2 2 0; 1 2 2 0", "a 1 2 3 4; b 1 2 3 4", "a{t=\"x\"} a{t=\"z\"} b{t=\"y\"}"},
    {"", OPENMETRICS,
        {"a 1 # {x=\"0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789012345678901234567\"} 0.5\n# EOF\n"},
        "1 1 1 1", "a 1"},
    {"", PROTO, {"2f0a0163180022281a2609000000000000f03f121b0a060a01741201ff11000000000000f03f1a080880e2cfaa061000"},
        "1 1 1 1", "c 1"},
    /* A histogram of custom buckets has its own, too, if there are any. */
    {NHCB, PROTO,
        {"690a0168180422623a60080111000000000000f03f1a28080111000000000000f03f1a1b0a060a017412016211000000000000e03f1a0"
         "80881e2cfaa061000280231000000000000e03f380182011b0a060a017412016f11333333333333e33f1a080882e2cfaa061000"},
        "1 1 1 1", "h 1/-53/1", "h{t=\"o\"}"},
    {NHCB "  always_scrape_classic_histograms: true\n", PROTO,
        {"690a0168180422623a60080111000000000000f03f1a28080111000000000000f03f1a1b0a060a017412016211000000000000e03f1a0"
         "80881e2cfaa061000280231000000000000e03f380182011b0a060a017412016f11333333333333e33f1a080882e2cfaa061000"},
        "1 5 5 5", "h 1/-53/1; h_bucket{le=\"+Inf\"} 1; h_bucket{le=\"1.0\"} 1; h_count 1; h_sum 1",
        "h{t=\"o\"} h_bucket{t=\"b\"}"},
    /* A failed scrape's are not known. */
    {"", OPENMETRICS, {"a 1 # {t=\"x\"} 1 7\nb\n# EOF\n", "a 2 # {t=\"x\"} 1 7\n# EOF\n"},
        "0 1 1 1 line 2, column 2: expected space and value, got end of line; 1 1 1 0", "a - 2", "a{t=\"x\"}"},
    /* Several of a native histogram, without the one that has no time; if it has none, those of its classic buckets. */
    {NATIVE, PROTO,
        {"710a01681804226a3a68080111000000000000f03f280231000000000000e03f380182011b0a060a017412016111000000000000e03f"
         "1a080882e2cfaa0610008201110a060a017412016211333333333333e33f82011b0a060a017412016311666666666666e63f1a080881"
         "e2cfaa061000",
            "710a01681804226a3a68080111000000000000f03f280231000000000000e03f380182011b0a060a017412016111000000000000"
            "e03f1a080882e2cfaa0610008201110a060a017412016211333333333333e33f82011b0a060a017412016311666666666666e63f"
            "1a080881e2cfaa061000"},
        "1 1 1 1; 1 1 1 0", "h 1/1/0 1/1/0", "h{t=\"c\"} h{t=\"a\"}"},
    {NATIVE, PROTO,
        {"6b0a0168180422643a62080111000000000000f03f1a28080111000000000000f03f1a1b0a060a017412016211000000000000e03f"
         "1a080881e2cfaa0610001a1e080111000000000000f07f1a110a060a017412016e110000000000001c40280231000000000000e03f"
         "3801"},
        "1 1 1 1", "h 1/1/0", "h{t=\"b\"}"},
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
    for (size_t i = 0; i < c->n_histograms; i++) {
        const Histogram *h = &c->histograms[i];
        unsigned buckets = 0;
        if (c->histogram_t_ms[i] != t_ms) continue;
        for (uint32_t k = 0; k < h->n_pos; k++) buckets += h->pos[k] != 0;
        if (histogram_is_stale(h))
            buf_put_lit(b, " end");
        else
            buf_printf(b, " %g/%d/%u", h->count, h->schema, buckets);
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

static void put_exemplars(MetricsStore *store, Buf *b) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsSelect req = {.max_t_ms = INT64_MAX, .arena = arena};
    Labels *series;
    Exemplar *v;
    size_t n;
    assert_int_equal(store->ops->exemplars(store, &req, &series, &v, &n, NULL), OK);
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s%" STR_FMT, i ? " " : "", STR_ARG(labels_get(series[i], LABEL_NAME_METRIC)));
        labels_put_text(b, v[i].labels);
    }
    arena_free(arena);
}

static Str bytes_of(const char *hex, Buf *b) {
    for (size_t i = 0; hex[i]; i += 2) {
        unsigned byte;
        assert_int_equal(sscanf(&hex[i], "%2x", &byte), 1);
        buf_put_char(b, (char)byte);
    }
    return buf_str(b);
}

static size_t run(const Case *c, MetricsStore *store, Buf *outcomes) {
    PromConfig *config = config_of(c->job);
    ScrapeTarget *t = target_of(&config->scrapes[0]);
    size_t n = 0;
    for (; n < BODIES_MAX && c->bodies[n]; n++) {
        bool proto = strcmp(c->type, PROTO) == 0;
        Buf bytes = {0};
        ScrapeAnswer a = {.status = 200,
            .body = proto ? bytes_of(c->bodies[n], &bytes) : str_cstr(c->bodies[n]),
            .content_type = str_cstr(c->type),
            .t_ms = time_of(n)};
        ScrapeOutcome o;
        scrape_take(t, &config->scrapes[0], store, false, &a, &o);
        buf_printf(outcomes, "%s%d %llu %llu %llu%s%s", n ? "; " : "", o.up, (unsigned long long)o.scraped,
            (unsigned long long)o.kept, (unsigned long long)o.added, o.error[0] ? " " : "", o.error);
        buf_done(&bytes);
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
        Buf outcomes = {0}, series = {0}, exemplars = {0};
        assert_int_equal(metrics_store_open(fs, "/data", &(MetricsStoreOptions){0}, &store, NULL), OK);
        size_t scrapes = run(c, store, &outcomes);
        put_series(store, scrapes, &series);
        put_exemplars(store, &exemplars);
        if (!str_eq(buf_str(&outcomes), str_cstr(c->outcomes)) || !str_eq(buf_str(&series), str_cstr(c->series)) ||
            !str_eq(buf_str(&exemplars), str_cstr(c->exemplars ? c->exemplars : "")))
            fail_msg("case %zu: %s\n outcomes %s\n     want %s\n series   %s\n     want %s\n exemplars %s", i,
                c->bodies[0], buf_cstr(&outcomes), c->outcomes, buf_cstr(&series), c->series, buf_cstr(&exemplars));
        buf_done(&outcomes);
        buf_done(&series);
        buf_done(&exemplars);
        store->ops->close(store);
        fs_fault_free(fs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
