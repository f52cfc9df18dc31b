#include "cmd/test_spans.h"

#include "base/timefmt.h"
#include "cmd/test_input.h"

/* One entry: `count` equal spans, each a trace of its own. */
typedef struct SpanSpec {
    TestTimes times;
    int64_t duration_ms;
    Str service, name, status_message;
    uint8_t kind, status;
    const YamlNode *attributes, *resource;
} SpanSpec;

/* --- reading --- */

static ErrCode read_word(const YamlNode *n, const char *const *words, size_t n_words, uint8_t *ret, Err *reterr) {
    for (size_t i = 0; n->kind == YAML_SCALAR && i < n_words; i++) {
        if (!str_eq(n->text, str_cstr(words[i]))) continue;
        *ret = (uint8_t)i;
        return OK;
    }
    return test_input_fail(reterr, n,
        n_words == 3 ? "status is one of unset, ok, error"
                     : "kind is one of unspecified, internal, server, client, producer, consumer");
}

static ErrCode read_member(const YamlNode *n, SpanSpec *s, Err *reterr) {
    static const char *const kinds[] = {"unspecified", "internal", "server", "client", "producer", "consumer"},
                             *const statuses[] = {"unset", "ok", "error"};
    bool known;
    Str k = n->key->text;
    ErrCode e = test_input_times(n, &s->times, &known, reterr);
    if (known) return e;
    if (str_eq_lit(k, "duration")) return test_input_duration(n, &s->duration_ms, reterr);
    if (str_eq_lit(k, "service")) return test_input_text(n, &s->service, reterr);
    if (str_eq_lit(k, "name")) return test_input_text(n, &s->name, reterr);
    if (str_eq_lit(k, "status_message")) return test_input_text(n, &s->status_message, reterr);
    if (str_eq_lit(k, "kind")) return read_word(n, kinds, ARRAY_LEN(kinds), &s->kind, reterr);
    if (str_eq_lit(k, "status")) return read_word(n, statuses, ARRAY_LEN(statuses), &s->status, reterr);
    if (str_eq_lit(k, "attributes")) return test_input_map(n, &s->attributes, reterr);
    if (str_eq_lit(k, "resource")) return test_input_map(n, &s->resource, reterr);
    return test_input_fail(reterr, n->key,
        "a span has at, every, count, service, name, kind, status, status_message, duration, attributes, resource");
}

static ErrCode read_spec(const YamlNode *n, SpanSpec *ret, Err *reterr) {
    *ret = (SpanSpec){.times.count = 1, .service = STR("unit-test"), .name = STR("span")};
    if (n->kind != YAML_MAPPING) return test_input_fail(reterr, n, "a span is a mapping");
    ErrCode e = OK;
    for (const YamlNode *it = n->first; it && !e; it = it->next) e = read_member(it, ret, reterr);
    return e;
}

/* --- spans --- */

static bool add_resource(SpansBatch *b, const SpanSpec *s, uint32_t *ret) {
    Resource r = {.attrs = {(uint32_t)b->attrs.n, 1}};
    Attr service = {STR("service.name"), {.type = ATTR_STR, .s = s->service}};
    *ret = (uint32_t)b->resources.n;
    return avec_push(b->arena, &b->attrs, service) && test_input_attrs(&b->attrs, b->arena, s->resource, &r.attrs) &&
           avec_push(b->arena, &b->resources, r);
}

static bool add_spans(SpansBatch *b, const SpanSpec *s, int64_t start_ms) {
    SpanRow row = {.name = s->name,
        .status_message = s->status_message,
        .kind = s->kind,
        .status = s->status,
        .attrs = {(uint32_t)b->attrs.n, 0}};
    if (!test_input_attrs(&b->attrs, b->arena, s->attributes, &row.attrs) || !add_resource(b, s, &row.resource))
        return false;
    for (int64_t i = 0; i < s->times.count; i++) {
        uint64_t number = b->rows.n + 1;
        memcpy(row.trace_id.b, &number, sizeof number);
        memcpy(row.span_id.b, &number, sizeof number);
        row.start_ns = (start_ms + s->times.at_ms + i * s->times.every_ms) * NS_PER_MS;
        row.end_ns = row.start_ns + s->duration_ms * NS_PER_MS;
        if (!avec_push(b->arena, &b->rows, row)) return false;
    }
    return true;
}

static ErrCode fill(TestSpans *t, const YamlNode *spans, int64_t start_ms, Arena *arena, Err *reterr) {
    SpansBatch b = {.arena = arena};
    Scope none = {0};
    if (spans->kind != YAML_SEQUENCE) return test_input_fail(reterr, spans, "input_spans is a list of spans");
    bool ok = avec_push(arena, &b.scopes, none);
    for (const YamlNode *it = spans->first; it && ok; it = it->next) {
        SpanSpec s;
        ErrCode e = read_spec(it, &s, reterr);
        if (e) return e;
        ok = add_spans(&b, &s, start_ms) && b.rows.n <= TEST_INPUT_MAX;
    }
    if (!ok) return err_set_at(reterr, ERR_TOO_LARGE, spans->line, spans->col, "these are too many spans");
    TraceAppendResult result = {0};
    return b.rows.n ? t->store->ops->append(t->store, &b, &result, reterr) : OK;
}

ErrCode test_spans_open(TestSpans *t, Err *reterr) {
    if (t->store) return OK;
    TraceStoreOptions opts = {.retention_ms = TEST_INPUT_RETENTION_MS, .head_bytes_max = TEST_INPUT_HEAD_BYTES};
    t->fs = fs_fault_create(1);
    return trace_store_open(t->fs, "/spans", &opts, &t->store, reterr);
}

ErrCode test_spans_load(TestSpans *t, const YamlNode *spans, int64_t start_ms, Err *reterr) {
    test_spans_done(t);
    if (!spans || spans->kind == YAML_NULL) return OK;
    Arena *arena = arena_create((size_t)1 << 30);
    ErrCode e = test_spans_open(t, reterr);
    if (!e) e = fill(t, spans, start_ms, arena, reterr);
    arena_free(arena);
    return e;
}

void test_spans_done(TestSpans *t) {
    if (t->store) t->store->ops->close(t->store);
    if (t->fs) fs_fault_free(t->fs);
    *t = (TestSpans){0};
}
