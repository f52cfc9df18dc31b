/* collect.h - the receivers' side of the collector: OTLP over gRPC and HTTP into the stores.
 *
 * Routes: /v1/traces, /v1/metrics, /v1/logs (4318; protobuf and JSON), the three gRPC Export methods (4317),
 * /otlp/v1/logs (Loki's), /api/v1/otlp/v1/metrics (Prometheus'). Own counters under otelcol_* names (8888),
 * health on 13133. */
#ifndef MEERKAT_COLLECT_COLLECT_H
#define MEERKAT_COLLECT_COLLECT_H

#include "collect/otlp_decode.h"
#include "model/logs_batch.h"
#include "model/metrics_batch.h"
#include "model/spans_batch.h"
#include "net/grpc.h"
#include "net/http.h"

typedef struct Collector Collector;

/* Where batches go: filled by cmd with the stores. Each returns when durable; refused counts what the
 * store did not take (too old, conflicting) with a reason for partial_success. */
typedef struct CollectSinks {
    void *ctx;
    ErrCode (*metrics)(void *ctx, const MetricsBatch *batch, uint64_t *ret_refused, char ret_reason[256], Err *reterr);
    ErrCode (*logs)(void *ctx, const LogsBatch *batch, uint64_t *ret_refused, char ret_reason[256], Err *reterr);
    ErrCode (*spans)(void *ctx, const SpansBatch *batch, uint64_t *ret_refused, char ret_reason[256], Err *reterr);
} CollectSinks;

typedef struct CollectOptions {
    CollectSinks sinks;
    size_t max_body_bytes; /* after decompression; 0: 64 MiB */
    const char *version;
    const char *state_dir; /* for delta-to-cumulative state; may be NULL */
} CollectOptions;

Collector *collector_create(const CollectOptions *opts);
Collector *collector_free(Collector *c);
/* How metrics become series from now on, over all ports; copied. Thread-safe. */
void collector_set_metric_options(Collector *c, const OtlpMetricOptions *options);
void collector_otlp_routes(Collector *c, Router *r);       /* HTTP paths and gRPC methods */
void collector_loki_routes(Collector *c, Router *r);       /* /otlp/v1/logs */
void collector_prometheus_routes(Collector *c, Router *r); /* /api/v1/otlp/v1/metrics */
void collector_health_routes(Collector *c, Router *r);     /* 13133: /, /status, /health */
void collector_set_ready(Collector *c, bool ready);
/* otelcol_* counters as samples at now_ms into a batch: for /metrics on 8888 and for the own store. */
void collector_metrics(const Collector *c, MetricsBatch *batch, int64_t now_ms);

#endif
