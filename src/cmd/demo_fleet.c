/* demo_fleet.c - the instances, the flow of simulated time, and what goes out when. */
#include "base/hash.h"
#include "cmd/demo_int.h"
#include "codec/proto.h"

#include <math.h>

#define RUSH_FACTOR 1.6 /* while the queue backs up */
#define RUSH_LEAST 1.2  /* requests per second that the workers cannot keep up with */

typedef struct ServiceInfo {
    Str name;
    const char *version, *pod_hash;
    uint32_t replicas;
} ServiceInfo;

static const ServiceInfo services[SVC_COUNT] = {
    [SVC_LLM_API] = {STR_INIT("llm-api"), "1.42.0", "7d9f8b6c54", 3},
    [SVC_RESPONSE_API] = {STR_INIT("response-api"), "2.8.3", "5c6b7d8f9b", 2},
    [SVC_MEDIA_API] = {STR_INIT("media-api"), "0.19.1", "6f5d4c7b88", 2},
    [SVC_MCP_TOOLS] = {STR_INIT("mcp-tools"), "0.9.4", "84d7c9bf6d", 2},
    [SVC_TEMPLATE_API] = {STR_INIT("template-api"), "1.4.0", "59f7c4d6c7", 2},
    [SVC_COLLECTOR] = {STR_INIT("otel-collector"), "0.139.0", "66b8d7f5c9", 1},
    [SVC_INCIDENT_MANAGER] = {STR_INIT("llm-incident-manager"), "3.1.0", "7b4c6d9f5f", 1},
    [SVC_KUBELET] = {STR_INIT("kubelet"), "1.31.4", "", 1},
    [SVC_NODE] = {STR_INIT("node-exporter"), "1.9.0", "", DEMO_NODES},
};

const char *const demo_scenario_names[DEMO_SCENARIOS] = {"healthy", "llm-latency", "queue-backlog", "storage-failure",
    "collector-down", "export-failure", "classifier-errors"};

bool demo_scenario_find(Str name, DemoScenario *ret) {
    for (size_t i = 0; i < DEMO_SCENARIOS; i++) {
        if (!str_eq(str_cstr(demo_scenario_names[i]), name)) continue;
        *ret = (DemoScenario)i;
        return true;
    }
    return false;
}

Str demo_service_name(DemoService s) { return services[s].name; }

bool demo_in_trouble(const DemoFleet *f, DemoScenario s, int64_t t_ns) {
    return f->opts.scenario == s && t_ns >= f->trouble_ns;
}

uint32_t demo_instance_of(DemoFleet *f, DemoService s) { return f->first[s] + demo_pick(&f->rng, f->count[s]); }

/* Busiest at 15:00, quietest at 3:00 UTC. */
double demo_traffic(const DemoFleet *f, int64_t t_ns) {
    double hour = (double)(t_ns / NS_PER_S % 86400) / 3600.0;
    double rate = f->opts.rate * (1 + 0.35 * sin((hour - 9) / 24 * 6.283185307179586));
    return demo_in_trouble(f, DEMO_QUEUE_BACKLOG, t_ns) ? MAX(rate * RUSH_FACTOR, RUSH_LEAST) : rate;
}

/* --- instances --- */

static Str arena_text(DemoFleet *f, Str s) {
    Str copy = arena_copy(f->arena, s);
    ASSERT(copy.p);
    return copy;
}

static Str encode_resource(DemoFleet *f, const DemoInstance *in, const ServiceInfo *info) {
    Buf b = {0};
    bool pod = info->pod_hash[0] != 0;
    demo_put_str_attr(&b, 1, STR("service.name"), info->name);
    demo_put_str_attr(&b, 1, STR("service.version"), str_cstr(info->version));
    demo_put_str_attr(&b, 1, STR("service.instance.id"), in->pod);
    demo_put_str_attr(&b, 1, STR("deployment.environment"), STR("production"));
    demo_put_str_attr(&b, 1, STR("deployment.environment.name"), STR("production"));
    demo_put_str_attr(&b, 1, STR("host.name"), in->host);
    if (pod) {
        demo_put_str_attr(&b, 1, STR("k8s.namespace.name"), STR(DEMO_NAMESPACE));
        demo_put_str_attr(&b, 1, STR("k8s.deployment.name"), info->name);
        demo_put_str_attr(&b, 1, STR("k8s.pod.name"), in->pod);
        demo_put_str_attr(&b, 1, STR("k8s.container.name"), info->name);
        demo_put_str_attr(&b, 1, STR("telemetry.sdk.name"), STR("opentelemetry"));
        demo_put_str_attr(&b, 1, STR("telemetry.sdk.language"), STR("nodejs"));
    }
    Str r = arena_text(f, buf_str(&b));
    buf_done(&b);
    return r;
}

