/* head_int.h - inside of Head and its index, shared by head*.c. */
#ifndef MEERKAT_METRICS_HEAD_INT_H
#define MEERKAT_METRICS_HEAD_INT_H

#include "base/slabs.h"
#include "metrics/head.h"
#include "metrics/id_table.h"

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
    SlabRef values; /* symbols, one per name of the shape; 0: it has none */
    uint32_t shape;
    uint64_t raw_hash; /* of the bytes its labels came as last; 0: none */
} IndexSeries;

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
    Arena *arena;    /* symbol bytes, shapes */
    Slabs values;    /* of the series, in units of a symbol */
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

/* NULL only when the shape has no names. */
static inline const uint32_t *index_values(const SeriesIndex *x, const IndexSeries *s) {
    return s->values ? slabs_at(&x->values, s->values) : NULL;
}

/* head_postings.c: enters the series, whose labels are known to be new, into the postings. */
void index_enter(SeriesIndex *x, Shape *shape, const uint32_t *values, uint32_t id);
uint32_t index_name_ordinal(SeriesIndex *x, uint32_t symbol);
void index_postings_done(SeriesIndex *x);

/* --- samples (head.c, head_pool.c, head_open.c, head_samples.c, head_late.c) --- */
#define HEAD_CHUNK_MIN 64  /* samples of an open chunk before it is encoded, at least */
#define HEAD_CHUNK_MAX 256 /* and at most: the fewer series the more, because longer runs encode better and faster */
#define LATE_MAX 512       /* late samples of one series before they are encoded */
#define HEAD_PAGE 256      /* series of a page */
#define HEAD_DIR 2048      /* pages of a directory entry */
#define HEAD_DIRS 2048
#define HEAD_SHARDS 64
#define POOL_CLASSES 16 /* 64 B << class */
#define HEAD_POOL_PIECE_MAX ((size_t)64 << (POOL_CLASSES - 1))

#define PIECE_UNIT_LOG 5 /* pieces of series come in 32 bytes << class */
#define PIECE_CLASSES 8

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

/* What a series has beyond its open chunk: sealed ones, samples that came late, native histograms; and start times.
 * These nearly never change: kept as a function of time, which holds for the times that have a sample and says nothing
 * of others. */
typedef struct HeadExtra {
    int64_t min_t, max_t; /* of sealed and late samples and histograms; min_t > max_t: there are none */
    SealedChunk *sealed;  /* newest first */
    int64_t last_start;   /* of the newest of `starts` */
    HeadStart *starts;    /* sorted by t; before the first: not known */
    uint32_t n_starts, starts_cap;
    int64_t *late_t; /* sorted */
    uint64_t *late_v;
    uint32_t n_late, late_cap;
    uint32_t n_histograms, histogram_cap;
    HeadHistogram *histograms; /* sorted by t */
} HeadExtra;

/* A series' samples in this generation, two to a cache line. The open chunk ascends in time. The usual cases take no
 * array: a regular grid has no times, a constant value no values. Values that are the first plus a whole number, as
 * most are, take 32 bits each. */
typedef struct HeadSeries {
    int64_t first_t;
    uint64_t first_v;                /* bits */
    SlabRef open;                    /* values; times behind them when irregular; room for head_open_cap samples */
    SlabRef extra;                   /* HeadExtra */
    int32_t step_ms;                 /* when regular and n >= 2 */
    uint16_t n;                      /* samples of the open chunk */
    uint8_t piece : 3;               /* class of `open` */
    uint8_t irregular : 1, wide : 1; /* wide: values take 64 bits, as they are */
    uint8_t started : 1;             /* extra has starts */
    uint8_t tick;                    /* 0: nothing was ever put */
} HeadSeries;
_Static_assert(sizeof(HeadSeries) == 32, "two to a cache line");

typedef struct HeadPage {
    _Atomic uint64_t logged[2][HEAD_PAGE / 64]; /* told by one record; by two */
    HeadSeries series[HEAD_PAGE];
} HeadPage;

