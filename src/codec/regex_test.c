#include "codec/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static Regex *must_compile(const char *pattern, unsigned flags) {
    Regex *re;
    Err err = {0};
    if (regex_compile(str_cstr(pattern), flags, &re, &err) != OK) fail_msg("%s: %s", pattern, err.msg);
    return re;
}

static const struct {
    const char *pattern;
    unsigned flags;
    const char *subject;
    bool want;
} match_cases[] = {
    {"foo", REGEX_ANCHORED, "foo", true},
    {"foo", REGEX_ANCHORED, "xfoo", false},
    {"foo", REGEX_ANCHORED, "foox", false},
    {"foo|bar", REGEX_ANCHORED, "foobar", false},
    {"foo|bar", REGEX_ANCHORED, "bar", true},
    {"foo|bar", 0, "xbarx", true},
    {"", REGEX_ANCHORED, "", true},
    {"", REGEX_ANCHORED, "x", false},
    {"", 0, "x", true},
    {".*", REGEX_ANCHORED, "a\nb", true},
    {".*", REGEX_ANCHORED, "", true},
    {".+", REGEX_ANCHORED, "", false},
    {".+", REGEX_ANCHORED, "a\nb", true},
    {".+", REGEX_ANCHORED, "\xff", true}, /* any byte */
    {".+", 0, "\n", false},
    {".+", REGEX_DOT_NL, "\n", true},
    {"a.b", 0, "a\nb", false},
    {"a.b", REGEX_DOT_NL, "a\nb", true},
    {"^foo$", REGEX_ANCHORED, "foo", true},
    {"^foo$", 0, "a\nfoo\nb", false},
    {"(?m)^foo$", 0, "a\nfoo\nb", true},
    {"(?i)foo", REGEX_ANCHORED, "FOO", true},
    {"(?i:f)oo", REGEX_ANCHORED, "FOO", false},
    {"5..", REGEX_ANCHORED, "503", true},
    {"5..", REGEX_ANCHORED, "403", false},
    {"prod-.*", REGEX_ANCHORED, "prod-1", true},
    {"prod-.*", REGEX_ANCHORED, "dev-prod-1", false},
    {".*error.*timeout", REGEX_ANCHORED, "an error then timeout", true},
    {".*error.*timeout", REGEX_ANCHORED, "timeout error", false},
    {"h\xc3\xa9?llo", REGEX_ANCHORED, "hllo", true},
    {"h\xc3\xa9+llo", 0, "h\xc3\xa9\xc3\xa9llo", true},
    {"\\Qa.b\\E", REGEX_ANCHORED, "a.b", true},
    {"\\x41", REGEX_ANCHORED, "A", true},
    {"(?<x>a)[(?<]", REGEX_ANCHORED, "a<", true},
    {"a{2}", REGEX_ANCHORED, "aa", true},
    {"a{,2}", REGEX_ANCHORED, "a{,2}", true},
};

