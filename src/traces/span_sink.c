#include "traces/span_codec.h"

#include <stdlib.h>

void span_sink_init(SpanSink *s, SpansBatch *batch) {
    ASSERT(batch->arena);
    *s = (SpanSink){batch, map_create(MAP_COPY_KEYS), map_create(MAP_COPY_KEYS)};
}

void span_sink_done(SpanSink *s) {
    map_free(s->resources);
    map_free(s->scopes);
    *s = (SpanSink){0};
}

static bool copy_str(Arena *arena, Str *s) {
    if (s->n == 0) {
        *s = STR_NULL;
        return true;
    }
    *s = arena_copy(arena, *s);
    return s->p != NULL;
}

static bool value_has_bytes(const AttrValue *v) {
    return v->type == ATTR_STR || v->type == ATTR_BYTES || v->type == ATTR_ARRAY || v->type == ATTR_MAP;
}

static void sort_attrs(SpansBatch *b, AttrRange range) {
    Attr *v = b->attrs.v + range.first;
    for (uint32_t i = 1; i < range.n; i++) { /* short, and mostly sorted already */
        Attr a = v[i];
        uint32_t j = i;
        for (; j > 0 && str_cmp(v[j - 1].key, a.key) > 0; j--) v[j] = v[j - 1];
        v[j] = a;
    }
}

static int cmp_attr(const void *a, const void *b) {
    const Attr *x = a, *y = b;
    int c = str_cmp(x->key, y->key);
    return c ? c : (int)x->value.type - (int)y->value.type;
}

void span_sink_sort_attrs(SpansBatch *b, AttrRange range) {
    if (range.n > 64) {
        qsort(b->attrs.v + range.first, range.n, sizeof(Attr), cmp_attr);
    } else if (range.n > 1) {
        sort_attrs(b, range);
    }
}

/* The input lives in the batch's arena; strings of a payload's table do not and are copied. */
static bool sink_attrs(SpansBatch *b, Cursor *c, const SpanPayload *p, AttrRange *ret) {
    uint32_t n = span_attrs_begin(c);
    *ret = (AttrRange){(uint32_t)b->attrs.n, n};
    for (uint32_t i = 0; i < n; i++) {
        Attr a;
        if (!span_attr_next(c, p ? p->strings : NULL, p ? p->n_strings : 0, &a)) return false;
        if (p && !copy_str(b->arena, &a.key)) return false;
        if (!avec_push(b->arena, &b->attrs, a)) return false;
    }
    span_sink_sort_attrs(b, *ret);
    return !c->bad;
}

static bool sink_events(SpansBatch *b, Cursor *c, const SpanPayload *p, int64_t start_ns, AttrRange *ret) {
    uint32_t n = span_events_begin(c);
    *ret = (AttrRange){(uint32_t)b->events.n, n};
    for (uint32_t i = 0; i < n; i++) {
        SpanEvent e;
        if (!span_event_next(c, p ? p->strings : NULL, p ? p->n_strings : 0, start_ns, &e)) return false;
        if (p && !copy_str(b->arena, &e.name)) return false;
        if (!sink_attrs(b, c, p, &e.attrs) || !avec_push(b->arena, &b->events, e)) return false;
    }
    return !c->bad;
}

static bool sink_links(SpansBatch *b, Cursor *c, const SpanPayload *p, AttrRange *ret) {
    uint32_t n = span_events_begin(c);
    *ret = (AttrRange){(uint32_t)b->links.n, n};
    for (uint32_t i = 0; i < n; i++) {
        SpanLink l;
        if (!span_link_next(c, &l) || !sink_attrs(b, c, p, &l.attrs)) return false;
        if (!avec_push(b->arena, &b->links, l)) return false;
    }
    return !c->bad;
}

bool span_sink_events(SpanSink *s, Str bytes, int64_t start_ns, AttrRange *ret) {
    Str copy = arena_copy(s->batch->arena, bytes);
    Cursor c = cursor_of(copy);
    return copy.p && sink_events(s->batch, &c, NULL, start_ns, ret);
}

