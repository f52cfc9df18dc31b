/* host_int.h - what the collectors share; private to metrics/host. */
#ifndef MEERKAT_METRICS_HOST_HOST_INT_H
#define MEERKAT_METRICS_HOST_HOST_INT_H

#include "metrics/host/host.h"

typedef struct HostRound {
    Fs *fs;
    const HostPaths *paths;
    MetricsBatch *b;
    int64_t t_ms;
} HostRound;

#define HOST_FILE_MAX (1u << 20)

/* The whole file, in the batch's arena; false when it is not there. fmt makes the path. */
bool host_read(HostRound *r, Str *ret, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* The same trimmed, for files of one word or number. */
Str host_read_word(HostRound *r, const char *fmt, ...) ATTR_PRINTF(2, 3);
bool host_read_number(HostRound *r, double *ret, const char *fmt, ...) ATTR_PRINTF(3, 4);
bool host_next_line(Str *rest, Str *ret_line);
/* The next run of non-blanks. */
bool host_next_word(Str *rest, Str *ret_word);
/* The next word as a number; 0 when it is none or missing. */
double host_next_number(Str *rest);
/* NUL-terminated, in the batch's arena. */
const char *host_cstr(HostRound *r, Str s);

#define host_add(r, type, name, value, ...) metrics_batch_emit((r)->b, (r)->t_ms, type, name, value, __VA_ARGS__)

/* Each gives false when its source is not there. */
bool host_cpu(HostRound *r);
bool host_load(HostRound *r);
bool host_pressure(HostRound *r);
bool host_vmstat(HostRound *r);
bool host_system(HostRound *r);
bool host_memory(HostRound *r);
bool host_disks(HostRound *r);
bool host_network(HostRound *r);
bool host_filesystems(HostRound *r);

#endif
