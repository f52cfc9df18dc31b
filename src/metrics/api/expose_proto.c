/* expose_proto.c - one io.prometheus.client.MetricFamily, preceded by its length. */
#include "metrics/api/expose.h"

#include "codec/proto.h"

enum { TYPE_UNTYPED = 3, TYPE_HISTOGRAM = 4, TYPE_GAUGE_HISTOGRAM = 5 };

static void put_label(Buf *out, ExposeEscaping escaping, Str name, Str value) {
    Buf escaped = {0};
    expose_put_name(&escaped, escaping, name);
    size_t mark = proto_begin(out, 1);
    proto_put_bytes(out, 1, buf_str(&escaped));
    proto_put_bytes(out, 2, value);
    proto_end(out, mark);
    buf_done(&escaped);
}

static void put_labels(Buf *out, const ExposeFormat *f, Labels l, Labels extra) {
    for (size_t i = 0; i < l.n; i++)
        if (!str_eq(l.v[i].name, LABEL_NAME_METRIC)) put_label(out, f->escaping, l.v[i].name, l.v[i].value);
    for (size_t i = 0; i < extra.n; i++)
        if (labels_get(l, extra.v[i].name).n == 0) put_label(out, f->escaping, extra.v[i].name, extra.v[i].value);
}

static void put_spans(Buf *out, uint32_t number, const HistogramSpan *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t mark = proto_begin(out, number);
        proto_put_sint(out, 1, v[i].offset);
        proto_put_varint(out, 2, v[i].length);
        proto_end(out, mark);
    }
}

static void put_native(Buf *out, const Histogram *h) {
    proto_put_f64(out, 4, h->count);
    proto_put_f64(out, 2, h->sum);
    proto_put_sint(out, 5, h->schema);
    proto_put_f64(out, 6, h->zero_threshold);
    proto_put_f64(out, 8, h->zero_count);
    put_spans(out, 9, h->neg_spans, h->n_neg_spans);
    for (uint32_t i = 0; i < h->n_neg; i++) proto_put_f64(out, 11, h->neg[i]);
    put_spans(out, 12, h->pos_spans, h->n_pos_spans);
    for (uint32_t i = 0; i < h->n_pos; i++) proto_put_f64(out, 14, h->pos[i]);
}

static void put_bucket(Buf *out, double bound, double count) {
    size_t mark = proto_begin(out, 3);
    proto_put_f64(out, 4, count);
    proto_put_f64(out, 2, bound);
    proto_end(out, mark);
}

/* Custom buckets, cumulative, without the one for +Inf, which is optional here. */
static void put_classic(Buf *out, const Histogram *h) {
    double sum = 0;
    uint32_t at = 0, next = 0;
    proto_put_f64(out, 4, h->count);
    proto_put_f64(out, 2, h->sum);
    for (uint32_t i = 0; i < h->n_pos_spans; i++) {
        for (int64_t gap = h->pos_spans[i].offset; gap > 0 && at < h->n_custom_bounds; gap--, at++)
            put_bucket(out, h->custom_bounds[at], sum);
        for (uint32_t k = 0; k < h->pos_spans[i].length && next < h->n_pos; k++, at++) {
            sum += h->pos[next++];
            if (at < h->n_custom_bounds) put_bucket(out, h->custom_bounds[at], sum);
        }
    }
    for (; at < h->n_custom_bounds; at++) put_bucket(out, h->custom_bounds[at], sum);
}

static void put_metric(Buf *out, const ExposeFormat *f, const ExposeSample *s, Labels extra) {
    size_t metric = proto_begin(out, 4), inner;
    put_labels(out, f, s->labels, extra);
    if (!s->histogram) {
        inner = proto_begin(out, 5);
        proto_put_f64(out, 1, s->value);
    } else {
        inner = proto_begin(out, 7);
        if (s->histogram->schema == HISTOGRAM_SCHEMA_CUSTOM)
            put_classic(out, s->histogram);
        else
            put_native(out, s->histogram);
    }
    proto_end(out, inner);
    proto_put_varint(out, 6, (uint64_t)s->t_ms);
    proto_end(out, metric);
}

void expose_put_proto(Buf *out, const ExposeFormat *f, const ExposeSample *v, size_t n, Labels extra) {
    Buf message = {0}, name = {0};
    bool gauge = v->histogram && v->histogram->reset == HISTOGRAM_RESET_GAUGE;
    expose_put_name(&name, f->escaping, labels_get(v->labels, LABEL_NAME_METRIC));
    proto_put_bytes(&message, 1, buf_str(&name));
    proto_put_varint(&message, 3, !v->histogram ? TYPE_UNTYPED : gauge ? TYPE_GAUGE_HISTOGRAM : TYPE_HISTOGRAM);
    for (size_t i = 0; i < n; i++) put_metric(&message, f, &v[i], extra);
    buf_put_uvarint(out, message.n);
    buf_put_str(out, buf_str(&message));
    buf_done(&message);
    buf_done(&name);
}
