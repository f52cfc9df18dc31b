#include "metrics/scrape/promtext.h"

#include "base/json.h"
#include "sys/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* One text in, what comes out: series text, value, time; several joined by "; ". An error: "error: ...". */
static void render(Str text, PromTextOptions o, Buf *out) {
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsBatch b = {.arena = arena};
    Err err = {0};
    ErrCode code = promtext_to_batch(text, &o, -1, &b, &err);
    if (code != OK) {
        buf_printf(out, "error: %d:%d %s", err.line, err.col, err.msg);
    } else {
        for (size_t i = 0; i < b.series.n; i++) {
            if (i) buf_put_lit(out, "; ");
            labels_put_text(out, b.series.v[i].labels);
            buf_printf(out, " %g", b.value.v[b.series.v[i].first_sample]);
            int64_t t = b.t_ms.v[b.series.v[i].first_sample];
            if (t != -1) buf_printf(out, " @%lld", (long long)t);
            for (uint32_t k = 0; k < b.series.v[i].n_exemplars; k++) {
                const Exemplar *e = &b.exemplars.v[b.series.v[i].first_exemplar + k];
                buf_put_lit(out, " # ");
                labels_put_text(out, e->labels);
                buf_printf(out, " %g @%lld", e->value, (long long)e->t_ms);
            }
        }
        for (size_t i = 0; i < b.metadata.n; i++) {
            const MetricMetadata *m = &b.metadata.v[i];
            buf_printf(out, "%s%" STR_FMT " is %s \"%" STR_FMT "\" \"%" STR_FMT "\"", out->n ? "; " : "",
                STR_ARG(m->metric), metric_type_name(m->type), STR_ARG(m->help), STR_ARG(m->unit));
        }
    }
    arena_free(arena);
}

typedef struct Case {
    const char *in, *out;
} Case;

static void check(const Case *cases, size_t n, PromTextOptions o) {
    for (size_t i = 0; i < n; i++) {
        Buf got = {0};
        render(str_cstr(cases[i].in), o, &got);
        if (!str_eq(buf_str(&got), str_cstr(cases[i].out)))
            fail_msg("case %zu: %s\n got  %s\n want %s", i, cases[i].in, buf_cstr(&got), cases[i].out);
        buf_done(&got);
    }
}

