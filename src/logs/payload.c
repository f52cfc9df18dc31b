#include "logs/payload.h"

#include "base/timefmt.h"

#include <stdio.h>

#define PAYLOAD_VERSION 1

void log_encoder_init(
    LogEncoder *e, const LogsBatch *batch, int64_t oldest_ns, int64_t newest_ns, LogAppendResult *result) {
    *e = (LogEncoder){.batch = batch, .oldest_ns = oldest_ns, .newest_ns = newest_ns, .result = result};
    e->ordinal = mem_alloc_array(batch->streams.n + 1, sizeof *e->ordinal);
}

void log_encoder_done(LogEncoder *e) {
    mem_free(e->ordinal);
    mem_free(e->sorted);
    e->ordinal = NULL;
    e->sorted = NULL;
}

/* Keys are few (a handful), nearly sorted, and equal ones must keep their order: insertion sort. Long lists, which
 * only a stranger makes, are merged bottom-up. */
static void attrs_insertion_sort(const Attr **v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const Attr *x = v[i];
        size_t k = i;
        for (; k > 0 && str_cmp(v[k - 1]->key, x->key) > 0; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

static void attrs_merge_sort(const Attr **v, size_t n) {
    if (n <= 24) {
        attrs_insertion_sort(v, n);
        return;
    }
    size_t half = n / 2;
    attrs_merge_sort(v, half);
    attrs_merge_sort(v + half, n - half);
    const Attr **left = mem_alloc_array(half, sizeof *left);
    memcpy(left, v, half * sizeof *left);
    size_t a = 0, b = half, out = 0;
    while (a < half && b < n) v[out++] = str_cmp(left[a]->key, v[b]->key) <= 0 ? left[a++] : v[b++];
    while (a < half) v[out++] = left[a++];
    mem_free(left);
}

size_t log_metadata_sort(const Attr **v, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->key.n == 0 || v[i]->value.type == ATTR_EMPTY) continue;
        v[kept++] = v[i];
    }
    attrs_merge_sort(v, kept);
    size_t out = 0;
    for (size_t i = 0; i < kept; i++) {
        if (out > 0 && str_eq(v[out - 1]->key, v[i]->key)) out--;
        v[out++] = v[i];
    }
    return out;
}

void log_metadata_encode(Buf *out, const Attr *const *sorted, size_t n) {
    buf_put_uvarint(out, n);
    for (size_t i = 0; i < n; i++) {
        const Attr *a = sorted[i];
        buf_put_lenstr(out, a->key);
        buf_put_char(out, (char)a->value.type);
        switch (a->value.type) {
        case ATTR_STR:
        case ATTR_BYTES:
        case ATTR_ARRAY:
        case ATTR_MAP: buf_put_lenstr(out, a->value.s); break;
        case ATTR_BOOL: buf_put_char(out, a->value.b ? 1 : 0); break;
        case ATTR_I64: buf_put_svarint(out, a->value.i); break;
        case ATTR_F64: {
            uint64_t bits;
            memcpy(&bits, &a->value.d, 8);
            buf_put_u64le(out, bits);
            break;
        }
        case ATTR_EMPTY: UNREACHABLE();
        }
    }
}

static bool metadata_value(Cursor *c, AttrValue *v) {
    v->type = (AttrType)cursor_u8(c);
    switch (v->type) {
    case ATTR_STR:
    case ATTR_BYTES:
    case ATTR_ARRAY:
    case ATTR_MAP: v->s = cursor_lenstr(c); return true;
    case ATTR_BOOL: v->b = cursor_u8(c) != 0; return true;
    case ATTR_I64: v->i = cursor_svarint(c); return true;
    case ATTR_F64: {
        uint64_t bits = cursor_u64le(c);
        memcpy(&v->d, &bits, 8);
        return true;
    }
    case ATTR_EMPTY: break;
    }
    return false;
}

bool log_metadata_decode(Str md, LogAttrVec *v) {
    vec_clear(v);
    if (md.n == 0) return true;
    Cursor c = cursor_of(md);
    uint64_t n = cursor_uvarint(&c);
    for (uint64_t i = 0; i < n && !c.bad; i++) {
        Attr a = {.key = cursor_lenstr(&c)};
        if (!metadata_value(&c, &a.value)) return false;
        vec_push(v, a);
    }
    return !c.bad;
}

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

