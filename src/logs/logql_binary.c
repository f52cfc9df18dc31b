/* Operations between numbers and vectors. */
#include "logs/logql_eval_int.h"

#include <stdlib.h>

typedef struct BinRun {
    LqEval *ev;
    const LqExpr *e;
    LqSeriesIndex index;  /* matching labels of the right (or "one") side -> bucket + 1 */
    AVEC(uint32_t) first; /* bucket -> series + 1 */
    uint32_t *next;       /* series -> next of its bucket + 1 */
} BinRun;

/* One step of an operation on a present pair: false drops the sample. */
static bool combine(const LqExpr *e, double l, double r, double kept, double *ret) {
    double v = lq_apply(e->bin_op, l, r);
    if (!lq_is_comparison(e->bin_op) || e->match.return_bool) {
        *ret = v;
        return true;
    }
    *ret = kept;
    return v != 0;
}

static ErrCode with_scalar(LqEval *ev, const LqExpr *e, const LogqlMatrix *l, const LogqlMatrix *r, LogqlMatrix *ret) {
    bool scalar_left = l->is_scalar, both = l->is_scalar && r->is_scalar;
    const LogqlMatrix *vec = scalar_left ? r : l;
    double scalar = (scalar_left ? l : r)->v[0].v[0];
    for (size_t i = 0; i < vec->n; i++) {
        LogqlSeries *s = &vec->v[i];
        for (size_t k = 0; k < ev->n_steps; k++) {
            if (!s->present[k]) continue;
            double v = s->v[k];
            bool keep = combine(e, scalar_left ? scalar : v, scalar_left ? v : scalar, v, &s->v[k]);
            if (both) s->v[k] = lq_apply(e->bin_op, scalar, v);
            s->present[k] = keep || both;
        }
    }
    *ret = *vec;
    ret->is_scalar = both;
    ret->ordered = false;
    return OK;
}

/* The labels two series must share. */
static bool matching_labels(const BinRun *r, Labels l, Labels *ret) {
    LqGrouping g = {.set = true, .without = !r->e->match.on, .names = {0}};
    g.names.v = r->e->match.names.v;
    g.names.n = r->e->match.names.n;
    return lq_group_labels(&g, l, r->ev->req->arena, ret);
}

static ErrCode index_side(BinRun *r, const LogqlMatrix *m) {
    r->next = arena_alloc_zero(r->ev->req->arena, (m->n + 1) * sizeof *r->next);
    if (!r->next) return lq_fail_eval_memory(r->ev);
    for (size_t i = 0; i < m->n; i++) {
        Labels key;
        if (!matching_labels(r, m->v[i].labels, &key)) return lq_fail_eval_memory(r->ev);
        uint64_t *slot = lq_index_slot(&r->index, key);
        if (*slot == 0) {
            if (!avec_push(r->ev->req->arena, &r->first, 0)) return lq_fail_eval_memory(r->ev);
            *slot = r->first.n;
        }
        r->next[i] = r->first.v[*slot - 1];
        r->first.v[*slot - 1] = (uint32_t)i + 1;
    }
    return OK;
}

/* First series + 1 of the bucket matching l, 0: none. */
static bool bucket_of(BinRun *r, Labels l, uint32_t *ret) {
    Labels key;
    if (!matching_labels(r, l, &key)) return false;
    uint64_t *slot = lq_index_slot(&r->index, key);
    *ret = *slot ? r->first.v[*slot - 1] : 0;
    return true;
}

static bool present_in(const BinRun *r, const LogqlMatrix *m, uint32_t bucket, size_t k) {
    for (uint32_t i = bucket; i; i = r->next[i - 1])
        if (m->v[i - 1].present[k]) return true;
    return false;
}

/* Keeps the left samples that have (and) or lack (unless) a partner on the right. */
static ErrCode filter_left(BinRun *r, LogqlMatrix *l, const LogqlMatrix *right, bool want) {
    for (size_t i = 0; i < l->n; i++) {
        uint32_t bucket;
        if (!bucket_of(r, l->v[i].labels, &bucket)) return lq_fail_eval_memory(r->ev);
        for (size_t k = 0; k < r->ev->n_steps; k++)
            if (l->v[i].present[k]) l->v[i].present[k] = present_in(r, right, bucket, k) == want;
    }
    return OK;
}

static ErrCode set_operation(BinRun *r, LogqlMatrix *l, LogqlMatrix *right, LogqlMatrix *ret) {
    bool is_or = r->e->bin_op == LQ_OR;
    ErrCode rc = index_side(r, is_or ? l : right);
    if (rc == OK) rc = is_or ? filter_left(r, right, l, false) : filter_left(r, l, right, r->e->bin_op == LQ_AND);
    if (rc) return rc;
    *ret = *l;
    if (!is_or) return OK;
    LogqlSeries *v = ARENA_ARRAY(r->ev->req->arena, LogqlSeries, l->n + right->n);
    if (!v) return lq_fail_eval_memory(r->ev);
    if (l->n > 0) memcpy(v, l->v, l->n * sizeof *v);
    size_t n = l->n;
    LqSeriesIndex seen;
    lq_index_init(&seen);
    for (size_t i = 0; i < l->n; i++) *lq_index_slot(&seen, l->v[i].labels) = i + 1;
    for (size_t i = 0; i < right->n; i++) {
        uint64_t *slot = lq_index_slot(&seen, right->v[i].labels);
        if (*slot == 0) {
            v[n++] = right->v[i];
            *slot = n;
            continue;
        }
        for (size_t k = 0; k < r->ev->n_steps; k++) { /* one series, taken from either side step by step */
            if (!right->v[i].present[k]) continue;
            v[*slot - 1].present[k] = 1;
            v[*slot - 1].v[k] = right->v[i].v[k];
        }
    }
    lq_index_done(&seen);
    *ret = (LogqlMatrix){.v = v, .n = n, .n_steps = r->ev->n_steps};
    return OK;
}

