#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/clock.h"
#include "traces/api_fixture_test.h"
#include "traces/span_gen_test.h"

static void append_sample(TraceStore *s) {
    const Attr shop[] = {gen_str("service.name", "shop"), gen_str("host.name", "h1")};
    const Attr root[] = {gen_i64("big", INT64_C(9007199254740992)), gen_i64("small", -5),
        {STR("ok"), {.type = ATTR_BOOL, .b = true}}, {STR("f"), {.type = ATTR_F64, .d = 1.5}},
        {STR("raw"), {.type = ATTR_BYTES, .s = STR("\x01\x02")}},
        {STR("list"), {.type = ATTR_ARRAY, .s = STR("[1,{\"a\":true}]")}}, gen_str("text", "a\"b")};
    const SpanLink links[] = {{.trace_id = gen_trace_id(7), .span_id = gen_span_id(7)}, {.span_id = gen_span_id(8)}};
    ApiSample x;
    api_sample_begin(
        &x, (ApiSampleAttrs){shop, ARRAY_LEN(shop)}, (ApiSampleAttrs){0}, (ApiSampleAttrs){root, ARRAY_LEN(root)});
    for (size_t i = 0; i < ARRAY_LEN(links); i++) ASSERT(avec_push(x.batch.arena, &x.batch.links, links[i]));
    x.root.links = (AttrRange){0, 2};
    x.root.end_ns = GEN_T0 + 5000999;
    x.child.trace_state = STR("k=v");
    api_sample_end(&x, s);
}

#define OK_TAIL(total) ",\"total\":" total ",\"limit\":0,\"offset\":0,\"errors\":null}\n"
#define ERR_BODY(code, msg)                                                                                            \
    "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":" code ",\"msg\":\"" msg "\"}]}\n"
#define ERR3(code, msg) "{\"error\":{\"httpCode\":" code ",\"message\":\"" msg "\"}}\n"
#define NUM(x) "strconv.ParseInt: parsing \\\"" x "\\\": invalid syntax"
#define WINDOW "&query.startTimeMin=2023-11-14T22:13:20Z&query.startTimeMax=2023-11-14T22:13:21%2B00:00"

