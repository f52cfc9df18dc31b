/* api_fixture_test.h - a store, a router over the trace APIs, and requests without a server. */
#ifndef MEERKAT_TRACES_API_FIXTURE_TEST_H
#define MEERKAT_TRACES_API_FIXTURE_TEST_H

#include "net/http.h"
#include "traces/jaeger_api.h"
#include "traces/services_api.h"
#include "traces/span_gen_test.h"
#include "traces/tempo_api.h"
#include "traces/trace_store.h"

#include <stdlib.h>

typedef struct ApiFixture {
    char dir[64];
    TraceStore *store;
    JaegerApi *jaeger;
    JaegerSampling *sampling;
    TempoApi *tempo;
    Router *router, *sampling_router, *tempo_router;
    Arena *arena; /* of the last answer */
    HttpResponse res;
} ApiFixture;

static inline void api_fixture_init(
    ApiFixture *f, ErrCode (*decode)(Str json, SpansBatch *batch, Err *reterr), const JaegerSamplingOptions *sampling) {
    Err err = {0};
    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/mk-jaeger-XXXXXX");
    ASSERT(mkdtemp(f->dir));
    ASSERT(trace_store_open(fs_real(), f->dir, &(TraceStoreOptions){.durable = false}, &f->store, &err) == OK);
    f->jaeger = jaeger_api_create(&(JaegerApiOptions){.store = f->store, .decode_otlp_json = decode});
    f->sampling = jaeger_sampling_create(sampling);
    f->router = router_create();
    f->sampling_router = router_create();
    jaeger_api_routes(f->jaeger, f->router);
    services_api_routes(f->store, f->router);
    jaeger_sampling_routes(f->sampling, f->sampling_router);
    f->tempo = tempo_api_create(&(TempoApiOptions){.store = f->store, .version = "0.0.1"});
    f->tempo_router = router_create();
    tempo_api_routes(f->tempo, f->tempo_router);
}

static inline void api_fixture_done(ApiFixture *f) {
    buf_done(&f->res.body);
    arena_free(f->arena);
    router_free(f->router);
    router_free(f->sampling_router);
    router_free(f->tempo_router);
    tempo_api_free(f->tempo);
    jaeger_api_free(f->jaeger);
    jaeger_sampling_free(f->sampling);
    f->store->ops->close(f->store);
    ASSERT(fs_remove_tree(fs_real(), f->dir, NULL) == OK);
}

/* One trace: a server span of shop calling a failing client span of db, which has an event. Between begin and end a
 * test adds what else it wants: links, fields of the rows. */
typedef struct ApiSample {
    SpansBatch batch;
    SpanRow root, child;
} ApiSample;

typedef struct ApiSampleAttrs {
    const Attr *v;
    size_t n;
} ApiSampleAttrs;

/* shop: attributes of its resource; lib: of the child's scope; root: of the root span. */
static inline void api_sample_begin(ApiSample *x, ApiSampleAttrs shop, ApiSampleAttrs lib, ApiSampleAttrs root) {
    Attr db = gen_str("service.name", "db"), exception = gen_str("exception.type", "Timeout");
    *x = (ApiSample){.batch.arena = arena_create(ARENA_UNLIMITED)};
    SpansBatch *b = &x->batch;
    Resource r1 = {.attrs = gen_attrs(b, shop.v, shop.n)}, r2 = {.attrs = gen_attrs(b, &db, 1)};
    Scope none = {0}, scope = {.name = STR("lib"), .version = STR("2"), .attrs = gen_attrs(b, lib.v, lib.n)};
    SpanEvent event = {GEN_T0 + 2500, STR("exception"), gen_attrs(b, &exception, 1), 0};
    ASSERT(avec_push(b->arena, &b->resources, r1) && avec_push(b->arena, &b->resources, r2));
    ASSERT(avec_push(b->arena, &b->scopes, none) && avec_push(b->arena, &b->scopes, scope));
    ASSERT(avec_push(b->arena, &b->events, event));
    x->root = (SpanRow){.trace_id = gen_trace_id(1),
        .span_id = gen_span_id(1),
        .start_ns = GEN_T0,
        .end_ns = GEN_T0 + 5000000,
        .name = STR("GET /"),
        .kind = SPAN_SERVER,
        .attrs = gen_attrs(b, root.v, root.n)};
    x->child = (SpanRow){.trace_id = gen_trace_id(1),
        .span_id = gen_span_id(2),
        .parent_id = gen_span_id(1),
        .start_ns = GEN_T0 + 1000,
        .end_ns = GEN_T0 + 4000,
        .name = STR("SELECT"),
        .kind = SPAN_CLIENT,
        .status = SPAN_STATUS_ERROR,
        .status_message = STR("broken"),
        .resource = 1,
        .scope = 1,
        .events = {0, 1}};
}

static inline void api_sample_end(ApiSample *x, TraceStore *s) {
    SpansBatch *b = &x->batch;
    ASSERT(avec_push(b->arena, &b->rows, x->root) && avec_push(b->arena, &b->rows, x->child));
    ASSERT(s->ops->append(s, b, NULL, NULL) == OK);
    arena_free(b->arena);
}

/* Sends "/path?query" to the handler; the answer is in f->res until the next call. */
static inline Str api_call_accept(
    ApiFixture *f, Router *router, HttpMethod method, const char *target, Str body, const char *accept) {
    buf_done(&f->res.body);
    arena_free(f->arena);
    f->arena = arena_create(64u << 20);
    f->res = (HttpResponse){.status = 200};
    Str path = str_cstr(target), query = STR_NULL;
    size_t mark = str_find_char(path, '?');
    if (mark != SIZE_MAX) {
        query = str_skip(path, mark + 1);
        path = str_slice(path, 0, mark);
    }
    RouteMatch m;
    ASSERT(router_match(router, method, path, f->arena, &m) && m.route);
    HttpHeader header = {STR("Accept"), str_cstr(accept)};
    HttpRequest req = {.method = method,
        .headers = &header,
        .n_headers = 1,
        .path = path,
        .raw_path = path,
        .query = query,
        .body = body,
        .path_params = m.params,
        .n_path_params = m.n_params,
        .arena = f->arena};
    m.route->handler(m.route->ctx, &req, &f->res);
    return buf_str(&f->res.body);
}

static inline Str api_call(ApiFixture *f, Router *router, HttpMethod method, const char *target, Str body) {
    return api_call_accept(f, router, method, target, body, "*/*");
}

static inline Str api_get(ApiFixture *f, const char *target) {
    return api_call(f, f->router, HTTP_GET, target, STR_NULL);
}

#endif
