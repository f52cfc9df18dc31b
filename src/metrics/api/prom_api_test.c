#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "codec/compress.h"
#include "codec/crc.h"
#include "codec/proto.h"
#include "metrics/api/prom_api.h"
#include "metrics/api/read_stream.h"
#include "metrics/api/remote_write.h"
#include "metrics/promql/test_store.h"
#include "metrics/tsdb/chunk.h"
#include "sys/clock.h"

typedef struct Fixture {
    MetricsStore *store;
    PromApi *api;
    Router *router;
} Fixture;

static Labels labels_of(Arena *a, const char *text) {
    Labels l;
    assert_int_equal(labels_parse(str_cstr(text), a, &l, NULL), OK);
    return l;
}

static Fixture setup(void) {
    Fixture f = {.store = test_store_create(), .router = router_create()};
    static const Label external[] = {{STR_INIT("region"), STR_INIT("eu")}};
    PromApiOptions opts = {.store = f.store};
    Arena *a = arena_create(ARENA_UNLIMITED);
    Labels up = labels_of(a, "{__name__=\"up\", job=\"api\"}"), down = labels_of(a, "{__name__=\"up\", job=\"db\"}");
    for (int64_t t = 0; t <= 600; t += 60) {
        test_store_add(f.store, up, t * 1000, (double)t / 60, 0);
        test_store_add(f.store, down, t * 1000, 0.5, 0);
    }
    test_store_add(f.store, labels_of(a, "{__name__=\"dotted\", \"my.label\"=\"x\"}"), 600000, 1, 0);
    arena_free(a);
    clock_fake_set(INT64_C(600) * 1000000000);
    f.api = prom_api_create(&opts);
    prom_api_set_config(f.api, (Labels){external, 1}, 0);
    prom_api_routes(f.api, f.router);
    return f;
}

static void teardown(Fixture *f) {
    clock_fake_off();
    router_free(f->router);
    prom_api_free(f->api);
    f->store->ops->close(f->store);
}

/* Sends a request through the router; the body is left in res. */
static void call(Fixture *f, HttpMethod method, const char *target, const HttpHeader *headers, size_t n_headers,
    Str body, Arena *arena, HttpResponse *res) {
    Str url = str_cstr(target);
    size_t mark = str_find_char(url, '?');
    Str path = str_slice(url, 0, mark == SIZE_MAX ? url.n : mark);
    HttpRequest req = {.method = method,
        .path = path,
        .raw_path = path,
        .arena = arena,
        .headers = headers,
        .n_headers = n_headers,
        .body = body};
    if (mark != SIZE_MAX) req.query = str_skip(url, mark + 1);
    RouteMatch m;
    *res = (HttpResponse){.status = 200};
    assert_true(router_match(f->router, method, path, arena, &m));
    assert_non_null(m.route);
    req.path_params = m.params;
    req.n_path_params = m.n_params;
    m.route->handler(m.route->ctx, &req, res);
}

#define ERR(type, msg) "{\"status\":\"error\",\"errorType\":\"" type "\",\"error\":\"" msg "\"}"
#define OK_(data) "{\"status\":\"success\",\"data\":" data "}"

static void put_one_target(void *ctx, Str state, Str pool, JsonWriter *w) {
    (void)ctx;
    (void)state;
    (void)pool;
    json_raw(w, STR("{\"activeTargets\":[{\"labels\":{\"job\":\"api\"}}],\"droppedTargets\":[],"
                    "\"droppedTargetCounts\":{}}"));
}

/* A server of its own: one target and the metadata of two families, of which it exposes one. */
static void test_targets_metadata(void **state) {
    (void)state;
    static const struct {
        const char *query;
        int status;
        const char *body;
    } cases[] = {
#define ALSO_ "\"type\":\"gauge\",\"help\":\"a gauge\",\"unit\":\"\"},"
#define SEEN_ "\"type\":\"gauge\",\"help\":\"a gauge\",\"unit\":\"\"}]"
        {"", 200,
            OK_("[{\"target\":{\"job\":\"api\"},\"metric\":\"also\"," ALSO_
                "{\"target\":{\"job\":\"api\"},\"metric\":\"seen\"," SEEN_)},
        {"?limit=1", 200,
            OK_("[{\"target\":{\"job\":\"api\"},\"metric\":\"also\"," ALSO_
                "{\"target\":{\"job\":\"api\"},\"metric\":\"seen\"," SEEN_)},
        {"?metric=seen", 200, OK_("[{\"target\":{\"job\":\"api\"}," SEEN_)},
        {"?metric=other", 200, OK_("[]")},
        {"?match_target=%7Bjob%3D%22x%22%7D", 200, OK_("[]")},
        {"?limit=0", 200, OK_("[]")},
        {"?limit=x", 400, ERR("bad_data", "limit must be a number")},
        {"?match_target=%7B", 400,
            ERR("bad_data",
                "invalid parameter \\\"match_target\\\": 1:2: parse error: unexpected end of input inside braces")},
    };
    Fixture f = setup();
    PromApiOptions opts = {.store = f.store, .put_targets = put_one_target};
    PromApi *api = prom_api_create(&opts);
    Router *r = router_create();
    prom_api_routes(api, r);
    Fixture g = {f.store, api, r};
    Arena *a = arena_create(1 << 24);
    MetricsBatch batch = {.arena = a};
    MetricMetadata seen = {STR("seen"), METRIC_GAUGE, STR("a gauge"), STR("")}, other = seen, also = seen;
    other.metric = STR("other");
    also.metric = STR("also");
    MetricsAppendResult done = {0};
    assert_true(avec_push(a, &batch.metadata, other) && avec_push(a, &batch.metadata, seen) &&
                avec_push(a, &batch.metadata, also));
    assert_int_equal(f.store->ops->append(f.store, &batch, &done, NULL), OK);
    test_store_add(f.store, labels_of(a, "{__name__=\"seen\", job=\"api\"}"), 600000, 1, 0);
    test_store_add(f.store, labels_of(a, "{__name__=\"also\", job=\"api\"}"), 600000, 1, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Str target = arena_printf(a, "/api/v1/targets/metadata%s", cases[i].query);
        HttpResponse res;
        call(&g, HTTP_GET, target.p, NULL, 0, STR_NULL, a, &res);
        assert_int_equal(res.status, cases[i].status);
        assert_string_equal(buf_cstr(&res.body), cases[i].body);
        buf_done(&res.body);
    }
    arena_free(a);
    router_free(r);
    prom_api_free(api);
    teardown(&f);
}

