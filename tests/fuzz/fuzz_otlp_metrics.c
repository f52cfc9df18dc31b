/* fuzz_otlp_metrics.c - ExportMetricsServiceRequests; the first byte chooses the memory they may use. The request is
 * decoded twice with the same running sums: a request that is sent again must come out the same. */
#include "collect/otlp_decode.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_labels(Labels l) {
    for (size_t i = 0; i < l.n; i++) {
        ASSERT(l.v[i].name.n > 0 && l.v[i].value.n > 0 && str_is_utf8(l.v[i].value));
        ASSERT(i == 0 || str_cmp(l.v[i - 1].name, l.v[i].name) < 0);
    }
}

static void check_histogram(const Histogram *h) {
    uint64_t pos = 0, neg = 0;
    ASSERT(h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX);
    for (uint32_t i = 0; i < h->n_pos_spans; i++) {
        ASSERT(h->pos_spans[i].length > 0 && (i == 0 || h->pos_spans[i].offset > 0));
        pos += h->pos_spans[i].length;
    }
    for (uint32_t i = 0; i < h->n_neg_spans; i++) {
        ASSERT(h->neg_spans[i].length > 0 && (i == 0 || h->neg_spans[i].offset > 0));
        neg += h->neg_spans[i].length;
    }
    ASSERT(pos == h->n_pos && neg == h->n_neg);
}

static void check_batch(const MetricsBatch *b) {
    ASSERT(b->t_ms.n == b->value.n && b->histogram_t_ms.n == b->histograms.n);
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *s = &b->series.v[i];
        ASSERT(labels_get(s->labels, LABEL_NAME_METRIC).n > 0);
        check_labels(s->labels);
        ASSERT((size_t)s->first_sample + s->n_samples <= b->value.n);
        ASSERT((size_t)s->first_histogram + s->n_histograms <= b->histograms.n);
        ASSERT((size_t)s->first_exemplar + s->n_exemplars <= b->exemplars.n);
    }
    for (size_t i = 0; i < b->t_ms.n; i++) ASSERT(b->t_ms.v[i] >= 0);
    for (size_t i = 0; i < b->exemplars.n; i++) check_labels(b->exemplars.v[i].labels);
    for (size_t i = 0; i < b->histograms.n; i++) check_histogram(&b->histograms.v[i]);
}

static ErrCode decode(Str proto, size_t budget, OtlpDeltas *deltas, OtlpRejects *rejects) {
    Arena *arena = arena_create(budget);
    MetricsBatch batch = {.arena = arena};
    Err err = {0};
    *rejects = (OtlpRejects){0};
    ErrCode r = otlp_decode_metrics(proto, 1700000000000, NULL, deltas, &batch, rejects, &err);
    ASSERT(r == OK || r == ERR_INVALID || (r == ERR_TOO_LARGE && budget != ARENA_UNLIMITED));
    ASSERT(r == err.code && (r == OK || err.msg[0] != 0));
    ASSERT((rejects->count > 0) == (rejects->message[0] != 0));
    if (r == OK) check_batch(&batch);
    arena_free(arena);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t budget = data[0] == 0 ? ARENA_UNLIMITED : (size_t)data[0] * 1024;
    Str proto = str_of((const char *)data + 1, size - 1);
    OtlpDeltas *deltas = otlp_deltas_create(16);
    OtlpRejects first, again;
    ErrCode r = decode(proto, budget, deltas, &first);
    ErrCode r2 = decode(proto, budget, deltas, &again);
    ASSERT((r == OK) == (r2 == OK) && otlp_deltas_count(deltas) <= 16 + 1);
    otlp_deltas_free(deltas);
    return 0;
}
