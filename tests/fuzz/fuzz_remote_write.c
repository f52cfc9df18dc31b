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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int v = 0; v < 2; v++) {
        MetricsBatch batch = {.arena = arena_create((size_t)16 << 20)};
        uint64_t skipped;
        Err err = {0};
        if (remote_write_decode(
                (Str){(const char *)data, size}, v ? REMOTE_WRITE_2 : REMOTE_WRITE_1, &batch, &skipped, &err) == OK)
            check(&batch);
        arena_free(batch.arena);
    }
    return 0;
}