static const struct {
    const char *target;
    int status;
    const char *body;
} gets[] = {
    {"/api/v1/query?query=1%2B1", 200, OK_("{\"resultType\":\"scalar\",\"result\":[600,\"2\"]}")},
    {"/api/v1/query?query=%22x%22&time=1.5", 200, OK_("{\"resultType\":\"string\",\"result\":[1.5,\"x\"]}")},
    {"/api/v1/query?query=up%7Bjob%3D%22api%22%7D&time=300", 200,
        OK_("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"api\"},\"value\":[300,"
            "\"5\"]}]}")},
    {"/api/v1/query?query=up&time=600&limit=1", 200,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\","
        "\"job\":\"api\"},"
        "\"value\":[600,\"10\"]}]},\"warnings\":[\"results truncated due to limit\"]}"},
    {"/api/v1/query_range?query=sum(up)&start=0&end=120&step=60", 200,
        OK_("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[0,\"0.5\"],[60,\"1.5\"],[120,\"2.5\"]]}"
            "]}")},
    {"/api/v1/query?query=rate(up%7Bjob%3D%22api%22%7D%5B5m%5D)", 200,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"job\":\"api\"},"
        "\"value\":[600,"
        "\"0.016666666666666666\"]}]},\"infos\":[\"PromQL info: metric might not be a counter, name does not end in "
        "_total/_sum/_count/_bucket: \\\"up\\\" (1:6)\"]}"},
    {"/api/v1/query?query=1%2F0", 200, OK_("{\"resultType\":\"scalar\",\"result\":[600,\"+Inf\"]}")},
    {"/api/v1/query?query=up%5B1m", 400,
        ERR("bad_data", "invalid parameter \\\"query\\\": 1:6: parse error: unclosed left bracket")},
    {"/api/v1/query", 400,
        ERR("bad_data",
            "invalid parameter \\\"query\\\": unknown position: parse error: no expression found in input")},
    {"/api/v1/query?query=1&time=x", 400,
        ERR("bad_data", "invalid parameter \\\"time\\\": invalid time value for 'time': cannot parse \\\"x\\\" to a "
                        "valid timestamp")},
    {"/api/v1/query_range?query=1&end=1&step=1", 400,
        ERR("bad_data", "invalid parameter \\\"start\\\": cannot parse \\\"\\\" to a valid timestamp")},
    {"/api/v1/query_range?query=1&start=2&end=1&step=1", 400,
        ERR("bad_data", "invalid parameter \\\"end\\\": end timestamp must not be before start time")},
    {"/api/v1/query_range?query=1&start=0&end=1&step=0", 400,
        ERR("bad_data", "invalid parameter \\\"step\\\": zero or negative query resolution step widths are not "
                        "accepted. Try a positive integer")},
    {"/api/v1/query_range?query=1&start=0&end=1&step=x", 400,
        ERR("bad_data", "invalid parameter \\\"step\\\": cannot parse \\\"x\\\" to a valid duration")},
    {"/api/v1/query_range?query=1&start=0&end=1e6&step=1", 400,
        ERR("bad_data", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                        "resolution (?step=XX)")},
    {"/api/v1/query_range?query=up%5B5m%5D&start=0&end=1&step=1", 400,
        ERR("bad_data", "invalid parameter \\\"query\\\": invalid expression type \\\"range vector\\\" for range "
                        "query, must be Scalar or instant Vector")},
    {"/api/v1/query?query=up%20%2B%20on()%20up", 422,
        ERR("execution", "found duplicate series for the match group {} on the right hand-side of the operation: "
                         "[{__name__=\\\"up\\\", job=\\\"api\\\"}, {__name__=\\\"up\\\", job=\\\"db\\\"}];many-to-many "
                         "matching not allowed: "
                         "matching labels must be unique on one side")},
    {"/api/v1/query?query=1e-7&time=1", 200, OK_("{\"resultType\":\"scalar\",\"result\":[1,\"0.0000001\"]}")},
    {"/api/v1/query?query=1&limit=99999999999999999999", 400,
        ERR("bad_data",
            "invalid parameter \\\"limit\\\": strconv.Atoi: parsing \\\"99999999999999999999\\\": value out of "
            "range")},
    {"/api/v1/query?query=1&timeout=0", 400,
        ERR("bad_data", "invalid parameter \\\"timeout\\\": timeout must be positive, got 0s")},
    {"/api/v1/query?query=1&timeout=-90", 400,
        ERR("bad_data", "invalid parameter \\\"timeout\\\": timeout must be positive, got -1m30s")},
    {"/api/v1/query?query=1&timeout=NaN", 400,
        ERR("bad_data",
            "invalid parameter \\\"timeout\\\": cannot parse \\\"NaN\\\" to a valid duration. It overflows int64")},
    {"/api/v1/query?query=1&time=1_000.5", 200, OK_("{\"resultType\":\"scalar\",\"result\":[1000.5,\"1\"]}")},
    {"/api/v1/query?query=1&time=1_000_", 400, NULL},
    {"/api/v1/query?query=1&time=5&time=%zz", 200, OK_("{\"resultType\":\"scalar\",\"result\":[5,\"1\"]}")},
    {"/api/v1/query?query=300y", 400,
        ERR("bad_data", "invalid parameter \\\"query\\\": 1:1: parse error: duration out of range")},
    {"/api/v1/series?match[]=up&x=%zz", 400,
        ERR("bad_data", "error parsing form values: invalid URL escape \\\"%zz\\\"")},
    {"/api/v1/query?query=up%7Bjob%3D%22db%22%7D&time=601&lookback_delta=-1", 200,
        OK_("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"job\":\"db\"},\"value\":[601,"
            "\"0.5\"]}]}")},
    {"/api/v1/series?match[]=up&start=0000-01-01T00:00:00Z&end=9999-12-31T23:59:59Z&limit=1", 200,
        "{\"status\":\"success\",\"data\":[{\"__name__\":\"up\",\"job\":\"api\"}],\"warnings\":[\"results truncated "
        "due to limit\"]}"},
    {"/api/v1/query?query=1&time=1970-01-01T00:00:05,5Z", 200,
        OK_("{\"resultType\":\"scalar\",\"result\":[5.5,\"1\"]}")},
    {"/api/v1/query?query=1&lookback_delta=1e10", 400,
        ERR("bad_data",
            "error parsing lookback delta duration: cannot parse \\\"1e10\\\" to a valid duration. It overflows "
            "int64")},
    {"/federate?match[]=%7B%7D", 200, ""},
    {"/api/v1/status/walreplay", 200, OK_("{\"min\":0,\"max\":0,\"current\":0}")},
    {"/api/v1/labels", 200, OK_("[\"__name__\",\"job\",\"my.label\"]")},
    {"/api/v1/labels?match[]=up", 200, OK_("[\"__name__\",\"job\"]")},
    {"/api/v1/labels?limit=-1", 400, ERR("bad_data", "invalid parameter \\\"limit\\\": limit must be non-negative")},
    {"/api/v1/label/job/values", 200, OK_("[\"api\",\"db\"]")},
    {"/api/v1/label/job/values?limit=1", 200,
        "{\"status\":\"success\",\"data\":[\"api\"],\"warnings\":[\"results truncated due to limit\"]}"},
    {"/api/v1/label/U__my_2e_label/values", 200, OK_("[\"x\"]")},
    {"/api/v1/series?match[]=up%7Bjob%3D%22db%22%7D", 200, OK_("[{\"__name__\":\"up\",\"job\":\"db\"}]")},
    {"/api/v1/series", 400, ERR("bad_data", "no match[] parameter provided")},
    {"/api/v1/series?match[]=%7Ba%3D%22%22%7D", 400,
        ERR("bad_data", "invalid parameter \\\"match[]\\\": match[] must contain at least one non-empty matcher")},
    {"/api/v1/metadata", 200, OK_("{}")},
    {"/api/v1/format_query?query=foo%2Fbar", 200, OK_("\"foo / bar\"")},
    {"/api/v1/parse_query?query=-1", 200, OK_("{\"type\":\"numberLiteral\",\"val\":\"-1\"}")},
    {"/api/v1/rules", 200, OK_("{\"groups\":[]}")},
    {"/api/v1/alerts", 200, OK_("{\"alerts\":[]}")},
    {"/api/v1/targets", 200, OK_("{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}")},
    {"/api/v1/notifications", 200, OK_("[]")},
    {"/api/v1/query?query=1&stats=x&limit=1", 200, NULL},
    {"/api/v1/search/metric_names?search[]=u&start=0&include_score=true", 200,
        "{\"results\":[{\"name\":\"up\",\"score\":1}]}\n{\"status\":\"success\",\"has_more\":false}\n"},
    {"/api/v1/search/label_values?label=job&start=0&limit=1&batch_size=1", 200,
        "{\"results\":[{\"value\":\"api\"}]}\n{\"status\":\"success\",\"has_more\":true}\n"},
    {"/api/v1/search/label_values?label=job&start=0&sort_by=alpha&sort_dir=dsc&batch_size=1", 200,
        "{\"results\":[{\"value\":\"db\"}]}\n{\"results\":[{\"value\":\"api\"}]}\n"
        "{\"status\":\"success\",\"has_more\":false}\n"},
    {"/api/v1/search/label_names?search[]=zz&start=0", 200,
        "{\"results\":[]}\n{\"status\":\"success\",\"has_more\":false}\n"},
    {"/api/v1/search/label_values", 400, ERR("bad_data", "missing required parameter \\\"label\\\"")},
    {"/api/v1/search/label_names?sort_by=x", 400,
        ERR("bad_data", "invalid sort_by \\\"x\\\" for label_names: must be \\\"alpha\\\" or \\\"score\\\"")},
    {"/api/v1/search/label_names?sort_dir=asc", 400, ERR("bad_data", "sort_dir is only valid when sort_by is set")},
    {"/api/v1/search/label_names?sort_by=score", 400, ERR("bad_data", "sort_by=score requires search[] to be set")},
    {"/api/v1/search/label_names?fuzz_alg=x", 400,
        ERR("bad_data", "unsupported fuzz_alg \\\"x\\\": must be one of [subsequence jarowinkler]")},
    {"/api/v1/search/label_names?fuzz_threshold=101", 400,
        ERR("bad_data", "invalid fuzz_threshold \\\"101\\\": must be 0-100")},
    {"/api/v1/search/label_names?case_sensitive=x", 400,
        ERR("bad_data", "invalid case_sensitive \\\"x\\\": must be boolean")},
    {"/api/v1/search/label_names?start=2&end=1", 400,
        ERR("bad_data", "end timestamp must not be before start timestamp")},
    {"/api/v1/targets/relabel_steps", 400, ERR("bad_data", "no scrapePool parameter provided")},
    {"/api/v1/targets/relabel_steps?scrapePool=x&labels=%7B%7D", 400,
        ERR("bad_data", "error retrieving scrape config: scrape pool \\\"x\\\" not found")},
    {"/api/v1/status/self_metrics", 200, OK_("[]")},
    {"/api/v1/status/tsdb/blocks", 200, OK_("{\"blocks\":[]}")},
    {"/api/v1/openapi.yaml", 200, NULL},
    {"/api/v1/status/tsdb?limit=0", 400, ERR("bad_data", "limit must be a positive number")},
    {"/api/v1/status/tsdb?limit=10001", 400, ERR("bad_data", "limit must not exceed 10000")},
    {"/api/meerkat/v1/queries", 200, OK_("{\"queries\":[],\"slowThresholdSeconds\":1,\"concurrency\":20}")},
    {"/api/meerkat/v1/cardinality?match[]=up&label=job&compare=5m&start=300", 200,
        OK_("{\"series\":2,\"seriesBefore\":2,\"metrics\":[{\"name\":\"up\",\"series\":2,\"before\":2}],\"labels\":["
            "{\"name\":\"job\",\"values\":2,\"valuesBefore\":2,\"series\":2,\"bytes\":5},{\"name\":\"__name__\","
            "\"values\":1,\"valuesBefore\":1,\"series\":2,\"bytes\":2}],\"pairs\":[{\"name\":\"__name__=up\","
            "\"series\":"
            "2,\"before\":2},{\"name\":\"job=api\",\"series\":1,\"before\":1},{\"name\":\"job=db\",\"series\":1,"
            "\"before\":1}],\"values\":[{\"name\":\"api\",\"series\":1,\"before\":1},{\"name\":\"db\",\"series\":1,"
            "\"before\":1}],\"limits\":{\"series\":0,\"seriesPerMetric\":0,\"labels\":0,\"labelNameBytes\":0,"
            "\"labelValueBytes\":0},\"refused\":[]}")},
    {"/api/meerkat/v1/explain?query=up%5B", 400, NULL},
    {"/-/reload", 405, "Only POST or PUT requests allowed"},
    {"/-/quit", 405, "Only POST or PUT requests allowed"},
    {"/api/v1/query?query=1&timeout=1e400", 400,
        ERR("bad_data", "invalid parameter \\\"timeout\\\": cannot parse \\\"1e400\\\" to a valid duration")},
    {"/api/v1/query_exemplars?query=up", 200, OK_("[]")},
    {"/api/v1/query_exemplars?query=1", 204, ""},
    {"/api/v1/status/flags", 200, OK_("{}")},
    {"/api/v1/status/config", 200, OK_("{\"yaml\":\"\"}")},
    {"/-/healthy", 200, "Prometheus Server is Healthy.\n"},
    {"/-/ready", 200, "Prometheus Server is Ready.\n"},
    {"/federate?match[]=up%7Bjob%3D%22db%22%7D", 200,
        "# TYPE up untyped\nup{job=\"db\",instance=\"\",region=\"eu\"} 0.5 600000\n"},
    {"/federate?match[]=up%7B", 400, "1:4: parse error: unexpected end of input inside braces\n"},
    {"/federate?match[]=dotted", 200,
        "# TYPE dotted untyped\ndotted{my_label=\"x\",instance=\"\",region=\"eu\"} 1 600000\n"},
    {"/federate", 200, ""},
};

