/* rule_file_test.c - rule files: what is wrong, where; warnings; YAML there and back. */
#include "alert/rule_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static ErrCode parse(const char *text, Arena *arena, RuleFile *file, DiagList *diags) {
    diag_init(diags, STR("r.yml"), str_cstr(text));
    return rule_file_parse(&(RuleFileOptions){0}, arena, file, diags);
}

/* A file and its diagnostics, one a line: line:col message. */
typedef struct Case {
    const char *text, *want;
} Case;

#define GROUP "groups:\n- name: a\n  rules:\n"

static const Case bad[] = {
    {"", ""},
    {"groups:\n", ""},
    {"- a: b\n", "1:1 cannot unmarshal !!seq into rulefmt.RuleGroups [rules stand in groups: `groups: [{name: x, "
                 "rules: [...]}]`]\n"},
    {"group:\n", "1:1 field group not found in type rulefmt.RuleGroups [did you mean \"groups\"?]\n"},
    {"groups:\n- name: ''\n  rules: []\n", "2:3 Groupname must not be empty\n"},
    {"groups:\n- name: a\n- name: a\n", "3:3 groupname: \"a\" is repeated in the same file\n"},
    {"groups:\n- name: a\n  interval: 5x\n",
        "3:13 not a valid duration string: \"5x\" [durations are written like 30s, "
        "5m, 1h30m]\n"},
    {GROUP "  - alert: X\n    expr: up ==\n",
        "5:16 group \"a\", rule 1, \"X\": could not parse expression: 1:6: parse error: unexpected end of input\n"},
    /* places inside the scalars of YAML */
    {GROUP "  - alert: X\n    expr: 'sum(up) foo'\n", "5:20 group \"a\", rule 1, \"X\": could not parse expression: "
                                                      "1:9: parse error: unexpected identifier \"foo\"\n"},
    {GROUP "  - alert: X\n    expr: |\n      sum(up)\n        foo\n",
        "7:9 group \"a\", rule 1, \"X\": could not parse expression: 2:3: parse error: unexpected identifier "
        "\"foo\"\n"},
    {GROUP "  - alert: X\n    expr: >\n      sum(up)\n      foo\n",
        "7:7 group \"a\", rule 1, \"X\": could not parse expression: 1:9: parse error: unexpected identifier "
        "\"foo\"\n"},
    {GROUP "  - alert: X\n    expr: \"up{a=\\\"b\\\"} foo\"\n",
        "5:24 group \"a\", rule 1, \"X\": could not parse expression: 1:11: parse error: unexpected identifier "
        "\"foo\"\n"},
    {GROUP "  - expr: up\n", "4:5 group \"a\", rule 1, \"\": one of 'record' or 'alert' must be set\n"},
    {GROUP "  - record: a\n    alert: b\n    expr: up\n",
        "5:5 group \"a\", rule 1, \"b\": only one of 'record' and 'alert' must be set\n"},
    {GROUP "  - record: foo bar\n    expr: up\n    for: 5m\n",
        "6:5 group \"a\", rule 1, \"foo bar\": invalid field 'for' in recording rule\n"},
    {GROUP "  - record: foo{a=\"b\"}\n    expr: up\n",
        "4:13 group \"a\", rule 1, \"foo{a=\"b\"}\": braces present in the recording rule name; should it be in expr?: "
        "foo{a=\"b\"}\n"},
    {GROUP "  - record: r\n    expr: ''\n", "4:13 group \"a\", rule 1, \"r\": field 'expr' must be set in rule\n"},
    {GROUP "  - record: r\n    expr: up[5m]\n",
        "5:11 group \"a\", rule 1, \"r\": the expression gives a range vector, not an instant vector [a rule needs one "
        "value per series: put a function around it]\n"},
    {GROUP "  - alert: T\n    expr: up\n    labels: {a-b: x, __name__: y}\n",
        "6:22 group \"a\", rule 1, \"T\": invalid label name: __name__\n"},
    {GROUP "  - alert: T\n    expr: up\n    anotations: {a: b}\n",
        "6:5 field anotations not found in type rulefmt.Rule [did you mean \"annotations\"?]\n"},
    {GROUP "  - alert: T\n    expr: up\n    annotations: {s: '{{ foo'}\n", NULL},
    {GROUP "  - alert: T\n    expr: up\n    datasource: lok\n",
        "6:17 unknown datasource \"lok\" [did you mean \"loki\"?]\n"},
    {GROUP "  - alert: T\n    datasource: loki\n    expr: 'sum(rate({a=\"b\"} |= \"x\" [5m])) > 1'\n", ""},
    {GROUP "  - alert: T\n    datasource: tempo\n    range: 10m\n    expr: '{} | rate() > 1'\n", ""},
    {GROUP "  - alert: T\n    datasource: tempo\n    expr: '{} | rate() > 1'\n    range: 0s\n",
        "7:12 range must be longer than 0 [5m looks at the spans of the last five minutes]\n"},
    {GROUP "  - alert: T\n    expr: up\n    range: 5m\n",
        "6:5 group \"a\", rule 1, \"T\": 'range' is for rules over tempo only "
        "[PromQL and LogQL say it in the expression: [5m]]\n"},
};

static void put_diags(const DiagList *d, Buf *out) {
    for (size_t i = 0; i < d->items.n; i++) {
        const Diag *it = &d->items.v[i];
        buf_printf(out, "%d:%d %s", it->line, it->col, it->msg);
        if (it->hint) buf_printf(out, " [%s]", it->hint);
        buf_put_char(out, '\n');
    }
}

