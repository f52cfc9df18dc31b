/* fs_fault.c - an Fs in memory that forgets, tears and fails on demand.
 *
 * The model of the disk, harsher than a real one: a file has its bytes as processes see them, and its bytes as they
 * are on the platter; writes mark 512-byte sectors dirty. A sync copies dirty sectors. A FAILED sync copies some of
 * them and calls all of them clean, as Linux does: a later sync reports success without writing them. Names
 * (create, rename, remove) are changes of a directory, kept in order until the directory is synced; a crash keeps
 * any number of the first ones. Making a directory is durable at once. */
#include "sys/fs_fault_int.h"

#include "base/vec.h"
#include "sys/process.h"

static FaultFs *fault_of(Fs *fs) { return CONTAINER_OF(fs, FaultFs, base); }
static FaultFile *file_of(File *f) { return CONTAINER_OF(f, FaultFile, base); }

/* --- faults --- */

static ErrCode injected(FaultKind kind, const char *step, const char *path, Err *reterr) {
    if (kind == FAULT_ENOSPC)
        return err_set(reterr, ERR_NO_SPACE, "%s %s: no space left on device (injected)", step, path);
    return err_set(reterr, ERR_IO, "%s %s: input/output error (injected)", step, path);
}

/* Counts a mutating call and says whether it is to fail. */
static FaultKind mutate(FaultFs *f) {
    f->calls++;
    if (f->kind == FAULT_NONE || f->countdown == 0) return FAULT_NONE;
    if (--f->countdown > 0) return FAULT_NONE;
    FaultKind kind = f->kind;
    if (f->persistent)
        f->countdown = 1;
    else
        f->kind = FAULT_NONE;
    return kind;
}

static ErrCode mutate_simple(FaultFs *f, const char *step, const char *path, Err *reterr) {
    FaultKind kind = mutate(f);
    return kind == FAULT_NONE ? OK : injected(kind, step, path, reterr);
}

/* --- names --- */

Inode *fault_lookup(const NameVec *names, const char *path) {
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->v[i].path, path) == 0) return names->v[i].inode;
    return NULL;
}

static void inode_unref(Inode *n) {
    if (--n->refs > 0) return;
    buf_done(&n->now);
    buf_done(&n->disk);
    vec_done(&n->dirty);
    mem_free(n);
}

void fault_names_set(NameVec *names, const char *path, Inode *inode) {
    if (inode) inode->refs++;
    for (size_t i = 0; i < names->n; i++) {
        Name *name = &names->v[i];
        if (strcmp(name->path, path) != 0) continue;
        inode_unref(name->inode);
        name->inode = inode;
        if (inode) return;
        mem_free(name->path);
        names->v[i] = names->v[--names->n];
        return;
    }
    if (inode) vec_push(names, (Name){str_dup_cstr(str_cstr(path)), inode});
}

void fault_names_done(NameVec *names) {
    vec_foreach(Name, n, names) {
        mem_free(n->path);
        inode_unref(n->inode);
    }
    vec_done(names);
}

static Str parent_of(const char *path) {
    Str s = str_cstr(path);
    size_t slash = str_rfind_char(s, '/');
    if (slash == SIZE_MAX) return STR(".");
    return slash == 0 ? STR("/") : str_slice(s, 0, slash);
}

static void journal(FaultFs *f, const char *path, Inode *inode) {
    if (inode) inode->refs++;
    vec_push(&f->journal, (Change){str_dup_cstr(str_cstr(path)), inode});
}

/* The visible change now, the durable one later. inode NULL: the name goes. */
static void change_name(FaultFs *f, const char *path, Inode *inode) {
    fault_names_set(&f->now, path, inode);
    journal(f, path, inode);
}

static bool dir_exists(const FaultFs *f, Str dir) {
    if (str_eq_lit(dir, ".") || str_eq_lit(dir, "/")) return true;
    for (size_t i = 0; i < f->dirs.n; i++)
        if (str_eq(str_cstr(f->dirs.v[i]), dir)) return true;
    return false;
}

