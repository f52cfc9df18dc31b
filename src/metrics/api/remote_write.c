#include "metrics/api/remote_write.h"

#include "base/hash.h"
#include "codec/proto.h"

typedef struct Decoder {
    MetricsBatch *batch;
    Arena *arena;
    RemoteWriteVersion version;
    AVEC(Str) symbols;
    AVEC(Label) labels; /* of the series being read */
    Str wire_labels;    /* their bytes where they lie together (1.0), for hashing in one go; p == NULL: they do not */
    Labels previous;    /* of the last good series as they came: what is the same needs no second look */
    uint64_t skipped;
    Err *err;
    ErrCode rc;
} Decoder;

static bool no_memory(Decoder *d) {
    d->rc = err_set(d->err, ERR_TOO_LARGE, "request needs more memory than it may use");
    return false;
}

static bool malformed(Decoder *d, const char *what) {
    if (d->rc == OK) d->rc = err_set(d->err, ERR_INVALID, "malformed remote write request: %s", what);
    return false;
}

static bool check(Decoder *d, const ProtoReader *r) { return r->error ? malformed(d, r->error) : d->rc == OK; }

/* --- scalars, packed or not --- */

static bool put_f64(Decoder *d, const ProtoField *f, void *vec_) {
    AVEC(double) *vec = vec_;
    if (f->wire == PROTO_FIXED64) return avec_push(d->arena, vec, proto_f64(f)) || no_memory(d);
    ProtoReader r = proto_reader(f->bytes);
    uint64_t bits = 0;
    while (proto_packed_fixed64(&r, &bits)) {
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!avec_push(d->arena, vec, v)) return no_memory(d);
    }
    return check(d, &r);
}

static bool put_varints(Decoder *d, const ProtoField *f, void *vec_) {
    AVEC(uint64_t) *vec = vec_;
    if (f->wire == PROTO_VARINT) return avec_push(d->arena, vec, f->u64) || no_memory(d);
    ProtoReader r = proto_reader(f->bytes);
    uint64_t v;
    while (proto_packed_varint(&r, &v))
        if (!avec_push(d->arena, vec, v)) return no_memory(d);
    return check(d, &r);
}

typedef AVEC(double) Doubles;
typedef AVEC(uint64_t) Varints;
typedef AVEC(HistogramSpan) Spans;

/* --- histograms --- */

typedef struct RawHistogram {
    Histogram h;
    int64_t t_ms;
    Varints pos_deltas, neg_deltas;
    Doubles pos, neg, bounds;
    Spans pos_spans, neg_spans;
} RawHistogram;

static bool read_span(Decoder *d, Str bytes, Spans *out) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    HistogramSpan span = {0};
    while (proto_next(&r, &f)) {
        if (f.number == 1) span.offset = (int32_t)proto_s64(&f);
        if (f.number == 2) span.length = (uint32_t)f.u64;
    }
    return check(d, &r) && (avec_push(d->arena, out, span) || no_memory(d));
}

static bool read_histogram_field(Decoder *d, const ProtoField *f, RawHistogram *raw) {
    Histogram *h = &raw->h;
    switch (f->number) {
    case 1: h->count = (double)f->u64; return true;
    case 2:
        h->count = proto_f64(f);
        h->is_float = true;
        return true;
    case 3: h->sum = proto_f64(f); return true;
    case 4: h->schema = (int8_t)proto_s64(f); return true;
    case 5: h->zero_threshold = proto_f64(f); return true;
    case 6: h->zero_count = (double)f->u64; return true;
    case 7: h->zero_count = proto_f64(f); return true;
    case 8: return read_span(d, f->bytes, &raw->neg_spans);
    case 9: return put_varints(d, f, &raw->neg_deltas);
    case 10: return put_f64(d, f, &raw->neg);
    case 11: return read_span(d, f->bytes, &raw->pos_spans);
    case 12: return put_varints(d, f, &raw->pos_deltas);
    case 13: return put_f64(d, f, &raw->pos);
    case 14: /* "no reset" is about the sender's sample before, which may not have come: it is found out again */
        h->reset = f->u64 == HISTOGRAM_RESET_YES || f->u64 == HISTOGRAM_RESET_GAUGE ? (uint8_t)f->u64
                                                                                    : HISTOGRAM_RESET_UNKNOWN;
        return true;
    case 15: raw->t_ms = proto_i64(f); return true;
    case 16: return put_f64(d, f, &raw->bounds);
    default: return true;
    }
}

