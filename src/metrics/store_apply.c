/* store_apply.c - what an append does to the head, on the log's writer thread. */
#include "metrics/record.h"
#include "metrics/store_append_int.h"
#include "metrics/store_clash.h"
#include "sys/clock.h"

#include <stdio.h>

#define PREFETCH 8 /* series ahead of the one being applied */

/* One sample of the batch that was not taken: where it stands. */
typedef struct Refused {
    size_t series; /* of the batch */
    uint32_t id;
    int64_t t;
} Refused;

/* what: with the time behind it, for a person; told: in Prometheus' words, for who asks for complaints. */
static void note_error(AppendJob *job, const char *what, const Refused *x, Str told) {
    char *text = job->result->first_error;
    if (text[0] && !job->asked->complaints) return;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf out = {0};
    head_write_end(job->head); /* gives back the shard's lock: queries take the index lock before one of these */
    head_lock_read(job->head);
    Labels labels = head_labels(job->head, x->id, arena);
    head_unlock(job->head);
    labels_put_text(&out, labels);
    if (!text[0])
        snprintf(text, sizeof job->result->first_error, "%s %lld; series %s", what, (long long)x->t, buf_cstr(&out));
    metrics_batch_complain(job->asked, (uint32_t)x->series, COMPLAINT_STORE, told, &labels);
    buf_done(&out);
    arena_free(arena);
}

/* The tap is not to hand it out. at: index in the batch, as MetricsTaken counts. */
static void note_conflict(AppendJob *job, uint64_t at) {
    if (!job->store->tap) return;
    if (!job->conflicts) job->conflicts = u64map_create();
    (void)u64map_put(job->conflicts, at, NULL);
}

/* A zero at a start is nobody's sample: not counted to the sender, and dropped in silence. */
static void count_zero(AppendJob *job, HeadPut put, uint64_t at) {
    if (put == HEAD_PUT_CONFLICT)
        note_conflict(job, at);
    else if (put != HEAD_PUT_DUPLICATE)
        job->store->samples_total++;
}

/* Whether Prometheus would not say a word: it looks at what the series had before the append, and there at the newest
 * sample alone; what is late it finds out about, and drops, when nobody listens any more. */
static bool is_quiet(AppendJob *job, const Refused *x) {
    if (!job->newest) return false;
    if (!job->first_of) {
        job->first_of = u64map_create();
        for (size_t i = 0; i < job->batch->series.n; i++) {
            bool is_new;
            uint64_t *at = u64map_put(job->first_of, job->series[i], &is_new);
            if (is_new) *at = i;
        }
    }
    const uint64_t *first = u64map_get(job->first_of, x->id);
    return x->t != job->newest[first ? *first : x->series];
}

static void note_clash(AppendJob *job, const Refused *x, const double *got) {
    job->result->conflicts++;
    if (is_quiet(job, x)) {
        job->result->quiet++;
        *(got ? &job->result->samples_taken : &job->result->histograms_taken) += 1;
        return;
    }
    Buf told = {0};
    if (job->asked->complaints) clash_put_text(&told, job->head, x->id, x->t, got);
    note_error(job, "duplicate sample for timestamp", x, buf_str(&told));
    buf_done(&told);
}

/* got NULL: a histogram. at: as for note_conflict. */
static void count_put(AppendJob *job, HeadPut put, const Refused *x, const double *got, uint64_t at, uint64_t *late) {
    MetricsAppendResult *r = job->result;
    if (put == HEAD_PUT_CONFLICT) {
        note_conflict(job, at);
        note_clash(job, x, got);
        return;
    }
    *(got ? &r->samples_taken : &r->histograms_taken) += 1;
    if (put == HEAD_PUT_DUPLICATE) {
        r->duplicates++;
        return;
    }
    *(got ? &r->samples : &r->histograms) += 1;
    *late += put == HEAD_PUT_LATE;
}

