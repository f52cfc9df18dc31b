/* Vector aggregations. */
#include "logs/logql_eval_int.h"

#include <math.h>
#include <stdlib.h>

/* Running state of one group: per step. mean and m2 for the deviations (Welford). */
typedef struct Group {
    LogqlSeries out;
    uint32_t *count;
    double *mean, *m2;
    AVEC(uint32_t) members; /* topk, bottomk */
} Group;

typedef struct AggRun {
    LqEval *ev;
    const LqExpr *e;
    const LogqlMatrix *in;
    LqSeriesIndex index;
    AVEC(Group) groups;
} AggRun;

static Group *group_of(AggRun *r, Labels series) {
    Arena *arena = r->ev->req->arena;
    Labels l;
    if (!lq_group_labels(&r->e->by, series, arena, &l)) return NULL;
    uint64_t *slot = lq_index_slot(&r->index, l);
    if (*slot > 0) return &r->groups.v[*slot - 1];
    Group g = {0};
    size_t n = r->ev->n_steps;
    g.count = arena_alloc_zero(arena, n * sizeof *g.count);
    g.mean = arena_alloc_zero(arena, n * sizeof *g.mean);
    g.m2 = arena_alloc_zero(arena, n * sizeof *g.m2);
    if (!g.count || !g.mean || !g.m2 || !lq_series_new(r->ev, l, &g.out)) return NULL;
    if (!avec_push(arena, &r->groups, g)) return NULL;
    *slot = r->groups.n;
    return &r->groups.v[r->groups.n - 1];
}

static void add(Group *g, LqAggOp op, size_t k, double v) {
    double *out = &g->out.v[k];
    bool first = g->count[k]++ == 0;
    g->out.present[k] = 1;
    switch (op) {
    case LQ_SUM: *out += v; return;
    case LQ_MIN:
        if (first || v < *out || isnan(*out)) *out = v;
        return;
    case LQ_MAX:
        if (first || v > *out || isnan(*out)) *out = v;
        return;
    case LQ_COUNT: *out += 1; return;
    case LQ_AVG:
    case LQ_STDDEV:
    case LQ_STDVAR: {
        double delta = v - g->mean[k];
        g->mean[k] += delta / g->count[k];
        g->m2[k] += delta * (v - g->mean[k]);
        if (op == LQ_AVG)
            *out = g->mean[k];
        else
            *out = op == LQ_STDVAR ? g->m2[k] / g->count[k] : sqrt(g->m2[k] / g->count[k]);
        return;
    }
    case LQ_TOPK:
    case LQ_BOTTOMK:
    case LQ_SORT:
    case LQ_SORT_DESC:
    case LQ_AGG_OPS: break;
    }
    UNREACHABLE();
}

static ErrCode aggregate(AggRun *r, LogqlMatrix *ret) {
    for (size_t i = 0; i < r->in->n; i++) {
        Group *g = group_of(r, r->in->v[i].labels);
        if (!g) return lq_fail_eval_memory(r->ev);
        for (size_t k = 0; k < r->ev->n_steps; k++)
            if (r->in->v[i].present[k]) add(g, r->e->agg_op, k, r->in->v[i].v[k]);
    }
    LogqlSeries *v = ARENA_ARRAY(r->ev->req->arena, LogqlSeries, r->groups.n);
    if (!v) return lq_fail_eval_memory(r->ev);
    for (size_t i = 0; i < r->groups.n; i++) v[i] = r->groups.v[i].out;
    *ret = (LogqlMatrix){.v = v, .n = r->groups.n, .n_steps = r->ev->n_steps};
    return OK;
}

/* --- topk, bottomk, sort --- */

typedef struct Ranked {
    double v;
    uint32_t series;
    bool up; /* ascending */
    Labels labels;
} Ranked;

static int cmp_ranked(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    bool nan_x = isnan(x->v), nan_y = isnan(y->v);
    if (nan_x != nan_y) return nan_x ? 1 : -1;
    if (x->v != y->v && !nan_x) return (x->v < y->v) == x->up ? -1 : 1;
    return labels_cmp(x->labels, y->labels);
}

