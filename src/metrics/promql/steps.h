/* steps.h - where the steps of a grid fall among the samples of a series: worked out once for all series that have the
 * same times. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_STEPS_H
#define MEERKAT_METRICS_PROMQL_STEPS_H

#include "metrics/promql/engine_int.h"

/* How far a rate is stretched to the window's ends when the counter's zero does not limit it. Times in seconds. */
typedef struct Stretch {
    double sampled, to_start, to_end, factor;
} Stretch;

typedef struct Steps {
    uint64_t times_id; /* of the column they were worked out for; 0: none */
    size_t cap;
    /* Of a window: samples [from, to). Of an instant: from is the newest sample, or 0 where there is none. */
    uint32_t *from, *to;
    uint64_t *present; /* where there is at least one (rates: two) */
    Stretch *stretch;  /* rates only */
    uint64_t total;    /* samples in all windows */
    uint64_t fresh;    /* without those that were in the window before */
    size_t widest;     /* window, in samples */
} Steps;

void steps_done(Steps *s);
/* Windows of spec over times t; per_second and least (1, or 2 and then with stretch) as the function needs them. */
void steps_windows(
    Steps *s, const Grid *g, const WindowSpec *spec, const int64_t *t, size_t n, size_t least, bool per_second);
/* The newest sample in (ref - lookback, ref]. */
void steps_instants(Steps *s, const Grid *g, const PqlShift *shift, int64_t lookback_ms, const int64_t *t, size_t n);

/* --- functions over all windows of a series of floats without stale markers (window_batch.c) --- */
typedef struct BatchScratch {
    uint32_t *queue;
    double *sum, *rest;
    size_t cap;
} BatchScratch;
void batch_scratch_done(BatchScratch *s);
/* The least number of samples fn needs in a window; 0: it cannot be done here. */
size_t window_batch_least(PqlFn id);
/* false: these values need the function itself (extreme numbers). out has no points yet. */
bool window_batch(PqlFn id, const Grid *g, const Steps *s, const int64_t *t, const double *v, size_t n, double range_s,
    BatchScratch *scratch, PqlSeries *out);

#endif
