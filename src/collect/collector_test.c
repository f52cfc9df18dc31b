/* collector_test.c - the receivers against a real server: statuses, error bodies, partial success, counters. */
#include "base/num.h"
#include "codec/compress.h"
#include "codec/proto.h"
#include "collect/collect.h"
#include "collect/otlp_json.h"
#include "net/server_fixture.h"

#define BODY_MAX 4096
#define IDS "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\""
#define SPANS(...) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" __VA_ARGS__ "]}]}]}"
#define TWO_SPANS SPANS("{" IDS "},{" IDS ",\"name\":\"b\"}")
#define HALF_BAD SPANS("{" IDS "},{\"name\":\"no ids\"}")
#define ONE_LOG "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"hi\"}}]}]}]}"
#define ONE_POINT                                                                                                      \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":"    \
    "\"1\"}]}}]}]}]}"
#define JSON "application/json"
#define PROTOBUF "application/x-protobuf"

/* --- a store that does what the case says --- */

typedef struct FakeStore {
    ErrCode code;
    uint64_t refuse;
    uint64_t spans, points, records;
} FakeStore;

static ErrCode take(FakeStore *s, uint64_t *count, size_t n, uint64_t *ret_refused, char reason[256], Err *reterr) {
    if (s->code != OK) return err_set(reterr, s->code, "the store says no");
    *ret_refused = s->refuse;
    if (s->refuse) (void)snprintf(reason, 256, "too old");
    *count += n - s->refuse;
    return OK;
}

static ErrCode take_metrics(void *ctx, const MetricsBatch *b, uint64_t *ret_refused, char reason[256], Err *reterr) {
    FakeStore *s = ctx;
    return take(s, &s->points, b->value.n, ret_refused, reason, reterr);
}

static ErrCode take_logs(void *ctx, const LogsBatch *b, uint64_t *ret_refused, char reason[256], Err *reterr) {
    FakeStore *s = ctx;
    return take(s, &s->records, b->rows.n, ret_refused, reason, reterr);
}

static ErrCode take_spans(void *ctx, const SpansBatch *b, uint64_t *ret_refused, char reason[256], Err *reterr) {
    FakeStore *s = ctx;
    return take(s, &s->spans, b->rows.n, ret_refused, reason, reterr);
}

typedef struct Bench {
    Fixture net;
    FakeStore store;
    Collector *collector;
    HttpClient *client;
} Bench;

static void bench_start(Bench *b) {
    *b = (Bench){0};
    CollectOptions opts = {
        .sinks = {&b->store, take_metrics, take_logs, take_spans}, .max_body_bytes = BODY_MAX, .version = "1"};
    b->collector = collector_create(&opts);
    b->net.router = router_create();
    collector_otlp_routes(b->collector, b->net.router);
    collector_loki_routes(b->collector, b->net.router);
    collector_prometheus_routes(b->collector, b->net.router);
    collector_health_routes(b->collector, b->net.router);
    fixture_start(&b->net, NULL, NULL);
    b->client = http_client_create("test");
}

static void bench_stop(Bench *b) {
    http_client_free(b->client);
    fixture_stop(&b->net);
    collector_free(b->collector);
}

/* --- asking --- */

typedef struct Answer {
    atomic_bool ready;
    ErrCode code;
    int status;
    Buf body, headers;
} Answer;

static void keep_answer(void *ctx, const HttpClientResponse *res) {
    Answer *a = ctx;
    a->code = res->code;
    a->status = res->status;
    buf_put_str(&a->body, res->body);
    buf_put_str(&a->headers, res->headers);
    atomic_store(&a->ready, true);
}

static Str header(const Answer *a, const char *name) {
    return http_client_header(&(HttpClientResponse){.headers = buf_str(&a->headers)}, str_cstr(name));
}

static void answer_done(Answer *a) {
    buf_done(&a->body);
    buf_done(&a->headers);
}

static void ask(
    Bench *b, const char *method, const char *path, Str body, const char *const *headers, bool http2, Answer *a) {
    char url[128];
    *a = (Answer){0};
    (void)snprintf(url, sizeof url, "%s%s", b->net.base_url, path);
    HttpClientRequest req = {.method = method,
        .url = url,
        .headers = headers,
        .body = body,
        .timeout_ms = 100000,
        .http2_prior_knowledge = http2};
    http_client_start(b->client, &req, keep_answer, a);
    while (!atomic_load(&a->ready)) clock_sleep_ms(1);
    assert_int_equal(a->code, OK);
}