static const struct {
    const char *target;
    int status;
    const char *body;
} cases[] = {
    {"/api/services", 200, "{\"data\":[\"db\",\"shop\"]" OK_TAIL("2")},
    {"/api/operations?service=db", 200, "{\"data\":[{\"name\":\"SELECT\",\"spanKind\":\"client\"}]" OK_TAIL("1")},
    {"/api/operations?service=db&spanKind=server", 200, "{\"data\":[]" OK_TAIL("0")},
    {"/api/operations?service=db&spanKind=nonsense", 200, "{\"data\":[]" OK_TAIL("0")},
    {"/api/operations", 400, ERR_BODY("400", "parameter 'service' is required")},
    {"/api/services/shop/operations", 200, "{\"data\":[\"GET /\"]" OK_TAIL("1")},
    {"/api/services/nobody/operations", 200, "{\"data\":[]" OK_TAIL("0")},
    {"/api/traces", 400, ERR_BODY("400", "parameter 'service' is required")},
    {"/api/traces?service=x&start=abc", 400, ERR_BODY("400", "unable to parse param 'start': " NUM("abc"))},
    {"/api/traces?service=x&end=1.5", 400, ERR_BODY("400", "unable to parse param 'end': " NUM("1.5"))},
    {"/api/traces?service=x&limit=ten", 400, ERR_BODY("400", NUM("ten"))},
    {"/api/traces?service=x&minDuration=5", 400,
        ERR_BODY("400", "unable to parse param 'minDuration': time: missing unit in duration \\\"5\\\"")},
    {"/api/traces?service=x&maxDuration=soon", 400,
        ERR_BODY("400", "unable to parse param 'maxDuration': time: invalid duration \\\"soon\\\"")},
    {"/api/traces?service=x&minDuration=5s&maxDuration=1s", 400,
        ERR_BODY("400", "'maxDuration' should be greater than 'minDuration'")},
    {"/api/traces?service=x&tag=key", 400,
        ERR_BODY("400", "malformed 'tag' parameter, expecting key:value, received: key")},
    {"/api/traces?service=x&tags=%7B%22a%22:1%7D", 400,
        ERR_BODY("400",
            "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal number into Go value "
            "of type string")},
    {"/api/traces?service=x&raw=maybe", 400,
        ERR_BODY("400", "unable to parse param 'raw': strconv.ParseBool: parsing \\\"maybe\\\": invalid syntax")},
    {"/api/traces?traceID=zz", 400,
        ERR_BODY("400", "cannot parse traceID param: strconv.ParseUint: parsing \\\"zz\\\": invalid syntax")},
    {"/api/traces?traceID=abc", 200,
        "{\"data\":[],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"msg\":\"trace not found\",\"traceID\":"
        "\"0000000000000abc\"}]}\n"},
    {"/api/traces?service=shop&start=1&end=2", 200, "{\"data\":[]" OK_TAIL("0")},
    {"/api/traces/abc", 404, ERR_BODY("404", "trace not found")},
    {"/api/traces/111111111111111111111111111111111", 400,
        ERR_BODY("400", "TraceID cannot be longer than 32 hex characters: 111111111111111111111111111111111")},
    {"/api/dependencies?endTs=1700000000100&lookback=1000", 200,
        "{\"data\":[{\"parent\":\"shop\",\"child\":\"db\",\"callCount\":1}]" OK_TAIL("0")},
    {"/api/dependencies?endTs=1600000000000", 200, "{\"data\":[]" OK_TAIL("0")},
    {"/api/dependencies?endTs=1700000000100&service=other", 200, "{\"data\":[]" OK_TAIL("0")},
    {"/api/dependencies?endTs=now", 400, ERR_BODY("400", "unable to parse param 'endTs': " NUM("now"))},
    {"/api/metrics/calls?service=shop", 501, ERR_BODY("501", "metrics querying is currently disabled")},
    {"/api/v3/services", 200, "{\"services\":[\"db\",\"shop\"]}"},
    {"/api/v3/operations?service=shop", 200, "{\"operations\":[{\"name\":\"GET /\",\"spanKind\":\"server\"}]}"},
    {"/api/v3/operations?service=shop&span_kind=client", 200, "{\"operations\":[]}"},
    {"/api/v3/traces/1", 404, ERR3("404", "No traces found")},
    {"/api/v3/traces/xyz", 400,
        ERR3("400", "malformed parameter trace_id: strconv.ParseUint: parsing \\\"xyz\\\": invalid syntax")},
    {"/api/v3/traces", 400, ERR3("400", "query.startTimeMin and query.startTimeMax are required")},
    {"/api/v3/traces?query.startTimeMin=2023-01-02T00:00:00Z&query.startTimeMax=2023-01-01T00:00:00Z", 400,
        ERR3("400", "query.startTimeMin must be before query.startTimeMax")},
    {"/api/v3/traces?query.search_depth=x" WINDOW, 400,
        ERR3("400", "malformed parameter query.search_depth: strconv.Atoi: parsing \\\"x\\\": invalid syntax")},
    {"/api/v3/traces?query.filter={}" WINDOW, 400, ERR3("400", "the structured query filter is disabled")},
    {"/api/v3/traces?query.serviceName=nobody" WINDOW, 404, ERR3("404", "No traces found")},
    {"/api/v3/trace-summaries?query.serviceName=nobody" WINDOW, 200, "{\"summaries\":[]}"},
    {"/api/v3/trace-summaries?query.service_name=shop&query.attributes=%7B%22text%22:%22a%5C%22b%22%7D" WINDOW, 200,
        "{\"summaries\":[{\"traceId\":\"@TRACE@\",\"rootServiceName\":\"shop\",\"rootOperationName\":\"GET /\","
        "\"minStartTimeUnixNano\":\"1700000000000000000\",\"maxEndTimeUnixNano\":\"1700000000005000999\",\"spanCount\":"
        "2,"
        "\"errorSpanCount\":1,\"services\":[{\"name\":\"db\",\"spanCount\":1,\"errorSpanCount\":1},{\"name\":\"shop\","
        "\"spanCount\":1}]}]}"},
};

