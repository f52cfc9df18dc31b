/* The input as a remote read request; and as series, written as an answer and read again. */
#include "metrics/api/remote_read.h"
#include "metrics/api/remote_write.h"

#include "codec/proto.h"

/* One result: all series as an answer has them. */
static void put_answer(Buf *out, const MetricsBatch *b) {
    size_t result = proto_begin(out, 1);
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *s = &b->series.v[i];
        SeriesColumn c = {.labels = s->labels, .n = s->n_samples, .n_histograms = s->n_histograms};
        if (c.n) {
            c.t_ms = b->t_ms.v + s->first_sample;
            c.value = b->value.v + s->first_sample;
        }
        if (c.n_histograms) {
            c.histogram_t_ms = b->histogram_t_ms.v + s->first_histogram;
            c.histograms = b->histograms.v + s->first_histogram;
        }
        remote_read_put_series(out, &c, (Labels){0});
    }
    proto_end(out, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create((size_t)16 << 20);
    Str body = str_of((const char *)data, size);
    RemoteReadRequest request;
    Err err = {0};
    remote_read_decode(body, (Labels){0}, arena, &request, &err);

    MetricsBatch first = {.arena = arena}, second = {.arena = arena};
    uint64_t skipped;
    if (remote_write_decode(body, REMOTE_WRITE_1, &first, &skipped, &err) == OK) {
        Buf out = {0};
        ProtoField f;
        put_answer(&out, &first);
        ProtoReader r = proto_reader(buf_str(&out));
        ASSERT(proto_next(&r, &f) && f.number == 1 && f.wire == PROTO_BYTES);
        if (remote_write_decode(f.bytes, REMOTE_WRITE_1, &second, &skipped, &err) == OK) {
            ASSERT(second.series.n == first.series.n && second.t_ms.n == first.t_ms.n);
            ASSERT(second.histograms.n == first.histograms.n);
        }
        buf_done(&out);
    }
    arena_free(arena);
    return 0;
}
