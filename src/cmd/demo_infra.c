/* demo_infra.c - what is measured rather than counted: load, memory, queues, the collector, pods and nodes. */
#include "cmd/demo_int.h"

#include <math.h>

#define MIB (1024.0 * 1024.0)
#define MEMORY_LIMIT (1024 * MIB)
#define NODE_CPUS 2
#define QUEUE_WARNING 100
#define USUAL_RATE 0.75
#define STEP_S ((double)DEMO_STEP_NS / 1e9)

static void set(DemoFleet *f, uint32_t instance, DemoMetricId id, double v) {
    demo_metrics_record(f->metrics, instance, id, v, DEMO_NO_LABELS, NULL);
}

static void set_by(DemoFleet *f, uint32_t instance, DemoMetricId id, double v, const char *key, Str value) {
    demo_metrics_record(f->metrics, instance, id, v, DEMO_LABELS({key, value}), NULL);
}

/* The instance's load as if the fleet had its usual traffic: higher rates stand for a bigger fleet. */
static double usual_load(const DemoFleet *f, const DemoInstance *in) {
    return in->load * USUAL_RATE / MAX(f->opts.rate, USUAL_RATE);
}

/* About v, give or take. */
static double around(DemoFleet *f, double v, double spread) { return v * (1 + spread * (2 * rng_f64(&f->rng) - 1)); }

static bool is_app(const DemoInstance *in) { return in->service <= SVC_TEMPLATE_API; }

static uint32_t workers_active(const DemoFleet *f, uint32_t first, uint32_t n) {
    uint32_t active = 0;
    for (uint32_t i = first; i < first + n; i++) active += f->workers[i].busy_until_ns > 0;
    return active;
}

static void measure_process(DemoFleet *f, uint32_t i) {
    DemoInstance *in = &f->instances[i];
    double base = is_app(in) ? (180 + 40 * in->service) * MIB : 120 * MIB;
    in->memory_drift = in->memory_drift * 0.995 + (rng_f64(&f->rng) - 0.48) * 3 * MIB;
    double memory = MAX(base + in->memory_drift + usual_load(f, in) * 0.4 * MIB, 40 * MIB);
    in->cpu = 0.9 * in->cpu + 0.1 * (0.04 + around(f, usual_load(f, in) * 0.02, 0.3));
    set(f, i, M_MEMORY, floor(memory));
    set(f, i, M_RESIDENT, floor(memory));
    set(f, i, M_CPU_SECONDS, in->cpu * STEP_S);
    set(f, i, M_CPU_PERCENT, in->cpu * 100);
}

static void measure_app(DemoFleet *f, uint32_t i, int64_t t_ns) {
    DemoInstance *in = &f->instances[i];
    bool starved = in->service == SVC_RESPONSE_API && demo_in_trouble(f, DEMO_QUEUE_BACKLOG, t_ns);
    double active =
        starved ? 15 - (double)demo_pick(&f->rng, 2) : floor(1 + usual_load(f, in) * 0.15 + rng_f64(&f->rng) * 2);
    active = MIN(active, starved ? 15 : 11);
    set(f, i, M_HTTP_IN_FLIGHT, floor(around(f, in->load * 0.12, 0.5)));
    set(f, i, M_ACTIVE_CONNECTIONS, floor(around(f, 6 + in->load, 0.2)));
    set(f, i, M_DB_ACTIVE, active);
    set(f, i, M_DB_IDLE, 15 - active);
    set(f, i, M_POOL_SIZE, 15);
    measure_process(f, i);
    in->load *= 0.2; /* most of the load is of this step */
}

