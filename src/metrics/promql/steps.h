/* steps.h - where the steps of a grid fall among the samples of a series: worked out once for all series that have the
 * same times. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_STEPS_H
#define MEERKAT_METRICS_PROMQL_STEPS_H

#include "metrics/promql/engine_int.h"

/* Stretches of samples that no window begins or ends in: windows are made of whole ones. */
typedef struct Cuts {
    uint32_t *at;        /* n + 1: stretch k is [at[k], at[k + 1]) */
    uint32_t *from, *to; /* per window: stretches [from, to) */
    size_t n, cap;       /* n 0: not worked out */
} Cuts;

typedef struct Steps {
    uint64_t times_id; /* of the column they were worked out for; 0: none */
    size_t cap;
    /* Of a window: samples [from, to). Of an instant: from is the newest sample, or 0 where there is none. */
    uint32_t *from, *to;
    uint64_t *present; /* where there is at least one (rates: two) */
    size_t n_present, first_present;
    bool is_run; /* those with bits set in present are neighbours */
    /* Rates only: how far each is stretched to the window's ends when the counter's zero does not limit it; seconds. */
    double *sampled, *to_start, *to_end, *factor;
    Cuts cuts;
    uint64_t total; /* samples in all windows */
    uint64_t fresh; /* without those that were in the window before */
    size_t widest;  /* window, in samples */
} Steps;

void steps_done(Steps *s);
/* Windows of spec over times t; per_second and least (1, or 2 and then for rates) as the function needs them. */
void steps_windows(
    Steps *s, const Grid *g, const WindowSpec *spec, const int64_t *t, size_t n, size_t least, bool per_second);
/* Works out s->cuts, once; n windows. */
void steps_cut(Steps *s, size_t n);
/* The newest sample in (ref - lookback, ref]. */
void steps_instants(Steps *s, const Grid *g, const PqlShift *shift, int64_t lookback_ms, const int64_t *t, size_t n);

/* --- functions over all windows of a series of floats without stale markers (window_batch.c) --- */
typedef struct BatchScratch {
    uint32_t *falls;
    double *stretch, *rest, *suffix, *suffix_rest; /* per stretch of the cuts */
    size_t cap;
} BatchScratch;
typedef struct WindowBatch {
    PqlFn id;
    const Grid *g;
    Steps *s;
    const int64_t *t;
    const double *v;
    size_t n;
    bool rising; /* it is known that no value is less than the one before */
    double range_s;
} WindowBatch;
void batch_scratch_done(BatchScratch *s);
/* The least number of samples fn needs in a window; 0: it cannot be done here. */
size_t window_batch_least(PqlFn id);
/* false: these values need the function itself (extreme numbers). out has no points yet. */
bool window_batch(const WindowBatch *b, BatchScratch *scratch, PqlSeries *out);

#endif
