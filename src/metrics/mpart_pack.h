/* mpart_pack.h - series and postings of a small part as streams, one for each field, on which zstd does several times
 * better than on entries: neighbours in a stream are alike. Reading rebuilds the sections as large parts store them.
 *
 * A packed section: count of streams uvarint, their lengths uvarint each, the streams. */
#ifndef MEERKAT_METRICS_MPART_PACK_H
#define MEERKAT_METRICS_MPART_PACK_H

#include "metrics/mpart_int.h"

/* Where the label names of a shape are counted; SIZE_MAX: there is no such shape. */
typedef struct ShapeSizes {
    const uint32_t *n; /* names of shape i */
    size_t count;
} ShapeSizes;

/* series: entries as in MPART_SERIES, offsets: where each of the n begins (offsets[n]: the end). */
void mpart_pack_series(Buf *out, const ShapeSizes *shapes, Str series, const uint32_t *offsets, size_t n);
/* The sections MPART_SERIES and MPART_SERIES_OFFSETS. False on malformed bytes. */
ATTR_MUST bool mpart_unpack_series(Str in, const ShapeSizes *shapes, uint32_t n, Buf *ret_series, Buf *ret_offsets);

/* values, lists: MPART_VALUES and MPART_POSTINGS of n series. */
void mpart_pack_postings(Buf *out, Str values, Str lists, uint32_t n);
ATTR_MUST bool mpart_unpack_postings(Str in, uint32_t n, Buf *ret_values, Buf *ret_lists);

#endif
