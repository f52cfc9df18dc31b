#include "logs/metadata.h"

#include "base/hash.h"

/* --- values --- */

void log_value_put(Buf *out, const AttrValue *v) {
    switch (v->type) {
    case ATTR_STR:
    case ATTR_BYTES:
    case ATTR_ARRAY:
    case ATTR_MAP:
        buf_reserve(out, v->s.n + 10);
        if (LIKELY(v->s.n < 0x80))
            out->p[out->n++] = (char)v->s.n;
        else
            buf_put_uvarint(out, v->s.n);
        if (v->s.n > 0) memcpy(out->p + out->n, v->s.p, v->s.n);
        out->n += v->s.n;
        return;
    case ATTR_BOOL: buf_put_char(out, v->b ? 1 : 0); return;
    case ATTR_I64: buf_put_svarint(out, v->i); return;
    case ATTR_F64: {
        uint64_t bits;
        memcpy(&bits, &v->d, 8);
        buf_put_u64le(out, bits);
        return;
    }
    case ATTR_EMPTY: break;
    }
    UNREACHABLE();
}

static inline uint64_t take_uvarint(Cursor *c) {
    if (LIKELY(c->p < c->end && *c->p < 0x80)) return *c->p++;
    return cursor_uvarint(c);
}

static inline Str take_str(Cursor *c) {
    uint64_t n = take_uvarint(c);
    if (UNLIKELY(c->bad || n > cursor_left(c))) {
        c->bad = true;
        return STR_NULL;
    }
    Str s = str_of((const char *)c->p, n);
    c->p += n;
    return s;
}

static inline void take_value(Cursor *c, AttrValue *v) {
    switch (v->type) {
    case ATTR_STR:
    case ATTR_BYTES:
    case ATTR_ARRAY:
    case ATTR_MAP: v->s = take_str(c); return;
    case ATTR_BOOL: v->b = cursor_u8(c) != 0; return;
    case ATTR_I64: {
        uint64_t u = take_uvarint(c);
        v->i = (int64_t)((u >> 1) ^ (0 - (u & 1)));
        return;
    }
    case ATTR_F64: {
        uint64_t bits = cursor_u64le(c);
        memcpy(&v->d, &bits, 8);
        return;
    }
    case ATTR_EMPTY: break;
    }
    c->bad = true;
}

void log_value_take(Cursor *c, AttrValue *v) { take_value(c, v); }

static bool is_text(AttrType t) { return t == ATTR_STR || t == ATTR_BYTES || t == ATTR_ARRAY || t == ATTR_MAP; }

static uint64_t value_bits(const AttrValue *v) {
    uint64_t bits = 0;
    if (v->type == ATTR_F64)
        memcpy(&bits, &v->d, 8);
    else
        bits = v->type == ATTR_BOOL ? v->b : (uint64_t)v->i;
    return bits;
}

bool attr_value_eq(const AttrValue *a, const AttrValue *b) {
    if (a->type != b->type) return false;
    if (is_text(a->type)) return (a->s.p == b->s.p && a->s.n == b->s.n) || str_eq(a->s, b->s);
    return value_bits(a) == value_bits(b);
}

static int value_cmp(const AttrValue *a, const AttrValue *b) {
    if (a->type != b->type) return a->type < b->type ? -1 : 1;
    if (is_text(a->type)) return str_cmp(a->s, b->s);
    uint64_t x = value_bits(a), y = value_bits(b);
    return (x > y) - (x < y);
}

/* Fields are summed up, so that it does not matter which of them are constants of the shape. */
static uint64_t field_hash(uint64_t key_hash, const AttrValue *v) {
    uint64_t seed = key_hash + v->type;
    return is_text(v->type) ? hash_bytes(v->s.p, v->s.n, seed) : hash_u64(seed ^ hash_u64(value_bits(v)));
}

/* --- shapes --- */

void log_shape_put_field(Buf *out, Str key, const AttrValue *value, bool is_const) {
    buf_put_lenstr(out, key);
    buf_put_char(out, (char)(value->type | (is_const ? LOG_FIELD_CONST : 0)));
    if (is_const) log_value_put(out, value);
}

static bool take_field(Cursor *c, LogField *f) {
    f->key = cursor_lenstr(c);
    uint8_t type = cursor_u8(c);
    f->is_const = type & LOG_FIELD_CONST;
    f->value = (AttrValue){.type = (AttrType)(type & ~LOG_FIELD_CONST)};
    if (f->value.type == ATTR_EMPTY || f->value.type > ATTR_MAP) return false;
    if (f->is_const) take_value(c, &f->value);
    return !c->bad;
}

static void field_ready(LogShape *shape, LogField *f) {
    f->key_hash = hash_bytes(f->key.p, f->key.n, 1);
    if (f->is_const) shape->const_hash += field_hash(f->key_hash, &f->value);
}

static LogShape *shape_alloc(Arena *arena, size_t n) {
    LogShape *shape = arena_alloc_zero(arena, sizeof *shape + n * sizeof *shape->fields);
    if (shape) shape->n = (uint32_t)n;
    return shape;
}

