/* window_extended.c - anchored and smoothed: rates, and instants, that take in samples around the range. */
#include "metrics/promql/engine_int.h"

/* On the line between two samples; after a counter's reset it rises from 0. */
static double between(const double *v, const int64_t *t, size_t i, int64_t at, bool counter) {
    double y1 = v[i], y2 = v[i + 1];
    if (counter && y2 < y1) y1 = 0;
    return y1 + (y2 - y1) * (double)(at - t[i]) / (double)(t[i + 1] - t[i]);
}

/* A sample of a counter, or one made up for an end of the range; start 0: not known. */
typedef struct Point {
    int64_t t, start;
    double v;
} Point;

static double on_line(Point a, Point b, int64_t at, bool counter) {
    double y1 = counter && b.v < a.v ? 0 : a.v;
    return y1 + (b.v - y1) * (double)(at - a.t) / (double)(b.t - a.t);
}

static bool resets(Point a, Point b) { return start_is_reset(a.start, a.t, b.start, b.t); }

/* Whether p's counter began after `at`, as far as one can tell: a start at `at` need not be one. */
static bool began_after(Point p, int64_t at) { return p.t > at && resets((Point){.t = at, .start = at}, p); }

static Point beginning(Point p) { return (Point){.t = p.start}; }

static double reset_correction(Point left, Point right, const Window *w, size_t from, size_t to) {
    const Column *c = w->col;
    double correction = 0;
    Point prev = left;
    for (size_t i = from; i < to; i++) {
        Point p = {c->t[i], c->start ? c->start[i] : 0, c->v[i]};
        if (p.v < prev.v || resets(prev, p)) correction += prev.v;
        prev = p;
    }
    return right.v < prev.v || resets(prev, right) ? correction + prev.v : correction;
}

/* The sample at or before the range, or the first one; and the one that ends it: the last, or with smoothed the first
 * at or behind its end. false: none of it lies in the range. */
typedef struct Ends {
    size_t first, last;
} Ends;

static bool find_ends(const Window *w, const int64_t *t, size_t n, Ends *ret) {
    size_t first = 0, last = n - 1;
    while (first < last && t[first] <= w->min_t) first++;
    if (first > 0) first--;
    if (w->smoothed) {
        size_t i = 0;
        while (i < last && t[i] < w->max_t) i++;
        last = i;
    }
    *ret = (Ends){first, last};
    return t[last] > w->min_t;
}

static bool ends_behind(const Window *w, const int64_t *t, const Ends *e) {
    return w->smoothed && t[e->first] > w->max_t;
}

static Point point_at(const Window *w, size_t i) {
    const Column *c = w->col;
    size_t at = w->from + i;
    return (Point){c->t[at], c->start ? c->start[at] : 0, c->v[at]};
}

/* The value at an end of the range, `at`, before the first sample p: as good as p's, unless it is known to have risen
 * from 0 since. */
static double before_first(const Window *w, Point p, int64_t at, bool counter) {
    if (!counter || !began_after(p, w->min_t - w->ev->opts.lookback_ms)) return p.v;
    return began_after(p, at) || !w->smoothed ? 0 : on_line(beginning(p), p, at, true);
}

/* Where between two samples the counter began anew decides which of them lies on the line through the end `at`. */
static void begin_between(Point *a, Point *b, int64_t at) {
    if (began_after(*b, at))
        *b = beginning(*b);
    else if (resets(*a, *b))
        *a = (Point){.t = b->start, .start = b->start};
}

static Point left_end(const Window *w, const Ends *e, bool counter) {
    Point p = point_at(w, e->first), left = {w->min_t, p.start > w->min_t ? 0 : p.start, p.v};
    if (p.t > w->min_t) left.v = before_first(w, p, w->min_t, counter);
    if (p.t >= w->min_t) return left;
    Point next = point_at(w, e->first + 1), from = p;
    if (counter) begin_between(&from, &next, w->min_t);
    left.v = w->smoothed ? on_line(from, next, w->min_t, counter) : from.v;
    left.start = from.start > w->min_t ? 0 : from.start;
    return left;
}