static void encode_metadata(LogEncoder *e, const LogRow *row, Buf *md) {
    buf_clear(md);
    size_t n = row->metadata.n;
    if (n == 0) return;
    ASSERT((size_t)row->metadata.first + n <= e->batch->attrs.n);
    if (n > e->n_sorted_cap) {
        e->n_sorted_cap = n + 16;
        e->sorted = mem_realloc_array(e->sorted, e->n_sorted_cap, sizeof(const Attr *));
    }
    for (size_t i = 0; i < n; i++) e->sorted[i] = &e->batch->attrs.v[row->metadata.first + i];
    n = log_metadata_sort(e->sorted, n);
    if (n > 0) log_metadata_encode(md, e->sorted, n);
}

static void encode_stream(Buf *out, Labels l, Buf *scratch) {
    buf_clear(scratch);
    log_stream_key_encode(scratch, l);
    buf_put_uvarint(out, 0);
    buf_put_lenstr(out, buf_str(scratch));
}

bool log_encoder_next(LogEncoder *e, size_t bytes_max, Buf *out) {
    const LogsBatch *b = e->batch;
    size_t begin = out->n;
    memset(e->ordinal, 0, (b->streams.n + 1) * sizeof *e->ordinal);
    uint32_t n_streams = 0;
    uint64_t rows = 0;
    int64_t prev_t = 0;
    Buf scratch = {0};
    buf_put_char(out, PAYLOAD_VERSION);
    for (; e->next_row < b->rows.n && out->n - begin < bytes_max; e->next_row++) {
        const LogRow *row = &b->rows.v[e->next_row];
        ASSERT(row->stream < b->streams.n);
        if (UNLIKELY(row->t_ns < e->oldest_ns || row->t_ns > e->newest_ns)) {
            note_rejected(e, row);
            continue;
        }
        if (e->ordinal[row->stream] == 0) {
            encode_stream(out, b->streams.v[row->stream], &scratch);
            e->ordinal[row->stream] = ++n_streams;
        }
        encode_metadata(e, row, &scratch);
        buf_put_uvarint(out, e->ordinal[row->stream]);
        buf_put_svarint(out, (int64_t)((uint64_t)row->t_ns - (uint64_t)prev_t));
        prev_t = row->t_ns;
        buf_put_uvarint(out, row->line.n);
        buf_put_uvarint(out, scratch.n);
        buf_put_str(out, row->line);
        buf_put(out, scratch.p, scratch.n);
        rows++;
    }
    buf_done(&scratch);
    if (rows == 0) out->n = begin;
    return rows > 0;
}

bool log_decoder_init(LogDecoder *d, Str payload) {
    *d = (LogDecoder){.c = cursor_of(payload)};
    return cursor_u8(&d->c) == PAYLOAD_VERSION && !d->c.bad;
}

LogItemKind log_decoder_next(LogDecoder *d, LogItem *ret) {
    if (cursor_left(&d->c) == 0) return d->c.bad ? LOG_ITEM_BAD : LOG_ITEM_END;
    uint64_t tag = cursor_uvarint(&d->c);
    if (tag == 0) {
        ret->stream_key = cursor_lenstr(&d->c);
        d->n_streams++;
        return d->c.bad ? LOG_ITEM_BAD : LOG_ITEM_STREAM;
    }
    if (tag > d->n_streams) return LOG_ITEM_BAD;
    ret->stream = (uint32_t)(tag - 1);
    d->t_ns = (int64_t)((uint64_t)d->t_ns + (uint64_t)cursor_svarint(&d->c));
    ret->t_ns = d->t_ns;
    uint64_t line_n = cursor_uvarint(&d->c), md_n = cursor_uvarint(&d->c);
    if (d->c.bad || line_n > UINT32_MAX || md_n > UINT32_MAX) return LOG_ITEM_BAD;
    ret->line = cursor_bytes(&d->c, line_n);
    ret->metadata = cursor_bytes(&d->c, md_n);
    return d->c.bad ? LOG_ITEM_BAD : LOG_ITEM_ROW;
}
