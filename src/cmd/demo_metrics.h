/* demo_metrics.h - the fleet's metrics: cumulative series, kept as an SDK keeps them, written as OTLP. */
#ifndef MEERKAT_CMD_DEMO_METRICS_H
#define MEERKAT_CMD_DEMO_METRICS_H

#include "cmd/demo.h"

/* Names are such that OTLP's translation to Prometheus gives what runbooks ask for; see demo_metric_table.c. */
typedef enum DemoMetricId {
    M_UP,
    M_HTTP_SERVER_DURATION,
    M_HTTP_REQUESTS,
    M_HTTP_SECONDS,
    M_HTTP_IN_FLIGHT,
    M_ACTIVE_CONNECTIONS,
    M_GENAI_TOKENS,
    M_GENAI_DURATION,
    M_GENAI_TTFT,
    M_LLM_REQUESTS,
    M_LLM_RETRIES,
    M_COST,
    M_RATE_LIMIT_HITS,
    M_RATE_LIMIT_UTILIZATION,
    M_RATE_LIMIT_QUEUE,
    M_QUEUE_DEPTH,
    M_WORKERS_ACTIVE,
    M_WORKERS_IDLE,
    M_JOBS,
    M_JOB_SECONDS,
    M_WEBHOOKS,
    M_S3_REQUESTS,
    M_S3_ERRORS,
    M_CLASSIFIER_RUNS,
    M_CLASSIFIER_ERRORS,
    M_TOOL_EXECUTIONS,
    M_TOOL_SECONDS,
    M_TOOL_QUEUE,
    M_MCP_DURATION,
    M_DB_ACTIVE,
    M_DB_IDLE,
    M_DB_QUERY_SECONDS,
    M_POOL_SIZE,
    M_SPECULATION_ATTEMPTS,
    M_SPECULATION_ACCURACY,
    M_SPECULATION_SAVED,
    M_MEMORY,
    M_RESIDENT,
    M_CPU_SECONDS,
    M_CPU_PERCENT,
    M_OTELCOL_ACCEPTED,
    M_OTELCOL_SENT,
    M_OTELCOL_FAILED,
    M_OTELCOL_QUEUE,
    M_OTELCOL_CAPACITY,
    M_JAEGER_RECEIVED,
    M_INTEGRATION_REQUESTS,
    M_INTEGRATION_FAILED,
    M_INTEGRATION_SUCCESSFUL,
    M_INTEGRATION_SUCCESS_RATE,
    M_INTEGRATION_LATENCY,
    M_INTEGRATION_LATENCY_TOTAL,
    M_INTEGRATION_LATENCY_AVERAGE,
    M_INTEGRATION_LATENCY_P95,
    M_IM_ALERTS,
    M_IM_QUEUE,
    M_IM_CACHE,
    M_IM_MEMORY,
    M_CONTAINER_MEMORY,
    M_CONTAINER_WORKING_SET,
    M_CONTAINER_LIMIT,
    M_CONTAINER_CPU,
    M_CONTAINER_THROTTLED,
    M_CONTAINER_RECEIVE,
    M_CONTAINER_TRANSMIT,
    M_KUBE_POD_PHASE,
    M_KUBE_RESTARTS,
    M_KUBE_REPLICAS,
    M_NODE_CPU,
    M_NODE_MEM_AVAILABLE,
    M_NODE_MEM_TOTAL,
    M_COUNT
} DemoMetricId;

typedef enum DemoMetricKind { DEMO_COUNTER, DEMO_GAUGE, DEMO_HISTOGRAM, DEMO_EXPONENTIAL } DemoMetricKind;

typedef struct DemoMetricDef {
    const char *name, *unit, *description;
    DemoMetricKind kind;
    const double *bounds; /* HISTOGRAM */
    size_t n_bounds;
} DemoMetricDef;
extern const DemoMetricDef demo_metric_defs[M_COUNT];

typedef struct DemoLabel {
    const char *key;
    Str value;
} DemoLabel;
#define DEMO_LABELS(...) ((const DemoLabel[]){__VA_ARGS__}), ARRAY_LEN(((const DemoLabel[]){__VA_ARGS__}))
#define DEMO_NO_LABELS NULL, 0

typedef struct DemoExemplar {
    DemoIds ids;
    int64_t t_ns;
    double value;
} DemoExemplar;

typedef struct DemoMetrics DemoMetrics;
DemoMetrics *demo_metrics_create(int64_t start_ns);
DemoMetrics *demo_metrics_free(DemoMetrics *m);
/* Counters grow by value, gauges become value, histograms observe it; exemplar (of histograms) may be NULL. The
 * series comes into being with the first call; a counter is declared by adding 0. */
void demo_metrics_record(DemoMetrics *m, uint32_t instance, DemoMetricId id, double value, const DemoLabel *labels,
    size_t n, const DemoExemplar *exemplar);
/* One ResourceMetrics with the values of one instance at t_ns; only_up leaves out all but `up`. Gives the number of
 * points; 0 writes nothing. Exemplars are handed out once. */
size_t demo_metrics_encode(DemoMetrics *m, uint32_t instance, Str resource, int64_t t_ns, bool only_up, Buf *out);

#endif
