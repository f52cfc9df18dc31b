/* ui_test.c - the UI's routes over a real server: assets, pages, signing in, redirects. The assets are a fixture
 * (ui_fixture.c), so that the test needs no built UI. */
#include "dash/ui.h"

#include "net/server.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static Router *ui_router, *classic_router;
static NetServer *server;
static Auth *auth;
static MetaDb *meta;
static Dash *dash;
static char cookie[96];

static int start(void **state) {
    (void)state;
    static const char *const old[] = {"/graph", "/targets"};
    Err err = {0};
    auth = auth_create(&(AuthOptions){.loopback_open = true});
    assert_int_equal(meta_open(NULL, &meta, &err), OK);
    assert_int_equal(users_load(meta, auth, STR_NULL, STR_NULL, &err), OK);
    ui_router = router_create();
    classic_router = router_create();
    DashPort ports[] = {{"ui", 3001}, {"prometheus", 9090}, {"zipkin", 0}};
    dash = dash_create(
        &(DashOptions){.auth = auth, .meta = meta, .version = "1.2.3", .ports = ports, .n_ports = ARRAY_LEN(ports)});
    dash_ui_routes(dash, ui_router);
    dash_redirect_routes(dash, classic_router, "/explore/metrics", old, ARRAY_LEN(old));
    assert_int_equal(net_server_create(&(NetServerOptions){.auth = auth}, &server, &err), OK);
    NetListen ui = {.name = "ui", .address = "127.0.0.1", .router = ui_router, .require_role = true};
    NetListen classic = {.name = "prometheus", .address = "127.0.0.1", .router = classic_router};
    assert_int_equal(net_server_listen(server, &ui, &err), OK);
    assert_int_equal(net_server_listen(server, &classic, &err), OK);
    assert_int_equal(net_server_start(server, &err), OK);
    return 0;
}

static int stop(void **state) {
    (void)state;
    net_server_free(server);
    router_free(ui_router);
    router_free(classic_router);
    dash_free(dash);
    meta_free(meta);
    auth_free(auth);
    return 0;
}

/* Sends the request's text as it is (with Host and Connection: close added) and gives the whole answer. */
static void ask(const char *listener, const char *first_line, const char *headers, const char *body, Buf *out) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(net_server_port(server, listener))};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    struct timeval tv = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    Buf req = {0};
    buf_printf(&req, "%s HTTP/1.1\r\nHost: localhost:3001\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
        first_line, strlen(body), headers, body);
    assert_int_equal(send(fd, req.p, req.n, MSG_NOSIGNAL), (ssize_t)req.n);
    buf_done(&req);
    buf_clear(out);
    for (;;) {
        buf_reserve(out, 4096);
        ssize_t n = recv(fd, out->p + out->n, 4096, 0);
        if (n <= 0) break;
        out->n += (size_t)n;
    }
    close(fd);
    buf_put_char(out, 0);
    out->n--;
}

typedef struct Case {
    const char *listener, *first_line;
    const char *headers; /* "@..." begins with the session's cookie */
    const char *body;
    const char *want[4]; /* all of them stand in the answer; "!x" must not */
} Case;

#define JSON_TYPE "Content-Type: application/json\r\n"

static void check(const Case *c) {
    Buf out = {0};
    char headers[512];
    bool signed_in = c->headers[0] == '@';
    snprintf(headers, sizeof(headers), "%s%s%s%s", signed_in ? "Cookie: " : "", signed_in ? cookie : "",
        signed_in ? "\r\n" : "", c->headers + signed_in);
    ask(c->listener, c->first_line, headers, c->body, &out);
    for (size_t i = 0; i < ARRAY_LEN(c->want) && c->want[i]; i++) {
        bool absent = c->want[i][0] == '!';
        if (str_contains(buf_str(&out), str_cstr(c->want[i] + absent)) == absent)
            fail_msg("%s: \"%s\" in:\n%" STR_FMT, c->first_line, c->want[i], STR_ARG(buf_str(&out)));
    }
    buf_done(&out);
}

