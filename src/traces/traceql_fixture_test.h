/* traceql_fixture_test.h - the traces the cases of traceql_eval_test.c are about, one line for each span. */
#ifndef MEERKAT_TRACES_TRACEQL_FIXTURE_TEST_H
#define MEERKAT_TRACES_TRACEQL_FIXTURE_TEST_H

#include "base/num.h"
#include "base/timefmt.h"
#include "traces/traceql_eval.h"

#include <stdlib.h>

#define FIX_BASE_NS INT64_C(1700000000000000000)

/* Attributes: "key=text key:i=1 key:f=1.5 key:b=true key:a=[1,2]". Events: "name@ms attributes; ...". Links:
 * "trace.span attributes; ...". Ids are small numbers; parent 0: none. */
typedef struct FixSpan {
    int trace, span, parent;
    const char *service, *resource, *scope, *name;
    SpanKind kind;
    SpanStatus status;
    int start_ms, duration_ms;
    const char *attrs, *events, *links, *message;
} FixSpan;

static const FixSpan fix_spans[] = {
    /* A request that fails below. */
    {1, 1, 0, "frontend", "cluster=prod", "http 1.0", "GET /cart", SPAN_SERVER, SPAN_STATUS_UNSET, 0, 100,
        "http.method=GET http.status_code:i=500 cache.hit:b=true ratio:f=0.5", "", "", ""},
    {1, 2, 1, "frontend", "cluster=prod", "http 1.0", "render", SPAN_INTERNAL, SPAN_STATUS_OK, 5, 20,
        "cache.hit:b=false size:i=1048577 ratio:f=2.5", "", "", ""},
    {1, 3, 1, "cart", "cluster=prod version=2", "http 1.0", "GET /items", SPAN_SERVER, SPAN_STATUS_ERROR, 10, 70,
        "http.method=GET http.status_code:i=503 retries:i=2",
        "exception@5 exception.message=boom exception.type=E; retry@20 n:i=1", "", "timeout"},
    {1, 4, 3, "cart", "cluster=prod version=2", "sql 2.0 driver=pq", "SELECT", SPAN_CLIENT, SPAN_STATUS_UNSET, 20, 40,
        "db.system=postgresql rows:i=10 tags:a=[\"x\",\"y\"] nums:a=[1,2]", "", "", ""},
    {1, 5, 3, "cart", "cluster=prod version=2", "sql 2.0 driver=pq", "SELECT", SPAN_CLIENT, SPAN_STATUS_ERROR, 62, 8,
        "db.system=mysql rows:i=20 foo=bar tags:a=[\"y\",\"z\"]", "exception@1 exception.message=late", "", "gone"},
    {1, 6, 1, "auth", "cluster=dev", "", "check", SPAN_CLIENT, SPAN_STATUS_OK, 30, 5,
        "http.method=POST user.id:i=7 "
        "http.status_code=200",
        "", "", ""},
    {1, 7, 6, "auth", "cluster=dev", "", "verify", SPAN_INTERNAL, SPAN_STATUS_UNSET, 31, 2, "user.id:i=7", "", "", ""},
    /* A chain of messages, linked to the first. */
    {2, 1, 0, "queue", "cluster=prod", "kafka 3.1", "publish", SPAN_PRODUCER, SPAN_STATUS_UNSET, 1000, 10,
        "foo=baz bytes:i=100", "", "1.3 reason=retry", ""},
    {2, 2, 1, "worker", "cluster=dev", "kafka 3.1", "consume", SPAN_CONSUMER, SPAN_STATUS_OK, 1005, 2000,
        "bytes:i=300 foo=bar", "start@0; checkpoint@500 n:i=3; checkpoint@1500 n:i=4", "1.1 reason=follows; 1.3 x:i=1",
        ""},
    {2, 3, 2, "worker", "cluster=dev", "kafka 3.1", "step", SPAN_INTERNAL, SPAN_STATUS_OK, 1010, 500, "bytes:i=50", "",
        "", ""},
    {2, 4, 3, "worker", "cluster=dev", "kafka 3.1", "step", SPAN_INTERNAL, SPAN_STATUS_ERROR, 1020, 300,
        "bytes:i=-5 deep=1", "", "", "bad step"},
    /* The root did not arrive. */
    {3, 2, 1, "frontend", "cluster=prod", "", "late", SPAN_SERVER, SPAN_STATUS_UNSET, 2000, 50, "http.method=PUT", "",
        "", ""},
    {3, 3, 2, "cart", "cluster=prod", "", "late child", SPAN_CLIENT, SPAN_STATUS_ERROR, 2010, 20, "foo=bar", "", "",
        ""},
    {3, 4, 1, "cart", "cluster=prod", "", "late sibling", SPAN_CLIENT, SPAN_STATUS_UNSET, 2030, 10, "", "", "", ""},
    /* Two roots. */
    {4, 1, 0, "cron", "", "", "tick", SPAN_INTERNAL, SPAN_STATUS_OK, 3000, 1, "n:i=1", "", "", ""},
    {4, 2, 0, "cron", "", "", "tock", SPAN_INTERNAL, SPAN_STATUS_OK, 3010, 3, "n:i=2", "", "", ""},
    {4, 3, 2, "cron", "", "", "work", SPAN_INTERNAL, SPAN_STATUS_UNSET, 3011, 1, "n:f=2.5", "", "", ""},
};

