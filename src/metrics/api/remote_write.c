#include "metrics/api/remote_write_int.h"

#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>

bool rw_no_memory(RwDecoder *d) {
    d->rc = err_set(d->err, ERR_TOO_LARGE, "request needs more memory than it may use");
    return false;
}

bool rw_malformed(RwDecoder *d, const char *what) {
    if (d->rc == OK) d->rc = err_set(d->err, ERR_INVALID, "malformed remote write request: %s", what);
    return false;
}

bool rw_refuse(RwDecoder *d, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (d->rc != OK) return false;
    if (d->version == REMOTE_WRITE_1) {
        d->rc = err_set(d->err, ERR_INVALID, "%s", text);
    } else {
        d->refused = true;
        d->reason = arena_copy(d->arena, str_cstr(text));
        d->told = d->err && !d->err->msg[0];
        if (d->told) err_set(d->err, OK, "%s", text);
    }
    return false;
}

bool rw_check(RwDecoder *d, const ProtoReader *r) { return r->error ? rw_malformed(d, r->error) : d->rc == OK; }

/* --- scalars, packed or not --- */

bool rw_put_f64s(RwDecoder *d, const ProtoField *f, RwDoubles *out) {
    if (f->wire == PROTO_FIXED64) return avec_push(d->arena, out, proto_f64(f)) || rw_no_memory(d);
    ProtoReader r = proto_reader(f->bytes);
    uint64_t bits = 0;
    while (proto_packed_fixed64(&r, &bits)) {
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!avec_push(d->arena, out, v)) return rw_no_memory(d);
    }
    return rw_check(d, &r);
}

bool rw_put_varints(RwDecoder *d, const ProtoField *f, RwVarints *out) {
    if (f->wire == PROTO_VARINT) return avec_push(d->arena, out, f->u64) || rw_no_memory(d);
    ProtoReader r = proto_reader(f->bytes);
    uint64_t v;
    while (proto_packed_varint(&r, &v))
        if (!avec_push(d->arena, out, v)) return rw_no_memory(d);
    return rw_check(d, &r);
}

/* --- series --- */

/* A double as field 1, a varint as field 2, in version 2 often one as field 3: what senders write. */
static bool read_plain_sample(Str bytes, double *ret_v, int64_t *ret_t, int64_t *ret_start) {
    const uint8_t *p = (const uint8_t *)bytes.p;
    if (bytes.n < 11 || p[0] != (1 << 3 | PROTO_FIXED64) || p[9] != (2 << 3 | PROTO_VARINT)) return false;
    ProtoReader r = proto_reader(str_of(bytes.p + 10, bytes.n - 10));
    uint64_t t, start;
    memcpy(ret_v, p + 1, 8);
    if (!proto_packed_varint(&r, &t)) return false;
    *ret_t = (int64_t)t;
    if (r.p == r.end) return true;
    if (*r.p++ != (3 << 3 | PROTO_VARINT) || !proto_packed_varint(&r, &start) || r.p != r.end) return false;
    *ret_start = (int64_t)start;
    return true;
}

static bool read_sample(RwDecoder *d, Str bytes, BatchSeries *s) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    double v = 0;
    int64_t t = 0, start = 0;
    if (!read_plain_sample(bytes, &v, &t, &start)) {
        start = 0;
        while (proto_next(&r, &f)) {
            if (f.number == 1) v = proto_f64(&f);
            if (f.number == 2) t = proto_i64(&f);
            if (f.number == 3) start = proto_i64(&f);
        }
    }
    if (!rw_check(d, &r)) return false;
    if (!avec_push(d->arena, &d->batch->value, v) || !avec_push(d->arena, &d->batch->t_ms, t)) return rw_no_memory(d);
    if (d->version == REMOTE_WRITE_2 && !metrics_batch_set_start(d->batch, start)) return rw_no_memory(d);
    s->n_samples++;
    return true;
}

static bool read_exemplar(RwDecoder *d, Str bytes, BatchSeries *s) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Exemplar e = {0};
    bool ok = true;
    d->labels.n = 0;
    while (ok && proto_next(&r, &f)) {
        if (f.number == 1) ok = rw_read_label_field(d, &f);
        if (f.number == 2) e.value = proto_f64(&f);
        if (f.number == 3) e.t_ms = proto_i64(&f);
    }
    bool good = false;
    if (!ok || !rw_check(d, &r) || !rw_take_labels(d, &e.labels, &good)) return false;
    if (!good) return true;
    if (!avec_push(d->arena, &d->batch->exemplars, e)) return rw_no_memory(d);
    s->n_exemplars++;
    return true;
}

