/* head_index.c - series by their labels and by the hash of the bytes these came as. */
#include "metrics/head_int.h"

#include "base/hash.h"

#define LABELS_LOCAL 64 /* more labels than that take heap scratch */
#define OTHER_RAW_MIN                                                                                                  \
    65536 /* hashes beyond that and four per series are forgotten: some sender never repeats itself                    \
           */

/* --- life --- */
SeriesIndex *series_index_create(void) {
    SeriesIndex *x = NEW(SeriesIndex);
    atomic_init(&x->refs, 1);
    rwlock_init(&x->lock);
    x->arena = arena_create(ARENA_UNLIMITED);
    x->symbol_ids = map_create(MAP_BORROW_KEYS);
    x->shape_ids = map_create(MAP_BORROW_KEYS);
    x->other_raw = u64map_create();
    x->name_of = u64map_create();
    x->value_of = u64map_create();
    slabs_init(&x->values, 2);
    id_table_init(&x->by_labels);
    id_table_init(&x->by_raw);
    return x;
}

SeriesIndex *series_index_ref(SeriesIndex *x) {
    atomic_fetch_add(&x->refs, 1);
    return x;
}

void series_index_unref(SeriesIndex *x) {
    if (!x || atomic_fetch_sub(&x->refs, 1) != 1) return;
    index_postings_done(x);
    for (size_t i = 0; i < x->pages.n; i++) mem_free(x->pages.v[i]);
    vec_done(&x->pages);
    vec_done(&x->symbols);
    vec_done(&x->shapes);
    map_free(x->symbol_ids);
    map_free(x->shape_ids);
    u64map_free(x->other_raw);
    u64map_free(x->name_of);
    u64map_free(x->value_of);
    id_table_done(&x->by_labels);
    id_table_done(&x->by_raw);
    slabs_done(&x->values);
    arena_free(x->arena);
    rwlock_done(&x->lock);
    mem_free(x);
}

static void account(SeriesIndex *x) {
    x->bytes = arena_used_bytes(x->arena) + map_memory_bytes(x->symbol_ids) + u64map_memory_bytes(x->value_of) +
               u64map_memory_bytes(x->other_raw) + id_table_bytes(&x->by_labels) + id_table_bytes(&x->by_raw) +
               slabs_bytes(&x->values) + x->symbols.cap * sizeof(Str) + x->postings_bytes +
               x->pages.n * INDEX_PAGE * sizeof(IndexSeries);
}

void head_close_index(Head *h) {
    SeriesIndex *x = h->index;
    head_lock_write(h);
    id_table_clear(&x->by_labels);
    id_table_clear(&x->by_raw);
    u64map_clear(x->other_raw);
    account(x);
    head_unlock(h);
}

/* --- labels to symbols --- */
uint32_t head_intern(Head *h, Str s) {
    SeriesIndex *x = h->index;
    const uint64_t *known = map_get(x->symbol_ids, s);
    if (known) return (uint32_t)*known;
    Str copy = arena_copy(x->arena, s);
    ASSERT(copy.p && x->symbols.n < UINT32_MAX);
    *map_put(x->symbol_ids, copy, NULL) = x->symbols.n;
    vec_push(&x->symbols, copy);
    return (uint32_t)(x->symbols.n - 1);
}

static bool symbol_is(const SeriesIndex *x, uint32_t symbol, Str s) { return str_eq(x->symbols.v[symbol], s); }

/* The symbol of s, first tried: `likely`. false: unknown. */
static bool find_symbol(const SeriesIndex *x, Str s, uint32_t likely, uint32_t *ret) {
    *ret = likely;
    if (likely != UINT32_MAX && symbol_is(x, likely, s)) return true;
    const uint64_t *known = map_get(x->symbol_ids, s);
    if (known) *ret = (uint32_t)*known;
    return known;
}

static bool shape_is(const SeriesIndex *x, const Shape *shape, Labels l) {
    if (shape->n != l.n) return false;
    for (size_t i = 0; i < l.n; i++)
        if (!symbol_is(x, shape->names[i], l.v[i].name)) return false;
    return true;
}

static uint32_t shape_of_names(const SeriesIndex *x, const uint32_t *names, uint32_t n) {
    const uint64_t *known = map_get(x->shape_ids, str_of((const char *)names, n * sizeof *names));
    return known ? (uint32_t)*known : UINT32_MAX;
}

static uint32_t *arena_words(SeriesIndex *x, size_t n) {
    uint32_t *p = arena_alloc(x->arena, MAX(n, 1) * sizeof *p);
    ASSERT(p);
    return p;
}

