/* spans_batch.h - spans as columns: what OTLP, Zipkin and Jaeger hand to a trace store, and what it answers. */
#ifndef MEERKAT_MODEL_SPANS_BATCH_H
#define MEERKAT_MODEL_SPANS_BATCH_H

#include "base/vec.h"
#include "model/attrs.h"

typedef struct TraceId {
    uint8_t b[16];
} TraceId;
typedef struct SpanId {
    uint8_t b[8];
} SpanId;
static inline bool trace_id_eq(TraceId a, TraceId b) { return memcmp(a.b, b.b, 16) == 0; }
static inline bool trace_id_is_zero(TraceId a) {
    static const TraceId z;
    return memcmp(a.b, z.b, 16) == 0;
}
static inline bool span_id_eq(SpanId a, SpanId b) { return memcmp(a.b, b.b, 8) == 0; }
static inline bool span_id_is_zero(SpanId a) {
    static const SpanId z;
    return memcmp(a.b, z.b, 8) == 0;
}

typedef enum SpanKind {
    SPAN_UNSPECIFIED,
    SPAN_INTERNAL,
    SPAN_SERVER,
    SPAN_CLIENT,
    SPAN_PRODUCER,
    SPAN_CONSUMER
} SpanKind; /* OTLP's numbers */
typedef enum SpanStatus { SPAN_STATUS_UNSET, SPAN_STATUS_OK, SPAN_STATUS_ERROR } SpanStatus;

typedef struct SpanEvent {
    int64_t t_ns;
    Str name;
    AttrRange attrs;
    uint32_t dropped_attributes;
} SpanEvent;
typedef struct SpanLink {
    TraceId trace_id;
    SpanId span_id;
    Str trace_state;
    AttrRange attrs;
    uint32_t flags, dropped_attributes;
} SpanLink;

typedef struct SpanRow {
    TraceId trace_id;
    SpanId span_id, parent_id;
    int64_t start_ns, end_ns;
    Str name, status_message, trace_state;
    AttrRange attrs, events, links; /* events, links: into their pools */
    uint32_t resource, scope;       /* into resources, scopes */
    uint32_t flags, dropped_attributes, dropped_events, dropped_links;
    uint8_t kind, status;
} SpanRow;

typedef struct SpansBatch {
    Arena *arena;
    AVEC(SpanRow) rows;
    AttrPool attrs;
    AVEC(SpanEvent) events;
    AVEC(SpanLink) links;
    ResourcePool resources;
    ScopePool scopes;
} SpansBatch;

/* service.name of a row's resource; "unknown_service" when it has none (OpenTelemetry's default). */
Str spans_batch_service(const SpansBatch *b, const SpanRow *row);
const char *span_kind_name(SpanKind k); /* "server", ...; unspecified is "unspecified" */
/* Appends a deep copy of row i of src (with its resource, scope, attributes, events, links) to dst; false on
 * exhaustion. */
bool spans_batch_append_row(SpansBatch *dst, const SpansBatch *src, size_t i);

#endif