static void test_gets(void **state) {
    (void)state;
    Fixture f = setup();
    for (size_t i = 0; i < ARRAY_LEN(gets); i++) {
        Arena *arena = arena_create(1 << 24);
        HttpResponse res;
        call(&f, HTTP_GET, gets[i].target, NULL, 0, STR_NULL, arena, &res);
        const char *body = gets[i].body ? gets[i].body : buf_cstr(&res.body); /* NULL: any */
        if (res.status != gets[i].status || strcmp(buf_cstr(&res.body), body) != 0)
            fail_msg(
                "%s\n  %d %s\n  want %d %s", gets[i].target, res.status, buf_cstr(&res.body), gets[i].status, body);
        buf_done(&res.body);
        arena_free(arena);
    }
    teardown(&f);
}

static void put_times(Buf *b, const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) buf_put_str(b, str_cstr(text));
}

/* Trees as deep as a query may make them are told and explained whole. */
static void test_deep_queries(void **state) {
    (void)state;
    static const struct {
        const char *before, *middle, *after;
        size_t n;
    } cases[] = {{"(", "up", ")", 60}, {"-", "up", "", 60}, {"up%2B", "up", "", 1900}, {"sum(", "up", ")", 60}};
    static const char *const paths[] = {"/api/v1/parse_query?query=", "/api/v1/format_query?query=",
        "/api/v1/query?query=", "/api/meerkat/v1/explain?query="};
    Fixture f = setup();
    for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(paths); i++) {
        Arena *arena = arena_create(1 << 26);
        Buf url = {0};
        HttpResponse res;
        buf_put_str(&url, str_cstr(paths[i % ARRAY_LEN(paths)]));
        put_times(&url, cases[i / ARRAY_LEN(paths)].before, cases[i / ARRAY_LEN(paths)].n);
        buf_put_str(&url, str_cstr(cases[i / ARRAY_LEN(paths)].middle));
        put_times(&url, cases[i / ARRAY_LEN(paths)].after, cases[i / ARRAY_LEN(paths)].n);
        call(&f, HTTP_GET, buf_cstr(&url), NULL, 0, STR_NULL, arena, &res);
        if (res.status != 200) fail_msg("%.60s: %d %s", buf_cstr(&url), res.status, buf_cstr(&res.body));
        assert_true(str_ends_with(buf_str(&res.body), STR("}")));
        buf_done(&res.body);
        buf_done(&url);
        arena_free(arena);
    }
    teardown(&f);
}

