/* meta.c - opening, migrating and asking the metadata database. */
#include "dash/meta_int.h"

#include "sys/fs.h"
#include "sys/thread.h"

#include <stdio.h>

struct MetaDb {
    sqlite3 *conn;
    Mutex lock; /* one statement at a time: the tables are small, the connection is not shared otherwise */
};

/* Index i takes version i to i + 1. Never change one that was released: add another. */
static const char *const migrations[] = {
    "CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE users("
    "  name TEXT PRIMARY KEY,"
    "  password_hash TEXT NOT NULL,"
    "  role INTEGER NOT NULL CHECK(role BETWEEN 1 AND 3),"
    "  created_ms INTEGER NOT NULL,"
    "  changed_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE preferences("
    "  user TEXT PRIMARY KEY REFERENCES users(name) ON DELETE CASCADE,"
    "  document TEXT NOT NULL,"
    "  changed_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;",
};

ErrCode meta_error(sqlite3 *conn, int rc, const char *step, Err *reterr) {
    ErrCode code = ERR_IO;
    switch (rc & 0xff) {
    case SQLITE_FULL: code = ERR_NO_SPACE; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: code = ERR_CORRUPT; break;
    case SQLITE_CONSTRAINT: code = ERR_CONFLICT; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: code = ERR_UNAVAILABLE; break;
    case SQLITE_TOOBIG: code = ERR_TOO_LARGE; break;
    default: break;
    }
    code = err_set(reterr, code, "meta.db: %s: %s", step, conn ? sqlite3_errmsg(conn) : sqlite3_errstr(rc));
    if ((rc & 0xff) == SQLITE_CANTOPEN)
        err_hint(reterr, "files must be made beside it: look for rights, room and inodes (df -i)");
    if (code == ERR_CORRUPT)
        err_hint(
            reterr, "restore the file from a backup, or move it away: users and dashboards begin anew, data stays");
    return code;
}

static ErrCode exec(sqlite3 *conn, const char *sql, const char *step, Err *reterr) {
    int rc = sqlite3_exec(conn, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : meta_error(conn, rc, step, reterr);
}

static ErrCode read_version(sqlite3 *conn, int *ret, Err *reterr) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn, "PRAGMA user_version", -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *ret = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? OK : meta_error(conn, rc, "reading the version", reterr);
}

