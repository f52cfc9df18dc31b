#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_deltas.h"
#include "collect/otlp_json.h"
#include "collect/otlp_names.h"

#include <string.h>

#define RESOURCE                                                                                                       \
    "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"       \
    "\"api\"}}]},"                                                                                                     \
    "\"scopeMetrics\":[{\"metrics\":["
#define END "]}]}]}"
#define T "\"timeUnixNano\":\"1700000000000000000\""

/* Requests in JSON and the series that come out, one per line as Prometheus prints them, then "@ time value"; bad:
 * refused points. */
static const struct MetricCase {
    const char *metrics, *series;
    uint64_t bad;
} cases[] = {
    {"{\"name\":\"q.depth\",\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":\"7\"}]}}",
        "q_depth{job=\"api\"} @ 1700000000000 7\n", 0},
    {"{\"name\":\"req\",\"unit\":\"{request}\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":2,"
     "\"dataPoints\":[{" T ",\"asDouble\":1.5,"
     "\"attributes\":[{\"key\":\"http.route\",\"value\":{\"stringValue\":\"/"
     "x\"}},{\"key\":\"n\",\"value\":{\"intValue\":\"9007199254740993\"}}]}]}}",
        "req_total{http_route=\"/x\", job=\"api\", n=\"9007199254740993\"} @ 1700000000000 1.5\n", 0},
    {"{\"name\":\"up.down\",\"sum\":{\"aggregationTemporality\":\"AGGREGATION_TEMPORALITY_CUMULATIVE\",\"dataPoints\":["
     "{" T ",\"asInt\":-3}]}}",
        "up_down{job=\"api\"} @ 1700000000000 -3\n", 0},
    {"{\"name\":\"lat\",\"unit\":\"s\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"3\",\"sum\":1.25,\"bucketCounts\":[\"1\",\"0\",\"2\"],\"explicitBounds\":[0.5,5]}]}}",
        "lat_seconds_bucket{job=\"api\", le=\"0.5\"} @ 1700000000000 1\nlat_seconds_bucket{job=\"api\", le=\"5\"} @ "
        "1700000000000 1\n"
        "lat_seconds_bucket{job=\"api\", le=\"+Inf\"} @ 1700000000000 3\nlat_seconds_sum{job=\"api\"} @ 1700000000000 "
        "1.25\n"
        "lat_seconds_count{job=\"api\"} @ 1700000000000 3\n",
        0},
    {"{\"name\":\"s\",\"summary\":{\"dataPoints\":[{" T
     ",\"count\":\"2\",\"sum\":3,\"quantileValues\":[{\"quantile\":0.99,\"value\":4}]}]}}",
        "s{job=\"api\", quantile=\"0.99\"} @ 1700000000000 4\ns_sum{job=\"api\"} @ 1700000000000 "
        "3\ns_count{job=\"api\"} @ 1700000000000 2\n",
        0},
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T ",\"flags\":1}]}}", "g{job=\"api\"} @ 1700000000000 stale\n", 0},
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T "},{" T ",\"asInt\":1}]}}",
        "g{job=\"api\"} @ 1700000000000 0\ng{job=\"api\"} @ 1700000000000 1\n", 0},
    {"{\"name\":\"\",\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":1}]}}", "", 1},
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T
     ",\"asInt\":1,\"attributes\":[{\"key\":\"a.b\",\"value\":{\"stringValue\":\"1\"}},"
     "{\"key\":\"a_b\",\"value\":{\"stringValue\":\"2\"}}]}]}}",
        "g{a_b=\"1;2\", job=\"api\"} @ 1700000000000 1\n", 0},
    {"{\"name\":\"h\",\"histogram\":{\"dataPoints\":[{" T
     ",\"count\":\"1\",\"bucketCounts\":[\"1\"],\"explicitBounds\":[1]}]}}",
        "", 1},
    /* As many buckets as there are bounds and counts for; +Inf is the count's. */
    {"{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"4\",\"bucketCounts\":[\"1\",\"2\"],\"explicitBounds\":[1e-9,5,1e21]}]}}",
        "h_bucket{job=\"api\", le=\"0.000000001\"} @ 1700000000000 1\nh_bucket{job=\"api\", le=\"5\"} @ 1700000000000 "
        "3\n"
        "h_bucket{job=\"api\", le=\"+Inf\"} @ 1700000000000 4\nh_count{job=\"api\"} @ 1700000000000 4\n",
        0},
    {"{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"4\",\"bucketCounts\":[\"1\",\"3\"],\"explicitBounds\":[\"Infinity\"]}]}}",
        "h_bucket{job=\"api\", le=\"+Inf\"} @ 1700000000000 4\nh_count{job=\"api\"} @ 1700000000000 4\n", 0},
    {"{\"name\":\"s\",\"sum\":{\"aggregationTemporality\":7,\"dataPoints\":[{" T ",\"asInt\":1}]}}", "", 1},
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":1,\"attributes\":[{\"key\":\"a\",\"value\":{"
     "\"stringValue\":\"1\"}},{\"key\":\"a\",\"value\":{\"stringValue\":\"2\"}},{\"key\":\"__b.c\",\"value\":{"
     "\"intValue\":1}},"
     "{\"key\":\"__name__\",\"value\":{\"stringValue\":\"x\"}}]}]}}",
        "g{__b_c=\"1\", a=\"1;2\", job=\"api\"} @ 1700000000000 1\n", 0},
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":1,\"attributes\":[{\"key\":\"_\",\"value\":{"
     "\"intValue\":1}}]},{" T ",\"asInt\":2,\"attributes\":[{\"key\":\"__\",\"value\":{\"intValue\":1}}]}]}}",
        "g{job=\"api\", key_=\"1\"} @ 1700000000000 1\n", 1},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"9\",\"zeroCount\":\"1\"}]}}",
        "", 1},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"6\",\"scale\":100,\"positive\":{\"offset\":-3,\"bucketCounts\":[\"1\",\"2\",\"3\"]}}]}}",
        "e{job=\"api\"} @ 1700000000000 histogram schema=8 count=6 sum=0 zero=0 spans=0+1 buckets=6\n", 0},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"3\",\"sum\":9,\"scale\":1,\"zeroCount\":\"1\","
     "\"positive\":{\"offset\":-2,\"bucketCounts\":[\"1\",\"0\",\"0\",\"1\"]}}]}}",
        "e{job=\"api\"} @ 1700000000000 histogram schema=1 count=3 sum=9 zero=1 spans=-1+1,2+1 buckets=1,1\n", 0},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"2\",\"sum\":1,\"scale\":9,"
     "\"positive\":{\"offset\":0,\"bucketCounts\":[\"1\",\"1\"]}}]}}",
        "e{job=\"api\"} @ 1700000000000 histogram schema=8 count=2 sum=1 zero=0 spans=1+1 buckets=2\n", 0},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"count\":\"1\",\"scale\":-5}]}}",
        "", 1},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{\"timeUnixNano\":"
     "\"1000000\","
     "\"count\":\"1\",\"scale\":50,\"positive\":{\"offset\":0,\"bucketCounts\":[\"1\"]}},{" T
     ",\"count\":\"2\",\"scale\":-4,\"positive\":{\"offset\":2,\"bucketCounts\":[\"2\"]}}]}}",
        "e{job=\"api\"} @ 1 histogram schema=8 count=1 sum=0 zero=0 spans=1+1 buckets=1\n"
        "e{job=\"api\"} @ 1700000000000 histogram schema=-4 count=3 sum=0 zero=0 spans=1+1,1+1 buckets=1,2\n",
        0},
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"9999999999999999999\",\"asInt\":1}]}}", "", 1},
    {"{\"name\":\"c\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"startTimeUnixNano\":\"1600000000123456789\",\"asInt\":1},{" T ",\"asInt\":2}]}}",
        "c_total{job=\"api\"} @ 1700000000000 1 since 1600000000123\nc_total{job=\"api\"} @ 1700000000000 2\n", 0},
    {"{\"name\":\"lat\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"startTimeUnixNano\":\"5000000\",\"count\":\"3\",\"sum\":1}]}}",
        "lat_bucket{job=\"api\", le=\"+Inf\"} @ 1700000000000 3 since 5\nlat_sum{job=\"api\"} @ 1700000000000 1 since "
        "5\nlat_count{job=\"api\"} @ 1700000000000 3 since 5\n",
        0},
    {"{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
     ",\"startTimeUnixNano\":\"7000000\",\"count\":\"1\",\"zeroCount\":\"1\"}]}}",
        "e{job=\"api\"} @ 1700000000000 histogram schema=0 count=1 sum=0 zero=1 spans= since 7\n", 0},
    {"{\"name\":\"s\",\"summary\":{\"dataPoints\":[{" T
     ",\"startTimeUnixNano\":\"9000000\",\"count\":\"2\",\"sum\":3}]}}",
        "s_sum{job=\"api\"} @ 1700000000000 3 since 9\ns_count{job=\"api\"} @ 1700000000000 2 since 9\n", 0},
    /* A sum of deltas begins where the first of them did. */
    {"{\"name\":\"d\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":1,\"dataPoints\":[{\"timeUnixNano\":"
     "\"2000000\",\"startTimeUnixNano\":\"1000000\",\"asInt\":1},{\"timeUnixNano\":\"3000000\","
     "\"startTimeUnixNano\":\"2000000\",\"asInt\":2}]}}",
        "d_total{job=\"api\"} @ 2 1 since 1\nd_total{job=\"api\"} @ 3 3 since 1\n", 0},
    /* A refused point leaves no start time behind. */
    {"{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T
     ",\"startTimeUnixNano\":\"9000000\",\"attributes\":[{\"key\":\"\"}]},{" T ",\"asInt\":1}]}}",
        "g{job=\"api\"} @ 1700000000000 1\n", 1},
    {"{\"name\":\"nothing\"}", "", 0},
};