/* Puts the sample's ids where a text says @TRACE@, @LINK@, @S1@, @S2@, @S7@. */
static Str with_ids(Arena *arena, const char *text) {
    Buf out = {0}, id = {0};
    for (const char *p = text; *p;) {
        const char *end = *p == '@' ? strchr(p + 1, '@') : NULL;
        buf_clear(&id);
        if (end && memcmp(p, "@TRACE@", 7) == 0)
            num_put_hex(&id, gen_trace_id(1).b, 16);
        else if (end && memcmp(p, "@LINK@", 6) == 0)
            num_put_hex(&id, gen_trace_id(7).b, 16);
        else if (end && p[1] == 'S')
            num_put_hex(&id, gen_span_id((uint64_t)(p[2] - '0')).b, 8);
        if (id.n == 0) {
            buf_put_char(&out, *p++);
            continue;
        }
        buf_put_str(&out, buf_str(&id));
        p = end + 1;
    }
    Str s = arena_copy(arena, buf_str(&out));
    buf_done(&out);
    buf_done(&id);
    return s;
}

static void expect(Str got, const char *want) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Str text = with_ids(arena, want);
    if (!str_eq(got, text)) fail_msg("got  %" STR_FMT "\nwant %" STR_FMT, STR_ARG(got), STR_ARG(text));
    arena_free(arena);
}

static void test_answers(void **state) {
    (void)state;
    ApiFixture f;
    api_fixture_init(&f, NULL, NULL);
    append_sample(f.store);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            Str body = api_get(&f, cases[i].target);
            if (f.res.status != cases[i].status) {
                fail_msg("%s: %d %" STR_FMT, cases[i].target, f.res.status, STR_ARG(body));
            }
            expect(body, cases[i].body);
        }
        assert_int_equal(f.store->ops->flush(f.store, NULL), OK); /* the same from a part */
    }
    api_call(&f, f.router, HTTP_POST, "/api/transform", STR("{}"));
    assert_int_equal(f.res.status, 501);
    api_call(&f, f.router, HTTP_POST, "/api/archive/1", STR_NULL);
    assert_int_equal(f.res.status, 500);
    api_fixture_done(&f);
}

