/* store_side.c - exemplars and metadata: all in memory, within bounds, so that SIDE stays a file that can be read. */
#include "base/cursor.h"
#include "base/hash.h"
#include "base/num.h"
#include "metrics/record.h"
#include "metrics/store_int.h"

#include <stdlib.h>

#define METADATA_MAX 100000 /* metrics with help texts; further ones are not kept */

void side_init(SideData *d) {
    mutex_init(&d->lock);
    d->newest = u64map_create();
    d->metadata = map_create(MAP_COPY_KEYS);
}

static void metadata_done(MetricMetadata *m) {
    mem_free((char *)(uintptr_t)m->metric.p);
    mem_free((char *)(uintptr_t)m->help.p);
    mem_free((char *)(uintptr_t)m->unit.p);
}

/* --- exemplars --- */
StoredExemplar *side_exemplar_at(SideData *d, size_t i) { return &d->ring[(d->first + i) % d->ring_cap]; }

static void drop_oldest(SideData *d) {
    StoredExemplar *old = side_exemplar_at(d, 0);
    d->exemplar_bytes -= old->n;
    mem_free(old->bytes);
    d->first = (d->first + 1) % d->ring_cap;
    d->n_exemplars--;
}

static void ring_grow(SideData *d) {
    size_t cap = d->ring_cap ? MIN(d->ring_cap * 2, EXEMPLARS_MAX) : 256;
    StoredExemplar *ring = mem_alloc_array(cap, sizeof *ring);
    for (size_t i = 0; i < d->n_exemplars; i++) ring[i] = *side_exemplar_at(d, i);
    mem_free(d->ring);
    d->ring = ring;
    d->ring_cap = cap;
    d->first = 0;
}

/* Room for one more of n bytes. */
static StoredExemplar *ring_slot(SideData *d, size_t n) {
    while (d->n_exemplars && (d->n_exemplars == EXEMPLARS_MAX || d->exemplar_bytes + n > EXEMPLAR_BYTES_MAX))
        drop_oldest(d);
    if (d->n_exemplars == d->ring_cap) ring_grow(d);
    d->exemplar_bytes += n;
    return side_exemplar_at(d, d->n_exemplars++);
}

void side_done(SideData *d) {
    while (d->n_exemplars) drop_oldest(d);
    mem_free(d->ring);
    vec_foreach(MetricMetadata, m, &d->entries) metadata_done(m);
    vec_done(&d->entries);
    u64map_free(d->newest);
    map_free(d->metadata);
    mutex_done(&d->lock);
}

static uint64_t exemplar_hash(const Exemplar *e) {
    uint64_t bits;
    memcpy(&bits, &e->value, 8);
    return hash_u64(labels_hash(e->labels) ^ hash_u64(bits) ^ (uint64_t)e->t_ms * UINT64_C(0x9e3779b97f4a7c15));
}

/* Targets repeat their exemplar at every scrape. What comes again later, from a sender that tries again or from the log
 * after a crash, is left out when it is read. */
static bool is_repeated(SideData *d, uint64_t series, uint64_t hash) {
    if (u64map_count(d->newest) > 2 * EXEMPLARS_MAX) u64map_clear(d->newest);
    bool is_new;
    uint64_t *newest = u64map_put(d->newest, series, &is_new);
    bool repeated = !is_new && *newest == hash;
    *newest = hash;
    return repeated;
}

void side_add_exemplar(SideData *d, Labels series, const Exemplar *e) {
    Buf bytes = {0};
    labels_encode(&bytes, series);
    uint64_t key = hash_bytes(bytes.p, bytes.n, hash_process_seed()), hash = exemplar_hash(e);
    labels_encode(&bytes, e->labels);
    mutex_lock(&d->lock);
    if (bytes.n <= EXEMPLAR_BYTES_MAX && !is_repeated(d, key, hash)) {
        StoredExemplar *slot = ring_slot(d, bytes.n);
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
    if (x->exemplar.t_ms != y->exemplar.t_ms) return x->exemplar.t_ms < y->exemplar.t_ms ? -1 : 1;
    uint64_t v = f64_bits(x->exemplar.value), w = f64_bits(y->exemplar.value);
    return v != w ? (v < w ? -1 : 1) : labels_cmp(x->exemplar.labels, y->exemplar.labels);
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
        fits = take_exemplar(side_exemplar_at(d, i), req, scratch, &f, &matches);
        if (fits && matches) vec_push(&found, f);
    }
    mutex_unlock(&d->lock);
    if (found.n) qsort(found.v, found.n, sizeof *found.v, by_series);
    *ret_n = 0;
    *ret_series = ARENA_ARRAY(req->arena, Labels, found.n);
    *ret = ARENA_ARRAY(req->arena, Exemplar, found.n);
    fits = fits && *ret_series && *ret;
    for (size_t i = 0; i < found.n && fits; i++) {
        if (i && by_series(&found.v[i - 1], &found.v[i]) == 0) continue;
        (*ret_series)[*ret_n] = found.v[i].series;
        (*ret)[(*ret_n)++] = found.v[i].exemplar;
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

static size_t metadata_bytes(const MetricMetadata *m) { return m->metric.n + m->help.n + m->unit.n; }

static MetricMetadata metadata_copy(const MetricMetadata *m) {
    return (MetricMetadata){own(m->metric), m->type, own(m->help), own(m->unit)};
}

void side_add_metadata(SideData *d, const MetricMetadata *m) {
    mutex_lock(&d->lock);
    const uint64_t *at = map_get(d->metadata, m->metric);
    MetricMetadata *old = at ? &d->entries.v[*at] : NULL;
    size_t others = d->metadata_bytes - (old ? metadata_bytes(old) : 0);
    bool fits = metadata_bytes(m) <= METADATA_BYTES_MAX - others && (old || d->entries.n < METADATA_MAX);
    if (fits && !(old && same_metadata(old, m))) {
        MetricMetadata copy = metadata_copy(m);
        if (old) {
            metadata_done(old);
            *old = copy;
        } else {
            *map_put(d->metadata, m->metric, NULL) = d->entries.n;
            vec_push(&d->entries, copy);
        }
        d->metadata_bytes = others + metadata_bytes(m);
        d->dirty = true;
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
