#include "base/cursor.h"
#include "codec/crc.h"
#include "metrics/store_int.h"

#define TOMBS_VERSION 2
#define TOMBS_VERSION_PLAIN 1 /* one copy, no checksum */
#define TOMBS_BYTES_MAX ((size_t)64 << 20)

Tombstones *tombs_ref(Tombstones *t) {
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tombs_unref(Tombstones *t) {
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    arena_free(t->arena);
    mem_free(t);
}

static Tombstones *tombs_new(size_t n) {
    Tombstones *t = NEW(Tombstones);
    atomic_init(&t->refs, 1);
    t->arena = arena_create(ARENA_UNLIMITED);
    t->v = ARENA_ARRAY(t->arena, Tombstone, n);
    ASSERT(t->v);
    return t;
}

/* --- file ---
 * The table twice, each with a checksum: a flipped bit must neither bring deleted samples back nor delete others. */
static void encode(const Tombstones *t, Buf *out) {
    size_t start = out->n;
    buf_put_char(out, TOMBS_VERSION);
    buf_put_uvarint(out, t->n);
    for (size_t i = 0; i < t->n; i++) {
        const Tombstone *x = &t->v[i];
        buf_put_svarint(out, x->min_t);
        buf_put_svarint(out, x->max_t);
        buf_put_uvarint(out, x->max_part_id);
        buf_put_uvarint(out, x->matchers.n);
        for (size_t k = 0; k < x->matchers.n; k++) {
            buf_put_char(out, (char)x->matchers.v[k]->type);
            buf_put_lenstr(out, x->matchers.v[k]->name);
            buf_put_lenstr(out, x->matchers.v[k]->value);
        }
    }
    buf_put_u32le(out, crc32c(0, out->p + start, out->n - start));
}

static bool decode_one(Cursor *c, Arena *arena, Tombstone *ret) {
    ret->min_t = cursor_svarint(c);
    ret->max_t = cursor_svarint(c);
    ret->max_part_id = cursor_uvarint(c);
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c)) return false;
    const Matcher **v = ARENA_ARRAY(arena, const Matcher *, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t type = cursor_u8(c);
        Str name = cursor_lenstr(c), value = cursor_lenstr(c);
        if (c->bad || type > MATCH_NRE) return false;
        name = arena_copy(arena, name);
        value = arena_copy(arena, value);
        if (matcher_create(arena, (MatchType)type, name, value, &v[i], NULL) != OK) return false;
    }
    ret->matchers = (Matchers){v, n};
    return true;
}

static ErrCode save(EmbeddedStore *s, const Tombstones *t, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "TOMBSTONES");
    if (t->n == 0) { /* a file of nothing could only be damaged */
        ErrCode gone = s->fs->ops->remove(s->fs, path, reterr);
        return gone == OK || gone == ERR_NOT_FOUND ? s->fs->ops->sync_dir(s->fs, s->dir, reterr) : gone;
    }
    Buf out = {0};
    encode(t, &out);
    encode(t, &out);
    ErrCode code = fs_write_file_atomic(s->fs, path, buf_str(&out), reterr);
    buf_done(&out);
    return code;
}

static Tombstones *decode_table(Str body) {
    Cursor c = cursor_of(str_skip(body, 1)); /* behind the version */
    uint64_t n = cursor_uvarint(&c);
    if (c.bad || n > cursor_left(&c)) return NULL;
    Tombstones *t = tombs_new(n);
    while (t->n < n && decode_one(&c, t->arena, &t->v[t->n])) t->n++;
    if (t->n == n && cursor_left(&c) == 0) return t;
    tombs_unref(t);
    return NULL;
}

static Tombstones *decode_copy(Str copy) {
    if (copy.n < 5 || copy.p[0] != TOMBS_VERSION) return NULL;
    Cursor tail = cursor_of(str_skip(copy, copy.n - 4));
    if (crc32c(0, copy.p, copy.n - 4) != cursor_u32le(&tail)) return NULL;
    return decode_table(str_slice(copy, 0, copy.n - 4));
}

static Tombstones *decode(EmbeddedStore *s, Str all) {
    Tombstones *t[2] = {decode_copy(str_slice(all, 0, all.n / 2)), decode_copy(str_slice(all, all.n / 2, all.n))};
    if (!t[0] != !t[1]) s->corrupt_blocks++; /* the other copy is good */
    if (t[0]) tombs_unref(t[1]);
    Tombstones *one = t[0] ? t[0] : t[1];
    return one || !all.n || all.p[0] != TOMBS_VERSION_PLAIN ? one : decode_table(all);
}

ErrCode tombs_load(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "TOMBSTONES");
    if (!s->fs->ops->exists(s->fs, path)) {
        s->tombs = tombs_new(0);
        return OK;
    }
    Buf in = {0};
    ErrCode code = fs_read_file(s->fs, path, TOMBS_BYTES_MAX, &in, reterr);
    if (code == OK) {
        s->tombs = decode(s, buf_str(&in));
        for (size_t i = 0; s->tombs && i < s->tombs->n; i++) partset_skip_ids(s->parts, s->tombs->v[i].max_part_id);
        /* Deleted samples must not come back silently. */
        if (!s->tombs)
            code = err_set(reterr, ERR_CORRUPT, "%s is damaged; remove it to bring deleted samples back", path);
    }
    buf_done(&in);
    return code;
}