static const char trace_json[] =
    "{\"data\":[{\"traceID\":\"@TRACE@\",\"spans\":[{\"traceID\":\"@TRACE@\",\"spanID\":\"@S1@\",\"operationName\":"
    "\"GET /\","
    "\"references\":[{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"@LINK@\",\"spanID\":\"@S7@\"}],"
    "\"startTime\":1700000000000000,\"duration\":5000,\"tags\":["
    "{\"key\":\"big\",\"type\":\"int64\",\"value\":\"9007199254740992\"},{\"key\":\"f\",\"type\":\"float64\",\"value\":"
    "1.5},"
    "{\"key\":\"list\",\"type\":\"string\",\"value\":\"[1,{\\\"a\\\":true}]\"},{\"key\":\"ok\",\"type\":\"bool\","
    "\"value\":true},"
    "{\"key\":\"raw\",\"type\":\"binary\",\"value\":\"AQI=\"},{\"key\":\"small\",\"type\":\"int64\",\"value\":-5},"
    "{\"key\":\"text\",\"type\":\"string\",\"value\":\"a\\\"b\"},{\"key\":\"span.kind\",\"type\":\"string\",\"value\":"
    "\"server\"}],"
    "\"logs\":[],\"processID\":\"p1\",\"warnings\":[\"Invalid span link removed\"]},"
    "{\"traceID\":\"@TRACE@\",\"spanID\":\"@S2@\",\"operationName\":\"SELECT\",\"references\":[{\"refType\":\"CHILD_"
    "OF\","
    "\"traceID\":\"@TRACE@\",\"spanID\":\"@S1@\"}],\"startTime\":1700000000000001,\"duration\":3,\"tags\":["
    "{\"key\":\"otel.scope.name\",\"type\":\"string\",\"value\":\"lib\"},{\"key\":\"otel.scope.version\",\"type\":"
    "\"string\","
    "\"value\":\"2\"},{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"client\"},{\"key\":\"otel.status_code\","
    "\"type\":"
    "\"string\",\"value\":\"ERROR\"},{\"key\":\"error\",\"type\":\"bool\",\"value\":true},{\"key\":\"otel.status_"
    "description\","
    "\"type\":\"string\",\"value\":\"broken\"},{\"key\":\"w3c.tracestate\",\"type\":\"string\",\"value\":\"k=v\"}],"
    "\"logs\":[{\"timestamp\":1700000000000002,\"fields\":[{\"key\":\"event\",\"type\":\"string\",\"value\":"
    "\"exception\"},"
    "{\"key\":\"exception.type\",\"type\":\"string\",\"value\":\"Timeout\"}]}],\"processID\":\"p2\",\"warnings\":null}]"
    ","
    "\"processes\":{\"p1\":{\"serviceName\":\"shop\",\"tags\":[{\"key\":\"host.name\",\"type\":\"string\",\"value\":"
    "\"h1\"}]},"
    "\"p2\":{\"serviceName\":\"db\",\"tags\":[]}},\"warnings\":null}]" OK_TAIL("0");

static const char otlp_json[] =
    "{\"result\":{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"host.name\",\"value\":{\"stringValue\":"
    "\"h1\"}},"
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{},\"spans\":[{"
    "\"traceId\":"
    "\"@TRACE@\",\"spanId\":\"@S1@\",\"name\":\"GET /\",\"kind\":2,\"startTimeUnixNano\":\"1700000000000000000\","
    "\"endTimeUnixNano\":\"1700000000005000999\",\"attributes\":[{\"key\":\"big\",\"value\":{\"intValue\":"
    "\"9007199254740992\"}},{\"key\":\"f\",\"value\":{\"doubleValue\":1.5}},{\"key\":\"list\",\"value\":{"
    "\"arrayValue\":"
    "{\"values\":[{\"intValue\":\"1\"},{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}}]}}]"
    "}}},"
    "{\"key\":\"ok\",\"value\":{\"boolValue\":true}},{\"key\":\"raw\",\"value\":{\"bytesValue\":\"AQI=\"}},{\"key\":"
    "\"small\","
    "\"value\":{\"intValue\":\"-5\"}},{\"key\":\"text\",\"value\":{\"stringValue\":\"a\\\"b\"}}],\"links\":[{"
    "\"traceId\":"
    "\"@LINK@\",\"spanId\":\"@S7@\"},{\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"@S8@\"}],"
    "\"status\":{}}]}]},"
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"db\"}}]},\"scopeSpans\":[{"
    "\"scope\":"
    "{\"name\":\"lib\",\"version\":\"2\"},\"spans\":[{\"traceId\":\"@TRACE@\",\"spanId\":\"@S2@\",\"traceState\":\"k="
    "v\","
    "\"parentSpanId\":\"@S1@\",\"name\":\"SELECT\",\"kind\":3,\"startTimeUnixNano\":\"1700000000000001000\","
    "\"endTimeUnixNano\":\"1700000000000004000\",\"events\":[{\"timeUnixNano\":\"1700000000000002500\",\"name\":"
    "\"exception\","
    "\"attributes\":[{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"Timeout\"}}]}],\"status\":{\"message\":"
    "\"broken\","
    "\"code\":2}}]}]}]}}";

