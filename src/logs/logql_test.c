/* LogQL: what parses and how it prints, what does not and with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "logs/logql_ast.h"

static const struct {
    const char *in, *out; /* NULL: prints as it is */
} valid[] = {
    {"{a=\"b\"}", NULL},
    {"{ a = \"b\" , c =~ \"d.*\",e!=\"f\", g!~\"h\" }", "{a=\"b\", c=~\"d.*\", e!=\"f\", g!~\"h\"}"},
    {"{a=\"b\"} |= \"x\" != `y` |~ \"z.*\" !~ \"w\" |> \"a<_>b\" !> \"<_>c\"",
        "{a=\"b\"} |= \"x\" != \"y\" |~ \"z.*\" !~ \"w\" |> \"a<_>b\" !> \"<_>c\""},
    {"{a=\"b\"} |= \"x\" or \"y\" or ip(\"10.0.0.0/8\")", NULL},
    {"{a=\"b\"} != \"x\" or \"y\"", "{a=\"b\"} != \"x\" != \"y\""},
    {"{namespace=\"x\"} != \"health check\"", NULL},
    {"{a=\"b\"} | trace_id=\"x\"", NULL},
    {"{a=\"b\"} | x==1 and y>2 or z<=3", "{a=\"b\"} | ( ( x==1 , y>2 ) or z<=3 )"},
    {"{a=\"b\"} | x=1, y=2 or z=3", "{a=\"b\"} | ( x==1 , ( y==2 or z==3 ) )"},
    {"{a=\"b\"} | x=1 y=2 or z=3", "{a=\"b\"} | ( x==1 , ( y==2 or z==3 ) )"},
    {"{a=\"b\"} | x=1 or y=2, z=3", "{a=\"b\"} | ( x==1 or ( y==2 , z==3 ) )"},
    {"{a=\"b\"} | (x=\"1\" or y=~\"2\") and z!=ip(\"::1\")",
        "{a=\"b\"} | ( ( x=\"1\" or y=~\"2\" ) , z!=ip(\"::1\") )"},
    {"{a=\"b\"} | size > 1.5KiB", "{a=\"b\"} | size>1.5kB"},
    {"{a=\"b\"} | took >= 1d2h3ms", "{a=\"b\"} | took>=26h0m0.003s"},
    {"{a=\"b\"} | took < -1.5s", "{a=\"b\"} | took<-1.5s"},
    {"{a=\"b\"} | sum=\"z\" | ip=\"y\" | rate>1", "{a=\"b\"} | sum=\"z\" | ip=\"y\" | rate>1"},
    {"{a=\"b\"} | json | logfmt --strict --keep-empty | drop __error__, __error_details__ | keep x, y=~\"z\" | "
     "decolorize",
        "{a=\"b\"} | json | logfmt --strict --keep-empty | drop __error__,__error_details__ | keep x,y=~\"z\" | "
        "decolorize"},
    {"({a=\"b\"}) |= \"x\"", "{a=\"b\"} |= \"x\""},
    {"{a=\"b\"} # a comment\n|= \"x\"", "{a=\"b\"} |= \"x\""},
    {"count_over_time({a=\"b\"}[5m] | json)", "count_over_time({a=\"b\"} | json[5m])"},
    {"count_over_time({a=\"b\"} | json [5m])", "count_over_time({a=\"b\"} | json[5m])"},
    {"rate(({a=\"b\"} |= \"x\")[5m] offset 1h)", "rate({a=\"b\"} |= \"x\"[5m] offset 1h0m0s)"},
    {"SUM(RATE({a=\"b\"}[1m]))", "sum(rate({a=\"b\"}[1m]))"},
    {"topk(10, sum(count_over_time({a=\"b\"}[1h])) by (message))",
        "topk(10,sum by (message)(count_over_time({a=\"b\"}[1h])))"},
    {"sum without (x, y) (bytes_rate({a=\"b\"}[1h]))", "sum without (x,y)(bytes_rate({a=\"b\"}[1h]))"},
    {"sum by (level, detected_level) (count_over_time({a=\"b\"} | drop __error__ [1m]))",
        "sum by (level,detected_level)(count_over_time({a=\"b\"} | drop __error__[1m]))"},
    {"quantile_over_time(0.99, {a=\"b\"} | json | unwrap duration(took) | __error__=\"\" [1m]) by (c)",
        "quantile_over_time(0.99,{a=\"b\"} | json | unwrap duration(took) | __error__=\"\"[1m]) by (c)"},
    {"1 + 2 * 3", "7"},
    {"-1", NULL},
    {"2 ^ 3 ^ 2", "512"},
    {"vector(1)+vector(1)", "(vector(1.000000) + vector(1.000000))"},
    {"rate({a=\"b\"}[1m]) / on(x) group_left(y) rate({c=\"d\"}[1m]) > bool 5",
        "((rate({a=\"b\"}[1m]) / on (x) group_left (y) rate({c=\"d\"}[1m])) > bool 5)"},
    {"rate({a=\"b\"}[1m]) != 3 or rate({c=\"d\"}[1m])", "((rate({a=\"b\"}[1m]) != 3) or rate({c=\"d\"}[1m]))"},
    {"absent_over_time({a=\"b\"}[1m])", NULL},
};

