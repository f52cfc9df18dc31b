/* collector_int.h - the Collector's inside; private to room collect. */
#ifndef MEERKAT_COLLECT_COLLECTOR_INT_H
#define MEERKAT_COLLECT_COLLECTOR_INT_H

#include "collect/collect.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_json.h"

#include "sys/thread.h"

#include <stdatomic.h>

enum { TRANSPORT_HTTP, TRANSPORT_GRPC, TRANSPORT_COUNT };
enum { SIGNAL_COUNT = 3 }; /* indexed by OtlpRequest */

typedef struct ReceiverCounters {
    _Atomic uint64_t accepted, refused, failed; /* items: stored, not acceptable, not stored for our reasons */
    _Atomic uint64_t requests_ok, requests_refused, requests_failed;
} ReceiverCounters;

/* Never changed; requests under way hold what they began with. */
typedef struct MetricOptions {
    _Atomic uint32_t refs;
    Arena *arena;
    OtlpMetricOptions o;
} MetricOptions;

struct Collector {
    CollectOptions opts;
    Mutex options_lock;
    MetricOptions *metric_options; /* NULL: the defaults */
    OtlpDeltas *deltas;
    _Atomic bool ready;
    int64_t start_ns;
    ReceiverCounters counters[SIGNAL_COUNT][TRANSPORT_COUNT];
    _Atomic uint64_t errors[ERR_CODE_COUNT]; /* refused or failed requests by reason */
    struct OtlpRoute {
        Collector *c;
        OtlpRequest kind;
    } routes[SIGNAL_COUNT];
};

/* What a request came to. */
typedef struct OtlpOutcome {
    ErrCode code;
    uint64_t rejected; /* records left out; with reason */
    char reason[256];
    Buf *all; /* goes in: not NULL: metrics only, all or nothing, as Prometheus: what is wrong is in here, a line each,
               * and nothing was stored when that is about the points themselves (`translation`) */
    bool translation;
} OtlpOutcome;

/* Decodes a protobuf request and hands it to the sink; counts. Disk trouble becomes ERR_UNAVAILABLE, which senders
 * retry. */
ErrCode collector_export(
    Collector *c, OtlpRequest kind, int transport, Str proto, Arena *arena, OtlpOutcome *outcome, Err *reterr);
/* Counts a request that failed before it could be decoded. */
void collector_count_error(Collector *c, OtlpRequest kind, int transport, ErrCode code);
/* Export*ServiceResponse: empty, or with partial_success. */
void collector_put_response(Buf *out, const OtlpOutcome *outcome);

#endif
