/* fs_real.c - Fs over the operating system. */
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

typedef struct RealFile {
    File base;
    int fd;
    uint64_t size; /* where the next write goes; grows by what really reached the file */
    char *path;    /* for messages */
} RealFile;

static Fs real_fs;

static RealFile *real_of(File *f) { return CONTAINER_OF(f, RealFile, base); }

static ErrCode fail(Err *reterr, int e, const char *step, const char *path) {
    ErrCode code = ERR_IO;
    switch (e) {
    case ENOENT:
    case ENOTDIR: code = ERR_NOT_FOUND; break;
    case EEXIST:
    case ENOTEMPTY: code = ERR_CONFLICT; break;
    case ENOSPC:
    case EDQUOT: code = ERR_NO_SPACE; break;
    case EACCES:
    case EPERM: code = ERR_FORBIDDEN; break;
    /* EROFS is how a kernel answers after a disk's error: a state of the disk, nobody's lack of rights. */
    default: break;
    }
    char text[128];
    return err_set(reterr, code, "%s %s: %s", step, path, strerror_r(e, text, sizeof text));
}

static int open_retry(const char *path, int flags, mode_t mode) {
    int fd;
    do fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

ErrCode fs_read_stream(const char *path, size_t max_bytes, Buf *out, Err *reterr) {
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0) return fail(reterr, errno, "open", path);
    size_t start = out->n;
    ErrCode code = OK;
    for (;;) {
        buf_reserve(out, (size_t)64 << 10);
        ssize_t n = read(fd, out->p + out->n, (size_t)64 << 10);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) code = fail(reterr, errno, "read", path);
        if (n <= 0) break;
        out->n += (size_t)n;
        if (out->n - start > max_bytes) {
            code = err_set(reterr, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max_bytes);
            break;
        }
    }
    if (code != OK) out->n = start;
    close(fd);
    return code;
}

static ErrCode real_open(Fs *fs, const char *path, FileMode mode, File **ret, Err *reterr) {
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_APPEND] = O_RDWR | O_CREAT,
        [FILE_WRITE] = O_RDWR,
    };
    ASSERT((size_t)mode < ARRAY_LEN(flags));
    int fd = open_retry(path, flags[mode], 0640);
    if (fd < 0) return fail(reterr, errno, "open", path);
    struct stat st;
    int e = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EISDIR;
    if (e) {
        close(fd);
        return fail(reterr, e, "open", path);
    }
    RealFile *f = NEW(RealFile);
    *f = (RealFile){.base = {fs}, .fd = fd, .size = (uint64_t)st.st_size, .path = str_dup_cstr(str_cstr(path))};
    *ret = &f->base;
    return OK;
}

