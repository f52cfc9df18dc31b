#include "sys/thread.h"

#include "sys/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct Probe {
    char name[16];
    bool term_blocked, segv_blocked;
} Probe;

static void probe_main(void *ctx) {
    Probe *p = ctx;
    sigset_t set;
    pthread_getname_np(pthread_self(), p->name, sizeof p->name);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    p->term_blocked = sigismember(&set, SIGTERM);
    p->segv_blocked = sigismember(&set, SIGSEGV);
}

static void test_thread(void **state) {
    (void)state;
    Probe p;
    Thread *t = thread_start("a-name-that-is-too-long", probe_main, &p);
    assert_non_null(t);
    thread_join(t);
    thread_join(NULL);
    assert_string_equal(p.name, "a-name-that-is-");
    assert_true(p.term_blocked);
    assert_false(p.segv_blocked);
    sigset_t own;
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_false(sigismember(&own, SIGTERM));
    assert_true(thread_cpu_count() >= 1);
}

static void test_cond_timeout(void **state) {
    (void)state;
    Mutex m;
    Cond c;
    mutex_init(&m);
    cond_init(&c);
    mutex_lock(&m);
    int64_t before_ns = clock_mono_ns();
    assert_false(cond_wait_ms(&c, &m, 5));
    assert_true(clock_mono_ns() - before_ns >= 4900000);
    assert_false(cond_wait_ms(&c, &m, 0));
    assert_false(cond_wait_ms(&c, &m, -1));
    int64_t until = clock_mono_ns() + 300000;
    assert_false(cond_wait_until(&c, &m, until));
    assert_true(clock_mono_ns() >= until);
    static const int64_t fakes_ns[] = {0, INT64_C(1700000000) * 1000000000}; /* long ago, far ahead */
    for (size_t i = 0; i < ARRAY_LEN(fakes_ns); i++) {                       /* real milliseconds all the same */
        before_ns = clock_mono_ns();
        clock_fake_set(fakes_ns[i]);
        assert_false(cond_wait_ms(&c, &m, 5));
        assert_false(cond_wait_until(&c, &m, fakes_ns[i] + 5000000));
        assert_false(cond_wait_until(&c, &m, fakes_ns[i]));
        clock_fake_off();
        assert_true(clock_mono_ns() - before_ns >= 9900000);
    }
    mutex_unlock(&m);
    cond_done(&c);
    mutex_done(&m);
}

static void open_latch(void *latch) { latch_open(latch); }

static void test_latch(void **state) {
    (void)state;
    Pool *pool = pool_create("latch", 2, 4);
    for (int i = 0; i < 2000; i++) { /* on the stack, gone as soon as it is open */
        Latch l;
        latch_init(&l);
        assert_int_equal(pool_submit(pool, open_latch, &l), OK);
        latch_wait(&l);
        latch_done(&l);
    }
    pool_free(pool);
}

static void test_rwlock(void **state) {
    (void)state;
    RwLock l;
    rwlock_init(&l);
    rwlock_read(&l);
    rwlock_read(&l);
    rwlock_unlock(&l);
    rwlock_unlock(&l);
    rwlock_write(&l);
    rwlock_unlock(&l);
    rwlock_done(&l);
}

static void count_job(void *ctx) { atomic_fetch_add((_Atomic unsigned *)ctx, 1); }

static void test_pool_runs_all(void **state) {
    (void)state;
    _Atomic unsigned done = 0;
    Pool *pool = pool_create("pool", 4, 100000);
    for (int i = 0; i < 20000; i++) assert_int_equal(pool_submit(pool, count_job, &done), OK);
    pool_stop(pool);
    assert_int_equal(atomic_load(&done), 20000);
    assert_int_equal(pool_submit(pool, count_job, &done), ERR_UNAVAILABLE);
    pool_stop(pool);
    assert_null(pool_free(pool));
    assert_null(pool_free(NULL));
    assert_null(pool_free(pool_create("unused", 2, 1)));
}

typedef struct Gate {
    Mutex m;
    Cond c;
    bool open;
    unsigned inside;
} Gate;

static void gate_job(void *ctx) {
    Gate *g = ctx;
    mutex_lock(&g->m);
    g->inside++;
    cond_broadcast(&g->c);
    while (!g->open) cond_wait(&g->c, &g->m);
    mutex_unlock(&g->m);
}

/* Two workers inside, three jobs queued: the next one is refused; opening the gate drains all. */
static void test_pool_bounds(void **state) {
    (void)state;
    Gate g = {0};
    mutex_init(&g.m);
    cond_init(&g.c);
    Pool *pool = pool_create("pool", 2, 3);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(pool_submit(pool, gate_job, &g), OK);
        mutex_lock(&g.m);
        while (g.inside < i) cond_wait(&g.c, &g.m);
        mutex_unlock(&g.m);
    }
    for (int i = 0; i < 3; i++) assert_int_equal(pool_submit(pool, gate_job, &g), OK);
    assert_int_equal(pool_queued(pool), 3);
    assert_int_equal(pool_submit(pool, gate_job, &g), ERR_OVERLOADED);
    mutex_lock(&g.m);
    g.open = true;
    cond_broadcast(&g.c);
    mutex_unlock(&g.m);
    pool_free(pool);
    assert_int_equal(g.inside, 5);
    cond_done(&g.c);
    mutex_done(&g.m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_cond_timeout),
        cmocka_unit_test(test_latch),
        cmocka_unit_test(test_rwlock),
        cmocka_unit_test(test_pool_runs_all),
        cmocka_unit_test(test_pool_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