bool span_sink_links(SpanSink *s, Str bytes, AttrRange *ret) {
    Str copy = arena_copy(s->batch->arena, bytes);
    Cursor c = cursor_of(copy);
    return copy.p && sink_links(s->batch, &c, NULL, ret);
}

bool span_sink_resource(SpanSink *s, Str bytes, uint32_t *ret) {
    uint64_t *known = map_get(s->resources, bytes);
    if (known) {
        *ret = (uint32_t)*known;
        return true;
    }
    Str copy = arena_copy(s->batch->arena, bytes);
    if (!copy.p) return false;
    Cursor c = cursor_of(copy);
    Resource r = {.schema_url = cursor_lenstr(&c)};
    r.dropped_attributes = (uint32_t)cursor_uvarint(&c);
    if (!sink_attrs(s->batch, &c, NULL, &r.attrs)) return false;
    *ret = (uint32_t)s->batch->resources.n;
    *map_put(s->resources, bytes, NULL) = *ret;
    return avec_push(s->batch->arena, &s->batch->resources, r);
}

bool span_sink_scope(SpanSink *s, Str bytes, uint32_t *ret) {
    uint64_t *known = map_get(s->scopes, bytes);
    if (known) {
        *ret = (uint32_t)*known;
        return true;
    }
    Str copy = arena_copy(s->batch->arena, bytes);
    if (!copy.p) return false;
    Cursor c = cursor_of(copy);
    Scope sc = {.name = cursor_lenstr(&c)};
    sc.version = cursor_lenstr(&c);
    sc.schema_url = cursor_lenstr(&c);
    sc.dropped_attributes = (uint32_t)cursor_uvarint(&c);
    if (!sink_attrs(s->batch, &c, NULL, &sc.attrs)) return false;
    *ret = (uint32_t)s->batch->scopes.n;
    *map_put(s->scopes, bytes, NULL) = *ret;
    return avec_push(s->batch->arena, &s->batch->scopes, sc);
}

bool span_sink_row(SpanSink *s, const SpanPayload *p, Str row) {
    SpansBatch *b = s->batch;
    Str copy = arena_copy(b->arena, row);
    SpanRowView v;
    if (!copy.p || !span_row_view(copy, &v)) return false;
    if (v.resource >= p->n_resources || v.scope >= p->n_scopes || v.name >= p->n_strings) return false;
    SpanRow r = {.trace_id = v.trace_id,
        .span_id = v.span_id,
        .parent_id = v.parent_id,
        .start_ns = v.start_ns,
        .end_ns = v.end_ns,
        .name = p->strings[v.name],
        .kind = v.kind,
        .status = v.status};
    if (!copy_str(b->arena, &r.name) || !span_sink_resource(s, p->resources[v.resource], &r.resource) ||
        !span_sink_scope(s, p->scopes[v.scope], &r.scope) || !sink_attrs(b, &v.rest, p, &r.attrs)) {
        return false;
    }
    if (v.has_extra) {
        SpanExtra x;
        if (!span_extra_read(&v.rest, &x) || !sink_events(b, &v.rest, p, v.start_ns, &r.events) ||
            !sink_links(b, &v.rest, p, &r.links)) {
            return false;
        }
        r.status_message = x.status_message;
        r.trace_state = x.trace_state;
        r.flags = x.flags;
        r.dropped_attributes = x.dropped_attributes;
        r.dropped_events = x.dropped_events;
        r.dropped_links = x.dropped_links;
    }
    return avec_push(b->arena, &b->rows, r);
}

/* --- canonical form --- */

static bool values_equal(const AttrValue *x, const AttrValue *y) {
    if (x->type != y->type) return false;
    if (value_has_bytes(x)) return str_eq(x->s, y->s);
    if (x->type == ATTR_BOOL) return x->b == y->b;
    return x->type == ATTR_EMPTY || x->i == y->i; /* floats by their bits */
}

static bool attrs_equal(const SpansBatch *a, AttrRange x, const SpansBatch *b, AttrRange y) {
    if (x.n != y.n) return false;
    for (uint32_t i = 0; i < x.n; i++) {
        const Attr *p = &a->attrs.v[x.first + i], *q = &b->attrs.v[y.first + i];
        if (!str_eq(p->key, q->key) || !values_equal(&p->value, &q->value)) return false;
    }
    return true;
}

