/* grpc_test.c - framing, timeouts, status; then calls against a server. */
#include "base/num.h"
#include "net/grpc_int.h"
#include "net/server_fixture.h"

#define BODY(lit) STR_INIT(lit)

static const struct {
    const char *what;
    Str body, encoding;
    ErrCode code;
    const char *message; /* when OK */
} frames[] = {
    {"empty message", BODY("\0\0\0\0\0"), BODY(""), OK, ""},
    {"plain", BODY("\0\0\0\0\3abc"), BODY(""), OK, "abc"},
    {"plain with an encoding that is not used", BODY("\0\0\0\0\3abc"), BODY("br"), OK, "abc"},
    {"no message", BODY(""), BODY(""), ERR_INVALID, NULL},
    {"half a prefix", BODY("\0\0\0"), BODY(""), ERR_INVALID, NULL},
    {"cut", BODY("\0\0\0\0\4abc"), BODY(""), ERR_INVALID, NULL},
    {"length near the maximum", BODY("\0\377\377\377\377abc"), BODY(""), ERR_INVALID, NULL},
    {"two messages", BODY("\0\0\0\0\1a\0\0\0\0\1b"), BODY(""), ERR_NOT_IMPLEMENTED, NULL},
    {"bad flag", BODY("\2\0\0\0\1a"), BODY(""), ERR_INVALID, NULL},
    {"compressed without encoding", BODY("\1\0\0\0\1a"), BODY("identity"), ERR_INTERNAL, NULL},
    {"unknown encoding", BODY("\1\0\0\0\1a"), BODY("br"), ERR_NOT_IMPLEMENTED, NULL},
    {"snappy is not offered", BODY("\1\0\0\0\1a"), BODY("snappy"), ERR_NOT_IMPLEMENTED, NULL},
    {"garbage as gzip", BODY("\1\0\0\0\1a"), BODY("gzip"), ERR_INVALID, NULL},
    {"over the limit", BODY("\0\0\0\0\14abcdefghijkl"), BODY(""), ERR_TOO_LARGE, NULL},
};

static void test_framing(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        Arena *a = arena_create(1 << 20);
        Str msg;
        ErrCode code = grpc_message_decode(frames[i].body, frames[i].encoding, 10, a, &msg, NULL);
        if (code != frames[i].code) fail_msg("%s: %s", frames[i].what, err_name(code));
        if (code == OK) assert_true(str_eq(msg, str_cstr(frames[i].message)));
        arena_free(a);
    }
}

static void test_framing_round_trip(void **state) {
    (void)state;
    Buf text = {0};
    for (int i = 0; i < 5000; i++) buf_printf(&text, "%d ", i);
    static const Encoding encodings[] = {ENCODING_IDENTITY, ENCODING_GZIP};
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        Arena *a = arena_create(1 << 20);
        Buf out = {0};
        Str msg;
        grpc_message_encode(buf_str(&text), encodings[i], &out);
        Str enc = str_cstr(encoding_name(encodings[i]));
        assert_int_equal(grpc_message_decode(buf_str(&out), enc, text.n, a, &msg, NULL), OK);
        assert_true(str_eq(msg, buf_str(&text)));
        if (i == 1) assert_int_equal(grpc_message_decode(buf_str(&out), enc, text.n - 1, a, &msg, NULL), ERR_TOO_LARGE);
        buf_done(&out);
        arena_free(a);
    }
    buf_done(&text);
}

static const struct {
    const char *text;
    bool ok;
    int64_t ns;
} timeouts[] = {
    {"1H", true, 3600 * INT64_C(1000000000)},
    {"2M", true, 120 * INT64_C(1000000000)},
    {"10S", true, 10 * INT64_C(1000000000)},
    {"100m", true, 100000000},
    {"5u", true, 5000},
    {"7n", true, 7},
    {"99999999H", true, INT64_MAX},
    {"123456789S", false, 0},
    {"S", false, 0},
    {"", false, 0},
    {"1x", false, 0},
    {"-1S", false, 0},
};

static void test_timeouts(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(timeouts); i++) {
        int64_t ns = 0;
        bool ok = grpc_timeout_parse(str_cstr(timeouts[i].text), &ns);
        if (ok != timeouts[i].ok || (ok && ns != timeouts[i].ns)) fail_msg("\"%s\"", timeouts[i].text);
    }
}

static void test_status(void **state) {
    (void)state;
    Buf b = {0};
    grpc_percent_encode(&b, STR("50% \xc3\xa4\n"));
    assert_true(str_eq_lit(buf_str(&b), "50%25 %C3%A4%0A"));
    buf_clear(&b);
    grpc_status_encode(&b, 14, STR("x"), 1500);
    /* code 14, "x", one Any of RetryInfo{Duration{1 s, 500000000 ns}} */
    expect_contains(&b, "type.googleapis.com/google.rpc.RetryInfo");
    assert_memory_equal(b.p, "\x08\x0e\x12\x01x\x1a", 6);
    assert_true(str_ends_with(buf_str(&b), STR("\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01")));
    buf_done(&b);
}

/* --- against a server --- */