static uint32_t shape_make(SeriesIndex *x, const uint32_t *names, uint32_t n) {
    Shape s = {.n = n, .names = arena_words(x, n), .ordinals = arena_words(x, n)};
    s.last_values = arena_words(x, n);
    s.last_entries = arena_words(x, n);
    for (uint32_t i = 0; i < n; i++) {
        s.names[i] = names[i];
        s.ordinals[i] = index_name_ordinal(x, names[i]);
        s.last_values[i] = UINT32_MAX;
    }
    *map_put(x->shape_ids, str_of((const char *)s.names, n * sizeof *names), NULL) = x->shapes.n;
    vec_push(&x->shapes, s);
    return (uint32_t)(x->shapes.n - 1);
}

static uint64_t symbols_hash(uint32_t shape, const uint32_t *values, uint32_t n) {
    return hash_bytes(values, n * sizeof *values, hash_process_seed() ^ hash_u64(shape));
}

static uint32_t find_symbols(const SeriesIndex *x, uint32_t shape, const uint32_t *values, uint64_t hash) {
    uint32_t n = x->shapes.v[shape].n, id;
    for (size_t it = SIZE_MAX; (id = id_table_next(&x->by_labels, hash, &it)) != HEAD_NO_SERIES;) {
        const IndexSeries *s = index_series_at(x, id);
        if (s->shape == shape && (n == 0 || memcmp(index_values(x, s), values, n * sizeof *values) == 0)) return id;
    }
    return HEAD_NO_SERIES;
}

/* --- finding --- */
/* A raw hash has 64 bits and a secret seed: equal ones are equal bytes. */
uint32_t head_find_raw(const Head *h, uint64_t raw_hash, uint32_t after) {
    const SeriesIndex *x = h->index;
    uint32_t id = after + 1; /* 0 after HEAD_NO_SERIES; near, while the table would be a cache miss */
    if (id < x->n_series && index_series_at(x, id)->raw_hash == raw_hash) return id;
    for (size_t it = SIZE_MAX; (id = id_table_next(&x->by_raw, raw_hash, &it)) != HEAD_NO_SERIES;)
        if (index_series_at(x, id)->raw_hash == raw_hash) return id;
    const uint64_t *other = u64map_count(x->other_raw) ? u64map_get(x->other_raw, raw_hash) : NULL;
    return other ? (uint32_t)*other : HEAD_NO_SERIES;
}

/* The labels as shape and value symbols, of what is known; false: something is not, so no series has them. */
static bool known_symbols(const SeriesIndex *x, Labels l, uint32_t after, uint32_t *ret_shape, uint32_t *values) {
    const IndexSeries *like = after < x->n_series ? index_series_at(x, after) : NULL;
    if (like && shape_is(x, &x->shapes.v[like->shape], l)) {
        *ret_shape = like->shape;
    } else {
        like = NULL;
        for (size_t i = 0; i < l.n; i++)
            if (!find_symbol(x, l.v[i].name, UINT32_MAX, &values[i])) return false;
        *ret_shape = shape_of_names(x, values, (uint32_t)l.n);
        if (*ret_shape == UINT32_MAX) return false;
    }
    const uint32_t *likely = like ? index_values(x, like) : NULL;
    for (size_t i = 0; i < l.n; i++)
        if (!find_symbol(x, l.v[i].value, likely ? likely[i] : UINT32_MAX, &values[i])) return false;
    return true;
}

uint32_t head_find(const Head *h, Labels l, uint32_t after) {
    const SeriesIndex *x = h->index;
    uint32_t local[LABELS_LOCAL], *values = l.n > LABELS_LOCAL ? mem_alloc_array(l.n, sizeof *values) : local;
    uint32_t shape, id = HEAD_NO_SERIES;
    if (known_symbols(x, l, after, &shape, values))
        id = find_symbols(x, shape, values, symbols_hash(shape, values, (uint32_t)l.n));
    if (values != local) mem_free(values);
    return id;
}

uint32_t head_series_count(const Head *h) { return atomic_load(&h->index->n_series); }
size_t head_symbol_count(const Head *h) { return h->index->symbols.n; }
Str head_symbol(const Head *h, uint32_t symbol) { return h->index->symbols.v[symbol]; }

SeriesSymbols head_series_symbols(const Head *h, uint32_t id) {
    const IndexSeries *s = index_series_at(h->index, id);
    const Shape *shape = &h->index->shapes.v[s->shape];
    return (SeriesSymbols){shape->names, index_values(h->index, s), shape->n, s->shape};
}

