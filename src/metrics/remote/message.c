#include "metrics/remote/message.h"

#include "codec/proto.h"
#include "metrics/api/remote_read.h"

static uint64_t symbol(RemoteMessage *m, Str text) {
    bool is_new;
    if (!m->symbol_ids) {
        m->symbol_ids = map_create(MAP_BORROW_KEYS);
        proto_put_bytes(&m->symbols, 4, STR("")); /* number 0 is the empty one */
        *map_put(m->symbol_ids, STR(""), NULL) = 0;
    }
    uint64_t *id = map_put(m->symbol_ids, text, &is_new);
    if (is_new) {
        *id = map_count(m->symbol_ids) - 1;
        proto_put_bytes(&m->symbols, 4, text);
    }
    return *id;
}

static void put_refs(RemoteMessage *m, Labels l) {
    buf_clear(&m->refs);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_uvarint(&m->refs, symbol(m, l.v[i].name));
        buf_put_uvarint(&m->refs, symbol(m, l.v[i].value));
    }
    proto_put_bytes(&m->series, 1, buf_str(&m->refs));
}

static void put_labels(RemoteMessage *m, Labels l) {
    if (m->version_2)
        put_refs(m, l);
    else
        remote_read_put_labels(&m->series, l, (Labels){0});
}

static void put_exemplar(RemoteMessage *m, const Exemplar *e) {
    size_t mark = proto_begin(&m->series, m->version_2 ? 4 : 3);
    put_labels(m, e->labels);
    proto_put_f64(&m->series, 2, e->value);
    proto_put_varint(&m->series, 3, (uint64_t)e->t_ms);
    proto_end(&m->series, mark);
}

static void put_metadata_refs(RemoteMessage *m, const MetricMetadata *d) {
    size_t mark = proto_begin(&m->series, 5);
    if (d->type) proto_put_varint(&m->series, 1, d->type);
    if (d->help.n) proto_put_varint(&m->series, 3, symbol(m, d->help));
    if (d->unit.n) proto_put_varint(&m->series, 4, symbol(m, d->unit));
    proto_end(&m->series, mark);
}

void remote_message_put(RemoteMessage *m, const RemoteSeries *s) {
    size_t mark = proto_begin(&m->series, m->version_2 ? 5 : 1);
    put_labels(m, s->labels);
    const int64_t *start = m->version_2 ? s->start_ms : NULL;
    const int64_t *histogram_start = m->version_2 ? s->histogram_start_ms : NULL;
    for (size_t k = 0; k < s->n; k++) remote_read_put_sample(&m->series, s->t_ms[k], s->value[k], start ? start[k] : 0);
    for (size_t k = 0; k < s->n_histograms; k++)
        remote_read_put_histogram(&m->series, m->version_2 ? 3 : 4, s->histogram_t_ms[k], &s->histograms[k],
            histogram_start ? histogram_start[k] : 0);
    for (size_t k = 0; k < s->n_exemplars; k++) put_exemplar(m, &s->exemplars[k]);
    if (m->version_2 && s->metadata) put_metadata_refs(m, s->metadata);
    proto_end(&m->series, mark);
    m->samples += s->n;
    m->histograms += s->n_histograms;
    m->exemplars += s->n_exemplars;
}

void remote_message_put_metadata(RemoteMessage *m, const MetricMetadata *d) {
    size_t mark = proto_begin(&m->series, 3);
    if (d->type) proto_put_varint(&m->series, 1, d->type);
    proto_put_bytes(&m->series, 2, d->metric);
    proto_put_bytes(&m->series, 4, d->help);
    if (d->unit.n) proto_put_bytes(&m->series, 5, d->unit);
    proto_end(&m->series, mark);
    m->metadata++;
}

void remote_message_finish(RemoteMessage *m, Buf *out) {
    buf_reserve(out, m->symbols.n + m->series.n);
    buf_put_str(out, buf_str(&m->symbols));
    buf_put_str(out, buf_str(&m->series));
}

void remote_message_done(RemoteMessage *m) {
    buf_done(&m->series);
    buf_done(&m->symbols);
    buf_done(&m->refs);
    m->symbol_ids = map_free(m->symbol_ids);
    *m = (RemoteMessage){.version_2 = m->version_2};
}
