/* window.c - functions of range vectors: one window slides over a column of samples. */
#include "metrics/promql/engine_int.h"

static bool is_range_vector(const PqlNode *n) {
    n = promql_unparen(n);
    return n->kind == PQL_MATRIX || n->kind == PQL_SUBQUERY;
}

/* Moves [from, to) so that it covers times in (min_t, max_t]; both only ascend. */
static void slide(const int64_t *t, size_t n, int64_t min_t, int64_t max_t, size_t *from, size_t *to) {
    while (*to < n && t[*to] <= max_t) ++*to;
    while (*from < *to && t[*from] <= min_t) ++*from;
}

/* anchored: the newest sample at or before the range's start belongs to the window. false: nothing behind it. */
static bool anchor(Window *w) {
    const Column *c = w->col;
    size_t f = w->from, h = w->h_from;
    while (f < w->to && c->t[f] <= w->min_t) f++;
    while (h < w->h_to && c->t_h[h] <= w->min_t) h++;
    if (f == w->to && h == w->h_to) return false;
    bool has_f = f > w->from, has_h = h > w->h_from;
    if (has_f && (!has_h || c->t[f - 1] >= c->t_h[h - 1]))
        f--;
    else if (has_h)
        h--;
    w->from = f;
    w->h_from = h;
    return true;
}

static bool is_rate(PqlFn id) { return id == FN_RATE || id == FN_INCREASE || id == FN_DELTA; }

#define CHECK_EVERY 32 /* windows; each may hold very many samples */

bool window_series(Ev *ev, const Grid *g, const WindowCall *call, Column *c, PqlSeries *out) {
    const WindowSpec *spec = call->spec;
    Window window = {.ev = ev,
               .arg = call->matrix,
               .span = call->span,
               .col = c,
               .p1_span = call->p1_span,
               .p2_span = call->p2_span},
           *w = &window;
    w->anchored = spec->anchored;
    w->smoothed = spec->smoothed;
    size_t from = 0, to = 0, h_from = 0, h_to = 0, seen = 0, h_seen = 0;
    bool stored = call->matrix->kind == PQL_MATRIX; /* what a subquery reads is counted there */
    for (size_t i = 0; i < g->n; i++) {
        w->t_ms = grid_t(g, i);
        w->max_t = (spec->fixed ? spec->fixed_ms : w->t_ms) - spec->offset_ms;
        w->min_t = w->max_t - spec->range_ms;
        int64_t wide = spec->anchored || spec->smoothed ? ev->opts.lookback_ms : 0;
        int64_t far = w->max_t + (spec->smoothed ? wide : 0);
        slide(c->t, c->n, w->min_t - wide, far, &from, &to);
        slide(c->t_h, c->n_h, w->min_t - wide, far, &h_from, &h_to);
        if (i % CHECK_EVERY == CHECK_EVERY - 1 && !ev_alive(ev)) return false;
        if (from == to && h_from == h_to) continue;
        uint64_t fresh = to - MAX(from, seen) + h_to - MAX(h_from, h_seen);
        ev_note_samples(ev, i, to - from + h_to - h_from, stored ? fresh : 0);
        seen = to;
        h_seen = h_to;
        if (ev->samples + (to - from) + (h_to - h_from) > ev->opts.samples_max &&
            !ev_count_samples(ev, to - from + h_to - h_from))
            return false;
        w->from = from;
        w->to = to;
        w->h_from = h_from;
        w->h_to = h_to;
        if (spec->anchored && is_rate(call->function->id) && to > from && h_to > h_from) {
            ev_warn_metric(ev, w->span, WARN_MIXED_FLOATS, c->labels); /* all of the lookback counts */
            continue;
        }
        if (spec->anchored && !anchor(w)) continue;
        w->p1 = call->p1 ? call->p1[i] : call->function->id == FN_INTEGRAL ? INTEGRAL_TRAPEZOIDAL : 0;
        w->p2 = call->p2 ? call->p2[i] : 0;
        double v = 0;
        FHist *h = NULL;
        if (!call->fn(w, &v, &h)) {
            if (ev->rc != OK) return false;
        } else if (h) {
            if (!series_set_h(ev, out, g, i, h)) return false;
        } else {
            series_set(out, i, v);
        }
    }
    return ev_count_samples(ev, bitmap_count(out->present, g->n));
}

static bool has_suffix_of_counter(Str name) {
    return str_ends_with(name, STR("_total")) || str_ends_with(name, STR("_sum")) ||
           str_ends_with(name, STR("_count")) || str_ends_with(name, STR("_bucket"));
}

void window_note_gauge(Ev *ev, const Grid *g, const WindowCall *call, const PqlSeries *s) {
    PqlFn id = call->function->id;
    if (id != FN_RATE && id != FN_INCREASE) return;
    Str name = labels_metric(s->labels);
    if (name.n == 0 || has_suffix_of_counter(name)) return;
    FOR_PRESENT(i, s, g->n) {
        if (series_h(s, i)) continue;
        ev_info_metric(ev, call->span,
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:", s->labels);
        return;
    }
}

bool window_check_extended(Ev *ev, const WindowCall *call) {
    PqlFn id = call->function->id;
    if (call->spec->anchored && !is_rate(id) && id != FN_CHANGES && id != FN_RESETS)
        return ev_fail(ev,
            "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with %s",
            call->function->name);
    if (call->spec->smoothed && !is_rate(id))
        return ev_fail(
            ev, "smoothed modifier can only be used with: delta, increase, rate - not with %s", call->function->name);
    return true;
}

bool window_call_init(Ev *ev, const Grid *g, PqlNode *n, WindowCall *ret) {
    *ret = (WindowCall){.function = n->call.fn, .fn = window_fn(n->call.fn->id)};
    const double **params[] = {&ret->p1, &ret->p2};
    size_t k = 0;
    ASSERT(ret->fn);
    for (size_t i = 0; i < n->call.args.n; i++) {
        PqlNode *arg = n->call.args.v[i];
        if (is_range_vector(arg)) {
            while (arg->kind == PQL_PAREN) arg = arg->paren;
            ret->matrix = arg;
        } else {
            ASSERT(k < ARRAY_LEN(params));
            if (!ev_scalar_arg(ev, g, arg, params[k++])) return false;
        }
    }
    ASSERT(ret->matrix);
    /* In Prometheus a subquery has lost its place by the time it is remarked on. */
    ret->span = ret->matrix->kind == PQL_SUBQUERY ? (LangSpan){0} : ret->matrix->span;
    const PqlNode *first = promql_unparen(n->call.args.v[0]);
    ret->p1_span = first->kind == PQL_SUBQUERY ? (LangSpan){0} : first->span;
    if (n->call.args.n > 1) ret->p2_span = promql_unparen(n->call.args.v[1])->span;
    return true;
}