static ErrCode rank_group(AggRun *r, const Group *g, LogqlSeries *out) {
    bool up = r->e->agg_op == LQ_BOTTOMK;
    Ranked *ranked = mem_alloc_array(g->members.n + 1, sizeof *ranked);
    for (size_t k = 0; k < r->ev->n_steps; k++) {
        size_t n = 0;
        for (size_t i = 0; i < g->members.n; i++) {
            const LogqlSeries *s = &r->in->v[g->members.v[i]];
            if (s->present[k]) ranked[n++] = (Ranked){s->v[k], g->members.v[i], up, s->labels};
        }
        qsort(ranked, n, sizeof *ranked, cmp_ranked);
        size_t keep = (size_t)MIN((double)n, r->e->param);
        for (size_t i = 0; i < keep; i++) {
            out[ranked[i].series].present[k] = 1;
            out[ranked[i].series].v[k] = ranked[i].v;
        }
    }
    mem_free(ranked);
    return OK;
}

/* At an instant the answer is in order of value. */
static ErrCode order_by_value(AggRun *r, LogqlMatrix *m, bool up) {
    m->ordered = true;
    if (r->ev->n_steps != 1) return OK;
    Ranked *ranked = mem_alloc_array(m->n + 1, sizeof *ranked);
    LogqlSeries *v = ARENA_ARRAY(r->ev->req->arena, LogqlSeries, m->n);
    size_t n = 0;
    for (size_t i = 0; v && i < m->n; i++)
        if (m->v[i].present[0]) ranked[n++] = (Ranked){m->v[i].v[0], (uint32_t)i, up, m->v[i].labels};
    if (v) {
        qsort(ranked, n, sizeof *ranked, cmp_ranked);
        for (size_t i = 0; i < n; i++) v[i] = m->v[ranked[i].series];
        m->v = v;
        m->n = n;
    }
    mem_free(ranked);
    return v ? OK : lq_fail_eval_memory(r->ev);
}

static ErrCode rank(AggRun *r, LogqlMatrix *ret) {
    LogqlSeries *v = ARENA_ARRAY(r->ev->req->arena, LogqlSeries, r->in->n);
    if (!v) return lq_fail_eval_memory(r->ev);
    for (size_t i = 0; i < r->in->n; i++) {
        Group *g = group_of(r, r->in->v[i].labels);
        if (!g || !avec_push(r->ev->req->arena, &g->members, (uint32_t)i)) return lq_fail_eval_memory(r->ev);
        if (!lq_series_new(r->ev, r->in->v[i].labels, &v[i])) return lq_fail_eval_memory(r->ev);
    }
    for (size_t i = 0; i < r->groups.n; i++) {
        ErrCode rc = rank_group(r, &r->groups.v[i], v);
        if (rc) return rc;
    }
    *ret = (LogqlMatrix){.v = v, .n = r->in->n, .n_steps = r->ev->n_steps};
    return order_by_value(r, ret, r->e->agg_op == LQ_BOTTOMK);
}

static ErrCode run(AggRun *r, LogqlMatrix *ret) {
    switch (r->e->agg_op) {
    case LQ_TOPK:
    case LQ_BOTTOMK: return rank(r, ret);
    case LQ_SORT:
    case LQ_SORT_DESC: *ret = *r->in; return order_by_value(r, ret, r->e->agg_op == LQ_SORT);
    default: return aggregate(r, ret);
    }
}

/* A sum of counts is a count by fewer labels. */
static bool sums_on_the_way(const LqExpr *e) {
    return e->agg_op == LQ_SUM && e->left->kind == LQ_RANGE && !e->left->unwrap.set &&
           e->left->range_op <= LQ_BYTES_RATE;
}

ErrCode lq_eval_agg(LqEval *ev, const LqExpr *e, LogqlMatrix *ret) {
    if (sums_on_the_way(e)) return lq_eval_range(ev, e->left, &e->by, ret);
    LogqlMatrix in;
    ErrCode rc = lq_eval(ev, e->left, &in);
    if (rc) return rc;
    AggRun r = {.ev = ev, .e = e, .in = &in};
    lq_index_init(&r.index);
    rc = run(&r, ret);
    lq_index_done(&r.index);
    return rc;
}
