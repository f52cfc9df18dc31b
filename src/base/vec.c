#include "base/vec.h"

/* At least `need`, at least half as much again as before, at least one cache line's worth. */
static size_t grown_cap(size_t need, size_t cap, size_t item_bytes) {
    size_t least = item_bytes < 16 ? 64 / (item_bytes ? item_bytes : 1) : 4;
    return MAX(MAX(need, least), cap > SIZE_MAX / 4 ? cap : cap + cap / 2 + 1);
}

void *vec_grow_(void *v, size_t need, size_t *cap, size_t item_bytes) {
    ASSERT(need > *cap);
    size_t new_cap = grown_cap(need, *cap, item_bytes);
    v = mem_realloc_array(v, new_cap, item_bytes);
    *cap = new_cap;
    return v;
}

bool avec_grow_(Arena *arena, void **v, size_t need, size_t *cap, size_t item_bytes) {
    ASSERT(need > *cap);
    /* Doubling, not half as much again: what an arena outgrows stays spent. */
    size_t new_cap = MAX(grown_cap(need, *cap, item_bytes), *cap * 2), new_bytes;
    if (__builtin_mul_overflow(new_cap, item_bytes, &new_bytes)) new_bytes = SIZE_MAX;
    void *grown = arena_grow(arena, *v, *cap * item_bytes, new_bytes);
    if (!grown) return false;
    *v = grown;
    *cap = new_cap;
    return true;
}
