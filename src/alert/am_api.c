/* am_api.c - routes of API v2, answers and errors in the original's words, status and receivers. */
#include "alert/am_api_int.h"

#include "alert/gojson_scan.h"

#include "codec/regex.h"
#include "sys/clock.h"

#include <stdarg.h>
#include <stdlib.h>

/* --- answers --- */

static bool needs_escape(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '&' || (uint8_t)s.p[i] == 0xE2) return true;
    }
    return false;
}

/* These stand in strings only, so the whole text can be gone through. */
static void escape_html(Buf *b) {
    Buf out = {0};
    buf_reserve(&out, b->n + b->n / 8);
    for (size_t i = 0; i < b->n; i++) {
        char c = b->p[i];
        if (c == '<' || c == '>' || c == '&') {
            buf_printf(&out, "\\u%04x", (unsigned)c);
        } else if ((uint8_t)c == 0xE2 && i + 2 < b->n && (uint8_t)b->p[i + 1] == 0x80 &&
                   ((uint8_t)b->p[i + 2] | 1) == 0xA9) {
            buf_printf(&out, "\\u202%c", (uint8_t)b->p[i + 2] == 0xA8 ? '8' : '9');
            i += 2;
        } else {
            buf_put_char(&out, c);
        }
    }
    buf_done(b);
    *b = out;
}

void am_api_json(HttpResponse *res, int status) {
    if (needs_escape(buf_str(&res->body))) escape_html(&res->body);
    buf_put_char(&res->body, '\n');
    res->status = status;
    res->content_type = STR("application/json");
    http_set_header(res, STR("Cache-Control"), STR("no-store"));
}

void am_api_text_error(HttpResponse *res, int status, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_clear(&res->body);
    json_put_string(&res->body, str_cstr(text));
    am_api_json(res, status);
}

void am_api_error(HttpResponse *res, int status, int code, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_clear(&res->body);
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "code");
    json_i64(&w, code);
    json_key_lit(&w, "message");
    json_str(&w, str_cstr(text));
    json_end_object(&w);
    am_api_json(res, status);
    res->body.n--; /* without the newline */
}

/* --- requests --- */

/* A sender's broken characters must not cost its alerts: they become U+FFFD, as in the original. */
static Str repair_utf8(Str s, Arena *arena) { return str_is_utf8(s) ? s : arena_copy_utf8(arena, s); }

bool am_api_body(HttpRequest *req, HttpResponse *res, const char *what, Str *ret) {
    Err err = {0};
    ErrCode rc = http_body_decoded(req, AM_BODY_MAX, ret, &err);
    if (rc) {
        am_api_error(res, err_http_status(rc), err_http_status(rc), "%s", err.msg);
        return false;
    }
    if (!str_trim(*ret).n) { /* blanks are nothing, too */
        am_api_error(res, 422, 602, "%s in body is required", what);
        return false;
    }
    Str type = http_media_type(req);
    if (str_eq_lit(type, "application/json")) {
        *ret = repair_utf8(*ret, req->arena);
        if (ret->n) return true;
        am_api_error(res, 413, 413, "the request is too large");
        return false;
    }
    if (!type.n) type = STR("application/octet-stream");
    am_api_error(
        res, 415, 415, "unsupported media type \"%" STR_FMT "\", only [application/json] are allowed", STR_ARG(type));
    return false;
}

/* Go finds fields by names of any case. */
static void fold_keys(JsonValue *v, int depth) {
    static const char *const names[] = {"annotations", "comment", "createdBy", "endsAt", "generatorURL", "id",
        "isEqual", "isRegex", "labels", "matchers", "name", "startsAt", "value"};
    for (JsonValue *i = v->kind == JSON_K_OBJECT || v->kind == JSON_K_ARRAY ? v->first : NULL; i; i = i->next) {
        bool is_map = false; /* of labels: names of one's own */
        for (size_t k = 0; v->kind == JSON_K_OBJECT && k < ARRAY_LEN(names); k++) {
            if (!str_eq_nocase(i->key, str_cstr(names[k]))) continue;
            i->key = str_cstr(names[k]);
            is_map = str_eq_lit(i->key, "labels") || str_eq_lit(i->key, "annotations");
            break;
        }
        if (depth && !is_map) fold_keys(i, depth - 1);
    }
}