/* As Kubernetes ends the names of pods. */
static void random_tail(DemoFleet *f, char out[6]) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    for (size_t i = 0; i < 5; i++) out[i] = alphabet[demo_pick(&f->rng, sizeof alphabet - 1)];
    out[5] = 0;
}

static void name_nodes(DemoFleet *f) {
    char tail[6];
    for (uint32_t i = 0; i < DEMO_NODES; i++) {
        random_tail(f, tail);
        f->nodes[i] = arena_printf(f->arena, "node-%c-%s.octollm.internal", 'a' + (char)i, tail);
        ASSERT(f->nodes[i].p);
    }
}

static void add_instance(DemoFleet *f, DemoService s, uint32_t replica) {
    const ServiceInfo *info = &services[s];
    ASSERT(f->n_instances < DEMO_INSTANCES_MAX);
    DemoInstance *in = &f->instances[f->n_instances++];
    char tail[6];
    random_tail(f, tail);
    in->service = s;
    in->host = f->nodes[replica % DEMO_NODES];
    in->pod = info->pod_hash[0]
                  ? arena_printf(f->arena, "%" STR_FMT "-%s-%s", STR_ARG(info->name), info->pod_hash, tail)
                  : in->host;
    ASSERT(in->pod.p);
    in->resource = encode_resource(f, in, info);
}

static void add_instances(DemoFleet *f) {
    for (int s = 0; s < SVC_COUNT; s++) {
        f->first[s] = f->n_instances;
        f->count[s] = services[s].replicas;
        for (uint32_t i = 0; i < services[s].replicas; i++) add_instance(f, (DemoService)s, i);
    }
    f->workers_per_pod = MAX((uint32_t)DEMO_WORKERS_PER_POD, (uint32_t)(f->opts.rate * 1.5));
    f->n_workers = f->count[SVC_RESPONSE_API] * f->workers_per_pod;
    f->workers = mem_alloc_zero(f->n_workers * sizeof *f->workers);
    for (uint32_t i = 0; i < f->n_workers; i++) f->workers[i].arena = arena_create(ARENA_UNLIMITED);
}

/* --- time --- */

static void schedule_arrival(DemoFleet *f, int64_t t_ns) {
    double gap_s = -log(1.0 - rng_f64(&f->rng)) / demo_traffic(f, t_ns);
    f->next_arrival_ns = t_ns + 1 + (int64_t)(MIN(gap_s, 3600.0) * 1e9);
}

static void tick(DemoFleet *f, int64_t t_ns) {
    for (uint32_t i = 0; i < f->n_workers; i++) {
        DemoWorker *w = &f->workers[i];
        if (w->busy_until_ns > t_ns) continue;
        if (w->busy_until_ns > 0) demo_fleet_take(f, &w->request);
        w->busy_until_ns = 0;
        if (f->jobs_head == f->jobs.n) continue;
        DemoJob job = f->jobs.v[f->jobs_head++];
        demo_play_job(f, w, f->first[SVC_RESPONSE_API] + i / f->workers_per_pod, &job, t_ns);
    }
    if (f->jobs_head > 0 &&
        (f->jobs_head == f->jobs.n || f->jobs_head >= DEMO_QUEUE_MAX)) { /* drop what is done with */
        memmove(f->jobs.v, f->jobs.v + f->jobs_head, (f->jobs.n - f->jobs_head) * sizeof *f->jobs.v);
        f->jobs.n -= f->jobs_head;
        f->jobs_head = 0;
    }
}

static void emit_points(DemoFleet *f, unsigned lane) {
    if (f->n_points[lane] == 0) return;
    f->opts.emit(f->opts.emit_ctx, DEMO_METRICS, lane, &f->points[lane], f->n_points[lane]);
    f->points[lane] = (Buf){0};
    f->n_points[lane] = 0;
}