static void put_start(Buf *out, const int64_t *start) {
    if (start && *start) buf_printf(out, " since %lld", (long long)*start);
}

static void put_batch(Buf *out, const MetricsBatch *b) {
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *s = &b->series.v[i];
        labels_put_text(out, s->labels);
        if (s->n_histograms) {
            const Histogram *h = &b->histograms.v[s->first_histogram];
            buf_printf(out, " @ %lld histogram schema=%d count=%g sum=%g zero=%g spans=",
                (long long)b->histogram_t_ms.v[s->first_histogram], h->schema, h->count, h->sum, h->zero_count);
            for (uint32_t j = 0; j < h->n_pos_spans; j++)
                buf_printf(out, "%s%d+%u", j ? "," : "", h->pos_spans[j].offset, h->pos_spans[j].length);
            for (uint32_t j = 0; j < h->n_pos; j++) buf_printf(out, "%s%g", j ? "," : " buckets=", h->pos[j]);
            put_start(out, metrics_batch_histogram_starts(b, s->first_histogram, 1));
            buf_put_char(out, '\n');
            continue;
        }
        buf_printf(out, " @ %lld ", (long long)b->t_ms.v[s->first_sample]);
        double v = b->value.v[s->first_sample];
        if (is_stale_nan(v)) {
            buf_put_lit(out, "stale");
        } else {
            num_put_f64_prom(out, v);
        }
        put_start(out, metrics_batch_starts(b, s->first_sample, 1));
        buf_put_char(out, '\n');
    }
}

