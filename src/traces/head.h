/* head.h - the spans that are not in parts yet: payloads as they were logged, with an index over them.
 *
 * One writer applies payloads, holding the store's head lock; readers take the lock for the moments in which they look
 * up a trace or note how far the spans go. Everything a reader touches afterwards (spans, chunks) never moves and never
 * changes, so the writer does not wait for queries. A frozen head is only read. Private to room traces. */
#ifndef MEERKAT_TRACES_HEAD_H
#define MEERKAT_TRACES_HEAD_H

#include "storage/wal.h"
#include "traces/red.h"
#include "traces/span_codec.h"

#include <stdatomic.h>

#define HEAD_SEGMENT_SPANS 8192u
#define HEAD_SEGMENTS_MAX 2048u
#define HEAD_NONE UINT32_MAX

/* One payload. The tables map its numbers to the head's. */
typedef struct HeadChunk {
    char *bytes;
    size_t n_bytes;
    SpanPayload payload;
    uint32_t *resources, *scopes;
    uint32_t *names; /* + 1; 0: not looked up yet */
    struct HeadChunk *next;
} HeadChunk;

typedef struct HeadSpan {
    int64_t start_ns, end_ns;
    const HeadChunk *chunk;
    Str row;
    uint32_t trace, op;
    uint32_t prev_in_trace; /* the trace's span before this one, or HEAD_NONE */
    uint32_t prev_same;     /* the span before this one with the same key in span_index */
} HeadSpan;

typedef struct HeadTrace {
    TraceId id;
    uint32_t last, n;        /* newest span; how many */
    uint32_t deleted_before; /* spans below this number were deleted */
    uint32_t next_same;      /* the next trace with the same key in trace_index */
    int64_t min_start_ns;
} HeadTrace;

typedef struct HeadResource {
    Str bytes;
    uint32_t service;
} HeadResource;
typedef struct HeadOp {
    uint32_t service, name;
    uint8_t kind;
} HeadOp;

typedef struct Head {
    atomic_uint refs;
    HeadChunk *chunks;
    Map *resource_index, *scope_index, *service_index, *name_index;
    VEC(HeadResource) resources;
    VEC(Str) scopes;
    VEC(Str) services;
    VEC(Str) names;
    VEC(HeadOp) ops;
    U64Map *op_index, *trace_index, *span_index;
    VEC(HeadTrace) traces;
    HeadSpan *segments[HEAD_SEGMENTS_MAX];
    uint32_t n_spans;
    RedTable red;
    size_t bytes; /* memory, near enough */
    int64_t min_t_ns, max_t_ns;
    int64_t created_mono_ns;
    bool has_deletions;
    WalPos wal_end; /* where the log continues behind this head; set when it is frozen */
} Head;

ATTR_MUST Head *trace_head_create(void);
Head *trace_head_ref(Head *h);
Head *trace_head_unref(Head *h); /* frees the last; returns NULL */

/* Takes *payload over (it is empty afterwards). NULL: malformed. */
ATTR_MUST HeadChunk *trace_head_chunk_create(Buf *payload);
HeadChunk *trace_head_chunk_free(HeadChunk *c);

static inline const HeadSpan *head_span(const Head *h, uint32_t i) {
    return &h->segments[i / HEAD_SEGMENT_SPANS][i % HEAD_SEGMENT_SPANS];
}
/* Whether a payload of that many rows still fits. */
bool trace_head_has_room(const Head *h, uint32_t n_rows);
/* Adds the spans of a payload and owns it from now on. Gives the number of spans that were there already. */
uint32_t trace_head_apply(Head *h, HeadChunk *chunk);
/* NULL when the head has no such trace. */
HeadTrace *trace_head_trace(const Head *h, TraceId id);
void trace_head_delete_trace(Head *h, TraceId id);
/* Decodes the spans from `last` back to deleted_before into the sink; no lock needed. false: budget used up. */
ATTR_MUST bool trace_head_read_chain(const Head *h, uint32_t last, uint32_t deleted_before, SpanSink *sink);
/* Calls between services among the first n_spans spans, over [start, end]; no lock needed. service_of: the head's
 * service number of each of its resources, copied under the lock. */
void trace_head_calls(
    const Head *h, const uint32_t *service_of, uint32_t n_spans, int64_t start_ns, int64_t end_ns, CallTable *ret);

#endif
