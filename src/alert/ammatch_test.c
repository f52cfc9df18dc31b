#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/amlabel.h"
#include "alert/ammatch.h"

/* text, what it means in each mode as it prints, or the error after "!". */
static const struct {
    const char *text, *fallback, *utf8, *classic;
} lists[] = {
    {"", "{}", "{}", "{}"},
    {"{}", "{}", "{}", "{}"},
    {"foo=bar", "{foo=\"bar\"}", "{foo=\"bar\"}", "{foo=\"bar\"}"},
    {"{foo=\"bar\",}", "{foo=\"bar\"}", "{foo=\"bar\"}", "{foo=\"bar\"}"},
    {"foo=\"bar\", dings!=\"bums\"", "{foo=\"bar\",dings!=\"bums\"}", "{foo=\"bar\",dings!=\"bums\"}",
        "{foo=\"bar\",dings!=\"bums\"}"},
    {"{foo=~\"a|b\",c!~\"d\"}", "{foo=~\"a|b\",c!~\"d\"}", "{foo=~\"a|b\",c!~\"d\"}", "{foo=~\"a|b\",c!~\"d\"}"},
    {"foo=", "{foo=\"\"}", "!end of input: expected label value", "{foo=\"\"}"},
    {"foo=bar baz", "{foo=\"bar baz\"}", "!8:11: unexpected baz: expected a comma or close brace", "{foo=\"bar baz\"}"},
    {"\"foo bar\"=\"baz\"", "{\"foo bar\"=\"baz\"}", "{\"foo bar\"=\"baz\"}",
        "!bad matcher format: \"foo bar\"=\"baz\""},
    {"f\xC3\xB6\xC3\xB6=b\xC3\xA4r", "{f\xC3\xB6\xC3\xB6=\"b\xC3\xA4r\"}", "{f\xC3\xB6\xC3\xB6=\"b\xC3\xA4r\"}",
        "!bad matcher format: f\xC3\xB6\xC3\xB6=b\xC3\xA4r"},
    {"foo=\"b\\\"ar\"", "{foo=\"b\\\"ar\"}", "{foo=\"b\\\"ar\"}", "{foo=\"b\\\"ar\"}"},
    /* The two disagree about \d: classic wins. */
    {"foo=~\\d+", "{foo=~\"\\\\d+\"}", "!5:6: \\: invalid input", "{foo=~\"\\\\d+\"}"},
    {"foo=\"\\\\d\"", "{foo=\"\\\\d\"}", "{foo=\"\\\\d\"}", "{foo=\"\\\\d\"}"},
    {"{foo=bar", "{foo=\"bar\"}", "!0:8: end of input: expected close brace", "{foo=\"bar\"}"},
    {"foo=bar}", "{foo=\"bar\"}", "!0:8: }: expected opening brace", "{foo=\"bar\"}"},
    {"foo", "!bad matcher format: foo", "!end of input: expected an operator such as '=', '!=', '=~' or '!~'",
        "!bad matcher format: foo"},
    {"foo!bar", "!bad matcher format: foo!bar", "!3:4: !: expected one of '=~'", "!bad matcher format: foo!bar"},
    {"foo=\"bar", "!matcher value contains unescaped double quote: \"bar", "!4:8: \"bar: missing end \"",
        "!matcher value contains unescaped double quote: \"bar"},
    {"foo=b\"ar", "!matcher value contains unescaped double quote: b\"ar", "!5:8: \"ar: missing end \"",
        "!matcher value contains unescaped double quote: b\"ar"},
    {",", "!bad matcher format: ", "!0:1: unexpected ,: expected label name", "!bad matcher format: "},
    {"foo=bar,,a=b", "!bad matcher format: ", "!8:9: unexpected ,: expected a matcher or close brace after comma",
        "!bad matcher format: "},
    {"foo=~\"(\"", "!error parsing regexp: missing closing ): `^(?:()$`",
        "!error parsing regexp: missing closing ): `^(?:()$`", "!error parsing regexp: missing closing ): `^(?:()$`"},
};

static void check_list(const char *text, AmMatchMode mode, const char *want) {
    Arena *arena = arena_create(1 << 20);
    Matchers ms;
    Err err = {0};
    Buf out = {0};
    if (ammatch_parse_list(str_cstr(text), mode, arena, &ms, NULL, &err))
        buf_printf(&out, "!%s", err.msg);
    else
        amlabel_put_matchers(&out, ms);
    assert_string_equal(buf_cstr(&out), want);
    buf_done(&out);
    arena_free(arena);
}

static void parses_lists(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        check_list(lists[i].text, AM_MATCH_FALLBACK, lists[i].fallback);
        check_list(lists[i].text, AM_MATCH_UTF8, lists[i].utf8);
        check_list(lists[i].text, AM_MATCH_CLASSIC, lists[i].classic);
    }
}

static void parses_single_ones(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    const Matcher *m;
    Err err = {0};
    assert_int_equal(ammatch_parse_one(STR("{a=b}"), AM_MATCH_FALLBACK, arena, &m, &err), ERR_INVALID);
    assert_string_equal(err.msg, "unexpected open or close brace: {a=b}");
    assert_int_equal(ammatch_parse_one(STR("a=b,c=d"), AM_MATCH_UTF8, arena, &m, &err), ERR_INVALID);
    assert_string_equal(err.msg, "expected 1 matcher, found 2");
    assert_int_equal(ammatch_parse_one(STR("a=b,c=d"), AM_MATCH_FALLBACK, arena, &m, &err), OK);
    assert_true(str_eq_lit(m->value, "b,c=d")); /* as the classic parser reads it */
    arena_free(arena);
}

static void suggests_what_to_write(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    Matchers ms;
    Str suggestion;
    assert_int_equal(ammatch_parse_list(STR("foo=,a=~\\d+"), AM_MATCH_FALLBACK, arena, &ms, &suggestion, NULL), OK);
    assert_true(str_eq_lit(suggestion, "foo=\"\",a=~\"\\\\d+\""));
    arena_free(arena);
}

static const struct {
    const char *filter, *labels;
    bool want;
} filters[] = {
    {"a=b", "{a=\"b\"}", true},
    {"a=b", "{}", false},
    {"a=\"\"", "{}", true},
    {"a!=\"\"", "{a=\"b\"}", true},
    {"a!=\"\"", "{}", false},
    {"a!=b", "{}", true},
    {"a=~\"b|\"", "{}", true},
};

static void filters_alerts(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        Arena *arena = arena_create(1 << 20);
        const Matcher *m;
        Labels l;
        assert_int_equal(ammatch_parse_one(str_cstr(filters[i].filter), AM_MATCH_FALLBACK, arena, &m, NULL), OK);
        assert_int_equal(labels_parse(str_cstr(filters[i].labels), arena, &l, NULL), OK);
        assert_int_equal(ammatch_filter((Matchers){&m, 1}, l), filters[i].want);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses_lists), cmocka_unit_test(parses_single_ones),
        cmocka_unit_test(suggests_what_to_write), cmocka_unit_test(filters_alerts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
