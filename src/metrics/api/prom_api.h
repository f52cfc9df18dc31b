/* prom_api.h - Prometheus' HTTP API over a metrics store: queries, label and series listings, metadata, status,
 * remote write, federation. Paths, envelopes, statuses and error texts are those of Prometheus 3.x. */
#ifndef MEERKAT_METRICS_API_PROM_API_H
#define MEERKAT_METRICS_API_PROM_API_H

#include "metrics/promql/promql.h"
#include "metrics/relabel.h"
#include "net/http.h"

typedef struct PromApi PromApi;

/* What the API cannot know itself. Every callback may be NULL; strings are copied. ctx is passed to all of them. They
 * are called on worker threads and must be thread-safe. */
typedef struct PromApiOptions {
    MetricsStore *store; /* borrowed */
    PromqlOptions engine;
    int64_t query_timeout_ms;   /* 0: 2 minutes; the "timeout" parameter can only shorten it */
    size_t query_arena_bytes;   /* 0: 512 MiB; memory of one query */
    unsigned query_concurrency; /* 0: 20; further ones wait */
    uint64_t query_total_bytes; /* of all running queries; 0: no limit */
    int64_t slow_query_ms;      /* 0: 1 second; such queries are logged and kept */
    size_t slow_query_max;      /* 0: 200 are kept */
    Str version, revision, branch, build_user, build_date; /* buildinfo; version empty: "3.16.0" */
    Str storage_retention;                                 /* runtimeinfo; "15d" */
    MetricsLimits limits;                                  /* of the store, as it was opened; to be shown */
    bool admin_api;                                        /* allow /api/v1/admin/tsdb/... */
    Str snapshot_dir;                                      /* where snapshots are written */
    bool lifecycle;                                        /* allow /-/reload and /-/quit */
    bool zero_starts;                                      /* the store puts zeros at start times; to be shown */
    void *ctx;
    bool (*ready)(void *ctx); /* NULL: always */
    /* Writes the value {"activeTargets":[..],"droppedTargets":[..],"droppedTargetCounts":{..}}. */
    void (*put_targets)(void *ctx, Str state, Str scrape_pool, JsonWriter *w);
    void (*put_scrape_pools)(void *ctx, JsonWriter *w); /* an array of names */
    /* {"groups":[..]}; ERR_INVALID: a parameter is wrong, and nothing was written */
    ErrCode (*put_rules)(void *ctx, HttpRequest *req, JsonWriter *w, Err *reterr);
    void (*put_alerts)(void *ctx, JsonWriter *w);        /* {"alerts":[..]} */
    void (*put_alertmanagers)(void *ctx, JsonWriter *w); /* {"activeAlertmanagers":[..],"droppedAlertmanagers":[..]} */
    void (*put_config)(void *ctx, Buf *yaml);
    void (*put_flags)(void *ctx, JsonWriter *w);     /* an object of strings */
    void (*put_server_config)(void *ctx, Buf *yaml); /* this server's own configuration, without secrets */
    /* Last configuration load: whether it succeeded, and when (ns). */
    void (*config_state)(void *ctx, bool *ret_ok, int64_t *ret_t_ns);
    /* Loads the configuration again and waits until it is in effect; ends the process soon. */
    ErrCode (*reload)(void *ctx, Err *reterr);
    void (*quit)(void *ctx);
    /* Relabelling of a scrape pool's targets (lives as long as the arena), its part of the configuration; false: there
     * is no such pool. */
    bool (*pool_relabel)(void *ctx, Str pool, Arena *arena, RelabelRules *ret);
    bool (*put_pool_config)(void *ctx, Str pool, Buf *yaml);
    void (*gather)(void *ctx, MetricsBatch *b, int64_t t_ms); /* the server's own metrics */
} PromApiOptions;

PromApi *prom_api_create(const PromApiOptions *opts);
PromApi *prom_api_free(PromApi *api);
/* From prometheus.yml, at every load: labels for federation and remote read; the step of subqueries that give none
 * (0: a minute). Copied. */
void prom_api_set_config(PromApi *api, Labels external_labels, int64_t evaluation_interval_ms);
/* A note to the operator that holds until it is taken back (active false): /api/v1/notifications. */
void prom_api_notify(PromApi *api, const char *text, bool active);
/* The running queries: others that evaluate PromQL take their places there, too. */
PromqlActive *prom_api_active(PromApi *api);
/* For NetServerOptions.on_access: counts requests of Prometheus' port. */
void prom_api_note_request(PromApi *api, const HttpRequest *req, int status, int64_t duration_ns, size_t bytes_out);
/* prometheus_* metrics of the API, the engine and the store. */
void prom_api_gather(PromApi *api, MetricsBatch *b, int64_t t_ms);
/* Ends answers that would go on for ever, so that the server can stop. */
void prom_api_end_streams(PromApi *api);
/* Adds /api/v1/..., /federate, /-/ready, /-/healthy and /version; api must outlive the router. */
void prom_api_routes(PromApi *api, Router *router);

#endif
