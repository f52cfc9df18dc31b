/* backup.c - writing a staged copy to its destination, and restoring from there. */
#include "storage/backup.h"

#include "base/map.h"
#include "storage/backup_int.h"
#include "sys/random.h"

#include <stdio.h>

#define TAIL_BYTES 64 /* of a part: its trailer holds a checksum of all the rest */

/* --- what is there already --- */
typedef struct Scan {
    bool other;
    size_t n;
} Scan;

static bool look(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Scan *s = ctx;
    (void)size_bytes;
    s->n++;
    if (!(is_dir && str_eq_lit(name, "files")) && !str_eq_lit(name, "MANIFEST") && !str_eq_lit(name, "MANIFEST.tmp") &&
        !str_eq_lit(name, "LOCK"))
        s->other = true;
    return true;
}

/* An interrupted first backup leaves "files" without a manifest: that is ours, too. */
static ErrCode open_destination(const BackupJob *job, BackupManifest *ret_old, Err *reterr) {
    Scan s = {0};
    *ret_old = (BackupManifest){0};
    ErrCode code = job->fs->ops->make_dir(job->fs, job->to, reterr);
    if (code == OK) code = job->fs->ops->list(job->fs, job->to, look, &s, reterr);
    if (code != OK) return code;
    if (s.other) {
        code = err_set(reterr, ERR_CONFLICT, "%s is not empty and holds no backup", job->to);
        err_hint(reterr, "give an empty or new directory, or one that an earlier backup was made to");
        return code;
    }
    code = backup_manifest_read(job->fs, job->to, ret_old, reterr);
    if (code == ERR_CORRUPT) err_hint(reterr, "the backup there is damaged: make a new one in another directory");
    if (code != ERR_NOT_FOUND) return code;
    *ret_old = (BackupManifest){.arena = arena_create(ARENA_UNLIMITED)};
    return OK;
}

static bool read_tail(Fs *fs, const char *path, uint64_t size, char out[TAIL_BYTES]) {
    File *f;
    size_t n = 0;
    if (size < TAIL_BYTES || fs_open(fs, path, FILE_READ, &f, NULL) != OK) return false;
    bool ok = file_size(f) == size && file_read_at(f, size - TAIL_BYTES, out, TAIL_BYTES, &n, NULL) == OK;
    file_close(f);
    return ok && n == TAIL_BYTES;
}

/* Whether the destination has this part from an earlier backup. */
static bool is_there(const BackupJob *job, const BackupFile *f, const BackupFile *old) {
    char from[FS_PATH_MAX], to[FS_PATH_MAX], a[TAIL_BYTES], b[TAIL_BYTES];
    if (!old || old->size != f->size || !str_ends_with(f->path, STR(".mkp"))) return false;
    if (backup_join(from, job->from, f->path, NULL) != OK || backup_join(to, job->to, old->stored, NULL) != OK)
        return false;
    return read_tail(job->fs, from, f->size, a) && read_tail(job->fs, to, f->size, b) && memcmp(a, b, TAIL_BYTES) == 0;
}

/* --- writing --- */
typedef struct Writing {
    const BackupJob *job;
    BackupManifest files, old;
    Map *old_by_path; /* path -> index in old */
    bool *kept;       /* per file: nothing to copy */
    BackupResult *result;
} Writing;

static void plan(Writing *w, uint64_t *ret_bytes) {
    char suffix[24];
    snprintf(suffix, sizeof suffix, "%016llx", (unsigned long long)random_u64());
    *ret_bytes = 0;
    for (size_t i = 0; i < w->files.files.n; i++) {
        BackupFile *f = &w->files.files.v[i];
        const uint64_t *at = map_get(w->old_by_path, f->path);
        const BackupFile *old = at ? &w->old.files.v[*at] : NULL;
        w->kept[i] = is_there(w->job, f, old);
        if (w->kept[i]) {
            f->stored = arena_copy(w->files.arena, old->stored);
            f->crc = old->crc;
        } else { /* never over a file that the manifest in force names */
            f->stored = arena_printf(w->files.arena, "files/%.*s.%s", (int)f->path.n, f->path.p, suffix);
            *ret_bytes += f->size;
        }
        w->result->files++;
        w->result->bytes += f->size;
    }
}

