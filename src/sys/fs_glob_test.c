#include "sys/fs_glob.h"

#include "sys/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void test_patterns(void **state) {
    (void)state;
    char dir[] = "/tmp/meerkat-glob-XXXXXX";
    assert_non_null(mkdtemp(dir));
    static const char *const files[] = {"a.yml", "b.yml", "c.json"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[FS_PATH_MAX];
        fs_path_join(path, dir, files[i]);
        assert_int_equal(fs_write_file_atomic(fs_real(), path, STR("x"), NULL), OK);
    }
    static const struct {
        const char *pattern;
        size_t n;
    } cases[] = {{"*.yml", 2}, {"[bc].*", 2}, {"a.yml", 1}, {"none", 0}, {"none/*", 0}, {"?.json", 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 20);
        Str *v;
        size_t n;
        Str pattern = arena_printf(arena, "%s/%s", dir, cases[i].pattern);
        assert_int_equal(fs_glob(pattern, arena, &v, &n, NULL), OK);
        if (n != cases[i].n) fail_msg("%s: %zu", cases[i].pattern, n);
        if (n == 2) assert_true(str_cmp(v[0], v[1]) < 0);
        arena_free(arena);
    }
    assert_int_equal(fs_remove_tree(fs_real(), dir, NULL), OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