bool log_shape_decode(Str bytes, Arena *arena, const LogShape **ret) {
    Cursor c = cursor_of(bytes);
    uint64_t n = cursor_uvarint(&c);
    if (c.bad || n > cursor_left(&c) / 2) return false;
    LogShape *shape = shape_alloc(arena, n);
    if (!shape) return false;
    for (uint64_t i = 0; i < n; i++) {
        LogField *f = &shape->fields[i];
        if (!take_field(&c, f) || (i > 0 && str_cmp(f[-1].key, f->key) >= 0)) return false;
        field_ready(shape, f);
    }
    *ret = shape;
    return cursor_left(&c) == 0;
}

LogShape *log_shape_of(const Attr *attrs, size_t n, Arena *arena) {
    LogShape *shape = shape_alloc(arena, n);
    if (!shape) return NULL;
    for (size_t i = 0; i < n; i++) {
        shape->fields[i] = (LogField){.key = attrs[i].key, .value.type = attrs[i].value.type};
        field_ready(shape, &shape->fields[i]);
    }
    return shape;
}

bool log_shape_fits(const LogShape *shape, const Attr *attrs, size_t n) {
    if (shape->n != n) return false;
    for (size_t i = 0; i < n; i++) {
        const LogField *f = &shape->fields[i];
        if (f->value.type != attrs[i].value.type) return false;
        if ((f->key.p != attrs[i].key.p || f->key.n != attrs[i].key.n) && !str_eq(f->key, attrs[i].key)) return false;
    }
    return true;
}

/* --- metadata of a row --- */

bool log_metadata_decode(LogMetadata md, LogAttrVec *v) {
    vec_clear(v);
    if (!md.shape) return true;
    Cursor c = cursor_of(md.values);
    size_t n = md.shape->n;
    vec_reserve(v, n);
    for (size_t i = 0; i < n; i++) {
        const LogField *f = &md.shape->fields[i];
        v->v[i].key = f->key;
        v->v[i].value = f->value;
        if (!f->is_const) take_value(&c, &v->v[i].value);
    }
    v->n = n;
    return !c.bad;
}

int log_metadata_cmp(LogMetadata a, LogMetadata b) {
    if (a.shape == b.shape && str_eq(a.values, b.values)) return 0;
    size_t na = a.shape ? a.shape->n : 0, nb = b.shape ? b.shape->n : 0;
    Cursor ca = cursor_of(a.values), cb = cursor_of(b.values);
    for (size_t i = 0; i < na && i < nb; i++) {
        const LogField *fa = &a.shape->fields[i], *fb = &b.shape->fields[i];
        AttrValue va = fa->value, vb = fb->value;
        if (!fa->is_const) take_value(&ca, &va);
        if (!fb->is_const) take_value(&cb, &vb);
        int c = str_cmp(fa->key, fb->key);
        if (c == 0) c = value_cmp(&va, &vb);
        if (c) return c;
    }
    return (na > nb) - (na < nb);
}

uint64_t log_metadata_hash(LogMetadata md) {
    if (!md.shape) return 0;
    uint64_t h = md.shape->const_hash;
    Cursor c = cursor_of(md.values);
    for (size_t i = 0; i < md.shape->n; i++) {
        const LogField *f = &md.shape->fields[i];
        if (f->is_const) continue;
        AttrValue v = f->value;
        take_value(&c, &v);
        h += field_hash(f->key_hash, &v);
    }
    return h;
}

/* --- order --- */

/* Keys are few (a handful), nearly sorted, and equal ones must keep their order: insertion sort. Long lists, which
 * only a stranger makes, are merged bottom-up. */
static void attrs_insertion_sort(const Attr **v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const Attr *x = v[i];
        size_t k = i;
        for (; k > 0 && str_cmp(v[k - 1]->key, x->key) > 0; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

static void attrs_merge_sort(const Attr **v, size_t n) {
    if (n <= 24) {
        attrs_insertion_sort(v, n);
        return;
    }
    size_t half = n / 2;
    attrs_merge_sort(v, half);
    attrs_merge_sort(v + half, n - half);
    const Attr **left = mem_alloc_array(half, sizeof *left);
    memcpy(left, v, half * sizeof *left);
    size_t a = 0, b = half, out = 0;
    while (a < half && b < n) v[out++] = str_cmp(left[a]->key, v[b]->key) <= 0 ? left[a++] : v[b++];
    while (a < half) v[out++] = left[a++];
    mem_free(left);
}

size_t log_metadata_sort(const Attr **v, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->key.n == 0 || v[i]->value.type == ATTR_EMPTY) continue;
        v[kept++] = v[i];
    }
    attrs_merge_sort(v, kept);
    size_t out = 0;
    for (size_t i = 0; i < kept; i++) {
        if (out > 0 && str_eq(v[out - 1]->key, v[i]->key)) out--;
        v[out++] = v[i];
    }
    return out;
}