static void test_starts_header(void **state) {
    (void)state;
    static const struct {
        const char *value, *body;
    } cases[] = {{"true", OK_("{\"resultType\":\"scalar\",\"result\":[5,\"1\"]}")},
        {"F", OK_("{\"resultType\":\"scalar\",\"result\":[5,\"1\"]}")},
        {"maybe", ERR("bad_data", "error parsing X-Prometheus-Use-Start-Timestamps header: strconv.ParseBool: parsing "
                                  "\\\"maybe\\\": invalid syntax")}};
    Fixture f = setup();
    Arena *arena = arena_create(1 << 24);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        HttpHeader header = {STR("x-prometheus-use-start-timestamps"), str_cstr(cases[i].value)};
        HttpResponse res;
        call(&f, HTTP_GET, "/api/v1/query?query=1&time=5", &header, 1, STR_NULL, arena, &res);
        assert_string_equal(buf_cstr(&res.body), cases[i].body);
        buf_done(&res.body);
    }
    arena_free(arena);
    teardown(&f);
}

/* A federation of many metrics has a selector for each. */
static void test_many_selectors(void **state) {
    (void)state;
    Fixture f = setup();
    Arena *arena = arena_create(1 << 24);
    Buf url = {0};
    HttpResponse res;
    buf_put_lit(&url, "/api/v1/series?");
    put_times(&url, "match[]=none&", 300);
    buf_put_lit(&url, "match[]=dotted");
    call(&f, HTTP_GET, buf_cstr(&url), NULL, 0, STR_NULL, arena, &res);
    assert_string_equal(buf_cstr(&res.body), OK_("[{\"__name__\":\"dotted\",\"my.label\":\"x\"}]"));
    buf_done(&res.body);
    buf_done(&url);
    arena_free(arena);
    teardown(&f);
}

