#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/promql/active.h"

#include "sys/clock.h"
#include "sys/thread.h"

static PromqlTicket *begin(PromqlActive *a, const char *text) {
    PromqlActiveQuery q = {.text = str_cstr(text), .origin = STR("test"), .step_ms = 15000};
    PromqlTicket *t;
    assert_int_equal(promql_active_begin(a, &q, 0, &t, NULL), OK);
    return t;
}

static void test_list_and_kill(void **state) {
    (void)state;
    PromqlActive *a = promql_active_create(NULL);
    PromqlTicket *x = begin(a, "up"), *y = begin(a, "sum(up)");
    Arena *arena = arena_create(ARENA_UNLIMITED);
    PromqlActiveInfo *v;
    size_t n;
    assert_int_equal(promql_ticket_update(y, 7, 1000), OK);
    assert_true(promql_active_list(a, arena, &v, &n));
    assert_int_equal(n, 2);
    assert_true(str_eq_lit(v[0].query.text, "up"));
    assert_int_equal(v[0].state, PROMQL_RUNNING);
    assert_int_equal(v[1].samples, 7);
    assert_int_equal(v[1].memory_bytes, 1000);
    assert_true(promql_active_kill(a, v[1].id));
    assert_int_equal(promql_ticket_update(y, 8, 1000), ERR_CANCELLED);
    assert_int_equal(promql_ticket_update(x, 8, 1000), OK);
    promql_active_end(x, OK, NULL);
    promql_active_end(y, ERR_CANCELLED, NULL);
    assert_false(promql_active_kill(a, v[1].id));
    assert_true(promql_active_list(a, arena, &v, &n));
    assert_int_equal(n, 0);
    arena_free(arena);
    promql_active_free(a);
}

static void test_memory_of_all(void **state) {
    (void)state;
    PromqlActive *a = promql_active_create(&(PromqlActiveOptions){.concurrency_max = 4, .memory_max_bytes = 1000});
    PromqlTicket *x = begin(a, "x"), *y = begin(a, "y");
    assert_int_equal(promql_ticket_update(x, 1, 900), OK);
    assert_int_equal(promql_ticket_update(y, 1, 200), OK); /* small: it is not the one to go */
    assert_int_equal(promql_ticket_update(x, 1, 900), ERR_TOO_LARGE);
    promql_active_end(x, ERR_TOO_LARGE, NULL);
    assert_int_equal(promql_ticket_update(y, 1, 700), OK);
    promql_active_end(y, OK, NULL);
    promql_active_free(a);
}

static void test_slow_ring(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    PromqlActiveInfo *v;
    size_t n;
    PromqlActive *a = promql_active_create(&(PromqlActiveOptions){.slow_ms = 10, .slow_max = 2});
    static const char *const texts[] = {"a", "b", "quick", "c"};
    clock_fake_set(1000000000);
    for (size_t i = 0; i < 4; i++) {
        PromqlTicket *t = begin(a, texts[i]);
        clock_fake_advance(i == 2 ? 1000 : 50000000);
        promql_active_end(t, i == 3 ? ERR_TIMEOUT : OK, &(Err){.msg = "too slow"});
    }
    clock_fake_off();
    assert_true(promql_active_slow(a, arena, &v, &n));
    assert_int_equal(n, 2);
    assert_true(str_eq_lit(v[0].query.text, "c") && str_eq_lit(v[1].query.text, "b"));
    assert_int_equal(v[0].run_ns, 50000000);
    assert_int_equal(v[0].code, ERR_TIMEOUT);
    assert_true(str_eq_lit(v[0].error, "too slow"));
    assert_int_equal(v[1].error.n, 0);
    arena_free(arena);
    promql_active_free(a);
}

typedef struct Waiter {
    PromqlActive *a;
    int64_t deadline;
    ErrCode code;
} Waiter;

