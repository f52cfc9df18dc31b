#include "logs/payload.h"

#include "base/hash.h"
#include "base/timefmt.h"

#include <stdio.h>

#define PAYLOAD_VERSION 2
/* Fewer rows than this do not make a value a constant: shapes with constants are seldom seen again in other payloads,
 * those without are shared by the whole head. */
#define CONST_ROWS_MIN 24

void log_stream_key_encode(Buf *out, Labels l) {
    buf_put_uvarint(out, l.n);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_lenstr(out, l.v[i].name);
        buf_put_lenstr(out, l.v[i].value);
    }
}

bool log_stream_key_decode(Str key, Arena *arena, Labels *ret) {
    Cursor c = cursor_of(key);
    uint64_t n = cursor_uvarint(&c);
    if (c.bad || n > key.n / 2) return false;
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        v[i].name = cursor_lenstr(&c);
        v[i].value = cursor_lenstr(&c);
    }
    *ret = (Labels){v, n};
    return !c.bad && cursor_left(&c) == 0;
}

/* --- shapes of a batch --- */

static inline bool same_str(Str a, Str b) { return a.n == b.n && (a.p == b.p || memcmp(a.p, b.p, a.n) == 0); }

static bool shape_has(const LogEncShape *s, const Attr *attrs, size_t n) {
    if (s->n_attrs != n) return false;
    for (size_t i = 0; i < n; i++)
        if (attrs[i].value.type != s->sample[i].value.type || !same_str(attrs[i].key, s->sample[i].key)) return false;
    return true;
}

/* Length and both ends of the names: cheap, and whatever collides is compared. */
static uint64_t shape_hash(const Attr *attrs, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        Str key = attrs[i].key;
        uint64_t head = 0, tail = 0;
        size_t part = MIN(key.n, (size_t)8);
        if (part > 0) {
            memcpy(&head, key.p, part);
            memcpy(&tail, key.p + key.n - part, part);
        }
        h = (h ^ head ^ key.n << 56 ^ (uint64_t)attrs[i].value.type << 48) * UINT64_C(0x9e3779b97f4a7c15);
        h = (h ^ h >> 32 ^ tail) * UINT64_C(0xbf58476d1ce4e5b9);
    }
    return hash_u64(h);
}

static uint32_t shape_add(LogEncoder *e, const Attr *attrs, size_t n) {
    LogEncShape s = {.sample = attrs, .n_attrs = (uint32_t)n, .first_field = e->fields.n};
    vec_clear(&e->sorted);
    for (size_t i = 0; i < n; i++) vec_push(&e->sorted, &attrs[i]);
    s.n_fields = (uint32_t)log_metadata_sort(e->sorted.v, n);
    for (size_t i = 0; i < s.n_fields; i++)
        vec_push(&e->fields, (LogEncField){.attr = (uint32_t)(e->sorted.v[i] - attrs)});
    vec_push(&e->shapes, s);
    return (uint32_t)e->shapes.n - 1;
}

static uint32_t shape_from_table(LogEncoder *e, const Attr *attrs, size_t n) {
    if (e->shapes.n < LOG_ENC_NEAR) return shape_add(e, attrs, n);
    if (!e->by_hash) {
        e->by_hash = u64map_create();
        for (uint32_t i = 0; i < e->shapes.n; i++)
            *u64map_put(e->by_hash, shape_hash(e->shapes.v[i].sample, e->shapes.v[i].n_attrs), NULL) = i;
    }
    bool fresh;
    uint64_t *slot = u64map_put(e->by_hash, shape_hash(attrs, n), &fresh);
    if (fresh || !shape_has(&e->shapes.v[*slot], attrs, n)) *slot = shape_add(e, attrs, n);
    return (uint32_t)*slot;
}

static uint32_t shape_find(LogEncoder *e, const Attr *attrs, size_t n) {
    uint32_t *near = e->near;
    size_t k = 0;
    while (k < MIN(e->shapes.n, (size_t)LOG_ENC_NEAR) && !shape_has(&e->shapes.v[near[k]], attrs, n)) k++;
    bool found = k < MIN(e->shapes.n, (size_t)LOG_ENC_NEAR);
    uint32_t i = found ? near[k] : shape_from_table(e, attrs, n);
    for (k = MIN(k, (size_t)LOG_ENC_NEAR - 1); k > 0; k--) near[k] = near[k - 1];
    near[0] = i;
    return i;
}