static void test_post_and_options(void **state) {
    (void)state;
    Fixture f = setup();
    Arena *arena = arena_create(1 << 24);
    static const HttpHeader form[] = {{STR_INIT("content-type"), STR_INIT("application/x-www-form-urlencoded")}};
    HttpResponse res;
    call(&f, HTTP_POST, "/api/v1/query", form, 1, STR("query=2*3&time=5"), arena, &res);
    assert_string_equal(buf_cstr(&res.body), OK_("{\"resultType\":\"scalar\",\"result\":[5,\"6\"]}"));
    buf_done(&res.body);
    call(&f, HTTP_OPTIONS, "/api/v1/query", NULL, 0, STR_NULL, arena, &res);
    assert_int_equal(res.status, 204);
    buf_done(&res.body);
    call(&f, HTTP_GET, "/api/v1/status/tsdb", NULL, 0, STR_NULL, arena, &res);
    assert_true(str_contains(buf_str(&res.body), STR("\"seriesCountByMetricName\":[{\"name\":\"up\",\"value\":2}")));
    buf_done(&res.body);
    arena_free(arena);
    teardown(&f);
}

/* --- remote write --- */

static void put_label_pair(Buf *b, const char *name, const char *value) {
    size_t mark = proto_begin(b, 1);
    proto_put_bytes(b, 1, str_cstr(name));
    proto_put_bytes(b, 2, str_cstr(value));
    proto_end(b, mark);
}

