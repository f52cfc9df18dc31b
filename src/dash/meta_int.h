/* meta_int.h - statements over the metadata database. Private to dash. */
#ifndef MEERKAT_DASH_META_INT_H
#define MEERKAT_DASH_META_INT_H

#include "dash/meta.h"

#include <sqlite3.h>

/* The one connection, used by one thread at a time: between meta_begin and meta_end. */
sqlite3 *meta_begin(MetaDb *db);
void meta_end(MetaDb *db);

/* sql with ?1, ?2, ... bound as text; the texts are borrowed until the statement is finalized. */
ErrCode meta_prepare(sqlite3 *conn, const char *sql, const Str *texts, size_t n_texts, sqlite3_stmt **ret, Err *reterr);
/* Runs a statement that gives no rows and finalizes it. */
ErrCode meta_finish(sqlite3 *conn, sqlite3_stmt *stmt, Err *reterr);
/* What a result code of SQLite is to us; the message names the step. */
ErrCode meta_error(sqlite3 *conn, int rc, const char *step, Err *reterr);
Str meta_column_str(sqlite3_stmt *stmt, int column); /* until the next step */

#endif
