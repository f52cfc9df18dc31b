#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/proto.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_json.h"

#define RES                                                                                                            \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"api\"}},{\"key\":\"host."    \
    "name\",\"value\":{\"stringValue\":\"h\"}}]}"
#define SPAN(fields)                                                                                                   \
    "{\"resourceSpans\":[{" RES ",\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1\"},\"spans\":[{" fields \
    "}]}]}]}"
#define IDS "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\""

typedef struct Traces {
    Arena *arena;
    Buf proto;
    SpansBatch batch;
    OtlpRejects rejects;
    Err err;
    ErrCode code;
} Traces;

static Traces traces_of(Str proto_or_json, bool json, size_t budget) {
    Traces t = {.arena = arena_create(budget)};
    t.batch.arena = t.arena;
    if (json) {
        t.code = otlp_json_to_proto(OTLP_REQUEST_TRACES, proto_or_json, t.arena, &t.proto, &t.err);
    } else {
        buf_put_str(&t.proto, proto_or_json);
    }
    if (t.code == OK) t.code = otlp_decode_traces(buf_str(&t.proto), &t.batch, &t.rejects, &t.err);
    return t;
}

static void traces_done(Traces *t) {
    buf_done(&t->proto);
    arena_free(t->arena);
}

static void test_span_with_everything(void **state) {
    (void)state;
    Traces t = traces_of(
        STR(SPAN(IDS ",\"parentSpanId\":\"EEE19B7EC3C1B173\",\"name\":\"chat\",\"kind\":3,\"startTimeUnixNano\":"
                     "\"1544712660000000000\","
                     "\"endTimeUnixNano\":1544712661000000000,\"traceState\":\"a=b\",\"flags\":257,\"attributes\":[{"
                     "\"key\":\"k\",\"value\":{\"kvlistValue\":{\"values\":["
                     "{\"key\":\"x\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"9223372036854775807\"},{"
                     "\"doubleValue\":0.5},{\"bytesValue\":\"aGk=\"},{}]}}}]}}}],"
                     "\"events\":[{\"timeUnixNano\":\"5\",\"name\":\"e\",\"attributes\":[{\"key\":\"b\",\"value\":{"
                     "\"boolValue\":true}}]}],"
                     "\"links\":[{" IDS "}],\"status\":{\"code\":2,\"message\":\"no\"},\"unknown\":[{\"a\":{}}]")),
        true, ARENA_UNLIMITED);
    assert_int_equal(t.code, OK);
    assert_int_equal(t.batch.rows.n, 1);
    const SpanRow *r = &t.batch.rows.v[0];
    assert_true(str_eq_lit(spans_batch_service(&t.batch, r), "api"));
    assert_int_equal(r->end_ns - r->start_ns, 1000000000);
    assert_int_equal(r->kind, SPAN_CLIENT);
    assert_int_equal(r->status, SPAN_STATUS_ERROR);
    assert_int_equal(r->flags, 257);
    assert_int_equal(r->parent_id.b[7], 0x73);
    const Attr *a = &t.batch.attrs.v[r->attrs.first];
    assert_int_equal(a->value.type, ATTR_MAP);
    assert_true(str_eq_lit(a->value.s, "{\"x\":[9223372036854775807,0.5,\"aGk=\",null]}"));
    assert_true(t.batch.attrs.v[t.batch.events.v[r->events.first].attrs.first].value.b);
    assert_true(trace_id_eq(t.batch.links.v[r->links.first].trace_id, r->trace_id));
    assert_true(str_eq_lit(t.batch.scopes.v[r->scope].name, "lib"));
    traces_done(&t);
}

