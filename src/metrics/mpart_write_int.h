/* mpart_write_int.h - the writer of a metrics part: series (mpart_write.c), labels and index (mpart_write_index.c). */
#ifndef MEERKAT_METRICS_MPART_WRITE_INT_H
#define MEERKAT_METRICS_MPART_WRITE_INT_H

#include "metrics/mpart_int.h"

/* Series numbers ascend: kept as varint distances, a byte or two each, beside the last one. */
typedef struct Posting {
    uint64_t key; /* name symbol << 32 | value symbol */
    uint32_t n, last, bytes_n, bytes_cap;
    uint8_t *bytes; /* all but the first while there is only one */
} Posting;

typedef struct Group {
    Buf raw;
    uint32_t id; /* index in groups; valid while raw is not empty */
} Group;

struct MPartWriter {
    PartWriter *out;
    int zstd_level;
    const Str *symbols;
    size_t n_symbols;
    Map *symbol_ids; /* made at the first series that comes with strings */
    Map *shape_ids;  /* encoded shape -> id */
    Buf shapes, scratch, times;
    uint32_t n_series;
    Buf series; /* entries of the open chunk */
    VEC(uint32_t) series_offsets;
    Buf chunks; /* BlockRefs of those that are written */
    VEC(BlockRef) groups;
    Group open[2];    /* times, values */
    U64Map *time_ids; /* content hash -> id of the newest with it */
    VEC(MPartTime) time_entries;
    U64Map *posting_ids;
    VEC(Posting) postings;
    /* Of the series before, which shares most labels with the next one. */
    uint64_t last_shape;
    VEC(uint32_t) last_names, last_values;
    VEC(size_t) last_postings;
    VEC(uint32_t) names, values; /* scratch */
    VEC(int64_t) histogram_t;
    VEC(Str) histogram_bytes;
    VEC(int64_t) histogram_starts;
    uint64_t rows;
    int64_t min_t, max_t;
};

/* Adds a column's bytes to the group, flushing it first when it would become too large. */
ErrCode mpart_group_add(MPartWriter *w, Group *g, Str bytes, uint32_t *ret_group, uint32_t *ret_offset, Err *reterr);
/* The open chunk into the file; what stood in it is gone from memory. */
ErrCode mpart_chunk_flush(MPartWriter *w, Err *reterr);
/* Shape and values of a series into its entry, the series into the postings. */
void mpart_put_labels(MPartWriter *w, const uint32_t *names, const uint32_t *values, uint32_t n, uint32_t series);

#endif
