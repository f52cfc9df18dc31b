/* auth_test.c - passwords, tokens, sessions, throttling, origins; then the server's decisions. */
#include "net/auth_int.h"
#include "net/server_fixture.h"

static Auth *make(bool loopback_open) {
    Auth *a = auth_create(&(AuthOptions){.loopback_open = loopback_open});
    assert_int_equal(auth_set_user(a, STR("admin"), STR("admin"), NULL, ROLE_ADMIN, NULL), OK);
    assert_int_equal(auth_set_user(a, STR("eve"), STR("s:cret"), NULL, ROLE_VIEWER, NULL), OK);
    auth_set_token(a, STR("tok-1"), STR("ci"), ROLE_EDITOR);
    return a;
}

static void test_passwords(void **state) {
    (void)state;
    Auth *a = make(false);
    Role role;
    Err err = {0};
    assert_true(auth_password_is_default(a));
    assert_int_equal(auth_check_password(a, STR("admin"), STR("admin"), STR("1.2.3.4:5"), &role, &err), OK);
    assert_int_equal(role, ROLE_ADMIN);
    assert_int_equal(auth_check_password(a, STR("admin"), STR(""), STR("1.2.3.4:5"), &role, &err), ERR_UNAUTHENTICATED);
    assert_int_equal(
        auth_check_password(a, STR("nobody"), STR("x"), STR("1.2.3.4:5"), &role, &err), ERR_UNAUTHENTICATED);
    Buf hash = {0};
    assert_int_equal(auth_password_hash(a, STR("eve"), &hash), OK);
    assert_true(str_starts_with(buf_str(&hash), STR("$argon2id$")));
    assert_int_equal(auth_set_user(a, STR("copy"), STR_NULL, buf_cstr(&hash), ROLE_EDITOR, &err), OK);
    assert_int_equal(auth_check_password(a, STR("copy"), STR("s:cret"), STR("1.2.3.4:5"), &role, &err), OK);
    assert_int_equal(auth_set_user(a, STR("bad"), STR_NULL, "$2y$10$abc", ROLE_EDITOR, &err), ERR_INVALID);
    assert_int_equal(auth_set_user(a, STR("admin"), STR("better"), NULL, ROLE_ADMIN, &err), OK);
    assert_false(auth_password_is_default(a));
    assert_int_equal(
        auth_check_password(a, STR("admin"), STR("admin"), STR("9.9.9.9:5"), &role, &err), ERR_UNAUTHENTICATED);
    auth_remove_user(a, STR("copy"));
    assert_int_equal(auth_password_hash(a, STR("copy"), &hash), ERR_NOT_FOUND);
    buf_done(&hash);
    auth_free(a);
}

static void test_throttle(void **state) {
    (void)state;
    Auth *a = make(false);
    Role role;
    clock_fake_set(INT64_C(1000000000000));
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            auth_check_password(a, STR("eve"), STR("no"), STR("1.2.3.4:5"), &role, NULL), ERR_UNAUTHENTICATED);
    assert_int_equal(auth_check_password(a, STR("eve"), STR("s:cret"), STR("1.2.3.4:6"), &role, NULL), ERR_OVERLOADED);
    assert_int_equal(auth_check_password(a, STR("eve"), STR("s:cret"), STR("1.2.3.5:6"), &role, NULL), OK);
    clock_fake_advance(INT64_C(61000000000));
    assert_int_equal(auth_check_password(a, STR("eve"), STR("s:cret"), STR("1.2.3.4:6"), &role, NULL), OK);
    clock_fake_off();
    auth_free(a);
}

static const struct {
    const char *header, *value;
    ErrCode code;
    Role role;
    const char *user;
} identities[] = {
    {"x", "y", OK, ROLE_NONE, ""},
    {"Authorization", "Basic ZXZlOnM6Y3JldA==", OK, ROLE_VIEWER, "eve"},
    {"authorization", "basic  ZXZlOnM6Y3JldA==", OK, ROLE_VIEWER, "eve"},
    {"Authorization", "Basic !!!", ERR_UNAUTHENTICATED, ROLE_NONE, ""},
    {"Authorization", "Basic ZXZl", ERR_UNAUTHENTICATED, ROLE_NONE, ""},
    {"Authorization", "Bearer tok-1", OK, ROLE_EDITOR, "ci"},
    {"Authorization", "Bearer tok-2", ERR_UNAUTHENTICATED, ROLE_NONE, ""},
    {"Authorization", "Digest x", ERR_UNAUTHENTICATED, ROLE_NONE, ""},
    {"Authorization", "nonsense", ERR_UNAUTHENTICATED, ROLE_NONE, ""},
    {"Cookie", "meerkat_session=0000", ERR_UNAUTHENTICATED, ROLE_NONE, ""},
    {"Cookie", "other=1; xmeerkat_session=2", OK, ROLE_NONE, ""},
};

