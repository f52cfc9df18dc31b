/* datadir.h - the data directory: lock file, format version, sub-directories of the stores. */
#ifndef MEERKAT_STORAGE_DATADIR_H
#define MEERKAT_STORAGE_DATADIR_H

#include "sys/fs.h"

#define DATADIR_FORMAT_VERSION 1

typedef struct DataDir DataDir;
/* Creates it when missing, takes the lock (ERR_CONFLICT names the pid), checks VERSION (a newer format is refused). */
ErrCode datadir_open(Fs *fs, const char *path, DataDir **ret, Err *reterr);
DataDir *datadir_close(DataDir *d);
Fs *datadir_fs(const DataDir *d);
/* "path/name", created. */
ErrCode datadir_sub(DataDir *d, const char *name, char ret_path[FS_PATH_MAX], Err *reterr);

#endif
