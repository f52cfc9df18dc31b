#include "traces/otlp_proto.h"

#include "base/json.h"
#include "base/num.h"
#include "codec/proto.h"
#include "traces/otlp_group.h"

/* --- values --- */

#define VALUE_DEPTH_MAX 10 /* deeper arrays and maps go out as their JSON text */

static void put_text(Buf *out, uint32_t number, Str s) {
    if (s.n) proto_put_bytes(out, number, s);
}

static void put_count(Buf *out, uint32_t number, uint64_t n) {
    if (n) proto_put_varint(out, number, n);
}

static void put_tree(Buf *out, const JsonValue *v);

static void put_tree_items(Buf *out, const JsonValue *v) {
    for (const JsonValue *c = v->first; c; c = c->next) {
        size_t item = proto_begin(out, 1);
        if (v->kind == JSON_K_OBJECT) {
            put_text(out, 1, c->key);
            size_t value = proto_begin(out, 2);
            put_tree(out, c);
            proto_end(out, value);
        } else {
            put_tree(out, c);
        }
        proto_end(out, item);
    }
}

/* The fields of an AnyValue. */
static void put_tree(Buf *out, const JsonValue *v) {
    int64_t i;
    double d;
    size_t list;
    switch (v->kind) {
    case JSON_K_NULL: break;
    case JSON_K_BOOL: proto_put_varint(out, 2, v->boolean); break;
    case JSON_K_NUMBER:
        if (num_parse_i64(v->text, &i))
            proto_put_varint(out, 3, (uint64_t)i);
        else if (num_parse_f64(v->text, &d))
            proto_put_f64(out, 4, d);
        break;
    case JSON_K_STRING: proto_put_bytes(out, 1, v->text); break;
    case JSON_K_ARRAY:
    case JSON_K_OBJECT:
        list = proto_begin(out, v->kind == JSON_K_ARRAY ? 5 : 6);
        put_tree_items(out, v);
        proto_end(out, list);
        break;
    }
}

static int depth_of(const JsonValue *v, int left) {
    int deepest = 0;
    if (left == 0) return VALUE_DEPTH_MAX + 1;
    for (const JsonValue *c = v->first; c; c = c->next) deepest = MAX(deepest, depth_of(c, left - 1));
    return v->kind == JSON_K_ARRAY || v->kind == JSON_K_OBJECT ? deepest + 1 : deepest;
}

static void put_value(Buf *out, Arena *arena, const AttrValue *v) {
    JsonValue *tree;
    switch (v->type) {
    case ATTR_EMPTY: break;
    case ATTR_STR: proto_put_bytes(out, 1, v->s); break;
    case ATTR_BOOL: proto_put_varint(out, 2, v->b); break;
    case ATTR_I64: proto_put_varint(out, 3, (uint64_t)v->i); break;
    case ATTR_F64: proto_put_f64(out, 4, v->d); break;
    case ATTR_BYTES: proto_put_bytes(out, 7, v->s); break;
    case ATTR_ARRAY:
    case ATTR_MAP:
        if (json_parse(v->s, arena, &tree, NULL) == OK && depth_of(tree, VALUE_DEPTH_MAX + 2) <= VALUE_DEPTH_MAX)
            put_tree(out, tree);
        else
            proto_put_bytes(out, 1, v->s);
        break;
    }
}

static void put_attrs(Buf *out, uint32_t number, const SpansBatch *b, AttrRange range) {
    for (uint32_t i = 0; i < range.n; i++) {
        const Attr *a = &b->attrs.v[range.first + i];
        size_t attr = proto_begin(out, number);
        put_text(out, 1, a->key);
        size_t value = proto_begin(out, 2);
        put_value(out, b->arena, &a->value);
        proto_end(out, value);
        proto_end(out, attr);
    }
}

/* --- spans --- */

static Str id_bytes(const uint8_t *id, size_t n) { return str_of((const char *)id, n); }

