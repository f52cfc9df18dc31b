#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/hash.h"
#include "base/map.h"

static Str key_of(char *text, size_t cap, unsigned i) {
    /* All lengths from a few bytes to beyond what is kept in chunks. */
    int n = snprintf(text, cap, "%u", i);
    size_t len = (size_t)n + (i % 7 == 0 ? i % 300 : i % 23);
    memset(text + n, 'k', len - (size_t)n);
    return str_of(text, len);
}

static void test_map_basics(void **state) {
    (void)state;
    Map *m = map_create(MAP_COPY_KEYS);
    bool inserted;
    assert_null(map_get(m, STR("a")));
    assert_false(map_remove(m, STR("a"), NULL));
    *map_put(m, STR("a"), &inserted) = 1;
    assert_true(inserted);
    *map_put(m, STR(""), &inserted) = 2;
    assert_true(inserted);
    *map_put(m, STR("a\0b"), &inserted) = 3;
    assert_true(inserted && map_count(m) == 3);
    assert_true(*map_put(m, STR("a"), &inserted) == 1 && !inserted);
    assert_true(*map_get(m, STR("")) == 2 && *map_get(m, STR_NULL) == 2 && *map_get(m, STR("a\0b")) == 3);
    uint64_t v;
    assert_true(map_remove(m, STR("a"), &v) && v == 1);
    assert_null(map_get(m, STR("a")));
    map_clear(m);
    assert_true(map_count(m) == 0 && !map_get(m, STR("")));
    int x;
    map_set_ptr(m, STR("p"), &x);
    assert_ptr_equal(map_get_ptr(m, STR("p")), &x);
    assert_null(map_get_ptr(m, STR("q")));
    assert_null(map_free(m));
    assert_null(map_free(NULL));
}

/* Against a plain array as the model, with removals and reinsertion; copies of keys stay where they are. */
static void test_map_random(void **state) {
    (void)state;
    enum { N = 5000, ROUNDS = 60000 };
    static uint64_t model[N];
    static bool present[N];
    memset(present, 0, sizeof present);
    Map *m = map_create(MAP_COPY_KEYS);
    uint64_t x = 7;
    size_t count = 0;
    char text[512];
    for (int round = 0; round < ROUNDS; round++) {
        x = hash_u64(x + 1);
        unsigned i = (unsigned)(x % N);
        Str key = key_of(text, sizeof text, i);
        uint64_t *slot = map_get(m, key), old;
        assert_true((slot != NULL) == present[i] && (!slot || *slot == model[i]));
        if (x >> 40 & 1) {
            *map_put(m, key, NULL) = model[i] = x;
            count += !present[i];
            present[i] = true;
        } else if (map_remove(m, key, &old)) {
            assert_true(present[i] && old == model[i]);
            present[i] = false;
            count--;
        }
        assert_true(map_count(m) == count);
    }
    size_t it = 0, seen = 0;
    Str k;
    uint64_t *v;
    while (map_next(m, &it, &k, &v)) {
        assert_ptr_equal(map_get(m, k), v);
        seen++;
    }
    assert_true(seen == count && map_memory_bytes(m) > count * 24);
    map_free(m);
}

static void test_map_key_stability(void **state) {
    (void)state;
    Map *m = map_create(MAP_COPY_KEYS);
    Str first = STR_NULL;
    size_t it = 0;
    uint64_t *v;
    char text[512];
    map_put(m, STR("the first"), NULL);
    assert_true(map_next(m, &it, &first, &v));
    for (unsigned i = 0; i < 3000; i++) map_put(m, key_of(text, sizeof text, i), NULL);
    assert_true(str_eq_lit(first, "the first"));
    /* Put and remove for ever: memory does not grow. */
    size_t before = 0;
    for (unsigned i = 0; i < 20000; i++) {
        map_put(m, key_of(text, sizeof text, 100000 + i % 500 + i * 500), NULL);
        map_remove(m, key_of(text, sizeof text, 100000 + i % 500 + i * 500), NULL);
        if (i == 2000) before = map_memory_bytes(m);
    }
    assert_true(map_memory_bytes(m) <= before + 64 * 1024);
    map_free(m);
}

static void test_map_borrowed(void **state) {
    (void)state;
    static char keys[1000][8];
    Map *m = map_create(MAP_BORROW_KEYS);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof keys[i], "%u", i);
        *map_put(m, str_cstr(keys[i]), NULL) = i;
    }
    size_t it = 0, n = 0;
    Str k;
    uint64_t *v;
    for (; map_next(m, &it, &k, &v); n++) assert_ptr_equal(k.p, keys[*v]);
    assert_true(n == 1000 && map_remove(m, STR("77"), NULL) && map_count(m) == 999);
    map_free(m);
}

static void test_u64map_random(void **state) {
    (void)state;
    enum { N = 3000, ROUNDS = 100000 };
    static uint64_t model[N];
    static bool present[N];
    memset(present, 0, sizeof present);
    U64Map *m = u64map_create();
    uint64_t x = 3, old;
    size_t count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        x = hash_u64(x + 1);
        unsigned i = (unsigned)(x % N);
        uint64_t key = i % 3 == 0 ? i : (uint64_t)i << 40; /* 0 is among them */
        uint64_t *slot = u64map_get(m, key);
        assert_true((slot != NULL) == present[i] && (!slot || *slot == model[i]));
        if (x >> 40 & 1) {
            bool inserted;
            *u64map_put(m, key, &inserted) = model[i] = x;
            assert_true(inserted == !present[i]);
            count += inserted;
            present[i] = true;
        } else if (u64map_remove(m, key, &old)) {
            assert_true(present[i] && old == model[i]);
            present[i] = false;
            count--;
        }
        assert_true(u64map_count(m) == count);
    }
    size_t it = 0, seen = 0;
    uint64_t key, *v;
    for (; u64map_next(m, &it, &key, &v); seen++) assert_true(*v == model[key < N ? key : key >> 40]);
    assert_true(seen == count && u64map_memory_bytes(m) >= 16 * count);
    u64map_clear(m);
    it = 0;
    assert_true(u64map_count(m) == 0 && !u64map_next(m, &it, &key, &v) && !u64map_get(m, 5));
    assert_null(u64map_free(m));
    u64map_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_basics),
        cmocka_unit_test(test_map_random),
        cmocka_unit_test(test_map_key_stability),
        cmocka_unit_test(test_map_borrowed),
        cmocka_unit_test(test_u64map_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
