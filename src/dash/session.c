/* session.c - signing in and out, who am I, password, preferences: JSON over HTTP. */
#include "base/json.h"
#include "dash/prefs.h"
#include "dash/ui_int.h"

#include <sodium.h>

#define COOKIE "meerkat_session"
#define COOKIE_MAX_AGE_S 604800
#define CREDENTIALS_BYTES_MAX ((size_t)8 << 10)

static void reply_json(HttpResponse *res, int status, const Buf *body) {
    http_reply(res, status, STR("application/json"), buf_str(body));
    http_set_header(res, STR("Cache-Control"), STR("no-store"));
}

static void reply_error(HttpResponse *res, const Err *err) {
    Buf b = {0};
    JsonWriter w = json_writer(&b);
    json_begin_object(&w);
    json_key_lit(&w, "error");
    json_str(&w, str_cstr(err->msg));
    json_end_object(&w);
    reply_json(res, err_http_status(err->code), &b);
    if (err->code == ERR_OVERLOADED) http_set_header(res, STR("Retry-After"), STR("60"));
    buf_done(&b);
}

static void fail(HttpResponse *res, ErrCode code, const char *msg) {
    Err err = {0};
    err_set(&err, code, "%s", msg);
    reply_error(res, &err);
}

/* Behind a proxy that ends TLS the browser speaks https all the same. */
static bool is_https(const HttpRequest *req) {
    return req->tls || str_eq_nocase(http_header(req, STR("x-forwarded-proto")), STR("https"));
}

static void set_cookie(const Dash *d, const HttpRequest *req, HttpResponse *res, const char *value, int max_age_s) {
    Str cookie = arena_printf(req->arena, COOKIE "=%s; Path=%s/; Max-Age=%d; HttpOnly; SameSite=Lax%s", value,
        d->prefix, max_age_s, is_https(req) ? "; Secure" : "");
    if (cookie.p)
        http_add_header(res, STR("Set-Cookie"), cookie);
    else
        fail(res, ERR_TOO_LARGE, "the request is too large");
}

static void put_session(const Dash *d, Str user, Role role, Buf *out) {
    JsonWriter w = json_writer(out);
    json_begin_object(&w);
    json_key_lit(&w, "user");
    json_str(&w, user);
    json_key_lit(&w, "role");
    json_str(&w, str_cstr(users_role_name(role)));
    json_key_lit(&w, "password_is_default");
    json_bool(&w, str_eq_lit(user, "admin") && auth_password_is_default(d->auth));
    json_key_lit(&w, "ports");
    json_begin_object(&w);
    for (size_t i = 0; i < d->n_ports; i++) {
        json_key(&w, str_cstr(d->ports[i].name));
        json_u64(&w, d->ports[i].port);
    }
    json_end_object(&w);
    json_key_lit(&w, "version");
    json_str(&w, str_cstr(d->version));
    json_end_object(&w);
}

static void reply_session(const Dash *d, Str user, Role role, HttpResponse *res) {
    Buf b = {0};
    put_session(d, user, role, &b);
    reply_json(res, 200, &b);
    buf_done(&b);
}

/* Two string members of the JSON object in the body. */
static ErrCode read_pair(HttpRequest *req, Str key1, Str key2, Str *ret1, Str *ret2, Err *reterr) {
    if (!str_eq_lit(http_media_type(req), "application/json"))
        return err_set(reterr, ERR_UNSUPPORTED, "send application/json");
    Str body;
    JsonValue *v;
    ErrCode code = http_body_decoded(req, CREDENTIALS_BYTES_MAX, &body, reterr);
    if (code == OK) code = json_parse(body, req->arena, &v, reterr);
    if (code != OK) return code;
    *ret1 = json_get_str(v, key1);
    *ret2 = json_get_str(v, key2);
    if (ret1->p && ret2->p) return OK;
    return err_set(reterr, ERR_INVALID,
        "the body is a JSON object with the strings \"%" STR_FMT "\" and \"%" STR_FMT "\"", STR_ARG(key1),
        STR_ARG(key2));
}

static void sign_in(void *ctx, HttpRequest *req, HttpResponse *res) {
    Dash *d = ctx;
    Str user, password;
    Role role;
    Err err = {0};
    if (http_header(req, STR("origin")).p && !auth_origin_ok(req)) {
        fail(res, ERR_FORBIDDEN, "Origin does not match this host");
        return;
    }
    ErrCode code = read_pair(req, STR("user"), STR("password"), &user, &password, &err);
    if (code == OK) code = auth_check_password(d->auth, user, password, req->peer, &role, &err);
    if (code != OK) {
        reply_error(res, &err);
        return;
    }
    char cookie[65];
    auth_session_create(d->auth, user, role, cookie);
    reply_session(d, user, role, res);
    set_cookie(d, req, res, cookie, COOKIE_MAX_AGE_S);
    sodium_memzero(cookie, sizeof(cookie));
}