static void shape_compare(LogEncoder *e, LogEncShape *s, const Attr *attrs) {
    s->rows++;
    LogEncField *f = e->fields.v + s->first_field;
    for (size_t i = 0; i < s->n_fields; i++)
        if (!f[i].varies) f[i].varies = !attr_value_eq(&attrs[f[i].attr].value, &s->sample[f[i].attr].value);
}

static void find_shapes(LogEncoder *e) {
    const LogsBatch *b = e->batch;
    for (size_t i = 0; i < b->rows.n; i++) {
        AttrRange md = b->rows.v[i].metadata;
        e->row_shape[i] = 0;
        if (md.n == 0) continue;
        ASSERT((size_t)md.first + md.n <= b->attrs.n);
        uint32_t shape = shape_find(e, b->attrs.v + md.first, md.n);
        shape_compare(e, &e->shapes.v[shape], b->attrs.v + md.first);
        if (e->shapes.v[shape].n_fields > 0) e->row_shape[i] = shape + 1;
    }
    vec_foreach(LogEncShape, s, &e->shapes) {
        for (size_t i = 0; i < s->n_fields; i++) e->fields.v[s->first_field + i].varies |= s->rows < CONST_ROWS_MIN;
    }
}

void log_encoder_init(
    LogEncoder *e, const LogsBatch *batch, int64_t oldest_ns, int64_t newest_ns, LogAppendResult *result) {
    *e = (LogEncoder){.batch = batch, .oldest_ns = oldest_ns, .newest_ns = newest_ns, .result = result};
    e->ordinal = mem_alloc_array(batch->streams.n + 1, sizeof *e->ordinal);
    e->row_shape = mem_alloc_array(batch->rows.n + 1, sizeof *e->row_shape);
    find_shapes(e);
}

void log_encoder_done(LogEncoder *e) {
    mem_free(e->ordinal);
    mem_free(e->row_shape);
    vec_done(&e->shapes);
    vec_done(&e->fields);
    vec_done(&e->sorted);
    u64map_free(e->by_hash);
    buf_done(&e->scratch);
    *e = (LogEncoder){0};
}

/* --- encoding --- */

static void note_rejected(LogEncoder *e, const LogRow *row) {
    bool old = row->t_ns < e->oldest_ns;
    if (old)
        e->result->too_old++;
    else
        e->result->too_new++;
    if (e->result->first_error[0]) return;
    Buf b = {0};
    buf_put_lit(&b, "entry for stream '");
    labels_put_text(&b, e->batch->streams.v[row->stream]);
    if (old)
        buf_put_lit(&b, "' has timestamp too old: ");
    else
        buf_put_lit(&b, "' has timestamp too new: ");
    time_put_rfc3339(&b, row->t_ns);
    if (old) {
        buf_put_lit(&b, ", oldest acceptable timestamp is: ");
        time_put_rfc3339(&b, e->oldest_ns);
    }
    (void)snprintf(e->result->first_error, sizeof e->result->first_error, "%s", buf_cstr(&b));
    buf_done(&b);
}

static void encode_stream(LogEncoder *e, Buf *out, Labels l) {
    buf_clear(&e->scratch);
    log_stream_key_encode(&e->scratch, l);
    buf_put_uvarint(out, 0);
    buf_put_lenstr(out, buf_str(&e->scratch));
}

static void encode_shape(LogEncoder *e, Buf *out, const LogEncShape *s) {
    buf_clear(&e->scratch);
    buf_put_uvarint(&e->scratch, s->n_fields);
    for (size_t i = 0; i < s->n_fields; i++) {
        const LogEncField *f = &e->fields.v[s->first_field + i];
        log_shape_put_field(&e->scratch, s->sample[f->attr].key, &s->sample[f->attr].value, !f->varies);
    }
    buf_put_uvarint(out, 1);
    buf_put_lenstr(out, buf_str(&e->scratch));
}

static void encode_values(LogEncoder *e, const LogEncShape *s, const Attr *attrs) {
    const LogEncField *f = e->fields.v + s->first_field;
    for (size_t i = 0; i < s->n_fields; i++)
        if (f[i].varies) log_value_put(&e->scratch, &attrs[f[i].attr].value);
}

typedef struct Payload {
    Buf *out;
    uint32_t n_streams, n_shapes;
    int64_t prev_t;
} Payload;

