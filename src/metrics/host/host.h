/* host.h - the machine's own metrics without an agent: node_exporter's names for the host, cAdvisor's for cgroups.
 *
 * Linux: everything is read from procfs, sysfs and cgroupfs, which may be mounted elsewhere (in a container). What
 * cannot be read is left out, as node_exporter does; node_scrape_collector_success says so. Network file systems are
 * left out: asking for their size can hang. */
#ifndef MEERKAT_METRICS_HOST_HOST_H
#define MEERKAT_METRICS_HOST_HOST_H

#include "model/metrics_batch.h"
#include "sys/fs.h"

typedef struct HostPaths {
    const char *proc, *sys, *root; /* "/proc", "/sys", "" (in front of mount points) */
} HostPaths;

/* One round of the host's metrics into the batch, without job and instance. */
void host_gather(Fs *fs, const HostPaths *paths, MetricsBatch *b, int64_t t_ms);
/* One round over the control groups (version 2, or the cpuacct and memory trees of version 1). */
void host_gather_cgroups(Fs *fs, const HostPaths *paths, MetricsBatch *b, int64_t t_ms);

typedef struct HostOptions {
    HostPaths paths;
    const char *instance; /* of both jobs; copied */
    int64_t interval_ms;
    bool host, cgroups; /* job="node", job="cadvisor" */
    /* Takes one round; called on the collector's thread. */
    ErrCode (*sink)(void *ctx, const MetricsBatch *batch, Err *reterr);
    void *ctx;
} HostOptions;

typedef struct HostCollector HostCollector;
/* NULL when the system refuses the thread. */
ATTR_MUST HostCollector *host_collector_start(const HostOptions *opts);
/* A last round of stale markers, then the end. NULL is fine. */
HostCollector *host_collector_stop(HostCollector *h);

#endif