typedef struct Decoded {
    Arena *arena;
    Buf proto, text;
    OtlpRejects rejects;
    ErrCode code;
    Err err;
} Decoded;

static Decoded decode_with(const char *json, OtlpDeltas *deltas, const OtlpMetricOptions *options) {
    Decoded d = {.arena = arena_create(64u << 20)};
    d.code = otlp_json_to_proto(OTLP_REQUEST_METRICS, str_cstr(json), d.arena, &d.proto, &d.err);
    MetricsBatch batch = {.arena = d.arena};
    if (d.code == OK) d.code = otlp_decode_metrics(buf_str(&d.proto), 1, options, deltas, &batch, &d.rejects, &d.err);
    put_batch(&d.text, &batch);
    return d;
}

static Decoded decode(const char *json, OtlpDeltas *deltas) { return decode_with(json, deltas, NULL); }

static void decoded_done(Decoded *d) {
    buf_done(&d->proto);
    buf_done(&d->text);
    arena_free(d->arena);
}

static void test_kinds(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf json = {0};
        buf_printf(&json, "%s%s%s", RESOURCE, cases[i].metrics, END);
        OtlpDeltas *deltas = otlp_deltas_create(0);
        Decoded d = decode(buf_cstr(&json), deltas);
        if (d.code != OK) fail_msg("case %zu: %s", i, d.err.msg);
        assert_string_equal(buf_cstr(&d.text), cases[i].series);
        assert_int_equal(d.rejects.count, cases[i].bad);
        if (cases[i].bad) assert_true(d.rejects.message[0] != 0);
        decoded_done(&d);
        otlp_deltas_free(deltas);
        buf_done(&json);
    }
}

