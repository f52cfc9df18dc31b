/* backup_int.h - the manifest and file copies. Private to storage/backup*.c. */
#ifndef MEERKAT_STORAGE_BACKUP_INT_H
#define MEERKAT_STORAGE_BACKUP_INT_H

#include "storage/backup.h"

typedef struct BackupFile {
    Str path;   /* in the data directory */
    Str stored; /* in the backup's directory */
    uint64_t size;
    uint32_t crc;
} BackupFile;

typedef struct BackupManifest {
    Arena *arena; /* holds the strings */
    VEC(BackupFile) files;
    int64_t created_ms;
} BackupManifest;

void manifest_done(BackupManifest *m);
/* ERR_NOT_FOUND: there is none; ERR_CORRUPT. */
ErrCode backup_manifest_read(Fs *fs, const char *dir, BackupManifest *ret, Err *reterr);
ErrCode backup_manifest_write(Fs *fs, const char *dir, const BackupManifest *m, Err *reterr);

/* Every regular file below dir with its size, paths relative to dir, sorted. skip: names directly in dir to leave out.
 */
ErrCode backup_walk(Fs *fs, const char *dir, BackupManifest *out, Err *reterr);
/* Copies and syncs; gives the checksum of what was read. `to` is replaced. reported: bytes are added as they go. */
ErrCode backup_copy_file(const BackupJob *job, const char *from, const char *to, uint64_t *done, uint64_t total,
    uint32_t *ret_crc, Err *reterr);
/* The directory of a path, made. */
ErrCode backup_make_parent(Fs *fs, const char *path, Err *reterr);
void backup_parent(char out[FS_PATH_MAX], const char *path);
/* dir/rel; ERR_TOO_LARGE when it does not fit. */
ErrCode backup_join(char out[FS_PATH_MAX], const char *dir, Str rel, Err *reterr);

#endif