static ErrCode not_found(const char *step, const char *path, Err *reterr) {
    return err_set(reterr, ERR_NOT_FOUND, "%s %s: no such file or directory", step, path);
}

/* --- files --- */

static ErrCode stale(FaultFile *f, const char *step, Err *reterr) {
    if (f->epoch == f->owner->epoch) return OK;
    return err_set(reterr, ERR_IO, "%s %s: the file was open during a crash", step, f->path);
}

static ErrCode open_locked(FaultFs *f, const char *path, FileMode mode, File **ret, Err *reterr) {
    Inode *inode = fault_lookup(&f->now, path);
    if (dir_exists(f, str_cstr(path))) return err_set(reterr, ERR_IO, "open %s: is a directory", path);
    if (inode && mode == FILE_CREATE_NEW) return err_set(reterr, ERR_CONFLICT, "open %s: file exists", path);
    bool creates = mode == FILE_CREATE_NEW || mode == FILE_APPEND;
    if (!inode && !creates) return not_found("open", path, reterr);
    if (!inode && !dir_exists(f, parent_of(path))) return not_found("open", path, reterr);
    if (!inode) {
        ErrCode rc = mutate_simple(f, "create", path, reterr);
        if (rc != OK) return rc;
        inode = NEW(Inode);
        change_name(f, path, inode);
    }
    inode->refs++;
    FaultFile *file = NEW(FaultFile);
    *file =
        (FaultFile){.base = {&f->base}, .owner = f, .inode = inode, .epoch = f->epoch, .writable = mode != FILE_READ};
    file->path = str_dup_cstr(str_cstr(path));
    *ret = &file->base;
    return OK;
}

static ErrCode fault_open(Fs *fs, const char *path, FileMode mode, File **ret, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    ErrCode rc = open_locked(f, path, mode, ret, reterr);
    mutex_unlock(&f->mutex);
    return rc;
}

static void mark_dirty(Inode *n, uint64_t from, uint64_t to) {
    size_t sectors = (size_t)((to + FAULT_SECTOR - 1) / FAULT_SECTOR);
    while (n->dirty.n < sectors) vec_push(&n->dirty, 0);
    for (size_t s = (size_t)(from / FAULT_SECTOR); s < sectors; s++) n->dirty.v[s] = 1;
}

static void put_bytes(FaultFs *f, Inode *n, uint64_t offset, Str data) {
    if (data.n == 0) return;
    uint64_t end = offset + data.n;
    if (end > n->now.n) {
        buf_reserve(&n->now, (size_t)end - n->now.n);
        memset(n->now.p + n->now.n, 0, (size_t)end - n->now.n);
        f->used += end - n->now.n;
        n->now.n = (size_t)end;
    }
    memcpy(n->now.p + offset, data.p, data.n);
    mark_dirty(n, offset, end);
}

static ErrCode write_locked(FaultFile *file, uint64_t offset, Str data, Err *reterr) {
    FaultFs *f = file->owner;
    ErrCode rc = stale(file, "write", reterr);
    if (rc != OK) return rc;
    ASSERT(file->writable);
    FaultKind kind = mutate(f);
    if (kind == FAULT_SHORT_WRITE)
        put_bytes(f, file->inode, offset, str_slice(data, 0, (size_t)(rng_u64(&f->rng) % (data.n + 1))));
    if (kind != FAULT_NONE) return injected(kind, "write", file->path, reterr);
    uint64_t grows = offset + data.n > file->inode->now.n ? offset + data.n - file->inode->now.n : 0;
    if (f->capacity && f->used + grows > f->capacity) {
        uint64_t room = f->capacity > f->used ? f->capacity - f->used : 0, fits = data.n - MIN(grows - room, data.n);
        put_bytes(f, file->inode, offset, str_slice(data, 0, (size_t)fits));
        return err_set(reterr, ERR_NO_SPACE, "write %s: no space left on device", file->path);
    }
    put_bytes(f, file->inode, offset, data);
    return OK;
}