static void test_trace_json(void **state) {
    (void)state;
    static const char *const targets[] = {"/api/traces/@TRACE@", "/api/traces?traceID=@TRACE@",
        "/api/traces?service=shop&start=1700000000000000&end=1700000000000000",
        "/api/traces?service=db&operation=SELECT&tag=error:true&minDuration=2us&start=1600000000000000"};
    ApiFixture f;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    api_fixture_init(&f, NULL, NULL);
    append_sample(f.store);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
            Str body = api_get(&f, with_ids(arena, targets[i]).p);
            assert_int_equal(f.res.status, 200);
            expect(body, trace_json);
        }
        expect(api_get(&f, with_ids(arena, "/api/v3/traces/@TRACE@?raw_traces=true").p), otlp_json);
        assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    }
    Str pretty = api_get(&f, "/api/operations?service=db&prettyPrint=true");
    expect(pretty, "{\n    \"data\": [\n        {\n            \"name\": \"SELECT\",\n            \"spanKind\": "
                   "\"client\"\n        "
                   "}\n    ],\n    \"total\": 1,\n    \"limit\": 0,\n    \"offset\": 0,\n    \"errors\": null\n}\n");
    arena_free(arena);
    api_fixture_done(&f);
}

/* --- adjusters: shared ids, clocks, IPs, library attributes --- */

static void test_adjusters(void **state) {
    (void)state;
    ApiFixture f;
    api_fixture_init(&f, NULL, NULL);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    for (uint64_t i = 0; i < 2; i++) {
        Attr a[] = {gen_str("service.name", i ? "back" : "front"), gen_str("host.id", i ? "h2" : "h1")};
        Resource r = {.attrs = gen_attrs(&b, a, 2)};
        ASSERT(avec_push(arena, &b.resources, r));
    }
    ASSERT(avec_push(arena, &b.scopes, (Scope){0}));
    Attr ip[] = {gen_i64("peer.ipv4", 0x7f000001), gen_str("telemetry.sdk.name", "x")};
    SpanRow client = {.trace_id = gen_trace_id(1),
        .span_id = gen_span_id(1),
        .start_ns = GEN_T0 + 1000000,
        .end_ns = GEN_T0 + 9000000,
        .kind = SPAN_CLIENT,
        .name = STR("call"),
        .attrs = gen_attrs(&b, ip, 2)};
    SpanRow server = {.trace_id = gen_trace_id(1),
        .span_id = gen_span_id(1),
        .start_ns = GEN_T0,
        .resource = 1,
        .end_ns = GEN_T0 + 2000000,
        .kind = SPAN_SERVER,
        .name = STR("serve")};
    SpanRow orphan = {.trace_id = gen_trace_id(1),
        .span_id = gen_span_id(3),
        .parent_id = gen_span_id(9),
        .start_ns = GEN_T0 + 5000000,
        .end_ns = GEN_T0 + 5000000,
        .name = STR("lost")};
    ASSERT(avec_push(arena, &b.rows, client) && avec_push(arena, &b.rows, server) && avec_push(arena, &b.rows, orphan));
    ASSERT(f.store->ops->append(f.store, &b, NULL, NULL) == OK);
    Str body = api_get(&f, with_ids(arena, "/api/traces/@TRACE@").p);
    static const char *const parts[] = {
        ("\"spanID\":\"0000000000000001\",\"operationName\":\"serve\",\"references\":[{\"refType\":\"CHILD_OF\","
         "\"traceID\":"
         "\"@TRACE@\",\"spanID\":\"@S1@\"}]"),
        "[\"clock skew adjustment disabled; not applying calculated delta of 4ms\"]",
        "[\"parent span ID=@S9@ is not in the trace; skipping clock skew adjustment\"]",
        "{\"key\":\"peer.ipv4\",\"type\":\"string\",\"value\":\"127.0.0.1\"}",
        ("\"serviceName\":\"front\",\"tags\":[{\"key\":\"host.id\",\"type\":\"string\",\"value\":\"h1\"},{\"key\":"
         "\"telemetry.sdk.name\",\"type\":\"string\",\"value\":\"x\"}]"),
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!str_contains(body, with_ids(arena, parts[i]))) fail_msg("%s not in %" STR_FMT, parts[i], STR_ARG(body));
    }
    body = api_get(&f, with_ids(arena, "/api/traces/@TRACE@?raw=true").p);
    assert_false(str_contains(body, STR("clock skew")));
    arena_free(arena);
    api_fixture_done(&f);
}

