#include "sys/thread.h"

#include "base/num.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct Thread {
    pthread_t id;
    void (*fn)(void *ctx);
    void *ctx;
    char name[16];
};

static void *thread_main(void *arg) {
    Thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->fn(t->ctx);
    return NULL;
}

/* Faults must still reach the crash reporter: a blocked SIGSEGV kills without a word. */
static void fill_blocked_signals(sigset_t *set) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) sigdelset(set, faults[i]);
}

Thread *thread_start(const char *name, void (*fn)(void *ctx), void *ctx) {
    Thread *t = NEW(Thread);
    t->fn = fn;
    t->ctx = ctx;
    snprintf(t->name, sizeof t->name, "%.15s", name);
    sigset_t blocked, before;
    fill_blocked_signals(&blocked);
    ASSERT(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
    int rc = pthread_create(&t->id, NULL, thread_main, t);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc == 0) return t;
    ASSERT(rc == EAGAIN);
    mem_free(t);
    return NULL;
}

void thread_join(Thread *t) {
    if (!t) return;
    ASSERT(pthread_join(t->id, NULL) == 0);
    mem_free(t);
}

/* A small text file of the kernel into buf; its length, 0 when it cannot be read. */
static Str read_proc(const char *path, char *buf, size_t cap) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return STR_NULL;
    ssize_t n = read(fd, buf, cap);
    close(fd);
    return n > 0 ? str_trim(str_of(buf, (size_t)n)) : STR_NULL;
}

/* CPUs granted by one cgroup v2 directory ("max 100000" or "150000 100000"), rounded up; 0 for no limit. */
static uint64_t cgroup_cpus(const char *dir) {
    char path[640], buf[64];
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    Str rest = read_proc(path, buf, sizeof buf), quota, period;
    uint64_t quota_us, period_us;
    if (!str_split_next(&rest, ' ', &quota) || !str_split_next(&rest, ' ', &period)) return 0;
    if (!num_parse_u64(quota, &quota_us) || !num_parse_u64(period, &period_us) || period_us == 0) return 0;
    return (quota_us + period_us - 1) / period_us;
}

/* The tightest quota on the way from this process's cgroup to the root; 0 for none. */
static uint64_t cgroup_cpu_limit(void) {
    char buf[512], dir[600];
    Str rest = read_proc("/proc/self/cgroup", buf, sizeof buf), line, own = STR("/");
    while (str_split_next(&rest, '\n', &line))
        if (str_starts_with(line, STR("0::/"))) own = str_skip(line, 3);
    uint64_t limit = 0;
    for (;;) {
        snprintf(dir, sizeof dir, "/sys/fs/cgroup%" STR_FMT, STR_ARG(own));
        uint64_t cpus = cgroup_cpus(dir);
        if (cpus && (!limit || cpus < limit)) limit = cpus;
        if (own.n <= 1) break;
        size_t slash = str_rfind_char(own, '/');
        own = str_slice(own, 0, slash == SIZE_MAX || slash == 0 ? 1 : slash);
    }
    return limit;
}

static unsigned count_cpus(void) {
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 0;
    if (n == 0) { /* more CPUs than the set has room for */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        n = online > 0 ? (unsigned)online : 1;
    }
    uint64_t limit = cgroup_cpu_limit();
    return limit && limit < n ? (unsigned)limit : n;
}

/* Asked by every query, while quotas change rarely: looked up once a second. */
unsigned thread_cpu_count(void) {
    static _Atomic uint64_t known; /* second of the clock, count */
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0);
    uint64_t v = atomic_load(&known), second = (uint64_t)now.tv_sec + 1;
    if (v >> 32 == (second & UINT32_MAX)) return (unsigned)(v & UINT32_MAX);
    unsigned n = count_cpus();
    atomic_store(&known, second << 32 | n);
    return n;
}

void mutex_init(Mutex *m) { ASSERT(pthread_mutex_init(&m->m, NULL) == 0); }
void mutex_done(Mutex *m) { ASSERT(pthread_mutex_destroy(&m->m) == 0); }
void mutex_lock(Mutex *m) { ASSERT(pthread_mutex_lock(&m->m) == 0); }
void mutex_unlock(Mutex *m) { ASSERT(pthread_mutex_unlock(&m->m) == 0); }

void cond_init(Cond *c) {
    pthread_condattr_t attr;
    ASSERT(pthread_condattr_init(&attr) == 0);
    ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&c->c, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void cond_done(Cond *c) { ASSERT(pthread_cond_destroy(&c->c) == 0); }
void cond_wait(Cond *c, Mutex *m) { ASSERT(pthread_cond_wait(&c->c, &m->m) == 0); }

bool cond_wait_ms(Cond *c, Mutex *m, int64_t timeout_ms) {
    timeout_ms = timeout_ms < 0 ? 0 : MIN(timeout_ms, INT64_C(1) << 40);
    return cond_wait_until(c, m, clock_mono_ns() + timeout_ms * NS_PER_MS);
}

bool cond_wait_until(Cond *c, Mutex *m, int64_t mono_ns) {
    mono_ns = clock_real_mono_ns(mono_ns);
    struct timespec until = {.tv_sec = mono_ns / NS_PER_S, .tv_nsec = mono_ns % NS_PER_S};
    int rc = pthread_cond_timedwait(&c->c, &m->m, &until);
    ASSERT(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(Cond *c) { ASSERT(pthread_cond_signal(&c->c) == 0); }
void cond_broadcast(Cond *c) { ASSERT(pthread_cond_broadcast(&c->c) == 0); }

void latch_init(Latch *l) { ASSERT(sem_init(&l->s, 0, 0) == 0); }
void latch_done(Latch *l) { ASSERT(sem_destroy(&l->s) == 0); }
void latch_open(Latch *l) { ASSERT(sem_post(&l->s) == 0); }
void latch_wait(Latch *l) {
    while (sem_wait(&l->s) != 0) ASSERT(errno == EINTR);
}

void rwlock_init(RwLock *l) { ASSERT(pthread_rwlock_init(&l->l, NULL) == 0); }
void rwlock_done(RwLock *l) { ASSERT(pthread_rwlock_destroy(&l->l) == 0); }
void rwlock_read(RwLock *l) { ASSERT(pthread_rwlock_rdlock(&l->l) == 0); }
void rwlock_write(RwLock *l) { ASSERT(pthread_rwlock_wrlock(&l->l) == 0); }
void rwlock_unlock(RwLock *l) { ASSERT(pthread_rwlock_unlock(&l->l) == 0); }
