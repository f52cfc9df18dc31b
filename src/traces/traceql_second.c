/* traceql_second.c - what stands behind and between metrics: topk, thresholds, arithmetic. Works on series. */
#include "traces/traceql_metrics_int.h"

#include <math.h>
#include <stdlib.h>

/* --- order --- */

static int value_cmp(const TqlValue *a, const TqlValue *b) {
    if (a->type != b->type) return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case TQL_STRING: return str_cmp(a->s, b->s);
    case TQL_FLOAT: return a->d < b->d ? -1 : a->d > b->d;
    case TQL_BOOL: return a->b - b->b;
    case TQL_NIL: return 0;
    default: return a->i < b->i ? -1 : a->i > b->i;
    }
}

int tql_labels_cmp(const TqlSeries *a, const TqlSeries *b) {
    for (size_t i = 0; i < a->n_labels && i < b->n_labels; i++) {
        int c = str_cmp(a->labels[i].name, b->labels[i].name);
        if (c == 0) c = value_cmp(&a->labels[i].value, &b->labels[i].value);
        if (c) return c;
    }
    return a->n_labels < b->n_labels ? -1 : a->n_labels > b->n_labels;
}

static bool has_points(const TqlSeries *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!isnan(s->v[i])) return true;
    }
    return false;
}

static void drop_empty(TqlVector *v, size_t n_points) {
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (has_points(&v->v[i], n_points)) v->v[n++] = v->v[i];
    }
    v->n = n;
}

/* --- topk and bottomk: the best of each point --- */

typedef struct Ranked {
    double value;
    int64_t series; /* its place among the labels; negative for bottomk, which as in Tempo takes the last of equals */
} Ranked;

static int cmp_ranked(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->series < y->series ? -1 : x->series > y->series;
}

static int cmp_series(const void *a, const void *b) { return tql_labels_cmp(a, b); }

static void keep_best(TqlVector *v, size_t n_points, size_t k, bool lowest) {
    Ranked *ranked = mem_alloc_array(v->n + 1, sizeof *ranked);
    if (v->n) qsort(v->v, v->n, sizeof *v->v, cmp_series);
    for (size_t point = 0; point < n_points; point++) {
        size_t n = 0;
        for (size_t i = 0; i < v->n; i++) {
            double x = v->v[i].v[point];
            if (!isnan(x)) ranked[n++] = (Ranked){lowest ? -x : x, lowest ? -(int64_t)i : (int64_t)i};
        }
        if (n <= k) continue;
        qsort(ranked, n, sizeof *ranked, cmp_ranked);
        for (size_t i = k; i < n; i++) v->v[llabs(ranked[i].series)].v[point] = NAN;
    }
    mem_free(ranked);
}

static bool holds(TqlOp op, double a, double b) {
    switch (op) {
    case TQL_EQ: return a == b;
    case TQL_NEQ: return a != b;
    case TQL_GT: return a > b;
    case TQL_GE: return a >= b;
    case TQL_LT: return a < b;
    case TQL_LE: return a <= b;
    default: UNREACHABLE();
    }
}

static void keep_if(TqlVector *v, size_t n_points, TqlOp op, double threshold) {
    for (size_t i = 0; i < v->n; i++) {
        for (size_t point = 0; point < n_points; point++) {
            double *x = &v->v[i].v[point];
            if (!isnan(*x) && !holds(op, *x, threshold)) *x = NAN;
        }
    }
}

ErrCode tql_vector_second(TqlRun *run, const TqlSecond *s, TqlVector *v, Err *reterr) {
    if (s && v->is_scalar) return err_set(reterr, ERR_INVALID, "a number alone has no series to choose from");
    for (; s; s = s->next) {
        if (s->kind == TQL_THRESHOLD)
            keep_if(v, run->grid.n, s->op, s->value);
        else
            keep_best(v, run->grid.n, (size_t)s->k, s->kind == TQL_BOTTOMK);
    }
    if (!v->is_scalar) drop_empty(v, run->grid.n);
    return OK;
}

/* --- arithmetic --- */

/* What cannot be divided has no value. */
static double apply(TqlOp op, double a, double b) {
    switch (op) {
    case TQL_ADD: return a + b;
    case TQL_SUB: return a - b;
    case TQL_MUL: return a * b;
    case TQL_DIV: return b == 0 ? NAN : a / b;
    default: UNREACHABLE();
    }
}

