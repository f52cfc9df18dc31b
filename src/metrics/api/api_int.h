/* api_int.h - answers and parameters, shared by the API's files. Private. */
#ifndef MEERKAT_METRICS_API_API_INT_H
#define MEERKAT_METRICS_API_API_INT_H

#include "metrics/api/metrics.h"
#include "metrics/api/notify.h"
#include "metrics/api/prom_api.h"
#include "sys/thread.h"

typedef enum ApiErrorType {
    API_BAD_DATA,
    API_EXECUTION,
    API_CANCELED,
    API_TIMEOUT,
    API_INTERNAL,
    API_UNAVAILABLE,
    API_NOT_FOUND,
    API_NOT_ACCEPTABLE
} ApiErrorType;

typedef struct ApiCall {
    struct PromApi *api;
    HttpRequest *req;
    HttpResponse *res;
    JsonWriter w; /* into res->body; the "data" value goes here */
    bool no_data; /* 204 without a body */
    bool whole;   /* the handler has made the whole answer itself */
    bool failed;
    VEC(Str) warnings, infos; /* in the request's arena */
} ApiCall;

typedef bool (*ApiFn)(ApiCall *c); /* false: c->failed, the error is in the response */

typedef struct ApiRoute {
    struct PromApi *api;
    ApiFn fn;
} ApiRoute;

#define API_ROUTES_MAX 64

struct PromApi {
    PromApiOptions opts;
    Arena *arena;       /* copies of the options' strings */
    RwLock config_lock; /* guards the part of prometheus.yml that matters here */
    Arena *config_arena;
    Labels external;
    int64_t evaluation_interval_ms;
    ApiRoute routes[API_ROUTES_MAX];
    size_t n_routes;
    ApiNotes *notes;
    ApiMetrics *metrics;
    PromqlActive *active;
    int64_t start_ns;
    _Atomic uint64_t write_invalid, reads; /* remote write: samples with bad labels; remote reads that run */
};

/* All give false. */
bool api_fail(ApiCall *c, ApiErrorType type, const char *fmt, ...) ATTR_PRINTF(3, 4);
bool api_fail_param(ApiCall *c, const char *name, const char *fmt, ...) ATTR_PRINTF(3, 4);
bool api_fail_err(ApiCall *c, const Err *err); /* an error of the engine or the store */
void api_warn(ApiCall *c, Str text);
bool api_is_ready(const struct PromApi *api);
Labels api_external_labels(struct PromApi *api, Arena *arena); /* a copy */
PromqlOptions api_engine_options(struct PromApi *api);

/* --- parameters (params.c) --- */
bool api_parse_time(Str s, int64_t *ret_ms);
/* Seconds or 5m; *ret_overflow tells why it is false. */
bool api_parse_duration(Str s, int64_t *ret_ms, bool *ret_overflow);
/* Missing: the default. */
bool api_time_param(ApiCall *c, const char *name, int64_t missing_ms, int64_t *ret_ms);
bool api_duration_param(ApiCall *c, const char *name, int64_t *ret_ms);
bool api_limit_param(ApiCall *c, size_t *ret);
/* False, answered, when the form or the query string is broken: for the calls where Prometheus looks at that. */
bool api_check_form(ApiCall *c);
/* As Go's %q, in the request's arena. */
Str api_quoted(ApiCall *c, Str s);
/* "limit must be a number"; missing: -1. */
bool api_count_param(ApiCall *c, const char *name, int64_t *ret);
/* match[] as matcher sets in the request's arena. */
typedef struct MatcherSets {
    Matchers *v;
    size_t n;
} MatcherSets;
bool api_match_param(ApiCall *c, bool required, MatcherSets *ret);
#define API_MIN_TIME_MS (-INT64_C(4000000000000000000))
#define API_MAX_TIME_MS INT64_C(4000000000000000000)

/* 1700000000 or 1700000000.123 */
void api_put_time(Buf *b, int64_t t_ms);
/* "1.5" */
void api_put_value(Buf *b, double v);

/* --- handlers --- */
bool api_query(ApiCall *c);
bool api_query_range(ApiCall *c);
/* start, end and step into q; timeout, lookback_delta and stats. */
bool api_range_params(ApiCall *c, PromqlQuery *q);
bool api_query_options(ApiCall *c, PromqlQuery *q);
/* Around every evaluation: takes a place among the running queries and gives it back; counts, logs what was slow. */
ErrCode api_query_begin(ApiCall *c, Str text, const char *origin, PromqlQuery *q, Err *reterr);
void api_query_end(ApiCall *c, Str text, PromqlQuery *q, int64_t begin_mono_ns, const PromqlStats *stats, ErrCode code,
    const Err *err);
bool api_queries(ApiCall *c);
bool api_queries_slow(ApiCall *c);
bool api_query_kill(ApiCall *c);
bool api_explain(ApiCall *c);
bool api_cardinality(ApiCall *c);
bool api_server_config(ApiCall *c);
bool api_format_query(ApiCall *c);
bool api_parse_query(ApiCall *c);
bool api_query_exemplars(ApiCall *c);
bool api_labels(ApiCall *c);
bool api_label_values(ApiCall *c);
bool api_series(ApiCall *c);
bool api_metadata(ApiCall *c);
bool api_targets_metadata(ApiCall *c);
bool api_notifications(ApiCall *c);
bool api_notifications_live(ApiCall *c);
bool api_relabel_steps(ApiCall *c);
bool api_scrape_pool_config(ApiCall *c);
bool api_self_metrics(ApiCall *c);
bool api_openapi(ApiCall *c);
bool api_search_metric_names(ApiCall *c);
bool api_search_label_names(ApiCall *c);
bool api_search_label_values(ApiCall *c);
bool api_delete_series(ApiCall *c);
bool api_clean_tombstones(ApiCall *c);
bool api_snapshot(ApiCall *c);
bool api_buildinfo(ApiCall *c);
bool api_runtimeinfo(ApiCall *c);
bool api_flags(ApiCall *c);
bool api_config(ApiCall *c);
bool api_tsdb(ApiCall *c);
bool api_blocks(ApiCall *c);
bool api_walreplay(ApiCall *c);
bool api_features(ApiCall *c);
bool api_targets(ApiCall *c);
bool api_scrape_pools(ApiCall *c);
bool api_rules(ApiCall *c);
bool api_alerts(ApiCall *c);
bool api_alertmanagers(ApiCall *c);
void api_put_ast(JsonWriter *w, const PqlNode *n);
/* What is served and how it is described; routes.c. */
typedef struct ApiEntry {
    const char *path;
    ApiFn fn;
    unsigned methods;
    RouteClass cls;
    Role role;
    const char *summary;
    const char *params; /* names of parameters with blanks between; "!" behind one: required */
} ApiEntry;
const ApiEntry *api_entries(size_t *ret_n);
void api_handle(void *ctx, HttpRequest *req, HttpResponse *res); /* ctx: ApiRoute */
void api_lifecycle_routes(PromApi *api, Router *r);
/* Plain handlers; ctx is the PromApi. */
void api_write(void *ctx, HttpRequest *req, HttpResponse *res);
bool api_write_start(void *ctx, HttpRequest *req, HttpResponse *res); /* HttpStart */
void api_read(void *ctx, HttpRequest *req, HttpResponse *res);
void api_federate(void *ctx, HttpRequest *req, HttpResponse *res);

#endif
