#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/labels.h"

/* text parses; printed back it is `printed` (NULL: the same); NULL in both: it must be refused. */
static const struct ParseCase {
    const char *text, *printed;
    bool ok;
} parse_cases[] = {
    {"{a=\"b\"}", NULL, true},
    {"up", NULL, true},
    {"up{job=\"x\"}", NULL, true},
    {"{}", NULL, true},
    {" { b = \"2\" , a=\"1\", } ", "{a=\"1\", b=\"2\"}", true},
    {"{a=\"\"}", "{}", true},
    {"{a=`x\\y`}", "{a=\"x\\\\y\"}", true},
    {"{a=\"q\\\"u\\\\o\\n\"}", NULL, true},
    {"{a=\"\\u00e9\\x41\"}",
        "{a=\"\xc3\xa9"
        "A\"}",
        true},
    {"{\"my.metric\", \"k.x\"=\"v\"}", NULL, true},
    {"{job:x=\"1\"}", "{\"job:x\"=\"1\"}", true},
    {"job:x:rate5m{a=\"1\"}", NULL, true},
    {"", NULL, false},
    {"{a=\"b\"", NULL, false},
    {"{a=b}", NULL, false},
    {"{a=\"b}", NULL, false},
    {"{a=\"\\q\"}", NULL, false},
    {"{a=\"\\ud800\"}", NULL, false},
    {"{a=\"1\", a=\"2\"}", NULL, false},
    {"{a=\"1\"} x", NULL, false},
    {"{=\"1\"}", NULL, false},
    {"{a=\"1\" b=\"2\"}", NULL, false},
};

static void test_parse_and_print(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_cases); i++) {
        const struct ParseCase *c = &parse_cases[i];
        Arena *arena = arena_create(ARENA_UNLIMITED);
        Labels l = {0};
        Err err = {0};
        ErrCode r = labels_parse(str_cstr(c->text), arena, &l, &err);
        if ((r == OK) != c->ok) fail_msg("%s: %d %s", c->text, r, err.msg);
        if (r == OK) {
            Buf out = {0};
            labels_put_text(&out, l);
            assert_string_equal(buf_cstr(&out), c->printed ? c->printed : c->text);
            buf_done(&out);
        } else {
            assert_true(err.msg[0] != 0);
        }
        arena_free(arena);
    }
}

static void test_order_and_hash(void **state) {
    (void)state;
    Label ab[] = {{STR("a"), STR("bc")}}, abc[] = {{STR("ab"), STR("c")}};
    Label two[] = {{STR("a"), STR("bc")}, {STR("d"), STR("e")}};
    Labels x = {ab, 1}, y = {abc, 1}, z = {two, 2};
    assert_int_not_equal(labels_hash(x), labels_hash(y));
    assert_true(labels_cmp(x, y) < 0 && labels_cmp(y, x) > 0);
    assert_true(labels_cmp(x, z) < 0 && labels_cmp(z, x) > 0 && labels_cmp(z, z) == 0);
    Str d = STR("d");
    assert_int_equal(labels_hash_for(z, &d, 1, false), labels_hash(x));
}

static void test_hash_ignores_metric_name_without(void **state) {
    (void)state;
    Label v[] = {{LABEL_NAME_METRIC, STR("m")}, {STR("a"), STR("1")}};
    Label w[] = {{STR("a"), STR("1")}};
    assert_int_equal(labels_hash_for((Labels){v, 2}, NULL, 0, false), labels_hash((Labels){w, 1}));
}

static const struct MatchCase {
    MatchType type;
    const char *value, *input;
    bool matches;
} match_cases[] = {
    {MATCH_EQ, "a", "a", true},
    {MATCH_EQ, "a", "ab", false},
    {MATCH_EQ, "", "", true},
    {MATCH_NEQ, "a", "", true},
    {MATCH_NEQ, "a", "a", false},
    {MATCH_RE, "a|b", "b", true},
    {MATCH_RE, "a|b", "ab", false},
    {MATCH_RE, "a.c", "a\nc", true},
    {MATCH_RE, ".*", "", true},
    {MATCH_RE, ".+", "", false},
    {MATCH_NRE, "5..", "500", false},
    {MATCH_NRE, "5..", "", true},
};

static void test_matchers(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(match_cases); i++) {
        const struct MatchCase *c = &match_cases[i];
        Arena *arena = arena_create(ARENA_UNLIMITED);
        const Matcher *m;
        assert_int_equal(matcher_create(arena, c->type, STR("x"), str_cstr(c->value), &m, NULL), OK);
        if (matcher_matches(m, str_cstr(c->input)) != c->matches) fail_msg("case %zu: %s vs %s", i, c->value, c->input);
        arena_free(arena);
    }
}

static void test_matcher_refuses_bad_regex(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const Matcher *m;
    Err err = {0};
    assert_int_equal(matcher_create(arena, MATCH_RE, STR("x"), STR("a("), &m, &err), ERR_INVALID);
    assert_true(err.msg[0] != 0);
    arena_free(arena);
}

/* A stranger may send as many as fit into a request, in the worst order. */
static void test_many_labels(void **state) {
    (void)state;
    size_t n = 300000;
    Label *v = mem_alloc_array(n, sizeof *v);
    char(*text)[24] = mem_alloc_array(n, sizeof *text);
    for (size_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "l%06zu", n - i);
        v[i] = (Label){str_of(text[i], 7), STR("x")};
    }
    assert_int_equal(labels_normalize(v, &n, NULL), OK);
    assert_int_equal(n, 300000);
    for (size_t i = 1; i < n; i++) assert_true(str_cmp(v[i - 1].name, v[i].name) < 0);
    v[0].name = v[n - 1].name;
    assert_int_equal(labels_normalize(v, &n, NULL), ERR_INVALID);
    mem_free(text);
    mem_free(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse_and_print), cmocka_unit_test(test_order_and_hash),
        cmocka_unit_test(test_hash_ignores_metric_name_without), cmocka_unit_test(test_matchers),
        cmocka_unit_test(test_matcher_refuses_bad_regex), cmocka_unit_test(test_many_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