/* The JSON text as the protobuf bytes of the request that goes to that path. */
static void put_proto(Buf *out, const char *path, const char *json) {
    Arena *arena = arena_create(1 << 20);
    OtlpRequest kind = OTLP_REQUEST_LOGS;
    if (strstr(path, "/v1/traces") || strstr(path, "TraceService")) kind = OTLP_REQUEST_TRACES;
    if (strstr(path, "/v1/metrics") || strstr(path, "MetricsService")) kind = OTLP_REQUEST_METRICS;
    assert_int_equal(otlp_json_to_proto(kind, str_cstr(json), arena, out, NULL), OK);
    arena_free(arena);
}

/* google.rpc.Status as text: "CODE MESSAGE". */
static void put_status_text(Buf *out, Str proto) {
    ProtoReader p = proto_reader(proto);
    ProtoField f;
    uint64_t code = 0;
    Str message = STR_NULL;
    while (proto_next(&p, &f)) {
        if (f.number == 1) code = f.u64;
        if (f.number == 2) message = f.bytes;
    }
    assert_null(p.error);
    buf_printf(out, "%d %" STR_FMT, (int)code, STR_ARG(message));
}

/* Export...ServiceResponse as text: "" or "rejected=N MESSAGE". */
static void put_response_text(Buf *out, Str proto) {
    ProtoReader p = proto_reader(proto);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (f.number != 1) continue;
        ProtoReader partial = proto_reader(f.bytes);
        while (proto_next(&partial, &f)) {
            if (f.number == 1) buf_printf(out, "rejected=%d ", (int)f.u64);
            if (f.number == 2) buf_put_str(out, f.bytes);
        }
        assert_null(partial.error);
    }
    assert_null(p.error);
}

/* --- HTTP --- */

static const struct HttpCase {
    const char *what, *path, *type, *json; /* json: the request; sent as protobuf when the type is that */
    const char *encoding;
    ErrCode store;
    uint64_t refuse;
    int status;
    const char *answer; /* the body; protobuf ones as text, see above */
    bool retry_after;
} http_cases[] = {
    {"protobuf", "/v1/traces", PROTOBUF, TWO_SPANS, NULL, OK, 0, 200, "", false},
    {"json", "/v1/traces", JSON, TWO_SPANS, NULL, OK, 0, 200, "{}", false},
    {"json with a charset", "/v1/logs", "application/json; charset=utf-8", ONE_LOG, NULL, OK, 0, 200, "{}", false},
    {"empty request", "/v1/logs", PROTOBUF, "{}", NULL, OK, 0, 200, "", false},
    {"empty json", "/v1/metrics", JSON, "{}", NULL, OK, 0, 200, "{}", false},
    {"metrics", "/v1/metrics", PROTOBUF, ONE_POINT, NULL, OK, 0, 200, "", false},
    {"gzip", "/v1/traces", PROTOBUF, TWO_SPANS, "gzip", OK, 0, 200, "", false},
    {"zstd", "/v1/logs", PROTOBUF, ONE_LOG, "zstd", OK, 0, 200, "", false},
    {"deflate", "/v1/metrics", JSON, ONE_POINT, "deflate", OK, 0, 200, "{}", false},
    {"snappy", "/v1/metrics", PROTOBUF, ONE_POINT, "snappy", OK, 0, 200, "", false},
    {"part of it is bad", "/v1/traces", PROTOBUF, HALF_BAD, NULL, OK, 0, 200, "rejected=1 a span has no trace_id",
        false},
    {"the same in json", "/v1/traces", JSON, HALF_BAD, NULL, OK, 0, 200,
        "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"a span has no trace_id\"}}", false},
    {"the store refuses some", "/v1/logs", JSON, ONE_LOG, NULL, OK, 1, 200,
        "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"too old\"}}", false},
    {"the store refuses points", "/v1/metrics", JSON, ONE_POINT, NULL, OK, 1, 200,
        "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"too old\"}}", false},
    {"overload", "/v1/traces", PROTOBUF, TWO_SPANS, NULL, ERR_OVERLOADED, 0, 429, "8 the store says no", true},
    {"overload in json", "/v1/traces", JSON, TWO_SPANS, NULL, ERR_OVERLOADED, 0, 429,
        "{\"code\":8,\"message\":\"the store says no\"}", true},
    {"shutting down", "/v1/logs", PROTOBUF, ONE_LOG, NULL, ERR_UNAVAILABLE, 0, 503, "14 the store says no", true},
    {"disk full", "/v1/logs", PROTOBUF, ONE_LOG, NULL, ERR_NO_SPACE, 0, 503, "14 the store says no", true},
    {"disk broken", "/v1/metrics", PROTOBUF, ONE_POINT, NULL, ERR_IO, 0, 503, "14 the store says no", true},
    {"a bug", "/v1/metrics", PROTOBUF, ONE_POINT, NULL, ERR_INTERNAL, 0, 500, "13 the store says no", false},
    {"bad json", "/v1/traces", JSON, "{\"resourceSpans\":{}}", NULL, OK, 0, 400,
        "{\"code\":3,\"message\":\"expected an array: resourceSpans\"}", false},
    {"other type", "/v1/traces", "text/plain", "x", NULL, OK, 0, 415, NULL, false},
    {"no type", "/v1/traces", "", "x", NULL, OK, 0, 415, NULL, false},
    {"other encoding", "/v1/traces", PROTOBUF, TWO_SPANS, "br", OK, 0, 415, NULL, false},
    {"loki", "/otlp/v1/logs", PROTOBUF, ONE_LOG, NULL, OK, 0, 204, "", false},
    {"loki refuses", "/otlp/v1/logs", PROTOBUF, ONE_LOG, NULL, ERR_OVERLOADED, 0, 429, "8 the store says no", true},
    {"prometheus", "/api/v1/otlp/v1/metrics", PROTOBUF, ONE_POINT, NULL, OK, 0, 200, "", false},
};

