/* call.c - functions of scalars and of whole instant vectors: scalar, time, sort, absent, timestamp. */
#include "metrics/promql/stream.h"

#include <stdlib.h>

/* Histogram samples vanish; names go; equal label sets meet. */
static bool finish_floats(Ev *ev, const Grid *g, PqlMatrix *m) {
    for (size_t k = 0; k < m->n; k++) {
        PqlSeries *s = &m->v[k];
        if (s->h) {
            FOR_PRESENT(i, s, g->n) {
                if (s->h[i]) bit_clear(s->present, i);
            }
            s->h = NULL;
        }
        if (!series_drop_name(ev, s)) return false;
    }
    matrix_drop_empty(m, g);
    return matrix_merge_same(ev, m, g, false);
}

/* --- scalars --- */

static bool call_scalar(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlMatrix in = {0};
    if (!ev_eval(ev, g, n->call.args.v[0], &in) || !matrix_scalar(ev, g, NAN, ret)) return false;
    double *out = ret->v[0].v;
    uint8_t *seen = arena_alloc_zero(ev->arena, g->n);
    if (!seen) return ev_no_memory(ev);
    for (size_t k = 0; k < in.n; k++) {
        FOR_PRESENT(i, &in.v[k], g->n) {
            if (series_h(&in.v[k], i)) continue;
            out[i] = seen[i] ? NAN : in.v[k].v[i];
            seen[i] = 1;
        }
    }
    return true;
}

static bool call_extreme_of(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    const double *a, *b;
    if (!ev_scalar_arg(ev, g, n->call.args.v[0], &a) || !ev_scalar_arg(ev, g, n->call.args.v[1], &b)) return false;
    if (!matrix_scalar(ev, g, 0, ret)) return false;
    bool max = n->call.fn->id == FN_MAX_OF;
    for (size_t i = 0; i < g->n; i++) ret->v[0].v[i] = max ? go_max(a[i], b[i]) : go_min(a[i], b[i]);
    return true;
}

static bool call_time(Ev *ev, const Grid *g, PqlMatrix *ret) {
    if (!matrix_scalar(ev, g, 0, ret)) return false;
    for (size_t i = 0; i < g->n; i++) ret->v[0].v[i] = (double)grid_t(g, i) / 1000;
    return true;
}

static bool call_constant(Ev *ev, const Grid *g, PqlFn id, PqlMatrix *ret) {
    const PromqlQuery *q = ev->query;
    double v = M_PI;
    if (id == FN_START) v = (double)q->start_ms / 1000;
    if (id == FN_END) v = (double)q->end_ms / 1000;
    if (id == FN_RANGE) v = (double)(q->end_ms - q->start_ms) / 1000;
    if (id == FN_STEP) v = q->start_ms == q->end_ms ? 0 : (double)q->step_ms / 1000;
    return matrix_scalar(ev, g, v, ret);
}

static bool call_vector(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    return ev_eval(ev, g, n->call.args.v[0], ret);
}

/* --- timestamp, absent --- */

static bool call_timestamp(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlNode *arg = n->call.args.v[0];
    while (arg->kind == PQL_PAREN) arg = arg->paren;
    if (arg->kind == PQL_SELECTOR && !arg->selector.smoothed) {
        if (!ev_selector(ev, g, arg, SAMPLE_TIME, ret)) return false;
        return finish_floats(ev, g, ret);
    }
    if (!ev_eval(ev, g, n->call.args.v[0], ret)) return false;
    for (size_t k = 0; k < ret->n; k++) {
        ret->v[k].h = NULL;
        FOR_PRESENT(i, &ret->v[k], g->n) ret->v[k].v[i] = (double)grid_t(g, i) / 1000;
    }
    return finish_floats(ev, g, ret);
}

/* Only samples have a start time, not what was made of them. */
static bool call_start_timestamp(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlNode *arg = n->call.args.v[0];
    while (arg->kind == PQL_PAREN) arg = arg->paren;
    if (arg->kind != PQL_SELECTOR || arg->selector.smoothed || !ev->opts.use_start_timestamps) {
        PqlMatrix in = {0};
        return ev_eval(ev, g, n->call.args.v[0], &in); /* for its errors and warnings */
    }
    return ev_selector(ev, g, arg, SAMPLE_START, ret) && finish_floats(ev, g, ret);
}