/* Integer histograms write each bucket as the difference to the one before. */
static bool undelta(Decoder *d, const Varints *deltas, Doubles *out) {
    int64_t v = 0;
    for (size_t i = 0; i < deltas->n; i++) {
        uint64_t z = deltas->v[i];
        v = (int64_t)((uint64_t)v + (uint64_t)((int64_t)(z >> 1) ^ -(int64_t)(z & 1)));
        if (!avec_push(d->arena, out, (double)v)) return no_memory(d);
    }
    return true;
}

static bool spans_cover(const Spans *spans, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i < spans->n; i++) sum += spans->v[i].length;
    return sum == n;
}

static bool schema_ok(const Histogram *h) {
    return h->schema == HISTOGRAM_SCHEMA_CUSTOM ||
           (h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX);
}

static bool read_histogram(Decoder *d, Str bytes, BatchSeries *s) {
    RawHistogram raw = {0};
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (proto_next(&r, &f))
        if (!read_histogram_field(d, &f, &raw)) return false;
    if (!check(d, &r) || !undelta(d, &raw.pos_deltas, &raw.pos) || !undelta(d, &raw.neg_deltas, &raw.neg)) return false;
    Histogram *h = &raw.h;
    if (!schema_ok(h)) return malformed(d, "histogram schema out of range");
    if (!spans_cover(&raw.pos_spans, raw.pos.n) || !spans_cover(&raw.neg_spans, raw.neg.n))
        return malformed(d, "histogram spans and buckets do not match");
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
    if (!avec_push(d->arena, &d->batch->histograms, *h) || !avec_push(d->arena, &d->batch->histogram_t_ms, raw.t_ms))
        return no_memory(d);
    s->n_histograms++;
    return true;
}

/* --- labels --- */

static Str symbol(Decoder *d, uint64_t ref) {
    if (ref < d->symbols.n) return d->symbols.v[ref];
    malformed(d, "symbol reference out of range");
    return STR_NULL;
}

static bool read_label(Decoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Label l = {STR_NULL, STR_NULL};
    while (proto_next(&r, &f)) {
        if (f.number == 1) l.name = f.bytes;
        if (f.number == 2) l.value = f.bytes;
    }
    return check(d, &r) && (avec_push(d->arena, &d->labels, l) || no_memory(d));
}

/* Extends wire_labels by the label message just read, when nothing but its own head lies between. */
static void extend_wire_labels(Decoder *d, Str label) {
    const char *end = d->wire_labels.p ? d->wire_labels.p + d->wire_labels.n : NULL;
    if (d->labels.n == 1) {
        d->wire_labels = label;
    } else if (end && label.p > end && label.p - end <= 3 && label.n < 1u << 14) {
        d->wire_labels.n = (size_t)(label.p + label.n - d->wire_labels.p);
    } else {
        d->wire_labels = STR_NULL;
    }
}

static bool read_label_refs(Decoder *d, const ProtoField *f) {
    Varints refs = {0};
    if (!put_varints(d, f, &refs)) return false;
    if (refs.n % 2) return malformed(d, "odd number of label references");
    for (size_t i = 0; i < refs.n; i += 2) {
        Label l = {symbol(d, refs.v[i]), symbol(d, refs.v[i + 1])};
        if (d->rc != OK) return false;
        if (!avec_push(d->arena, &d->labels, l)) return no_memory(d);
    }
    return true;
}