static bool read_metadata_refs(RwDecoder *d, Str bytes, MetricMetadata *m) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (proto_next(&r, &f)) {
        if (f.number == 1) m->type = f.u64 <= METRIC_STATESET ? (MetricType)f.u64 : METRIC_UNKNOWN;
        if (f.number != 3 && f.number != 4) continue;
        if (f.u64 >= d->symbols.n)
            return rw_refuse(d, "parsing metadata: metadata %s_ref %llu outside of symbols table (size %zu)",
                f.number == 3 ? "help" : "unit", (unsigned long long)f.u64, d->symbols.n);
        *(f.number == 3 ? &m->help : &m->unit) = d->symbols.v[f.u64];
    }
    return rw_check(d, &r);
}

/* Labels may stand anywhere in the message. */
static bool read_series_labels(RwDecoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    bool ok = true;
    d->labels.n = 0;
    while (ok && proto_next(&r, &f)) {
        if (f.number != 1) continue;
        ok = rw_read_label_field(d, &f);
    }
    return ok && rw_check(d, &r);
}

/* After a part of a series, which alone is left out when it was refused. */
static bool part_done(RwDecoder *d, bool ok, const BatchSeries *s) {
    if (ok || !d->refused) return ok;
    rw_tell_series(d, COMPLAINT_PART, s->wire, s->labels);
    d->refused = false;
    d->skipped++;
    return true;
}

static bool read_series_field(RwDecoder *d, const ProtoField *f, BatchSeries *s, MetricMetadata *m) {
    bool v2 = d->version == REMOTE_WRITE_2;
    if (f->number == 2) return read_sample(d, f->bytes, s);
    if (f->number == (v2 ? 4u : 3u)) return part_done(d, read_exemplar(d, f->bytes, s), s);
    if (f->number == (v2 ? 3u : 4u)) {
        bool ok = rw_read_histogram(d, f->bytes, s);
        d->histograms_refused += !ok;
        return part_done(d, ok, s);
    }
    if (f->number == 5 && v2) return read_metadata_refs(d, f->bytes, m);
    return true;
}

static BatchSeries begin_series(RwDecoder *d) {
    const MetricsBatch *b = d->batch;
    d->histograms_refused = 0;
    return (BatchSeries){.first_sample = (uint32_t)b->t_ms.n,
        .first_histogram = (uint32_t)b->histograms.n,
        .first_exemplar = (uint32_t)b->exemplars.n};
}

static bool described(const MetricMetadata *m) { return m->type != METRIC_UNKNOWN || m->help.n || m->unit.n; }

/* After a series that could not be read: whether that concerns no other one. */
static bool left_out(RwDecoder *d, const BatchSeries *s) {
    if (!d->refused) return false;
    MetricsBatch *b = d->batch;
    if (d->reason.n) metrics_batch_complain(b, (uint32_t)b->series.n, COMPLAINT_LABELS, d->reason, NULL);
    d->reason = STR_NULL;
    b->t_ms.n = b->value.n = s->first_sample;
    b->histograms.n = b->histogram_t_ms.n = s->first_histogram;
    b->exemplars.n = s->first_exemplar;
    metrics_batch_trim_starts(b);
    d->refused = false;
    d->skipped++;
    return true;
}

static bool end_series(RwDecoder *d, const BatchSeries *s, const MetricMetadata *m) {
    if (d->version == REMOTE_WRITE_2 && s->n_samples + s->n_histograms + d->histograms_refused == 0) {
        (void)rw_refuse(d, "TimeSeries must contain at least one sample or histogram");
        rw_tell_series(d, COMPLAINT_LABELS, s->wire, s->labels);
        return left_out(d, s);
    }
    bool put = described(m) && str_is_utf8(m->metric) && m->metric.n;
    if (put && !avec_push(d->arena, &d->batch->metadata, *m)) return rw_no_memory(d);
    return avec_push(d->arena, &d->batch->series, *s) || rw_no_memory(d);
}

static bool read_series_now(RwDecoder *d, Str bytes) {
    BatchSeries s = begin_series(d);
    MetricMetadata m = {0};
    bool good;
    if (!read_series_labels(d, bytes)) return left_out(d, &s);
    s.raw_hash = rw_labels_hash(d);
    if (!rw_take_labels(d, &s.labels, &good)) return false;
    if (!rw_check_name(d, s.labels, &good)) {
        metrics_batch_complain(d->batch, (uint32_t)d->batch->series.n, COMPLAINT_LABELS, d->label_problem, NULL);
        d->skipped++;
        return true;
    }
    m.metric = labels_get(s.labels, LABEL_NAME_METRIC);
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    while (proto_next(&r, &f))
        if (!read_series_field(d, &f, &s, &m)) return left_out(d, &s);
    return rw_check(d, &r) && end_series(d, &s, &m);
}

/* Everything behind the labels. *ret_plain false: something there needs the labels, or there are more of them; what
 * was read is taken back. */
