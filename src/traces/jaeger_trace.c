#include "traces/jaeger_trace.h"

#include "base/map.h"
#include "base/num.h"

#include <stdlib.h>

#define JS_SAFE_INTEGER ((INT64_C(1) << 53) - 1)

/* --- ids --- */

void jaeger_put_trace_id(Buf *out, TraceId id) {
    static const uint8_t zero[8];
    bool low_only = memcmp(id.b, zero, 8) == 0;
    num_put_hex(out, low_only ? id.b + 8 : id.b, low_only ? 8 : 16);
}

static bool parse_hex_id(Str text, TraceId *ret) {
    char padded[32];
    memset(padded, '0', sizeof padded);
    memcpy(padded + sizeof padded - text.n, text.p, text.n);
    return num_parse_hex(str_of(padded, sizeof padded), ret->b, sizeof ret->b);
}

static bool parse_base64_id(Str text, TraceId *ret) {
    Buf out = {0};
    bool ok = text.n <= 24 && num_parse_base64(text, &out) && out.n == sizeof ret->b;
    if (ok) memcpy(ret->b, out.p, sizeof ret->b);
    buf_done(&out);
    return ok;
}

ErrCode jaeger_parse_trace_id(Str text, bool base64_too, TraceId *ret, Err *reterr) {
    if (text.n >= 1 && text.n <= 32 && parse_hex_id(text, ret)) return OK;
    if (base64_too && parse_base64_id(text, ret)) return OK;
    if (text.n > 32) {
        return err_set(
            reterr, ERR_INVALID, "TraceID cannot be longer than 32 hex characters: %" STR_FMT, STR_ARG(text));
    }
    Str half = text.n > 16 ? str_slice(text, 0, text.n - 16) : text;
    uint8_t ignored[16];
    char even[17] = "0";
    memcpy(even + 1, half.p ? half.p : "", half.n);
    Str digits = half.n % 2 ? str_of(even, half.n + 1) : half;
    if (half.n != text.n && num_parse_hex(digits, ignored, digits.n / 2)) half = str_skip(text, text.n - 16);
    return err_set(reterr, ERR_INVALID, "strconv.ParseUint: parsing \"%" STR_FMT "\": invalid syntax", STR_ARG(half));
}

