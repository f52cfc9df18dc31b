/* prefs.c - preferences in the metadata database. */
#include "dash/prefs.h"

#include "base/json.h"
#include "dash/meta_int.h"
#include "sys/clock.h"

ErrCode prefs_get(MetaDb *db, Str user, Buf *out, Err *reterr) {
    sqlite3_stmt *stmt;
    sqlite3 *conn = meta_begin(db);
    ErrCode code = meta_prepare(conn, "SELECT document FROM preferences WHERE user = ?1", &user, 1, &stmt, reterr);
    if (code == OK) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            buf_put_str(out, meta_column_str(stmt, 0));
        else if (rc == SQLITE_DONE)
            buf_put_lit(out, "{}");
        else
            code = meta_error(conn, rc, "reading preferences", reterr);
        sqlite3_finalize(stmt);
    }
    meta_end(db);
    return code;
}

static ErrCode store(MetaDb *db, Str user, Str document, Err *reterr) {
    sqlite3_stmt *stmt;
    sqlite3 *conn = meta_begin(db);
    ErrCode code = meta_prepare(conn,
        "INSERT INTO preferences(user, document, changed_ms) VALUES(?1, ?2, ?3)"
        " ON CONFLICT(user) DO UPDATE SET document = excluded.document, changed_ms = excluded.changed_ms",
        (Str[]){user, document}, 2, &stmt, reterr);
    if (code == OK) {
        sqlite3_bind_int64(stmt, 3, clock_now_ms());
        code = meta_finish(conn, stmt, reterr);
    }
    meta_end(db);
    /* The only constraint a caller can break is the reference to the user. */
    return code == ERR_CONFLICT ? err_set(reterr, ERR_NOT_FOUND, "no user %" STR_FMT, STR_ARG(user)) : code;
}

ErrCode prefs_set(MetaDb *db, Str user, Str document, Arena *arena, Err *reterr) {
    if (document.n > PREFS_BYTES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "preferences have at most %zu bytes", PREFS_BYTES_MAX);
    JsonValue *v;
    ErrCode code = json_parse(document, arena, &v, reterr);
    if (code != OK) return code;
    if (v->kind != JSON_K_OBJECT) return err_set(reterr, ERR_INVALID, "preferences are a JSON object");
    return store(db, user, document, reterr);
}