static void put_events(Buf *out, const SpansBatch *b, AttrRange range) {
    for (uint32_t i = 0; i < range.n; i++) {
        const SpanEvent *e = &b->events.v[range.first + i];
        size_t event = proto_begin(out, 11);
        if (e->t_ns) proto_put_fixed64(out, 1, (uint64_t)e->t_ns);
        put_text(out, 2, e->name);
        put_attrs(out, 3, b, e->attrs);
        put_count(out, 4, e->dropped_attributes);
        proto_end(out, event);
    }
}

static void put_links(Buf *out, const SpansBatch *b, AttrRange range) {
    for (uint32_t i = 0; i < range.n; i++) {
        const SpanLink *l = &b->links.v[range.first + i];
        size_t link = proto_begin(out, 13);
        proto_put_bytes(out, 1, id_bytes(l->trace_id.b, 16));
        proto_put_bytes(out, 2, id_bytes(l->span_id.b, 8));
        put_text(out, 3, l->trace_state);
        put_attrs(out, 4, b, l->attrs);
        put_count(out, 5, l->dropped_attributes);
        if (l->flags) proto_put_fixed32(out, 6, l->flags);
        proto_end(out, link);
    }
}

static void put_status(Buf *out, const SpanRow *r) {
    if (r->status == 0 && r->status_message.n == 0) return;
    size_t status = proto_begin(out, 15);
    put_text(out, 2, r->status_message);
    put_count(out, 3, r->status);
    proto_end(out, status);
}

static void put_span(Buf *out, const SpansBatch *b, const SpanRow *r) {
    size_t span = proto_begin(out, 2);
    proto_put_bytes(out, 1, id_bytes(r->trace_id.b, 16));
    proto_put_bytes(out, 2, id_bytes(r->span_id.b, 8));
    put_text(out, 3, r->trace_state);
    if (!span_id_is_zero(r->parent_id)) proto_put_bytes(out, 4, id_bytes(r->parent_id.b, 8));
    put_text(out, 5, r->name);
    put_count(out, 6, r->kind);
    if (r->start_ns) proto_put_fixed64(out, 7, (uint64_t)r->start_ns);
    if (r->end_ns) proto_put_fixed64(out, 8, (uint64_t)r->end_ns);
    put_attrs(out, 9, b, r->attrs);
    put_count(out, 10, r->dropped_attributes);
    put_events(out, b, r->events);
    put_count(out, 12, r->dropped_events);
    put_links(out, b, r->links);
    put_count(out, 14, r->dropped_links);
    put_status(out, r);
    if (r->flags) proto_put_fixed32(out, 16, r->flags);
    proto_end(out, span);
}

static void put_scope_spans(Buf *out, const SpansBatch *b, const OtlpGroup *g, const uint32_t *next_row) {
    const Scope *s = &b->scopes.v[g->scope];
    size_t spans = proto_begin(out, 2), scope = proto_begin(out, 1);
    put_text(out, 1, s->name);
    put_text(out, 2, s->version);
    put_attrs(out, 3, b, s->attrs);
    put_count(out, 4, s->dropped_attributes);
    proto_end(out, scope);
    for (uint32_t row = g->first; row; row = next_row[row - 1]) put_span(out, b, &b->rows.v[row - 1]);
    put_text(out, 3, s->schema_url);
    proto_end(out, spans);
}

void otlp_proto_put_traces(Buf *out, const SpansBatch *b) {
    OtlpGroups groups = {0};
    uint32_t *next_row = mem_alloc_array(b->rows.n + 1, sizeof *next_row);
    otlp_group_rows(b, &groups, next_row);
    for (size_t i = 0; i < groups.n; i++) {
        const OtlpGroup *g = &groups.v[i];
        if (!g->leads) continue;
        const Resource *r = &b->resources.v[g->resource];
        size_t spans = proto_begin(out, 1), resource = proto_begin(out, 1);
        put_attrs(out, 1, b, r->attrs);
        put_count(out, 2, r->dropped_attributes);
        proto_end(out, resource);
        for (uint32_t k = (uint32_t)i + 1; k; k = groups.v[k - 1].next_of_resource) {
            put_scope_spans(out, b, &groups.v[k - 1], next_row);
        }
        put_text(out, 3, r->schema_url);
        proto_end(out, spans);
    }
    mem_free(next_row);
    vec_done(&groups);
}
