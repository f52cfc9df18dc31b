/* meta_test.c - the metadata database: schema, settings, what survives, what is refused. */
#include "dash/meta_int.h"
#include "sys/fs.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static char dir[] = "/tmp/meta_test_XXXXXX";

static MetaDb *must_open(const char *path) {
    MetaDb *db;
    Err err = {0};
    if (meta_open(path, &db, &err) != OK) fail_msg("%s", err.msg);
    return db;
}

static void settings_survive(void **state) {
    (void)state;
    MetaDb *db = must_open(dir);
    Buf b = {0};
    assert_int_equal(meta_setting_get(db, STR("k"), &b, NULL), ERR_NOT_FOUND);
    assert_int_equal(meta_setting_set(db, STR("k"), STR("one"), NULL), OK);
    assert_int_equal(meta_setting_set(db, STR("k"), STR("two"), NULL), OK);
    meta_free(db);
    db = must_open(dir);
    assert_int_equal(meta_setting_get(db, STR("k"), &b, NULL), OK);
    assert_true(str_eq_lit(buf_str(&b), "two"));
    buf_done(&b);
    meta_free(db);
}

static void pragmas_hold(void **state) {
    (void)state;
    static const struct {
        const char *sql, *value;
    } cases[] = {
        {"PRAGMA journal_mode", "wal"},
        {"PRAGMA foreign_keys", "1"},
        {"PRAGMA synchronous", "2"},
        {"PRAGMA user_version", "1"},
        {"PRAGMA integrity_check", "ok"},
        {"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%'", "0"},
    };
    MetaDb *db = must_open(dir);
    assert_int_equal(meta_schema_version(db), 1);
    sqlite3 *conn = meta_begin(db);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        sqlite3_stmt *stmt;
        assert_int_equal(meta_prepare(conn, cases[i].sql, NULL, 0, &stmt, NULL), OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_true(str_eq(meta_column_str(stmt, 0), str_cstr(cases[i].value)));
        sqlite3_finalize(stmt);
    }
    meta_end(db);
    meta_free(db);
}

static void newer_schema_is_refused(void **state) {
    (void)state;
    MetaDb *db = must_open(dir);
    assert_int_equal(sqlite3_exec(meta_begin(db), "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
    meta_end(db);
    meta_free(db);
    Err err = {0};
    assert_int_equal(meta_open(dir, &db, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "999"));
    assert_null(db);
}

static void garbage_is_refused(void **state) {
    (void)state;
    char path[FS_PATH_MAX];
    MetaDb *db;
    Err err = {0};
    fs_path_join(path, dir, "meta.db");
    assert_int_equal(
        fs_write_file_atomic(fs_real(), path, STR("this is not a database, not at all, not even near"), &err), OK);
    assert_int_equal(meta_open(dir, &db, &err), ERR_CORRUPT);
    assert_int_equal(meta_open("/nonexistent/dir", &db, &err), ERR_IO);
}

static int remove_dir(void **state) {
    (void)state;
    return fs_remove_tree(fs_real(), dir, NULL) == OK ? 0 : -1;
}

int main(void) {
    if (!mkdtemp(dir)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_survive),
        cmocka_unit_test(pragmas_hold),
        cmocka_unit_test(newer_schema_is_refused),
        cmocka_unit_test(garbage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, remove_dir);
}
