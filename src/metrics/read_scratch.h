/* read_scratch.h - samples of one series being put together from runs: blocks of parts, chunks of a head.
 *
 * Series that were scraped together have the same times, so a run does not bring its times but says what they are
 * (TimeRun); only when that differs from the series before are they worked out. */
#ifndef MEERKAT_METRICS_READ_SCRATCH_H
#define MEERKAT_METRICS_READ_SCRATCH_H

#include "base/base.h"
#include "base/str.h"

typedef struct TimeRun {
    int64_t first, last;
    size_t n;
    enum { RUN_REGULAR, RUN_BYTES, RUN_RAW, RUN_NAMED } kind;
    /* What is known of the values. */
    bool fresh;         /* no stale markers */
    bool rising;        /* none less than the one before */
    bool absent;        /* left out: nobody wants them (the room in the scratch has no values); fresh */
    int64_t step;       /* RUN_REGULAR: first + i * step */
    Str bytes;          /* RUN_BYTES: column_encode_i64; they outlive the scratch */
    size_t raw;         /* RUN_RAW: where they begin in the scratch's raw */
    const void *source; /* RUN_NAMED: n times from the `skip`th on of times `id` of this source */
    uint64_t id;
    size_t skip;
} TimeRun;

/* The times of a RUN_NAMED; false: damaged. */
typedef bool (*RunTimesFn)(void *ctx, const TimeRun *run, int64_t *out);

typedef struct ReadScratch {
    bool want_starts; /* the owner's; start times are not for here: a series that has them is refused */
    double *v;        /* n values of the runs so far */
    size_t n, cap;
    TimeRun *runs;
    size_t n_runs, runs_cap;
    int64_t *raw;
    size_t n_raw, raw_cap;

    /* What was put together last. */
    int64_t *t;
    size_t t_n, t_cap;
    TimeRun *have;
    size_t n_have, have_cap;
    int64_t *have_raw;
    size_t have_raw_cap;
    int64_t min_t, max_t;
    size_t from, to;            /* of t: those in the range */
    bool fresh, rising, absent; /* of all runs: as TimeRun has them */
    uint64_t times_id;
} ReadScratch;

void read_scratch_begin(ReadScratch *s);
/* Room for the run's values; NULL when it does not come after the runs before it. */
double *read_scratch_add(ReadScratch *s, const TimeRun *run);
/* The same for times that are plain numbers and may change after this call: copied. */
double *read_scratch_add_raw(ReadScratch *s, const int64_t *t, size_t n);
/* All runs are there: from, to, t and times_id hold for them. false: times are damaged. */
bool read_scratch_finish(ReadScratch *s, int64_t min_t, int64_t max_t, RunTimesFn fn, void *ctx);
void read_scratch_done(ReadScratch *s);

#endif
