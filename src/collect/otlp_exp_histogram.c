/* otlp_exp_histogram.c - exponential histograms as Prometheus' native histograms.
 *
 * OTLP bucket i covers (base^(offset+i), base^(offset+i+1)], base = 2^(2^-scale). Prometheus' index names the upper
 * bound, so it is one higher. Scales above 8 are merged down; below -4 there is no native schema and the point is
 * refused. */
#include "collect/otlp_metrics_int.h"

#include <math.h>

#define FLAG_NO_RECORDED_VALUE 1u
#define OFFSET_LIMIT (1 << 30)

/* Buckets{offset = 1 (sint32), bucket_counts = 2} */
static bool take_buckets(MetricDecoder *d, Str message, DeltaBuckets *b) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    uint64_t v;
    *b = (DeltaBuckets){0};
    while (proto_next(&p, &f)) {
        if (f.number == 1) b->offset = (int32_t)proto_s64(&f);
        if (f.number != 2) continue;
        bool packed = f.wire == PROTO_BYTES;
        ProtoReader counts = proto_reader(f.bytes);
        while (packed ? proto_packed_varint(&counts, &v) : b->n < DELTA_BUCKETS_MAX) {
            if (b->n == DELTA_BUCKETS_MAX) {
                d->r.problem = "an exponential histogram has more than 512 buckets on one side";
                return true;
            }
            b->count[b->n++] = (double)(packed ? v : f.u64);
            if (!packed) break;
        }
        if (packed && !otlp_end(&d->r, &counts)) return false;
    }
    if (b->offset > OFFSET_LIMIT || b->offset < -OFFSET_LIMIT)
        d->r.problem = "an exponential histogram's offset is absurd";
    return otlp_end(&d->r, &p);
}

static bool point_field(MetricDecoder *d, const ProtoField *f, OtlpPoint *p, DeltaHistogram *h, int64_t *time_ns) {
    switch (f->number) {
    case 2: p->start_ms = otlp_start_ms(f); return true;
    case 3: *time_ns = proto_i64(f); return true;
    case 4: h->count = (double)f->u64; return true;
    case 5: h->sum = proto_f64(f); return true;
    case 6: h->scale = (int32_t)proto_s64(f); return true;
    case 7: h->zero_count = (double)f->u64; return true;
    case 8: return take_buckets(d, f->bytes, &h->pos);
    case 9: return take_buckets(d, f->bytes, &h->neg);
    case 10: p->no_value = (f->u64 & FLAG_NO_RECORDED_VALUE) != 0; return true;
    case 11: return otlp_exemplar(d, f->bytes);
    case 14: h->zero_threshold = proto_f64(f); return true;
    default: return true;
    }
}

/* Native buckets of one side: runs of the dense OTLP buckets, empty ones left out as spans' gaps. */
static bool native_side(MetricDecoder *d, const DeltaBuckets *b, int downscale, const HistogramSpan **ret_spans,
    uint32_t *ret_n_spans, const double **ret_counts, uint32_t *ret_n) {
    AVEC(HistogramSpan) spans = {0};
    AVEC(double) counts = {0};
    int32_t next = 0; /* index behind the last bucket written */
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->count[i] == 0) continue;
        int32_t index = ((b->offset + (int32_t)i) >> downscale) + 1;
        if (counts.n > 0 && index == next - 1) {
            counts.v[counts.n - 1] += b->count[i];
            continue;
        }
        bool adjacent = spans.n > 0 && index == next;
        if (!adjacent && !avec_push(d->r.arena, &spans, (HistogramSpan){.offset = spans.n ? index - next : index}))
            return otlp_full(&d->r);
        spans.v[spans.n - 1].length++;
        if (!avec_push(d->r.arena, &counts, b->count[i])) return otlp_full(&d->r);
        next = index + 1;
    }
    *ret_spans = spans.v;
    *ret_n_spans = (uint32_t)spans.n;
    *ret_counts = counts.v;
    *ret_n = (uint32_t)counts.n;
    return true;
}

