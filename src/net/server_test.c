/* server_test.c - HTTP/1.1 end to end: raw sockets and the client against a server on a free port. */
#include "net/server_fixture.h"

static atomic_bool gate_open;

static void hello(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    http_reply_text(res, 200, "hello %" STR_FMT "\n", STR_ARG(http_path_param(req, STR("name"))));
}

static void echo(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    http_reply(res, 200, STR("application/octet-stream"), req->body);
}

static void form(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    Str q = http_param(req, STR("query"));
    http_reply(res, 200, STR("text/plain"), q);
}

static void big(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    res->content_type = STR("application/json");
    for (int i = 0; i < 20000; i++) buf_printf(&res->body, "{\"number\":%d},", i);
}

static atomic_int slow_running;

static void slow(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    atomic_fetch_add(&slow_running, 1);
    while (!atomic_load(&gate_open)) clock_sleep_ms(2);
    atomic_fetch_sub(&slow_running, 1);
    http_reply_text(res, 200, "slow\n");
}

static atomic_int arenas_freed;

static void note_freed(void *ctx) {
    (void)ctx;
    atomic_fetch_add(&arenas_freed, 1);
}

#define HEAVY_BYTES ((size_t)16 << 20) /* more than sockets take on their way */

static void heavy(void *ctx, HttpRequest *req, HttpResponse *res) {
    slow(ctx, req, res);
    arena_defer(req->arena, note_freed, NULL);
    buf_clear(&res->body);
    for (size_t i = 0; i < HEAVY_BYTES; i++) buf_put_char(&res->body, 'h');
    http_set_header(
        res, STR("X-Name"), arena_printf(req->arena, "of %" STR_FMT, STR_ARG(http_param(req, STR("name")))));
}

typedef struct Counter {
    int left;
    bool wait_each;
    HttpWaker *waker;
    Thread *thread;
} Counter;

static atomic_int streams_freed;

static void wake_later(void *ctx) {
    clock_sleep_ms(2);
    http_waker_wake(ctx);
    http_waker_unref(ctx);
}

static ptrdiff_t count_down(void *ctx, char *buf, size_t max) {
    Counter *c = ctx;
    if (c->left == 0) return HTTP_BODY_END;
    if (c->wait_each) {
        c->wait_each = false;
        c->thread = thread_start("waker", wake_later, c->waker);
        c->waker = NULL;
        return HTTP_BODY_WAIT;
    }
    return snprintf(buf, max, "line %d\n", c->left--);
}

static void counter_free(void *ctx) {
    Counter *c = ctx;
    http_waker_unref(c->waker);
    thread_join(c->thread);
    mem_free(c);
    atomic_fetch_add(&streams_freed, 1);
}

static void stream(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    Counter *c = NEW(Counter);
    c->left = 1000;
    c->wait_each = http_has_param(req, STR("wait"));
    c->waker = http_response_waker(res);
    http_reply_stream(res, 200, STR("text/plain"), count_down, counter_free, c);
}

static ptrdiff_t never(void *ctx, char *buf, size_t max) {
    (void)ctx, (void)buf, (void)max;
    return HTTP_BODY_WAIT;
}

static void forever(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    HttpWaker *w = http_response_waker(res);
    http_waker_unref(w);
    http_reply_stream(res, 200, STR("text/plain"), never, NULL, NULL);
}

static atomic_bool endless_running;

static void endless(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    atomic_store(&endless_running, true);
    while (!http_client_gone(req)) clock_sleep_ms(1);
    http_reply(res, 503, STR("text/plain"), STR("given up\n"));
}