static void test_bad(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Arena *arena = arena_create(1 << 20);
        RuleFile file;
        DiagList diags;
        Buf out = {0};
        ErrCode code = parse(bad[i].text, arena, &file, &diags);
        put_diags(&diags, &out);
        if (!bad[i].want)
            assert_int_equal(code, ERR_INVALID);
        else if (!str_contains(buf_str(&out), str_cstr(bad[i].want)))
            fail_msg("%s\n--- wanted\n%s--- got\n%s", bad[i].text, bad[i].want, buf_cstr(&out));
        assert_int_equal(code, bad[i].want && !bad[i].want[0] ? OK : ERR_INVALID);
        buf_done(&out);
        diag_done(&diags);
        arena_free(arena);
    }
}

/* An alert's expression and what the lint says of it: a part of the message, or nothing. */
static const Case lints[] = {
    {"rate(http_requests_total{status=~\"5..\"}[5m]) / rate(http_requests_total[5m]) > 0.01", "divided by itself"},
    {"rate(x{status=~\"5..\"}[5m]) / ignoring(status) rate(x[5m]) > 0.01", NULL},
    {"sum(rate(x{status=~\"5..\"}[5m])) / sum(rate(x[5m])) > 0.01", NULL},
    {"rate(x_failed[5m]) / rate(x_total[5m]) > 0.05", NULL},
    {"(container_memory_usage_bytes / container_spec_memory_limit_bytes) > 0.9", "+Inf"},
    {"container_memory_usage_bytes / (container_spec_memory_limit_bytes > 0) > 0.9", NULL},
    {"a / b_limit > 0.9 and b_limit != 0", NULL},
    {"avg_over_time(ALERTS_FOR_STATE{alertstate=\"firing\"}[7d]) > 0", "no label alertstate"},
    {"histogram_quantile(0.95, sum(rate(x_bucket[5m]))) > 2", "le is summed away"},
    {"histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m]))) > 2", NULL},
    {"up", "whatever its value"},
    {"absent(up)", NULL},
    {"vector(1)", NULL},
    {"up == bool 0", "with bool"},
};

static void test_lint(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lints); i++) {
        Arena *arena = arena_create(1 << 20);
        RuleFile file;
        DiagList diags;
        Buf text = {0}, out = {0};
        buf_printf(&text, GROUP "  - alert: X\n    expr: '%s'\n", lints[i].text);
        assert_int_equal(parse(buf_cstr(&text), arena, &file, &diags), OK);
        rule_file_lint(&file, &diags);
        put_diags(&diags, &out);
        bool ok = lints[i].want ? str_contains(buf_str(&out), str_cstr(lints[i].want)) : out.n == 0;
        if (!ok) fail_msg("%s: %s", lints[i].text, buf_cstr(&out));
        buf_done(&out);
        buf_done(&text);
        diag_done(&diags);
        arena_free(arena);
    }
}

static void test_yaml(void **state) {
    (void)state;
    static const char text[] =
        "groups:\n- name: a b\n  interval: 1m30s\n  limit: 5\n  labels: {team: x}\n  rules:\n"
        "  - alert: X\n    expr: |-\n      up == 0\n        and y > 1\n    for: 5m\n    labels: {severity: 'no', team: "
        "y}\n"
        "    annotations:\n      s: '{{ $value }}: \"quoted\"'\n  - record: a:b\n    expr: sum(up)\n"
        "  - record: spans\n    datasource: tempo\n    range: 2m\n    expr: '{} | rate()'\n";
    Arena *arena = arena_create(1 << 20);
    RuleFile file;
    RuleGroupDef again;
    DiagList diags, diags2;
    Buf first = {0}, second = {0};
    assert_int_equal(parse(text, arena, &file, &diags), OK);
    assert_int_equal(file.n_rules, 3);
    assert_int_equal(file.groups[0].rules[1].labels.n, 1);
    assert_int_equal(file.groups[0].rules[2].range_ms, 120000);
    rule_group_put_yaml(&first, &file.groups[0], 0);
    diag_init(&diags2, STR("again"), buf_str(&first));
    assert_int_equal(rule_group_parse(&(RuleFileOptions){0}, arena, &again, &diags2), OK);
    rule_group_put_yaml(&second, &again, 0);
    assert_string_equal(buf_cstr(&first), buf_cstr(&second));
    assert_true(str_contains(buf_str(&first), STR("expr: |-\n    up == 0\n      and y > 1\n")));
    assert_true(str_contains(buf_str(&first), STR("severity: \"no\"")));
    assert_true(str_contains(buf_str(&first), STR("datasource: tempo\n  range: 2m\n")));
    buf_done(&first);
    buf_done(&second);
    diag_done(&diags);
    diag_done(&diags2);
    arena_free(arena);
}

static void test_duplicates(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    RuleFile file;
    DiagList diags;
    Buf out = {0};
    assert_int_equal(
        parse(GROUP "  - {alert: X, expr: up == 1, labels: {s: x}}\n  - {alert: X, expr: up == 2, labels: "
                    "{s: x}}\n  - {alert: X, expr: up == 3, labels: {s: x}}\n  - {alert: X, expr: up == 0}\n",
            arena, &file, &diags),
        OK);
    assert_int_equal(rule_file_duplicates(&file, &out), 1);
    assert_string_equal(buf_cstr(&out), "Metric: X\nLabel(s):\n\ts: x\n");
    buf_done(&out);
    diag_done(&diags);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lint),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
