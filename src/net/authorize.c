/* authorize.c - may this request reach its route? */
#include "net/auth_int.h"
#include "net/net_int.h"

/* A proxy on this machine makes every client look local; it says so in these headers. */
static bool is_forwarded(const HttpRequest *req) {
    return http_header(req, STR("x-forwarded-for")).p || http_header(req, STR("forwarded")).p ||
           http_header(req, STR("x-real-ip")).p;
}

static ErrCode refuse(Exchange *x, const Err *err) {
    /* Browsers would show their own dialogue on the UI's port. */
    if (err->code == ERR_UNAUTHENTICATED && !x->listener->require_role && !x->grpc)
        http_set_header(&x->res, STR("WWW-Authenticate"), STR("Basic realm=\"meerkat\""));
    return exchange_fail(x, err->code, 0, "%s", err->msg);
}

static ErrCode check_rights(Exchange *x, const AuthIdentity *id) {
    HttpRequest *req = &x->req;
    Err err = {0};
    bool reads = req->method & (HTTP_GET | HTTP_HEAD | HTTP_OPTIONS);
    if (id->by_cookie && !reads && !auth_origin_ok(req)) {
        err_set(&err, ERR_FORBIDDEN, "Origin does not match this host");
        return refuse(x, &err);
    }
    if (req->role >= x->match.route->role) return OK;
    if (req->role == ROLE_NONE)
        err_set(&err, ERR_UNAUTHENTICATED, "Unauthorized");
    else
        err_set(&err, ERR_FORBIDDEN, "this needs more rights than yours");
    return refuse(x, &err);
}

ErrCode exchange_authorize(Exchange *x, bool may_block) {
    HttpRequest *req = &x->req;
    Auth *auth = x->server->opts.auth;
    if (!auth) {
        req->role = ROLE_ADMIN;
        return OK;
    }
    bool local = auth_loopback_open(auth) && !x->listener->require_role && auth_peer_is_loopback(req->peer) &&
                 !is_forwarded(req);
    bool open = local || (x->listener->open && x->match.route->role <= ROLE_EDITOR);
    AuthIdentity id;
    Err err = {0};
    ErrCode code = auth_identity(auth, req, may_block, &id, &err);
    if (open) {
        /* Credentials meant for another system (an exporter's header) do no harm here. */
        req->role = local ? ROLE_ADMIN : ROLE_EDITOR;
        if (code == OK && id.user[0]) req->user = arena_copy(x->head, str_cstr(id.user));
        return OK;
    }
    x->needs_slow_auth = code == OK && id.needs_slow;
    if (x->needs_slow_auth) return OK;
    if (code != OK && x->match.route->role == ROLE_NONE && code == ERR_UNAUTHENTICATED) return OK;
    if (code != OK) return refuse(x, &err);
    req->role = id.role;
    if (id.user[0]) req->user = arena_copy(x->head, str_cstr(id.user));
    return check_rights(x, &id);
}
