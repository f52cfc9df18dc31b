/* map.h - the one hash map: open addressing, keys are byte strings, values are 64-bit.
 *
 * Hashing is seeded per process against collision attacks. Keys are copied into the map (a copy stays where it is
 * until its key is removed or the map cleared) unless it was made with MAP_BORROW_KEYS (then the caller keeps them
 * alive). Iteration order is arbitrary, and another one for every map.
 * For maps keyed by an already good 64-bit hash use U64Map. Not thread-safe. */
#ifndef MEERKAT_BASE_MAP_H
#define MEERKAT_BASE_MAP_H

#include "base/base.h"
#include "base/str.h"

typedef enum MapFlags { MAP_COPY_KEYS = 0, MAP_BORROW_KEYS = 1 } MapFlags;

typedef struct Map Map;

ATTR_MUST Map *map_create(MapFlags flags);
Map *map_free(Map *map); /* does not touch what values point to */
size_t map_count(const Map *map);
size_t map_memory_bytes(const Map *map);
/* Value slot of key, or NULL. Valid until the next insertion or removal. */
uint64_t *map_get(const Map *map, Str key);
/* Slot of key, inserted with value 0 when it was absent. */
uint64_t *map_put(Map *map, Str key, bool *ret_inserted);
bool map_remove(Map *map, Str key, uint64_t *ret_value);
void map_clear(Map *map);
/* size_t it = 0; Str k; uint64_t *v; while (map_next(map, &it, &k, &v)) ... (no changes meanwhile) */
bool map_next(const Map *map, size_t *it, Str *ret_key, uint64_t **ret_value);

static inline void *map_get_ptr(const Map *map, Str key) {
    uint64_t *v = map_get(map, key);
    return v ? (void *)(uintptr_t)*v : NULL;
}
static inline void map_set_ptr(Map *map, Str key, void *value) {
    *map_put(map, key, NULL) = (uint64_t)(uintptr_t)value;
}

/* 64-bit key -> 64-bit value; key 0 is allowed. */
typedef struct U64Map U64Map;
ATTR_MUST U64Map *u64map_create(void);
U64Map *u64map_free(U64Map *map);
size_t u64map_count(const U64Map *map);
size_t u64map_memory_bytes(const U64Map *map);
uint64_t *u64map_get(const U64Map *map, uint64_t key);
uint64_t *u64map_put(U64Map *map, uint64_t key, bool *ret_inserted);
bool u64map_remove(U64Map *map, uint64_t key, uint64_t *ret_value);
void u64map_clear(U64Map *map);
bool u64map_next(const U64Map *map, size_t *it, uint64_t *ret_key, uint64_t **ret_value);

#endif
