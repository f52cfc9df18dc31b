#include "traces/tag_match.h"

#include "base/num.h"

static int status_number(Str s) {
    if (str_eq_nocase(s, STR("unset"))) return SPAN_STATUS_UNSET;
    if (str_eq_nocase(s, STR("ok"))) return SPAN_STATUS_OK;
    return str_eq_nocase(s, STR("error")) ? SPAN_STATUS_ERROR : -1;
}

static int kind_number(Str s) {
    for (int k = SPAN_UNSPECIFIED; k <= SPAN_CONSUMER; k++) {
        if (str_eq_nocase(s, str_cstr(span_kind_name((SpanKind)k)))) return k;
    }
    return -1;
}

static const struct {
    Str key;
    TagSpecial special;
} specials[] = {
    {STR_INIT("error"), TAG_ERROR},
    {STR_INIT("span.kind"), TAG_KIND},
    {STR_INIT("span.status"), TAG_STATUS},
    {STR_INIT("otel.status_code"), TAG_STATUS},
    {STR_INIT("otel.status_description"), TAG_STATUS_MESSAGE},
    {STR_INIT("w3c.tracestate"), TAG_TRACE_STATE},
    {STR_INIT("otel.scope.name"), TAG_SCOPE_NAME},
    {STR_INIT("otel.library.name"), TAG_SCOPE_NAME},
    {STR_INIT("scope.name"), TAG_SCOPE_NAME},
    {STR_INIT("otel.scope.version"), TAG_SCOPE_VERSION},
    {STR_INIT("otel.library.version"), TAG_SCOPE_VERSION},
    {STR_INIT("scope.version"), TAG_SCOPE_VERSION},
    {STR_INIT("event"), TAG_EVENT_NAME},
};

static bool is_canonical_i64(Str text, int64_t *ret) {
    if (!num_parse_i64(text, ret)) return false;
    Buf b = {0};
    num_put_i64(&b, *ret);
    bool same = str_eq(buf_str(&b), text);
    buf_done(&b);
    return same;
}

void trace_tag_query_init(TagQuery *q, const TraceTag *tag) {
    *q = (TagQuery){.key = tag->key, .value = tag->value, .resource_key = tag->key, .want = -1};
    if (str_starts_with(q->key, STR("resource."))) q->resource_key = str_skip(q->key, 9);
    for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
        if (str_eq(specials[i].key, q->key)) q->special = specials[i].special;
    }
    bool b;
    if (q->special == TAG_ERROR && num_parse_bool(q->value, &b)) q->want = b;
    if (q->special == TAG_KIND) q->want = kind_number(q->value);
    if (q->special == TAG_STATUS) q->want = status_number(q->value);
    q->is_i64 = is_canonical_i64(q->value, &q->i64);
    if (!num_parse_base64(q->value, &q->bytes)) buf_clear(&q->bytes);
    q->bool_value = str_eq_lit(q->value, "true");
    q->is_bool = q->bool_value || str_eq_lit(q->value, "false");
}

void trace_tag_query_done(TagQuery *q) {
    buf_done(&q->scratch);
    buf_done(&q->bytes);
}

bool trace_tag_matches_value(TagQuery *q, const AttrValue *v) {
    switch (v->type) {
    case ATTR_EMPTY: return q->value.n == 0;
    case ATTR_STR:
    case ATTR_ARRAY:
    case ATTR_MAP: return str_eq(v->s, q->value);
    case ATTR_BOOL: return q->is_bool && v->b == q->bool_value;
    case ATTR_I64: return q->is_i64 && v->i == q->i64;
    case ATTR_F64:
    case ATTR_BYTES:
        buf_clear(&q->scratch);
        attr_put_text(&q->scratch, v);
        return str_eq(buf_str(&q->scratch), q->value);
    }
    return false;
}

bool trace_tag_matches_fields(const TagQuery *q, uint8_t kind, uint8_t status) {
    switch (q->special) {
    case TAG_ERROR: return q->want >= 0 && (status == SPAN_STATUS_ERROR) == (q->want == 1);
    case TAG_KIND: return q->want == kind;
    case TAG_STATUS: return q->want == status;
    default: return false;
    }
}

bool trace_tag_matches_texts(const TagQuery *q, Str status_message, Str trace_state) {
    if (q->special == TAG_STATUS_MESSAGE) return status_message.n && str_eq(status_message, q->value);
    return q->special == TAG_TRACE_STATE && trace_state.n && str_eq(trace_state, q->value);
}

static bool key_in_attrs(TagQuery *q, Str key, Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_attrs_begin(c);
    bool found = false;
    Attr a;
    for (uint32_t i = 0; i < n && span_attr_next(c, strings, n_strings, &a); i++) {
        if (!found && str_eq(a.key, key)) found = trace_tag_matches_value(q, &a.value);
    }
    return found;
}

bool trace_tag_matches_attrs(TagQuery *q, Cursor *c, const Str *strings, uint32_t n_strings) {
    return key_in_attrs(q, q->key, c, strings, n_strings);
}

bool trace_tag_matches_resource(TagQuery *q, Str bytes) {
    Cursor c;
    if (!span_resource_head(bytes, &c)) return false;
    Cursor again = c;
    if (key_in_attrs(q, q->key, &c, NULL, 0)) return true;
    return q->resource_key.n != q->key.n && key_in_attrs(q, q->resource_key, &again, NULL, 0);
}

bool trace_tag_matches_scope(TagQuery *q, Str bytes) {
    Cursor c;
    Str name, version;
    if (!span_scope_head(bytes, &name, &version, &c)) return false;
    if (q->special == TAG_SCOPE_NAME && str_eq(name, q->value)) return true;
    if (q->special == TAG_SCOPE_VERSION && str_eq(version, q->value)) return true;
    return key_in_attrs(q, q->key, &c, NULL, 0);
}

bool trace_tag_matches_events(TagQuery *q, Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_events_begin(c);
    bool found = false;
    SpanEvent e;
    for (uint32_t i = 0; i < n && span_event_next(c, strings, n_strings, 0, &e); i++) {
        if (q->special == TAG_EVENT_NAME && e.name.n && str_eq(e.name, q->value)) found = true;
        if (trace_tag_matches_attrs(q, c, strings, n_strings)) found = true;
    }
    return found;
}

bool trace_tag_matches_links(TagQuery *q, Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_events_begin(c);
    bool found = false;
    SpanLink l;
    for (uint32_t i = 0; i < n && span_link_next(c, &l); i++) {
        if (trace_tag_matches_attrs(q, c, strings, n_strings)) found = true;
    }
    return found;
}
