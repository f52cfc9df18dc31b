/* client_test.c - what the client refuses, follows, sends and reports. */
#include "net/server_fixture.h"

#include <dlfcn.h>
#include <netdb.h>

static void show(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    buf_printf(&res->body, "%s|%" STR_FMT "|%" STR_FMT "|%" STR_FMT "|%" STR_FMT, http_method_name(req->method),
        STR_ARG(http_header(req, STR("authorization"))), STR_ARG(http_header(req, STR("content-type"))),
        STR_ARG(http_header(req, STR("x-own"))), STR_ARG(req->body));
    http_set_header(res, STR("X-Answer"), STR("yes"));
}

static void loop(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    http_redirect(res, STR("/loop"));
}

static void once(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    http_redirect(res, STR("/show"));
}

static void to_file(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    http_redirect(res, STR("file:///etc/hostname"));
}

/* Answers when the test has seen what it wants to. */
static atomic_bool gate_open;
static atomic_int slow_running;

static void slow(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    atomic_fetch_add(&slow_running, 1);
    while (!atomic_load(&gate_open)) clock_sleep_ms(2);
    http_reply_text(res, 200, "late\n");
}

static const char *const own[] = {"X-Own: 1", NULL};
static const char *const json[] = {"Content-Type: application/json", NULL};
static const char *const smuggle[] = {"X-Own: 1\r\nX-Other: 2", NULL};

static const struct {
    const char *path; /* without a scheme: on the server */
    HttpClientRequest req;
    ErrCode code;
    int status;
    const char *body;
} cases[] = {
    {"/show", {0}, OK, 200, "GET||||"},
    {"/show", {.headers = own}, OK, 200, "GET|||1|"},
    {"/show", {.username = "u", .password = "p"}, OK, 200, "GET|Basic dTpw|||"},
    {"/show", {.bearer_token = "tok"}, OK, 200, "GET|Bearer tok|||"},
    {"/show", {.method = "POST", .headers = json, .body = STR_INIT("{}")}, OK, 200, "POST||application/json||{}"},
    {"/show", {.method = "POST"}, OK, 200, "POST||||"},
    {"/show", {.method = "PUT", .body = STR_INIT("a\0b")}, OK, 200, NULL},
    {"/show", {.method = "DELETE"}, OK, 200, "DELETE||||"},
    {"/show", {.method = "HEAD"}, OK, 200, ""},
    {"/once", {0}, OK, 200, "GET||||"},
    {"/once", {.no_follow_redirects = true}, OK, 302, "Found\n"},
    {"/loop", {0}, ERR_UNPROCESSABLE, 302, NULL},
    {"/file", {0}, ERR_INVALID, 302, NULL},
    {"/slow", {.timeout_ms = 100}, ERR_TIMEOUT, 0, NULL},
    {"/show", {.headers = smuggle}, ERR_INVALID, 0, NULL},
    {"/show", {.bearer_token = "a\r\nb: c"}, ERR_INVALID, 0, NULL},
    {"file:///etc/hostname", {0}, ERR_INVALID, 0, NULL},
    {"http://127.0.0.1:1/", {0}, ERR_UNAVAILABLE, 0, NULL},
    {"http://", {0}, ERR_INVALID, 0, NULL},
    {"/nowhere", {0}, OK, 404, "404 page not found\n"},
};

static Fixture start(void) {
    Fixture f = {.router = router_create()};
    atomic_store(&gate_open, false);
    atomic_store(&slow_running, 0);
    unsigned all = HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_DELETE;
    router_add(f.router, &(Route){.methods = all, .pattern = "/show", .handler = show});
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/loop", .handler = loop});
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/once", .handler = once});
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/file", .handler = to_file});
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/slow", .handler = slow});
    fixture_start(&f, NULL, NULL);
    return f;
}

static void test_requests(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char url[160];
        int status = 0;
        Buf body = {0};
        Err err = {0};
        snprintf(url, sizeof(url), "%s%s", cases[i].path[0] == '/' ? f.base_url : "", cases[i].path);
        HttpClientRequest req = cases[i].req;
        req.url = url;
        if (!req.timeout_ms) req.timeout_ms = WAIT_MS;
        ErrCode code = http_client_fetch(c, &req, &status, &body, &err);
        if (code != cases[i].code || status != cases[i].status ||
            (cases[i].body && !str_eq(buf_str(&body), str_cstr(cases[i].body))))
            fail_msg("case %zu %s: %s %d %" STR_FMT " (%s)", i, cases[i].path, err_name(code), status,
                STR_ARG(buf_str(&body)), err.msg);
        assert_int_equal(code != OK, err.msg[0] != '\0');
        buf_done(&body);
    }
    http_client_free(c);
    atomic_store(&gate_open, true);
    fixture_stop(&f);
}

static void note_code(void *ctx, const HttpClientResponse *res) {
    ErrCode *code = ctx;
    *code = res->code;
}

static void test_cancel(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    char url[128];
    ErrCode codes[20] = {OK};
    snprintf(url, sizeof(url), "%s/slow", f.base_url);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        HttpClientRequest req = {.url = url, .timeout_ms = WAIT_MS};
        http_client_start(c, &req, note_code, &codes[i]);
        while (i == 10 && !atomic_load(&slow_running)) clock_sleep_ms(1); /* some in flight, some queued */
    }
    http_client_free(c);
    atomic_store(&gate_open, true);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) assert_int_equal(codes[i], ERR_CANCELLED);
    fixture_stop(&f);
}

/* Servers of names that do not answer: this is called in place of the C library's. */
static atomic_bool names_answer;
static atomic_int lookups;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    typedef int (*Lookup)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name && strcmp(name, "nowhere.test") == 0) {
        atomic_fetch_add(&lookups, 1);
        while (!atomic_load(&names_answer)) clock_sleep_ms(2);
        atomic_fetch_sub(&lookups, 1);
        return EAI_NONAME;
    }
    Lookup real;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &symbol, sizeof real);
    return real(name, service, hints, ret);
}

/* A lookup that takes for ever ends with its request's time, and keeps nobody else waiting meanwhile. */
static void test_name_that_hangs(void **state) {
    (void)state;
    Fixture f = start();
    HttpClient *c = http_client_create("test");
    char url[128];
    int status = 0;
    Buf body = {0};
    snprintf(url, sizeof url, "%s/show", f.base_url);
    for (int i = 0; i < 3; i++) {
        HttpClientRequest hangs = {.url = "http://nowhere.test/", .timeout_ms = 50};
        assert_int_equal(http_client_fetch(c, &hangs, &status, &body, NULL), ERR_TIMEOUT);
        HttpClientRequest other = {.url = url, .timeout_ms = WAIT_MS};
        assert_int_equal(http_client_fetch(c, &other, &status, &body, NULL), OK);
        assert_int_equal(status, 200);
    }
    assert_int_equal(atomic_load(&lookups), 3);
    http_client_free(c);
    atomic_store(&names_answer, true);
    while (atomic_load(&lookups)) clock_sleep_ms(1);
    buf_done(&body);
    fixture_stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_cancel), cmocka_unit_test(test_name_that_hangs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