/* Whole numbers stay whole, as in the language's literals. */
static TqlVector scalar_binary(TqlOp op, const TqlVector *a, const TqlVector *b) {
    bool whole = a->is_int && b->is_int && !(op == TQL_DIV && b->scalar == 0);
    double v = apply(op, a->scalar, b->scalar);
    return (TqlVector){.is_scalar = true, .is_int = whole, .scalar = whole ? trunc(v) : v};
}

/* A metric's name does not tell series apart. */
static bool is_plain(const TqlSeries *s) {
    return s->n_labels == 0 || (s->n_labels == 1 && str_eq_lit(s->labels[0].name, "__name__"));
}

static const TqlSeries *partner(const TqlVector *other, const TqlSeries *s) {
    if (other->n == 1 && is_plain(&other->v[0])) return &other->v[0];
    if (is_plain(s)) return NULL;
    return other->n ? bsearch(s, other->v, other->n, sizeof *s, cmp_series) : NULL;
}

static Str name_of(const TqlSeries *s) { return s->n_labels ? s->labels[0].value.s : STR_NULL; }

/* "(rate / rate)"; that of a series and a number is the series'. */
static bool name_series(TqlRun *run, TqlOp op, const TqlSeries *left, const TqlSeries *right, TqlSeries *ret) {
    TqlLabel *label = ARENA_NEW(run->arena, TqlLabel);
    Str name = !right  ? name_of(left)
               : !left ? name_of(right)
                       : arena_printf(run->arena, "(%" STR_FMT " %s %" STR_FMT ")", STR_ARG(name_of(left)),
                             tql_op_names[op], STR_ARG(name_of(right)));
    if (!label || !name.p) return false;
    *label = (TqlLabel){STR("__name__"), {.type = TQL_STRING, .s = name}};
    ret->labels = label;
    ret->n_labels = 1;
    return true;
}

/* s combined with p, a series, or a number (NULL). swapped: p stands on the left. */
static bool make_series(TqlRun *run, TqlOp op, const TqlSeries *s, const TqlSeries *p, bool swapped, TqlSeries *ret) {
    *ret = (TqlSeries){.labels = s->labels, .n_labels = s->n_labels};
    ret->v = ARENA_ARRAY(run->arena, double, run->grid.n);
    if (!ret->v) return false;
    return !is_plain(s) || name_series(run, op, swapped ? p : s, swapped ? s : p, ret);
}

/* Every series of `many` with its partner of `one` (a number, the only series without labels, or the one with equal
 * labels). swapped: many is the right side. */
static ErrCode each_with_partner(
    TqlRun *run, TqlOp op, const TqlVector *many, const TqlVector *one, bool swapped, TqlVector *ret, Err *reterr) {
    ret->v = ARENA_ARRAY(run->arena, TqlSeries, many->n + 1);
    if (!ret->v) return tql_out_of_memory(reterr);
    for (size_t i = 0; i < many->n; i++) {
        const TqlSeries *s = &many->v[i], *p = one->is_scalar ? NULL : partner(one, s);
        if (!one->is_scalar && !p) continue;
        TqlSeries *out = &ret->v[ret->n];
        if (!make_series(run, op, s, p, swapped, out)) return tql_out_of_memory(reterr);
        for (size_t k = 0; k < run->grid.n; k++) {
            double a = s->v[k], b = p ? p->v[k] : one->scalar;
            out->v[k] = swapped ? apply(op, b, a) : apply(op, a, b);
        }
        out->exemplars = s->exemplars;
        out->n_exemplars = s->n_exemplars;
        ret->n++;
    }
    return OK;
}

static int cmp_label(const void *a, const void *b) {
    return str_cmp(((const TqlLabel *)a)->name, ((const TqlLabel *)b)->name);
}

/* By labels, whose order in by() does not matter. */
static void sort_vector(const TqlVector *v) {
    for (size_t i = 0; i < v->n; i++) {
        if (v->v[i].n_labels > 1) qsort(v->v[i].labels, v->v[i].n_labels, sizeof(TqlLabel), cmp_label);
    }
    if (v->n) qsort(v->v, v->n, sizeof *v->v, cmp_series);
}

ErrCode tql_vector_binary(
    TqlRun *run, TqlOp op, const TqlVector *left, const TqlVector *right, TqlVector *ret, Err *reterr) {
    *ret = (TqlVector){0};
    if (left->is_scalar && right->is_scalar) {
        *ret = scalar_binary(op, left, right);
        return OK;
    }
    sort_vector(left);
    sort_vector(right);
    bool swapped = left->is_scalar || (left->n == 1 && is_plain(&left->v[0]) && !right->is_scalar);
    return swapped ? each_with_partner(run, op, right, left, true, ret, reterr)
                   : each_with_partner(run, op, left, right, false, ret, reterr);
}