/* Spans that are refused one by one, with the reason; the good one beside each is kept. */
static const struct {
    const char *span, *reason;
} bad_spans[] = {
    {"\"traceId\":\"5b8efff798038103d269b633813fc6\",\"spanId\":\"eee19b7ec3c1b174\"",
        "trace_id must be 16 bytes, not all zero"},
    {"\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"eee19b7ec3c1b174\"",
        "trace_id must be 16 bytes, not all zero"},
    {"\"spanId\":\"eee19b7ec3c1b174\"", "a span has no trace_id"},
    {"\"traceId\":\"5b8efff798038103d269b633813fc60c\"", "a span has no span_id"},
    {IDS ",\"parentSpanId\":\"ee\"", "parent_span_id must be 8 bytes"},
    {IDS ",\"startTimeUnixNano\":\"18446744073709551615\"", "a span's time is beyond the year 2262"},
};

static void test_bad_spans_do_not_spoil_good_ones(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_spans); i++) {
        Buf json = {0};
        buf_printf(&json, SPAN("%s},{" IDS), bad_spans[i].span);
        Traces t = traces_of(buf_str(&json), true, ARENA_UNLIMITED);
        assert_int_equal(t.code, OK);
        assert_int_equal(t.batch.rows.n, 1);
        assert_int_equal(t.rejects.count, 1);
        assert_string_equal(t.rejects.message, bad_spans[i].reason);
        traces_done(&t);
        buf_done(&json);
    }
}

static void test_invalid_utf8_is_refused_per_record(void **state) {
    (void)state;
    Buf req = {0};
    size_t rs = proto_begin(&req, 1), ss = proto_begin(&req, 2);
    for (int i = 0; i < 2; i++) {
        size_t span = proto_begin(&req, 2);
        proto_put_bytes(&req, 1, STR("0123456789abcdef"));
        proto_put_bytes(&req, 2, STR("01234567"));
        proto_put_bytes(&req, 5, i ? STR("fine") : STR("\xff\xfe"));
        proto_end(&req, span);
    }
    proto_end(&req, ss);
    proto_end(&req, rs);
    Traces t = traces_of(buf_str(&req), false, ARENA_UNLIMITED);
    assert_int_equal(t.code, OK);
    assert_int_equal(t.batch.rows.n, 1);
    assert_string_equal(t.rejects.message, "a string is not valid UTF-8");
    traces_done(&t);
    /* Every prefix is either fine or an error, never a crash; most cut a message in two. */
    for (size_t n = 0; n < req.n; n++) {
        Traces cut = traces_of(str_of(req.p, n), false, 1 << 16);
        assert_true(cut.code == OK || cut.code == ERR_INVALID);
        traces_done(&cut);
    }
    buf_done(&req);
}

static void test_deep_values_are_refused(void **state) {
    (void)state;
    static const int depths[] = {30, 40, 10000};
    for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
        Buf value = {0};
        proto_put_varint(&value, 3, 1);
        for (int j = 0; j < depths[i]; j++) { /* AnyValue{array_value{values: inner}} */
            Buf outer = {0}, array = {0};
            proto_put_bytes(&array, 1, buf_str(&value));
            proto_put_bytes(&outer, 5, buf_str(&array));
            buf_done(&array);
            buf_done(&value);
            value = outer;
        }
        Buf req = {0};
        size_t rs = proto_begin(&req, 1), res = proto_begin(&req, 1), kv = proto_begin(&req, 1);
        proto_put_bytes(&req, 1, STR("k"));
        proto_put_bytes(&req, 2, buf_str(&value));
        proto_end(&req, kv);
        proto_end(&req, res);
        proto_end(&req, rs);
        Traces t = traces_of(buf_str(&req), false, ARENA_UNLIMITED);
        assert_int_equal(t.code, depths[i] < 32 ? OK : ERR_INVALID);
        traces_done(&t);
        buf_done(&req);
        buf_done(&value);
    }
}

static void test_budget_is_an_ordinary_error(void **state) {
    (void)state;
    for (size_t budget = 0; budget < 16384; budget += 512) {
        Traces t = traces_of(
            STR(SPAN(IDS ",\"events\":[{},{},{}],\"attributes\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{}}}]")),
            true, budget);
        assert_true(t.code == OK || t.code == ERR_TOO_LARGE);
        traces_done(&t);
    }
}