static bool label_good(const Label *l) { return l->name.n > 0 && str_is_utf8(l->name) && str_is_utf8(l->value); }

static bool label_same(const Label *a, const Label *b) {
    return str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

static bool labels_sorted(const Label *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (v[i].value.n == 0) return false;
        if (i > 0 && str_cmp(v[i - 1].name, v[i].name) >= 0) return false;
    }
    return true;
}

/* A copy of the labels read so far; *ret_ok false (not an error): they are no label set. */
static bool take_labels(Decoder *d, Labels *ret, bool *ret_ok) {
    size_t n = d->labels.n;
    Label *v = ARENA_ARRAY(d->arena, Label, n);
    if (!v) return no_memory(d);
    if (n) memcpy(v, d->labels.v, n * sizeof *v);
    *ret_ok = true;
    for (size_t i = 0; i < n; i++) {
        bool known = i < d->previous.n && label_same(&v[i], &d->previous.v[i]);
        bool good = known || label_good(&v[i]);
        if (!good && *ret_ok) err_set(d->err, OK, "label is not valid UTF-8 or has no name");
        *ret_ok = *ret_ok && good;
    }
    bool sorted = *ret_ok && labels_sorted(v, n);
    if (sorted) d->previous = (Labels){v, n}; /* only then it is as it came */
    if (*ret_ok && !sorted) *ret_ok = labels_normalize(v, &n, d->err) == OK;
    *ret = (Labels){v, n};
    return true;
}

/* Hash of the labels as they came, in their order: a hit needs no sorting. */
static uint64_t raw_hash(const Decoder *d) {
    const Label *v = d->labels.v;
    size_t n = d->labels.n;
    uint64_t h = hash_process_seed();
    if (d->wire_labels.p) {
        h = hash_bytes(d->wire_labels.p, d->wire_labels.n, h);
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        h = hash_bytes(v[i].name.p, v[i].name.n, h);
        h = hash_bytes(v[i].value.p, v[i].value.n, h ^ v[i].name.n);
    }
    return h ? h : 1;
}

/* --- series --- */

static bool read_sample(Decoder *d, Str bytes, BatchSeries *s) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    double v = 0;
    int64_t t = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1) v = proto_f64(&f);
        if (f.number == 2) t = proto_i64(&f);
    }
    if (!check(d, &r)) return false;
    if (!avec_push(d->arena, &d->batch->value, v) || !avec_push(d->arena, &d->batch->t_ms, t)) return no_memory(d);
    s->n_samples++;
    return true;
}

static bool read_exemplar(Decoder *d, Str bytes, BatchSeries *s) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Exemplar e = {0};
    bool ok = true;
    d->labels.n = 0;
    while (ok && proto_next(&r, &f)) {
        if (f.number == 1) ok = d->version == REMOTE_WRITE_2 ? read_label_refs(d, &f) : read_label(d, f.bytes);
        if (f.number == 2) e.value = proto_f64(&f);
        if (f.number == 3) e.t_ms = proto_i64(&f);
    }
    bool good = false;
    if (!ok || !check(d, &r) || !take_labels(d, &e.labels, &good)) return false;
    if (!good) return true;
    if (!avec_push(d->arena, &d->batch->exemplars, e)) return no_memory(d);
    s->n_exemplars++;
    return true;
}

static bool read_metadata_refs(Decoder *d, Str bytes, MetricMetadata *m) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (proto_next(&r, &f)) {
        if (f.number == 1) m->type = f.u64 <= METRIC_STATESET ? (MetricType)f.u64 : METRIC_UNKNOWN;
        if (f.number == 3) m->help = symbol(d, f.u64);
        if (f.number == 4) m->unit = symbol(d, f.u64);
    }
    return check(d, &r);
}

