/* mpart_labels.c - symbols, labels and postings of a metrics part. */
#include "metrics/mpart_read_int.h"

uint32_t mpart_series_count(const MPart *p) { return p->n_series; }

size_t mpart_symbol_count(const MPart *p) {
    size_t n = p->section[MPART_SYMBOL_OFFSETS].n / 4;
    return n ? n - 1 : 0; /* 0 before the index is read, and when it cannot be */
}

Str mpart_symbol(const MPart *p, size_t i) {
    Str offsets = p->section[MPART_SYMBOL_OFFSETS];
    uint32_t from = u32_at(offsets, 4 * i), to = u32_at(offsets, 4 * i + 4);
    return str_of(p->section[MPART_SYMBOL_BYTES].p + from, to - from);
}

static size_t symbol_find(const MPart *p, Str s) {
    size_t lo = 0, hi = mpart_symbol_count(p);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(mpart_symbol(p, mid), s);
        if (c == 0) return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return POSTINGS_NONE;
}

Cursor mpart_series_cursor(const MPart *p, uint32_t series) {
    const SeriesChunk *c = &p->chunks[series / MPART_CHUNK_SERIES];
    size_t at = 4 * (size_t)(series % MPART_CHUNK_SERIES);
    uint32_t from = u32_at(c->offsets, at), to = u32_at(c->offsets, at + 4);
    return cursor_of(str_of(c->entries.p + from, to - from));
}

Cursor mpart_shape_cursor(const MPart *p, uint64_t shape) {
    Str s = p->section[MPART_SHAPES];
    return cursor_of(str_skip(s, p->shape_offsets[shape]));
}

ErrCode mpart_labels(const MPart *p, uint32_t series, Arena *arena, Labels *ret, Err *reterr) {
    if (!mpart_ready(p) || series >= p->n_series) return mpart_damaged(p, "the index", reterr);
    Cursor c = mpart_series_cursor(p, series);
    uint64_t shape = cursor_uvarint(&c);
    if (c.bad || shape >= p->n_shapes) return mpart_damaged(p, "a series", reterr);
    Cursor names = mpart_shape_cursor(p, shape);
    uint64_t n = cursor_uvarint(&names);
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = cursor_uvarint(&names), value = cursor_uvarint(&c);
        if (c.bad || value >= mpart_symbol_count(p)) return mpart_damaged(p, "a series", reterr);
        v[i] = (Label){mpart_symbol(p, name), mpart_symbol(p, value)};
    }
    *ret = (Labels){v, n};
    return OK;
}

static ErrCode shape_symbols(const MPart *p, uint64_t shape, SymbolVec *names, Err *reterr) {
    vec_clear(names);
    if (shape >= p->n_shapes) return mpart_damaged(p, "a series", reterr);
    Cursor c = mpart_shape_cursor(p, shape);
    uint64_t n = cursor_uvarint(&c);
    for (uint64_t i = 0; i < n; i++) vec_push(names, (uint32_t)cursor_uvarint(&c));
    return OK;
}

ErrCode mpart_label_symbols(
    const MPart *p, uint32_t series, uint64_t *shape, SymbolVec *names, SymbolVec *values, Err *reterr) {
    if (series >= p->n_series) return mpart_damaged(p, "the index", reterr);
    Cursor c = mpart_series_cursor(p, series);
    uint64_t its_shape = cursor_uvarint(&c);
    if (c.bad) return mpart_damaged(p, "a series", reterr);
    if (its_shape != *shape) {
        ErrCode code = shape_symbols(p, its_shape, names, reterr);
        *shape = code == OK ? its_shape : MPART_NO_SHAPE;
        if (code != OK) return code;
    }
    size_t n_symbols = mpart_symbol_count(p);
    for (size_t i = 0; i < names->n; i++) {
        uint64_t value = cursor_uvarint(&c);
        if (c.bad || value >= n_symbols) return mpart_damaged(p, "a series", reterr);
        vec_push(values, (uint32_t)value);
    }
    return OK;
}

/* --- postings --- */
size_t mpart_name_count(const MPart *p) { return mpart_ready(p) ? p->section[MPART_NAMES].n / MPART_NAME_BYTES : 0; }

Str mpart_name(const MPart *p, size_t ordinal) {
    return mpart_symbol(p, u32_at(p->section[MPART_NAMES], ordinal * MPART_NAME_BYTES));
}

static size_t index_name_find(void *ctx, Str name) {
    const MPart *p = ctx;
    size_t symbol = symbol_find(p, name), lo = 0, hi = mpart_name_count(p);
    while (lo < hi && symbol != POSTINGS_NONE) {
        size_t mid = (lo + hi) / 2;
        uint32_t have = u32_at(p->section[MPART_NAMES], mid * MPART_NAME_BYTES);
        if (have == symbol) return mid;
        if (have < symbol)
            lo = mid + 1;
        else
            hi = mid;
    }
    return POSTINGS_NONE;
}

static size_t index_value_count(void *ctx, size_t name) {
    return u32_at(((const MPart *)ctx)->section[MPART_NAMES], name * MPART_NAME_BYTES + 8);
}

static size_t value_entry(const MPart *p, size_t name, size_t i) {
    return ((size_t)u32_at(p->section[MPART_NAMES], name * MPART_NAME_BYTES + 4) + i) * MPART_VALUE_BYTES;
}

static Str index_value_at(void *ctx, size_t name, size_t i) {
    const MPart *p = ctx;
    return mpart_symbol(p, u32_at(p->section[MPART_VALUES], value_entry(p, name, i)));
}

static size_t index_value_find(void *ctx, size_t name, Str value) {
    const MPart *p = ctx;
    size_t symbol = symbol_find(p, value), lo = 0, hi = index_value_count(ctx, name);
    while (lo < hi && symbol != POSTINGS_NONE) {
        size_t mid = (lo + hi) / 2;
        uint32_t have = u32_at(p->section[MPART_VALUES], value_entry(p, name, mid));
        if (have == symbol) return mid;
        if (have < symbol)
            lo = mid + 1;
        else
            hi = mid;
    }
    return POSTINGS_NONE;
}

static bool index_add_to(void *ctx, size_t name, size_t i, roaring_bitmap_t *set) {
    const MPart *p = ctx;
    size_t at = value_entry(p, name, i);
    Str all = p->section[MPART_POSTINGS];
    size_t from = u32_at(p->section[MPART_VALUES], at + 4), to = all.n;
    if (at + 2 * MPART_VALUE_BYTES <= p->section[MPART_VALUES].n)
        to = u32_at(p->section[MPART_VALUES], at + MPART_VALUE_BYTES + 4);
    return from <= to && postings_decode_into(str_slice(all, from, to), p->n_series, set);
}

PostingIndex mpart_postings(MPart *p) {
    PostingIndex x = {.ctx = p,
        .n_series = p->n_series,
        .name_find = index_name_find,
        .value_count = index_value_count,
        .value_at = index_value_at,
        .value_find = index_value_find,
        .add_to = index_add_to};
    if (!mpart_ready(p)) x.n_series = 0;
    return x;
}
