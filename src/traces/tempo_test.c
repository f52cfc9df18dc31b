#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/proto.h"
#include "traces/api_fixture_test.h"
#include "traces/span_gen_test.h"

static void append_sample(TraceStore *s) {
    const Attr shop[] = {gen_str("service.name", "shop"), gen_i64("process.pid", 7)},
               lib[] = {gen_str("lib.lang", "c")},
               root[] = {gen_i64("http.status_code", 500), gen_str("http.method", "GET"),
                   {STR("list"), {.type = ATTR_ARRAY, .s = STR("[1,{\"a\":true}]")}}},
               retry = gen_str("link.kind", "retry");
    ApiSample x;
    api_sample_begin(&x, (ApiSampleAttrs){shop, ARRAY_LEN(shop)}, (ApiSampleAttrs){lib, ARRAY_LEN(lib)},
        (ApiSampleAttrs){root, ARRAY_LEN(root)});
    SpanLink link = {.trace_id = gen_trace_id(7), .span_id = gen_span_id(7), .attrs = gen_attrs(&x.batch, &retry, 1)};
    ASSERT(avec_push(x.batch.arena, &x.batch.links, link));
    x.root.links = (AttrRange){0, 1};
    api_sample_end(&x, s);
}

#define ID "167c4a7fb979379e0100000000000001"
#define ROOT_RESOURCE                                                                                                  \
    "{\"attributes\":[{\"key\":\"process.pid\",\"value\":{\"intValue\":\"7\"}},"                                       \
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]}"
#define ROOT_SPAN                                                                                                      \
    "{\"traceId\":\"FnxKf7l5N54BAAAAAAAAAQ==\",\"spanId\":\"Kt8FvYdKaKI=\",\"name\":\"GET /\","                        \
    "\"kind\":\"SPAN_KIND_SERVER\",\"startTimeUnixNano\":\"1700000000000000000\","                                     \
    "\"endTimeUnixNano\":\"1700000000005000000\",\"attributes\":["                                                     \
    "{\"key\":\"http.method\",\"value\":{\"stringValue\":\"GET\"}},"                                                   \
    "{\"key\":\"http.status_code\",\"value\":{\"intValue\":\"500\"}},"                                                 \
    "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},"                                   \
    "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}}]}}]}}}],"                            \
    "\"links\":[{\"traceId\":\"lGQJexJUhFMHAAAAAAAAAQ==\",\"spanId\":\"qHwX9B4qoYk=\","                                \
    "\"attributes\":[{\"key\":\"link.kind\",\"value\":{\"stringValue\":\"retry\"}}]}],\"status\":{}}"
#define CHILD_SPAN                                                                                                     \
    "{\"traceId\":\"FnxKf7l5N54BAAAAAAAAAQ==\",\"spanId\":\"v86Im8tvnHM=\",\"parentSpanId\":\"Kt8FvYdKaKI=\","         \
    "\"name\":\"SELECT\",\"kind\":\"SPAN_KIND_CLIENT\",\"startTimeUnixNano\":\"1700000000000001000\","                 \
    "\"endTimeUnixNano\":\"1700000000000004000\",\"events\":[{\"timeUnixNano\":\"1700000000000002500\","               \
    "\"name\":\"exception\",\"attributes\":[{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"Timeout\"}}]}],"  \
    "\"status\":{\"message\":\"broken\",\"code\":\"STATUS_CODE_ERROR\"}}"
#define RESOURCE_SPANS                                                                                                 \
    "[{\"resource\":" ROOT_RESOURCE ",\"scopeSpans\":[{\"scope\":{},\"spans\":[" ROOT_SPAN "]}]},"                     \
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"db\"}}]},"                  \
    "\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"2\",\"attributes\":["                                  \
    "{\"key\":\"lib.lang\",\"value\":{\"stringValue\":\"c\"}}]},\"spans\":[" CHILD_SPAN "]}]}]"
