/* thread.h - threads, locks, condition variables, and a worker pool. The only creators of concurrency. */
#ifndef MEERKAT_SYS_THREAD_H
#define MEERKAT_SYS_THREAD_H

#include "base/base.h"
#include "base/err.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

typedef struct Thread Thread;
/* name: at most 15 bytes (the rest is cut), visible in top. Signals are blocked in the new thread, except those
 * that report its own faults (SIGSEGV and the like). NULL when the system refuses another thread. */
ATTR_MUST Thread *thread_start(const char *name, void (*fn)(void *ctx), void *ctx);
void thread_join(Thread *t);     /* frees t; NULL is fine */
unsigned thread_cpu_count(void); /* usable by this process (affinity, cgroup quota rounded up) */

/* In a loop that waits for another thread for a few microseconds. */
static inline void thread_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef struct Mutex {
    pthread_mutex_t m;
} Mutex;
typedef struct Cond {
    pthread_cond_t c;
} Cond;
typedef struct RwLock {
    pthread_rwlock_t l;
} RwLock;
void mutex_init(Mutex *m);
void mutex_done(Mutex *m);
void mutex_lock(Mutex *m);
void mutex_unlock(Mutex *m);
void cond_init(Cond *c); /* on the monotonic clock */
void cond_done(Cond *c);
void cond_wait(Cond *c, Mutex *m);
bool cond_wait_ms(Cond *c, Mutex *m, int64_t timeout_ms); /* false: timed out */
bool cond_wait_until(Cond *c, Mutex *m, int64_t mono_ns); /* until a moment of clock_mono_ns; false: it has come */
void cond_signal(Cond *c);
void cond_broadcast(Cond *c);
void rwlock_init(RwLock *l);
void rwlock_done(RwLock *l);
void rwlock_read(RwLock *l);
void rwlock_write(RwLock *l);
void rwlock_unlock(RwLock *l);

/* One thread waits, once; another opens. The waiter may have freed it before latch_open returns: what is signalled
 * under a lock costs two more turns, because the waiter wakes up only to find that lock taken. */
typedef struct Latch {
    sem_t s;
} Latch;
void latch_init(Latch *l);
void latch_done(Latch *l);
void latch_wait(Latch *l);
void latch_open(Latch *l);

/* Fixed pool with a bounded queue. pool_submit gives ERR_OVERLOADED when the queue is full (or the system refuses
 * the pool its first thread) and ERR_UNAVAILABLE after pool_stop. Threads are started on demand up to `threads`. */
typedef struct Pool Pool;
ATTR_MUST Pool *pool_create(const char *name, unsigned threads, size_t queue_max);
ErrCode pool_submit(Pool *pool, void (*fn)(void *ctx), void *ctx);
size_t pool_queued(const Pool *pool); /* waiting, not yet running; a moment's view */
void pool_stop(Pool *pool);           /* runs what is queued, joins; not from a worker; twice is fine */
Pool *pool_free(Pool *pool);          /* stops it first; NULL is fine; returns NULL */

#endif
