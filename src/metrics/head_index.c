#include "metrics/head_int.h"

#define POSTING_LIST_MAX 48
#define NO_ID UINT32_MAX

Head *head_create(uint64_t epoch) {
    Head *h = NEW(Head);
    atomic_init(&h->refs, 1);
    h->epoch = epoch;
    rwlock_init(&h->index_lock);
    h->index_arena = arena_create(ARENA_UNLIMITED);
    h->symbol_ids = map_create(MAP_BORROW_KEYS);
    h->by_hash = u64map_create();
    h->by_raw_hash = u64map_create();
    h->name_of = u64map_create();
    h->value_of = u64map_create();
    for (size_t i = 0; i < HEAD_SHARDS; i++) mutex_init(&h->shards[i].lock);
    h->pool.arena = arena_create(ARENA_UNLIMITED);
    atomic_init(&h->min_t, INT64_MAX);
    atomic_init(&h->max_t, INT64_MIN);
    return h;
}

static void names_done(Head *h) {
    vec_foreach(NameEntry, e, &h->names) {
        vec_foreach(ValueEntry, v, &e->values) {
            mem_free(v->list);
            if (v->set) roaring_bitmap_free(v->set);
        }
        vec_done(&e->values);
    }
    vec_done(&h->names);
}

static void head_free(Head *h) {
    names_done(h);
    for (size_t i = 0; i < h->pages.n; i++) mem_free(h->pages.v[i]);
    vec_done(&h->pages);
    vec_done(&h->symbols);
    map_free(h->symbol_ids);
    u64map_free(h->by_hash);
    u64map_free(h->by_raw_hash);
    u64map_free(h->name_of);
    u64map_free(h->value_of);
    arena_free(h->index_arena);
    head_pool_done(&h->pool);
    buf_done(&h->scratch);
    for (size_t i = 0; i < HEAD_SHARDS; i++) mutex_done(&h->shards[i].lock);
    rwlock_done(&h->index_lock);
    mem_free(h);
}