static void measure_llm_api(DemoFleet *f, uint32_t i, int64_t t_ns) {
    static const Str providers[] = {
        STR_INIT("openai"), STR_INIT("anthropic"), STR_INIT("azure.ai.openai"), STR_INIT("vllm")};
    static const double shares[] = {0.62, 0.45, 0.38, 0.5};
    double busy = demo_traffic(f, t_ns) / f->opts.rate;
    for (size_t p = 0; p < ARRAY_LEN(providers); p++) {
        bool hot = p == 0 && demo_in_trouble(f, DEMO_LLM_LATENCY, t_ns);
        set_by(f, i, M_RATE_LIMIT_UTILIZATION, MIN(around(f, hot ? 0.97 : shares[p] * busy, 0.06), 1), "service",
            providers[p]);
        set_by(f, i, M_RATE_LIMIT_QUEUE, hot ? floor(around(f, 14, 0.4)) : (double)demo_pick(&f->rng, 2), "service",
            providers[p]);
    }
    bool slow = demo_in_trouble(f, DEMO_LLM_LATENCY, t_ns);
    set_by(
        f, i, M_QUEUE_DEPTH, slow ? floor(around(f, 38, 0.4)) : (double)demo_pick(&f->rng, 4), "queue", STR("tokens"));
}

static void measure_response_api(DemoFleet *f, uint32_t i) {
    uint32_t nth = i - f->first[SVC_RESPONSE_API];
    uint32_t active = workers_active(f, nth * f->workers_per_pod, f->workers_per_pod);
    set_by(f, i, M_QUEUE_DEPTH, (double)demo_fleet_queue_depth(f), "queue", STR("background_jobs"));
    set(f, i, M_WORKERS_ACTIVE, active);
    set(f, i, M_WORKERS_IDLE, f->workers_per_pod - active);
    set(f, i, M_SPECULATION_ACCURACY, MIN(around(f, 0.84, 0.06), 1));
    set(f, i, M_SPECULATION_SAVED, around(f, 0.35, 0.3));
}

static void measure_tools(DemoFleet *f, uint32_t i) {
    static const Str types[] = {STR_INIT("http"), STR_INIT("db"), STR_INIT("compute")};
    for (size_t k = 0; k < ARRAY_LEN(types); k++) {
        set_by(f, i, M_TOOL_QUEUE, demo_pick(&f->rng, 3), "tool_type", types[k]);
    }
}

/* --- the collector that the fleet believes it sends to --- */

static void measure_collector(DemoFleet *f, uint32_t i, int64_t t_ns) {
    bool failing = demo_in_trouble(f, DEMO_EXPORT_FAILURE, t_ns);
    double spans = floor(around(f, 60 * STEP_S * demo_traffic(f, t_ns) / f->opts.rate, 0.1));
    double failed = failing ? floor(spans * around(f, 0.55, 0.2)) : 0;
    f->otel_queue = failing ? MIN(f->otel_queue + 40, 5000) : MAX(f->otel_queue * 0.5, 3);
    set_by(f, i, M_OTELCOL_FAILED, failed, "exporter", STR("otlp/jaeger"));
    set_by(f, i, M_OTELCOL_SENT, spans - failed, "exporter", STR("otlp/jaeger"));
    demo_metrics_record(f->metrics, i, M_OTELCOL_ACCEPTED, spans,
        DEMO_LABELS({"receiver", STR("otlp")}, {"transport", STR("http")}), NULL);
    set_by(f, i, M_OTELCOL_QUEUE, floor(f->otel_queue), "exporter", STR("otlp/jaeger"));
    set_by(f, i, M_OTELCOL_CAPACITY, 5000, "exporter", STR("otlp/jaeger"));
    set(f, i, M_JAEGER_RECEIVED, spans - failed);
    measure_process(f, i);
}

/* --- the neighbour: an incident manager with its integrations --- */