static void test_identify(void **state) {
    (void)state;
    Auth *a = make(false);
    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        Arena *arena = arena_create(1 << 16);
        HttpHeader h = {str_cstr(identities[i].header), str_cstr(identities[i].value)};
        HttpRequest req = {.headers = &h, .n_headers = 1, .peer = STR("127.0.0.1:1"), .arena = arena};
        if (auth_identify(a, &req, NULL) != identities[i].code || req.role != identities[i].role ||
            !str_eq(req.user, str_cstr(identities[i].user)))
            fail_msg("%s: %s", identities[i].header, identities[i].value);
        arena_free(arena);
    }
    auth_free(a);
}

static void test_sessions(void **state) {
    (void)state;
    Auth *a = make(false);
    Arena *arena = arena_create(1 << 16);
    char cookie[65];
    clock_fake_set(INT64_C(1000000000000000000));
    auth_session_create(a, STR("eve"), ROLE_VIEWER, cookie);
    assert_int_equal(strlen(cookie), 64);
    HttpHeader h = {STR("cookie"), arena_printf(arena, "a=b; meerkat_session=%s", cookie)};
    HttpRequest req = {.headers = &h, .n_headers = 1, .peer = STR("127.0.0.1:1"), .arena = arena};
    assert_int_equal(auth_identify(a, &req, NULL), OK);
    assert_int_equal(req.role, ROLE_VIEWER);
    assert_int_equal(auth_set_user(a, STR("eve"), STR("other"), NULL, ROLE_ADMIN, NULL), OK); /* ends sessions */
    assert_int_equal(auth_identify(a, &req, NULL), ERR_UNAUTHENTICATED);
    auth_session_create(a, STR("eve"), ROLE_VIEWER, cookie);
    h.value = arena_printf(arena, "meerkat_session=%s", cookie);
    assert_int_equal(auth_identify(a, &req, NULL), OK);
    assert_int_equal(req.role, ROLE_ADMIN);
    clock_fake_advance(INT64_C(8) * 24 * 3600 * 1000000000);
    assert_int_equal(auth_identify(a, &req, NULL), ERR_UNAUTHENTICATED);
    auth_session_create(a, STR("eve"), ROLE_VIEWER, cookie);
    auth_session_drop(a, str_cstr(cookie));
    h.value = arena_printf(arena, "meerkat_session=%s", cookie);
    assert_int_equal(auth_identify(a, &req, NULL), ERR_UNAUTHENTICATED);
    clock_fake_off();
    arena_free(arena);
    auth_free(a);
}

static const struct {
    const char *name, *value;
    bool ok;
} origins[] = {
    {"Origin", "http://localhost:3001", true},
    {"Origin", "https://LOCALHOST:3001", true},
    {"Origin", "http://localhost:3002", false},
    {"Origin", "http://evil.test", false},
    {"Origin", "null", false},
    {"Referer", "http://localhost:3001/d/abc?x=1", true},
    {"Referer", "http://localhost:3001.evil.test/", false},
    {"X", "y", false},
};

static void test_origin(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        HttpHeader h[] = {
            {STR("Host"), STR("localhost:3001")}, {str_cstr(origins[i].name), str_cstr(origins[i].value)}};
        HttpRequest req = {.headers = h, .n_headers = 2};
        if (auth_origin_ok(&req) != origins[i].ok) fail_msg("%s: %s", origins[i].name, origins[i].value);
    }
    assert_true(auth_peer_is_loopback(STR("127.0.0.1:99")));
    assert_true(auth_peer_is_loopback(STR("[::1]:99")));
    assert_false(auth_peer_is_loopback(STR("10.0.0.1:99")));
}

