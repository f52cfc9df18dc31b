#include "logs/recent.h"

#include "logs/log_store.h"

#include <stdlib.h>

static void set_free(LogRecentSet *s) {
    mem_free(s->hashes);
    u64map_free(s->stream_max);
    *s = (LogRecentSet){0};
}

void recent_init(LogRecent *r) {
    *r = (LogRecent){0};
    mutex_init(&r->lock);
}

void recent_done(LogRecent *r) {
    for (size_t i = 0; i < r->n; i++) set_free(&r->sets[i]);
    r->n = 0;
    mutex_done(&r->lock);
}

static int cmp_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void recent_add(LogRecent *r, LogRecentSet set) {
    LogRecentSet dropped[LOG_RECENT_SETS];
    size_t n_dropped = 0;
    mutex_lock(&r->lock);
    if (r->n == LOG_RECENT_SETS) dropped[n_dropped++] = r->sets[--r->n];
    memmove(r->sets + 1, r->sets, r->n * sizeof r->sets[0]);
    r->sets[0] = set;
    r->n++;
    /* The newest set always stays, whatever its size: the head that was just flushed is what senders repeat. */
    size_t total = 0, keep = 0;
    while (keep < r->n && (keep == 0 || total + r->sets[keep].n <= LOG_RECENT_ROWS)) total += r->sets[keep++].n;
    while (r->n > keep) {
        ASSERT(n_dropped < LOG_RECENT_SETS);
        dropped[n_dropped++] = r->sets[--r->n];
    }
    mutex_unlock(&r->lock);
    for (size_t i = 0; i < n_dropped; i++) set_free(&dropped[i]);
}

void recent_clear(LogRecent *r) {
    mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++) set_free(&r->sets[i]);
    r->n = 0;
    mutex_unlock(&r->lock);
}

int64_t recent_stream_max(LogRecent *r, uint64_t stream_hash) {
    int64_t max_t = INT64_MIN;
    mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++) {
        uint64_t *v = u64map_get(r->sets[i].stream_max, stream_hash);
        if (v) max_t = MAX(max_t, (int64_t)*v);
    }
    mutex_unlock(&r->lock);
    return max_t;
}

static bool set_has(LogRecentSet *set, uint64_t hash) {
    if (set->n == 0) return false;
    if (!set->sorted) qsort(set->hashes, set->n, sizeof *set->hashes, cmp_u64);
    set->sorted = true;
    return bsearch(&hash, set->hashes, set->n, sizeof hash, cmp_u64) != NULL;
}

bool recent_has(LogRecent *r, uint64_t row_hash) {
    bool found = false;
    mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !found; i++) found = set_has(&r->sets[i], row_hash);
    mutex_unlock(&r->lock);
    return found;
}
