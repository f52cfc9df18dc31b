/* backup_file.c - the manifest of a backup, walking directories, copying files. */
#include "base/json.h"
#include "codec/crc.h"
#include "storage/backup_int.h"

#include <stdio.h>
#include <stdlib.h>

#define MANIFEST_MAX ((size_t)1 << 30)
#define MAGIC "meerkat-backup 1 crc32c="
#define COPY_BYTES ((size_t)1 << 20)
#define DEPTH_MAX 16

void manifest_done(BackupManifest *m) {
    vec_done(&m->files);
    m->arena = arena_free(m->arena);
}

ErrCode backup_join(char out[FS_PATH_MAX], const char *dir, Str rel, Err *reterr) {
    if (snprintf(out, FS_PATH_MAX, "%s/%.*s", dir, (int)rel.n, rel.p) < FS_PATH_MAX) return OK;
    return err_set(reterr, ERR_TOO_LARGE, "a path below %s is too long", dir);
}

/* --- manifest --- */
/* What stands in a manifest may not lead out of the directory. */
static bool is_safe(Str path) {
    Str rest = path, part;
    if (path.n == 0 || path.n > FS_PATH_MAX / 2 || memchr(path.p, 0, path.n)) return false;
    while (str_split_next(&rest, '/', &part)) {
        if (part.n == 0 || str_eq_lit(part, ".") || str_eq_lit(part, "..")) return false;
    }
    return true;
}

static bool read_file(const JsonValue *v, BackupManifest *m) {
    BackupFile f = {.path = json_get_str(v, STR("path")), .stored = json_get_str(v, STR("stored"))};
    int64_t size, crc;
    if (!json_get_i64(v, STR("size"), &size) || !json_get_i64(v, STR("crc32c"), &crc) || size < 0 || crc < 0)
        return false;
    f.size = (uint64_t)size;
    f.crc = (uint32_t)crc;
    if (crc > UINT32_MAX || !is_safe(f.path) || !is_safe(f.stored)) return false;
    vec_push(&m->files, f);
    return true;
}

static ErrCode parse(Str text, BackupManifest *m, Err *reterr) {
    JsonValue *root;
    unsigned long sum = 0;
    size_t line = str_find_char(text, '\n'), head = sizeof MAGIC - 1;
    if (line == SIZE_MAX || line != head + 8 || !str_starts_with(text, STR(MAGIC)))
        return err_set(reterr, ERR_CORRUPT, "this is no manifest of a backup");
    for (size_t i = head; i < line; i++) {
        const char *digit = strchr("0123456789abcdef", text.p[i]);
        if (!text.p[i] || !digit) return err_set(reterr, ERR_CORRUPT, "this is no manifest of a backup");
        sum = sum << 4 | (unsigned long)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
    }
    Str body = str_skip(text, line + 1);
    if (crc32c(0, body.p, body.n) != sum) return err_set(reterr, ERR_CORRUPT, "the manifest's checksum is wrong");
    ErrCode code = json_parse(arena_copy(m->arena, body), m->arena, &root, reterr);
    if (code != OK) return code;
    const JsonValue *files = json_get(root, STR("files"));
    bool ok = json_get_i64(root, STR("created_ms"), &m->created_ms) && files && files->kind == JSON_K_ARRAY;
    for (const JsonValue *v = ok ? files->first : NULL; v && ok; v = v->next) ok = read_file(v, m);
    return ok ? OK : err_set(reterr, ERR_CORRUPT, "the manifest does not describe files");
}

ErrCode backup_manifest_read(Fs *fs, const char *dir, BackupManifest *ret, Err *reterr) {
    char path[FS_PATH_MAX];
    Buf b = {0};
    Err err = {0};
    *ret = (BackupManifest){.arena = arena_create(ARENA_UNLIMITED)};
    fs_path_join(path, dir, "MANIFEST");
    ErrCode code = fs_read_file(fs, path, MANIFEST_MAX, &b, reterr);
    if (code == OK && (code = parse(buf_str(&b), ret, &err)) != OK) err_set(reterr, code, "%s: %s", path, err.msg);
    buf_done(&b);
    if (code != OK) manifest_done(ret);
    return code;
}

