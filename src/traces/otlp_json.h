/* otlp_json.h - spans as OTLP/JSON: TracesData with resourceSpans, ids in hex, 64-bit integers as strings.
 *
 * Source: OpenTelemetry protocol, JSON Protobuf encoding; fields with default values are left out. */
#ifndef MEERKAT_TRACES_OTLP_JSON_H
#define MEERKAT_TRACES_OTLP_JSON_H

#include "base/json.h"
#include "model/spans_batch.h"

/* The elements of a resourceSpans array (the caller has begun it): rows grouped by resource and scope, in the order in
 * which these come up first. warnings may be NULL; else one Str list per row, added as "@jaeger@warnings". */
typedef struct OtlpWarnings {
    const Str *texts;
    const uint32_t *first; /* by row, and one more: texts of row i are [first[i], first[i + 1]) */
} OtlpWarnings;
void otlp_json_put_resource_spans(JsonWriter *w, const SpansBatch *batch, const OtlpWarnings *warnings);

#endif