/* The labels that a selector fixes with =, once each. */
static bool absent_labels(Ev *ev, const PqlNode *n, Labels *ret) {
    n = promql_unparen(n);
    if (n->kind == PQL_MATRIX) n = n->matrix.selector;
    *ret = (Labels){0};
    if (n->kind != PQL_SELECTOR) return true;
    Matchers ms = n->selector.matchers;
    for (size_t i = 0; i < ms.n; i++) {
        const Matcher *m = ms.v[i];
        if (label_name_is_metadata(m->name)) continue;
        bool again = false;
        for (size_t j = 0; j < i; j++) again |= ms.v[j]->type == MATCH_EQ && str_eq(ms.v[j]->name, m->name);
        *ret = labels_with(ev, *ret, m->name, m->type == MATCH_EQ && !again ? m->value : STR_NULL);
    }
    return ev->rc == OK;
}

static bool absent_result(Ev *ev, const Grid *g, const PqlNode *arg, const uint64_t *found, PqlMatrix *ret) {
    Labels labels;
    if (!absent_labels(ev, arg, &labels)) return false;
    PqlSeries *s = matrix_add(ev, ret, g, labels);
    if (!s) return false;
    for (size_t i = 0; i < g->n; i++)
        if (!bit_get(found, i)) series_set(s, i, 1);
    matrix_drop_empty(ret, g);
    return true;
}

static uint64_t *presence(Ev *ev, const Grid *g, const PqlMatrix *in) {
    uint64_t *found = arena_alloc_zero(ev->arena, bitmap_words(g->n) * sizeof *found);
    for (size_t k = 0; found && k < in->n; k++)
        for (size_t w = 0; w < bitmap_words(g->n); w++) found[w] |= in->v[k].present[w];
    if (!found) ev_no_memory(ev);
    return found;
}

bool ev_absent_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlNode *arg = n->call.args.v[0];
    PqlMatrix in = {0};
    if (n->call.fn->id == FN_ABSENT) {
        if (!ev_eval(ev, g, arg, &in)) return false;
    } else {
        /* Whatever tells where there is something; this one leaves the names, so that none can clash. */
        static const PqlFunction last = {
            "absent_over_time", FN_LAST_OVER_TIME, 1, 0, PQL_TYPE_VECTOR, {PQL_TYPE_MATRIX}, false};
        PqlNode call = *n;
        call.call.fn = &last;
        if (!ev_stream_matrix(ev, g, &call, &in)) return false;
    }
    uint64_t *found = presence(ev, g, &in);
    return found && absent_result(ev, g, arg, found, ret);
}

bool ev_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlFn id = n->call.fn->id;
    switch (id) {
    case FN_SCALAR: return call_scalar(ev, g, n, ret);
    case FN_MAX_OF:
    case FN_MIN_OF: return call_extreme_of(ev, g, n, ret);
    case FN_TIME: return call_time(ev, g, ret);
    case FN_PI:
    case FN_START:
    case FN_END:
    case FN_RANGE:
    case FN_STEP: return call_constant(ev, g, id, ret);
    case FN_VECTOR: return call_vector(ev, g, n, ret);
    case FN_TIMESTAMP: return call_timestamp(ev, g, n, ret);
    case FN_START_TIMESTAMP: return call_start_timestamp(ev, g, n, ret);
    case FN_ABSENT:
    case FN_ABSENT_OVER_TIME: return ev_absent_call(ev, g, n, ret);
    case FN_SORT:
    case FN_SORT_DESC:
    case FN_SORT_BY_LABEL:
    case FN_SORT_BY_LABEL_DESC: return ev_sort_call(ev, g, n, ret);
    case FN_LABEL_JOIN:
    case FN_LABEL_REPLACE: return ev_label_call(ev, g, n, ret);
    case FN_INFO: return ev_info_call(ev, g, n, ret);
    case FN_HISTOGRAM_AVG:
    case FN_HISTOGRAM_COUNT:
    case FN_HISTOGRAM_SUM:
    case FN_HISTOGRAM_STDDEV:
    case FN_HISTOGRAM_STDVAR:
    case FN_HISTOGRAM_FRACTION:
    case FN_HISTOGRAM_QUANTILE:
    case FN_HISTOGRAM_QUANTILES: return ev_histogram_call(ev, g, n, ret);
    default: return ev_date_call(ev, g, n, ret);
    }
}