static ErrCode migrate_one(sqlite3 *conn, int from, Err *reterr) {
    char stamp[64];
    snprintf(stamp, sizeof(stamp), "PRAGMA user_version = %d", from + 1);
    ErrCode code = exec(conn, "BEGIN IMMEDIATE", "migrating", reterr);
    if (code != OK) return code;
    code = exec(conn, migrations[from], "migrating", reterr);
    if (code == OK) code = exec(conn, stamp, "migrating", reterr);
    if (code == OK) code = exec(conn, "COMMIT", "migrating", reterr);
    if (code != OK) sqlite3_exec(conn, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static ErrCode migrate(sqlite3 *conn, Err *reterr) {
    int version = 0;
    ErrCode code = read_version(conn, &version, reterr);
    if (code != OK) return code;
    if (version < 0 || version > (int)ARRAY_LEN(migrations)) {
        err_set(reterr, ERR_CONFLICT, "meta.db has schema version %d; this program knows up to %d", version,
            (int)ARRAY_LEN(migrations));
        err_hint(reterr, "a newer version of the program wrote it: use that one");
        return ERR_CONFLICT;
    }
    for (; code == OK && version < (int)ARRAY_LEN(migrations); version++) code = migrate_one(conn, version, reterr);
    return code;
}

/* locking_mode stays NORMAL: `sqlite3 meta.db .dump` beside a running server is an honest thing to want. */
static ErrCode configure(sqlite3 *conn, Err *reterr) {
    sqlite3_extended_result_codes(conn, 1);
    sqlite3_busy_timeout(conn, 2000);
    sqlite3_db_config(conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(conn, SQLITE_LIMIT_LENGTH, 64 << 20);
    /* The data directory has one owner, so the index of the write-ahead log may live in memory: then a full disk does
     * not keep the database, and with it the server, from being opened. */
    static const char setup[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                "PRAGMA journal_mode = WAL;"
                                "PRAGMA synchronous = FULL;"
                                "PRAGMA foreign_keys = ON;"
                                "PRAGMA trusted_schema = OFF;"
                                "PRAGMA temp_store = MEMORY;";
    return exec(conn, setup, "opening", reterr);
}

ErrCode meta_open(const char *data_dir, MetaDb **ret, Err *reterr) {
    char path[FS_PATH_MAX];
    if (data_dir) fs_path_join(path, data_dir, "meta.db");
    *ret = NULL;
    sqlite3 *conn = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(data_dir ? path : ":memory:", &conn, flags, NULL);
    ErrCode code = rc == SQLITE_OK ? OK : meta_error(conn, rc, "opening", reterr);
    if (code == OK) code = configure(conn, reterr);
    if (code == OK) code = migrate(conn, reterr);
    if (code != OK) {
        sqlite3_close(conn);
        return code;
    }
    MetaDb *db = NEW(MetaDb);
    db->conn = conn;
    mutex_init(&db->lock);
    *ret = db;
    return OK;
}

MetaDb *meta_free(MetaDb *db) {
    if (!db) return NULL;
    int rc = sqlite3_close(db->conn);
    ASSERT(rc == SQLITE_OK); /* a statement was not finalized */
    mutex_done(&db->lock);
    mem_free(db);
    return NULL;
}

sqlite3 *meta_begin(MetaDb *db) {
    mutex_lock(&db->lock);
    return db->conn;
}

void meta_end(MetaDb *db) {
    ASSERT(sqlite3_next_stmt(db->conn, NULL) == NULL);
    mutex_unlock(&db->lock);
}

int meta_schema_version(MetaDb *db) {
    int version = 0;
    sqlite3 *conn = meta_begin(db);
    ErrCode code = read_version(conn, &version, NULL);
    meta_end(db);
    return code == OK ? version : -1;
}

ErrCode meta_prepare(
    sqlite3 *conn, const char *sql, const Str *texts, size_t n_texts, sqlite3_stmt **ret, Err *reterr) {
    int rc = sqlite3_prepare_v2(conn, sql, -1, ret, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < n_texts; i++) {
        const char *p = texts[i].p ? texts[i].p : "";
        rc = sqlite3_bind_text64(*ret, (int)i + 1, p, texts[i].n, SQLITE_STATIC, SQLITE_UTF8);
    }
    if (rc == SQLITE_OK) return OK;
    ErrCode code = meta_error(conn, rc, "preparing", reterr);
    sqlite3_finalize(*ret);
    *ret = NULL;
    return code;
}

ErrCode meta_finish(sqlite3 *conn, sqlite3_stmt *stmt, Err *reterr) {
    int rc = sqlite3_step(stmt);
    ErrCode code = rc == SQLITE_DONE ? OK : meta_error(conn, rc, "writing", reterr);
    sqlite3_finalize(stmt);
    return code;
}

Str meta_column_str(sqlite3_stmt *stmt, int column) {
    const void *p = sqlite3_column_text(stmt, column);
    return str_of(p, (size_t)sqlite3_column_bytes(stmt, column));
}

ErrCode meta_setting_get(MetaDb *db, Str key, Buf *out, Err *reterr) {
    sqlite3_stmt *stmt;
    sqlite3 *conn = meta_begin(db);
    ErrCode code = meta_prepare(conn, "SELECT value FROM settings WHERE key = ?1", &key, 1, &stmt, reterr);
    if (code == OK) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            buf_put_str(out, meta_column_str(stmt, 0));
        else if (rc == SQLITE_DONE)
            code = err_set(reterr, ERR_NOT_FOUND, "no setting %" STR_FMT, STR_ARG(key));
        else
            code = meta_error(conn, rc, "reading a setting", reterr);
        sqlite3_finalize(stmt);
    }
    meta_end(db);
    return code;
}

ErrCode meta_setting_set(MetaDb *db, Str key, Str value, Err *reterr) {
    sqlite3_stmt *stmt;
    sqlite3 *conn = meta_begin(db);
    ErrCode code = meta_prepare(conn,
        "INSERT INTO settings(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
        (Str[]){key, value}, 2, &stmt, reterr);
    if (code == OK) code = meta_finish(conn, stmt, reterr);
    meta_end(db);
    return code;
}

/* --- copying --- */
#define COPY_TRIES 200
#define COPY_WAIT_MS 50

static ErrCode copy_pages(sqlite3 *from, sqlite3 *to, Err *reterr) {
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (!b) return meta_error(to, sqlite3_errcode(to), "copying", reterr);
    int rc = SQLITE_BUSY;
    for (int i = 0; i < COPY_TRIES && (rc == SQLITE_BUSY || rc == SQLITE_LOCKED); i++) {
        rc = sqlite3_backup_step(b, -1); /* all pages at once: small, and writers need not be waited for in between */
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED) sqlite3_sleep(COPY_WAIT_MS);
    }
    (void)sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? OK : meta_error(NULL, rc, "copying", reterr);
}

static ErrCode copy_from(sqlite3 *from, const char *to, Err *reterr) {
    sqlite3 *copy = NULL;
    int rc = sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    ErrCode code = rc == SQLITE_OK ? copy_pages(from, copy, reterr) : meta_error(copy, rc, "opening the copy", reterr);
    sqlite3_close(copy);
    return code;
}

ErrCode meta_backup(MetaDb *db, const char *to, Err *reterr) {
    ErrCode code = copy_from(meta_begin(db), to, reterr);
    meta_end(db);
    return code;
}

ErrCode meta_copy(const char *from, const char *to, Err *reterr) {
    sqlite3 *conn = NULL;
    int rc = sqlite3_open_v2(from, &conn, SQLITE_OPEN_READWRITE, NULL);
    ErrCode code = rc == SQLITE_OK ? copy_from(conn, to, reterr) : meta_error(conn, rc, "opening", reterr);
    sqlite3_close(conn);
    return code;
}
