/* promproto_histogram.c - histograms of the protobuf exposition: native ones, and their classic buckets. */
#include "codec/proto.h"
#include "metrics/scrape/promproto_int.h"

#include <math.h>

#define BUCKETS_MAX 100000
#define BUCKET_WIRES "vdbd"

typedef struct Side {
    AVEC(HistogramSpan) spans;
    AVEC(int64_t) deltas;
    AVEC(double) counts;
} Side;

typedef struct Wire {
    uint64_t count, zero_count;
    double count_float, zero_count_float, sum, zero_threshold;
    bool has_exemplars;
    int64_t schema;
    Side pos, neg;
    AVEC(Exemplar) exemplars;
    size_t n_buckets; /* classic */
} Wire;

static ErrCode add_span(ProtoParser *x, Side *side, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    HistogramSpan s = {0};
    while (promproto_next(&r, "vv", &f)) {
        if (f.number == 1) s.offset = (int32_t)proto_s64(&f);
        if (f.number == 2) s.length = (uint32_t)f.u64;
    }
    if (r.error) return promproto_fail(x, r.error);
    return avec_push(x->arena, &side->spans, s) ? OK : promproto_exhausted(x);
}

/* Packed or not. */
static ErrCode add_deltas(ProtoParser *x, Side *side, const ProtoField *f) {
    if (f->wire == PROTO_VARINT) return avec_push(x->arena, &side->deltas, proto_s64(f)) ? OK : promproto_exhausted(x);
    ProtoReader r = proto_reader(f->bytes);
    uint64_t u = 0;
    while (proto_packed_varint(&r, &u)) {
        int64_t v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
        if (!avec_push(x->arena, &side->deltas, v)) return promproto_exhausted(x);
    }
    return r.error ? promproto_fail(x, r.error) : OK;
}

static ErrCode add_counts(ProtoParser *x, Side *side, const ProtoField *f) {
    if (f->wire == PROTO_FIXED64) return avec_push(x->arena, &side->counts, proto_f64(f)) ? OK : promproto_exhausted(x);
    ProtoReader r = proto_reader(f->bytes);
    uint64_t bits = 0;
    while (proto_packed_fixed64(&r, &bits)) {
        double v;
        memcpy(&v, &bits, 8);
        if (!avec_push(x->arena, &side->counts, v)) return promproto_exhausted(x);
    }
    return r.error ? promproto_fail(x, r.error) : OK;
}

static ErrCode add_exemplar(ProtoParser *x, Wire *w, Str bytes) {
    Exemplar e;
    bool has_t, usable;
    ErrCode code = promproto_exemplar(x, bytes, &e, &has_t, &usable);
    if (code != OK || !has_t || !usable) return code; /* without a time it cannot be placed */
    return avec_push(x->arena, &w->exemplars, e) ? OK : promproto_exhausted(x);
}

static ErrCode take_field(ProtoParser *x, Wire *w, const ProtoField *f) {
    switch (f->number) {
    case 1: w->count = f->u64; return OK;
    case 2: w->sum = proto_f64(f); return OK;
    case 3: w->n_buckets++; return OK;
    case 4: w->count_float = proto_f64(f); return OK;
    case 5: w->schema = proto_s64(f); return OK;
    case 6: w->zero_threshold = proto_f64(f); return OK;
    case 7: w->zero_count = f->u64; return OK;
    case 8: w->zero_count_float = proto_f64(f); return OK;
    case 9: return add_span(x, &w->neg, f->bytes);
    case 10: return add_deltas(x, &w->neg, f);
    case 11: return add_counts(x, &w->neg, f);
    case 12: return add_span(x, &w->pos, f->bytes);
    case 13: return add_deltas(x, &w->pos, f);
    case 14: return add_counts(x, &w->pos, f);
    case 15: return promproto_time(x, f->bytes, &x->start_ms);
    case 16: w->has_exemplars = true; return add_exemplar(x, w, f->bytes);
    default: return OK;
    }
}

/* Absolute counts, as many as the spans say. */
static ErrCode finish_side(
    ProtoParser *x, const Side *side, const char *name, bool is_float, const double **ret, uint32_t *ret_n) {
    uint64_t want = 0;
    for (size_t i = 0; i < side->spans.n; i++) want += side->spans.v[i].length;
    size_t have = is_float ? side->counts.n : side->deltas.n;
    if (want != have)
        return err_set(x->reterr, ERR_INVALID,
            "histogram \"%" STR_FMT "\": %s side: spans require %llu buckets, have %zu", STR_ARG(x->name), name,
            (unsigned long long)want, have);
    if (have > BUCKETS_MAX) return promproto_fail(x, "a native histogram has too many buckets");
    double *v = ARENA_ARRAY(x->arena, double, have);
    if (!v) return promproto_exhausted(x);
    int64_t sum = 0;
    for (size_t i = 0; i < have; i++) {
        if (!is_float && __builtin_add_overflow(sum, side->deltas.v[i], &sum))
            return promproto_fail(x, "a bucket's count is out of range");
        v[i] = is_float ? side->counts.v[i] : (double)sum;
    }
    *ret = v;
    *ret_n = (uint32_t)have;
    return OK;
}

