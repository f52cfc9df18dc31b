/* remote_write_labels.c - label sets of series: as bytes with a hash, and read. */
#include "base/hash.h"
#include "metrics/api/remote_write_int.h"

Str rw_symbol(RwDecoder *d, uint64_t ref) {
    if (ref < d->symbols.n) return d->symbols.v[ref];
    rw_malformed(d, "symbol reference out of range");
    return STR_NULL;
}

static bool read_label(RwDecoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Label l = {STR_NULL, STR_NULL};
    while (proto_next(&r, &f)) {
        if (f.number == 1) l.name = f.bytes;
        if (f.number == 2) l.value = f.bytes;
    }
    return rw_check(d, &r) && (avec_push(d->arena, &d->labels, l) || rw_no_memory(d));
}

static bool read_label_refs(RwDecoder *d, const ProtoField *f) {
    RwVarints refs = {0};
    if (!rw_put_varints(d, f, &refs)) return false;
    if (refs.n % 2) return rw_malformed(d, "odd number of label references");
    for (size_t i = 0; i < refs.n; i += 2) {
        Label l = {rw_symbol(d, refs.v[i]), rw_symbol(d, refs.v[i + 1])};
        if (d->rc != OK) return false;
        if (!avec_push(d->arena, &d->labels, l)) return rw_no_memory(d);
    }
    return true;
}

bool rw_read_label_field(RwDecoder *d, const ProtoField *f) {
    return d->version == REMOTE_WRITE_2 ? read_label_refs(d, f) : read_label(d, f->bytes);
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

bool rw_take_labels(RwDecoder *d, Labels *ret, bool *ret_ok) {
    size_t n = d->labels.n;
    Label *v = ARENA_ARRAY(d->arena, Label, n);
    if (!v) return rw_no_memory(d);
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

uint64_t rw_labels_hash(const RwDecoder *d) {
    uint64_t h = hash_process_seed();
    for (size_t i = 0; i < d->labels.n; i++) {
        const Label *l = &d->labels.v[i];
        h = hash_bytes(l->name.p, l->name.n, h);
        h = hash_bytes(l->value.p, l->value.n, h ^ l->name.n);
    }
    return h ? h : 1;
}

/* --- labels as they came --- */

/* Hashes of these bytes must not meet those that other senders' formats make with the same seed. */
static uint64_t wire_seed(void) { return hash_process_seed() ^ UINT64_C(0x72656d6f74657772); }

Str rw_label_run(Str series) {
    const uint8_t *p = (const uint8_t *)series.p, *start = p, *end = p + series.n;
    while (end - p >= 3 && p[0] == (1 << 3 | PROTO_BYTES)) {
        size_t n = p[1], head = 2;
        if (n >= 0x80) {
            if (p[2] >= 0x80) break;
            n = (n & 0x7f) | (size_t)p[2] << 7;
            head = 3;
        }
        if (n > (size_t)(end - p) - head) break;
        p += head + n;
    }
    return str_of(series.p, (size_t)(p - start));
}

/* In 2.0 the bytes are references that mean something in their request only: the hash is that of the symbols'. */
static bool refs_hash(RwDecoder *d, Str run, uint64_t *ret) {
    ProtoReader fields = proto_reader(run);
    ProtoField f;
    uint64_t h = ~wire_seed(), n = 0;
    while (proto_next(&fields, &f)) {
        ProtoReader r = proto_reader(f.bytes);
        for (uint64_t ref; proto_packed_varint(&r, &ref); n++) {
            if (ref >= d->symbol_hashes.n) return rw_malformed(d, "symbol reference out of range");
            h = hash_u64(h ^ d->symbol_hashes.v[ref]);
        }
        if (!rw_check(d, &r)) return false;
    }
    if (n % 2) return rw_malformed(d, "odd number of label references");
    *ret = h;
    return rw_check(d, &fields);
}

bool rw_run_hash(RwDecoder *d, Str run, uint64_t *ret) {
    if (d->version == REMOTE_WRITE_2) {
        if (!refs_hash(d, run, ret)) return false;
    } else {
        *ret = hash_bytes(run.p, run.n, wire_seed());
    }
    if (*ret == 0) *ret = 1;
    return true;
}

bool rw_read_run(RwDecoder *d, Str run) {
    ProtoReader r = proto_reader(run);
    ProtoField f;
    bool ok = true;
    d->labels.n = 0;
    while (ok && proto_next(&r, &f)) ok = rw_read_label_field(d, &f);
    return ok && rw_check(d, &r);
}

bool rw_check_name(RwDecoder *d, Labels labels, bool *good) {
    if (*good && labels_get(labels, LABEL_NAME_METRIC).n == 0) {
        *good = false;
        err_set(d->err, OK, "series has no metric name");
    }
    return *good;
}

ErrCode rw_read_wire_labels(void *ctx, BatchSeries *s, Err *reterr) {
    RwDecoder *d = ctx;
    bool good;
    Labels labels;
    d->rc = OK;
    d->err = reterr;
    if (!rw_read_run(d, s->wire) || !rw_take_labels(d, &labels, &good)) return d->rc;
    if (!rw_check_name(d, labels, &good)) return ERR_UNPROCESSABLE;
    s->labels = labels;
    return OK;
}
