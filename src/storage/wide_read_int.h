/* wide_read_int.h - an open wide part, shared by its index (wide_read.c) and its blocks (wide_block.c). */
#ifndef MEERKAT_STORAGE_WIDE_READ_INT_H
#define MEERKAT_STORAGE_WIDE_READ_INT_H

#include "storage/wide_int.h"

typedef struct WideBlockEntry {
    WideBlockInfo info;
    BlockRef times, groups;
    size_t n_fields;
    Str fields; /* their entries, in the footer: decoded when asked for */
} WideBlockEntry;

struct WidePart {
    Part *part;
    Arena *arena; /* user, when it was compressed */
    Str user;
    Str *names; /* slices of the footer */
    size_t n_names;
    WideBlockEntry *blocks;
    size_t n_blocks;
};

typedef enum WideFind { WIDE_FIND_NO, WIDE_FIND_YES, WIDE_FIND_CORRUPT } WideFind;
WideFind wide_find_field(const WidePart *p, size_t block, Str field, WideFieldEntry *ret);
/* The next entry of a block's fields; false when the bytes do not hold. */
bool wide_next_field(const WidePart *p, Cursor *c, WideFieldEntry *ret);

#endif
