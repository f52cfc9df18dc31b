/* select.c - from the store to columns: instant vectors by lookback, range vectors by windows, subqueries. */
#include "metrics/promql/engine_int.h"

#include <stdlib.h>

static int64_t sat_sub(int64_t a, int64_t b) {
    int64_t r;
    if (!__builtin_sub_overflow(a, b, &r)) return r;
    return b > 0 ? INT64_MIN : INT64_MAX;
}

static int64_t sat_add(int64_t a, int64_t b) { return b == INT64_MIN ? sat_sub(a + 1, INT64_MAX) : sat_sub(a, -b); }

/* Samples in (min_t, max_t]. */
static bool fetch(Ev *ev, const PqlNode *sel, int64_t min_t, int64_t max_t, SeriesColumns *ret) {
    MetricsSelect req = {.matchers = sel->selector.matchers,
        .min_t_ms = sat_add(min_t, 1),
        .max_t_ms = max_t,
        .arena = ev->arena,
        .samples_max = ev->opts.samples_max,
        .view = ev->view,
        .cancel = ev->query->cancel};
    *ret = (SeriesColumns){0};
    if (req.min_t_ms > req.max_t_ms) return true;
    Err err = {0};
    ErrCode rc = ev->store->ops->select(ev->store, &req, ret, &err);
    if (rc == OK) return !sel->selector.detect_resets || ev_detect_resets(ev, ret);
    if (ev->rc == OK) {
        ev->rc = rc;
        if (ev->err) *ev->err = err;
    }
    return false;
}

/* --- instant vectors --- */

/* Walks one series while the reference time ascends. */
typedef struct Lookback {
    const SeriesColumn *c;
    int64_t lookback_ms;
    size_t f, h;      /* samples at or before the reference time */
    size_t converted; /* index + 1 of the histogram below */
    FHist *hist;
} Lookback;

/* The newest sample in (ref - lookback, ref]; false when there is none or it is a stale marker. */
static bool lookback_at(Lookback *l, int64_t ref, int64_t *ret_t, double *ret_v, size_t *ret_h) {
    const SeriesColumn *c = l->c;
    while (l->f < c->n && c->t_ms[l->f] <= ref) l->f++;
    while (l->h < c->n_histograms && c->histogram_t_ms[l->h] <= ref) l->h++;
    int64_t tf = l->f ? c->t_ms[l->f - 1] : INT64_MIN, th = l->h ? c->histogram_t_ms[l->h - 1] : INT64_MIN;
    int64_t oldest = sat_sub(ref, l->lookback_ms);
    *ret_t = MAX(tf, th);
    *ret_h = SIZE_MAX;
    if ((!l->f && !l->h) || *ret_t <= oldest) return false;
    if (l->h && (!l->f || th > tf)) {
        *ret_h = l->h - 1;
        *ret_v = 0;
        return !histogram_is_stale(&c->histograms[l->h - 1]);
    }
    *ret_v = c->value[l->f - 1];
    return !is_stale_nan(*ret_v);
}

static FHist *lookback_histogram(Ev *ev, Lookback *l, size_t i) {
    if (l->converted != i + 1) {
        l->hist = fh_from_model(ev->arena, &l->c->histograms[i]);
        l->converted = i + 1;
    }
    return l->hist;
}

static int64_t lookback_start(const Lookback *l, size_t h) {
    const SeriesColumn *c = l->c;
    if (h != SIZE_MAX) return c->histogram_start_ms ? c->histogram_start_ms[h] : 0;
    return c->start_ms ? c->start_ms[l->f - 1] : 0;
}

static bool lookback_series(
    Ev *ev, const Grid *g, const PqlNode *n, const SeriesColumn *c, PqlSample what, PqlSeries *s) {
    const PqlShift *shift = &n->selector.shift;
    Lookback l = {.c = c, .lookback_ms = ev->opts.lookback_ms};
    uint64_t points = 0;
    for (size_t i = 0; i < g->n; i++) {
        int64_t ref = sat_sub(shift->at != PQL_AT_NONE ? shift->at_ms : grid_t(g, i), shift->offset.ms), t;
        double v;
        size_t h;
        if (!lookback_at(&l, ref, &t, &v, &h)) continue;
        points++;
        ev_note_samples(ev, i, 1, 1);
        if (what == SAMPLE_TIME)
            series_set(s, i, (double)t / 1000);
        else if (what == SAMPLE_START)
            series_set(s, i, (double)lookback_start(&l, h) / 1000);
        else if (h == SIZE_MAX)
            series_set(s, i, v);
        else if (!series_set_h(ev, s, g, i, lookback_histogram(ev, &l, h)))
            return false;
    }
    return ev_count_samples(ev, points);
}