#define NO_METRICS ",\"metrics\":{}}"
#define SCOPE(name, tags) "{\"name\":\"" name "\",\"tags\":[" tags "]}"
#define INTRINSICS                                                                                                     \
    "\"duration\",\"event:name\",\"event:timeSinceStart\",\"instrumentation:name\",\"instrumentation:version\","       \
    "\"kind\",\"link:spanID\",\"link:traceID\",\"name\",\"rootName\",\"rootServiceName\",\"span:childCount\","         \
    "\"span:duration\",\"span:id\",\"span:kind\",\"span:name\",\"span:parentID\",\"span:status\","                     \
    "\"span:statusMessage\",\"status\",\"statusMessage\",\"trace:duration\",\"trace:id\",\"trace:rootName\","          \
    "\"trace:rootService\",\"traceDuration\""
#define RES_TAGS "\"process.pid\",\"service.name\""
#define SPAN_TAGS "\"http.method\",\"http.status_code\",\"list\""

static const struct {
    const char *target;
    int status;
    const char *body;
} cases[] = {
    {"/api/echo", 200, "echo\n"},
    {"/api/overrides", 200, "{}"},
    {"/status/version", 200, "meerkat, version 0.0.1\n"},
    {"/api/traces/" ID, 200, "{\"batches\":" RESOURCE_SPANS "}"},
    {"/api/traces/" ID "?start=1&end=2", 200, "{\"batches\":" RESOURCE_SPANS "}"},
    {"/api/v2/traces/" ID, 200,
        "{\"trace\":{\"resourceSpans\":" RESOURCE_SPANS "},\"metrics\":{},\"status\":\"COMPLETE\"}"},
    {"/api/traces/1", 404, "trace not found\n"},
    {"/api/v2/traces/1", 200, "{\"trace\":{\"resourceSpans\":[]},\"metrics\":{},\"status\":\"COMPLETE\"}"},
    {"/api/traces/xyz", 400, "trace IDs are up to 32 hex digits, and this is none: \"xyz\"\n"},
    {"/api/search/tags", 200,
        "{\"tagNames\":[" RES_TAGS "," SPAN_TAGS ",\"exception.type\",\"link.kind\",\"lib.lang\"]" NO_METRICS},
    {"/api/search/tags?scope=span", 200, "{\"tagNames\":[" SPAN_TAGS "]" NO_METRICS},
    {"/api/search/tags?scope=event&limit=1", 200, "{\"tagNames\":[\"exception.type\"]" NO_METRICS},
    {"/api/search/tags?scope=intrinsic", 200, "{\"tagNames\":[" INTRINSICS "]" NO_METRICS},
    {"/api/search/tags?start=1&end=2", 200, "{\"tagNames\":[]" NO_METRICS},
    {"/api/search/tags?start=1700000000&end=1700000001&scope=resource", 200, "{\"tagNames\":[" RES_TAGS "]" NO_METRICS},
    {"/api/v2/search/tags", 200,
        "{\"scopes\":[" SCOPE("resource", RES_TAGS) "," SCOPE("span", SPAN_TAGS) "," SCOPE(
            "event", "\"exception.type\"") "," SCOPE("link", "\"link.kind\"") "," SCOPE("instrumentation",
            "\"lib.lang\"") "," SCOPE("intrinsic", INTRINSICS) "]" NO_METRICS},
    {"/api/v2/search/tags?scope=event", 200, "{\"scopes\":[" SCOPE("event", "\"exception.type\"") "]" NO_METRICS},
    {"/api/v2/search/tags?scope=link", 200, "{\"scopes\":[" SCOPE("link", "\"link.kind\"") "]" NO_METRICS},
    {"/api/v2/search/tags?scope=pan", 400,
        "invalid scope: \"pan\" is none of resource, span, event, link, instrumentation, intrinsic\n"},
    {"/api/v2/search/tags?start=x", 400,
        "invalid start: \"x\" is neither seconds or nanoseconds since the epoch nor RFC 3339\n"},
    {"/api/v2/search/tags?start=20&end=10", 400, "invalid start and end: start is after end\n"},
    {"/api/v2/search/tags?limit=-1", 400, "invalid limit: \"-1\" is not a whole number\n"},
};

