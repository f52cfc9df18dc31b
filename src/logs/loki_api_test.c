/* The API from push to answer: requests go through the router to the handlers, over a store in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "codec/compress.h"
#include "codec/proto.h"
#include "logs/log_level.h"
#include "logs/loki_api.h"
#include "sys/clock.h"

#include <stdlib.h>

#define NOW INT64_C(1700003600000000000)

typedef struct World {
    Fs *fs;
    LogStore *store;
    LokiApi *api;
    Router *router;
    Buf body; /* of the last answer */
} World;

static int setup(void **state) {
    World *w = NEW(World);
    clock_fake_set(NOW);
    w->fs = fs_fault_create(1);
    LogStoreOptions opts = {.durable = true};
    assert_int_equal(log_store_open(w->fs, "logs", &opts, &w->store, NULL), OK);
    w->api = loki_api_create(&(LokiApiOptions){.store = w->store});
    w->router = router_create();
    loki_api_routes(w->api, w->router);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    World *w = *state;
    router_free(w->router);
    loki_api_free(w->api);
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    buf_done(&w->body);
    mem_free(w);
    clock_fake_off();
    return 0;
}

static int call(World *w, HttpMethod method, const char *target, const char *header, const char *value, Str body) {
    Str url = str_cstr(target);
    size_t q = str_find_char(url, '?');
    HttpHeader headers[] = {{str_cstr(header), str_cstr(value)}};
    HttpRequest req = {.method = method, .headers = headers, .n_headers = header ? 1 : 0, .body = body};
    req.arena = arena_create(256u << 20);
    req.raw_path = req.path = q == SIZE_MAX ? url : str_slice(url, 0, q);
    req.query = q == SIZE_MAX ? STR_NULL : str_skip(url, q + 1);
    HttpResponse res = {.status = 200};
    RouteMatch match;
    assert_true(router_match(w->router, method, req.raw_path, req.arena, &match));
    assert_non_null(match.route);
    req.path_params = match.params;
    req.n_path_params = match.n_params;
    match.route->handler(match.route->ctx, &req, &res);
    buf_clear(&w->body);
    buf_put_str(&w->body, buf_str(&res.body));
    buf_done(&res.body);
    arena_free(req.arena);
    return res.status;
}

static const char *get(World *w, const char *target, int status) {
    int got = call(w, HTTP_GET, target, NULL, NULL, STR_NULL);
    if (got != status) fail_msg("%s: %d %s", target, got, buf_cstr(&w->body));
    return buf_cstr(&w->body);
}

static void push_json(World *w, const char *body, int status) {
    int got = call(w, HTTP_POST, "/loki/api/v1/push", "Content-Type", "application/json", str_cstr(body));
    if (got != status) fail_msg("push: %d %s", got, buf_cstr(&w->body));
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("%s\n is not in\n%s", part, text);
}

#define LINES                                                                                                          \
    "{\"streams\":[{\"stream\":{\"app\":\"web\"},\"values\":["                                                         \
    "[\"1700000000000000000\",\"level=info took=5ms path=/a\"],"                                                       \
    "[\"1700000060000000000\",\"level=error took=15ms path=/b\",{\"trace_id\":\"abc\"}],"                              \
    "[\"1700000120000000000\",\"{\\\"level\\\":\\\"warn\\\",\\\"n\\\":{\\\"m\\\":3}}\"]]},"                            \
    "{\"stream\":{\"service_name\":\"db\"},\"values\":[[\"1700000061000000000\",\"slow query 10.1.2.3\"]]}]}"
#define RANGE "&start=1700000000&end=1700000300"

