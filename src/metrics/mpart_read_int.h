/* mpart_read_int.h - a part being read: opening (mpart_open.c), labels and postings (mpart_labels.c), blocks of a
 * series (mpart_blocks.c), samples (mpart_read.c). */
#ifndef MEERKAT_METRICS_MPART_READ_INT_H
#define MEERKAT_METRICS_MPART_READ_INT_H

#include "metrics/mpart_int.h"

typedef struct SeriesChunk {
    Str entries, offsets; /* n + 1 of these */
} SeriesChunk;

struct MPart {
    Part *part;
    uint32_t n_series;
    bool packed;
    BlockRef refs[MPART_SECTIONS];
    BlockRef *groups;
    size_t n_groups;
    Mutex lock;
    _Atomic int state; /* 0: sections not read yet, 1: ready, -1: damaged */
    Arena *arena;
    Str section[MPART_SECTIONS];
    SeriesChunk *chunks;
    size_t n_chunks;
    uint32_t *shape_offsets;
    size_t n_shapes;
};

static inline ErrCode mpart_damaged(const MPart *p, const char *what, Err *reterr) {
    return err_set(reterr, ERR_CORRUPT, "%s: %s is damaged", part_path(p->part), what);
}

static inline uint32_t u32_at(Str s, size_t at) {
    uint32_t v;
    DASSERT(at + 4 <= s.n);
    memcpy(&v, s.p + at, 4);
    return v;
}

static inline int64_t i64_at(Str s, size_t at) {
    int64_t v;
    DASSERT(at + 8 <= s.n);
    memcpy(&v, s.p + at, 8);
    return v;
}

/* Whether the sections are there: read, their checksums verified, at the first call. */
bool mpart_ready(const MPart *p);

/* Of a part that is ready: */
Cursor mpart_series_cursor(const MPart *p, uint32_t series);
/* At the number of names, the names' symbols behind it; shape < n_shapes. */
Cursor mpart_shape_cursor(const MPart *p, uint64_t shape);
/* False: no such entry, or one that cannot be. */
bool mpart_time_entry(const MPart *p, uint64_t id, MPartTime *ret);

#endif
