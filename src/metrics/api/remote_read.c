#include "metrics/api/remote_read.h"

#include "codec/proto.h"

#include <math.h>
#include <stdio.h>

typedef struct Decoder {
    Arena *arena;
    Labels external;
    RemoteReadRequest *request;
    Err *err;
    ErrCode rc;
} Decoder;

static bool no_memory(Decoder *d) {
    d->rc = err_set(d->err, ERR_TOO_LARGE, "request needs more memory than it may use");
    return false;
}

static bool check(Decoder *d, const ProtoReader *r) {
    if (r->error && d->rc == OK) d->rc = err_set(d->err, ERR_INVALID, "malformed remote read request: %s", r->error);
    return d->rc == OK;
}

typedef AVEC(const Matcher *) MatcherVec;

/* The rest of the request is read on: what is wrong with that is told first. Of an expression Prometheus shows what
 * came, not how it is wrapped. */
static bool bad_matcher(Decoder *d, const char *what, Str value) {
    char *to = d->request->bad_matcher;
    size_t max = sizeof d->request->bad_matcher;
    const char *wrapped = strstr(what, "): `^(?s:");
    if (to[0]) return true;
    if (wrapped)
        snprintf(to, max, "%.*s`%" STR_FMT "`", (int)(wrapped + 3 - what), what, STR_ARG(value));
    else
        snprintf(to, max, "%s", what);
    return true;
}

static bool read_matcher(Decoder *d, Str bytes, MatcherVec *out) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    uint64_t type = 0;
    Str name = STR(""), value = STR("");
    while (proto_next(&r, &f)) {
        if (f.number == 1) type = f.u64;
        if (f.number == 2) name = f.bytes;
        if (f.number == 3) value = f.bytes;
    }
    if (!check(d, &r)) return false;
    if (type > MATCH_NRE) return bad_matcher(d, "invalid matcher type", STR_NULL);
    if (type == MATCH_EQ && value.n && str_eq(labels_get(d->external, name), value)) value = STR("");
    const Matcher *m;
    Err err = {0};
    ErrCode rc = matcher_create(d->arena, (MatchType)type, name, value, &m, &err);
    if (rc == ERR_TOO_LARGE) return no_memory(d);
    if (rc != OK) return bad_matcher(d, err.msg, value);
    return avec_push(d->arena, out, m) || no_memory(d);
}

/* ReadHints{func = 2, start_ms = 3, end_ms = 4}; the others are not looked at. */
static bool read_hints(Decoder *d, Str bytes, RemoteReadQuery *q) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    int64_t start = 0, end = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 2) q->names_only = str_eq_lit(f.bytes, "series");
        if (f.number == 3) start = proto_i64(&f);
        if (f.number == 4) end = proto_i64(&f);
    }
    if (start || end) {
        q->min_t_ms = start;
        q->max_t_ms = end;
    }
    return check(d, &r);
}

static bool read_query(Decoder *d, Str bytes, RemoteReadQuery *q) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    MatcherVec matchers = {0};
    Str hints = STR_NULL;
    while (proto_next(&r, &f)) {
        if (f.number == 1) q->min_t_ms = proto_i64(&f);
        if (f.number == 2) q->max_t_ms = proto_i64(&f);
        if (f.number == 3 && !read_matcher(d, f.bytes, &matchers)) return false;
        if (f.number == 4) hints = f.bytes;
    }
    q->matchers = (Matchers){matchers.v, matchers.n};
    return check(d, &r) && (!hints.p || read_hints(d, hints, q));
}

/* The answers that the client takes, the best first, packed or not. 0: samples, 1: chunks. */
static bool read_accepted(Decoder *d, const ProtoField *f, RemoteReadRequest *ret, bool *chosen) {
    ProtoReader r = proto_reader(f->bytes);
    uint64_t v = f->u64;
    bool more = f->wire == PROTO_VARINT || proto_packed_varint(&r, &v);
    while (more) {
        if (!avec_push(d->arena, &ret->types, v)) return no_memory(d);
        if (!*chosen) {
            ret->foreign = v > 1;
            ret->chunks = v == 1;
            *chosen = !ret->foreign;
        }
        more = f->wire != PROTO_VARINT && proto_packed_varint(&r, &v);
    }
    return true;
}

ErrCode remote_read_decode(Str body, Labels external, Arena *arena, RemoteReadRequest *ret, Err *reterr) {
    Decoder d = {.arena = arena, .external = external, .request = ret, .err = reterr};
    ProtoReader r = proto_reader(body);
    ProtoField f;
    AVEC(RemoteReadQuery) queries = {0};
    bool chosen = false, ok = true;
    *ret = (RemoteReadRequest){0};
    while (ok && proto_next(&r, &f)) {
        RemoteReadQuery q = {0};
        if (f.number == 1) ok = read_query(&d, f.bytes, &q) && (avec_push(arena, &queries, q) || no_memory(&d));
        if (f.number == 2) ok = read_accepted(&d, &f, ret, &chosen);
    }
    if (ok) check(&d, &r);
    ret->v = queries.v;
    ret->n = queries.n;
    return d.rc;
}

