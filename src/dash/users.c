/* users.c - users in the metadata database. */
#include "dash/users.h"

#include "dash/meta_int.h"
#include "sys/clock.h"

#include <sodium.h>

/* argon2id hash of the configured password that was applied last. */
#define SETTING_CONFIGURED STR("users.configured_password_hash")

const char *users_role_name(Role role) {
    static const char *const names[] = {
        [ROLE_NONE] = "none", [ROLE_VIEWER] = "viewer", [ROLE_EDITOR] = "editor", [ROLE_ADMIN] = "admin"};
    return (size_t)role < ARRAY_LEN(names) ? names[role] : "none";
}

static ErrCode store(MetaDb *db, Str name, Str hash, Role role, Err *reterr) {
    sqlite3_stmt *stmt;
    int64_t now_ms = clock_now_ms();
    sqlite3 *conn = meta_begin(db);
    ErrCode code = meta_prepare(conn,
        "INSERT INTO users(name, password_hash, role, created_ms, changed_ms) VALUES(?1, ?2, ?3, ?4, ?4)"
        " ON CONFLICT(name) DO UPDATE SET password_hash = excluded.password_hash, role = excluded.role,"
        " changed_ms = excluded.changed_ms",
        (Str[]){name, hash}, 2, &stmt, reterr);
    if (code == OK) {
        sqlite3_bind_int(stmt, 3, (int)role);
        sqlite3_bind_int64(stmt, 4, now_ms);
        code = meta_finish(conn, stmt, reterr);
    }
    meta_end(db);
    return code;
}

/* The hash is made by a throw-away Auth, so that the real one changes only after the database has. */
static ErrCode make_hash(Str name, Str password, Buf *out, Err *reterr) {
    Auth *scratch = auth_create(NULL);
    ErrCode code = auth_set_user(scratch, name, password, NULL, ROLE_VIEWER, reterr);
    if (code == OK) code = auth_password_hash(scratch, name, out);
    auth_free(scratch);
    return code;
}

ErrCode users_set(MetaDb *db, Auth *auth, Str name, Str password, Role role, Err *reterr) {
    if (role < ROLE_VIEWER || role > ROLE_ADMIN) return err_set(reterr, ERR_INVALID, "unknown role");
    if (!str_is_utf8(name)) return err_set(reterr, ERR_INVALID, "a user name must be UTF-8");
    Buf hash = {0};
    ErrCode code = make_hash(name, password, &hash, reterr);
    if (code == OK) code = store(db, name, buf_str(&hash), role, reterr);
    if (code == OK) code = auth_set_user(auth, name, STR_NULL, buf_cstr(&hash), role, reterr);
    buf_done(&hash);
    return code;
}

static ErrCode count_admins_besides(sqlite3 *conn, Str name, int *ret, Err *reterr) {
    sqlite3_stmt *stmt;
    ErrCode code =
        meta_prepare(conn, "SELECT count(*) FROM users WHERE role = 3 AND name <> ?1", &name, 1, &stmt, reterr);
    if (code != OK) return code;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        code = meta_error(conn, rc, "counting users", reterr);
    sqlite3_finalize(stmt);
    return code;
}

static ErrCode remove_row(sqlite3 *conn, Str name, Err *reterr) {
    sqlite3_stmt *stmt;
    int admins = 0;
    ErrCode code = count_admins_besides(conn, name, &admins, reterr);
    if (code != OK) return code;
    if (admins == 0) return err_set(reterr, ERR_FORBIDDEN, "the last administrator cannot be removed");
    code = meta_prepare(conn, "DELETE FROM users WHERE name = ?1", &name, 1, &stmt, reterr);
    if (code == OK) code = meta_finish(conn, stmt, reterr);
    if (code != OK) return code;
    return sqlite3_changes(conn) ? OK : err_set(reterr, ERR_NOT_FOUND, "no user %" STR_FMT, STR_ARG(name));
}