Labels head_labels(const Head *h, uint32_t id, Arena *arena) {
    SeriesSymbols s = head_series_symbols(h, id);
    Label *v = ARENA_ARRAY(arena, Label, s.n);
    for (uint32_t i = 0; v && i < s.n; i++) v[i] = (Label){head_symbol(h, s.names[i]), head_symbol(h, s.values[i])};
    return (Labels){v, s.n};
}

/* --- creating --- */
static uint64_t labels_hash_of(void *ctx, uint32_t id) {
    const SeriesIndex *x = ctx;
    const IndexSeries *s = index_series_at(x, id);
    return symbols_hash(s->shape, index_values(x, s), x->shapes.v[s->shape].n);
}

static uint64_t raw_hash_of(void *ctx, uint32_t id) { return index_series_at(ctx, id)->raw_hash; }

static uint32_t create(SeriesIndex *x, uint32_t shape, const uint32_t *values, uint64_t hash) {
    uint32_t id = x->n_series, n = x->shapes.v[shape].n;
    ASSERT(id < (uint32_t)HEAD_PAGE * HEAD_DIR * HEAD_DIRS - 1);
    if (id % INDEX_PAGE == 0) vec_push(&x->pages, (IndexSeries *)mem_alloc_array(INDEX_PAGE, sizeof(IndexSeries)));
    IndexSeries *s = &x->pages.v[id / INDEX_PAGE][id % INDEX_PAGE];
    *s = (IndexSeries){.values = n ? slabs_take(&x->values, n) : 0, .shape = shape};
    if (n) memcpy(slabs_at(&x->values, s->values), values, n * sizeof *values);
    index_enter(x, &x->shapes.v[shape], values, id);
    id_table_put(&x->by_labels, hash, id, labels_hash_of, x);
    x->n_series = id + 1;
    if (id % 64 == 0) account(x);
    return id;
}

static uint32_t get_or_create(SeriesIndex *x, uint32_t shape, const uint32_t *values, bool *ret_created) {
    uint64_t hash = symbols_hash(shape, values, x->shapes.v[shape].n);
    uint32_t id = find_symbols(x, shape, values, hash);
    *ret_created = id == HEAD_NO_SERIES;
    return *ret_created ? create(x, shape, values, hash) : id;
}

static void learn_raw_hash(SeriesIndex *x, uint32_t id, uint64_t raw_hash) {
    IndexSeries *s = index_series_at(x, id);
    if (s->raw_hash == raw_hash) return;
    if (s->raw_hash) {
        if (u64map_count(x->other_raw) > OTHER_RAW_MIN + 4 * (size_t)x->n_series) u64map_clear(x->other_raw);
        *u64map_put(x->other_raw, raw_hash, NULL) = id;
        return;
    }
    s->raw_hash = raw_hash;
    id_table_put(&x->by_raw, raw_hash, id, raw_hash_of, x);
}

uint32_t head_get_or_create(Head *h, Labels l, uint64_t raw_hash, bool *ret_created) {
    SeriesIndex *x = h->index;
    uint32_t local[LABELS_LOCAL], *values = l.n > LABELS_LOCAL ? mem_alloc_array(l.n, sizeof *values) : local;
    uint32_t shape, n = (uint32_t)l.n, last = x->n_series - 1;
    if (!known_symbols(x, l, last, &shape, values)) {
        for (uint32_t i = 0; i < n; i++) values[i] = head_intern(h, l.v[i].name);
        shape = shape_of_names(x, values, n);
        if (shape == UINT32_MAX) shape = shape_make(x, values, n);
        for (uint32_t i = 0; i < n; i++) values[i] = head_intern(h, l.v[i].value);
    }
    uint32_t id = get_or_create(x, shape, values, ret_created);
    if (raw_hash) learn_raw_hash(x, id, raw_hash);
    if (values != local) mem_free(values);
    return id;
}

uint32_t head_get_or_create_interned(Head *h, SeriesSymbols symbols, bool is_new) {
    SeriesIndex *x = h->index;
    bool created;
    uint32_t shape = shape_of_names(x, symbols.names, symbols.n);
    if (shape == UINT32_MAX) shape = shape_make(x, symbols.names, symbols.n);
    if (!is_new) return get_or_create(x, shape, symbols.values, &created);
    return create(x, shape, symbols.values, symbols_hash(shape, symbols.values, symbols.n));
}