static void test_match(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(match_cases); i++) {
        Regex *re = must_compile(match_cases[i].pattern, match_cases[i].flags);
        bool got = regex_match(re, str_cstr(match_cases[i].subject));
        if (got != match_cases[i].want) fail_msg("%s on %s", match_cases[i].pattern, match_cases[i].subject);
        regex_free(re);
    }
    assert_null(regex_free(NULL));
}

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *want;
    } cases[] = {
        {"[a", "error parsing regexp: missing closing ]: `[a`"},
        {"a(b", "error parsing regexp: missing closing ): `^(?s:a(b)$`"},
        {"a)b", "error parsing regexp: unexpected ): `^(?s:a)b)$`"},
        {"*a", "error parsing regexp: missing argument to repetition operator: `*`"},
        {"a**", "error parsing regexp: invalid nested repetition operator: `**`"},
        {"a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"},
        {"(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
        {"[b-a]", "error parsing regexp: invalid character class range: `b-a`"},
        {"\\y", "error parsing regexp: invalid escape sequence: `\\y`"},
        {"((a{100}){100}){100}", "error parsing regexp: expression too large: ``"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Regex *re;
        Err err = {0};
        assert_int_equal(regex_compile(str_cstr(cases[i].pattern), REGEX_ANCHORED, &re, &err), ERR_INVALID);
        assert_null(re);
        if (i < ARRAY_LEN(cases) - 1) assert_string_equal(err.msg, cases[i].want);
    }
    size_t n = 70000;
    char *big = malloc(n);
    memset(big, 'a', n);
    Regex *re;
    assert_int_equal(regex_compile(str_of(big, n), 0, &re, NULL), ERR_INVALID);
    assert_int_equal(regex_compile(str_of(big, 65536), 0, &re, NULL), OK);
    assert_true(regex_match(re, str_of(big, n)));
    regex_free(re);
    free(big);
}

static void test_groups(void **state) {
    (void)state;
    Regex *re = must_compile("(?P<word>[a-z]+)-(\\d+)?(?<tail>x)?(.*)", 0);
    assert_int_equal(regex_group_count(re), 4);
    static const char *const names[] = {"", "word", "", "tail", ""};
    for (size_t i = 1; i <= 4; i++) assert_true(str_eq(regex_group_name(re, i), str_cstr(names[i])));
    Str g[6];
    assert_true(regex_match_groups(re, STR("!ab-12rest"), g, 6));
    static const char *const want[] = {"ab-12rest", "ab", "12", NULL, "rest", NULL};
    for (size_t i = 0; i < 6; i++) {
        assert_true(str_eq(g[i], str_cstr(want[i])));
        assert_int_equal(g[i].p == NULL, want[i] == NULL);
    }
    assert_true(regex_match_groups(re, STR("a-"), g, 2));
    assert_true(str_eq_lit(g[1], "a"));
    assert_true(regex_match_groups(re, STR("a-"), NULL, 0));
    assert_false(regex_match_groups(re, STR("12"), g, 2));
    assert_null(g[0].p);
    regex_free(re);
    re = must_compile("()", REGEX_ANCHORED);
    assert_true(regex_match_groups(re, STR_NULL, g, 2));
    assert_true(g[1].p != NULL && g[1].n == 0);
    regex_free(re);
    char many[40 * 4 + 1] = "";
    for (int i = 0; i < 40; i++) strcat(many, "(a?)");
    re = must_compile(many, 0);
    Str all[41];
    assert_true(regex_match_groups(re, STR("aaa"), all, 41));
    assert_true(str_eq_lit(all[3], "a") && all[40].p && all[40].n == 0);
    regex_free(re);
}

static void test_expand(void **state) {
    (void)state;
    static const struct {
        const char *tmpl, *want;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$1", "host"},
        {"${1}:9090", "host:9090"},
        {"$1x", ""},
        {"${1}x", "hostx"},
        {"$0", "host:80"},
        {"$2-$1", "80-host"},
        {"$port", "80"},
        {"${port}", "80"},
        {"$portx", ""},
        {"$9", ""},
        {"$01", ""},
        {"$$1", "$1"},
        {"$", "$"},
        {"a$ b", "a$ b"},
        {"${", "${"},
        {"${}", "${}"},
        {"${1", "${1"},
        {"${a b}", "${a b}"},
        {"$-$1", "$-host"},
        {"$123456789", ""},
        {"$1\u00e9", ""}, /* a name as long as possible, as in Go: letters of any script */
        {"${1}\u00e9", "host\u00e9"},
        {"$1\u00b0", "host\u00b0"},
        {"$1\xff", "host\xff"},
        {"$dup", "host"},
    };
    Regex *re = must_compile("(?P<dup>.*):(?P<port>\\d+)", REGEX_ANCHORED);
    Str g[3];
    assert_true(regex_match_groups(re, STR("host:80"), g, 3));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf out = {0};
        assert_true(regex_expand(re, str_cstr(cases[i].tmpl), g, 3, SIZE_MAX, &out));
        if (!str_eq(buf_str(&out), str_cstr(cases[i].want))) fail_msg("%s: %s", cases[i].tmpl, buf_cstr(&out));
        buf_done(&out);
    }
    regex_free(re);
}

