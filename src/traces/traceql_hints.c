/* traceql_hints.c - what a query says about every trace or span it can match, for the store to pass over the others. */
#include "traces/traceql_scan_int.h"

#define ALTS_MAX 16
#define CONDS_MAX 8
#define ALL_CONDS_MAX 48

/* A disjunction of conjunctions; n 0 and `always`: nothing is known. */
typedef struct Alts {
    AVEC(TraceConds) v;
    bool always;
} Alts;

typedef struct Hints {
    Arena *arena;
    AVEC(TraceClause) clauses;
    size_t n_conds;
} Hints;

static Alts anything(void) { return (Alts){.always = true}; }

/* --- comparisons --- */

static bool is_list(const TqlValue *v) { return v->type == TQL_ARRAY || v->type == TQL_MANY; }

/* Arrays and bytes are left to the evaluation: they may match. */
static bool compares(const void *ctx, const AttrValue *a) {
    const TqlExpr *e = ctx;
    if (a->type == ATTR_ARRAY || a->type == ATTR_BYTES) return true;
    TqlValue v = tql_of_attr(a, NULL);
    if (e->kind == TQL_E_ATTR) return tql_is_true(v);
    return tql_match(
        e, e->left->kind == TQL_E_ATTR ? v : e->left->value, e->right->kind == TQL_E_ATTR ? v : e->right->value);
}

static bool exists(const void *ctx, const AttrValue *a) {
    (void)ctx;
    return a->type != ATTR_EMPTY;
}

static Alts one_cond(Hints *h, TraceCond c) {
    Alts x = {0};
    TraceCond *v = ARENA_NEW(h->arena, TraceCond);
    if (!v) return anything();
    *v = c;
    return avec_push(h->arena, &x.v, (TraceConds){v, 1}) ? x : anything();
}

static TqlOp turned(TqlOp op) {
    return op == TQL_GT ? TQL_LT : op == TQL_LT ? TQL_GT : op == TQL_GE ? TQL_LE : op == TQL_LE ? TQL_GE : op;
}

static Alts by_duration(Hints *h, TqlOp op, const TqlValue *v) {
    TraceCond c = {.field = TRACE_COND_DURATION, .min = INT64_MIN, .max = INT64_MAX};
    if (v->type != TQL_DURATION && v->type != TQL_INT) return anything();
    if (op == TQL_EQ || op == TQL_GT || op == TQL_GE) c.min = v->i; /* one too many is no harm */
    if (op == TQL_EQ || op == TQL_LT || op == TQL_LE) c.max = v->i;
    return op == TQL_NEQ ? anything() : one_cond(h, c);
}

static Alts by_number(Hints *h, TraceCondField field, TqlOp op, const TqlValue *v) {
    if (v->type != (field == TRACE_COND_STATUS ? TQL_STATUS : TQL_KIND) || v->i < 0 || v->i > 31) return anything();
    uint32_t bit = 1u << v->i;
    return one_cond(h, (TraceCond){.field = field, .mask = op == TQL_EQ ? bit : ~bit});
}

static Str text_of(Hints *h, TqlOp op, const TqlValue *v) {
    if (op != TQL_EQ) return STR_NULL;
    if (v->type == TQL_STRING) return v->s;
    return v->type == TQL_INT ? arena_printf(h->arena, "%lld", (long long)v->i) : STR_NULL;
}

static Alts by_attribute(Hints *h, const TqlExpr *e, const TqlAttr *a, TqlOp op, const TqlValue *v) {
    TraceCond c = {.key = a->name, .match = compares, .ctx = e, .equal = text_of(h, op, v)};
    switch (a->scope) {
    case TQL_SCOPE_SPAN: c.field = TRACE_COND_SPAN; break;
    case TQL_SCOPE_RESOURCE: c.field = TRACE_COND_RESOURCE; break;
    case TQL_SCOPE_ANY: c.field = TRACE_COND_ANY; break;
    case TQL_SCOPE_EVENT: return one_cond(h, (TraceCond){.field = TRACE_COND_EVENTS});
    case TQL_SCOPE_LINK: return one_cond(h, (TraceCond){.field = TRACE_COND_LINKS});
    default: return anything();
    }
    if (v->type == TQL_NIL) c.match = exists; /* != nil */
    return one_cond(h, c);
}

/* e: a field compared with a literal. */
static Alts by_comparison(Hints *h, const TqlExpr *e) {
    bool left = e->left->kind == TQL_E_ATTR;
    const TqlExpr *field = left ? e->left : e->right, *literal = left ? e->right : e->left;
    if (field->kind != TQL_E_ATTR || literal->kind != TQL_E_STATIC || field->attr.parent || is_list(&literal->value))
        return anything();
    const TqlValue *v = &literal->value;
    TqlOp op = left ? e->op : turned(e->op);
    if (v->type == TQL_NIL && op == TQL_EQ) return anything(); /* what is missing cannot be looked for */
    switch (field->attr.intrinsic) {
    case TQL_NOT_INTRINSIC: return by_attribute(h, e, &field->attr, op, v);
    case TQL_NAME:
        return v->type == TQL_NIL ? anything()
                                  : one_cond(h, (TraceCond){.field = TRACE_COND_NAME, .match = compares, .ctx = e});
    case TQL_DURATION_NS: return by_duration(h, op, v);
    case TQL_STATUS_CODE: return by_number(h, TRACE_COND_STATUS, op, v);
    case TQL_SPAN_KIND: return by_number(h, TRACE_COND_KIND, op, v);
    case TQL_EVENT_NAME:
    case TQL_EVENT_TIME_SINCE_START: return one_cond(h, (TraceCond){.field = TRACE_COND_EVENTS});
    case TQL_LINK_TRACE_ID:
    case TQL_LINK_SPAN_ID: return one_cond(h, (TraceCond){.field = TRACE_COND_LINKS});
    default: return anything();
    }
}

