#include "base/vec.h"
#include "traces/span_codec.h"

/* Attribute keys of like spans come in the same order, so the key expected at a place is tried before the map. */
#define PREDICT_MAX 64

typedef struct StringTable {
    Map *index; /* string -> number */
    VEC(Str) strings;
    uint32_t predicted[PREDICT_MAX];
} StringTable;

static uint32_t table_lookup(StringTable *t, Str s) {
    bool inserted;
    uint64_t *slot = map_put(t->index, s, &inserted);
    if (inserted) {
        *slot = t->strings.n;
        vec_push(&t->strings, s);
    }
    return (uint32_t)*slot;
}

static uint32_t table_intern(StringTable *t, Str s, size_t place) {
    if (place >= PREDICT_MAX) return table_lookup(t, s);
    uint32_t guess = t->predicted[place];
    if (guess < t->strings.n && str_eq(t->strings.v[guess], s)) return guess;
    return t->predicted[place] = table_lookup(t, s);
}

static void put_value(Buf *out, const AttrValue *v) {
    buf_put_char(out, (char)v->type);
    switch (v->type) {
    case ATTR_EMPTY: return;
    case ATTR_STR:
    case ATTR_BYTES:
    case ATTR_ARRAY:
    case ATTR_MAP: buf_put_lenstr(out, v->s); return;
    case ATTR_BOOL: buf_put_char(out, v->b ? 1 : 0); return;
    case ATTR_I64: buf_put_svarint(out, v->i); return;
    case ATTR_F64: buf_put_u64le(out, (uint64_t)v->i); return; /* the bits */
    }
    UNREACHABLE();
}

void span_attr_encode(Buf *out, const Attr *attr) {
    buf_put_lenstr(out, attr->key);
    put_value(out, &attr->value);
}

static void put_attrs(Buf *out, StringTable *t, const SpansBatch *b, AttrRange range) {
    ASSERT((size_t)range.first + range.n <= b->attrs.n);
    buf_put_uvarint(out, range.n);
    for (uint32_t i = 0; i < range.n; i++) {
        const Attr *a = &b->attrs.v[range.first + i];
        if (t) {
            buf_put_uvarint(out, table_intern(t, a->key, i + 1));
            put_value(out, &a->value);
        } else {
            span_attr_encode(out, a);
        }
    }
}

static void put_events(Buf *out, StringTable *t, const SpansBatch *b, AttrRange range, int64_t start_ns) {
    buf_put_uvarint(out, range.n);
    for (uint32_t i = 0; i < range.n; i++) {
        const SpanEvent *e = &b->events.v[range.first + i];
        buf_put_svarint(out, (int64_t)((uint64_t)e->t_ns - (uint64_t)start_ns));
        if (t) {
            buf_put_uvarint(out, table_lookup(t, e->name));
        } else {
            buf_put_lenstr(out, e->name);
        }
        buf_put_uvarint(out, e->dropped_attributes);
        put_attrs(out, t, b, e->attrs);
    }
}

static void put_links(Buf *out, StringTable *t, const SpansBatch *b, AttrRange range) {
    buf_put_uvarint(out, range.n);
    for (uint32_t i = 0; i < range.n; i++) {
        const SpanLink *l = &b->links.v[range.first + i];
        buf_put(out, l->trace_id.b, 16);
        buf_put(out, l->span_id.b, 8);
        buf_put_lenstr(out, l->trace_state);
        buf_put_uvarint(out, l->flags);
        buf_put_uvarint(out, l->dropped_attributes);
        put_attrs(out, t, b, l->attrs);
    }
}

void span_events_encode(Buf *out, const SpansBatch *b, AttrRange events, int64_t start_ns) {
    put_events(out, NULL, b, events, start_ns);
}

void span_links_encode(Buf *out, const SpansBatch *b, AttrRange links) { put_links(out, NULL, b, links); }

void span_resource_encode(Buf *out, const SpansBatch *b, const Resource *r) {
    buf_put_lenstr(out, r->schema_url);
    buf_put_uvarint(out, r->dropped_attributes);
    put_attrs(out, NULL, b, r->attrs);
}

void span_scope_encode(Buf *out, const SpansBatch *b, const Scope *s) {
    buf_put_lenstr(out, s->name);
    buf_put_lenstr(out, s->version);
    buf_put_lenstr(out, s->schema_url);
    buf_put_uvarint(out, s->dropped_attributes);
    put_attrs(out, NULL, b, s->attrs);
}

static bool row_has_extra(const SpanRow *r) {
    return r->status_message.n || r->trace_state.n || r->flags || r->dropped_attributes || r->dropped_events ||
           r->dropped_links || r->events.n || r->links.n;
}

static void put_row(Buf *out, StringTable *t, const SpansBatch *b, const SpanRow *r) {
    ASSERT(r->resource < b->resources.n && r->scope < b->scopes.n);
    bool extra = row_has_extra(r), parent = !span_id_is_zero(r->parent_id);
    buf_put(out, r->trace_id.b, 16);
    buf_put(out, r->span_id.b, 8);
    buf_put_char(out, (char)((r->kind & 7) | (r->status & 3) << 3 | parent << 5 | extra << 6));
    buf_put_u64le(out, (uint64_t)r->start_ns);
    buf_put_svarint(out, (int64_t)((uint64_t)r->end_ns - (uint64_t)r->start_ns));
    buf_put_uvarint(out, r->resource);
    buf_put_uvarint(out, r->scope);
    buf_put_uvarint(out, table_intern(t, r->name, 0));
    if (parent) buf_put(out, r->parent_id.b, 8);
    put_attrs(out, t, b, r->attrs);
    if (!extra) return;
    buf_put_lenstr(out, r->status_message);
    buf_put_lenstr(out, r->trace_state);
    buf_put_uvarint(out, r->flags);
    buf_put_uvarint(out, r->dropped_attributes);
    buf_put_uvarint(out, r->dropped_events);
    buf_put_uvarint(out, r->dropped_links);
    put_events(out, t, b, r->events, r->start_ns);
    put_links(out, t, b, r->links);
}

void span_payload_encode(Buf *out, const SpansBatch *b) {
    StringTable table = {.index = map_create(MAP_BORROW_KEYS)};
    Buf rows = {0}, row = {0};
    buf_reserve(&rows, b->rows.n * 200);
    vec_foreach(SpanRow, r, &b->rows) {
        buf_clear(&row);
        put_row(&row, &table, b, r);
        buf_put_lenstr(&rows, buf_str(&row));
    }
    buf_reserve(out, rows.n + 4096);
    buf_put_char(out, SPAN_PAYLOAD_VERSION);
    buf_put_uvarint(out, b->resources.n);
    vec_foreach(Resource, r, &b->resources) {
        buf_clear(&row);
        span_resource_encode(&row, b, r);
        buf_put_lenstr(out, buf_str(&row));
    }
    buf_put_uvarint(out, b->scopes.n);
    vec_foreach(Scope, s, &b->scopes) {
        buf_clear(&row);
        span_scope_encode(&row, b, s);
        buf_put_lenstr(out, buf_str(&row));
    }
    buf_put_uvarint(out, table.strings.n);
    vec_foreach(Str, s, &table.strings) buf_put_lenstr(out, *s);
    buf_put_uvarint(out, b->rows.n);
    buf_put_str(out, buf_str(&rows));
    buf_done(&row);
    buf_done(&rows);
    vec_done(&table.strings);
    map_free(table.index);
}