static ErrCode copy_all(Writing *w, uint64_t total, Err *reterr) {
    uint64_t done = 0;
    ErrCode code = OK;
    for (size_t i = 0; i < w->files.files.n && code == OK; i++) {
        BackupFile *f = &w->files.files.v[i];
        char from[FS_PATH_MAX], to[FS_PATH_MAX], dir[FS_PATH_MAX];
        if (w->kept[i]) continue;
        code = backup_join(from, w->job->from, f->path, reterr);
        if (code == OK) code = backup_join(to, w->job->to, f->stored, reterr);
        uint64_t before = done;
        if (code == OK) code = backup_copy_file(w->job, from, to, &done, total, &f->crc, reterr);
        if (code != OK) break;
        f->size = done - before;
        backup_parent(dir, to);
        code = w->job->fs->ops->sync_dir(w->job->fs, dir, reterr);
        w->result->copied_files++;
        w->result->copied_bytes += f->size;
    }
    return code;
}

/* Files of "files" that the manifest in force does not name: left by interrupted or earlier backups. */
static void remove_unnamed(const BackupJob *job, const BackupManifest *m) {
    char dir[FS_PATH_MAX], path[FS_PATH_MAX];
    BackupManifest there;
    Map *named = map_create(MAP_BORROW_KEYS);
    vec_foreach(const BackupFile, f, &m->files)(void) map_put(named, f->stored, NULL);
    fs_path_join(dir, job->to, "files");
    if (backup_walk(job->fs, dir, &there, NULL) == OK) {
        vec_foreach(const BackupFile, f, &there.files) {
            Str stored = arena_printf(there.arena, "files/%.*s", (int)f->path.n, f->path.p);
            if (!map_get(named, stored) && backup_join(path, job->to, stored, NULL) == OK)
                (void)job->fs->ops->remove(job->fs, path, NULL);
        }
        manifest_done(&there);
    }
    map_free(named);
}

static ErrCode write_locked(Writing *w, int64_t now_ms, Err *reterr) {
    uint64_t total;
    ErrCode code = backup_walk(w->job->fs, w->job->from, &w->files, reterr);
    if (code != OK) return code;
    w->kept = mem_alloc_zero(MAX(w->files.files.n, 1) * sizeof *w->kept);
    w->old_by_path = map_create(MAP_BORROW_KEYS);
    for (size_t i = 0; i < w->old.files.n; i++) *map_put(w->old_by_path, w->old.files.v[i].path, NULL) = i;
    plan(w, &total);
    code = copy_all(w, total, reterr);
    w->files.created_ms = now_ms;
    if (code == OK) code = backup_manifest_write(w->job->fs, w->job->to, &w->files, reterr);
    if (code == OK) remove_unnamed(w->job, &w->files);
    map_free(w->old_by_path);
    mem_free(w->kept);
    manifest_done(&w->files);
    return code;
}

ErrCode backup_write(const BackupJob *job, int64_t now_ms, BackupResult *ret, Err *reterr) {
    Writing w = {.job = job, .result = ret};
    char path[FS_PATH_MAX];
    File *lock;
    *ret = (BackupResult){0};
    ErrCode code = open_destination(job, &w.old, reterr);
    if (code != OK) return code;
    fs_path_join(path, job->to, "LOCK");
    code = job->fs->ops->lock(job->fs, path, &lock, reterr);
    if (code == ERR_CONFLICT) err_hint(reterr, "another backup to this directory is running");
    if (code == OK) {
        code = write_locked(&w, now_ms, reterr);
        file_close(lock);
    }
    manifest_done(&w.old);
    return code;
}

/* --- restoring --- */
static bool count_entry(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    (void)name;
    (void)is_dir;
    (void)size_bytes;
    ++*(size_t *)ctx;
    return false;
}

