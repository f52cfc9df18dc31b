/* own_metrics.h - the server's own metrics: gathered into a batch, kept in the own store under job="meerkat",
 * and served as exposition text. Names follow Prometheus' conventions (meerkat_*, process_*). */
#ifndef MEERKAT_SELF_OWN_METRICS_H
#define MEERKAT_SELF_OWN_METRICS_H

#include "base/err.h"
#include "model/metrics_batch.h"

/* process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, ... and log record counts. */
void own_metrics_process(MetricsBatch *b, int64_t t_ms, const char *version);

/* Fills in the help of the metrics that have none. */
void own_metrics_describe(MetricsBatch *b);

/* Exposition text 0.0.4 of a batch, families together, TYPE lines from its metadata. */
void own_metrics_put_text(Buf *out, const MetricsBatch *b);

typedef void (*OwnMetricsGather)(void *ctx, MetricsBatch *b, int64_t t_ms);
/* Keeps the round; also the place for other work of the same rhythm. */
typedef ErrCode (*OwnMetricsSink)(void *ctx, const MetricsBatch *b, Err *reterr);

/* Every interval: gathers, adds job and instance labels, hands to the sink; a last round with stale markers at stop. */
typedef struct OwnMetrics OwnMetrics;
OwnMetrics *own_metrics_start(
    int64_t interval_ms, const char *instance, OwnMetricsGather gather, OwnMetricsSink sink, void *ctx);
OwnMetrics *own_metrics_stop(OwnMetrics *m);

#endif
