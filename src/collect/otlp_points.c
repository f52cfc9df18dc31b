/* otlp_points.c - the data point messages of gauges, sums, histograms and summaries. */
#include "base/num.h"
#include "collect/otlp_metrics_int.h"

#include <math.h>
#include <stdlib.h>

#define FLAG_NO_RECORDED_VALUE 1u

/* NumberDataPoint{attributes = 7, start_time = 2, time = 3, as_double = 4, exemplars = 5, as_int = 6, flags = 8} */
bool otlp_number_point(MetricDecoder *d, Str message) {
    ProtoReader r = proto_reader(message);
    ProtoField f;
    OtlpPoint p = {.wire_first = d->wire.n, .first_exemplar = (uint32_t)d->batch->exemplars.n};
    int64_t time_ns = 0;
    double value = 0;
    bool has_exemplars = false;
    while (proto_next(&r, &f)) {
        switch (f.number) {
        case 2: p.start_ms = otlp_start_ms(&f); break;
        case 3: time_ns = proto_i64(&f); break;
        case 4: value = proto_f64(&f); break;
        case 6: value = (double)proto_i64(&f); break;
        case 5: has_exemplars = true; break;
        case 7:
            if (!otlp_key_value(&d->r, f.bytes, p.wire_first)) return false;
            break;
        case 8: p.no_value = (f.u64 & FLAG_NO_RECORDED_VALUE) != 0; break;
        default: break;
        }
    }
    if (!otlp_end(&d->r, &r) || !otlp_point_labels(d, &p, time_ns)) return false;
    if (has_exemplars) {
        r = proto_reader(message);
        while (proto_next(&r, &f)) {
            if (f.number == 5 && !otlp_exemplar(d, f.bytes)) return false;
        }
    }
    if (d->r.problem) return true;
    return otlp_emit(
        d, &p, OTLP_AS_IS, (Label){0}, value, p.first_exemplar, (uint32_t)d->batch->exemplars.n - p.first_exemplar);
}

/* --- explicit histograms --- */

typedef struct ExplicitBuckets {
    AVEC(uint64_t) counts;
    AVEC(double) bounds;
    uint64_t count;
    double sum;
    bool has_sum;
} ExplicitBuckets;

/* bucket_counts and explicit_bounds: packed, or one by one. */
static bool take_count(MetricDecoder *d, ExplicitBuckets *b, const ProtoField *f) {
    if (f->wire == PROTO_FIXED64) return avec_push(d->r.arena, &b->counts, f->u64) ? true : otlp_full(&d->r);
    ProtoReader packed = proto_reader(f->bytes);
    uint64_t v = 0;
    if (!avec_reserve(d->r.arena, &b->counts, f->bytes.n / 8)) return otlp_full(&d->r);
    while (proto_packed_fixed64(&packed, &v)) {
        if (!avec_push(d->r.arena, &b->counts, v)) return otlp_full(&d->r);
    }
    return otlp_end(&d->r, &packed);
}

static bool take_bound(MetricDecoder *d, ExplicitBuckets *b, const ProtoField *f) {
    if (f->wire == PROTO_FIXED64) return avec_push(d->r.arena, &b->bounds, proto_f64(f)) ? true : otlp_full(&d->r);
    ProtoReader packed = proto_reader(f->bytes);
    ProtoField one = {0};
    if (!avec_reserve(d->r.arena, &b->bounds, f->bytes.n / 8)) return otlp_full(&d->r);
    while (proto_packed_fixed64(&packed, &one.u64)) {
        if (!avec_push(d->r.arena, &b->bounds, proto_f64(&one))) return otlp_full(&d->r);
    }
    return otlp_end(&d->r, &packed);
}

/* Bounds and quantiles from OTLP are written as plain decimals ("5", "0.25"), as Prometheus' translation does. */
static Str bound_text(MetricDecoder *d, double bound) {
    buf_clear(&d->r.scratch);
    num_put_f64_plain(&d->r.scratch, bound);
    return arena_copy(d->r.arena, buf_str(&d->r.scratch));
}

/* The same for bound i of a histogram, out of the cache where the last one had the same. */
static Str nth_bound_text(MetricDecoder *d, size_t i, double bound) {
    ASSERT(d->bounds.n == d->bound_texts.n);
    if (LIKELY(i < d->bounds.n && memcmp(&d->bounds.v[i], &bound, sizeof bound) == 0)) return d->bound_texts.v[i];
    Str text = bound_text(d, bound);
    if (!text.p) return text;
    d->bounds.n = d->bound_texts.n = MIN(i, d->bounds.n);
    if (i > d->bounds.n) return text;
    if (!avec_reserve(d->r.arena, &d->bounds, 1) || !avec_reserve(d->r.arena, &d->bound_texts, 1)) return STR_NULL;
    d->bounds.v[d->bounds.n++] = bound;
    d->bound_texts.v[d->bound_texts.n++] = text;
    return text;
}

