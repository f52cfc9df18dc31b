/* clock.h - the only source of time. Tests install a fake. */
#ifndef MEERKAT_SYS_CLOCK_H
#define MEERKAT_SYS_CLOCK_H

#include <stdint.h>

int64_t clock_now_ns(void); /* wall clock, ns since the epoch */
int64_t clock_now_ms(void);
int64_t clock_mono_ns(void); /* never goes back */
/* Returns at once for ms <= 0. Under the fake clock it waits until another thread has moved the clock that
 * far, or has switched the fake off. */
void clock_sleep_ms(int64_t ms);
/* Fake clock for tests: both clocks stand still at now_ns until moved. clock_fake_off restores the real ones.
 * Waits on condition variables (cond_wait_ms, mailbox_take) stay on the real clock. */
void clock_fake_set(int64_t now_ns);
void clock_fake_advance(int64_t ns);
void clock_fake_off(void);

#endif
