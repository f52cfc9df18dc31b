#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static void test_compare(void **state) {
    (void)state;
    static const struct {
        Str a, b;
        int sign;
    } cases[] = {{STR_INIT(""), STR_INIT(""), 0}, {STR_INIT("a"), STR_INIT(""), 1}, {STR_INIT("a"), STR_INIT("b"), -1},
        {STR_INIT("a"), STR_INIT("ab"), -1}, {STR_INIT("\xff"), STR_INIT("a"), 1},
        {STR_INIT("a\0b"), STR_INIT("a\0a"), 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int d = str_cmp(cases[i].a, cases[i].b);
        assert_int_equal((d > 0) - (d < 0), cases[i].sign);
        assert_int_equal(str_eq(cases[i].a, cases[i].b), cases[i].sign == 0);
    }
    assert_true(str_eq(STR_NULL, STR("")) && str_cmp(STR_NULL, STR("")) == 0);
    assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")) && !str_eq_nocase(STR("@"), STR("`")));
    assert_true(str_starts_with(STR("abc"), STR("ab")) && !str_starts_with(STR("a"), STR("ab")) &&
                str_starts_with(STR("a"), STR_NULL));
    assert_true(str_ends_with(STR("abc"), STR("bc")) && !str_ends_with(STR("c"), STR("bc")) &&
                str_ends_with(STR_NULL, STR("")));
}

static void test_find(void **state) {
    (void)state;
    assert_true(str_find(STR("hello"), STR("lo")) == 3 && str_find(STR("hello"), STR("x")) == SIZE_MAX);
    assert_true(str_find(STR("a"), STR("ab")) == SIZE_MAX && str_find(STR_NULL, STR("")) == 0);
    assert_true(
        str_contains_nocase(STR("An ERROR here"), STR("error")) && !str_contains_nocase(STR("erro"), STR("error")));
    assert_true(str_contains_nocase(STR("eerror"), STR("ERROR")) && str_contains_nocase(STR(""), STR("")));
    assert_true(str_find_char(STR("abca"), 'a') == 0 && str_rfind_char(STR("abca"), 'a') == 3 &&
                str_find_char(STR_NULL, 'a') == SIZE_MAX);
    assert_true(
        str_eq_lit(str_trim(STR(" \t a b\r\n")), "a b") && str_trim(STR("  ")).n == 0 && str_trim(STR_NULL).n == 0);
}

static void test_split(void **state) {
    (void)state;
    static const struct {
        const char *in, *joined;
    } cases[] = {{"a,,b", "[a][][b]"}, {"", "[]"}, {",", "[][]"}, {"a", "[a]"}, {"a,", "[a][]"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[64] = "";
        Str rest = str_cstr(cases[i].in), part;
        while (str_split_next(&rest, ',', &part)) strcat(out, "["), strncat(out, part.p, part.n), strcat(out, "]");
        assert_string_equal(out, cases[i].joined);
    }
    Str none = STR_NULL, part;
    assert_false(str_split_next(&none, ',', &part));
}

static void test_utf8(void **state) {
    (void)state;
    static const struct {
        Str s;
        bool ok;
    } cases[] = {{STR_INIT(""), true}, {STR_INIT("plain ascii of some length"), true},
        {STR_INIT("12345678\xC3\xA9"), true}, {STR_INIT("\xC2\x80\xDF\xBF"), true},
        {STR_INIT("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80"), true}, {STR_INIT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), true},
        {STR_INIT("\x80"), false}, {STR_INIT("\xC0\x80"), false}, {STR_INIT("\xC1\xBF"), false},
        {STR_INIT("\xC3"), false}, {STR_INIT("\xC3("), false}, {STR_INIT("\xE0\x9F\xBF"), false},
        {STR_INIT("\xED\xA0\x80"), false}, {STR_INIT("\xE2\x82"), false}, {STR_INIT("\xF0\x8F\xBF\xBF"), false},
        {STR_INIT("\xF4\x90\x80\x80"), false}, {STR_INIT("\xF5\x80\x80\x80"), false}, {STR_INIT("\xF0\x9F\x98"), false},
        {STR_INIT("12345678\xFF"), false}, {STR_INIT("a\0b"), true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_int_equal(str_is_utf8(cases[i].s), cases[i].ok);
    assert_true(
        str_utf8_step(STR("a")) == 1 && str_utf8_step(STR("\xE2\x82\xAC")) == 3 && str_utf8_step(STR("\xFF")) == 0);
}

static void test_distance(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned limit, want;
    } cases[] = {{"", "", 3, 0}, {"abc", "abc", 3, 0}, {"retntion", "retention", 3, 1}, {"kitten", "sitting", 3, 3},
        {"kitten", "sitting", 2, 3}, {"ab", "ba", 2, 1}, {"abcdef", "a", 3, 4}, {"", "abc", 3, 3},
        {"abc", "xyz", 0, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(str_distance(str_cstr(cases[i].a), str_cstr(cases[i].b), cases[i].limit), cases[i].want);
    char *copy = str_dup_cstr(STR("x\0y"));
    assert_memory_equal(copy, "x\0y", 4);
    mem_free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compare), cmocka_unit_test(test_find),
        cmocka_unit_test(test_split), cmocka_unit_test(test_utf8), cmocka_unit_test(test_distance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