static void test_push_and_query(void **state) {
    World *w = *state;
    push_json(w, LINES, 204);
    for (int flushed = 0; flushed < 2; flushed++) {
        const char *r = get(w, "/loki/api/v1/query_range?query={app=\"web\"}" RANGE, 200);
        assert_has(r, "\"resultType\":\"streams\"");
        assert_has(r,
            "{\"stream\":{\"app\":\"web\",\"detected_level\":\"error\",\"service_name\":\"web\",\"trace_id\":\"abc\"},"
            "\"values\":[[\"1700000060000000000\",\"level=error took=15ms path=/b\"]]}");
        assert_has(r, "\"totalEntriesReturned\":3");
        r = get(w, "/loki/api/v1/query_range?query={service_name=~\".%2B\"}&limit=2&direction=forward" RANGE, 200);
        assert_has(r, "\"totalEntriesReturned\":2");
        assert_has(r, "1700000000000000000");
        assert_null(strstr(r, "1700000120000000000"));
        r = get(w, "/loki/api/v1/query_range?query={app=\"web\"}|json" RANGE "&limit=1", 200);
        assert_has(r, "\"n_m\":\"3\"");
        assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
    }
    assert_int_equal(call(w, HTTP_GET, "/loki/api/v1/query_range?query={app=\"web\"}|logfmt|took>10ms" RANGE,
                         "X-Loki-Response-Encoding-Flags", "categorize-labels", STR_NULL),
        200);
    const char *r = buf_cstr(&w->body);
    assert_has(r, "\"encodingFlags\":[\"categorize-labels\"]");
    assert_has(r,
        "{\"stream\":{\"app\":\"web\",\"service_name\":\"web\"},\"values\":[[\"1700000060000000000\",\"level=error "
        "took=15ms path=/b\",{\"structuredMetadata\":{\"detected_level\":\"error\",\"trace_id\":\"abc\"},"
        "\"parsed\":{\"level\":\"error\",\"path\":\"/b\",\"took\":\"15ms\"}}]]}");
}

static const struct {
    const char *query, *expect;
} instants[] = {
    {"vector(1)%2Bvector(1)", "\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1700000300,\"2\"]}]"},
    {"1%2B1", "\"resultType\":\"scalar\",\"result\":[1700000300,\"2\"]"},
    {"sum(count_over_time({app=\"web\"}[5m]))", "[{\"metric\":{},\"value\":[1700000300,\"2\"]}]"},
    {"sum(count_over_time({app=\"web\"}[6m]))", "[{\"metric\":{},\"value\":[1700000300,\"3\"]}]"},
    {"sum by (service_name) (count_over_time({service_name=~\".%2B\"}[6m]))",
        "[{\"metric\":{\"service_name\":\"db\"},\"value\":[1700000300,\"1\"]},{\"metric\":{\"service_name\":\"web\"},"
        "\"value\":[1700000300,\"3\"]}]"},
    {"sum by (detected_level) (count_over_time({app=\"web\"}[6m]))", "{\"metric\":{\"detected_level\":\"warn\"}"},
    {"sum(rate({app=\"web\"}[6m]))", "\"0.008333333333333333\""},
    {"sum(bytes_over_time({service_name=\"db\"}[6m]))", "\"19\""},
    {"sum(count_over_time({app=\"web\"} |= \"took\" !~ \"path=/a$\" [6m]))", "\"1\""},
    {"sum(count_over_time({service_name=\"db\"} |= ip(\"10.0.0.0/8\") [6m]))", "\"1\""},
    {"sum(count_over_time({app=\"web\"} | json [6m]))", "\"3\""},
    {"absent_over_time({app=\"nothing\"}[5m])", "[{\"metric\":{\"app\":\"nothing\"},\"value\":[1700000300,\"1\"]}]"},
    {"absent_over_time({app=\"web\"}[6m])", "\"result\":[]"},
    {"max_over_time({app=\"web\"} | logfmt | unwrap duration(took) | __error__=\"\" [6m]) by (app)",
        "[{\"metric\":{\"app\":\"web\"},\"value\":[1700000300,\"0.015\"]}]"},
    {"quantile_over_time(0.5, {app=\"web\"} | logfmt | unwrap duration_seconds(took) [6m]) by (app)", "\"0.01\""},
    {"topk(1, sum by (service_name) (count_over_time({service_name=~\".%2B\"}[6m])))",
        "\"result\":[{\"metric\":{\"service_name\":\"web\"},\"value\":[1700000300,\"3\"]}]"},
    {"sum(count_over_time({app=\"web\"}[6m])) / sum(count_over_time({service_name=\"db\"}[6m])) * 100", "\"300\""},
    {"sum(count_over_time({app=\"web\"}[6m])) > 5", "\"result\":[]"},
    {"sum(count_over_time({app=\"web\"}[6m])) > bool 5", "\"0\""},
    {"sum by (service_name) (count_over_time({app=\"web\"}[6m])) or sum by (service_name) "
     "(count_over_time({service_name=\"db\"}[6m]))",
        "\"service_name\":\"db\""},
    {"avg(count_over_time({app=\"web\"}[6m]))", "\"1\""},
    {"count(count_over_time({app=\"web\"}[6m]))", "\"3\""},
};

