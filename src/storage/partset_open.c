/* partset_open.c - the manifest file, and opening a set: what is listed is opened, what is not is removed. */
#include "storage/partset_int.h"

#include "base/log.h"
#include "codec/crc.h"

#include <inttypes.h>
#include <stdio.h>

/* The manifest holds its body twice, each with a checksum: a flipped bit costs nothing. */
static const char manifest_magic[8] = "MKMANI1\0";
#define MANIFEST_VERSION 2
#define MANIFEST_HEAD_BYTES 32 /* magic, version, number of parts, next id, floor of the log */
#define MANIFEST_PART_BYTES 52
#define MANIFEST_BYTES_MAX ((size_t)256 << 20)

static void manifest_encode(Buf *b, PartEntry *const *entries, size_t n, uint64_t next_id, WalPos wal_floor) {
    size_t start = b->n;
    buf_put(b, manifest_magic, sizeof manifest_magic);
    buf_put_u32le(b, MANIFEST_VERSION);
    buf_put_u32le(b, (uint32_t)n);
    buf_put_u64le(b, next_id);
    buf_put_u64le(b, wal_floor);
    for (size_t i = 0; i < n; i++) {
        const PartInfo *p = &entries[i]->info;
        buf_put_u64le(b, p->id);
        buf_put_u64le(b, (uint64_t)p->min_t);
        buf_put_u64le(b, (uint64_t)p->max_t);
        buf_put_u64le(b, p->rows);
        buf_put_u64le(b, p->size_bytes);
        buf_put_u32le(b, p->level);
        buf_put_u64le(b, p->order);
    }
    buf_put_u32le(b, crc32c(0, b->p + start, b->n - start));
}

ErrCode partset_manifest_write(
    PartSet *s, PartEntry *const *entries, size_t n, uint64_t next_id, WalPos wal_floor, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "MANIFEST");
    Buf b = {0};
    manifest_encode(&b, entries, n, next_id, wal_floor);
    manifest_encode(&b, entries, n, next_id, wal_floor);
    ErrCode rc = fs_write_file_atomic(s->fs, path, buf_str(&b), reterr);
    buf_done(&b);
    return rc;
}

static bool manifest_decode(Str copy, Manifest *m, uint32_t *ret_version) {
    Cursor c = cursor_of(copy);
    Str magic = cursor_bytes(&c, sizeof manifest_magic);
    uint32_t version = cursor_u32le(&c), n = cursor_u32le(&c);
    if (copy.n < 4 || c.bad || !str_eq(magic, str_of(manifest_magic, sizeof manifest_magic))) return false;
    uint32_t crc = crc32c(0, copy.p, copy.n - 4);
    Cursor tail = cursor_of(str_skip(copy, copy.n - 4));
    if (crc != cursor_u32le(&tail)) return false;
    *ret_version = version;
    if (version != MANIFEST_VERSION) return false;
    m->next_id = cursor_u64le(&c);
    m->wal_floor = cursor_u64le(&c);
    vec_clear(&m->parts);
    for (uint32_t i = 0; i < n && !c.bad; i++) {
        PartInfo p = {.id = cursor_u64le(&c)};
        p.min_t = (int64_t)cursor_u64le(&c);
        p.max_t = (int64_t)cursor_u64le(&c);
        p.rows = cursor_u64le(&c);
        p.size_bytes = cursor_u64le(&c);
        p.level = cursor_u32le(&c);
        p.order = cursor_u64le(&c);
        if (!c.bad) vec_push(&m->parts, p);
    }
    return !c.bad && cursor_left(&c) == 4;
}

static ErrCode both_damaged(const char *dir, const char *path, Err *reterr) {
    ErrCode rc = err_set(reterr, ERR_CORRUPT, "%s: both copies in it are damaged", path);
    err_hint(reterr, "restore it from a backup, or move away %s and what lies beside it to begin anew", dir);
    return rc;
}