/* --- the answer --- */

static void put_label(Buf *out, const Label *l) {
    size_t mark = proto_begin(out, 1);
    proto_put_bytes(out, 1, l->name);
    proto_put_bytes(out, 2, l->value);
    proto_end(out, mark);
}

/* Both are sorted by name; a series' own label wins. */
void remote_read_put_labels(Buf *out, Labels l, Labels external) {
    size_t i = 0, k = 0;
    while (i < l.n || k < external.n) {
        int c = i == l.n ? 1 : k == external.n ? -1 : str_cmp(l.v[i].name, external.v[k].name);
        put_label(out, c <= 0 ? &l.v[i] : &external.v[k]);
        i += c <= 0;
        k += c >= 0;
    }
}

static bool is_zero(double v) { return v == 0 && !signbit(v); }

void remote_read_put_sample(Buf *out, int64_t t_ms, double v, int64_t start_ms) {
    size_t mark = proto_begin(out, 2);
    if (!is_zero(v)) proto_put_f64(out, 1, v);
    if (t_ms) proto_put_varint(out, 2, (uint64_t)t_ms);
    if (start_ms) proto_put_varint(out, 3, (uint64_t)start_ms);
    proto_end(out, mark);
}

static void put_doubles(Buf *out, uint32_t number, const double *v, size_t n) {
    if (n) proto_put_bytes(out, number, str_of((const char *)v, n * sizeof *v));
}

/* Counts of integer histograms that no integer holds come from broken senders. */
static uint64_t to_u64(double v) { return !(v > 0) ? 0 : v >= 0x1p64 ? UINT64_MAX : (uint64_t)v; }
static int64_t to_i64(double v) { return v >= 0x1p63 ? INT64_MAX : v > -0x1p63 ? (int64_t)v : INT64_MIN; }

static void put_deltas(Buf *out, uint32_t number, const double *v, size_t n) {
    Buf packed = {0};
    int64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t now = to_i64(v[i]), delta = (int64_t)((uint64_t)now - (uint64_t)last);
        uint64_t z = (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63);
        for (; z > 127; z >>= 7) buf_put_char(&packed, (char)(z | 128));
        buf_put_char(&packed, (char)z);
        last = now;
    }
    if (n) proto_put_bytes(out, number, buf_str(&packed));
    buf_done(&packed);
}

static void put_spans(Buf *out, uint32_t number, const HistogramSpan *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t mark = proto_begin(out, number);
        if (v[i].offset) proto_put_sint(out, 1, v[i].offset);
        if (v[i].length) proto_put_varint(out, 2, v[i].length);
        proto_end(out, mark);
    }
}

void remote_read_put_histogram(Buf *out, uint32_t number, int64_t t_ms, const Histogram *h, int64_t start_ms) {
    size_t mark = proto_begin(out, number);
    if (h->is_float)
        proto_put_f64(out, 2, h->count);
    else
        proto_put_varint(out, 1, to_u64(h->count));
    if (!is_zero(h->sum)) proto_put_f64(out, 3, h->sum);
    if (h->schema) proto_put_sint(out, 4, h->schema);
    if (!is_zero(h->zero_threshold)) proto_put_f64(out, 5, h->zero_threshold);
    if (h->is_float)
        proto_put_f64(out, 7, h->zero_count);
    else
        proto_put_varint(out, 6, to_u64(h->zero_count));
    put_spans(out, 8, h->neg_spans, h->n_neg_spans);
    if (h->is_float)
        put_doubles(out, 10, h->neg, h->n_neg);
    else
        put_deltas(out, 9, h->neg, h->n_neg);
    put_spans(out, 11, h->pos_spans, h->n_pos_spans);
    if (h->is_float)
        put_doubles(out, 13, h->pos, h->n_pos);
    else
        put_deltas(out, 12, h->pos, h->n_pos);
    if (h->reset) proto_put_varint(out, 14, h->reset);
    if (t_ms) proto_put_varint(out, 15, (uint64_t)t_ms);
    put_doubles(out, 16, h->custom_bounds, h->n_custom_bounds);
    if (start_ms) proto_put_varint(out, 17, (uint64_t)start_ms);
    proto_end(out, mark);
}

void remote_read_put_series(Buf *out, const SeriesColumn *c, Labels external) {
    size_t series = proto_begin(out, 1);
    remote_read_put_labels(out, c->labels, external);
    for (size_t k = 0; k < c->n; k++) remote_read_put_sample(out, c->t_ms[k], c->value[k], 0);
    for (size_t k = 0; k < c->n_histograms; k++)
        remote_read_put_histogram(out, 4, c->histogram_t_ms[k], &c->histograms[k], 0);
    proto_end(out, series);
}
