#include "traces/otlp_json.h"

#include "base/num.h"
#include "traces/otlp_group.h"

#include <math.h>

void otlp_json_put_text(JsonWriter *w, Str key, Str text) {
    if (text.n == 0) return;
    json_key(w, key);
    json_str(w, text);
}

void otlp_json_put_count(JsonWriter *w, Str key, uint32_t n) {
    if (n == 0) return;
    json_key(w, key);
    json_u64(w, n);
}

void otlp_json_put_time(JsonWriter *w, Str key, int64_t t_ns) {
    if (t_ns == 0) return;
    Buf b = {0};
    num_put_u64(&b, (uint64_t)t_ns);
    json_key(w, key);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

static void put_id(JsonWriter *w, OtlpJsonStyle style, Str key, const void *id, size_t n) {
    Buf b = {0};
    if (style == OTLP_JSON_STANDARD)
        num_put_hex(&b, id, n);
    else
        num_put_base64(&b, id, n);
    json_key(w, key);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

/* An enumeration's value: its number, or its name in the other style. Zero is the default and left out. */
static void put_enum(JsonWriter *w, OtlpJsonStyle style, Str key, const char *const *names, size_t n, unsigned v) {
    if (v == 0) return;
    json_key(w, key);
    if (style == OTLP_JSON_NAMES && v < n)
        json_str(w, str_cstr(names[v]));
    else
        json_u64(w, v);
}

static const char *const kind_names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
static const char *const status_names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};

/* --- values --- */

static void put_int_value(JsonWriter *w, Str digits) {
    json_key_lit(w, "intValue");
    json_str(w, digits);
}

static void put_double_value(JsonWriter *w, double d) {
    json_key_lit(w, "doubleValue");
    if (isfinite(d))
        json_f64(w, d);
    else
        json_str(w, isnan(d) ? STR("NaN") : d > 0 ? STR("Infinity") : STR("-Infinity"));
}

/* A level of a map takes four levels of the writer, which has 64. */
#define VALUE_DEPTH_MAX 10

static bool is_shallow(Str json) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else
                in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if ((c == '{' || c == '[') && ++depth > VALUE_DEPTH_MAX) return false;
        if (c == '}' || c == ']') depth--;
    }
    return true;
}

static void put_tree_value(JsonWriter *w, const JsonValue *v) {
    int64_t ignored;
    double d;
    json_begin_object(w);
    switch (v->kind) {
    case JSON_K_NULL: break;
    case JSON_K_BOOL:
        json_key_lit(w, "boolValue");
        json_bool(w, v->boolean);
        break;
    case JSON_K_NUMBER:
        if (num_parse_i64(v->text, &ignored))
            put_int_value(w, v->text);
        else if (num_parse_f64(v->text, &d))
            put_double_value(w, d);
        break;
    case JSON_K_STRING:
        json_key_lit(w, "stringValue");
        json_str(w, v->text);
        break;
    case JSON_K_ARRAY:
    case JSON_K_OBJECT:
        if (v->kind == JSON_K_ARRAY)
            json_key_lit(w, "arrayValue");
        else
            json_key_lit(w, "kvlistValue");
        json_begin_object(w);
        json_key_lit(w, "values");
        json_begin_array(w);
        for (const JsonValue *c = v->first; c; c = c->next) {
            if (v->kind == JSON_K_OBJECT) {
                json_begin_object(w);
                json_key_lit(w, "key");
                json_str(w, c->key);
                json_key_lit(w, "value");
            }
            put_tree_value(w, c);
            if (v->kind == JSON_K_OBJECT) json_end_object(w);
        }
        json_end_array(w);
        json_end_object(w);
        break;
    }
    json_end_object(w);
}

