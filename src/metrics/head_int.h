/* head_int.h - inside of Head and its index, shared by head*.c. */
#ifndef MEERKAT_METRICS_HEAD_INT_H
#define MEERKAT_METRICS_HEAD_INT_H

#include "metrics/head.h"

/* --- index (head_index.c, head_postings.c) --- */
#define INDEX_PAGE 1024 /* series of a page; pages never move */

/* Labels names in their order; nearly all series of a metric share one. */
typedef struct Shape {
    uint32_t n;
    uint32_t *names;    /* symbols */
    uint32_t *ordinals; /* of the names in the postings */
    /* Of the series made last: neighbours share most values, whose postings need not be looked up again. */
    uint32_t *last_values, *last_entries;
} Shape;

typedef struct IndexSeries {
    const uint32_t *values; /* symbols, one per name of the shape */
    uint32_t shape;
    uint64_t raw_hash; /* of the bytes its labels came as last; 0: none */
} IndexSeries;

/* Hash -> id, open addressing, half of the hash kept: 8 bytes a slot. What it finds is to be checked. */
typedef struct IdTable {
    uint64_t *slots; /* hash's upper half << 32 | id; UINT64_MAX: free */
    unsigned bits;
    size_t n;
} IdTable;

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

typedef struct SeriesIndex {
    _Atomic uint32_t refs;
    RwLock lock;
    Arena *arena;    /* symbol bytes, values, shapes */
    Map *symbol_ids; /* borrowed keys */
    VEC(Str) symbols;
    Map *shape_ids; /* bytes of the names array -> shape; borrowed keys */
    VEC(Shape) shapes;
    VEC(IndexSeries *) pages;
    _Atomic uint32_t n_series;
    IdTable by_labels, by_raw;
    U64Map *other_raw; /* further raw hashes of series that have one: another sender's order of labels */
    U64Map *name_of;   /* name symbol -> ordinal in names */
    U64Map *value_of;  /* name ordinal << 32 | value symbol -> ordinal in its values */
    VEC(NameEntry) names;
    size_t postings_bytes;
    _Atomic uint64_t bytes;
} SeriesIndex;

SeriesIndex *series_index_create(void);
SeriesIndex *series_index_ref(SeriesIndex *x);
void series_index_unref(SeriesIndex *x);

static inline IndexSeries *index_series_at(const SeriesIndex *x, uint32_t id) {
    DASSERT(id < x->n_series);
    return &x->pages.v[id / INDEX_PAGE][id % INDEX_PAGE];
}

/* head_postings.c: enters the series, whose labels are known to be new, into the postings. */
void index_enter(SeriesIndex *x, Shape *shape, const uint32_t *values, uint32_t id);
uint32_t index_name_ordinal(SeriesIndex *x, uint32_t symbol);
void index_postings_done(SeriesIndex *x);

/* --- samples (head.c, head_samples.c, head_late.c) --- */
#define HEAD_CHUNK_MIN 64  /* samples of an open chunk before it is encoded, at least */
#define HEAD_CHUNK_MAX 256 /* and at most: the fewer series the more, because longer runs encode better and faster */
#define LATE_MAX 512       /* late samples of one series before they are encoded */
#define HEAD_PAGE 1024     /* series of a page */
#define HEAD_DIR 1024      /* pages of a directory entry */
#define HEAD_DIRS 1024
#define HEAD_SHARDS 64
#define POOL_CLASSES 16 /* 64 B << class */
#define HEAD_POOL_PIECE_MAX ((size_t)64 << (POOL_CLASSES - 1))

/* An encoded, immutable run of samples; times ascending. Encoded times (none when regular), then values. */
typedef struct SealedChunk {
    struct SealedChunk *older;
    int64_t min_t, max_t;
    uint32_t t_bytes, v_bytes; /* t_bytes 0: t[i] = min_t + i * step_ms */
    int32_t step_ms;
    uint32_t n;
    uint8_t data[];
} SealedChunk;

typedef struct HeadHistogram {
    int64_t t, start; /* start 0: not known */
    Str bytes;        /* histogram_encode */
} HeadHistogram;

/* Samples at t or later began to count at start; 0: not known. */
typedef struct HeadStart {
    int64_t t, start;
} HeadStart;

/* What few series need: samples that came late, native histograms; and start times. These nearly never change: kept as
 * a function of time, which holds for the times that have a sample and says nothing of others. */
typedef struct HeadExtra {
    int64_t last_start; /* of the newest of `starts` */
    HeadStart *starts;  /* sorted by t; before the first: not known */
    uint32_t n_starts, starts_cap;
    int64_t *late_t; /* sorted */
    uint64_t *late_v;
    uint32_t n_late, late_cap;
    uint32_t n_histograms, histogram_cap;
    HeadHistogram *histograms; /* sorted by t */
} HeadExtra;

/* A series' samples in this generation, one cache line. The open chunk ascends in time; the usual cases take no array:
 * a regular grid has no times, a constant value no values. */