/* --- sampling --- */

static void test_sampling(void **state) {
    (void)state;
    JaegerSamplingOperation op = {STR("health"), 0.001};
    JaegerSamplingStrategy services[] = {
        {.service = STR("a"), .type = JAEGER_SAMPLING_RATE_LIMITING, .param = 5},
        {.service = STR("b"), .param = 0.25, .operations = &op, .n_operations = 1},
    };
    JaegerSamplingOptions opts = {.services = services, .n_services = 2};
    ApiFixture f;
    api_fixture_init(&f, NULL, &opts);
    static const struct {
        const char *target;
        int status;
        const char *body;
    } table[] = {
        {"/sampling?service=x", 200,
            "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":1}}"},
        {"/?service=a", 200,
            "{\"strategyType\":\"RATE_LIMITING\",\"rateLimitingSampling\":{\"maxTracesPerSecond\":5}}"},
        {"/api/sampling?service=b", 200,
            "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.25},"
            "\"operationSampling\":{"
            "\"defaultSamplingProbability\":0.25,\"defaultLowerBoundTracesPerSecond\":0,\"perOperationStrategies\":[{"
            "\"operation\":\"health\",\"probabilisticSampling\":{\"samplingRate\":0.001}}],"
            "\"defaultUpperBoundTracesPerSecond\":0}}"},
        {"/sampling", 400, "'service' parameter must be provided once\n"},
        {"/sampling?service=a&service=b", 400, "'service' parameter must be provided once\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Str body = api_call(&f, f.sampling_router, HTTP_GET, table[i].target, STR_NULL);
        assert_int_equal(f.res.status, table[i].status);
        expect(body, table[i].body);
    }
    api_fixture_done(&f);
}

/* --- services for the home page --- */

static void test_services(void **state) {
    (void)state;
    ApiFixture f;
    api_fixture_init(&f, NULL, NULL);
    append_sample(f.store);
    Str body = api_get(&f, "/api/meerkat/v1/services?start=1699999980&end=1700000100000000000&step=60");
    Arena *arena = arena_create(ARENA_UNLIMITED);
    JsonValue *v;
    double d;
    assert_int_equal(f.res.status, 200);
    assert_int_equal(json_parse(body, arena, &v, NULL), OK);
    assert_int_equal(v->n, 1); /* db only has a client span that is no root */
    const JsonValue *s = v->first;
    assert_true(str_eq_lit(json_get_str(s, STR("service")), "shop"));
    assert_true(json_get_f64(s, STR("requests"), &d) && d == 1);
    assert_true(json_get_f64(s, STR("rate"), &d) && d > 0.0083 && d < 0.0084);
    assert_true(json_get_f64(s, STR("p95"), &d) && d > 0.004 && d < 0.006);
    assert_true(json_get_f64(s, STR("last_seen"), &d) && d > 1699999999.9 && d < 1700000000.1);
    const JsonValue *points = json_get(s, STR("points"));
    assert_int_equal(points->n, 2);
    assert_true(str_eq_lit(points->first->first->text, "1699999980"));
    static const char *const bad[] = {"start=x", "start=5&end=4", "step=x", "start=0&end=1700000000&step=60"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        api_get(&f, arena_printf(arena, "/api/meerkat/v1/services?%s", bad[i]).p);
        assert_int_equal(f.res.status, 400);
    }
    arena_free(arena);
    api_fixture_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_trace_json),
        cmocka_unit_test(test_adjusters),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
