/* tmeta.c - meta.json, ULIDs, and finding a data directory's blocks. */
#include "base/json.h"
#include "metrics/tsdb/tsdb_int.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define META_BYTES_MAX ((size_t)16 << 20) /* a compacted block lists its sources and parents */
#define META_ARENA ((size_t)64 << 20)

void tsdb_note(TsdbProblems *p, const char *fmt, ...) {
    if (!p || p->first[0]) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->first, sizeof p->first, fmt, ap);
    va_end(ap);
}

/* --- ULIDs: 48 bits of milliseconds, 80 random ones; base 32 --- */
static const char ulid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void tsdb_ulid(char out[TSDB_ULID_SIZE], int64_t now_ms) {
    uint64_t r[2] = {random_u64(), random_u64()};
    for (int i = 9; i >= 0; i--, now_ms >>= 5) out[i] = ulid_digits[now_ms & 31];
    for (int i = 0; i < 16; i++) out[10 + i] = ulid_digits[r[i / 8] >> (i % 8 * 5) & 31];
    out[26] = 0;
}

bool tsdb_is_ulid(Str name) {
    if (name.n != 26) return false;
    for (size_t i = 0; i < name.n; i++) {
        if (!name.p[i] || !strchr(ulid_digits, name.p[i])) return false;
    }
    return true;
}

/* --- meta.json --- */
static bool get_count(const JsonValue *object, Str key, uint64_t *ret) {
    int64_t v = 0;
    if (json_get(object, key) && (!json_get_i64(object, key, &v) || v < 0)) return false;
    *ret = (uint64_t)v;
    return true;
}

static bool read_meta(const JsonValue *root, TsdbMeta *m) {
    const JsonValue *stats = json_get(root, STR("stats")), *compaction = json_get(root, STR("compaction"));
    int64_t version;
    Str ulid = json_get_str(root, STR("ulid"));
    if (!json_get_i64(root, STR("version"), &version) || version != 1 || !tsdb_is_ulid(ulid)) return false;
    memcpy(m->ulid, ulid.p, ulid.n);
    if (!json_get_i64(root, STR("minTime"), &m->min_t) || !json_get_i64(root, STR("maxTime"), &m->max_t)) return false;
    m->level = 1;
    if (compaction) (void)json_get_i64(compaction, STR("level"), &m->level);
    return m->min_t <= m->max_t && get_count(stats, STR("numSamples"), &m->samples) &&
           get_count(stats, STR("numFloatSamples"), &m->float_samples) &&
           get_count(stats, STR("numHistogramSamples"), &m->histogram_samples) &&
           get_count(stats, STR("numSeries"), &m->series) && get_count(stats, STR("numChunks"), &m->chunks) &&
           get_count(stats, STR("numTombstones"), &m->tombstones);
}

ErrCode tsdb_meta_decode(Str json, TsdbMeta *ret, Err *reterr) {
    *ret = (TsdbMeta){0};
    Arena *arena = arena_create(META_ARENA);
    JsonValue *root;
    ErrCode code = json_parse(json, arena, &root, reterr);
    if (code == OK && !read_meta(root, ret)) code = err_set(reterr, ERR_CORRUPT, "meta.json does not describe a block");
    arena_free(arena);
    return code;
}

void tsdb_meta_encode(Buf *out, const TsdbMeta *m) {
    buf_printf(out,
        "{\n\t\"ulid\": \"%s\",\n\t\"minTime\": %lld,\n\t\"maxTime\": %lld,\n\t\"stats\": {\n"
        "\t\t\"numSamples\": %llu,\n\t\t\"numFloatSamples\": %llu,\n\t\t\"numHistogramSamples\": %llu,\n"
        "\t\t\"numSeries\": %llu,\n\t\t\"numChunks\": %llu\n\t},\n"
        "\t\"compaction\": {\n\t\t\"level\": %lld,\n\t\t\"sources\": [\n\t\t\t\"%s\"\n\t\t]\n\t},\n"
        "\t\"version\": 1\n}\n",
        m->ulid, (long long)m->min_t, (long long)m->max_t, (unsigned long long)m->samples,
        (unsigned long long)m->float_samples, (unsigned long long)m->histogram_samples, (unsigned long long)m->series,
        (unsigned long long)m->chunks, (long long)m->level, m->ulid);
}

