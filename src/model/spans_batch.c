#include "model/spans_batch.h"

Str spans_batch_service(const SpansBatch *b, const SpanRow *row) {
    const Resource *r = &b->resources.v[row->resource];
    const AttrValue *v = attr_find(b->attrs.v + r->attrs.first, r->attrs.n, STR("service.name"));
    return v && v->type == ATTR_STR && v->s.n > 0 ? v->s : STR("unknown_service");
}

const char *span_kind_name(SpanKind k) {
    static const char *const names[] = {"unspecified", "internal", "server", "client", "producer", "consumer"};
    return (size_t)k < ARRAY_LEN(names) ? names[k] : names[0];
}

static AttrRange copy_attrs(SpansBatch *dst, const SpansBatch *src, AttrRange range) {
    AttrRange out = {(uint32_t)dst->attrs.n, range.n};
    for (uint32_t i = 0; i < range.n; i++) {
        Attr a = src->attrs.v[range.first + i];
        a.key = arena_copy(dst->arena, a.key);
        bool has_bytes = a.value.type == ATTR_STR || a.value.type == ATTR_BYTES || a.value.type == ATTR_ARRAY ||
                         a.value.type == ATTR_MAP;
        if (has_bytes) a.value.s = arena_copy(dst->arena, a.value.s);
        if (!avec_push(dst->arena, &dst->attrs, a)) return (AttrRange){0, 0};
    }
    return out;
}

static bool attrs_same(const SpansBatch *a, AttrRange x, const SpansBatch *b, AttrRange y) {
    if (x.n != y.n) return false;
    for (uint32_t i = 0; i < x.n; i++) {
        const Attr *p = &a->attrs.v[x.first + i], *q = &b->attrs.v[y.first + i];
        if (!str_eq(p->key, q->key) || p->value.type != q->value.type) return false;
        switch (p->value.type) {
        case ATTR_EMPTY: break;
        case ATTR_BOOL:
            if (p->value.b != q->value.b) return false;
            break;
        case ATTR_I64:
        case ATTR_F64: /* compared by bits */
            if (p->value.i != q->value.i) return false;
            break;
        default:
            if (!str_eq(p->value.s, q->value.s)) return false;
        }
    }
    return true;
}

/* Rows of one trace mostly share a few resources, so the last ones are looked at before a copy is made. */
static bool find_or_copy_resource(SpansBatch *dst, const SpansBatch *src, uint32_t index, uint32_t *ret) {
    const Resource *r = &src->resources.v[index];
    for (size_t i = dst->resources.n; i-- > 0;) {
        if (str_eq(dst->resources.v[i].schema_url, r->schema_url) &&
            attrs_same(dst, dst->resources.v[i].attrs, src, r->attrs)) {
            *ret = (uint32_t)i;
            return true;
        }
    }
    Resource copy = {copy_attrs(dst, src, r->attrs), arena_copy(dst->arena, r->schema_url), r->dropped_attributes};
    *ret = (uint32_t)dst->resources.n;
    return avec_push(dst->arena, &dst->resources, copy);
}

static bool find_or_copy_scope(SpansBatch *dst, const SpansBatch *src, uint32_t index, uint32_t *ret) {
    const Scope *s = &src->scopes.v[index];
    for (size_t i = dst->scopes.n; i-- > 0;) {
        const Scope *d = &dst->scopes.v[i];
        if (str_eq(d->name, s->name) && str_eq(d->version, s->version) && str_eq(d->schema_url, s->schema_url) &&
            attrs_same(dst, d->attrs, src, s->attrs)) {
            *ret = (uint32_t)i;
            return true;
        }
    }
    Scope copy = {arena_copy(dst->arena, s->name), arena_copy(dst->arena, s->version), copy_attrs(dst, src, s->attrs),
        arena_copy(dst->arena, s->schema_url), s->dropped_attributes};
    *ret = (uint32_t)dst->scopes.n;
    return avec_push(dst->arena, &dst->scopes, copy);
}

static bool copy_events(SpansBatch *dst, const SpansBatch *src, AttrRange range, AttrRange *ret) {
    *ret = (AttrRange){(uint32_t)dst->events.n, range.n};
    for (uint32_t i = 0; i < range.n; i++) {
        SpanEvent e = src->events.v[range.first + i];
        e.name = arena_copy(dst->arena, e.name);
        e.attrs = copy_attrs(dst, src, e.attrs);
        if (!avec_push(dst->arena, &dst->events, e)) return false;
    }
    return true;
}

static bool copy_links(SpansBatch *dst, const SpansBatch *src, AttrRange range, AttrRange *ret) {
    *ret = (AttrRange){(uint32_t)dst->links.n, range.n};
    for (uint32_t i = 0; i < range.n; i++) {
        SpanLink l = src->links.v[range.first + i];
        l.trace_state = arena_copy(dst->arena, l.trace_state);
        l.attrs = copy_attrs(dst, src, l.attrs);
        if (!avec_push(dst->arena, &dst->links, l)) return false;
    }
    return true;
}

bool spans_batch_append_row(SpansBatch *dst, const SpansBatch *src, size_t i) {
    ASSERT(i < src->rows.n && dst->arena);
    SpanRow row = src->rows.v[i];
    row.name = arena_copy(dst->arena, row.name);
    row.status_message = arena_copy(dst->arena, row.status_message);
    row.trace_state = arena_copy(dst->arena, row.trace_state);
    AttrRange attrs = row.attrs, events = row.events, links = row.links;
    row.attrs = copy_attrs(dst, src, attrs);
    return find_or_copy_resource(dst, src, row.resource, &row.resource) &&
           find_or_copy_scope(dst, src, row.scope, &row.scope) && copy_events(dst, src, events, &row.events) &&
           copy_links(dst, src, links, &row.links) && avec_push(dst->arena, &dst->rows, row) &&
           !arena_exhausted(dst->arena);
}