static void put_trace_id(JsonWriter *w, TraceId id) {
    Buf b = {0};
    jaeger_put_trace_id(&b, id);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

static void put_span_id(JsonWriter *w, SpanId id) {
    Buf b = {0};
    num_put_hex(&b, id.b, sizeof id.b);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

/* --- tags --- */

static void begin_tag(JsonWriter *w, Str key, const char *type) {
    json_begin_object(w);
    json_key_lit(w, "key");
    json_str(w, key);
    json_key_lit(w, "type");
    json_str(w, str_cstr(type));
    json_key_lit(w, "value");
}

static void put_text_tag(JsonWriter *w, Str key, Str value) {
    begin_tag(w, key, "string");
    json_str(w, value);
    json_end_object(w);
}

static void put_int(JsonWriter *w, int64_t v) {
    if (v <= JS_SAFE_INTEGER && v >= -JS_SAFE_INTEGER) {
        json_i64(w, v);
        return;
    }
    Buf b = {0};
    num_put_i64(&b, v);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

static void put_base64(JsonWriter *w, Str bytes) {
    Buf b = {0};
    num_put_base64(&b, bytes.p, bytes.n);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

static void put_tag(JsonWriter *w, const Attr *a) {
    static const char *const types[] = {[ATTR_EMPTY] = "string",
        [ATTR_STR] = "string",
        [ATTR_BOOL] = "bool",
        [ATTR_I64] = "int64",
        [ATTR_F64] = "float64",
        [ATTR_BYTES] = "binary",
        [ATTR_ARRAY] = "string",
        [ATTR_MAP] = "string"};
    begin_tag(w, a->key, types[a->value.type]);
    switch (a->value.type) {
    case ATTR_EMPTY: json_str(w, STR("")); break;
    case ATTR_BOOL: json_bool(w, a->value.b); break;
    case ATTR_I64: put_int(w, a->value.i); break;
    case ATTR_F64: json_f64(w, a->value.d); break;
    case ATTR_BYTES: put_base64(w, a->value.s); break;
    default: json_str(w, a->value.s);
    }
    json_end_object(w);
}

static void put_attrs(JsonWriter *w, const SpansBatch *b, AttrRange range, Str but) {
    for (uint32_t i = 0; i < range.n; i++) {
        const Attr *a = &b->attrs.v[range.first + i];
        if (!str_eq(a->key, but)) put_tag(w, a);
    }
}

#define WARNINGS_KEY STR("@jaeger@warnings")

static void put_tags(JsonWriter *w, const SpansBatch *b, const SpanRow *r) {
    static const char *const status[] = {NULL, "OK", "ERROR"};
    const Scope *scope = &b->scopes.v[r->scope];
    json_begin_array(w);
    if (scope->name.n) put_text_tag(w, STR("otel.scope.name"), scope->name);
    if (scope->version.n) put_text_tag(w, STR("otel.scope.version"), scope->version);
    put_attrs(w, b, r->attrs, WARNINGS_KEY);
    if (r->kind != SPAN_UNSPECIFIED) put_text_tag(w, STR("span.kind"), str_cstr(span_kind_name((SpanKind)r->kind)));
    if (r->status == SPAN_STATUS_OK || r->status == SPAN_STATUS_ERROR) {
        put_text_tag(w, STR("otel.status_code"), str_cstr(status[r->status]));
    }
    if (r->status == SPAN_STATUS_ERROR) {
        begin_tag(w, STR("error"), "bool");
        json_bool(w, true);
        json_end_object(w);
    }
    if (r->status_message.n) put_text_tag(w, STR("otel.status_description"), r->status_message);
    if (r->trace_state.n) put_text_tag(w, STR("w3c.tracestate"), r->trace_state);
    json_end_array(w);
}

/* --- references, logs --- */

static void put_reference(JsonWriter *w, const char *type, TraceId trace, SpanId span) {
    json_begin_object(w);
    json_key_lit(w, "refType");
    json_str(w, str_cstr(type));
    json_key_lit(w, "traceID");
    put_trace_id(w, trace);
    json_key_lit(w, "spanID");
    put_span_id(w, span);
    json_end_object(w);
}

static void put_references(JsonWriter *w, const SpansBatch *b, const SpanRow *r) {
    json_begin_array(w);
    if (!span_id_is_zero(r->parent_id)) put_reference(w, "CHILD_OF", r->trace_id, r->parent_id);
    for (uint32_t i = 0; i < r->links.n; i++) {
        const SpanLink *l = &b->links.v[r->links.first + i];
        const AttrValue *type = attr_find(b->attrs.v + l->attrs.first, l->attrs.n, STR("opentracing.ref_type"));
        bool child = type && type->type == ATTR_STR && str_eq_lit(type->s, "child_of");
        put_reference(w, child ? "CHILD_OF" : "FOLLOWS_FROM", l->trace_id, l->span_id);
    }
    json_end_array(w);
}

static void put_logs(JsonWriter *w, const SpansBatch *b, const SpanRow *r) {
    json_begin_array(w);
    for (uint32_t i = 0; i < r->events.n; i++) {
        const SpanEvent *e = &b->events.v[r->events.first + i];
        bool named = attr_find(b->attrs.v + e->attrs.first, e->attrs.n, STR("event")) != NULL;
        json_begin_object(w);
        json_key_lit(w, "timestamp");
        json_i64(w, e->t_ns / 1000);
        json_key_lit(w, "fields");
        json_begin_array(w);
        if (e->name.n && !named) put_text_tag(w, STR("event"), e->name);
        put_attrs(w, b, e->attrs, STR_NULL);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static int cmp_warning(const void *a, const void *b) {
    const SpanWarning *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

void jaeger_trace_sort_warnings(JaegerTrace *t) {
    if (t->warnings.n > 1) qsort(t->warnings.v, t->warnings.n, sizeof(SpanWarning), cmp_warning);
}

/* *next: the first remark that is not about an earlier row. */
static void put_warnings(JsonWriter *w, const JaegerTrace *t, uint32_t row, size_t *next) {
    const SpansBatch *b = t->batch;
    const AttrRange attrs = b->rows.v[row].attrs;
    const AttrValue *own = attr_find(b->attrs.v + attrs.first, attrs.n, WARNINGS_KEY);
    bool open = false;
    JsonValue *list;
    if (own && own->type == ATTR_ARRAY && json_parse(own->s, b->arena, &list, NULL) == OK) {
        for (const JsonValue *v = list->kind == JSON_K_ARRAY ? list->first : NULL; v; v = v->next) {
            if (!open) json_begin_array(w);
            open = true;
            json_str(w, v->kind == JSON_K_STRING ? v->text : STR_NULL);
        }
    } else if (own && own->type == ATTR_STR) {
        json_begin_array(w);
        open = true;
        json_str(w, own->s);
    }
    for (; *next < t->warnings.n && t->warnings.v[*next].row == row; ++*next) {
        if (!open) json_begin_array(w);
        open = true;
        json_str(w, t->warnings.v[*next].text);
    }
    if (open)
        json_end_array(w);
    else
        json_null(w);
}

/* --- processes --- */

typedef struct Processes {
    Map *known;                /* JSON of a process -> number */
    VEC(uint32_t) of_resource; /* number, 0: not seen yet */
    VEC(Str) json;             /* by number - 1; keys of the map are copies, so these are the heap's own */
} Processes;

static void put_process(JsonWriter *w, const SpansBatch *b, const SpanRow *r) {
    json_begin_object(w);
    json_key_lit(w, "serviceName");
    json_str(w, spans_batch_service(b, r));
    json_key_lit(w, "tags");
    json_begin_array(w);
    put_attrs(w, b, b->resources.v[r->resource].attrs, STR("service.name"));
    json_end_array(w);
    json_end_object(w);
}

static uint32_t process_of(Processes *p, const SpansBatch *b, const SpanRow *r) {
    uint32_t *number = &p->of_resource.v[r->resource];
    if (*number) return *number;
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    put_process(&w, b, r);
    bool fresh;
    uint64_t *at = map_put(p->known, buf_str(&out), &fresh);
    if (fresh) {
        size_t n;
        *at = p->json.n + 1;
        char *bytes = buf_take(&out, &n);
        vec_push(&p->json, str_of(bytes, n));
    }
    buf_done(&out);
    return *number = (uint32_t)*at;
}

static void processes_init(Processes *p, size_t n_resources) {
    *p = (Processes){.known = map_create(MAP_COPY_KEYS)};
    vec_reserve(&p->of_resource, n_resources + 1);
    memset(p->of_resource.v, 0, (n_resources + 1) * sizeof(uint32_t));
    p->of_resource.n = n_resources;
}

static void processes_done(Processes *p) {
    vec_foreach(Str, s, &p->json) mem_free((void *)(uintptr_t)s->p);
    vec_done(&p->json);
    vec_done(&p->of_resource);
    map_free(p->known);
}

/* --- the trace --- */

static void put_span(JsonWriter *w, const JaegerTrace *t, uint32_t row, uint32_t process, size_t *next_warning) {
    const SpansBatch *b = t->batch;
    const SpanRow *r = &b->rows.v[row];
    char id[16];
    int n = 0;
    id[n++] = 'p';
    char digits[12];
    int d = 0;
    for (uint32_t v = process; v; v /= 10) digits[d++] = (char)('0' + v % 10);
    while (d) id[n++] = digits[--d];
    json_begin_object(w);
    json_key_lit(w, "traceID");
    put_trace_id(w, r->trace_id);
    json_key_lit(w, "spanID");
    put_span_id(w, r->span_id);
    json_key_lit(w, "operationName");
    json_str(w, r->name);
    json_key_lit(w, "references");
    put_references(w, b, r);
    json_key_lit(w, "startTime");
    json_i64(w, r->start_ns / 1000);
    json_key_lit(w, "duration");
    json_i64(w, (int64_t)((uint64_t)r->end_ns - (uint64_t)r->start_ns) / 1000);
    json_key_lit(w, "tags");
    put_tags(w, b, r);
    json_key_lit(w, "logs");
    put_logs(w, b, r);
    json_key_lit(w, "processID");
    json_str(w, str_of(id, (size_t)n));
    json_key_lit(w, "warnings");
    put_warnings(w, t, row, next_warning);
    json_end_object(w);
}

void jaeger_trace_put_json(JsonWriter *w, JaegerTrace *t) {
    const SpansBatch *b = t->batch;
    Processes p;
    size_t next_warning = 0;
    jaeger_trace_sort_warnings(t);
    processes_init(&p, b->resources.n);
    json_begin_object(w);
    json_key_lit(w, "traceID");
    put_trace_id(w, b->rows.n ? b->rows.v[0].trace_id : (TraceId){0});
    json_key_lit(w, "spans");
    json_begin_array(w);
    for (uint32_t i = 0; i < b->rows.n; i++) put_span(w, t, i, process_of(&p, b, &b->rows.v[i]), &next_warning);
    json_end_array(w);
    json_key_lit(w, "processes");
    json_begin_object(w);
    for (size_t i = 0; i < p.json.n; i++) {
        Str key = arena_printf(b->arena, "p%zu", i + 1);
        json_key(w, key);
        json_raw(w, p.json.v[i]);
    }
    json_end_object(w);
    json_key_lit(w, "warnings");
    json_null(w);
    json_end_object(w);
    processes_done(&p);
}
