/* head_pool.c - memory of a head: pieces that come and go while it lives, given back as a whole with it. */
#include "metrics/head_int.h"

void head_pool_init(HeadPool *p) {
    *p = (HeadPool){.arena = arena_create(ARENA_UNLIMITED)};
    slabs_init(&p->pieces, PIECE_UNIT_LOG);
}

void head_pool_done(HeadPool *p) {
    slabs_done(&p->pieces);
    arena_free(p->arena);
}

uint64_t head_pool_bytes(const HeadPool *p) { return arena_used_bytes(p->arena) + slabs_bytes(&p->pieces); }

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
SlabRef head_piece_take(Head *h, size_t size_bytes) {
    size_t unit = (size_t)1 << PIECE_UNIT_LOG;
    SlabRef ref = slabs_take(&h->pool.pieces, (uint32_t)((size_bytes + unit - 1) / unit));
    head_account(h);
    return ref;
}

SlabRef head_piece_take_class(Head *h, unsigned class) {
    DASSERT(class < PIECE_CLASSES);
    SlabRef ref = h->pool.free_pieces[class];
    if (!ref) return head_piece_take(h, (size_t)1 << (PIECE_UNIT_LOG + class));
    memcpy(&h->pool.free_pieces[class], head_piece(h, ref), sizeof ref);
    return ref;
}

void head_piece_give_back(Head *h, SlabRef ref, unsigned class) {
    memcpy(head_piece(h, ref), &h->pool.free_pieces[class], sizeof ref);
    h->pool.free_pieces[class] = ref;
}
