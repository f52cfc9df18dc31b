/* log_ring.h - the last log records of the process, for the crash report and the health page. */
#ifndef MEERKAT_SELF_LOG_RING_H
#define MEERKAT_SELF_LOG_RING_H

#include "base/log.h"

void log_ring_install(void); /* adds itself as a log sink */
void log_ring_write(int fd); /* oldest first; async-signal-safe (a record being written may come out torn) */
uint64_t log_ring_count(LogLevel level); /* records of a level so far */

#endif
