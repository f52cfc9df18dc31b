/* commit.h - group commit: many submitters, one writer thread, one fsync for all that wait.
 *
 * The writer takes whatever is queued (waiting up to window_us for more once something is there and more
 * submitters are active), appends each record to the WAL, syncs once, applies each item to the head in WAL
 * order, and wakes the submitters. commit_submit returns OK only for what is on disk AND visible. */
#ifndef MEERKAT_STORAGE_COMMIT_H
#define MEERKAT_STORAGE_COMMIT_H

#include "storage/wal.h"

typedef struct CommitQueue CommitQueue;

typedef struct CommitOptions {
    const char *name;         /* thread name */
    bool durable;             /* false: sync only every interval_ms ("durability: interval") */
    int64_t interval_ms;      /* 0: 1000 */
    int64_t window_us;        /* 0: 2000 */
    size_t pending_bytes_max; /* 0: 64 MiB; beyond it ERR_OVERLOADED */
} CommitOptions;

/* A record on its way into the log. The queue's from commit_start until done, which runs on the writer thread once the
 * record is durable and applied, or has failed: it must not wait for anything, least of all for this queue. */
typedef struct CommitRecord {
    uint8_t type;
    Str payload;
    void *item;
    void (*done)(struct CommitRecord *r);
    bool patient;   /* it may wait for others, see commit_submit_patiently */
    ErrCode result; /* for done: as commit_submit returns it */
    Err err;        /* set when result is not OK */
    WalPos pos;
    struct CommitRecord *next; /* the queue's */
} CommitRecord;

/* Applies a durable record to memory, on the writer thread. item is what commit_submit was given. */
typedef void (*CommitApplyFn)(void *ctx, WalPos pos, uint8_t type, Str payload, void *item);
/* Runs between batches on the writer thread at least about every 250 ms and after each batch (head rotation, ageing).
 */
typedef void (*CommitIdleFn)(void *ctx);

/* NULL when the system refuses the thread. wal and ctx are borrowed until commit_free; only the writer touches wal. */
CommitQueue *commit_create(Wal *wal, const CommitOptions *opts, CommitApplyFn apply, CommitIdleFn idle, void *ctx);
/* Blocks until durable and applied. payload and item are borrowed until it returns. Any thread but the writer.
 * ERR_OVERLOADED (retry later), ERR_UNAVAILABLE (shutting down), ERR_TOO_LARGE, and what the disk says: ERR_NO_SPACE,
 * ERR_IO. A record that failed is not applied and is not part of the log. */
ErrCode commit_submit(CommitQueue *q, uint8_t type, Str payload, void *item, Err *reterr);
/* The same for those to whom some 20 ms more are nothing: when all that is queued is of this kind, it waits for others
 * to share a sync with. */
ErrCode commit_submit_patiently(CommitQueue *q, uint8_t type, Str payload, void *item, Err *reterr);
/* The same without waiting: OK, done will be called (perhaps before this returns). Else it will not: ERR_OVERLOADED,
 * ERR_UNAVAILABLE. type, payload, item, done of r are set. Any thread; commit_free waits for no such call. */
ErrCode commit_start(CommitQueue *q, CommitRecord *r, Err *reterr);
/* Runs fn on the writer thread between batches and waits for it (head rotation, flush, tests). On the writer
 * thread itself it runs fn at once. Not after commit_free began. */
void commit_run(CommitQueue *q, void (*fn)(void *ctx), void *ctx);
/* records, bytes (of payload): acknowledged. failed: refused by the disk, or interval syncs that failed. */
typedef struct CommitStats {
    uint64_t commits, records, bytes, syncs, sync_ns, rejected, failed;
    size_t pending_bytes;
} CommitStats;
void commit_stats(const CommitQueue *q, CommitStats *ret);
/* Finishes what is queued, syncs, stops the thread; NULL is fine; returns NULL. The WAL stays open (the caller's). */
CommitQueue *commit_free(CommitQueue *q);

#endif
