#include "sys/thread.h"

#include <stdio.h>

typedef struct Job {
    void (*fn)(void *ctx);
    void *ctx;
} Job;

struct Pool {
    Mutex lock;
    Cond work;
    char name[16];
    Thread **threads;
    unsigned threads_max, started, idle;
    Job *ring; /* grows by doubling; capacity is a power of two */
    size_t cap, head, queue_max;
    bool stopping;
    _Atomic size_t queued; /* written under the lock, read without it by pool_queued */
};

Pool *pool_create(const char *name, unsigned threads, size_t queue_max) {
    ASSERT(threads > 0 && queue_max > 0);
    Pool *pool = NEW(Pool);
    snprintf(pool->name, sizeof pool->name, "%.15s", name);
    pool->threads = mem_alloc_array(threads, sizeof(Thread *));
    pool->threads_max = threads;
    pool->queue_max = queue_max;
    mutex_init(&pool->lock);
    cond_init(&pool->work);
    return pool;
}

/* Waits for a job under the lock; false when the pool stops and nothing is left. */
static bool take_job(Pool *pool, Job *ret) {
    pool->idle++;
    while (atomic_load(&pool->queued) == 0 && !pool->stopping) cond_wait(&pool->work, &pool->lock);
    pool->idle--;
    if (atomic_load(&pool->queued) == 0) return false;
    *ret = pool->ring[pool->head++ & (pool->cap - 1)];
    atomic_fetch_sub(&pool->queued, 1);
    return true;
}

static void worker_main(void *ctx) {
    Pool *pool = ctx;
    Job job;
    mutex_lock(&pool->lock);
    while (take_job(pool, &job)) {
        mutex_unlock(&pool->lock);
        job.fn(job.ctx);
        mutex_lock(&pool->lock);
    }
    mutex_unlock(&pool->lock);
}

static void grow_ring(Pool *pool) {
    size_t cap = pool->cap ? pool->cap * 2 : 16, n = atomic_load(&pool->queued);
    Job *ring = mem_alloc_array(cap, sizeof *ring);
    for (size_t i = 0; i < n; i++) ring[i] = pool->ring[(pool->head + i) & (pool->cap - 1)];
    mem_free(pool->ring);
    pool->ring = ring;
    pool->cap = cap;
    pool->head = 0;
}

static ErrCode submit_locked(Pool *pool, Job job) {
    size_t n = atomic_load(&pool->queued);
    if (pool->stopping) return ERR_UNAVAILABLE;
    if (n >= pool->queue_max) return ERR_OVERLOADED;
    if (n >= pool->idle && pool->started < pool->threads_max) {
        Thread *t = thread_start(pool->name, worker_main, pool);
        if (t) pool->threads[pool->started++] = t;
        if (pool->started == 0) return ERR_OVERLOADED;
    }
    if (n == pool->cap) grow_ring(pool);
    pool->ring[(pool->head + n) & (pool->cap - 1)] = job;
    atomic_store(&pool->queued, n + 1);
    return OK;
}

ErrCode pool_submit(Pool *pool, void (*fn)(void *ctx), void *ctx) {
    mutex_lock(&pool->lock);
    ErrCode code = submit_locked(pool, (Job){fn, ctx});
    mutex_unlock(&pool->lock);
    if (code == OK) cond_signal(&pool->work); /* not under the lock, which the thread would have to wait for at once */
    return code;
}

size_t pool_queued(const Pool *pool) { return atomic_load(&pool->queued); }

void pool_stop(Pool *pool) {
    mutex_lock(&pool->lock);
    bool first = !pool->stopping;
    pool->stopping = true;
    cond_broadcast(&pool->work);
    mutex_unlock(&pool->lock);
    if (!first) return;
    for (unsigned i = 0; i < pool->started; i++) thread_join(pool->threads[i]);
    ASSERT(atomic_load(&pool->queued) == 0);
}

Pool *pool_free(Pool *pool) {
    if (!pool) return NULL;
    pool_stop(pool);
    mutex_done(&pool->lock);
    cond_done(&pool->work);
    mem_free(pool->threads);
    mem_free(pool->ring);
    mem_free(pool);
    return NULL;
}
