#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/wide_int.h"
#include "storage/wide_text.h"
#include "sys/random.h"

#include <stdio.h>

enum { PLAIN, INT, HEX, HEX_UPPER, UUID, AFFIX }; /* as stored: the first byte */
#define VALUES 6

static void round_trip(const Str *v, size_t n, int form, const char *what) {
    Buf coded = {0};
    Str *words = mem_alloc_array(n + 1, sizeof *words), *out = mem_alloc_array(n + 1, sizeof *out);
    size_t n_words;
    wide_text_encode(&coded, v, n, words, &n_words);
    if (form >= 0 && coded.p[0] != form) fail_msg("%s: form %d, not %d", what, coded.p[0], form);
    assert_true(n_words <= n);
    Arena *arena = arena_create((size_t)64 << 20);
    assert_int_equal(wide_text_decode(buf_str(&coded), n, arena, out), OK);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(out[i], v[i])) fail_msg("%s: value %zu", what, i);
    for (size_t i = 0; i < n && n_words; i++) { /* every value is among the words */
        size_t k = 0;
        while (k < n_words && !str_eq(words[k], v[i])) k++;
        if (k == n_words) fail_msg("%s: value %zu is not a word", what, i);
    }
    /* Cut short, it is an error and nothing worse. */
    for (size_t cut = 0; cut < coded.n && cut < 40; cut++) (void)wide_text_decode(str_of(coded.p, cut), n, arena, out);
    arena_free(arena);
    buf_done(&coded);
    mem_free(words);
    mem_free(out);
}

