/* gojson_scan_test.c - what Go says of broken JSON; the texts are encoding/json's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/gojson_scan.h"

static const struct {
    const char *text, *decoder, *unmarshal; /* "": fine */
} cases[] = {
    {"", "EOF", "unexpected end of JSON input"},
    {"  ", "EOF", "unexpected end of JSON input"},
    {"{", "unexpected EOF", "unexpected end of JSON input"},
    {"[", "unexpected EOF", "unexpected end of JSON input"},
    {"{}", "", ""},
    {"[1,]", "invalid character ']' looking for beginning of value",
        "invalid character ']' looking for beginning of value"},
    {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string",
        "invalid character '}' looking for beginning of object key string"},
    {"{\"a\" 1}", "invalid character '1' after object key", "invalid character '1' after object key"},
    {"{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair",
        "invalid character '\"' after object key:value pair"},
    {"[1 2]", "invalid character '2' after array element", "invalid character '2' after array element"},
    {"{a:1}", "invalid character 'a' looking for beginning of object key string",
        "invalid character 'a' looking for beginning of object key string"},
    {"{'a':1}", "invalid character '\\'' looking for beginning of object key string",
        "invalid character '\\'' looking for beginning of object key string"},
    {"{\"a\":tru}", "invalid character '}' in literal true (expecting 'e')",
        "invalid character '}' in literal true (expecting 'e')"},
    {"nul", "unexpected EOF", "invalid character ' ' in literal null (expecting 'l')"},
    {"\"\\x\"", "invalid character 'x' in string escape code", "invalid character 'x' in string escape code"},
    {"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape",
        "invalid character 'g' in \\u hexadecimal character escape"},
    {"\"a\nb\"", "invalid character '\\n' in string literal", "invalid character '\\n' in string literal"},
    {"\"abc", "unexpected EOF", "unexpected end of JSON input"},
    {"01", "", "invalid character '1' after top-level value"},
    {"-", "unexpected EOF", "invalid character ' ' in numeric literal"},
    {"-x", "invalid character 'x' in numeric literal", "invalid character 'x' in numeric literal"},
    {"1.", "unexpected EOF", "invalid character ' ' after decimal point in numeric literal"},
    {"1.x", "invalid character 'x' after decimal point in numeric literal",
        "invalid character 'x' after decimal point in numeric literal"},
    {"1e", "unexpected EOF", "invalid character ' ' in exponent of numeric literal"},
    {"1e+", "unexpected EOF", "invalid character ' ' in exponent of numeric literal"},
    {"12x", "", "invalid character 'x' after top-level value"},
    {"[1x]", "invalid character 'x' after array element", "invalid character 'x' after array element"},
    {"true x", "", "invalid character 'x' after top-level value"},
    {"{} x", "", "invalid character 'x' after top-level value"},
    {"{}{}", "", "invalid character '{' after top-level value"},
    {"\xC3\xA9", "invalid character '\xC3\x83' looking for beginning of value",
        "invalid character '\xC3\x83' looking for beginning of value"},
    {"[1", "unexpected EOF", "unexpected end of JSON input"},
    {"{\"a\"", "unexpected EOF", "unexpected end of JSON input"},
    {"{\"a\":", "unexpected EOF", "unexpected end of JSON input"},
    {"{\"a\":1", "unexpected EOF", "unexpected end of JSON input"},
    {"\"\\", "unexpected EOF", "invalid character ' ' in string escape code"},
    {"\001", "invalid character '\\x01' looking for beginning of value",
        "invalid character '\\x01' looking for beginning of value"},
    {"}", "invalid character '}' looking for beginning of value",
        "invalid character '}' looking for beginning of value"},
    {"[\\]", "invalid character '\\\\' looking for beginning of value",
        "invalid character '\\\\' looking for beginning of value"},
    {"[\x7f]", "invalid character '\\x7f' looking for beginning of value",
        "invalid character '\\x7f' looking for beginning of value"},
};

static void broken_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int mode = 0; mode < 2; mode++) {
            Err err = {0};
            size_t end;
            const char *want = mode ? cases[i].unmarshal : cases[i].decoder;
            ErrCode rc = gojson_scan(str_cstr(cases[i].text), mode ? GOJSON_UNMARSHAL : GOJSON_DECODER, &end, &err);
            assert_string_equal(err.msg, want);
            assert_int_equal(rc == OK, !*want);
        }
    }
}

static void ends_of_values(void **state) {
    (void)state;
    size_t end;
    assert_int_equal(gojson_scan(STR(" {\"a\":[1]} x"), GOJSON_DECODER, &end, NULL), OK);
    assert_int_equal(end, 10);
    assert_int_equal(gojson_scan(STR("12x"), GOJSON_DECODER, &end, NULL), OK);
    assert_int_equal(end, 2);
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    static char deep[20002];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    size_t end;
    Err err = {0};
    assert_int_equal(gojson_scan(str_of(deep, 20000), GOJSON_DECODER, &end, &err), OK);
    memset(deep, '[', 10001);
    assert_int_equal(gojson_scan(str_of(deep, 20001), GOJSON_DECODER, &end, &err), ERR_INVALID);
    assert_string_equal(err.msg, "exceeded max depth");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_texts), cmocka_unit_test(ends_of_values), cmocka_unit_test(nesting_has_a_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
