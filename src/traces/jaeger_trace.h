/* jaeger_trace.h - one trace as Jaeger's UI has it: query-time adjustments and the JSON of spans and processes.
 *
 * Rules: OpenTelemetry's mapping to Jaeger (span kind, status, scope, events, links as tags, logs, references) and the
 * adjusters of Jaeger's query service. Private to room traces. */
#ifndef MEERKAT_TRACES_JAEGER_TRACE_H
#define MEERKAT_TRACES_JAEGER_TRACE_H

#include "base/json.h"
#include "model/spans_batch.h"

/* Remarks on spans, made while a trace is adjusted. */
typedef struct SpanWarning {
    uint32_t row, place; /* in the order in which they were made */
    Str text;
} SpanWarning;

typedef struct JaegerTrace {
    SpansBatch *batch;          /* rows of one trace; adjusted in place */
    AVEC(SpanWarning) warnings; /* in batch->arena */
} JaegerTrace;

/* Server spans that share their id with a client span get an id of their own; events are sorted by name; host clocks
 * are compared (and corrected up to max_clock_skew_ns; 0: only remarked on); numeric IPs become text; telemetry.sdk
 * and telemetry.distro attributes move to the resource; links without a trace id go. false: budget used up. */
ATTR_MUST bool jaeger_trace_adjust(JaegerTrace *t, int64_t max_clock_skew_ns);
/* {"traceID", "spans", "processes", "warnings"}. */
void jaeger_trace_put_json(JsonWriter *w, JaegerTrace *t);
/* Orders the remarks by row. */
void jaeger_trace_sort_warnings(JaegerTrace *t);
/* Trace ids are written with 16 digits when the upper half is zero, else with 32. */
void jaeger_put_trace_id(Buf *out, TraceId id);
/* 1 to 32 hex digits, or (base64_too) 16 bytes as base64 in either alphabet, padded or not. The error is what Jaeger
 * says. */
ErrCode jaeger_parse_trace_id(Str text, bool base64_too, TraceId *ret, Err *reterr);

#endif
