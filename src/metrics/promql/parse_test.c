#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/promql/ast.h"

/* out NULL: prints as it was written. */
static const struct {
    const char *in, *out;
} good[] = {
    {"1", NULL},
    {"+Inf", NULL},
    {"-1 ^ 2", NULL},
    {"0x10", "16"},
    {"1_000", "1000"},
    {"1h30m", NULL},
    {"5m - 2", NULL},
    {"1e-7", "0.0000001"},
    {"1e22", "10000000000000000000000"},
    {"12.34e6", "12340000"},
    {"foo", NULL},
    {"sum", NULL},
    {"foo:bar:5m", NULL},
    {"by", NULL},
    {"fill + fill_left", NULL},
    {"foo{a=\"b\",c!=\"d\",e=~\"f.*\",g!~\"h\"}", NULL},
    {"foo{a='b', }", "foo{a=\"b\"}"},
    {"{\"my.metric\", \"my label\"=\"x\"}", "{\"my label\"=\"x\",__name__=\"my.metric\"}"},
    {"foo[5m]", NULL},
    {"rate(foo[300])", "rate(foo[5m])"},
    {"foo offset 5m", NULL},
    {"foo offset -5m", NULL},
    {"foo @ 1.5", "foo @ 1.500"},
    {"foo @ start() offset 1h", NULL},
    {"foo offset 1h @ end()", "foo @ end() offset 1h"},
    {"foo[5m:1m]", NULL},
    {"foo[5m:] offset 1w", NULL},
    {"rate(foo[5m])[10m:30s] @ 10", "rate(foo[5m])[10m:30s] @ 10.000"},
    {"foo[5m * 2]", NULL},
    {"foo offset (5m / 2)", NULL},
    {"foo[step() + 1]", "foo[step() + 1]"},
    {"foo[min_of(5m, step())]", NULL},
    {"foo offset -(1h + 5m)", "foo offset -(1h + 5m)"},
    {"foo offset --5m", "foo offset 5m"},
    {"foo offset -+5m * 2", "foo offset -5m * 2"},
    {"foo offset +step() * 2", "foo offset step() * 2"},
    {"sum_over_time(foo[step():])", NULL},
    {"sum_over_time(foo[(range()):1m])", NULL},
    {"sum_over_time(foo[max_of(step(), 1m):step()])", NULL},
    {"sum by (a, b) (foo)", NULL},
    {"'\\U0010ffff'", "\"\\U0010ffff\""},
    {"sum(foo) by (a,b,)", "sum by (a, b) (foo)"},
    {"sum without () (foo)", NULL},
    {"topk(5, foo)", NULL},
    {"count_values(\"v\", foo)", NULL},
    {"sum by (\"utf8 x\") (foo)", NULL},
    {"foo + on (a) group_left (b, c) bar", NULL},
    {"foo / ignoring (x) bar", NULL},
    {"foo == bool 1", NULL},
    {"foo and on () bar", NULL},
    {"foo or bar unless baz", NULL},
    {"foo + on(x) group_right bar", "foo + on (x) group_right () bar"},
    {"foo + fill (0) bar", "foo + fill (0) bar"},
    {"foo - on (a) fill_left (1) fill_right (-2) bar", NULL},
    {"-foo", NULL},
    {"-(foo)", NULL},
    {"a * -b", NULL},
    {"a </ 5", NULL},
    {"a atan2 b", NULL},
    {"label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")", NULL},
    {"time()", NULL},
    {"hour()", NULL},
    {"round(a, 5)", NULL},
    {"\"str\\n\"", NULL},
    {"'it''s'", "ERR"},
    {"`raw`", "\"raw\""},
    {"(((1)))", NULL},
    {"foo # comment\n + bar", "foo + bar"},
    {"SUM(foo)", "sum(foo)"},
    {"rate(foo[5m] anchored)", NULL},
    {"foo smoothed", NULL},
    {"start() + end()", NULL},
    {"info(a, {b=\"c\"})", NULL},
    {"a{__name__=~\".+\"}", "ERR"},
    {"{__name__=~\".+\"}", NULL},
    {"max_of(1, 2)", NULL},
    {"1 > bool 2", NULL},
    {"nan", "NaN"},
};

