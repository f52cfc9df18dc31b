/* store_append.c - samples on their way into the store, as far as the log: series are looked up or made, the record is
 * encoded and handed to the log's writer. */
#include "metrics/record.h"
#include "metrics/store_append_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define SERIES_KEY (UINT64_C(1) << 32) /* beside symbols in one map */

/* --- gate --- */
static void gate_enter(Gate *g) {
    mutex_lock(&g->lock);
    while (g->closed) cond_wait(&g->changed, &g->lock);
    g->inside++;
    mutex_unlock(&g->lock);
}

static bool gate_try_enter(Gate *g) {
    mutex_lock(&g->lock);
    bool open = !g->closed;
    if (open) g->inside++;
    mutex_unlock(&g->lock);
    return open;
}

static void gate_leave(Gate *g) {
    mutex_lock(&g->lock);
    ASSERT(g->inside > 0);
    if (--g->inside == 0 && g->closed) cond_broadcast(&g->changed);
    mutex_unlock(&g->lock);
}

int64_t store_retention_floor(EmbeddedStore *s) {
    StoreRules *rules = store_rules(s);
    int64_t now = clock_now_ms(), keep = rules_keep_max(rules, s->opts.retention_ms);
    rules_unref(rules);
    return keep >= now ? INT64_MIN : now - keep;
}

/* --- resolving --- */
static void note_limited(AppendJob *job, const BatchSeries *bs, const Err *err) {
    job->result->limited += bs->n_samples + bs->n_histograms;
    metrics_batch_complain(
        job->asked, (uint32_t)(bs - job->batch->series.v), COMPLAINT_STORE, str_cstr(err->msg), NULL);
    if (job->result->first_error[0]) return;
    snprintf(job->result->first_error, sizeof job->result->first_error, "%.255s", err->msg);
}

static bool has_labels(const BatchSeries *bs) { return bs->labels.n > 0; }
static bool only_wire(const BatchSeries *bs) { return !bs->labels.v && bs->wire.n; }

static void find_known(AppendJob *job) {
    const MetricsBatch *b = job->batch;
    uint32_t last = HEAD_NO_SERIES;
    head_lock_read(job->head);
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *bs = &b->series.v[i];
        job->series[i] = HEAD_NO_SERIES;
        if (!has_labels(bs) && !only_wire(bs)) continue;
        uint32_t id = bs->raw_hash ? head_find_raw(job->head, bs->raw_hash, last) : HEAD_NO_SERIES;
        /* A hash that is new is learnt below, with the labels. */
        if (id == HEAD_NO_SERIES && !bs->raw_hash) id = head_find(job->head, bs->labels, last);
        if (id == HEAD_NO_SERIES)
            job->missing[job->n_missing++] = (uint32_t)i;
        else
            last = id;
        job->series[i] = id;
    }
    head_unlock(job->head);
}

/* Of those the head does not know, what came only as bytes. */
static ErrCode read_missing_labels(AppendJob *job, Err *reterr) {
    const MetricsBatch *b = job->batch;
    size_t n = 0;
    for (size_t i = 0; i < job->n_missing; i++) {
        BatchSeries *bs = &b->series.v[job->missing[i]];
        Err err = {0};
        ErrCode code = only_wire(bs) ? b->read_labels(b->read_ctx, bs, &err) : OK;
        if (code == ERR_UNPROCESSABLE) {
            metrics_batch_complain(job->asked, job->missing[i], COMPLAINT_LABELS, str_cstr(err.msg), NULL);
            if (!job->result->invalid++)
                snprintf(job->result->first_error, sizeof job->result->first_error, "%.200s", err.msg);
            continue;
        }
        if (code != OK) {
            if (reterr) *reterr = err;
            return code;
        }
        job->missing[n++] = job->missing[i];
    }
    job->n_missing = n;
    return OK;
}

static ErrCode resolve_missing(AppendJob *job, Err *reterr) {
    const MetricsBatch *b = job->batch;
    Head *h = job->head;
    ErrCode code = read_missing_labels(job, reterr);
    if (code != OK) return code;
    /* In slices, so that lookups of other workers get their turn. */
    for (size_t i = 0; i < job->n_missing;) {
        head_lock_write(h);
        for (size_t end = MIN(i + 256, job->n_missing); i < end; i++) {
            const BatchSeries *bs = &b->series.v[job->missing[i]];
            bool created;
            Err err = {0};
            /* Another worker may have made it meanwhile. */
            bool known = head_find(h, bs->labels, HEAD_NO_SERIES) != HEAD_NO_SERIES;
            if (!known && series_limits_admit(job->store->limits, h, bs->labels, &err) != OK) {
                note_limited(job, bs, &err);
                continue;
            }
            job->series[job->missing[i]] = head_get_or_create(h, bs->labels, bs->raw_hash, &created);
            job->result->new_series += created;
        }
        head_unlock(h);
    }
    return OK;
}

