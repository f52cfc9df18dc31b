/* server_apis.c - users, receivers and query APIs over the stores. */
#include "cmd/server_int.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_json.h"

#include <stdio.h>

static bool is_loopback(Str listen) {
    return str_starts_with(listen, STR("127.")) || str_eq_lit(listen, "::1") || str_eq_lit(listen, "localhost");
}

ErrCode server_open_auth(Server *s, Err *reterr) {
    s->auth = auth_create(&(AuthOptions){.loopback_open = s->config->auth.loopback_open});
    char *dir = str_dup_cstr(s->config->storage.data_dir);
    ErrCode r = meta_open(dir, &s->meta, reterr);
    mem_free(dir);
    if (r == OK) r = users_load(s->meta, s->auth, s->config->auth.admin_user, s->config->auth.admin_password, reterr);
    if (r != OK) return r;
    if (s->config->auth.api_token.n > 0)
        auth_set_token(s->auth, s->config->auth.api_token, STR("api-token"), ROLE_EDITOR);
    if (!is_loopback(s->config->server.listen) && auth_password_is_default(s->auth)) {
        err_set(reterr, ERR_FORBIDDEN,
            "listening on %.*s with the default admin password is refused: anyone could sign in",
            (int)s->config->server.listen.n, s->config->server.listen.p);
        err_hint(reterr, "set GRAFANA_ADMIN_PASSWORD or auth.admin_password, or listen on 127.0.0.1");
        return ERR_FORBIDDEN;
    }
    return OK;
}

/* --- what receivers hand over --- */

static ErrCode sink_metrics(
    void *ctx, const MetricsBatch *batch, uint64_t *ret_refused, char ret_reason[256], Err *reterr) {
    Server *s = ctx;
    MetricsAppendResult result = {0};
    ErrCode r = s->metrics->ops->append(s->metrics, batch, &result, reterr);
    *ret_refused = result.conflicts - result.quiet + result.too_old + result.too_new + result.limited;
    snprintf(ret_reason, 256, "%s", result.first_error);
    return r;
}

static ErrCode sink_logs(void *ctx, const LogsBatch *batch, uint64_t *ret_refused, char ret_reason[256], Err *reterr) {
    Server *s = ctx;
    LogAppendResult result = {0};
    ErrCode r = s->logs->ops->append(s->logs, batch, &result, reterr);
    *ret_refused = result.too_old + result.too_new;
    snprintf(ret_reason, 256, "%s", result.first_error);
    return r;
}

static ErrCode sink_spans(
    void *ctx, const SpansBatch *batch, uint64_t *ret_refused, char ret_reason[256], Err *reterr) {
    Server *s = ctx;
    TraceAppendResult result = {0};
    ErrCode r = s->traces->ops->append(s->traces, batch, &result, reterr);
    *ret_refused = result.refused;
    snprintf(ret_reason, 256, "%s", result.first_error);
    return r;
}

/* For POST /api/transform: the traces of an uploaded OTLP/JSON file. */
static ErrCode decode_otlp_json(Str json, SpansBatch *batch, Err *reterr) {
    Buf proto = {0};
    OtlpRejects rejects = {0};
    ErrCode r = otlp_json_to_proto(OTLP_REQUEST_TRACES, json, batch->arena, &proto, reterr);
    /* The batch's strings are slices of the protobuf, so that moves into its arena. */
    Str copy = r == OK ? arena_copy(batch->arena, buf_str(&proto)) : STR_NULL;
    if (r == OK && !copy.p) r = err_set(reterr, ERR_TOO_LARGE, "the file is too large");
    if (r == OK) r = otlp_decode_traces(copy, batch, &rejects, reterr);
    buf_done(&proto);
    return r;
}

static void open_collector(Server *s) {
    s->collector = collector_create(&(CollectOptions){
        .sinks = {.ctx = s, .metrics = sink_metrics, .logs = sink_logs, .spans = sink_spans},
        .max_body_bytes = (size_t)s->config->server.max_request_bytes,
        .version = s->version,
    });
}

static void open_dash(Server *s) {
    DashPort ports[32];
    size_t n = 0;
    for (size_t i = 0; i < service_ports_n && n < ARRAY_LEN(ports); i++) {
        ports[n++] = (DashPort){service_ports[i].name, service_port(s->config, &service_ports[i])};
    }
    char buf[CONFIG_URL_MAX];
    Str external = s->config->ui.external_url, prefix = s->config->ui.route_prefix;
    if (external.n) {
        external = config_external_url(external, prefix, STR(""), 0, buf);
        prefix = STR(""); /* what browsers see, also where the proxy takes the path away */
    }
    s->dash = dash_create(&(DashOptions){.auth = s->auth,
        .meta = s->meta,
        .version = s->version,
        .external_url = external,
        .prefix = config_route_prefix(external, prefix),
        .ports = ports,
        .n_ports = n});
}

ErrCode server_open_apis(Server *s, Err *reterr) {
    s->client = http_client_create("Meerkat");
    open_collector(s);
    server_open_prom_api(s);
    s->loki_api = loki_api_create(&(LokiApiOptions){.store = s->logs, .query_timeout_ms = s->config->query.timeout_ms});
    s->jaeger_api = jaeger_api_create(&(JaegerApiOptions){.store = s->traces, .decode_otlp_json = decode_otlp_json});
    s->tempo_api = tempo_api_create(
        &(TempoApiOptions){.store = s->traces, .query_timeout_ms = s->config->query.timeout_ms, .version = s->version});
    s->sampling = jaeger_sampling_create(NULL);
    open_dash(s);
    ErrCode r = server_open_alerts(s, reterr);
    return r == OK ? server_open_rules(s, reterr) : r;
}

void server_close_apis(Server *s) {
    server_close_rules(s);
    server_close_alerts(s);
    s->dash = dash_free(s->dash);
    s->sampling = jaeger_sampling_free(s->sampling);
    s->tempo_api = tempo_api_free(s->tempo_api);
    s->jaeger_api = jaeger_api_free(s->jaeger_api);
    s->loki_api = loki_api_free(s->loki_api);
    s->prom_api = prom_api_free(s->prom_api);
    s->query_helpers = pool_free(s->query_helpers);
    s->collector = collector_free(s->collector);
    s->client = http_client_free(s->client);
    s->auth = auth_free(s->auth);
    s->meta = meta_free(s->meta);
}
