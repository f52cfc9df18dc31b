/* window_int.h - one window as window_fn.c and window_stats.c see it; private to them. */
#ifndef MEERKAT_METRICS_PROMQL_WINDOW_INT_H
#define MEERKAT_METRICS_PROMQL_WINDOW_INT_H

#include "metrics/promql/engine_int.h"

static inline size_t floats(const Window *w) { return w->to - w->from; }
static inline size_t histograms(const Window *w) { return w->h_to - w->h_from; }
static inline const double *vals(const Window *w) { return w->col->v + w->from; }
static inline const int64_t *times(const Window *w) { return w->col->t + w->from; }

static inline bool warn_mixed(const Window *w) {
    ev_warn_metric(w->ev, w->span, WARN_MIXED_FLOATS, w->col->labels);
    return false;
}

static inline void info_ignored(const Window *w) {
    if (histograms(w)) ev_info_metric(w->ev, w->p1_span, INFO_IGNORED_RANGE, w->col->labels);
}

/* Those of window_stats.c; NULL: not one of them. */
WindowFn window_stats_fn(PqlFn id);

#endif
