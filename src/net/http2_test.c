/* http2_test.c - HTTP/2 by hand: many streams on one connection, resets, limits, drain, garbage. */
#include "net/server_fixture.h"

#include <nghttp2/nghttp2.h>

#define STREAMS 100

typedef struct Reply {
    int32_t id;
    int status;
    size_t body_bytes;
    bool closed;
    uint32_t error;
} Reply;

typedef struct Client2 {
    int fd;
    nghttp2_session *session;
    Reply replies[STREAMS + 8];
    size_t n_replies, n_closed;
    bool goaway;
    size_t upload_left; /* of every POST's body */
} Client2;

static Reply *reply_of(Client2 *c, int32_t id) {
    for (size_t i = 0; i < c->n_replies; i++) {
        if (c->replies[i].id == id) return &c->replies[i];
    }
    fail_msg("an answer on stream %d, which was never opened", id);
    return NULL;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
    const uint8_t *value, size_t value_n, uint8_t flags, void *user) {
    (void)s, (void)flags, (void)value_n;
    if (name_n == 7 && memcmp(name, ":status", 7) == 0)
        reply_of(user, frame->hd.stream_id)->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user) {
    (void)s, (void)flags, (void)data;
    reply_of(user, id)->body_bytes += n;
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error, void *user) {
    (void)s;
    Client2 *c = user;
    Reply *r = reply_of(c, id);
    r->closed = true;
    r->error = error;
    c->n_closed++;
    return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *user) {
    (void)s;
    if (frame->hd.type == NGHTTP2_GOAWAY) ((Client2 *)user)->goaway = true;
    return 0;
}

