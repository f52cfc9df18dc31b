#include "base/cursor.h"
#include "base/hash.h"
#include "metrics/record.h"
#include "metrics/store_int.h"

#include <stdlib.h>

#define SIDE_VERSION 1
#define SIDE_BYTES_MAX ((size_t)256 << 20)
#define METADATA_MAX 100000 /* metrics with help texts; further ones are not kept */

void side_init(SideData *d) {
    mutex_init(&d->lock);
    d->newest = map_create(MAP_COPY_KEYS);
    d->metadata = map_create(MAP_COPY_KEYS);
}

static void metadata_done(MetricMetadata *m) {
    mem_free((char *)(uintptr_t)m->metric.p);
    mem_free((char *)(uintptr_t)m->help.p);
    mem_free((char *)(uintptr_t)m->unit.p);
}

void side_done(SideData *d) {
    for (size_t i = 0; i < d->n_exemplars; i++) mem_free(d->ring[i].bytes);
    mem_free(d->ring);
    vec_foreach(MetricMetadata, m, &d->entries) metadata_done(m);
    vec_done(&d->entries);
    map_free(d->newest);
    map_free(d->metadata);
    mutex_done(&d->lock);
}

/* --- exemplars --- */
static uint64_t exemplar_hash(const Exemplar *e) {
    uint64_t bits;
    memcpy(&bits, &e->value, 8);
    return hash_u64(labels_hash(e->labels) ^ hash_u64(bits) ^ (uint64_t)e->t_ms * UINT64_C(0x9e3779b97f4a7c15));
}

static StoredExemplar *ring_slot(SideData *d) {
    if (d->n_exemplars < EXEMPLARS_MAX) {
        if (d->n_exemplars == d->ring_cap) {
            d->ring_cap = MIN(d->ring_cap ? d->ring_cap * 2 : 256, EXEMPLARS_MAX);
            d->ring = mem_realloc_array(d->ring, d->ring_cap, sizeof *d->ring);
        }
        return &d->ring[d->n_exemplars++];
    }
    StoredExemplar *old = &d->ring[d->next];
    d->next = (d->next + 1) % EXEMPLARS_MAX;
    mem_free(old->bytes);
    return old;
}

void side_add_exemplar(SideData *d, Labels series, const Exemplar *e) {
    Buf bytes = {0};
    labels_encode(&bytes, series);
    uint64_t hash = exemplar_hash(e);
    mutex_lock(&d->lock);
    if (map_count(d->newest) > 2 * EXEMPLARS_MAX) map_clear(d->newest);
    bool is_new;
    uint64_t *newest = map_put(d->newest, buf_str(&bytes), &is_new);
    if (is_new || *newest != hash) { /* targets repeat their exemplar at every scrape */
        *newest = hash;
        labels_encode(&bytes, e->labels);
        StoredExemplar *slot = ring_slot(d);
        size_t n;
        *slot = (StoredExemplar){.value = e->value, .t_ms = e->t_ms};
        slot->bytes = buf_take(&bytes, &n);
        slot->n = (uint32_t)n;
        d->dirty = true;
    }
    mutex_unlock(&d->lock);
    buf_done(&bytes);
}

typedef struct FoundExemplar {
    Labels series;
    Exemplar exemplar;
} FoundExemplar;

static int by_series(const void *a, const void *b) {
    const FoundExemplar *x = a, *y = b;
    int c = labels_cmp(x->series, y->series);
    if (c) return c;
    return x->exemplar.t_ms < y->exemplar.t_ms ? -1 : x->exemplar.t_ms > y->exemplar.t_ms;
}

static bool take_exemplar(
    const StoredExemplar *x, const MetricsSelect *req, Arena *scratch, FoundExemplar *ret, bool *ret_matches) {
    *ret_matches = false;
    if (x->t_ms < req->min_t_ms || x->t_ms > req->max_t_ms) return true;
    Cursor c = cursor_of(str_of(x->bytes, x->n));
    Labels series, labels;
    arena_reset(scratch);
    bool ok = labels_decode(&c, scratch, &series) && labels_decode(&c, scratch, &labels);
    ASSERT(ok); /* our own bytes */
    if (!matchers_match(req->matchers, series)) return true;
    *ret = (FoundExemplar){labels_copy(req->arena, series), {labels_copy(req->arena, labels), x->value, x->t_ms}};
    *ret_matches = true;
    return !arena_exhausted(req->arena);
}

ErrCode store_exemplars(
    MetricsStore *base, const MetricsSelect *req, Labels **ret_series, Exemplar **ret, size_t *ret_n, Err *reterr) {
    SideData *d = &CONTAINER_OF(base, EmbeddedStore, base)->side;
    VEC(FoundExemplar) found = {0};
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    bool fits = true;
    mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n_exemplars && fits; i++) {
        FoundExemplar f;
        bool matches;
        fits = take_exemplar(&d->ring[(d->next + i) % d->n_exemplars], req, scratch, &f, &matches);
        if (fits && matches) vec_push(&found, f);
    }
    mutex_unlock(&d->lock);
    if (found.n) qsort(found.v, found.n, sizeof *found.v, by_series);
    *ret_n = found.n;
    *ret_series = ARENA_ARRAY(req->arena, Labels, found.n);
    *ret = ARENA_ARRAY(req->arena, Exemplar, found.n);
    fits = fits && *ret_series && *ret;
    for (size_t i = 0; i < found.n && fits; i++) {
        (*ret_series)[i] = found.v[i].series;
        (*ret)[i] = found.v[i].exemplar;
    }
    vec_done(&found);
    arena_free(scratch);
    return fits ? OK : err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
}

/* --- metadata --- */
static bool same_metadata(const MetricMetadata *a, const MetricMetadata *b) {
    return a->type == b->type && str_eq(a->help, b->help) && str_eq(a->unit, b->unit);
}

