/* signals.h - signals as events of the main thread. */
#ifndef MEERKAT_SYS_SIGNALS_H
#define MEERKAT_SYS_SIGNALS_H

#include <stdint.h>

typedef enum SignalEvent {
    SIGNAL_NONE,
    SIGNAL_STOP /* SIGINT, SIGTERM */,
    SIGNAL_RELOAD /* SIGHUP */,
    SIGNAL_DUMP /* SIGUSR1 */
} SignalEvent;

/* Blocks the signals above for this thread and all started later, and ignores SIGPIPE. Call first in main. */
void signals_block(void);
/* The next event; SIGNAL_NONE when timeout_ms passed (-1: wait for ever). */
SignalEvent signals_wait(int64_t timeout_ms);
/* Sends this process the signal of an event, as an operator would. */
void signals_raise(SignalEvent e);

#endif
