/* mpart_int.h - layout of a metrics part, shared by its writer and its reader. */
#ifndef MEERKAT_METRICS_MPART_INT_H
#define MEERKAT_METRICS_MPART_INT_H

#include "metrics/mpart.h"

/* The first byte of the footer. */
enum {
    MPART_PLAIN = 4,
    MPART_PACKED = 3, /* SERIES and POSTINGS as in mpart_pack.h, VALUES within it; no SERIES_CHUNKS */
};
/* Series of a chunk. The writer holds one chunk in memory, and a packed part has no more. */
#define MPART_CHUNK_SERIES 65536u
#define MPART_GROUP_BYTES (64u << 10)
#define MPART_IN_PLACE_MAX 24 /* value columns up to here stand in the series entry */

typedef enum MPartSection {
    MPART_SYMBOL_OFFSETS, /* u32 x (n + 1) into SYMBOL_BYTES */
    MPART_SYMBOL_BYTES,
    MPART_SHAPES,        /* per shape: count, name symbols; uvarints */
    MPART_SERIES_CHUNKS, /* a BlockRef for each MPART_CHUNK_SERIES series: entries, then where each begins and the
                          * last ends, u32 x (n + 1) */
    MPART_SERIES,        /* of a packed part */
    MPART_TIMES,         /* MPartTime as 32 bytes each */
    MPART_NAMES,         /* 12 bytes per name: symbol, first value, values */
    MPART_VALUES,        /* 8 bytes per value: symbol, offset into POSTINGS */
    MPART_POSTINGS,
    MPART_SECTIONS,
} MPartSection;

#define MPART_TIME_BYTES 32
#define MPART_NAME_BYTES 12
#define MPART_VALUE_BYTES 8

typedef struct MPartTime {
    uint32_t group, offset, length, n;
    int64_t min_t, max_t;
} MPartTime;

/* Kinds of blocks in a series entry: one byte of flags before each. MBLOCK_FRESH: floats without a stale marker among
 * them. */
enum {
    MBLOCK_HISTOGRAM = 1,
    MBLOCK_IN_PLACE = 2,
    MBLOCK_STARTS = 8,
    MBLOCK_FRESH = 16,
    MBLOCK_STATS = 32, /* min, max, first, last: doubles; resets uvarint */
};

/* mpart_start.c: start times of samples at t; a whole run of the same takes a few bytes. */
void mpart_starts_encode(Buf *out, const int64_t *t, const int64_t *start, size_t n);
ATTR_MUST bool mpart_starts_decode(Str in, const int64_t *t, int64_t *out, size_t n);

#endif