/* *ret_done counts what reached the file, also on failure. */
static int write_all(int fd, uint64_t offset, Str data, size_t *ret_done) {
    size_t done = 0;
    int e = 0;
    while (done < data.n) {
        ssize_t n = pwrite(fd, data.p + done, data.n - done, (off_t)(offset + done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            e = n == 0 ? EIO : errno;
            break;
        }
    }
    *ret_done = done;
    return e;
}

static ErrCode real_write_at(File *file, uint64_t offset, Str data, Err *reterr) {
    RealFile *f = real_of(file);
    size_t done;
    int e = write_all(f->fd, offset, data, &done);
    f->size = MAX(f->size, offset + done);
    return e ? fail(reterr, e, "write", f->path) : OK;
}

static ErrCode real_write(File *file, Str data, Err *reterr) {
    return real_write_at(file, real_of(file)->size, data, reterr);
}

static ErrCode real_read_at(File *file, uint64_t offset, void *buf, size_t n, size_t *ret_n, Err *reterr) {
    RealFile *f = real_of(file);
    size_t done = 0;
    while (done < n) {
        ssize_t k = pread(f->fd, (char *)buf + done, n - done, (off_t)(offset + done));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return fail(reterr, errno, "read", f->path);
        if (k == 0) break;
        done += (size_t)k;
    }
    *ret_n = done;
    return OK;
}

static ErrCode real_sync(File *file, Err *reterr) {
    RealFile *f = real_of(file);
    int r;
    do r = fdatasync(f->fd);
    while (r < 0 && errno == EINTR);
    return r < 0 ? fail(reterr, errno, "sync", f->path) : OK;
}

static ErrCode real_truncate(File *file, uint64_t size, Err *reterr) {
    RealFile *f = real_of(file);
    int r;
    do r = ftruncate(f->fd, (off_t)size);
    while (r < 0 && errno == EINTR);
    if (r < 0) return fail(reterr, errno, "truncate", f->path);
    f->size = size;
    return OK;
}

static uint64_t real_size(File *file) { return real_of(file)->size; }

static void real_close(File *file) {
    RealFile *f = real_of(file);
    close(f->fd); /* nothing to learn here: what had to be durable was synced */
    mem_free(f->path);
    mem_free(f);
}

static ErrCode real_map(Fs *fs ATTR_UNUSED, const char *path, FileView *ret, Err *reterr) {
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0) return fail(reterr, errno, "open", path);
    struct stat st;
    if (fstat(fd, &st) < 0) {
        int e = errno;
        close(fd);
        return fail(reterr, e, "stat", path);
    }
    *ret = (FileView){.bytes = STR("")};
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            int e = errno;
            close(fd);
            return fail(reterr, e, "map", path);
        }
        *ret = (FileView){.bytes = {p, (size_t)st.st_size}, .impl = p};
    }
    close(fd);
    return OK;
}

static void real_unload(Fs *fs ATTR_UNUSED, const FileView *view) {
    if (view->impl) (void)madvise(view->impl, view->bytes.n, MADV_DONTNEED); /* a shared mapping: nothing is lost */
}

static void real_unmap(Fs *fs ATTR_UNUSED, FileView *view) {
    if (view->impl) munmap(view->impl, view->bytes.n);
    *view = (FileView){0};
}

static ErrCode real_rename(Fs *fs ATTR_UNUSED, const char *from, const char *to, Err *reterr) {
    return rename(from, to) < 0 ? fail(reterr, errno, "rename", from) : OK;
}

static ErrCode real_link(Fs *fs ATTR_UNUSED, const char *from, const char *to, Err *reterr) {
    if (link(from, to) == 0) return OK;
    int e = errno;
    if (e == EPERM || e == EXDEV || e == EMLINK || e == EOPNOTSUPP)
        return err_set(reterr, ERR_UNSUPPORTED, "link %s: not possible on this file system", to);
    return fail(reterr, e, "link", to);
}

static ErrCode real_remove(Fs *fs ATTR_UNUSED, const char *path, Err *reterr) {
    return remove(path) < 0 ? fail(reterr, errno, "remove", path) : OK;
}

