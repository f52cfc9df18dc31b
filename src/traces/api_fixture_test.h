/* api_fixture_test.h - a store, a router over the trace APIs, and requests without a server. */
#ifndef MEERKAT_TRACES_API_FIXTURE_TEST_H
#define MEERKAT_TRACES_API_FIXTURE_TEST_H

#include "net/http.h"
#include "traces/jaeger_api.h"
#include "traces/services_api.h"
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
