/* fs_util.c - whole files and trees on any Fs. */
#include "sys/fs.h"

#include "base/vec.h"

void fs_path_join(char out[FS_PATH_MAX], const char *dir, const char *name) {
    size_t d = strlen(dir), n = strlen(name);
    ASSERT(n > 0);
    bool slash = d > 0 && dir[d - 1] != '/';
    ASSERT(d + slash + n < FS_PATH_MAX);
    memmove(out, dir, d);
    if (slash) out[d] = '/';
    memcpy(out + d + slash, name, n + 1);
}

/* Directory that holds path, for sync_dir. */
static void path_parent(char out[FS_PATH_MAX], const char *path) {
    Str s = str_cstr(path);
    size_t slash = str_rfind_char(s, '/');
    Str dir = slash == SIZE_MAX ? STR(".") : slash == 0 ? STR("/") : str_slice(s, 0, slash);
    ASSERT(dir.n < FS_PATH_MAX);
    memcpy(out, dir.p, dir.n);
    out[dir.n] = 0;
}

ErrCode fs_read_file(Fs *fs, const char *path, size_t max_bytes, Buf *out, Err *reterr) {
    File *f;
    ErrCode rc = fs_open(fs, path, FILE_READ, &f, reterr);
    if (rc != OK) return rc;
    uint64_t off = 0;
    size_t start = out->n;
    for (;;) {
        size_t want = MIN((size_t)64 << 10, max_bytes - (out->n - start) + 1), got = 0;
        buf_reserve(out, want);
        rc = file_read_at(f, off, out->p + out->n, want, &got, reterr);
        if (rc != OK) break;
        out->n += got;
        off += got;
        if (out->n - start > max_bytes) {
            rc = err_set(reterr, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max_bytes);
            break;
        }
        if (got < want) break;
    }
    if (rc != OK) out->n = start;
    file_close(f);
    return rc;
}

static ErrCode write_whole(Fs *fs, const char *path, Str data, Err *reterr) {
    File *f;
    ErrCode rc = fs_open(fs, path, FILE_APPEND, &f, reterr);
    if (rc != OK) return rc;
    rc = file_truncate(f, 0, reterr); /* what an earlier attempt left */
    if (rc == OK) rc = file_write(f, data, reterr);
    if (rc == OK) rc = file_sync(f, reterr);
    file_close(f);
    return rc;
}

ErrCode fs_write_file_atomic(Fs *fs, const char *path, Str data, Err *reterr) {
    char tmp[FS_PATH_MAX], dir[FS_PATH_MAX];
    size_t n = strlen(path);
    ASSERT(n + sizeof ".tmp" <= sizeof tmp);
    memcpy(tmp, path, n);
    memcpy(tmp + n, ".tmp", sizeof ".tmp");
    path_parent(dir, path);
    ErrCode rc = write_whole(fs, tmp, data, reterr);
    if (rc == OK) rc = fs->ops->rename(fs, tmp, path, reterr);
    if (rc != OK) {
        (void)fs->ops->remove(fs, tmp, NULL);
        return rc;
    }
    return fs->ops->sync_dir(fs, dir, reterr);
}

typedef struct TreeEntry {
    char *name;
    bool is_dir;
} TreeEntry;
typedef VEC(TreeEntry) TreeEntryVec;

static bool collect_entry(void *ctx, Str name, bool is_dir, uint64_t size_bytes ATTR_UNUSED) {
    TreeEntryVec *v = ctx;
    vec_push(v, (TreeEntry){str_dup_cstr(name), is_dir});
    return true;
}

ErrCode fs_remove_tree(Fs *fs, const char *path, Err *reterr) {
    TreeEntryVec entries = {0};
    ErrCode rc = fs->ops->list(fs, path, collect_entry, &entries, reterr);
    vec_foreach(TreeEntry, e, &entries) {
        char child[FS_PATH_MAX];
        if (rc == OK && strlen(path) + strlen(e->name) + 2 > sizeof child)
            rc = err_set(reterr, ERR_TOO_LARGE, "path below %s is too long", path);
        if (rc == OK) {
            fs_path_join(child, path, e->name);
            rc = e->is_dir ? fs_remove_tree(fs, child, reterr) : fs->ops->remove(fs, child, reterr);
        }
        mem_free(e->name);
    }
    vec_done(&entries);
    return rc == OK ? fs->ops->remove(fs, path, reterr) : rc;
}