static bool emit_native(MetricDecoder *d, OtlpPoint *p, const DeltaHistogram *h) {
    Labels labels;
    uint64_t raw_hash;
    if (!otlp_series_labels(d, p, OTLP_AS_IS, (Label){0}, &labels, &raw_hash)) return false;
    int downscale = h->scale > HISTOGRAM_SCHEMA_MAX ? h->scale - HISTOGRAM_SCHEMA_MAX : 0;
    if (downscale > 31) {
        d->r.problem = "an exponential histogram's scale is absurd";
        return true;
    }
    Histogram out = {.schema = (int8_t)(h->scale - downscale),
        .count = h->count,
        .sum = p->no_value ? stale_nan() : h->sum,
        .zero_count = h->zero_count,
        .zero_threshold = h->zero_threshold > 0 ? h->zero_threshold : 1e-128};
    if (!native_side(d, &h->pos, downscale, &out.pos_spans, &out.n_pos_spans, &out.pos, &out.n_pos)) return false;
    if (!native_side(d, &h->neg, downscale, &out.neg_spans, &out.n_neg_spans, &out.neg, &out.n_neg)) return false;
    BatchSeries s = {.labels = labels,
        .raw_hash = raw_hash,
        .first_histogram = (uint32_t)d->batch->histograms.n,
        .n_histograms = 1,
        .first_exemplar = p->first_exemplar,
        .n_exemplars = (uint32_t)d->batch->exemplars.n - p->first_exemplar};
    bool ok = avec_push(d->r.arena, &d->batch->histogram_t_ms, p->t_ms) &&
              avec_push(d->r.arena, &d->batch->histograms, out) && avec_push(d->r.arena, &d->batch->series, s) &&
              metrics_batch_set_histogram_start(d->batch, p->start_ms);
    return ok ? true : otlp_full(&d->r);
}

/* Delta points are summed in OTLP's own form, keyed by the series. */
static bool sum_up(MetricDecoder *d, OtlpPoint *p, DeltaHistogram *h) {
    Labels labels;
    uint64_t raw_hash;
    if (!otlp_series_labels(d, p, OTLP_AS_IS, (Label){0}, &labels, &raw_hash)) return false;
    if (!otlp_deltas_add_histogram(d->deltas, labels_hash(labels), p->t_ms, h, &p->start_ms))
        d->r.problem = "a delta point is older than the one before it";
    return true;
}

/* ExponentialHistogramDataPoint{attributes = 1, start_time = 2, time = 3, count = 4, sum = 5, scale = 6, zero_count =
 * 7, positive = 8, negative = 9, flags = 10, exemplars = 11, zero_threshold = 14} */
static bool decode_point(MetricDecoder *d, Str message, DeltaHistogram *h) {
    ProtoReader r = proto_reader(message);
    ProtoField f;
    OtlpPoint p = {.wire_first = d->wire.n, .first_exemplar = (uint32_t)d->batch->exemplars.n};
    int64_t time_ns = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1 && !otlp_key_value(&d->r, f.bytes, p.wire_first)) return false;
    }
    if (!otlp_end(&d->r, &r)) return false;
    r = proto_reader(message);
    while (proto_next(&r, &f)) {
        if (f.number != 1 && !point_field(d, &f, &p, h, &time_ns)) return false;
    }
    if (!otlp_point_labels(d, &p, time_ns)) return false;
    if (h->scale < HISTOGRAM_SCHEMA_MIN)
        d->r.problem = "an exponential histogram's scale is below -4, which native histograms cannot express";
    if (h->scale > 60) d->r.problem = "an exponential histogram's scale is absurd";
    if (d->r.problem) return true;
    if (d->metric.is_delta && !p.no_value && !sum_up(d, &p, h)) return false;
    if (h->scale < HISTOGRAM_SCHEMA_MIN && !d->r.problem)
        d->r.problem = "the sum of an exponential histogram's deltas spans too wide a range";
    return d->r.problem ? true : emit_native(d, &p, h);
}

bool otlp_exp_histogram_point(MetricDecoder *d, Str message) {
    DeltaHistogram *h = NEW(DeltaHistogram); /* 8 KiB: too much for a stack that decodes foreign bytes */
    bool ok = decode_point(d, message, h);
    mem_free(h);
    return ok;
}