/* --- expressions --- */

static Alts either(Hints *h, Alts a, Alts b) {
    if (a.always || b.always || a.v.n + b.v.n > ALTS_MAX) return anything();
    for (size_t i = 0; i < b.v.n; i++) {
        if (!avec_push(h->arena, &a.v, b.v.v[i])) return anything();
    }
    return a;
}

static bool push_both(Hints *h, Alts *out, TraceConds x, TraceConds y) {
    TraceCond *v = ARENA_ARRAY(h->arena, TraceCond, x.n + y.n);
    if (!v) return false;
    memcpy(v, x.v, x.n * sizeof *v);
    memcpy(v + x.n, y.v, y.n * sizeof *v);
    return avec_push(h->arena, &out->v, (TraceConds){v, x.n + y.n});
}

/* Where both together are too many, one of them is still true. */
static Alts both(Hints *h, Alts a, Alts b) {
    if (a.always) return b;
    if (b.always || a.v.n * b.v.n > ALTS_MAX) return a;
    Alts out = {0};
    for (size_t i = 0; i < a.v.n; i++) {
        for (size_t k = 0; k < b.v.n; k++) {
            if (a.v.v[i].n + b.v.v[k].n > CONDS_MAX) return a;
            if (!push_both(h, &out, a.v.v[i], b.v.v[k])) return anything();
        }
    }
    return out;
}

static Alts of_expr(Hints *h, const TqlExpr *e) {
    if (!e) return anything();
    if (e->kind == TQL_E_ATTR && e->attr.intrinsic == TQL_NOT_INTRINSIC && !e->attr.parent)
        return by_attribute(h, e, &e->attr, TQL_NEQ, &(TqlValue){.type = TQL_BOOL});
    if (e->kind != TQL_E_BINARY) return anything();
    if (e->op == TQL_AND) return both(h, of_expr(h, e->left), of_expr(h, e->right));
    if (e->op == TQL_OR) return either(h, of_expr(h, e->left), of_expr(h, e->right));
    return e->op <= TQL_LE ? by_comparison(h, e) : anything();
}

/* --- spansets --- */

typedef AVEC(Alts) AltsList;

static void add(Hints *h, AltsList *to, Alts a) {
    if (!a.always && to->n < TRACE_CLAUSES_MAX) (void)avec_push(h->arena, to, a);
}

static void of_pipeline(Hints *h, const TqlPipeline *pl, AltsList *to);

static void of_spanset(Hints *h, const TqlSpansetExpr *s, AltsList *to) {
    if (s->kind == TQL_S_FILTER) {
        add(h, to, of_expr(h, s->filter));
    } else if (s->kind == TQL_S_PIPELINE) {
        of_pipeline(h, s->pipeline, to);
    } else if (s->op == TQL_OR) {
        AltsList l = {0}, r = {0};
        of_spanset(h, s->left, &l);
        of_spanset(h, s->right, &r);
        if (l.n && r.n) add(h, to, either(h, l.v[0], r.v[0]));
    } else {
        bool negated = s->op >= TQL_NOT_CHILD && s->op <= TQL_NOT_SIBLING;
        if (!negated) of_spanset(h, s->left, to);
        of_spanset(h, s->right, to);
    }
}

static void of_pipeline(Hints *h, const TqlPipeline *pl, AltsList *to) {
    for (const TqlStage *st = pl->stages; st; st = st->next) {
        if (st->kind == TQL_ST_SPANSET) of_spanset(h, st->spanset, to);
    }
}

static size_t count_conds(const Alts *a) {
    size_t n = 0;
    for (size_t i = 0; i < a->v.n; i++) n += a->v.v[i].n;
    return n;
}

void tql_hints(const TqlPipeline *pl, Arena *arena, const TraceClause **ret, size_t *ret_n) {
    Hints h = {.arena = arena};
    AltsList all = {0};
    of_pipeline(&h, pl, &all);
    for (size_t i = 0; i < all.n; i++) {
        size_t n = count_conds(&all.v[i]);
        if (h.n_conds + n > ALL_CONDS_MAX) continue;
        if (avec_push(arena, &h.clauses, (TraceClause){all.v[i].v.v, all.v[i].v.n})) h.n_conds += n;
    }
    *ret = h.clauses.v;
    *ret_n = h.clauses.n;
}
