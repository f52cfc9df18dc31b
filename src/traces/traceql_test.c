/* TraceQL: what parses and how it prints, what does not and with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "traces/traceql.h"

#include <stdio.h>

static const struct {
    const char *in, *out; /* NULL: prints as it is */
} valid[] = {
    {"{}", "{ }"},
    {"{ }", NULL},
    {"{ true }", NULL},
    {"{ .a }", NULL},
    {"{ !.a }", NULL},
    {"{.a=\"b\"}", "{ .a = \"b\" }"},
    {"{ span.http.status_code >= 200 && span.http.status_code < 300 }", NULL},
    {"{ resource.service.name = \"x\" || .b = nil }", NULL},
    {"{ nil != span.a }", NULL},
    {"{ parent.a = 1 && parent.span.b = 2 && parent.resource.c = 3 }", NULL},
    {"{ parent.\"span.x\" = 1 }", "{ parent.\"s\"pan.x = 1 }"},
    {"{ parent = nil }", NULL},
    {"{ event.a = 1 && link.b = 2 && instrumentation.c = 3 }", NULL},
    {"{ span.\"a b\" = 1 }", NULL},
    {"{ span.a.\"b c\".d = 1 }", "{ span.\"a.b c.d\" = 1 }"},
    {"{ .\"a\\\"b\\\\c\" = 1 }", NULL},
    {"{ .\"5\" = 1 }", NULL},
    {"{ .\"5x y\" = 1 }", "{ .\"5\"\"x y\" = 1 }"},
    {"{ .a-b/c:d[0] = 1 }", NULL},
    {"{ span.duration = 1 }", NULL},
    {"{ duration > 10ms && traceDuration < 1h }", "{ duration > 10ms && traceDuration < 1h0m0s }"},
    {"{ span:duration > 1.5s && span:name = \"a\" && span:status = error && span:kind = server }",
        "{ duration > 1.5s && name = \"a\" && status = error && kind = server }"},
    {"{ span:id = \"a\" && span:parentID = \"b\" && trace:id = \"c\" && trace:rootName = \"d\" && trace:rootService = "
     "\"e\" && trace:duration > 1us }",
        "{ span:id = \"a\" && span:parentID = \"b\" && trace:id = \"c\" && rootName = \"d\" && rootServiceName = \"e\" "
        "&& traceDuration > 1µs }"},
    {"{ event:name = \"a\" && event:timeSinceStart > 1ns && link:traceID = \"b\" && link:spanID = \"c\" }", NULL},
    {"{ instrumentation:name = \"a\" && instrumentation:version != \"1\" }", NULL},
    {"{ nestedSetLeft = 1 && nestedSetRight = 2 && nestedSetParent = -1 && childCount = 0 && statusMessage = \"x\" }",
        NULL},
    {"{ status = unset || status = ok || kind = unspecified || kind = internal || kind = client || kind = producer || "
     "kind = consumer }",
        NULL},
    {"{ .a = 1 + 2 * 3 ^ 4 }", NULL},
    {"{ .a = (1 + 2) * 3 }", NULL},
    {"{ .a = 2 ^ 3 ^ 4 }", NULL},
    {"{ .a = (2 ^ 3) ^ 4 }", NULL},
    {"{ .a - .b - .c = 1 }", NULL},
    {"{ .a - (.b - .c) = 1 }", NULL},
    {"{ -.a = -1 }", NULL},
    {"{ -(.a + 1) = -1.5 }", NULL},
    {"{ .a = --1 }", "{ .a = 1 }"},
    {"{ -.a * 2 = 3 }", "{ -(.a * 2) = 3 }"},
    {"{ !(.a = 1) }", NULL},
    {"{ !.a = false }", NULL},
    {"{ .a = 1. }", "{ .a = 1.0 }"},
    {"{ .a = .5 || .a = 1e3 || .a = 1.5e-7 }", "{ .a = 0.5 || .a = 1000.0 || .a = 0.00000015 }"},
    {"{ .a = minInt || .a = maxInt }", "{ .a = minInt || .a = 9223372036854775807 }"},
    {"{ .a =~ \"b.*\" && .c !~ `d\\d` }", "{ .a =~ \"b.*\" && .c !~ \"d\\\\d\" }"},
    {"{ // a comment\n.a /* and\nanother */ = 1d }", "{ .a = 24h0m0s }"},
    {"{ .a } && { .b }", NULL},
    {"{ .a } || { .b } && { .c }", NULL},
    {"{ .a } || ({ .b } && { .c })", NULL},
    {"({ .a } || { .b }) && { .c }", "{ .a } || { .b } && { .c }"},
    {"{ .a } > { .b } >> { .c }", NULL},
    {"{ .a } > ({ .b } >> { .c })", NULL},
    {"{ .a } < { .b }", NULL},
    {"{ .a } << { .b }", NULL},
    {"{ .a } ~ { .b }", NULL},
    {"{ .a } !> { .b }", NULL},
    {"{ .a } !< { .b }", NULL},
    {"{ .a } !>> { .b }", NULL},
    {"{ .a } !<< { .b }", NULL},
    {"{ .a } !~ { .b }", NULL},
    {"{ .a } &> { .b }", NULL},
    {"{ .a } &< { .b }", NULL},
    {"{ .a } &>> { .b }", NULL},
    {"{ .a } &<< { .b }", NULL},
    {"{ .a } &~ { .b }", NULL},
    {"({ .a } | count() > 1) && ({ .b } | count() > 2)", NULL},
    {"{ } | count() > 1", NULL},
    {"count() > 1", NULL},
    {"{ .a } | by(.b) | coalesce() | select(.c, span.d, name) | avg(duration) > 1s | { .e } | max(.f) - min(.f) >= 2",
        NULL},
    {"{ } | count() + count() = 2 * sum(.a)", NULL},
    {"({ .a } | count()) > ({ .b } | count())", NULL},
    {"({ .a } | count()) * 2 > 3", NULL},
    {"{ } | by(span.a = 1)", NULL},
    {"{ } | select(parent.a, event:name)", NULL},
    {"{ } with(most_recent=true, x=\"y\", z=1)", NULL},
    {"{} with (most_recent=true)", "{ } with(most_recent=true)"},
    {"{ .a } | rate()", NULL},
    {"{ .a } >> { .b } | rate() by (resource.service.name, name)",
        "{ .a } >> { .b } | rate() by(resource.service.name, name)"},
    {"{} | count_over_time() by(.a) > 10", "{ } | count_over_time() by(.a) > 10"},
    {"{ } | min_over_time(duration)", NULL},
    {"{ } | max_over_time(span.x) by(.a)", NULL},
    {"{ } | avg_over_time(span.x)", NULL},
    {"{ } | sum_over_time(span.x)", NULL},
    {"{} | quantile_over_time(duration, .5, 0.9, 1) by(.a)",
        "{ } | quantile_over_time(duration, 0.5, 0.9, 1.0) by(.a)"},
    {"{ } | histogram_over_time(duration)", NULL},
    {"{ .a } | compare({ status = error })", NULL},
    {"{ .a } | compare({ status = error }, 5)", NULL},
    {"{ .a } | compare({ status = error }, 5, 100, 200)", NULL},
    {"{ } | rate() by(.a) | topk(5)", NULL},
    {"{ } | rate() by(.a) | topk(5) > 1 | bottomk(2)", NULL},
    {"{ } | rate() > 1.5s", NULL},
    {"({ .a } | rate()) / ({ } | rate())", NULL},
    {"({ .a } | rate()) / ({ } | rate()) * 100", "(({ .a } | rate()) / ({ } | rate())) * 100"},
    {"({ .a } | rate()) + (({ } | rate()) * 2)", NULL},
    {"({ } | rate() by(.a) | topk(2)) * 60 with(sample=0.1, exemplars=true)", NULL},
    {"(({ .a } | rate()) / ({ } | rate())) > 0.5", NULL},
    {"({ } | rate()) / (1024 * 1024)", NULL},
    {"2 * 3 - 1 + ({ } | rate())", "((2 * 3) - 1) + ({ } | rate())"},
};

