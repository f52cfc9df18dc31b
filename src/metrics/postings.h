/* postings.h - matchers against an inverted index: which series may answer a selector.
 *
 * The head and every part have such an index (label name -> value -> set of series numbers); both
 * describe it to postings_match by a PostingIndex. Sets are roaring bitmaps. */
#ifndef MEERKAT_METRICS_POSTINGS_H
#define MEERKAT_METRICS_POSTINGS_H

#include "model/labels.h"

#include <roaring/roaring.h>

#define POSTINGS_NONE SIZE_MAX

typedef struct PostingIndex {
    void *ctx;
    uint32_t n_series;                        /* series numbers are [0, n_series) */
    size_t (*name_find)(void *ctx, Str name); /* POSTINGS_NONE when no series has it */
    size_t (*value_count)(void *ctx, size_t name);
    Str (*value_at)(void *ctx, size_t name, size_t i);                       /* any order */
    size_t (*value_find)(void *ctx, size_t name, Str value);                 /* POSTINGS_NONE when absent */
    bool (*add_to)(void *ctx, size_t name, size_t i, roaring_bitmap_t *set); /* false: the index is damaged */
} PostingIndex;

/* The series all matchers accept; the caller frees *ret with roaring_bitmap_free. ERR_CANCELLED, ERR_CORRUPT. */
ErrCode postings_match(
    const PostingIndex *index, Matchers matchers, const _Atomic bool *cancel, roaring_bitmap_t **ret, Err *reterr);

/* On disk: a count, then varint deltas for short lists and roaring's portable form for long ones. */
void postings_encode(Buf *out, const roaring_bitmap_t *set);
/* Adds the encoded numbers to set; false on malformed bytes or numbers >= n_series. */
ATTR_MUST bool postings_decode_into(Str in, uint32_t n_series, roaring_bitmap_t *set);

#endif