static void check_cases(ApiFixture *f) {
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Str body = api_call(f, f->tempo_router, HTTP_GET, cases[i].target, STR_NULL);
        if (f->res.status != cases[i].status || !str_eq(body, str_cstr(cases[i].body))) {
            print_message("%s\n got %d %.*s\nwant %d %s", cases[i].target, f->res.status, (int)body.n, body.p,
                cases[i].status, cases[i].body);
            fail();
        }
    }
}

/* --- answers that end with what it took: up to there --- */

#define WINDOW "&start=1699999999&end=1700000001"
#define STRING(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define VALUE(type, value) "{\"type\":\"" type "\",\"value\":\"" value "\"}"
#define FOUND_HEAD(duration)                                                                                           \
    "{\"traceID\":\"" ID "\",\"rootServiceName\":\"shop\",\"rootTraceName\":\"GET /\","                                \
    "\"startTimeUnixNano\":\"1700000000000000000\",\"durationMs\":" duration ","
#define FOUND_SERVICES "\"serviceStats\":{\"db\":{\"spanCount\":1,\"errorCount\":1},\"shop\":{\"spanCount\":1}}}"
#define FOUND_CHILD                                                                                                    \
    "{\"spans\":[{\"spanID\":\"bfce889bcb6f9c73\",\"startTimeUnixNano\":\"1700000000000001000\","                      \
    "\"durationNanos\":\"3000\",\"attributes\":[" STRING("status", "error") "]}],\"matched\":1}"

