/* jaeger_api.h - the HTTP APIs of Jaeger's query service (port 16686): the legacy one, which existing scripts and
 * Grafana call, and /api/v3; and the sampling endpoint (port 5778). Nothing is removed: both generations are answered.
 */
#ifndef MEERKAT_TRACES_JAEGER_API_H
#define MEERKAT_TRACES_JAEGER_API_H

#include "net/http.h"
#include "traces/trace_store.h"

typedef struct JaegerApi JaegerApi;

typedef struct JaegerApiOptions {
    TraceStore *store; /* borrowed */
    /* OTLP/JSON into batch (whose arena is set). NULL: POST /api/transform answers 501. */
    ErrCode (*decode_otlp_json)(Str json, SpansBatch *batch, Err *reterr);
    int64_t max_clock_skew_ns; /* 0: clocks are only remarked on */
} JaegerApiOptions;

ATTR_MUST JaegerApi *jaeger_api_create(const JaegerApiOptions *opts);
JaegerApi *jaeger_api_free(JaegerApi *api); /* NULL is fine; returns NULL */
/* /api/services, /api/operations, /api/services/{service}/operations, /api/traces, /api/traces/{id}, /api/archive/{id},
 * /api/dependencies, /api/transform, /api/metrics/..., /api/v3/... api must outlive the router. */
void jaeger_api_routes(JaegerApi *api, Router *router);
/* The same for a router on which GET /api/traces/{id} is Tempo's path as well: requests that accept
 * application/protobuf go to tempo_trace. Once per api. */
void jaeger_api_routes_shared(JaegerApi *api, Router *router, HttpHandler tempo_trace, void *tempo_ctx);

/* --- sampling --- */

typedef struct JaegerSampling JaegerSampling;

typedef enum JaegerSamplingType { JAEGER_SAMPLING_PROBABILISTIC, JAEGER_SAMPLING_RATE_LIMITING } JaegerSamplingType;
typedef struct JaegerSamplingOperation {
    Str operation;
    double rate;
} JaegerSamplingOperation;
typedef struct JaegerSamplingStrategy {
    Str service; /* ignored in the default strategy */
    JaegerSamplingType type;
    double param; /* rate in [0, 1], or traces per second */
    const JaegerSamplingOperation *operations;
    size_t n_operations;
} JaegerSamplingStrategy;
typedef struct JaegerSamplingOptions {
    const JaegerSamplingStrategy *services; /* copied */
    size_t n_services;
    const JaegerSamplingStrategy *dflt; /* NULL: probabilistic, 1.0: everything is kept */
} JaegerSamplingOptions;

ATTR_MUST JaegerSampling *jaeger_sampling_create(const JaegerSamplingOptions *opts /* NULL: the default alone */);
JaegerSampling *jaeger_sampling_free(JaegerSampling *s);
/* GET /, /sampling and /api/sampling. */
void jaeger_sampling_routes(JaegerSampling *s, Router *router);

#endif