static void encode_body(const struct HttpCase *c, Buf *out) {
    Buf plain = {0};
    if (strcmp(c->type, PROTOBUF) == 0)
        put_proto(&plain, c->path, c->json);
    else
        buf_put_str(&plain, str_cstr(c->json));
    Encoding e = c->encoding ? encoding_parse(str_cstr(c->encoding)) : ENCODING_IDENTITY;
    if (e == ENCODING_IDENTITY || e == ENCODING_UNKNOWN)
        buf_put_str(out, buf_str(&plain));
    else
        assert_int_equal(compress(e, buf_str(&plain), 0, out), OK);
    buf_done(&plain);
}

static void check_answer(const struct HttpCase *c, const Answer *a) {
    if (a->status != c->status) fail_msg("%s: status %d, %" STR_FMT, c->what, a->status, STR_ARG(buf_str(&a->body)));
    assert_int_equal(header(a, "Retry-After").n > 0, c->retry_after);
    if (!c->answer) return;
    Buf text = {0};
    bool empty = a->status == 204 || strstr(c->path, "/otlp/");
    if (!(empty && a->status < 300)) assert_true(str_starts_with(str_cstr(c->type), header(a, "Content-Type")));
    if (strcmp(c->type, PROTOBUF) != 0)
        buf_put_str(&text, buf_str(&a->body));
    else if (a->status < 300)
        put_response_text(&text, buf_str(&a->body));
    else
        put_status_text(&text, buf_str(&a->body));
    if (!str_eq(buf_str(&text), str_cstr(c->answer)))
        fail_msg("%s: \"%" STR_FMT "\"", c->what, STR_ARG(buf_str(&text)));
    buf_done(&text);
}

static void test_http(void **state) {
    (void)state;
    Bench b;
    bench_start(&b);
    for (size_t i = 0; i < ARRAY_LEN(http_cases); i++) {
        const struct HttpCase *c = &http_cases[i];
        char type[64], encoding[64];
        (void)snprintf(type, sizeof type, "Content-Type: %s", c->type);
        (void)snprintf(encoding, sizeof encoding, "Content-Encoding: %s", c->encoding ? c->encoding : "identity");
        const char *headers[] = {type, encoding, NULL};
        Buf body = {0};
        Answer a;
        encode_body(c, &body);
        b.store.code = c->store;
        b.store.refuse = c->refuse;
        ask(&b, "POST", c->path, buf_str(&body), headers, false, &a);
        check_answer(c, &a);
        answer_done(&a);
        buf_done(&body);
    }
    bench_stop(&b);
}