/* --- directories --- */
typedef struct Collect {
    bool (*accept)(Str name, bool is_dir);
    Arena *arena;
    AVEC(Str) names;
    bool full;
    uint64_t bytes;
} Collect;

static bool collect_name(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Collect *c = ctx;
    if (!is_dir) c->bytes += size_bytes;
    if (!c->accept || !c->accept(name, is_dir)) return true;
    Str copy = arena_copy(c->arena, name);
    c->full = !copy.p || !avec_push(c->arena, &c->names, copy);
    return !c->full;
}

static int by_name(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

ErrCode tsdb_names(
    Fs *fs, const char *dir, bool (*accept)(Str name, bool is_dir), Arena *arena, NameList *ret, Err *reterr) {
    Collect c = {.accept = accept, .arena = arena};
    *ret = (NameList){0};
    ErrCode code = fs->ops->list(fs, dir, collect_name, &c, reterr);
    if (code == OK && c.full) code = err_set(reterr, ERR_TOO_LARGE, "%s has too many entries", dir);
    if (code != OK) return code;
    if (c.names.n) qsort(c.names.v, c.names.n, sizeof *c.names.v, by_name);
    *ret = (NameList){c.names.v, c.names.n};
    return OK;
}

bool tsdb_is_segment(Str name, bool is_dir) {
    if (is_dir || name.n == 0) return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9') return false;
    }
    return true;
}

static bool is_block_dir(Str name, bool is_dir) { return is_dir && tsdb_is_ulid(name); }

static uint64_t dir_bytes(Fs *fs, const char *dir) {
    Collect c = {0};
    (void)fs->ops->list(fs, dir, collect_name, &c, NULL);
    return c.bytes;
}

static ErrCode read_info(Fs *fs, const char *dir, Arena *arena, TsdbBlockInfo *ret, Err *reterr) {
    char path[FS_PATH_MAX];
    Buf b = {0};
    fs_path_join(path, dir, "meta.json");
    ErrCode code = fs_read_file(fs, path, META_BYTES_MAX, &b, reterr);
    if (code == OK) code = tsdb_meta_decode(buf_str(&b), &ret->meta, reterr);
    buf_done(&b);
    if (code != OK) return code;
    fs_path_join(path, dir, "chunks");
    ret->size_bytes = dir_bytes(fs, dir) + dir_bytes(fs, path);
    ret->dir = arena_copy(arena, str_cstr(dir));
    return ret->dir.p ? OK : err_set(reterr, ERR_TOO_LARGE, "too many blocks");
}

static int by_time(const void *a, const void *b) {
    const TsdbMeta *x = &((const TsdbBlockInfo *)a)->meta, *y = &((const TsdbBlockInfo *)b)->meta;
    if (x->min_t != y->min_t) return x->min_t < y->min_t ? -1 : 1;
    return strcmp(x->ulid, y->ulid);
}

ErrCode tsdb_blocks(
    Fs *fs, const char *dir, Arena *arena, TsdbBlockInfo **ret, size_t *ret_n, Err *ret_bad, Err *reterr) {
    char path[FS_PATH_MAX];
    NameList names;
    ErrCode code = tsdb_names(fs, dir, is_block_dir, arena, &names, reterr);
    if (code != OK) return code;
    TsdbBlockInfo *v = ARENA_ARRAY(arena, TsdbBlockInfo, names.n + 1);
    size_t n = 0;
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "too many blocks");
    fs_path_join(path, dir, "meta.json");
    if (fs->ops->exists(fs, path)) { /* a block itself */
        code = read_info(fs, dir, arena, &v[0], reterr);
        n = 1;
    }
    for (size_t i = 0; i < names.n && code == OK; i++) {
        fs_path_join(path, dir, names.v[i].p);
        ErrCode one = read_info(fs, path, arena, &v[n], ret_bad);
        n += one == OK;
        if (one == ERR_TOO_LARGE) code = err_set(reterr, one, "%s: too large", path);
    }
    if (n) qsort(v, n, sizeof *v, by_time);
    *ret = v;
    *ret_n = n;
    return code;
}
