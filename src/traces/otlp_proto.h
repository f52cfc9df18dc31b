/* otlp_proto.h - spans as OTLP's protobuf bytes.
 *
 * Source: opentelemetry/proto/trace/v1 of the OpenTelemetry protocol; fields with default values are left out. */
#ifndef MEERKAT_TRACES_OTLP_PROTO_H
#define MEERKAT_TRACES_OTLP_PROTO_H

#include "model/spans_batch.h"

/* TracesData: ResourceSpans as field 1, repeated; rows grouped by resource and scope, in the order in which these come
 * up first. */
void otlp_proto_put_traces(Buf *out, const SpansBatch *batch);

#endif