static void echo_call(void *ctx, GrpcCall *call) {
    (void)ctx;
    buf_put_str(&call->response, call->message);
}

static void busy_call(void *ctx, GrpcCall *call) {
    (void)ctx;
    err_set(&call->error, ERR_UNAVAILABLE, "try 100%% later");
    call->retry_delay_ms = 2000;
}

static void slow_call(void *ctx, GrpcCall *call) {
    (void)ctx;
    assert_true(call->http->deadline_mono_ns > 0);
    buf_put_lit(&call->response, "slow");
}

static const struct {
    const char *what, *path, *body_text;
    const char *headers[4];
    const char *status, *message; /* expected grpc-status and the start of grpc-message */
    const char *reply;            /* message, when status is 0 */
} calls[] = {
    {"echo", "/t.S/Echo", "hello", {NULL}, "0", NULL, "hello"},
    {"empty", "/t.S/Echo", "", {NULL}, "0", NULL, ""},
    {"content type with a suffix", "/t.S/Echo", "x", {"content-type: application/grpc+proto"}, "0", NULL, "x"},
    {"unknown method", "/t.S/Nothing", "x", {NULL}, "12", "unknown method", NULL},
    {"busy", "/t.S/Busy", "x", {NULL}, "14", "try 100%25 later", NULL},
    {"too large", "/t.S/Small", "0123456789012345678901234567890123456789", {NULL}, "8", "received message larger",
        NULL},
    {"unknown encoding", "/t.S/Gzipped", "x", {"grpc-encoding: br"}, "12", "decompressor", NULL},
    {"deadline", "/t.S/Slow", "x", {"grpc-timeout: 5H"}, "0", NULL, "slow"},
    {"deadline gone", "/t.S/Slow", "x", {"grpc-timeout: 1n"}, "4", "deadline", NULL},
};

typedef struct Answer {
    atomic_bool ready;
    ErrCode code;
    int http_status;
    Buf body, headers;
    char error[256];
} Answer;

static void keep_answer(void *ctx, const HttpClientResponse *res) {
    Answer *a = ctx;
    a->code = res->code;
    a->http_status = res->status;
    snprintf(a->error, sizeof(a->error), "%s", res->error);
    buf_put_str(&a->body, res->body);
    buf_put_str(&a->headers, res->headers);
    atomic_store(&a->ready, true);
}

static void call(Fixture *f, HttpClient *c, const char *path, Str body, const char *const *headers, Answer *a) {
    char url[128];
    snprintf(url, sizeof(url), "%s%s", f->base_url, path);
    HttpClientRequest req = {.method = "POST",
        .url = url,
        .headers = headers,
        .body = body,
        .timeout_ms = WAIT_MS,
        .http2_prior_knowledge = true};
    http_client_start(c, &req, keep_answer, a);
    while (!atomic_load(&a->ready)) clock_sleep_ms(1);
}

static Str answer_header(const Answer *a, const char *name) {
    return http_client_header(&(HttpClientResponse){.headers = buf_str(&a->headers)}, str_cstr(name));
}

static void answer_done(Answer *a) {
    buf_done(&a->body);
    buf_done(&a->headers);
}

static Fixture start(void) {
    Fixture f = {.router = router_create()};
    static const GrpcMethod methods[] = {
        {.path = "/t.S/Echo", .handler = echo_call, .cls = ROUTE_INGEST},
        {.path = "/t.S/Gzipped", .handler = echo_call, .cls = ROUTE_INGEST},
        {.path = "/t.S/Busy", .handler = busy_call, .cls = ROUTE_INGEST},
        {.path = "/t.S/Small", .handler = echo_call, .cls = ROUTE_INGEST, .max_message_bytes = 20},
        {.path = "/t.S/Slow", .handler = slow_call, .cls = ROUTE_QUERY},
    };
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) router_add_grpc(f.router, &methods[i]);
    fixture_start(&f, NULL, NULL);
    return f;
}

static void test_calls(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        const char *headers[6] = {"te: trailers"};
        size_t n = 1;
        bool typed = false;
        for (size_t k = 0; k < ARRAY_LEN(calls[i].headers) && calls[i].headers[k]; k++) {
            headers[n++] = calls[i].headers[k];
            typed |= strncmp(calls[i].headers[k], "content-type", 12) == 0;
        }
        if (!typed) headers[n++] = "content-type: application/grpc";
        Buf body = {0};
        grpc_message_encode(str_cstr(calls[i].body_text), ENCODING_IDENTITY, &body);
        if (strcmp(calls[i].path, "/t.S/Gzipped") == 0) body.p[0] = 1;
        Answer a = {0};
        call(&f, c, calls[i].path, buf_str(&body), headers, &a);
        if (a.code != OK || a.http_status != 200) fail_msg("%s: HTTP %d %s", calls[i].what, a.http_status, a.error);
        Str status = answer_header(&a, "grpc-status"), message = answer_header(&a, "grpc-message");
        if (!str_eq(status, str_cstr(calls[i].status)) ||
            (calls[i].message && !str_starts_with(message, str_cstr(calls[i].message))))
            fail_msg("%s: status %" STR_FMT ", %" STR_FMT, calls[i].what, STR_ARG(status), STR_ARG(message));
        if (calls[i].reply) {
            assert_true(a.body.n >= 5);
            assert_true(str_eq(str_skip(buf_str(&a.body), 5), str_cstr(calls[i].reply)));
        }
        answer_done(&a);
        buf_done(&body);
    }
    http_client_free(c);
    fixture_stop(&f);
}

