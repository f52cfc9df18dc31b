/* traceql_run.c - spansets going through the stages of a pipeline, for one trace. */
#include "traces/traceql_eval_int.h"

#include "base/map.h"

typedef struct Run {
    const TqlView *v;
    Arena *arena;
    bool full; /* the arena is used up */
} Run;

static TqlSpansets run_stages(Run *x, const TqlStage *st, TqlSpansets in);

/* --- sets of rows --- */

/* Rows come as bits; a set lists them in the view's order. */
static uint8_t *new_marks(Run *x) {
    uint8_t *m = arena_alloc_zero(x->arena, x->v->batch->rows.n + 1);
    if (!m) x->full = true;
    return m;
}

static void mark(uint8_t *marks, const TqlSpanset *s) {
    for (uint32_t i = 0; i < s->n; i++) marks[s->rows[i]] = 1;
}

static TqlSpanset set_of(Run *x, const uint8_t *marks) {
    uint32_t n = 0, total = (uint32_t)x->v->batch->rows.n;
    for (uint32_t i = 0; i < total; i++) n += marks[i];
    TqlSpanset s = {.rows = ARENA_ARRAY(x->arena, uint32_t, n + 1)};
    if (!s.rows) {
        x->full = true;
        return s;
    }
    for (uint32_t i = 0; i < total; i++) {
        if (marks[x->v->order[i]]) s.rows[s.n++] = x->v->order[i];
    }
    return s;
}

static TqlSpanset all_rows(const TqlView *v) { return (TqlSpanset){.rows = v->order, .n = (uint32_t)v->batch->rows.n}; }

static void push(Run *x, TqlSpansets *out, TqlSpanset s) {
    if (s.n && !avec_push(x->arena, out, s)) x->full = true;
}

static TqlSpanset both(Run *x, TqlSpanset a, TqlSpanset b) {
    uint8_t *m = new_marks(x);
    if (!m) return (TqlSpanset){0};
    mark(m, &a);
    mark(m, &b);
    return set_of(x, m);
}

static TqlSpanset filter(Run *x, const TqlExpr *e, TqlSpanset in) {
    if (!e) return (TqlSpanset){.rows = in.rows, .n = in.n};
    TqlSpanset s = {.rows = ARENA_ARRAY(x->arena, uint32_t, in.n + 1)};
    if (!s.rows) {
        x->full = true;
        return s;
    }
    for (uint32_t i = 0; i < in.n; i++) {
        if (tql_is_true(tql_eval(&(TqlEval){x->v, in.rows[i], x->arena}, e))) s.rows[s.n++] = in.rows[i];
    }
    return s;
}

/* --- structure --- */

typedef enum Relation { REL_CHILD, REL_PARENT, REL_DESCENDANT, REL_ANCESTOR, REL_SIBLING } Relation;

static Relation relation_of(TqlOp op) { return (Relation)((op - TQL_CHILD) % 5); }
_Static_assert(TQL_NOT_CHILD == TQL_CHILD + 5 && TQL_UNION_CHILD == TQL_CHILD + 10, "three rows of five");

/* Spans with the same parent id; as in Tempo, roots are siblings of each other. */
static uint32_t count_siblings(const TqlView *v, const uint8_t *marks, uint32_t row) {
    const SpanRow *r = &v->batch->rows.v[row];
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->batch->rows.n; i++)
        n += marks[i] && i != row && span_id_eq(v->batch->rows.v[i].parent_id, r->parent_id);
    return n;
}

/* seen[row]: how many marked rows stand at or below/above it. */
static void mark_ancestors(const TqlView *v, const uint8_t *from, uint8_t *ret) {
    for (uint32_t i = 0; i < v->batch->rows.n; i++) {
        if (!from[i] || !v->places[i].left) continue;
        for (uint32_t up = v->places[i].parent; up != TQL_NONE && !ret[up]; up = v->places[up].parent) ret[up] = 1;
    }
}

/* Rows below a marked one. Rows in the order of their numbers: a row's parent comes before it. */
static bool mark_descendants(Run *x, const uint8_t *from, uint8_t *ret) {
    const TqlView *v = x->v;
    uint32_t n = (uint32_t)v->batch->rows.n;
    uint32_t *by_left = arena_alloc_zero(x->arena, ((size_t)n * 2 + 2) * sizeof(uint32_t));
    if (!by_left) return !(x->full = true);
    for (uint32_t i = 0; i < n; i++) {
        if (v->places[i].left) by_left[v->places[i].left] = i + 1;
    }
    for (uint32_t k = 1; k <= n * 2; k++) {
        if (!by_left[k]) continue;
        uint32_t row = by_left[k] - 1, parent = v->places[row].parent;
        if (parent != TQL_NONE && (from[parent] || ret[parent])) ret[row] = 1;
    }
    return true;
}