/* --- encoding --- */
static void encode_samples(const AppendJob *job, const BatchSeries *bs, uint32_t id, Buf *out, RecordState *state) {
    const int64_t *t = job->batch->t_ms.v + bs->first_sample;
    const double *v = job->batch->value.v + bs->first_sample;
    size_t n = bs->n_samples;
    const int64_t *start = metrics_batch_starts(job->batch, bs->first_sample, n);
    for (size_t from = 0; from < n;) { /* runs of samples that are taken: nearly always one */
        size_t to = from;
        while (to < n && append_in_time(job, t[to])) to++;
        if (to > from) record_put_samples(out, id, t + from, v + from, start ? start + from : NULL, to - from, state);
        from = to + 1;
    }
}

/* What the log of this epoch may not know yet, or from one record only: symbols and labels of the batch's series. Other
 * records that tell the same may come before or after this one, which therefore tells all it needs. */
static void encode_series(AppendJob *job, Buf *out) {
    Head *h = job->head;
    U64Map *told = NULL;
    head_lock_read(h);
    for (size_t i = 0; i < job->batch->series.n; i++) {
        uint32_t id = job->series[i];
        if (id == HEAD_NO_SERIES || !append_has_data(&job->batch->series.v[i]) || head_series_logged(h, id)) continue;
        bool first = false;
        if (!told) told = u64map_create();
        (void)u64map_put(told, SERIES_KEY | id, &first);
        if (!first) continue;
        SeriesSymbols s = head_series_symbols(h, id);
        for (uint32_t k = 0; k < 2 * s.n; k++) {
            uint32_t symbol = k < s.n ? s.names[k] : s.values[k - s.n];
            bool is_new = false;
            if (head_symbol_logged(h, symbol)) continue;
            (void)u64map_put(told, symbol, &is_new);
            if (!is_new) continue;
            record_put_symbol(out, symbol, head_symbol(h, symbol));
            vec_push(&job->told, symbol);
        }
        record_put_series(out, id, s.names, s.values, s.n);
        vec_push(&job->told_series, id);
    }
    head_unlock(h);
    u64map_free(told);
}

static void encode(AppendJob *job, Buf *out) {
    const MetricsBatch *b = job->batch;
    RecordState state = {0};
    record_begin(out, head_epoch(job->head));
    encode_series(job, out);
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *bs = &b->series.v[i];
        uint32_t id = job->series[i];
        if (id == HEAD_NO_SERIES || !append_has_data(bs)) continue;
        encode_samples(job, bs, id, out, &state);
        const int64_t *start = metrics_batch_histogram_starts(b, bs->first_histogram, bs->n_histograms);
        for (uint32_t k = 0; k < bs->n_histograms; k++) {
            size_t at = bs->first_histogram + k;
            if (append_in_time(job, b->histogram_t_ms.v[at]))
                record_put_histogram(out, id, b->histogram_t_ms.v[at], start ? start[k] : 0, &b->histograms.v[at]);
        }
        for (uint32_t k = 0; k < bs->n_exemplars; k++) {
            const Exemplar *e = &b->exemplars.v[bs->first_exemplar + k];
            if (append_takes_exemplar(job, e)) record_put_exemplar(out, id, e);
        }
    }
}

static void encode_metadata(EmbeddedStore *s, const MetricsBatch *b, Buf *out) {
    vec_foreach(const MetricMetadata, m, &b->metadata) {
        if (!side_metadata_known(&s->side, m)) record_put_metadata(out, m);
    }
}

/* --- entry --- */
static ErrCode refuse_when_full(EmbeddedStore *s, Err *reterr) {
    mutex_lock(&s->view_lock);
    HeadStats stats;
    head_stats(s->active, &stats);
    bool over = store_head_is_large(s, &stats, 1);
    bool full = over && (s->frozen.n >= FROZEN_MAX || store_head_is_large(s, &stats, 2));
    mutex_unlock(&s->view_lock);
    if (over) store_wake(s, true, false);
    return full ? err_set(reterr, ERR_OVERLOADED, "the metrics head is full, parts are being written") : OK;
}

static ErrCode tell_tap(EmbeddedStore *s, AppendJob *job, Err *reterr) {
    MetricsTaken taken = {.batch = job->batch,
        .series = job->series,
        .min_t_ms = job->min_t,
        .max_t_ms = job->max_t,
        .conflicts = job->conflicts};
    return s->tap(s->tap_ctx, &taken, reterr);
}

