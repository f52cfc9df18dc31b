/* otlp_json.h - spans as OTLP/JSON: the elements of resourceSpans, 64-bit integers as strings.
 *
 * Source: OpenTelemetry protocol, JSON Protobuf encoding; fields with default values are left out. */
#ifndef MEERKAT_TRACES_OTLP_JSON_H
#define MEERKAT_TRACES_OTLP_JSON_H

#include "base/json.h"
#include "model/spans_batch.h"

typedef enum OtlpJsonStyle {
    OTLP_JSON_STANDARD, /* ids in hex, enumerations as numbers: what OTLP says */
    OTLP_JSON_NAMES     /* ids in base64, enumerations by name: protobuf's own mapping to JSON, as Tempo answers */
} OtlpJsonStyle;

/* The elements of a resourceSpans array (the caller has begun it): rows grouped by resource and scope, in the order in
 * which these come up first. warnings may be NULL; else one Str list per row, added as "@jaeger@warnings". */
typedef struct OtlpWarnings {
    const Str *texts;
    const uint32_t *first; /* by row, and one more: texts of row i are [first[i], first[i + 1]) */
} OtlpWarnings;
void otlp_json_put_resource_spans(
    JsonWriter *w, OtlpJsonStyle style, const SpansBatch *batch, const OtlpWarnings *warnings);
/* One attribute as {"key", "value": {...}}; arrays and maps are read in the arena. */
void otlp_json_put_attr(JsonWriter *w, Arena *arena, const Attr *a);

/* Members as protobuf's JSON has them: left out where they are empty or 0. Times are text. */
void otlp_json_put_text(JsonWriter *w, Str key, Str text);
void otlp_json_put_count(JsonWriter *w, Str key, uint32_t n);
void otlp_json_put_time(JsonWriter *w, Str key, int64_t t_ns);

#endif
