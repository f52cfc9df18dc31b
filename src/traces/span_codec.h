/* span_codec.h - spans as bytes: the payload of a log record, which is also how the head keeps them.
 *
 * A payload is self-contained: resources, scopes, a table of strings (attribute keys, names), rows. A row refers to the
 * three tables by number. Events and links in parts use the same encoding with keys written out (no table).
 * Decoders never trust their input. Private to room traces. */
#ifndef MEERKAT_TRACES_SPAN_CODEC_H
#define MEERKAT_TRACES_SPAN_CODEC_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"
#include "model/spans_batch.h"

#define SPAN_PAYLOAD_VERSION 1
#define SPAN_ROW_ID_BYTES 24 /* a row begins with its trace id and its span id */

/* --- writing --- */

/* The whole batch as one payload. */
void span_payload_encode(Buf *out, const SpansBatch *batch);
/* Self-contained forms of the shared things; equal things have equal bytes. */
void span_resource_encode(Buf *out, const SpansBatch *batch, const Resource *r);
void span_scope_encode(Buf *out, const SpansBatch *batch, const Scope *s);
/* Events and links of one row with keys written out; event times are relative to start_ns. */
void span_events_encode(Buf *out, const SpansBatch *batch, AttrRange events, int64_t start_ns);
void span_links_encode(Buf *out, const SpansBatch *batch, AttrRange links);
void span_attr_encode(Buf *out, const Attr *attr);

/* --- reading --- */

typedef struct SpanPayload {
    Str *resources, *scopes, *strings; /* slices of the payload */
    uint32_t n_resources, n_scopes, n_strings;
    uint32_t n_rows;
    Str rows;     /* length-prefixed rows back to back */
    void *memory; /* of the three tables */
} SpanPayload;

/* Checks the whole structure, every row included. false: malformed, *ret is empty. */
ATTR_MUST bool span_payload_open(Str bytes, SpanPayload *ret);
void span_payload_done(SpanPayload *p);

/* A row's fixed part; `rest` stands at its attributes. */
typedef struct SpanRowView {
    TraceId trace_id;
    SpanId span_id, parent_id;
    int64_t start_ns, end_ns;
    uint32_t resource, scope, name;
    uint8_t kind, status;
    bool has_extra;
    Cursor rest;
} SpanRowView;
ATTR_MUST bool span_row_view(Str row, SpanRowView *ret);

/* Attributes from a cursor that stands at their count. strings == NULL: keys are written out. */
uint32_t span_attrs_begin(Cursor *c);
ATTR_MUST bool span_attr_next(Cursor *c, const Str *strings, uint32_t n_strings, Attr *ret);
/* The part of a row behind its attributes. */
typedef struct SpanExtra {
    Str status_message, trace_state;
    uint32_t flags, dropped_attributes, dropped_events, dropped_links;
} SpanExtra;
ATTR_MUST bool span_extra_read(Cursor *c, SpanExtra *ret); /* events and links follow */

/* Events: count, then for each its head and its attributes (count, then span_attr_next). Links alike. */
uint32_t span_events_begin(Cursor *c);
ATTR_MUST bool span_event_next(Cursor *c, const Str *strings, uint32_t n_strings, int64_t start_ns, SpanEvent *ret);
ATTR_MUST bool span_link_next(Cursor *c, SpanLink *ret);

/* What a scope or resource says, without decoding its attributes. */
ATTR_MUST bool span_scope_head(Str bytes, Str *ret_name, Str *ret_version, Cursor *ret_attrs);
ATTR_MUST bool span_resource_head(Str bytes, Cursor *ret_attrs);
/* service.name of an encoded resource as spans_batch_service has it. */
Str span_resource_service(Str bytes);

/* --- decoding into a batch --- */

/* Collects rows from heads and parts in one batch; everything is copied into the batch's arena. */
typedef struct SpanSink {
    SpansBatch *batch;
    Map *resources, *scopes; /* encoded bytes -> index */
} SpanSink;
void span_sink_init(SpanSink *sink, SpansBatch *batch);
void span_sink_done(SpanSink *sink);
/* Index of a resource or scope in the batch. false: malformed, or the arena's budget is used up. */
ATTR_MUST bool span_sink_resource(SpanSink *sink, Str bytes, uint32_t *ret);
ATTR_MUST bool span_sink_scope(SpanSink *sink, Str bytes, uint32_t *ret);
/* Appends one row of a payload. */
ATTR_MUST bool span_sink_row(SpanSink *sink, const SpanPayload *p, Str row);
/* Appends events or links written without a table. */
ATTR_MUST bool span_sink_events(SpanSink *sink, Str bytes, int64_t start_ns, AttrRange *ret);
ATTR_MUST bool span_sink_links(SpanSink *sink, Str bytes, AttrRange *ret);

/* --- canonical form --- */

/* A sink sorts attributes by key, so that the same span looks the same wherever it was stored. Attribute order carries
 * no meaning (OpenTelemetry, common attributes). For attributes that came into the batch on another way: */
void span_sink_sort_attrs(SpansBatch *batch, AttrRange range);
/* Same content; both rows came through sinks. */
bool span_rows_equal(const SpansBatch *a, const SpanRow *x, const SpansBatch *b, const SpanRow *y);
/* Sorts rows by start, then span id, and drops rows that are equal to another. Returns how many were dropped. */
size_t span_batch_sort_dedupe(SpansBatch *batch);

#endif
