#include "base/map.h"

#include "base/hash.h"

/* Linear probing with key 0 as the mark of an empty slot (the entry of key 0 itself stands aside) and
 * backward shifts on removal, so there are no tombstones. */

typedef struct Entry {
    uint64_t key, value;
} Entry;

struct U64Map {
    Entry *v;
    size_t cap, count; /* cap is 0 or a power of two; count is without key 0 */
    uint64_t seed;
    uint64_t zero_value;
    bool has_zero;
};

U64Map *u64map_create(void) {
    U64Map *m = NEW(U64Map);
    /* Each map its own order: filling one map in the order of another must not pile up. */
    m->seed = hash_u64(hash_process_seed() ^ (uint64_t)(uintptr_t)m);
    return m;
}

void u64map_clear(U64Map *map) {
    mem_free(map->v);
    *map = (U64Map){.seed = map->seed};
}

U64Map *u64map_free(U64Map *map) {
    if (!map) return NULL;
    mem_free(map->v);
    mem_free(map);
    return NULL;
}

size_t u64map_count(const U64Map *map) { return map->count + map->has_zero; }

size_t u64map_memory_bytes(const U64Map *map) { return sizeof *map + map->cap * sizeof(Entry); }

static inline size_t home_of(const U64Map *m, uint64_t key) { return hash_u64(key ^ m->seed) & (m->cap - 1); }

/* Slot of key, or the empty slot where it would go; cap > 0. */
static inline Entry *find(const U64Map *m, uint64_t key) {
    size_t i = home_of(m, key);
    while (m->v[i].key != key && m->v[i].key != 0) i = (i + 1) & (m->cap - 1);
    return &m->v[i];
}

uint64_t *u64map_get(const U64Map *map, uint64_t key) {
    if (UNLIKELY(key == 0)) return map->has_zero ? (uint64_t *)(uintptr_t)&map->zero_value : NULL;
    if (UNLIKELY(map->cap == 0)) return NULL;
    Entry *e = find(map, key);
    return e->key ? &e->value : NULL;
}

static void grow(U64Map *m) {
    Entry *old = m->v;
    size_t old_cap = m->cap;
    m->cap = old_cap ? old_cap * 2 : 8;
    m->v = mem_alloc_array(m->cap, sizeof(Entry));
    memset(m->v, 0, m->cap * sizeof(Entry));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].key) *find(m, old[i].key) = old[i];
    mem_free(old);
}

uint64_t *u64map_put(U64Map *map, uint64_t key, bool *ret_inserted) {
    if (UNLIKELY(key == 0)) {
        if (ret_inserted) *ret_inserted = !map->has_zero;
        map->has_zero = true;
        return &map->zero_value;
    }
    Entry *e = map->cap ? find(map, key) : NULL;
    bool inserted = !e || !e->key;
    if (ret_inserted) *ret_inserted = inserted;
    if (!inserted) return &e->value;
    if (map->count >= map->cap / 4 * 3) {
        grow(map);
        e = find(map, key);
    }
    *e = (Entry){.key = key};
    map->count++;
    return &e->value;
}

bool u64map_remove(U64Map *map, uint64_t key, uint64_t *ret_value) {
    if (key == 0) {
        if (!map->has_zero) return false;
        if (ret_value) *ret_value = map->zero_value;
        map->has_zero = false;
        map->zero_value = 0;
        return true;
    }
    Entry *e = map->cap ? find(map, key) : NULL;
    if (!e || !e->key) return false;
    if (ret_value) *ret_value = e->value;
    size_t mask = map->cap - 1, hole = (size_t)(e - map->v);
    for (size_t i = (hole + 1) & mask; map->v[i].key; i = (i + 1) & mask) {
        /* An entry may move into the hole unless its home lies behind the hole. */
        if (((i - home_of(map, map->v[i].key)) & mask) < ((i - hole) & mask)) continue;
        map->v[hole] = map->v[i];
        hole = i;
    }
    map->v[hole] = (Entry){0};
    map->count--;
    return true;
}

bool u64map_next(const U64Map *map, size_t *it, uint64_t *ret_key, uint64_t **ret_value) {
    uint64_t key = 0, *value = NULL;
    if (*it == 0) {
        ++*it;
        if (map->has_zero) value = (uint64_t *)(uintptr_t)&map->zero_value;
    }
    for (; !value && *it <= map->cap; ++*it) {
        Entry *e = &map->v[*it - 1];
        if (e->key) key = e->key, value = &e->value;
    }
    if (!value) return false;
    if (ret_key) *ret_key = key;
    if (ret_value) *ret_value = value;
    return true;
}
