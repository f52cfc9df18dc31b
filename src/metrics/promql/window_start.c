/* window_start.c - what start times say of a window. Source: Prometheus' promql/functions.go behind the feature flag
 * use-start-timestamps, and OpenTelemetry's data model, "Resets and Gaps". */
#include "metrics/promql/engine_int.h"

bool start_is_reset(int64_t prev_start, int64_t prev_t, int64_t start, int64_t t) {
    if (start == 0 || start >= t) return false; /* not known, which OpenTelemetry also writes as start = t; or wrong */
    if (start == prev_start) return false;      /* even where it was behind the sample before */
    if (start != prev_t) return start > prev_t;
    /* It begins where the sample before was taken: a delta, or a cumulative one whose start is not known. Of that the
     * sample before tells nothing either. */
    return prev_start != 0 && prev_start < prev_t;
}

bool float_start_resets(const Column *c, size_t i) {
    return start_is_reset(c->start[i - 1], c->t[i - 1], c->start[i], c->t[i]);
}

bool histogram_start_resets(const Column *c, size_t i) {
    return start_is_reset(c->start_h[i - 1], c->t_h[i - 1], c->start_h[i], c->t_h[i]);
}

bool window_start(const Window *w, bool histograms, int64_t *ret_ms) {
    const Column *c = w->col;
    const int64_t *starts = histograms ? c->start_h : c->start, *t = histograms ? c->t_h : c->t;
    size_t from = histograms ? w->h_from : w->from;
    if (!starts) return false;
    *ret_ms = starts[from];
    return *ret_ms != 0 && *ret_ms > w->min_t && *ret_ms < t[from];
}

void window_note_overlap(const Window *w, bool histograms) {
    const Column *c = w->col;
    const int64_t *starts = histograms ? c->start_h : c->start, *t = histograms ? c->t_h : c->t;
    size_t from = histograms ? w->h_from : w->from, to = histograms ? w->h_to : w->to;
    for (size_t i = from + 1; i < to; i++) {
        if (starts[i] == 0 || starts[i] >= t[i - 1] || starts[i] == starts[i - 1]) continue;
        ev_warn_start_overlap(w->ev, w->arg->span, c->labels);
        return;
    }
}
