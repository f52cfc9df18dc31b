/* process.h - facts about this process and its machine. */
#ifndef MEERKAT_SYS_PROCESS_H
#define MEERKAT_SYS_PROCESS_H

#include "base/buf.h"

#include <stdint.h>

typedef struct ProcessStats {
    double cpu_seconds; /* user + system */
    uint64_t rss_bytes, vsize_bytes;
    uint64_t open_fds, max_fds, threads;
    int64_t start_time_ms; /* wall clock */
} ProcessStats;
void process_stats(ProcessStats *ret);
int process_pid(void);
/* Memory this process may use: the machine's, or its cgroup's limit when that is lower. */
uint64_t process_memory_bytes(void);
uint64_t process_page_bytes(void); /* a page of memory, in which the kernel counts */
void process_hostname(Buf *out);
void process_user_name(Buf *out); /* of the effective user; its number when it has no name */
/* Raises the limit of open files to want, as far as this process may. Gives the limit that then holds. */
uint64_t process_raise_max_fds(uint64_t want);
uint64_t process_max_fds(void); /* the limit as it is; UINT64_MAX: not known */
/* Who listens on a TCP port of this machine: "prometheus (pid 1234)" into out; false when unknown. */
bool process_find_listener(uint16_t port, Buf *out);

#endif
