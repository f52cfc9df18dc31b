#include "metrics/promql/workers.h"

typedef struct Shared {
    Mutex lock;
    Cond idle;
    unsigned refs;   /* jobs submitted and not ended, and the caller */
    unsigned inside; /* helpers that take work now */
    bool closed;     /* helpers that come later find nothing to do */
    _Atomic size_t next;
    size_t n;
    void (*fn)(void *ctx, size_t k);
    void *ctx;
} Shared;

static void work(Shared *s) {
    for (size_t k; (k = atomic_fetch_add(&s->next, 1)) < s->n;) s->fn(s->ctx, k);
}

/* With the lock held, which it gives back. */
static void unref(Shared *s) {
    bool last = --s->refs == 0;
    mutex_unlock(&s->lock);
    if (!last) return;
    cond_done(&s->idle);
    mutex_done(&s->lock);
    mem_free(s);
}

static void helper_main(void *ctx) {
    Shared *s = ctx;
    mutex_lock(&s->lock);
    if (!s->closed) {
        s->inside++;
        mutex_unlock(&s->lock);
        work(s);
        mutex_lock(&s->lock);
        if (--s->inside == 0) cond_signal(&s->idle);
    }
    unref(s);
}

void promql_parallel(Pool *pool, size_t n, void (*fn)(void *ctx, size_t k), void *ctx) {
    size_t helpers = pool ? MIN((size_t)thread_cpu_count(), n) : 1;
    if (helpers < 2) {
        for (size_t k = 0; k < n; k++) fn(ctx, k);
        return;
    }
    Shared *s = NEW(Shared);
    *s = (Shared){.n = n, .fn = fn, .ctx = ctx, .refs = 1};
    mutex_init(&s->lock);
    cond_init(&s->idle);
    for (size_t i = 1; i < helpers; i++) {
        mutex_lock(&s->lock);
        s->refs++;
        mutex_unlock(&s->lock);
        if (pool_submit(pool, helper_main, s) == OK) continue;
        mutex_lock(&s->lock); /* busy: fewer helpers do */
        s->refs--;
        mutex_unlock(&s->lock);
        break;
    }
    work(s);
    mutex_lock(&s->lock);
    s->closed = true;
    while (s->inside > 0) cond_wait(&s->idle, &s->lock);
    unref(s);
}
