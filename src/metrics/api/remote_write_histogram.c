#include "metrics/api/remote_write_int.h"

typedef AVEC(HistogramSpan) Spans;

typedef struct RawHistogram {
    Histogram h;
    int32_t schema;
    int64_t t_ms, start_ms;
    RwVarints pos_deltas, neg_deltas;
    RwDoubles pos, neg, bounds;
    Spans pos_spans, neg_spans;
} RawHistogram;

static bool read_span(RwDecoder *d, Str bytes, Spans *out) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    HistogramSpan span = {0};
    while (proto_next(&r, &f)) {
        if (f.number == 1) span.offset = (int32_t)proto_s64(&f);
        if (f.number == 2) span.length = (uint32_t)f.u64;
    }
    return rw_check(d, &r) && (avec_push(d->arena, out, span) || rw_no_memory(d));
}

static bool read_histogram_field(RwDecoder *d, const ProtoField *f, RawHistogram *raw) {
    Histogram *h = &raw->h;
    switch (f->number) {
    case 1: h->count = (double)f->u64; return true;
    case 2:
        h->count = proto_f64(f);
        h->is_float = true;
        return true;
    case 3: h->sum = proto_f64(f); return true;
    case 4: raw->schema = (int32_t)proto_s64(f); return true;
    case 5: h->zero_threshold = proto_f64(f); return true;
    case 6: h->zero_count = (double)f->u64; return true;
    case 7: h->zero_count = proto_f64(f); return true;
    case 8: return read_span(d, f->bytes, &raw->neg_spans);
    case 9: return rw_put_varints(d, f, &raw->neg_deltas);
    case 10: return rw_put_f64s(d, f, &raw->neg);
    case 11: return read_span(d, f->bytes, &raw->pos_spans);
    case 12: return rw_put_varints(d, f, &raw->pos_deltas);
    case 13: return rw_put_f64s(d, f, &raw->pos);
    case 14: /* "no reset" is about the sender's sample before, which may not have come: it is found out again */
        h->reset = f->u64 == HISTOGRAM_RESET_YES || f->u64 == HISTOGRAM_RESET_GAUGE ? (uint8_t)f->u64
                                                                                    : HISTOGRAM_RESET_UNKNOWN;
        return true;
    case 15: raw->t_ms = proto_i64(f); return true;
    case 16: return rw_put_f64s(d, f, &raw->bounds);
    case 17: raw->start_ms = d->version == REMOTE_WRITE_2 ? proto_i64(f) : 0; return true;
    default: return true;
    }
}

/* Integer histograms write each bucket as the difference to the one before. */
static bool undelta(RwDecoder *d, const RwVarints *deltas, RwDoubles *out) {
    int64_t v = 0;
    for (size_t i = 0; i < deltas->n; i++) {
        uint64_t z = deltas->v[i];
        v = (int64_t)((uint64_t)v + (uint64_t)((int64_t)(z >> 1) ^ -(int64_t)(z & 1)));
        if (!avec_push(d->arena, out, (double)v)) return rw_no_memory(d);
    }
    return true;
}

bool rw_read_histogram(RwDecoder *d, Str bytes, BatchSeries *s) {
    RawHistogram raw = {0};
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (proto_next(&r, &f))
        if (!read_histogram_field(d, &f, &raw)) return false;
    if (!rw_check(d, &r) || !undelta(d, &raw.pos_deltas, &raw.pos) || !undelta(d, &raw.neg_deltas, &raw.neg))
        return false;
    Histogram *h = &raw.h;
    h->schema = (int8_t)raw.schema;
    h->pos_spans = raw.pos_spans.v;
    h->neg_spans = raw.neg_spans.v;
    h->n_pos_spans = (uint32_t)raw.pos_spans.n;
    h->n_neg_spans = (uint32_t)raw.neg_spans.n;
    h->pos = raw.pos.v;
    h->neg = raw.neg.v;
    h->n_pos = (uint32_t)raw.pos.n;
    h->n_neg = (uint32_t)raw.neg.n;
    h->custom_bounds = raw.bounds.v;
    h->n_custom_bounds = (uint32_t)raw.bounds.n;
    Err err = {0};
    ErrCode code = histogram_check_schema(raw.schema, &err);
    if (code == OK) code = histogram_fit_schema(h, d->arena, &err);
    if (code == ERR_TOO_LARGE) return rw_no_memory(d);
    if (code != OK || histogram_check(h, &err) != OK) return rw_refuse(d, "%s", err.msg);
    if (!avec_push(d->arena, &d->batch->histograms, *h) || !avec_push(d->arena, &d->batch->histogram_t_ms, raw.t_ms))
        return rw_no_memory(d);
    if (!metrics_batch_set_histogram_start(d->batch, raw.start_ms)) return rw_no_memory(d);
    s->n_histograms++;
    return true;
}
