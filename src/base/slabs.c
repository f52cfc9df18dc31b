#include "base/slabs.h"

static uint32_t units_of_slab(const Slabs *s) { return UINT32_C(1) << (SLAB_LOG - s->unit_log); }

void slabs_init(Slabs *s, unsigned unit_log) {
    ASSERT(unit_log >= 2 && unit_log <= 12);
    *s = (Slabs){.unit_log = unit_log};
    s->used = units_of_slab(s);
}

void slabs_done(Slabs *s) {
    for (uint32_t i = 0; i < s->n; i++) mem_free(s->dirs[i / SLABS_PER_DIR][i % SLABS_PER_DIR]);
    for (size_t d = 0; d < SLAB_DIRS; d++) mem_free(s->dirs[d]);
}

static void add(Slabs *s) {
    uint32_t at = s->n, most = (uint32_t)((UINT64_C(1) << 32) >> (SLAB_LOG - s->unit_log));
    ASSERT(at < MIN(most, SLAB_DIRS * SLABS_PER_DIR));
    uint8_t ***dir = &s->dirs[at / SLABS_PER_DIR];
    if (!*dir) *dir = mem_alloc_zero(SLABS_PER_DIR * sizeof **dir);
    (*dir)[at % SLABS_PER_DIR] = mem_alloc((size_t)1 << SLAB_LOG);
    s->n++;
    s->used = at == 0; /* reference 0 is none */
}

SlabRef slabs_take(Slabs *s, uint32_t units) {
    ASSERT(units > 0 && units < units_of_slab(s));
    if (units > units_of_slab(s) - s->used) add(s);
    SlabRef ref = (s->n - 1) * units_of_slab(s) + s->used;
    s->used += units;
    return ref;
}

uint64_t slabs_bytes(const Slabs *s) {
    return s->n ? ((uint64_t)(s->n - 1) << SLAB_LOG) + ((uint64_t)s->used << s->unit_log) : 0;
}