static ErrCode fault_write_at(File *base, uint64_t offset, Str data, Err *reterr) {
    FaultFile *file = file_of(base);
    mutex_lock(&file->owner->mutex);
    ErrCode rc = write_locked(file, offset, data, reterr);
    mutex_unlock(&file->owner->mutex);
    return rc;
}

static ErrCode fault_write(File *base, Str data, Err *reterr) {
    FaultFile *file = file_of(base);
    mutex_lock(&file->owner->mutex);
    ErrCode rc = write_locked(file, file->inode->now.n, data, reterr);
    mutex_unlock(&file->owner->mutex);
    return rc;
}

static ErrCode fault_read_at(File *base, uint64_t offset, void *buf, size_t n, size_t *ret_n, Err *reterr) {
    FaultFile *file = file_of(base);
    mutex_lock(&file->owner->mutex);
    ErrCode rc = stale(file, "read", reterr);
    size_t have = offset < file->inode->now.n ? file->inode->now.n - (size_t)offset : 0;
    *ret_n = MIN(n, have);
    if (rc == OK && *ret_n > 0) memcpy(buf, file->inode->now.p + offset, *ret_n);
    mutex_unlock(&file->owner->mutex);
    return rc;
}

static ErrCode fault_sync(File *base, Err *reterr) {
    FaultFile *file = file_of(base);
    FaultFs *f = file->owner;
    mutex_lock(&f->mutex);
    ErrCode rc = stale(file, "sync", reterr);
    if (rc == OK) {
        FaultKind kind = mutate(f);
        fault_inode_sync(f, file->inode, kind != FAULT_NONE);
        if (kind != FAULT_NONE) rc = injected(kind, "sync", file->path, reterr);
    }
    mutex_unlock(&f->mutex);
    return rc;
}

static ErrCode fault_truncate(File *base, uint64_t size, Err *reterr) {
    FaultFile *file = file_of(base);
    FaultFs *f = file->owner;
    mutex_lock(&f->mutex);
    ErrCode rc = stale(file, "truncate", reterr);
    if (rc == OK) rc = mutate_simple(f, "truncate", file->path, reterr);
    if (rc == OK) {
        Inode *n = file->inode;
        uint64_t old = n->now.n;
        if (size < old) {
            f->used -= old - size;
            n->now.n = (size_t)size;
        } else if (size > old) {
            buf_reserve(&n->now, (size_t)(size - old));
            memset(n->now.p + old, 0, (size_t)(size - old));
            f->used += size - old;
            n->now.n = (size_t)size;
            mark_dirty(n, old, size);
        }
    }
    mutex_unlock(&f->mutex);
    return rc;
}

static uint64_t fault_size(File *base) {
    FaultFile *file = file_of(base);
    mutex_lock(&file->owner->mutex);
    uint64_t n = file->inode->now.n;
    mutex_unlock(&file->owner->mutex);
    return n;
}

static void fault_close(File *base) {
    FaultFile *file = file_of(base);
    FaultFs *f = file->owner;
    mutex_lock(&f->mutex);
    if (file->holds_lock && file->epoch == f->epoch) file->inode->locked = false;
    inode_unref(file->inode);
    mutex_unlock(&f->mutex);
    mem_free(file->path);
    mem_free(file);
}

/* --- the rest of the interface --- */

static ErrCode fault_map(Fs *fs, const char *path, FileView *ret, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    const Inode *n = fault_lookup(&f->now, path);
    ErrCode rc = n ? OK : not_found("open", path, reterr);
    if (n) {
        char *copy = mem_alloc(MAX(n->now.n, 1));
        if (n->now.n) memcpy(copy, n->now.p, n->now.n);
        *ret = (FileView){.bytes = {copy, n->now.n}, .impl = copy};
    }
    mutex_unlock(&f->mutex);
    return rc;
}

static void fault_unload(Fs *fs ATTR_UNUSED, const FileView *view ATTR_UNUSED) {}

