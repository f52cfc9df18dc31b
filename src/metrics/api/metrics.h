/* metrics.h - what the API counts about itself, under the names that Prometheus' dashboards know. Private. */
#ifndef MEERKAT_METRICS_API_METRICS_H
#define MEERKAT_METRICS_API_METRICS_H

#include "metrics/promql/promql.h"

typedef struct ApiMetrics ApiMetrics;
ApiMetrics *api_metrics_create(void);
ApiMetrics *api_metrics_free(ApiMetrics *m);

/* handler: the path as Prometheus names it ("/api/v1/label/:name/values"); it must be one of few and live for ever. */
void api_metrics_request(ApiMetrics *m, Str handler, int status, int64_t duration_ns, size_t bytes_out);
/* A query that has ended; stats may be NULL when it did not get that far. */
void api_metrics_query(ApiMetrics *m, int64_t queue_ns, const PromqlStats *stats);
/* prometheus_http_*, prometheus_engine_*. */
void api_metrics_gather(ApiMetrics *m, MetricsBatch *b, int64_t t_ms);

#endif
