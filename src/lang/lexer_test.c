#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lang/lexer.h"

#include <math.h>

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        LangNumberKind kind;
        size_t end;
    } cases[] = {
        {"12", LANG_NUMBER_FLOAT, 2},
        {"1_000", LANG_NUMBER_FLOAT, 5},
        {".5", LANG_NUMBER_FLOAT, 2},
        {"2.", LANG_NUMBER_FLOAT, 2},
        {"1e-3+", LANG_NUMBER_FLOAT, 4},
        {"0x1F", LANG_NUMBER_FLOAT, 4},
        {"0X_1f)", LANG_NUMBER_FLOAT, 5},
        {"5m", LANG_NUMBER_DURATION, 2},
        {"1h30m]", LANG_NUMBER_DURATION, 5},
        {"500ms", LANG_NUMBER_DURATION, 5},
        {"5mm", LANG_NUMBER_BAD, 3},
        {"1.2.3", LANG_NUMBER_BAD, 4},
        {"1__0", LANG_NUMBER_BAD, 3},
        {"1e", LANG_NUMBER_BAD, 2},
        {"0x", LANG_NUMBER_BAD, 2},
        {"x", LANG_NUMBER_NONE, 0},
        {".", LANG_NUMBER_NONE, 0},
        {"", LANG_NUMBER_NONE, 0},
        {"5a", LANG_NUMBER_BAD, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t end;
        LangNumberKind kind = lang_scan_number(str_cstr(cases[i].text), 0, &end);
        if (kind != cases[i].kind || end != cases[i].end) fail_msg("%s: kind %d end %zu", cases[i].text, kind, end);
    }
}

static void test_number_values(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double v;
    } good[] = {{"0x10", 16}, {"010", 8}, {"1_000.5", 1000.5}, {"1e3", 1000}, {"-2", -2}, {"+Inf", INFINITY},
        {"-inf", -INFINITY}, {"0x_ff", 255}, {"08.5", 8.5}, {"09", 9}};
    double v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(lang_parse_number(str_cstr(good[i].text), &v));
        if (v != good[i].v) fail_msg("%s: %g", good[i].text, v);
    }
    assert_true(lang_parse_number(STR("NaN"), &v) && isnan(v));
    assert_false(lang_parse_number(STR("1e400"), &v));
    assert_false(lang_parse_number(STR(""), &v));
    assert_false(lang_parse_number(STR("abc"), &v));
}

static void test_durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"5m", 300000}, {"1h30m", 5400000}, {"100ms", 100},
        {"1y2w3d", 31536000000 + 14 * 86400000LL + 3 * 86400000LL}, {"1s1ms", 1001}, {"30m1h", -1}, {"1m1m", -1},
        {"", -1}, {"1", -1}, {"9999999999999999999y", -1}, {"300y", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;
        bool ok = lang_parse_duration(str_cstr(cases[i].text), &ms);
        if (ok != (cases[i].ms >= 0) || (ok && ms != cases[i].ms)) fail_msg("%s: %d %ld", cases[i].text, ok, (long)ms);
    }
}

static void test_strings(void **state) {
    (void)state;
    static const struct {
        const char *text;
        LangStringStatus st;
        const char *value;
    } cases[] = {
        {"\"a\\n\\\"b\"", LANG_STRING_OK, "a\n\"b"},
        {"'it\\'s'", LANG_STRING_OK, "it's"},
        {"`raw\\n`", LANG_STRING_OK, "raw\\n"},
        {"\"\\u00e4\\x41\\101\"", LANG_STRING_OK,
            "\xc3\xa4"
            "AA"},
        {"\"a\\xc5z\"", LANG_STRING_OK, "a\xc5z"},
        {"\"open", LANG_STRING_UNTERMINATED, NULL},
        {"\"nl\n\"", LANG_STRING_UNTERMINATED, NULL},
        {"\"\\", LANG_STRING_ESCAPE_OPEN, NULL},
        {"\"\\q\"", LANG_STRING_ESCAPE_UNKNOWN, NULL},
        {"\"\\xg0\"", LANG_STRING_ESCAPE_DIGIT, NULL},
        {"\"\\ud800\"", LANG_STRING_ESCAPE_RANGE, NULL},
        {"\"\\'\"", LANG_STRING_ESCAPE_UNKNOWN, NULL},
        {"\"\"", LANG_STRING_OK, ""},
        {"`a\r\nb`", LANG_STRING_OK, "a\nb"},
    };
    Arena *arena = arena_create(ARENA_UNLIMITED);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t end;
        Str src = str_cstr(cases[i].text), value;
        LangStringStatus st = lang_scan_string(src, 0, &end);
        if (st != cases[i].st) fail_msg("%s: status %d", cases[i].text, st);
        if (st != LANG_STRING_OK) continue;
        assert_int_equal(end, src.n);
        assert_true(lang_unquote(src, arena, &value));
        if (!str_eq(value, str_cstr(cases[i].value))) fail_msg("%s: %.*s", cases[i].text, (int)value.n, value.p);
    }
    arena_free(arena);
}

static void test_quoting(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"a\"b\\", "\"a\\\"b\\\\\""}, {"\n\t\x01", "\"\\n\\t\\x01\""}, {"\xc3\xa4\xc5z", "\"\xc3\xa4\\xc5z\""},
        {"\xe2\x80\x8b", "\"\\u200b\""}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf b = {0};
        lang_put_quoted(&b, str_cstr(cases[i].in));
        assert_string_equal(buf_cstr(&b), cases[i].out);
        buf_done(&b);
    }
}

static void test_tokens(void **state) {
    (void)state;
    static const Str puncts[] = {STR_INIT("=~"), STR_INIT("="), STR_INIT("{"), STR_INIT("}"), STR_INIT("|=")};
    static const LangSyntax sx = {
        .puncts = puncts, .n_puncts = ARRAY_LEN(puncts), .durations = true, .hash_comments = true};
    LangLexer lx = lang_lexer(&sx, STR("{a=~\"x\"} |= `y` # c\n 5m 1e3 \xff ~"));
    static const LangTokenKind kinds[] = {LANG_PUNCT, LANG_IDENT, LANG_PUNCT, LANG_STRING, LANG_PUNCT, LANG_PUNCT,
        LANG_STRING, LANG_DURATION, LANG_NUMBER, LANG_BAD, LANG_BAD, LANG_END, LANG_END};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        LangToken t = lang_next(&lx);
        assert_int_equal(t.kind, kinds[i]);
        if (i == 2) assert_int_equal(t.punct, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_number_values),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_strings), cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
