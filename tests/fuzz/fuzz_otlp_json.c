/* fuzz_otlp_json.c - OTLP/JSON of all three kinds: what becomes protobuf must be well-formed for the decoder. The
 * first byte chooses the kind. */
#include "codec/proto.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ErrCode decode(OtlpRequest kind, Str proto, Arena *arena, OtlpDeltas *deltas, Err *err) {
    OtlpRejects rejects = {0};
    SpansBatch spans = {.arena = arena};
    MetricsBatch metrics = {.arena = arena};
    LogsBatch logs = {.arena = arena};
    switch (kind) {
    case OTLP_REQUEST_TRACES: return otlp_decode_traces(proto, &spans, &rejects, err);
    case OTLP_REQUEST_METRICS: return otlp_decode_metrics(proto, 1, NULL, deltas, &metrics, &rejects, err);
    case OTLP_REQUEST_LOGS: return otlp_decode_logs(proto, 1, &logs, &rejects, err);
    }
    UNREACHABLE();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    OtlpRequest kind = (OtlpRequest)(data[0] % 3);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    OtlpDeltas *deltas = otlp_deltas_create(16);
    Buf proto = {0};
    Err err = {0};
    ErrCode r = otlp_json_to_proto(kind, str_of((const char *)data + 1, size - 1), arena, &proto, &err);
    ASSERT(r == OK || r == ERR_INVALID || r == ERR_TOO_LARGE); /* nested too deep */
    ASSERT(r == err.code && (r == OK || (err.msg[0] != 0 && err.line > 0)));
    if (r == OK) {
        r = decode(kind, buf_str(&proto), arena, deltas, &err);
        /* The one thing the decoder may still find wrong is nesting. */
        ASSERT(r == OK || strstr(err.msg, "nested deeper"));
    }
    buf_done(&proto);
    otlp_deltas_free(deltas);
    arena_free(arena);
    return 0;
}
