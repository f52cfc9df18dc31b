/* demo.h - the simulated fleet of `meerkat demo`: its parts, and how they hand telemetry on. Private to demo*.c.
 *
 * The model runs on simulated time and one seeded generator, so a seed, a start and a scenario give the same bytes.
 * A request is played as a story: spans open, time passes, spans close, lines are logged, metrics count. Only when
 * it is over is the whole put at its place in time and encoded as OTLP. */
#ifndef MEERKAT_CMD_DEMO_H
#define MEERKAT_CMD_DEMO_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "sys/random.h"

#define DEMO_STEP_NS (15 * NS_PER_S)               /* metrics are exported every 15 s */
#define DEMO_TROUBLE_NS (INT64_C(1200) * NS_PER_S) /* a scenario begins that long before the end of the backfill */
#define DEMO_NAMESPACE "octollm-prod"
#define DEMO_INSTANCES_MAX 32

typedef enum DemoSignal { DEMO_TRACES, DEMO_LOGS, DEMO_METRICS, DEMO_SIGNALS } DemoSignal;

typedef enum DemoScenario {
    DEMO_HEALTHY,
    DEMO_LLM_LATENCY,
    DEMO_QUEUE_BACKLOG,
    DEMO_STORAGE_FAILURE,
    DEMO_COLLECTOR_DOWN,
    DEMO_EXPORT_FAILURE,
    DEMO_CLASSIFIER_ERRORS,
    DEMO_SCENARIOS
} DemoScenario;
extern const char *const demo_scenario_names[DEMO_SCENARIOS]; /* [0] is "healthy" */
bool demo_scenario_find(Str name, DemoScenario *ret);

typedef enum DemoService {
    SVC_LLM_API,
    SVC_RESPONSE_API,
    SVC_MEDIA_API,
    SVC_MCP_TOOLS,
    SVC_TEMPLATE_API,
    SVC_COLLECTOR,
    SVC_INCIDENT_MANAGER, /* metrics only, as are the two below */
    SVC_KUBELET,
    SVC_NODE,
    SVC_COUNT
} DemoService;

typedef struct DemoInstance {
    DemoService service;
    Str pod, host, address;
    Str resource; /* encoded Resource */
    double load;  /* requests since the last step, smoothed: drives CPU and memory */
    double memory_drift, cpu;
} DemoInstance;

/* --- spans and lines of one request, in its arena; times are relative until demo_request_finish --- */

typedef enum DemoAttrType { DEMO_ATTR_STR, DEMO_ATTR_I64, DEMO_ATTR_F64, DEMO_ATTR_BOOL, DEMO_ATTR_LIST } DemoAttrType;
typedef struct DemoAttr {
    Str key, s; /* LIST: an array with s as its only item */
    int64_t i64;
    double f64;
    DemoAttrType type;
} DemoAttr;
typedef AVEC(DemoAttr) DemoAttrs;

typedef struct DemoEvent {
    int64_t t_ns;
    Str name;
    DemoAttrs attrs;
} DemoEvent;

typedef struct DemoIds {
    uint8_t trace[16], span[8];
} DemoIds;

typedef struct DemoSpan {
    const struct DemoSpan *parent;
    uint8_t id[8];
    uint32_t instance;
    uint8_t kind, status; /* OTLP's numbers */
    bool linked;
    int64_t start_ns, end_ns;
    Str name, status_message;
    DemoAttrs attrs;
    AVEC(DemoEvent) events;
    DemoIds link;
} DemoSpan;

typedef enum DemoSeverity { DEMO_DEBUG = 5, DEMO_INFO = 9, DEMO_WARN = 13, DEMO_ERROR = 17 } DemoSeverity; /* OTLP's */

typedef struct DemoLog {
    int64_t t_ns;
    uint32_t instance;
    DemoSeverity severity;
    const DemoSpan *span; /* NULL: outside of any request */
    Str logger, message;
    DemoAttrs fields;
} DemoLog;

typedef struct DemoFleet DemoFleet;

