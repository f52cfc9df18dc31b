/* progress.h - a progress bar on standard error for long commands, and stopping them by a signal. */
#ifndef MEERKAT_CMD_PROGRESS_H
#define MEERKAT_CMD_PROGRESS_H

#include "base/base.h"

#include <stdatomic.h>

/* Drawn at most ten times a second, and only on a terminal. total 0: no bar yet. */
void progress_show(const char *what, uint64_t done, uint64_t total);
/* Removes the bar, so that other text can follow. */
void progress_clear(void);

/* From here on SIGINT and SIGTERM set the flag that is returned; a second one ends the process at once. */
const _Atomic bool *progress_watch_signals(void);
void progress_unwatch_signals(void);

#endif