typedef _Atomic(HeadPage *) HeadDir[HEAD_DIR];

/* Bump allocation with free lists by power of two: what series refer to comes from slabs, the rest from the arena. */
typedef struct HeadPool {
    Arena *arena;
    void *free[POOL_CLASSES];
    Slabs pieces;
    SlabRef free_pieces[PIECE_CLASSES];
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
    HeadPool pool;            /* writer; queries follow the references of a series under its lock */
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

static inline void *head_piece(const Head *h, SlabRef ref) { return slabs_at(&h->pool.pieces, ref); }

/* NULL: the series has none. */
static inline HeadExtra *head_extra(const Head *h, const HeadSeries *s) {
    return s->extra ? head_piece(h, s->extra) : NULL;
}

HeadSeries *head_series_make(Head *h, uint32_t id); /* writer: with its page */
void head_account(Head *h);                         /* writer: after allocating from the pool's arena */
HeadExtra *head_extra_of(Head *h, HeadSeries *s);   /* writer: made when there is none */
void head_extra_widen(HeadExtra *x, int64_t min_t, int64_t max_t);

/* --- head_pool.c; the writer's --- */
void head_pool_init(HeadPool *p);
void head_pool_done(HeadPool *p);
uint64_t head_pool_bytes(const HeadPool *p);
void *head_alloc(Head *h, size_t size_bytes); /* from the pool's classes */
void head_give_back(Head *h, void *p, size_t size_bytes);
SlabRef head_piece_take(Head *h, size_t size_bytes); /* for good */
SlabRef head_piece_take_class(Head *h, unsigned class);
void head_piece_give_back(Head *h, SlabRef ref, unsigned class);

/* --- head_open.c --- */
/* The arrays of an open chunk; at most one of narrow and wide. */
typedef struct HeadOpen {
    const int32_t *narrow;
    const uint64_t *wide;
    const uint32_t *times; /* since first_t; NULL: regular */
} HeadOpen;
HeadOpen head_open_of(const Head *h, const HeadSeries *s);
int64_t head_open_irregular_t(const Head *h, const HeadSeries *s, size_t i);
static inline int64_t head_open_t(const Head *h, const HeadSeries *s, size_t i) {
    return s->irregular ? head_open_irregular_t(h, s, i) : s->first_t + (int64_t)i * s->step_ms;
}
uint64_t head_open_v(const Head *h, const HeadSeries *s, size_t i);
void head_open_copy_times(const Head *h, const HeadSeries *s, int64_t *t);
void head_open_copy_values(const Head *h, const HeadSeries *s, double *v);
/* Whether t, which is after everything in the chunk, can be appended to it. */
static inline bool head_open_takes(const HeadSeries *s, int64_t t) {
    return s->n == 0 || (uint64_t)t - (uint64_t)s->first_t <= UINT32_MAX;
}
void head_open_append(Head *h, HeadSeries *s, int64_t t, uint64_t v);
/* Between samples: before the one at `at` > 0. */
void head_open_insert(Head *h, HeadSeries *s, size_t at, int64_t t, uint64_t v);
void head_open_clear(Head *h, HeadSeries *s);

void head_seal(Head *h, HeadSeries *s, const int64_t *t, const double *v, size_t n);
bool head_sealed_decode(const SealedChunk *c, int64_t *t, double *v);
/* A sample that is not after all others: into the open chunk, or kept aside. */
HeadPut head_put_late(Head *h, HeadSeries *s, int64_t t, uint64_t v);
/* Oldest and newest time of what the series has; false: nothing. Under its lock, or in a head that is frozen. */
bool head_range_of(const Head *h, const HeadSeries *s, int64_t *ret_min_t, int64_t *ret_max_t);

/* --- head_start.c --- */
/* The sample at t, which has just been stored, began to count at `start`. newest: it is after all others. */
void head_set_start(Head *h, HeadSeries *s, int64_t t, int64_t start, bool newest);
/* Tells b the start times of its samples from `from` on. */
void head_read_starts(const HeadExtra *x, SampleBuf *b, size_t from);

#endif
