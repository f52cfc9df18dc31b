#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/vec.h"

static void test_alloc(void **state) {
    (void)state;
    Arena *a = arena_create(ARENA_UNLIMITED);
    char *last = NULL;
    for (size_t n = 0; n < 3000; n += 7) {
        char *p = arena_alloc(a, n);
        assert_true(p && (uintptr_t)p % 16 == 0 && p != last);
        memset(p, 0xAA, n);
        last = p;
    }
    uint64_t *zero = arena_alloc_zero(a, 800);
    for (int i = 0; i < 100; i++) assert_true(zero[i] == 0);
    char *big = arena_alloc(a, 5 << 20);
    memset(big, 1, 5 << 20);
    assert_false(arena_exhausted(a));
    assert_null(arena_free(a));
    assert_null(arena_free(NULL));
}

static void test_budget(void **state) {
    (void)state;
    Arena *a = arena_create(100);
    assert_non_null(arena_alloc(a, 60));
    assert_true(arena_used_bytes(a) == 64 && !arena_exhausted(a));
    assert_null(arena_alloc(a, 48));
    assert_true(arena_exhausted(a));
    assert_non_null(arena_alloc(a, 32)); /* what still fits is given, the refusal stays on record */
    assert_true(arena_exhausted(a));
    arena_reset(a);
    assert_true(!arena_exhausted(a) && arena_used_bytes(a) == 0);
    assert_null(arena_alloc_array(a, SIZE_MAX / 2, 4));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_copy(a, str_of("x", SIZE_MAX)).p);
    assert_true(arena_exhausted(a));
    arena_free(a);
}

static void test_grow(void **state) {
    (void)state;
    Arena *a = arena_create(ARENA_UNLIMITED);
    char *p = arena_grow(a, NULL, 0, 10);
    memcpy(p, "0123456789", 10);
    char *q = arena_grow(a, p, 10, 1000);
    assert_ptr_equal(p, q);
    memset(q + 10, 'x', 990);
    assert_non_null(arena_alloc(a, 1));
    char *r = arena_grow(a, q, 1000, 2000);
    assert_true(r != q);
    assert_memory_equal(r, "0123456789x", 11);
    assert_ptr_equal(arena_grow(a, r, 2000, 5), r);
    r = arena_grow(a, r, 2000, 1 << 20); /* beyond the chunk */
    assert_memory_equal(r, "0123456789x", 11);
    arena_free(a);
    a = arena_create(64);
    p = arena_alloc(a, 32);
    assert_null(arena_grow(a, p, 32, 65));
    assert_ptr_equal(arena_grow(a, p, 32, 64), p);
    arena_free(a);
}

static void test_text(void **state) {
    (void)state;
    Arena *a = arena_create(64);
    Str s = arena_copy(a, STR("abc"));
    assert_string_equal(s.p, "abc");
    s = arena_printf(a, "%d-%s", 7, "x");
    assert_true(str_eq_lit(s, "7-x") && s.p[s.n] == '\0');
    s = arena_copy(a, STR_NULL);
    assert_true(s.p && s.n == 0);
    assert_null(arena_printf(a, "%100d", 1).p);
    arena_free(a);
}

static void note(void *ctx) {
    char **at = ctx;
    *(*at)++ = '.';
}
static void note_x(void *ctx) {
    char **at = ctx;
    *(*at)++ = 'x';
}

static void test_defer(void **state) {
    (void)state;
    char log[8] = "", *at = log;
    Arena *a = arena_create(1000);
    arena_defer(a, note, &at);
    arena_defer(a, note_x, &at);
    arena_reset(a);
    assert_string_equal(log, "x.");
    arena_defer(a, note, &at);
    arena_free(a);
    assert_string_equal(log, "x..");
}

static void test_vectors(void **state) {
    (void)state;
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(&v, i);
    assert_true(v.n == 1000 && v.v[999] == 999 && *vec_last(&v) == 999 && vec_pop(&v) == 999 && v.n == 999);
    int sum = 0;
    vec_foreach(int, it, &v) sum += *it;
    assert_int_equal(sum, 998 * 999 / 2);
    vec_clear(&v);
    assert_true(v.n == 0 && v.cap >= 1000);
    vec_done(&v);
    assert_null(v.v);
    Arena *a = arena_create(4096);
    AVEC(uint64_t) w = {0};
    uint64_t n = 0;
    while (avec_push(a, &w, n)) n++;
    assert_true(n >= 128 && n <= 512 && w.n == n && arena_exhausted(a));
    for (uint64_t i = 0; i < n; i++) assert_true(w.v[i] == i);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alloc), cmocka_unit_test(test_budget),
        cmocka_unit_test(test_grow), cmocka_unit_test(test_text), cmocka_unit_test(test_defer),
        cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
