/* prom_api.c - creation, routes, and the envelope around every answer. */
#include "metrics/api/api_int.h"

#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>

static Str copy(PromApi *api, Str s, Str missing) {
    Str c = arena_copy(api->arena, s.n ? s : missing);
    ASSERT(c.p);
    return c;
}

PromApi *prom_api_create(const PromApiOptions *opts) {
    ASSERT(opts->store);
    PromApi *api = NEW(PromApi);
    api->opts = *opts;
    api->arena = arena_create(ARENA_UNLIMITED);
    api->config_arena = arena_create(ARENA_UNLIMITED);
    rwlock_init(&api->config_lock);
    api->opts.version = copy(api, opts->version, STR("3.16.0"));
    api->opts.revision = copy(api, opts->revision, STR(""));
    api->opts.branch = copy(api, opts->branch, STR(""));
    api->opts.build_user = copy(api, opts->build_user, STR(""));
    api->opts.build_date = copy(api, opts->build_date, STR(""));
    api->opts.snapshot_dir = copy(api, opts->snapshot_dir, STR(""));
    api->opts.storage_retention = copy(api, opts->storage_retention, STR("15d"));
    if (!api->opts.query_timeout_ms) api->opts.query_timeout_ms = 120000;
    if (!api->opts.query_arena_bytes) api->opts.query_arena_bytes = (size_t)512 << 20;
    api->start_ns = clock_now_ns();
    if (!api->opts.query_concurrency) api->opts.query_concurrency = 20;
    if (!api->opts.slow_query_ms) api->opts.slow_query_ms = 1000;
    api->notes = api_notes_create();
    api->metrics = api_metrics_create();
    api->active = promql_active_create(&(PromqlActiveOptions){.concurrency_max = api->opts.query_concurrency,
        .memory_max_bytes = api->opts.query_total_bytes,
        .slow_ms = api->opts.slow_query_ms,
        .slow_max = api->opts.slow_query_max});
    return api;
}

PromApi *prom_api_free(PromApi *api) {
    if (!api) return NULL;
    promql_active_free(api->active);
    api_metrics_free(api->metrics);
    api_notes_free(api->notes);
    rwlock_done(&api->config_lock);
    arena_free(api->config_arena);
    arena_free(api->arena);
    mem_free(api);
    return NULL;
}

void prom_api_set_config(PromApi *api, Labels external_labels, int64_t evaluation_interval_ms) {
    rwlock_write(&api->config_lock);
    arena_reset(api->config_arena);
    api->external = labels_copy(api->config_arena, external_labels);
    api->evaluation_interval_ms = evaluation_interval_ms;
    rwlock_unlock(&api->config_lock);
}

Labels api_external_labels(PromApi *api, Arena *arena) {
    rwlock_read(&api->config_lock);
    Labels l = labels_copy(arena, api->external);
    rwlock_unlock(&api->config_lock);
    return l.v ? l : (Labels){0};
}

PromqlOptions api_engine_options(PromApi *api) {
    PromqlOptions o = api->opts.engine;
    rwlock_read(&api->config_lock);
    if (api->evaluation_interval_ms) o.subquery_step_ms = api->evaluation_interval_ms;
    rwlock_unlock(&api->config_lock);
    return o;
}

void prom_api_notify(PromApi *api, const char *text, bool active) { api_notes_set(api->notes, text, active); }
PromqlActive *prom_api_active(PromApi *api) { return api->active; }
void prom_api_end_streams(PromApi *api) { api_notes_close(api->notes); }

/* --- errors --- */

