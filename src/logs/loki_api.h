/* loki_api.h - Loki's HTTP API over a log store.
 *
 * Source: Grafana Loki's HTTP API documentation. Errors are text/plain with the texts its clients know. Not there:
 * tail (answers 501), patterns and index/shards (404), rules, the legacy /api/prom paths. */
#ifndef MEERKAT_LOGS_LOKI_API_H
#define MEERKAT_LOGS_LOKI_API_H

#include "logs/log_store.h"
#include "net/http.h"

typedef struct LokiApiOptions {
    LogStore *store;             /* borrowed */
    size_t line_bytes_max;       /* 0: 256 KiB; longer ones are refused */
    size_t labels_max;           /* per stream; 0: 15 */
    uint32_t entries_max;        /* lines a query may ask for; 0: 5000 */
    size_t series_max;           /* of a metric query; 0: 100000 */
    int64_t query_timeout_ms;    /* 0: 60000 */
    size_t push_bytes_max;       /* decompressed; 0: 256 MiB */
    int64_t query_length_max_ms; /* 0: 721 h */
} LokiApiOptions;

typedef struct LokiApi LokiApi;

LokiApi *loki_api_create(const LokiApiOptions *opts);
LokiApi *loki_api_free(LokiApi *api);
/* Adds the routes to the router of Loki's own port; api must outlive the router. shared: without /ready, for a router
 * that serves other APIs as well. */
void loki_api_routes(LokiApi *api, Router *router);
void loki_api_routes_shared(LokiApi *api, Router *router);

/* A push request's body into a batch (all memory in batch->arena). Entries that break a limit are left out, counted in
 * *ret_rejected, and *reterr says why for the first. ERR_INVALID: the body itself is malformed. */
typedef struct LokiPushLimits {
    size_t line_bytes_max, labels_max;
} LokiPushLimits;
ErrCode loki_push_decode_json(
    Str body, const LokiPushLimits *limits, LogsBatch *batch, uint64_t *ret_rejected, Err *reterr);
ErrCode loki_push_decode_proto(
    Str body, const LokiPushLimits *limits, LogsBatch *batch, uint64_t *ret_rejected, Err *reterr);

#endif
