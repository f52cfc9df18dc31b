/* head.c - a generation of samples: its life, its pages, its memory. */
#include "metrics/head_int.h"

#define TICK_MS (5 * 60 * 1000)
#define TICK_MAX 127
#define CHUNK_BUDGET_BYTES ((size_t)24 << 20) /* for open chunks beyond their least length */

static Head *create(uint64_t epoch, SeriesIndex *index) {
    Head *h = NEW(Head);
    atomic_init(&h->refs, 1);
    h->epoch = epoch;
    h->index = index;
    for (size_t i = 0; i < HEAD_SHARDS; i++) mutex_init(&h->shards[i].lock);
    head_pool_init(&h->pool);
    h->chunk_max = HEAD_CHUNK_MAX;
    h->tick = 1;
    atomic_init(&h->min_t, INT64_MAX);
    atomic_init(&h->max_t, INT64_MIN);
    return h;
}

Head *head_create(uint64_t epoch) { return create(epoch, series_index_create()); }

Head *head_create_after(const Head *old, bool keep_index) {
    uint64_t recent = MAX(old->n_this_tick, old->n_last_tick);
    bool dead = !keep_index && old->index->n_series > recent + recent / 2;
    Head *h = create(old->epoch + 1, dead ? series_index_create() : series_index_ref(old->index));
    h->n_last_tick = (uint32_t)recent;
    h->tick_ms = old->tick_ms;
    return h;
}

static void head_free(Head *h) {
    for (size_t d = 0; d < HEAD_DIRS; d++) {
        HeadDir *dir = h->dirs[d];
        mem_free(dir); /* its pages are the pool's */
    }
    vec_done(&h->symbols_logged);
    head_pool_done(&h->pool);
    buf_done(&h->scratch);
    for (size_t i = 0; i < HEAD_SHARDS; i++) mutex_done(&h->shards[i].lock);
    series_index_unref(h->index);
    mem_free(h);
}

Head *head_ref(Head *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

void head_unref(Head *h) {
    if (h && atomic_fetch_sub(&h->refs, 1) == 1) head_free(h);
}

bool head_same_index(const Head *a, const Head *b) { return a->index == b->index; }

uint64_t head_epoch(const Head *h) { return h->epoch; }
void head_set_epoch(Head *h, uint64_t epoch) { h->epoch = epoch; }
void head_lock_read(Head *h) { rwlock_read(&h->index->lock); }
void head_lock_write(Head *h) { rwlock_write(&h->index->lock); }
void head_unlock(Head *h) { rwlock_unlock(&h->index->lock); }

/* --- pages --- */
void head_account(Head *h) { h->sample_bytes = head_pool_bytes(&h->pool); }

static HeadPage *page_make(Head *h, uint32_t id) {
    _Atomic(HeadDir *) *d = &h->dirs[id / (HEAD_PAGE * HEAD_DIR)];
    if (!*d) atomic_store_explicit(d, NEW(HeadDir), memory_order_release);
    /* No series across two cache lines. */
    uintptr_t raw = (uintptr_t)arena_alloc_zero(h->pool.arena, sizeof(HeadPage) + sizeof(HeadSeries));
    ASSERT(raw);
    HeadPage *p = (HeadPage *)((raw + sizeof(HeadSeries) - 1) & ~(uintptr_t)(sizeof(HeadSeries) - 1));
    atomic_store_explicit(&(**d)[id / HEAD_PAGE % HEAD_DIR], p, memory_order_release);
    h->n_pages++;
    head_account(h);
    size_t each = CHUNK_BUDGET_BYTES / (h->n_pages * HEAD_PAGE) / sizeof(uint64_t);
    h->chunk_max = each >= HEAD_CHUNK_MAX       ? HEAD_CHUNK_MAX
                   : each >= HEAD_CHUNK_MIN * 2 ? HEAD_CHUNK_MIN * 2
                                                : HEAD_CHUNK_MIN;
    return p;
}

HeadSeries *head_series_make(Head *h, uint32_t id) {
    HeadPage *p = head_page(h, id);
    if (UNLIKELY(!p)) p = page_make(h, id);
    return &p->series[id % HEAD_PAGE];
}

void head_prefetch(const Head *h, uint32_t id) {
    const HeadSeries *s = head_series(h, id);
    if (s) __builtin_prefetch(s, 1);
}

/* --- what the log knows --- */
bool head_series_logged(const Head *h, uint32_t id) {
    const HeadPage *p = head_page(h, id);
    return p && p->logged[1][id % HEAD_PAGE / 64] >> (id % 64) & 1;
}

bool head_symbol_logged(const Head *h, uint32_t symbol) {
    return symbol < h->symbols_logged.n && h->symbols_logged.v[symbol] >= 2;
}

static void mark_series(Head *h, uint32_t id) {
    HeadPage *p = head_page(h, id);
    if (!p) p = page_make(h, id);
    size_t word = id % HEAD_PAGE / 64;
    uint64_t bit = UINT64_C(1) << (id % 64);
    bool once = p->logged[0][word] & bit; /* only the writer changes them */
    atomic_fetch_or_explicit(&p->logged[once][word], bit, memory_order_relaxed);
}

void head_mark_logged(Head *h, const uint32_t *series, size_t n_series, const uint32_t *symbols, size_t n_symbols) {
    for (size_t i = 0; i < n_series; i++) mark_series(h, series[i]);
    if (n_symbols == 0) return;
    head_lock_write(h);
    for (size_t i = 0; i < n_symbols; i++) {
        while (h->symbols_logged.n <= symbols[i]) vec_push(&h->symbols_logged, 0);
        if (h->symbols_logged.v[symbols[i]] < 2) h->symbols_logged.v[symbols[i]]++;
    }
    head_unlock(h);
}

/* --- statistics --- */
void head_tick(Head *h, int64_t now_ms) {
    if (now_ms - h->tick_ms < TICK_MS && now_ms >= h->tick_ms) return;
    h->tick_ms = now_ms;
    h->n_last_tick = h->n_this_tick;
    h->n_this_tick = 0;
    h->tick = h->tick == TICK_MAX ? 1 : (uint8_t)(h->tick + 1);
}

void head_stats(const Head *h, HeadStats *ret) {
    *ret = (HeadStats){.series = h->n_active,
        .recent = MAX(h->n_this_tick, h->n_last_tick),
        .index_series = h->index->n_series,
        .samples = h->n_samples,
        .histograms = h->n_histograms,
        .sample_bytes = h->sample_bytes,
        .index_bytes = h->index->bytes,
        .min_t = h->min_t,
        .max_t = h->max_t};
}
