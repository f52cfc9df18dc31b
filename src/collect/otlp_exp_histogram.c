/* otlp_exp_histogram.c - exponential histograms as Prometheus' native histograms.
 *
 * OTLP bucket i covers (base^(offset+i), base^(offset+i+1)], base = 2^(2^-scale). Prometheus' index names the upper
 * bound, so it is one higher. Scales above 8 are merged down; below -4 there is no native schema and the point is
 * refused. */
#include "collect/otlp_metrics_int.h"

#include <math.h>

#define FLAG_NO_RECORDED_VALUE 1u
#define OFFSET_LIMIT (1 << 30)
#define DELTA_SCALE_MAX 60

/* Of one point, as they came. */
typedef struct ExpBuckets {
    int32_t offset;
    AVEC(double) counts;
} ExpBuckets;

typedef struct ExpPoint {
    int64_t scale;
    double count, sum, zero_count, zero_threshold;
    ExpBuckets pos, neg;
} ExpPoint;

/* Buckets{offset = 1 (sint32), bucket_counts = 2} */
static bool take_buckets(MetricDecoder *d, Str message, ExpBuckets *b) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    uint64_t v;
    *b = (ExpBuckets){0};
    while (proto_next(&p, &f)) {
        if (f.number == 1) b->offset = (int32_t)proto_s64(&f);
        if (f.number != 2) continue;
        if (f.wire != PROTO_BYTES && !avec_push(d->r.arena, &b->counts, (double)f.u64)) return otlp_full(&d->r);
        if (f.wire != PROTO_BYTES) continue;
        ProtoReader counts = proto_reader(f.bytes);
        while (proto_packed_varint(&counts, &v))
            if (!avec_push(d->r.arena, &b->counts, (double)v)) return otlp_full(&d->r);
        if (!otlp_end(&d->r, &counts)) return false;
    }
    if (b->offset > OFFSET_LIMIT || b->offset < -OFFSET_LIMIT)
        otlp_problem(&d->r, "an exponential histogram's offset is absurd");
    return otlp_end(&d->r, &p);
}