static void test_instant(void **state) {
    World *w = *state;
    push_json(w, LINES, 204);
    for (int flushed = 0; flushed < 2; flushed++) {
        for (size_t i = 0; i < ARRAY_LEN(instants); i++) {
            Buf url = {0};
            buf_put_lit(&url, "/loki/api/v1/query?time=1700000300&query=");
            buf_put_str(&url, str_cstr(instants[i].query));
            assert_has(get(w, buf_cstr(&url), 200), instants[i].expect);
            buf_done(&url);
        }
        assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
    }
    const char *r = get(w, "/loki/api/v1/query_range?query=sum(count_over_time({app=\"web\"}[1m]))&step=60" RANGE, 200);
    assert_has(r,
        "\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1700000000,\"1\"],[1700000060,\"1\"],["
        "1700000120,\"1\"]]}]");
    assert_has(get(w, "/loki/api/v1/query?query=vector(1)%2Bvector(1)&time=4000000000", 200), "[4000000000,\"2\"]");
}

static const struct {
    const char *target;
    int status;
    const char *text;
} failures[] = {
    {"/loki/api/v1/query?query={a=\"b\"}", 400,
        "log queries are not supported as an instant query type, please change your query to a range query type"},
    {"/loki/api/v1/query_range?query={a=\"b\"}&limit=6000", 400,
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (6000 > 5000)"},
    {"/loki/api/v1/query_range?query=rate({a=\"b\"}[1m])&start=1&end=100000&step=1", 400,
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"},
    {"/loki/api/v1/query_range?query={a=", 400,
        "parse error at line 1, col 4: syntax error: unexpected $end, expecting STRING"},
    {"/loki/api/v1/query_range?query={a=\"b\"}&direction=up", 400, "invalid direction 'up'"},
    {"/loki/api/v1/query_range?query={a=\"b\"}&start=x", 400, "could not parse 'start' parameter"},
    {"/loki/api/v1/query?query=sum%20by(app)(count_over_time({app=\"web\"}|json[1h]))&time=1700000300", 400,
        "pipeline error: 'JSONParserErr' for series: '{"},
    {"/loki/api/v1/patterns", 404, ""},
    {"/loki/api/v1/tail?query={a=\"b\"}", 501, "tail"},
    {"/loki/api/v1/format_query?query={a=", 400,
        "\"status\":\"invalid-query\",\"error\":\"parse error at line 1, col 4"},
};

static void test_failures(void **state) {
    World *w = *state;
    push_json(w, LINES, 204);
    for (size_t i = 0; i < ARRAY_LEN(failures); i++)
        assert_has(get(w, failures[i].target, failures[i].status), failures[i].text);
}

static const struct {
    const char *target, *expect;
} metadata[] = {
    {"/loki/api/v1/labels?start=1700000000", "{\"status\":\"success\",\"data\":[\"app\",\"service_name\"]}"},
    {"/loki/api/v1/label", "\"app\""},
    {"/loki/api/v1/label/service_name/values?start=1700000000", "\"data\":[\"db\",\"web\"]"},
    {"/loki/api/v1/label/service_name/values?start=1700000000&query={app=\"web\"}", "\"data\":[\"web\"]"},
    {"/loki/api/v1/label/none/values", "{\"status\":\"success\"}"},
    {"/loki/api/v1/series?match[]={app=\"web\"}&match={service_name=\"db\"}&start=1700000000",
        "\"data\":[{\"app\":\"web\",\"service_name\":\"web\"},{\"service_name\":\"db\"}]"},
    {"/loki/api/v1/index/stats?query={app=\"web\"}&start=1700000000&end=1700000300",
        "{\"streams\":1,\"chunks\":1,\"bytes\":84,\"entries\":3}"},
    {"/loki/api/v1/index/volume?query={service_name=~\".%2B\"}&start=1700000000&end=1700000300",
        "\"result\":[{\"metric\":{\"service_name\":\"web\"},\"value\":[1700000300,\"84\"]},{\"metric\":{\"service_"
        "name\":"
        "\"db\"},\"value\":[1700000300,\"19\"]}]"},
    {"/loki/api/v1/index/volume_range?query={app=\"web\"}&start=1700000000&end=1700000300&step=60",
        "\"resultType\":\"matrix\""},
    {"/loki/api/v1/detected_labels?start=1700000000", "{\"label\":\"service_name\",\"cardinality\":2}"},
    {"/loki/api/v1/detected_fields?query={app=\"web\"}&start=1700000000",
        "{\"label\":\"took\",\"type\":\"duration\",\"cardinality\":2,\"parsers\":[\"logfmt\"]}"},
    {"/loki/api/v1/detected_fields?query={app=\"web\"}&start=1700000000",
        "{\"label\":\"trace_id\",\"type\":\"string\",\"cardinality\":1,\"parsers\":null}"},
    {"/loki/api/v1/format_query?query={ a = \"b\" }", "{\"status\":\"success\",\"data\":\"{a=\\\"b\\\"}\"}"},
    {"/loki/api/v1/status/buildinfo", "\"version\""},
    {"/loki/api/v1/drilldown-limits", "\"volume_enabled\":true"},
    {"/ready", "ready\n"},
};

static void test_metadata(void **state) {
    World *w = *state;
    push_json(w, LINES, 204);
    for (int flushed = 0; flushed < 2; flushed++) {
        for (size_t i = 0; i < ARRAY_LEN(metadata); i++)
            assert_has(get(w, metadata[i].target, 200), metadata[i].expect);
        assert_int_equal(w->store->ops->flush(w->store, NULL), OK);
    }
}

static const struct {
    const char *body;
    int status;
    const char *text;
} pushes[] = {
    {"{\"streams\":[]}", 204, ""},
    {"{\"streams\":[{\"values\":[[\"1700000000000000000\",\"x\"]],\"stream\":{\"a\":\"b\"}}]}", 204, ""},
    {"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[1700000000000000000,\"x\"]]}]}", 400,
        "timestamp must be a string"},
    {"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1700000000000000000\",\"x\",{\"k\":1}]]}]}", 400,
        "must be strings"},
    {"{\"streams\":[{\"stream\":{},\"values\":[[\"1700000000000000000\",\"x\"]]}]}", 400,
        "error at least one label pair is required per stream"},
    {"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1600000000000000000\",\"x\"]]}]}", 400,
        "entry for stream '{a=\"b\", service_name=\"unknown_service\"}' has timestamp too old: 2020-09-13T12:26:40Z, "
        "oldest "
        "acceptable timestamp is: "},
    {"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1800000000000000000\",\"x\"]]}]}", 400,
        "has timestamp too new"},
    {"{\"streams\":", 400, "malformed push request"},
    {"[]", 400, "malformed push request"},
};

static void test_push_errors(void **state) {
    World *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(pushes); i++) {
        push_json(w, pushes[i].body, pushes[i].status);
        assert_has(buf_cstr(&w->body), pushes[i].text);
    }
}

/* Valid entries of a request that breaks a limit elsewhere are stored. */
static void test_partial(void **state) {
    World *w = *state;
    Buf b = {0};
    buf_put_lit(&b, "{\"streams\":[{\"stream\":{\"app\":\"p\"},\"values\":[[\"1700000000000000000\",\"good\"],["
                    "\"1700000001000000000\",\"");
    for (int i = 0; i < 300000; i++) buf_put_char(&b, 'x');
    buf_put_lit(&b, "\"],[\"1700000002000000000\",\"also good\"]]}]}");
    push_json(w, buf_cstr(&b), 400);
    assert_has(
        buf_cstr(&w->body), "max entry size '262144' bytes exceeded while adding an entry with length '300000' bytes");
    assert_has(get(w, "/loki/api/v1/query_range?query={app=\"p\"}" RANGE, 200), "\"totalEntriesReturned\":2");
    buf_done(&b);
}

static void test_push_proto(void **state) {
    World *w = *state;
    Buf b = {0}, z = {0};
    size_t stream = proto_begin(&b, 1);
    proto_put_bytes(&b, 1, STR("{app=\"proto\", env=\"x\"}"));
    size_t entry = proto_begin(&b, 2), ts = proto_begin(&b, 1);
    proto_put_varint(&b, 1, 1700000000);
    proto_put_varint(&b, 2, 5);
    proto_end(&b, ts);
    proto_put_bytes(&b, 2, STR("a FATAL mistake"));
    size_t pair = proto_begin(&b, 3);
    proto_put_bytes(&b, 1, STR("k"));
    proto_put_bytes(&b, 2, STR("v"));
    proto_end(&b, pair);
    proto_end(&b, entry);
    proto_end(&b, stream);
    assert_int_equal(compress(ENCODING_SNAPPY, buf_str(&b), 0, &z), OK);
    assert_int_equal(
        call(w, HTTP_POST, "/loki/api/v1/push", "Content-Type", "application/x-protobuf", buf_str(&z)), 204);
    assert_has(get(w, "/loki/api/v1/query_range?query={app=\"proto\"}" RANGE, 200),
        "{\"stream\":{\"app\":\"proto\",\"detected_level\":\"fatal\",\"env\":\"x\",\"k\":\"v\",\"service_name\":"
        "\"proto\"},"
        "\"values\":[[\"1700000000000000005\",\"a FATAL mistake\"]]}");
    assert_int_equal(
        call(w, HTTP_POST, "/loki/api/v1/push", "Content-Type", "application/x-protobuf", STR("nonsense")), 400);
    buf_done(&b);
    buf_done(&z);
}

static void test_levels(void **state) {
    (void)state;
    static const struct {
        const char *line, *level;
    } cases[] = {
        {"level=warn msg=\"an error\"", "warn"},
        {"an ERROR happened", "error"},
        {"{\"msg\":\"x\",\"severity\":\"CRITICAL\"}", "critical"},
        {"{\"log\":{\"level\":\"debug\"}}", "debug"},
        {"nothing to see", "unknown"},
        {"terror information", "info"},
        {"", "unknown"},
        {"{", "unknown"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Str level = log_level_detect((Labels){0}, NULL, 0, str_cstr(cases[i].line));
        if (!str_eq(level, str_cstr(cases[i].level))) fail_msg("%s: %.*s", cases[i].line, (int)level.n, level.p);
    }
}

static void test_delete(void **state) {
    World *w = *state;
    push_json(w, LINES, 204);
    assert_int_equal(call(w, HTTP_POST, "/loki/api/v1/delete?query={app=\"web\"}&start=1700000050&end=1700000100", NULL,
                         NULL, STR_NULL),
        204);
    assert_has(get(w, "/loki/api/v1/query_range?query={app=\"web\"}" RANGE, 200), "\"totalEntriesReturned\":2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_push_and_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_instant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metadata, setup, teardown),
        cmocka_unit_test_setup_teardown(test_push_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partial, setup, teardown),
        cmocka_unit_test_setup_teardown(test_push_proto, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
