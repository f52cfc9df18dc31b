/* head_int.h - inside of Head, shared by head_index.c and head_samples.c. */
#ifndef MEERKAT_METRICS_HEAD_INT_H
#define MEERKAT_METRICS_HEAD_INT_H

#include "metrics/head.h"

#define SERIES_PAGE 1024
#define POOL_CLASSES 16 /* 64 B << class */

/* Bump allocation with free lists by power of two: arrays of open chunks grow and are given back. */
typedef struct HeadPool {
    Arena *arena;
    void *free[POOL_CLASSES];
} HeadPool;

typedef struct HeadShard {
    Mutex lock;
} HeadShard;

typedef struct ValueEntry {
    uint32_t symbol;
    uint32_t single; /* the only series, while set == NULL and list == NULL */
    uint32_t *list;  /* ascending, up to POSTING_LIST_MAX */
    uint32_t n, cap;
    roaring_bitmap_t *set; /* once the list is long */
} ValueEntry;

typedef struct NameEntry {
    uint32_t symbol;
    VEC(ValueEntry) values;
} NameEntry;

struct Head {
    _Atomic uint32_t refs;
    uint64_t epoch;

    RwLock index_lock;
    Arena *index_arena; /* symbol bytes, label pairs */
    Map *symbol_ids;    /* borrowed keys */
    VEC(Str) symbols;
    U64Map *by_hash;     /* labels_hash -> newest id with it */
    U64Map *by_raw_hash; /* raw_hash -> id */
    U64Map *name_of;     /* name symbol -> ordinal in names */
    U64Map *value_of;    /* name ordinal << 32 | value symbol -> ordinal in its values */
    VEC(NameEntry) names;
    VEC(HeadSeries *) pages; /* SERIES_PAGE each; series never move */
    _Atomic uint32_t n_series;
    size_t postings_bytes;
    _Atomic uint64_t index_bytes;

    HeadShard shards[HEAD_SHARDS];
    Mutex *held;              /* writer: the shard lock it holds */
    HeadPool pool;            /* writer only */
    Buf scratch;              /* writer only */
    uint64_t pending_samples; /* writer only: not yet in n_samples */
    _Atomic uint64_t sample_bytes, n_samples, n_histograms;
    _Atomic int64_t min_t, max_t;
};

static inline Mutex *head_shard_of(const Head *h, const HeadSeries *s) {
    /* Neighbours share a shard, so that a batch in creation order changes locks rarely. */
    return (Mutex *)(uintptr_t)&h->shards[s->id / 64 % HEAD_SHARDS].lock;
}
void head_pool_done(HeadPool *p);

#endif