static void put_value(JsonWriter *w, Arena *arena, const AttrValue *v) {
    JsonValue *tree;
    if (v->type == ATTR_ARRAY || v->type == ATTR_MAP) {
        if (is_shallow(v->s) && json_parse(v->s, arena, &tree, NULL) == OK) {
            put_tree_value(w, tree);
            return;
        }
    }
    Buf b = {0};
    json_begin_object(w);
    switch (v->type) {
    case ATTR_EMPTY: break;
    case ATTR_BOOL:
        json_key_lit(w, "boolValue");
        json_bool(w, v->b);
        break;
    case ATTR_I64:
        num_put_i64(&b, v->i);
        put_int_value(w, buf_str(&b));
        break;
    case ATTR_F64: put_double_value(w, v->d); break;
    case ATTR_BYTES:
        num_put_base64(&b, v->s.p, v->s.n);
        json_key_lit(w, "bytesValue");
        json_str(w, buf_str(&b));
        break;
    default: /* text; also an array or map that is too deep */ json_key_lit(w, "stringValue"); json_str(w, v->s);
    }
    json_end_object(w);
    buf_done(&b);
}

void otlp_json_put_attr(JsonWriter *w, Arena *arena, const Attr *a) {
    json_begin_object(w);
    json_key_lit(w, "key");
    json_str(w, a->key);
    json_key_lit(w, "value");
    put_value(w, arena, &a->value);
    json_end_object(w);
}

static void put_attrs(JsonWriter *w, const SpansBatch *b, AttrRange range) {
    if (range.n == 0) return;
    json_key_lit(w, "attributes");
    json_begin_array(w);
    for (uint32_t i = 0; i < range.n; i++) otlp_json_put_attr(w, b->arena, &b->attrs.v[range.first + i]);
    json_end_array(w);
}

/* --- spans --- */

