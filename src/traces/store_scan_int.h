/* store_scan_int.h - private: a scan over the embedded store. store_scan.c plans and shares the work out,
 * store_scan_cond.c tells which rows of a block meet the conditions, store_scan_rows.c makes batches of them,
 * store_scan_block.c and store_scan_head.c go through blocks and heads, store_scan_whole.c collects traces that lie in
 * several places. */
#ifndef MEERKAT_TRACES_STORE_SCAN_INT_H
#define MEERKAT_TRACES_STORE_SCAN_INT_H

#include "traces/store_int.h"

/* What a condition comes to in a part's or a head's tables. */
typedef struct ScanTable {
    bool *resources; /* by number: RESOURCE, ANY; NULL else */
    bool *ops;       /* by number: NAME, KIND (parts only) */
} ScanTable;

typedef struct ScanPart {
    const TracePart *part;
    uint64_t id, block_bytes;
    ScanTable *tables; /* by condition */
} ScanPart;

typedef struct ScanHeadTrace {
    TraceId id;
    uint32_t last, deleted_before;
} ScanHeadTrace;
typedef struct ScanHead {
    Head *head; /* a reference */
    bool active;
    ScanHeadTrace *traces; /* as they were when the scan began */
    uint32_t n_traces;
    HeadResource *resources;
    uint32_t n_resources, n_scopes;
    int64_t min_t_ns, max_t_ns;
    ScanTable *tables;
} ScanHead;

/* A block, or some traces of a head. */
typedef struct ScanItem {
    int64_t max_t_ns;
    uint32_t place;    /* part, or n_parts + head */
    uint32_t from, to; /* block; or traces of the head */
} ScanItem;

typedef struct Scan {
    TraceEngine *engine;
    const TraceScan *req;
    int64_t start_ns, last_ns; /* both included */
    TraceDeletions deletions;
    PartSnapshot snap;
    ScanPart *parts;
    uint32_t n_parts;
    ScanHead heads[HEADS_MAX];
    uint32_t n_heads;
    const TraceCond *conds[64]; /* of all clauses, one after the other */
    size_t n_conds;
    uint8_t all; /* a bit for each clause */
    VEC(ScanItem) items;
    atomic_size_t next;
    atomic_bool stop;
    Arena *tables;

    Mutex lock; /* what follows */
    Map *seen;  /* traces that lie in several places and were handed out */
    ErrCode code;
    Err err;
    TraceScanStats stats;
} Scan;

/* A batch being filled from one block or head; resources and scopes stay while rows come and go. */
typedef struct ScanBatch {
    SpansBatch b;
    Arena *arena;
    uint32_t *resource_at, *scope_at; /* number of the part or head -> the batch's, UINT32_MAX: not there yet */
    size_t base_attrs;
} ScanBatch;

#define SCAN_CURSORS 4
typedef struct ScanCursor {
    TracePartCursor c;
    uint64_t used;
} ScanCursor;

typedef struct ScanWorker {
    Scan *scan;
    unsigned number;
    Arena *block_arena, *batch_arena, *trace_arena, *scratch;
    ScanBatch batch;
    uint8_t *mask, *rest, *keep; /* by row of a block */
    ScanCursor cursors[SCAN_CURSORS];
    uint64_t ticks;
    TraceScanStats stats;
    Err *err;
} ScanWorker;

/* --- conditions --- */
ErrCode scan_plan_part(Scan *s, const TracePart *p, ScanPart *ret, Err *reterr);
ErrCode scan_plan_head(Scan *s, ScanHead *h, Err *reterr);
/* Whether the block's tables and filters leave it in the race. */
bool scan_block_may_match(const Scan *s, const ScanPart *p, size_t block);
/* w->mask: for each row the clauses it meets. in_window: only rows that start in the window are of interest. */
ErrCode scan_block_masks(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, bool in_window);
/* The clauses a span of a head meets. */
uint8_t scan_head_mask(const Scan *s, const ScanHead *h, const HeadSpan *span);

/* --- rows --- */
typedef struct ScanColumns ScanColumns; /* of one block */
ErrCode scan_columns_open(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, ScanColumns **ret);
ErrCode scan_batch_begin(ScanWorker *w, uint32_t n_resources, uint32_t n_scopes);
void scan_batch_clear(ScanBatch *b); /* rows go, resources stay */
/* Rows of the block for which keep is not 0, of [from, to). */
ErrCode scan_put_rows(ScanWorker *w, const ScanColumns *c, const uint8_t *keep, uint32_t from, uint32_t to);
ErrCode scan_put_head_row(ScanWorker *w, const ScanHead *h, const HeadSpan *span);
ErrCode scan_prepare_head_row(ScanWorker *w, const ScanHead *h, const HeadSpan *span); /* before rows are put */

/* --- traces in several places --- */
/* Whether the trace lies elsewhere, too; place: part, or n_parts + head. */
bool scan_is_elsewhere(const Scan *s, TraceId id, uint32_t place);
/* Spans are asked for and the trace is so large that they are handed out where they lie, as if it lay nowhere else: one
 * that came twice counts twice. The same answer for every place. */
bool scan_is_huge(const Scan *s, TraceId id);
/* Hands the whole trace out unless that was done; spans: only those that start in the window. */
ErrCode scan_hand_out_collected(ScanWorker *w, TraceId id);

/* --- walks --- */
ErrCode scan_walk_block(ScanWorker *w, const ScanItem *item);
ErrCode scan_walk_head(ScanWorker *w, const ScanItem *item);
ErrCode scan_hand_out(ScanWorker *w, SpansBatch *b);
/* OK: go on. ERR_CANCELLED, ERR_TIMEOUT. Cheap enough to be asked for every trace. */
ErrCode scan_poll(ScanWorker *w);
static inline bool scan_in_window(const Scan *s, int64_t t_ns) { return t_ns >= s->start_ns && t_ns <= s->last_ns; }
ErrCode scan_no_memory(ScanWorker *w);

#endif
