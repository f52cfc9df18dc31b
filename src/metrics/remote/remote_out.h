/* remote_out.h - remote write out: what the store takes goes to the endpoints of prometheus.yml's remote_write.
 *
 * Every append is written to one queue on disk (spool.h) before it is acknowledged. Each endpoint has a thread and an
 * HTTP client of its own, reads the queue at its own pace and keeps its position in a checkpoint, so that a slow or
 * absent receiver holds up neither ingestion nor another endpoint. Samples are relabelled when they are sent. */
#ifndef MEERKAT_METRICS_REMOTE_REMOTE_OUT_H
#define MEERKAT_METRICS_REMOTE_REMOTE_OUT_H

#include "metrics/config/prom_config.h"
#include "metrics/metrics_store.h"

typedef struct RemoteOut RemoteOut;

typedef struct RemoteOutOptions {
    Fs *fs;
    const char *dir;      /* of the queue and the checkpoints; made when missing */
    MetricsStore *store;  /* borrowed; its tap is set until remote_out_free */
    bool durable;         /* the queue is synced before an append returns */
    uint64_t queue_bytes; /* how far an endpoint may lie behind; the oldest samples are dropped beyond it. 0: 4 GiB */
    int64_t flush_ms;     /* how long remote_out_free goes on sending; the rest stays in the queue */
    const char *user_agent;
} RemoteOutOptions;

/* Before the first append. */
ErrCode remote_out_create(const RemoteOutOptions *opts, RemoteOut **ret, Err *reterr);
/* After the last append, before the store is closed. NULL is fine. */
RemoteOut *remote_out_free(RemoteOut *o);
/* Takes a reference. NULL: no endpoints. Those that stay as they are go on undisturbed; changed ones go on where they
 * were; new ones begin with what comes from now on. */
ErrCode remote_out_apply(RemoteOut *o, PromConfig *config, Err *reterr);
void remote_out_set_queue_bytes(RemoteOut *o, uint64_t bytes);
void remote_out_gather(RemoteOut *o, MetricsBatch *b, int64_t t_ms); /* prometheus_remote_storage_* */

#endif