static ErrCode real_sync_dir(Fs *fs ATTR_UNUSED, const char *path, Err *reterr) {
    int fd = open_retry(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return fail(reterr, errno, "open", path);
    int r;
    do r = fsync(fd);
    while (r < 0 && errno == EINTR);
    int e = r < 0 ? errno : 0;
    close(fd);
    return e ? fail(reterr, e, "sync", path) : OK;
}

static ErrCode sync_parent(Fs *fs, const char *path, Err *reterr) {
    Str s = str_cstr(path);
    while (s.n > 1 && s.p[s.n - 1] == '/') s.n--;
    size_t slash = str_rfind_char(s, '/');
    char parent[FS_PATH_MAX];
    if (slash == SIZE_MAX) return real_sync_dir(fs, ".", reterr);
    if (slash == 0) return real_sync_dir(fs, "/", reterr);
    ASSERT(slash < sizeof parent);
    memcpy(parent, s.p, slash);
    parent[slash] = 0;
    return real_sync_dir(fs, parent, reterr);
}

static bool is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static ErrCode make_one_dir(Fs *fs, const char *path, Err *reterr) {
    if (is_dir(path)) return OK;
    if (mkdir(path, 0750) == 0) return sync_parent(fs, path, reterr);
    int e = errno;
    if (e == EEXIST && is_dir(path)) return OK;
    return fail(reterr, e == EEXIST ? ENOTDIR : e, "create directory", path);
}

static ErrCode real_make_dir(Fs *fs, const char *path, Err *reterr) {
    char part[FS_PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) return fail(reterr, n ? ENAMETOOLONG : ENOENT, "create directory", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (part[i] != '/') continue;
        part[i] = 0;
        ErrCode rc = make_one_dir(fs, part, reterr);
        if (rc != OK) return rc;
        part[i] = '/';
    }
    return make_one_dir(fs, part, reterr);
}

static ErrCode real_list(Fs *fs ATTR_UNUSED, const char *path, FsListFn fn, void *ctx, Err *reterr) {
    DIR *d = opendir(path);
    if (!d) return fail(reterr, errno, "list", path);
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue; /* gone meanwhile */
        uint64_t size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        if (!fn(ctx, str_cstr(e->d_name), S_ISDIR(st.st_mode), size)) break;
    }
    int err = errno;
    closedir(d);
    return err ? fail(reterr, err, "list", path) : OK;
}

static ErrCode real_usage(Fs *fs ATTR_UNUSED, const char *path, FsUsage *ret, Err *reterr) {
    struct statvfs v;
    int r;
    do r = statvfs(path, &v);
    while (r < 0 && errno == EINTR);
    if (r < 0) return fail(reterr, errno, "disk usage of", path);
    *ret = (FsUsage){.total_bytes = (uint64_t)v.f_blocks * v.f_frsize,
        .free_bytes = (uint64_t)v.f_bavail * v.f_frsize,
        .unused_bytes = (uint64_t)v.f_bfree * v.f_frsize,
        .files = v.f_files,
        .files_free = v.f_ffree};
    return OK;
}

static bool real_exists(Fs *fs ATTR_UNUSED, const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

static ErrCode lock_conflict(int fd, const char *path, Err *reterr) {
    char pid[24] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? n : 0] = 0;
    long holder = strtol(pid, NULL, 10);
    if (holder <= 0) return err_set(reterr, ERR_CONFLICT, "%s is locked by another process", path);
    return err_set(reterr, ERR_CONFLICT, "%s is locked by another process (pid %ld)", path, holder);
}

static ErrCode real_lock(Fs *fs, const char *path, File **ret, Err *reterr) {
    File *file;
    ErrCode rc = real_open(fs, path, FILE_APPEND, &file, reterr);
    if (rc != OK) return rc;
    RealFile *f = real_of(file);
    int r;
    do r = flock(f->fd, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    if (r < 0) {
        rc = errno == EWOULDBLOCK ? lock_conflict(f->fd, path, reterr) : fail(reterr, errno, "lock", path);
        real_close(file);
        return rc;
    }
    /* The pid is for the other side's message only: a full disk must not keep the server from starting. */
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (real_truncate(file, 0, NULL) == OK) (void)real_write(file, str_of(pid, (size_t)n), NULL);
    *ret = file;
    return OK;
}

static const FsOps real_ops = {
    .open = real_open,
    .write = real_write,
    .write_at = real_write_at,
    .read_at = real_read_at,
    .sync = real_sync,
    .truncate = real_truncate,
    .size = real_size,
    .close = real_close,
    .map = real_map,
    .unmap = real_unmap,
    .unload = real_unload,
    .rename = real_rename,
    .link = real_link,
    .remove = real_remove,
    .make_dir = real_make_dir,
    .sync_dir = real_sync_dir,
    .list = real_list,
    .usage = real_usage,
    .exists = real_exists,
    .lock = real_lock,
};

static Fs real_fs = {&real_ops};

Fs *fs_real(void) { return &real_fs; }