static void test_target_info(void **state) {
    (void)state;
    Decoded d = decode("{\"resource_metrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
                       "\"stringValue\":\"a\"}},"
                       "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"n\"}},{\"key\":\"service.instance."
                       "id\",\"value\":{\"stringValue\":\"i\"}},"
                       "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}}]},\"scopeMetrics\":[{\"metrics\":[{"
                       "\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":1}]}}]}]}]}",
        NULL);
    assert_int_equal(d.code, OK);
    assert_string_equal(buf_cstr(&d.text),
        "g{instance=\"i\", job=\"n/a\"} @ 1700000000000 1\n"
        "target_info{host_name=\"h\", instance=\"i\", job=\"n/a\"} @ 1700000000000 1\n");
    decoded_done(&d);
}

#define DELTA(t, v)                                                                                                    \
    RESOURCE "{\"name\":\"d\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":1,\"dataPoints\":[{"            \
             "\"timeUnixNano\":\"" t "000000\",\"asInt\":\"" v "\"}]}}" END

static void test_deltas_are_summed_and_a_retry_changes_nothing(void **state) {
    (void)state;
    static const struct {
        const char *json, *series;
        uint64_t bad;
    } steps[] = {
        {DELTA("1000", "5"), "d_total{job=\"api\"} @ 1000 5\n", 0},
        {DELTA("2000", "3"), "d_total{job=\"api\"} @ 2000 8\n", 0},
        {DELTA("2000", "3"), "d_total{job=\"api\"} @ 2000 8\n", 0},
        {DELTA("1500", "1"), "", 1},
        {DELTA("3000", "1"), "d_total{job=\"api\"} @ 3000 9\n", 0},
    };
    OtlpDeltas *deltas = otlp_deltas_create(10);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        Decoded d = decode(steps[i].json, deltas);
        assert_string_equal(buf_cstr(&d.text), steps[i].series);
        assert_int_equal(d.rejects.count, steps[i].bad);
        decoded_done(&d);
    }
    otlp_deltas_free(deltas);
}

#define EXP_DELTA(t, scale, offset)                                                                                    \
    RESOURCE "{\"name\":\"d\",\"exponentialHistogram\":{\"aggregationTemporality\":1,\"dataPoints\":[{"                \
             "\"timeUnixNano\":\"" t "000000\",\"count\":\"2\",\"sum\":1,\"scale\":" scale                             \
             ",\"positive\":{\"offset\":" offset ",\"bucketCounts\":[\"1\",\"1\"]}}]}}" END