static void run(const Case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) check(&cases[i]);
}

static void pages_and_assets(void **state) {
    (void)state;
    static const Case cases[] = {
        {"ui", "GET /", "", "", {"200 OK", "text/html", "default-src 'self'", "<p>page</p>"}},
        {"ui", "GET /", "", "", {"Cache-Control: no-cache", "X-Frame-Options: SAMEORIGIN", "Referrer-Policy", "!gzip"}},
        {"ui", "GET /trace/0af7651916cd43dd8448eb211c80319c", "", "", {"200 OK", "<p>page</p>"}},
        {"ui", "GET /graph?g0.expr=up", "", "", {"200 OK", "<p>page</p>"}},
        {"ui", "GET /d/abc/slug?from=now-6h", "", "", {"200 OK", "<p>page</p>"}},
        {"ui", "GET /", "Accept-Encoding: br, gzip\r\n", "", {"Content-Encoding: gzip", "\"tag1-gz\""}},
        {"ui", "GET /", "Accept-Encoding: gzip;q=0\r\n", "", {"<p>page</p>", "!Content-Encoding"}},
        {"ui", "GET /", "If-None-Match: \"tag1-gz\"\r\n", "", {"304 Not Modified", "!<p>"}},
        {"ui", "GET /", "If-None-Match: \"other\"\r\n", "", {"200 OK"}},
        {"ui", "GET /assets/app-1.js", "", "", {"immutable", "text/javascript", "<p>page</p>", "nosniff"}},
        {"ui", "HEAD /assets/app-1.js", "", "", {"200 OK", "!<p>"}},
        {"ui", "GET /assets/app-2.js", "", "", {"404 Not Found", "page not found"}},
        {"ui", "GET /favicon.ico", "", "", {"204 No Content"}},
    };
    run(cases, ARRAY_LEN(cases));
}

static void take_cookie(Buf *out) {
    size_t at = str_find(buf_str(out), STR("meerkat_session="));
    assert_true(at != SIZE_MAX);
    Str rest = str_skip(buf_str(out), at);
    snprintf(cookie, sizeof(cookie), "%" STR_FMT, STR_ARG(str_slice(rest, 0, str_find_char(rest, ';'))));
    assert_int_equal(strlen(cookie), sizeof("meerkat_session=") - 1 + 64);
}