/* Rows that stand in the relation to a marked one: children of it, ... */
static uint8_t *related(Run *x, Relation rel, const uint8_t *from, const TqlSpanset *candidates) {
    const TqlView *v = x->v;
    uint8_t *ret = new_marks(x);
    if (!ret) return NULL;
    uint32_t n = (uint32_t)v->batch->rows.n;
    switch (rel) {
    case REL_CHILD:
        for (uint32_t i = 0; i < n; i++)
            ret[i] = v->places[i].left && v->places[i].parent != TQL_NONE && from[v->places[i].parent];
        break;
    case REL_PARENT:
        for (uint32_t i = 0; i < n; i++) {
            if (from[i] && v->places[i].left && v->places[i].parent != TQL_NONE) ret[v->places[i].parent] = 1;
        }
        break;
    case REL_DESCENDANT: return mark_descendants(x, from, ret) ? ret : NULL;
    case REL_ANCESTOR: mark_ancestors(v, from, ret); break;
    case REL_SIBLING:
        for (uint32_t i = 0; i < candidates->n; i++)
            ret[candidates->rows[i]] = count_siblings(v, from, candidates->rows[i]) > 0;
        break;
    }
    return ret;
}

static Relation inverse(Relation rel) {
    static const Relation inv[] = {[REL_CHILD] = REL_PARENT,
        [REL_PARENT] = REL_CHILD,
        [REL_DESCENDANT] = REL_ANCESTOR,
        [REL_ANCESTOR] = REL_DESCENDANT,
        [REL_SIBLING] = REL_SIBLING};
    return inv[rel];
}

static TqlSpanset keep_marked(Run *x, TqlSpanset in, const uint8_t *marks, bool wanted) {
    TqlSpanset s = {.rows = ARENA_ARRAY(x->arena, uint32_t, in.n + 1)};
    if (!s.rows) {
        x->full = true;
        return s;
    }
    for (uint32_t i = 0; i < in.n; i++) {
        if ((marks[in.rows[i]] != 0) == wanted) s.rows[s.n++] = in.rows[i];
    }
    return s;
}

static TqlSpanset structural(Run *x, TqlOp op, TqlSpanset l, TqlSpanset r) {
    Relation rel = relation_of(op);
    uint8_t *lm = new_marks(x), *rm = new_marks(x);
    if (!lm || !rm) return (TqlSpanset){0};
    mark(lm, &l);
    mark(rm, &r);
    uint8_t *near_left = related(x, rel, lm, &r);
    if (!near_left) return (TqlSpanset){0};
    bool negated = op >= TQL_NOT_CHILD && op <= TQL_NOT_SIBLING;
    TqlSpanset right = keep_marked(x, r, near_left, !negated);
    if (op < TQL_UNION_CHILD || right.n == 0) return right;
    uint8_t *near_right = related(x, inverse(rel), rm, &l);
    if (!near_right) return (TqlSpanset){0};
    return both(x, keep_marked(x, l, near_right, true), right);
}

/* --- spanset expressions --- */

static TqlSpanset union_of(Run *x, const TqlSpansets *sets) {
    if (sets->n == 1) return (TqlSpanset){.rows = sets->v[0].rows, .n = sets->v[0].n};
    uint8_t *m = new_marks(x);
    if (!m) return (TqlSpanset){0};
    for (size_t i = 0; i < sets->n; i++) mark(m, &sets->v[i]);
    return set_of(x, m);
}

static TqlSpanset eval_spanset(Run *x, const TqlSpansetExpr *e, TqlSpanset in) {
    if (x->full) return (TqlSpanset){0};
    if (e->kind == TQL_S_FILTER) return filter(x, e->filter, in);
    if (e->kind == TQL_S_PIPELINE) {
        TqlSpansets one = {0};
        push(x, &one, (TqlSpanset){.rows = in.rows, .n = in.n});
        TqlSpansets out = run_stages(x, e->pipeline->stages, one);
        return out.n ? union_of(x, &out) : (TqlSpanset){0};
    }
    TqlSpanset l = eval_spanset(x, e->left, in), r = eval_spanset(x, e->right, in);
    if (e->op == TQL_OR) return !l.n ? r : !r.n ? l : both(x, l, r);
    if (e->op == TQL_AND) return l.n && r.n ? both(x, l, r) : (TqlSpanset){0};
    /* Nothing on the left still has a right side that is not its child. */
    bool negated = e->op >= TQL_NOT_CHILD && e->op <= TQL_NOT_SIBLING;
    return r.n && (l.n || negated) ? structural(x, e->op, l, r) : (TqlSpanset){0};
}