static void test_exponential_deltas_meet_at_the_coarser_scale(void **state) {
    (void)state;
    OtlpDeltas *deltas = otlp_deltas_create(10);
    Decoded a = decode(EXP_DELTA("1000", "1", "0"), deltas), b = decode(EXP_DELTA("2000", "0", "0"), deltas);
    assert_string_equal(
        buf_cstr(&a.text), "d{job=\"api\"} @ 1000 histogram schema=1 count=2 sum=1 zero=0 spans=1+2 buckets=1,1\n");
    assert_string_equal(
        buf_cstr(&b.text), "d{job=\"api\"} @ 2000 histogram schema=0 count=4 sum=2 zero=0 spans=1+2 buckets=3,1\n");
    decoded_done(&a);
    decoded_done(&b);
    otlp_deltas_free(deltas);
}

static void test_delta_memory_is_bounded(void **state) {
    (void)state;
    OtlpDeltas *deltas = otlp_deltas_create(3);
    for (int i = 0; i < 10; i++) {
        Buf json = {0};
        buf_printf(&json,
            RESOURCE "{\"name\":\"d%d\",\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":1,\"dataPoints\":[{" T
                     ",\"asInt\":1}]}}" END,
            i);
        Decoded d = decode(buf_cstr(&json), deltas);
        assert_int_equal(d.rejects.accepted, 1);
        decoded_done(&d);
        buf_done(&json);
    }
    assert_int_equal(otlp_deltas_count(deltas), 3);
    otlp_deltas_free(deltas);
}

static void test_exemplars_go_with_their_buckets(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf proto = {0};
    assert_int_equal(
        otlp_json_to_proto(OTLP_REQUEST_METRICS,
            STR(RESOURCE "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" T
                         ",\"count\":\"2\",\"bucketCounts\":[\"1\",\"1\"],\"explicitBounds\":[1],\"exemplars\":[{" T
                         ",\"asDouble\":9,\"traceId\":\"0123456789abcdef0123456789ABCDEF\"},{" T
                         ",\"asDouble\":0.5,\"spanId\":\"0123456789abcdef\"}]}]}}" END),
            arena, &proto, NULL),
        OK);
    MetricsBatch b = {.arena = arena};
    OtlpRejects rejects = {0};
    assert_int_equal(otlp_decode_metrics(buf_str(&proto), 1, NULL, NULL, &b, &rejects, NULL), OK);
    assert_int_equal(b.series.v[0].n_exemplars, 1);
    assert_true(b.exemplars.v[b.series.v[0].first_exemplar].value == 0.5);
    const Exemplar *last = &b.exemplars.v[b.series.v[1].first_exemplar];
    assert_true(str_eq_lit(labels_get(last->labels, STR("trace_id")), "0123456789abcdef0123456789abcdef"));
    buf_done(&proto);
    arena_free(arena);
}

/* Attributes of an exemplar that cannot be labels are left out, and the others stay. */
static void test_exemplar_attributes(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf proto = {0};
    assert_int_equal(
        otlp_json_to_proto(OTLP_REQUEST_METRICS,
            STR(RESOURCE "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T ",\"asDouble\":1,\"exemplars\":[{" T
                         ",\"asDouble\":9,\"filteredAttributes\":[{\"key\":\"\",\"value\":{\"stringValue\":\"x\"}},"
                         "{\"key\":\"user\",\"value\":{\"stringValue\":\"u\"}}]}]}]}}" END),
            arena, &proto, NULL),
        OK);
    MetricsBatch b = {.arena = arena};
    OtlpRejects rejects = {0};
    assert_int_equal(otlp_decode_metrics(buf_str(&proto), 1, NULL, NULL, &b, &rejects, NULL), OK);
    assert_int_equal(b.exemplars.n, 1);
    assert_int_equal(b.exemplars.v[0].labels.n, 1);
    assert_true(str_eq_lit(labels_get(b.exemplars.v[0].labels, STR("user")), "u"));
    buf_done(&proto);
    arena_free(arena);
}