static void wait_main(void *ctx) {
    Waiter *w = ctx;
    PromqlTicket *t;
    w->code = promql_active_begin(w->a, &(PromqlActiveQuery){.text = STR("waits")}, w->deadline, &t, NULL);
    promql_active_end(t, w->code, NULL);
}

static void test_places(void **state) {
    (void)state;
    PromqlActive *a = promql_active_create(&(PromqlActiveOptions){.concurrency_max = 1});
    PromqlTicket *x = begin(a, "x");
    Waiter late = {a, clock_mono_ns() - 1, OK}, waits = {a, 0, ERR_INTERNAL}, dies = {a, 0, OK};
    wait_main(&late);
    assert_int_equal(late.code, ERR_TIMEOUT);
    Thread *t1 = thread_start("waits", wait_main, &waits), *t2 = NULL;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    PromqlActiveInfo *v;
    size_t n = 0;
    while (n < 2) assert_true(promql_active_list(a, arena, &v, &n));
    assert_int_equal(v[1].state, PROMQL_QUEUED);
    t2 = thread_start("dies", wait_main, &dies);
    while (n < 3) assert_true(promql_active_list(a, arena, &v, &n));
    assert_true(promql_active_kill(a, v[2].id));
    thread_join(t2);
    assert_int_equal(dies.code, ERR_CANCELLED);
    promql_active_end(x, OK, NULL);
    thread_join(t1);
    assert_int_equal(waits.code, OK);
    arena_free(arena);
    promql_active_free(a);
}

/* Long queries: each looks at its turn until it is told to stop, or killed. */
typedef struct Crowd {
    PromqlActive *a;
    _Atomic bool stop;
    _Atomic int at_work, most, killed;
} Crowd;

static void long_main(void *ctx) {
    Crowd *c = ctx;
    PromqlTicket *t;
    assert_int_equal(promql_active_begin(c->a, &(PromqlActiveQuery){.text = STR("long")}, 0, &t, NULL), OK);
    ErrCode code = OK;
    while (code == OK && !c->stop) {
        int n = atomic_fetch_add(&c->at_work, 1) + 1, most = c->most;
        while (n > most && !atomic_compare_exchange_weak(&c->most, &most, n)) continue;
        clock_sleep_ms(5);
        atomic_fetch_sub(&c->at_work, 1);
        code = promql_ticket_take_turn(t, NULL, NULL, 0);
    }
    c->killed += code == ERR_CANCELLED;
    promql_active_end(t, code, NULL);
}

/* Four places, one of them for short ones: ten long queries take turns, a short one gets in at once, and one that rests
 * can be killed. */
static void test_turns(void **state) {
    (void)state;
    Crowd c = {.a = promql_active_create(&(PromqlActiveOptions){.concurrency_max = 4})};
    Thread *threads[10];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) threads[i] = thread_start("long", long_main, &c);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    PromqlActiveInfo *v;
    size_t n = 0, begun = 0;
    while (begun < ARRAY_LEN(threads)) { /* all of them had their short time, although three of them stay */
        clock_sleep_ms(5);
        assert_true(promql_active_list(c.a, arena, &v, &n));
        begun = 0;
        for (size_t i = 0; i < n; i++) begun += v[i].state == PROMQL_RUNNING;
    }
    PromqlTicket *cheap;
    int64_t deadline = clock_mono_ns() + 100 * INT64_C(1000000000); /* the long ones would not end before */
    assert_int_equal(promql_active_begin(c.a, &(PromqlActiveQuery){.text = STR("cheap")}, deadline, &cheap, NULL), OK);
    promql_active_end(cheap, OK, NULL);
    assert_true(promql_active_kill(c.a, v[n - 1].id));
    while (c.killed == 0 || c.most < 3) clock_sleep_ms(5);
    c.stop = true;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) thread_join(threads[i]);
    assert_int_equal(c.killed, 1);
    assert_true(c.most <= 4);
    arena_free(arena);
    promql_active_free(c.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_and_kill),
        cmocka_unit_test(test_memory_of_all),
        cmocka_unit_test(test_slow_ring),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
