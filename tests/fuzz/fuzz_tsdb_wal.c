/* Prometheus' log: the input as a segment, as one record, and as a file of head chunks. */
#include "metrics/tsdb/twal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool series(void *ctx, uint64_t ref, Labels labels) {
    (void)ctx;
    (void)ref;
    for (size_t i = 1; i < labels.n; i++) ASSERT(str_cmp(labels.v[i - 1].name, labels.v[i].name) < 0);
    return true;
}

static bool sample(void *ctx, uint64_t ref, int64_t t, int64_t start, double v) {
    (void)ctx;
    (void)ref;
    (void)t;
    (void)start;
    (void)v;
    return true;
}

static bool histogram(void *ctx, uint64_t ref, int64_t t, int64_t start, const Histogram *h) {
    (void)ref;
    (void)t;
    (void)start;
    ASSERT(h->n_pos == 0 || h->pos);
    return histogram_copy(ctx, h) != NULL;
}

static bool exemplar(void *ctx, uint64_t ref, const Exemplar *e) {
    (void)ctx;
    (void)ref;
    (void)e;
    return true;
}

static bool metadata(void *ctx, uint64_t ref, const MetricMetadata *m) {
    (void)ctx;
    (void)ref;
    return m->type <= METRIC_STATESET;
}

static bool tombstone(void *ctx, const Interval *i) {
    (void)ctx;
    (void)i;
    return true;
}

static ErrCode record(void *ctx, Str r, Err *reterr) {
    (void)ctx;
    (void)reterr;
    Arena *arena = arena_create((size_t)16 << 20);
    WalHandler h = {series, sample, histogram, exemplar, metadata, tombstone, arena};
    bool stopped;
    (void)wal_record_decode(r, arena, &h, &stopped, NULL);
    arena_free(arena);
    return OK;
}

static bool chunk(void *ctx, const HeadChunk *c) {
    size_t *size = ctx;
    ASSERT(c->data.n <= *size);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str in = str_of((const char *)data, size);
    TsdbProblems problems = {0};
    (void)wal_segment_read(in, size % 2, record, NULL, &problems, NULL);
    (void)record(NULL, in, NULL);
    (void)head_chunks_read(in, chunk, &size, NULL);
    return 0;
}
