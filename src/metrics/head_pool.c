/* head_pool.c - memory of a head: pieces that come and go while it lives, given back as a whole with it. */
#include "metrics/head_int.h"

void head_pool_init(HeadPool *p) { *p = (HeadPool){.arena = arena_create(ARENA_UNLIMITED), .units = SLAB_UNITS}; }

void head_pool_done(HeadPool *p) {
    for (uint32_t i = 0; i < p->n_slabs; i++) mem_free(p->slabs[i / SLAB_DIR][i % SLAB_DIR]);
    for (size_t d = 0; d < SLAB_DIRS; d++) mem_free(p->slabs[d]);
    arena_free(p->arena);
}

uint64_t head_pool_bytes(const HeadPool *p) {
    uint64_t units = p->n_slabs ? (uint64_t)(p->n_slabs - 1) * SLAB_UNITS + p->units : 0;
    return arena_used_bytes(p->arena) + units * SLAB_UNIT;
}

/* --- by pointer --- */
static unsigned size_class(size_t size_bytes) {
    unsigned c = 0;
    while (((size_t)64 << c) < size_bytes) c++;
    ASSERT(c < POOL_CLASSES);
    return c;
}

void *head_alloc(Head *h, size_t size_bytes) {
    unsigned c = size_class(size_bytes);
    void *p = h->pool.free[c];
    if (p) {
        memcpy(&h->pool.free[c], p, sizeof(void *));
    } else {
        p = arena_alloc(h->pool.arena, (size_t)64 << c);
        ASSERT(p);
        head_account(h);
    }
    return p;
}

void head_give_back(Head *h, void *p, size_t size_bytes) {
    if (!p) return;
    unsigned c = size_class(size_bytes);
    memcpy(p, &h->pool.free[c], sizeof(void *));
    h->pool.free[c] = p;
}

/* --- by reference --- */
static void slab_add(HeadPool *p) {
    uint32_t at = p->n_slabs;
    ASSERT(at < UINT32_MAX / SLAB_UNITS);
    uint8_t ***dir = &p->slabs[at / SLAB_DIR];
    if (!*dir) *dir = mem_alloc_zero(SLAB_DIR * sizeof **dir);
    (*dir)[at % SLAB_DIR] = mem_alloc(SLAB_UNITS * SLAB_UNIT);
    p->n_slabs++;
    p->units = at == 0; /* reference 0 is none */
}

HeadRef head_piece_take(Head *h, size_t size_bytes) {
    HeadPool *p = &h->pool;
    uint32_t units = (uint32_t)((size_bytes + SLAB_UNIT - 1) / SLAB_UNIT);
    DASSERT(units > 0 && units < SLAB_UNITS);
    if (units > SLAB_UNITS - p->units) slab_add(p);
    HeadRef ref = (p->n_slabs - 1) * SLAB_UNITS + p->units;
    p->units += units;
    head_account(h);
    return ref;
}

HeadRef head_piece_take_class(Head *h, unsigned class) {
    DASSERT(class < SLAB_CLASSES);
    HeadRef ref = h->pool.free_pieces[class];
    if (!ref) return head_piece_take(h, SLAB_UNIT << class);
    memcpy(&h->pool.free_pieces[class], head_piece(h, ref), sizeof ref);
    return ref;
}

void head_piece_give_back(Head *h, HeadRef ref, unsigned class) {
    memcpy(head_piece(h, ref), &h->pool.free_pieces[class], sizeof ref);
    h->pool.free_pieces[class] = ref;
}