static ErrCode check_target(const BackupJob *job, Err *reterr) {
    size_t n = 0;
    if (!job->fs->ops->exists(job->fs, job->to)) return OK;
    ErrCode code = job->fs->ops->list(job->fs, job->to, count_entry, &n, reterr);
    if (code != OK || n == 0) return code;
    code = err_set(reterr, ERR_CONFLICT, "%s is not empty: nothing is overwritten", job->to);
    err_hint(reterr, "move it away, or give another --data-dir");
    return code;
}

static ErrCode restore_file(
    const BackupJob *job, const char *dir, const BackupFile *f, uint64_t *done, uint64_t total, Err *reterr) {
    char from[FS_PATH_MAX], to[FS_PATH_MAX], parent[FS_PATH_MAX];
    uint32_t crc;
    uint64_t before = *done;
    ErrCode code = backup_join(from, job->from, f->stored, reterr);
    if (code == OK) code = backup_join(to, dir, f->path, reterr);
    if (code == OK) code = backup_copy_file(job, from, to, done, total, &crc, reterr);
    if (code == ERR_NOT_FOUND) return err_set(reterr, ERR_CORRUPT, "%s is missing from the backup", from);
    if (code != OK) return code;
    if (*done - before != f->size || crc != f->crc)
        return err_set(reterr, ERR_CORRUPT, "%s is damaged: its checksum is not that of the manifest", from);
    backup_parent(parent, to);
    return job->fs->ops->sync_dir(job->fs, parent, reterr);
}

static ErrCode restore_files(
    const BackupJob *job, const char *dir, const BackupManifest *m, BackupResult *ret, Err *reterr) {
    uint64_t done = 0, total = 0;
    ErrCode code = job->fs->ops->make_dir(job->fs, dir, reterr);
    vec_foreach(const BackupFile, f, &m->files) total += f->size;
    for (size_t i = 0; i < m->files.n && code == OK; i++) {
        code = restore_file(job, dir, &m->files.v[i], &done, total, reterr);
        ret->copied_files++;
    }
    ret->files = m->files.n;
    ret->bytes = ret->copied_bytes = total;
    return code;
}

ErrCode backup_restore(const BackupJob *job, BackupResult *ret, Err *reterr) {
    char dir[FS_PATH_MAX], parent[FS_PATH_MAX];
    BackupManifest m;
    *ret = (BackupResult){0};
    Str to = str_cstr(job->to);
    while (to.n > 1 && to.p[to.n - 1] == '/') to = str_slice(to, 0, to.n - 1);
    if (snprintf(dir, sizeof dir, "%.*s.restoring", (int)to.n, to.p) >= (int)sizeof dir)
        return err_set(reterr, ERR_INVALID, "the data directory's path is too long");
    ErrCode code = check_target(job, reterr);
    if (code == OK) code = backup_manifest_read(job->fs, job->from, &m, reterr);
    if (code == ERR_NOT_FOUND) err_hint(reterr, "is %.200s the directory of a backup?", job->from);
    if (code != OK) return code;
    if (job->fs->ops->exists(job->fs, dir)) code = fs_remove_tree(job->fs, dir, reterr); /* of an interrupted one */
    if (code == OK) code = restore_files(job, dir, &m, ret, reterr);
    if (code == OK) code = job->fs->ops->rename(job->fs, dir, job->to, reterr);
    if (code != OK) (void)fs_remove_tree(job->fs, dir, NULL);
    Str slash = str_of(dir, str_rfind_char(str_cstr(dir), '/'));
    snprintf(parent, sizeof parent, "%s", slash.n == SIZE_MAX ? "." : "/");
    if (slash.n != SIZE_MAX && slash.n > 0) snprintf(parent, sizeof parent, "%.*s", (int)slash.n, slash.p);
    if (code == OK) code = job->fs->ops->sync_dir(job->fs, parent, reterr);
    manifest_done(&m);
    return code;
}