/* The original's decoder reads one value and leaves what follows alone. */
bool am_api_parse(HttpRequest *req, HttpResponse *res, const char *what, Str body, JsonValue **ret) {
    Err err = {0};
    size_t end;
    ErrCode rc = gojson_scan(body, GOJSON_DECODER, &end, &err);
    if (rc == OK) rc = json_parse(str_slice(body, 0, end), req->arena, ret, &err);
    if (rc == OK) {
        fold_keys(*ret, 2);
        return true;
    }
    int status = rc == ERR_TOO_LARGE ? 413 : 400;
    am_api_error(res, status, status, "parsing %s body from \"\" failed, because %s", what, err.msg);
    return false;
}

bool am_api_bool(HttpRequest *req, const char *name, bool fallback) {
    static const char *const yes[] = {"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"};
    Str v = http_param(req, str_cstr(name));
    if (!v.n) return fallback;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(v, str_cstr(yes[i]))) return true;
    }
    return false;
}

bool am_api_filter(
    Alertmanager *am, HttpRequest *req, HttpResponse *res, const char *name, const char *prefix, Matchers *ret) {
    Str texts[128];
    size_t n = http_params(req, str_cstr(name), texts, ARRAY_LEN(texts));
    const Matcher **v = ARENA_ARRAY(req->arena, const Matcher *, n);
    if (n == ARRAY_LEN(texts)) {
        am_api_text_error(res, 400, "%smore than %zu matchers", prefix, n - 1);
        return false;
    }
    for (size_t i = 0; v && i < n; i++) {
        Err err = {0};
        if (ammatch_parse_one(texts[i], am->mode, req->arena, &v[i], &err) == OK) continue;
        am_api_text_error(res, 400, "%s%s", prefix, err.msg);
        return false;
    }
    *ret = (Matchers){v, v ? n : 0};
    return true;
}

static void free_regex(void *re) { regex_free(re); }

bool am_api_regex(HttpRequest *req, HttpResponse *res, const char *name, const Regex **ret) {
    *ret = NULL;
    Str text = http_param(req, str_cstr(name));
    if (!text.n) return true;
    Regex *re;
    Err err = {0};
    Str wrapped = arena_printf(req->arena, "^(?:%" STR_FMT ")$", STR_ARG(text));
    if (!wrapped.p || regex_compile(wrapped, 0, &re, &err)) {
        am_api_text_error(res, 400, "failed to parse %s param: %s", name, err.msg);
        return false;
    }
    arena_defer(req->arena, free_regex, re);
    *ret = re;
    return true;
}

/* --- values --- */

void am_put_time(JsonWriter *w, int64_t ns) {
    Buf b = {0};
    if (ns)
        time_put_rfc3339_ms(&b, ns);
    else
        buf_put_lit(&b, "0001-01-01T00:00:00.000Z");
    json_str(w, buf_str(&b));
    buf_done(&b);
}

void am_put_key_time(JsonWriter *w, const char *key, int64_t ns) {
    if (!ns) return;
    json_key(w, str_cstr(key));
    am_put_time(w, ns);
}

void am_put_label_object(JsonWriter *w, Labels l) {
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}

void am_put_duration(JsonWriter *w, const char *key, int64_t ms) {
    Buf b = {0};
    duration_put_prom(&b, ms);
    json_key(w, str_cstr(key));
    json_str(w, buf_str(&b));
    buf_done(&b);
}

void am_put_fp(JsonWriter *w, uint64_t fp) {
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)fp);
    json_str(w, str_cstr(text));
}