typedef struct DemoRequest {
    DemoFleet *fleet;
    Arena *arena;
    uint8_t trace[16];
    AVEC(DemoSpan *) spans;
    AVEC(DemoLog *) logs;
    int64_t now_ns;  /* the story's clock, from 0 */
    int64_t wall_ns; /* roughly when it happens: for scenarios and exemplars */
} DemoRequest;

enum { KIND_INTERNAL = 1, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER };

/* demo_request.c. Strings given are borrowed for the life of the request; keys are literals. */
void demo_request_begin(DemoRequest *q, DemoFleet *f, Arena *arena, int64_t wall_ns);
void demo_request_shift(DemoRequest *q, int64_t by_ns);
ATTR_MUST DemoSpan *demo_span_open(DemoRequest *q, const DemoSpan *parent, uint32_t instance, int kind, Str name);
void demo_span_close(DemoRequest *q, DemoSpan *s);
void demo_span_link(DemoSpan *s, const DemoIds *to);
/* Status ERROR, error.type, and an exception event. */
void demo_span_fail(DemoRequest *q, DemoSpan *s, const char *type, Str message);
void demo_attr_str(DemoRequest *q, DemoAttrs *a, const char *key, Str v);
void demo_attr_lit(DemoRequest *q, DemoAttrs *a, const char *key, const char *v);
void demo_attr_i64(DemoRequest *q, DemoAttrs *a, const char *key, int64_t v);
void demo_attr_f64(DemoRequest *q, DemoAttrs *a, const char *key, double v);
void demo_attr_bool(DemoRequest *q, DemoAttrs *a, const char *key, bool v);
void demo_attr_list(DemoRequest *q, DemoAttrs *a, const char *key, Str only_item);
DemoAttrs *demo_span_event(DemoRequest *q, DemoSpan *s, Str name);
/* A line of that span's instance; gives its fields. */
DemoAttrs *demo_log_put(DemoRequest *q, const DemoSpan *s, DemoSeverity severity, const char *logger, const char *fmt,
    ...) ATTR_PRINTF(5, 6);
/* A line outside of any request. */
DemoAttrs *demo_log_machine(DemoRequest *q, uint32_t instance, DemoSeverity severity, const char *logger,
    const char *fmt, ...) ATTR_PRINTF(5, 6);
Str demo_printf(DemoRequest *q, const char *fmt, ...) ATTR_PRINTF(2, 3);
static inline void demo_pass(DemoRequest *q, double seconds) { q->now_ns += (int64_t)(seconds * 1e9); }
static inline double demo_span_seconds(const DemoSpan *s) { return (double)(s->end_ns - s->start_ns) / 1e9; }

/* --- chance --- */
double demo_lognormal(Rng *r, double median, double sigma);
static inline bool demo_chance(Rng *r, double p) { return rng_f64(r) < p; }
static inline uint32_t demo_pick(Rng *r, uint32_t n) { return (uint32_t)(rng_f64(r) * n); }
Str demo_hex_id(DemoRequest *q, const char *prefix, unsigned bytes); /* "conv_3f2a..." */

/* --- the fleet --- */

/* Receives one encoded export request (body: the receiver takes it over and frees it with buf_done). */
typedef void (*DemoEmit)(void *ctx, DemoSignal signal, unsigned lane, Buf *body, size_t records);

typedef struct DemoOptions {
    uint64_t seed;
    double rate; /* mean requests per second */
    DemoScenario scenario;
    int64_t start_ns;    /* where simulated time begins */
    int64_t backfill_ns; /* the scenario begins DEMO_TROUBLE_NS before start + backfill */
    DemoEmit emit;
    void *emit_ctx;
} DemoOptions;

typedef struct DemoTotals {
    uint64_t requests, jobs, spans, points, lines;
} DemoTotals;

#define DEMO_METRIC_LANES 2

DemoFleet *demo_fleet_create(const DemoOptions *opts);
DemoFleet *demo_fleet_free(DemoFleet *f);
/* Plays everything up to t_ns; full batches are emitted as they fill up, the rest by demo_fleet_flush. */
void demo_fleet_advance(DemoFleet *f, int64_t t_ns);
void demo_fleet_flush(DemoFleet *f);
DemoTotals demo_fleet_totals(const DemoFleet *f);
size_t demo_fleet_queue_depth(const DemoFleet *f);

#endif