static void test_plain(void **state) {
    (void)state;
    static const Case cases[] = {
        {"", ""},
        {"\n\n  \n", ""},
        {"a 1\n", "a 1"},
        {"a 1", "a 1"},
        {"  a\t 1  2000 \n", "a 1 @2000"},
        {"a 1 5\r\nb 2\r\n", "a 1 @5; b 2"},
        {"a{b=\"1\" c=\"2\"d=\"3\"\"e\"=\"4\"} 1\n", "a{b=\"1\", c=\"2\", d=\"3\", e=\"4\"} 1"},
        {"{\"a\"b=\"1\"} 1\n", "error: 1:5 expected \",\" or \"}\", got \"b=\"1\"} 1\""},
        {"# TYPE \"a.b\"(counter\n# HELP a\xffxy\n", "a.b is counter \"\" \"\"; a is unknown \"xy\" \"\""},
        {"# TYPE\n# HELP\n# HELP \na 1\n", "error: 3:8 expected metric name, got end of line"},
        {"# TYPE\n# HELP\n# TYPES\na 1\n", "a 1"},
        {"a 1e-400\n", "a 0"},
        {"a{} 1\n", "a 1"},
        {"a{b=\"c\"} 1.5e3\n", "a{b=\"c\"} 1500"},
        {"a{b=\"c\"}1\n", "a{b=\"c\"} 1"},
        {"a { z = \"1\" , b=\"2\", } +Inf\n", "a{b=\"2\", z=\"1\"} inf"},
        {"a{b=\"\"} NaN\n", "a nan"},
        {"a{b=\"x\\\\y\\\"\\nz\"} 1\n", "a{b=\"x\\\\y\\\"\\nz\"} 1"},
        {"{\"my.metric\",a=\"b\"} 1\n", "{\"my.metric\", a=\"b\"} 1"},
        {"{\"m\",\"l.x\"=\"b\"} 1\n", "m{\"l.x\"=\"b\"} 1"},
        {"# just a comment\n#\n#x\na 1\n", "a 1"},
        {"# HELP a \\\"b\\\" \\\\\n# TYPE a counter\na 1\n", "a 1; a is counter \"\\\"b\\\" \\\" \"\""},
        {"# HELP a The\\nhelp.\n# TYPE a counter\na 1\n", "a 1; a is counter \"The\nhelp.\" \"\""},
        {"# TYPE a untyped\n# HELP a\n", "a is unknown \"\" \"\""},
        {"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_bucket{le=\"1000000\"} "
         "4\nh_bucket{le=\"0.00001\"} 1\n",
            "h_bucket{le=\"1.0\"} 2; h_bucket{le=\"+Inf\"} 3; h_bucket{le=\"1e+06\"} 4; h_bucket{le=\"1e-05\"} 1; h is "
            "histogram \"\" \"\""},
        {"# TYPE s summary\ns{quantile=\"1\"} 2\ns{quantile=\"0.50\"} 2\n",
            "s{quantile=\"1.0\"} 2; s{quantile=\"0.5\"} 2; s is summary \"\" \"\""},
        {"g{le=\"1\"} 2\n", "g{le=\"1\"} 2"},
        {"a_created 1.7e9\n", "a_created 1.7e+09"},
        {"a{b=\"c\"", "error: 1:8 expected \",\" or \"}\", got end of input"},
        {"a{b=c} 1\n", "error: 1:5 expected label value in quotes, got \"c} 1\""},
        {"ok 1\na x\n", "error: 2:3 expected value, got \"x\""},
        {"a\n", "error: 1:2 expected space and value, got end of line"},
        {"a 1e400\n", "error: 1:3 expected value, got \"1e400\""},
        {"a 1 -5\n", "error: 1:5 expected timestamp, got \"-5\""},
        {"a 1 +5\n", "error: 1:5 expected timestamp, got \"+5\""},
        {"a 1 1.5\n", "error: 1:5 expected timestamp, got \"1.5\""},
        {"a 1 1 1\n", "error: 1:7 expected end of line, got \"1\""},
        {"a 0x1p3\n", "error: 1:3 expected value, got \"0x1p3\""},
        {"9a 1\n", "error: 1:1 expected metric name, got \"9a 1\""},
        {"{a=\"b\"} 1\n", "error: 1:8 expected a metric name before this, got \" 1\""},
        {"a{b=\"1\",b=\"2\"} 1\n", "error: 1:0 label \"b\" appears twice"},
        {"a{b=\"\xff\"} 1\n", "error: 1:1 invalid UTF-8 label value: \"\xff\""},
        {"# TYPE a meh\n", "error: 1:1 invalid metric type \"meh\""},
    };
    check(cases, ARRAY_LEN(cases), (PromTextOptions){PROMTEXT_PLAIN, false});
    Buf got = {0}; /* a NUL where a line begins is the end */
    render(STR("a 1\n\0b 2\n"), (PromTextOptions){PROMTEXT_PLAIN, false}, &got);
    assert_string_equal(buf_cstr(&got), "a 1");
    buf_done(&got);
}

