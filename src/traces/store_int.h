/* store_int.h - the embedded trace store: a log, heads in memory, parts on disk, and who does what when.
 *
 * Submitters encode; the log's writer thread applies to the active head and freezes it when it is full or old; the
 * flush thread turns frozen heads into parts; the merge thread joins parts. Locks, in the order in which they are
 * taken: merge_lock, flush_lock, head_lock. head_lock is held for moments only. Private to room traces. */
#ifndef MEERKAT_TRACES_STORE_INT_H
#define MEERKAT_TRACES_STORE_INT_H

#include "storage/commit.h"
#include "storage/partset.h"
#include "sys/thread.h"
#include "traces/find.h"
#include "traces/trace_store.h"

#define FROZEN_MAX 3u
#define HEADS_MAX (FROZEN_MAX + 1)
#define PARTITION_NS INT64_C(3600000000000)
#define WAL_SPANS 1
#define WAL_DELETE 2 /* a trace id */

typedef struct TraceEngine {
    TraceStore base;
    Fs *fs;
    char dir[FS_PATH_MAX];
    TraceStoreOptions opts;
    PartSet *parts;
    Wal *wal;
    CommitQueue *commits;
    Thread *flusher, *merger;

    Mutex head_lock; /* the list of heads, the active one's indexes, deletions */
    Head *active;
    Head *frozen[FROZEN_MAX]; /* oldest first */
    size_t n_frozen;
    VEC(TraceDeletion) deletions;
    bool deletions_dirty; /* not in their file yet; under flush_lock */

    Mutex flush_lock, merge_lock;
    Mutex wake_lock;
    Cond wake; /* both threads wait here */
    atomic_bool stopping;

    atomic_size_t active_bytes;
    _Atomic int flush_error; /* ErrCode of the last flush */
    atomic_uint_fast64_t corrupt_blocks, refused_payloads;
    WalReport wal_report;
} TraceEngine;

static inline TraceEngine *engine_of(TraceStore *s) { return CONTAINER_OF(s, TraceEngine, base); }

/* Copies of the heads with references, oldest first. Under head_lock. */
size_t trace_engine_heads(const TraceEngine *e, Head *ret[HEADS_MAX]);
/* A copy of the deletions (mem_free). Under head_lock. */
TraceDeletions trace_engine_deletions(const TraceEngine *e);

/* trace_store_flush.c */
ErrCode trace_engine_flush_head(TraceEngine *e, Head *h, Err *reterr); /* parts, manifest; not the list */
ErrCode trace_engine_flush_frozen(TraceEngine *e, Err *reterr);        /* all of them, then the log is cut */
void trace_engine_flusher(void *ctx);
bool trace_engine_wait(TraceEngine *e, int64_t ms); /* false: stopping */
void trace_engine_wake(TraceEngine *e);
ErrCode trace_engine_apply_retention(TraceEngine *e, Err *reterr);
/* Remembers that the parts of now do not show a trace any more. *ret_known: whether one of them has it. */
void trace_engine_delete_in_parts(TraceEngine *e, TraceId id, bool *ret_known);
ErrCode trace_engine_save_deletions(TraceEngine *e, Err *reterr); /* when they have changed; under flush_lock */
ErrCode trace_engine_load_deletions(TraceEngine *e, Err *reterr);

/* store_merge.c */
void trace_engine_merger(void *ctx);
ErrCode trace_engine_merge_once(TraceEngine *e, bool *ret_done, Err *reterr);

/* store_read.c, store_red.c, store_tags.c */
ErrCode trace_engine_get(TraceStore *s, TraceId id, Arena *arena, SpansBatch *ret, Err *reterr);
ErrCode trace_engine_find(TraceStore *s, const TraceFind *req, TraceId **ret, size_t *ret_n, Err *reterr);
ErrCode trace_engine_scan(TraceStore *s, const TraceScan *req, TraceScanStats *ret, Err *reterr);
ErrCode trace_engine_services(TraceStore *s, Arena *arena, Str **ret, size_t *ret_n, Err *reterr);
ErrCode trace_engine_operations(
    TraceStore *s, Str service, SpanKind kind, Arena *arena, TraceOperation **ret, size_t *ret_n, Err *reterr);
ErrCode trace_engine_red(
    TraceStore *s, int64_t start_ns, int64_t end_ns, Arena *arena, ServiceRed **ret, size_t *ret_n, Err *reterr);
ErrCode trace_engine_red_series(TraceStore *s, int64_t start_ns, int64_t end_ns, int64_t step_ns, Arena *arena,
    ServiceRedSeries **ret, size_t *ret_n, Err *reterr);
ErrCode trace_engine_dependencies(TraceStore *s, int64_t start_ns, int64_t end_ns, Str service, Arena *arena,
    TraceDependency **ret, size_t *ret_n, Err *reterr);
ErrCode trace_engine_tag_names(TraceStore *s, TraceTagNames *q, Err *reterr);
ErrCode trace_engine_delete_trace(TraceStore *s, TraceId id, Err *reterr);

#endif