bool am_parse_datetime(Str s, int64_t *ret_ns) {
    *ret_ns = 0;
    if (!s.n || str_starts_with(s, STR("0001-01-01T00:00:00"))) return true;
    char b[48];
    if (s.n < 16 || s.n > 40) return false;
    memcpy(b, s.p, s.n);
    size_t n = s.n;
    if (b[10] == ' ') b[10] = 'T';
    bool zulu = b[n - 1] == 'Z' || b[n - 1] == 'z';
    if (n == 16 || (n == 17 && zulu)) { /* without seconds */
        memcpy(b + 16, ":00Z", 4);
        n = 20;
    } else if (!zulu && (b[n - 5] == '+' || b[n - 5] == '-') && n > 21) { /* +0100 */
        b[n] = b[n - 1];
        b[n - 1] = b[n - 2];
        b[n - 2] = ':';
        n++;
    } else if (!zulu && b[n - 6] != '+' && b[n - 6] != '-') {
        b[n++] = 'Z';
    }
    return time_parse_rfc3339(str_of(b, n), ret_ns);
}

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

bool am_json_labels(const JsonValue *v, Arena *arena, bool drop_empty, Labels *ret, JsonKind *ret_wrong) {
    *ret = (Labels){0};
    if (!v || v->kind == JSON_K_NULL) return true;
    if (v->kind != JSON_K_OBJECT) {
        *ret_wrong = v->kind;
        return false;
    }
    Label *out = ARENA_ARRAY(arena, Label, v->n);
    size_t n = 0, kept = 0;
    bool sorted = true;
    for (const JsonValue *i = v->first; out && i; i = i->next) {
        if (i->kind != JSON_K_STRING && i->kind != JSON_K_NULL) {
            *ret_wrong = i->kind;
            return false;
        }
        out[n] = (Label){i->key, i->kind == JSON_K_STRING ? i->text : STR("")};
        sorted = sorted && (!n || str_cmp(out[n - 1].name, out[n].name) < 0);
        n++;
    }
    if (!sorted) { /* of doubles the last one counts: a stable sort by insertion, the sets are small */
        if (n > 64) qsort(out, n, sizeof *out, by_name);
        for (size_t i = 1; n <= 64 && i < n; i++) {
            Label l = out[i];
            size_t k = i;
            for (; k > 0 && str_cmp(out[k - 1].name, l.name) > 0; k--) out[k] = out[k - 1];
            out[k] = l;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && str_eq(out[i].name, out[i + 1].name)) continue;
        if (!drop_empty || out[i].value.n) out[kept++] = out[i];
    }
    *ret = (Labels){out, kept};
    return out != NULL || v->n == 0;
}

/* --- status, receivers, what is not there --- */

static void handle_status(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    (void)req;
    JsonWriter w = json_writer(&res->body);
    mutex_lock(&am->mutex);
    json_begin_object(&w);
    json_key_lit(&w, "cluster");
    am_cluster_put_status(am, &w);
    json_key_lit(&w, "config");
    json_begin_object(&w);
    json_key_lit(&w, "original");
    json_str(&w, am->config->shown);
    json_end_object(&w);
    json_key_lit(&w, "uptime");
    am_put_time(&w, am->started_ns);
    json_key_lit(&w, "versionInfo");
    json_begin_object(&w);
    static const char *const empty[] = {"branch", "buildDate", "buildUser", "goVersion", "revision"};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        json_key(&w, str_cstr(empty[i]));
        json_str(&w, STR(""));
    }
    json_key_lit(&w, "version");
    json_str(&w, am->version);
    json_end_object(&w);
    json_end_object(&w);
    mutex_unlock(&am->mutex);
    am_api_json(res, 200);
}

/* The original counts the receiver's name among its labels. */
Labels am_receiver_labels(const Receiver *r, Arena *arena) {
    Label *v = ARENA_ARRAY(arena, Label, r->labels.n + 1);
    size_t n = 0;
    for (size_t i = 0; v && i < r->labels.n; i++) {
        if (!str_eq_lit(r->labels.v[i].name, "name")) v[n++] = r->labels.v[i];
    }
    if (!v) return (Labels){0};
    v[n++] = (Label){STR("name"), r->name};
    qsort(v, n, sizeof *v, by_name);
    return (Labels){v, n};
}

