/* demo_int.h - what the files of the simulated fleet share among themselves. */
#ifndef MEERKAT_CMD_DEMO_INT_H
#define MEERKAT_CMD_DEMO_INT_H

#include "cmd/demo.h"
#include "cmd/demo_metrics.h"

#define DEMO_TICK_NS NS_PER_S   /* how often workers look at the queue */
#define DEMO_QUEUE_MAX 2000     /* beyond it jobs are refused */
#define DEMO_WORKERS_PER_POD 4  /* at least; more of them at high rates */
#define DEMO_BATCH_RECORDS 3000 /* an export request is sent off at this size */
#define DEMO_BATCH_POINTS 5000

typedef struct DemoJob {
    DemoIds producer;
    int64_t enqueued_ns;
    uint64_t number;
} DemoJob;

/* A worker holds the story of its job until the job is over. */
typedef struct DemoWorker {
    Arena *arena;
    DemoRequest request;
    int64_t busy_until_ns; /* 0: idle */
} DemoWorker;

/* Records of one signal, grouped by instance until the request is put together. */
typedef struct DemoBatch {
    Buf part[DEMO_INSTANCES_MAX];
    size_t records;
} DemoBatch;

#define DEMO_INTEGRATIONS 4
typedef struct DemoIntegration {
    double requests, failed, latency_ms;
} DemoIntegration;

#define DEMO_NODES 2

struct DemoFleet {
    DemoOptions opts;
    Rng rng;
    Arena *arena, *scratch; /* of the fleet; of the request being played */
    Str nodes[DEMO_NODES];
    DemoInstance instances[DEMO_INSTANCES_MAX];
    uint32_t n_instances, first[SVC_COUNT], count[SVC_COUNT];
    DemoMetrics *metrics;
    DemoBatch spans, lines;
    Buf points[DEMO_METRIC_LANES];
    size_t n_points[DEMO_METRIC_LANES];
    int64_t next_arrival_ns, next_step_ns, next_tick_ns, trouble_ns;
    VEC(DemoJob) jobs; /* waiting; jobs_head are done with */
    size_t jobs_head;
    uint64_t job_number;
    DemoWorker *workers;
    uint32_t n_workers, workers_per_pod;
    double otel_queue; /* batches waiting in the simulated collector's exporter */
    DemoIntegration integrations[DEMO_INTEGRATIONS];
    uint64_t steps;
    DemoTotals totals;
};

/* --- demo_fleet.c --- */
bool demo_in_trouble(const DemoFleet *f, DemoScenario s, int64_t t_ns);
uint32_t demo_instance_of(DemoFleet *f, DemoService s); /* some instance */
Str demo_service_name(DemoService s);
/* Mean requests per second at that time: the day's curve, and a rush while the queue backs up. */
double demo_traffic(const DemoFleet *f, int64_t t_ns);
void demo_fleet_take(DemoFleet *f, const DemoRequest *q); /* a finished request into the batches */

/* --- demo_calls.c: what services do to each other and to their stores --- */
typedef struct DemoHttp {
    DemoSpan *span;
    const char *method, *route;
    int status;
} DemoHttp;
/* Server side of a request; close it with demo_http_end, which counts it and logs the access line. */
DemoHttp demo_http_begin(
    DemoRequest *q, const DemoSpan *parent, DemoService service, const char *method, const char *route);
void demo_http_end(DemoRequest *q, DemoHttp *h, int status);
/* Client span for a call to a service; the callee's demo_http_begin takes it as parent. */
DemoSpan *demo_http_client(
    DemoRequest *q, const DemoSpan *parent, DemoService target, const char *method, const char *route);
void demo_http_client_end(DemoRequest *q, DemoSpan *client, int status);
bool demo_db_query(DemoRequest *q, const DemoSpan *parent, const char *operation, const char *table, const char *sql);
void demo_redis(DemoRequest *q, const DemoSpan *parent, const char *command);
bool demo_s3(DemoRequest *q, const DemoSpan *parent, const char *operation, int64_t size_bytes);
void demo_template_render(DemoRequest *q, const DemoSpan *parent);
/* Labels of the metric go with the exemplar of span s. */
void demo_observe(DemoRequest *q, const DemoSpan *s, DemoMetricId id, double value, const DemoLabel *labels, size_t n);
void demo_count(DemoRequest *q, const DemoSpan *s, DemoMetricId id, double by, const DemoLabel *labels, size_t n);

/* --- demo_llm.c --- */
/* llm-api's side of POST /v1/chat/completions under parent, with one call of a model; gives the HTTP status. */
int demo_llm_serve(DemoRequest *q, const DemoSpan *parent, Str conversation, bool wants_tool);
/* One call of the local model from the span's instance, without retries. */
bool demo_llm_local(DemoRequest *q, const DemoSpan *parent, Str conversation);
void demo_llm_declare(DemoFleet *f); /* counters that are to exist from the start */
/* --- demo_tools.c --- */
/* An MCP tool, called by response-api through mcp-tools. */
bool demo_tool_call(DemoRequest *q, const DemoSpan *parent, Str conversation);
/* The conversation classifier of response-api. */
bool demo_classify(DemoRequest *q, const DemoSpan *parent, Str conversation);
void demo_tools_declare(DemoFleet *f);

/* --- demo_stories.c --- */
void demo_play_request(DemoFleet *f, int64_t end_ns); /* one request of the mix that ends then */
void demo_play_job(DemoFleet *f, DemoWorker *w, uint32_t instance, const DemoJob *job, int64_t start_ns);
void demo_stories_declare(DemoFleet *f);

/* --- demo_infra.c: gauges and the counters of machinery, once per step --- */
void demo_infra_step(DemoFleet *f, int64_t t_ns);

/* --- demo_spans.c, demo_logs.c --- */
void demo_spans_encode(DemoFleet *f, const DemoRequest *q);
void demo_logs_encode(DemoFleet *f, const DemoRequest *q);
/* Puts the export request together out of the batch; record batches have the same shape in traces and logs. */
void demo_batch_emit(DemoFleet *f, DemoBatch *b, DemoSignal signal);
void demo_put_attr(Buf *out, uint32_t field, const DemoAttr *a); /* KeyValue */
void demo_put_str_attr(Buf *out, uint32_t field, Str key, Str value);

#endif
