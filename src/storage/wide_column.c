/* wide_column.c - one field's values over a block: types first, then the values of each type together. */
#include "storage/wide_int.h"

#include "base/vec.h"
#include "storage/column.h"
#include "storage/wide_text.h"

/* --- single values --- */

void wide_value_encode(Buf *out, const WideValue *v) {
    buf_put_char(out, (char)v->type);
    uint64_t bits;
    switch (v->type) {
    case WIDE_NULL: break;
    case WIDE_I64: buf_put_svarint(out, v->i); break;
    case WIDE_F64:
        memcpy(&bits, &v->d, 8);
        buf_put_u64le(out, bits);
        break;
    case WIDE_BOOL: buf_put_char(out, v->b); break;
    default: buf_put_lenstr(out, v->s); break;
    }
}

bool wide_value_decode(Cursor *c, WideValue *ret) {
    uint8_t type = cursor_u8(c);
    *ret = (WideValue){.type = (WideType)type};
    uint64_t bits;
    switch (type) {
    case WIDE_NULL: break;
    case WIDE_I64: ret->i = cursor_svarint(c); break;
    case WIDE_F64:
        bits = cursor_u64le(c);
        memcpy(&ret->d, &bits, 8);
        break;
    case WIDE_BOOL: ret->b = cursor_u8(c) != 0; break;
    default: ret->s = cursor_lenstr(c); break;
    }
    return !c->bad && type < WIDE_TYPE_COUNT;
}

bool wide_value_eq(const WideValue *a, const WideValue *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case WIDE_NULL: return true;
    case WIDE_I64: return a->i == b->i;
    case WIDE_F64: return memcmp(&a->d, &b->d, 8) == 0;
    case WIDE_BOOL: return a->b == b->b;
    default: return str_eq(a->s, b->s);
    }
}

typedef struct Typed { /* values of one type */
    union {
        int64_t *i;
        double *d;
        uint32_t *u;
        Str *s;
        void *any;
    };
} Typed;

/* --- encode --- */

void wide_scratch_done(WideScratch *x) {
    mem_free(x->typed);
    mem_free(x->types);
    mem_free(x->words);
    buf_done(&x->part);
    *x = (WideScratch){0};
}

static void scratch_reserve(WideScratch *x, size_t n) {
    if (n <= x->cap) return;
    x->cap = MAX(n, 2 * x->cap);
    x->typed = mem_realloc_array(x->typed, x->cap, sizeof(Str));
    x->types = mem_realloc_array(x->types, x->cap, sizeof *x->types);
    x->words = mem_realloc_array(x->words, x->cap, sizeof *x->words);
}

static void put_strings(Buf *out, WideScratch *x, const Str *v, size_t n) {
    size_t words;
    wide_text_encode(out, v, n, x->words + x->n_words, &words);
    if (words == 0) {
        memcpy(x->words + x->n_words, v, n * sizeof *v);
        words = n;
    }
    x->n_words += words;
}

static void put_typed(Buf *out, WideType type, const WideValues *c, WideScratch *x) {
    Typed t = {.any = x->typed};
    size_t k = 0;
    switch (type) {
    case WIDE_I64:
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].type == type) t.i[k++] = c->v[i].i;
        column_encode_i64(out, t.i, k);
        break;
    case WIDE_F64:
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].type == type) t.d[k++] = c->v[i].d;
        column_encode_f64(out, t.d, k);
        break;
    case WIDE_BOOL:
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].type == type) t.u[k++] = c->v[i].b;
        column_encode_u32(out, t.u, k);
        break;
    default:
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].type == type) t.s[k++] = c->v[i].s;
        put_strings(out, x, t.s, k);
        break;
    }
}

static void put_sized(Buf *out, Buf *part) {
    buf_put_lenstr(out, buf_str(part));
    buf_clear(part);
}

void wide_column_encode(Buf *out, const WideValues *c, size_t n_rows, WideScratch *x) {
    ASSERT(c->n <= n_rows && (c->rows || c->n == n_rows));
    scratch_reserve(x, c->n);
    x->n_words = 0;
    unsigned mask = 0;
    for (size_t i = 0; i < c->n; i++) {
        x->types[i] = c->v[i].type;
        mask |= 1u << c->v[i].type;
    }
    ASSERT(!(mask & 1u << WIDE_NULL));
    if (c->rows)
        column_encode_u32_sparse(&x->part, c->rows, x->types, c->n, n_rows);
    else
        column_encode_u32(&x->part, x->types, c->n);
    put_sized(out, &x->part);
    for (unsigned t = WIDE_NULL + 1; t < WIDE_TYPE_COUNT; t++) {
        if (!(mask >> t & 1)) continue;
        put_typed(&x->part, (WideType)t, c, x);
        put_sized(out, &x->part);
    }
}

/* --- decode --- */

