#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/base.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/str.h"

static jmp_buf panicked;
static char panic_what[64];

static void leave(const char *file, int line, const char *func, const char *what) {
    assert_true(file && line > 0 && func);
    snprintf(panic_what, sizeof panic_what, "%s", what);
    longjmp(panicked, 1);
}

static void test_panic_hook(void **state) {
    (void)state;
    base_set_panic_hook(leave);
    volatile int one = 1;
    if (!setjmp(panicked)) {
        ASSERT(one == 2);
        fail();
    }
    assert_string_equal(panic_what, "one == 2");
    if (!setjmp(panicked)) {
        mem_free(mem_alloc_array(SIZE_MAX / 2, 3));
        fail();
    }
    assert_string_equal(panic_what, "allocation size overflows");
    base_set_panic_hook(NULL);
}

static void test_memory(void **state) {
    (void)state;
    char *p = mem_alloc(0);
    assert_non_null(p);
    p = mem_realloc_array(p, 10, 10);
    memset(p, 1, 100);
    mem_free(p);
    mem_free(NULL);
    int *z = NEW(int);
    assert_int_equal(*z, 0);
    mem_free(z);
}

static void test_err(void **state) {
    (void)state;
    Err e;
    assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(err_set_at(&e, ERR_INVALID, 3, 4, "bad %s", "thing"), ERR_INVALID);
    err_hint(&e, "try %d", 2);
    err_prefix(&e, "file %s", "a.yml");
    assert_string_equal(e.msg, "file a.yml: bad thing");
    assert_string_equal(e.hint, "try 2");
    assert_true(e.line == 3 && e.col == 4);
    char text[2000];
    for (size_t i = 0; i < sizeof text - 1; i += 2) memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof text - 2] = '\0';
    err_set(&e, ERR_IO, "%s", text);
    size_t n = strlen(e.msg);
    assert_true(n <= 511 && str_ends_with(str_cstr(e.msg), STR("...")) && str_is_utf8(str_cstr(e.msg)));
    assert_true(e.line == 0 && e.hint[0] == '\0');
    err_prefix(&e, "%s", "p");
    assert_true(str_starts_with(str_cstr(e.msg), STR("p: \xC3")) && str_ends_with(str_cstr(e.msg), STR("...")) &&
                str_is_utf8(str_cstr(e.msg)));
    static const struct {
        ErrCode code;
        const char *name;
        int http, grpc, exit;
    } rows[] = {{OK, "ok", 200, 0, 0}, {ERR_INVALID, "invalid", 400, 3, 2}, {ERR_TOO_LARGE, "too_large", 413, 8, 1},
        {ERR_OVERLOADED, "overloaded", 429, 8, 1}, {ERR_UNAVAILABLE, "unavailable", 503, 14, 1},
        {ERR_CORRUPT, "corrupt", 500, 15, 1}, {(ErrCode)99, "internal", 500, 13, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(err_name(rows[i].code), rows[i].name);
        assert_int_equal(err_http_status(rows[i].code), rows[i].http);
        assert_int_equal(err_grpc_code(rows[i].code), rows[i].grpc);
        assert_int_equal(err_exit_code(rows[i].code), rows[i].exit);
    }
    for (int c = 0; c < ERR_CODE_COUNT; c++) assert_true(err_name((ErrCode)c) && err_http_status((ErrCode)c) >= 200);
}

static void test_known_hashes(void **state) {
    (void)state;
    static const struct {
        const char *in;
        uint64_t xx, fnv;
    } rows[] = {{"", UINT64_C(0xEF46DB3751D8E999), UINT64_C(0xCBF29CE484222325)},
        {"a", UINT64_C(0xD24EC4F1A98C6E5B), UINT64_C(0xAF63DC4C8601EC8C)},
        {"abc", UINT64_C(0x44BC2CF5AD770999), UINT64_C(0xE71FA2190541574B)},
        {"Call me Ishmael. Some years ago--never mind how long precisely-", UINT64_C(0x02A2E85470D6FD96), 0},
        {"foobar", 0, UINT64_C(0x85944171F73967E8)}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].xx) assert_true(hash_xx64(str_cstr(rows[i].in), 0) == rows[i].xx);
        if (rows[i].fnv) assert_true(hash_fnv1a64(str_cstr(rows[i].in)) == rows[i].fnv);
    }
}

/* Every bit of the input and of the seed turns about half of the output, for every length around the steps. */
static void test_avalanche(void **state) {
    (void)state;
    unsigned char text[160];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)(i * 37);
    for (size_t n = 1; n <= 130; n++) {
        uint64_t h = hash_bytes(text, n, 1);
        unsigned total = 0, trials = 0;
        for (size_t bit = 0; bit < 8 * n; bit++) {
            text[bit / 8] ^= (unsigned char)(1 << bit % 8);
            unsigned turned = (unsigned)__builtin_popcountll(h ^ hash_bytes(text, n, 1));
            text[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_true(turned >= 8 && turned <= 56);
            total += turned, trials++;
        }
        assert_true(total > trials * 28 && total < trials * 36);
        assert_true(h != hash_bytes(text, n, 2) && h != hash_bytes(text, n - 1, 1));
    }
    assert_true(hash_bytes(NULL, 0, 1) != hash_bytes(NULL, 0, 2));
    uint64_t old = hash_process_seed();
    hash_set_process_seed(5);
    assert_true(hash_process_seed() == 5);
    hash_set_process_seed(old);
}

static int compare_int(const void *a, const void *b, void *ctx) {
    ++*(int *)ctx;
    return *(const int *)a - *(const int *)b;
}

static void test_heap(void **state) {
    (void)state;
    int values[500], calls = 0;
    Heap h = {.cmp = compare_int, .ctx = &calls};
    assert_true(!heap_peek(&h) && !heap_pop(&h));
    for (int i = 0; i < 500; i++) {
        values[i] = (int)(hash_u64((uint64_t)i) % 100);
        heap_push(&h, &values[i]);
    }
    int last = -1;
    for (int i = 0; i < 250; i++) {
        int *top = heap_peek(&h);
        assert_true(*top >= last && heap_pop(&h) == top);
        last = *top;
    }
    int *top = heap_peek(&h);
    *top = 1000;
    heap_fix_top(&h);
    for (int i = 0; i < 250; i++) {
        top = heap_pop(&h);
        assert_true(*top >= last);
        last = *top;
    }
    assert_true(last == 1000 && !heap_pop(&h) && calls > 0);
    heap_done(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_panic_hook), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_err), cmocka_unit_test(test_known_hashes), cmocka_unit_test(test_avalanche),
        cmocka_unit_test(test_heap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
