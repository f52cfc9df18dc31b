#include "traces/span_codec.h"

#define ROWS_MAX (1u << 24)

static uint32_t get_u32(Cursor *c) {
    uint64_t v = cursor_uvarint(c);
    if (v > UINT32_MAX) c->bad = true;
    return c->bad ? 0 : (uint32_t)v;
}

/* A count of things that take at least one byte each. */
static uint32_t get_count(Cursor *c) {
    uint32_t n = get_u32(c);
    if (n > cursor_left(c)) c->bad = true;
    return c->bad ? 0 : n;
}

static Str get_string(Cursor *c, const Str *strings, uint32_t n_strings) {
    if (!strings) return cursor_lenstr(c);
    uint32_t i = get_u32(c);
    if (i >= n_strings) c->bad = true;
    return c->bad ? STR_NULL : strings[i];
}

uint32_t span_attrs_begin(Cursor *c) { return get_count(c); }
uint32_t span_events_begin(Cursor *c) { return get_count(c); }

bool span_attr_next(Cursor *c, const Str *strings, uint32_t n_strings, Attr *ret) {
    ret->key = get_string(c, strings, n_strings);
    uint8_t type = cursor_u8(c);
    ret->value = (AttrValue){.type = (AttrType)type};
    switch (type) {
    case ATTR_EMPTY: break;
    case ATTR_STR:
    case ATTR_BYTES:
    case ATTR_ARRAY:
    case ATTR_MAP: ret->value.s = cursor_lenstr(c); break;
    case ATTR_BOOL: ret->value.b = cursor_u8(c) != 0; break;
    case ATTR_I64: ret->value.i = cursor_svarint(c); break;
    case ATTR_F64: ret->value.i = (int64_t)cursor_u64le(c); break;
    default: c->bad = true;
    }
    return !c->bad;
}

bool span_event_next(Cursor *c, const Str *strings, uint32_t n_strings, int64_t start_ns, SpanEvent *ret) {
    *ret = (SpanEvent){.t_ns = (int64_t)((uint64_t)start_ns + (uint64_t)cursor_svarint(c))};
    ret->name = get_string(c, strings, n_strings);
    ret->dropped_attributes = get_u32(c);
    return !c->bad;
}

static void get_bytes(Cursor *c, uint8_t *out, size_t n) {
    Str s = cursor_bytes(c, n);
    if (!c->bad) memcpy(out, s.p, n);
}

bool span_link_next(Cursor *c, SpanLink *ret) {
    *ret = (SpanLink){0};
    get_bytes(c, ret->trace_id.b, 16);
    get_bytes(c, ret->span_id.b, 8);
    ret->trace_state = cursor_lenstr(c);
    ret->flags = get_u32(c);
    ret->dropped_attributes = get_u32(c);
    return !c->bad;
}

bool span_row_view(Str row, SpanRowView *v) {
    *v = (SpanRowView){0};
    Cursor c = cursor_of(row);
    get_bytes(&c, v->trace_id.b, 16);
    get_bytes(&c, v->span_id.b, 8);
    uint8_t bits = cursor_u8(&c);
    v->kind = bits & 7;
    v->status = (bits >> 3) & 3;
    v->has_extra = (bits >> 6) & 1;
    v->start_ns = (int64_t)cursor_u64le(&c);
    v->end_ns = (int64_t)((uint64_t)v->start_ns + (uint64_t)cursor_svarint(&c));
    v->resource = get_u32(&c);
    v->scope = get_u32(&c);
    v->name = get_u32(&c);
    if (bits >> 5 & 1) get_bytes(&c, v->parent_id.b, 8);
    v->rest = c;
    return !c.bad;
}

bool span_extra_read(Cursor *c, SpanExtra *ret) {
    ret->status_message = cursor_lenstr(c);
    ret->trace_state = cursor_lenstr(c);
    ret->flags = get_u32(c);
    ret->dropped_attributes = get_u32(c);
    ret->dropped_events = get_u32(c);
    ret->dropped_links = get_u32(c);
    return !c->bad;
}

/* --- checking a payload --- */

static bool skip_attrs(Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_attrs_begin(c);
    Attr a;
    for (uint32_t i = 0; i < n; i++) {
        if (!span_attr_next(c, strings, n_strings, &a)) return false;
    }
    return !c->bad;
}

static bool skip_events(Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_events_begin(c);
    SpanEvent e;
    for (uint32_t i = 0; i < n; i++) {
        if (!span_event_next(c, strings, n_strings, 0, &e) || !skip_attrs(c, strings, n_strings)) return false;
    }
    return !c->bad;
}