static const Route routes[] = {
    {.methods = HTTP_GET, .pattern = "/hello/{name}", .handler = hello, .cls = ROUTE_INSTANT},
    {.methods = HTTP_POST, .pattern = "/echo", .handler = echo, .cls = ROUTE_INGEST, .max_body_bytes = 4 << 20},
    {.methods = HTTP_POST, .pattern = "/small", .handler = echo, .cls = ROUTE_INGEST, .max_body_bytes = 100},
    {.methods = HTTP_GET | HTTP_POST, .pattern = "/form", .handler = form, .cls = ROUTE_QUERY},
    {.methods = HTTP_GET, .pattern = "/big", .handler = big, .cls = ROUTE_QUERY},
    {.methods = HTTP_GET, .pattern = "/slow", .handler = slow, .cls = ROUTE_QUERY},
    {.methods = HTTP_POST, .pattern = "/slow", .handler = slow, .cls = ROUTE_INGEST},
    {.methods = HTTP_GET, .pattern = "/heavy", .handler = heavy, .cls = ROUTE_QUERY},
    {.methods = HTTP_GET, .pattern = "/stream", .handler = stream, .cls = ROUTE_QUERY},
    {.methods = HTTP_GET, .pattern = "/endless", .handler = endless, .cls = ROUTE_QUERY},
    {.methods = HTTP_GET, .pattern = "/forever", .handler = forever, .cls = ROUTE_QUERY},
};

static Fixture start(const NetServerOptions *opts) {
    Fixture f = {.router = router_create()};
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) router_add(f.router, &routes[i]);
    atomic_store(&gate_open, false);
    fixture_start(&f, opts, &(NetListen){.cors = true});
    return f;
}

/* Sends text on a new connection, reads until the peer closes. */
static void talk(const Fixture *f, Str text, Buf *out) {
    int fd = raw_connect(f);
    raw_send(fd, text);
    raw_read_all(fd, out);
    close(fd);
}

