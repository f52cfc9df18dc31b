/* lifecycle.c - /-/reload, /-/quit, and what is left of /debug/pprof where there is no Go runtime. */
#include "metrics/api/api_int.h"

static bool is_allowed(const PromApi *api, HttpRequest *req, HttpResponse *res) {
    if (req->method == HTTP_GET || req->method == HTTP_HEAD) {
        http_reply(res, 405, STR_NULL, STR("Only POST or PUT requests allowed"));
        return false;
    }
    if (api->opts.lifecycle) return true;
    http_reply(res, 403, STR_NULL, STR("Lifecycle API is not enabled."));
    return false;
}

static void handle_reload(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    Err err = {0};
    if (!is_allowed(api, req, res)) return;
    ErrCode rc = api->opts.reload ? api->opts.reload(api->opts.ctx, &err)
                                  : err_set(&err, ERR_NOT_IMPLEMENTED, "this server has nothing to reload");
    if (rc == OK)
        http_reply(res, 200, STR_NULL, STR_NULL);
    else
        http_reply_text(res, 500, "failed to reload config: %s\n", err.msg);
}

static void handle_quit(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    if (!is_allowed(api, req, res)) return;
    http_reply(res, 200, STR_NULL, STR("Requesting termination... Goodbye!"));
    if (api->opts.quit) api->opts.quit(api->opts.ctx);
}

static void handle_debug(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    bool index = http_path_param(req, STR("rest")).n == 0;
    http_reply_text(res, index ? 200 : 404,
        "There are no Go profiles here: this server is a C program.\n"
        "CPU:    perf record -g -p $(pidof meerkat) -- sleep 10 && perf report\n"
        "Memory: /metrics has process_resident_memory_bytes and meerkat_store_memory_bytes.\n");
}

void api_lifecycle_routes(PromApi *api, Router *r) {
    const unsigned post = HTTP_POST | HTTP_PUT;
    const Route routes[] = {
        {.methods = post, .pattern = "/-/reload", .handler = handle_reload, .role = ROLE_ADMIN, .cls = ROUTE_QUERY},
        {.methods = post, .pattern = "/-/quit", .handler = handle_quit, .role = ROLE_ADMIN},
        {.methods = HTTP_GET, .pattern = "/-/reload", .handler = handle_reload},
        {.methods = HTTP_GET, .pattern = "/-/quit", .handler = handle_quit},
        {.methods = HTTP_GET | HTTP_POST,
            .pattern = "/debug/pprof/{rest...}",
            .handler = handle_debug,
            .role = ROLE_VIEWER},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        Route route = routes[i];
        route.ctx = api;
        router_add(r, &route);
    }
}