/* --- scalars --- */

typedef struct Fold {
    TqlValue sum, min, max;
    uint64_t n;
} Fold;

static void fold_value(Fold *f, TqlValue v) {
    if (v.type == TQL_ARRAY || v.type == TQL_MANY) {
        for (uint32_t i = 0; i < v.n; i++) fold_value(f, v.v[i]);
        return;
    }
    if (!tql_is_number(v)) return;
    f->sum = f->n ? tql_apply(TQL_ADD, f->sum, v) : v;
    if (!f->n || tql_is_true(tql_apply(TQL_LT, v, f->min))) f->min = v;
    if (!f->n || tql_is_true(tql_apply(TQL_GT, v, f->max))) f->max = v;
    f->n++;
}

static TqlValue aggregate(Run *x, const TqlScalar *s, const TqlSpanset *set) {
    if (s->aggregate == TQL_COUNT) return (TqlValue){.type = TQL_INT, .i = set->n};
    Fold f = {0};
    for (uint32_t i = 0; i < set->n; i++) fold_value(&f, tql_eval(&(TqlEval){x->v, set->rows[i], x->arena}, s->expr));
    if (!f.n) return (TqlValue){.type = TQL_NIL};
    switch (s->aggregate) {
    case TQL_MIN: return f.min;
    case TQL_MAX: return f.max;
    case TQL_SUM: return f.sum;
    default: return tql_apply(TQL_DIV, f.sum, (TqlValue){.type = TQL_INT, .i = (int64_t)f.n});
    }
}

static void note_number(Run *x, TqlSpanset *set, Str name, TqlValue v) {
    for (size_t i = 0; i < set->numbers.n; i++) {
        if (str_eq(set->numbers.v[i].name, name)) {
            set->numbers.v[i].value = v;
            return;
        }
    }
    if (!avec_push(x->arena, &set->numbers, (TqlNumber){name, v})) x->full = true;
}

static Str aggregate_name(Run *x, const TqlScalar *s) {
    Buf b = {0};
    buf_printf(&b, "%s(", tql_aggregate_names[s->aggregate]);
    if (s->expr) traceql_print_expr(&b, s->expr);
    buf_put_char(&b, ')');
    Str name = arena_copy(x->arena, buf_str(&b));
    buf_done(&b);
    if (!name.p) x->full = true;
    return name;
}

/* A scalar of a spanset; *spans: of pipelines in it, the spans they are about. Aggregates leave their number in it. */
static TqlValue scalar(Run *x, const TqlScalar *s, TqlSpanset *set, TqlSpanset *spans) {
    TqlValue none = {.type = TQL_NIL};
    if (x->full) return none;
    switch (s->kind) {
    case TQL_C_STATIC: return s->value;
    case TQL_C_AGGREGATE: {
        TqlValue v = aggregate(x, s, set);
        if (v.type != TQL_NIL) note_number(x, set, aggregate_name(x, s), v);
        return v;
    }
    case TQL_C_BINARY: {
        TqlValue l = scalar(x, s->left, set, spans), r = scalar(x, s->right, set, spans);
        return l.type == TQL_NIL || r.type == TQL_NIL ? none : tql_apply(s->op, l, r);
    }
    case TQL_C_PIPELINE: break;
    }
    /* Its stages but the last give spansets; the last is the number of all their spans together. */
    TqlSpansets one = {0};
    push(x, &one, (TqlSpanset){.rows = set->rows, .n = set->n});
    TqlSpansets out = run_stages(x, s->pipeline->stages, one);
    TqlSpanset all = out.n ? union_of(x, &out) : (TqlSpanset){0};
    const TqlStage *last = s->pipeline->stages;
    while (last->next) last = last->next;
    *spans = both(x, *spans, all);
    return scalar(x, last->left, &all, spans);
}

static bool has_pipeline(const TqlScalar *s) {
    if (!s) return false;
    return s->kind == TQL_C_PIPELINE || has_pipeline(s->left) || has_pipeline(s->right);
}

/* --- stages --- */

static TqlSpanset copy_of(Run *x, const TqlSpanset *s) {
    TqlSpanset c = {.rows = s->rows, .n = s->n};
    for (size_t i = 0; i < s->numbers.n; i++) note_number(x, &c, s->numbers.v[i].name, s->numbers.v[i].value);
    return c;
}