static void fault_unmap(Fs *fs ATTR_UNUSED, FileView *view) {
    mem_free(view->impl);
    *view = (FileView){0};
}

static ErrCode fault_rename(Fs *fs, const char *from, const char *to, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    Inode *n = fault_lookup(&f->now, from);
    ErrCode rc = n ? mutate_simple(f, "rename", from, reterr) : not_found("rename", from, reterr);
    if (rc == OK && strcmp(from, to) != 0) {
        Inode *replaced = fault_lookup(&f->now, to);
        if (replaced) f->used -= replaced->now.n;
        n->refs++;
        change_name(f, to, n); /* one change on disk: both names for a moment, never none */
        change_name(f, from, NULL);
        n->refs--;
    }
    mutex_unlock(&f->mutex);
    return rc;
}

static ErrCode remove_dir(FaultFs *f, const char *path, Err *reterr) {
    Str dir = str_cstr(path);
    for (size_t i = 0; i < f->now.n; i++)
        if (str_eq(parent_of(f->now.v[i].path), dir))
            return err_set(reterr, ERR_CONFLICT, "remove %s: directory not empty", path);
    for (size_t i = 0; i < f->dirs.n; i++)
        if (str_eq(parent_of(f->dirs.v[i]), dir))
            return err_set(reterr, ERR_CONFLICT, "remove %s: directory not empty", path);
    for (size_t i = 0; i < f->dirs.n; i++) {
        if (strcmp(f->dirs.v[i], path) != 0) continue;
        mem_free(f->dirs.v[i]);
        f->dirs.v[i] = f->dirs.v[--f->dirs.n];
        break;
    }
    return OK;
}

static ErrCode fault_link(Fs *fs, const char *from, const char *to, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    Inode *n = fault_lookup(&f->now, from);
    ErrCode rc = n ? mutate_simple(f, "link", from, reterr) : not_found("link", from, reterr);
    if (rc == OK && fault_lookup(&f->now, to)) rc = err_set(reterr, ERR_CONFLICT, "link %s: it exists", to);
    if (rc == OK) change_name(f, to, n);
    mutex_unlock(&f->mutex);
    return rc;
}

static ErrCode fault_remove(Fs *fs, const char *path, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    const Inode *n = fault_lookup(&f->now, path);
    bool dir = dir_exists(f, str_cstr(path));
    ErrCode rc = n || dir ? mutate_simple(f, "remove", path, reterr) : not_found("remove", path, reterr);
    if (rc == OK && n) {
        f->used -= n->now.n;
        change_name(f, path, NULL);
    } else if (rc == OK) {
        rc = remove_dir(f, path, reterr);
    }
    mutex_unlock(&f->mutex);
    return rc;
}

static void add_dir(FaultFs *f, Str dir) {
    if (dir_exists(f, dir)) return;
    char *path = str_dup_cstr(dir);
    Str parent = parent_of(path);
    add_dir(f, parent);
    vec_push(&f->dirs, path);
}

static ErrCode fault_make_dir(Fs *fs, const char *path, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    ErrCode rc = OK;
    if (!dir_exists(f, str_cstr(path))) rc = mutate_simple(f, "create directory", path, reterr);
    if (rc == OK) add_dir(f, str_cstr(path));
    mutex_unlock(&f->mutex);
    return rc;
}

static ErrCode fault_sync_dir(Fs *fs, const char *path, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    ErrCode rc = mutate_simple(f, "sync", path, reterr);
    if (rc == OK && !dir_exists(f, str_cstr(path))) rc = not_found("sync", path, reterr);
    if (rc == OK) fault_journal_apply(f, str_cstr(path));
    mutex_unlock(&f->mutex);
    return rc;
}

typedef struct Listed {
    char *name;
    bool is_dir;
    uint64_t size_bytes;
} Listed;

