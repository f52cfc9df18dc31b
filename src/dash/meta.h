/* meta.h - the metadata database: users, preferences, later dashboards. Never telemetry.
 *
 * One SQLite file, meta.db, in the data directory: write-ahead log, foreign keys, STRICT tables, every commit synced.
 * The schema's version is PRAGMA user_version; older ones are migrated when the file is opened, newer ones refused. */
#ifndef MEERKAT_DASH_META_H
#define MEERKAT_DASH_META_H

#include "base/buf.h"
#include "base/err.h"

typedef struct MetaDb MetaDb;

/* Opens or creates data_dir/meta.db (data_dir exists); data_dir NULL: a database in memory (tests). ERR_CONFLICT when
 * a newer version of the program wrote it, ERR_CORRUPT when it is no database, ERR_IO, ERR_NO_SPACE. */
ErrCode meta_open(const char *data_dir, MetaDb **ret, Err *reterr);
MetaDb *meta_free(MetaDb *db); /* NULL is fine; returns NULL */
int meta_schema_version(MetaDb *db);

/* Settings of the process itself that must survive a restart. ERR_NOT_FOUND when the key was never set. */
ErrCode meta_setting_get(MetaDb *db, Str key, Buf *out, Err *reterr);
ErrCode meta_setting_set(MetaDb *db, Str key, Str value, Err *reterr);

/* Copies the open database, by SQLite's online backup: what is committed is in the copy. to does not exist. */
ErrCode meta_backup(MetaDb *db, const char *to, Err *reterr);
/* The same for any SQLite file that no connection holds exclusively. */
ErrCode meta_copy(const char *from, const char *to, Err *reterr);

#endif