static int by_value(const void *a, const void *b) {
    const Exemplar *x = a, *y = b;
    if (isnan(x->value) || isnan(y->value)) return isnan(x->value) - isnan(y->value);
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
}

/* How many of the exemplars, which are sorted, belong to the bucket with this bound. */
static uint32_t exemplars_up_to(const MetricDecoder *d, uint32_t from, double bound, bool last) {
    uint32_t to = from;
    while (to < d->batch->exemplars.n && (last || d->batch->exemplars.v[to].value <= bound)) to++;
    return to - from;
}

/* As many buckets as have a bound and a count; without either only +Inf, which has all, is known. */
static bool emit_buckets(MetricDecoder *d, OtlpPoint *p, const ExplicitBuckets *b) {
    uint64_t cumulative = 0;
    uint32_t exemplar = p->first_exemplar;
    size_t n_exemplars = d->batch->exemplars.n - exemplar, n_buckets = MIN(b->bounds.n, b->counts.n);
    if (n_exemplars > 1) qsort(d->batch->exemplars.v + exemplar, n_exemplars, sizeof(Exemplar), by_value);
    for (size_t i = 0; i < n_buckets; i++) {
        double bound = b->bounds.v[i];
        cumulative += b->counts.v[i];
        if (isinf(bound) && bound > 0) continue; /* told below */
        Label le = {STR("le"), nth_bound_text(d, i, bound)};
        if (!le.value.p) return otlp_full(&d->r);
        uint32_t n = exemplars_up_to(d, exemplar, bound, false);
        if (!otlp_emit(d, p, OTLP_BUCKET, le, (double)cumulative, exemplar, n)) return false;
        exemplar += n;
    }
    uint32_t rest = exemplars_up_to(d, exemplar, 0, true);
    return otlp_emit(d, p, OTLP_BUCKET, (Label){STR("le"), STR("+Inf")}, (double)b->count, exemplar, rest);
}

static bool emit_classic(MetricDecoder *d, OtlpPoint *p, const ExplicitBuckets *b) {
    if (!emit_buckets(d, p, b)) return false;
    if (b->has_sum && !otlp_emit(d, p, OTLP_TOTAL_SUM, (Label){0}, b->sum, 0, 0)) return false;
    return otlp_emit(d, p, OTLP_COUNT, (Label){0}, (double)b->count, 0, 0);
}

/* Deltas are summed up bucket by bucket, under the names they would have as series. */
static bool sum_up(MetricDecoder *d, OtlpPoint *p, ExplicitBuckets *b, double *counts) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < b->counts.n + 2; i++) {
        Labels labels;
        uint64_t raw_hash;
        int64_t start_ms = p->start_ms;
        Str le = i < b->bounds.n ? nth_bound_text(d, i, b->bounds.v[i]) : STR("+Inf");
        bool bucket = i < b->counts.n;
        OtlpSuffix suffix = bucket ? OTLP_BUCKET : i == b->counts.n ? OTLP_TOTAL_SUM : OTLP_COUNT;
        double value = bucket ? (double)b->counts.v[i] : i == b->counts.n ? b->sum : (double)b->count;
        double *to = bucket ? &counts[i] : i == b->counts.n ? &sum : &count;
        if (!le.p) return otlp_full(&d->r);
        if (!otlp_series_labels(d, p, suffix, bucket ? (Label){STR("le"), le} : (Label){0}, &labels, &raw_hash))
            return false;
        if (!otlp_deltas_add(d->deltas, labels_hash(labels), p->t_ms, value, to, &start_ms))
            otlp_problem(&d->r, "a delta point is older than the one before it");
        if (i == b->counts.n + 1) p->start_ms = start_ms;
    }
    b->sum = sum;
    b->count = (uint64_t)count;
    return true;
}

/* One run of buckets, from the first that is not empty; the bounds are those of the point. */
static bool emit_nhcb(MetricDecoder *d, OtlpPoint *p, ExplicitBuckets *b) {
    Histogram h = {.schema = HISTOGRAM_SCHEMA_CUSTOM};
    double *counts = ARENA_ARRAY(d->r.arena, double, b->counts.n);
    HistogramSpan *span = ARENA_NEW(d->r.arena, HistogramSpan);
    if (!counts || !span) return otlp_full(&d->r);
    for (size_t i = 0; i < b->counts.n; i++) counts[i] = (double)b->counts.v[i];
    if (d->metric.is_delta && !p->no_value && !sum_up(d, p, b, counts)) return false;
    size_t first = 0;
    while (first < b->counts.n && counts[first] == 0) first++;
    h.count = (double)b->count;
    h.sum = p->no_value ? stale_nan() : b->has_sum ? b->sum : 0;
    if (!p->no_value && first < b->counts.n) {
        *span = (HistogramSpan){(int32_t)first, (uint32_t)(b->counts.n - first)};
        h.pos_spans = span;
        h.n_pos_spans = 1;
        h.pos = counts + first;
        h.n_pos = span->length;
    }
    h.custom_bounds = b->bounds.v;
    h.n_custom_bounds = (uint32_t)b->bounds.n;
    return otlp_emit_histogram(d, p, &h);
}