/* All points of an instance go out in one lane, so that a series' points stay in order. */
static void step(DemoFleet *f, int64_t t_ns) {
    demo_infra_step(f, t_ns);
    bool only_up = demo_in_trouble(f, DEMO_COLLECTOR_DOWN, t_ns);
    for (uint32_t i = 0; i < f->n_instances; i++) {
        unsigned lane = i % DEMO_METRIC_LANES;
        size_t n = demo_metrics_encode(f->metrics, i, f->instances[i].resource, t_ns, only_up, &f->points[lane]);
        f->n_points[lane] += n;
        f->totals.points += n;
    }
    for (unsigned lane = 0; lane < DEMO_METRIC_LANES; lane++) {
        if (f->n_points[lane] >= DEMO_BATCH_POINTS) emit_points(f, lane);
    }
    f->steps++;
}

void demo_fleet_advance(DemoFleet *f, int64_t t_ns) {
    for (;;) {
        int64_t next = MIN(f->next_arrival_ns, MIN(f->next_tick_ns, f->next_step_ns));
        if (next > t_ns) break;
        if (next == f->next_arrival_ns) {
            demo_play_request(f, next);
            schedule_arrival(f, next);
        } else if (next == f->next_tick_ns) {
            tick(f, next);
            f->next_tick_ns += DEMO_TICK_NS;
        } else {
            step(f, next);
            f->next_step_ns += DEMO_STEP_NS;
        }
    }
}

/* While the collector is down no spans get out; lines do, for they take another way (files on the nodes). */
void demo_fleet_take(DemoFleet *f, const DemoRequest *q) {
    if (!demo_in_trouble(f, DEMO_COLLECTOR_DOWN, q->now_ns)) demo_spans_encode(f, q);
    demo_logs_encode(f, q);
}

void demo_fleet_flush(DemoFleet *f) {
    demo_batch_emit(f, &f->spans, DEMO_TRACES);
    demo_batch_emit(f, &f->lines, DEMO_LOGS);
    for (unsigned lane = 0; lane < DEMO_METRIC_LANES; lane++) emit_points(f, lane);
}

DemoFleet *demo_fleet_create(const DemoOptions *opts) {
    ASSERT(opts->emit && opts->rate > 0 && opts->start_ns > 0 && opts->backfill_ns >= 0);
    DemoFleet *f = NEW(DemoFleet);
    f->opts = *opts;
    f->arena = arena_create(ARENA_UNLIMITED);
    f->scratch = arena_create(ARENA_UNLIMITED);
    f->metrics = demo_metrics_create(opts->start_ns);
    /* The start counts too: a second run on the same server is another roll-out, not the same traces at other times. */
    rng_seed(&f->rng, hash_u64(opts->seed) ^ (uint64_t)opts->start_ns);
    name_nodes(f);
    add_instances(f);
    f->trouble_ns = opts->start_ns + MAX(opts->backfill_ns - DEMO_TROUBLE_NS, 0);
    f->next_tick_ns = opts->start_ns + DEMO_TICK_NS;
    f->next_step_ns = (opts->start_ns / DEMO_STEP_NS + 1) * DEMO_STEP_NS;
    schedule_arrival(f, opts->start_ns);
    demo_llm_declare(f);
    demo_tools_declare(f);
    demo_stories_declare(f);
    return f;
}

DemoFleet *demo_fleet_free(DemoFleet *f) {
    if (!f) return NULL;
    for (uint32_t i = 0; i < f->n_workers; i++) arena_free(f->workers[i].arena);
    mem_free(f->workers);
    for (size_t i = 0; i < DEMO_INSTANCES_MAX; i++) {
        buf_done(&f->spans.part[i]);
        buf_done(&f->lines.part[i]);
    }
    for (unsigned lane = 0; lane < DEMO_METRIC_LANES; lane++) buf_done(&f->points[lane]);
    demo_metrics_free(f->metrics);
    vec_done(&f->jobs);
    arena_free(f->scratch);
    arena_free(f->arena);
    mem_free(f);
    return NULL;
}

DemoTotals demo_fleet_totals(const DemoFleet *f) { return f->totals; }

size_t demo_fleet_queue_depth(const DemoFleet *f) { return f->jobs.n - f->jobs_head; }