static void measure_integrations(DemoFleet *f, uint32_t i, int64_t t_ns) {
    static const Str names[DEMO_INTEGRATIONS] = {
        STR_INIT("sentinel"), STR_INIT("shield"), STR_INIT("edge-agent"), STR_INIT("governance")};
    for (size_t k = 0; k < DEMO_INTEGRATIONS; k++) {
        DemoIntegration *in = &f->integrations[k];
        uint32_t n = 1 + demo_pick(&f->rng, 3 + (uint32_t)(3 * demo_traffic(f, t_ns) / f->opts.rate));
        double latency = 0, failed = 0;
        for (uint32_t r = 0; r < n; r++) {
            double ms = demo_lognormal(&f->rng, 90 + 40 * (double)k, 0.55);
            latency += ms;
            failed += demo_chance(&f->rng, 0.006);
            set_by(f, i, M_INTEGRATION_LATENCY, ms, "integration", names[k]);
        }
        in->requests += n;
        in->failed += failed;
        in->latency_ms += latency;
        set_by(f, i, M_INTEGRATION_REQUESTS, n, "integration", names[k]);
        set_by(f, i, M_INTEGRATION_LATENCY_TOTAL, latency, "integration", names[k]);
        set_by(f, i, M_INTEGRATION_FAILED, in->failed, "integration", names[k]);
        set_by(f, i, M_INTEGRATION_SUCCESSFUL, in->requests - in->failed, "integration", names[k]);
        set_by(f, i, M_INTEGRATION_SUCCESS_RATE, 100 * (1 - in->failed / in->requests), "integration", names[k]);
        set_by(f, i, M_INTEGRATION_LATENCY_AVERAGE, in->latency_ms / in->requests, "integration", names[k]);
        set_by(f, i, M_INTEGRATION_LATENCY_P95, around(f, (90 + 40 * (double)k) * exp(1.645 * 0.55), 0.08),
            "integration", names[k]);
    }
    set(f, i, M_IM_ALERTS, demo_pick(&f->rng, 4));
    set(f, i, M_IM_QUEUE, demo_pick(&f->rng, 12));
    set(f, i, M_IM_CACHE, MIN(around(f, 0.87, 0.05), 1));
    measure_process(f, i);
    set(f, i, M_IM_MEMORY, floor(150 * MIB + f->instances[i].memory_drift));
}

/* --- pods and nodes --- */

static void measure_pod(DemoFleet *f, uint32_t kubelet, const DemoInstance *in) {
    Str container = demo_service_name(in->service);
    double memory = floor((190 + 40 * (is_app(in) ? in->service : 1)) * MIB + in->memory_drift);
#define POD_LABELS DEMO_LABELS({"container", container}, {"namespace", STR(DEMO_NAMESPACE)}, {"pod", in->pod})
    const struct {
        DemoMetricId id;
        double v;
    } values[] = {{M_CONTAINER_MEMORY, memory}, {M_CONTAINER_WORKING_SET, floor(memory * 0.9)},
        {M_CONTAINER_LIMIT, MEMORY_LIMIT}, {M_CONTAINER_CPU, in->cpu * STEP_S},
        {M_CONTAINER_THROTTLED, in->cpu > 0.5 ? 0.2 : 0},
        {M_CONTAINER_RECEIVE, floor(around(f, 90e3 * STEP_S * (0.1 + in->cpu), 0.2))},
        {M_CONTAINER_TRANSMIT, floor(around(f, 130e3 * STEP_S * (0.1 + in->cpu), 0.2))}, {M_KUBE_RESTARTS, 0}};
    for (size_t k = 0; k < ARRAY_LEN(values); k++) {
        demo_metrics_record(f->metrics, kubelet, values[k].id, values[k].v, POD_LABELS, NULL);
    }
#undef POD_LABELS
    demo_metrics_record(f->metrics, kubelet, M_KUBE_POD_PHASE, 1,
        DEMO_LABELS({"namespace", STR(DEMO_NAMESPACE)}, {"phase", STR("Running")}, {"pod", in->pod}), NULL);
}

static void measure_kubernetes(DemoFleet *f, uint32_t kubelet) {
    for (uint32_t i = 0; i < f->n_instances; i++) {
        if (f->instances[i].service < SVC_KUBELET) measure_pod(f, kubelet, &f->instances[i]);
    }
    for (int s = 0; s < SVC_KUBELET; s++) {
        demo_metrics_record(f->metrics, kubelet, M_KUBE_REPLICAS, f->count[s],
            DEMO_LABELS({"deployment", demo_service_name((DemoService)s)}, {"namespace", STR(DEMO_NAMESPACE)}), NULL);
    }
}