/* --- changing --- */
static void install(EmbeddedStore *s, Tombstones *t) {
    mutex_lock(&s->view_lock);
    Tombstones *old = s->tombs;
    s->tombs = t;
    mutex_unlock(&s->view_lock);
    tombs_unref(old);
}

/* A new table: those of old that keep() wants, and one more when it is given. */
static ErrCode rebuilt(const Tombstones *old, bool (*keep)(void *ctx, const Tombstone *t), void *ctx,
    const Tombstone *more, Tombstones **ret, Err *reterr) {
    Tombstones *t = tombs_new(old->n + 1);
    ErrCode code = OK;
    for (size_t i = 0; i <= old->n && code == OK; i++) {
        const Tombstone *from = i < old->n ? &old->v[i] : more;
        if (!from || (i < old->n && keep && !keep(ctx, from))) continue;
        t->v[t->n] = *from;
        code = matchers_copy(t->arena, from->matchers, &t->v[t->n].matchers, reterr);
        if (code == OK) t->n++;
    }
    if (code != OK) {
        tombs_unref(t);
        return code;
    }
    *ret = t;
    return OK;
}

bool tombstone_concerns(const Tombstone *t, const PartInfo *p) {
    return p->id <= t->max_part_id && p->max_t >= t->min_t && p->min_t <= t->max_t;
}

static bool some_part_needs(void *ctx, const Tombstone *t) {
    const PartSnapshot *parts = ctx;
    for (size_t i = 0; i < parts->n; i++) {
        if (tombstone_concerns(t, &parts->v[i].info)) return true;
    }
    return false;
}

ErrCode tombs_prune(EmbeddedStore *s, Err *reterr) {
    mutex_lock(&s->flush_lock); /* no other writer of the table */
    ErrCode code = OK;
    if (s->tombs->n) {
        PartSnapshot parts;
        Tombstones *t = NULL;
        partset_snapshot(s->parts, &parts);
        code = rebuilt(s->tombs, some_part_needs, &parts, NULL, &t, reterr);
        partset_release(s->parts, &parts);
        if (code == OK && t->n < s->tombs->n) code = save(s, t, reterr);
        if (code == OK && t->n < s->tombs->n)
            install(s, t);
        else
            tombs_unref(t);
    }
    mutex_unlock(&s->flush_lock);
    return code;
}

/* The head goes into parts first, so that deleting concerns parts only; samples that come later have later parts. */
ErrCode store_delete_series(MetricsStore *base, const MetricsSelect *req, uint64_t *ret_deleted, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret_deleted = 0;
    ErrCode code = store_flush(base, reterr);
    if (code != OK) return code;
    Labels *series;
    size_t n;
    code = store_series(base, req, 0, &series, &n, reterr);
    if (code != OK || n == 0) return code;
    char path[FS_PATH_MAX];
    Tombstone more = {.matchers = req->matchers, .min_t = req->min_t_ms, .max_t = req->max_t_ms};
    Tombstones *t = NULL;
    mutex_lock(&s->flush_lock);
    more.max_part_id = partset_new_id(s->parts, path); /* no part gets this one */
    code = rebuilt(s->tombs, NULL, NULL, &more, &t, reterr);
    if (code == OK) code = save(s, t, reterr);
    if (code == OK)
        install(s, t);
    else
        tombs_unref(t);
    mutex_unlock(&s->flush_lock);
    if (code == OK) *ret_deleted = n;
    return code;
}

/* --- applying --- */
bool tombs_touch(const Tombstones *t, uint64_t part_id, Labels labels) {
    for (size_t i = 0; i < t->n; i++) {
        if (part_id <= t->v[i].max_part_id && matchers_match(t->v[i].matchers, labels)) return true;
    }
    return false;
}

static void drop_samples(SampleBuf *b, size_t from, int64_t min_t, int64_t max_t) {
    size_t n = from;
    for (size_t i = from; i < b->n; i++) {
        if (b->t[i] >= min_t && b->t[i] <= max_t) continue;
        sample_buf_move(b, n++, i);
    }
    b->n = n;
}

static void drop_histograms(HistogramRefs *h, size_t from, int64_t min_t, int64_t max_t) {
    size_t n = from;
    for (size_t i = from; i < h->n; i++) {
        if (h->v[i].t < min_t || h->v[i].t > max_t) h->v[n++] = h->v[i];
    }
    h->n = n;
}

void tombs_apply(
    const Tombstones *t, uint64_t part_id, Labels labels, SampleBuf *b, size_t from, HistogramRefs *h, size_t from_h) {
    for (size_t i = 0; i < t->n && b->n + h->n > from + from_h; i++) {
        const Tombstone *x = &t->v[i];
        if (part_id > x->max_part_id || !matchers_match(x->matchers, labels)) continue;
        drop_samples(b, from, x->min_t, x->max_t);
        drop_histograms(h, from_h, x->min_t, x->max_t);
    }
}
