/* server_ports.c - which routes answer on which port. The UI's port serves all of them. */
#include "cmd/server_int.h"
#include "metrics/api/expose.h"
#include "sys/process.h"

#include <stdio.h>

static void handle_ready(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    Server *s = ctx;
    if (atomic_load(&s->ready))
        http_reply_text(res, 200, "ready\n");
    else
        http_reply_text(res, 503, "starting\n");
}

static void handle_metrics(void *ctx, HttpRequest *req, HttpResponse *res) {
    MetricsBatch batch = {.arena = req->arena};
    Buf text = {0};
    server_gather(ctx, &batch, 0);
    own_metrics_put_text(&text, &batch);
    ExposeFormat format = expose_negotiate(http_header(req, STR("Accept")), false);
    http_reply(res, 200, expose_content_type(&format, req->arena), buf_str(&text));
    buf_done(&text);
}

static void add_get(Server *s, Router *r, const char *path, HttpHandler handler) {
    router_add(r, &(Route){.methods = HTTP_GET, .pattern = path, .handler = handler, .ctx = s, .cls = ROUTE_INSTANT});
}

/* Numbers about this server are for those who may read; health is for everybody. */
static void add_metrics(Server *s, Router *r) {
    router_add(r, &(Route){.methods = HTTP_GET,
                      .pattern = "/metrics",
                      .handler = handle_metrics,
                      .ctx = s,
                      .cls = ROUTE_INSTANT,
                      .role = ROLE_VIEWER});
}

/* Probes that every port answers, unless its API has them itself. */
static void probe_routes(Server *s, Router *r) {
    add_get(s, r, "/-/ready", handle_ready);
    add_get(s, r, "/-/healthy", handle_ready);
}

static Router *own_port(Server *s, const char *name) {
    for (size_t i = 0; i < service_ports_n; i++) {
        if (strcmp(service_ports[i].name, name) == 0) return s->routers[i] = router_create();
    }
    UNREACHABLE();
}

static void prometheus_port(Server *s) {
    static const char *const pages[] = {"/graph", "/query", "/targets", "/alerts", "/rules", "/service-discovery",
        "/config", "/status", "/tsdb-status", "/flags"};
    Router *r = own_port(s, "prometheus");
    s->prom_core = router_create(); /* shared with the UI's port */
    prom_api_routes(s->prom_api, s->prom_core);
    rule_manager_routes(s->rules, s->prom_core, RULE_ROUTES_PROMETHEUS);
    rule_manager_list_routes(s->rules, s->prom_core, RULE_ROUTES_PROMETHEUS);
    server_backup_routes(s, s->prom_core);
    server_probe_routes(s, s->prom_core);
    router_set_fallback(r, s->prom_core);
    collector_prometheus_routes(s->collector, r);
    add_metrics(s, r);
    dash_redirect_routes(s->dash, r, "/explore/metrics", pages, ARRAY_LEN(pages));
}

static void loki_port(Server *s) {
    Router *r = own_port(s, "loki");
    loki_api_routes(s->loki_api, r);
    rule_manager_routes(s->rules, r, RULE_ROUTES_LOKI);
    rule_manager_list_routes(s->rules, r, RULE_ROUTES_LOKI);
    collector_loki_routes(s->collector, r);
    add_metrics(s, r);
}

static void jaeger_ports(Server *s) {
    static const char *const pages[] = {"/search", "/trace/{id}"};
    Router *r = own_port(s, "jaeger");
    jaeger_api_routes(s->jaeger_api, r);
    probe_routes(s, r);
    dash_redirect_routes(s->dash, r, "/traces", pages, ARRAY_LEN(pages));
    r = own_port(s, "jaeger-admin");
    add_get(s, r, "/", handle_ready);
    add_get(s, r, "/health", handle_ready);
    add_metrics(s, r);
    jaeger_sampling_routes(s->sampling, own_port(s, "jaeger-sampling"));
    probe_routes(s, own_port(s, "jaeger-collector"));
}

static void tempo_port(Server *s) {
    Router *r = own_port(s, "tempo");
    tempo_api_routes(s->tempo_api, r);
    add_get(s, r, "/ready", handle_ready);
    add_metrics(s, r);
    probe_routes(s, r);
}

static void otlp_ports(Server *s) {
    Router *http = own_port(s, "otlp-http"), *grpc = own_port(s, "otlp-grpc");
    collector_otlp_routes(s->collector, http);
    collector_otlp_routes(s->collector, grpc);
    probe_routes(s, http);
    probe_routes(s, grpc);
    collector_health_routes(s->collector, own_port(s, "health"));
    add_metrics(s, own_port(s, "exporter"));
    add_metrics(s, own_port(s, "own-metrics"));
}

/* Ports whose APIs are not there yet answer their probes and 404 to the rest. */
static void probe_only_ports(Server *s) { add_get(s, own_port(s, "zipkin"), "/health", handle_ready); }

static void alertmanager_port(Server *s) {
    Router *r = own_port(s, "alertmanager");
    server_alert_port(s, r);
    add_metrics(s, r);
}

static void ui_port(Server *s) {
    Router *r = own_port(s, "ui");
    s->all = router_create();
    router_set_fallback(s->all, s->prom_core);
    collector_prometheus_routes(s->collector, s->all);
    loki_api_routes_shared(s->loki_api, s->all);
    rule_manager_routes(s->rules, s->all, RULE_ROUTES_LOKI);
    collector_loki_routes(s->collector, s->all);
    jaeger_api_routes_shared(s->jaeger_api, s->all, tempo_api_trace, s->tempo_api);
    tempo_api_routes_shared(s->tempo_api, s->all);
    add_get(s, s->all, "/tempo/ready", handle_ready);
    collector_otlp_routes(s->collector, s->all);
    services_api_routes(s->traces, s->all);
    alertmanager_routes(s->alertmanager, s->all);
    add_metrics(s, s->all);
    dash_ui_routes(s->dash, r);
    router_set_fallback(r, s->all);
}