static bool is_tapped(const EmbeddedStore *s) { return s->tap && (!s->tap_wanted || atomic_load(s->tap_wanted) > 0); }

void store_set_tap(MetricsStore *base, MetricsTapFn fn, const _Atomic unsigned *wanted, void *ctx) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    s->tap_wanted = wanted;
    s->tap_ctx = ctx;
    s->tap = fn;
}

static void job_done(AppendJob *job) {
    buf_done(&job->payload);
    mem_free(job->series);
    mem_free(job->newest);
    u64map_free(job->conflicts);
    u64map_free(job->first_of);
    zero_starts_done(&job->zeros);
    vec_done(&job->told);
    vec_done(&job->told_series);
}

/* Series of the batch the head knows; the others are in job->missing, the caller's to free. */
static void begin_resolving(EmbeddedStore *s, AppendJob *job) {
    size_t n = job->batch->series.n;
    job->head = s->active; /* cannot change while we are inside the gate */
    job->series = mem_alloc_array(2 * MAX(n, 1), sizeof *job->series);
    job->missing = job->series + n;
    find_known(job);
}

static void encode_record(EmbeddedStore *s, AppendJob *job) {
    if (job->asked->complaints) job->newest = mem_alloc_array(MAX(job->batch->series.n, 1), sizeof *job->newest);
    encode(job, &job->payload);
    encode_metadata(s, job->batch, &job->payload);
}

static ErrCode append_inside(EmbeddedStore *s, AppendJob *job, Err *reterr) {
    begin_resolving(s, job);
    ErrCode code = resolve_missing(job, reterr);
    if (code == OK && job->batch->newest_only) store_leave_out_old(s, job->head, job->batch, job->series);
    if (code == OK && s->opts.zero_starts && store_zero_starts(s, job->head, job->series, job->batch, &job->zeros))
        job->batch = &job->zeros.batch;
    if (code == OK) {
        encode_record(s, job);
        code = (job->asked->patient ? commit_submit_patiently : commit_submit)(
            s->commit, RECORD_METRICS, buf_str(&job->payload), job, reterr);
        if (code == OK && is_tapped(s)) code = tell_tap(s, job, reterr);
    }
    job_done(job);
    return code;
}

static AppendJob job_of(EmbeddedStore *s, const MetricsBatch *batch, MetricsAppendResult *ret) {
    *ret = (MetricsAppendResult){0};
    return (AppendJob){.store = s,
        .batch = batch,
        .asked = batch,
        .min_t = store_retention_floor(s),
        .max_t = batch->not_after_ms ? batch->not_after_ms : INT64_MAX,
        .result = ret};
}

ErrCode store_append(MetricsStore *base, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret = (MetricsAppendResult){0};
    if (batch->series.n == 0 && batch->metadata.n == 0) return OK;
    ErrCode code = refuse_when_full(s, reterr);
    if (code != OK) return code;
    AppendJob job = job_of(s, batch, ret);
    gate_enter(&s->gate);
    code = append_inside(s, &job, reterr);
    gate_leave(&s->gate);
    return code;
}

/* --- entry of those who do not wait --- */
static void soon_done(CommitRecord *r) {
    AppendJob *job = CONTAINER_OF(r, AppendJob, record);
    EmbeddedStore *s = job->store;
    ErrCode code = r->result;
    if (code != OK && job->reterr) *job->reterr = r->err;
    if (code == OK && is_tapped(s)) code = tell_tap(s, job, job->reterr); /* since it began: once in a reload */
    job_done(job);
    gate_leave(&s->gate);
    job->done(job->done_ctx, code); /* job's memory is the batch's: the caller's again */
}

bool store_append_soon(MetricsStore *base, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr,
    MetricsDoneFn done, void *ctx) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    if (is_tapped(s) || s->opts.zero_starts || batch->newest_only || batch->series.n == 0) return false;
    AppendJob *job = refuse_when_full(s, NULL) == OK ? ARENA_NEW(batch->arena, AppendJob) : NULL;
    if (!job || !gate_try_enter(&s->gate)) return false;
    *job = job_of(s, batch, ret);
    job->reterr = reterr;
    job->done = done;
    job->done_ctx = ctx;
    begin_resolving(s, job);
    bool begun = job->n_missing == 0;
    if (begun) {
        encode_record(s, job);
        job->record =
            (CommitRecord){.type = RECORD_METRICS, .payload = buf_str(&job->payload), .item = job, .done = soon_done};
        begun = commit_start(s->commit, &job->record, NULL) == OK;
    }
    if (begun) return true;
    job_done(job);
    gate_leave(&s->gate);
    return false;
}