static const struct {
    const char *json, *message;
    int line, col;
} bad_json[] = {
    {"[]", "expected an object", 1, 2},
    {"{\"resourceSpans\":{}}", "expected an array: resourceSpans", 1, 19},
    {"{\"resourceSpans\":[5]}", "expected an object: resourceSpans", 1, 20},
    {SPAN("\"traceId\":\"xyz\""), "expected an id in hex: traceId", 0, 0},
    {SPAN("\"startTimeUnixNano\":\"soon\""), "expected an integer: startTimeUnixNano", 0, 0},
};

static void test_json_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_json); i++) {
        Traces t = traces_of(str_cstr(bad_json[i].json), true, ARENA_UNLIMITED);
        assert_int_equal(t.code, ERR_INVALID);
        assert_string_equal(t.err.msg, bad_json[i].message);
        if (bad_json[i].line) assert_int_equal(t.err.col, bad_json[i].col);
        traces_done(&t);
    }
    Traces cut = traces_of(STR("{\"resourceSpans\":[{"), true, ARENA_UNLIMITED);
    assert_int_equal(cut.code, ERR_INVALID);
    traces_done(&cut);
}

static void test_logs_by_lokis_mapping(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf proto = {0}, text = {0};
    assert_int_equal(
        otlp_json_to_proto(OTLP_REQUEST_LOGS,
            STR("{\"resourceLogs\":[{" RES ",\"scopeLogs\":[{\"scope\":{\"name\":\"lib\"},\"logRecords\":["
                "{\"timeUnixNano\":\"7\",\"severityNumber\":17,\"severityText\":\"ERROR\",\"body\":{\"stringValue\":"
                "\"boom\"},\"traceId\":\"5b8efff798038103d269b633813fc60c\","
                "\"attributes\":[{\"key\":\"http.code\",\"value\":{\"intValue\":500}},{\"key\":\"m\",\"value\":{"
                "\"kvlistValue\":{\"values\":[{\"key\":\"a.b\",\"value\":{\"stringValue\":\"c\"}}]}}}]},"
                "{\"observedTimeUnixNano\":\"9\",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{"
                "\"intValue\":1}}]}}}]}]}]}"),
            arena, &proto, NULL),
        OK);
    LogsBatch b = {.arena = arena};
    OtlpRejects rejects = {0};
    assert_int_equal(otlp_decode_logs(buf_str(&proto), 1, &b, &rejects, NULL), OK);
    assert_int_equal(b.rows.n, 2);
    for (size_t i = 0; i < b.rows.n; i++) {
        labels_put_text(&text, b.streams.v[b.rows.v[i].stream]);
        buf_printf(&text, " %lld %.*s", (long long)b.rows.v[i].t_ns, (int)b.rows.v[i].line.n, b.rows.v[i].line.p);
        for (uint32_t j = 0; j < b.rows.v[i].metadata.n; j++) {
            const Attr *a = &b.attrs.v[b.rows.v[i].metadata.first + j];
            buf_printf(&text, " %.*s=", (int)a->key.n, a->key.p);
            attr_put_text(&text, &a->value);
        }
        buf_put_char(&text, '\n');
    }
    assert_string_equal(buf_cstr(&text), "{service_name=\"api\"} 7 boom host_name=h scope_name=lib http_code=500 "
                                         "m_a_b=c severity_number=17 severity_text=ERROR "
                                         "detected_level=error trace_id=5b8efff798038103d269b633813fc60c\n"
                                         "{service_name=\"api\"} 9 {\"a\":1} host_name=h scope_name=lib\n");
    buf_done(&text);
    buf_done(&proto);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_span_with_everything),
        cmocka_unit_test(test_bad_spans_do_not_spoil_good_ones),
        cmocka_unit_test(test_invalid_utf8_is_refused_per_record),
        cmocka_unit_test(test_deep_values_are_refused),
        cmocka_unit_test(test_budget_is_an_ordinary_error),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_logs_by_lokis_mapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