bool selector_series(Ev *ev, const Grid *g, const PqlNode *n, const SeriesColumn *c, PqlSample what, PqlSeries *s) {
    if (!n->selector.smoothed) return lookback_series(ev, g, n, c, what, s);
    Column clean;
    return column_from_store(ev, c, &clean) && selector_smooth(ev, g, n, &clean, s);
}

void selector_range(Ev *ev, const Grid *g, const PqlNode *n, int64_t *ret_first, int64_t *ret_last) {
    const PqlShift *shift = &n->selector.shift;
    bool fixed = shift->at != PQL_AT_NONE;
    int64_t lookback = ev->opts.lookback_ms;
    int64_t last = sat_sub(fixed ? shift->at_ms : grid_t(g, g->n - 1), shift->offset.ms);
    *ret_first = sat_sub(sat_sub(fixed ? shift->at_ms : grid_t(g, 0), shift->offset.ms), lookback);
    *ret_last = n->selector.smoothed ? sat_add(last, lookback) : last;
}

/* --- range vectors --- */

/* Floats without stale markers; the store's own arrays when there are none. */
static bool column_floats(Ev *ev, const SeriesColumn *c, Column *out) {
    size_t stale = 0;
    for (size_t i = 0; i < c->n; i++) stale += is_stale_nan(c->value[i]);
    out->n = c->n - stale;
    out->t = c->t_ms;
    out->v = c->value;
    out->start = c->start_ms;
    if (!stale) return true;
    int64_t *t = ARENA_ARRAY(ev->scratch, int64_t, out->n);
    double *v = ARENA_ARRAY(ev->scratch, double, out->n);
    int64_t *start = c->start_ms ? ARENA_ARRAY(ev->scratch, int64_t, out->n) : NULL;
    if (!t || !v || (c->start_ms && !start)) return ev_no_memory(ev);
    for (size_t i = 0, k = 0; i < c->n; i++) {
        if (is_stale_nan(c->value[i])) continue;
        if (start) start[k] = c->start_ms[i];
        t[k] = c->t_ms[i];
        v[k++] = c->value[i];
    }
    out->t = t;
    out->v = v;
    out->start = start;
    return true;
}

static bool column_histograms(Ev *ev, const SeriesColumn *c, Column *out) {
    if (!c->n_histograms) return true;
    int64_t *t = ARENA_ARRAY(ev->arena, int64_t, c->n_histograms);
    FHist **h = ARENA_ARRAY(ev->arena, FHist *, c->n_histograms);
    int64_t *start = c->histogram_start_ms ? ARENA_ARRAY(ev->arena, int64_t, c->n_histograms) : NULL;
    if (!t || !h || (c->histogram_start_ms && !start)) return ev_no_memory(ev);
    for (size_t i = 0; i < c->n_histograms; i++) {
        if (histogram_is_stale(&c->histograms[i])) continue;
        if (start) start[out->n_h] = c->histogram_start_ms[i];
        t[out->n_h] = c->histogram_t_ms[i];
        h[out->n_h] = fh_from_model(ev->arena, &c->histograms[i]);
        if (!h[out->n_h++]) return ev_no_memory(ev);
    }
    out->t_h = t;
    out->h = h;
    out->start_h = start;
    return true;
}

bool column_from_store(Ev *ev, const SeriesColumn *c, Column *ret) {
    *ret = (Column){.labels = c->labels};
    return column_floats(ev, c, ret) && column_histograms(ev, c, ret);
}

static bool columns_from_store(Ev *ev, const SeriesColumns *cols, Columns *ret) {
    ret->v = arena_alloc_zero(ev->arena, cols->n * sizeof *ret->v);
    if (!ret->v) return ev_no_memory(ev);
    for (size_t k = 0; k < cols->n; k++) {
        Column *c = &ret->v[ret->n];
        if (!ev_alive(ev) || !column_from_store(ev, &cols->v[k], c)) return false;
        ev_note_samples(ev, 0, c->n + c->n_h, c->n + c->n_h); /* an instant query's result */
        if (c->n + c->n_h) ret->n++;
    }
    return true;
}