static bool point_field(MetricDecoder *d, const ProtoField *f, OtlpPoint *p, ExpPoint *h, int64_t *time_ns) {
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
static bool native_side(MetricDecoder *d, const ExpBuckets *b, int downscale, const HistogramSpan **ret_spans,
    uint32_t *ret_n_spans, const double **ret_counts, uint32_t *ret_n) {
    AVEC(HistogramSpan) spans = {0};
    AVEC(double) counts = {0};
    int32_t next = 0; /* index behind the last bucket written */
    for (uint32_t i = 0; i < b->counts.n; i++) {
        if (b->counts.v[i] == 0) continue;
        int32_t index = ((b->offset + (int32_t)i) >> downscale) + 1;
        if (counts.n > 0 && index == next - 1) {
            counts.v[counts.n - 1] += b->counts.v[i];
            continue;
        }
        bool adjacent = spans.n > 0 && index == next;
        if (!adjacent && !avec_push(d->r.arena, &spans, (HistogramSpan){.offset = spans.n ? index - next : index}))
            return otlp_full(&d->r);
        spans.v[spans.n - 1].length++;
        if (!avec_push(d->r.arena, &counts, b->counts.v[i])) return otlp_full(&d->r);
        next = index + 1;
    }
    *ret_spans = spans.v;
    *ret_n_spans = (uint32_t)spans.n;
    *ret_counts = counts.v;
    *ret_n = (uint32_t)counts.n;
    return true;
}

static bool emit_native(MetricDecoder *d, OtlpPoint *p, const ExpPoint *h) {
    int downscale = h->scale > HISTOGRAM_SCHEMA_MAX ? (int)h->scale - HISTOGRAM_SCHEMA_MAX : 0;
    Histogram out = {.schema = (int8_t)(h->scale - downscale),
        .count = h->count,
        .sum = p->no_value ? stale_nan() : h->sum,
        .zero_count = h->zero_count,
        .zero_threshold = h->zero_threshold > 0 ? h->zero_threshold : 1e-128};
    downscale = MIN(downscale, 31); /* nothing but the sign of an index is left then */
    if (!native_side(d, &h->pos, downscale, &out.pos_spans, &out.n_pos_spans, &out.pos, &out.n_pos)) return false;
    if (!native_side(d, &h->neg, downscale, &out.neg_spans, &out.n_neg_spans, &out.neg, &out.n_neg)) return false;
    return otlp_emit_histogram(d, p, &out);
}

static bool delta_side(MetricDecoder *d, const ExpBuckets *from, DeltaBuckets *to) {
    if (from->counts.n > DELTA_BUCKETS_MAX) {
        otlp_problem(&d->r, "an exponential histogram's delta has more than 512 buckets on one side");
        return false;
    }
    to->offset = from->offset;
    to->n = (uint32_t)from->counts.n;
    if (to->n) memcpy(to->count, from->counts.v, to->n * sizeof *to->count);
    return true;
}

static bool sum_side(MetricDecoder *d, const DeltaBuckets *from, ExpBuckets *to) {
    *to = (ExpBuckets){.offset = from->offset};
    for (uint32_t i = 0; i < from->n; i++)
        if (!avec_push(d->r.arena, &to->counts, from->count[i])) return otlp_full(&d->r);
    return true;
}

static bool sum_up_as(MetricDecoder *d, OtlpPoint *p, ExpPoint *h, uint64_t key, DeltaHistogram *sum) {
    *sum = (DeltaHistogram){.scale = (int)h->scale,
        .count = h->count,
        .sum = h->sum,
        .zero_count = h->zero_count,
        .zero_threshold = h->zero_threshold};
    if (h->scale > DELTA_SCALE_MAX) {
        otlp_problem(&d->r, "an exponential histogram's scale is absurd");
        return true;
    }
    if (!delta_side(d, &h->pos, &sum->pos) || !delta_side(d, &h->neg, &sum->neg)) return true;
    if (!otlp_deltas_add_histogram(d->deltas, key, p->t_ms, sum, &p->start_ms)) {
        otlp_problem(&d->r, "a delta point is older than the one before it");
        return true;
    }
    if (sum->scale < HISTOGRAM_SCHEMA_MIN)
        otlp_problem(&d->r, "the sum of an exponential histogram's deltas spans too wide a range");
    h->scale = sum->scale;
    h->count = sum->count;
    h->sum = sum->sum;
    h->zero_count = sum->zero_count;
    h->zero_threshold = sum->zero_threshold;
    return sum_side(d, &sum->pos, &h->pos) && sum_side(d, &sum->neg, &h->neg);
}

/* Delta points are summed in OTLP's own form, keyed by the series. */
static bool sum_up(MetricDecoder *d, OtlpPoint *p, ExpPoint *h) {
    Labels labels;
    uint64_t raw_hash;
    if (!otlp_series_labels(d, p, OTLP_AS_IS, (Label){0}, &labels, &raw_hash)) return false;
    DeltaHistogram *sum = NEW(DeltaHistogram); /* 8 KiB: too much for a stack that decodes foreign bytes */
    bool ok = sum_up_as(d, p, h, labels_hash(labels), sum);
    mem_free(sum);
    return ok;
}

/* ExponentialHistogramDataPoint{attributes = 1, start_time = 2, time = 3, count = 4, sum = 5, scale = 6, zero_count =
 * 7, positive = 8, negative = 9, flags = 10, exemplars = 11, zero_threshold = 14} */
bool otlp_exp_histogram_point(MetricDecoder *d, Str message) {
    ProtoReader r = proto_reader(message);
    ProtoField f;
    OtlpPoint p = {.wire_first = d->wire.n, .first_exemplar = (uint32_t)d->batch->exemplars.n};
    ExpPoint h = {0};
    int64_t time_ns = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1 && !otlp_key_value(&d->r, f.bytes, p.wire_first)) return false;
    }
    if (!otlp_end(&d->r, &r)) return false;
    r = proto_reader(message);
    while (proto_next(&r, &f)) {
        if (f.number != 1 && !point_field(d, &f, &p, &h, &time_ns)) return false;
    }
    if (h.scale < HISTOGRAM_SCHEMA_MIN)
        otlp_problem(&d->r, "cannot convert exponential to native histogram. Scale must be >= %d, was %lld",
            HISTOGRAM_SCHEMA_MIN, (long long)h.scale);
    if (!otlp_point_labels(d, &p, time_ns)) return false;
    if (d->r.problem) return true;
    if (d->metric.is_delta && !p.no_value && !sum_up(d, &p, &h)) return false;
    return d->r.problem ? true : emit_native(d, &p, &h);
}
