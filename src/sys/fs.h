/* fs.h - files. Everything that must survive a crash goes through an Fs, so that tests can lose it.
 *
 * fs_real() is the operating system. fs_fault_create() wraps a directory in memory that forgets what was
 * not synced at fs_fault_crash(), tears the last write, and fails the n-th call with EIO or ENOSPC.
 * Paths are NUL-terminated C strings. Errors: ERR_NOT_FOUND, ERR_CONFLICT (exists), ERR_NO_SPACE,
 * ERR_FORBIDDEN (permissions), ERR_IO; the message names the path and the step. All calls retry EINTR. */
#ifndef MEERKAT_SYS_FS_H
#define MEERKAT_SYS_FS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

typedef struct Fs Fs;
typedef struct File File;

typedef enum FileMode {
    FILE_READ,
    FILE_CREATE_NEW,
    FILE_APPEND /* creates */,
    FILE_WRITE /* existing, random access */
} FileMode;

typedef struct FileView {
    Str bytes;
    void *impl;
} FileView; /* a mapping or a heap copy */
typedef struct FsUsage {
    uint64_t total_bytes, free_bytes; /* free: for us */
    uint64_t unused_bytes;            /* with what is reserved for root */
    uint64_t files, files_free;       /* inodes; 0: this file system has no such limit */
} FsUsage;
typedef bool (*FsListFn)(void *ctx, Str name, bool is_dir, uint64_t size_bytes); /* false stops */

typedef struct FsOps {
    ErrCode (*open)(Fs *fs, const char *path, FileMode mode, File **ret, Err *reterr);
    ErrCode (*write)(File *f, Str data, Err *reterr); /* all of it, at the end */
    ErrCode (*write_at)(File *f, uint64_t offset, Str data, Err *reterr);
    ErrCode (*read_at)(File *f, uint64_t offset, void *buf, size_t n, size_t *ret_n, Err *reterr);
    ErrCode (*sync)(File *f, Err *reterr); /* fdatasync */
    ErrCode (*truncate)(File *f, uint64_t size, Err *reterr);
    uint64_t (*size)(File *f);
    void (*close)(File *f);
    ErrCode (*map)(Fs *fs, const char *path, FileView *ret, Err *reterr); /* read-only view of the whole file */
    void (*unmap)(Fs *fs, FileView *view);
    void (*unload)(Fs *fs, const FileView *view); /* it stays valid; its memory is given back until it is read again */
    ErrCode (*rename)(Fs *fs, const char *from, const char *to, Err *reterr); /* replaces to */
    /* A second name for a file (hard link); ERR_CONFLICT: to exists, ERR_UNSUPPORTED: this file system has none. */
    ErrCode (*link)(Fs *fs, const char *from, const char *to, Err *reterr);
    ErrCode (*remove)(Fs *fs, const char *path, Err *reterr);   /* file or empty directory */
    ErrCode (*make_dir)(Fs *fs, const char *path, Err *reterr); /* with parents, durable; existing is fine */
    ErrCode (*sync_dir)(Fs *fs, const char *path, Err *reterr);
    ErrCode (*list)(Fs *fs, const char *path, FsListFn fn, void *ctx, Err *reterr);
    ErrCode (*usage)(Fs *fs, const char *path, FsUsage *ret, Err *reterr);
    bool (*exists)(Fs *fs, const char *path);
    /* Exclusive advisory lock kept until unlock or process end; ERR_CONFLICT names the holder's pid. */
    ErrCode (*lock)(Fs *fs, const char *path, File **ret, Err *reterr);
} FsOps;

struct Fs {
    const FsOps *ops;
};
struct File {
    Fs *fs;
};

Fs *fs_real(void);

static inline ErrCode fs_open(Fs *fs, const char *path, FileMode mode, File **ret, Err *e) {
    return fs->ops->open(fs, path, mode, ret, e);
}
static inline ErrCode file_write(File *f, Str data, Err *e) { return f->fs->ops->write(f, data, e); }
static inline ErrCode file_write_at(File *f, uint64_t off, Str data, Err *e) {
    return f->fs->ops->write_at(f, off, data, e);
}
static inline ErrCode file_read_at(File *f, uint64_t off, void *buf, size_t n, size_t *ret_n, Err *e) {
    return f->fs->ops->read_at(f, off, buf, n, ret_n, e);
}
static inline ErrCode file_sync(File *f, Err *e) { return f->fs->ops->sync(f, e); }
static inline ErrCode file_truncate(File *f, uint64_t size, Err *e) { return f->fs->ops->truncate(f, size, e); }
static inline uint64_t file_size(File *f) { return f->fs->ops->size(f); }
static inline File *file_close(File *f) {
    if (f) f->fs->ops->close(f);
    return NULL;
}

/* Whole small files. fs_write_file_atomic: temporary name, sync, rename, sync of the directory. */
ErrCode fs_read_file(Fs *fs, const char *path, size_t max_bytes, Buf *out, Err *reterr);
/* As fs_read_file of fs_real, but pipes and devices are read to their end as well, which may wait: for commands that a
 * shell gives <(...) or /dev/stdin. */
ErrCode fs_read_stream(const char *path, size_t max_bytes, Buf *out, Err *reterr);
ErrCode fs_write_file_atomic(Fs *fs, const char *path, Str data, Err *reterr);
ErrCode fs_remove_tree(Fs *fs, const char *path, Err *reterr);
/* "dir/name" into out (NUL-terminated, panics when it does not fit). */
#define FS_PATH_MAX 1024
void fs_path_join(char out[FS_PATH_MAX], const char *dir, const char *name);

/* --- the fault-injecting double --- */
typedef enum FaultKind {
    FAULT_NONE,
    FAULT_EIO,
    FAULT_ENOSPC,
    FAULT_SHORT_WRITE /* part is written, then EIO */
} FaultKind;
Fs *fs_fault_create(uint64_t seed);
Fs *fs_fault_free(Fs *fs);
/* The n-th mutating call from now (1 = next) fails once (persistent: that and all later ones). */
void fs_fault_arm(Fs *fs, FaultKind kind, uint64_t nth, bool persistent);
uint64_t fs_fault_calls(Fs *fs); /* mutating calls so far */
/* Power cut: unsynced bytes are lost, kept or torn at random per 512-byte sector; unsynced renames and
 * creations may be undone. Open files become invalid (every call gives ERR_IO); reopen afterwards. */
void fs_fault_crash(Fs *fs);
/* The same in one step with a dead disk: whoever still runs changes nothing any more until fs_fault_arm. For programs
 * with threads, which a real power cut would stop. */
void fs_fault_power_off(Fs *fs);
void fs_fault_flip_bit(Fs *fs, const char *path, uint64_t bit);
void fs_fault_set_capacity(Fs *fs, uint64_t bytes); /* ENOSPC beyond it */

#endif
