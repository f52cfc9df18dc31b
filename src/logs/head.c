#include "logs/head.h"

#include "base/hash.h"
#include "sys/clock.h"

#define CHUNK_ROWS_FIRST 8
#define CHUNK_ROWS_MAX 1024

LogHead *log_head_create(void) {
    LogHead *h = NEW(LogHead);
    mutex_init(&h->lock);
    atomic_init(&h->refs, 1);
    h->arena = arena_create(ARENA_UNLIMITED);
    h->by_key = map_create(MAP_BORROW_KEYS);
    h->shapes = map_create(MAP_BORROW_KEYS);
    h->seen = u64map_create();
    h->min_t = INT64_MAX;
    h->max_t = INT64_MIN;
    h->created_ns = clock_mono_ns();
    return h;
}

LogHead *log_head_ref(LogHead *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

LogHead *log_head_unref(LogHead *h) {
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1) return NULL;
    map_free(h->by_key);
    map_free(h->shapes);
    u64map_free(h->seen);
    for (size_t i = 0; i < h->payloads.n; i++) mem_free(h->payloads.v[i]);
    vec_done(&h->payloads);
    vec_done(&h->streams);
    vec_done(&h->scratch);
    vec_done(&h->scratch_shapes);
    mem_free(h->part_ids);
    arena_free(h->arena);
    mutex_done(&h->lock);
    mem_free(h);
    return NULL;
}

uint64_t head_row_hash(uint64_t stream_hash, const HeadRow *row) {
    uint64_t seed = hash_u64(stream_hash ^ hash_u64((uint64_t)row->t_ns)) + row->line_n;
    return hash_bytes(row->line, row->line_n, seed) + log_metadata_hash(head_row_metadata(row));
}

static bool rows_equal(const HeadRow *a, const HeadRow *b) {
    return a->t_ns == b->t_ns && str_eq(head_row_line(a), head_row_line(b)) &&
           log_metadata_cmp(head_row_metadata(a), head_row_metadata(b)) == 0;
}

/* The last row of the main chain with time t, or NULL. */
static const HeadRow *main_find(const HeadStream *st, int64_t t) {
    const HeadChunk *c = st->main.last;
    while (c && c->rows[0].t_ns > t) c = c->prev;
    if (!c) return NULL;
    size_t lo = 0, hi = c->n; /* first row with a later time */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->rows[mid].t_ns <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && c->rows[lo - 1].t_ns == t ? &c->rows[lo - 1] : NULL;
}

static bool head_has(const LogHead *h, const HeadStream *st, const HeadRow *row, uint64_t hash) {
    uint64_t *seen = u64map_get(h->seen, hash);
    if (seen && rows_equal((const HeadRow *)(uintptr_t)*seen, row)) return true;
    const HeadRow *same = main_find(st, row->t_ns); /* rows that share their time are in seen; this finds single ones */
    return same && rows_equal(same, row);
}

static HeadRow *chain_push(LogHead *h, HeadChain *chain, const HeadRow *row) {
    HeadChunk *c = chain->last;
    if (!c || c->n == c->cap) {
        uint32_t cap = c ? MIN(c->cap * 2, (uint32_t)CHUNK_ROWS_MAX) : CHUNK_ROWS_FIRST;
        size_t size = sizeof(HeadChunk) + cap * sizeof(HeadRow);
        HeadChunk *fresh = arena_alloc(h->arena, size);
        ASSERT(fresh);
        fresh->prev = c;
        fresh->next = NULL;
        fresh->n = 0;
        fresh->cap = cap;
        if (c)
            c->next = fresh;
        else
            chain->first = fresh;
        chain->last = c = fresh;
        h->bytes += size;
    }
    c->rows[c->n] = *row;
    return &c->rows[c->n++];
}

static void seen_put(LogHead *h, uint64_t hash, const HeadRow *row) {
    bool inserted;
    uint64_t *slot = u64map_put(h->seen, hash, &inserted);
    if (!inserted) return; /* another row with this hash: then this one is not recognised, which loses nothing */
    *slot = (uint64_t)(uintptr_t)row;
    h->bytes += 24;
}

static bool is_elsewhere(const HeadStream *st, const HeadStream *older_st, const LogHead *older, LogRecent *recent,
    const HeadRow *row, uint64_t hash) {
    if (older_st && row->t_ns <= older_st->max_t && head_has(older, older_st, row, hash)) return true;
    return row->t_ns <= st->flushed_max_t && recent_has(recent, hash);
}

/* False: dropped as a duplicate. */
static bool add_row(LogHead *h, HeadStream *st, const HeadStream *older_st, const LogHead *older, LogRecent *recent,
    const HeadRow *row) {
    const HeadChunk *last = st->main.last;
    int64_t last_t = last ? last->rows[last->n - 1].t_ns : INT64_MIN;
    bool newest = !last || row->t_ns > last_t;
    bool elsewhere = (older_st && row->t_ns <= older_st->max_t) || row->t_ns <= st->flushed_max_t;
    uint64_t hash = newest && !elsewhere ? 0 : head_row_hash(st->hash, row);
    if (!newest && head_has(h, st, row, hash)) return false;
    if (elsewhere && is_elsewhere(st, older_st, older, recent, row, hash)) return false;
    if (newest) {
        chain_push(h, &st->main, row);
        st->last_run = 1;
    } else if (row->t_ns == last_t) {
        if (st->last_run == 1) {
            const HeadRow *first = &last->rows[last->n - 1];
            seen_put(h, head_row_hash(st->hash, first), first);
        }
        seen_put(h, hash, chain_push(h, &st->main, row));
        st->last_run++;
    } else {
        seen_put(h, hash, chain_push(h, &st->late, row));
    }
    st->n_rows++;
    st->bytes += row->line_n;
    st->min_t = MIN(st->min_t, row->t_ns);
    st->max_t = MAX(st->max_t, row->t_ns);
    return true;
}

