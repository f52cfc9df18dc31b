/* traceql_compare.c - compare({...}): how often each attribute has each value, among the spans that a filter selects
 * and among all others.
 *
 * A group's key: which of the two, whether it counts values that are not shown, the attribute's scope and name, the
 * value. */
#include "traces/traceql_metrics_int.h"

#include <math.h>
#include <stdlib.h>

#define VALUE_BYTES_MAX 512 /* longer texts tell nothing as a label */
#define GROUPS_MAX 200000   /* of one worker: further values count in their attribute's total only */

enum { BASELINE, SELECTION };
enum { OF_VALUE, OF_REST };

typedef struct Counter {
    TqlLeafWorker *w;
    size_t point;
    const SpanRow *span;
    char side;
} Counter;

static bool count_key(Counter *c) {
    uint32_t group = tql_cells_group(&c->w->table, buf_str(&c->w->key));
    if (group == UINT32_MAX) return false;
    tql_cells_add(&c->w->table, group, c->point, 1);
    tql_cells_exemplar(&c->w->table, group, c->point, c->span->trace_id, c->span->start_ns, NAN);
    return true;
}

static bool is_known(const Counter *c) {
    return c->w->table.cells.n < GROUPS_MAX || map_get(c->w->table.index, buf_str(&c->w->key));
}

static void begin_key(Counter *c, char total, const char *scope, Str name) {
    Buf *key = &c->w->key;
    TqlValue attr = {.type = TQL_STRING, .s = str_cstr(scope)};
    buf_clear(key);
    buf_put_char(key, c->side);
    buf_put_char(key, total);
    tql_key_put(key, &attr);
    attr.s = name;
    tql_key_put(key, &attr);
}

/* With its value, or where that is not shown with all such of its attribute; the answer adds them up. */
static bool count(Counter *c, const char *scope, Str name, const TqlValue *v) {
    if (v->type != TQL_STRING || v->s.n <= VALUE_BYTES_MAX) {
        begin_key(c, OF_VALUE, scope, name);
        tql_key_put(&c->w->key, v);
        if (is_known(c)) return count_key(c);
    }
    begin_key(c, OF_REST, scope, name);
    return count_key(c);
}

static TqlValue value_of(const AttrValue *a) {
    switch (a->type) {
    case ATTR_STR: return (TqlValue){.type = TQL_STRING, .s = a->s};
    case ATTR_I64: return (TqlValue){.type = TQL_INT, .i = a->i};
    case ATTR_F64: return (TqlValue){.type = TQL_FLOAT, .d = a->d};
    case ATTR_BOOL: return (TqlValue){.type = TQL_BOOL, .b = a->b};
    case ATTR_ARRAY: return (TqlValue){.type = TQL_STRING, .s = a->s};
    default: return (TqlValue){0};
    }
}

static bool count_attrs(Counter *c, const SpansBatch *b, AttrRange range, const char *scope) {
    for (uint32_t i = 0; i < range.n; i++) {
        const Attr *a = &b->attrs.v[range.first + i];
        TqlValue v = value_of(&a->value);
        if (v.type != TQL_NIL && !count(c, scope, a->key, &v)) return false;
    }
    return true;
}

static bool count_scope(Counter *c, const SpansBatch *b, const Scope *s) {
    TqlValue name = {.type = TQL_STRING, .s = s->name}, version = {.type = TQL_STRING, .s = s->version};
    return (s->name.n == 0 || count(c, "instrumentation:", STR("name"), &name)) &&
           (s->version.n == 0 || count(c, "instrumentation:", STR("version"), &version)) &&
           count_attrs(c, b, s->attrs, "instrumentation.");
}

static bool count_span(Counter *c, const SpansBatch *b) {
    const SpanRow *r = c->span;
    TqlValue name = {.type = TQL_STRING, .s = r->name}, kind = {.type = TQL_KIND, .i = r->kind},
             status = {.type = TQL_STATUS, .i = r->status}, message = {.type = TQL_STRING, .s = r->status_message};
    return count(c, "", STR("name"), &name) && count(c, "", STR("kind"), &kind) &&
           count(c, "", STR("status"), &status) &&
           (r->status_message.n == 0 || count(c, "", STR("statusMessage"), &message)) &&
           count_attrs(c, b, b->resources.v[r->resource].attrs, "resource.") && count_attrs(c, b, r->attrs, "span.") &&
           count_scope(c, b, &b->scopes.v[r->scope]);
}

static ErrCode add_row(
    const TqlLeaf *leaf, TqlLeafWorker *w, const TqlView *v, uint32_t row, Arena *arena, Err *reterr) {
    const TqlMetrics *m = leaf->m;
    const SpansBatch *b = traceql_view_batch(v);
    Counter c = {.w = w, .span = &b->rows.v[row], .point = tql_grid_point(&leaf->run->grid, b->rows.v[row].start_ns)};
    if (c.point == SIZE_MAX) return OK;
    bool selected = !m->compare->filter || traceql_test(m->compare->filter, v, row, arena);
    if (m->compare_start_ns || m->compare_end_ns) {
        selected &= c.span->start_ns > m->compare_start_ns && c.span->start_ns <= m->compare_end_ns;
    }
    c.side = selected ? SELECTION : BASELINE;
    return count_span(&c, b) ? OK : tql_out_of_memory(reterr);
}

/* --- the answer --- */

typedef struct Entry {
    Str attr; /* side and attribute: the key up to the value */
    char side, kind;
    Str scope, name;
    TqlValue value;
    uint32_t cells;
    double sum;
} Entry;

