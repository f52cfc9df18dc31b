/* tempo_api.h - Tempo's HTTP API over a trace store: what Grafana's Tempo datasource asks for.
 *
 * Source: Grafana Tempo's HTTP API documentation. Errors are text/plain. Not there: ingestion (OTLP has its own ports),
 * gRPC streaming (Grafana asks over HTTP unless told to stream), the pages about Tempo's own components. */
#ifndef MEERKAT_TRACES_TEMPO_API_H
#define MEERKAT_TRACES_TEMPO_API_H

#include "net/http.h"
#include "traces/trace_store.h"

typedef struct TempoApi TempoApi;

typedef struct TempoApiOptions {
    TraceStore *store;        /* borrowed */
    int64_t query_timeout_ms; /* 0: 2 minutes */
    const char *version;      /* of this program, for /status/version; borrowed */
} TempoApiOptions;

ATTR_MUST TempoApi *tempo_api_create(const TempoApiOptions *opts);
TempoApi *tempo_api_free(TempoApi *api); /* NULL is fine; returns NULL */

/* The routes of Tempo's own port; api must outlive the router. */
void tempo_api_routes(TempoApi *api, Router *router);
/* For a router that serves other APIs as well: without /ready, /status and GET /api/traces/{id}, which others have; and
 * everything once more behind /tempo. */
void tempo_api_routes_shared(TempoApi *api, Router *router);
/* GET /api/traces/{id} (ctx is the api), for a router whose path belongs to Jaeger: requests that accept
 * application/protobuf are Tempo's. */
void tempo_api_trace(void *ctx, HttpRequest *req, HttpResponse *res);

#endif
