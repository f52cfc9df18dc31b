/* window_hist.c - rate() over native histograms. */
#include "metrics/promql/engine_int.h"

static FHist *warn_schemas(const Window *w) {
    ev_warn_metric(w->ev, w->span, WARN_MIXED_SCHEMAS, w->col->labels);
    return NULL;
}

static void warn_gauge(const Window *w, bool counter) {
    const char *text =
        counter ? "this native histogram metric is not a counter:" : "this native histogram metric is not a gauge:";
    ev_warn_metric(w->ev, w->span, text, w->col->labels);
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
        ev_info(
            ev, w->span, "mismatched custom buckets were reconciled during %s", sign < 0 ? "subtraction" : "addition");
    return true;
}

bool window_hist_add(Window *w, FHist *acc, const FHist *h) { return combine(w, acc, h, 1); }

/* Of sample i of the column; prev stands for the one before. */
static bool is_reset(const Window *w, size_t i, const FHist *prev) {
    const Column *c = w->col;
    return (c->start_h && histogram_start_resets(c, i)) || fh_detect_reset(w->ev->arena, c->h[i], prev);
}

FHist *window_hist_rate(Window *w, bool counter) {
    Ev *ev = w->ev;
    FHist **h = w->col->h + w->h_from;
    size_t n = w->h_to - w->h_from;
    FHist *last = h[n - 1];
    const FHist *prev = h[0];
    bool gauges = h[0]->reset == HISTOGRAM_RESET_GAUGE && last->reset == HISTOGRAM_RESET_GAUGE;
    if (counter && (h[0]->reset == HISTOGRAM_RESET_GAUGE || last->reset == HISTOGRAM_RESET_GAUGE)) warn_gauge(w, true);
    if (counter && is_reset(w, w->h_from + 1, prev)) prev = empty_like(ev, h[1]);
    if (!prev) return ev_no_memory(ev), NULL;
    bool custom = fh_is_custom(prev);
    if (fh_is_custom(last) != custom) return warn_schemas(w);
    int32_t schema = MIN(last->schema, prev->schema);
    if (!check_between(w, counter, custom, &schema)) return warn_schemas(w);
    FHist *out = fh_copy_to_schema(ev->arena, last, schema);
    if (!out) return ev_no_memory(ev), NULL;
    if (!combine(w, out, prev, -1)) return NULL;
    for (size_t i = 1; counter && i < n; i++) {
        if (is_reset(w, w->h_from + i, prev) && !combine(w, out, prev, 1)) return NULL;
        prev = h[i];
    }
    if (counter && w->col->start_h) window_note_overlap(w, true);
    if (!counter && !gauges) warn_gauge(w, false);
    out->reset = HISTOGRAM_RESET_GAUGE;
    fh_compact(out);
    return out;
}
