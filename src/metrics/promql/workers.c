#include "metrics/promql/workers.h"

#include "sys/clock.h"

#define SPIN_NS 100000 /* about what a thread's sleep and its waking cost */

typedef struct Shared {
    Mutex lock;
    Cond idle;
    unsigned refs;           /* jobs submitted and not ended, and the caller */
    _Atomic unsigned inside; /* helpers that take work now; changed with the lock held */
    bool closed;             /* helpers that come later find nothing to do */
    bool waits;              /* the caller sleeps */
    _Atomic size_t next;
    size_t n;
    void (*fn)(void *ctx, size_t k);
    void *ctx;
} Shared;

static void work(Shared *s) {
    for (size_t k; (k = atomic_fetch_add(&s->next, 1)) < s->n;) s->fn(s->ctx, k);
}

static void unref(Shared *s) {
    mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    mutex_unlock(&s->lock);
    if (!last) return;
    cond_done(&s->idle);
    mutex_done(&s->lock);
    mem_free(s);
}

static bool enter(Shared *s) {
    mutex_lock(&s->lock);
    bool open = !s->closed;
    if (open) atomic_fetch_add(&s->inside, 1);
    mutex_unlock(&s->lock);
    return open;
}

static void leave(Shared *s) {
    mutex_lock(&s->lock);
    bool wake = atomic_fetch_sub(&s->inside, 1) == 1 && s->waits;
    mutex_unlock(&s->lock);
    if (wake) cond_signal(&s->idle);
}

static void helper_main(void *ctx) {
    Shared *s = ctx;
    if (enter(s)) {
        work(s);
        leave(s);
    }
    unref(s);
}

/* Helpers are at their last piece of work, which often ends sooner than a thread sleeps and wakes. */
static void wait_for_helpers(Shared *s) {
    mutex_lock(&s->lock);
    s->closed = true;
    mutex_unlock(&s->lock);
    for (int64_t begin = clock_mono_ns(); atomic_load(&s->inside) > 0 && clock_mono_ns() - begin < SPIN_NS;)
        thread_relax();
    mutex_lock(&s->lock);
    s->waits = true;
    while (atomic_load(&s->inside) > 0) cond_wait(&s->idle, &s->lock);
    mutex_unlock(&s->lock);
}

void promql_parallel(Pool *pool, size_t n, void (*fn)(void *ctx, size_t k), void *ctx) {
    size_t helpers = pool ? MIN((size_t)thread_cpu_count(), n) : 1;
    if (helpers < 2) {
        for (size_t k = 0; k < n; k++) fn(ctx, k);
        return;
    }
    Shared *s = NEW(Shared);
    *s = (Shared){.n = n, .fn = fn, .ctx = ctx, .refs = (unsigned)helpers};
    mutex_init(&s->lock);
    cond_init(&s->idle);
    for (size_t i = 1; i < helpers; i++)
        if (pool_submit(pool, helper_main, s) != OK) unref(s); /* busy: fewer helpers do */
    work(s);
    wait_for_helpers(s);
    unref(s);
}