/* Expectations were printed by Prometheus' own translator (otlptranslator v1.0.0). */
static const struct NameCase {
    const char *name, *unit;
    MetricType type;
    const char *want;
} names[] = {
    {"http.server.duration", "ms", METRIC_HISTOGRAM, "http_server_duration_milliseconds"},
    {"x.total", "1", METRIC_COUNTER, "x_total"},
    {"x", "1", METRIC_GAUGE, "x_ratio"},
    {"ratio.x", "1", METRIC_GAUGE, "x_ratio"},
    {"9lives", "By", METRIC_GAUGE, "_9lives_bytes"},
    {"_leading", "s", METRIC_COUNTER, "leading_seconds_total"},
    {"a:b", "{req}/s", METRIC_GAUGE, "a:b_per_second"},
    {"mem.used", "By/s", METRIC_GAUGE, "mem_used_bytes_per_second"},
    {"x.seconds", "s", METRIC_HISTOGRAM, "x_seconds"},
    {"x_per_second", "1/s", METRIC_GAUGE, "x_per_second_per_second"},
    {"x", "foo bar", METRIC_GAUGE, "x_foo_bar"},
    {"x", "%", METRIC_GAUGE, "x_percent"},
    {"a.b.", "m/h", METRIC_GAUGE, "a_b_meters_per_hour"},
    {"...", "s", METRIC_GAUGE, "seconds"},
    {"\xc3\xa9.x", "s", METRIC_GAUGE, "x_seconds"},
    {"total", "1", METRIC_COUNTER, "total"},
    {"x", "m/{k}", METRIC_GAUGE, "x_meters"},
    {"x", "/s", METRIC_GAUGE, "x_per_second"},
    {"x", "a/b/c", METRIC_GAUGE, "x_a_per_b_c"},
    {"x", "", METRIC_COUNTER, "x_total"},
};
static const struct {
    const char *name, *want;
    const char *kept; /* with label_name_preserve_multiple_underscores, NULL: the same */
} label_names[] = {
    {"k8s.pod.name", "k8s_pod_name", NULL},
    {"_private", "key_private", NULL},
    {"__res", "key_res", "__res"},
    {"__res__x__", "__res_x__", "__res__x__"},
    {"9a", "key_9a", NULL},
    {"a..b", "a_b", "a__b"},
    {"a__b", "a_b", "a__b"},
    {"\xc3\xa9", "key_", NULL},
    {"\xc3\xa9.x", "key_x", "__x"},
    {".x", "key_x", NULL},
    {"-", "key_", NULL},
    {"plain", "plain", NULL},
};
static const struct StrategyCase {
    OtlpNaming naming;
    const char *name, *unit;
    OtlpNameKind kind;
    const char *want;
} strategies[] = {
    {{.no_suffixes = true}, "a.b__c..d", "s", OTLP_NAME_COUNTER, "a_b__c_d"},
    {{.no_suffixes = true}, ".9x.", "s", OTLP_NAME_GAUGE, "_9x"},
    {{.utf8 = true}, "a.b", "s", OTLP_NAME_COUNTER, "a.b_seconds_total"},
    {{.utf8 = true}, "a.total", "By/s", OTLP_NAME_COUNTER, "a_bytes_per_second_total"},
    {{.utf8 = true}, "a.seconds", "s", OTLP_NAME_GAUGE, "a.seconds"},
    {{.utf8 = true}, "a.ratio", "1", OTLP_NAME_GAUGE, "a_ratio"},
    {{.utf8 = true, .no_suffixes = true}, "a b/c", "s", OTLP_NAME_COUNTER, "a b/c"},
    {{0}, "x", "_x_", OTLP_NAME_GAUGE, "x_x_"},
    {{0}, "x", "1", OTLP_NAME_OTHER, "x"},
};

