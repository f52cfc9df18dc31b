/* Bodies and parameters of the API: the first byte picks the endpoint. */
#include "alert/am_own_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void call(Alertmanager *am, Router *r, HttpMethod method, const char *path, Str body, Str query) {
    static const HttpHeader headers[] = {{STR_INIT("Content-Type"), STR_INIT("application/json")}};
    Arena *arena = arena_create(64u << 20);
    RouteMatch m;
    HttpResponse res = {.status = 200};
    HttpRequest req = {.method = method,
        .path = str_cstr(path),
        .raw_path = str_cstr(path),
        .query = query,
        .headers = headers,
        .n_headers = 1,
        .body = body,
        .peer = STR("127.0.0.1:1"),
        .listener = STR("alertmanager"),
        .user = STR(""),
        .role = ROLE_ADMIN,
        .arena = arena};
    if (router_match(r, method, req.raw_path, arena, &m) && m.route) {
        req.path_params = m.params;
        req.n_path_params = m.n_params;
        m.route->handler(m.route->ctx, &req, &res);
        ASSERT(res.status >= 200 && res.status < 600);
    }
    buf_done(&res.body);
    arena_free(arena);
    (void)am;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const struct {
        HttpMethod method;
        const char *path;
    } calls[] = {{HTTP_POST, "/api/v2/alerts"}, {HTTP_POST, "/api/v2/silences"},
        {HTTP_POST, "/api/meerkat/v1/alerting/silences"}, {HTTP_POST, "/api/meerkat/v1/alerting/acks"},
        {HTTP_POST, "/api/meerkat/v1/alerting/routes/test"}, {HTTP_POST, "/api/meerkat/v1/alerting/silences/preview"},
        {HTTP_GET, "/api/v2/alerts"}, {HTTP_GET, "/api/v2/silences"}, {HTTP_GET, "/api/v2/alerts/groups"},
        {HTTP_GET, "/api/meerkat/v1/alerting/history"}};
    if (n < 1) return 0;
    Alertmanager *am = am_new(&(AlertmanagerOptions){.dir = "/nowhere",
        .external_url = STR("http://am"),
        .guards = {.silence_matches_max = 1, .comment_required = true}});
    am->history = am_history_create(NULL, INT64_C(432000) * NS_PER_S, NULL);
    am_use_config(am, amconfig_ref(am->config), INT64_C(1700000000) * NS_PER_S);
    Router *r = router_create();
    alertmanager_routes(am, r);
    Str rest = str_of((const char *)data + 1, n - 1);
    size_t k = data[0] % ARRAY_LEN(calls);
    call(am, r, calls[k].method, calls[k].path, calls[k].method == HTTP_POST ? rest : STR_NULL,
        calls[k].method == HTTP_GET ? rest : STR_NULL);
    call(am, r, HTTP_GET, "/api/v2/alerts/groups", STR_NULL, STR_NULL);
    call(am, r, HTTP_GET, "/api/v2/silences", STR_NULL, STR_NULL);
    router_free(r);
    alertmanager_free(am);
    return 0;
}
