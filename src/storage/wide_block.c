/* wide_block.c - reading the columns of one block, on demand. */
#include "storage/wide_read_int.h"

#include "base/vec.h"
#include "storage/column.h"

typedef struct CachedColumn {
    Str name;
    const WideValue *values;
} CachedColumn;

struct WideBlock {
    const WidePart *p;
    size_t block;
    Arena *arena;
    const int64_t *times;
    const uint64_t *groups;
    AVEC(CachedColumn) cache;
    const WideOverflow *overflow;
    bool all_cached;
};

static const WideBlockEntry *entry_of(const WideBlock *b) { return &b->p->blocks[b->block]; }

static ErrCode no_memory(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the request is used up");
}

static ErrCode bad_column(const WideBlock *b, const BlockRef *ref, ErrCode rc, Err *reterr) {
    if (rc == ERR_TOO_LARGE) return no_memory(reterr);
    return err_set(reterr, ERR_CORRUPT, "%s: the column at offset %llu does not hold", part_path(b->p->part),
        (unsigned long long)ref->offset);
}

ErrCode wide_block_open(const WidePart *p, size_t block, Arena *arena, WideBlock **ret, Err *reterr) {
    ASSERT(block < p->n_blocks);
    WideBlock *b = ARENA_NEW(arena, WideBlock);
    if (!b) return no_memory(reterr);
    b->p = p;
    b->block = block;
    b->arena = arena;
    *ret = b;
    return OK;
}

static ErrCode read_i64(WideBlock *b, const BlockRef *ref, const int64_t **ret, Err *reterr) {
    Str raw;
    ErrCode rc = part_block(b->p->part, ref, b->arena, &raw, reterr);
    if (rc != OK) return rc;
    int64_t *v = ARENA_ARRAY(b->arena, int64_t, entry_of(b)->info.rows);
    if (!v) return no_memory(reterr);
    if (!column_decode_i64(raw, v, entry_of(b)->info.rows)) return bad_column(b, ref, ERR_CORRUPT, reterr);
    *ret = v;
    return OK;
}

ErrCode wide_block_times(WideBlock *b, const int64_t **ret_t, Err *reterr) {
    if (!b->times) {
        ErrCode rc = read_i64(b, &entry_of(b)->times, &b->times, reterr);
        if (rc != OK) return rc;
    }
    *ret_t = b->times;
    return OK;
}

ErrCode wide_block_groups(WideBlock *b, const uint64_t **ret_group, Err *reterr) {
    if (!b->groups) {
        const int64_t *v = NULL;
        ErrCode rc = read_i64(b, &entry_of(b)->groups, &v, reterr);
        if (rc != OK) return rc;
        b->groups = (const uint64_t *)v;
    }
    *ret_group = b->groups;
    return OK;
}

static ErrCode load_overflow(WideBlock *b, const BlockRef *ref, Err *reterr) {
    if (b->overflow) return OK;
    Str raw;
    ErrCode rc = part_block(b->p->part, ref, b->arena, &raw, reterr);
    if (rc != OK) return rc;
    WideOverflow *o = ARENA_NEW(b->arena, WideOverflow);
    if (!o) return no_memory(reterr);
    rc = wide_overflow_decode(raw, entry_of(b)->info.rows, b->arena, o);
    if (rc != OK) return bad_column(b, ref, rc, reterr);
    b->overflow = o;
    return OK;
}

static ErrCode decode_column(WideBlock *b, const WideFieldEntry *e, Str name, WideValue *out, Err *reterr) {
    size_t rows = entry_of(b)->info.rows;
    if (e->flags & WIDE_FIELD_CONST) {
        for (size_t i = 0; i < rows; i++) out[i] = e->constant;
        return OK;
    }
    if (e->flags & WIDE_FIELD_OVERFLOW) {
        ErrCode rc = load_overflow(b, &e->column, reterr);
        if (rc != OK) return rc;
        memset(out, 0, rows * sizeof *out);
        for (size_t i = 0; i < b->overflow->n; i++)
            if (str_eq(b->overflow->names[i], name)) out[b->overflow->rows[i]] = b->overflow->values[i];
        return OK;
    }
    Str raw;
    ErrCode rc = part_block(b->p->part, &e->column, b->arena, &raw, reterr);
    if (rc != OK) return rc;
    rc = wide_column_decode(raw, rows, b->arena, out);
    return rc == OK ? OK : bad_column(b, &e->column, rc, reterr);
}

static const WideValue *cached(const WideBlock *b, Str name) {
    for (size_t i = 0; i < b->cache.n; i++)
        if (str_eq(b->cache.v[i].name, name)) return b->cache.v[i].values;
    return NULL;
}

static ErrCode add_column(WideBlock *b, const WideFieldEntry *e, const WideValue **ret, Err *reterr) {
    Str name = b->p->names[e->name];
    WideValue *v = ARENA_ARRAY(b->arena, WideValue, entry_of(b)->info.rows);
    if (!v) return no_memory(reterr);
    ErrCode rc = decode_column(b, e, name, v, reterr);
    if (rc != OK) return rc;
    CachedColumn c = {name, v};
    if (!avec_push(b->arena, &b->cache, c)) return no_memory(reterr);
    *ret = v;
    return OK;
}

ErrCode wide_block_column(WideBlock *b, Str field, const WideValue **ret, Err *reterr) {
    *ret = cached(b, field);
    if (*ret) return OK;
    WideFieldEntry e;
    switch (wide_find_field(b->p, b->block, field, &e)) {
    case WIDE_FIND_NO: return OK;
    case WIDE_FIND_YES: return add_column(b, &e, ret, reterr);
    default: return err_set(reterr, ERR_CORRUPT, "%s: the index does not hold", part_path(b->p->part));
    }
}

static ErrCode load_all(WideBlock *b, Err *reterr) {
    if (b->all_cached) return OK;
    const WideBlockEntry *entry = entry_of(b);
    Cursor c = cursor_of(entry->fields);
    for (size_t i = 0; i < entry->n_fields; i++) {
        WideFieldEntry e;
        const WideValue *v;
        if (!wide_next_field(b->p, &c, &e))
            return err_set(reterr, ERR_CORRUPT, "%s: the index does not hold", part_path(b->p->part));
        if (cached(b, b->p->names[e.name])) continue;
        ErrCode rc = add_column(b, &e, &v, reterr);
        if (rc != OK) return rc;
    }
    b->all_cached = true;
    return OK;
}

ErrCode wide_block_row(WideBlock *b, uint32_t row, const WideField **ret, size_t *ret_n, Err *reterr) {
    ASSERT(row < entry_of(b)->info.rows);
    ErrCode rc = load_all(b, reterr);
    if (rc != OK) return rc;
    WideField *f = ARENA_ARRAY(b->arena, WideField, b->cache.n);
    if (!f) return no_memory(reterr);
    size_t n = 0;
    for (size_t i = 0; i < b->cache.n; i++)
        if (b->cache.v[i].values[row].type != WIDE_NULL)
            f[n++] = (WideField){b->cache.v[i].name, b->cache.v[i].values[row]};
    *ret = f;
    *ret_n = n;
    return OK;
}
