#include "metrics/record.h"

#define RECORD_VERSION 3
#define VARINT_MAX 10

/* First byte of a single sample; other items begin with a letter. */
enum {
    SINGLE = 0x80,
    SINGLE_NEXT_ID = 1,
    SINGLE_SAME_T = 2,
    SINGLE_WHOLE = 4,
    SINGLE_START = 8,       /* a start time follows */
    SINGLE_SAME_START = 16, /* that of the one before which had one */
};

void labels_encode(Buf *out, Labels l) {
    buf_put_uvarint(out, l.n);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_lenstr(out, l.v[i].name);
        buf_put_lenstr(out, l.v[i].value);
    }
}

bool labels_decode(Cursor *c, Arena *arena, Labels *ret) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c) / 2) return false;
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        v[i].name = cursor_lenstr(c);
        v[i].value = cursor_lenstr(c);
    }
    *ret = (Labels){v, n};
    return !c->bad;
}

void record_begin(Buf *out, uint64_t epoch) {
    buf_put_char(out, RECORD_VERSION);
    buf_put_uvarint(out, epoch);
}

void record_put_symbol(Buf *out, uint32_t id, Str symbol) {
    buf_put_char(out, RECORD_SYMBOL);
    buf_put_uvarint(out, id);
    buf_put_lenstr(out, symbol);
}

static char *put_varint(char *p, uint64_t v) {
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}

void record_put_series(Buf *out, uint32_t id, const uint32_t *names, const uint32_t *values, uint32_t n) {
    buf_reserve(out, 1 + (2 + 2 * (size_t)n) * VARINT_MAX);
    char *p = out->p + out->n;
    *p++ = RECORD_SERIES;
    p = put_varint(p, id);
    p = put_varint(p, n);
    for (uint32_t i = 0; i < n; i++) {
        p = put_varint(p, names[i]);
        p = put_varint(p, values[i]);
    }
    out->n = (size_t)(p - out->p);
}

static char *put_delta(char *p, int64_t from, int64_t to) {
    uint64_t d = (uint64_t)to - (uint64_t)from;
    return put_varint(p, d << 1 ^ (d >> 63 ? UINT64_MAX : 0));
}

/* Whole numbers up to 2^53 whose bits come back (not -0). */
static bool is_whole(double v, int64_t *ret) {
    if (!(v >= -0x1p53 && v <= 0x1p53)) return false;
    *ret = (int64_t)v;
    double back = (double)*ret;
    return memcmp(&back, &v, 8) == 0;
}

/* Most samples come alone, series after series of one target: flags instead of the fields that repeat. */
static char *put_single(char *p, uint32_t id, int64_t t, double v, int64_t start, RecordState *state) {
    int64_t whole = 0;
    uint8_t flags = SINGLE;
    if (id == state->id + 1) flags |= SINGLE_NEXT_ID;
    if (t == state->t) flags |= SINGLE_SAME_T;
    if (is_whole(v, &whole)) flags |= SINGLE_WHOLE;
    if (start) flags |= start == state->start ? SINGLE_SAME_START : SINGLE_START;
    *p++ = (char)flags;
    if (!(flags & SINGLE_NEXT_ID)) p = put_varint(p, id);
    if (!(flags & SINGLE_SAME_T)) p = put_delta(p, state->t, t);
    if (flags & SINGLE_START) {
        p = put_delta(p, state->start, start);
        state->start = start;
    }
    if (flags & SINGLE_WHOLE) return put_delta(p, 0, whole);
    memcpy(p, &v, 8); /* little-endian, as everything on disk */
    return p + 8;
}