/* Bodies over the limit: as they come, and only once they are decompressed. */
static void test_too_large(void **state) {
    (void)state;
    Bench b;
    bench_start(&b);
    Buf big = {0}, packed = {0};
    for (int i = 0; i < BODY_MAX; i++) buf_printf(&big, "%d", i);
    assert_int_equal(compress(ENCODING_ZSTD, buf_str(&big), 0, &packed), OK);
    Answer a;
    ask(&b, "POST", "/v1/traces", buf_str(&big), (const char *const[]){"Content-Type: " PROTOBUF, NULL}, false, &a);
    assert_int_equal(a.status, 413);
    answer_done(&a);
    buf_clear(&big);
    for (int i = 0; i < BODY_MAX + 1; i++) buf_put_char(&big, (char)('a' + i % 7));
    buf_clear(&packed);
    assert_int_equal(compress(ENCODING_GZIP, buf_str(&big), 0, &packed), OK);
    const char *headers[] = {"Content-Type: " PROTOBUF, "Content-Encoding: gzip", NULL};
    ask(&b, "POST", "/v1/traces", buf_str(&packed), headers, false, &a);
    assert_int_equal(a.status, 413);
    Buf text = {0};
    put_status_text(&text, buf_str(&a.body));
    assert_true(str_starts_with(buf_str(&text), STR("8 ")));
    assert_int_equal(header(&a, "Retry-After").n, 0);
    buf_done(&text);
    answer_done(&a);
    ask(&b, "POST", "/v1/traces", STR("\x0a\x7f"), (const char *const[]){"Content-Type: " PROTOBUF, NULL}, false, &a);
    assert_int_equal(a.status, 400);
    answer_done(&a);
    ask(&b, "GET", "/v1/traces", STR_NULL, NULL, false, &a);
    assert_int_equal(a.status, 405);
    answer_done(&a);
    buf_done(&big);
    buf_done(&packed);
    bench_stop(&b);
}

/* --- gRPC --- */

#define TRACES "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define METRICS "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
#define LOGS "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

static const struct GrpcCase {
    const char *what, *path, *json; /* json NULL: bytes that are no protobuf */
    const char *encoding;
    ErrCode store;
    uint64_t refuse;
    const char *status, *message, *answer;
    bool retry;
} grpc_cases[] = {
    {"traces", TRACES, TWO_SPANS, NULL, OK, 0, "0", "", "", false},
    {"metrics", METRICS, ONE_POINT, "gzip", OK, 0, "0", "", "", false},
    {"logs", LOGS, ONE_LOG, "zstd", OK, 0, "0", "", "", false},
    {"nothing", TRACES, "{}", NULL, OK, 0, "0", "", "", false},
    {"part of it is bad", TRACES, HALF_BAD, NULL, OK, 0, "0", "", "rejected=1 a span has no trace_id", false},
    {"the store refuses some", METRICS, ONE_POINT, NULL, OK, 1, "0", "", "rejected=1 too old", false},
    {"overload", LOGS, ONE_LOG, NULL, ERR_OVERLOADED, 0, "8", "the store says no", "", true},
    {"shutting down", LOGS, ONE_LOG, NULL, ERR_UNAVAILABLE, 0, "14", "the store says no", "", true},
    {"disk full", TRACES, TWO_SPANS, NULL, ERR_NO_SPACE, 0, "14", "the store says no", "", true},
    {"malformed", TRACES, NULL, NULL, OK, 0, "3", "malformed protobuf", "", false},
};

static void frame_message(Buf *out, Str message, const char *encoding) {
    Buf packed = {0};
    if (encoding) {
        assert_int_equal(compress(encoding_parse(str_cstr(encoding)), message, 0, &packed), OK);
        message = buf_str(&packed);
    }
    const char prefix[5] = {encoding ? 1 : 0, 0, 0, (char)(message.n >> 8), (char)message.n};
    buf_put(out, prefix, sizeof prefix);
    buf_put_str(out, message);
    buf_done(&packed);
}

static void check_call(const struct GrpcCase *c, const Answer *a) {
    Str status = header(a, "grpc-status"), message = header(a, "grpc-message");
    if (!str_eq(status, str_cstr(c->status)) || !str_starts_with(message, str_cstr(c->message)))
        fail_msg("%s: %" STR_FMT " %" STR_FMT, c->what, STR_ARG(status), STR_ARG(message));
    Buf details = {0}, text = {0};
    assert_true(num_parse_base64(header(a, "grpc-status-details-bin"), &details));
    assert_int_equal(str_contains(buf_str(&details), STR("google.rpc.RetryInfo")), c->retry);
    if (str_eq_lit(status, "0")) {
        assert_true(a->body.n >= 5 && a->body.p[0] == 0);
        put_response_text(&text, str_skip(buf_str(&a->body), 5));
        assert_true(str_eq(buf_str(&text), str_cstr(c->answer)));
    }
    buf_done(&details);
    buf_done(&text);
}

