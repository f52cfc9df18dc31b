/* fuzz_router.c - paths, query strings and forms. The first line is the target, the rest a form body. */
#include "net/http.h"

static void nothing(void *ctx, HttpRequest *req, HttpResponse *res) { (void)ctx, (void)req, (void)res; }

static Router *make(void) {
    static const char *const patterns[] = {"/", "/api/v1/query", "/api/v1/label/{name}/values", "/a/{x}/{y}/{rest...}",
        "/a/b/{z}", "/static/{path...}", "/api/{x}/query"};
    Router *r = router_create();
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        router_add(r, &(Route){.methods = HTTP_GET | HTTP_POST, .pattern = patterns[i], .handler = nothing});
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Router *router;
    if (!router) router = make();
    Str in = str_of((const char *)data, size);
    size_t nl = str_find_char(in, '\n');
    Str target = nl == SIZE_MAX ? in : str_slice(in, 0, nl), body = nl == SIZE_MAX ? STR_NULL : str_skip(in, nl + 1);
    size_t q = str_find_char(target, '?');
    Str path = q == SIZE_MAX ? target : str_slice(target, 0, q);
    /* A small budget too, so that running out of it is part of every run. */
    static const size_t budgets[] = {1 << 20, 256};
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
        Arena *a = arena_create(budgets[i]);
        HttpHeader h = {
            STR("content-type"), i ? STR("multipart/form-data; boundary=x") : STR("application/x-www-form-urlencoded")};
        HttpRequest req = {.method = HTTP_POST,
            .query = q == SIZE_MAX ? STR_NULL : str_skip(target, q + 1),
            .body = body,
            .headers = &h,
            .n_headers = 1,
            .arena = a};
        RouteMatch m;
        if (router_match(router, HTTP_GET, path, a, &m) && m.route) ASSERT(m.n_params <= ARRAY_LEN(m.params));
        Str v[4];
        http_params(&req, STR("match[]"), v, ARRAY_LEN(v));
        Buf enc = {0};
        http_url_encode(&enc, path);
        Str back = http_url_decode(a, buf_str(&enc), true);
        if (!arena_exhausted(a)) ASSERT(str_eq(back, path));
        buf_done(&enc);
        arena_free(a);
    }
    return 0;
}
