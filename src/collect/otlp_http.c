/* otlp_http.c - OTLP over HTTP: /v1/traces, /v1/metrics, /v1/logs and their twins on Loki's and Prometheus' ports. */
#include "base/num.h"
#include "codec/proto.h"
#include "collect/collector_int.h"

#define ARENA_PER_BODY 6 /* decoded batches are a few times the wire's size; the factor bounds hostile ones */

/* google.rpc.Status{code = 1, message = 2} in the request's own encoding. */
static void reply_status(HttpResponse *res, bool json, const Err *err) {
    Buf body = {0};
    if (json) {
        JsonWriter w = json_writer(&body);
        json_begin_object(&w);
        json_key_lit(&w, "code");
        json_i64(&w, err_grpc_code(err->code));
        json_key_lit(&w, "message");
        json_str(&w, str_cstr(err->msg));
        json_end_object(&w);
    } else {
        proto_put_varint(&body, 1, (uint64_t)err_grpc_code(err->code));
        proto_put_bytes(&body, 2, str_cstr(err->msg));
    }
    if (err->code == ERR_OVERLOADED || err->code == ERR_UNAVAILABLE) http_set_header(res, STR("Retry-After"), STR("1"));
    http_reply(res, err_http_status(err->code), json ? STR("application/json") : STR("application/x-protobuf"),
        buf_str(&body));
    buf_done(&body);
}

static void put_json_response(Buf *out, OtlpRequest kind, const OtlpOutcome *outcome) {
    static const Str rejected[] = {
        STR_INIT("rejectedSpans"), STR_INIT("rejectedDataPoints"), STR_INIT("rejectedLogRecords")};
    JsonWriter w = json_writer(out);
    json_begin_object(&w);
    if (outcome->rejected > 0) {
        Buf number = {0};
        num_put_u64(&number, outcome->rejected);
        json_key_lit(&w, "partialSuccess");
        json_begin_object(&w);
        json_key(&w, rejected[kind]);
        json_str(&w, buf_str(&number)); /* 64-bit integers are strings in protobuf's JSON */
        json_key_lit(&w, "errorMessage");
        json_str(&w, str_cstr(outcome->reason));
        json_end_object(&w);
        buf_done(&number);
    }
    json_end_object(&w);
}

/* The request's protobuf bytes, whatever it came as. */
static ErrCode read_request(struct OtlpRoute *route, HttpRequest *req, bool json, Buf *scratch, Str *ret, Err *reterr) {
    ErrCode r = http_body_decoded(req, route->c->opts.max_body_bytes, ret, reterr);
    if (r != OK || !json) return r;
    r = otlp_json_to_proto(route->kind, *ret, req->arena, scratch, reterr);
    *ret = buf_str(scratch);
    return r;
}

static void handle(void *ctx, HttpRequest *req, HttpResponse *res) {
    struct OtlpRoute *route = ctx;
    Str type = http_media_type(req);
    bool json = str_eq_lit(type, "application/json");
    if (!json && !str_eq_lit(type, "application/x-protobuf")) {
        collector_count_error(route->c, route->kind, TRANSPORT_HTTP, ERR_UNSUPPORTED);
        http_reply_text(res, 415, "415 unsupported media type, supported: [application/json, application/x-protobuf]");
        return;
    }
    Err err = {0};
    Buf scratch = {0}, body = {0};
    Str proto;
    OtlpOutcome outcome = {0};
    ErrCode r = read_request(route, req, json, &scratch, &proto, &err);
    if (r != OK) collector_count_error(route->c, route->kind, TRANSPORT_HTTP, r);
    if (r == OK) r = collector_export(route->c, route->kind, TRANSPORT_HTTP, proto, req->arena, &outcome, &err);
    if (r != OK) {
        err.code = r;
        reply_status(res, json, &err);
    } else if (json) {
        put_json_response(&body, route->kind, &outcome);
        http_reply(res, 200, STR("application/json"), buf_str(&body));
    } else {
        collector_put_response(&body, &outcome);
        http_reply(res, 200, STR("application/x-protobuf"), buf_str(&body));
    }
    buf_done(&scratch);
    buf_done(&body);
}