static void put_events(JsonWriter *w, const SpansBatch *b, AttrRange range) {
    if (range.n == 0) return;
    json_key_lit(w, "events");
    json_begin_array(w);
    for (uint32_t i = 0; i < range.n; i++) {
        const SpanEvent *e = &b->events.v[range.first + i];
        json_begin_object(w);
        otlp_json_put_time(w, STR("timeUnixNano"), e->t_ns);
        otlp_json_put_text(w, STR("name"), e->name);
        put_attrs(w, b, e->attrs);
        otlp_json_put_count(w, STR("droppedAttributesCount"), e->dropped_attributes);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_links(JsonWriter *w, OtlpJsonStyle style, const SpansBatch *b, AttrRange range) {
    if (range.n == 0) return;
    json_key_lit(w, "links");
    json_begin_array(w);
    for (uint32_t i = 0; i < range.n; i++) {
        const SpanLink *l = &b->links.v[range.first + i];
        json_begin_object(w);
        put_id(w, style, STR("traceId"), l->trace_id.b, 16);
        put_id(w, style, STR("spanId"), l->span_id.b, 8);
        otlp_json_put_text(w, STR("traceState"), l->trace_state);
        put_attrs(w, b, l->attrs);
        otlp_json_put_count(w, STR("droppedAttributesCount"), l->dropped_attributes);
        otlp_json_put_count(w, STR("flags"), l->flags);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_warnings_attr(JsonWriter *w, const Str *texts, uint32_t n) {
    json_begin_object(w);
    json_key_lit(w, "key");
    json_str(w, STR("@jaeger@warnings"));
    json_key_lit(w, "value");
    json_begin_object(w);
    json_key_lit(w, "arrayValue");
    json_begin_object(w);
    json_key_lit(w, "values");
    json_begin_array(w);
    for (uint32_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_key_lit(w, "stringValue");
        json_str(w, texts[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void put_span_attrs(JsonWriter *w, const SpansBatch *b, uint32_t row, const OtlpWarnings *warnings) {
    AttrRange range = b->rows.v[row].attrs;
    uint32_t n = warnings ? warnings->first[row + 1] - warnings->first[row] : 0;
    if (range.n + n == 0) return;
    json_key_lit(w, "attributes");
    json_begin_array(w);
    for (uint32_t i = 0; i < range.n; i++) otlp_json_put_attr(w, b->arena, &b->attrs.v[range.first + i]);
    if (n) put_warnings_attr(w, warnings->texts + warnings->first[row], n);
    json_end_array(w);
}

static void put_span(
    JsonWriter *w, OtlpJsonStyle style, const SpansBatch *b, uint32_t row, const OtlpWarnings *warnings) {
    const SpanRow *r = &b->rows.v[row];
    json_begin_object(w);
    put_id(w, style, STR("traceId"), r->trace_id.b, 16);
    put_id(w, style, STR("spanId"), r->span_id.b, 8);
    otlp_json_put_text(w, STR("traceState"), r->trace_state);
    if (!span_id_is_zero(r->parent_id)) put_id(w, style, STR("parentSpanId"), r->parent_id.b, 8);
    otlp_json_put_count(w, STR("flags"), r->flags);
    otlp_json_put_text(w, STR("name"), r->name);
    put_enum(w, style, STR("kind"), kind_names, ARRAY_LEN(kind_names), r->kind);
    otlp_json_put_time(w, STR("startTimeUnixNano"), r->start_ns);
    otlp_json_put_time(w, STR("endTimeUnixNano"), r->end_ns);
    put_span_attrs(w, b, row, warnings);
    otlp_json_put_count(w, STR("droppedAttributesCount"), r->dropped_attributes);
    put_events(w, b, r->events);
    otlp_json_put_count(w, STR("droppedEventsCount"), r->dropped_events);
    put_links(w, style, b, r->links);
    otlp_json_put_count(w, STR("droppedLinksCount"), r->dropped_links);
    json_key_lit(w, "status");
    json_begin_object(w);
    otlp_json_put_text(w, STR("message"), r->status_message);
    put_enum(w, style, STR("code"), status_names, ARRAY_LEN(status_names), r->status);
    json_end_object(w);
    json_end_object(w);
}

static void put_resource(JsonWriter *w, const SpansBatch *b, const Resource *r) {
    json_key_lit(w, "resource");
    json_begin_object(w);
    put_attrs(w, b, r->attrs);
    otlp_json_put_count(w, STR("droppedAttributesCount"), r->dropped_attributes);
    json_end_object(w);
}

static void put_scope(JsonWriter *w, const SpansBatch *b, const Scope *s) {
    json_key_lit(w, "scope");
    json_begin_object(w);
    otlp_json_put_text(w, STR("name"), s->name);
    otlp_json_put_text(w, STR("version"), s->version);
    put_attrs(w, b, s->attrs);
    otlp_json_put_count(w, STR("droppedAttributesCount"), s->dropped_attributes);
    json_end_object(w);
}

/* --- groups --- */

static void put_scope_spans(JsonWriter *w, OtlpJsonStyle style, const SpansBatch *b, const OtlpGroup *g,
    const uint32_t *next_row, const OtlpWarnings *warnings) {
    json_begin_object(w);
    put_scope(w, b, &b->scopes.v[g->scope]);
    json_key_lit(w, "spans");
    json_begin_array(w);
    for (uint32_t row = g->first; row; row = next_row[row - 1]) put_span(w, style, b, row - 1, warnings);
    json_end_array(w);
    otlp_json_put_text(w, STR("schemaUrl"), b->scopes.v[g->scope].schema_url);
    json_end_object(w);
}

void otlp_json_put_resource_spans(
    JsonWriter *w, OtlpJsonStyle style, const SpansBatch *b, const OtlpWarnings *warnings) {
    OtlpGroups groups = {0};
    uint32_t *next_row = mem_alloc_array(b->rows.n + 1, sizeof *next_row);
    otlp_group_rows(b, &groups, next_row);
    for (size_t i = 0; i < groups.n; i++) {
        const OtlpGroup *g = &groups.v[i];
        if (!g->leads) continue;
        json_begin_object(w);
        put_resource(w, b, &b->resources.v[g->resource]);
        json_key_lit(w, "scopeSpans");
        json_begin_array(w);
        for (uint32_t k = (uint32_t)i + 1; k; k = groups.v[k - 1].next_of_resource) {
            put_scope_spans(w, style, b, &groups.v[k - 1], next_row, warnings);
        }
        json_end_array(w);
        otlp_json_put_text(w, STR("schemaUrl"), b->resources.v[g->resource].schema_url);
        json_end_object(w);
    }
    mem_free(next_row);
    vec_done(&groups);
}
