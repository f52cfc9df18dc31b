/* recent.h - private: hashes of the rows flushed last, so that a batch sent again after its first copy has gone to
 * a part is still recognised. Bounded; lost at restart. Written by maintenance, read by the commit thread. */
#ifndef MEERKAT_LOGS_RECENT_H
#define MEERKAT_LOGS_RECENT_H

#include "base/map.h"
#include "sys/thread.h"

typedef struct LogRecentSet {
    uint64_t *hashes;
    size_t n;
    bool sorted;        /* once somebody asked: mostly nobody does */
    U64Map *stream_max; /* stream hash -> newest time, as uint64_t */
} LogRecentSet;

#define LOG_RECENT_SETS 8

typedef struct LogRecent {
    Mutex lock;
    LogRecentSet sets[LOG_RECENT_SETS]; /* newest first */
    size_t n;
} LogRecent;

void recent_init(LogRecent *r);
void recent_done(LogRecent *r);
/* Takes the set over (hashes may be in any order). Drops the oldest sets beyond the limits. */
void recent_add(LogRecent *r, LogRecentSet set);
/* Forgets everything: after rows were removed, the same rows sent again are new. */
void recent_clear(LogRecent *r);
/* INT64_MIN when the stream was not flushed recently. */
int64_t recent_stream_max(LogRecent *r, uint64_t stream_hash);
bool recent_has(LogRecent *r, uint64_t row_hash);

#endif