static void handle_receivers(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Matchers ms;
    if (!am_api_filter(am, req, res, "receiver_matchers", "failed to parse receiver_matchers param: ", &ms)) return;
    JsonWriter w = json_writer(&res->body);
    json_begin_array(&w);
    mutex_lock(&am->mutex);
    for (size_t i = 0; i < am->config->receivers.n; i++) {
        const Receiver *r = &am->config->receivers.v[i];
        Labels l = am_receiver_labels(r, req->arena);
        if (!ammatch_filter(ms, l)) continue;
        json_begin_object(&w);
        json_key_lit(&w, "labels");
        am_put_label_object(&w, l);
        json_key_lit(&w, "name");
        json_str(&w, r->name);
        json_end_object(&w);
    }
    mutex_unlock(&am->mutex);
    json_end_array(&w);
    am_api_json(res, 200);
}

static void handle_unknown(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    am_api_error(res, 404, 404, "path %" STR_FMT " was not found", STR_ARG(req->path));
}

static void handle_wrong_method(void *ctx, HttpRequest *req, HttpResponse *res) {
    const char *allowed = ctx;
    am_api_error(res, 405, 405, "method %s is not allowed, but [%s] are", http_method_name(req->method), allowed);
    http_set_header(res, STR("Allow"), str_cstr(allowed));
}

/* A page's question whether it may ask, which comes without credentials; anything else is a wrong method. */
static void handle_options(void *ctx, HttpRequest *req, HttpResponse *res) {
    if (http_header(req, STR("access-control-request-method")).p)
        res->status = 204;
    else
        handle_wrong_method(ctx, req, res);
}

static void handle_v1(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    (void)req;
    buf_put_lit(&res->body,
        "{\"status\":\"deprecated\",\"error\":\"The Alertmanager v1 API was deprecated in version 0.16.0 and is "
        "removed as of version 0.27.0 - please use the equivalent route in the v2 API\"}");
    am_api_json(res, 410);
}

#define ALL_METHODS (HTTP_GET | HTTP_HEAD | HTTP_POST | HTTP_PUT | HTTP_DELETE | HTTP_PATCH)

const double am_http_bounds[AM_HTTP_BUCKETS - 1] = {0.05, 0.1, 0.25, 0.5, 0.75, 1};
const double am_size_bounds[AM_HTTP_BUCKETS - 1] = {100, 1000, 10000, 100000, 1000000, 10000000};

static size_t bucket_of(const double *bounds, double v) {
    size_t i = 0;
    while (i < AM_HTTP_BUCKETS - 1 && v > bounds[i]) i++;
    return i;
}

/* Whether an Accept header takes JSON; one that is not there takes anything. */
static bool takes_json(const HttpRequest *req) {
    Str rest = http_header(req, STR("accept")), part;
    if (!str_trim(rest).n) return true;
    while (rest.n && str_split_next(&rest, ',', &part)) {
        size_t semicolon = str_find_char(part, ';');
        Str range = str_trim(semicolon == SIZE_MAX ? part : str_slice(part, 0, semicolon));
        if (str_eq_lit(range, "*/*") || str_eq_nocase(range, STR("application/*")) ||
            str_eq_nocase(range, STR("application/json")))
            return true;
    }
    return false;
}

static void measured(void *ctx, HttpRequest *req, HttpResponse *res) {
    AmEndpoint *e = ctx;
    int64_t began = clock_mono_ns();
    atomic_fetch_add(&e->in_flight, 1);
    if (req->method != HTTP_GET || takes_json(req))
        e->fn(e->am, req, res);
    else
        am_api_error(res, 406, 406, "unsupported media type requested, only [application/json] are available");
    atomic_fetch_sub(&e->in_flight, 1);
    int64_t took = clock_mono_ns() - began;
    atomic_fetch_add(&e->count, 1);
    atomic_fetch_add(&e->took_us, (uint64_t)(took / 1000));
    atomic_fetch_add(&e->bytes, res->body.n);
    atomic_fetch_add(&e->bucket[bucket_of(am_http_bounds, (double)took / 1e9)], 1);
    atomic_fetch_add(&e->size_bucket[bucket_of(am_size_bounds, (double)res->body.n)], 1);
}

