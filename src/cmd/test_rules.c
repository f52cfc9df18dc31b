/* test_rules.c - `meerkat test rules`: promtool's unit tests of rules, its output and exit codes. */
#include "alert/rule_unit.h"
#include "base/log.h"
#include "base/timefmt.h"
#include "cmd/command.h"
#include "cmd/rule_query.h"
#include "cmd/test_logs.h"
#include "cmd/test_spans.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>

#define PATTERNS_MAX 64

typedef struct TestRules {
    RuleUnitOptions opts;
    TestSpans spans; /* of the test that runs */
    TestLogs logs;
    Str patterns[PATTERNS_MAX];
    Buf junit;
    const char *junit_file;
    bool failed;
} TestRules;

static ErrCode load(void *ctx, const RuleUnitInput *input, Err *reterr) {
    TestRules *t = ctx;
    ErrCode e = test_spans_load(&t->spans, input->spans, input->start_ms, reterr);
    return e ? e : test_logs_load(&t->logs, input->logs, input->start_ms, reterr);
}

static ErrCode run_query(void *ctx, Str datasource, Str expr, int64_t t_ms, int64_t range_ms,
    const _Atomic bool *cancel, Arena *arena, PromqlResult *ret, Err *reterr) {
    TestRules *t = ctx;
    *ret = (PromqlResult){.type = PQL_TYPE_VECTOR};
    ErrCode e = test_spans_open(&t->spans, reterr);
    if (!e) e = test_logs_open(&t->logs, reterr);
    if (e) return e;
    RuleQuery q = {.logs = t->logs.store,
        .traces = t->spans.store,
        .datasource = datasource,
        .expr = expr,
        .t_ms = t_ms,
        .range_ms = range_ms,
        .cancel = cancel};
    return rule_query_run(&q, arena, ret, reterr);
}

static void put_debug(void *ctx, Str text) {
    (void)ctx;
    fwrite(text.p, 1, text.n, stderr);
}

/* As Go's encoding/xml escapes text. */
static void put_xml(Buf *out, Str s) {
    static const struct {
        char c;
        const char *text;
    } escapes[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&#34;"}, {'\'', "&#39;"}, {'\n', "&#xA;"},
        {'\t', "&#x9;"}, {'\r', "&#xD;"}};
    for (size_t i = 0; i < s.n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(escapes) && escapes[k].c != s.p[i]) k++;
        if (k < ARRAY_LEN(escapes))
            buf_put_str(out, str_cstr(escapes[k].text));
        else if ((unsigned char)s.p[i] >= 0x20)
            buf_put_char(out, s.p[i]);
    }
}

static void put_element(Buf *out, const char *name, Str text) {
    buf_printf(out, "<%s>", name);
    put_xml(out, text);
    buf_printf(out, "</%s>", name);
}

static void put_case(Buf *out, Str name, const char *element, const Str *texts, size_t n) {
    buf_put_lit(out, "<testcase name=\"");
    put_xml(out, name);
    buf_put_lit(out, "\">");
    for (size_t i = 0; i < n; i++) put_element(out, element, texts[i]);
    buf_put_lit(out, "</testcase>");
}

/* What is wrong with the file as a whole is an error of a case of its own. */
static void put_suite(Buf *out, const char *file, const RuleUnitResult *r) {
    Buf now = {0};
    size_t failures = 0;
    for (size_t i = 0; i < r->n_cases; i++) failures += r->cases[i].n_failures;
    if (!r->n_failures) time_put_rfc3339(&now, clock_now_ns() / NS_PER_S * NS_PER_S);
    buf_put_lit(out, "<testsuite name=\"");
    put_xml(out, str_cstr(file));
    buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%d\" skipped=\"0\" timestamp=\"%.19s\">",
        r->n_cases + (r->n_failures > 0), failures, r->n_failures > 0, buf_cstr(&now));
    if (r->n_failures) put_case(out, STR("unknown"), "error", r->failures, r->n_failures);
    for (size_t i = 0; i < r->n_cases; i++)
        put_case(out, r->cases[i].name, "failure", r->cases[i].failures, r->cases[i].n_failures);
    buf_put_lit(out, "</testsuite>");
    buf_done(&now);
}

static void put_failures(const Str *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        fprintf(stderr, "%.*s\n", (int)v[i].n, v[i].p);
        printf("\n");
    }
}

static void run_file(TestRules *t, const char *file) {
    Arena *arena = arena_create((size_t)1 << 30);
    RuleUnitResult r;
    printf("Processing test file: %s\n", file);
    fflush(stdout);
    bool ok = rule_unit_run(file, &t->opts, arena, &r);
    fwrite(r.warnings.p ? r.warnings.p : "", 1, r.warnings.n, stderr);
    if (ok) {
        printf("  SUCCESS\n");
    } else {
        fputs("  FAILED:\n", stderr);
        put_failures(r.failures, r.n_failures);
        for (size_t i = 0; i < r.n_cases; i++) put_failures(r.cases[i].failures, r.cases[i].n_failures);
        t->failed = true;
    }
    printf("\n");
    fflush(stdout);
    put_suite(&t->junit, file, &r);
    arena_free(arena);
}

static int write_junit(TestRules *t) {
    Buf out = {0};
    Err err = {0};
    if (!t->junit_file) return 0;
    buf_put_lit(&out, "<testsuites>");
    buf_put_str(&out, buf_str(&t->junit));
    buf_put_lit(&out, "</testsuites>");
    ErrCode r = fs_write_file_atomic(fs_real(), t->junit_file, buf_str(&out), &err);
    buf_done(&out);
    return r == OK ? 0 : command_fail(&err);
}

static int parse(TestRules *t, int argc, char **argv, int *ret_n) {
    const char *value;
    for (int i = 0; i < argc; i++) {
        if (command_option(argc, argv, &i, "--run", &value)) {
            if (!value || t->opts.n_run == PATTERNS_MAX) return command_usage("--run wants a regular expression");
            t->patterns[t->opts.n_run++] = str_cstr(value);
        } else if (command_option(argc, argv, &i, "--junit", &t->junit_file)) {
            if (!t->junit_file) return command_usage("--junit wants a file");
        } else if (strcmp(argv[i], "--delayed-name-removal") == 0) {
            t->opts.delayed_name_removal = true;
        } else if (strcmp(argv[i], "--debug") == 0) {
            t->opts.debug = put_debug;
        } else if (strcmp(argv[i], "--diff") == 0) {
            t->opts.diff = true;
        } else if (strcmp(argv[i], "--ignore-unknown-fields") == 0) {
            t->opts.ignore_unknown = true;
        } else if (argv[i][0] == '-' && argv[i][1] != 0) {
            return command_unknown_option("test rules", argv[i]);
        } else {
            argv[(*ret_n)++] = argv[i];
        }
    }
    return *ret_n ? 0 : command_usage("test rules takes files of unit tests");
}

int cmd_test_rules(int argc, char **argv) {
    TestRules t = {.opts = {.query = run_query, .check = rule_query_check, .load = load, .colour = command_colour()}};
    int n = 0;
    t.opts.run = t.patterns;
    t.opts.ctx = &t;
    int code = parse(&t, argc, argv, &n);
    if (code) return code;
    log_set_level(LOG_ERROR); /* what rules say while they run stands in the result */
    for (int i = 0; i < n; i++) run_file(&t, argv[i]);
    test_spans_done(&t.spans);
    test_logs_done(&t.logs);
    code = write_junit(&t);
    buf_done(&t.junit);
    return t.failed ? 1 : code;
}