void ev_window_spec(Ev *ev, const Grid *g, const PqlNode *n, WindowSpec *ret, int64_t *ret_first, int64_t *ret_last) {
    const PqlNode *sel = n->matrix.selector;
    const PqlShift *shift = &sel->selector.shift;
    *ret = (WindowSpec){.range_ms = n->matrix.range.ms,
        .offset_ms = shift->offset.ms,
        .fixed = shift->at != PQL_AT_NONE,
        .fixed_ms = shift->at_ms,
        .anchored = sel->selector.anchored,
        .smoothed = sel->selector.smoothed};
    int64_t first = sat_sub(ret->fixed ? ret->fixed_ms : grid_t(g, 0), ret->offset_ms);
    int64_t last = sat_sub(ret->fixed ? ret->fixed_ms : grid_t(g, g->n - 1), ret->offset_ms);
    first = sat_sub(first, ret->range_ms);
    if (ret->anchored || ret->smoothed) first = sat_sub(first, ev->opts.lookback_ms);
    if (ret->smoothed) last = sat_add(last, ev->opts.lookback_ms);
    *ret_first = first;
    *ret_last = last;
}

static bool range_from_matrix(Ev *ev, const Grid *g, const PqlNode *n, Columns *ret, WindowSpec *spec) {
    int64_t first, last;
    SeriesColumns cols;
    ev_window_spec(ev, g, n, spec, &first, &last);
    return fetch(ev, n->matrix.selector, first, last, &cols) && columns_from_store(ev, &cols, ret);
}

/* A subquery's histograms may be repeated or skipped samples: their reset hints mean nothing. */
static FHist *without_reset_hint(Ev *ev, FHist *h) {
    if (h->reset != HISTOGRAM_RESET_YES && h->reset != HISTOGRAM_RESET_NO) return h;
    FHist *copy = ARENA_NEW(ev->arena, FHist);
    if (!copy) return NULL;
    *copy = *h;
    copy->reset = HISTOGRAM_RESET_UNKNOWN;
    return copy;
}

static bool column_from_series(Ev *ev, const Grid *g, const PqlSeries *s, Column *c) {
    size_t n = bitmap_count(s->present, g->n);
    int64_t *t = ARENA_ARRAY(ev->arena, int64_t, n), *t_h = s->h ? ARENA_ARRAY(ev->arena, int64_t, n) : NULL;
    double *v = ARENA_ARRAY(ev->arena, double, n);
    FHist **h = s->h ? ARENA_ARRAY(ev->arena, FHist *, n) : NULL;
    if (!t || !v || (s->h && (!t_h || !h))) return ev_no_memory(ev);
    *c = (Column){.labels = s->labels, .drop_name = s->drop_name, .t = t, .v = v, .t_h = t_h, .h = h};
    FOR_PRESENT(i, s, g->n) {
        FHist *fh = series_h(s, i);
        if (!fh) {
            t[c->n] = grid_t(g, i);
            v[c->n++] = s->v[i];
            continue;
        }
        ASSERT(t_h && h);
        t_h[c->n_h] = grid_t(g, i);
        h[c->n_h] = without_reset_hint(ev, fh);
        if (!h[c->n_h++]) return ev_no_memory(ev);
    }
    return true;
}

/* The subquery's own steps: multiples of its step in (first - range, last]. */
static Grid subquery_grid(const Ev *ev, const PqlNode *n, int64_t first, int64_t last) {
    int64_t step = n->subquery.has_step ? n->subquery.step.ms : ev->opts.subquery_step_ms;
    if (step <= 0) step = 1;
    int64_t begin = sat_sub(first, n->subquery.range.ms);
    int64_t start = begin / step * step;
    if (start <= begin) start = sat_add(start, step);
    if (last < start) return (Grid){start, step, 0};
    return (Grid){start, step, (size_t)((last - start) / step) + 1};
}

