#include "traces/traceql_metrics_int.h"

#include <math.h>

/* --- groups --- */

void tql_cells_init(TqlCellTable *t, TqlCellKind kind, const TqlGrid *grid, size_t memory_bytes, size_t exemplars) {
    *t = (TqlCellTable){.kind = kind,
        .grid = grid,
        .arena = arena_create(memory_bytes),
        .index = map_create(MAP_COPY_KEYS),
        .last = UINT32_MAX,
        .n_slots = exemplars};
    t->slots = exemplars ? mem_alloc_zero(exemplars * sizeof *t->slots) : NULL;
    rng_seed(&t->rng, 1); /* the same question over the same spans has the same answer, as far as threads allow */
}

void tql_cells_done(TqlCellTable *t) {
    map_free(t->index);
    vec_done(&t->cells);
    mem_free(t->slots);
    arena_free(t->arena);
    *t = (TqlCellTable){0};
}

static double *new_values(Arena *arena, size_t n, double start) {
    double *v = ARENA_ARRAY(arena, double, n);
    for (size_t i = 0; v && i < n; i++) v[i] = start;
    return v;
}

uint32_t tql_cells_group(TqlCellTable *t, Str key) {
    if (t->last != UINT32_MAX && str_eq(t->cells.v[t->last].key, key)) return t->last;
    bool fresh;
    uint64_t *at = map_put(t->index, key, &fresh);
    if (!fresh) return t->last = (uint32_t)*at;
    TqlCells c = {.key = arena_copy(t->arena, key)};
    c.v = new_values(t->arena, t->grid->n, t->kind == TQL_CELL_COUNT ? 0 : NAN);
    if (t->kind == TQL_CELL_AVG) c.n = new_values(t->arena, t->grid->n, 0);
    if (!c.key.p || !c.v || (t->kind == TQL_CELL_AVG && !c.n)) return UINT32_MAX;
    *at = t->cells.n;
    vec_push(&t->cells, c);
    return t->last = (uint32_t)(t->cells.n - 1);
}

static double combine(TqlCellKind kind, double a, double b) {
    if (isnan(a)) return b;
    if (isnan(b)) return a;
    switch (kind) {
    case TQL_CELL_MIN: return MIN(a, b);
    case TQL_CELL_MAX: return MAX(a, b);
    default: return a + b;
    }
}

void tql_cells_add(TqlCellTable *t, uint32_t group, size_t point, double value) {
    TqlCells *c = &t->cells.v[group];
    c->v[point] = combine(t->kind, c->v[point], t->kind == TQL_CELL_COUNT ? 1 : value);
    if (c->n) c->n[point]++;
}

void tql_cells_finish(TqlCellTable *t) {
    if (t->kind != TQL_CELL_AVG) return;
    vec_foreach(TqlCells, c, &t->cells) {
        for (size_t i = 0; i < t->grid->n; i++) c->v[i] /= c->n[i]; /* nothing: NaN already */
    }
}

/* --- exemplars --- */

/* A reservoir of one span for each slot of time. */
void tql_cells_exemplar(TqlCellTable *t, uint32_t group, size_t point, TraceId id, int64_t t_ns, double value) {
    if (!t->n_slots) return;
    size_t slots = t->n_slots, per_point = slots / t->grid->n;
    size_t at = per_point > 1 ? point * per_point + rng_u64(&t->rng) % per_point : point * slots / t->grid->n;
    TqlExemplarSlot *s = &t->slots[MIN(at, slots - 1)];
    if (s->seen++ && rng_u64(&t->rng) % s->seen) return;
    s->cells = group;
    s->x = (TqlExemplar){id, t_ns, value};
}

static void merge_slots(TqlCellTable *dst, const TqlCellTable *src, const uint32_t *groups) {
    for (size_t i = 0; i < dst->n_slots; i++) {
        TqlExemplarSlot *d = &dst->slots[i];
        const TqlExemplarSlot *s = &src->slots[i];
        uint64_t both = d->seen + s->seen;
        if (s->seen && rng_u64(&dst->rng) % both < s->seen) *d = (TqlExemplarSlot){0, groups[s->cells], s->x};
        d->seen = both;
    }
}

bool tql_cells_merge(TqlCellTable *dst, const TqlCellTable *src) {
    uint32_t *groups = mem_alloc_array(src->cells.n + 1, sizeof *groups);
    bool ok = true;
    for (size_t i = 0; ok && i < src->cells.n; i++) {
        const TqlCells *s = &src->cells.v[i];
        groups[i] = tql_cells_group(dst, s->key);
        ok = groups[i] != UINT32_MAX;
        if (!ok) break;
        TqlCells *d = &dst->cells.v[groups[i]];
        for (size_t k = 0; k < dst->grid->n; k++) {
            d->v[k] = combine(dst->kind, d->v[k], s->v[k]);
            if (d->n) d->n[k] += s->n[k];
        }
    }
    if (ok) merge_slots(dst, src, groups);
    mem_free(groups);
    return ok;
}

/* --- keys --- */

static void put_text(Buf *key, Str s) {
    uint32_t n = (uint32_t)s.n;
    buf_put(key, &n, sizeof n);
    buf_put_str(key, s);
}

/* Lists are one value: their text. Of several events or links the first counts. */
void tql_key_put(Buf *key, const TqlValue *v) {
    Buf text = {0};
    switch (v->type) {
    case TQL_MANY:
        if (v->n > 0)
            tql_key_put(key, &v->v[0]);
        else
            buf_put_char(key, TQL_NIL);
        return;
    case TQL_ARRAY:
        traceql_put_value(&text, v);
        buf_put_char(key, TQL_STRING);
        put_text(key, buf_str(&text));
        buf_done(&text);
        return;
    default: break;
    }
    buf_put_char(key, (char)v->type);
    switch (v->type) {
    case TQL_NIL: break;
    case TQL_STRING: put_text(key, v->s); break;
    case TQL_BOOL: buf_put_char(key, v->b); break;
    default: buf_put(key, &v->i, sizeof v->i); /* also the bits of a double */
    }
}

TqlValue tql_key_next(Cursor *c) {
    TqlValue v = {.type = (TqlType)cursor_u8(c)};
    uint32_t n;
    Str bytes;
    switch (v.type) {
    case TQL_NIL: break;
    case TQL_STRING:
        bytes = cursor_bytes(c, sizeof n);
        memcpy(&n, bytes.p, sizeof n);
        v.s = cursor_bytes(c, n);
        break;
    case TQL_BOOL: v.b = cursor_u8(c) != 0; break;
    default: bytes = cursor_bytes(c, sizeof v.i); memcpy(&v.i, bytes.p, sizeof v.i);
    }
    ASSERT(!c->bad); /* our own bytes */
    return v;
}

/* --- buckets --- */

double tql_bucket(double v) {
    int exponent;
    if (!(v > 0)) return 0;
    double fraction = frexp(v, &exponent); /* in [0.5, 1) */
    return fraction == 0.5 ? v : ldexp(1, exponent);
}

double tql_quantile(double q, const double *buckets, const double *counts, size_t n) {
    double total = 0, before = 0;
    for (size_t i = 0; i < n; i++) total += counts[i];
    if (!(total > 0)) return NAN;
    double rank = fmax(1, ceil(q * total)); /* upwards: of few spans high quantiles are the slowest one */
    for (size_t i = 0; i < n; i++) {
        if (counts[i] > 0 && before + counts[i] >= rank) {
            return buckets[i] / 2 * exp2((rank - before) / counts[i]);
        }
        before += counts[i];
    }
    return buckets[n - 1];
}
