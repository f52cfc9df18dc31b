#include "sys/clock.h"

#include "base/base.h"
#include "base/timefmt.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

static atomic_bool fake_on;
static _Atomic int64_t fake_ns;

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    ASSERT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline bool is_fake(void) { return UNLIKELY(atomic_load_explicit(&fake_on, memory_order_acquire)); }

int64_t clock_now_ns(void) { return is_fake() ? atomic_load(&fake_ns) : read_clock(CLOCK_REALTIME); }

int64_t clock_now_ms(void) {
    int64_t ns = clock_now_ns();
    int64_t ms = ns / NS_PER_MS;
    return ns % NS_PER_MS < 0 ? ms - 1 : ms;
}

int64_t clock_mono_ns(void) { return is_fake() ? atomic_load(&fake_ns) : read_clock(CLOCK_MONOTONIC); }

int64_t clock_real_mono_ns(int64_t mono_ns) {
    int64_t left_ns;
    if (!is_fake()) return mono_ns;
    if (__builtin_sub_overflow(mono_ns, atomic_load(&fake_ns), &left_ns)) return mono_ns < 0 ? 0 : INT64_MAX;
    return MAX(read_clock(CLOCK_MONOTONIC) + MIN(left_ns, INT64_MAX / 2), INT64_C(0));
}

static void sleep_real_ms(int64_t ms) {
    struct timespec left = {.tv_sec = ms / MS_PER_S, .tv_nsec = ms % MS_PER_S * NS_PER_MS};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) continue;
}

void clock_sleep_ms(int64_t ms) {
    if (ms <= 0) return;
    if (!is_fake()) {
        sleep_real_ms(ms);
        return;
    }
    int64_t until_ns;
    if (__builtin_mul_overflow(ms, NS_PER_MS, &until_ns) ||
        __builtin_add_overflow(until_ns, atomic_load(&fake_ns), &until_ns))
        until_ns = INT64_MAX;
    while (is_fake() && atomic_load(&fake_ns) < until_ns) sleep_real_ms(1);
}

void clock_fake_set(int64_t now_ns) {
    atomic_store(&fake_ns, now_ns);
    atomic_store_explicit(&fake_on, true, memory_order_release);
}

void clock_fake_advance(int64_t ns) {
    ASSERT(is_fake() && ns >= 0);
    atomic_fetch_add(&fake_ns, ns);
}

void clock_fake_off(void) { atomic_store_explicit(&fake_on, false, memory_order_release); }
