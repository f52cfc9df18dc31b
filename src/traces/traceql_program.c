/* traceql_program.c - a pipeline made ready: what it looks at, and whether it looks at spans one by one. */
#include "traces/traceql_eval_int.h"

typedef struct Collect {
    TqlProgram *p;
    Arena *arena;
    bool full;
} Collect;

static void add_attr(Collect *c, TqlAttrs *to, const TqlAttr *a) {
    for (size_t i = 0; i < to->n; i++) {
        if (traceql_attr_equal(&to->v[i], a)) return;
    }
    if (!avec_push(c->arena, to, *a)) c->full = true;
}

static bool asks_for_trace(const TqlAttr *a) {
    if (a->parent) return true;
    switch (a->intrinsic) {
    case TQL_CHILD_COUNT:
    case TQL_NESTED_SET_LEFT:
    case TQL_NESTED_SET_RIGHT:
    case TQL_NESTED_SET_PARENT:
    case TQL_TRACE_DURATION:
    case TQL_TRACE_ROOT_NAME:
    case TQL_TRACE_ROOT_SERVICE: return true;
    default: return false;
    }
}

static void add_expr(Collect *c, const TqlExpr *e, bool shown) {
    if (!e) return;
    if (e->kind == TQL_E_ATTR) {
        add_attr(c, &c->p->used, &e->attr);
        if (shown) add_attr(c, &c->p->shown, &e->attr);
        if (asks_for_trace(&e->attr)) c->p->local = false;
        return;
    }
    add_expr(c, e->left, shown);
    add_expr(c, e->right, shown);
}

static void add_pipeline(Collect *c, const TqlPipeline *pl);

static void add_spanset(Collect *c, const TqlSpansetExpr *s) {
    if (s->kind == TQL_S_FILTER) {
        add_expr(c, s->filter, true);
        return;
    }
    c->p->local = false;
    if (s->kind == TQL_S_PIPELINE) {
        add_pipeline(c, s->pipeline);
        return;
    }
    add_spanset(c, s->left);
    add_spanset(c, s->right);
}

static void add_scalar(Collect *c, const TqlScalar *s) {
    if (!s) return;
    c->p->local = false;
    add_expr(c, s->expr, true);
    add_scalar(c, s->left);
    add_scalar(c, s->right);
    if (s->pipeline) add_pipeline(c, s->pipeline);
}

static void add_pipeline(Collect *c, const TqlPipeline *pl) {
    for (const TqlStage *st = pl->stages; st; st = st->next) {
        if (st->spanset) add_spanset(c, st->spanset);
        if (st->kind == TQL_ST_BY || st->kind == TQL_ST_COALESCE) c->p->local = false;
        for (size_t i = 0; i < st->exprs.n; i++) add_expr(c, st->exprs.v[i], true);
        add_scalar(c, st->left);
        add_scalar(c, st->right);
    }
}

ErrCode traceql_program_create(
    const TqlPipeline *pipeline, const TqlProgramOptions *opts, Arena *arena, const TqlProgram **ret, Err *reterr) {
    static const TqlProgramOptions none;
    if (!opts) opts = &none;
    TqlProgram *p = ARENA_NEW(arena, TqlProgram);
    Collect c = {p, arena, false};
    if (p) {
        *p = (TqlProgram){.pipeline = pipeline,
            .fields = opts->fields,
            .n_fields = opts->n_fields,
            .all_attributes = opts->all_attributes,
            .summaries = opts->summaries,
            .local = !opts->summaries};
        add_pipeline(&c, pipeline);
        for (size_t i = 0; i < opts->n_fields; i++) add_expr(&c, opts->fields[i], false);
    }
    if (!p || c.full) return err_set(reterr, ERR_TOO_LARGE, "the query needs more memory than it is allowed");
    *ret = p;
    return OK;
}

bool traceql_program_is_local(const TqlProgram *p) { return p->local; }

size_t traceql_program_attrs(const TqlProgram *p, const TqlAttr **ret) {
    *ret = p->shown.v;
    return p->shown.n;
}

TqlValue traceql_value(const TqlProgram *p, size_t field, const TqlView *v, uint32_t row, Arena *arena) {
    ASSERT(field < p->n_fields);
    return traceql_eval(p->fields[field], v, row, arena);
}
