#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/amlabel.h"

static const struct {
    MatchType type;
    const char *name, *value, *text;
} matchers[] = {
    {MATCH_EQ, "severity", "critical", "severity=\"critical\""},
    {MATCH_NEQ, "a", "", "a!=\"\""},
    {MATCH_RE, "a", "b|c\\d", "a=~\"b|c\\\\d\""},
    {MATCH_NRE, "a", "x\n\"", "a!~\"x\\n\\\"\""},
    {MATCH_EQ, "a b", "x\n", "\"a b\"=\"x\\n\""},
    {MATCH_EQ, "\xC3\xA9", "\xC3\xA9", "\xC3\xA9=\"\xC3\xA9\""},
    {MATCH_EQ, "a\xE3\x80\x80", "1", "\"a\\u3000\"=\"1\""},
};

static void matcher_texts(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    Buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++) {
        const Matcher *m;
        assert_int_equal(
            matcher_create(arena, matchers[i].type, str_cstr(matchers[i].name), str_cstr(matchers[i].value), &m, NULL),
            OK);
        buf_clear(&out);
        amlabel_put_matcher(&out, m);
        assert_string_equal(buf_cstr(&out), matchers[i].text);
    }
    buf_done(&out);
    arena_free(arena);
}

static void set_texts(void **state) {
    (void)state;
    const Label l[] = {{STR("alertname"), STR("High\"x\"")}, {STR("k8s.pod"), STR("a\tb")}};
    Buf out = {0};
    amlabel_put_set(&out, (Labels){l, 2});
    assert_string_equal(buf_cstr(&out), "{alertname=\"High\\\"x\\\"\", \"k8s.pod\"=\"a\\tb\"}");
    buf_clear(&out);
    amlabel_put_set(&out, (Labels){0});
    assert_string_equal(buf_cstr(&out), "{}");
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(matcher_texts), cmocka_unit_test(set_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
