/* id_table.h - hash -> series id: open addressing, five bytes a slot. It keeps eight bits of each hash: what it finds
 * is to be checked, and growing asks for the hashes again. */
#ifndef MEERKAT_METRICS_ID_TABLE_H
#define MEERKAT_METRICS_ID_TABLE_H

#include "base/base.h"

typedef struct IdTable {
    uint8_t *tags; /* 0: free */
    uint32_t *ids;
    unsigned bits;
    size_t n;
} IdTable;

typedef uint64_t (*IdHashFn)(void *ctx, uint32_t id);

void id_table_init(IdTable *t);
void id_table_done(IdTable *t);
void id_table_clear(IdTable *t); /* to what it was at first */
/* The id is new. hash_of: of the ids in the table. */
void id_table_put(IdTable *t, uint64_t hash, uint32_t id, IdHashFn hash_of, void *ctx);
/* Ids whose hash may be this one, one after the other; *it begins at SIZE_MAX. UINT32_MAX: no more. */
uint32_t id_table_next(const IdTable *t, uint64_t hash, size_t *it);
static inline size_t id_table_bytes(const IdTable *t) { return (sizeof *t->tags + sizeof *t->ids) << t->bits; }

#endif
