/* find.h - the search for traces over heads and parts, newest first, stopping early. Private to room traces. */
#ifndef MEERKAT_TRACES_FIND_H
#define MEERKAT_TRACES_FIND_H

#include "traces/head.h"
#include "traces/tag_match.h"
#include "traces/trace_part.h"

/* The newest traces seen so far. */
typedef struct TopHit {
    TraceId id;
    int64_t start_ns;
} TopHit;
typedef struct TopTraces {
    VEC(TopHit) hits;
    size_t sorted;       /* hits before this are compacted */
    uint32_t limit;      /* 0: none */
    int64_t at_least_ns; /* an older hit cannot get in any more */
} TopTraces;
void trace_top_add(TopTraces *t, TraceId id, int64_t start_ns);
/* One hit per trace, newest first, at most limit. */
void trace_top_compact(TopTraces *t);

/* Deleted traces: parts up to part_id_max do not show them. */
typedef struct TraceDeletion {
    TraceId id;
    uint64_t part_id_max;
} TraceDeletion;
typedef struct TraceDeletions {
    const TraceDeletion *v;
    size_t n;
} TraceDeletions;
bool trace_is_deleted(TraceDeletions d, TraceId id, uint64_t part_id);

typedef struct FindQuery {
    const TraceFind *req;
    TagQuery *tags; /* req->n_tags */
    TopTraces top;
    TraceDeletions deletions;
    uint64_t corrupt_blocks; /* left out */
} FindQuery;
void trace_find_query_init(FindQuery *q, const TraceFind *req);
void trace_find_query_done(FindQuery *q);

/* What a head's readers need from behind the lock. */
typedef struct HeadView {
    Head *head; /* a reference */
    uint32_t n_spans;
    int64_t min_t_ns, max_t_ns;
    bool *ops; /* matching operations */
    bool any_op;
    bool *resource_tags; /* [tag * n_resources + resource] */
    bool *scope_tags;
    uint32_t n_resources, n_scopes;
    uint32_t *deleted_before; /* by trace; NULL: no deletions */
} HeadView;
/* Under the head lock. */
void trace_head_view_init(HeadView *v, Head *h, FindQuery *q);
void trace_head_view_done(HeadView *v);
/* Without it. */
ErrCode trace_head_find(const HeadView *v, FindQuery *q, Err *reterr);

/* All parts of a snapshot, newest block first. */
ErrCode trace_parts_find(const PartSnapshot *parts, FindQuery *q, Err *reterr);

#endif