static void compare_set(Run *x, const TqlStage *st, const TqlSpanset *in, TqlSpansets *out) {
    TqlSpanset s = copy_of(x, in), spans = {0};
    TqlValue l = scalar(x, st->left, &s, &spans), r = scalar(x, st->right, &s, &spans);
    if (l.type == TQL_NIL || r.type == TQL_NIL || !tql_is_true(tql_apply(st->op, l, r))) return;
    if (has_pipeline(st->left) || has_pipeline(st->right)) {
        s.rows = spans.rows;
        s.n = spans.n;
    }
    push(x, out, s);
}

typedef struct Group {
    TqlValue value;
    AVEC(uint32_t) rows;
} Group;
typedef AVEC(Group) Groups;

static bool is_grouped_alike(const TqlValue *a, const TqlValue *b) { return traceql_value_equal(a, b); }

static Group *group_of(Run *x, Groups *groups, Map *index, Buf *key, TqlValue v) {
    buf_clear(key);
    buf_put_char(key, (char)v.type);
    traceql_put_value(key, &v);
    bool inserted;
    uint64_t *at = map_put(index, buf_str(key), &inserted);
    if (!inserted && is_grouped_alike(&groups->v[*at].value, &v)) return &groups->v[*at];
    *at = groups->n;
    if (avec_push(x->arena, groups, (Group){.value = v})) return &groups->v[groups->n - 1];
    x->full = true;
    return NULL;
}

/* One spanset for each value, in the order in which values come up. */
static void group_set(Run *x, const TqlExpr *e, const TqlSpanset *in, TqlSpansets *out) {
    Groups groups = {0};
    Map *index = map_create(MAP_COPY_KEYS);
    Buf key = {0};
    for (uint32_t i = 0; i < in->n && !x->full; i++) {
        Group *g = group_of(x, &groups, index, &key, tql_eval(&(TqlEval){x->v, in->rows[i], x->arena}, e));
        if (g && !avec_push(x->arena, &g->rows, in->rows[i])) x->full = true;
    }
    buf_clear(&key);
    buf_put_lit(&key, "by(");
    traceql_print_expr(&key, e);
    buf_put_char(&key, ')');
    Str name = arena_copy(x->arena, buf_str(&key));
    if (!name.p) x->full = true;
    for (size_t i = 0; i < groups.n && !x->full; i++) {
        TqlSpanset s = copy_of(x, in);
        s.rows = groups.v[i].rows.v;
        s.n = (uint32_t)groups.v[i].rows.n;
        note_number(x, &s, name, groups.v[i].value);
        push(x, out, s);
    }
    buf_done(&key);
    map_free(index);
}

static void keep_numbers(Run *x, const TqlSpanset *from, TqlSpanset *to) {
    for (size_t i = 0; i < from->numbers.n; i++) note_number(x, to, from->numbers.v[i].name, from->numbers.v[i].value);
}

static TqlSpansets run_stage(Run *x, const TqlStage *st, TqlSpansets in) {
    TqlSpansets out = {0};
    if (st->kind == TQL_ST_SELECT || st->kind == TQL_ST_SCALAR) return in;
    if (st->kind == TQL_ST_COALESCE) {
        if (in.n) push(x, &out, union_of(x, &in));
        return out;
    }
    for (size_t i = 0; i < in.n && !x->full; i++) {
        if (st->kind == TQL_ST_BY) {
            group_set(x, st->exprs.v[0], &in.v[i], &out);
        } else if (st->kind == TQL_ST_COMPARE) {
            compare_set(x, st, &in.v[i], &out);
        } else {
            TqlSpanset s = eval_spanset(x, st->spanset, in.v[i]);
            s.numbers.n = s.numbers.cap = 0;
            s.numbers.v = NULL;
            keep_numbers(x, &in.v[i], &s);
            push(x, &out, s);
        }
    }
    return out;
}

static TqlSpansets run_stages(Run *x, const TqlStage *st, TqlSpansets sets) {
    for (; st && sets.n && !x->full; st = st->next) sets = run_stage(x, st, sets);
    return sets;
}

ErrCode traceql_run(const TqlProgram *p, const TqlView *v, Arena *arena, TqlSpansets *ret, Err *reterr) {
    Run x = {.v = v, .arena = arena};
    TqlSpansets sets = {0};
    push(&x, &sets, all_rows(v));
    sets = run_stages(&x, p->pipeline->stages, sets);
    if (x.full || arena_exhausted(arena))
        return err_set(reterr, ERR_TOO_LARGE, "the query needs too much memory for one trace");
    *ret = sets;
    return OK;
}