static const struct {
    const char *send, *expect;
} exchanges[] = {
    {"GET /hello/bob HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK"},
    {"GET /hello/bob HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "hello bob\n"},
    {"GET /hello/a%2Fb%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "hello a/b%zz\n"},
    {"GET http://x/hello/abs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "hello abs\n"},
    {"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404 page not found\n"},
    {"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "Content-Type: text/plain; charset=utf-8"},
    {"DELETE /hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", " 405 "},
    {"BREW /hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "Allow: GET, HEAD, OPTIONS"},
    {"OPTIONS /hello/x HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\nConnection: close\r\n\r\n",
        "Access-Control-Allow-Origin: *"},
    {"OPTIONS /hello/x HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\nConnection: close\r\n\r\n", " 204 "},
    {"HEAD /hello/bob HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "Content-Length: 10"},
    {"GET /form?query=a%2Bb+c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "\r\n\r\na+b c"},
    {"POST /form?query=second HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
     "Content-Length: 11\r\nConnection: close\r\n\r\nquery=first",
        "\r\n\r\nfirst"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
     "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "hello world"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", " 400 "},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", " 400 "},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", " 501 "},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", " 400 "},
    {"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n", " 413 "},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", " 413 "},
    {"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
     "78\r\n012345678901234567890123456789012345678901234567890123456789"
     "012345678901234567890123456789012345678901234567890123456789\r\n0\r\n\r\n",
        " 413 "},
    {"\x16\x03\x01 garbage\r\n\r\n\r\n", " 400 "}, {"PROXY nonsense\r\n\r\n", " 400 "},
    {"GET /hello/x HTTP/1.1\r\n\r\n", " 400 "}, /* no Host */
};

static void test_exchanges(void **state) {
    (void)state;
    Fixture f = start(NULL);
    for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
        Buf out = {0};
        talk(&f, str_cstr(exchanges[i].send), &out);
        if (!str_contains(buf_str(&out), str_cstr(exchanges[i].expect)))
            fail_msg("%s\n-> expected \"%s\", got:\n%" STR_FMT, exchanges[i].send, exchanges[i].expect,
                STR_ARG(buf_str(&out)));
        buf_done(&out);
    }
    fixture_stop(&f);
}

static void test_keep_alive_and_pipelining(void **state) {
    (void)state;
    Fixture f = start(NULL);
    int fd = raw_connect(&f);
    Buf out = {0};
    raw_send(fd, STR("GET /hello/one HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                     "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo"
                     "GET /hello/three HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(raw_read_until(fd, &out, STR("hello three\n")));
    expect_contains(&out, "hello one\n");
    expect_contains(&out, "404 page not found\n");
    expect_contains(&out, "two");
    buf_clear(&out);
    raw_send(fd, STR("GET /hello/later HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(raw_read_until(fd, &out, STR("hello later\n")));
    close(fd);
    buf_done(&out);
    fixture_stop(&f);
}

static void test_continue(void **state) {
    (void)state;
    Fixture f = start(NULL);
    int fd = raw_connect(&f);
    Buf out = {0};
    raw_send(fd, STR("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"));
    assert_true(raw_read_until(fd, &out, STR("100 Continue\r\n\r\n")));
    raw_send(fd, STR("body"));
    assert_true(raw_read_until(fd, &out, STR("\r\n\r\nbody")));
    close(fd);
    buf_done(&out);
    fixture_stop(&f);
}

static void test_oversize_head(void **state) {
    (void)state;
    Fixture f = start(NULL);
    Buf in = {0}, out = {0};
    buf_put_lit(&in, "GET /hello/");
    for (int i = 0; i < 100000; i++) buf_put_char(&in, 'a');
    buf_put_lit(&in, " HTTP/1.1\r\nHost: x\r\n\r\n");
    talk(&f, buf_str(&in), &out);
    /* The rest of the request may reset the connection before the answer is read. */
    if (out.n) expect_contains(&out, " 414 ");
    buf_clear(&in);
    buf_clear(&out);
    buf_put_lit(&in, "GET /hello/x HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 3000; i++) buf_printf(&in, "X-Header-%d: %d\r\n", i, i);
    buf_put_lit(&in, "\r\n");
    talk(&f, buf_str(&in), &out);
    if (out.n) expect_contains(&out, " 431 ");
    buf_done(&in);
    buf_done(&out);
    fixture_stop(&f);
}

/* Somebody who sends a byte now and then must not hold a connection. */
static void test_slow_senders(void **state) {
    (void)state;
    Fixture f = start(&(NetServerOptions){.header_timeout_ms = 300, .body_timeout_ms = 300});
    static const char *const begins[] = {"", "P", "G", "GET /hello/x HTT", "GET /hello/x HTTP/1.1\r\nHost: x\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", "PRI * HTTP/2.0\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        int fd = raw_connect(&f);
        raw_send(fd, str_cstr(begins[i]));
        int64_t begin_ns = clock_mono_ns();
        Buf out = {0};
        raw_read_all(fd, &out);
        int64_t took_ms = (clock_mono_ns() - begin_ns) / 1000000;
        if (took_ms >= WAIT_MS) fail_msg("case %zu was cut only after %d ms", i, (int)took_ms);
        close(fd);
        buf_done(&out);
    }
    NetStats st;
    net_server_stats(f.server, &st);
    assert_true(st.timeouts >= ARRAY_LEN(begins) - 1);
    fixture_stop(&f);
}

static void test_client_and_compression(void **state) {
    (void)state;
    Fixture f = start(NULL);
    HttpClient *c = http_client_create("test");
    char url[128];
    Buf plain = {0}, zipped = {0};
    int status;
    Err err = {0};
    snprintf(url, sizeof(url), "%s/big", f.base_url);
    HttpClientRequest req = {.url = url, .timeout_ms = WAIT_MS};
    assert_int_equal(http_client_fetch(c, &req, &status, &plain, &err), OK);
    req.accept_gzip = true;
    assert_int_equal(http_client_fetch(c, &req, &status, &zipped, &err), OK);
    assert_int_equal(status, 200);
    assert_true(plain.n > 200000 && str_eq(buf_str(&plain), buf_str(&zipped)));
    NetStats st;
    while (net_server_stats(f.server, &st), st.bytes_out < plain.n) clock_sleep_ms(1);
    assert_true(st.bytes_out < plain.n + plain.n / 2);
    req.max_body_bytes = 1000;
    assert_int_equal(http_client_fetch(c, &req, &status, NULL, &err), ERR_TOO_LARGE);
    buf_done(&plain);
    buf_done(&zipped);
    http_client_free(c);
    fixture_stop(&f);
}

static void test_streams(void **state) {
    (void)state;
    Fixture f = start(NULL);
    static const char *const queries[] = {"", "?wait=1"};
    atomic_store(&streams_freed, 0);
    for (int h2 = 0; h2 < 2; h2++) {
        HttpClient *c = http_client_create("test");
        for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
            char url[128];
            snprintf(url, sizeof(url), "%s/stream%s", f.base_url, queries[i]);
            HttpClientRequest req = {.url = url, .timeout_ms = WAIT_MS, .http2_prior_knowledge = h2};
            Buf body = {0};
            int status;
            Err err = {0};
            if (http_client_fetch(c, &req, &status, &body, &err) != OK) fail_msg("%s", err.msg);
            expect_contains(&body, "line 1000\n");
            assert_true(str_ends_with(buf_str(&body), STR("line 1\n")));
            buf_done(&body);
        }
        http_client_free(c);
    }
    /* Streams that never end do not hold up the end of the server. */
    int fd = raw_connect(&f);
    Buf out = {0};
    raw_send(fd, STR("GET /forever HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(raw_read_until(fd, &out, STR("\r\n\r\n")));
    fixture_stop(&f);
    assert_int_equal(atomic_load(&streams_freed), 4);
    close(fd);
    buf_done(&out);
}

typedef struct Tally {
    atomic_int ok, busy, failed, retry_after;
} Tally;

static void tally(void *ctx, const HttpClientResponse *res) {
    Tally *t = ctx;
    bool busy = res->status == 429 || res->status == 503;
    if (busy && res->retry_after_s == 1) atomic_fetch_add(&t->retry_after, 1);
    atomic_fetch_add(res->code != OK ? &t->failed : busy ? &t->busy : &t->ok, 1);
}

static int tally_sum(Tally *t) { return atomic_load(&t->ok) + atomic_load(&t->busy) + atomic_load(&t->failed); }

static void test_full_queue(void **state) {
    (void)state;
    Fixture f =
        start(&(NetServerOptions){.ingest_workers = 1, .ingest_queue = 2, .query_workers = 1, .query_queue = 2});
    HttpClient *c = http_client_create("test");
    char url[128];
    snprintf(url, sizeof(url), "%s/slow", f.base_url);
    for (int post = 0; post < 2; post++) {
        Tally t = {0};
        atomic_store(&gate_open, false);
        for (int i = 0; i < 10; i++) {
            HttpClientRequest req = {.url = url, .method = post ? "POST" : "GET", .timeout_ms = WAIT_MS};
            http_client_start(c, &req, tally, &t);
        }
        while (atomic_load(&t.busy) < 7) clock_sleep_ms(2);
        atomic_store(&gate_open, true);
        while (tally_sum(&t) < 10) clock_sleep_ms(2);
        /* One running and two waiting, or two waiting when the worker was slow to take the first. */
        assert_in_range(atomic_load(&t.ok), 2, 3);
        assert_int_equal(atomic_load(&t.busy), 10 - atomic_load(&t.ok));
        assert_int_equal(atomic_load(&t.retry_after), atomic_load(&t.busy));
    }
    http_client_free(c);
    fixture_stop(&f);
}

/* Of an answer that nobody reads only the answer is kept, and what waited for a worker is not answered on top of it. */
static void test_unread_answers(void **state) {
    (void)state;
    Fixture f = start(&(NetServerOptions){.query_workers = 1, .body_bytes_max = 1 << 20});
    Str ask = STR("GET /heavy?name=first HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    int unread = raw_connect(&f), waiting = raw_connect(&f);
    Buf out = {0}, late = {0};
    NetStats st;
    atomic_store(&arenas_freed, 0);
    raw_send(unread, ask);
    while (net_server_stats(f.server, &st), st.requests < 1) clock_sleep_ms(1);
    raw_send(waiting, ask);
    while (net_server_stats(f.server, &st), st.requests < 2) clock_sleep_ms(1);
    clock_sleep_ms(20); /* into the queue */
    atomic_store(&gate_open, true);
    raw_read_all(waiting, &out);
    expect_contains(&out, " 503 ");
    expect_contains(&out, "too many answers wait for their readers");
    assert_int_equal(atomic_load(&arenas_freed), 1);
    net_server_stats(f.server, &st);
    assert_true(st.bytes_out < HEAVY_BYTES); /* the first one is still being sent */
    raw_read_all(unread, &late);
    expect_contains(&late, "X-Name: of first\r\n");
    assert_true(late.n > HEAVY_BYTES && str_ends_with(buf_str(&late), STR("hhhh")));
    close(unread);
    close(waiting);
    buf_done(&out);
    buf_done(&late);
    fixture_stop(&f);
}

static void test_many_connections(void **state) {
    (void)state;
    /* All are opened before the first one asks, which takes as long as it takes on a busy machine. */
    Fixture f = start(&(NetServerOptions){.header_timeout_ms = 100000});
    static int fds[200];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) fds[i] = raw_connect(&f);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            char text[96];
            int n = snprintf(text, sizeof(text), "GET /hello/no%zu HTTP/1.1\r\nHost: x\r\n\r\n", i);
            assert_true(raw_send(fds[i], str_of(text, (size_t)n)));
        }
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            char text[32];
            Buf out = {0};
            int n = snprintf(text, sizeof(text), "hello no%zu\n", i);
            assert_true(raw_read_until(fds[i], &out, str_of(text, (size_t)n)));
            buf_done(&out);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) close(fds[i]);
    fixture_stop(&f);
}

static void test_connection_cap(void **state) {
    (void)state;
    Fixture f = start(&(NetServerOptions){.connections_max = 2});
    int a = raw_connect(&f), b = raw_connect(&f), c = raw_connect(&f);
    Buf out = {0};
    raw_read_all(c, &out);
    assert_int_equal(out.n, 0);
    raw_send(a, STR("GET /hello/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    raw_read_all(a, &out);
    expect_contains(&out, "hello a\n");
    close(a);
    close(b);
    close(c);
    NetStats st;
    net_server_stats(f.server, &st);
    assert_int_equal(st.connections_refused, 1);
    buf_done(&out);
    fixture_stop(&f);
}

static void open_gate_later(void *ctx) {
    (void)ctx;
    clock_sleep_ms(200);
    atomic_store(&gate_open, true);
}

static void test_drain(void **state) {
    (void)state;
    Fixture f = start(NULL);
    int idle = raw_connect(&f), busy = raw_connect(&f);
    Buf out = {0};
    raw_send(idle, STR("GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(raw_read_until(idle, &out, STR("hello x\n")));
    buf_clear(&out);
    raw_send(busy, STR("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (!atomic_load(&slow_running)) clock_sleep_ms(1);
    Thread *t = thread_start("gate", open_gate_later, NULL);
    int64_t begin_ns = clock_mono_ns();
    net_server_drain(f.server, WAIT_MS);
    assert_true(clock_mono_ns() - begin_ns < WAIT_S * INT64_C(1000000000)); /* not its whole time */
    assert_true(atomic_load(&gate_open));                                   /* it waited for the handler */
    raw_read_all(busy, &out);
    expect_contains(&out, "slow\n");
    expect_contains(&out, "Connection: close");
    buf_clear(&out);
    raw_read_all(idle, &out);
    assert_int_equal(out.n, 0);
    thread_join(t);
    close(idle);
    close(busy);
    buf_done(&out);
    fixture_stop(&f);
}

/* A query that would take for ever keeps no server from ending. */
static void test_drain_in_vain(void **state) {
    (void)state;
    Fixture f = start(NULL);
    int busy = raw_connect(&f);
    Buf out = {0};
    raw_send(busy, STR("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (!atomic_load(&endless_running)) clock_sleep_ms(1);
    net_server_drain(f.server, 1);
    raw_read_all(busy, &out);
    expect_contains(&out, "given up");
    close(busy);
    buf_done(&out);
    fixture_stop(&f);
}

static void test_busy_port(void **state) {
    (void)state;
    Fixture f = start(NULL);
    NetServer *s;
    Err err = {0};
    assert_int_equal(net_server_create(NULL, &s, &err), OK);
    NetListen spec = {.name = "second", .address = "127.0.0.1", .port = f.port, .router = f.router};
    assert_int_equal(net_server_listen(s, &spec, &err), ERR_CONFLICT);
    char port[16];
    snprintf(port, sizeof(port), "%u", f.port);
    assert_non_null(strstr(err.msg, port));
    spec.address = "example.org";
    assert_int_equal(net_server_listen(s, &spec, &err), ERR_INVALID);
    net_server_free(s);
    fixture_stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_oversize_head),
        cmocka_unit_test(test_slow_senders),
        cmocka_unit_test(test_client_and_compression),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_unread_answers),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_connection_cap),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_in_vain),
        cmocka_unit_test(test_busy_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