static void who(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    http_reply_text(res, 200, "%" STR_FMT " %d\n", STR_ARG(req->user), req->role);
}

static const struct {
    bool require_role;
    const char *path, *method, *header;
    int status;
    const char *body;
} requests[] = {
    {false, "/view", "GET", "x: y", 200, " 3\n"}, /* loopback is open */
    {false, "/view", "GET", "Authorization: Bearer nobody-knows", 200, " 3\n"},
    {false, "/view", "GET", "X-Forwarded-For: 1.2.3.4", 401, NULL}, /* not really local */
    {true, "/open", "GET", "x: y", 200, " 0\n"},
    {true, "/view", "GET", "x: y", 401, NULL},
    {true, "/view", "GET", "Authorization: Basic ZXZlOnM6Y3JldA==", 200, "eve 1\n"},
    {true, "/view", "GET", "Authorization: Basic ZXZlOnM6Y3JldA==", 200, "eve 1\n"}, /* from memory */
    {true, "/view", "GET", "Authorization: Basic ZXZlOmJhZA==", 401, NULL},
    {true, "/admin", "POST", "Authorization: Basic ZXZlOnM6Y3JldA==", 403, NULL},
    {true, "/admin", "POST", "Authorization: Bearer tok-1", 403, NULL},
    {true, "/admin", "POST", "Authorization: Basic YWRtaW46YWRtaW4=", 200, "admin 3\n"},
};

static void test_server(void **state) {
    (void)state;
    Auth *auth = make(true);
    HttpClient *c = http_client_create("test");
    for (int require = 0; require < 2; require++) {
        Fixture f = {.router = router_create()};
        router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/open", .handler = who});
        router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/view", .handler = who, .role = ROLE_VIEWER});
        router_add(f.router, &(Route){.methods = HTTP_POST, .pattern = "/admin", .handler = who, .role = ROLE_ADMIN});
        fixture_start(&f, &(NetServerOptions){.auth = auth}, &(NetListen){.require_role = require});
        for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
            if (requests[i].require_role != require) continue;
            char url[128];
            const char *headers[] = {requests[i].header, NULL};
            Buf body = {0};
            int status = 0;
            snprintf(url, sizeof(url), "%s%s", f.base_url, requests[i].path);
            HttpClientRequest req = {
                .url = url, .method = requests[i].method, .headers = headers, .timeout_ms = WAIT_MS};
            assert_int_equal(http_client_fetch(c, &req, &status, &body, NULL), OK);
            if (status != requests[i].status ||
                (requests[i].body && !str_eq(buf_str(&body), str_cstr(requests[i].body))))
                fail_msg(
                    "%s with %s: %d %" STR_FMT, requests[i].path, requests[i].header, status, STR_ARG(buf_str(&body)));
            buf_done(&body);
        }
        fixture_stop(&f);
    }
    http_client_free(c);
    auth_free(auth);
}

static void test_cookie_writes(void **state) {
    (void)state;
    Auth *auth = make(true);
    HttpClient *c = http_client_create("test");
    Fixture f = {.router = router_create()};
    router_add(f.router, &(Route){.methods = HTTP_POST, .pattern = "/w", .handler = who, .role = ROLE_VIEWER});
    fixture_start(&f, &(NetServerOptions){.auth = auth}, &(NetListen){.require_role = true});
    char cookie[65], cookie_line[128], origin[128], url[128];
    auth_session_create(auth, STR("eve"), ROLE_VIEWER, cookie);
    snprintf(cookie_line, sizeof(cookie_line), "Cookie: meerkat_session=%s", cookie);
    snprintf(url, sizeof(url), "%s/w", f.base_url);
    for (int own = 0; own < 2; own++) {
        snprintf(origin, sizeof(origin), "Origin: %s", own ? f.base_url : "http://evil.test");
        const char *headers[] = {cookie_line, origin, NULL};
        HttpClientRequest req = {.url = url, .method = "POST", .headers = headers, .timeout_ms = WAIT_MS};
        int status = 0;
        assert_int_equal(http_client_fetch(c, &req, &status, NULL, NULL), OK);
        assert_int_equal(status, own ? 200 : 403);
    }
    http_client_free(c);
    fixture_stop(&f);
    auth_free(auth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_identify),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_cookie_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