/* Limits on what costs more than linear time or much memory. */
static void test_hostile_points(void **state) {
    (void)state;
    Buf json = {0};
    buf_put_lit(&json,
        RESOURCE "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":1},{" T ",\"asInt\":1,\"attributes\":[");
    for (int i = 0; i < 257; i++) buf_printf(&json, "%s{\"key\":\"k%d\",\"value\":{\"intValue\":1}}", i ? "," : "", i);
    buf_put_lit(&json, "]}]}}" END);
    Decoded d = decode(buf_cstr(&json), NULL);
    assert_int_equal(d.code, OK);
    assert_string_equal(buf_cstr(&d.text), "g{job=\"api\"} @ 1700000000000 1\n");
    assert_string_equal(d.rejects.message, "a data point has more than 256 attributes");
    decoded_done(&d);
    buf_done(&json);
    OtlpDeltas *deltas = otlp_deltas_create(64);
    for (uint64_t key = 1; key < 100; key++) {
        double sum;
        int64_t start = 0;
        DeltaHistogram h = {.count = 1};
        assert_true(otlp_deltas_add(deltas, key, 1, 1, &sum, &start));
        assert_true(otlp_deltas_add_histogram(deltas, key, 1, &h, &start));
    }
    assert_int_equal(otlp_deltas_count(deltas), 64 + 4);
    otlp_deltas_free(deltas);
}

static OtlpNameKind kind_of(MetricType type) {
    return type == METRIC_COUNTER ? OTLP_NAME_COUNTER : type == METRIC_GAUGE ? OTLP_NAME_GAUGE : OTLP_NAME_OTHER;
}

static void test_names(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    static const OtlpNaming plain;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        Str got =
            otlp_metric_name(arena, &plain, str_cstr(names[i].name), str_cstr(names[i].unit), kind_of(names[i].type));
        if (!str_eq(got, str_cstr(names[i].want)))
            fail_msg("%s %s: %.*s", names[i].name, names[i].unit, (int)got.n, got.p);
    }
    for (size_t i = 0; i < ARRAY_LEN(label_names); i++) {
        for (int keep = 0; keep < 2; keep++) {
            OtlpNaming n = {.keep_underscores = keep};
            const char *want = keep && label_names[i].kept ? label_names[i].kept : label_names[i].want;
            Str got = otlp_label_name(arena, &n, str_cstr(label_names[i].name));
            if (!str_eq(got, str_cstr(want))) fail_msg("%s: %.*s", label_names[i].name, (int)got.n, got.p);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        const struct StrategyCase *c = &strategies[i];
        Str got = otlp_metric_name(arena, &c->naming, str_cstr(c->name), str_cstr(c->unit), c->kind);
        if (!str_eq(got, str_cstr(c->want))) fail_msg("%s %s: %.*s", c->name, c->unit, (int)got.n, got.p);
    }
    arena_free(arena);
}

