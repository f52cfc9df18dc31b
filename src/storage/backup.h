/* backup.h - a consistent copy of a data directory, also of one in use, and the way back.
 *
 * Three steps. Staging makes a frozen copy inside the data directory: parts and finished log segments by hard links,
 * the rest by copying; the order (logs, then small files, then parts with their manifest) makes the result what a
 * power cut could have left, with everything acknowledged before it began. Writing copies the staged files to the
 * destination; parts that an earlier backup brought there are not copied again. Restoring copies back.
 *
 * Destination: "MANIFEST" (a line with the checksum of the rest, then JSON: every file with its size and CRC-32C) and
 * "files/". The manifest is replaced last and atomically: whatever interrupts a backup, the one before it is whole. */
#ifndef MEERKAT_STORAGE_BACKUP_H
#define MEERKAT_STORAGE_BACKUP_H

#include "base/vec.h"
#include "sys/fs.h"

#include <stdatomic.h>

#define BACKUP_STAGE_DIR "backup.tmp" /* in the data directory; its contents never outlive a restart */

/* Copies a database (*.db) that may be in use; `to` does not exist. */
typedef ErrCode (*BackupDbFn)(void *ctx, const char *from, const char *to, Err *reterr);

/* stage is made and must not exist. On an error what there is of it is removed. */
ErrCode backup_stage(Fs *fs, const char *data_dir, const char *stage, BackupDbFn copy_db, void *ctx, Err *reterr);

typedef struct BackupJob {
    Fs *fs;
    const char *from, *to;
    void (*progress)(void *ctx, const char *file, uint64_t done_bytes, uint64_t total_bytes); /* may be NULL */
    void *ctx;
    const _Atomic bool *cancel; /* may be NULL */
    uint64_t bytes_max;         /* of one file; 0: all of it */
} BackupJob;

typedef struct BackupResult {
    uint64_t files, bytes;               /* of the whole backup */
    uint64_t copied_files, copied_bytes; /* now */
} BackupResult;

/* from: a staged copy; to: a directory that is empty or holds an earlier backup (ERR_CONFLICT otherwise). */
ErrCode backup_write(const BackupJob *job, int64_t now_ms, BackupResult *ret, Err *reterr);
/* from: a backup; to: a data directory to be, missing or empty (ERR_CONFLICT otherwise). Every file is checked; on any
 * error (ERR_CORRUPT names the file) the data directory is not made. */
ErrCode backup_restore(const BackupJob *job, BackupResult *ret, Err *reterr);

#endif