static void test_grpc(void **state) {
    (void)state;
    Bench b;
    bench_start(&b);
    for (size_t i = 0; i < ARRAY_LEN(grpc_cases); i++) {
        const struct GrpcCase *c = &grpc_cases[i];
        char encoding[64];
        (void)snprintf(encoding, sizeof encoding, "grpc-encoding: %s", c->encoding ? c->encoding : "identity");
        const char *headers[] = {"content-type: application/grpc", "te: trailers", encoding, NULL};
        Buf proto = {0}, body = {0};
        Answer a;
        if (c->json)
            put_proto(&proto, c->path, c->json);
        else
            buf_put_lit(&proto, "\x0a\x7f");
        frame_message(&body, buf_str(&proto), c->encoding);
        b.store.code = c->store;
        b.store.refuse = c->refuse;
        ask(&b, "POST", c->path, buf_str(&body), headers, true, &a);
        check_call(c, &a);
        answer_done(&a);
        buf_done(&proto);
        buf_done(&body);
    }
    bench_stop(&b);
}

/* --- counters and health --- */

static double counter(const Bench *b, const char *series) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsBatch batch = {.arena = arena};
    Buf text = {0};
    double v = -1;
    collector_metrics(b->collector, &batch, 1);
    for (size_t i = 0; i < batch.series.n; i++) {
        buf_clear(&text);
        labels_put_text(&text, batch.series.v[i].labels);
        if (str_eq(buf_str(&text), str_cstr(series))) v = batch.value.v[batch.series.v[i].first_sample];
    }
    buf_done(&text);
    arena_free(arena);
    return v;
}

static const struct {
    const char *json;
    ErrCode store;
    uint64_t refuse;
} sent[] = {
    {TWO_SPANS, OK, 0},
    {HALF_BAD, OK, 0},
    {TWO_SPANS, OK, 1},
    {TWO_SPANS, ERR_OVERLOADED, 0},
    {TWO_SPANS, ERR_INVALID, 0},
    {"{", OK, 0},
};

static const struct {
    const char *series;
    double value;
} counted[] = {
    {"otelcol_receiver_accepted_spans_total{receiver=\"otlp\", transport=\"http\"}", 2 + 1 + 1},
    {"otelcol_receiver_refused_spans_total{receiver=\"otlp\", transport=\"http\"}", 1 + 1 + 2},
    {"otelcol_receiver_failed_spans_total{receiver=\"otlp\", transport=\"http\"}", 2},
    {"otelcol_receiver_accepted_spans_total{receiver=\"otlp\", transport=\"grpc\"}", 0},
    {"otelcol_receiver_requests_total{outcome=\"success\", receiver=\"otlp\"}", 3},
    {"otelcol_receiver_requests_total{outcome=\"refused\", receiver=\"otlp\"}", 2},
    {"otelcol_receiver_requests_total{outcome=\"failure\", receiver=\"otlp\"}", 1},
    {"otelcol_exporter_sent_spans_total{exporter=\"meerkat\"}", 4},
    {"otelcol_exporter_send_failed_spans_total{exporter=\"meerkat\"}", 2},
    {"meerkat_otlp_errors_total{reason=\"overloaded\"}", 1},
    {"meerkat_otlp_errors_total{reason=\"invalid\"}", 2},
};

static void test_counters(void **state) {
    (void)state;
    Bench b;
    bench_start(&b);
    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        Answer a;
        b.store.code = sent[i].store;
        b.store.refuse = sent[i].refuse;
        ask(&b, "POST", "/v1/traces", str_cstr(sent[i].json),
            (const char *const[]){"Content-Type: application/json", NULL}, false, &a);
        answer_done(&a);
    }
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        double v = counter(&b, counted[i].series);
        if (v != counted[i].value) fail_msg("%s: %g", counted[i].series, v);
    }
    assert_int_equal(b.store.spans, 4);
    bench_stop(&b);
}

static void test_health(void **state) {
    (void)state;
    static const struct {
        const char *path, *starting, *ready;
    } cases[] = {
        {"/", "Server not available", "\"upSince\""},
        {"/health/status", "Server not available", "Server available"},
        {"/status", "StatusStarting", "StatusOK"},
    };
    Bench b;
    bench_start(&b);
    for (int ready = 0; ready < 2; ready++) {
        collector_set_ready(b.collector, ready);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            Answer a;
            ask(&b, "GET", cases[i].path, STR_NULL, NULL, false, &a);
            assert_int_equal(a.status, ready ? 200 : 503);
            expect_contains(&a.body, ready ? cases[i].ready : cases[i].starting);
            answer_done(&a);
        }
    }
    bench_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_health),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
