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
#define HOST_USER_HZ 100.0 /* of procfs, whatever the kernel's own clock is */

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
/* Hexadecimal digits, with or without 0x in front; 0 when it is no such number. */
double host_hex(Str word);
Str host_until_colon(Str s);
/* Whether s is one of list's words, which blanks separate; a word that ends with * is a prefix. */
bool host_is_listed(const char *list, Str s);
/* NUL-terminated, in the batch's arena; bytes that are not UTF-8 become U+FFFD each. */
const char *host_cstr(HostRound *r, Str s);

#define host_add(r, type, name, value, ...) metrics_batch_emit((r)->b, (r)->t_ms, type, name, value, __VA_ARGS__)

#define HOST_NET_COLUMNS 16
/* The next device of a net/dev: eight columns of what it received (bytes, packets, errs, drop, ...), eight of what it
 * sent. */
bool host_next_device(HostRound *r, Str *text, const char **ret_device, double columns[HOST_NET_COLUMNS]);

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
bool host_netstat(HostRound *r);
bool host_sockets(HostRound *r);
bool host_udp_queues(HostRound *r);
bool host_softnet(HostRound *r);
bool host_conntrack(HostRound *r);
bool host_arp(HostRound *r);
bool host_timex(HostRound *r);
bool host_clock_sources(HostRound *r);
bool host_entropy(HostRound *r);

#endif
