/* span_gen_test.h - spans for tests: small ones by hand, and random ones that look like a shop's traffic. */
#ifndef MEERKAT_TRACES_SPAN_GEN_TEST_H
#define MEERKAT_TRACES_SPAN_GEN_TEST_H

#include "base/num.h"
#include "model/spans_batch.h"
#include "sys/random.h"

#include <stdio.h>

#define GEN_T0 INT64_C(1700000000000000000)
#define GEN_SERVICES 5
#define GEN_OPS 6

static inline Attr gen_str(const char *key, const char *value) {
    return (Attr){str_cstr(key), {.type = ATTR_STR, .s = str_cstr(value)}};
}
static inline Attr gen_i64(const char *key, int64_t v) { return (Attr){str_cstr(key), {.type = ATTR_I64, .i = v}}; }

static inline AttrRange gen_attrs(SpansBatch *b, const Attr *v, size_t n) {
    AttrRange r = {(uint32_t)b->attrs.n, (uint32_t)n};
    for (size_t i = 0; i < n; i++) ASSERT(avec_push(b->arena, &b->attrs, v[i]));
    return r;
}

static inline Str gen_text(Arena *arena, const char *prefix, uint64_t n) {
    return arena_printf(arena, "%s%llu", prefix, (unsigned long long)n);
}

static inline uint32_t gen_resource(SpansBatch *b, uint64_t service) {
    Attr attrs[] = {{STR("service.name"), {.type = ATTR_STR, .s = gen_text(b->arena, "svc-", service)}},
        gen_str("deployment.environment", service % 2 ? "prod" : "dev"), gen_i64("process.pid", (int64_t)service)};
    Resource r = {.attrs = gen_attrs(b, attrs, ARRAY_LEN(attrs)), .schema_url = STR("https://schema/1")};
    ASSERT(avec_push(b->arena, &b->resources, r));
    return (uint32_t)b->resources.n - 1;
}

static inline uint32_t gen_scope(SpansBatch *b, const char *name) {
    Scope s = {.name = str_cstr(name), .version = STR("1.2")};
    ASSERT(avec_push(b->arena, &b->scopes, s));
    return (uint32_t)b->scopes.n - 1;
}

static inline TraceId gen_trace_id(uint64_t n) {
    TraceId id = {0};
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memcpy(id.b, &h, 8);
    memcpy(id.b + 8, &n, 8);
    id.b[15] = 1;
    return id;
}

static inline SpanId gen_span_id(uint64_t n) {
    SpanId id;
    uint64_t h = (n + 1) * UINT64_C(0xd1342543de82ef95);
    memcpy(id.b, &h, 8);
    return id;
}

/* One random span; parent 0: none. */
static inline void gen_span(SpansBatch *b, Rng *rng, TraceId trace, uint64_t span, uint64_t parent, int64_t start_ns,
    const uint32_t *resources, uint32_t scope) {
    uint64_t service = rng_u64(rng) % GEN_SERVICES;
    SpanRow r = {.trace_id = trace,
        .span_id = gen_span_id(span),
        .start_ns = start_ns,
        .scope = scope,
        .end_ns = start_ns + (int64_t)(rng_u64(rng) % 2000000000),
        .resource = resources[service],
        .kind = (uint8_t)(rng_u64(rng) % 6),
        .status = (uint8_t)(rng_u64(rng) % 8 ? rng_u64(rng) % 2 : 2)};
    if (parent) r.parent_id = gen_span_id(parent);
    r.name = gen_text(b->arena, "op-", rng_u64(rng) % GEN_OPS);
    Attr attrs[12];
    size_t n = 0;
    attrs[n++] = gen_str("http.method", rng_u64(rng) % 2 ? "GET" : "POST");
    attrs[n++] = gen_i64("http.status_code", 200 + (int64_t)(rng_u64(rng) % 4) * 100);
    attrs[n++] = (Attr){STR("user.id"), {.type = ATTR_STR, .s = gen_text(b->arena, "user-", rng_u64(rng) % 50)}};
    if (rng_u64(rng) % 3 == 0) attrs[n++] = (Attr){STR("cache.hit"), {.type = ATTR_BOOL, .b = rng_u64(rng) % 2}};
    if (rng_u64(rng) % 4 == 0)
        attrs[n++] = (Attr){STR("score"), {.type = ATTR_F64, .d = (double)(rng_u64(rng) % 9) / 4}};
    if (rng_u64(rng) % 9 == 0) attrs[n++] = (Attr){STR("blob"), {.type = ATTR_BYTES, .s = STR("\x00\x01\xff")}};
    if (rng_u64(rng) % 9 == 0) attrs[n++] = (Attr){STR("list"), {.type = ATTR_ARRAY, .s = STR("[1,\"a\"]")}};
    if (rng_u64(rng) % 9 == 0) attrs[n++] = (Attr){STR("nothing"), {.type = ATTR_EMPTY}};
    if (rng_u64(rng) % 9 == 0) attrs[n++] = gen_str("\x01s", "an attribute that looks like a field");
    if (rng_u64(rng) % 9 == 0) attrs[n++] = gen_str("http.method", "twice");
    r.attrs = gen_attrs(b, attrs, n);
    if (rng_u64(rng) % 5 == 0) {
        Attr e[] = {gen_str("exception.type", rng_u64(rng) % 2 ? "Timeout" : "Refused"), gen_i64("attempt", 3)};
        SpanEvent event = {start_ns + 5, STR("exception"), gen_attrs(b, e, 2), 1};
        r.events = (AttrRange){(uint32_t)b->events.n, 1};
        ASSERT(avec_push(b->arena, &b->events, event));
    }
    if (rng_u64(rng) % 7 == 0) {
        Attr l[] = {gen_str("link.kind", "retry")};
        SpanLink link = {gen_trace_id(1), gen_span_id(2), STR("a=b"), gen_attrs(b, l, 1), 1, 2};
        r.links = (AttrRange){(uint32_t)b->links.n, 1};
        ASSERT(avec_push(b->arena, &b->links, link));
    }
    if (r.status == SPAN_STATUS_ERROR) r.status_message = STR("it broke");
    if (rng_u64(rng) % 6 == 0) r.trace_state = STR("vendor=1");
    if (rng_u64(rng) % 6 == 0) r.flags = 257;
    if (rng_u64(rng) % 11 == 0) r.dropped_attributes = 3;
    ASSERT(avec_push(b->arena, &b->rows, r));
}

/* Resources of all services and one scope, for gen_span. */
static inline uint32_t gen_begin(SpansBatch *b, uint32_t resources[GEN_SERVICES]) {
    for (uint64_t i = 0; i < GEN_SERVICES; i++) resources[i] = gen_resource(b, i);
    return gen_scope(b, "shop");
}

#endif
