/* merge_pick.h - private: which parts to merge. */
#ifndef MEERKAT_LOGS_MERGE_PICK_H
#define MEERKAT_LOGS_MERGE_PICK_H

#include "storage/partset.h"

#define LOG_MERGE_PARTS_MAX 32
#define LOG_DAY_PARTS_MAX 64

/* Neighbours within one day of which none may be in `skip` (parts that cannot be read whole), together at most
 * size_bytes_max. Merging a row costs about as much as ingesting it, while a query pays little for one more part: so
 * many small parts become one (fewer are enough on days that end before cold_before_ns, where nothing is added any
 * more), and large ones are left alone until a day has more than LOG_DAY_PARTS_MAX of them.
 * Parts are ordered as snapshots have them. Gives how many to take from *ret_first on; 0: nothing to do. */
size_t log_merge_pick(const PartRef *parts, size_t n, int64_t cold_before_ns, uint64_t size_bytes_max,
    const uint64_t *skip, size_t n_skip, size_t *ret_first);

#endif