static void measure_node(DemoFleet *f, uint32_t i) {
    static const Str cpus[NODE_CPUS] = {STR_INIT("0"), STR_INIT("1")};
    for (size_t c = 0; c < NODE_CPUS; c++) {
        double user = around(f, 0.22, 0.25), system = around(f, 0.06, 0.3), iowait = around(f, 0.01, 0.8);
        const struct {
            Str mode;
            double share;
        } modes[] = {{STR("user"), user}, {STR("system"), system}, {STR("iowait"), iowait},
            {STR("idle"), 1 - user - system - iowait}};
        for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
            demo_metrics_record(f->metrics, i, M_NODE_CPU, modes[m].share * STEP_S,
                DEMO_LABELS({"cpu", cpus[c]}, {"mode", modes[m].mode}), NULL);
        }
    }
    set(f, i, M_NODE_MEM_TOTAL, 16384 * MIB);
    set(f, i, M_NODE_MEM_AVAILABLE, floor(around(f, 8600 * MIB, 0.02)));
}

/* --- lines that belong to no request --- */

static void log_troubles(DemoFleet *f, int64_t t_ns) {
    DemoRequest q;
    arena_reset(f->scratch);
    demo_request_begin(&q, f, f->scratch, t_ns);
    q.now_ns = t_ns;
    size_t depth = demo_fleet_queue_depth(f);
    if (depth > QUEUE_WARNING && f->steps % 4 == 0) {
        DemoAttrs *l = demo_log_machine(&q, f->first[SVC_RESPONSE_API], DEMO_WARN, "jobs",
            "queue depth %zu exceeds %d: all workers are busy", depth, QUEUE_WARNING);
        demo_attr_i64(&q, l, "queue_depth", (int64_t)depth);
        demo_attr_i64(&q, l, "workers_active", workers_active(f, 0, f->n_workers));
    }
    if (demo_in_trouble(f, DEMO_EXPORT_FAILURE, t_ns)) {
        DemoAttrs *l = demo_log_machine(&q, f->first[SVC_COLLECTOR], DEMO_ERROR, "exporterhelper",
            "Exporting failed. Dropping data: rpc error: code = Unavailable desc = connection refused by "
            "jaeger-collector:4317");
        demo_attr_lit(&q, l, "exporter", "otlp/jaeger");
        demo_attr_i64(&q, l, "queue_size", (int64_t)f->otel_queue);
    }
    for (uint32_t i = 0; i < f->n_instances && demo_in_trouble(f, DEMO_COLLECTOR_DOWN, t_ns); i++) {
        if (!is_app(&f->instances[i])) continue;
        DemoAttrs *l = demo_log_machine(
            &q, i, DEMO_ERROR, "otel.exporter", "OTLP export failed: connect ECONNREFUSED otel-collector:4318");
        demo_attr_lit(&q, l, "endpoint", "http://otel-collector:4318/v1/traces");
    }
    demo_logs_encode(f, &q);
}

void demo_infra_step(DemoFleet *f, int64_t t_ns) {
    for (uint32_t i = 0; i < f->n_instances; i++) {
        DemoService s = f->instances[i].service;
        bool down = s == SVC_COLLECTOR && demo_in_trouble(f, DEMO_COLLECTOR_DOWN, t_ns);
        set(f, i, M_UP, down ? 0 : 1);
        if (is_app(&f->instances[i])) measure_app(f, i, t_ns);
        switch (s) {
        case SVC_LLM_API: measure_llm_api(f, i, t_ns); break;
        case SVC_RESPONSE_API: measure_response_api(f, i); break;
        case SVC_MCP_TOOLS: measure_tools(f, i); break;
        case SVC_COLLECTOR: measure_collector(f, i, t_ns); break;
        case SVC_INCIDENT_MANAGER: measure_integrations(f, i, t_ns); break;
        case SVC_KUBELET: measure_kubernetes(f, i); break;
        case SVC_NODE: measure_node(f, i); break;
        case SVC_MEDIA_API:
        case SVC_TEMPLATE_API:
        case SVC_COUNT: break;
        }
    }
    log_troubles(f, t_ns);
}
