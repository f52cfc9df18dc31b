#include "base/heap.h"

void heap_done(Heap *h) {
    mem_free(h->v);
    h->v = NULL;
    h->n = h->cap = 0;
}

static void sift_up(Heap *h, size_t i) {
    void *item = h->v[i];
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (h->cmp(item, h->v[parent], h->ctx) >= 0) break;
        h->v[i] = h->v[parent];
        i = parent;
    }
    h->v[i] = item;
}

static void sift_down(Heap *h, size_t i) {
    void *item = h->v[i];
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->cmp(h->v[child + 1], h->v[child], h->ctx) < 0) child++;
        if (h->cmp(item, h->v[child], h->ctx) <= 0) break;
        h->v[i] = h->v[child];
    }
    h->v[i] = item;
}

void heap_push(Heap *h, void *item) {
    ASSERT(h->cmp && item);
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->v = mem_realloc_array(h->v, h->cap, sizeof *h->v);
    }
    h->v[h->n++] = item;
    sift_up(h, h->n - 1);
}

void *heap_peek(const Heap *h) { return h->n ? h->v[0] : NULL; }

void *heap_pop(Heap *h) {
    if (h->n == 0) return NULL;
    void *top = h->v[0];
    h->v[0] = h->v[--h->n];
    if (h->n > 1) sift_down(h, 0);
    return top;
}

void heap_fix_top(Heap *h) {
    if (h->n > 1) sift_down(h, 0);
}
