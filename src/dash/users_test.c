/* users_test.c - users over restarts, configured passwords, preferences. */
#include "dash/users.h"

#include "dash/prefs.h"
#include "sys/fs.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>

static char dir[] = "/tmp/users_test_XXXXXX";

typedef struct Process {
    MetaDb *db;
    Auth *auth;
} Process;

static Process start(Str user, Str password) {
    Process p = {0};
    Err err = {0};
    p.auth = auth_create(NULL);
    if (meta_open(dir, &p.db, &err) != OK) fail_msg("%s", err.msg);
    if (users_load(p.db, p.auth, user, password, &err) != OK) fail_msg("%s", err.msg);
    return p;
}

static void stop(Process *p) {
    p->auth = auth_free(p->auth);
    p->db = meta_free(p->db);
}

static bool can_sign_in(const Process *p, const char *user, const char *password, Role want) {
    Role role;
    ErrCode code = auth_check_password(p->auth, str_cstr(user), str_cstr(password), STR("10.0.0.1:1"), &role, NULL);
    assert_true(code != ERR_OVERLOADED);
    return code == OK && role == want;
}

static void first_start_and_change(void **state) {
    (void)state;
    Err err = {0};
    Role role;
    Str peer = STR("127.0.0.1:1");
    Process p = start(STR_NULL, STR_NULL);
    assert_true(can_sign_in(&p, "admin", "admin", ROLE_ADMIN));
    assert_true(auth_password_is_default(p.auth));
    static const struct {
        const char *old, *fresh;
        ErrCode code;
    } cases[] = {
        {"wrong", "correct horse", ERR_UNAUTHENTICATED},
        {"admin", "short", ERR_INVALID},
        {"admin", "correct horse", OK},
        {"correct horse", "correct horse", ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(users_change_password(p.db, p.auth, STR("admin"), str_cstr(cases[i].old),
                             str_cstr(cases[i].fresh), peer, &role, &err),
            cases[i].code);
    assert_false(auth_password_is_default(p.auth));
    stop(&p);
    p = start(STR_NULL, STR_NULL);
    assert_true(can_sign_in(&p, "admin", "correct horse", ROLE_ADMIN));
    assert_false(can_sign_in(&p, "admin", "admin", ROLE_ADMIN));
    stop(&p);
}

/* A configured password counts when the configuration's value changes, not at every start. */
static void configured_password(void **state) {
    (void)state;
    Role role;
    Process p = start(STR("root"), STR("from config"));
    assert_true(can_sign_in(&p, "root", "from config", ROLE_ADMIN));
    assert_int_equal(users_change_password(
                         p.db, p.auth, STR("root"), STR("from config"), STR("changed by hand"), STR_NULL, &role, NULL),
        OK);
    stop(&p);
    p = start(STR("root"), STR("from config"));
    assert_true(can_sign_in(&p, "root", "changed by hand", ROLE_ADMIN));
    stop(&p);
    p = start(STR("root"), STR("other config"));
    assert_true(can_sign_in(&p, "root", "other config", ROLE_ADMIN));
    stop(&p);
}

static void roles_and_removal(void **state) {
    (void)state;
    Process p = start(STR_NULL, STR_NULL);
    Err err = {0};
    assert_int_equal(users_set(p.db, p.auth, STR("eve"), STR("eve's password"), ROLE_VIEWER, &err), OK);
    assert_int_equal(users_set(p.db, p.auth, STR("a:b"), STR("eve's password"), ROLE_VIEWER, &err), ERR_INVALID);
    assert_int_equal(users_set(p.db, p.auth, STR("eve"), STR("x"), (Role)7, &err), ERR_INVALID);
    assert_true(can_sign_in(&p, "eve", "eve's password", ROLE_VIEWER));
    assert_int_equal(users_remove(p.db, p.auth, STR("eve"), &err), OK);
    assert_int_equal(users_remove(p.db, p.auth, STR("eve"), &err), ERR_NOT_FOUND);
    assert_false(can_sign_in(&p, "eve", "eve's password", ROLE_VIEWER));
    assert_int_equal(users_remove(p.db, p.auth, STR("root"), &err), OK);
    assert_int_equal(users_remove(p.db, p.auth, STR("admin"), &err), ERR_FORBIDDEN);
    stop(&p);
}

static void preferences(void **state) {
    (void)state;
    static const struct {
        const char *user, *document;
        ErrCode code;
    } cases[] = {
        {"admin", "{\"theme\":\"dark\"}", OK},
        {"admin", "[1]", ERR_INVALID},
        {"admin", "{", ERR_INVALID},
        {"nobody", "{}", ERR_NOT_FOUND},
    };
    Process p = start(STR_NULL, STR_NULL);
    Arena *arena = arena_create(1 << 20);
    Buf b = {0};
    Err err = {0};
    assert_int_equal(prefs_get(p.db, STR("admin"), &b, &err), OK);
    assert_true(str_eq_lit(buf_str(&b), "{}"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(
            prefs_set(p.db, str_cstr(cases[i].user), str_cstr(cases[i].document), arena, &err), cases[i].code);
    char *big = mem_alloc(PREFS_BYTES_MAX + 1);
    memset(big, ' ', PREFS_BYTES_MAX + 1);
    assert_int_equal(prefs_set(p.db, STR("admin"), str_of(big, PREFS_BYTES_MAX + 1), arena, &err), ERR_TOO_LARGE);
    mem_free(big);
    buf_clear(&b);
    assert_int_equal(prefs_get(p.db, STR("admin"), &b, &err), OK);
    assert_true(str_eq_lit(buf_str(&b), "{\"theme\":\"dark\"}"));
    buf_done(&b);
    arena_free(arena);
    stop(&p);
}

static int remove_dir(void **state) {
    (void)state;
    return fs_remove_tree(fs_real(), dir, NULL) == OK ? 0 : -1;
}

int main(void) {
    if (!mkdtemp(dir)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_start_and_change),
        cmocka_unit_test(configured_password),
        cmocka_unit_test(roles_and_removal),
        cmocka_unit_test(preferences),
    };
    return cmocka_run_group_tests(tests, NULL, remove_dir);
}
