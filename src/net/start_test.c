/* start_test.c - Route.start: answers that an I/O thread begins and another thread finishes. */
#include "net/server_fixture.h"

typedef enum How { HOW_NOW, HOW_LATER, HOW_NOT } How;

typedef struct Pending {
    HttpRequest *req;
    HttpResponse *res;
} Pending;

static atomic_int starts, handled, late;
static atomic_bool hold;

static How how_of(HttpRequest *req) {
    Str q = http_param(req, STR("how"));
    return str_eq_lit(q, "later") ? HOW_LATER : str_eq_lit(q, "not") ? HOW_NOT : HOW_NOW;
}

static void finish_later(void *ctx) {
    Pending p = *(Pending *)ctx; /* which is in the request's arena */
    while (atomic_load(&hold)) clock_sleep_ms(1);
    atomic_fetch_add(&late, 1);
    http_reply(p.res, 200, STR("text/plain"), p.req->body);
    http_finish(p.req);
}

static Thread *threads[64];
static atomic_int n_threads;

static bool begin(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    atomic_fetch_add(&starts, 1);
    Pending *p = ARENA_NEW(req->arena, Pending);
    *p = (Pending){req, res};
    switch (how_of(req)) {
    case HOW_NOW:
        http_reply_text(res, 200, "now");
        http_finish(req);
        return true;
    case HOW_LATER: threads[atomic_fetch_add(&n_threads, 1)] = thread_start("finish", finish_later, p); return true;
    case HOW_NOT: req->begun = p; break;
    }
    return false;
}

static void handle(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    const Pending *p = req->begun;
    if (p) assert_true(p->req == req && p->res == res);
    atomic_fetch_add(&handled, 1);
    http_reply_text(res, 200, "%s, %zu bytes", p ? "begun" : "handled", req->body.n);
}

static Fixture start(void) {
    Fixture f = {.router = router_create()};
    router_add(f.router, &(Route){.methods = HTTP_POST,
                             .pattern = "/w",
                             .handler = handle,
                             .start = begin,
                             .cls = ROUTE_INGEST,
                             .max_body_bytes = 1 << 20});
    atomic_store(&starts, 0);
    atomic_store(&handled, 0);
    atomic_store(&late, 0);
    atomic_store(&n_threads, 0);
    atomic_store(&hold, false);
    fixture_start(&f, NULL, NULL);
    return f;
}

static void stop(Fixture *f) {
    fixture_stop(f);
    for (int i = 0; i < atomic_load(&n_threads); i++) thread_join(threads[i]);
}

static void post(int fd, const char *how, Str body) {
    char head[128];
    int n =
        snprintf(head, sizeof head, "POST /w?how=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", how, body.n);
    assert_true(raw_send(fd, str_of(head, (size_t)n)) && raw_send(fd, body));
}

static void expect(int fd, const char *text) {
    Buf out = {0};
    if (!raw_read_until(fd, &out, str_cstr(text))) fail_msg("no \"%s\" in: %s", text, buf_cstr(&out));
    buf_done(&out);
}

static void test_ways(void **state) {
    (void)state;
    Fixture f = start();
    int fd = raw_connect(&f);
    Buf large = {0};
    for (int i = 0; i < 3; i++) {
        post(fd, "now", STR("x"));
        expect(fd, "\r\n\r\nnow");
        post(fd, "later", STR("this came back"));
        expect(fd, "\r\n\r\nthis came back");
        post(fd, "not", STR("abc"));
        expect(fd, "begun, 3 bytes");
    }
    assert_int_equal(atomic_load(&starts), 9);
    for (size_t i = 0; i <= HTTP_START_BODY_MAX; i++) buf_put_char(&large, 'x');
    post(fd, "now", buf_str(&large));
    expect(fd, "handled, 32769 bytes");
    assert_int_equal(atomic_load(&starts), 9);
    assert_int_equal(atomic_load(&handled), 4);
    buf_done(&large);
    close(fd);
    stop(&f);
}

/* Over HTTP/2 the answer goes back to the connection's loop. */
static void test_http2(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    char url[128];
    for (int i = 0; i < 9; i++) {
        snprintf(url, sizeof url, "%s/w?how=%s", f.base_url, i % 3 == 0 ? "now" : i % 3 == 1 ? "later" : "not");
        HttpClientRequest req = {
            .url = url, .method = "POST", .body = STR("abc"), .http2_prior_knowledge = true, .timeout_ms = WAIT_MS};
        int status = 0;
        Buf body = {0};
        assert_int_equal(http_client_fetch(c, &req, &status, &body, NULL), OK);
        assert_int_equal(status, 200);
        assert_string_equal(buf_cstr(&body), i % 3 == 0 ? "now" : i % 3 == 1 ? "abc" : "begun, 3 bytes");
        buf_done(&body);
    }
    assert_int_equal(atomic_load(&starts), 9);
    http_client_free(c);
    stop(&f);
}

static void end_server(void *ctx) {
    Fixture *f = ctx;
    f->server = net_server_free(f->server);
}

/* A server that ends waits for what has begun; clients that left meanwhile do no harm. */
static void test_end(void **state) {
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        Fixture f = start();
        int fds[8];
        atomic_store(&hold, true);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            fds[i] = raw_connect(&f);
            post(fds[i], "later", STR("abc"));
        }
        while (atomic_load(&starts) < (int)ARRAY_LEN(fds)) clock_sleep_ms(1);
        for (size_t i = 0; gone && i < ARRAY_LEN(fds); i++) close(fds[i]);
        Thread *t = thread_start("end", end_server, &f);
        clock_sleep_ms(20);
        assert_int_equal(atomic_load(&late), 0);
        atomic_store(&hold, false);
        thread_join(t);
        assert_int_equal(atomic_load(&late), ARRAY_LEN(fds));
        for (size_t i = 0; !gone && i < ARRAY_LEN(fds); i++) close(fds[i]);
        stop(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways), cmocka_unit_test(test_http2), cmocka_unit_test(test_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
