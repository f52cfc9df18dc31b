/* router_test.c - which route a path finds, and with what parameters. */
#include "net/http.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

static void nothing(void *ctx, HttpRequest *req, HttpResponse *res) { (void)ctx, (void)req, (void)res; }

static const struct {
    unsigned methods;
    const char *pattern;
} patterns[] = {
    {HTTP_GET, "/"},
    {HTTP_GET, "/api/v1/query"},
    {HTTP_POST, "/api/v1/query"},
    {HTTP_GET, "/api/v1/label/{name}/values"},
    {HTTP_GET, "/api/v1/label/special/values"},
    {HTTP_GET | HTTP_DELETE, "/item/{id}"},
    {HTTP_PUT, "/item/new"},
    {HTTP_GET, "/static/{path...}"},
    {HTTP_GET, "/a/{x}/b/{y}/{rest...}"},
    {HTTP_GET, "/trailing/"},
};

static const struct {
    HttpMethod method;
    const char *path;
    bool found;
    const char *pattern;   /* NULL: no route */
    const char *values[4]; /* parameters in order */
    unsigned allowed;      /* 0: not checked */
} cases[] = {
    {HTTP_GET, "/", true, "/", {0}, 0},
    {HTTP_GET, "/api/v1/query", true, "/api/v1/query", {0}, 0},
    {HTTP_HEAD, "/api/v1/query", true, "/api/v1/query", {0}, 0},
    {HTTP_PUT, "/api/v1/query", true, NULL, {0}, HTTP_GET | HTTP_HEAD | HTTP_POST},
    {HTTP_GET, "/api/v1/query/", false, NULL, {0}, 0},
    {HTTP_GET, "/api/v1", false, NULL, {0}, 0},
    {HTTP_GET, "//api/v1/query", false, NULL, {0}, 0},
    {HTTP_GET, "/api/v1/label/job/values", true, "/api/v1/label/{name}/values", {"job"}, 0},
    {HTTP_GET, "/api/v1/label/special/values", true, "/api/v1/label/special/values", {0}, 0},
    {HTTP_GET, "/api/v1/label/a%2fb%20c+d/values", true, "/api/v1/label/{name}/values", {"a/b c+d"}, 0},
    {HTTP_GET, "/api/v1/label/%zz%4/values", true, "/api/v1/label/{name}/values", {"%zz%4"}, 0},
    {HTTP_GET, "/api/v1/label//values", false, NULL, {0}, 0},
    {HTTP_GET, "/%61pi/v1/query", true, "/api/v1/query", {0}, 0},
    {HTTP_GET, "/item/new", true, "/item/{id}", {"new"}, 0}, /* the literal has no GET */
    {HTTP_PUT, "/item/new", true, "/item/new", {0}, 0},
    {HTTP_PUT, "/item/7", true, NULL, {0}, HTTP_GET | HTTP_HEAD | HTTP_DELETE},
    {HTTP_GET, "/static/css/a%20b.css", true, "/static/{path...}", {"css/a b.css"}, 0},
    {HTTP_GET, "/static/", true, "/static/{path...}", {""}, 0},
    {HTTP_GET, "/static", false, NULL, {0}, 0},
    {HTTP_GET, "/a/1/b/2/3/4", true, "/a/{x}/b/{y}/{rest...}", {"1", "2", "3/4"}, 0},
    {HTTP_GET, "/trailing/", true, "/trailing/", {0}, 0},
    {HTTP_GET, "/shared", true, "/shared", {0}, 0}, /* in the fallback */
    {(HttpMethod)0, "/shared", true, NULL, {0}, 0},
    {HTTP_GET, "/static/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4", true, "/static/{path...}",
        {"1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4"}, 0},
};

static void test_matching(void **state) {
    (void)state;
    Router *r = router_create(), *shared = router_create();
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        router_add(r, &(Route){.methods = patterns[i].methods, .pattern = patterns[i].pattern, .handler = nothing});
    router_add(shared, &(Route){.methods = HTTP_GET, .pattern = "/shared", .handler = nothing});
    router_set_fallback(r, shared);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *a = arena_create(1 << 16);
        RouteMatch m;
        bool found = router_match(r, cases[i].method, str_cstr(cases[i].path), a, &m);
        if (found != cases[i].found || !m.route != !cases[i].pattern ||
            (m.route && strcmp(m.route->pattern, cases[i].pattern) != 0))
            fail_msg("%s: found %d, route %s", cases[i].path, found, m.route ? m.route->pattern : "none");
        for (size_t k = 0; k < m.n_params; k++) {
            if (!cases[i].values[k] || !str_eq(m.params[k].value, str_cstr(cases[i].values[k])))
                fail_msg("%s: parameter %zu is %" STR_FMT, cases[i].path, k, STR_ARG(m.params[k].value));
        }
        if (cases[i].allowed) assert_int_equal(m.allowed_methods, cases[i].allowed);
        arena_free(a);
    }
    router_free(r);
    router_free(shared);
}

static void test_parameter_names(void **state) {
    (void)state;
    Router *r = router_create();
    router_add(r, &(Route){.methods = HTTP_GET, .pattern = "/x/{one}", .handler = nothing});
    router_add(r, &(Route){.methods = HTTP_PUT, .pattern = "/x/{two}", .handler = nothing});
    Arena *a = arena_create(1 << 16);
    RouteMatch m;
    assert_true(router_match(r, HTTP_GET, STR("/x/v"), a, &m));
    assert_true(str_eq_lit(m.params[0].name, "one"));
    assert_true(router_match(r, HTTP_PUT, STR("/x/v"), a, &m));
    assert_true(str_eq_lit(m.params[0].name, "two"));
    arena_free(a);
    router_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matching), cmocka_unit_test(test_parameter_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