static Entry read_entry(const TqlCellTable *t, uint32_t i) {
    Entry e = {.cells = i};
    Str key = t->cells.v[i].key;
    Cursor c = cursor_of(key);
    e.side = (char)cursor_u8(&c);
    e.kind = (char)cursor_u8(&c);
    e.scope = tql_key_next(&c).s;
    e.name = tql_key_next(&c).s;
    e.attr = str_slice(key, 2, key.n - cursor_left(&c));
    if (e.kind == OF_VALUE) e.value = tql_key_next(&c);
    for (size_t k = 0; k < t->grid->n; k++) e.sum += t->cells.v[i].v[k];
    return e;
}

static int cmp_entry(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    int c = str_cmp(x->attr, y->attr);
    if (c == 0) c = x->side - y->side;
    if (c == 0) c = x->kind - y->kind;
    if (c == 0) c = x->sum > y->sum ? -1 : x->sum < y->sum;
    return c ? c : x->cells < y->cells ? -1 : x->cells > y->cells;
}

/* Values are the caller's to fill in. */
static TqlSeries *put_series(TqlRun *run, const Entry *e, Str meta_name, const char *meta, TqlVector *ret) {
    TqlSeries *s = &ret->v[ret->n++];
    *s = (TqlSeries){.labels = ARENA_ARRAY(run->arena, TqlLabel, 2), .v = ARENA_ARRAY(run->arena, double, run->grid.n)};
    Str name = arena_printf(run->arena, "%" STR_FMT "%" STR_FMT, STR_ARG(e->scope), STR_ARG(e->name));
    TqlValue value = e->value;
    if (value.type == TQL_STRING) value.s = arena_copy(run->arena, value.s);
    if (!s->labels || !s->v || !name.p || arena_exhausted(run->arena)) return NULL;
    s->labels[s->n_labels++] = (TqlLabel){meta_name, {.type = TQL_STRING, .s = str_cstr(meta)}};
    s->labels[s->n_labels++] = (TqlLabel){name, value};
    return s;
}

static bool put_value(TqlRun *run, const TqlCellTable *t, const Entry *e, TqlVector *ret) {
    static const char *const sides[] = {"baseline", "selection"};
    TqlSeries *s = put_series(run, e, STR("__meta_type"), sides[(int)e->side], ret);
    if (s) memcpy(s->v, t->cells.v[e->cells].v, run->grid.n * sizeof *s->v);
    return s != NULL;
}

static bool put_total(TqlRun *run, const TqlCellTable *t, const Entry *e, size_t n, TqlVector *ret) {
    static const char *const totals[] = {"baseline_total", "selection_total"};
    Entry total = e[0];
    total.value = (TqlValue){0};
    TqlSeries *s = put_series(run, &total, STR("__meta_type"), totals[(int)e->side], ret);
    for (size_t k = 0; s && k < run->grid.n; k++) {
        s->v[k] = 0;
        for (size_t i = 0; i < n; i++) s->v[k] += t->cells.v[e[i].cells].v[k];
    }
    return s != NULL;
}

static bool put_too_many(TqlRun *run, const Entry *e, TqlVector *ret) {
    Entry more = e[0];
    more.value = (TqlValue){0};
    TqlSeries *s = put_series(run, &more, STR("__meta_error"), "__too_many_values__", ret);
    for (size_t k = 0; s && k < run->grid.n; k++) s->v[k] = NAN;
    return s != NULL;
}

/* One attribute on one side: its most frequent values, its total, and whether there were more. */
static bool put_attribute(TqlRun *run, const TqlCellTable *t, const Entry *e, size_t n, size_t top, TqlVector *ret) {
    size_t values = 0;
    for (size_t i = 0; i < n; i++) {
        if (e[i].kind == OF_VALUE && values++ < top && !put_value(run, t, &e[i], ret)) return false;
    }
    return put_total(run, t, e, n, ret) && (values <= top || put_too_many(run, e, ret));
}

static ErrCode compare_series(const TqlLeaf *leaf, TqlVector *ret, Err *reterr) {
    const TqlCellTable *t = &leaf->workers[0].table;
    size_t n = t->cells.n;
    Entry *e = mem_alloc_array(n + 1, sizeof *e);
    for (size_t i = 0; i < n; i++) e[i] = read_entry(t, (uint32_t)i);
    if (n) qsort(e, n, sizeof *e, cmp_entry);
    *ret = (TqlVector){.v = ARENA_ARRAY(leaf->run->arena, TqlSeries, 3 * n + 1)};
    bool ok = ret->v != NULL;
    for (size_t i = 0, end; i < n && ok; i = end) {
        for (end = i + 1; end < n && str_eq(e[end].attr, e[i].attr) && e[end].side == e[i].side;) end++;
        ok = put_attribute(leaf->run, t, e + i, end - i, (size_t)leaf->m->compare_top_n, ret);
    }
    mem_free(e);
    return ok ? OK : tql_out_of_memory(reterr);
}

ErrCode tql_compare_run(TqlRun *run, const TqlMetrics *m, TqlVector *ret, Err *reterr) {
    ASSERT(m->compare->kind == TQL_S_FILTER); /* the parser takes nothing else */
    TqlLeaf leaf = {.run = run, .m = m, .row = add_row};
    ErrCode e = tql_leaf_scan(&leaf, TQL_CELL_COUNT, true, reterr);
    if (!e) e = compare_series(&leaf, ret, reterr);
    tql_leaf_done(&leaf);
    return e;
}
