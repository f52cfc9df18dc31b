/* traceql_view.c - where the spans of a trace stand: order, parents, nested-set numbers, the root. */
#include "traces/traceql_eval_int.h"

#include <stdlib.h>

typedef struct IdRow {
    SpanId id;
    uint32_t row;
} IdRow;

static int cmp_id(const void *a, const void *b) {
    const IdRow *x = a, *y = b;
    int c = memcmp(x->id.b, y->id.b, 8);
    return c ? c : x->row < y->row ? -1 : x->row > y->row;
}

typedef struct StartRow {
    int64_t start_ns;
    SpanId id;
    uint32_t row;
} StartRow;

static int cmp_start(const void *a, const void *b) {
    const StartRow *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
    int c = memcmp(x->id.b, y->id.b, 8);
    return c ? c : x->row < y->row ? -1 : x->row > y->row;
}

static bool is_ordered(const SpansBatch *b) {
    for (size_t i = 1; i < b->rows.n; i++) {
        const SpanRow *p = &b->rows.v[i - 1], *r = &b->rows.v[i];
        if (p->start_ns > r->start_ns || (p->start_ns == r->start_ns && memcmp(p->span_id.b, r->span_id.b, 8) > 0))
            return false;
    }
    return true;
}

/* Spans that are looked at one by one stay as they come. */
static bool put_in_order(TqlView *v, Arena *arena) {
    uint32_t n = (uint32_t)v->batch->rows.n;
    v->order = ARENA_ARRAY(arena, uint32_t, n + 1);
    if (!v->order) return false;
    for (uint32_t i = 0; i < n; i++) v->order[i] = i;
    if (!v->whole || is_ordered(v->batch)) return true;
    StartRow *rows = ARENA_ARRAY(arena, StartRow, n);
    if (!rows) return false;
    for (uint32_t i = 0; i < n; i++) {
        const SpanRow *r = &v->batch->rows.v[i];
        rows[i] = (StartRow){r->start_ns, r->span_id, i};
    }
    qsort(rows, n, sizeof *rows, cmp_start);
    for (uint32_t i = 0; i < n; i++) v->order[i] = rows[i].row;
    return true;
}

/* Of several rows with one id the one that comes first in the batch, but no row is its own parent. */
static uint32_t find_row(const IdRow *ids, uint32_t n, SpanId id, uint32_t self) {
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (memcmp(ids[mid].id.b, id.b, 8) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < n && span_id_eq(ids[lo].id, id); lo++) {
        if (ids[lo].row != self) return ids[lo].row;
    }
    return TQL_NONE;
}

static bool find_parents(TqlView *v, Arena *arena) {
    uint32_t n = (uint32_t)v->batch->rows.n;
    IdRow *ids = ARENA_ARRAY(arena, IdRow, n + 1);
    v->places = arena_alloc_zero(arena, ((size_t)n + 1) * sizeof(TqlPlace));
    if (!ids || !v->places) return false;
    for (uint32_t i = 0; i < n; i++) ids[i] = (IdRow){v->batch->rows.v[i].span_id, i};
    qsort(ids, n, sizeof *ids, cmp_id);
    for (uint32_t i = 0; i < n; i++) {
        const SpanRow *r = &v->batch->rows.v[i];
        bool root = span_id_is_zero(r->parent_id);
        v->places[i].parent = root ? TQL_NONE : find_row(ids, n, r->parent_id, i);
        if (v->places[i].parent != TQL_NONE) v->places[v->places[i].parent].children++;
    }
    return true;
}

/* Walks the trees whose tops are roots and spans with a missing parent. Children go by start. */
static bool number_places(TqlView *v, Arena *arena) {
    uint32_t n = (uint32_t)v->batch->rows.n, count = 1;
    uint32_t *first = ARENA_ARRAY(arena, uint32_t, n + 1), *next = ARENA_ARRAY(arena, uint32_t, n + 1);
    if (!first || !next) return false;
    for (uint32_t i = 0; i < n; i++) first[i] = next[i] = TQL_NONE;
    for (uint32_t i = n; i-- > 0;) { /* the last is linked first, so that lists begin with the earliest */
        uint32_t row = v->order[i], parent = v->places[row].parent;
        if (parent == TQL_NONE) continue;
        next[row] = first[parent];
        first[parent] = row;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t top = v->order[i];
        if (v->places[top].parent != TQL_NONE) continue;
        bool is_root = span_id_is_zero(v->batch->rows.v[top].parent_id);
        v->places[top].parent_left = is_root ? -1 : 0;
        for (uint32_t row = top;;) {
            TqlPlace *p = &v->places[row];
            if (!p->left) p->left = count++;
            uint32_t child = first[row];
            if (child != TQL_NONE) {
                first[row] = next[child];
                v->places[child].parent_left = p->left;
                row = child;
                continue;
            }
            p->right = count++;
            if (row == top) break;
            row = p->parent;
        }
    }
    return true;
}

static void look_at_times(TqlView *v) {
    v->root = TQL_NONE;
    v->min_start_ns = INT64_MAX;
    v->max_end_ns = INT64_MIN;
    for (size_t i = 0; i < v->batch->rows.n; i++) {
        const SpanRow *r = &v->batch->rows.v[v->order[i]];
        v->min_start_ns = MIN(v->min_start_ns, r->start_ns);
        v->max_end_ns = MAX(v->max_end_ns, r->end_ns);
        if (v->root == TQL_NONE && span_id_is_zero(r->parent_id)) v->root = v->order[i];
    }
}

TqlView *traceql_view(const SpansBatch *batch, bool whole_trace, Arena *arena) {
    ASSERT(batch->rows.n < UINT32_MAX / 4);
    TqlView *v = ARENA_NEW(arena, TqlView);
    if (!v) return NULL;
    v->batch = batch;
    v->whole = whole_trace;
    v->root = TQL_NONE;
    if (!put_in_order(v, arena)) return NULL;
    if (!whole_trace) return v;
    if (!find_parents(v, arena) || !number_places(v, arena)) return NULL;
    look_at_times(v);
    return v;
}

const SpansBatch *traceql_view_batch(const TqlView *v) { return v->batch; }
uint32_t traceql_view_root(const TqlView *v) { return v->root; }
