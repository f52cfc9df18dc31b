#include "metrics/tsdb/batcher.h"

#include <stdio.h>

#define BATCH_SAMPLES 50000
#define BATCH_SERIES 10000
#define BATCH_BYTES ((size_t)24 << 20)
#define BATCH_BUDGET ((size_t)1 << 30) /* one piece of a series with large histograms */

void batcher_init(Batcher *b, const TsdbImport *import, MetricsAppendResult *total, Err *reterr) {
    *b = (Batcher){.import = import, .total = total, .reterr = reterr, .arena = arena_create(BATCH_BUDGET)};
    b->batch.arena = b->arena;
}

void batcher_done(Batcher *b) { b->arena = arena_free(b->arena); }

static void count(MetricsAppendResult *total, const MetricsAppendResult *r) {
    total->samples += r->samples;
    total->histograms += r->histograms;
    total->exemplars += r->exemplars;
    total->duplicates += r->duplicates;
    total->conflicts += r->conflicts;
    total->too_old += r->too_old;
    total->new_series += r->new_series;
    if (!total->first_error[0]) snprintf(total->first_error, sizeof total->first_error, "%s", r->first_error);
}

bool batcher_flush(Batcher *b) {
    if (b->code == OK && b->import->cancel && *b->import->cancel)
        b->code = err_set(b->reterr, ERR_CANCELLED, "cancelled; what was imported stays, and importing again goes on");
    if (b->code == OK && b->batch.series.n + b->batch.metadata.n > 0) {
        MetricsAppendResult r = {0};
        b->code = b->import->append(b->import->ctx, &b->batch, &r, b->reterr);
        if (b->code == OK) count(b->total, &r);
    }
    arena_reset(b->arena);
    b->batch = (MetricsBatch){.arena = b->arena};
    return b->code == OK;
}

static bool copy_floats(MetricsBatch *m, const SeriesColumn *s) {
    if (!avec_reserve(m->arena, &m->t_ms, s->n) || !avec_reserve(m->arena, &m->value, s->n)) return false;
    if (s->n) {
        memcpy(m->t_ms.v + m->t_ms.n, s->t_ms, s->n * sizeof *s->t_ms);
        memcpy(m->value.v + m->value.n, s->value, s->n * sizeof *s->value);
    }
    for (size_t i = 0; i < s->n; i++) {
        m->t_ms.n++;
        m->value.n++;
        if (s->start_ms && !metrics_batch_set_start(m, s->start_ms[i])) return false;
    }
    return true;
}

static bool copy_series(MetricsBatch *m, const SeriesColumn *s, const Exemplar *exemplars, size_t n_exemplars) {
    BatchSeries row = {.labels = labels_copy(m->arena, s->labels),
        .first_sample = (uint32_t)m->t_ms.n,
        .n_samples = (uint32_t)s->n,
        .first_histogram = (uint32_t)m->histograms.n,
        .n_histograms = (uint32_t)s->n_histograms,
        .first_exemplar = (uint32_t)m->exemplars.n,
        .n_exemplars = (uint32_t)n_exemplars};
    if ((s->labels.n && !row.labels.v) || !copy_floats(m, s)) return false;
    for (size_t i = 0; i < s->n_histograms; i++) {
        Histogram *h = histogram_copy(m->arena, &s->histograms[i]);
        if (!h || !avec_push(m->arena, &m->histogram_t_ms, s->histogram_t_ms[i]) ||
            !avec_push(m->arena, &m->histograms, *h))
            return false;
        if (s->histogram_start_ms && !metrics_batch_set_histogram_start(m, s->histogram_start_ms[i])) return false;
    }
    for (size_t i = 0; i < n_exemplars; i++) {
        Exemplar e = exemplars[i];
        e.labels = labels_copy(m->arena, e.labels);
        if (!avec_push(m->arena, &m->exemplars, e)) return false;
    }
    return avec_push(m->arena, &m->series, row);
}

static bool exhausted(Batcher *b) {
    b->code = err_set(b->reterr, ERR_TOO_LARGE, "a series with its samples does not fit into memory");
    return false;
}

bool batcher_add(Batcher *b, const SeriesColumn *s, const Exemplar *exemplars, size_t n_exemplars) {
    if (b->code != OK) return false;
    if (!copy_series(&b->batch, s, exemplars, n_exemplars)) return exhausted(b);
    bool full = b->batch.t_ms.n + b->batch.histograms.n >= BATCH_SAMPLES || b->batch.series.n >= BATCH_SERIES ||
                arena_used_bytes(b->arena) >= BATCH_BYTES;
    return !full || batcher_flush(b);
}

bool batcher_add_metadata(Batcher *b, const MetricMetadata *m) {
    if (b->code != OK) return false;
    MetricMetadata copy = {.metric = arena_copy(b->arena, m->metric), .type = m->type};
    copy.help = arena_copy(b->arena, m->help);
    copy.unit = arena_copy(b->arena, m->unit);
    return avec_push(b->arena, &b->batch.metadata, copy) || exhausted(b);
}