static void put_v1(Buf *b, bool named) {
    size_t ts = proto_begin(b, 1), sample;
    put_label_pair(b, "job", "w"); /* not in order: sorted by the receiver */
    if (named) put_label_pair(b, "__name__", "written");
    sample = proto_begin(b, 2);
    proto_put_f64(b, 1, 42.5);
    proto_put_varint(b, 2, 600000);
    proto_end(b, sample);
    proto_end(b, ts);
    size_t meta = proto_begin(b, 3);
    proto_put_varint(b, 1, 2);
    proto_put_bytes(b, 2, STR("written"));
    proto_put_bytes(b, 4, STR("a gauge"));
    proto_end(b, meta);
}

static void put_v2(Buf *b) {
    static const char *const symbols[] = {"", "__name__", "written", "job", "w", "help text"};
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) proto_put_bytes(b, 4, str_cstr(symbols[i]));
    size_t ts = proto_begin(b, 5), inner;
    proto_put_bytes(b, 1, STR("\x01\x02\x03\x04"));
    inner = proto_begin(b, 2);
    proto_put_f64(b, 1, 7);
    proto_put_varint(b, 2, 600000);
    proto_end(b, inner);
    inner = proto_begin(b, 3);
    proto_put_varint(b, 1, 3);
    proto_put_f64(b, 3, 6);
    proto_put_sint(b, 4, 0);
    size_t span = proto_begin(b, 11);
    proto_put_sint(b, 1, 0);
    proto_put_varint(b, 2, 2);
    proto_end(b, span);
    proto_put_bytes(b, 12, STR("\x02\x02"));
    proto_put_varint(b, 15, 600001);
    proto_end(b, inner);
    inner = proto_begin(b, 5);
    proto_put_varint(b, 1, 2);
    proto_put_varint(b, 3, 5);
    proto_end(b, inner);
    proto_end(b, ts);
}

static int post_write(
    Fixture *f, const Buf *message, const char *type, const char *encoding, Arena *arena, HttpResponse *res) {
    Buf packed = {0};
    assert_int_equal(compress(ENCODING_SNAPPY, buf_str(message), 0, &packed), OK);
    const HttpHeader headers[] = {{STR("Content-Type"), str_cstr(type)}, {STR("Content-Encoding"), str_cstr(encoding)}};
    Str body = arena_copy(arena, buf_str(&packed));
    buf_done(&packed);
    call(f, HTTP_POST, "/api/v1/write", headers, 2, body, arena, res);
    return res->status;
}

static void test_write(void **state) {
    (void)state;
    Fixture f = setup();
    Arena *arena = arena_create(1 << 24);
    HttpResponse res;
    Buf v1 = {0}, v2 = {0}, bad = {0};
    put_v1(&v1, true);
    assert_int_equal(post_write(&f, &v1, "application/x-protobuf", "snappy", arena, &res), 204);
    buf_done(&res.body);
    call(&f, HTTP_GET, "/api/v1/query?query=written", NULL, 0, STR_NULL, arena, &res);
    assert_true(str_contains(buf_str(&res.body), STR("\"value\":[600,\"42.5\"]")));
    buf_done(&res.body);
    call(&f, HTTP_GET, "/api/v1/metadata?metric=written", NULL, 0, STR_NULL, arena, &res);
    assert_string_equal(
        buf_cstr(&res.body), OK_("{\"written\":[{\"type\":\"gauge\",\"help\":\"a gauge\",\"unit\":\"\"}]}"));
    buf_done(&res.body);

    put_v2(&v2);
    static const char type2[] = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    assert_int_equal(post_write(&f, &v2, type2, "snappy", arena, &res), 204);
    bool found = false;
    for (size_t i = 0; i < res.n_headers; i++)
        found |= str_eq_lit(res.headers[i].name, "X-Prometheus-Remote-Write-Histograms-Written") &&
                 str_eq_lit(res.headers[i].value, "1");
    assert_true(found);
    buf_done(&res.body);
    call(&f, HTTP_GET, "/api/v1/query?query=written&time=600.001", NULL, 0, STR_NULL, arena, &res);
    assert_true(str_contains(buf_str(&res.body), STR("\"histogram\":[600.001,{\"count\":\"3\",\"sum\":\"6\","
                                                     "\"buckets\":[[0,\"0.5\",\"1\",\"1\"],[0,\"1\",\"2\",\"2\"]]}]")));
    buf_done(&res.body);

    assert_int_equal(post_write(&f, &v1, "text/plain", "snappy", arena, &res), 415);
    buf_done(&res.body);
    assert_int_equal(post_write(&f, &v1, "application/x-protobuf", "gzip", arena, &res), 415);
    buf_done(&res.body);
    buf_put_lit(&bad, "\x0a\xff\xff");
    assert_int_equal(post_write(&f, &bad, "application/x-protobuf", "snappy", arena, &res), 400);
    buf_done(&res.body);
    buf_clear(&v1);
    put_v1(&v1, false); /* no metric name: skipped silently in 1.0 */
    assert_int_equal(post_write(&f, &v1, "application/x-protobuf", "snappy", arena, &res), 204);
    buf_done(&res.body);
    buf_done(&v1);
    buf_done(&v2);
    buf_done(&bad);
    arena_free(arena);
    teardown(&f);
}

