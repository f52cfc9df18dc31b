#include "metrics/head.h"

#include <stdlib.h>

void sample_buf_done(SampleBuf *b) {
    mem_free(b->t);
    mem_free(b->v);
    mem_free(b->start);
    *b = (SampleBuf){0};
}

void sample_buf_clear(SampleBuf *b) {
    b->n = 0;
    b->unsorted = b->has_starts = false;
}

int64_t *sample_buf_starts(SampleBuf *b, size_t from) {
    if (b->start_cap < b->cap) {
        b->start_cap = b->cap;
        b->start = mem_realloc_array(b->start, b->cap, sizeof *b->start);
    }
    if (!b->has_starts && from) memset(b->start, 0, from * sizeof *b->start);
    b->has_starts = true;
    return b->start + from;
}

void sample_buf_reserve(SampleBuf *b, size_t extra) {
    if (b->n + extra <= b->cap) return;
    size_t cap = MAX(b->n + extra, b->cap * 2);
    b->t = mem_realloc_array(b->t, cap, sizeof *b->t);
    b->v = mem_realloc_array(b->v, cap, sizeof *b->v);
    b->cap = cap;
}

size_t times_lower_bound(const int64_t *t, size_t n, int64_t x) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void sample_buf_add(SampleBuf *b, const int64_t *t, const double *v, size_t n, int64_t min_t, int64_t max_t) {
    size_t from = n && t[0] >= min_t ? 0 : times_lower_bound(t, n, min_t);
    size_t to = n && t[n - 1] <= max_t ? n : (max_t == INT64_MAX ? n : times_lower_bound(t, n, max_t + 1));
    if (from >= to) return;
    sample_buf_reserve(b, to - from);
    if (b->n && t[from] <= b->t[b->n - 1]) b->unsorted = true;
    memcpy(b->t + b->n, t + from, (to - from) * sizeof *t);
    memcpy(b->v + b->n, v + from, (to - from) * sizeof *v);
    b->n += to - from;
    if (b->has_starts) memset(sample_buf_starts(b, b->n - (to - from)), 0, (to - from) * sizeof *b->start);
}

typedef struct Item {
    int64_t t;
    size_t order;
    double v;
    int64_t start;
} Item;

static int item_cmp(const void *a, const void *b) {
    const Item *x = a, *y = b;
    if (x->t != y->t) return x->t < y->t ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void sample_buf_finish(SampleBuf *b) {
    if (!b->unsorted) return;
    Item *items = mem_alloc_array(b->n, sizeof *items);
    for (size_t i = 0; i < b->n; i++) items[i] = (Item){b->t[i], i, b->v[i], b->has_starts ? b->start[i] : 0};
    qsort(items, b->n, sizeof *items, item_cmp);
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (n && b->t[n - 1] == items[i].t) n--;
        if (b->has_starts) b->start[n] = items[i].start;
        b->t[n] = items[i].t;
        b->v[n++] = items[i].v;
    }
    b->n = n;
    b->unsorted = false;
    mem_free(items);
}

/* Stable (of equal times the one appended last stays); overlaps are rare and short. */
void histograms_finish(HistogramRefs *h) {
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        HistogramRef x = h->v[i];
        size_t at = n;
        while (at > 0 && h->v[at - 1].t > x.t) at--;
        if (at > 0 && h->v[at - 1].t == x.t) {
            h->v[at - 1] = x;
            continue;
        }
        memmove(&h->v[at + 1], &h->v[at], (n - at) * sizeof *h->v);
        h->v[at] = x;
        n++;
    }
    h->n = n;
}
