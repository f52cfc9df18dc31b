/* remote_write_labels.c - label sets of series: as bytes with a hash, and read. */
#include "base/hash.h"
#include "metrics/api/remote_write_int.h"

#include <stdio.h>

void rw_tell_series(RwDecoder *d, MetricsComplaintStage stage, Str run, Labels labels) {
    Str reason = d->reason;
    d->reason = STR_NULL;
    if (run.n) {
        d->labels.n = 0;
        if (!rw_read_run(d, run)) return;
        labels = (Labels){d->labels.v, d->labels.n};
    }
    metrics_batch_complain(d->batch, (uint32_t)d->batch->series.n, stage, reason, &labels);
    if (!d->told) return;
    d->told = false;
    Buf text = {0};
    labels_put_set(&text, labels);
    size_t n = strlen(d->err->msg);
    snprintf(d->err->msg + n, sizeof d->err->msg - n, " for series %s", buf_cstr(&text));
    buf_done(&text);
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

/* "[1 99 3 4]" */
static void put_refs(Buf *out, const RwVarints *refs) {
    for (size_t i = 0; i < refs->n && out->n < 300; i++)
        buf_printf(out, "%c%llu", i ? ' ' : '[', (unsigned long long)refs->v[i]);
    buf_put_str(out, out->n < 300 ? STR("]") : STR(" ...]"));
}

static bool refuse_refs(RwDecoder *d, const RwVarints *refs, size_t at) {
    Buf all = {0};
    put_refs(&all, refs);
    if (at == refs->n)
        (void)rw_refuse(d, "parsing labels for series %s: invalid labelRefs length %zu", buf_cstr(&all), refs->n);
    else
        (void)rw_refuse(d,
            "parsing labels for series %s: labelRefs %llu (name) = %llu (value) outside of symbols table (size %zu)",
            buf_cstr(&all), (unsigned long long)refs->v[at], (unsigned long long)refs->v[at + 1], d->symbols.n);
    buf_done(&all);
    return false;
}

static bool read_label_refs(RwDecoder *d, const ProtoField *f) {
    RwVarints refs = {0};
    if (!rw_put_varints(d, f, &refs)) return false;
    if (refs.n % 2) return refuse_refs(d, &refs, refs.n);
    for (size_t i = 0; i < refs.n; i += 2) {
        if (refs.v[i] >= d->symbols.n || refs.v[i + 1] >= d->symbols.n) return refuse_refs(d, &refs, i);
        Label l = {d->symbols.v[refs.v[i]], d->symbols.v[refs.v[i + 1]]};
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

/* Why a series is left out; in err the first reason stays. */
static void note_labels(RwDecoder *d, const char *what, Labels labels, Str duplicate) {
    bool first = d->err && !d->err->msg[0];
    if (!first && !d->batch->complaints) return;
    Buf text = {0};
    buf_put_str(&text, str_cstr(what));
    labels_put_set(&text, labels);
    if (duplicate.n) buf_printf(&text, ", duplicated label %" STR_FMT, STR_ARG(duplicate));
    if (first) err_set(d->err, OK, "%s", buf_cstr(&text));
    d->label_problem = arena_copy(d->arena, buf_str(&text));
    buf_done(&text);
}

static Str twice(const Label *v, size_t n) { /* sorted */
    for (size_t i = 1; i < n; i++)
        if (str_eq(v[i].name, v[i - 1].name)) return v[i].name;
    return STR_NULL;
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
        if (!good && *ret_ok) note_labels(d, "invalid metric name or labels, got ", (Labels){v, n}, STR_NULL);
        *ret_ok = *ret_ok && good;
    }
    bool sorted = *ret_ok && labels_sorted(v, n);
    if (sorted) d->previous = (Labels){v, n}; /* only then it is as it came */
    if (*ret_ok && !sorted && labels_normalize(v, &n, NULL) != OK) {
        *ret_ok = false;
        note_labels(d, "invalid labels for series, labels ", (Labels){v, n}, twice(v, n));
    }
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
    uint64_t h = ~wire_seed();
    bool good = true;
    while (proto_next(&fields, &f)) {
        ProtoReader r = proto_reader(f.bytes);
        uint64_t n = 0;
        for (uint64_t ref; good && proto_packed_varint(&r, &ref); n++) {
            good = ref < d->symbol_hashes.n;
            if (good) h = hash_u64(h ^ d->symbol_hashes.v[ref]);
        }
        if (good && !rw_check(d, &r)) return false;
        good = good && n % 2 == 0;
    }
    if (!good) { /* reading them tells what is wrong */
        bool read = rw_read_run(d, run);
        ASSERT(!read);
        return false;
    }
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
        note_labels(d, "invalid metric name or labels, got ", labels, STR_NULL);
    }
    return *good;
}

ErrCode rw_read_wire_labels(void *ctx, BatchSeries *s, Err *reterr) {
    RwDecoder *d = ctx;
    bool good;
    Labels labels;
    d->rc = OK;
    d->err = reterr;
    if (!rw_read_run(d, s->wire) || !rw_take_labels(d, &labels, &good)) {
        ErrCode rc = d->refused ? ERR_UNPROCESSABLE : d->rc;
        d->refused = false;
        return rc;
    }
    if (!rw_check_name(d, labels, &good)) return ERR_UNPROCESSABLE;
    s->labels = labels;
    return OK;
}
