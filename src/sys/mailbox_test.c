#include "sys/mailbox.h"

#include "sys/clock.h"
#include "sys/thread.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int things[64];

static void test_bounds(void **state) {
    (void)state;
    Mailbox *mb = mailbox_create(3, 100);
    void *got[8];
    assert_int_equal(mailbox_take(mb, got, 8, 0), 0);
    assert_int_equal(mailbox_put(mb, &things[0], 60), OK);
    assert_int_equal(mailbox_put(mb, &things[1], 41), ERR_OVERLOADED);
    assert_int_equal(mailbox_put(mb, &things[1], 40), OK);
    assert_int_equal(mailbox_put(mb, &things[2], 0), ERR_OVERLOADED); /* not a byte left */
    assert_int_equal(mailbox_count(mb), 2);
    assert_int_equal(mailbox_take(mb, got, 1, -1), 1);
    assert_ptr_equal(got[0], &things[0]);
    assert_int_equal(mailbox_put(mb, &things[2], 1), OK);
    assert_int_equal(mailbox_put(mb, &things[3], SIZE_MAX), ERR_OVERLOADED);
    assert_int_equal(mailbox_put(mb, &things[3], 1), OK);
    assert_int_equal(mailbox_put(mb, &things[4], 1), ERR_OVERLOADED); /* three items */
    assert_int_equal(mailbox_take(mb, got, 8, -1), 3);
    for (int i = 0; i < 3; i++) assert_ptr_equal(got[i], &things[i + 1]);
    assert_int_equal(mailbox_put(mb, &things[5], 1000), OK); /* alone, an oversized item passes */
    assert_int_equal(mailbox_put(mb, &things[6], 1), ERR_OVERLOADED);
    assert_false(mailbox_is_closed(mb));
    mailbox_close(mb);
    assert_true(mailbox_is_closed(mb));
    assert_int_equal(mailbox_put(mb, &things[6], 1), ERR_UNAVAILABLE);
    assert_int_equal(mailbox_take(mb, got, 8, -1), 1);
    assert_int_equal(mailbox_take(mb, got, 8, -1), 0);
    assert_null(mailbox_free(mb));
    assert_null(mailbox_free(NULL));
}

static void test_timeout(void **state) {
    (void)state;
    Mailbox *mb = mailbox_create(1, 1);
    void *got[1];
    int64_t before_ns = clock_mono_ns();
    assert_int_equal(mailbox_take(mb, got, 1, 10), 0);
    assert_true(clock_mono_ns() - before_ns >= 9000000);
    mailbox_free(mb);
}

enum { PRODUCERS = 4, PER_PRODUCER = 20000 };
typedef struct Producer {
    Mailbox *mb;
    uintptr_t id;
} Producer;

static void produce(void *ctx) {
    Producer *p = ctx;
    for (uintptr_t i = 1; i <= PER_PRODUCER;) {
        ErrCode code = mailbox_put(p->mb, (void *)(p->id << 32 | i), 1);
        if (code == OK)
            i++;
        else
            clock_sleep_ms(1);
    }
}

/* Every item arrives once, in its producer's order. */
static void test_threads(void **state) {
    (void)state;
    Mailbox *mb = mailbox_create(1000, 700);
    Thread *threads[PRODUCERS];
    Producer producers[PRODUCERS];
    uintptr_t last[PRODUCERS] = {0};
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (Producer){mb, i};
        threads[i] = thread_start("producer", produce, &producers[i]);
        assert_non_null(threads[i]);
    }
    for (size_t total = 0; total < (size_t)PRODUCERS * PER_PRODUCER;) {
        void *got[64];
        size_t n = mailbox_take(mb, got, 64, -1);
        assert_in_range(n, 1, 64);
        for (size_t i = 0; i < n; i++) {
            uintptr_t v = (uintptr_t)got[i], id = v >> 32;
            assert_true((v & UINT32_MAX) == last[id] + 1);
            last[id]++;
        }
        total += n;
    }
    for (int i = 0; i < PRODUCERS; i++) thread_join(threads[i]);
    assert_int_equal(mailbox_count(mb), 0);
    mailbox_free(mb);
}

static void close_later(void *ctx) {
    clock_sleep_ms(5);
    mailbox_close(ctx);
}

static void test_close_wakes(void **state) {
    (void)state;
    Mailbox *mb = mailbox_create(1, 1);
    Thread *t = thread_start("closer", close_later, mb);
    void *got[1];
    assert_int_equal(mailbox_take(mb, got, 1, -1), 0);
    thread_join(t);
    mailbox_free(mb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_close_wakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
