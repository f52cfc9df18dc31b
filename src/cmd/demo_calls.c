/* demo_calls.c - what services of the fleet do to each other and to their stores: HTTP, PostgreSQL, Redis, S3. */
#include "cmd/demo_int.h"

#include <stdio.h>

static const char *const user_agents[] = {
    "openai-python/1.55.0", "jan-desktop/0.6.2", "openai-node/4.73.1", "curl/8.5.0"};
static const uint16_t listen_ports[SVC_COUNT] = {8080, 8081, 8080, 8091, 8082, 4318, 9090, 10250, 9100};

void demo_observe(DemoRequest *q, const DemoSpan *s, DemoMetricId id, double value, const DemoLabel *labels, size_t n) {
    DemoExemplar e = {.t_ns = q->wall_ns};
    memcpy(e.ids.trace, q->trace, sizeof e.ids.trace);
    memcpy(e.ids.span, s->id, sizeof e.ids.span);
    demo_metrics_record(q->fleet->metrics, s->instance, id, value, labels, n, &e);
}

void demo_count(DemoRequest *q, const DemoSpan *s, DemoMetricId id, double by, const DemoLabel *labels, size_t n) {
    demo_metrics_record(q->fleet->metrics, s->instance, id, by, labels, n, NULL);
}

/* Half of the fleet still writes the attributes of HTTP conventions before 1.23, as fleets do. */
static bool old_conventions(DemoService s) { return s == SVC_MEDIA_API || s == SVC_TEMPLATE_API; }

static void put_http_attrs(
    DemoRequest *q, DemoSpan *s, bool old, const char *method, const char *route, Str host, int port) {
    demo_attr_lit(q, &s->attrs, old ? "http.method" : "http.request.method", method);
    if (old) {
        demo_attr_str(q, &s->attrs, "http.url", demo_printf(q, "http://%" STR_FMT ":%d%s", STR_ARG(host), port, route));
    } else {
        demo_attr_lit(q, &s->attrs, "url.scheme", "http");
        demo_attr_lit(q, &s->attrs, "url.path", route);
        demo_attr_str(q, &s->attrs, "server.address", host);
        demo_attr_i64(q, &s->attrs, "server.port", port);
    }
}

static void put_http_status(DemoRequest *q, DemoSpan *s, bool old, int status) {
    demo_attr_i64(q, &s->attrs, old ? "http.status_code" : "http.response.status_code", status);
    if (status < 500 || s->status) return;
    s->status = 2;
    if (!old) demo_attr_str(q, &s->attrs, "error.type", demo_printf(q, "%d", status));
}

DemoHttp demo_http_begin(
    DemoRequest *q, const DemoSpan *parent, DemoService service, const char *method, const char *route) {
    DemoFleet *f = q->fleet;
    bool old = old_conventions(service);
    if (parent) demo_pass(q, demo_lognormal(&f->rng, 0.0006, 0.3)); /* the network */
    DemoSpan *s =
        demo_span_open(q, parent, demo_instance_of(f, service), KIND_SERVER, demo_printf(q, "%s %s", method, route));
    put_http_attrs(q, s, old, method, route, demo_service_name(service), listen_ports[service]);
    demo_attr_lit(q, &s->attrs, "http.route", route);
    demo_attr_lit(q, &s->attrs, "network.protocol.version", "1.1");
    if (!parent) {
        demo_attr_lit(q, &s->attrs, "user_agent.original", user_agents[demo_pick(&f->rng, ARRAY_LEN(user_agents))]);
        demo_attr_str(q, &s->attrs, "client.address", demo_printf(q, "198.51.100.%u", 1 + demo_pick(&f->rng, 200)));
        demo_attr_str(q, &s->attrs, "enduser.id", demo_printf(q, "user-%03u", demo_pick(&f->rng, 240)));
    }
    f->instances[s->instance].load += 1;
    demo_pass(q, demo_lognormal(&f->rng, 0.0008, 0.4));
    return (DemoHttp){s, method, route, 0};
}