typedef struct HeadSeries {
    int64_t min_t, max_t; /* of everything stored; min_t > max_t: nothing */
    int64_t first_t;
    uint64_t first_v;    /* bits */
    uint64_t *v;         /* bits, room for `cap`; when irregular the times follow, room for as many */
    SealedChunk *sealed; /* newest first */
    HeadExtra *extra;
    int32_t step_ms; /* when regular and n >= 2 */
    uint16_t n;
    uint8_t cap_log : 7, started : 1; /* v has room for 1 << cap_log; extra has starts */
    uint8_t tick : 7, irregular : 1;
} HeadSeries;
_Static_assert(sizeof(HeadSeries) == 64, "one cache line");

typedef struct HeadPage {
    _Atomic uint64_t logged[2][HEAD_PAGE / 64]; /* told by one record; by two */
    HeadSeries series[HEAD_PAGE];
} HeadPage;

typedef _Atomic(HeadPage *) HeadDir[HEAD_DIR];

/* Bump allocation with free lists by power of two: arrays of open chunks grow and are given back. */
typedef struct HeadPool {
    Arena *arena;
    void *free[POOL_CLASSES];
} HeadPool;

typedef struct HeadShard {
    Mutex lock;
} HeadShard;

struct Head {
    _Atomic uint32_t refs;
    uint64_t epoch;
    SeriesIndex *index;
    _Atomic(HeadDir *) dirs[HEAD_DIRS]; /* pages by id; the writer makes them, anybody may read */
    VEC(uint8_t) symbols_logged;        /* by how many records, 0 to 2; index lock */

    HeadShard shards[HEAD_SHARDS];
    Mutex *held;              /* writer: the shard lock it holds */
    HeadPool pool;            /* writer only */
    Buf scratch;              /* writer only */
    size_t n_pages;           /* writer only */
    uint32_t pending_samples; /* writer only: not yet in n_samples */
    uint16_t chunk_max;       /* writer only: open chunks are encoded when they have so many */
    uint8_t tick;             /* writer only, 1 to 127 */
    int64_t tick_ms;          /* when it began */
    _Atomic uint32_t n_active, n_this_tick, n_last_tick;
    _Atomic uint64_t sample_bytes, n_samples, n_histograms;
    _Atomic int64_t min_t, max_t;
};

static inline HeadPage *head_page(const Head *h, uint32_t id) {
    HeadDir *dir = atomic_load_explicit(&h->dirs[id / (HEAD_PAGE * HEAD_DIR)], memory_order_acquire);
    return dir ? atomic_load_explicit(&(*dir)[id / HEAD_PAGE % HEAD_DIR], memory_order_acquire) : NULL;
}

/* NULL: nothing of the page's series was ever put. */
static inline HeadSeries *head_series(const Head *h, uint32_t id) {
    HeadPage *p = head_page(h, id);
    return p ? &p->series[id % HEAD_PAGE] : NULL;
}

static inline Mutex *head_shard_of(const Head *h, uint32_t id) {
    /* Neighbours share a shard, so that a batch in creation order changes locks rarely. */
    return (Mutex *)(uintptr_t)&h->shards[id / 64 % HEAD_SHARDS].lock;
}

static inline int64_t *head_open_times(const HeadSeries *s) { return (int64_t *)(s->v + ((size_t)1 << s->cap_log)); }
static inline int64_t head_open_t(const HeadSeries *s, size_t i) {
    return s->irregular ? head_open_times(s)[i] : s->first_t + (int64_t)i * s->step_ms;
}
static inline uint64_t head_open_v(const HeadSeries *s, size_t i) { return s->v ? s->v[i] : s->first_v; }

HeadSeries *head_series_make(Head *h, uint32_t id); /* writer: with its page */
void head_account(Head *h);                         /* writer: after allocating from the pool's arena */
void *head_alloc(Head *h, size_t size_bytes);       /* writer: from the pool's classes */
void head_give_back(Head *h, void *p, size_t size_bytes);
void head_seal(Head *h, HeadSeries *s, const int64_t *t, const uint64_t *v, size_t n);
bool head_sealed_decode(const SealedChunk *c, int64_t *t, double *v);
/* A sample that is not after all others: into the open chunk, or kept aside. */
HeadPut head_put_late(Head *h, HeadSeries *s, int64_t t, uint64_t v);
void head_open_insert(Head *h, HeadSeries *s, size_t at, int64_t t, uint64_t v);
HeadExtra *head_extra_of(Head *h, HeadSeries *s);
/* --- head_start.c --- */
/* The sample at t, which has just been stored, began to count at `start`. newest: it is after all others. */
void head_set_start(Head *h, HeadSeries *s, int64_t t, int64_t start, bool newest);
/* Tells b the start times of its samples from `from` on. */
void head_read_starts(const HeadExtra *x, SampleBuf *b, size_t from);

#endif
