/* heap.h - binary min-heap of pointers with a comparison function (k-way merges, timers, top-k). */
#ifndef MEERKAT_BASE_HEAP_H
#define MEERKAT_BASE_HEAP_H

#include "base/base.h"

typedef struct Heap {
    void **v;
    size_t n, cap;
    int (*cmp)(const void *a, const void *b, void *ctx); /* <0: a comes first */
    void *ctx;
} Heap;

void heap_done(Heap *h); /* frees the array, not the items */
void heap_push(Heap *h, void *item);
void *heap_peek(const Heap *h); /* NULL when empty */
void *heap_pop(Heap *h);        /* NULL when empty */
void heap_fix_top(Heap *h);     /* after the top item's key changed */

#endif