static void prints(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        Arena *arena = arena_create(4u << 20);
        Buf b = {0}, again = {0};
        const TraceQl *q, *q2;
        Err err = {0};
        const char *want = valid[i].out ? valid[i].out : valid[i].in;
        if (traceql_parse(str_cstr(valid[i].in), arena, &q, &err)) fail_msg("%s: %s", valid[i].in, err.msg);
        traceql_print(&b, q);
        if (!str_eq(buf_str(&b), str_cstr(want))) fail_msg("%s: printed %s, not %s", valid[i].in, buf_cstr(&b), want);
        if (traceql_parse(buf_str(&b), arena, &q2, &err)) fail_msg("%s: %s", buf_cstr(&b), err.msg);
        if (!traceql_equal(q, q2)) fail_msg("%s: its print means something else: %s", valid[i].in, buf_cstr(&b));
        traceql_print(&again, q2);
        assert_true(str_eq(buf_str(&b), buf_str(&again)));
        buf_done(&b);
        buf_done(&again);
        arena_free(arena);
    }
}

static const struct {
    const char *in, *msg; /* behind "parse error at line 1, col N: " */
    int col;
} invalid[] = {
    {"", "syntax error: unexpected $end", 1},
    {"{", "syntax error: unexpected $end", 2},
    {"{ .a = }", "syntax error: unexpected }", 8},
    {"{ .a = 1", "syntax error: unexpected $end, expecting }", 9},
    {"{ .a = 1 } }", "syntax error: unexpected }", 12},
    {"{ foo = 1 }", "unknown identifier: foo", 3},
    {"{ name = nil }", "name=nil is not valid because intrinsics cannot be nil", 3},
    {"{ span:foo = 1 }", "syntax error: unknown intrinsic: span:foo", 3},
    {"{ . = 1 }", "syntax error: unexpected end of attribute, expecting a name: .", 3},
    {"{ .\"a = 1 }", "syntax error: unexpected EOF, expecting \": .\"a = 1 }", 3},
    {"{ .\"a\\n\" = 1 }", "syntax error: invalid escape sequence: only \\\" and \\\\ are supported: .\"a\\n\"", 3},
    {"{ .a = \"b }", "syntax error: literal not terminated: \"b }", 8},
    {"{ .a = 10parsecs }", "syntax error: malformed number or duration: 10parsecs", 8},
    {"{ .a = 1e999 }", "syntax error: number out of range: 1e999", 8},
    {"{ .a = 99999999999999999999 }", "syntax error: integer out of range: 99999999999999999999", 8},
    {"{ .a = 1 } {", "syntax error: unexpected {", 12},
    {"{ .a } & { .b }", "syntax error: unexpected &", 8},
    {"{ } | foo()", "syntax error: unexpected foo", 7},
    {"{ } | count()", "syntax error: unexpected $end, expecting a comparison", 14},
    {"{ } | count() > 1 && { .a }", "syntax error: unexpected &&", 19},
    {"{ } + { }", "syntax error: unexpected +", 5},
    {"{ } | count() | { .a }", "syntax error: a number must be compared with something", 7},
    {"{ } | by()", "syntax error: unexpected )", 10},
    {"{ } | by(.a, .b)", "syntax error: unexpected ,, expecting )", 12},
    {"{ } | coalesce(.a)", "syntax error: unexpected IDENTIFIER, expecting )", 16},
    {"{ } | select()", "syntax error: unexpected )", 14},
    {"{ } | select(.a + 1)", "select() takes attributes and intrinsics: .a + 1", 14},
    {"{ 1 }", "span filter field expressions must resolve to a boolean: { 1 }", 3},
    {"{ duration }", "span filter field expressions must resolve to a boolean: { duration }", 3},
    {"{ .a + 1 = 2 && 3 }", "binary operations must operate on the same type: .a + 1 = 2 && 3", 3},
    {"{ name = 1 }", "binary operations must operate on the same type: name = 1", 3},
    {"{ \"a\" = 1 }", "binary operations must operate on the same type: \"a\" = 1", 3},
    {"{ status = server }", "binary operations must operate on the same type: status = server", 3},
    {"{ status > ok }", "illegal operation for the given types: status > ok", 3},
    {"{ name + \"a\" = \"b\" }", "illegal operation for the given types: name + \"a\"", 3},
    {"{ .a =~ 1 }", "illegal operation for the given types: .a =~ 1", 3},
    {"{ duration =~ \"a\" }", "binary operations must operate on the same type: duration =~ \"a\"", 3},
    {"{ .a =~ \"[\" }", "invalid regex: error parsing regexp: missing closing ]: `[`", 9},
    {"{ .a =~ .b }", "the right side of a regular expression must be a string: .a =~ .b", 3},
    {"{ .a > nil }", "illegal operation for the given types: .a > nil", 3},
    {"{ -true }", "illegal operation for the given type: -true", 3},
    {"{ !1 = 1 }", "illegal operation for the given type: !1", 3},
    {"{ } | by(1)", "grouping field expressions must reference the span: 1", 10},
    {"{ } | avg(1) > 1", "aggregate field expressions must reference the span: avg(1)", 7},
    {"{ } | avg(name) > 1", "aggregate field expressions must resolve to a number type: avg(name)", 7},
    {"{ } | count() > \"a\"", "scalar filters compare numbers: \"a\"", 17},
    {"{ } | count(.a) > 1", "syntax error: unexpected IDENTIFIER, expecting )", 13},
    {"rate()", "syntax error: unexpected rate", 1},
    {"{ } | rate(.a)", "syntax error: unexpected IDENTIFIER, expecting )", 12},
    {"{ } | rate() | { .a }", "syntax error: unexpected {, expecting topk or bottomk", 16},
    {"{ } | rate() | rate()", "syntax error: unexpected rate, expecting topk or bottomk", 16},
    {"{ } | rate() + 1", "syntax error: unexpected +", 14},
    {"{ } | min_over_time(1)", "syntax error: min_over_time takes an attribute or an intrinsic", 21},
    {"{ } | min_over_time(name)", "metrics functions take numbers and durations: name", 21},
    {"{ } | quantile_over_time(duration)", "syntax error: unexpected ), expecting ,", 34},
    {"{ } | quantile_over_time(duration, 2)", "quantile must be between 0 and 1: 2", 36},
    {"{ } | topk(5)", "syntax error: unexpected topk", 7},
    {"{ } | rate() | topk(0)", "topk() limit must be greater than 0", 21},
    {"{ } | rate() | topk(x)", "syntax error: unexpected x, expecting INTEGER", 21},
    {"{ } | rate() > \"x\"", "syntax error: metrics compare with numbers and durations only", 16},
    {"{ } | compare({ }, 0)", "compare() top number of values must be an integer between 1 and 1000", 20},
    {"{ } | compare({ }, 5, 100)", "syntax error: unexpected ), expecting ,", 26},
    {"{ } | compare({ }, 5, 200, 100)",
        "compare() timestamps must be positive integer unix nanoseconds, start before end", 20},
    {"({ } | rate()) && ({ } | rate())", "syntax error: unexpected && between metrics", 16},
    {"({ } | rate()) + { }", "syntax error: metrics are combined in parentheses, or with numbers", 16},
    {"{ } | ({ } | rate())", "syntax error: metrics are no stage of a pipeline", 8},
    {"{ } with(1=2)", "syntax error: unexpected INTEGER, expecting IDENTIFIER", 10},
    {"{ } with(a=)", "syntax error: unexpected )", 12},
    {"{ } with a", "syntax error: unexpected a, expecting (", 10},
    {"{ .a = \x01 }", "syntax error: unexpected \x01", 8},
};