static bool skip_links(Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_events_begin(c);
    SpanLink l;
    for (uint32_t i = 0; i < n; i++) {
        if (!span_link_next(c, &l) || !skip_attrs(c, strings, n_strings)) return false;
    }
    return !c->bad;
}

static bool row_is_sound(const SpanPayload *p, Str row) {
    SpanRowView v;
    if (!span_row_view(row, &v)) return false;
    if (v.resource >= p->n_resources || v.scope >= p->n_scopes || v.name >= p->n_strings) return false;
    if (!skip_attrs(&v.rest, p->strings, p->n_strings)) return false;
    SpanExtra extra;
    if (v.has_extra && (!span_extra_read(&v.rest, &extra) || !skip_events(&v.rest, p->strings, p->n_strings) ||
                           !skip_links(&v.rest, p->strings, p->n_strings))) {
        return false;
    }
    return cursor_left(&v.rest) == 0;
}

static bool resource_is_sound(Str bytes) {
    Cursor c;
    return span_resource_head(bytes, &c) && skip_attrs(&c, NULL, 0);
}

static bool scope_is_sound(Str bytes) {
    Cursor c;
    Str name, version;
    return span_scope_head(bytes, &name, &version, &c) && skip_attrs(&c, NULL, 0);
}

static bool payload_is_sound(const SpanPayload *p) {
    for (uint32_t i = 0; i < p->n_resources; i++) {
        if (!resource_is_sound(p->resources[i])) return false;
    }
    for (uint32_t i = 0; i < p->n_scopes; i++) {
        if (!scope_is_sound(p->scopes[i])) return false;
    }
    Cursor c = cursor_of(p->rows);
    for (uint32_t i = 0; i < p->n_rows; i++) {
        Str row = cursor_lenstr(&c);
        if (c.bad || !row_is_sound(p, row)) return false;
    }
    return cursor_left(&c) == 0;
}

/* Reads a table of strings: once to count (out NULL), once to fill. */
static uint32_t get_table(Cursor *c, Str *out) {
    uint32_t n = get_count(c);
    for (uint32_t i = 0; i < n && !c->bad; i++) {
        Str s = cursor_lenstr(c);
        if (out) out[i] = s;
    }
    return c->bad ? 0 : n;
}

bool span_payload_open(Str bytes, SpanPayload *ret) {
    *ret = (SpanPayload){0};
    Cursor c = cursor_of(bytes);
    if (cursor_u8(&c) != SPAN_PAYLOAD_VERSION) return false;
    Cursor again = c;
    uint32_t nr = get_table(&c, NULL), ns = get_table(&c, NULL), nt = get_table(&c, NULL);
    uint32_t rows = get_count(&c);
    if (c.bad || rows > ROWS_MAX) return false;
    Str *table = mem_alloc_array((size_t)nr + ns + nt + 1, sizeof(Str));
    *ret = (SpanPayload){.resources = table,
        .scopes = table + nr,
        .strings = table + nr + ns,
        .n_resources = nr,
        .n_scopes = ns,
        .n_strings = nt,
        .n_rows = rows,
        .rows = {(const char *)c.p, cursor_left(&c)},
        .memory = table};
    get_table(&again, ret->resources);
    get_table(&again, ret->scopes);
    get_table(&again, ret->strings);
    ASSERT(!again.bad);
    if (payload_is_sound(ret)) return true;
    span_payload_done(ret);
    return false;
}

void span_payload_done(SpanPayload *p) {
    mem_free(p->memory);
    *p = (SpanPayload){0};
}

/* --- resources and scopes --- */

bool span_resource_head(Str bytes, Cursor *ret_attrs) {
    Cursor c = cursor_of(bytes);
    (void)cursor_lenstr(&c);
    (void)get_u32(&c);
    *ret_attrs = c;
    return !c.bad;
}

bool span_scope_head(Str bytes, Str *ret_name, Str *ret_version, Cursor *ret_attrs) {
    Cursor c = cursor_of(bytes);
    *ret_name = cursor_lenstr(&c);
    *ret_version = cursor_lenstr(&c);
    (void)cursor_lenstr(&c);
    (void)get_u32(&c);
    *ret_attrs = c;
    return !c.bad;
}

Str span_resource_service(Str bytes) {
    Cursor c;
    if (!span_resource_head(bytes, &c)) return STR("unknown_service");
    uint32_t n = span_attrs_begin(&c);
    Attr a;
    for (uint32_t i = 0; i < n && span_attr_next(&c, NULL, 0, &a); i++) {
        if (!str_eq_lit(a.key, "service.name")) continue;
        if (a.value.type == ATTR_STR && a.value.s.n) return a.value.s;
        break;
    }
    return STR("unknown_service");
}