/* Labels first (they may stand anywhere in the message), then what hangs on them. */
static bool read_series_labels(Decoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    bool ok = true;
    d->labels.n = 0;
    d->wire_labels = STR_NULL;
    while (ok && proto_next(&r, &f)) {
        if (f.number != 1) continue;
        ok = d->version == REMOTE_WRITE_2 ? read_label_refs(d, &f) : read_label(d, f.bytes);
        if (ok && d->version == REMOTE_WRITE_1) extend_wire_labels(d, f.bytes);
    }
    return ok && check(d, &r);
}

static bool read_series_field(Decoder *d, const ProtoField *f, BatchSeries *s, MetricMetadata *m) {
    bool v2 = d->version == REMOTE_WRITE_2;
    if (f->number == 2) return read_sample(d, f->bytes, s);
    if (f->number == (v2 ? 4u : 3u)) return read_exemplar(d, f->bytes, s);
    if (f->number == (v2 ? 3u : 4u)) return read_histogram(d, f->bytes, s);
    if (f->number == 5 && v2) return read_metadata_refs(d, f->bytes, m);
    return true;
}

static bool read_series(Decoder *d, Str bytes) {
    MetricsBatch *b = d->batch;
    if (!read_series_labels(d, bytes)) return false;
    BatchSeries s = {.first_sample = (uint32_t)b->t_ms.n,
        .first_histogram = (uint32_t)b->histograms.n,
        .first_exemplar = (uint32_t)b->exemplars.n,
        .raw_hash = raw_hash(d)};
    MetricMetadata m = {0};
    bool good;
    if (!take_labels(d, &s.labels, &good)) return false;
    m.metric = labels_get(s.labels, LABEL_NAME_METRIC);
    if (good && m.metric.n == 0) {
        good = false;
        err_set(d->err, OK, "series has no metric name");
    }
    if (!good) {
        d->skipped++;
        return true;
    }
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (proto_next(&r, &f))
        if (!read_series_field(d, &f, &s, &m)) return false;
    if (!check(d, &r)) return false;
    bool described = m.type != METRIC_UNKNOWN || m.help.n || m.unit.n;
    if (described && !avec_push(d->arena, &b->metadata, m)) return no_memory(d);
    return avec_push(d->arena, &b->series, s) || no_memory(d);
}

static bool read_metadata(Decoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    MetricMetadata m = {0};
    while (proto_next(&r, &f)) {
        if (f.number == 1) m.type = f.u64 <= METRIC_STATESET ? (MetricType)f.u64 : METRIC_UNKNOWN;
        if (f.number == 2) m.metric = f.bytes;
        if (f.number == 4) m.help = f.bytes;
        if (f.number == 5) m.unit = f.bytes;
    }
    if (!check(d, &r)) return false;
    bool text = str_is_utf8(m.metric) && str_is_utf8(m.help) && str_is_utf8(m.unit);
    return !text || m.metric.n == 0 || avec_push(d->arena, &d->batch->metadata, m) || no_memory(d);
}

static bool read_symbols(Decoder *d, Str body) {
    ProtoReader r = proto_reader(body);
    ProtoField f;
    while (proto_next(&r, &f))
        if (f.number == 4 && !avec_push(d->arena, &d->symbols, f.bytes)) return no_memory(d);
    return check(d, &r);
}

ErrCode remote_write_decode(
    Str body, RemoteWriteVersion version, MetricsBatch *batch, uint64_t *ret_skipped, Err *reterr) {
    ASSERT(batch->arena);
    Decoder d = {.batch = batch, .arena = batch->arena, .version = version, .err = reterr};
    bool v2 = version == REMOTE_WRITE_2, ok = !v2 || read_symbols(&d, body);
    ProtoReader r = proto_reader(body);
    ProtoField f;
    while (ok && proto_next(&r, &f)) {
        if (f.number == (v2 ? 5u : 1u)) ok = read_series(&d, f.bytes);
        if (f.number == 3 && !v2) ok = read_metadata(&d, f.bytes);
    }
    if (ok) check(&d, &r);
    *ret_skipped = d.skipped;
    return d.rc;
}
