#include "base/map.h"

#include "base/hash.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Open addressing in aligned groups of slots, each slot with one control byte: empty, deleted, or seven bits
 * of the hash. A lookup compares a whole group of control bytes at once and stops at the first group that
 * has an empty one. */

enum {
    CTRL_EMPTY = 0x80,
    CTRL_DELETED = 0xFE,
};

#ifdef __SSE2__
enum { GROUP_SLOTS = 16, MASK_SHIFT = 0 };
typedef uint32_t GroupMask;

static inline GroupMask group_match(const uint8_t *ctrl, uint8_t tag) {
    __m128i g = _mm_load_si128((const __m128i *)(const void *)ctrl);
    return (GroupMask)_mm_movemask_epi8(_mm_cmpeq_epi8(g, _mm_set1_epi8((char)tag)));
}
static inline GroupMask group_empty(const uint8_t *ctrl) { return group_match(ctrl, CTRL_EMPTY); }
static inline GroupMask group_free(const uint8_t *ctrl) { /* empty or deleted: the top bit */
    return (GroupMask)_mm_movemask_epi8(_mm_load_si128((const __m128i *)(const void *)ctrl));
}
#else
enum { GROUP_SLOTS = 8, MASK_SHIFT = 3 };
typedef uint64_t GroupMask;
#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t group_load(const uint8_t *ctrl) {
    uint64_t g = 0;
    for (int i = 7; i >= 0; i--) g = g << 8 | ctrl[i];
    return g;
}
/* May report a false match above a true one; keys are compared anyway. */
static inline GroupMask group_match(const uint8_t *ctrl, uint8_t tag) {
    uint64_t x = group_load(ctrl) ^ EVERY(tag);
    return (x - EVERY(0x01)) & ~x & EVERY(0x80);
}
static inline GroupMask group_empty(const uint8_t *ctrl) { /* top bit without the next one */
    uint64_t g = group_load(ctrl);
    return g & ~(g << 1) & EVERY(0x80);
}
static inline GroupMask group_free(const uint8_t *ctrl) { return group_load(ctrl) & EVERY(0x80); }
#endif

static inline size_t mask_first(GroupMask m) { return (size_t)__builtin_ctzll(m) >> MASK_SHIFT; }

typedef struct Slot {
    const char *key;
    uint32_t key_n, hash; /* low half of the hash: enough to find the group again */
    uint64_t value;
} Slot;

/* Copies of keys: small ones in chunks, in steps of 8 bytes, with a free list per size; a copy never moves. */
enum { KEY_STEP_BYTES = 8, KEY_SMALL_BYTES = 256, KEY_CLASSES = KEY_SMALL_BYTES / KEY_STEP_BYTES };
enum { KEY_CHUNK_MIN_BYTES = 1024, KEY_CHUNK_MAX_BYTES = 64 * 1024 };

typedef struct FreeKey {
    struct FreeKey *next;
} FreeKey;

typedef struct KeyChunk {
    struct KeyChunk *prev;
    size_t cap;
    char data[];
} KeyChunk;

struct Map {
    uint8_t *ctrl;
    Slot *slots;
    size_t group_mask;  /* groups - 1; no arrays yet when ctrl is NULL */
    size_t count, room; /* keys; empty slots that may still be filled before a rehash */
    uint64_t seed;
    MapFlags flags;
    char *key_next, *key_end;
    KeyChunk *chunks;
    FreeKey *free_keys[KEY_CLASSES + 1]; /* by length in steps */
    size_t key_bytes;                    /* held for keys, chunk tails included */
};

static size_t slot_count(const Map *m) { return m->ctrl ? (m->group_mask + 1) * GROUP_SLOTS : 0; }

Map *map_create(MapFlags flags) {
    Map *m = NEW(Map);
    m->flags = flags;
    /* Each map its own order: filling one map in the order of another must not pile up. */
    m->seed = hash_u64(hash_process_seed() ^ (uint64_t)(uintptr_t)m);
    return m;
}

/* --- keys --- */