static Point right_end(const Window *w, const Ends *e, bool counter) {
    Point p = point_at(w, e->last), right = {w->max_t, p.start > w->max_t ? 0 : p.start, p.v};
    if (p.t <= w->max_t) return right;
    if (e->last == 0) {
        right.v = before_first(w, p, w->max_t, counter);
        return right;
    }
    Point prev = point_at(w, e->last - 1), from = prev, to = p;
    if (counter) begin_between(&from, &to, w->max_t);
    if (to.t != p.t) right.start = prev.start;
    right.v = on_line(from, to, w->max_t, counter);
    return right;
}

static bool float_rate(Window *w, bool counter, bool per_second, double *ret) {
    const int64_t *t = w->col->t + w->from;
    Ends e;
    if (!find_ends(w, t, w->to - w->from, &e)) return false;
    if (ends_behind(w, t, &e)) { /* it may have begun to count in the range all the same */
        Point p = point_at(w, e.first);
        if (!counter || !began_after(p, w->min_t - w->ev->opts.lookback_ms) || began_after(p, w->max_t)) return false;
    }
    Point left = left_end(w, &e, counter), right = right_end(w, &e, counter);
    double result = right.v - left.v;
    if (counter) {
        size_t from = e.first + (t[e.first] <= w->min_t), to = e.last + (t[e.last] < w->max_t);
        result += reset_correction(left, right, w, w->from + from, w->from + MAX(from, to));
    }
    *ret = per_second ? result / ((double)(w->max_t - w->min_t) / 1000) : result;
    return true;
}

/* --- native histograms --- */

typedef struct Where {
    Ev *ev;
    LangSpan span;
    Labels labels;
} Where;

static bool mixed_schemas(const Where *at) {
    ev_warn_metric(at->ev, at->span, WARN_MIXED_SCHEMAS, at->labels);
    return false;
}

/* acc += sign * h; false: an error, or annotated. */
static bool combine(const Where *at, FHist *acc, const FHist *h, double sign) {
    FhNotes notes = fh_add(at->ev->arena, acc, h, sign, false);
    if (notes.no_memory) return ev_no_memory(at->ev);
    if (notes.incompatible) return mixed_schemas(at);
    if (notes.bounds_reconciled)
        ev_info(at->ev, at->span, "mismatched custom buckets were reconciled during %s",
            sign < 0 ? "subtraction" : "addition");
    return true;
}

static FHist *copy(Ev *ev, const FHist *h) {
    FHist *c = fh_copy(ev->arena, h);
    if (!c) ev_no_memory(ev);
    return c;
}

/* As between(); NULL: an error, or annotated. */
static FHist *histogram_between(const Where *at, FHist *const *h, const int64_t *t, int64_t when, bool counter) {
    Ev *ev = at->ev;
    if (when == t[0] || when == t[1]) return copy(ev, h[when == t[1]]);
    double fraction = (double)(when - t[0]) / (double)(t[1] - t[0]);
    FHist *out = copy(ev, h[1]);
    if (!out) return NULL;
    if (counter && fh_detect_reset(ev->arena, h[1], h[0])) {
        fh_scale(out, fraction);
        return out;
    }
    if (!combine(at, out, h[0], -1)) return NULL;
    fh_scale(out, fraction);
    return combine(at, out, h[0], 1) ? out : NULL;
}

/* One layout; a gauge among a counter's samples is worth a warning. */
static bool check_range(const Where *at, FHist *const *h, size_t n, bool counter) {
    for (size_t i = 0; i < n; i++) {
        if (fh_is_custom(h[i]) != fh_is_custom(h[0])) return mixed_schemas(at);
        if (counter && h[i]->reset == HISTOGRAM_RESET_GAUGE)
            ev_warn_metric(at->ev, at->span, "this native histogram metric is not a counter:", at->labels);
    }
    return true;
}