static ErrCode fault_list(Fs *fs, const char *path, FsListFn fn, void *ctx, Err *reterr) {
    FaultFs *f = fault_of(fs);
    VEC(Listed) found = {0};
    Str dir = str_cstr(path);
    mutex_lock(&f->mutex);
    bool exists = dir_exists(f, dir);
    for (size_t i = 0; i < f->now.n; i++) {
        if (!str_eq(parent_of(f->now.v[i].path), dir)) continue;
        const char *slash = strrchr(f->now.v[i].path, '/');
        char *name = str_dup_cstr(str_cstr(slash ? slash + 1 : f->now.v[i].path));
        vec_push(&found, (Listed){name, false, f->now.v[i].inode->now.n});
    }
    for (size_t i = 0; i < f->dirs.n; i++) {
        if (!str_eq(parent_of(f->dirs.v[i]), dir)) continue;
        const char *slash = strrchr(f->dirs.v[i], '/');
        char *name = str_dup_cstr(str_cstr(slash ? slash + 1 : f->dirs.v[i]));
        vec_push(&found, (Listed){name, true, 0});
    }
    mutex_unlock(&f->mutex);
    bool more = true;
    vec_foreach(Listed, l, &found) {
        if (more) more = fn(ctx, str_cstr(l->name), l->is_dir, l->size_bytes);
        mem_free(l->name);
    }
    vec_done(&found);
    return exists ? OK : not_found("list", path, reterr);
}

static ErrCode fault_usage(Fs *fs, const char *path ATTR_UNUSED, FsUsage *ret, Err *reterr ATTR_UNUSED) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    uint64_t total = f->capacity ? f->capacity : UINT64_C(1) << 40;
    uint64_t left = total > f->used ? total - f->used : 0;
    *ret = (FsUsage){.total_bytes = total, .free_bytes = left, .unused_bytes = left};
    mutex_unlock(&f->mutex);
    return OK;
}

static bool fault_exists(Fs *fs, const char *path) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    bool yes = fault_lookup(&f->now, path) || dir_exists(f, str_cstr(path));
    mutex_unlock(&f->mutex);
    return yes;
}

static ErrCode fault_lock(Fs *fs, const char *path, File **ret, Err *reterr) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    File *base;
    ErrCode rc = open_locked(f, path, FILE_APPEND, &base, reterr);
    bool taken = rc == OK && file_of(base)->inode->locked;
    if (rc == OK && !taken) {
        file_of(base)->inode->locked = true;
        file_of(base)->holds_lock = true;
        *ret = base;
    }
    mutex_unlock(&f->mutex);
    if (!taken) return rc;
    fault_close(base);
    return err_set(reterr, ERR_CONFLICT, "%s is locked by another process (pid %d)", path, process_pid());
}

static const FsOps fault_ops = {
    .open = fault_open,
    .write = fault_write,
    .write_at = fault_write_at,
    .read_at = fault_read_at,
    .sync = fault_sync,
    .truncate = fault_truncate,
    .size = fault_size,
    .close = fault_close,
    .map = fault_map,
    .unmap = fault_unmap,
    .unload = fault_unload,
    .rename = fault_rename,
    .link = fault_link,
    .remove = fault_remove,
    .make_dir = fault_make_dir,
    .sync_dir = fault_sync_dir,
    .list = fault_list,
    .usage = fault_usage,
    .exists = fault_exists,
    .lock = fault_lock,
};

Fs *fs_fault_create(uint64_t seed) {
    FaultFs *f = NEW(FaultFs);
    f->base.ops = &fault_ops;
    mutex_init(&f->mutex);
    rng_seed(&f->rng, seed);
    return &f->base;
}

Fs *fs_fault_free(Fs *fs) {
    if (!fs) return NULL;
    FaultFs *f = fault_of(fs);
    ASSERT(fs->ops == &fault_ops);
    fault_journal_clear(f);
    vec_done(&f->journal);
    fault_names_done(&f->now);
    fault_names_done(&f->disk);
    for (size_t i = 0; i < f->dirs.n; i++) mem_free(f->dirs.v[i]);
    vec_done(&f->dirs);
    mutex_done(&f->mutex);
    mem_free(f);
    return NULL;
}