static int cmp_by_name(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

/* One-to-one: the matching labels; many-to-one: the many side's, with the included ones of the other. */
static bool result_labels(const BinRun *r, Labels many, Labels one, Labels *ret) {
    const LqMatching *m = &r->e->match;
    if (!m->group_left && !m->group_right) return matching_labels(r, many, ret);
    Label *v = ARENA_ARRAY(r->ev->req->arena, Label, many.n + m->include.n);
    if (!v) return false;
    size_t n = 0;
    for (size_t i = 0; i < many.n; i++) {
        bool replaced = false;
        for (size_t k = 0; k < m->include.n; k++) replaced |= str_eq(m->include.v[k], many.v[i].name);
        if (!replaced) v[n++] = many.v[i];
    }
    for (size_t k = 0; k < m->include.n; k++) {
        Str value = labels_get(one, m->include.v[k]);
        if (value.n > 0) v[n++] = (Label){m->include.v[k], value};
    }
    if (n > 1) qsort(v, n, sizeof *v, cmp_by_name);
    *ret = (Labels){v, n};
    return true;
}

static ErrCode fail_many(BinRun *r, const char *side) {
    return err_set(r->ev->err, ERR_INVALID,
        "found duplicate series on the %s hand-side for the matching labels;many-to-many matching not allowed: "
        "matching "
        "labels must be unique on one side",
        side);
}

static ErrCode match_series(BinRun *r, const LogqlSeries *many, const LogqlSeries *one, LogqlSeries *out) {
    bool swapped = r->e->match.group_right;
    for (size_t k = 0; k < r->ev->n_steps; k++) {
        if (!many->present[k] || !one->present[k]) continue;
        double l = swapped ? one->v[k] : many->v[k], rv = swapped ? many->v[k] : one->v[k], v;
        if (!combine(r->e, l, rv, l, &v)) continue;
        if (out->present[k]) return fail_many(r, swapped ? "left" : "right");
        out->present[k] = 1;
        out->v[k] = v;
    }
    return OK;
}

static ErrCode arithmetic(BinRun *r, const LogqlMatrix *many, const LogqlMatrix *one, LogqlMatrix *ret) {
    ErrCode rc = index_side(r, one);
    LogqlSeries *v = ARENA_ARRAY(r->ev->req->arena, LogqlSeries, many->n);
    if (rc == OK && !v) rc = lq_fail_eval_memory(r->ev);
    if (rc) return rc;
    size_t n = 0;
    LqSeriesIndex made; /* results must be told apart, else two of the left side matched the same of the right */
    lq_index_init(&made);
    for (size_t i = 0; i < many->n && rc == OK; i++) {
        uint32_t bucket = 0;
        if (!bucket_of(r, many->v[i].labels, &bucket)) rc = lq_fail_eval_memory(r->ev);
        if (rc || bucket == 0) continue;
        Labels labels;
        if (!result_labels(r, many->v[i].labels, one->v[bucket - 1].labels, &labels)) rc = lq_fail_eval_memory(r->ev);
        uint64_t *slot = rc ? NULL : lq_index_slot(&made, labels);
        if (slot && *slot == 0) {
            if (!lq_series_new(r->ev, labels, &v[n])) rc = lq_fail_eval_memory(r->ev);
            *slot = ++n;
        }
        for (uint32_t k = bucket; slot && k && rc == OK; k = r->next[k - 1])
            rc = match_series(r, &many->v[i], &one->v[k - 1], &v[*slot - 1]);
    }
    lq_index_done(&made);
    *ret = (LogqlMatrix){.v = v, .n = n, .n_steps = r->ev->n_steps};
    return rc;
}

ErrCode lq_eval_binary(LqEval *ev, const LqExpr *e, LogqlMatrix *ret) {
    LogqlMatrix l, right;
    ErrCode rc = lq_eval(ev, e->left, &l);
    if (rc == OK) rc = lq_eval(ev, e->right, &right);
    if (rc) return rc;
    if (l.is_scalar || right.is_scalar) return with_scalar(ev, e, &l, &right, ret);
    BinRun r = {.ev = ev, .e = e};
    lq_index_init(&r.index);
    if (e->bin_op <= LQ_UNLESS)
        rc = set_operation(&r, &l, &right, ret);
    else if (e->match.group_right)
        rc = arithmetic(&r, &right, &l, ret);
    else
        rc = arithmetic(&r, &l, &right, ret);
    lq_index_done(&r.index);
    return rc;
}