static void test_print(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        Arena *arena = arena_create(1 << 20);
        PqlNode *n = NULL;
        Err err = {0};
        ErrCode rc = promql_parse(str_cstr(good[i].in), arena, &n, &err);
        bool want_err = good[i].out && strcmp(good[i].out, "ERR") == 0;
        if ((rc != OK) != want_err) fail_msg("%s: %s", good[i].in, err.msg);
        if (rc == OK) {
            Buf b = {0}, again = {0};
            promql_print(&b, n);
            const char *want = good[i].out ? good[i].out : good[i].in;
            if (strcmp(buf_cstr(&b), want) != 0) fail_msg("%s: printed as %s", good[i].in, buf_cstr(&b));
            assert_int_equal(promql_parse(buf_str(&b), arena, &n, &err), OK);
            promql_print(&again, n);
            assert_string_equal(buf_cstr(&again), buf_cstr(&b));
            buf_done(&b);
            buf_done(&again);
        }
        arena_free(arena);
    }
}

static const struct {
    const char *in, *msg;
} bad[] = {
    {"", "unknown position: parse error: no expression found in input"},
    {" ", "1:1: parse error: no expression found in input"},
    {"foo offset (5m) * on",
        "1:19: parse error: unexpected <on> in offset, expected number, duration, step(), or range()"},
    {"foo[2m * ]", "1:10: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, "
                   "step(), or range()"},
    {"sum by (without) (foo)", "1:9: parse error: unexpected <without> in grouping opts, expected label"},
    {"clamp(foo,, 1)", "1:10: parse error: trailing commas not allowed in function call args"},
    {"topk(1, on, foo)", "1:7: parse error: trailing commas not allowed in function call args"},
    {"topk(1, [foo)", "1:7: parse error: trailing commas not allowed in function call args"},
    {"topk(1, $", "1:9: parse error: unexpected character: '$'"},
    {"foo[step(:]", "1:10: parse error: unexpected \":\" in subquery or range selector, expected number, duration, "
                    "step(), or range()"},
    {"foo offset -1e30", "1:12: parse error: duration out of range"},
    {"foo[-1e30]", "1:6: parse error: duration out of range"},
    {"foo[step(]", "1:10: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, "
                   "step(), or range()"},
    {"foo[2m:(3]",
        "1:10: parse error: unexpected \"]\" in subquery selector, expected number, duration, step(), range(), "
        "or \"]\""},
    {"foo offset (2m{*2)",
        "1:15: parse error: unexpected \"{\" in offset, expected number, duration, step(), or range()"},
    {"foo{a=~\"(\"}", "1:5: parse error: error parsing regexp: missing closing ): `(`"},
    {"300y", "1:1: parse error: duration out of range"},
    {"1 +", "1:4: parse error: unexpected end of input"},
    {"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
    {"sum some_metric", "1:5: parse error: unexpected identifier \"some_metric\""},
    {"(1", "1:3: parse error: unclosed left parenthesis"},
    {"1)", "1:3: parse error: unexpected right parenthesis ')'"},
    {"foo{", "1:5: parse error: unexpected end of input inside braces"},
    {"foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator"},
    {"foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
    {"foo{a>1}", "1:6: parse error: unexpected character inside braces: '>'"},
    {"foo{a=\"b\" c=\"d\"}",
        "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
    {"foo[5m", "1:7: parse error: unclosed left bracket"},
    {"foo[", "1:5: parse error: unexpected end of input in duration expression"},
    {"foo[-5m]", "1:5: parse error: duration must be greater than 0"},
    {"sum(foo[5m])[5m]", "1:13: parse error: ranges only allowed for vector selectors"},
    {"foo offset 5m [5m]", "1:15: parse error: no offset modifiers allowed before range"},
    {"foo @ 5 [5m]", "1:9: parse error: no @ modifiers allowed before range"},
    {"1 offset 5m", "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector "
                    "selector or a subquery"},
    {"foo offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"},
    {"foo offset",
        "1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or range()"},
    {"foo @ x", "1:7: parse error: unexpected identifier \"x\" in @, expected timestamp"},
    {"foo @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"},
    {"unknown(1)", "1:1: parse error: unknown function with name \"unknown\""},
    {"rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
    {"rate(foo[5m], 1)", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 2"},
    {"round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
    {"label_join(a)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"},
    {"rate(foo[5m],)", "1:13: parse error: trailing commas not allowed in function call args"},
    {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
    {"topk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
    {"sum by (a) (foo bar)", "1:17: parse error: unexpected identifier \"bar\" in aggregation"},
    {"abs(sum(rate(foo[5m]) bar))", "1:23: parse error: unexpected identifier \"bar\" in aggregation"},
    {"sum(foo) bar", "1:10: parse error: unexpected identifier \"bar\""},
    {"abs(nofunction(foo)", "1:5: parse error: unknown function with name \"nofunction\""},
    {"abs(sum by (a) (foo, bar)",
        "1:5: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2"},
    {"sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"},
    {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
    {"1 + bool 1", "1:3: parse error: bool modifier can only be used on comparison operators"},
    {"1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"foo and on(a) group_left(b) bar", "1:1: parse error: no grouping allowed for \"and\" operation"},
    {"foo + on(a) group_left(a) bar", "1:5: parse error: label \"a\" must not occur in ON and GROUP clause at once"},
    {"1 + on(a) foo", "1:1: parse error: vector matching only allowed between instant vectors"},
    {"\"a\" + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types"},
    {"-\"a\"", "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "
               "\"string\""},
    {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"{a=~\".*\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
    {"1[5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
    {"sum by (foo bar) (x)",
        "1:13: parse error: unexpected identifier \"bar\" in grouping opts, expected \",\" or \")\""},
    {"sum by foo (x)", "1:8: parse error: unexpected identifier \"foo\" in grouping opts, expected \"(\""},
    {"foo + by(a) bar", NULL},
    {"\"unterminated", "1:1: parse error: unterminated quoted string"},
    {"\"\\q\"", "1:1: parse error: unknown escape sequence U+0071 'q'"},
    {"1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.\""},
    {"5mm", NULL},
    {"1e999", NULL},
    {"foo == on", NULL},
    {"foo ! bar", "1:5: parse error: unexpected character after '!': ' '"},
    {"a;b", "1:2: parse error: unexpected character: ';'"},
    {"foo\n+\n)", "3:2: parse error: unexpected right parenthesis ')'"},
    {"foo{{}", "1:5: parse error: unexpected left brace '{'"},
    {"foo]", "1:4: parse error: unexpected right bracket ']'"},
};

static void test_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Arena *arena = arena_create(1 << 20);
        PqlNode *n = NULL;
        Err err = {0};
        if (promql_parse(str_cstr(bad[i].in), arena, &n, &err) == OK) fail_msg("%s: accepted", bad[i].in);
        if (bad[i].msg && strcmp(err.msg, bad[i].msg) != 0)
            print_error("%s\n  got  %s\n  want %s\n", bad[i].in, err.msg, bad[i].msg);
        if (bad[i].msg) assert_string_equal(err.msg, bad[i].msg);
        arena_free(arena);
    }
}

static void test_pretty(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    PqlNode *n = NULL;
    Buf b = {0};
    Str q = STR("sum by (job, instance) (rate(http_requests_total{job=\"api-server\"}[5m])) / on (job) group_left () "
                "sum by (job) (rate(http_requests_total{job=\"api-server\"}[5m]))");
    assert_int_equal(promql_parse(q, arena, &n, NULL), OK);
    promql_print_pretty(&b, n);
    assert_string_equal(buf_cstr(&b), "  sum by (job, instance) (rate(http_requests_total{job=\"api-server\"}[5m]))\n"
                                      "/ on (job) group_left ()\n"
                                      "  sum by (job) (rate(http_requests_total{job=\"api-server\"}[5m]))");
    buf_done(&b);
    arena_free(arena);
}

static void test_limits(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    PqlNode *n = NULL;
    Err err = {0};
    char deep[400];
    memset(deep, '(', sizeof deep);
    assert_int_equal(promql_parse(str_of(deep, sizeof deep), arena, &n, &err), ERR_TOO_LARGE);
    memset(deep, '-', sizeof deep);
    assert_int_equal(promql_parse(str_of(deep, sizeof deep), arena, &n, &err), ERR_TOO_LARGE);
    arena_free(arena);
    arena = arena_create(256);
    assert_int_equal(
        promql_parse(STR("sum(rate(foo{a=\"b\"}[5m])) + sum(rate(foo{a=\"b\"}[5m]))"), arena, &n, &err), ERR_TOO_LARGE);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_print), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_pretty), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