static bool events_equal(const SpansBatch *a, AttrRange x, const SpansBatch *b, AttrRange y) {
    if (x.n != y.n) return false;
    for (uint32_t i = 0; i < x.n; i++) {
        const SpanEvent *p = &a->events.v[x.first + i], *q = &b->events.v[y.first + i];
        if (p->t_ns != q->t_ns || !str_eq(p->name, q->name) || p->dropped_attributes != q->dropped_attributes ||
            !attrs_equal(a, p->attrs, b, q->attrs)) {
            return false;
        }
    }
    return true;
}

static bool links_equal(const SpansBatch *a, AttrRange x, const SpansBatch *b, AttrRange y) {
    if (x.n != y.n) return false;
    for (uint32_t i = 0; i < x.n; i++) {
        const SpanLink *p = &a->links.v[x.first + i], *q = &b->links.v[y.first + i];
        if (!trace_id_eq(p->trace_id, q->trace_id) || !span_id_eq(p->span_id, q->span_id) ||
            !str_eq(p->trace_state, q->trace_state) || p->flags != q->flags ||
            p->dropped_attributes != q->dropped_attributes || !attrs_equal(a, p->attrs, b, q->attrs)) {
            return false;
        }
    }
    return true;
}

static bool origins_equal(const SpansBatch *a, const SpanRow *x, const SpansBatch *b, const SpanRow *y) {
    if (a == b && x->resource == y->resource && x->scope == y->scope) return true;
    const Resource *r = &a->resources.v[x->resource], *q = &b->resources.v[y->resource];
    const Scope *s = &a->scopes.v[x->scope], *t = &b->scopes.v[y->scope];
    return str_eq(r->schema_url, q->schema_url) && r->dropped_attributes == q->dropped_attributes &&
           attrs_equal(a, r->attrs, b, q->attrs) && str_eq(s->name, t->name) && str_eq(s->version, t->version) &&
           str_eq(s->schema_url, t->schema_url) && s->dropped_attributes == t->dropped_attributes &&
           attrs_equal(a, s->attrs, b, t->attrs);
}

bool span_rows_equal(const SpansBatch *a, const SpanRow *x, const SpansBatch *b, const SpanRow *y) {
    return trace_id_eq(x->trace_id, y->trace_id) && span_id_eq(x->span_id, y->span_id) &&
           span_id_eq(x->parent_id, y->parent_id) && x->start_ns == y->start_ns && x->end_ns == y->end_ns &&
           x->kind == y->kind && x->status == y->status && x->flags == y->flags &&
           x->dropped_attributes == y->dropped_attributes && x->dropped_events == y->dropped_events &&
           x->dropped_links == y->dropped_links && str_eq(x->name, y->name) &&
           str_eq(x->status_message, y->status_message) && str_eq(x->trace_state, y->trace_state) &&
           origins_equal(a, x, b, y) && attrs_equal(a, x->attrs, b, y->attrs) &&
           events_equal(a, x->events, b, y->events) && links_equal(a, x->links, b, y->links);
}

static int cmp_row(const void *a, const void *b) {
    const SpanRow *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
    int c = memcmp(x->span_id.b, y->span_id.b, 8);
    if (c) return c;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

size_t span_batch_sort_dedupe(SpansBatch *b) {
    if (b->rows.n < 2) return 0;
    qsort(b->rows.v, b->rows.n, sizeof(SpanRow), cmp_row);
    size_t kept = 0, dropped = 0;
    for (size_t i = 0; i < b->rows.n; i++) {
        const SpanRow *r = &b->rows.v[i];
        bool same = false;
        for (size_t j = kept; j-- > 0 && !same;) { /* equal spans lie together */
            const SpanRow *k = &b->rows.v[j];
            if (k->start_ns != r->start_ns || !span_id_eq(k->span_id, r->span_id)) break;
            same = span_rows_equal(b, k, b, r);
        }
        if (same) {
            dropped++;
        } else {
            b->rows.v[kept++] = *r;
        }
    }
    b->rows.n = kept;
    return dropped;
}
