/* datadir.c - the data directory: who owns it and which format it has. */
#include "storage/datadir.h"

#include "base/num.h"

struct DataDir {
    Fs *fs;
    char path[FS_PATH_MAX];
    File *lock;
};

#define VERSION_PREFIX "meerkat data "
#define VERSION_BYTES_MAX 256

static ErrCode check_version(DataDir *d, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, d->path, "VERSION");
    Buf b = {0};
    ErrCode rc = fs_read_file(d->fs, path, VERSION_BYTES_MAX, &b, reterr);
    if (rc == ERR_NOT_FOUND) {
        buf_printf(&b, VERSION_PREFIX "%d\n", DATADIR_FORMAT_VERSION);
        rc = fs_write_file_atomic(d->fs, path, buf_str(&b), reterr);
    } else if (rc == OK || rc == ERR_TOO_LARGE) {
        Str text = str_trim(buf_str(&b));
        uint64_t version = 0;
        if (!str_starts_with(text, STR(VERSION_PREFIX)) ||
            !num_parse_u64(str_skip(text, sizeof VERSION_PREFIX - 1), &version) || version == 0) {
            rc = err_set(reterr, ERR_CORRUPT, "%s: not a format version", path);
            err_hint(reterr, "if this is a Meerkat data directory, write \"" VERSION_PREFIX "%d\" into the file",
                DATADIR_FORMAT_VERSION);
        } else if (version > DATADIR_FORMAT_VERSION) {
            rc = err_set(reterr, ERR_UNSUPPORTED, "%s: the data has format %llu, this program knows formats up to %d",
                path, (unsigned long long)version, DATADIR_FORMAT_VERSION);
            err_hint(reterr, "a newer release wrote it: use that one, or another --data-dir");
        }
    }
    buf_done(&b);
    return rc;
}

ErrCode datadir_open(Fs *fs, const char *path, DataDir **ret, Err *reterr) {
    size_t n = strlen(path);
    if (n == 0 || n + 16 > FS_PATH_MAX) return err_set(reterr, ERR_INVALID, "bad data directory \"%s\"", path);
    DataDir *d = NEW(DataDir);
    d->fs = fs;
    memcpy(d->path, path, n + 1);
    char lock[FS_PATH_MAX];
    fs_path_join(lock, path, "LOCK");
    ErrCode rc = fs->ops->make_dir(fs, path, reterr);
    if (rc == OK) {
        rc = fs->ops->lock(fs, lock, &d->lock, reterr);
        if (rc == ERR_CONFLICT) err_hint(reterr, "stop the other server, or give this one another --data-dir");
    }
    if (rc == OK) rc = check_version(d, reterr);
    if (rc != OK) {
        datadir_close(d);
        return rc;
    }
    *ret = d;
    return OK;
}

DataDir *datadir_close(DataDir *d) {
    if (!d) return NULL;
    file_close(d->lock);
    mem_free(d);
    return NULL;
}

Fs *datadir_fs(const DataDir *d) { return d->fs; }

ErrCode datadir_sub(DataDir *d, const char *name, char ret_path[FS_PATH_MAX], Err *reterr) {
    if (strlen(d->path) + strlen(name) + 2 > FS_PATH_MAX)
        return err_set(reterr, ERR_INVALID, "path %s/%s is too long", d->path, name);
    fs_path_join(ret_path, d->path, name);
    return d->fs->ops->make_dir(d->fs, ret_path, reterr);
}
