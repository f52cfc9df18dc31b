/* demo_metric_table.c - every metric of the simulated fleet.
 *
 * Seen from PromQL: a unit becomes a suffix unless the name has it already, counters end in _total once, dots turn
 * into underscores. Counters that runbooks know without _total are gauges here, because that is what keeps a name. */
#include "cmd/demo_metrics.h"

static const double http_bounds[] = {
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 7.5, 10, 30};
static const double genai_bounds[] = {
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
static const double token_bounds[] = {
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
static const double ttft_bounds[] = {
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
static const double db_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static const double job_bounds[] = {0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300};
static const double milli_bounds[] = {10, 25, 50, 100, 250, 500, 1000, 2000, 2500, 5000, 10000};

#define COUNTER(name, unit, text)                                                                                      \
    { name, unit, text, DEMO_COUNTER, NULL, 0 }
#define GAUGE(name, unit, text)                                                                                        \
    { name, unit, text, DEMO_GAUGE, NULL, 0 }
#define HISTOGRAM(name, unit, text, bounds)                                                                            \
    { name, unit, text, DEMO_HISTOGRAM, bounds, ARRAY_LEN(bounds) }

const DemoMetricDef demo_metric_defs[M_COUNT] = {
    [M_UP] = GAUGE("up", "", "Whether the last scrape of the target worked."),
    [M_HTTP_SERVER_DURATION] =
        HISTOGRAM("http.server.request.duration", "s", "Duration of HTTP server requests.", http_bounds),
    [M_HTTP_REQUESTS] = COUNTER("http_requests_total", "", "HTTP requests answered."),
    [M_HTTP_SECONDS] = HISTOGRAM("http_request_duration_seconds", "s", "Duration of HTTP requests.", http_bounds),
    [M_HTTP_IN_FLIGHT] = GAUGE("http_requests_in_flight", "", "HTTP requests being answered."),
    [M_ACTIVE_CONNECTIONS] = GAUGE("active_connections", "", "Open client connections."),
    [M_GENAI_TOKENS] = HISTOGRAM("gen_ai.client.token.usage", "{token}", "Input and output tokens used.", token_bounds),
    [M_GENAI_DURATION] =
        HISTOGRAM("gen_ai.client.operation.duration", "s", "Duration of GenAI operations.", genai_bounds),
    [M_GENAI_TTFT] = HISTOGRAM("gen_ai.server.time_to_first_token", "s", "Time to the first token.", ttft_bounds),
    [M_LLM_REQUESTS] = COUNTER("llm_requests_total", "", "Calls of model providers by outcome."),
    [M_LLM_RETRIES] = COUNTER("llm_retries_total", "", "Calls of model providers that were tried again."),
    [M_COST] = COUNTER("cost_usd_total", "", "Money spent on tokens, in US dollars."),
    [M_RATE_LIMIT_HITS] = COUNTER("rate_limit_hits_total", "", "Answers 429 of upstream services."),
    [M_RATE_LIMIT_UTILIZATION] = GAUGE("rate_limit_utilization", "", "Share of the upstream rate limit in use."),
    [M_RATE_LIMIT_QUEUE] = GAUGE("rate_limit_queue_depth", "", "Calls waiting for the rate limiter."),
    [M_QUEUE_DEPTH] = GAUGE("queue_depth", "", "Items waiting in the queue."),
    [M_WORKERS_ACTIVE] = GAUGE("workers_active", "", "Background workers with a job."),
    [M_WORKERS_IDLE] = GAUGE("workers_idle", "", "Background workers without a job."),
    [M_JOBS] = COUNTER("background_jobs_total", "", "Background jobs by final status."),
    [M_JOB_SECONDS] = HISTOGRAM("background_job_duration_seconds", "s", "Duration of background jobs.", job_bounds),
    [M_WEBHOOKS] = COUNTER("webhook_deliveries_total", "", "Webhook deliveries by status."),
    [M_S3_REQUESTS] = COUNTER("s3_requests_total", "", "Requests to object storage."),
    [M_S3_ERRORS] = COUNTER("s3_errors_total", "", "Requests to object storage that failed."),
    [M_CLASSIFIER_RUNS] = COUNTER("classifier_runs_total", "", "Runs of the conversation classifier."),
    [M_CLASSIFIER_ERRORS] = COUNTER("classifier_errors_total", "", "Runs of the conversation classifier that failed."),
    [M_TOOL_EXECUTIONS] = COUNTER("tool_executions_total", "", "Tool executions by outcome."),
    [M_TOOL_SECONDS] = HISTOGRAM("tool_execution_duration_seconds", "s", "Duration of tool executions.", http_bounds),
    [M_TOOL_QUEUE] = GAUGE("tool_queue_depth", "", "Tool calls waiting."),
    [M_MCP_DURATION] = {"mcp.server.operation.duration", "s", "Duration of MCP requests.", DEMO_EXPONENTIAL, NULL, 0},
    [M_DB_ACTIVE] = GAUGE("db_connections_active", "", "Database connections in use."),
    [M_DB_IDLE] = GAUGE("db_connections_idle", "", "Database connections not in use."),
    [M_DB_QUERY_SECONDS] = HISTOGRAM("db_query_duration_seconds", "s", "Duration of database queries.", db_bounds),
    [M_POOL_SIZE] = GAUGE("connection_pool_size", "", "Size of the database connection pool."),
    [M_SPECULATION_ATTEMPTS] =
        COUNTER("speculation_attempts_total", "", "Tool calls begun before they were asked for."),
    [M_SPECULATION_ACCURACY] = GAUGE("speculation_accuracy_ratio", "", "Share of speculative calls that were of use."),
    [M_SPECULATION_SAVED] = GAUGE("speculation_time_saved_seconds", "", "Time saved by speculative calls."),
    [M_MEMORY] = GAUGE("memory_usage_bytes", "By", "Memory in use."),
    [M_RESIDENT] = GAUGE("process_resident_memory_bytes", "By", "Resident memory of the process."),
    [M_CPU_SECONDS] = COUNTER("process_cpu_seconds_total", "s", "CPU time of the process."),
    [M_CPU_PERCENT] = GAUGE("cpu_usage_percent", "", "CPU in use, percent of one core."),
    [M_OTELCOL_ACCEPTED] = COUNTER("otelcol_receiver_accepted_spans_total", "", "Spans taken in."),
    [M_OTELCOL_SENT] = COUNTER("otelcol_exporter_sent_spans_total", "", "Spans sent on."),
    [M_OTELCOL_FAILED] = COUNTER("otelcol_exporter_send_failed_spans_total", "", "Spans that could not be sent on."),
    [M_OTELCOL_QUEUE] = GAUGE("otelcol_exporter_queue_size", "", "Batches waiting to be sent on."),
    [M_OTELCOL_CAPACITY] = GAUGE("otelcol_exporter_queue_capacity", "", "Room in the exporter's queue."),
    [M_JAEGER_RECEIVED] = COUNTER("jaeger_collector_spans_received_total", "", "Spans received by the trace store."),
    [M_INTEGRATION_REQUESTS] = COUNTER("llm_integration_requests_total", "", "Requests to an integration."),
    [M_INTEGRATION_FAILED] = GAUGE("llm_integration_requests_failed", "", "Failed requests to an integration so far."),
    [M_INTEGRATION_SUCCESSFUL] =
        GAUGE("llm_integration_requests_successful", "", "Successful requests to an integration so far."),
    [M_INTEGRATION_SUCCESS_RATE] = GAUGE("llm_integration_success_rate_percent", "", "Share of successful requests."),
    [M_INTEGRATION_LATENCY] =
        HISTOGRAM("llm_integration_latency_milliseconds", "ms", "Latency of an integration.", milli_bounds),
    [M_INTEGRATION_LATENCY_TOTAL] = COUNTER("llm_integration_latency_milliseconds_total", "", "Sum of latencies."),
    [M_INTEGRATION_LATENCY_AVERAGE] = GAUGE("llm_integration_latency_milliseconds_average", "", "Mean latency so far."),
    [M_INTEGRATION_LATENCY_P95] =
        GAUGE("llm_integration_latency_milliseconds_p95", "", "95th percentile of recent latencies."),
    [M_IM_ALERTS] = COUNTER("incident_manager_alerts_processed_total", "", "Alerts processed."),
    [M_IM_QUEUE] = GAUGE("incident_manager_processing_queue_size", "", "Alerts waiting to be processed."),
    [M_IM_CACHE] = GAUGE("incident_manager_enrichment_cache_hit_rate", "", "Hit rate of the enrichment cache."),
    [M_IM_MEMORY] = GAUGE("incident_manager_memory_usage_bytes", "By", "Memory in use."),
    [M_CONTAINER_MEMORY] = GAUGE("container_memory_usage_bytes", "By", "Memory of the container."),
    [M_CONTAINER_WORKING_SET] = GAUGE("container_memory_working_set_bytes", "By", "Working set of the container."),
    [M_CONTAINER_LIMIT] = GAUGE("container_spec_memory_limit_bytes", "By", "Memory limit of the container."),
    [M_CONTAINER_CPU] = COUNTER("container_cpu_usage_seconds_total", "s", "CPU time of the container."),
    [M_CONTAINER_THROTTLED] =
        COUNTER("container_cpu_cfs_throttled_seconds_total", "s", "Time the container was throttled."),
    [M_CONTAINER_RECEIVE] = COUNTER("container_network_receive_bytes_total", "By", "Bytes received."),
    [M_CONTAINER_TRANSMIT] = COUNTER("container_network_transmit_bytes_total", "By", "Bytes sent."),
    [M_KUBE_POD_PHASE] = GAUGE("kube_pod_status_phase", "", "Phase of the pod."),
    [M_KUBE_RESTARTS] = COUNTER("kube_pod_container_status_restarts_total", "", "Restarts of the container."),
    [M_KUBE_REPLICAS] = GAUGE("kube_deployment_status_replicas", "", "Replicas of the deployment."),
    [M_NODE_CPU] = COUNTER("node_cpu_seconds_total", "s", "CPU time by mode."),
    [M_NODE_MEM_AVAILABLE] = GAUGE("node_memory_MemAvailable_bytes", "By", "Memory available."),
    [M_NODE_MEM_TOTAL] = GAUGE("node_memory_MemTotal_bytes", "By", "Memory of the machine."),
};