static bool range_from_subquery(Ev *ev, const Grid *g, PqlNode *n, Columns *ret, WindowSpec *spec) {
    const PqlShift *shift = &n->subquery.shift;
    *spec = (WindowSpec){.range_ms = n->subquery.range.ms,
        .offset_ms = shift->offset.ms,
        .fixed = shift->at != PQL_AT_NONE,
        .fixed_ms = shift->at_ms};
    int64_t first = sat_sub(spec->fixed ? spec->fixed_ms : grid_t(g, 0), spec->offset_ms);
    int64_t last = sat_sub(spec->fixed ? spec->fixed_ms : grid_t(g, g->n - 1), spec->offset_ms);
    Grid sub = subquery_grid(ev, n, first, last);
    if (sub.n > ev->opts.samples_max)
        return ev_fail(ev, "query processing would load too many samples into memory in query execution");
    uint64_t held = ev->samples, used = ev->samples_total, fresh = ev->samples_read, *step_total = ev->step_total;
    PqlMatrix m = {0};
    ev->step_total = NULL; /* its steps are others */
    bool ok = ev_eval(ev, &sub, n->subquery.expr, &m);
    ev->step_total = step_total;
    if (!ok) return false;
    ev->samples = held;
    ev->samples_total = used; /* what is used of it is counted where it is used */
    if (step_total) ev->step_read[0] += ev->samples_read - fresh;
    ret->v = arena_alloc_zero(ev->arena, m.n * sizeof *ret->v);
    if (!ret->v) return ev_no_memory(ev);
    for (size_t i = 0; i < m.n; i++, ret->n++)
        if (!column_from_series(ev, &sub, &m.v[i], &ret->v[ret->n])) return false;
    return true;
}

bool ev_range_vector(Ev *ev, const Grid *g, PqlNode *n, Columns *ret, WindowSpec *ret_spec) {
    while (n->kind == PQL_PAREN) n = n->paren;
    *ret = (Columns){0};
    if (n->kind == PQL_MATRIX) return range_from_matrix(ev, g, n, ret, ret_spec);
    ASSERT(n->kind == PQL_SUBQUERY);
    return range_from_subquery(ev, g, n, ret, ret_spec);
}

/* --- a range vector as the result of an instant query --- */

static bool column_result(Ev *ev, const Column *c, int64_t min_t, int64_t max_t, PromqlSeries *out) {
    int64_t *t = ARENA_ARRAY(ev->arena, int64_t, c->n + c->n_h);
    double *v = ARENA_ARRAY(ev->arena, double, c->n + c->n_h);
    const Histogram **h = c->n_h ? ARENA_ARRAY(ev->arena, const Histogram *, c->n + c->n_h) : NULL;
    if (!t || !v || (c->n_h && !h)) return ev_no_memory(ev);
    size_t k = 0, i = 0, j = 0;
    while (i < c->n || j < c->n_h) {
        bool hist = i >= c->n || (j < c->n_h && c->t_h[j] < c->t[i]);
        int64_t at = hist ? c->t_h[j] : c->t[i];
        if (at > min_t && at <= max_t) {
            t[k] = at;
            v[k] = hist ? 0 : c->v[i];
            if (h) h[k] = hist ? fh_to_model(ev->arena, c->h[j]) : NULL;
            if (hist && !h[k]) return ev_no_memory(ev);
            k++;
        }
        if (hist)
            j++;
        else
            i++;
    }
    *out = (PromqlSeries){c->labels, k, t, v, h};
    return true;
}

static int result_cmp(const void *a, const void *b) {
    return labels_cmp(((const PromqlSeries *)a)->labels, ((const PromqlSeries *)b)->labels);
}

bool ev_matrix_result(Ev *ev, PqlNode *n, PromqlResult *ret) {
    Grid g = {ev->query->start_ms, 1, 1};
    Columns cols;
    WindowSpec spec;
    if (!ev_range_vector(ev, &g, n, &cols, &spec)) return false;
    int64_t max_t = sat_sub(spec.fixed ? spec.fixed_ms : g.start_ms, spec.offset_ms);
    ret->series = ARENA_ARRAY(ev->arena, PromqlSeries, cols.n);
    if (!ret->series) return ev_no_memory(ev);
    for (size_t i = 0; i < cols.n; i++) {
        PromqlSeries *s = &ret->series[ret->n];
        Column *c = &cols.v[i];
        if (c->drop_name) c->labels = labels_without_name(ev, c->labels);
        bool extended = spec.anchored || spec.smoothed;
        int64_t min_t = sat_sub(max_t, spec.range_ms);
        if (extended && !window_extend(ev, n, &spec, c, min_t, max_t)) return false;
        if (n->kind == PQL_SUBQUERY) ev_note_samples(ev, 0, c->n + c->n_h, 0);
        if (!column_result(ev, c, extended ? min_t - 1 : min_t, max_t, s) || !ev_count_samples(ev, s->n)) return false;
        if (s->n) ret->n++;
    }
    if (ret->n > 1) qsort(ret->series, ret->n, sizeof *ret->series, result_cmp);
    return ev->rc == OK;
}