/* --- remote read --- */

static void put_matcher(Buf *b, unsigned type, const char *name, const char *value) {
    size_t mark = proto_begin(b, 3);
    if (type) proto_put_varint(b, 1, type);
    proto_put_bytes(b, 2, str_cstr(name));
    proto_put_bytes(b, 3, str_cstr(value));
    proto_end(b, mark);
}

static int post_read(Fixture *f, const Buf *message, Arena *arena, Str *ret) {
    Buf packed = {0};
    HttpResponse res;
    assert_int_equal(compress(ENCODING_SNAPPY, buf_str(message), 0, &packed), OK);
    Str body = arena_copy(arena, buf_str(&packed));
    buf_done(&packed);
    call(f, HTTP_POST, "/api/v1/read", NULL, 0, body, arena, &res);
    *ret = STR_NULL;
    if (res.status == 200) {
        assert_true(str_eq_lit(res.content_type, "application/x-protobuf"));
        assert_int_equal(decompress(ENCODING_SNAPPY, buf_str(&res.body), 1 << 20, arena, ret, NULL), OK);
        *ret = arena_copy(arena, *ret);
    }
    buf_done(&res.body);
    return res.status;
}

static void put_read(Buf *b, unsigned type, const char *name, const char *value, int accepted) {
    size_t query = proto_begin(b, 1);
    proto_put_varint(b, 1, 600000);
    proto_put_varint(b, 2, 700000);
    put_matcher(b, MATCH_EQ, "region", "eu"); /* an external label: not in the store */
    put_matcher(b, type, name, value);
    proto_end(b, query);
    if (accepted >= 0) proto_put_varint(b, 2, (uint64_t)accepted);
}

static void test_read(void **state) {
    (void)state;
    Fixture f = setup();
    Arena *arena = arena_create(1 << 24);
    HttpResponse res;
    Buf written = {0}, ask = {0};
    Str answer;
    ProtoField result;
    put_v2(&written);
    static const char type2[] = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    assert_int_equal(post_write(&f, &written, type2, "snappy", arena, &res), 204);
    buf_done(&res.body);

    put_read(&ask, MATCH_RE, "__name__", "writ.*", 0);
    assert_int_equal(post_read(&f, &ask, arena, &answer), 200);
    ProtoReader r = proto_reader(answer);
    assert_true(proto_next(&r, &result) && result.number == 1);
    /* A result lists series as a write request does. */
    MetricsBatch batch = {.arena = arena};
    uint64_t skipped;
    assert_int_equal(remote_write_decode(result.bytes, REMOTE_WRITE_1, &batch, &skipped, NULL), OK);
    assert_int_equal(batch.series.n, 1);
    assert_true(
        labels_eq(batch.series.v[0].labels, labels_of(arena, "{__name__=\"written\", job=\"w\", region=\"eu\"}")));
    assert_int_equal(batch.t_ms.n, 1);
    assert_true(batch.t_ms.v[0] == 600000 && batch.value.v[0] == 7);
    assert_int_equal(batch.histograms.n, 1);
    const Histogram *h = &batch.histograms.v[0];
    assert_true(batch.histogram_t_ms.v[0] == 600001 && h->count == 3 && h->sum == 6 && h->n_pos == 2);
    assert_true(h->pos[0] == 1 && h->pos[1] == 2 && !h->is_float && h->pos_spans[0].length == 2);

    const struct {
        unsigned type;
        const char *value;
        int accepted, status;
    } cases[] = {{MATCH_EQ, "nothing", -1, 200}, {MATCH_RE, "(", 0, 500}, {9, "up", 0, 500}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&ask);
        put_read(&ask, cases[i].type, "__name__", cases[i].value, cases[i].accepted);
        assert_int_equal(post_read(&f, &ask, arena, &answer), cases[i].status);
        if (cases[i].status == 200) assert_true(str_eq(answer, STR("\x0a\x00")));
    }
    buf_clear(&ask);
    buf_put_lit(&ask, "\x0a\xff\xff");
    assert_int_equal(post_read(&f, &ask, arena, &answer), 400);
    call(&f, HTTP_POST, "/api/v1/read", NULL, 0, STR("not snappy"), arena, &res);
    assert_int_equal(res.status, 400);
    buf_done(&res.body);
    buf_done(&ask);
    buf_done(&written);
    arena_free(arena);
    teardown(&f);
}

/* --- streamed remote read --- */