void demo_http_end(DemoRequest *q, DemoHttp *h, int status) {
    DemoSpan *s = h->span;
    DemoFleet *f = q->fleet;
    demo_pass(q, demo_lognormal(&f->rng, 0.0005, 0.4));
    put_http_status(q, s, old_conventions(f->instances[s->instance].service), status);
    demo_span_close(q, s);
    h->status = status;
    double seconds = demo_span_seconds(s);
    Str code = demo_printf(q, "%d", status), method = str_cstr(h->method), route = str_cstr(h->route);
    demo_count(q, s, M_HTTP_REQUESTS, 1,
        DEMO_LABELS({"endpoint", route}, {"method", method}, {"namespace", STR(DEMO_NAMESPACE)}, {"status", code}));
    demo_observe(q, s, M_HTTP_SECONDS, seconds,
        DEMO_LABELS({"endpoint", route}, {"method", method}, {"namespace", STR(DEMO_NAMESPACE)}));
    demo_observe(q, s, M_HTTP_SERVER_DURATION, seconds,
        DEMO_LABELS({"http.request.method", method}, {"http.response.status_code", code}, {"http.route", route}));
    DemoSeverity level = status >= 500 ? DEMO_ERROR : status >= 400 ? DEMO_WARN : DEMO_INFO;
    DemoAttrs *l = demo_log_put(q, s, level, "http.access", "%s %s %d", h->method, h->route, status);
    demo_attr_lit(q, l, "method", h->method);
    demo_attr_lit(q, l, "path", h->route);
    demo_attr_i64(q, l, "status_code", status);
    demo_attr_f64(q, l, "duration", (double)(int64_t)(seconds * 1e6) / 1e6);
    demo_attr_i64(q, l, "duration_ms", (int64_t)(seconds * 1e3));
}

DemoSpan *demo_http_client(
    DemoRequest *q, const DemoSpan *parent, DemoService target, const char *method, const char *route) {
    bool old = old_conventions(q->fleet->instances[parent->instance].service);
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_CLIENT, str_cstr(method));
    put_http_attrs(q, s, old, method, route, demo_service_name(target), listen_ports[target]);
    demo_attr_str(q, &s->attrs, "peer.service", demo_service_name(target));
    return s;
}

void demo_http_client_end(DemoRequest *q, DemoSpan *client, int status) {
    demo_pass(q, demo_lognormal(&q->fleet->rng, 0.0006, 0.3));
    put_http_status(q, client, old_conventions(q->fleet->instances[client->instance].service), status);
    demo_span_close(q, client);
}

bool demo_db_query(DemoRequest *q, const DemoSpan *parent, const char *operation, const char *table, const char *sql) {
    DemoFleet *f = q->fleet;
    bool starved = demo_in_trouble(f, DEMO_QUEUE_BACKLOG, q->wall_ns) &&
                   f->instances[parent->instance].service == SVC_RESPONSE_API && demo_chance(&f->rng, 0.06);
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_CLIENT, demo_printf(q, "%s %s", operation, table));
    demo_attr_lit(q, &s->attrs, "db.system.name", "postgresql");
    demo_attr_lit(q, &s->attrs, "db.namespace", "jan_server");
    demo_attr_lit(q, &s->attrs, "db.operation.name", operation);
    demo_attr_lit(q, &s->attrs, "db.collection.name", table);
    demo_attr_lit(q, &s->attrs, "db.query.text", sql);
    demo_attr_lit(q, &s->attrs, "server.address", "postgres.octollm-prod.svc");
    demo_attr_i64(q, &s->attrs, "server.port", 5432);
    demo_pass(q, starved ? 5.0 : demo_lognormal(&f->rng, 0.0022, 0.7));
    if (starved) {
        demo_span_fail(q, s, "PoolTimeoutError", STR("timed out after 5s waiting for a database connection"));
        DemoAttrs *l = demo_log_put(q, s, DEMO_ERROR, "db.pool",
            "database connection pool exhausted: timed out after 5s waiting for a connection (pool size 15)");
        demo_attr_lit(q, l, "table", table);
    }
    demo_span_close(q, s);
    demo_observe(q, s, M_DB_QUERY_SECONDS, demo_span_seconds(s), DEMO_LABELS({"operation", str_cstr(operation)}));
    return !starved;
}

void demo_redis(DemoRequest *q, const DemoSpan *parent, const char *command) {
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_CLIENT, str_cstr(command));
    demo_attr_lit(q, &s->attrs, "db.system.name", "redis");
    demo_attr_lit(q, &s->attrs, "db.operation.name", command);
    demo_attr_lit(q, &s->attrs, "server.address", "redis.octollm-prod.svc");
    demo_attr_i64(q, &s->attrs, "server.port", 6379);
    demo_pass(q, demo_lognormal(&q->fleet->rng, 0.0004, 0.5));
    demo_span_close(q, s);
}