static void test_forms(void **state) {
    (void)state;
    static const struct {
        int form;
        const char *v[VALUES];
    } table[] = {
        {INT, {"0", "17", "-4", "123456789012345678"}},
        {PLAIN, {"0", "17", "-0", "4"}},
        {PLAIN, {"01", "02", "03"}},
        {PLAIN, {"1234567890123456789", "1", "2"}},
        {HEX, {"0123456789abcdef", "fedcba9876543210"}},
        {HEX, {"01234567", "76543210", "0000000a"}},
        {HEX_UPPER, {"0123456789ABCDEF", "FEDCBA9876543210"}},
        {PLAIN, {"0123456789abcdeF", "fedcba9876543210"}},
        {PLAIN, {"0123456789abcde", "fedcba987654321"}},
        {UUID, {"01234567-89ab-cdef-0123-456789abcdef", "f1234567-89ab-cdef-0123-456789abcdef"}},
        {PLAIN, {"01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdeg"}},
        {PLAIN, {"01234567-89ab-cdef-0123-456789abcdef", "01234567089ab-cdef-0123-456789abcdef"}},
        {AFFIX, {"pod-17", "pod-4", "pod-100"}},
        {AFFIX, {"v1beta", "v22beta", "v3beta"}},
        {AFFIX, {"17ms", "4ms", "9ms", "100ms"}},
        {AFFIX, {"a1b7c", "a1b17c", "a1b19c"}},
        {AFFIX, {"10.0.0.1", "10.0.0.12", "10.0.0.123"}},
        {PLAIN, {"pod-17", "pod-04", "pod-3"}}, /* a leading zero */
        {PLAIN, {"pod-17", "pod-", "pod-3"}},   /* no number */
        {PLAIN, {"pod-17", "pod--4", "pod-3"}}, /* it would have to be one of two numbers */
        {PLAIN, {"pod-17", "pad-4", "pod-3"}},  /* the rest is not the same */
        {PLAIN, {"aa", "a", "aaa"}},            /* prefix and suffix overlap */
        {PLAIN, {"x1x", "x", "x2x"}},           /* so that nothing is left */
        {PLAIN, {"", "pod-4", "pod-3"}},
        {PLAIN, {"", "", "x"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Str v[VALUES];
        size_t n = 0;
        for (; n < VALUES && table[i].v[n]; n++) v[n] = str_cstr(table[i].v[n]);
        char what[32];
        snprintf(what, sizeof what, "row %zu", i);
        round_trip(v, n, table[i].form, what);
    }
}

/* Numbered names: few that repeat are a dictionary, many are numbers. */
static void test_numbered(void **state) {
    (void)state;
    enum { N = 2000 };
    Rng r;
    rng_seed(&r, 5);
    static const struct {
        unsigned distinct;
        int form;
    } table[] = {{1, PLAIN}, {3, PLAIN}, {400, PLAIN}, {1000, AFFIX}, {1900, AFFIX}, {1000000, AFFIX}};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Str *v = mem_alloc_array(N, sizeof *v);
    for (size_t k = 0; k < ARRAY_LEN(table); k++) {
        for (size_t i = 0; i < N; i++)
            v[i] = arena_printf(arena, "user-%u@example.org", (unsigned)(rng_u64(&r) % table[k].distinct));
        round_trip(v, N, table[k].form, "numbered");
    }
    mem_free(v);
    arena_free(arena);
}

static bool is_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (uint8_t)c >= 0x80;
}

/* Every word, found the slow way, is in the filter: lengths around the vector's, all byte values. */
static void test_words(void **state) {
    (void)state;
    Rng r;
    rng_seed(&r, 6);
    WideFilter *f = wide_filter_create();
    Buf filter = {0};
    unsigned false_positives = 0, asked = 0;
    for (unsigned round = 0; round < 3000; round++) {
        char text[300];
        size_t n = round < 300 ? round : rng_u64(&r) % sizeof text;
        unsigned gap = 1 + (unsigned)(rng_u64(&r) % 90);
        for (size_t i = 0; i < n; i++) {
            text[i] = (char)rng_u64(&r);
            if (!is_letter(text[i]) && rng_u64(&r) % gap) text[i] = 'q';
        }
        char *exact = mem_alloc(n + 1); /* a read beyond the end is seen */
        memcpy(exact, text, n);
        exact = mem_realloc_array(exact, MAX(n, 1), 1);
        wide_filter_add_tokens(f, str_of(exact, n));
        buf_clear(&filter);
        wide_filter_finish(f, &filter);
        assert_true(wide_filter_has_tokens(buf_str(&filter), str_of(exact, n), false));
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i; end < n && is_letter(exact[end]);) end++;
            if (end > i) {
                Str word = str_of(exact + i, end - i);
                if (!wide_filter_has_tokens(buf_str(&filter), word, false)) fail_msg("round %u at %zu", round, i);
                /* One letter less is another word. */
                false_positives += wide_filter_has_tokens(buf_str(&filter), str_skip(word, 1), false) && word.n > 1;
                asked += word.n > 1;
            }
            end += end < n;
        }
        mem_free(exact);
    }
    assert_true(asked > 1000 && false_positives < asked / 4);
    buf_done(&filter);
    wide_filter_free(f);
}

/* A filter knows nothing of the one before it, however large that was. */
static void test_filter_reuse(void **state) {
    (void)state;
    WideFilter *f = wide_filter_create();
    Buf fresh = {0}, reused = {0};
    for (unsigned before = 0; before < 20000; before = before * 7 + 1) {
        WideFilter *other = wide_filter_create();
        for (unsigned i = 0; i < before; i++) wide_filter_add_value(f, str_of((char *)&i, sizeof i));
        wide_filter_finish(f, &reused);
        buf_clear(&reused);
        buf_clear(&fresh);
        for (unsigned i = 0; i < 300; i++) {
            wide_filter_add_value(f, str_of((char *)&i, sizeof i));
            wide_filter_add_value(other, str_of((char *)&i, sizeof i));
        }
        wide_filter_finish(f, &reused);
        wide_filter_finish(other, &fresh);
        assert_true(str_eq(buf_str(&fresh), buf_str(&reused)));
        for (unsigned i = 0; i < 300; i++)
            assert_true(wide_filter_has_value(buf_str(&reused), str_of((char *)&i, sizeof i)));
        wide_filter_free(other);
    }
    buf_done(&fresh);
    buf_done(&reused);
    wide_filter_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_numbered),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_filter_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
