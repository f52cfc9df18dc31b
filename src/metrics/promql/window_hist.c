/* window_hist.c - rate() over native histograms, and the anchored and smoothed rates. */
#include "metrics/promql/engine_int.h"

static FHist *warn_schemas(const Window *w) {
    ev_warn_metric(w->ev, w->arg->span, WARN_MIXED_SCHEMAS, w->col->labels);
    return NULL;
}

static void warn_gauge(const Window *w, bool counter) {
    const char *text =
        counter ? "this native histogram metric is not a counter:" : "this native histogram metric is not a gauge:";
    ev_warn_metric(w->ev, w->arg->span, text, w->col->labels);
}

/* An empty histogram with h's layout: what a counter was right after its reset. */
static FHist *empty_like(Ev *ev, const FHist *h) {
    FHist *e = ARENA_NEW(ev->arena, FHist);
    if (!e) return NULL;
    e->schema = h->schema;
    e->bounds = h->bounds;
    e->n_bounds = h->n_bounds;
    return e;
}

/* The lowest schema of the samples between first and last; false when layouts are mixed. */
static bool check_between(const Window *w, bool counter, bool custom, int32_t *schema) {
    FHist **h = w->col->h + w->h_from;
    size_t n = w->h_to - w->h_from;
    for (size_t i = 1; counter && i + 1 < n; i++) {
        if (h[i]->reset == HISTOGRAM_RESET_GAUGE) warn_gauge(w, true);
        *schema = MIN(*schema, h[i]->schema);
        if (fh_is_custom(h[i]) != custom) return false;
    }
    return true;
}

static bool combine(const Window *w, FHist *acc, const FHist *h, double sign) {
    Ev *ev = w->ev;
    FhNotes notes = fh_add(ev->arena, acc, h, sign, false);
    if (notes.no_memory) return ev_no_memory(ev);
    if (notes.incompatible) return warn_schemas(w) != NULL;
    if (notes.bounds_reconciled)
        ev_info(ev, w->arg->span, "mismatched custom buckets were reconciled during %s",
            sign < 0 ? "subtraction" : "addition");
    return true;
}

FHist *window_hist_rate(Window *w, bool counter) {
    Ev *ev = w->ev;
    FHist **h = w->col->h + w->h_from;
    size_t n = w->h_to - w->h_from;
    FHist *last = h[n - 1];
    const FHist *prev = h[0];
    bool gauges = h[0]->reset == HISTOGRAM_RESET_GAUGE && last->reset == HISTOGRAM_RESET_GAUGE;
    if (counter && (h[0]->reset == HISTOGRAM_RESET_GAUGE || last->reset == HISTOGRAM_RESET_GAUGE)) warn_gauge(w, true);
    if (counter && fh_detect_reset(ev->arena, h[1], prev)) prev = empty_like(ev, h[1]);
    if (!prev) return ev_no_memory(ev), NULL;
    bool custom = fh_is_custom(prev);
    if (fh_is_custom(last) != custom) return warn_schemas(w);
    int32_t schema = MIN(last->schema, prev->schema);
    if (!check_between(w, counter, custom, &schema)) return warn_schemas(w);
    FHist *out = fh_copy_to_schema(ev->arena, last, schema);
    if (!out) return ev_no_memory(ev), NULL;
    if (!combine(w, out, prev, -1)) return NULL;
    for (size_t i = 1; counter && i < n; i++) {
        if (fh_detect_reset(ev->arena, h[i], prev) && !combine(w, out, prev, 1)) return NULL;
        prev = h[i];
    }
    if (!counter && !gauges) warn_gauge(w, false);
    out->reset = HISTOGRAM_RESET_GAUGE;
    fh_compact(out);
    return out;
}

/* --- anchored and smoothed --- */

/* On the line between two samples; after a counter's reset it rises from 0. */
static double between(const double *v, const int64_t *t, size_t i, int64_t at, bool counter) {
    double y1 = v[i], y2 = v[i + 1];
    if (counter && y2 < y1) y1 = 0;
    return y1 + (y2 - y1) * (double)(at - t[i]) / (double)(t[i + 1] - t[i]);
}

static double reset_correction(double left, double right, const double *v, size_t n) {
    double correction = 0, prev = left;
    for (size_t i = 0; i < n; i++) {
        if (v[i] < prev) correction += prev;
        prev = v[i];
    }
    return right < prev ? correction + prev : correction;
}

bool window_extended_rate(Window *w, bool counter, bool per_second, double *ret, FHist **ret_h) {
    (void)ret_h;
    if (w->h_to > w->h_from)
        return ev_fail(w->ev, "%s modifier is not supported with histograms", w->anchored ? "anchored" : "smoothed");
    const double *v = w->col->v + w->from;
    const int64_t *t = w->col->t + w->from;
    size_t n = w->to - w->from, first = 0, last = n - 1;
    while (first < last && t[first] <= w->min_t) first++;
    if (first > 0) first--;
    if (w->smoothed) {
        size_t i = 0;
        while (i < last && t[i] < w->max_t) i++;
        last = i;
    }
    if (t[last] <= w->min_t || (w->smoothed && t[first] > w->max_t)) return false;
    double left = w->smoothed && t[first] < w->min_t ? between(v, t, first, w->min_t, counter) : v[first];
    double right = w->smoothed && last > 0 && t[last] > w->max_t ? between(v, t, last - 1, w->max_t, counter) : v[last];
    double result = right - left;
    if (counter) {
        size_t from = first + (t[first] <= w->min_t), to = last + (t[last] < w->max_t);
        result += reset_correction(left, right, v + from, to > from ? to - from : 0);
    }
    *ret = per_second ? result / ((double)(w->max_t - w->min_t) / 1000) : result;
    return true;
}