static bool histogram_field(MetricDecoder *d, const ProtoField *f, OtlpPoint *p, ExplicitBuckets *b, int64_t *time_ns) {
    switch (f->number) {
    case 2: p->start_ms = otlp_start_ms(f); return true;
    case 3: *time_ns = proto_i64(f); return true;
    case 4: b->count = f->u64; return true;
    case 5: b->sum = proto_f64(f), b->has_sum = true; return true;
    case 6: return take_count(d, b, f);
    case 7: return take_bound(d, b, f);
    case 8: return otlp_exemplar(d, f->bytes);
    case 9: return otlp_key_value(&d->r, f->bytes, p->wire_first);
    case 10: p->no_value = (f->u64 & FLAG_NO_RECORDED_VALUE) != 0; return true;
    default: return true;
    }
}

/* HistogramDataPoint{attributes = 9, start_time = 2, time = 3, count = 4, sum = 5, bucket_counts = 6, explicit_bounds =
 * 7, exemplars = 8, flags = 10} */
bool otlp_histogram_point(MetricDecoder *d, Str message) {
    ProtoReader r = proto_reader(message);
    ProtoField f;
    OtlpPoint p = {.wire_first = d->wire.n, .first_exemplar = (uint32_t)d->batch->exemplars.n};
    ExplicitBuckets b = {0};
    int64_t time_ns = 0;
    /* Exemplars use d->wire above the point's attributes and leave it as it was, so attributes come first on
     * the wire in practice (field 9 after 8): they are read in a pass of their own. */
    while (proto_next(&r, &f)) {
        if (f.number == 9 && !histogram_field(d, &f, &p, &b, &time_ns)) return false;
    }
    if (!otlp_end(&d->r, &r)) return false;
    r = proto_reader(message);
    while (proto_next(&r, &f)) {
        if (f.number != 9 && !histogram_field(d, &f, &p, &b, &time_ns)) return false;
    }
    if (!otlp_point_labels(d, &p, time_ns)) return false;
    if (d->r.problem) return true;
    return d->options->histograms_to_nhcb ? emit_nhcb(d, &p, &b) : emit_classic(d, &p, &b);
}

/* --- summaries --- */

/* SummaryDataPoint{attributes = 7, start_time = 2, time = 3, count = 4, sum = 5, quantile_values = 6{quantile = 1,
 * value = 2}, flags = 8} */
static bool emit_quantile(MetricDecoder *d, OtlpPoint *p, Str message) {
    ProtoReader r = proto_reader(message);
    ProtoField f;
    double quantile = 0, value = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1) quantile = proto_f64(&f);
        if (f.number == 2) value = proto_f64(&f);
    }
    if (!otlp_end(&d->r, &r)) return false;
    Label label = {STR("quantile"), bound_text(d, quantile)};
    if (!label.value.p) return otlp_full(&d->r);
    return otlp_emit(d, p, OTLP_AS_IS, label, value, 0, 0);
}

bool otlp_summary_point(MetricDecoder *d, Str message) {
    ProtoReader r = proto_reader(message);
    ProtoField f;
    OtlpPoint p = {.wire_first = d->wire.n};
    int64_t time_ns = 0;
    double sum = 0;
    uint64_t count = 0;
    while (proto_next(&r, &f)) {
        switch (f.number) {
        case 2: p.start_ms = otlp_start_ms(&f); break;
        case 3: time_ns = proto_i64(&f); break;
        case 4: count = f.u64; break;
        case 5: sum = proto_f64(&f); break;
        case 7:
            if (!otlp_key_value(&d->r, f.bytes, p.wire_first)) return false;
            break;
        case 8: p.no_value = (f.u64 & FLAG_NO_RECORDED_VALUE) != 0; break;
        default: break;
        }
    }
    if (!otlp_end(&d->r, &r) || !otlp_point_labels(d, &p, time_ns)) return false;
    if (d->r.problem) return true;
    r = proto_reader(message);
    while (proto_next(&r, &f)) {
        if (f.number == 6 && !emit_quantile(d, &p, f.bytes)) return false;
    }
    return otlp_emit(d, &p, OTLP_TOTAL_SUM, (Label){0}, sum, 0, 0) &&
           otlp_emit(d, &p, OTLP_COUNT, (Label){0}, (double)count, 0, 0);
}