ErrCode users_remove(MetaDb *db, Auth *auth, Str name, Err *reterr) {
    sqlite3 *conn = meta_begin(db);
    ErrCode code = remove_row(conn, name, reterr);
    meta_end(db);
    if (code == OK) auth_remove_user(auth, name);
    return code;
}

ErrCode users_change_password(
    MetaDb *db, Auth *auth, Str name, Str old_password, Str new_password, Str peer, Role *ret_role, Err *reterr) {
    ErrCode code = auth_check_password(auth, name, old_password, peer, ret_role, reterr);
    if (code == ERR_UNAUTHENTICATED) err_set(reterr, code, "the current password is wrong");
    if (code != OK) return code;
    if (new_password.n < USERS_PASSWORD_MIN || new_password.n > USERS_PASSWORD_MAX)
        return err_set(reterr, ERR_INVALID, "a password has %d to %d bytes", USERS_PASSWORD_MIN, USERS_PASSWORD_MAX);
    if (str_eq(old_password, new_password))
        return err_set(reterr, ERR_INVALID, "the new password is the same as the current one");
    return users_set(db, auth, name, new_password, *ret_role, reterr);
}

/* --- start --- */

static ErrCode load_rows(sqlite3 *conn, Auth *auth, Str admin_user, size_t *ret_n, bool *ret_has_admin, Err *reterr) {
    sqlite3_stmt *stmt;
    ErrCode code = meta_prepare(conn, "SELECT name, password_hash, role FROM users", NULL, 0, &stmt, reterr);
    if (code != OK) return code;
    int rc;
    while (code == OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        Str name = meta_column_str(stmt, 0);
        char *hash = str_dup_cstr(meta_column_str(stmt, 1));
        code = auth_set_user(auth, name, STR_NULL, hash, (Role)sqlite3_column_int(stmt, 2), reterr);
        if (code != OK) {
            err_prefix(reterr, "meta.db");
            err_hint(reterr, "restore the file from a backup, or move it away: users and dashboards begin anew");
        }
        mem_free(hash);
        if (str_eq(name, admin_user)) *ret_has_admin = true;
        ++*ret_n;
    }
    if (code == OK && rc != SQLITE_DONE) code = meta_error(conn, rc, "reading users", reterr);
    sqlite3_finalize(stmt);
    return code;
}

/* Whether the configuration holds the value that was applied already. Costs an argon2 run (tens of ms), and only when
 * a password is configured. */
static bool is_applied(MetaDb *db, Str password) {
    Buf hash = {0};
    bool same = meta_setting_get(db, SETTING_CONFIGURED, &hash, NULL) == OK &&
                crypto_pwhash_str_verify(buf_cstr(&hash), password.p, password.n) == 0;
    buf_done(&hash);
    return same;
}

static ErrCode apply_configured(MetaDb *db, Auth *auth, Str user, Str password, Err *reterr) {
    Buf hash = {0};
    ErrCode code = users_set(db, auth, user, password, ROLE_ADMIN, reterr);
    if (code == OK) code = auth_password_hash(auth, user, &hash);
    if (code == OK) code = meta_setting_set(db, SETTING_CONFIGURED, buf_str(&hash), reterr);
    buf_done(&hash);
    return code;
}

ErrCode users_load(MetaDb *db, Auth *auth, Str admin_user, Str admin_password, Err *reterr) {
    if (admin_user.n == 0) admin_user = STR("admin");
    size_t n = 0;
    bool has_admin = false;
    sqlite3 *conn = meta_begin(db);
    ErrCode code = load_rows(conn, auth, admin_user, &n, &has_admin, reterr);
    meta_end(db);
    if (code != OK) return code;
    if (admin_password.n)
        return has_admin && is_applied(db, admin_password)
                   ? OK
                   : apply_configured(db, auth, admin_user, admin_password, reterr);
    return n ? OK : users_set(db, auth, admin_user, STR("admin"), ROLE_ADMIN, reterr);
}
