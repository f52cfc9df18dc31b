/* head_postings.c - the inverted index of the series in memory: label name -> value -> series. */
#include "metrics/head_int.h"

#define POSTING_LIST_MAX 48

void index_postings_done(SeriesIndex *x) {
    vec_foreach(NameEntry, e, &x->names) {
        vec_foreach(ValueEntry, v, &e->values) {
            mem_free(v->list);
            if (v->set) roaring_bitmap_free(v->set);
        }
        vec_done(&e->values);
    }
    vec_done(&x->names);
}

uint32_t index_name_ordinal(SeriesIndex *x, uint32_t symbol) {
    bool is_new;
    uint64_t *slot = u64map_put(x->name_of, symbol, &is_new);
    if (is_new) {
        *slot = x->names.n;
        vec_push(&x->names, (NameEntry){.symbol = symbol});
    }
    return (uint32_t)*slot;
}

static void posting_add(SeriesIndex *x, ValueEntry *e, uint32_t id) {
    if (e->set) {
        roaring_bitmap_add(e->set, id);
        x->postings_bytes += 2;
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
        x->postings_bytes += (cap - e->cap) * sizeof *e->list;
        e->cap = cap;
        if (e->n == 1) e->list[0] = e->single;
    }
    e->list[e->n++] = id;
}

/* The entry of a value that has series already, or a new one with this series only (*ret_new). */
static uint32_t value_entry(SeriesIndex *x, uint32_t ordinal, uint32_t symbol, uint32_t id, bool *ret_new) {
    NameEntry *ne = &x->names.v[ordinal];
    uint64_t *slot = u64map_put(x->value_of, (uint64_t)ordinal << 32 | symbol, ret_new);
    if (*ret_new) {
        *slot = ne->values.n;
        vec_push(&ne->values, (ValueEntry){.symbol = symbol, .single = id, .n = 1});
        x->postings_bytes += sizeof(ValueEntry);
    }
    return (uint32_t)*slot;
}

void index_enter(SeriesIndex *x, Shape *shape, const uint32_t *values, uint32_t id) {
    for (uint32_t i = 0; i < shape->n; i++) {
        uint32_t ordinal = shape->ordinals[i];
        bool is_new = false;
        if (shape->last_values[i] != values[i]) {
            shape->last_entries[i] = value_entry(x, ordinal, values[i], id, &is_new);
            shape->last_values[i] = values[i];
        }
        if (!is_new) posting_add(x, &x->names.v[ordinal].values.v[shape->last_entries[i]], id);
    }
}

/* --- as seen by postings_match --- */
static size_t index_name_find(void *ctx, Str name) {
    const SeriesIndex *x = ctx;
    const uint64_t *symbol = map_get(x->symbol_ids, name);
    const uint64_t *ordinal = symbol ? u64map_get(x->name_of, *symbol) : NULL;
    return ordinal ? (size_t)*ordinal : POSTINGS_NONE;
}

static size_t index_value_count(void *ctx, size_t name) { return ((SeriesIndex *)ctx)->names.v[name].values.n; }

static Str index_value_at(void *ctx, size_t name, size_t i) {
    const SeriesIndex *x = ctx;
    return x->symbols.v[x->names.v[name].values.v[i].symbol];
}

static size_t index_value_find(void *ctx, size_t name, Str value) {
    const SeriesIndex *x = ctx;
    const uint64_t *symbol = map_get(x->symbol_ids, value);
    const uint64_t *ordinal = symbol ? u64map_get(x->value_of, (uint64_t)name << 32 | *symbol) : NULL;
    return ordinal ? (size_t)*ordinal : POSTINGS_NONE;
}

static bool index_add_to(void *ctx, size_t name, size_t i, roaring_bitmap_t *set) {
    const ValueEntry *e = &((SeriesIndex *)ctx)->names.v[name].values.v[i];
    if (e->set)
        roaring_bitmap_or_inplace(set, e->set);
    else if (e->list)
        roaring_bitmap_add_many(set, e->n, e->list);
    else
        roaring_bitmap_add(set, e->single);
    return true;
}

PostingIndex head_postings(Head *h) {
    return (PostingIndex){.ctx = h->index,
        .n_series = h->index->n_series,
        .name_find = index_name_find,
        .value_count = index_value_count,
        .value_at = index_value_at,
        .value_find = index_value_find,
        .add_to = index_add_to};
}

static bool series_lives(Head *h, uint32_t id) { return head_overlaps(h, id, INT64_MIN, INT64_MAX); }

static bool set_lives(Head *h, const roaring_bitmap_t *set) {
    roaring_uint32_iterator_t it;
    for (roaring_init_iterator(set, &it); it.has_value; roaring_advance_uint32_iterator(&it))
        if (series_lives(h, it.current_value)) return true;
    return false;
}

bool head_value_lives(Head *h, size_t name, size_t value) {
    const ValueEntry *e = &h->index->names.v[name].values.v[value];
    if (e->set) return set_lives(h, e->set);
    if (!e->list) return series_lives(h, e->single);
    for (uint32_t i = 0; i < e->n; i++)
        if (series_lives(h, e->list[i])) return true;
    return false;
}

size_t head_name_count(const Head *h) { return h->index->names.n; }
Str head_name(const Head *h, size_t ordinal) { return h->index->symbols.v[h->index->names.v[ordinal].symbol]; }