static void refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        Arena *arena = arena_create(4u << 20);
        const TraceQl *q;
        Err err = {0};
        if (traceql_parse(str_cstr(invalid[i].in), arena, &q, &err) == OK) fail_msg("%s: parsed", invalid[i].in);
        char want[600];
        (void)snprintf(want, sizeof want, "parse error at line 1, col %d: %s", invalid[i].col, invalid[i].msg);
        if (strcmp(err.msg, want) != 0) fail_msg("%s:\n%s, not\n%s", invalid[i].in, err.msg, want);
        assert_int_equal(err.code, ERR_INVALID);
        assert_int_equal(err.col, invalid[i].col);
        arena_free(arena);
    }
}

static void says_the_line(void **state) {
    (void)state;
    Arena *arena = arena_create(1u << 20);
    const TraceQl *q;
    Err err = {0};
    assert_int_equal(traceql_parse(STR("{ .a = 1 &&\n  .b == 2 }"), arena, &q, &err), ERR_INVALID);
    assert_string_equal(err.msg, "parse error at line 2, col 7: syntax error: unexpected =");
    arena_free(arena);
}

static void limits_hold(void **state) {
    (void)state;
    Buf deep = {0}, wide = {0};
    for (int i = 0; i < 100; i++) buf_put_char(&deep, '(');
    buf_put_lit(&wide, "{ .a");
    for (int i = 0; i < 3000; i++) buf_put_lit(&wide, " && .a");
    buf_put_lit(&wide, " }");
    Arena *arena = arena_create(4u << 20), *tiny = arena_create(512);
    const TraceQl *q;
    Err err = {0};
    assert_int_equal(traceql_parse(buf_str(&deep), arena, &q, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "nested too deeply"));
    assert_int_equal(traceql_parse(buf_str(&wide), arena, &q, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "too many operators"));
    assert_int_equal(traceql_parse(STR("{ .a = 1 && .b = 2 && .c = 3 }"), tiny, &q, &err), ERR_TOO_LARGE);
    buf_done(&deep);
    buf_done(&wide);
    arena_free(arena);
    arena_free(tiny);
}