/* Loki answers 204 without a body, and errors as a status. */
static void handle_loki(void *ctx, HttpRequest *req, HttpResponse *res) {
    handle(ctx, req, res);
    if (res->status == 200) http_reply(res, 204, STR_NULL, STR_NULL);
}

static void reply_text(HttpResponse *res, int status, const Buf *text) {
    http_reply(res, status, STR("text/plain; charset=utf-8"), buf_str(text));
}

/* Prometheus takes all or nothing: 500 when points make no sense to it, 400 when its store refuses one (then what it
 * took stays here), the reasons as plain text. */
static void handle_prometheus(void *ctx, HttpRequest *req, HttpResponse *res) {
    struct OtlpRoute *route = ctx;
    Str type = http_header(req, STR("Content-Type")), media = http_media_type(req);
    bool json = str_eq_lit(media, "application/json");
    if (!json && !str_eq_lit(media, "application/x-protobuf")) {
        collector_count_error(route->c, route->kind, TRANSPORT_HTTP, ERR_UNSUPPORTED);
        http_reply_text(res, 400,
            "unsupported content type: %" STR_FMT ", supported: [application/json, application/x-protobuf]\n",
            STR_ARG(type));
        return;
    }
    Err err = {0};
    Buf scratch = {0}, all = {0};
    Str proto;
    OtlpOutcome outcome = {.all = &all};
    ErrCode r = read_request(route, req, json, &scratch, &proto, &err);
    if (r != OK) collector_count_error(route->c, route->kind, TRANSPORT_HTTP, r);
    if (r == OK) r = collector_export(route->c, route->kind, TRANSPORT_HTTP, proto, req->arena, &outcome, &err);
    if (r != OK) {
        err.code = r;
        http_reply_error(res, &err);
    } else if (all.n) {
        reply_text(res, outcome.translation ? 500 : 400, &all);
    } else {
        http_reply(res, 200, STR_NULL, STR_NULL);
    }
    buf_done(&scratch);
    buf_done(&all);
}

static void add_route(Collector *c, Router *r, OtlpRequest kind, const char *path, HttpHandler handler) {
    Route route = {.methods = HTTP_POST,
        .pattern = path,
        .handler = handler,
        .ctx = &c->routes[kind],
        .cls = ROUTE_INGEST,
        .max_body_bytes = c->opts.max_body_bytes,
        .arena_bytes = c->opts.max_body_bytes * ARENA_PER_BODY,
        .role = ROLE_EDITOR};
    router_add(r, &route);
}

void collector_loki_routes(Collector *c, Router *r) {
    add_route(c, r, OTLP_REQUEST_LOGS, "/otlp/v1/logs", handle_loki);
}

void collector_prometheus_routes(Collector *c, Router *r) {
    add_route(c, r, OTLP_REQUEST_METRICS, "/api/v1/otlp/v1/metrics", handle_prometheus);
}

/* --- gRPC --- */

static void handle_grpc(void *ctx, GrpcCall *call) {
    struct OtlpRoute *route = ctx;
    OtlpOutcome outcome = {0};
    ErrCode r = collector_export(
        route->c, route->kind, TRANSPORT_GRPC, call->message, call->http->arena, &outcome, &call->error);
    if (r == OK) {
        collector_put_response(&call->response, &outcome);
        return;
    }
    call->error.code = r;
    if (r == ERR_OVERLOADED || r == ERR_UNAVAILABLE) call->retry_delay_ms = 1000;
}

void collector_otlp_routes(Collector *c, Router *r) {
    static const char *const paths[] = {"/v1/traces", "/v1/metrics", "/v1/logs"};
    static const char *const methods[] = {"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export"};
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        add_route(c, r, (OtlpRequest)i, paths[i], handle);
        GrpcMethod m = {.path = methods[i],
            .handler = handle_grpc,
            .ctx = &c->routes[i],
            .max_message_bytes = c->opts.max_body_bytes,
            .cls = ROUTE_INGEST};
        router_add_grpc(r, &m);
    }
}