static char *key_from_chunk(Map *m, size_t steps) {
    size_t need = steps * KEY_STEP_BYTES;
    if ((size_t)(m->key_end - m->key_next) < need) {
        size_t cap = m->chunks ? MIN(m->chunks->cap * 2, (size_t)KEY_CHUNK_MAX_BYTES) : KEY_CHUNK_MIN_BYTES;
        KeyChunk *c = mem_alloc(sizeof *c + cap);
        *c = (KeyChunk){.prev = m->chunks, .cap = cap};
        m->chunks = c;
        m->key_next = c->data;
        m->key_end = c->data + cap;
        m->key_bytes += sizeof *c + cap;
    }
    char *p = m->key_next;
    m->key_next += need;
    return p;
}

static const char *key_copy(Map *m, Str key) {
    if (key.n == 0) return "";
    char *p;
    if (key.n > KEY_SMALL_BYTES) {
        p = mem_alloc(key.n);
        m->key_bytes += key.n;
    } else {
        size_t steps = (key.n + KEY_STEP_BYTES - 1) / KEY_STEP_BYTES;
        FreeKey *reuse = m->free_keys[steps];
        if (reuse) m->free_keys[steps] = reuse->next;
        p = reuse ? (char *)reuse : key_from_chunk(m, steps);
    }
    memcpy(p, key.p, key.n);
    return p;
}

static void key_release(Map *m, const Slot *slot) {
    if (m->flags & MAP_BORROW_KEYS || slot->key_n == 0) return;
    void *p = (void *)(uintptr_t)slot->key;
    if (slot->key_n > KEY_SMALL_BYTES) {
        m->key_bytes -= slot->key_n;
        mem_free(p);
    } else {
        size_t steps = (slot->key_n + KEY_STEP_BYTES - 1) / KEY_STEP_BYTES;
        FreeKey *f = p;
        f->next = m->free_keys[steps];
        m->free_keys[steps] = f;
    }
}

static void keys_done(Map *m) {
    if (m->flags & MAP_BORROW_KEYS) return;
    for (size_t i = 0, n = slot_count(m); i < n; i++)
        if (m->ctrl[i] < CTRL_EMPTY && m->slots[i].key_n > KEY_SMALL_BYTES) key_release(m, &m->slots[i]);
    while (m->chunks) {
        KeyChunk *c = m->chunks;
        m->chunks = c->prev;
        mem_free(c);
    }
    m->key_next = m->key_end = NULL;
    m->key_bytes = 0;
    memset(m->free_keys, 0, sizeof m->free_keys);
}

/* --- table --- */

static void table_alloc(Map *m, size_t groups) {
    size_t slots = groups * GROUP_SLOTS;
    m->slots = mem_alloc_array(slots, sizeof(Slot) + 1);
    /* Control bytes first would need the alignment of a group; malloc gives 16, and so it does for them. */
    m->ctrl = (uint8_t *)m->slots;
    m->slots = (Slot *)(void *)(m->ctrl + slots);
    memset(m->ctrl, CTRL_EMPTY, slots);
    m->group_mask = groups - 1;
    m->room = slots - slots / 8;
}

/* Index of a free slot for a hash; the table has one. */
static size_t find_free(const Map *m, uint32_t hash) {
    size_t g = hash & m->group_mask;
    for (size_t step = 1;; step++) {
        GroupMask free_mask = group_free(m->ctrl + g * GROUP_SLOTS);
        if (free_mask) return g * GROUP_SLOTS + mask_first(free_mask);
        g = (g + step) & m->group_mask;
    }
}

static void rehash(Map *m) {
    size_t old_slots_n = slot_count(m), groups = m->ctrl ? m->group_mask + 1 : 1;
    uint8_t *old_ctrl = m->ctrl;
    Slot *old_slots = m->slots;
    /* Deleted slots alone do not make the table grow. */
    if (old_ctrl && m->count > old_slots_n / 2) groups *= 2;
    ASSERT(groups <= (size_t)1 << 32);
    table_alloc(m, groups);
    for (size_t i = 0; i < old_slots_n; i++) {
        if (old_ctrl[i] >= CTRL_EMPTY) continue;
        size_t at = find_free(m, old_slots[i].hash);
        m->ctrl[at] = old_ctrl[i];
        m->slots[at] = old_slots[i];
    }
    m->room -= m->count;
    mem_free(old_ctrl);
}