static void signing_in(void **state) {
    (void)state;
    static const Case refused[] = {
        {"ui", "GET /api/meerkat/v1/session", "", "", {"401", "{\"error\":\"not signed in\"}"}},
        {"ui", "GET /api/meerkat/v1/session", "Cookie: meerkat_session=00\r\n", "", {"401"}},
        {"ui", "GET /api/meerkat/v1/session?anonymous=ok", "", "", {"200 OK", "null"}},
        {"ui", "GET /api/meerkat/v1/preferences", "", "", {"401"}},
        {"ui", "POST /login", JSON_TYPE, "{\"user\":\"admin\"", {"400", "{\"error\":"}},
        {"ui", "POST /login", JSON_TYPE, "{\"user\":\"admin\"}", {"400", "password"}},
        {"ui", "POST /login", "", "user=admin&password=admin", {"415"}},
        {"ui", "POST /login", JSON_TYPE "Origin: http://evil.example\r\n",
            "{\"user\":\"admin\",\"password\":\"admin\"}", {"403", "!Set-Cookie"}},
        {"ui", "POST /login", JSON_TYPE, "{\"user\":\"admin\",\"password\":\"no\"}",
            {"401", "wrong user name or password", "!Set-Cookie"}},
    };
    run(refused, ARRAY_LEN(refused));
    Buf out = {0};
    ask("ui", "POST /login", JSON_TYPE, "{\"user\":\"admin\",\"password\":\"admin\"}", &out);
    assert_true(str_contains(buf_str(&out), STR("HttpOnly; SameSite=Lax")));
    assert_false(str_contains(buf_str(&out), STR("; Secure")));
    take_cookie(&out);
    static const Case inside[] = {
        {"ui", "GET /api/meerkat/v1/session", "@", "",
            {"200", "{\"user\":\"admin\",\"role\":\"admin\",\"password_is_default\":true,\"ports\":{\"ui\":3001,"
                    "\"prometheus\":9090},\"version\":\"1.2.3\"}"}},
        {"ui", "GET /api/meerkat/v1/preferences", "@", "", {"200", "{}"}},
        {"ui", "PUT /api/meerkat/v1/preferences", "@", "{\"a\":1}", {"403"}}, /* no Origin */
        {"ui", "PUT /api/meerkat/v1/preferences", "@Origin: http://localhost:3001\r\n", "{\"a\":1}", {"204"}},
        {"ui", "PUT /api/meerkat/v1/preferences", "@Origin: http://localhost:3001\r\n", "7", {"400"}},
        {"ui", "GET /api/meerkat/v1/preferences", "@", "", {"200", "{\"a\":1}"}},
        {"ui", "POST /api/meerkat/v1/password", "@Origin: http://localhost:3001\r\n" JSON_TYPE,
            "{\"old\":\"nope\",\"new\":\"a long one\"}", {"403", "current password is wrong"}},
    };
    run(inside, ARRAY_LEN(inside));
    char headers[300];
    snprintf(headers, sizeof(headers), "Cookie: %s\r\nOrigin: http://localhost:3001\r\n" JSON_TYPE, cookie);
    ask("ui", "POST /api/meerkat/v1/password", headers, "{\"old\":\"admin\",\"new\":\"a long one\"}", &out);
    assert_true(str_contains(buf_str(&out), STR("\"password_is_default\":false")));
    static const Case ended = {"ui", "GET /api/meerkat/v1/session", "@", "", {"401"}};
    check(&ended);
    take_cookie(&out);
    static const Case leaving[] = {
        {"ui", "GET /api/meerkat/v1/session", "@", "", {"200"}},
        {"ui", "POST /logout", "@Origin: http://localhost:3001\r\n", "", {"204", "Max-Age=0"}},
        {"ui", "GET /api/meerkat/v1/session", "@", "", {"401"}},
        {"ui", "POST /login", JSON_TYPE "X-Forwarded-Proto: https\r\n",
            "{\"user\":\"admin\",\"password\":\"a long one\"}", {"200", "; Secure"}},
    };
    run(leaving, ARRAY_LEN(leaving));
    buf_done(&out);
}

static void throttled(void **state) {
    (void)state;
    static const Case wrong = {
        "ui", "POST /login", JSON_TYPE, "{\"user\":\"admin\",\"password\":\"no\"}", {"HTTP/1.1 4"}};
    static const Case late = {"ui", "POST /login", JSON_TYPE, "{\"user\":\"admin\",\"password\":\"no\"}",
        {"429", "Retry-After: 60", "{\"error\":\"too many"}};
    for (int i = 0; i < 5; i++) check(&wrong);
    check(&late);
}

static void redirects(void **state) {
    (void)state;
    static const Case cases[] = {
        {"prometheus", "GET /graph?g0.expr=up%20%3E%200", "", "",
            {"302", "Location: http://localhost:3001/graph?g0.expr=up%20%3E%200\r\n"}},
        {"prometheus", "GET /", "", "", {"302", "Location: http://localhost:3001/explore/metrics\r\n"}},
        {"prometheus", "GET /targets", "", "", {"302", "Location: http://localhost:3001/targets\r\n"}},
        {"prometheus", "GET /other", "", "", {"404"}},
    };
    run(cases, ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_and_assets),
        cmocka_unit_test(redirects),
        cmocka_unit_test(signing_in),
        cmocka_unit_test(throttled),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