/* Prometheus 3.16 made the same of each. */
static void test_options(void **state) {
    (void)state;
    static const char json[] =
        "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
        "\"api\"}},{\"key\":\"k8s.pod\",\"value\":{\"stringValue\":\"p\"}},{\"key\":\"k8s.ns\",\"value\":{"
        "\"stringValue\":\"n\"}}]},"
        "\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1\",\"attributes\":[{\"key\":\"a.b\",\"value\":{"
        "\"intValue\":1}}]},"
        "\"schemaUrl\":\"u\",\"metrics\":[{\"name\":\"h.x\",\"unit\":\"s\",\"histogram\":{\"aggregationTemporality\":2,"
        "\"dataPoints\":[{" T
        ",\"count\":\"3\",\"sum\":4,\"bucketCounts\":[\"0\",\"1\",\"2\"],\"explicitBounds\":[1,2],"
        "\"attributes\":[{\"key\":\"k8s.pod\",\"value\":{\"stringValue\":\"own\"}}]}]}}]}]}]}";
    static const Str pod[] = {STR_INIT("k8s.pod"), STR_INIT("gone")};
    static const struct {
        OtlpMetricOptions o;
        const char *last[2]; /* the series before target_info, and that */
    } options[] = {
        {{0}, {"h_x_seconds_count{job=\"api\", k8s_pod=\"own\"} @ 1700000000000 3",
                  "target_info{job=\"api\", k8s_ns=\"n\", k8s_pod=\"p\"} @ 1700000000000 1"}},
        {{.translation = OTLP_ESCAPED_WITHOUT_SUFFIXES, .promote_all = true, .attributes = pod, .n_attributes = 1},
            {"h_x_count{job=\"api\", k8s_ns=\"n\", k8s_pod=\"own\", service_name=\"api\"} @ 1700000000000 3",
                "target_info{job=\"api\", k8s_ns=\"n\", k8s_pod=\"p\"} @ 1700000000000 1"}},
        {{.translation = OTLP_UTF8_WITH_SUFFIXES, .attributes = pod, .n_attributes = 2, .keep_identifying = true},
            {"{\"h.x_seconds_count\", job=\"api\", \"k8s.pod\"=\"own\"} @ 1700000000000 3",
                "target_info{job=\"api\", \"k8s.ns\"=\"n\", \"k8s.pod\"=\"p\", \"service.name\"=\"api\"} @ "
                "1700000000000 1"}},
        {{.translation = OTLP_AS_IT_IS, .histograms_to_nhcb = true},
            {"{\"h.x\", job=\"api\", \"k8s.pod\"=\"own\"} @ 1700000000000 histogram schema=-53 count=3 sum=4 zero=0 "
             "spans=1+2 buckets=1,2",
                "target_info{job=\"api\", \"k8s.ns\"=\"n\", \"k8s.pod\"=\"p\"} @ 1700000000000 1"}},
        {{.promote_scope = true},
            {"h_x_seconds_count{job=\"api\", k8s_pod=\"own\", otel_scope_a_b=\"1\", otel_scope_name=\"lib\", "
             "otel_scope_schema_url=\"u\", otel_scope_version=\"1\"} @ 1700000000000 3",
                "target_info{job=\"api\", k8s_ns=\"n\", k8s_pod=\"p\"} @ 1700000000000 1"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        Decoded d = decode_with(json, NULL, &options[i].o);
        assert_int_equal(d.code, OK);
        Str rest = str_slice(buf_str(&d.text), 0, d.text.n - 1), line = STR_NULL, last[2] = {STR_NULL, STR_NULL};
        while (str_split_next(&rest, '\n', &line)) last[0] = last[1], last[1] = line;
        for (int k = 0; k < 2; k++)
            if (!str_eq(last[k], str_cstr(options[i].last[k]))) fail_msg("%zu: %.*s", i, (int)last[k].n, last[k].p);
        decoded_done(&d);
    }
}

/* All that is wrong, once per metric, for who wants it. */
static void test_all_reasons(void **state) {
    (void)state;
    Buf all = {0};
    OtlpRejects rejects = {.all = &all};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf proto = {0};
    MetricsBatch b = {.arena = arena};
    assert_int_equal(
        otlp_json_to_proto(OTLP_REQUEST_METRICS,
            STR(RESOURCE "{\"name\":\"a\",\"sum\":{\"dataPoints\":[{" T ",\"asInt\":1},{" T
                         ",\"asInt\":1}]}},{\"name\":\"b\"},{\"name\":\"...\",\"gauge\":{}},{\"name\":\"c\","
                         "\"gauge\":{\"dataPoints\":[{" T ",\"asInt\":1}]}}" END),
            arena, &proto, NULL),
        OK);
    assert_int_equal(otlp_decode_metrics(buf_str(&proto), 1, NULL, NULL, &b, &rejects, NULL), OK);
    assert_string_equal(buf_cstr(&all),
        "invalid temporality and type combination for metric \"a\"\n"
        "could not get aggregation temporality for b as it has unsupported metric type Empty\n"
        "normalization for metric \"...\" resulted in empty name\n");
    assert_int_equal(rejects.count, 2);
    assert_int_equal(b.series.n, 1);
    buf_done(&proto);
    buf_done(&all);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_all_reasons),
        cmocka_unit_test(test_target_info),
        cmocka_unit_test(test_deltas_are_summed_and_a_retry_changes_nothing),
        cmocka_unit_test(test_exponential_deltas_meet_at_the_coarser_scale),
        cmocka_unit_test(test_delta_memory_is_bounded),
        cmocka_unit_test(test_exemplars_go_with_their_buckets),
        cmocka_unit_test(test_exemplar_attributes),
        cmocka_unit_test(test_hostile_points),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