/* Of one endpoint there is one count, on however many ports it answers. */
static AmEndpoint *endpoint(Alertmanager *am, const char *pattern, const char *method, HttpHandler fn) {
    for (size_t i = 0; i < am->n_endpoints; i++) {
        AmEndpoint *e = &am->endpoints[i];
        if (strcmp(e->path, pattern) == 0 && strcmp(e->method, method) == 0) return e;
    }
    ASSERT(am->n_endpoints < AM_ENDPOINTS_MAX);
    AmEndpoint *e = &am->endpoints[am->n_endpoints++];
    e->am = am;
    e->fn = fn;
    e->path = pattern;
    e->method = method;
    return e;
}

/* The endpoint's count goes by path, the route by pattern. */
static void add(
    Router *r, unsigned methods, const char *path, const char *pattern, HttpHandler fn, Alertmanager *am, Role role) {
    bool write = methods & (HTTP_POST | HTTP_DELETE);
    AmEndpoint *ctx = endpoint(am, path, methods & HTTP_GET ? "get" : methods & HTTP_POST ? "post" : "delete", fn);
    router_add(r, &(Route){.methods = methods,
                      .pattern = pattern,
                      .handler = measured,
                      .ctx = ctx,
                      .cls = write ? ROUTE_INGEST : ROUTE_QUERY,
                      .max_body_bytes = write ? AM_BODY_MAX : 0,
                      .role = role,
                      .arena_bytes = (size_t)512 << 20});
}

/* A path and the answer to all other methods. */
static void add_pattern(Router *r, Alertmanager *am, const char *path, const char *pattern, HttpHandler get,
    HttpHandler post, HttpHandler del) {
    unsigned have = 0;
    if (get) add(r, HTTP_GET, path, pattern, get, am, ROLE_VIEWER), have |= HTTP_GET;
    if (post) add(r, HTTP_POST, path, pattern, post, am, ROLE_EDITOR), have |= HTTP_POST;
    if (del) add(r, HTTP_DELETE, path, pattern, del, am, ROLE_EDITOR), have |= HTTP_DELETE;
    static const char *const names[] = {"GET", "GET,POST", "DELETE,GET"};
    const char *allowed = names[post ? 1 : del ? 2 : 0];
    union {
        const char *in;
        void *out;
    } text = {allowed};
    router_add(r, &(Route){.methods = HTTP_OPTIONS,
                      .pattern = pattern,
                      .handler = handle_options,
                      .ctx = text.out,
                      .cls = ROUTE_INSTANT});
    router_add(r, &(Route){.methods = ALL_METHODS & ~have,
                      .pattern = pattern,
                      .handler = handle_wrong_method,
                      .ctx = text.out,
                      .cls = ROUTE_INSTANT,
                      .role = ROLE_VIEWER});
}

/* The original takes a slash at the end as well. */
#define ADD_PATH(path, get, post, del)                                                                                 \
    do {                                                                                                               \
        add_pattern(r, am, path, path, get, post, del);                                                                \
        add_pattern(r, am, path, path "/", get, post, del);                                                            \
    } while (0)

void alertmanager_routes(Alertmanager *am, Router *r) {
    ADD_PATH("/api/v2/status", handle_status, NULL, NULL);
    ADD_PATH("/api/v2/receivers", handle_receivers, NULL, NULL);
    ADD_PATH("/api/v2/alerts", am_api_alerts, am_api_post_alerts, NULL);
    ADD_PATH("/api/v2/alerts/groups", am_api_groups, NULL, NULL);
    ADD_PATH("/api/v2/silences", am_api_silences, am_api_post_silence, NULL);
    ADD_PATH("/api/v2/silence/{id}", am_api_silence, NULL, am_api_delete_silence);
    router_add(r,
        &(Route){
            .methods = ALL_METHODS, .pattern = "/api/v2/{rest...}", .handler = handle_unknown, .cls = ROUTE_INSTANT});
    am_own_routes(am, r);
    am_heart_routes(am, r);
    am_cluster_routes(am, r);
}

void alertmanager_v1_routes(Router *r) {
    static const char *const paths[] = {
        "/api/v1/receivers", "/api/v1/alerts", "/api/v1/silences", "/api/v1/silence/{id}", "/api/v1/status"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        router_add(r, &(Route){.methods = HTTP_GET | HTTP_POST | HTTP_DELETE,
                          .pattern = paths[i],
                          .handler = handle_v1,
                          .cls = ROUTE_INSTANT});
    }
}