static const struct {
    const char *target;
    int status;
    const char *begin;
} queries[] = {
    {"/api/search/tag/service.name/values", 200, "{\"tagValues\":[\"db\",\"shop\"],\"metrics\":{"},
    {"/api/search/tag/name/values", 200, "{\"tagValues\":[\"GET /\",\"SELECT\"],"},
    {"/api/search/tag/nothing/values", 200, "{\"tagValues\":[],"},
    {"/api/search/tag/name/values?start=1&end=2", 200, "{\"tagValues\":[],"},
    {"/api/v2/search/tag/resource.service.name/values", 200,
        "{\"tagValues\":[" VALUE("string", "db") "," VALUE("string", "shop") "],"},
    {"/api/v2/search/tag/.http.status_code/values", 200, "{\"tagValues\":[" VALUE("int", "500") "],"},
    {"/api/v2/search/tag/.list/values", 200, /* its elements, as = compares them */
        "{\"tagValues\":[" VALUE("int", "1") "],"},
    {"/api/search/tags?limit=2", 200, "{\"tagNames\":[" RES_TAGS "]" NO_METRICS}, /* of all scopes together */
    {"/api/v2/search/tag/status/values", 200,
        "{\"tagValues\":[" VALUE("keyword", "error") "," VALUE("keyword", "unset") "],"},
    {"/api/v2/search/tag/kind/values", 200,
        "{\"tagValues\":[" VALUE("keyword", "client") "," VALUE("keyword", "server") "],"},
    {"/api/v2/search/tag/duration/values", 200,
        "{\"tagValues\":[" VALUE("duration", "3µs") "," VALUE("duration", "5ms") "],"},
    {"/api/v2/search/tag/event.exception.type/values", 200, "{\"tagValues\":[" VALUE("string", "Timeout") "],"},
    {"/api/v2/search/tag/rootName/values", 200, "{\"tagValues\":[" VALUE("string", "GET /") "],"},
    {"/api/v2/search/tag/name/values?q={status=error}", 200, "{\"tagValues\":[" VALUE("string", "SELECT") "],"},
    {"/api/v2/search/tag/name/values?q={status=error%20%26%26%20.a=}", 200,
        "{\"tagValues\":[" VALUE("string", "SELECT") "],"},
    {"/api/v2/search/tag/name/values?q=nonsense", 200, "{\"tagValues\":[" VALUE("string", "GET /") ","},
    {"/api/v2/search/tag/name/values?limit=1", 200, "{\"tagValues\":[{\"type\":\"string\","},
    {"/api/metrics/query?q={}|count_over_time()" WINDOW, 200,
        "{\"series\":[{\"labels\":[" STRING("__name__",
            "count_over_time") "],"
                               "\"promLabels\":\"{__name__=\\\"count_over_time\\\"}\",\"value\":2}],\"metrics\":{"},
    {"/api/metrics/query?q={}|max_over_time(duration)by(resource.service.name,status)" WINDOW, 200,
        "{\"series\":[{\"labels\":[" STRING("resource.service.name", "db") "," STRING(
            "status", "error") "],"
                               "\"promLabels\":\"{\\\"resource.service.name\\\"=\\\"db\\\", "
                               "status=\\\"error\\\"}\",\"value\":0.000003},"},
    {"/api/metrics/query?q={}|histogram_over_time(duration)by(span.http.status_code)" WINDOW, 200,
        "{\"series\":[{\"labels\":[" STRING(
            "span.http.status_code", "nil") ","
                                            "{\"key\":\"__bucket\",\"value\":{\"doubleValue\":0.000004096}}],"},
    {"/api/metrics/query?q={}|count_over_time()by(span.http.status_code)>0" WINDOW, 200,
        "{\"series\":[{\"labels\":[" STRING(
            "span.http.status_code", "nil") "],\"promLabels\":"
                                            "\"{\\\"span.http.status_code\\\"=\\\"nil\\\"}\",\"value\":1},{\"labels\":["
                                            "{\"key\":\"span.http.status_code\","
                                            "\"value\":{\"intValue\":\"500\"}}],"},
    {"/api/metrics/query_range?q={}|rate()&start=1700000000&end=1700000010&step=10s&exemplars=0", 200,
        "{\"series\":[{\"labels\":[" STRING(
            "__name__", "rate") "],\"promLabels\":\"{__name__=\\\"rate\\\"}\","
                                "\"samples\":[{\"timestampMs\":\"1700000000000\",\"value\":0.1},"
                                "{\"timestampMs\":\"1700000010000\",\"value\":0.1}]}],\"metrics\":{"},
    {"/api/metrics/query_range?q={status=error}|rate()&start=1700000001&end=1700000002&step=1&exemplars=1", 200,
        "{\"series\":[{\"labels\":[" STRING(
            "__name__", "rate") "],\"promLabels\":\"{__name__=\\\"rate\\\"}\","
                                "\"samples\":[{\"timestampMs\":\"1700000001000\",\"value\":1},{\"timestampMs\":"
                                "\"1700000002000\",\"value\":0}],"
                                "\"exemplars\":[{\"labels\":[" STRING("trace:id", ID) "," STRING(
                                    "__name__", "rate") "],\"value\":1,\"timestampMs\":\"1700000000000\"}]}],"},
    {"/api/metrics/query?q={}" WINDOW, 400, "the query finds spans and has no number (count them: ... | rate())\n"},
    {"/api/metrics/query?q={}|rate(" WINDOW, 400, "parse error at line 1, col "},
    {"/api/metrics/query?q={}|rate()&start=-9223372036854775808&end=9223372036854775807", 400,
        "the range from start to end is too long\n"},
    {"/api/metrics/query_range?q={}|rate()&start=1&end=9223372036854775807&step=1h", 400,
        "the range from start to end is too long\n"},
    {"/api/metrics/query_range?q={}|rate()&step=0", 400, "invalid step: it must be at least 1ms\n"},
    {"/api/metrics/query_range?q={}|rate()&step=x", 400, "invalid step: \"x\" is not a duration such as 30s\n"},
    {"/api/metrics/query_range?q={}|rate()&start=1700000000&end=1700086400&step=1s", 400,
        "86401 points are too many, the limit is 11000 ("},
    {"/api/search?q={status=error}" WINDOW, 200,
        "{\"traces\":[" FOUND_HEAD("5") "\"spanSet\":" FOUND_CHILD ",\"spanSets\":[" FOUND_CHILD "]," FOUND_SERVICES
                                        "],\"metrics\":{"},
    {"/api/search?q={}&start=1&end=2", 200, "{\"traces\":[],\"metrics\":{"},
    {"/api/search?tags=service.name%3DSHO%20http.method%3Dge", 200, "{\"traces\":[" FOUND_HEAD("5")},
    {"/api/search?tags=name%3D%22GET%20/%22%20error%3Dtrue", 200, "{\"traces\":[],"},
    {"/api/search?tags=error%3Dtrue", 200, "{\"traces\":[" FOUND_HEAD("5")},
    {"/api/search?tags=http.method%3DG.T", 200, "{\"traces\":[],"},
    {"/api/search?minDuration=4ms&maxDuration=6ms", 200, "{\"traces\":[" FOUND_HEAD("5")},
    {"/api/search?minDuration=6ms", 200, "{\"traces\":[],"},
    {"/api/search?minDuration=6ms&maxDuration=5ms", 400, "invalid maxDuration: it is less than minDuration\n"},
    {"/api/search?limit=0", 400, "invalid limit: must be a positive number\n"},
    {"/api/search?q={", 400, "invalid TraceQL query: parse error at line 1, col "},
    {"/api/search?q={}|rate()", 400, "metrics queries are answered by /api/metrics/query_range\n"},
    {"/api/v2/traces/" ID "?q={}|count()>1", 400, "invalid q: spans of a trace are chosen by one filter { ... }\n"},
    {"/api/v2/traces/" ID "?q={name=%22none%22}", 200,
        "{\"trace\":{\"resourceSpans\":[]},\"metrics\":{},\"status\":\"PARTIAL\",\"message\":\"Only the spans that "
        "match"},
    {"/api/search?q={}&tags=a=b", 400, "invalid request: q and tags cannot be given together\n"},
    {"/api/v2/traces/" ID "?q={status=error}&keep_hierarchy=true", 200,
        "{\"trace\":{\"resourceSpans\":[{\"resource\":" ROOT_RESOURCE "," /* the way to it from the root */},
    {"/api/v2/traces/" ID "?q={status=error}", 200,
        "{\"trace\":{\"resourceSpans\":[{\"resource\":{\"attributes\":[" STRING("service.name", "db") "]},"},
};