static inline void fix_id(uint8_t *out, size_t n, int number) {
    memset(out, 0, n);
    out[n - 1] = (uint8_t)number;
}

static inline AttrValue fix_value(Arena *a, char type, Str text) {
    AttrValue v = {.type = ATTR_STR, .s = arena_copy(a, text)};
    if (type == 'i') {
        v = (AttrValue){.type = ATTR_I64};
        if (!num_parse_i64(text, &v.i)) abort();
    } else if (type == 'f') {
        v = (AttrValue){.type = ATTR_F64};
        if (!num_parse_f64(text, &v.d)) abort();
    } else if (type == 'b') {
        v = (AttrValue){.type = ATTR_BOOL, .b = str_eq_lit(text, "true")};
    } else if (type == 'a') {
        v.type = ATTR_ARRAY;
    }
    return v;
}

static inline AttrRange fix_attrs(SpansBatch *b, Str text) {
    AttrRange r = {(uint32_t)b->attrs.n, 0};
    Str rest = text, part;
    while (text.n && str_split_next(&rest, ' ', &part)) {
        size_t eq = str_find_char(part, '=');
        if (eq == SIZE_MAX) continue;
        Str key = str_slice(part, 0, eq);
        char type = key.n > 2 && key.p[key.n - 2] == ':' ? key.p[key.n - 1] : 's';
        if (type != 's') key.n -= 2;
        Attr a = {arena_copy(b->arena, key), fix_value(b->arena, type, str_skip(part, eq + 1))};
        if (!avec_push(b->arena, &b->attrs, a)) abort();
        r.n++;
    }
    return r;
}

static inline AttrRange fix_events(SpansBatch *b, const FixSpan *f) {
    AttrRange r = {(uint32_t)b->events.n, 0};
    Str rest = str_cstr(f->events), part;
    while (f->events[0] && str_split_next(&rest, ';', &part)) {
        part = str_trim(part);
        size_t at = str_find_char(part, '@'), blank = str_find_char(part, ' ');
        Str ms = str_slice(part, at + 1, blank == SIZE_MAX ? part.n : blank);
        int64_t t;
        if (!num_parse_i64(ms, &t)) abort();
        SpanEvent e = {
            .t_ns = FIX_BASE_NS + (f->start_ms + t) * NS_PER_MS, .name = arena_copy(b->arena, str_slice(part, 0, at))};
        e.attrs = fix_attrs(b, blank == SIZE_MAX ? STR_NULL : str_skip(part, blank + 1));
        if (!avec_push(b->arena, &b->events, e)) abort();
        r.n++;
    }
    return r;
}

static inline AttrRange fix_links(SpansBatch *b, const FixSpan *f) {
    AttrRange r = {(uint32_t)b->links.n, 0};
    Str rest = str_cstr(f->links), part;
    while (f->links[0] && str_split_next(&rest, ';', &part)) {
        part = str_trim(part);
        SpanLink l = {0};
        fix_id(l.trace_id.b, 16, part.p[0] - '0');
        fix_id(l.span_id.b, 8, part.p[2] - '0');
        l.attrs = fix_attrs(b, part.n > 4 ? str_skip(part, 4) : STR_NULL);
        if (!avec_push(b->arena, &b->links, l)) abort();
        r.n++;
    }
    return r;
}

static inline uint32_t fix_resource(SpansBatch *b, const FixSpan *f) {
    Str text = arena_printf(b->arena, "service.name=%s %s", f->service, f->resource);
    Resource r = {.attrs = fix_attrs(b, text)};
    if (!avec_push(b->arena, &b->resources, r)) abort();
    return (uint32_t)b->resources.n - 1;
}

static inline uint32_t fix_scope(SpansBatch *b, const FixSpan *f) {
    Str rest = str_cstr(f->scope);
    Scope s = {0};
    if (f->scope[0]) {
        (void)str_split_next(&rest, ' ', &s.name);
        (void)str_split_next(&rest, ' ', &s.version);
        s.attrs = fix_attrs(b, rest.p ? rest : STR_NULL);
    }
    if (!avec_push(b->arena, &b->scopes, s)) abort();
    return (uint32_t)b->scopes.n - 1;
}

/* Appends one span. */
static inline void fix_put(SpansBatch *b, const FixSpan *f) {
    SpanRow r = {.name = str_cstr(f->name),
        .kind = (uint8_t)f->kind,
        .status = (uint8_t)f->status,
        .status_message = str_cstr(f->message),
        .start_ns = FIX_BASE_NS + f->start_ms * NS_PER_MS,
        .end_ns = FIX_BASE_NS + (f->start_ms + f->duration_ms) * NS_PER_MS};
    fix_id(r.trace_id.b, 16, f->trace);
    fix_id(r.span_id.b, 8, f->span);
    fix_id(r.parent_id.b, 8, f->parent);
    r.resource = fix_resource(b, f);
    r.scope = fix_scope(b, f);
    r.attrs = fix_attrs(b, str_cstr(f->attrs));
    r.events = fix_events(b, f);
    r.links = fix_links(b, f);
    if (!avec_push(b->arena, &b->rows, r)) abort();
}

#endif