static ErrCode take_typed(
    Str in, WideType type, size_t count, size_t n, const uint32_t *types, Arena *arena, WideValue *out) {
    Typed x = {.any = arena_alloc_array(arena, count,
                   type == WIDE_BOOL                      ? 4
                   : type == WIDE_I64 || type == WIDE_F64 ? 8
                                                          : sizeof(Str))};
    if (!x.any) return ERR_TOO_LARGE;
    ErrCode rc = OK;
    if (type == WIDE_I64)
        rc = column_decode_i64(in, x.i, count) ? OK : ERR_CORRUPT;
    else if (type == WIDE_F64)
        rc = column_decode_f64(in, x.d, count) ? OK : ERR_CORRUPT;
    else if (type == WIDE_BOOL)
        rc = column_decode_u32(in, x.u, count) ? OK : ERR_CORRUPT;
    else
        rc = wide_text_decode(in, count, arena, x.s);
    if (rc != OK) return rc;
    for (size_t i = 0, k = 0; i < n; i++) {
        if (types[i] != type) continue;
        out[i].type = type;
        if (type == WIDE_I64)
            out[i].i = x.i[k++];
        else if (type == WIDE_F64)
            out[i].d = x.d[k++];
        else if (type == WIDE_BOOL)
            out[i].b = x.u[k++] != 0;
        else
            out[i].s = x.s[k++];
    }
    return OK;
}

ErrCode wide_column_decode(Str in, size_t n, Arena *arena, WideValue *out) {
    Cursor c = cursor_of(in);
    uint32_t *types = ARENA_ARRAY(arena, uint32_t, n);
    if (!types) return ERR_TOO_LARGE;
    Str coded = cursor_lenstr(&c);
    if (c.bad || !column_decode_u32(coded, types, n)) return ERR_CORRUPT;
    size_t count[WIDE_TYPE_COUNT] = {0};
    for (size_t i = 0; i < n; i++) {
        if (types[i] >= WIDE_TYPE_COUNT) return ERR_CORRUPT;
        count[types[i]]++;
        out[i] = (WideValue){.type = WIDE_NULL};
    }
    for (unsigned t = WIDE_NULL + 1; t < WIDE_TYPE_COUNT; t++) {
        if (count[t] == 0) continue;
        Str part = cursor_lenstr(&c);
        if (c.bad) return ERR_CORRUPT;
        ErrCode rc = take_typed(part, (WideType)t, count[t], n, types, arena, out);
        if (rc != OK) return rc;
    }
    return cursor_left(&c) == 0 ? OK : ERR_CORRUPT;
}

/* --- the column of fields too many for columns of their own --- */

void wide_overflow_encode(Buf *out, const WideOverflow *o, WideScratch *x) {
    Buf part = {0};
    buf_put_uvarint(out, o->n);
    column_encode_u32(&part, o->rows, o->n);
    put_sized(out, &part);
    column_encode_str(&part, o->names, o->n);
    put_sized(out, &part);
    wide_column_encode(&part, &(WideValues){NULL, o->values, o->n}, o->n, x);
    put_sized(out, &part);
    buf_done(&part);
}

ErrCode wide_overflow_decode(Str in, size_t rows, Arena *arena, WideOverflow *ret) {
    Cursor c = cursor_of(in);
    uint64_t n = cursor_uvarint(&c);
    /* Each entry was a field of a row; the writer ends a block long before this many. */
    if (c.bad || n > (uint64_t)WIDE_BLOCK_ROWS * 1024) return ERR_CORRUPT;
    Str row_part = cursor_lenstr(&c), name_part = cursor_lenstr(&c), value_part = cursor_lenstr(&c);
    if (c.bad || cursor_left(&c) != 0) return ERR_CORRUPT;
    uint32_t *at = ARENA_ARRAY(arena, uint32_t, n);
    Str *names = ARENA_ARRAY(arena, Str, n);
    WideValue *values = ARENA_ARRAY(arena, WideValue, n);
    if (!at || !names || !values) return ERR_TOO_LARGE;
    if (!column_decode_u32(row_part, at, n) || !column_decode_str(name_part, names, n)) return ERR_CORRUPT;
    ErrCode rc = wide_column_decode(value_part, n, arena, values);
    if (rc != OK) return rc;
    for (size_t i = 0; i < n; i++)
        if (at[i] >= rows) return ERR_CORRUPT;
    *ret = (WideOverflow){.n = n, .rows = at, .names = names, .values = values};
    return OK;
}

/* --- index entries --- */

void wide_field_entry_encode(Buf *out, const WideFieldEntry *e) {
    buf_put_uvarint(out, e->name);
    buf_put_char(out, (char)e->flags);
    buf_put_char(out, (char)e->types);
    if (e->flags & WIDE_FIELD_CONST)
        wide_value_encode(out, &e->constant);
    else
        block_ref_encode(out, &e->column);
    if (e->flags & WIDE_FIELD_RANGE) {
        buf_put_svarint(out, e->min);
        buf_put_svarint(out, e->max);
    }
    if (e->flags & WIDE_FIELD_TOKENS) block_ref_encode(out, &e->tokens);
    if (e->flags & WIDE_FIELD_EXACT) block_ref_encode(out, &e->exact);
}

bool wide_field_entry_decode(Cursor *c, WideFieldEntry *ret) {
    *ret = (WideFieldEntry){.name = (uint32_t)cursor_uvarint(c)};
    ret->flags = cursor_u8(c);
    ret->types = cursor_u8(c);
    bool good =
        ret->flags & WIDE_FIELD_CONST ? wide_value_decode(c, &ret->constant) : block_ref_decode(c, &ret->column);
    if (ret->flags & WIDE_FIELD_RANGE) {
        ret->min = cursor_svarint(c);
        ret->max = cursor_svarint(c);
    }
    if (good && ret->flags & WIDE_FIELD_TOKENS) good = block_ref_decode(c, &ret->tokens);
    if (good && ret->flags & WIDE_FIELD_EXACT) good = block_ref_decode(c, &ret->exact);
    return good && !c->bad;
}
