/* write_request.c - a batch as the body of a remote write. */
#include "cmd/write_request.h"

#include "codec/proto.h"
#include "metrics/api/remote_read.h"

static void put_exemplars(Buf *out, const MetricsBatch *b, const BatchSeries *s) {
    size_t series = proto_begin(out, 1);
    for (size_t i = 0; i < s->labels.n; i++) {
        size_t mark = proto_begin(out, 1);
        proto_put_bytes(out, 1, s->labels.v[i].name);
        proto_put_bytes(out, 2, s->labels.v[i].value);
        proto_end(out, mark);
    }
    for (uint32_t i = 0; i < s->n_exemplars; i++) {
        const Exemplar *e = &b->exemplars.v[s->first_exemplar + i];
        size_t mark = proto_begin(out, 3);
        for (size_t k = 0; k < e->labels.n; k++) {
            size_t label = proto_begin(out, 1);
            proto_put_bytes(out, 1, e->labels.v[k].name);
            proto_put_bytes(out, 2, e->labels.v[k].value);
            proto_end(out, label);
        }
        proto_put_f64(out, 2, e->value);
        proto_put_varint(out, 3, (uint64_t)e->t_ms);
        proto_end(out, mark);
    }
    proto_end(out, series);
}

static void put_metadata(Buf *out, const MetricMetadata *m) {
    size_t mark = proto_begin(out, 3);
    proto_put_varint(out, 1, (uint64_t)m->type);
    proto_put_bytes(out, 2, m->metric);
    proto_put_bytes(out, 4, m->help);
    proto_put_bytes(out, 5, m->unit);
    proto_end(out, mark);
}

/* Its series have the form of those in an answer to remote read. */
void write_request_encode(const MetricsBatch *b, Buf *out) {
    vec_foreach(const BatchSeries, s, &b->series) {
        SeriesColumn c = {.labels = s->labels,
            .n = s->n_samples,
            .t_ms = b->t_ms.v + s->first_sample,
            .value = b->value.v + s->first_sample,
            .n_histograms = s->n_histograms,
            .histogram_t_ms = b->histogram_t_ms.v + s->first_histogram,
            .histograms = b->histograms.v + s->first_histogram};
        if (c.n + c.n_histograms) remote_read_put_series(out, &c, (Labels){0});
        if (s->n_exemplars) put_exemplars(out, b, s);
    }
    vec_foreach(const MetricMetadata, m, &b->metadata) put_metadata(out, m);
}
