/* clock.h - the only source of time. Tests install a fake. */
#ifndef MEERKAT_SYS_CLOCK_H
#define MEERKAT_SYS_CLOCK_H

#include <stdint.h>

int64_t clock_now_ns(void); /* wall clock, ns since the epoch */
int64_t clock_now_ms(void);
int64_t clock_mono_ns(void); /* never goes back */
/* A moment of clock_mono_ns on the kernel's CLOCK_MONOTONIC, for waits of the kernel. Under the fake clock: as far from
 * now as it is on the fake. */
int64_t clock_real_mono_ns(int64_t mono_ns);
/* Returns at once for ms <= 0. Under the fake clock it waits until another thread has moved the clock that
 * far, or has switched the fake off. */
void clock_sleep_ms(int64_t ms);
/* Fake clock for tests: both clocks stand still at now_ns until moved. clock_fake_off restores the real ones.
 * Waits on condition variables (cond_wait_ms, cond_wait_until, mailbox_take) stay on the real clock. */
void clock_fake_set(int64_t now_ns);
void clock_fake_advance(int64_t ns);
void clock_fake_off(void);

#endif