static void test_openmetrics(void **state) {
    (void)state;
    static const Case cases[] = {
        {"# EOF\n", ""},
        {"# EOF", ""},
        {"", "error: 1:1 data does not end with # EOF"},
        {"a 1 1.5\n# EOF\n", "a 1 @1500"},
        {"a_total 1 # {trace_id=\"x\"} 0.5 2.25\n# EOF\n", "a_total 1 # {trace_id=\"x\"} 0.5 @2250"},
        {"a_total 1 3 # {} 0.5\n# EOF\n", "a_total 1 @3000 # {} 0.5 @3000"},
        {"# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n",
            "a_seconds 1; a_seconds is gauge \"\" \"seconds\""},
        {"{\"a.b\"} 1\n# EOF\n", "{\"a.b\"} 1"},
        {"# TYPE h gaugehistogram\nh_bucket{le=\"1\"} 2\n# EOF\n",
            "h_bucket{le=\"1\"} 2; h is gaugehistogram \"\" \"\""},
        /* An exemplar no store takes. */
        {"a_total 1 # {x=\"1\",x=\"2\"} 0.5\nb 1\n# EOF\n", "a_total 1; b 1"},
        {"# UNIT a_bytes seconds\na_bytes 1\n# EOF\n",
            "error: 1:1 unit \"seconds\" not a suffix of metric \"a_bytes\""},
        {"# UNIT bytes bytes\n# EOF\n", "error: 1:1 unit \"bytes\" not a suffix of metric \"bytes\""},
        {"# TYPE a untyped\na 1\n# EOF\n", "error: 1:1 invalid metric type \"untyped\""},
        {"a{b=\"1\"c=\"2\"} 1\n# EOF\n", "error: 1:8 expected \",\" or \"}\", got \"c=\"2\"} 1\""},
        {"a  1\n# EOF\n", "error: 1:3 expected value, got \" 1\""},
        {"a 1\n\n# EOF\n", "error: 2:1 expected metric name, got end of line"},
        {"a 1\n# EOF\nb 2\n", "error: 2:7 expected nothing after # EOF, got \"b 2\""},
    };
    check(cases, ARRAY_LEN(cases), (PromTextOptions){PROMTEXT_OPENMETRICS, false});
}

static void test_format(void **state) {
    (void)state;
    static const struct {
        const char *type, *body;
        PromTextFormat format;
        bool known;
    } cases[] = {
        {"text/plain; version=0.0.4", "", PROMTEXT_PLAIN, true},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", "", PROMTEXT_OPENMETRICS, true},
        {"", "a 1\n# EOF\n", PROMTEXT_OPENMETRICS, false},
        {"application/json", "a 1\n", PROMTEXT_PLAIN, false},
        {"", "a 1 # EOF\n", PROMTEXT_PLAIN, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool known;
        assert_int_equal(promtext_format(str_cstr(cases[i].type), str_cstr(cases[i].body), &known), cases[i].format);
        assert_int_equal(known, cases[i].known);
    }
}

/* --- the OpenMetrics project's own cases --- */
typedef struct Suite {
    const char *dir;
    int run, wrong;
} Suite;

static bool run_case(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Suite *s = ctx;
    (void)size_bytes;
    if (!is_dir) return true;
    char path[FS_PATH_MAX];
    Buf json = {0}, text = {0};
    Arena *arena = arena_create((size_t)16 << 20);
    snprintf(path, sizeof path, "%s/%" STR_FMT "/test.json", s->dir, STR_ARG(name));
    assert_int_equal(fs_read_file(fs_real(), path, 1 << 20, &json, NULL), OK);
    snprintf(path, sizeof path, "%s/%" STR_FMT "/metrics", s->dir, STR_ARG(name));
    assert_int_equal(fs_read_file(fs_real(), path, 1 << 20, &text, NULL), OK);
    JsonValue *v;
    assert_int_equal(json_parse(buf_str(&json), arena, &v, NULL), OK);
    bool should = json_get(v, STR("shouldParse"))->boolean;
    MetricsBatch b = {.arena = arena};
    Err err = {0};
    PromTextOptions o = {PROMTEXT_OPENMETRICS, true};
    bool did = promtext_to_batch(buf_str(&text), &o, 0, &b, &err) == OK;
    s->run++;
    if (did != should) {
        s->wrong++;
        print_error("%" STR_FMT ": should %sparse; %d:%d %s\n", STR_ARG(name), should ? "" : "not ", err.line, err.col,
            err.msg);
    }
    arena_free(arena);
    buf_done(&json);
    buf_done(&text);
    return true;
}

static void test_conformance(void **state) {
    (void)state;
    const char *root = getenv("MEERKAT_CONFORMANCE");
    char dir[FS_PATH_MAX];
    fs_path_join(dir, root ? root : "../shared/conformance", "openmetrics");
    if (!fs_real()->ops->exists(fs_real(), dir)) {
        print_message("no conformance data at %s: skipped\n", dir);
        skip();
    }
    Suite s = {.dir = dir};
    assert_int_equal(fs_real()->ops->list(fs_real(), dir, run_case, &s, NULL), OK);
    print_message("%d cases\n", s.run);
    assert_true(s.run > 200);
    assert_int_equal(s.wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_conformance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
