/* backup_stage.c - a frozen copy of a data directory in use, by the order in which things are taken. */
#include "storage/backup_int.h"
#include "storage/wal.h"

#include <stdio.h>
#include <stdlib.h>

#define PARTS_MANIFEST_MAX ((size_t)256 << 20)
#define MANIFEST_TRIES 1000

typedef struct Stage {
    Fs *fs;
    const char *data_dir, *stage;
    BackupDbFn copy_db;
    void *ctx;
    bool *is_last_segment; /* per file */
} Stage;

static bool is_part(Str path) { return str_ends_with(path, STR(".mkp")); }
static bool is_manifest(Str path) { return str_ends_with(path, STR("parts/MANIFEST")); }

static bool is_segment(Str path) {
    size_t slash = str_rfind_char(path, '/');
    Str name = slash == SIZE_MAX ? path : str_skip(path, slash + 1);
    return str_starts_with(name, STR("wal-")) && str_ends_with(name, STR(".log"));
}

static Str dir_of(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? STR_NULL : str_slice(path, 0, slash);
}

/* What a running server needs for itself, or can make again. */
static bool is_left_out(Str path) {
    static const Str tops[] = {STR_INIT("LOCK"), STR_INIT(BACKUP_STAGE_DIR), STR_INIT("snapshots")};
    size_t slash = str_find_char(path, '/');
    Str top = slash == SIZE_MAX ? path : str_slice(path, 0, slash);
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        if (str_eq(top, tops[i])) return true;
    }
    return (slash == SIZE_MAX && str_starts_with(path, STR("crash-"))) || str_ends_with(path, STR(".tmp")) ||
           str_ends_with(path, STR(".bad")) || str_ends_with(path, STR(".db-wal")) ||
           str_ends_with(path, STR(".db-shm"));
}

/* Of a log that is being written only what was there at one moment: zeros, and behind them frames that came meanwhile,
 * would look like damage. */
static uint64_t copy_limit(Fs *fs, const char *path) {
    char dir[FS_PATH_MAX];
    backup_parent(dir, path);
    return is_segment(str_cstr(path)) ? wal_copy_bytes(fs, dir, str_cstr(path + strlen(dir) + 1)) : 0;
}

static ErrCode copy_bytes(Stage *s, const char *from, const char *to, Err *reterr) {
    BackupJob job = {.fs = s->fs, .bytes_max = copy_limit(s->fs, from)};
    uint64_t done = 0;
    uint32_t crc;
    return backup_copy_file(&job, from, to, &done, 0, &crc, reterr);
}

/* A file that is gone by now was merged, expired or rotated away: what it held is found in what is taken later. */
static ErrCode take(Stage *s, Str path, bool by_link, Err *reterr) {
    char from[FS_PATH_MAX], to[FS_PATH_MAX];
    Err err = {0};
    ErrCode code = backup_join(from, s->data_dir, path, &err);
    if (code == OK) code = backup_join(to, s->stage, path, &err);
    if (code == OK) code = backup_make_parent(s->fs, to, &err);
    if (code == OK && by_link) {
        code = s->fs->ops->link(s->fs, from, to, &err);
        if (code == ERR_CONFLICT) code = OK; /* taken in an earlier round */
        if (code == ERR_UNSUPPORTED) code = copy_bytes(s, from, to, &err);
    } else if (code == OK && str_ends_with(path, STR(".db"))) {
        code = s->copy_db ? s->copy_db(s->ctx, from, to, &err) : copy_bytes(s, from, to, &err);
    } else if (code == OK) {
        code = copy_bytes(s, from, to, &err);
    }
    return code == OK || code == ERR_NOT_FOUND ? OK : err_set(reterr, code, "%s", err.msg);
}

/* The newest segment of each log is still written to: its bytes so far are copied; the others never change again. */
static void mark_last_segments(Stage *s, const BackupManifest *m) {
    for (size_t i = 0; i < m->files.n; i++) {
        Str path = m->files.v[i].path;
        bool next_is_newer = i + 1 < m->files.n && is_segment(m->files.v[i + 1].path) &&
                             str_eq(dir_of(m->files.v[i + 1].path), dir_of(path));
        s->is_last_segment[i] = is_segment(path) && !next_is_newer;
    }
}

