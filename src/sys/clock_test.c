#include "sys/clock.h"

#include "base/base.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_real(void **state) {
    (void)state;
    assert_true(clock_now_ns() > INT64_C(1600000000) * 1000000000);
    assert_true(clock_now_ms() - clock_now_ns() / 1000000 <= 0);
    int64_t before_ns = clock_mono_ns();
    clock_sleep_ms(3);
    clock_sleep_ms(0);
    clock_sleep_ms(-5);
    assert_true(clock_mono_ns() - before_ns >= 3000000);
}

typedef struct Sleep {
    int64_t slept_ms;
    atomic_bool awake;
} Sleep;

static void sleeper(void *ctx) {
    Sleep *s = ctx;
    int64_t before_ms = clock_now_ms();
    clock_sleep_ms(1000);
    s->slept_ms = clock_now_ms() - before_ms;
    atomic_store(&s->awake, true);
}

static void test_fake(void **state) {
    (void)state;
    clock_fake_set(5000000);
    assert_int_equal(clock_now_ns(), 5000000);
    assert_int_equal(clock_mono_ns(), 5000000);
    assert_int_equal(clock_now_ms(), 5);
    Sleep sleep = {0};
    Thread *t = thread_start("sleeper", sleeper, &sleep);
    while (!atomic_load(&sleep.awake)) clock_fake_advance(1000000);
    thread_join(t);
    assert_true(sleep.slept_ms >= 1000);
    clock_fake_set(-1);
    assert_int_equal(clock_now_ms(), -1);
    clock_fake_off();
    assert_true(clock_now_ns() > INT64_C(1600000000) * 1000000000);
}

static void test_random(void **state) {
    (void)state;
    uint8_t a[700] = {0}, b[700] = {0};
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 256, b + 256, 32);
    assert_memory_not_equal(a + 690, b + 690, 10);
    assert_true(random_u64() != random_u64());
    random_bytes(NULL, 0);
}

static void test_rng(void **state) {
    (void)state;
    Rng a, b, c;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t v = rng_u64(&a);
        assert_true(v == rng_u64(&b));
        assert_true(v != rng_u64(&c));
        double f = rng_f64(&a);
        assert_true(f == rng_f64(&b) && f >= 0 && f < 1);
        sum += f;
        rng_u64(&c);
    }
    assert_true(sum > 4800 && sum < 5200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_fake),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_rng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