void record_put_samples(Buf *out, uint32_t id, const int64_t *t_ms, const double *v, const int64_t *start_ms, size_t n,
    RecordState *state) {
    buf_reserve(out, 1 + 2 * VARINT_MAX + n * (2 * VARINT_MAX + sizeof *v));
    char *p = out->p + out->n;
    if (n == 1) {
        p = put_single(p, id, t_ms[0], v[0], start_ms ? start_ms[0] : 0, state);
    } else {
        *p++ = (char)(start_ms ? RECORD_SAMPLES_STARTED : RECORD_SAMPLES);
        p = put_varint(p, id);
        p = put_varint(p, n);
        for (size_t i = 0; i < n; i++) {
            p = put_delta(p, i ? t_ms[i - 1] : state->t, t_ms[i]);
            if (start_ms) {
                p = put_delta(p, state->start, start_ms[i]);
                state->start = start_ms[i];
            }
            memcpy(p, &v[i], 8);
            p += 8;
        }
    }
    if (n) {
        state->t = t_ms[n - 1];
        state->id = id;
    }
    out->n = (size_t)(p - out->p);
}

void record_put_histogram(Buf *out, uint32_t id, int64_t t_ms, int64_t start_ms, const Histogram *h) {
    buf_put_char(out, (char)(start_ms ? RECORD_HISTOGRAM_STARTED : RECORD_HISTOGRAM));
    buf_put_uvarint(out, id);
    buf_put_svarint(out, t_ms);
    if (start_ms) buf_put_svarint(out, start_ms);
    histogram_encode(out, h);
}

void record_put_exemplar(Buf *out, uint32_t id, const Exemplar *e) {
    buf_put_char(out, RECORD_EXEMPLAR);
    buf_put_uvarint(out, id);
    labels_encode(out, e->labels);
    buf_put(out, &e->value, 8);
    buf_put_svarint(out, e->t_ms);
}

void record_put_metadata(Buf *out, const MetricMetadata *m) {
    buf_put_char(out, RECORD_METADATA);
    buf_put_char(out, (char)m->type);
    buf_put_lenstr(out, m->metric);
    buf_put_lenstr(out, m->help);
    buf_put_lenstr(out, m->unit);
}

bool record_reader_init(RecordReader *r, Str payload, Arena *arena) {
    *r = (RecordReader){.c = cursor_of(payload), .arena = arena};
    uint8_t version = cursor_u8(&r->c);
    r->epoch = cursor_uvarint(&r->c);
    return !r->c.bad && version == RECORD_VERSION;
}

static bool read_id(RecordReader *r, RecordItem *it) {
    uint64_t id = cursor_uvarint(&r->c);
    it->id = (uint32_t)id;
    return !r->c.bad && id < UINT32_MAX;
}

static bool read_series(RecordReader *r, RecordItem *it) {
    if (!read_id(r, it)) return false;
    uint64_t n = cursor_uvarint(&r->c);
    if (r->c.bad || n > cursor_left(&r->c) / 2) return false;
    uint32_t *names = ARENA_ARRAY(r->arena, uint32_t, 2 * n), *values = names + n;
    if (!names) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = cursor_uvarint(&r->c), value = cursor_uvarint(&r->c);
        if (name >= UINT32_MAX || value >= UINT32_MAX) return false;
        names[i] = (uint32_t)name;
        values[i] = (uint32_t)value;
    }
    it->names = names;
    it->values = values;
    it->n = n;
    return !r->c.bad;
}

static bool read_symbol(RecordReader *r, RecordItem *it) {
    if (!read_id(r, it)) return false;
    it->symbol = cursor_lenstr(&r->c);
    return !r->c.bad;
}

static int64_t read_delta(RecordReader *r, int64_t from) {
    return (int64_t)((uint64_t)from + (uint64_t)cursor_svarint(&r->c));
}

static bool read_samples(RecordReader *r, RecordItem *it, bool started) {
    it->kind = RECORD_SAMPLES;
    if (!read_id(r, it)) return false;
    uint64_t n = cursor_uvarint(&r->c);
    if (r->c.bad || n > cursor_left(&r->c) / 9) return false;
    int64_t *t = ARENA_ARRAY(r->arena, int64_t, n);
    double *v = ARENA_ARRAY(r->arena, double, n);
    int64_t *start = started ? ARENA_ARRAY(r->arena, int64_t, n) : NULL;
    if (!t || !v || (started && !start)) return false;
    for (uint64_t i = 0; i < n; i++) {
        r->state.t = read_delta(r, r->state.t);
        if (start) start[i] = r->state.start = read_delta(r, r->state.start);
        uint64_t bits = cursor_u64le(&r->c);
        t[i] = r->state.t;
        memcpy(&v[i], &bits, 8);
    }
    it->t_ms = t;
    it->v = v;
    it->start_ms = start;
    it->n = n;
    r->state.id = it->id;
    return !r->c.bad;
}

