/* crash.h - what is left behind when the process dies: a report a person can send.
 *
 * Installed for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and failed assertions. The report has version, build id,
 * what happened, a backtrace and the last log records; it goes to stderr and, once a directory is known, to
 * crash-<time>.txt in it. The signal is then raised again, so core dumps and exit statuses stay as they were. */
#ifndef MEERKAT_SELF_CRASH_H
#define MEERKAT_SELF_CRASH_H

#include "base/buf.h"

void crash_install(const char *version);
void crash_set_dir(const char *dir); /* copied; at most 900 bytes */
/* The linker's build id as hex; empty when the binary has none. */
const char *crash_build_id(void);

#endif
