/* record.c - records of the queue. */
#include "codec/compress.h"
#include "metrics/api/remote_write.h"
#include "metrics/remote/remote_int.h"

#define HEADER_BYTES 8

static bool is_taken(const MetricsTaken *t, int64_t t_ms, uint64_t at) {
    return t_ms >= t->min_t_ms && t_ms <= t->max_t_ms && !(t->conflicts && u64map_get(t->conflicts, at));
}

/* Runs of samples that are taken: nearly always one. */
static void put_samples(RemoteMessage *m, const MetricsTaken *t, const BatchSeries *bs, RemoteSeries s) {
    const MetricsBatch *b = t->batch;
    size_t from = bs->first_sample, end = from + bs->n_samples;
    const int64_t *start = metrics_batch_starts(b, from, bs->n_samples);
    while (from < end) {
        size_t to = from;
        while (to < end && is_taken(t, b->t_ms.v[to], to)) to++;
        s.t_ms = b->t_ms.v + from;
        s.value = b->value.v + from;
        s.start_ms = start ? start + (from - bs->first_sample) : NULL;
        s.n = to - from;
        if (s.n) remote_message_put(m, &s);
        if (s.n) s.n_exemplars = 0;
        from = to + 1;
    }
    s.n = 0;
    if (s.n_exemplars && bs->n_histograms == 0) remote_message_put(m, &s);
}

static void put_histograms(RemoteMessage *m, const MetricsTaken *t, const BatchSeries *bs, RemoteSeries s) {
    const MetricsBatch *b = t->batch;
    const int64_t *start = metrics_batch_histogram_starts(b, bs->first_histogram, bs->n_histograms);
    if (bs->n_samples) s.n_exemplars = 0;
    for (size_t at = bs->first_histogram, end = at + bs->n_histograms; at < end; at++) {
        if (!is_taken(t, b->histogram_t_ms.v[at], at | METRICS_CONFLICT_HISTOGRAM)) continue;
        s.histogram_t_ms = &b->histogram_t_ms.v[at];
        s.histograms = &b->histograms.v[at];
        s.histogram_start_ms = start ? start + (at - bs->first_histogram) : NULL;
        s.n_histograms = 1;
        remote_message_put(m, &s);
        s.n_exemplars = 0;
    }
}

static ErrCode put_series(RemoteMessage *m, const MetricsTaken *t, BatchSeries *bs, Err *reterr) {
    const MetricsBatch *b = t->batch;
    if (!bs->labels.v) {
        ErrCode r = bs->wire.n ? b->read_labels(b->read_ctx, bs, reterr) : OK;
        if (r != OK || !bs->labels.v) return r == ERR_UNPROCESSABLE ? OK : r;
    }
    RemoteSeries s = {
        .labels = bs->labels, .exemplars = b->exemplars.v + bs->first_exemplar, .n_exemplars = bs->n_exemplars};
    put_samples(m, t, bs, s);
    put_histograms(m, t, bs, s);
    return OK;
}

ErrCode remote_record_encode(const MetricsTaken *t, Buf *out, bool *ret_any, Err *reterr) {
    RemoteMessage m = {.version_2 = true};
    ErrCode r = OK;
    for (size_t i = 0; i < t->batch->series.n && r == OK; i++) {
        BatchSeries *bs = &t->batch->series.v[i];
        if (t->series[i] != METRICS_NOT_TAKEN && (bs->n_samples || bs->n_histograms || bs->n_exemplars))
            r = put_series(&m, t, bs, reterr);
    }
    *ret_any = r == OK && m.samples + m.histograms + m.exemplars > 0;
    if (*ret_any) {
        Buf raw = {0};
        remote_message_finish(&m, &raw);
        buf_put_u32le(out, (uint32_t)(m.samples + m.histograms));
        buf_put_u32le(out, (uint32_t)raw.n);
        zstd_block_encode(buf_str(&raw), 1, out);
        buf_done(&raw);
    }
    remote_message_done(&m);
    return r;
}

uint32_t remote_record_samples(Str record) {
    Cursor c = cursor_of(record);
    return cursor_u32le(&c);
}

bool remote_record_decode(Str record, MetricsBatch *batch) {
    Cursor c = cursor_of(record);
    uint64_t skipped = 0;
    (void)cursor_u32le(&c);
    uint32_t n = cursor_u32le(&c);
    if (c.bad || n > 4u * SPOOL_RECORD_MAX) return false;
    char *raw = arena_alloc(batch->arena, n);
    if (!raw || zstd_block_decode(str_skip(record, HEADER_BYTES), raw, n) != OK) return false;
    return remote_write_decode(str_of(raw, n), REMOTE_WRITE_2, batch, &skipped, NULL) == OK;
}
