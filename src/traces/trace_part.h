/* trace_part.h - spans in an immutable part: wide rows plus tables that answer most questions without reading a row.
 *
 * Rows of one trace lie together, ordered by start; traces are numbered (the rows' group) in the order of their first
 * start. The user blob holds trace ids and their order, services, operations, resources, scopes, the keys of event
 * attributes, per block the durations, operations and resources in it, and the RED and call tables. Private to room
 * traces. */
#ifndef MEERKAT_TRACES_TRACE_PART_H
#define MEERKAT_TRACES_TRACE_PART_H

#include "storage/partset.h"
#include "storage/wide.h"
#include "traces/red.h"
#include "traces/span_codec.h"

/* Names of the fields that are no attributes: \1 and a letter. Attribute keys that begin with \1 go to 'X'. */
#define FIELD(letter) STR("\x01" letter)
#define FIELD_SPAN_ID FIELD("s")
#define FIELD_PARENT FIELD("p")    /* place of the parent in the trace relative to this row */
#define FIELD_PARENT_ID FIELD("P") /* its id, when it is not in this part */
#define FIELD_DURATION FIELD("d")
#define FIELD_OP FIELD("o")
#define FIELD_RESOURCE FIELD("r")
#define FIELD_SCOPE FIELD("c")
#define FIELD_STATUS FIELD("t")
#define FIELD_FLAGS FIELD("f")
#define FIELD_DROPPED_ATTRS FIELD("a")
#define FIELD_DROPPED_EVENTS FIELD("e")
#define FIELD_DROPPED_LINKS FIELD("l")
#define FIELD_MESSAGE FIELD("m")
#define FIELD_TRACE_STATE FIELD("w")
#define FIELD_EVENTS FIELD("E")
#define FIELD_LINKS FIELD("L")
#define FIELD_REST FIELD("X") /* attributes a column cannot hold: empty values, repeated keys */

/* --- writing --- */

typedef struct TracePartBuilder TracePartBuilder;
ErrCode trace_part_builder_create(Fs *fs, const char *path, int zstd_level, TracePartBuilder **ret, Err *reterr);
/* The rows of one trace, sorted and without duplicates (span_batch_sort_dedupe). Traces come ordered by first start. */
ErrCode trace_part_builder_add(TracePartBuilder *b, const SpansBatch *batch, Err *reterr);
/* Fills rows, min_t, max_t and size_bytes of *info. */
ErrCode trace_part_builder_finish(TracePartBuilder *b, PartInfo *info, Err *reterr);
TracePartBuilder *trace_part_builder_free(TracePartBuilder *b);

/* --- reading --- */

typedef struct TracePartOp {
    uint32_t service;
    uint8_t kind;
    Str name;
} TracePartOp;
typedef struct TracePartResource {
    uint32_t service;
    Str bytes;
} TracePartResource;
typedef struct TracePartBlock {
    int64_t min_duration_ns, max_duration_ns;
    Str ops, resources; /* numbers, ascending, as uvarint differences */
    bool has_events, has_links, has_rest;
} TracePartBlock;

typedef struct TracePart {
    WidePart *wide;
    const uint8_t *trace_ids;   /* 16 bytes each, by number */
    const uint8_t *trace_order; /* u32le numbers in the order of their ids */
    uint32_t n_traces;
    Str starts; /* first starts by number: svarint deltas */
    Str *services, *scopes, *event_keys;
    uint32_t n_services, n_scopes, n_event_keys;
    TracePartOp *ops;
    uint32_t n_ops;
    TracePartResource *resources;
    uint32_t n_resources;
    TracePartBlock *blocks;
    uint32_t n_blocks;
    Str red, calls;
    int64_t min_t_ns, max_t_ns; /* starts of spans; PartInfo's max_t is when they arrived, for the retention */
    Arena *arena;               /* of the tables */
} TracePart;

ErrCode trace_part_open(Part *part, TracePart **ret, Err *reterr);
TracePart *trace_part_close(TracePart *p);
TraceId trace_part_id(const TracePart *p, uint64_t number);
/* Number of a trace; false when the part does not have it. */
bool trace_part_lookup(const TracePart *p, TraceId id, uint64_t *ret_number);
/* First blocks that may hold a trace; blocks [*ret_first, *ret_end). */
void trace_part_blocks_of(const TracePart *p, uint64_t number, size_t *ret_first, size_t *ret_end);

/* An attribute's value as a column has it; its text is the column's, an unknown type is none. */
static inline AttrValue trace_part_value(const WideValue *v) {
    static const AttrType types[8] = {[WIDE_NULL] = ATTR_EMPTY,
        [WIDE_STR] = ATTR_STR,
        [WIDE_I64] = ATTR_I64,
        [WIDE_F64] = ATTR_F64,
        [WIDE_BOOL] = ATTR_BOOL,
        [WIDE_BYTES] = ATTR_BYTES,
        [WIDE_JSON_ARRAY] = ATTR_ARRAY,
        [WIDE_JSON_MAP] = ATTR_MAP};
    AttrValue a = {.type = types[v->type & 7]};
    switch (v->type) {
    case WIDE_I64: a.i = v->i; break;
    case WIDE_F64: a.d = v->d; break;
    case WIDE_BOOL: a.b = v->b; break;
    default: a.s = v->s;
    }
    return a;
}

/* Keeps the last opened block, for readers that go through a part in order. */
typedef struct TracePartCursor {
    const TracePart *part;
    size_t block;
    Arena *arena;
    WideBlock *open;
    const uint64_t *groups;
} TracePartCursor;
void trace_part_cursor_init(TracePartCursor *c, const TracePart *p);
void trace_part_cursor_done(TracePartCursor *c);
/* All rows of one trace into the sink, in the part's order. */
ErrCode trace_part_read(TracePartCursor *c, uint64_t number, SpanSink *sink, Err *reterr);

/* Of the numbers in a block's ops or resources: is any wanted? */
bool trace_part_any_number(Str numbers, const bool *wanted, uint32_t n);

#endif