static const struct {
    const char *in, *out;
} partial[] = {
    {"", "{ }"},
    {"{", "{ }"},
    {"{ .a = \"x\" && .b = }", "{ .a = \"x\" }"},
    {"{ .a = \"x\" && .b", "{ .a = \"x\" && .b }"},
    {"{ .a = \"x\" && .b = && .c = 1", "{ .a = \"x\" && .c = 1 }"},
    {"{ .a = \"x\" || .b = }", "{ }"},
    {"{ (.a = 1 || .b = 2) && .c = \"", "{ .a = 1 || .b = 2 }"},
    {"{ .a = \"x\" } | rate()", "{ .a = \"x\" }"},
};

static void keeps_what_is_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(partial); i++) {
        Arena *arena = arena_create(4u << 20);
        const TraceQl *q;
        Buf b = {0};
        assert_int_equal(traceql_parse_partial(str_cstr(partial[i].in), arena, &q, NULL), OK);
        traceql_print(&b, q);
        assert_string_equal(buf_cstr(&b), partial[i].out);
        buf_done(&b);
        arena_free(arena);
    }
}

static const struct {
    const char *in, *out;
} attrs[] = {
    {".a", ".a"},
    {"span.a.b", "span.a.b"},
    {"resource.\"a b\"", "resource.\"a b\""},
    {"name", "name"},
    {"span:name", "name"},
    {"trace:id", "trace:id"},
    {"service.name", ".service.name"},
    {"foo", ".foo"},
    {"{", NULL},
    {"a b", NULL},
    {"", NULL},
};

static void reads_attributes(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
        Arena *arena = arena_create(1u << 20);
        TqlAttr a;
        Buf b = {0};
        ErrCode code = traceql_parse_attr(str_cstr(attrs[i].in), arena, &a, NULL);
        assert_int_equal(code, attrs[i].out ? OK : ERR_INVALID);
        if (!code) traceql_print_attr(&b, &a);
        if (!code) assert_string_equal(buf_cstr(&b), attrs[i].out);
        buf_done(&b);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints),
        cmocka_unit_test(refuses),
        cmocka_unit_test(says_the_line),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(keeps_what_is_complete),
        cmocka_unit_test(reads_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