static bool read_series_rest(RwDecoder *d, Str rest, BatchSeries *s, MetricMetadata *m, bool *ret_plain) {
    ProtoReader r = proto_reader(rest);
    ProtoField f;
    uint32_t histogram = d->version == REMOTE_WRITE_2 ? 3 : 4;
    *ret_plain = true;
    while (*ret_plain && proto_next(&r, &f)) {
        if (f.number == 2 || f.number == histogram || (f.number == 5 && d->version == REMOTE_WRITE_2)) {
            if (!read_series_field(d, &f, s, m)) return false;
        } else {
            *ret_plain = f.number > 5;
        }
    }
    if (!rw_check(d, &r)) return false;
    if (!*ret_plain) {
        d->batch->t_ms.n = d->batch->value.n = s->first_sample;
        d->batch->histograms.n = d->batch->histogram_t_ms.n = s->first_histogram;
        metrics_batch_trim_starts(d->batch);
    }
    return true;
}

static bool read_series(RwDecoder *d, Str bytes) {
    Str run = d->lazy ? rw_label_run(bytes) : STR_NULL;
    if (run.n == 0) return read_series_now(d, bytes);
    BatchSeries s = begin_series(d);
    MetricMetadata m = {0};
    bool plain;
    s.wire = run;
    if (!rw_run_hash(d, run, &s.raw_hash)) return left_out(d, &s);
    if (!read_series_rest(d, str_of(bytes.p + run.n, bytes.n - run.n), &s, &m, &plain)) return left_out(d, &s);
    if (!plain) return read_series_now(d, bytes);
    if (described(&m)) {
        if (!rw_read_run(d, run)) return false;
        for (size_t i = 0; i < d->labels.n; i++)
            if (str_eq(d->labels.v[i].name, LABEL_NAME_METRIC)) m.metric = d->labels.v[i].value;
    }
    return end_series(d, &s, &m);
}

static bool read_metadata(RwDecoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    MetricMetadata m = {0};
    while (proto_next(&r, &f)) {
        if (f.number == 1) m.type = f.u64 <= METRIC_STATESET ? (MetricType)f.u64 : METRIC_UNKNOWN;
        if (f.number == 2) m.metric = f.bytes;
        if (f.number == 4) m.help = f.bytes;
        if (f.number == 5) m.unit = f.bytes;
    }
    if (!rw_check(d, &r)) return false;
    bool text = str_is_utf8(m.metric) && str_is_utf8(m.help) && str_is_utf8(m.unit);
    return !text || m.metric.n == 0 || avec_push(d->arena, &d->batch->metadata, m) || rw_no_memory(d);
}

static bool read_symbols(RwDecoder *d, Str body) {
    ProtoReader r = proto_reader(body);
    ProtoField f;
    while (proto_next(&r, &f)) {
        if (f.number != 4) continue;
        uint64_t hash = d->lazy ? hash_bytes(f.bytes.p, f.bytes.n, hash_process_seed()) : 0;
        if (!avec_push(d->arena, &d->symbols, f.bytes) || !avec_push(d->arena, &d->symbol_hashes, hash))
            return rw_no_memory(d);
    }
    return rw_check(d, &r);
}

static ErrCode decode(RwDecoder *d, Str body, uint64_t *ret_skipped) {
    bool v2 = d->version == REMOTE_WRITE_2, ok = !v2 || read_symbols(d, body);
    ProtoReader r = proto_reader(body);
    ProtoField f;
    while (ok && proto_next(&r, &f)) {
        if (f.number == (v2 ? 5u : 1u)) ok = read_series(d, f.bytes);
        if (f.number == 3 && !v2) ok = read_metadata(d, f.bytes);
    }
    if (ok) rw_check(d, &r);
    *ret_skipped = d->skipped;
    return d->rc;
}

ErrCode remote_write_decode(
    Str body, RemoteWriteVersion version, MetricsBatch *batch, uint64_t *ret_skipped, Err *reterr) {
    ASSERT(batch->arena);
    RwDecoder d = {.batch = batch, .arena = batch->arena, .version = version, .err = reterr};
    return decode(&d, body, ret_skipped);
}

ErrCode remote_write_decode_lazily(
    Str body, RemoteWriteVersion version, MetricsBatch *batch, uint64_t *ret_skipped, Err *reterr) {
    ASSERT(batch->arena);
    RwDecoder *d = ARENA_NEW(batch->arena, RwDecoder); /* reads labels as long as the batch lives */
    *ret_skipped = 0;
    if (!d) return err_set(reterr, ERR_TOO_LARGE, "request needs more memory than it may use");
    *d = (RwDecoder){.batch = batch, .arena = batch->arena, .version = version, .lazy = true, .err = reterr};
    batch->read_labels = rw_read_wire_labels;
    batch->read_ctx = d;
    ErrCode rc = decode(d, body, ret_skipped);
    d->err = NULL;
    return rc;
}