/* As long as it says to be; as far as it goes. */
static Str first_copy(Str all) {
    Cursor c = cursor_of(str_skip(all, MIN(all.n, sizeof manifest_magic + 4)));
    uint32_t n = cursor_u32le(&c);
    size_t bytes = MANIFEST_HEAD_BYTES + (size_t)n * MANIFEST_PART_BYTES + 4;
    return c.bad ? STR_NULL : str_slice(all, 0, MIN(all.n, bytes));
}

ErrCode partset_manifest_read(Fs *fs, const char *dir, Manifest *ret, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, dir, "MANIFEST");
    Buf b = {0};
    ErrCode rc = fs_read_file(fs, path, MANIFEST_BYTES_MAX, &b, reterr);
    if (rc == OK) {
        Str all = buf_str(&b);
        Str first = first_copy(all); /* good also when the file's end is cut off, or something stands behind it */
        uint32_t version = MANIFEST_VERSION;
        bool good = manifest_decode(first, ret, &version) || manifest_decode(str_skip(all, all.n / 2), ret, &version);
        if (!good && version != MANIFEST_VERSION)
            rc = err_set(reterr, ERR_UNSUPPORTED, "%s: format version %" PRIu32 ", this program knows only %d", path,
                version, MANIFEST_VERSION);
        else if (!good)
            rc = both_damaged(dir, path, reterr);
    }
    buf_done(&b);
    return rc;
}

/* --- open --- */

typedef struct Listing {
    VEC(uint64_t) ids; /* of part files */
    uint64_t max_id;   /* also of those set aside */
    bool stale_tmp;
} Listing;