/* Adds what was counted before each reset between the two ends to acc. A reset that the left end was interpolated over
 * is accounted for; the last sample is what the right end was made of. */
static bool correct(
    const Where *at, const Window *w, const Ends *e, const FHist *left, const FHist *right, FHist *acc) {
    Arena *arena = at->ev->arena;
    FHist *const *h = w->col->h + w->h_from;
    const int64_t *t = w->col->t_h + w->h_from;
    const FHist *prev = left;
    size_t i = e->first + 1;
    if (w->smoothed && t[e->first] < w->min_t && fh_detect_reset(arena, h[i], h[e->first])) prev = h[i++];
    if (i > e->last) return true;
    for (; i < e->last; i++) {
        if (fh_detect_reset(arena, h[i], prev) && !combine(at, acc, prev, 1)) return false;
        prev = h[i];
    }
    return !fh_detect_reset(arena, right, prev) || combine(at, acc, prev, 1);
}

static bool histogram_rate(Window *w, bool counter, bool per_second, FHist **ret) {
    Where at = {w->ev, w->span, w->col->labels};
    FHist *const *h = w->col->h + w->h_from;
    const int64_t *t = w->col->t_h + w->h_from;
    Ends e;
    if (!find_ends(w, t, w->h_to - w->h_from, &e) || ends_behind(w, t, &e)) return false;
    if (!check_range(&at, h + e.first, e.last - e.first + 1, counter)) return false;
    bool inside_left = w->smoothed && t[e.first] < w->min_t,
         inside_right = w->smoothed && e.last > 0 && t[e.last] > w->max_t;
    FHist *left =
        inside_left ? histogram_between(&at, h + e.first, t + e.first, w->min_t, counter) : copy(w->ev, h[e.first]);
    if (!left) return false;
    FHist *right = inside_right ? histogram_between(&at, h + e.last - 1, t + e.last - 1, w->max_t, counter)
                                : copy(w->ev, h[e.last]);
    FHist *out = right ? copy(w->ev, right) : NULL;
    if (!out) return false;
    if (!counter && (left->reset != HISTOGRAM_RESET_GAUGE || right->reset != HISTOGRAM_RESET_GAUGE))
        ev_warn_metric(at.ev, at.span, "this native histogram metric is not a gauge:", at.labels);
    if (!combine(&at, out, left, -1) || (counter && !correct(&at, w, &e, left, right, out))) return false;
    if (per_second) fh_divide(out, (double)(w->max_t - w->min_t) / 1000);
    out->reset = HISTOGRAM_RESET_GAUGE;
    fh_compact(out);
    *ret = out;
    return true;
}

bool window_extended_rate(Window *w, bool counter, bool per_second, double *ret, FHist **ret_h) {
    if (w->h_to > w->h_from) return histogram_rate(w, counter, per_second, ret_h);
    return w->to > w->from && float_rate(w, counter, per_second, ret);
}

/* --- smoothed instants --- */

/* Samples in (ref - lookback, ref + lookback], and the first one at or behind ref. */
typedef struct Around {
    size_t from, at, to;
} Around;

static void move_around(Around *a, const int64_t *t, size_t n, int64_t ref, int64_t lookback_ms) {
    while (a->to < n && t[a->to] <= ref + lookback_ms) a->to++;
    while (a->from < a->to && t[a->from] <= ref - lookback_ms) a->from++;
    a->at = MAX(a->at, a->from);
    while (a->at < a->to && t[a->at] < ref) a->at++;
}

static void smooth_float(const Column *c, const Around *a, int64_t ref, PqlSeries *out, size_t step) {
    if (a->at < a->to && c->t[a->at] == ref)
        series_set(out, step, c->v[a->at]);
    else if (a->at > a->from && a->at < a->to)
        series_set(out, step, between(c->v, c->t, a->at - 1, ref, false));
    else if (a->at > a->from)
        series_set(out, step, c->v[a->at - 1]);
}