ErrCode backup_manifest_write(Fs *fs, const char *dir, const BackupManifest *m, Err *reterr) {
    char path[FS_PATH_MAX];
    Buf body = {0}, text = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    json_key_lit(&w, "created_ms");
    json_i64(&w, m->created_ms);
    json_key_lit(&w, "files");
    json_begin_array(&w);
    vec_foreach(const BackupFile, f, &m->files) {
        buf_put_char(&body, '\n'); /* a line for each: people read it, too */
        json_begin_object(&w);
        json_key_lit(&w, "path");
        json_str(&w, f->path);
        json_key_lit(&w, "stored");
        json_str(&w, f->stored);
        json_key_lit(&w, "size");
        json_u64(&w, f->size);
        json_key_lit(&w, "crc32c");
        json_u64(&w, f->crc);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_put_char(&body, '\n');
    buf_printf(&text, MAGIC "%08x\n", crc32c(0, body.p, body.n));
    buf_put_str(&text, buf_str(&body));
    fs_path_join(path, dir, "MANIFEST");
    ErrCode code = fs_write_file_atomic(fs, path, buf_str(&text), reterr);
    buf_done(&body);
    buf_done(&text);
    return code;
}

/* --- walking --- */
typedef struct Entry {
    Str name;
    bool is_dir;
    uint64_t size;
} Entry;
typedef struct Walk {
    BackupManifest *out;
    VEC(Entry) entries;
} Walk;

static bool collect(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Walk *w = ctx;
    Str copy = arena_copy(w->out->arena, name);
    ASSERT(copy.p);
    vec_push(&w->entries, (Entry){copy, is_dir, size_bytes});
    return true;
}

static ErrCode walk(Fs *fs, const char *root, Str rel, unsigned depth, BackupManifest *out, Err *reterr) {
    char path[FS_PATH_MAX];
    Walk w = {.out = out};
    if (depth > DEPTH_MAX) return err_set(reterr, ERR_TOO_LARGE, "directories below %s are nested too deeply", root);
    ErrCode code = rel.n ? backup_join(path, root, rel, reterr) : OK;
    if (code == OK) code = fs->ops->list(fs, rel.n ? path : root, collect, &w, reterr);
    for (size_t i = 0; i < w.entries.n && code == OK; i++) {
        Entry e = w.entries.v[i];
        Str child = rel.n ? arena_printf(out->arena, "%.*s/%.*s", (int)rel.n, rel.p, (int)e.name.n, e.name.p) : e.name;
        if (e.is_dir)
            code = walk(fs, root, child, depth + 1, out, reterr);
        else
            vec_push(&out->files, (BackupFile){.path = child, .size = e.size});
    }
    vec_done(&w.entries);
    return code;
}

static int by_path(const void *a, const void *b) {
    return str_cmp(((const BackupFile *)a)->path, ((const BackupFile *)b)->path);
}

ErrCode backup_walk(Fs *fs, const char *dir, BackupManifest *out, Err *reterr) {
    *out = (BackupManifest){.arena = arena_create(ARENA_UNLIMITED)};
    ErrCode code = walk(fs, dir, STR_NULL, 0, out, reterr);
    if (code != OK) {
        manifest_done(out);
        return code;
    }
    if (out->files.n) qsort(out->files.v, out->files.n, sizeof *out->files.v, by_path);
    return OK;
}

/* --- copying --- */
void backup_parent(char out[FS_PATH_MAX], const char *path) {
    size_t slash = str_rfind_char(str_cstr(path), '/');
    ASSERT(slash != SIZE_MAX && slash > 0);
    memcpy(out, path, slash);
    out[slash] = 0;
}

ErrCode backup_make_parent(Fs *fs, const char *path, Err *reterr) {
    char dir[FS_PATH_MAX];
    backup_parent(dir, path);
    return fs->ops->make_dir(fs, dir, reterr);
}

static ErrCode copy_bytes(const BackupJob *job, File *in, File *out, const char *name, uint64_t *done, uint64_t total,
    uint32_t *ret_crc, Err *reterr) {
    char *buf = mem_alloc(COPY_BYTES);
    uint64_t at = 0;
    ErrCode code = OK;
    *ret_crc = 0;
    for (;;) {
        size_t n = 0, want = job->bytes_max ? (size_t)MIN(job->bytes_max - at, COPY_BYTES) : COPY_BYTES;
        if (job->cancel && *job->cancel) code = err_set(reterr, ERR_CANCELLED, "cancelled");
        if (code == OK) code = file_read_at(in, at, buf, want, &n, reterr);
        if (code != OK || n == 0) break;
        *ret_crc = crc32c(*ret_crc, buf, n);
        code = file_write(out, str_of(buf, n), reterr);
        at += n;
        *done += n;
        if (job->progress) job->progress(job->ctx, name, *done, total);
        if (code != OK) break;
    }
    mem_free(buf);
    return code;
}

ErrCode backup_copy_file(const BackupJob *job, const char *from, const char *to, uint64_t *done, uint64_t total,
    uint32_t *ret_crc, Err *reterr) {
    File *in = NULL, *out = NULL;
    ErrCode code = backup_make_parent(job->fs, to, reterr);
    if (code == OK) code = fs_open(job->fs, from, FILE_READ, &in, reterr);
    if (code == OK) code = fs_open(job->fs, to, FILE_APPEND, &out, reterr);
    if (code == OK) code = file_truncate(out, 0, reterr);
    if (code == OK) code = copy_bytes(job, in, out, from, done, total, ret_crc, reterr);
    if (code == OK) code = file_sync(out, reterr);
    file_close(in);
    file_close(out);
    return code;
}