static bool read_single(RecordReader *r, uint8_t flags, RecordItem *it) {
    it->kind = RECORD_SAMPLES;
    if (flags & SINGLE_NEXT_ID)
        it->id = r->state.id + 1;
    else if (!read_id(r, it))
        return false;
    if (!(flags & SINGLE_SAME_T)) r->state.t = read_delta(r, r->state.t);
    if (flags & SINGLE_START) r->state.start = read_delta(r, r->state.start);
    it->one_t_ms = r->state.t;
    it->one_start_ms = r->state.start;
    if (flags & SINGLE_WHOLE) {
        it->one_v = (double)cursor_svarint(&r->c);
    } else {
        uint64_t bits = cursor_u64le(&r->c);
        memcpy(&it->one_v, &bits, 8);
    }
    it->t_ms = &it->one_t_ms;
    it->v = &it->one_v;
    it->start_ms = flags & (SINGLE_START | SINGLE_SAME_START) ? &it->one_start_ms : NULL;
    it->n = 1;
    r->state.id = it->id;
    return !r->c.bad;
}

static bool read_histogram(RecordReader *r, RecordItem *it, bool started) {
    it->kind = RECORD_HISTOGRAM;
    if (!read_id(r, it)) return false;
    it->t = cursor_svarint(&r->c);
    it->start = started ? cursor_svarint(&r->c) : 0;
    size_t used = 0;
    if (r->c.bad) return false;
    Str rest = str_of((const char *)r->c.p, cursor_left(&r->c));
    if (!histogram_decode(rest, r->arena, &it->histogram, &used)) return false;
    r->c.p += used;
    return true;
}

static bool read_exemplar(RecordReader *r, RecordItem *it) {
    if (!read_id(r, it) || !labels_decode(&r->c, r->arena, &it->exemplar.labels)) return false;
    uint64_t bits = cursor_u64le(&r->c);
    memcpy(&it->exemplar.value, &bits, 8);
    it->exemplar.t_ms = cursor_svarint(&r->c);
    return !r->c.bad;
}

static bool read_metadata(RecordReader *r, RecordItem *it) {
    uint8_t type = cursor_u8(&r->c);
    it->metadata.metric = cursor_lenstr(&r->c);
    it->metadata.help = cursor_lenstr(&r->c);
    it->metadata.unit = cursor_lenstr(&r->c);
    if (r->c.bad || type > METRIC_STATESET) return false;
    it->metadata.type = (MetricType)type;
    return true;
}

bool record_next_defines(const RecordReader *r) {
    return cursor_left(&r->c) && (*r->c.p == RECORD_SYMBOL || *r->c.p == RECORD_SERIES);
}

int record_next(RecordReader *r, RecordItem *ret) {
    if (cursor_left(&r->c) == 0) return 0;
    uint8_t first = cursor_u8(&r->c);
    if (first & SINGLE) return read_single(r, first, ret) ? 1 : -1;
    *ret = (RecordItem){.kind = (RecordItemKind)first};
    bool ok = false;
    switch (ret->kind) {
    case RECORD_SYMBOL: ok = read_symbol(r, ret); break;
    case RECORD_SERIES: ok = read_series(r, ret); break;
    case RECORD_SAMPLES:
    case RECORD_SAMPLES_STARTED: ok = read_samples(r, ret, first == RECORD_SAMPLES_STARTED); break;
    case RECORD_HISTOGRAM:
    case RECORD_HISTOGRAM_STARTED: ok = read_histogram(r, ret, first == RECORD_HISTOGRAM_STARTED); break;
    case RECORD_EXEMPLAR: ok = read_exemplar(r, ret); break;
    case RECORD_METADATA: ok = read_metadata(r, ret); break;
    }
    return ok ? 1 : -1;
}
