/* loki_api_int.h - private: what the handlers share. */
#ifndef MEERKAT_LOGS_LOKI_API_INT_H
#define MEERKAT_LOGS_LOKI_API_INT_H

#include "base/json.h"
#include "logs/logql.h"
#include "logs/loki_api.h"

struct LokiApi {
    LokiApiOptions opts;
};

/* --- loki_params.c: all give false after having answered 400 --- */
typedef struct LokiRange {
    int64_t start_ns, end_ns;
} LokiRange;
ATTR_MUST bool loki_param_range(HttpRequest *req, HttpResponse *res, int64_t default_ns, LokiRange *ret);
ATTR_MUST bool loki_param_time(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, int64_t *ret);
ATTR_MUST bool loki_param_duration(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, int64_t *ret_ns);
ATTR_MUST bool loki_param_u32(HttpRequest *req, HttpResponse *res, Str name, uint32_t fallback, uint32_t *ret);
/* The selector in `query` (may be absent) into a LogSelect over the range. Filters behind it are not looked at. */
ATTR_MUST bool loki_param_select(HttpRequest *req, HttpResponse *res, Str query, LokiRange range, LogSelect *ret);

/* Err as the original answers it: text/plain, its status. */
void loki_reply_error(HttpResponse *res, const Err *err);
bool loki_client_gone(void *req); /* LogqlRequest.gone of an HttpRequest */
/* Marks res as 200 application/json; the caller has written res->body. */
void loki_reply_json(HttpResponse *res);

/* --- handlers --- */
void loki_query_range(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_query_instant(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_labels(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_label_values(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_series(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_index_stats(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_volume(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_volume_range(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_detected_labels(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_detected_fields(void *ctx, HttpRequest *req, HttpResponse *res);
void loki_push(void *ctx, HttpRequest *req, HttpResponse *res);

#endif