static void write_error(ApiCall *c, ApiErrorType type, Str msg) {
    static const struct {
        const char *name;
        int status;
    } types[] = {[API_BAD_DATA] = {"bad_data", 400},
        [API_EXECUTION] = {"execution", 422},
        [API_CANCELED] = {"canceled", 499},
        [API_TIMEOUT] = {"timeout", 503},
        [API_INTERNAL] = {"internal", 500},
        [API_UNAVAILABLE] = {"unavailable", 500},
        [API_NOT_FOUND] = {"not_found", 404},
        [API_NOT_ACCEPTABLE] = {"not_acceptable", 406}};
    c->failed = true;
    buf_clear(&c->res->body);
    c->res->status = types[type].status;
    c->res->content_type = STR("application/json");
    JsonWriter w = json_writer(&c->res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("error"));
    json_key_lit(&w, "errorType");
    json_str(&w, str_cstr(types[type].name));
    json_key_lit(&w, "error");
    json_str(&w, msg);
    json_end_object(&w);
}

bool api_fail(ApiCall *c, ApiErrorType type, const char *fmt, ...) {
    char msg[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    write_error(c, type, str_cstr(msg));
    return false;
}

bool api_fail_param(ApiCall *c, const char *name, const char *fmt, ...) {
    char msg[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return api_fail(c, API_BAD_DATA, "invalid parameter \"%s\": %s", name, msg);
}

bool api_fail_err(ApiCall *c, const Err *err) {
    ApiErrorType type = API_EXECUTION;
    if (err->code == ERR_TIMEOUT) type = API_TIMEOUT;
    if (err->code == ERR_CANCELLED) type = API_CANCELED;
    if (err->code == ERR_IO || err->code == ERR_CORRUPT || err->code == ERR_INTERNAL) type = API_INTERNAL;
    if (err->code == ERR_UNAVAILABLE) type = API_UNAVAILABLE;
    write_error(c, type, str_cstr(err->msg));
    return false;
}

void api_warn(ApiCall *c, Str text) { vec_push(&c->warnings, text); }

/* --- the envelope --- */

static void put_notes(JsonWriter *w, const char *key, const char *word, const Str *v, size_t n) {
    enum { SHOWN_MAX = 10 };
    if (n == 0) return;
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) json_str(w, v[i]);
    if (n > SHOWN_MAX) {
        char more[64];
        snprintf(more, sizeof more, "%zu more %s annotations omitted", n - SHOWN_MAX, word);
        json_str(w, str_cstr(more));
    }
    json_end_array(w);
}

static void put_cors(HttpRequest *req, HttpResponse *res) {
    http_set_header(res, STR("Vary"), STR("Origin"));
    if (!http_header(req, STR("Origin")).n) return;
    http_set_header(res, STR("Access-Control-Allow-Origin"), STR("*"));
    http_set_header(res, STR("Access-Control-Allow-Headers"), STR("Accept, Authorization, Content-Type, Origin"));
    http_set_header(res, STR("Access-Control-Allow-Methods"), STR("GET, POST, OPTIONS"));
    http_set_header(res, STR("Access-Control-Expose-Headers"), STR("Date"));
}

bool api_is_ready(const PromApi *api) { return !api->opts.ready || api->opts.ready(api->opts.ctx); }

void api_handle(void *ctx, HttpRequest *req, HttpResponse *res) {
    const ApiRoute *route = ctx;
    ApiCall c = {.api = route->api, .req = req, .res = res, .w = json_writer(&res->body)};
    put_cors(req, res);
    if (req->method == HTTP_OPTIONS) {
        res->status = 204;
        return;
    }
    if (!api_is_ready(route->api) && route->fn != api_walreplay) {
        http_reply_text(res, 503, "Service Unavailable");
        return;
    }
    res->status = 200;
    res->content_type = STR("application/json");
    json_begin_object(&c.w);
    json_key_lit(&c.w, "status");
    json_str(&c.w, STR("success"));
    json_key_lit(&c.w, "data");
    bool ok = route->fn(&c);
    ASSERT(ok || c.failed);
    if (ok && c.no_data) {
        buf_clear(&res->body);
        res->status = 204;
        res->content_type = STR_NULL;
    } else if (ok && !c.whole) {
        put_notes(&c.w, "warnings", "warning", c.warnings.v, c.warnings.n);
        put_notes(&c.w, "infos", "info", c.infos.v, c.infos.n);
        json_end_object(&c.w);
    }
    vec_done(&c.warnings);
    vec_done(&c.infos);
}