Head *head_ref(Head *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

void head_unref(Head *h) {
    if (h && atomic_fetch_sub(&h->refs, 1) == 1) head_free(h);
}

uint64_t head_epoch(const Head *h) { return h->epoch; }
void head_set_epoch(Head *h, uint64_t epoch) { h->epoch = epoch; }
void head_lock_read(Head *h) { rwlock_read(&h->index_lock); }
void head_lock_write(Head *h) { rwlock_write(&h->index_lock); }
void head_unlock(Head *h) { rwlock_unlock(&h->index_lock); }
uint32_t head_series_count(const Head *h) { return atomic_load(&h->n_series); }

HeadSeries *head_series_at(const Head *h, uint32_t id) {
    DASSERT(id < h->n_series);
    return &h->pages.v[id / SERIES_PAGE][id % SERIES_PAGE];
}

/* --- finding --- */
static bool has_labels(const Head *h, const HeadSeries *s, Labels l) {
    if (s->n_labels != l.n) return false;
    for (size_t i = 0; i < l.n; i++) {
        if (!str_eq(h->symbols.v[s->pairs[2 * i]], l.v[i].name)) return false;
        if (!str_eq(h->symbols.v[s->pairs[2 * i + 1]], l.v[i].value)) return false;
    }
    return true;
}

static HeadSeries *find_by_hash(const Head *h, uint64_t hash, Labels labels) {
    const uint64_t *first = u64map_get(h->by_hash, hash);
    for (uint32_t id = first ? (uint32_t)*first : NO_ID; id != NO_ID;) {
        HeadSeries *s = head_series_at(h, id);
        if (has_labels(h, s, labels)) return s;
        id = s->same_hash;
    }
    return NULL;
}

/* A raw hash has 64 bits and a secret seed: equal ones are equal bytes. */
HeadSeries *head_find_raw(Head *h, uint64_t raw_hash, const HeadSeries *after) {
    if (after && after->id + 1 < h->n_series) { /* its successor is near; the map would be a cache miss */
        HeadSeries *next = head_series_at(h, after->id + 1);
        if (next->raw_hash == raw_hash) return next;
    }
    const uint64_t *id = u64map_get(h->by_raw_hash, raw_hash);
    return id ? head_series_at(h, (uint32_t)*id) : NULL;
}

HeadSeries *head_find(Head *h, Labels labels) { return find_by_hash(h, labels_hash(labels), labels); }

Labels head_labels(const Head *h, const HeadSeries *s, Arena *arena) {
    Label *v = ARENA_ARRAY(arena, Label, s->n_labels);
    if (!v) return (Labels){NULL, s->n_labels};
    for (size_t i = 0; i < s->n_labels; i++) {
        v[i].name = h->symbols.v[s->pairs[2 * i]];
        v[i].value = h->symbols.v[s->pairs[2 * i + 1]];
    }
    return (Labels){v, s->n_labels};
}

/* --- creating --- */
static uint32_t intern(Head *h, Str s) {
    const uint64_t *known = map_get(h->symbol_ids, s);
    if (known) return (uint32_t)*known;
    Str copy = arena_copy(h->index_arena, s);
    ASSERT(copy.p && h->symbols.n < UINT32_MAX);
    *map_put(h->symbol_ids, copy, NULL) = h->symbols.n;
    vec_push(&h->symbols, copy);
    return (uint32_t)(h->symbols.n - 1);
}

static size_t name_ordinal(Head *h, uint32_t symbol) {
    bool is_new;
    uint64_t *slot = u64map_put(h->name_of, symbol, &is_new);
    if (is_new) {
        *slot = h->names.n;
        vec_push(&h->names, (NameEntry){.symbol = symbol});
    }
    return (size_t)*slot;
}

static void posting_add(Head *h, ValueEntry *e, uint32_t id) {
    if (e->set) {
        roaring_bitmap_add(e->set, id);
        h->postings_bytes += 2;
        return;
    }
    if (e->n == POSTING_LIST_MAX) {
        e->set = roaring_bitmap_of_ptr(e->n, e->list);
        roaring_bitmap_add(e->set, id);
        mem_free(e->list);
        e->list = NULL;
        return;
    }
    if (e->n >= e->cap) {
        uint32_t cap = e->cap ? e->cap * 2 : 4;
        e->list = mem_realloc_array(e->list, cap, sizeof *e->list);
        h->postings_bytes += (cap - e->cap) * sizeof *e->list;
        e->cap = cap;
        if (e->n == 1) e->list[0] = e->single;
    }
    e->list[e->n++] = id;
}

static void index_pair(Head *h, uint32_t name_symbol, uint32_t value_symbol, uint32_t id) {
    size_t name = name_ordinal(h, name_symbol);
    NameEntry *ne = &h->names.v[name];
    bool is_new;
    uint64_t *slot = u64map_put(h->value_of, (uint64_t)name << 32 | value_symbol, &is_new);
    if (is_new) {
        *slot = ne->values.n;
        vec_push(&ne->values, (ValueEntry){.symbol = value_symbol, .single = id, .n = 1});
        h->postings_bytes += sizeof(ValueEntry);
        return;
    }
    posting_add(h, &ne->values.v[*slot], id);
}

static HeadSeries *new_series(Head *h) {
    uint32_t id = h->n_series;
    ASSERT(id < NO_ID);
    if (id % SERIES_PAGE == 0) vec_push(&h->pages, (HeadSeries *)mem_alloc_array(SERIES_PAGE, sizeof(HeadSeries)));
    HeadSeries *s = &h->pages.v[id / SERIES_PAGE][id % SERIES_PAGE];
    *s = (HeadSeries){.id = id, .same_hash = NO_ID, .min_t = INT64_MAX, .max_t = INT64_MIN};
    return s;
}

static void account_index(Head *h) {
    h->index_bytes = arena_used_bytes(h->index_arena) + map_memory_bytes(h->symbol_ids) +
                     u64map_memory_bytes(h->by_hash) + u64map_memory_bytes(h->by_raw_hash) +
                     u64map_memory_bytes(h->value_of) + h->symbols.cap * sizeof(Str) + h->postings_bytes +
                     h->pages.n * SERIES_PAGE * sizeof(HeadSeries);
}

HeadSeries *head_get_or_create(Head *h, Labels labels, uint64_t raw_hash, bool *ret_created) {
    uint64_t hash = labels_hash(labels);
    HeadSeries *s = find_by_hash(h, hash, labels);
    *ret_created = !s;
    if (!s) {
        s = new_series(h);
        uint32_t *pairs = arena_alloc(h->index_arena, MAX(labels.n, 1) * 2 * sizeof *pairs);
        ASSERT(pairs);
        for (size_t i = 0; i < labels.n; i++) {
            pairs[2 * i] = intern(h, labels.v[i].name);
            pairs[2 * i + 1] = intern(h, labels.v[i].value);
            index_pair(h, pairs[2 * i], pairs[2 * i + 1], s->id);
        }
        s->pairs = pairs;
        s->n_labels = (uint32_t)labels.n;
        bool first;
        uint64_t *slot = u64map_put(h->by_hash, hash, &first);
        s->same_hash = first ? NO_ID : (uint32_t)*slot;
        *slot = s->id;
        h->n_series = s->id + 1;
        account_index(h);
    }
    if (raw_hash) {
        *u64map_put(h->by_raw_hash, raw_hash, NULL) = s->id;
        s->raw_hash = raw_hash;
    }
    return s;
}

/* --- the index as seen by postings_match --- */
static size_t index_name_find(void *ctx, Str name) {
    Head *h = ctx;
    const uint64_t *symbol = map_get(h->symbol_ids, name);
    const uint64_t *ordinal = symbol ? u64map_get(h->name_of, *symbol) : NULL;
    return ordinal ? (size_t)*ordinal : POSTINGS_NONE;
}

static size_t index_value_count(void *ctx, size_t name) { return ((Head *)ctx)->names.v[name].values.n; }

static Str index_value_at(void *ctx, size_t name, size_t i) {
    Head *h = ctx;
    return h->symbols.v[h->names.v[name].values.v[i].symbol];
}

static size_t index_value_find(void *ctx, size_t name, Str value) {
    Head *h = ctx;
    const uint64_t *symbol = map_get(h->symbol_ids, value);
    const uint64_t *ordinal = symbol ? u64map_get(h->value_of, (uint64_t)name << 32 | *symbol) : NULL;
    return ordinal ? (size_t)*ordinal : POSTINGS_NONE;
}

static bool index_add_to(void *ctx, size_t name, size_t i, roaring_bitmap_t *set) {
    const ValueEntry *e = &((Head *)ctx)->names.v[name].values.v[i];
    if (e->set)
        roaring_bitmap_or_inplace(set, e->set);
    else if (e->list)
        roaring_bitmap_add_many(set, e->n, e->list);
    else
        roaring_bitmap_add(set, e->single);
    return true;
}

PostingIndex head_postings(Head *h) {
    return (PostingIndex){.ctx = h,
        .n_series = h->n_series,
        .name_find = index_name_find,
        .value_count = index_value_count,
        .value_at = index_value_at,
        .value_find = index_value_find,
        .add_to = index_add_to};
}

Str *head_symbols(const Head *h, Arena *arena, size_t *ret_n) {
    Str *v = ARENA_ARRAY(arena, Str, h->symbols.n);
    ASSERT(v);
    if (h->symbols.n) memcpy(v, h->symbols.v, h->symbols.n * sizeof *v);
    *ret_n = h->symbols.n;
    return v;
}

size_t head_name_count(const Head *h) { return h->names.n; }
Str head_name(const Head *h, size_t ordinal) { return h->symbols.v[h->names.v[ordinal].symbol]; }

void head_stats(const Head *h, HeadStats *ret) {
    *ret = (HeadStats){.series = h->n_series,
        .samples = h->n_samples,
        .histograms = h->n_histograms,
        .bytes = h->index_bytes + h->sample_bytes,
        .min_t = h->min_t,
        .max_t = h->max_t};
}
