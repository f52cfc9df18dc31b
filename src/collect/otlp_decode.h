/* otlp_decode.h - OTLP requests (protobuf and JSON) straight into model batches: one pass, no tree.
 *
 * A batch's arena must outlive it; strings are slices of the request, so the request must, too. Malformed input is
 * ERR_INVALID, too deep or too large is ERR_TOO_LARGE. Invalid records inside a well-formed request are counted
 * in OtlpRejects and the rest is taken (partial success). Source: opentelemetry-proto v1.11, OTLP specification. */
#ifndef MEERKAT_COLLECT_OTLP_DECODE_H
#define MEERKAT_COLLECT_OTLP_DECODE_H

#include "base/err.h"
#include "model/logs_batch.h"
#include "model/metrics_batch.h"
#include "model/spans_batch.h"

typedef struct OtlpRejects {
    uint64_t count;       /* spans, data points or log records that were refused */
    char message[256];    /* the first reason */
} OtlpRejects;

ErrCode otlp_proto_decode_traces(Str body, SpansBatch *batch, OtlpRejects *rejects, Err *reterr);
ErrCode otlp_json_decode_traces(Str body, SpansBatch *batch, OtlpRejects *rejects, Err *reterr);

/* Log records in OTLP's own shape; otlp_logs_to_batch maps them to streams as Loki does. */
typedef struct OtlpLogRecord {
    int64_t t_ns, observed_ns;
    int32_t severity_number;
    Str severity_text, event_name;
    AttrValue body;
    AttrRange attrs;
    uint32_t resource, scope, flags, dropped_attributes;
    TraceId trace_id;
    SpanId span_id;
} OtlpLogRecord;

typedef struct OtlpLogs {
    Arena *arena;
    AVEC(OtlpLogRecord) rows;
    AVEC(Attr) attrs;
    AVEC(Resource) resources;
    AVEC(Scope) scopes;
} OtlpLogs;

ErrCode otlp_proto_decode_logs(Str body, OtlpLogs *ret, OtlpRejects *rejects, Err *reterr);
ErrCode otlp_json_decode_logs(Str body, OtlpLogs *ret, OtlpRejects *rejects, Err *reterr);
/* Loki's OTLP mapping: which resource attributes become stream labels, the rest structured metadata. */
ErrCode otlp_logs_to_batch(const OtlpLogs *logs, int64_t now_ns, LogsBatch *batch, Err *reterr);

/* Data points in OTLP's own shape; otlp_metrics_to_batch maps them to series as Prometheus does. */
typedef enum OtlpMetricKind { OTLP_GAUGE, OTLP_SUM, OTLP_HISTOGRAM, OTLP_EXP_HISTOGRAM, OTLP_SUMMARY } OtlpMetricKind;
typedef struct OtlpMetrics OtlpMetrics; /* otlp_metrics.h */

#endif