/* --- parts: those the manifest lists, which may change while links are made --- */
static ErrCode read_manifest(Stage *s, Str path, Buf *out, Err *reterr) {
    char file[FS_PATH_MAX];
    buf_clear(out);
    ErrCode code = backup_join(file, s->data_dir, path, reterr);
    return code == OK ? fs_read_file(s->fs, file, PARTS_MANIFEST_MAX, out, reterr) : code;
}

typedef struct PartNames {
    VEC(Str) v;
    Arena *arena;
} PartNames;

static bool note_part(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    PartNames *p = ctx;
    (void)size_bytes;
    if (!is_dir && is_part(name)) vec_push(&p->v, arena_copy(p->arena, name));
    return true;
}

static ErrCode link_parts(Stage *s, Str dir, Err *reterr) {
    char path[FS_PATH_MAX];
    PartNames names = {.arena = arena_create(ARENA_UNLIMITED)};
    ErrCode code = backup_join(path, s->data_dir, dir, reterr);
    if (code == OK) code = s->fs->ops->list(s->fs, path, note_part, &names, reterr);
    for (size_t i = 0; i < names.v.n && code == OK; i++) {
        Str rel = arena_printf(names.arena, "%.*s/%.*s", (int)dir.n, dir.p, (int)names.v.v[i].n, names.v.v[i].p);
        code = take(s, rel, true, reterr);
    }
    vec_done(&names.v);
    arena_free(names.arena);
    return code;
}

/* When the manifest is the same before and after, all its parts were there in between. Parts it does not list are
 * removed when the copy is opened. */
static ErrCode take_parts(Stage *s, Str manifest, Err *reterr) {
    Buf before = {0}, after = {0};
    ErrCode code = read_manifest(s, manifest, &before, reterr);
    bool same = false;
    for (int i = 0; i < MANIFEST_TRIES && code == OK && !same; i++) {
        code = link_parts(s, dir_of(manifest), reterr);
        if (code == OK) code = read_manifest(s, manifest, &after, reterr);
        same = str_eq(buf_str(&before), buf_str(&after));
        Buf swap = before;
        before = after;
        after = swap;
    }
    if (code == OK && !same) code = err_set(reterr, ERR_UNAVAILABLE, "the parts change faster than they can be linked");
    char to[FS_PATH_MAX];
    if (code == OK) code = backup_join(to, s->stage, manifest, reterr);
    if (code == OK) code = backup_make_parent(s->fs, to, reterr);
    if (code == OK) code = fs_write_file_atomic(s->fs, to, buf_str(&before), reterr);
    buf_done(&before);
    buf_done(&after);
    return code;
}

static ErrCode stage_all(Stage *s, const BackupManifest *m, Err *reterr) {
    ErrCode code = OK;
    for (size_t i = 0; i < m->files.n && code == OK; i++) {
        Str path = m->files.v[i].path;
        if (!is_left_out(path) && is_segment(path)) code = take(s, path, !s->is_last_segment[i], reterr);
    }
    for (size_t i = 0; i < m->files.n && code == OK; i++) {
        Str path = m->files.v[i].path;
        if (!is_left_out(path) && !is_segment(path) && !is_part(path) && !is_manifest(path))
            code = take(s, path, false, reterr);
    }
    for (size_t i = 0; i < m->files.n && code == OK; i++) {
        Str path = m->files.v[i].path;
        if (!is_left_out(path) && is_manifest(path)) code = take_parts(s, path, reterr);
    }
    return code;
}

ErrCode backup_stage(Fs *fs, const char *data_dir, const char *stage, BackupDbFn copy_db, void *ctx, Err *reterr) {
    Stage s = {.fs = fs, .data_dir = data_dir, .stage = stage, .copy_db = copy_db, .ctx = ctx};
    BackupManifest m;
    if (fs->ops->exists(fs, stage)) return err_set(reterr, ERR_CONFLICT, "%s exists", stage);
    ErrCode code = backup_walk(fs, data_dir, &m, reterr);
    if (code != OK) return code;
    s.is_last_segment = mem_alloc_zero(MAX(m.files.n, 1) * sizeof *s.is_last_segment);
    mark_last_segments(&s, &m);
    code = fs->ops->make_dir(fs, stage, reterr);
    if (code == OK) code = stage_all(&s, &m, reterr);
    if (code != OK) (void)fs_remove_tree(fs, stage, NULL);
    mem_free(s.is_last_segment);
    manifest_done(&m);
    return code;
}