static void test_retry_info(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    const char *headers[] = {"content-type: application/grpc", "te: trailers", NULL};
    Answer a = {0};
    Buf details = {0};
    call(&f, c, "/t.S/Busy", STR("\0\0\0\0\0"), headers, &a);
    Str b64 = answer_header(&a, "grpc-status-details-bin");
    assert_true(b64.n > 0 && str_find_char(b64, '=') == SIZE_MAX);
    assert_true(num_parse_base64(b64, &details));
    expect_contains(&details, "google.rpc.RetryInfo");
    buf_done(&details);
    answer_done(&a);
    http_client_free(c);
    fixture_stop(&f);
}

/* Many DATA frames, flow control in both directions, gzip both ways. */
static void test_large_message(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    Buf text = {0}, body = {0};
    for (int i = 0; i < 400000; i++) buf_printf(&text, "%d,", i * 7919);
    static const char *const encodings[] = {"grpc-encoding: identity", "grpc-encoding: gzip"};
    for (size_t i = 0; i < 2; i++) {
        const char *headers[] = {"content-type: application/grpc", "te: trailers", encodings[i],
            i ? "grpc-accept-encoding: identity,deflate,gzip" : "x-none: 1", NULL};
        buf_clear(&body);
        grpc_message_encode(buf_str(&text), i ? ENCODING_GZIP : ENCODING_IDENTITY, &body);
        Answer a = {0};
        Arena *arena = arena_create(64 << 20);
        Str reply;
        call(&f, c, "/t.S/Echo", buf_str(&body), headers, &a);
        assert_true(str_eq_lit(answer_header(&a, "grpc-status"), "0"));
        Str enc = answer_header(&a, "grpc-encoding");
        assert_int_equal(enc.n > 0, i);
        assert_int_equal(grpc_message_decode(buf_str(&a.body), enc, text.n, arena, &reply, NULL), OK);
        assert_true(str_eq(reply, buf_str(&text)));
        arena_free(arena);
        answer_done(&a);
    }
    buf_done(&text);
    buf_done(&body);
    http_client_free(c);
    fixture_stop(&f);
}

static atomic_bool gate_open;

static void gated_call(void *ctx, GrpcCall *call) {
    (void)ctx, (void)call;
    while (!atomic_load(&gate_open)) clock_sleep_ms(2);
}

static void test_full_queue(void **state) {
    (void)state;
    Fixture f = {.router = router_create()};
    router_add_grpc(f.router, &(GrpcMethod){.path = "/t.S/Gated", .handler = gated_call, .cls = ROUTE_INGEST});
    fixture_start(&f, &(NetServerOptions){.ingest_workers = 1, .ingest_queue = 1}, NULL);
    HttpClient *c = http_client_create("test");
    const char *headers[] = {"content-type: application/grpc", "te: trailers", NULL};
    char url[128];
    static Answer answers[5];
    memset(answers, 0, sizeof(answers));
    snprintf(url, sizeof(url), "%s/t.S/Gated", f.base_url);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        HttpClientRequest req = {.method = "POST",
            .url = url,
            .headers = headers,
            .body = STR("\0\0\0\0\0"),
            .timeout_ms = WAIT_MS,
            .http2_prior_knowledge = true};
        http_client_start(c, &req, keep_answer, &answers[i]);
    }
    size_t refused = 0, served = 0;
    while (refused < 3) {
        refused = 0;
        for (size_t i = 0; i < ARRAY_LEN(answers); i++) refused += atomic_load(&answers[i].ready);
        clock_sleep_ms(2);
    }
    atomic_store(&gate_open, true);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        while (!atomic_load(&answers[i].ready)) clock_sleep_ms(1);
        Str status = answer_header(&answers[i], "grpc-status");
        bool ok = str_eq_lit(status, "0");
        if (!ok) assert_true(str_eq_lit(status, "8") && answer_header(&answers[i], "grpc-status-details-bin").n > 0);
        served += ok;
        answer_done(&answers[i]);
    }
    assert_in_range(served, 1, 2);
    http_client_free(c);
    fixture_stop(&f);
}

/* A gRPC path without gRPC. */
static void test_plain_post(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    char url[128];
    int status;
    snprintf(url, sizeof(url), "%s/t.S/Echo", f.base_url);
    HttpClientRequest req = {.method = "POST", .url = url, .timeout_ms = WAIT_MS};
    assert_int_equal(http_client_fetch(c, &req, &status, NULL, NULL), OK);
    assert_int_equal(status, 415);
    http_client_free(c);
    fixture_stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_framing_round_trip),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_retry_info),
        cmocka_unit_test(test_large_message),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_plain_post),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
