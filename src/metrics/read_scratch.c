#include "metrics/read_scratch.h"

#include "metrics/head.h"
#include "storage/column.h"

void read_scratch_begin(ReadScratch *s) { s->n = s->n_runs = s->n_raw = 0; }

void read_scratch_done(ReadScratch *s) {
    mem_free(s->v);
    mem_free(s->t);
    mem_free(s->runs);
    mem_free(s->have);
    mem_free(s->raw);
    mem_free(s->have_raw);
    *s = (ReadScratch){0};
}

double *read_scratch_add(ReadScratch *s, const TimeRun *run) {
    if (s->n_runs && run->first <= s->runs[s->n_runs - 1].last) return NULL;
    if (s->n_runs == s->runs_cap) {
        s->runs_cap = s->runs_cap ? s->runs_cap * 2 : 16;
        s->runs = mem_realloc_array(s->runs, s->runs_cap, sizeof *s->runs);
    }
    s->runs[s->n_runs++] = *run;
    if (s->n + run->n > s->cap) {
        s->cap = MAX(s->cap * 2, s->n + run->n + 512);
        s->v = mem_realloc_array(s->v, s->cap, sizeof *s->v);
    }
    s->n += run->n;
    return s->v + s->n - run->n;
}

double *read_scratch_add_raw(ReadScratch *s, const int64_t *t, size_t n) {
    if (s->n_raw + n > s->raw_cap) {
        s->raw_cap = MAX(s->raw_cap * 2, s->n_raw + n + 64);
        s->raw = mem_realloc_array(s->raw, s->raw_cap, sizeof *s->raw);
    }
    memcpy(s->raw + s->n_raw, t, n * sizeof *t);
    double *v =
        read_scratch_add(s, &(TimeRun){.first = t[0], .last = t[n - 1], .n = n, .kind = RUN_RAW, .raw = s->n_raw});
    s->n_raw += n;
    return v;
}

static bool same_run(const ReadScratch *s, const TimeRun *a, const TimeRun *b) {
    if (a->kind != b->kind || a->n != b->n || a->first != b->first) return false;
    switch (a->kind) {
    case RUN_REGULAR: return a->step == b->step;
    case RUN_BYTES: return str_eq(a->bytes, b->bytes);
    case RUN_RAW: return memcmp(s->raw + a->raw, s->have_raw + b->raw, a->n * sizeof *s->raw) == 0;
    case RUN_NAMED: return a->source == b->source && a->id == b->id && a->skip == b->skip;
    }
    UNREACHABLE();
}

static bool same_runs(const ReadScratch *s) {
    if (s->n_runs != s->n_have) return false;
    for (size_t i = s->n_runs; i-- > 0;) /* the newest differ first */
        if (!same_run(s, &s->runs[i], &s->have[i])) return false;
    return true;
}

static bool run_times(const ReadScratch *s, const TimeRun *run, RunTimesFn fn, void *ctx, int64_t *out) {
    switch (run->kind) {
    case RUN_REGULAR:
        for (size_t i = 0; i < run->n; i++) out[i] = run->first + (int64_t)i * run->step;
        return true;
    case RUN_BYTES: return column_decode_i64(run->bytes, out, run->n);
    case RUN_RAW: memcpy(out, s->raw + run->raw, run->n * sizeof *out); return true;
    case RUN_NAMED: return fn(ctx, run, out);
    }
    UNREACHABLE();
}

static bool assemble(ReadScratch *s, RunTimesFn fn, void *ctx) {
    s->times_id++;
    s->n_have = 0;
    if (s->n > s->t_cap) {
        s->t_cap = s->cap;
        mem_free(s->t);
        s->t = mem_alloc_array(s->t_cap, sizeof *s->t);
    }
    s->t_n = 0;
    for (size_t i = 0; i < s->n_runs; i++) {
        if (!run_times(s, &s->runs[i], fn, ctx, s->t + s->t_n)) return false;
        s->t_n += s->runs[i].n;
    }
    if (s->have_cap < s->n_runs) {
        s->have_cap = s->runs_cap;
        s->have = mem_realloc_array(s->have, s->have_cap, sizeof *s->have);
    }
    if (s->have_raw_cap < s->n_raw) {
        s->have_raw_cap = s->raw_cap;
        s->have_raw = mem_realloc_array(s->have_raw, s->have_raw_cap, sizeof *s->have_raw);
    }
    if (s->n_raw) memcpy(s->have_raw, s->raw, s->n_raw * sizeof *s->raw);
    if (s->n_runs) memcpy(s->have, s->runs, s->n_runs * sizeof *s->have);
    s->n_have = s->n_runs;
    return true;
}

/* What holds for every run, and where they meet. Values that were left out in vain, as others were not, become zeros.
 */
static void note_values(ReadScratch *s) {
    size_t n_absent = 0, at = 0;
    s->fresh = s->rising = true;
    for (size_t i = 0; i < s->n_runs; i++) {
        s->fresh &= s->runs[i].fresh;
        s->rising &= s->runs[i].rising;
        n_absent += s->runs[i].absent;
    }
    s->absent = s->n_runs && n_absent == s->n_runs;
    for (size_t i = 0; i < s->n_runs && n_absent && !s->absent; at += s->runs[i++].n)
        if (s->runs[i].absent) memset(s->v + at, 0, s->runs[i].n * sizeof *s->v);
    at = 0;
    for (size_t i = 0; i + 1 < s->n_runs && s->rising && !s->absent; i++) {
        at += s->runs[i].n;
        s->rising = !(s->v[at] < s->v[at - 1]);
    }
}

bool read_scratch_finish(ReadScratch *s, int64_t min_t, int64_t max_t, RunTimesFn fn, void *ctx) {
    note_values(s);
    if (s->times_id && s->min_t == min_t && s->max_t == max_t && same_runs(s)) return true;
    if (!assemble(s, fn, ctx)) return false;
    s->min_t = min_t;
    s->max_t = max_t;
    s->from = s->t_n && s->t[0] >= min_t ? 0 : times_lower_bound(s->t, s->t_n, min_t);
    s->to = s->t_n && s->t[s->t_n - 1] <= max_t ? s->t_n : times_lower_bound(s->t, s->t_n, max_t + 1);
    if (s->to < s->from) s->to = s->from;
    return true;
}