static inline uint8_t hash_tag(uint64_t hash) { return (uint8_t)(hash >> 57); }

static inline Slot *find(const Map *m, Str key, uint64_t hash) {
    if (UNLIKELY(!m->ctrl)) return NULL;
    size_t g = (uint32_t)hash & m->group_mask;
    for (size_t step = 1;; step++) {
        const uint8_t *ctrl = m->ctrl + g * GROUP_SLOTS;
        for (GroupMask hits = group_match(ctrl, hash_tag(hash)); hits; hits &= hits - 1) {
            Slot *s = &m->slots[g * GROUP_SLOTS + mask_first(hits)];
            if (LIKELY(s->hash == (uint32_t)hash && s->key_n == key.n) &&
                (key.n == 0 || memcmp(s->key, key.p, key.n) == 0))
                return s;
        }
        if (LIKELY(group_empty(ctrl))) return NULL;
        g = (g + step) & m->group_mask;
    }
}

uint64_t *map_get(const Map *map, Str key) {
    Slot *s = find(map, key, hash_bytes(key.p, key.n, map->seed));
    return s ? &s->value : NULL;
}

uint64_t *map_put(Map *map, Str key, bool *ret_inserted) {
    uint64_t hash = hash_bytes(key.p, key.n, map->seed);
    Slot *s = find(map, key, hash);
    if (ret_inserted) *ret_inserted = !s;
    if (s) return &s->value;
    ASSERT(key.n <= UINT32_MAX);
    if (UNLIKELY(map->room == 0)) rehash(map);
    size_t at = find_free(map, (uint32_t)hash);
    if (map->ctrl[at] == CTRL_EMPTY) map->room--;
    map->ctrl[at] = hash_tag(hash);
    s = &map->slots[at];
    *s = (Slot){.key_n = (uint32_t)key.n, .hash = (uint32_t)hash};
    s->key = map->flags & MAP_BORROW_KEYS ? key.p : key_copy(map, key);
    map->count++;
    return &s->value;
}

bool map_remove(Map *map, Str key, uint64_t *ret_value) {
    Slot *s = find(map, key, hash_bytes(key.p, key.n, map->seed));
    if (!s) return false;
    if (ret_value) *ret_value = s->value;
    size_t at = (size_t)(s - map->slots);
    /* A group with an empty slot ends every search anyway, so this one may become empty as well. */
    bool ends_searches = group_empty(map->ctrl + at / GROUP_SLOTS * GROUP_SLOTS) != 0;
    map->ctrl[at] = ends_searches ? CTRL_EMPTY : CTRL_DELETED;
    if (ends_searches) map->room++;
    key_release(map, s);
    map->count--;
    return true;
}

void map_clear(Map *map) {
    keys_done(map);
    mem_free(map->ctrl);
    map->ctrl = NULL;
    map->slots = NULL;
    map->count = map->room = map->group_mask = 0;
}

Map *map_free(Map *map) {
    if (!map) return NULL;
    map_clear(map);
    mem_free(map);
    return NULL;
}

size_t map_count(const Map *map) { return map->count; }

size_t map_memory_bytes(const Map *map) { return sizeof *map + slot_count(map) * (sizeof(Slot) + 1) + map->key_bytes; }

bool map_next(const Map *map, size_t *it, Str *ret_key, uint64_t **ret_value) {
    for (size_t n = slot_count(map); *it < n; (*it)++) {
        if (map->ctrl[*it] >= CTRL_EMPTY) continue;
        Slot *s = &map->slots[(*it)++];
        if (ret_key) *ret_key = str_of(s->key, s->key_n);
        if (ret_value) *ret_value = &s->value;
        return true;
    }
    return false;
}