/* "=a,b" a literal set; "all", "nonempty"; else "prefix/required". An E in front: the empty string matches. */
static void describe(const RegexFacts *f, Buf *out) {
    if (f->matches_empty) buf_put_lit(out, "E ");
    if (f->matches_all)
        buf_put_lit(out, "all");
    else if (f->matches_all_nonempty)
        buf_put_lit(out, "nonempty");
    else if (f->is_literal_set) {
        for (size_t i = 0; i < f->set_n; i++) buf_printf(out, "%c%" STR_FMT, i ? ',' : '=', STR_ARG(f->set[i]));
    } else
        buf_printf(out, "%" STR_FMT "/%" STR_FMT, STR_ARG(f->prefix), STR_ARG(f->required));
}

static const struct {
    const char *pattern;
    unsigned flags;
    const char *want;
} fact_cases[] = {
    {"", REGEX_ANCHORED, "E ="},
    {"foo", REGEX_ANCHORED, "=foo"},
    {"b|a|b", REGEX_ANCHORED, "=a,b"},
    {"(a|b)(c|d)e", REGEX_ANCHORED, "=ace,ade,bce,bde"},
    {"api-(v1|v2)|web", REGEX_ANCHORED, "=api-v1,api-v2,web"},
    {"(?:a|(?P<n>b)|(?<m>c))", REGEX_ANCHORED, "=a,b,c"},
    {"foo|", REGEX_ANCHORED, "E =,foo"},
    {"colou?r", REGEX_ANCHORED, "=color,colour"},
    {"(foo)?", REGEX_ANCHORED, "E =,foo"},
    {"[ab]1", REGEX_ANCHORED, "=a1,b1"},
    {"a\\.b\\n", REGEX_ANCHORED, "=a.b\n"},
    {"^foo$", REGEX_ANCHORED, "=foo"},
    {"^a$|^b$", REGEX_ANCHORED, "=a,b"},
    {"a{,2}", REGEX_ANCHORED, "=a{,2}"},
    {"h\xc3\xa9?", REGEX_ANCHORED, "=h,h\xc3\xa9"},
    {".*", REGEX_ANCHORED, "E all"},
    {"(.*)", REGEX_ANCHORED, "E all"},
    {"^.*$", REGEX_ANCHORED, "E all"},
    {"(?s:.*?)", REGEX_ANCHORED, "E all"},
    {"(?s).*", REGEX_ANCHORED, "E all"},
    {".+", REGEX_ANCHORED, "nonempty"},
    {"(?:.+?)", REGEX_ANCHORED, "nonempty"},
    {".*", 0, "E all"},
    {"", 0, "E all"},
    {".+", 0, "/"},
    {".+", REGEX_DOT_NL, "nonempty"},
    {"foo.*", REGEX_ANCHORED, "foo/foo"},
    {".*foo.*", REGEX_ANCHORED, "/foo"},
    {"foo.*barbar", REGEX_ANCHORED, "foo/barbar"},
    {"(foo|fob).+", REGEX_ANCHORED, "fo/fo"},
    {".*(xab|yab)c.*", REGEX_ANCHORED, "/abc"},
    {"a+b", REGEX_ANCHORED, "a/ab"},
    {"a*b", REGEX_ANCHORED, "/b"},
    {"ab*", REGEX_ANCHORED, "a/a"},
    {"(ab){2,}c", REGEX_ANCHORED, "ab/abc"},
    {"(ab){0,3}c", REGEX_ANCHORED, "/c"},
    {"x\\d+y", REGEX_ANCHORED, "x/x"},
    {"error", 0, "error/error"},
    {"^error", 0, "error/error"},
    {"level=(warn|error)", 0, "level=/level="},
    {"a.b|acb", REGEX_ANCHORED, "a/a"},
    {".*|foo", REGEX_ANCHORED, "E /"},
    {"(.*)?", REGEX_ANCHORED, "E /"},
    /* doubtful: nothing is known */
    {"(?i)foo", REGEX_ANCHORED, "/"},
    {"foo(?i)bar", REGEX_ANCHORED, "/"},
    {"foo(?i:bar)", REGEX_ANCHORED, "/"},
    {"\\x41", REGEX_ANCHORED, "/"},
    {"\\101", REGEX_ANCHORED, "/"},
    {"\\Qa|b\\E", REGEX_ANCHORED, "/"},
    {"\\pL", REGEX_ANCHORED, "/"},
    {"[[:alpha:]]x", REGEX_ANCHORED, "/"},
    {"[]a]", REGEX_ANCHORED, "/"},
    {"(?m)^a", REGEX_ANCHORED, "/"},
};