static Str session_cookie(const HttpRequest *req) {
    for (size_t i = 0; i < req->n_headers; i++) {
        if (!str_eq_nocase(req->headers[i].name, STR("cookie"))) continue;
        Str rest = req->headers[i].value, part;
        while (str_split_next(&rest, ';', &part)) {
            part = str_trim(part);
            if (str_starts_with(part, STR(COOKIE "="))) return str_skip(part, sizeof(COOKIE));
        }
    }
    return STR_NULL;
}

static void sign_out(void *ctx, HttpRequest *req, HttpResponse *res) {
    Dash *d = ctx;
    Str cookie = session_cookie(req);
    if (cookie.n) auth_session_drop(d->auth, cookie);
    set_cookie(d, req, res, "", 0);
    res->status = 204;
}

/* The sign-in page asks with anonymous=ok: "nobody" is no failure there, and browsers log failures. */
static void session(void *ctx, HttpRequest *req, HttpResponse *res) {
    if (req->role != ROLE_NONE) {
        reply_session(ctx, req->user, req->role, res);
    } else if (str_eq_lit(http_param(req, STR("anonymous")), "ok")) {
        http_reply(res, 200, STR("application/json"), STR("null"));
        http_set_header(res, STR("Cache-Control"), STR("no-store"));
    } else {
        fail(res, ERR_UNAUTHENTICATED, "not signed in");
    }
}

static void change_password(void *ctx, HttpRequest *req, HttpResponse *res) {
    Dash *d = ctx;
    Str old, fresh;
    Role role;
    Err err = {0};
    if (req->user.n == 0) {
        fail(res, ERR_UNAUTHENTICATED, "not signed in");
        return;
    }
    ErrCode code = read_pair(req, STR("old"), STR("new"), &old, &fresh, &err);
    if (code == OK) code = users_change_password(d->meta, d->auth, req->user, old, fresh, req->peer, &role, &err);
    /* 401 would tell the page that its session has ended. */
    if (code == ERR_UNAUTHENTICATED) err.code = ERR_FORBIDDEN;
    if (code != OK) {
        reply_error(res, &err);
        return;
    }
    char cookie[65];
    auth_session_create(d->auth, req->user, role, cookie);
    reply_session(d, req->user, role, res);
    set_cookie(d, req, res, cookie, COOKIE_MAX_AGE_S);
    sodium_memzero(cookie, sizeof(cookie));
}

static void get_preferences(void *ctx, HttpRequest *req, HttpResponse *res) {
    Dash *d = ctx;
    Buf b = {0};
    Err err = {0};
    if (prefs_get(d->meta, req->user, &b, &err) == OK)
        reply_json(res, 200, &b);
    else
        reply_error(res, &err);
    buf_done(&b);
}

static void put_preferences(void *ctx, HttpRequest *req, HttpResponse *res) {
    Dash *d = ctx;
    Str body;
    Err err = {0};
    ErrCode code = http_body_decoded(req, PREFS_BYTES_MAX, &body, &err);
    if (code == OK) code = prefs_set(d->meta, req->user, body, req->arena, &err);
    if (code != OK)
        reply_error(res, &err);
    else
        res->status = 204;
}

void session_routes(Dash *d, Router *r) {
    /* Hashing and the database block, so all of them run on the workers of queries. */
    const Route routes[] = {
        {HTTP_POST, "/login", sign_in, d, ROUTE_QUERY, CREDENTIALS_BYTES_MAX, ROLE_NONE, 1 << 20},
        {HTTP_POST, "/logout", sign_out, d, ROUTE_QUERY, 1024, ROLE_NONE, 1 << 20},
        {HTTP_GET, "/api/meerkat/v1/session", session, d, ROUTE_QUERY, 1024, ROLE_NONE, 1 << 20},
        {HTTP_POST, "/api/meerkat/v1/password", change_password, d, ROUTE_QUERY, CREDENTIALS_BYTES_MAX, ROLE_VIEWER,
            1 << 20},
        {HTTP_GET, "/api/meerkat/v1/preferences", get_preferences, d, ROUTE_QUERY, 1024, ROLE_VIEWER, 1 << 20},
        {HTTP_PUT, "/api/meerkat/v1/preferences", put_preferences, d, ROUTE_QUERY, PREFS_BYTES_MAX, ROLE_VIEWER,
            4 << 20},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) router_add(r, &routes[i]);
}