bool side_metadata_known(SideData *d, const MetricMetadata *m) {
    mutex_lock(&d->lock);
    const uint64_t *at = map_get(d->metadata, m->metric);
    bool known = at && same_metadata(&d->entries.v[*at], m);
    mutex_unlock(&d->lock);
    return known;
}

static Str own(Str s) { return (Str){str_dup_cstr(s), s.n}; }

void side_add_metadata(SideData *d, const MetricMetadata *m) {
    mutex_lock(&d->lock);
    uint64_t *at = map_get(d->metadata, m->metric);
    MetricMetadata copy = {own(m->metric), m->type, own(m->help), own(m->unit)};
    if (at && !same_metadata(&d->entries.v[*at], m)) {
        metadata_done(&d->entries.v[*at]);
        d->entries.v[*at] = copy;
        d->dirty = true;
    } else if (!at && d->entries.n < METADATA_MAX) {
        *map_put(d->metadata, m->metric, NULL) = d->entries.n;
        vec_push(&d->entries, copy);
        d->dirty = true;
    } else {
        metadata_done(&copy);
    }
    mutex_unlock(&d->lock);
}

static int by_metric(const void *a, const void *b) {
    return str_cmp(((const MetricMetadata *)a)->metric, ((const MetricMetadata *)b)->metric);
}

ErrCode store_metadata(MetricsStore *base, Str metric, Arena *arena, MetricMetadata **ret, size_t *ret_n, Err *reterr) {
    SideData *d = &CONTAINER_OF(base, EmbeddedStore, base)->side;
    mutex_lock(&d->lock);
    size_t n = 0, from = 0, to = d->entries.n;
    if (metric.n) {
        const uint64_t *at = map_get(d->metadata, metric);
        from = at ? (size_t)*at : 0;
        to = at ? from + 1 : 0;
    }
    MetricMetadata *v = ARENA_ARRAY(arena, MetricMetadata, to - from);
    for (size_t i = from; i < to && v; i++) {
        const MetricMetadata *m = &d->entries.v[i];
        v[n++] = (MetricMetadata){
            arena_copy(arena, m->metric), m->type, arena_copy(arena, m->help), arena_copy(arena, m->unit)};
    }
    mutex_unlock(&d->lock);
    if (arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    if (n) qsort(v, n, sizeof *v, by_metric);
    *ret = v;
    *ret_n = n;
    return OK;
}

/* --- file --- */
static void encode(SideData *d, Buf *out) {
    buf_put_char(out, SIDE_VERSION);
    buf_put_uvarint(out, d->entries.n);
    vec_foreach(MetricMetadata, m, &d->entries) {
        buf_put_char(out, (char)m->type);
        buf_put_lenstr(out, m->metric);
        buf_put_lenstr(out, m->help);
        buf_put_lenstr(out, m->unit);
    }
    buf_put_uvarint(out, d->n_exemplars);
    for (size_t i = 0; i < d->n_exemplars; i++) {
        const StoredExemplar *x = &d->ring[(d->next + i) % d->n_exemplars];
        buf_put_lenstr(out, str_of(x->bytes, x->n));
        buf_put(out, &x->value, 8);
        buf_put_svarint(out, x->t_ms);
    }
}

static bool decode(SideData *d, Cursor *c, Arena *scratch) {
    uint8_t version = cursor_u8(c);
    uint64_t n = cursor_uvarint(c);
    if (version != SIDE_VERSION) return false;
    for (uint64_t i = 0; i < n && !c->bad; i++) {
        uint8_t type = cursor_u8(c);
        MetricMetadata m = {.type = (MetricType)type};
        m.metric = cursor_lenstr(c);
        m.help = cursor_lenstr(c);
        m.unit = cursor_lenstr(c);
        if (c->bad || type > METRIC_STATESET) return false;
        side_add_metadata(d, &m);
    }
    n = cursor_uvarint(c);
    for (uint64_t i = 0; i < n && !c->bad; i++) {
        Str bytes = cursor_lenstr(c);
        uint64_t bits = cursor_u64le(c);
        Exemplar e = {.t_ms = cursor_svarint(c)};
        Labels series;
        Cursor b = cursor_of(bytes);
        arena_reset(scratch);
        memcpy(&e.value, &bits, 8);
        if (c->bad || !labels_decode(&b, scratch, &series) || !labels_decode(&b, scratch, &e.labels)) return false;
        side_add_exemplar(d, series, &e);
    }
    return !c->bad;
}

ErrCode side_load(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "SIDE");
    if (!s->fs->ops->exists(s->fs, path)) return OK;
    Buf in = {0};
    ErrCode code = fs_read_file(s->fs, path, SIDE_BYTES_MAX, &in, reterr);
    if (code == OK) {
        /* A damaged tail costs exemplars and help texts only, so what can be read is taken. */
        Arena *scratch = arena_create(ARENA_UNLIMITED);
        Cursor c = cursor_of(buf_str(&in));
        if (!decode(&s->side, &c, scratch)) s->corrupt_blocks++;
        arena_free(scratch);
    }
    s->side.dirty = false;
    buf_done(&in);
    return code;
}

ErrCode side_save(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "SIDE");
    Buf out = {0};
    mutex_lock(&s->side.lock);
    bool dirty = s->side.dirty;
    if (dirty) encode(&s->side, &out);
    s->side.dirty = false;
    mutex_unlock(&s->side.lock);
    ErrCode code = dirty ? fs_write_file_atomic(s->fs, path, buf_str(&out), reterr) : OK;
    if (code != OK) {
        mutex_lock(&s->side.lock);
        s->side.dirty = true;
        mutex_unlock(&s->side.lock);
    }
    buf_done(&out);
    return code;
}