static ssize_t upload(nghttp2_session *s, int32_t id, uint8_t *buf, size_t max, uint32_t *flags,
    nghttp2_data_source *source, void *user) {
    (void)s, (void)id, (void)user;
    size_t *left = source->ptr;
    size_t n = MIN(max, *left);
    memset(buf, 'u', n);
    *left -= n;
    if (*left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void client_start(Client2 *c, const Fixture *f) {
    memset(c, 0, sizeof(*c));
    c->fd = raw_connect(f);
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_client_new(&c->session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void client_end(Client2 *c) {
    nghttp2_session_del(c->session);
    close(c->fd);
}

#define NV(n, v)                                                                                                       \
    { (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE }

static int32_t request(Client2 *c, const char *method, const char *path, size_t *body, const char *extra) {
    nghttp2_nv nv[] = {
        NV(":method", method), NV(":scheme", "http"), NV(":authority", "x"), NV(":path", path), NV("x-extra", extra)};
    nghttp2_data_provider source = {.source.ptr = body, .read_callback = upload};
    int32_t id = nghttp2_submit_request(c->session, NULL, nv, ARRAY_LEN(nv), body ? &source : NULL, NULL);
    assert_true(id > 0 && c->n_replies < ARRAY_LEN(c->replies));
    c->replies[c->n_replies++] = (Reply){.id = id};
    return id;
}

static bool client_send(Client2 *c) {
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(c->session, &p)) > 0) {
        if (!raw_send(c->fd, str_of((const char *)p, (size_t)n))) return false;
    }
    return n == 0;
}

/* Until n streams are closed; false when the connection ends before. */
static bool run_until(Client2 *c, size_t n) {
    while (c->n_closed < n) {
        uint8_t buf[16384];
        if (!client_send(c)) return false;
        ssize_t k = recv(c->fd, buf, sizeof(buf), 0);
        if (k <= 0 || nghttp2_session_mem_recv(c->session, buf, (size_t)k) < 0) return false;
    }
    client_send(c);
    return true;
}

static atomic_bool gate_open;
static atomic_int begun, finished;

static void hello(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    http_reply_text(res, 200, "hello\n");
}

static void big(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    for (int i = 0; i < 300000; i++) buf_put_char(&res->body, 'b');
}

static void count_body(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    http_reply_text(res, 200, "%zu\n", req->body.n);
}

static void slow(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    atomic_fetch_add(&begun, 1);
    while (!atomic_load(&gate_open)) clock_sleep_ms(2);
    http_reply_text(res, 200, "slow\n");
    atomic_fetch_add(&finished, 1);
}

static void await_begun(int n) {
    while (atomic_load(&begun) < n) clock_sleep_ms(1);
}

static Fixture start(const NetServerOptions *opts) {
    Fixture f = {.router = router_create()};
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/hello", .handler = hello, .cls = ROUTE_INSTANT});
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/big", .handler = big, .cls = ROUTE_QUERY});
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/slow", .handler = slow, .cls = ROUTE_QUERY});
    router_add(f.router, &(Route){.methods = HTTP_POST,
                             .pattern = "/up",
                             .handler = count_body,
                             .cls = ROUTE_INGEST,
                             .max_body_bytes = 3 << 20});
    atomic_store(&gate_open, false);
    atomic_store(&begun, 0);
    atomic_store(&finished, 0);
    fixture_start(&f, opts, NULL);
    return f;
}

static void test_many_streams(void **state) {
    (void)state;
    Fixture f = start(NULL);
    Client2 c;
    client_start(&c, &f);
    static size_t bodies[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        bodies[i] = i * 1000 + 1;
        if (i % 3 == 0)
            request(&c, "GET", "/hello", NULL, "");
        else if (i % 3 == 1)
            request(&c, "GET", "/big", NULL, "");
        else
            request(&c, "POST", "/up", &bodies[i], "");
    }
    assert_true(run_until(&c, STREAMS));
    for (size_t i = 0; i < STREAMS; i++) {
        assert_int_equal(c.replies[i].status, 200);
        assert_int_equal(c.replies[i].error, 0);
        if (i % 3 == 1) assert_int_equal(c.replies[i].body_bytes, 300000);
    }
    client_end(&c);
    fixture_stop(&f);
}

static void test_edges(void **state) {
    (void)state;
    Fixture f = start(NULL);
    static char long_value[20000];
    memset(long_value, 'v', sizeof(long_value) - 1);
    static const struct {
        const char *method, *path;
        size_t body;
        const char *extra;
        int status;
    } cases[] = {
        {"GET", "/nowhere", 0, "", 404},
        {"PUT", "/hello", 0, "", 405},
        {"HEAD", "/big", 0, "", 200},
        {"OPTIONS", "/hello", 0, "", 204},
        {"POST", "/up", 3 << 20, "", 200},
        {"POST", "/up", (3 << 20) + 1, "", 413},
        {"POST", "/up", 20 << 20, "", 413}, /* answered before its end */
        {"POST", "/nowhere", 100, "", 404},
        {"GET", "/hello", 0, long_value, 431},
        {"GET", "/hello", 0, "after all that", 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Client2 c;
        size_t body = cases[i].body;
        client_start(&c, &f);
        request(&c, cases[i].method, cases[i].path, body ? &body : NULL, cases[i].extra);
        assert_true(run_until(&c, 1));
        if (c.replies[0].status != cases[i].status)
            fail_msg("%s %s: %d", cases[i].method, cases[i].path, c.replies[0].status);
        if (strcmp(cases[i].method, "HEAD") == 0) assert_int_equal(c.replies[0].body_bytes, 0);
        client_end(&c);
    }
    fixture_stop(&f);
}

/* The client leaves while a worker has its request: first the stream, then the connection. */
static void test_reset_and_leave(void **state) {
    (void)state;
    Fixture f = start(&(NetServerOptions){.query_workers = 2});
    Client2 c;
    client_start(&c, &f);
    int32_t id = request(&c, "GET", "/slow", NULL, "");
    client_send(&c);
    await_begun(1);
    nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    request(&c, "GET", "/hello", NULL, "");
    assert_true(run_until(&c, 2));
    assert_int_equal(c.replies[1].status, 200);
    request(&c, "GET", "/slow", NULL, "");
    client_send(&c);
    await_begun(2);
    client_end(&c);
    atomic_store(&gate_open, true);
    while (atomic_load(&finished) < 2) clock_sleep_ms(2);
    fixture_stop(&f);
}

static void open_gate_later(void *ctx) {
    (void)ctx;
    clock_sleep_ms(300);
    atomic_store(&gate_open, true);
}

static void test_drain(void **state) {
    (void)state;
    Fixture f = start(NULL);
    Client2 c, idle;
    client_start(&c, &f);
    client_start(&idle, &f);
    request(&idle, "GET", "/hello", NULL, "");
    assert_true(run_until(&idle, 1));
    request(&c, "GET", "/slow", NULL, "");
    client_send(&c);
    await_begun(1);
    Thread *t = thread_start("gate", open_gate_later, NULL);
    net_server_drain(f.server, WAIT_MS);
    thread_join(t);
    assert_int_equal(atomic_load(&finished), 1);
    assert_true(run_until(&c, 1));
    assert_int_equal(c.replies[0].status, 200);
    assert_true(c.goaway);
    run_until(&idle, 2); /* ends with the connection */
    assert_true(idle.goaway);
    client_end(&c);
    client_end(&idle);
    fixture_stop(&f);
}

static void test_garbage(void **state) {
    (void)state;
    Fixture f = start(NULL);
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    static const Str sends[] = {
        STR_INIT("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n and more bytes"),
        STR_INIT(PREFACE "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        STR_INIT(PREFACE "\0\0\0\4\0\0\0\0\0\0\0\5\0\0\0\0\0\1xxxxx"),            /* DATA on a stream not opened */
        STR_INIT(PREFACE "\0\0\0\4\0\0\0\0\0\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff"), /* broken HPACK */
        STR_INIT(PREFACE "\0\0\0\4\0\0\0\0\0\0\0\1\1\5\0\0\0\1\x82"),             /* no :path */
    };
    for (size_t i = 0; i < ARRAY_LEN(sends); i++) {
        int fd = raw_connect(&f);
        raw_send(fd, sends[i]);
        shutdown(fd, SHUT_WR);
        Buf out = {0};
        raw_read_all(fd, &out);
        if (i > 0 && out.n < 9)
            fail_msg("case %zu: %zu bytes", i, out.n); /* SETTINGS at least; a wrong preface may be just cut */
        close(fd);
        buf_done(&out);
    }
    NetStats st;
    net_server_stats(f.server, &st);
    assert_true(st.protocol_errors > 0);
    fixture_stop(&f);
}

/* Rapid reset: opening and cancelling streams without end gets the connection closed. */
static void test_rapid_reset(void **state) {
    (void)state;
    Fixture f = start(NULL);
    Client2 c;
    client_start(&c, &f);
    bool open = true;
    for (int i = 0; open && i < 5000; i++) {
        c.n_replies = c.n_closed = 0;
        int32_t id = request(&c, "GET", "/hello", NULL, "");
        open = client_send(&c);
        nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        open = open && client_send(&c);
    }
    Buf out = {0};
    raw_read_all(c.fd, &out); /* returns because the server closes */
    buf_done(&out);
    client_end(&c);
    client_start(&c, &f); /* others are served */
    request(&c, "GET", "/hello", NULL, "");
    assert_true(run_until(&c, 1));
    client_end(&c);
    fixture_stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_reset_and_leave),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_rapid_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
