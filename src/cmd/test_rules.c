/* test_rules.c - `meerkat test rules`: promtool's unit tests of rules, its output and exit codes. */
#include "alert/rule_unit.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/rule_query.h"
#include "cmd/test_logs.h"
#include "cmd/test_spans.h"
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

static void put_xml(Buf *out, Str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '<')
            buf_put_lit(out, "&lt;");
        else if (c == '>')
            buf_put_lit(out, "&gt;");
        else if (c == '&')
            buf_put_lit(out, "&amp;");
        else if (c == '"')
            buf_put_lit(out, "&#34;");
        else if (c >= 0x20 || c == '\n' || c == '\t')
            buf_put_char(out, (char)c);
    }
}

static void put_case(Buf *out, Str name, const Str *failures, size_t n) {
    buf_put_lit(out, "<testcase name=\"");
    put_xml(out, name);
    buf_put_str(out, n ? STR("\">") : STR("\"></testcase>"));
    for (size_t i = 0; i < n; i++) {
        buf_put_lit(out, "<failure message=\"");
        put_xml(out, failures[i]);
        buf_put_lit(out, "\"></failure>");
    }
    if (n) buf_put_lit(out, "</testcase>");
}

static void put_suite(Buf *out, const char *file, const RuleUnitResult *r) {
    size_t failed = r->n_failures > 0;
    for (size_t i = 0; i < r->n_cases; i++) failed += r->cases[i].n_failures > 0;
    buf_put_lit(out, "<testsuite name=\"");
    put_xml(out, str_cstr(file));
    buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">", r->n_cases + (r->n_failures > 0), failed);
    if (r->n_failures) put_case(out, str_cstr(file), r->failures, r->n_failures);
    for (size_t i = 0; i < r->n_cases; i++)
        put_case(out, r->cases[i].name, r->cases[i].failures, r->cases[i].n_failures);
    buf_put_lit(out, "</testsuite>");
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
    printf("Unit Testing:  %s\n", file);
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
    buf_put_lit(&out, "</testsuites>\n");
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