static void encode_row(LogEncoder *e, Payload *p, size_t i) {
    const LogRow *row = &e->batch->rows.v[i];
    LogEncShape *shape = e->row_shape[i] ? &e->shapes.v[e->row_shape[i] - 1] : NULL;
    if (e->ordinal[row->stream] == 0) {
        encode_stream(e, p->out, e->batch->streams.v[row->stream]);
        e->ordinal[row->stream] = ++p->n_streams;
    }
    if (shape && shape->ordinal == 0) {
        encode_shape(e, p->out, shape);
        shape->ordinal = ++p->n_shapes;
    }
    buf_clear(&e->scratch);
    if (shape) encode_values(e, shape, &e->batch->attrs.v[row->metadata.first]);
    buf_reserve(p->out, 64 + row->line.n + e->scratch.n);
    buf_put_uvarint(p->out, (uint64_t)e->ordinal[row->stream] + 1);
    buf_put_uvarint(p->out, shape ? shape->ordinal : 0);
    buf_put_svarint(p->out, (int64_t)((uint64_t)row->t_ns - (uint64_t)p->prev_t));
    p->prev_t = row->t_ns;
    buf_put_uvarint(p->out, row->line.n);
    buf_put_uvarint(p->out, e->scratch.n);
    buf_put_str(p->out, row->line);
    buf_put_str(p->out, buf_str(&e->scratch));
}

bool log_encoder_next(LogEncoder *e, size_t bytes_max, Buf *out) {
    const LogsBatch *b = e->batch;
    size_t begin = out->n;
    memset(e->ordinal, 0, (b->streams.n + 1) * sizeof *e->ordinal);
    vec_foreach(LogEncShape, s, &e->shapes) s->ordinal = 0;
    Payload p = {.out = out};
    uint64_t rows = 0;
    buf_put_char(out, PAYLOAD_VERSION);
    for (; e->next_row < b->rows.n && out->n - begin < bytes_max; e->next_row++) {
        const LogRow *row = &b->rows.v[e->next_row];
        ASSERT(row->stream < b->streams.n);
        if (UNLIKELY(row->t_ns < e->oldest_ns || row->t_ns > e->newest_ns)) {
            note_rejected(e, row);
            continue;
        }
        encode_row(e, &p, e->next_row);
        rows++;
    }
    if (rows == 0) out->n = begin;
    return rows > 0;
}

/* --- decoding --- */

bool log_decoder_init(LogDecoder *d, Str payload) {
    *d = (LogDecoder){.c = cursor_of(payload)};
    return cursor_u8(&d->c) == PAYLOAD_VERSION && !d->c.bad;
}

static inline uint64_t take_uvarint(Cursor *c) {
    if (LIKELY(c->p < c->end && *c->p < 0x80)) return *c->p++;
    return cursor_uvarint(c);
}

LogItemKind log_decoder_next(LogDecoder *d, LogItem *ret) {
    if (cursor_left(&d->c) == 0) return d->c.bad ? LOG_ITEM_BAD : LOG_ITEM_END;
    uint64_t tag = take_uvarint(&d->c);
    if (tag < 2) {
        ret->key = cursor_lenstr(&d->c);
        if (d->c.bad) return LOG_ITEM_BAD;
        (*(tag == 0 ? &d->n_streams : &d->n_shapes))++;
        return tag == 0 ? LOG_ITEM_STREAM : LOG_ITEM_SHAPE;
    }
    uint64_t shape = take_uvarint(&d->c);
    if (tag - 2 >= d->n_streams || shape > d->n_shapes) return LOG_ITEM_BAD;
    ret->stream = (uint32_t)(tag - 2);
    ret->shape = (uint32_t)shape;
    d->t_ns = (int64_t)((uint64_t)d->t_ns + (uint64_t)cursor_svarint(&d->c));
    ret->t_ns = d->t_ns;
    uint64_t line_n = take_uvarint(&d->c), values_n = take_uvarint(&d->c);
    if (d->c.bad || line_n > UINT32_MAX || values_n > UINT32_MAX) return LOG_ITEM_BAD;
    ret->line = cursor_bytes(&d->c, line_n);
    ret->values = cursor_bytes(&d->c, values_n);
    return d->c.bad ? LOG_ITEM_BAD : LOG_ITEM_ROW;
}
