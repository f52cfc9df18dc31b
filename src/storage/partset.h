/* partset.h - the live parts of one store: manifest, atomic publish, snapshots, retention.
 *
 * "MANIFEST" (replaced atomically) lists the parts and the WAL position before which everything is in
 * parts, so that a flush that makes several parts, a merge and a log truncation are one step: after a
 * crash either all of it happened or none. Files not in the manifest are removed at open. Corrupt parts
 * are set aside (renamed *.bad), counted, and the rest is served. Without a readable manifest nothing is touched. */
#ifndef MEERKAT_STORAGE_PARTSET_H
#define MEERKAT_STORAGE_PARTSET_H

#include "storage/part.h"
#include "storage/wal.h"

typedef struct PartSet PartSet;

typedef struct PartInfo {
    uint64_t id;          /* file "part-%016x.mkp" */
    int64_t min_t, max_t; /* in the store's own unit, inclusive */
    uint64_t rows, size_bytes;
    uint32_t level; /* 0: from a flush; merges give max(inputs) + 1 */
    /* Age of what is in it: where parts differ about the same thing, the one with the highest order is right. 0 when
     * publishing: the id. Who rewrites parts gives the result the highest order of the inputs. */
    uint64_t order;
} PartInfo;

/* A store's opened part, reference-counted by the set; open/close are the store's. */
typedef struct PartOps {
    ErrCode (*open)(void *ctx, Part *part, const PartInfo *info, void **ret_obj, Err *reterr);
    void (*close)(void *ctx, void *obj);
} PartOps;

/* ERR_CORRUPT when the manifest is lost or damaged; damaged parts are no error. ops is copied. */
ErrCode partset_open(Fs *fs, const char *dir, const PartOps *ops, void *ctx, PartSet **ret, Err *reterr);
/* Every snapshot must have been released. NULL is fine; returns NULL. */
PartSet *partset_close(PartSet *s);
WalPos partset_wal_floor(const PartSet *s);
uint64_t partset_corrupt_count(const PartSet *s);
uint64_t partset_size_bytes(const PartSet *s);

/* A consistent view; parts in it stay open until released, whatever is merged or removed meanwhile. v is shared by
 * all snapshots of the same state: it is read-only, who wants another order copies it. */
typedef struct PartRef {
    PartInfo info;
    void *obj;
    Part *part;
} PartRef;
typedef struct PartSnapshot {
    const PartRef *v;
    size_t n;
    void *impl;
} PartSnapshot; /* ordered by min_t, then id */
void partset_snapshot(PartSet *s, PartSnapshot *ret);
void partset_release(PartSet *s, PartSnapshot *snap);

/* Path for a new part; the id is reserved. */
uint64_t partset_new_id(PartSet *s, char ret_path[FS_PATH_MAX]);
/* Parts to come get ids above this one. The manifest remembers ids as of the last publish only: whoever keeps an id
 * elsewhere (as deletions do, which cover parts up to one) says so after opening, or it could be given out again. */
void partset_skip_ids(PartSet *s, uint64_t up_to);
/* One atomic step: adds finished parts, removes others, moves the WAL floor (0: leave; it never goes back). Any
 * thread. ERR_CONFLICT: a part to remove is not there (retention was faster than a merge). After any error the set
 * in memory is as before. After an I/O error it is open whether a crash now would bring up the old or the new state,
 * so do not delete the files of the added parts: the next publish that succeeds (or the next open) removes them,
 * unless it adds them. After ERR_CONFLICT and errors of opening they are the caller's. Files of removed parts go
 * when the last snapshot with them does. */
ErrCode partset_publish(PartSet *s, const PartInfo *add, size_t n_add, const uint64_t *remove, size_t n_remove,
    WalPos wal_floor, Err *reterr);

/* Chooses parts to merge: neighbours by order within one time partition (partition_len in the store's unit) whose
 * sizes are alike; at least 2, at most 16; 0 when there is nothing to do. No part left out overlaps an older one of
 * them and is itself older than the youngest: it would have to stand between what becomes one. Parts being merged are
 * marked until published or unmarked. */
size_t partset_pick_merge(PartSet *s, int64_t partition_len, uint64_t size_bytes_max, uint64_t *ret_ids, size_t max);
void partset_unmark_merge(PartSet *s, const uint64_t *ids, size_t n);
/* Ids of parts (none of them in a merge) wholly older than min_t, then the oldest ones until at most size_bytes_max
 * remain (0: no limit). */
size_t partset_pick_expired(PartSet *s, int64_t min_t, uint64_t size_bytes_max, uint64_t *ret_ids, size_t max);

/* Reads parts that have not been read whole since the set was opened, until about budget_bytes are read, and counts
 * the damaged ones in partset_corrupt_count. For the store's maintenance thread, so that damage is reported before a
 * query meets it. true: nothing is left to read. */
bool partset_scrub(PartSet *s, uint64_t budget_bytes);

#endif
