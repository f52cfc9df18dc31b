#include "metrics/record.h"
#include "metrics/store_clash.h"
#include "metrics/store_int.h"
#include "metrics/store_zero.h"
#include "sys/clock.h"

#include <stdio.h>

#define PREFETCH 8                     /* series ahead of the one being applied */
#define SERIES_KEY (UINT64_C(1) << 32) /* beside symbols in one map */

typedef struct AppendJob {
    EmbeddedStore *store;
    const MetricsBatch *batch;
    Head *head;
    uint32_t *series;  /* ids per batch series; HEAD_NO_SERIES: refused */
    uint32_t *missing; /* batch indices of series the head does not know yet */
    size_t n_missing;
    VEC(uint32_t) told, told_series; /* symbols and series the record defines */
    int64_t min_t, max_t;            /* what is older, newer is refused */
    U64Map *conflicts;               /* for the tap; NULL: none yet */
    const MetricsBatch *asked;       /* as it came: whom complaints go to */
    int64_t *newest;                 /* per batch series, before it: with complaints; else NULL */
    U64Map *first_of;                /* series -> first batch series with it; NULL: not needed yet */
    ZeroStarts zeros;                /* what was put into the batch besides what came */
    MetricsAppendResult *result;
} AppendJob;

/* --- gate --- */
static void gate_enter(Gate *g) {
    mutex_lock(&g->lock);
    while (g->closed) cond_wait(&g->changed, &g->lock);
    g->inside++;
    mutex_unlock(&g->lock);
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

static ErrCode resolve(AppendJob *job, Err *reterr) {
    const MetricsBatch *b = job->batch;
    Head *h = job->head;
    find_known(job);
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
static bool in_time(const AppendJob *job, int64_t t) { return t >= job->min_t && t <= job->max_t; }
static bool series_has_data(const BatchSeries *bs) { return bs->n_samples || bs->n_histograms || bs->n_exemplars; }

static void encode_samples(const AppendJob *job, const BatchSeries *bs, uint32_t id, Buf *out, RecordState *state) {
    const int64_t *t = job->batch->t_ms.v + bs->first_sample;
    const double *v = job->batch->value.v + bs->first_sample;
    size_t n = bs->n_samples;
    const int64_t *start = metrics_batch_starts(job->batch, bs->first_sample, n);
    for (size_t from = 0; from < n;) { /* runs of samples that are taken: nearly always one */
        size_t to = from;
        while (to < n && in_time(job, t[to])) to++;
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
        if (id == HEAD_NO_SERIES || !series_has_data(&job->batch->series.v[i]) || head_series_logged(h, id)) continue;
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
        if (id == HEAD_NO_SERIES || !series_has_data(bs)) continue;
        encode_samples(job, bs, id, out, &state);
        const int64_t *start = metrics_batch_histogram_starts(b, bs->first_histogram, bs->n_histograms);
        for (uint32_t k = 0; k < bs->n_histograms; k++) {
            size_t at = bs->first_histogram + k;
            if (in_time(job, b->histogram_t_ms.v[at]))
                record_put_histogram(out, id, b->histogram_t_ms.v[at], start ? start[k] : 0, &b->histograms.v[at]);
        }
        for (uint32_t k = 0; k < bs->n_exemplars; k++)
            record_put_exemplar(out, id, &b->exemplars.v[bs->first_exemplar + k]);
    }
}

static void encode_metadata(EmbeddedStore *s, const MetricsBatch *b, Buf *out) {
    vec_foreach(const MetricMetadata, m, &b->metadata) {
        if (!side_metadata_known(&s->side, m)) record_put_metadata(out, m);
    }
}

/* --- applying, on the writer thread --- */
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
        if (!in_time(job, x.t)) {
            count_untimely(job, &x);
            continue;
        }
        HeadPut put = clash_put_histogram(job->head, id, x.t, &b->histograms.v[i], start ? start[k] : 0);
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
        if (!in_time(job, x.t)) {
            count_untimely(job, &x);
            continue;
        }
        HeadPut put = clash_put(job->head, id, x.t, b->value.v[i], start ? start[k] : 0);
        if (job->zeros.samples.n && zero_is_sample(&job->zeros, (uint32_t)i))
            count_zero(job, put, i);
        else
            count_put(job, put, &x, &b->value.v[i], i, late);
    }
    apply_histograms(job, series, id, late);
    for (uint32_t k = 0; k < bs->n_exemplars; k++) {
        side_add_exemplar(&s->side, bs->labels, &b->exemplars.v[bs->first_exemplar + k]);
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
        if (job->series[i] == HEAD_NO_SERIES || !series_has_data(bs)) continue;
        if (job->newest) job->newest[i] = clash_newest(job->head, job->series[i]);
        apply_series(s, job, i, job->series[i], &late);
    }
    head_write_end(job->head);
    mutex_unlock(&s->undo.apply);
    vec_foreach(const MetricMetadata, m, &job->batch->metadata) side_add_metadata(&s->side, m);
    s->samples_total += job->result->samples + job->result->histograms;
    s->late_total += late;
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

void store_set_tap(MetricsStore *base, MetricsTapFn fn, void *ctx) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    s->tap_ctx = ctx;
    s->tap = fn;
}

static ErrCode append_inside(EmbeddedStore *s, AppendJob *job, Err *reterr) {
    size_t n = job->batch->series.n;
    Buf payload = {0};
    job->head = s->active; /* cannot change while we are inside the gate */
    job->series = mem_alloc_array(MAX(n, 1), sizeof *job->series);
    job->missing = mem_alloc_array(MAX(n, 1), sizeof *job->missing);
    ErrCode code = resolve(job, reterr);
    if (code == OK && job->batch->newest_only) store_leave_out_old(s, job->head, job->batch, job->series);
    if (code == OK && s->opts.zero_starts && store_zero_starts(s, job->head, job->series, job->batch, &job->zeros))
        job->batch = &job->zeros.batch;
    if (code == OK && job->asked->complaints)
        job->newest = mem_alloc_array(MAX(job->batch->series.n, 1), sizeof *job->newest);
    if (code == OK) {
        encode(job, &payload);
        encode_metadata(s, job->batch, &payload);
        code = commit_submit(s->commit, RECORD_METRICS, buf_str(&payload), job, reterr);
        if (code == OK && s->tap) code = tell_tap(s, job, reterr);
    }
    buf_done(&payload);
    mem_free(job->series);
    mem_free(job->missing);
    mem_free(job->newest);
    u64map_free(job->conflicts);
    u64map_free(job->first_of);
    zero_starts_done(&job->zeros);
    vec_done(&job->told);
    vec_done(&job->told_series);
    return code;
}

ErrCode store_append(MetricsStore *base, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret = (MetricsAppendResult){0};
    if (batch->series.n == 0 && batch->metadata.n == 0) return OK;
    ErrCode code = refuse_when_full(s, reterr);
    if (code != OK) return code;
    AppendJob job = {.store = s,
        .batch = batch,
        .asked = batch,
        .min_t = store_retention_floor(s),
        .max_t = batch->not_after_ms ? batch->not_after_ms : INT64_MAX,
        .result = ret};
    gate_enter(&s->gate);
    code = append_inside(s, &job, reterr);
    gate_leave(&s->gate);
    return code;
}