static void count_untimely(AppendJob *job, const Refused *x) {
    if (x->t < job->min_t) {
        job->result->too_old++;
        note_error(job, "sample is older than the retention: timestamp", x, STR("too old sample"));
    } else {
        job->result->too_new++;
        note_error(job, "out of bounds: timestamp is too far in the future:", x,
            STR("out of bounds: timestamp is too far in the future"));
    }
}

static void apply_histograms(AppendJob *job, size_t series, uint32_t id, uint64_t *late) {
    const MetricsBatch *b = job->batch;
    const BatchSeries *bs = &b->series.v[series];
    const int64_t *start = metrics_batch_histogram_starts(b, bs->first_histogram, bs->n_histograms);
    for (uint32_t k = 0; k < bs->n_histograms; k++) {
        size_t i = bs->first_histogram + k;
        Refused x = {series, id, b->histogram_t_ms.v[i]};
        if (!append_in_time(job, x.t)) {
            count_untimely(job, &x);
            continue;
        }
        HeadPut put = head_put_histogram(job->head, id, x.t, &b->histograms.v[i], start ? start[k] : 0);
        uint64_t at = i | METRICS_CONFLICT_HISTOGRAM;
        if (job->zeros.histograms.n && zero_is_histogram(&job->zeros, (uint32_t)i))
            count_zero(job, put, at);
        else
            count_put(job, put, &x, NULL, at, late);
    }
}

static void apply_series(EmbeddedStore *s, AppendJob *job, size_t series, uint32_t id, uint64_t *late) {
    const MetricsBatch *b = job->batch;
    const BatchSeries *bs = &b->series.v[series];
    const int64_t *start = metrics_batch_starts(b, bs->first_sample, bs->n_samples);
    for (uint32_t k = 0; k < bs->n_samples; k++) {
        size_t i = bs->first_sample + k;
        Refused x = {series, id, b->t_ms.v[i]};
        if (!append_in_time(job, x.t)) {
            count_untimely(job, &x);
            continue;
        }
        HeadPut put = head_put(job->head, id, x.t, b->value.v[i], start ? start[k] : 0);
        if (job->zeros.samples.n && zero_is_sample(&job->zeros, (uint32_t)i))
            count_zero(job, put, i);
        else
            count_put(job, put, &x, &b->value.v[i], i, late);
    }
    apply_histograms(job, series, id, late);
    for (uint32_t k = 0; k < bs->n_exemplars; k++) {
        const Exemplar *e = &b->exemplars.v[bs->first_exemplar + k];
        if (!append_takes_exemplar(job, e)) continue;
        side_add_exemplar(&s->side, bs->labels, e);
        job->result->exemplars++;
    }
}

void store_apply(void *ctx, WalPos pos, uint8_t type, Str payload, void *item) {
    EmbeddedStore *s = ctx;
    AppendJob *job = item;
    uint64_t late = 0;
    (void)pos;
    (void)payload;
    ASSERT(type == RECORD_METRICS && job->head == s->active);
    head_mark_logged(job->head, job->told_series.v, job->told_series.n, job->told.v, job->told.n);
    head_tick(job->head, clock_now_ms());
    size_t n = job->batch->series.n;
    mutex_lock(&s->undo.apply);
    undo_note(&s->undo, job->head, job->series, n);
    head_write_begin(job->head);
    for (size_t i = 0; i < n; i++) {
        const BatchSeries *bs = &job->batch->series.v[i];
        if (i + PREFETCH < n && job->series[i + PREFETCH] != HEAD_NO_SERIES)
            head_prefetch(job->head, job->series[i + PREFETCH]);
        if (job->series[i] == HEAD_NO_SERIES || !append_has_data(bs)) continue;
        if (job->newest) job->newest[i] = clash_newest(job->head, job->series[i]);
        apply_series(s, job, i, job->series[i], &late);
    }
    head_write_end(job->head);
    mutex_unlock(&s->undo.apply);
    vec_foreach(const MetricMetadata, m, &job->batch->metadata) side_add_metadata(&s->side, m);
    s->samples_total += job->result->samples + job->result->histograms;
    s->late_total += late;
}
