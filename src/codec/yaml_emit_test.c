/* yaml_emit_test.c - what Go's yaml.v2 writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/yaml_emit.h"

static const struct {
    const char *text, *written;
} texts[] = {{"a", "a"}, {"", "\"\""}, {"true", "\"true\""}, {"no", "\"no\""}, {"n", "\"n\""}, {"12", "\"12\""},
    {"0x1F", "\"0x1F\""}, {"1.5", "\"1.5\""}, {"1e5", "1e5"}, {"1e+5", "\"1e+5\""}, {"1:30", "\"1:30\""},
    {"1:70", "1:70"}, {"2020-01-02", "\"2020-01-02\""}, {"2020-01", "2020-01"}, {"-3:-1", "-3:-1"},
    {"monday:friday", "monday:friday"}, {"#x", "'#x'"}, {"a: b", "'a: b'"}, {"a\nb\n", "|\n  a\n  b"},
    {"{{ x }}", "'{{ x }}'"}, {"it's", "it's"}, {"'q'", "'''q'''"}, {" x", "' x'"}, {"\xC3\xA9", "\xC3\xA9"},
    {"~", "\"~\""}, {"12_000", "\"12_000\""}, {".5", "\".5\""}, {".x", ".x"}, {"-", "'-'"}, {"<secret>", "<secret>"}};

static void texts_are_quoted_where_they_must_be(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        Buf b = {0}, want = {0};
        YamlEmitter *e = yaml_emitter_create(&b);
        yaml_emit_begin_mapping(e);
        yaml_emit_text(e, STR("k"));
        yaml_emit_text(e, str_cstr(texts[i].text));
        yaml_emit_end_mapping(e);
        yaml_emitter_free(e);
        buf_printf(&want, "k: %s\n", texts[i].written);
        assert_string_equal(buf_cstr(&b), buf_cstr(&want));
        buf_done(&b);
        buf_done(&want);
    }
}

static void keys_are_sorted_by_value(void **state) {
    (void)state;
    static const char *const sorted[] = {"1", "2", "10", "a", "a1", "a2", "a10", "b"};
    for (size_t i = 0; i + 1 < ARRAY_LEN(sorted); i++) {
        assert_true(yaml_key_cmp(str_cstr(sorted[i]), str_cstr(sorted[i + 1])) < 0);
        assert_true(yaml_key_cmp(str_cstr(sorted[i + 1]), str_cstr(sorted[i])) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_quoted_where_they_must_be), cmocka_unit_test(keys_are_sorted_by_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