static const struct {
    const char *in, *error;
} invalid[] = {
    {"", "parse error at line 1, col 1: syntax error: unexpected $end"},
    {"{a=b}", "parse error at line 1, col 4: syntax error: unexpected IDENTIFIER, expecting STRING"},
    {"{k8s.pod=\"x\"}", "parse error at line 1, col 5: syntax error: unexpected ., expecting = or =~ or !~ or !="},
    {"{a=\"b\"", "parse error at line 1, col 7: syntax error: unexpected $end, expecting } or ,"},
    {"{\"a\"}", "parse error at line 1, col 2: syntax error: unexpected STRING, expecting IDENTIFIER or }"},
    {"{a=\"b\"} |= ", "parse error at line 1, col 12: syntax error: unexpected $end, expecting STRING"},
    {"{a=\"b\"} |= x", "parse error at line 1, col 12: syntax error: unexpected IDENTIFIER, expecting STRING"},
    {"{a=\"b\"}\n| by=\"x\"", "parse error at line 2, col 3: syntax error: unexpected by"},
    {"unk({a=\"b\"}[5m])", "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"},
    {"rate({a=\"b\"})", "parse error at line 1, col 13: syntax error: unexpected )"},
    {"rate({ foo !~ \"bar\" }[5minutes])",
        "parse error at line 0, col 22: unknown unit \"minutes\" in duration \"5minutes\""},
    {"{}",
        "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible "
        "value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will"},
    {"topk(rate({a=\"b\"}[5h]))", "parse error : parameter required for operation topk"},
    {"bottomk(he,count_over_time({ foo = \"bar\" }[5h]))",
        "parse error at line 1, col 9: syntax error: unexpected IDENTIFIER"},
    {"sum(3,count_over_time({a=\"b\"}[5h]))", "parse error : unsupported parameter for operation sum(3,"},
    {"sum_over_time({a=\"b\"}| unwrap x [5m]) by (y)",
        "parse error : grouping not allowed for sum_over_time aggregation"},
    {"sum_over_time({a=\"b\"}[5m])", "parse error : invalid aggregation sum_over_time without unwrap"},
    {"count_over_time({a=\"b\"} | unwrap x [5m])", "parse error : invalid aggregation count_over_time with unwrap"},
    {"{a=\"b\"} |> \"<ip> x\"", "parse error at line 1, col 12: named captures are not allowed"},
    {"{a=\"b\"} |~ ip(\"1.2.3.4\")",
        "parse error at line 1, col 15: ip: invalid operation for the line filter, only |= and != are allowed"},
    {"{a=\"b\"} | line_format \"x\"", "parse error at line 1, col 11: line_format is not supported"},
    {"{a=\"b\"} | regexp \"(?P<x>.)\"", "parse error at line 1, col 11: regexp is not supported"},
    {"label_replace(rate({a=\"b\"}[1m]),\"a\",\"b\",\"c\",\"d\")",
        "parse error at line 1, col 1: label_replace is not supported"},
    {"{a=\"b\"} + 1", "parse error at line 1, col 9: syntax error: unexpected +"},
};

static void test_valid(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        Arena *arena = arena_create(1 << 20);
        const LqExpr *e;
        Err err = {0};
        Buf out = {0}, again = {0};
        if (logql_parse(str_cstr(valid[i].in), arena, &e, &err) != OK) fail_msg("%s: %s", valid[i].in, err.msg);
        logql_print(&out, e);
        assert_string_equal(buf_cstr(&out), valid[i].out ? valid[i].out : valid[i].in);
        if (logql_parse(buf_str(&out), arena, &e, &err) != OK) fail_msg("%s: %s", buf_cstr(&out), err.msg);
        logql_print(&again, e);
        assert_string_equal(buf_cstr(&again), buf_cstr(&out));
        buf_done(&out);
        buf_done(&again);
        arena_free(arena);
    }
}

static void test_invalid(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        Arena *arena = arena_create(1 << 20);
        const LqExpr *e;
        Err err = {0};
        if (logql_parse(str_cstr(invalid[i].in), arena, &e, &err) == OK) fail_msg("%s parses", invalid[i].in);
        assert_string_equal(err.msg, invalid[i].error);
        assert_int_equal(err.code, ERR_INVALID);
        arena_free(arena);
    }
}

static void test_ip(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *line;
        bool hit;
    } cases[] = {
        {"192.168.4.5", "from 192.168.4.5: ok", true},
        {"192.168.4.5", "from 192.168.4.51: ok", false},
        {"192.168.4.0/24", "x 192.168.4.255.", true},
        {"192.168.4.1-192.168.4.9", "a=192.168.4.10", false},
        {"192.168.4.1-192.168.4.9", "a=192.168.4.9", true},
        {"2001:db8::/32", "client [2001:db8::1]:443", true},
        {"2001:db8::/32", "client [2001:db9::1]:443", false},
        {"::1", "to ::1 ", true},
        {"0.0.0.0/0", "no address 1.2.3 here", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        IpRange r;
        assert_true(lq_ip_parse(str_cstr(cases[i].pattern), &r));
        assert_int_equal(lq_ip_in_line(&r, str_cstr(cases[i].line)), cases[i].hit);
    }
    static const char *const bad[] = {"", "1.2.3", "1.2.3.256", "1.2.3.4/33", "1.2.3.9-1.2.3.1", ":::1", "1:2", "x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        IpRange r;
        assert_false(lq_ip_parse(str_cstr(bad[i]), &r));
    }
}

static void test_deep(void **state) {
    (void)state;
    Buf b = {0};
    for (int i = 0; i < 5000; i++) buf_put_char(&b, '(');
    Arena *arena = arena_create(1 << 20);
    const LqExpr *e;
    assert_int_equal(logql_parse(buf_str(&b), arena, &e, NULL), ERR_INVALID);
    buf_clear(&b);
    buf_put_lit(&b, "{a=\"b\"} | ");
    for (int i = 0; i < 5000; i++) buf_put_lit(&b, "x=1,");
    assert_int_equal(logql_parse(buf_str(&b), arena, &e, NULL), ERR_INVALID);
    arena_free(arena);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_ip),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