static bool smooth_histogram(
    const Where *at, const Grid *g, const Column *c, const Around *a, int64_t ref, PqlSeries *out, size_t step) {
    Ev *ev = at->ev;
    if (a->at < a->to && c->t_h[a->at] == ref) return series_set_h(ev, out, g, step, copy(ev, c->h[a->at]));
    if (a->at == a->from) return true;
    FHist *const *pair = c->h + a->at - 1;
    if (a->at < a->to) {
        if (fh_is_custom(pair[0]) != fh_is_custom(pair[1])) return mixed_schemas(at), true;
        bool counter = pair[0]->reset != HISTOGRAM_RESET_GAUGE || pair[1]->reset != HISTOGRAM_RESET_GAUGE;
        FHist *h = histogram_between(at, pair, c->t_h + a->at - 1, ref, counter);
        return h ? series_set_h(ev, out, g, step, h) : ev->rc == OK;
    }
    FHist *h = copy(ev, pair[0]);
    if (h) h->reset = HISTOGRAM_RESET_UNKNOWN; /* it says how two samples follow each other */
    return series_set_h(ev, out, g, step, h);
}

bool selector_smooth(Ev *ev, const Grid *g, const PqlNode *n, const Column *c, PqlSeries *s) {
    const PqlShift *shift = &n->selector.shift;
    Where at = {ev, n->span, c->labels};
    Around f = {0}, h = {0};
    for (size_t i = 0; i < g->n; i++) {
        int64_t ref = (shift->at != PQL_AT_NONE ? shift->at_ms : grid_t(g, i)) - shift->offset.ms;
        move_around(&f, c->t, c->n, ref, ev->opts.lookback_ms);
        move_around(&h, c->t_h, c->n_h, ref, ev->opts.lookback_ms);
        if (f.to > f.from && h.to > h.from)
            ev_warn_metric(ev, n->span, WARN_MIXED_FLOATS, c->labels);
        else if (h.to > h.from && !smooth_histogram(&at, g, c, &h, ref, s, i))
            return false;
        else if (f.to > f.from)
            smooth_float(c, &f, ref, s, i);
    }
    return ev_count_samples(ev, bitmap_count(s->present, g->n));
}

/* --- a range as it is --- */

bool window_extend(Ev *ev, const PqlNode *n, const WindowSpec *spec, Column *c, int64_t min_t, int64_t max_t) {
    if (c->n_h)
        return ev_fail(ev, "%s modifier is not supported with histograms", spec->anchored ? "anchored" : "smoothed");
    Window w = {.ev = ev,
        .arg = n,
        .span = n->span,
        .col = c,
        .to = c->n,
        .min_t = min_t,
        .max_t = max_t,
        .smoothed = spec->smoothed};
    Ends e;
    size_t n_all = c->n, k = 0;
    c->n = 0;
    if (n_all == 0 || !find_ends(&w, c->t, n_all, &e)) return true;
    double *v = ARENA_ARRAY(ev->arena, double, n_all + 2);
    int64_t *t = ARENA_ARRAY(ev->arena, int64_t, n_all + 2);
    if (!v || !t) return ev_no_memory(ev);
    bool cut_left = spec->smoothed && c->t[e.first] < min_t,
         cut_right = spec->smoothed && e.last > 0 && c->t[e.last] > max_t;
    t[k] = min_t;
    v[k++] = cut_left ? between(c->v, c->t, e.first, min_t, false) : c->v[e.first];
    for (size_t i = e.first; i <= e.last; i++) {
        if (c->t[i] <= min_t || c->t[i] >= max_t) continue;
        t[k] = c->t[i];
        v[k++] = c->v[i];
    }
    t[k] = max_t;
    v[k++] = cut_right ? between(c->v, c->t, e.last - 1, max_t, false) : c->v[e.last];
    c->t = t;
    c->v = v;
    c->n = k;
    return true;
}