static bool parse_part_name(Str name, uint64_t *ret_id, bool *ret_bad) {
    Str head = STR("part-"), tail = STR(".mkp");
    if (name.n < head.n + 16 + tail.n || !str_starts_with(name, head)) return false;
    uint64_t v = 0;
    for (size_t i = head.n; i < head.n + 16; i++) {
        char c = name.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    Str rest = str_skip(name, head.n + 16);
    *ret_id = v;
    *ret_bad = str_eq_lit(rest, ".mkp.bad");
    return *ret_bad || str_eq(rest, tail);
}

static bool list_part(void *ctx, Str name, bool is_dir, uint64_t size_bytes ATTR_UNUSED) {
    Listing *l = ctx;
    uint64_t id;
    bool bad;
    if (is_dir) return true;
    if (str_eq_lit(name, "MANIFEST.tmp")) l->stale_tmp = true;
    if (!parse_part_name(name, &id, &bad)) return true;
    l->max_id = MAX(l->max_id, id);
    if (!bad) vec_push(&l->ids, id);
    return true;
}

static bool manifest_has(const Manifest *m, uint64_t id) {
    for (size_t i = 0; i < m->parts.n; i++)
        if (m->parts.v[i].id == id) return true;
    return false;
}

static void remove_orphans(PartSet *s, const Manifest *m, const Listing *l) {
    char path[FS_PATH_MAX];
    for (size_t i = 0; i < l->ids.n; i++) {
        if (manifest_has(m, l->ids.v[i])) continue;
        partset_part_path(s, l->ids.v[i], "", path);
        (void)s->fs->ops->remove(s->fs, path, NULL);
    }
    if (!l->stale_tmp) return;
    fs_path_join(path, s->dir, "MANIFEST.tmp");
    (void)s->fs->ops->remove(s->fs, path, NULL);
}

static void set_aside(PartSet *s, uint64_t id, const Err *why) {
    char path[FS_PATH_MAX], bad[FS_PATH_MAX];
    partset_part_path(s, id, "", path);
    partset_part_path(s, id, ".bad", bad);
    (void)s->fs->ops->rename(s->fs, path, bad, NULL);
    s->corrupt++;
    log_error(why->code == ERR_NOT_FOUND ? "a part is missing: the store goes on without it"
                                         : "a part is damaged: the store goes on without it, the file has .bad added",
        "error", why->msg, NULL);
}

/* Damage and absence concern one part; anything else (no memory, no descriptors, a failing disk) may pass. */
static bool is_damage(ErrCode rc) { return rc == ERR_CORRUPT || rc == ERR_NOT_FOUND; }

static ErrCode open_parts(PartSet *s, const Manifest *m, PartEntry **entries, size_t *ret_n, Err *reterr) {
    size_t n = 0;
    ErrCode rc = OK;
    for (size_t i = 0; i < m->parts.n && rc == OK; i++) {
        Err why = {0};
        rc = partset_entry_open(s, &m->parts.v[i], &entries[n], &why);
        if (rc == OK) {
            s->size_bytes += entries[n]->info.size_bytes;
            n++;
        } else if (is_damage(rc)) {
            set_aside(s, m->parts.v[i].id, &why);
            rc = OK;
        } else if (reterr) {
            *reterr = why;
        }
    }
    *ret_n = n;
    return rc;
}

/* A set that has parts has a manifest: it is written before the first part. Without it nothing may be deleted. */
static ErrCode load_manifest(PartSet *s, const Listing *l, Manifest *m, Err *reterr) {
    ErrCode rc = partset_manifest_read(s->fs, s->dir, m, reterr);
    if (rc != ERR_NOT_FOUND) return rc;
    if (l->ids.n > 0) {
        rc =
            err_set(reterr, ERR_CORRUPT, "%s: the file MANIFEST is missing, but there are %zu parts", s->dir, l->ids.n);
        err_hint(reterr, "restore MANIFEST from a backup, or move the parts away");
        return rc;
    }
    *m = (Manifest){.next_id = 1};
    return partset_manifest_write(s, NULL, 0, 1, 0, reterr);
}

static ErrCode open_set(PartSet *s, Manifest *m, Listing *l, Err *reterr) {
    ErrCode rc = s->fs->ops->make_dir(s->fs, s->dir, reterr);
    if (rc == OK) rc = s->fs->ops->list(s->fs, s->dir, list_part, l, reterr);
    if (rc == OK) rc = load_manifest(s, l, m, reterr);
    if (rc != OK) return rc;
    remove_orphans(s, m, l);
    s->next_id = MAX(MAX(m->next_id, l->max_id + 1), 1);
    s->wal_floor = m->wal_floor;
    PartEntry **entries = mem_alloc_array(MAX(m->parts.n, 1), sizeof *entries);
    size_t n;
    rc = open_parts(s, m, entries, &n, reterr);
    /* From here on the entries belong to a version, so that closing the set lets them go. */
    s->current = partset_version_create(entries, n);
    if (rc == OK && s->corrupt > 0) {
        ErrCode w = partset_manifest_write(s, entries, n, s->next_id, s->wal_floor, reterr);
        /* A full disk must not keep the rest from being served: they are found missing again next time. */
        if (w != ERR_NO_SPACE) rc = w;
    }
    return rc;
}

ErrCode partset_open(Fs *fs, const char *dir, const PartOps *ops, void *ctx, PartSet **ret, Err *reterr) {
    ASSERT(ops && ops->open && ops->close);
    PartSet *s = NEW(PartSet);
    s->fs = fs;
    size_t n = strlen(dir);
    ASSERT(n + 48 < sizeof s->dir);
    memcpy(s->dir, dir, n + 1);
    s->ops = *ops;
    s->ctx = ctx;
    mutex_init(&s->mutex);
    mutex_init(&s->publish_mutex);
    Manifest m = {0};
    Listing l = {0};
    ErrCode rc = open_set(s, &m, &l, reterr);
    vec_done(&m.parts);
    vec_done(&l.ids);
    if (rc != OK) {
        partset_close(s);
        return rc;
    }
    *ret = s;
    return OK;
}