static void check_queries(ApiFixture *f) {
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        Str body = api_call(f, f->tempo_router, HTTP_GET, queries[i].target, STR_NULL);
        if (f->res.status != queries[i].status || !str_starts_with(body, str_cstr(queries[i].begin))) {
            print_message("%s\n got %d %.*s\nwant %d %s\n", queries[i].target, f->res.status, (int)body.n, body.p,
                queries[i].status, queries[i].begin);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* The same answers from memory and from a part. */
static void test_queries(void **state) {
    (void)state;
    ApiFixture f;
    api_fixture_init(&f, NULL, NULL);
    append_sample(f.store);
    check_queries(&f);
    assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    check_queries(&f);
    api_fixture_done(&f);
}

static void test_json(void **state) {
    (void)state;
    ApiFixture f;
    api_fixture_init(&f, NULL, NULL);
    append_sample(f.store);
    check_cases(&f);
    assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    check_cases(&f);
    api_fixture_done(&f);
}

/* --- protobuf --- */

static Str field(Str message, uint32_t number, size_t index) {
    ProtoReader r = proto_reader(message);
    ProtoField x;
    while (proto_next(&r, &x)) {
        if (x.number == number && x.wire == PROTO_BYTES && index-- == 0) return x.bytes;
    }
    assert_null(r.error);
    return STR_NULL;
}

static uint64_t number_field(Str message, uint32_t number) {
    ProtoReader r = proto_reader(message);
    ProtoField x;
    while (proto_next(&r, &x)) {
        if (x.number == number && x.wire != PROTO_BYTES) return x.u64;
    }
    return UINT64_MAX;
}

static void check_trace_bytes(Str trace) {
    Str db = field(trace, 1, 1), scope_spans = field(db, 2, 0), span = field(scope_spans, 2, 0);
    assert_true(str_eq_lit(field(field(field(field(db, 1, 0), 1, 0), 2, 0), 1, 0), "db"));
    assert_true(str_eq_lit(field(field(scope_spans, 1, 0), 1, 0), "lib"));
    assert_true(str_eq(field(span, 1, 0), str_of((const char *)gen_trace_id(1).b, 16)));
    assert_true(str_eq(field(span, 4, 0), str_of((const char *)gen_span_id(1).b, 8)));
    assert_true(str_eq_lit(field(span, 5, 0), "SELECT"));
    assert_int_equal(number_field(span, 6), SPAN_CLIENT);
    assert_int_equal(number_field(span, 8), GEN_T0 + 4000);
    assert_true(str_eq_lit(field(field(span, 11, 0), 2, 0), "exception"));
    assert_true(str_eq_lit(field(field(span, 15, 0), 2, 0), "broken"));
    assert_int_equal(number_field(field(span, 15, 0), 3), SPAN_STATUS_ERROR);
    Str root = field(field(field(trace, 1, 0), 2, 0), 2, 0), list = field(field(root, 9, 2), 2, 0);
    assert_int_equal(number_field(field(field(root, 9, 1), 2, 0), 3), 500);
    assert_int_equal(number_field(field(field(list, 5, 0), 1, 0), 3), 1);
    assert_int_equal(number_field(field(field(field(field(field(list, 5, 0), 1, 1), 6, 0), 1, 0), 2, 0), 2), 1);
    assert_int_equal(field(root, 13, 0).n > 0, 1);
}

static void test_protobuf(void **state) {
    (void)state;
    ApiFixture f;
    api_fixture_init(&f, NULL, NULL);
    append_sample(f.store);
    const char *accept = "application/protobuf";
    check_trace_bytes(api_call_accept(&f, f.tempo_router, HTTP_GET, "/api/traces/" ID, STR_NULL, accept));
    assert_true(str_eq_lit(f.res.content_type, "application/protobuf"));
    Str v2 = api_call_accept(&f, f.tempo_router, HTTP_GET, "/api/v2/traces/" ID, STR_NULL, accept);
    check_trace_bytes(field(v2, 1, 0));
    /* On a router that Jaeger shares the media type decides. */
    Router *shared = router_create();
    jaeger_api_routes_shared(f.jaeger, shared, tempo_api_trace, f.tempo);
    tempo_api_routes_shared(f.tempo, shared);
    check_trace_bytes(
        api_call_accept(&f, shared, HTTP_GET, "/api/traces/" ID, STR_NULL, "text/html, Application/Protobuf;q=0.9"));
    Str jaeger = api_call_accept(&f, shared, HTTP_GET, "/api/traces/" ID, STR_NULL, "application/json");
    assert_true(str_starts_with(jaeger, STR("{\"data\":[{\"traceID\":")));
    Str tempo = api_call(&f, shared, HTTP_GET, "/tempo/api/traces/" ID, STR_NULL);
    assert_true(str_starts_with(tempo, STR("{\"batches\":[")));
    router_free(shared);
    api_fixture_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json), cmocka_unit_test(test_queries), cmocka_unit_test(test_protobuf)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
