#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cursor.h"

static void test_put(void **state) {
    (void)state;
    Buf b = {0};
    buf_put(&b, NULL, 0);
    assert_string_equal(buf_cstr(&b), "");
    buf_put_lit(&b, "ab"), buf_put_char(&b, 'c'), buf_put_str(&b, STR("de"));
    assert_string_equal(buf_cstr(&b), "abcde");
    buf_clear(&b);
    for (int i = 0; i < 500; i++) buf_printf(&b, "%s-%03d;", "some longer words to make it grow", i);
    assert_true(b.n == 500 * 38 && str_ends_with(buf_str(&b), STR("grow-499;")));
    size_t n;
    char *p = buf_take(&b, &n);
    assert_true(n == 500 * 38 && b.p == NULL && b.n == 0);
    mem_free(p);
    p = buf_take(&b, NULL);
    assert_non_null(p);
    mem_free(p);
    buf_done(&b);
}

static void test_utf8(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"", ""}, {"plain", "plain"}, {"caf\xC3\xA9", "caf\xC3\xA9"}, {"caf\xE9!", "caf\xEF\xBF\xBD!"},
        {"\xF0\x9F\x98", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf b = {0};
        buf_put_utf8(&b, str_cstr(cases[i].in));
        assert_string_equal(buf_cstr(&b), cases[i].out);
        buf_done(&b);
    }
}

static void test_round_trip(void **state) {
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 255, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        buf_put_u16le(&b, (uint16_t)values[i]), buf_put_u32le(&b, (uint32_t)values[i]), buf_put_u64le(&b, values[i]);
        buf_put_uvarint(&b, values[i]), buf_put_svarint(&b, (int64_t)values[i]),
            buf_put_svarint(&b, -(int64_t)(values[i] / 2));
        buf_put_lenstr(&b, STR("xyz")), buf_put_char(&b, 'q');
    }
    Cursor c = cursor_of(buf_str(&b));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_true(cursor_u16le(&c) == (uint16_t)values[i] && cursor_u32le(&c) == (uint32_t)values[i] &&
                    cursor_u64le(&c) == values[i]);
        assert_true(cursor_uvarint(&c) == values[i] && cursor_svarint(&c) == (int64_t)values[i]);
        assert_true(cursor_svarint(&c) == -(int64_t)(values[i] / 2));
        assert_true(str_eq_lit(cursor_lenstr(&c), "xyz") && cursor_u8(&c) == 'q');
    }
    assert_true(!c.bad && cursor_left(&c) == 0);
    buf_done(&b);
}

static void test_overruns(void **state) {
    (void)state;
    Cursor c = cursor_of(STR("\x01\x02\x03"));
    assert_true(cursor_u32le(&c) == 0 && c.bad && cursor_u8(&c) == 0);
    c = cursor_of(STR("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02")); /* 65 bits */
    assert_true(cursor_uvarint(&c) == 0 && c.bad);
    c = cursor_of(STR("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));
    assert_true(cursor_uvarint(&c) == UINT64_MAX && !c.bad);
    c = cursor_of(STR("\x80"));
    assert_true(cursor_uvarint(&c) == 0 && c.bad);
    c = cursor_of(STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"));
    assert_true(cursor_uvarint(&c) == 0 && c.bad);
    c = cursor_of(STR("\x05"
                      "abcd"));
    assert_true(cursor_lenstr(&c).p == NULL && c.bad);
    c = cursor_of(STR_NULL);
    assert_true(cursor_bytes(&c, 0).n == 0 && !c.bad && cursor_bytes(&c, SIZE_MAX).p == NULL && c.bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_overruns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