/* Of the services whose originals have one. */
static Str prefix_of(const Config *c, const char *service) {
    if (strcmp(service, "ui") == 0) return config_route_prefix(c->ui.external_url, c->ui.route_prefix);
    if (strcmp(service, "prometheus") == 0) return config_route_prefix(c->web.external_url, c->web.route_prefix);
    if (strcmp(service, "alertmanager") == 0)
        return config_route_prefix(c->alerting.external_url, c->alerting.route_prefix);
    return STR("");
}

static Str address_of(const Config *c, const char *service) {
    if (strcmp(service, "prometheus") == 0 && c->web.listen_host.n) return c->web.listen_host;
    if (strcmp(service, "alertmanager") == 0 && c->alerting.listen_host.n) return c->alerting.listen_host;
    return c->server.listen;
}

static bool is_open(const Config *c, const char *service) {
    return strcmp(service, "prometheus") == 0 ? c->web.open : strcmp(service, "alertmanager") == 0 && c->alerting.open;
}

static ErrCode listen_all(Server *s, Err *reterr) {
    char *cert = str_dup_cstr(s->config->server.tls_cert_file), *key = str_dup_cstr(s->config->server.tls_key_file);
    ErrCode r = OK;
    for (size_t i = 0; r == OK && i < service_ports_n; i++) {
        uint16_t port = service_port(s->config, &service_ports[i]);
        if (port == 0) continue;
        bool is_ui = strcmp(service_ports[i].name, "ui") == 0;
        char *address = str_dup_cstr(address_of(s->config, service_ports[i].name));
        char *prefix = str_dup_cstr(prefix_of(s->config, service_ports[i].name));
        NetListen spec = {.name = service_ports[i].name,
            .address = address,
            .port = port,
            .router = s->routers[i],
            .path_prefix = prefix,
            .require_role = is_ui,
            .open = is_open(s->config, service_ports[i].name),
            .cors = !is_ui,
            .tls_cert_file = *cert ? cert : NULL,
            .tls_key_file = *key ? key : NULL};
        r = net_server_listen(s->net, &spec, reterr);
        mem_free(address);
        mem_free(prefix);
        if (r == ERR_CONFLICT)
            err_hint(
                reterr, "stop that process, or give --port-offset N or --server.ports.%s PORT", service_ports[i].name);
    }
    mem_free(cert);
    mem_free(key);
    return r;
}

#define FILES_BESIDES_CONNECTIONS 1024 /* parts, logs, scrapes, exporters */

#define FILES_MIN                                                                                                      \
    256 /* ports, stores with a few parts, some requests: below it calls would fail all over the place                 \
         */

/* A connection takes a descriptor, under TLS two more. */
ErrCode server_raise_files(const Server *s, Err *reterr) {
    uint64_t per_connection = s->config->server.tls_cert_file.n ? 3 : 1;
    uint64_t want = (uint64_t)s->config->server.max_connections * per_connection + FILES_BESIDES_CONNECTIONS;
    uint64_t have = process_raise_max_fds(want);
    if (have < FILES_MIN) {
        err_set(reterr, ERR_INVALID, "only %llu files may be open; the server needs %d at least",
            (unsigned long long)have, FILES_MIN);
        err_hint(reterr, "raise the limit: ulimit -n, LimitNOFILE= of a unit, --ulimit nofile= of a container");
        return ERR_INVALID;
    }
    if (have >= want) return OK;
    char have_text[24], want_text[24];
    snprintf(have_text, sizeof have_text, "%llu", (unsigned long long)have);
    snprintf(want_text, sizeof want_text, "%llu", (unsigned long long)want);
    log_warn("fewer files may be open than server.max_connections needs: raise the limit (ulimit -n, LimitNOFILE=) or "
             "lower max_connections",
        "limit", have_text, "needed", want_text, NULL);
    return OK;
}

static void note_access(void *ctx, const HttpRequest *req, int status, int64_t duration_ns, size_t bytes_out) {
    Server *s = ctx;
    prom_api_note_request(s->prom_api, req, status, duration_ns, bytes_out);
}

ErrCode server_open_ports(Server *s, Err *reterr) {
    prometheus_port(s);
    loki_port(s);
    jaeger_ports(s);
    tempo_port(s);
    otlp_ports(s);
    probe_only_ports(s);
    alertmanager_port(s);
    ui_port(s);
    NetServerOptions o = {.auth = s->auth,
        .on_access = note_access,
        .on_access_ctx = s,
        .connections_max = (size_t)s->config->server.max_connections,
        .body_bytes_max = (size_t)s->config->server.request_memory_bytes,
        .ingest_workers = (unsigned)s->config->server.ingest_workers,
        .query_workers = (unsigned)s->config->server.query_workers};
    ErrCode r = net_server_create(&o, &s->net, reterr);
    if (r == OK) r = listen_all(s, reterr);
    return r == OK ? net_server_start(s->net, reterr) : r;
}

void server_close_ports(Server *s) {
    s->net = net_server_free(s->net);
    for (size_t i = 0; i < ARRAY_LEN(s->routers); i++) s->routers[i] = router_free(s->routers[i]);
    s->all = router_free(s->all);
    s->prom_core = router_free(s->prom_core);
}