/* Classic buckets beside a native histogram are looked at for what is wrong with them, and for their exemplars where
 * the histogram has none: those of a library that knows none of native ones. */
static ErrCode look_at_buckets(ProtoParser *x, Str bytes, Wire *w) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    ErrCode code = OK;
    while (code == OK && proto_next(&r, &f)) {
        if (f.number != 3) continue;
        ProtoReader in = proto_reader(f.bytes);
        ProtoField g;
        Wire unused = {0};
        while (code == OK && promproto_next(&in, BUCKET_WIRES, &g))
            if (g.number == 3) code = add_exemplar(x, w->has_exemplars ? &unused : w, g.bytes);
        if (code == OK && in.error) return promproto_fail(x, in.error);
    }
    return code;
}

/* Whether it makes sense is for whoever takes it (histogram_check): what a target dropped nobody looks at. */
static ErrCode emit_native(ProtoParser *x, const Wire *w) {
    bool is_float = w->count_float > 0 || w->zero_count_float > 0 || w->pos.counts.n || w->neg.counts.n;
    Histogram h = {.schema = (int8_t)w->schema,
        .is_float = is_float,
        .count = is_float ? w->count_float : (double)w->count,
        .sum = w->sum,
        .zero_threshold = w->zero_threshold,
        .zero_count = is_float ? w->zero_count_float : (double)w->zero_count,
        .reset = x->type == METRIC_GAUGE_HISTOGRAM ? HISTOGRAM_RESET_GAUGE : HISTOGRAM_RESET_UNKNOWN};
    if (w->schema != h.schema) return histogram_check_schema(w->schema, x->reterr);
    ErrCode code = finish_side(x, &w->pos, "positive", is_float, &h.pos, &h.n_pos);
    if (code == OK) code = finish_side(x, &w->neg, "negative", is_float, &h.neg, &h.n_neg);
    if (code != OK) return code;
    h.pos_spans = w->pos.spans.v;
    h.n_pos_spans = (uint32_t)w->pos.spans.n;
    h.neg_spans = w->neg.spans.v;
    h.n_neg_spans = (uint32_t)w->neg.spans.n;
    PromTextSample s = {.histogram = &h, .more_exemplars = w->exemplars.v, .n_more_exemplars = w->exemplars.n};
    return promproto_emit(x, &s, "");
}

/* --- classic buckets --- */
static ErrCode emit_bucket(ProtoParser *x, Str bytes, bool *inf) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    PromTextSample s = {0};
    double bound = 0;
    ErrCode code = OK;
    while (code == OK && promproto_next(&r, BUCKET_WIRES, &f)) {
        if (f.number == 1 && s.value == 0) s.value = (double)f.u64;
        if (f.number == 2) bound = proto_f64(&f);
        if (f.number == 4 && proto_f64(&f) != 0) s.value = proto_f64(&f);
        if (f.number == 3) {
            code = promproto_exemplar(x, f.bytes, &s.exemplar, &s.has_exemplar_t, &s.has_exemplar);
        }
    }
    if (r.error) return promproto_fail(x, r.error);
    *inf = *inf || (isinf(bound) && bound > 0);
    return code == OK ? promproto_emit_with(x, &s, "_bucket", "le", bound) : code;
}

static ErrCode emit_classic(ProtoParser *x, Str bytes, const Wire *w) {
    PromTextSample count = {.value = w->count_float != 0 ? w->count_float : (double)w->count}, sum = {.value = w->sum};
    bool inf = false;
    if (x->opts.to_nhcb && !x->native) { /* of the histogram as a whole */
        count.more_exemplars = w->exemplars.v;
        count.n_more_exemplars = w->exemplars.n;
    }
    ErrCode code = promproto_emit(x, &count, "_count");
    if (code == OK) code = promproto_emit(x, &sum, "_sum");
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (code == OK && !inf && proto_next(&r, &f)) /* what comes after the last bucket is none */
        if (f.number == 3) code = emit_bucket(x, f.bytes, &inf);
    PromTextSample all = {.value = count.value};
    return code == OK && !inf ? promproto_emit_with(x, &all, "_bucket", "le", INFINITY) : code;
}

ErrCode promproto_histogram(ProtoParser *x, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Wire w = {0};
    ErrCode code = OK;
    while (code == OK && promproto_next(&r, "vdbdvdvdbVDbVDbb", &f)) code = take_field(x, &w, &f);
    if (r.error) return promproto_fail(x, r.error);
    if (code != OK) return code;
    bool native = w.pos.spans.n || w.neg.spans.n || w.zero_threshold > 0 || w.zero_count > 0;
    x->native = native && x->opts.native;
    if (x->native) code = look_at_buckets(x, bytes, &w);
    if (code == OK && x->native) code = emit_native(x, &w);
    if (code == OK && (!x->native || (x->opts.always_classic && w.n_buckets))) code = emit_classic(x, bytes, &w);
    return code;
}