typedef struct Collected {
    Arena *arena;
    ChunkSamples samples;
    Labels labels;
    size_t frames, chunks, longest;
    size_t stop_after; /* frames; 0: never */
} Collected;

static void take_chunk(Collected *out, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    int64_t min_t = 0, max_t = 0;
    uint64_t encoding = 0;
    Str data = STR_NULL;
    while (proto_next(&r, &f)) {
        if (f.number == 1) min_t = proto_i64(&f);
        if (f.number == 2) max_t = proto_i64(&f);
        if (f.number == 3) encoding = f.u64;
        if (f.number == 4) data = f.bytes;
    }
    size_t before = out->samples.t_ms.n, before_h = out->samples.histogram_t_ms.n;
    assert_int_equal(chunk_decode((uint8_t)encoding, data, out->arena, &out->samples, NULL), OK);
    const int64_t *t = encoding == 1 ? out->samples.t_ms.v + before : out->samples.histogram_t_ms.v + before_h;
    size_t n = encoding == 1 ? out->samples.t_ms.n - before : out->samples.histogram_t_ms.n - before_h;
    assert_true(n > 0 && t[0] == min_t && t[n - 1] == max_t);
    out->chunks++;
}

static bool take_frame(void *ctx, Str frame) {
    Collected *out = ctx;
    Cursor c = cursor_of(frame);
    uint64_t n = cursor_uvarint(&c);
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++) crc = crc << 8 | cursor_u8(&c);
    Str message = cursor_bytes(&c, n);
    assert_true(!c.bad && cursor_left(&c) == 0);
    assert_true(crc == crc32c(0, message.p, message.n));
    ProtoReader r = proto_reader(message), series;
    ProtoField f, inner;
    while (proto_next(&r, &f)) {
        if (f.number == 2) assert_int_equal(f.u64, 3);
        if (f.number != 1) continue;
        series = proto_reader(f.bytes);
        while (proto_next(&series, &inner))
            if (inner.number == 2) take_chunk(out, inner.bytes);
    }
    out->longest = MAX(out->longest, frame.n);
    return ++out->frames != out->stop_after;
}

static void test_frames(void **state) {
    (void)state;
    enum { N = 5000 };
    Arena *arena = arena_create(ARENA_UNLIMITED);
    int64_t *t = ARENA_ARRAY(arena, int64_t, N), t_h[] = {7000000, 7000015};
    double *v = ARENA_ARRAY(arena, double, N);
    assert_true(t && v);
    for (int i = 0; i < N; i++) {
        t[i] = 1000 + i * INT64_C(1000) + i % 3;
        v[i] = i % 100 == 7 ? stale_nan() : i * 0.37;
    }
    static const HistogramSpan span = {0, 2};
    static const double counts[] = {1, 2};
    Histogram h = {.count = 3, .sum = 6, .pos_spans = &span, .n_pos_spans = 1, .pos = counts, .n_pos = 2};
    Histogram hs[] = {h, h};
    SeriesColumn c = {.labels = labels_of(arena, "{__name__=\"a\", b=\"c\"}"),
        .n = N,
        .t_ms = t,
        .value = v,
        .n_histograms = 2,
        .histogram_t_ms = t_h,
        .histograms = hs};
    Collected all = {.arena = arena}, some = {.arena = arena, .stop_after = 1};
    assert_true(read_frames(&c, (Labels){0}, 3, 4096, take_frame, &all));
    assert_true(all.frames > 5 && all.longest < 8192 && all.chunks >= N / 120);
    assert_int_equal(all.samples.t_ms.n, N);
    assert_memory_equal(all.samples.t_ms.v, t, N * sizeof *t);
    assert_memory_equal(all.samples.value.v, v, N * sizeof *v); /* stale markers bit by bit */
    assert_int_equal(all.samples.histograms.n, 2);
    assert_true(histogram_eq(&all.samples.histograms.v[1], &h) || all.samples.histograms.v[1].count == 3);
    assert_false(read_frames(&c, (Labels){0}, 3, 4096, take_frame, &some));
    assert_int_equal(some.frames, 1);
    arena_free(arena);
}

static void test_memory_budget(void **state) {
    (void)state;
    Fixture f = setup();
    PromApiOptions opts = {.store = f.store, .query_arena_bytes = 4096};
    PromApi *small = prom_api_create(&opts);
    Router *r = router_create();
    prom_api_routes(small, r);
    Fixture g = {f.store, small, r};
    Arena *arena = arena_create(1 << 24);
    HttpResponse res;
    call(&g, HTTP_GET, "/api/v1/query_range?query=up&start=0&end=10000&step=1", NULL, 0, STR_NULL, arena, &res);
    assert_int_equal(res.status, 422);
    buf_done(&res.body);
    arena_free(arena);
    router_free(r);
    prom_api_free(small);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gets), cmocka_unit_test(test_post_and_options),
        cmocka_unit_test(test_write), cmocka_unit_test(test_read), cmocka_unit_test(test_targets_metadata),
        cmocka_unit_test(test_frames), cmocka_unit_test(test_memory_budget), cmocka_unit_test(test_deep_queries),
        cmocka_unit_test(test_starts_header), cmocka_unit_test(test_many_selectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
