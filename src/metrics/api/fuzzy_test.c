#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/api/fuzzy.h"

/* Scores as Prometheus 3.14 gives them (-1: does not fit). */
static const struct {
    const char *term, *value;
    FuzzyAlgorithm algorithm;
    double threshold, score;
    bool ignore_case;
} cases[] = {
    {"up", "up", FUZZY_SUBSEQUENCE, 0, 1, false},
    {"up", "upper", FUZZY_SUBSEQUENCE, 0, 1, false},
    {"scrpdur", "scrape_duration_seconds", FUZZY_SUBSEQUENCE, 0, 0.37894631765749776, false},
    {"scrpdur", "scrape_duration_seconds", FUZZY_SUBSEQUENCE, 0.5, -1, false},
    {"up", "go_gc_cleanups_queued_cleanups_total", FUZZY_SUBSEQUENCE, 0, 0.84290625, false},
    {"pu", "up", FUZZY_SUBSEQUENCE, 0, -1, false},
    {"UP", "up", FUZZY_SUBSEQUENCE, 0, -1, false},
    {"UP", "up", FUZZY_SUBSEQUENCE, 0, 1, true},
    {"", "anything", FUZZY_SUBSEQUENCE, 0, 1, false},
    {"longer", "long", FUZZY_SUBSEQUENCE, 0, -1, false},
    {"\xc3\xa9", "caf\xc3\xa9", FUZZY_SUBSEQUENCE, 0, 0.24975, false},
    {"b", "abc", FUZZY_JARO_WINKLER, 0, 0.55, false},
    {"c", "abc", FUZZY_JARO_WINKLER, 0, 0.1, false},
    {"x", "abc", FUZZY_JARO_WINKLER, 0, -1, false},
    {"martha", "marhta", FUZZY_JARO_WINKLER, 0.9, 0.9611111111111111, false},
    {"se", "meerkat", FUZZY_JARO_WINKLER, 0.5, 0.5476190476190476, false},
};

static void test_scores(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 16);
        FuzzySearch s = {
            .algorithm = cases[i].algorithm, .threshold = cases[i].threshold, .ignore_case = cases[i].ignore_case};
        double score;
        assert_true(fuzzy_add_term(&s, str_cstr(cases[i].term), arena));
        bool fits = fuzzy_match(&s, str_cstr(cases[i].value), &score);
        double got = fits ? score : -1;
        if (got - cases[i].score > 1e-12 || cases[i].score - got > 1e-12)
            fail_msg("%s in %s: %.17g, not %.17g", cases[i].term, cases[i].value, got, cases[i].score);
        arena_free(arena);
    }
}

static void test_several_terms(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 16);
    FuzzySearch s = {0};
    double score;
    assert_true(fuzzy_add_term(&s, STR("zz"), arena) && fuzzy_add_term(&s, STR("up"), arena));
    assert_true(fuzzy_match(&s, STR("up"), &score) && score == 1);
    assert_false(fuzzy_match(&s, STR("down"), &score));
    while (s.n_terms < FUZZY_TERMS_MAX) assert_true(fuzzy_add_term(&s, STR("q"), arena));
    assert_false(fuzzy_add_term(&s, STR("q"), arena));
    arena_free(arena);
}

/* Work is bounded whatever comes. */
static void test_long_values(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    char *long_value = arena_alloc(arena, 100000);
    FuzzySearch s = {0}, j = {.algorithm = FUZZY_JARO_WINKLER, .threshold = 0.5};
    double score;
    assert_non_null(long_value);
    memset(long_value, 'a', 100000);
    assert_true(fuzzy_add_term(&s, str_of(long_value, 99999), arena));
    assert_true(fuzzy_add_term(&j, str_of(long_value, 99998), arena));
    assert_true(fuzzy_match(&s, str_of(long_value, 100000), &score));
    assert_true(fuzzy_match(&j, str_of(long_value, 100000), &score));
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores), cmocka_unit_test(test_several_terms), cmocka_unit_test(test_long_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
