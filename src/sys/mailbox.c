#include "sys/mailbox.h"

#include "base/timefmt.h"
#include "sys/thread.h"

#include <time.h>

typedef struct Slot {
    void *item;
    size_t bytes;
} Slot;

struct Mailbox {
    Mutex lock;
    Cond filled;
    Slot *ring; /* capacity is a power of two */
    size_t cap, head, bytes;
    size_t items_max, bytes_max;
    bool waiting;
    /* Written under the lock, read without it by mailbox_count and mailbox_is_closed. */
    _Atomic size_t n;
    atomic_bool closed;
};

Mailbox *mailbox_create(size_t items_max, size_t bytes_max) {
    ASSERT(items_max > 0);
    Mailbox *mb = NEW(Mailbox);
    mb->items_max = items_max;
    mb->bytes_max = bytes_max;
    mutex_init(&mb->lock);
    cond_init(&mb->filled);
    return mb;
}

Mailbox *mailbox_free(Mailbox *mb) {
    if (!mb) return NULL;
    mutex_done(&mb->lock);
    cond_done(&mb->filled);
    mem_free(mb->ring);
    mem_free(mb);
    return NULL;
}

static void grow_ring(Mailbox *mb) {
    size_t cap = mb->cap ? mb->cap * 2 : 16;
    Slot *ring = mem_alloc_array(cap, sizeof *ring);
    size_t n = atomic_load(&mb->n);
    for (size_t i = 0; i < n; i++) ring[i] = mb->ring[(mb->head + i) & (mb->cap - 1)];
    mem_free(mb->ring);
    mb->ring = ring;
    mb->cap = cap;
    mb->head = 0;
}

static ErrCode put_locked(Mailbox *mb, void *item, size_t bytes) {
    size_t n = atomic_load(&mb->n);
    if (atomic_load(&mb->closed)) return ERR_UNAVAILABLE;
    if (n >= mb->items_max) return ERR_OVERLOADED;
    if (n > 0 && (mb->bytes >= mb->bytes_max || bytes > mb->bytes_max - mb->bytes)) return ERR_OVERLOADED;
    if (n == mb->cap) grow_ring(mb);
    mb->ring[(mb->head + n) & (mb->cap - 1)] = (Slot){item, bytes};
    mb->bytes += bytes;
    atomic_store(&mb->n, n + 1);
    if (mb->waiting) cond_signal(&mb->filled);
    return OK;
}

ErrCode mailbox_put(Mailbox *mb, void *item, size_t bytes) {
    mutex_lock(&mb->lock);
    ErrCode code = put_locked(mb, item, bytes);
    mutex_unlock(&mb->lock);
    return code;
}

static int64_t real_mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * MS_PER_S + t.tv_nsec / NS_PER_MS;
}

static void wait_filled(Mailbox *mb, int64_t timeout_ms) {
    int64_t until_ms = timeout_ms > 0 ? real_mono_ms() + MIN(timeout_ms, INT64_C(1) << 40) : 0;
    mb->waiting = true;
    while (atomic_load(&mb->n) == 0 && !atomic_load(&mb->closed)) {
        if (timeout_ms < 0) {
            cond_wait(&mb->filled, &mb->lock);
            continue;
        }
        int64_t left_ms = until_ms - real_mono_ms();
        if (timeout_ms == 0 || left_ms <= 0) break;
        cond_wait_ms(&mb->filled, &mb->lock, left_ms);
    }
    mb->waiting = false;
}

size_t mailbox_take(Mailbox *mb, void **items, size_t max, int64_t timeout_ms) {
    ASSERT(max > 0);
    mutex_lock(&mb->lock);
    ASSERT(!mb->waiting); /* one consumer */
    wait_filled(mb, timeout_ms);
    size_t n = atomic_load(&mb->n), take = MIN(n, max);
    for (size_t i = 0; i < take; i++) {
        Slot *slot = &mb->ring[(mb->head + i) & (mb->cap - 1)];
        items[i] = slot->item;
        ASSERT(mb->bytes >= slot->bytes);
        mb->bytes -= slot->bytes;
    }
    mb->head += take;
    atomic_store(&mb->n, n - take);
    mutex_unlock(&mb->lock);
    return take;
}

void mailbox_close(Mailbox *mb) {
    mutex_lock(&mb->lock);
    atomic_store(&mb->closed, true);
    cond_broadcast(&mb->filled);
    mutex_unlock(&mb->lock);
}

bool mailbox_is_closed(const Mailbox *mb) { return atomic_load(&mb->closed); }

size_t mailbox_count(const Mailbox *mb) { return atomic_load(&mb->n); }
