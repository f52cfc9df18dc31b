/* Decodes arbitrary bytes as remote write messages of both versions; what comes out must be consistent. */
#include "metrics/api/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const MetricsBatch *b) {
    ASSERT(b->t_ms.n == b->value.n && b->histogram_t_ms.n == b->histograms.n);
    vec_foreach(BatchSeries, s, &b->series) {
        ASSERT(s->first_sample + (size_t)s->n_samples <= b->t_ms.n);
        ASSERT(s->first_histogram + (size_t)s->n_histograms <= b->histograms.n);
        ASSERT(s->first_exemplar + (size_t)s->n_exemplars <= b->exemplars.n);
        for (size_t i = 1; i < s->labels.n; i++) ASSERT(str_cmp(s->labels.v[i - 1].name, s->labels.v[i].name) < 0);
    }
}

static bool same_labels(Labels a, Labels b) { return a.n == b.n && labels_eq(a, b); }

/* Labels read late are the labels read at once. What a series without good labels holds is not looked at by the one
 * and is by the other, so such messages are not compared. */
static void compare(Str body, RemoteWriteVersion version, const MetricsBatch *eager) {
    MetricsBatch lazy = {.arena = arena_create((size_t)16 << 20)};
    uint64_t skipped;
    Err err = {0};
    ErrCode code = remote_write_decode_lazily(body, version, &lazy, &skipped, &err);
    if (code != ERR_TOO_LARGE) {
        ASSERT(code == OK && skipped == 0 && lazy.series.n == eager->series.n && lazy.t_ms.n == eager->t_ms.n);
        ASSERT(lazy.histograms.n == eager->histograms.n && lazy.exemplars.n == eager->exemplars.n);
        for (size_t i = 0; i < lazy.series.n; i++) {
            BatchSeries *s = &lazy.series.v[i];
            code = s->labels.v ? OK : lazy.read_labels(lazy.read_ctx, s, &err);
            if (code == ERR_TOO_LARGE) break;
            ASSERT(code == OK && same_labels(s->labels, eager->series.v[i].labels));
            ASSERT(s->n_samples == eager->series.v[i].n_samples);
        }
    }
    arena_free(lazy.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int v = 0; v < 2; v++) {
        MetricsBatch batch = {.arena = arena_create((size_t)16 << 20)};
        uint64_t skipped;
        Err err = {0};
        RemoteWriteVersion version = v ? REMOTE_WRITE_2 : REMOTE_WRITE_1;
        Str body = {(const char *)data, size};
        if (remote_write_decode(body, version, &batch, &skipped, &err) == OK) {
            check(&batch);
            if (skipped == 0) compare(body, version, &batch);
        }
        arena_free(batch.arena);
    }
    return 0;
}