static void log_s3_error(DemoRequest *q, const DemoSpan *s, const char *operation, Str key, const char *code) {
    DemoAttrs *l = demo_log_put(q, s, DEMO_ERROR, "storage.s3", "s3 %s failed: %s", operation, code);
    demo_attr_lit(q, l, "bucket", "jan-media-bucket");
    demo_attr_str(q, l, "key", key);
    demo_attr_lit(q, l, "error", code);
}

bool demo_s3(DemoRequest *q, const DemoSpan *parent, const char *operation, int64_t size_bytes) {
    static const char *const codes[] = {"ServiceUnavailable: Please reduce your request rate",
        "AccessDenied: Access Denied", "InternalError: We encountered an internal error"};
    DemoFleet *f = q->fleet;
    bool failing = demo_in_trouble(f, DEMO_STORAGE_FAILURE, q->wall_ns);
    bool fails = demo_chance(&f->rng, failing ? 0.55 : 0.0005);
    uint32_t kind = demo_pick(&f->rng, ARRAY_LEN(codes));
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_CLIENT, demo_printf(q, "S3.%s", operation));
    Str key = demo_hex_id(q, "media/", 8);
    demo_attr_lit(q, &s->attrs, "rpc.system", "aws-api");
    demo_attr_lit(q, &s->attrs, "rpc.service", "S3");
    demo_attr_lit(q, &s->attrs, "rpc.method", operation);
    demo_attr_lit(q, &s->attrs, "aws.s3.bucket", "jan-media-bucket");
    demo_attr_str(q, &s->attrs, "aws.s3.key", key);
    demo_attr_lit(q, &s->attrs, "cloud.region", "us-east-1");
    demo_attr_lit(q, &s->attrs, "server.address", "s3.us-east-1.amazonaws.com");
    demo_attr_i64(q, &s->attrs, "http.request.body.size", size_bytes);
    demo_pass(q, demo_lognormal(&f->rng, failing ? 0.6 : 0.045, 0.5) + (double)size_bytes / 90e6);
    demo_attr_i64(q, &s->attrs, "http.response.status_code", !fails ? 200 : kind == 1 ? 403 : kind == 0 ? 503 : 500);
    if (fails) {
        demo_span_fail(q, s,
            kind == 1   ? "AccessDenied"
            : kind == 0 ? "ServiceUnavailable"
                        : "InternalError",
            str_cstr(codes[kind]));
        log_s3_error(q, s, operation, key, codes[kind]);
    }
    demo_span_close(q, s);
    demo_count(q, s, M_S3_REQUESTS, 1, DEMO_LABELS({"operation", str_cstr(operation)}));
    demo_count(q, s, M_S3_ERRORS, fails ? 1 : 0, DEMO_LABELS({"operation", str_cstr(operation)}));
    return !fails;
}

void demo_template_render(DemoRequest *q, const DemoSpan *parent) {
    static const char *const templates[] = {"chat-default", "agent-react", "summarize-v2", "classify-intent"};
    DemoFleet *f = q->fleet;
    bool slow = demo_in_trouble(f, DEMO_QUEUE_BACKLOG, q->wall_ns) &&
                f->instances[parent->instance].service == SVC_RESPONSE_API;
    DemoSpan *client = demo_http_client(q, parent, SVC_TEMPLATE_API, "POST", "/v1/templates/render");
    DemoHttp h = demo_http_begin(q, client, SVC_TEMPLATE_API, "POST", "/v1/templates/render");
    demo_redis(q, h.span, "GET");
    if (demo_chance(&f->rng, 0.2)) {
        demo_db_query(q, h.span, "SELECT", "templates", "SELECT id, body, version FROM templates WHERE name = $1");
    }
    demo_pass(q, demo_lognormal(&f->rng, slow ? 3.0 : 0.004, 0.5));
    const char *name = templates[demo_pick(&f->rng, ARRAY_LEN(templates))];
    DemoSeverity level = slow ? DEMO_WARN : DEMO_DEBUG;
    DemoAttrs *l = demo_log_put(q, h.span, level, "render", slow ? "slow template render" : "template rendered");
    demo_attr_lit(q, l, "template", name);
    demo_attr_lit(q, &h.span->attrs, "gen_ai.prompt.name", name);
    demo_http_end(q, &h, 200);
    demo_http_client_end(q, client, 200);
}