static HeadStream *intern(LogHead *h, Str key, LogRecent *recent) {
    bool inserted;
    uint64_t *slot = map_put(h->by_key, key, &inserted);
    if (!inserted) return (HeadStream *)(uintptr_t)*slot;
    HeadStream *st = ARENA_NEW(h->arena, HeadStream);
    ASSERT(st);
    if (!log_stream_key_decode(key, h->arena, &st->labels)) {
        map_remove(h->by_key, key, NULL);
        return NULL;
    }
    st->hash = labels_hash(st->labels);
    st->min_t = INT64_MAX;
    st->max_t = INT64_MIN;
    st->flushed_max_t = recent_stream_max(recent, st->hash);
    *slot = (uint64_t)(uintptr_t)st;
    vec_push(&h->streams, st);
    h->bytes += sizeof *st + st->labels.n * sizeof(Label) + 64;
    return st;
}

static const LogShape *intern_shape(LogHead *h, Str bytes) {
    bool inserted;
    uint64_t *slot = map_put(h->shapes, bytes, &inserted);
    if (!inserted) return (const LogShape *)(uintptr_t)*slot;
    const LogShape *shape;
    if (!log_shape_decode(bytes, h->arena, &shape)) {
        map_remove(h->shapes, bytes, NULL);
        return NULL;
    }
    *slot = (uint64_t)(uintptr_t)shape;
    h->bytes += sizeof *shape + shape->n * sizeof *shape->fields + 64;
    return shape;
}

static bool define_stream(LogHead *h, Str key, const LogHead *older, LogRecent *recent) {
    HeadStream *st = intern(h, key, recent);
    if (!st) return false;
    vec_push(&h->scratch, st);
    vec_push(&h->scratch, older ? map_get_ptr(older->by_key, key) : NULL);
    return true;
}

static bool define_shape(LogHead *h, Str bytes) {
    const LogShape *shape = intern_shape(h, bytes);
    if (shape) vec_push(&h->scratch_shapes, shape);
    return shape != NULL;
}

static ErrCode apply_items(
    LogHead *h, Str payload, const LogHead *older, LogRecent *recent, uint64_t *ret_rows, uint64_t *ret_duplicates) {
    LogDecoder d;
    if (!log_decoder_init(&d, payload)) return ERR_CORRUPT;
    LogItem item;
    vec_clear(&h->scratch); /* pairs: this head's stream, the older head's */
    vec_clear(&h->scratch_shapes);
    for (LogItemKind k; (k = log_decoder_next(&d, &item)) != LOG_ITEM_END;) {
        if (k == LOG_ITEM_BAD) return ERR_CORRUPT;
        if (k == LOG_ITEM_STREAM || k == LOG_ITEM_SHAPE) {
            bool good = k == LOG_ITEM_STREAM ? define_stream(h, item.key, older, recent) : define_shape(h, item.key);
            if (!good) return ERR_CORRUPT;
            continue;
        }
        HeadRow row = {item.t_ns, item.line.p, (uint32_t)item.line.n, (uint32_t)item.values.n,
            item.shape ? h->scratch_shapes.v[item.shape - 1] : NULL};
        HeadStream *st = h->scratch.v[2 * item.stream];
        if (!add_row(h, st, h->scratch.v[2 * item.stream + 1], older, recent, &row)) {
            ++*ret_duplicates;
            continue;
        }
        h->rows++;
        ++*ret_rows;
        h->min_t = MIN(h->min_t, row.t_ns);
        h->max_t = MAX(h->max_t, row.t_ns);
    }
    return OK;
}

ErrCode log_head_apply(LogHead *h, char *bytes, size_t n, const LogHead *older, LogRecent *recent, uint64_t *ret_rows,
    uint64_t *ret_duplicates) {
    *ret_rows = *ret_duplicates = 0;
    mutex_lock(&h->lock);
    vec_push(&h->payloads, bytes);
    h->bytes += n;
    ErrCode rc = apply_items(h, str_of(bytes, n), older, recent, ret_rows, ret_duplicates);
    mutex_unlock(&h->lock);
    return rc;
}

bool head_view(LogHead *h, Arena *arena, HeadStreamView **ret, size_t *ret_n) {
    mutex_lock(&h->lock);
    size_t n = h->streams.n;
    HeadStreamView *v = ARENA_ARRAY(arena, HeadStreamView, n);
    for (size_t i = 0; v && i < n; i++) {
        const HeadStream *st = h->streams.v[i];
        const HeadChunk *m = st->main.last, *l = st->late.last;
        v[i] = (HeadStreamView){st, m, l, m ? m->n : 0, l ? l->n : 0, st->min_t, st->max_t};
    }
    mutex_unlock(&h->lock);
    *ret = v;
    *ret_n = n;
    return v != NULL;
}
