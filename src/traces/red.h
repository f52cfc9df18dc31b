/* red.h - requests, errors and durations per service and time slot, and calls between services.
 *
 * Heads and parts keep both tables with one-minute slots and service numbers of their own; queries add them up in a
 * table with their own slots and numbers. Durations are counted in bins, eight to the octave from 1 us upwards, so
 * a quantile is at most 12.5 % off (about 3 % with the interpolation inside the bin). Private to room traces. */
#ifndef MEERKAT_TRACES_RED_H
#define MEERKAT_TRACES_RED_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"
#include "base/vec.h"

#define RED_SLOT_NS INT64_C(60000000000)
#define RED_BINS 426

typedef struct RedBin {
    uint16_t bin;
    uint32_t n;
} RedBin;

/* role 0: spans that serve (server, consumer); role 1: other root spans, for services that serve nothing. */
typedef struct RedCell {
    uint32_t service;
    int32_t slot;
    uint8_t role;
    uint64_t requests, errors;
    int64_t last_ns;  /* latest end of a span */
    VEC(RedBin) bins; /* sorted by bin */
} RedCell;

typedef struct RedTable {
    VEC(RedCell) cells;
    U64Map *index;
    size_t last; /* the cell that was added to last */
    size_t memory_bytes;
} RedTable;

void trace_red_table_init(RedTable *t);
void trace_red_table_done(RedTable *t);
/* One request. slot is the caller's number of the time slot. */
void trace_red_table_add(
    RedTable *t, uint32_t service, int32_t slot, uint8_t role, int64_t duration_ns, int64_t end_ns, bool error);
void trace_red_table_add_cell(RedTable *t, uint32_t service, int32_t slot, const RedCell *cell);
void trace_red_table_encode(const RedTable *t, Buf *out);
/* Reads the next cell into *cell, reusing its bins; false at the end (c->bad: malformed). */
ATTR_MUST bool trace_red_cell_decode(Cursor *c, RedCell *cell);
void trace_red_cell_add_bins(RedCell *to, const RedCell *from);
/* Seconds; 0 when there were no requests. q in [0, 1]. */
double trace_red_cell_quantile_s(const RedCell *cell, double q);
/* Floor division: the one-minute slot of a time. */
static inline int32_t red_slot(int64_t t_ns) {
    int64_t s = t_ns / RED_SLOT_NS;
    return (int32_t)(t_ns % RED_SLOT_NS < 0 ? s - 1 : s);
}

/* Calls from a service to another (or to itself) per slot. */
typedef struct CallCell {
    uint32_t parent, child;
    int32_t slot;
    uint64_t calls;
} CallCell;

typedef struct CallTable {
    VEC(CallCell) cells;
    U64Map *index;
} CallTable;

void trace_call_table_init(CallTable *t);
void trace_call_table_done(CallTable *t);
/* Services beyond 2^18 are not counted. */
void trace_call_table_add(CallTable *t, uint32_t parent, uint32_t child, int32_t slot, uint64_t calls);
void trace_call_table_encode(const CallTable *t, Buf *out);
ATTR_MUST bool trace_call_cell_decode(Cursor *c, CallCell *ret);

#endif