static void test_facts(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fact_cases); i++) {
        Regex *re = must_compile(fact_cases[i].pattern, fact_cases[i].flags);
        Buf out = {0};
        describe(regex_facts(re), &out);
        if (!str_eq(buf_str(&out), str_cstr(fact_cases[i].want)))
            fail_msg("%s: %s, not %s", fact_cases[i].pattern, buf_cstr(&out), fact_cases[i].want);
        buf_done(&out);
        regex_free(re);
    }
}

/* 256 literals are a set, 257 are not, and both match what they should. */
static void test_big_sets(void **state) {
    (void)state;
    for (int n = 255; n <= 258; n++) {
        Buf b = {0};
        for (int i = 0; i < n; i++) buf_printf(&b, "%sinstance-%d:9090", i ? "|" : "", i);
        Regex *re = must_compile(buf_cstr(&b), REGEX_ANCHORED);
        assert_int_equal(regex_facts(re)->is_literal_set, n <= 256);
        if (n > 256) assert_true(str_eq_lit(regex_facts(re)->prefix, "instance-"));
        assert_true(regex_match(re, STR("instance-254:9090")));
        assert_false(regex_match(re, STR("instance-258:9090")));
        assert_false(regex_match(re, STR("instance-2")));
        regex_free(re);
        buf_done(&b);
    }
}

static void replaces_as_go(void **state) {
    (void)state;
    static const struct {
        const char *re, *s, *tmpl, *want;
    } table[] = {
        {"a", "banana", "x", "bxnxnx"},
        {"a*", "baaac", "x", "xbxcx"},
        {"", "ab", "-", "-a-b-"},
        {"^a", "aaa", "b", "baa"},
        {"(\\w+)\\.(\\w+)", "a.b c.d", "$2.$1", "b.a d.c"},
        {"(.*):.*", "host:9090", "$1", "host"},
        {"x", "", "y", ""},
        {"\\b", "ab cd", "|", "|ab| |cd|"},
        {"é*", "aéb", "_", "_a_b_"},
        {"z", "abc", "y", "abc"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Regex *re;
        Buf out = {0};
        assert_int_equal(regex_compile(str_cstr(table[i].re), 0, &re, NULL), OK);
        assert_true(regex_replace_all(re, str_cstr(table[i].s), str_cstr(table[i].tmpl), SIZE_MAX, &out));
        Buf again = {0}; /* exactly so much and no byte less */
        assert_true(regex_replace_all(re, str_cstr(table[i].s), str_cstr(table[i].tmpl), out.n, &again));
        buf_clear(&again);
        if (out.n) {
            assert_false(regex_replace_all(re, str_cstr(table[i].s), str_cstr(table[i].tmpl), out.n - 1, &again));
            assert_true(again.n < out.n);
        }
        buf_done(&again);
        assert_string_equal(buf_cstr(&out), table[i].want);
        buf_done(&out);
        regex_free(re);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_as_go),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_big_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
