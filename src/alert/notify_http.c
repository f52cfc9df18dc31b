/* notify_http.c - http_config as a request, and what an answer means. */
#include "alert/notify_int.h"
#include "base/json.h"
#include "sys/thread.h"

#include <stdio.h>

#define USER_AGENT "User-Agent: Alertmanager/0.34.0"
#define ANSWER_MAX (1u << 20)
#define HEADERS_MAX 40
#define OAUTH2_GOOD_S 86400 /* of a token whose end is not said: until it is refused, but not for ever */
#define OAUTH2_EARLY_S 10   /* as Go's: a token must not end on the way */

const int notify_retry_429[] = {429, 0};

const char *notify_reason_of(int status) {
    if (status == 401 || status == 403) return "authError";
    if (status == 429) return "rateLimited";
    return status / 100 == 4 ? "clientError" : status / 100 == 5 ? "serverError" : "other";
}

typedef struct OauthUse {
    Str key, token; /* what the token is kept under */
    bool kept;      /* it is one of before: the server may have forgotten it */
} OauthUse;

typedef struct Outgoing {
    OauthUse oauth;
    HttpClientRequest req;
    const char *headers[HEADERS_MAX + 1];
    size_t n_headers;
} Outgoing;

static void add_header(Outgoing *o, const char *line) {
    if (o->n_headers < HEADERS_MAX) o->headers[o->n_headers++] = line;
}

/* --- waiting --- */

typedef struct Wait {
    Mutex lock;
    Cond done;
    bool ready;
    Notify *n;
    ErrCode code;
    NotifyAnswer answer;
    char error[256];
} Wait;

static void on_answer(void *ctx, const HttpClientResponse *res) {
    Wait *w = ctx;
    mutex_lock(&w->lock);
    w->code = res->code;
    snprintf(w->error, sizeof w->error, "%s", res->error);
    w->answer.status = res->status;
    w->answer.body = arena_copy(w->n->arena, res->body); /* whose owner waits */
    w->answer.content_type = arena_copy(w->n->arena, res->content_type);
    w->ready = true;
    cond_signal(&w->done);
    mutex_unlock(&w->lock);
}

static void fetch(Notify *n, const HttpClientRequest *req, Wait *w) {
    *w = (Wait){.n = n};
    mutex_init(&w->lock);
    cond_init(&w->done);
    http_client_start(n->client, req, on_answer, w);
    mutex_lock(&w->lock);
    while (!w->ready) cond_wait(&w->done, &w->lock);
    mutex_unlock(&w->lock);
    mutex_done(&w->lock);
    cond_done(&w->done);
}

/* --- http_config --- */

static bool text_or_file(Notify *n, Str text, Str file, Str *ret) {
    *ret = text;
    return text.n || !file.n || notify_read_file(n, file, ret);
}

static void set_tls(Notify *n, const PromTlsConfig *t, HttpClientRequest *r) {
    r->ca_file = notify_opt(n, t->ca_file);
    r->cert_file = notify_opt(n, t->cert_file);
    r->key_file = notify_opt(n, t->key_file);
    r->server_name = notify_opt(n, t->server_name);
    r->ca_pem = t->ca;
    r->cert_pem = t->cert;
    r->key_pem = t->key;
    r->tls_min_version = t->min_version;
    r->tls_max_version = t->max_version;
    r->insecure_skip_verify = t->insecure_skip_verify;
}

/* "Name: value" lines for CONNECT, NULL-terminated. */
static const char *const *connect_headers(Notify *n, const PromParams *p) {
    size_t count = 0, k = 0;
    for (size_t i = 0; i < p->n; i++) count += p->v[i].n;
    const char **v = count ? ARENA_ARRAY(n->arena, const char *, count + 1) : NULL;
    for (size_t i = 0; v && i < p->n; i++) {
        const char *name = arena_printf(n->arena, "%" STR_FMT ": ", STR_ARG(p->v[i].name)).p;
        for (size_t j = 0; j < p->v[i].n; j++) v[k++] = notify_cstr(n, name ? name : "", p->v[i].values[j]);
    }
    if (v) v[k] = NULL;
    return v;
}

static void set_proxy(Notify *n, const PromProxyConfig *p, HttpClientRequest *r) {
    r->proxy_url = notify_opt(n, p->url);
    r->no_proxy = notify_opt(n, p->no_proxy);
    r->proxy_from_environment = p->from_environment;
    r->proxy_headers = connect_headers(n, &p->connect_headers);
}

static void form_pair(Buf *b, const char *name, Str value) {
    if (b->n) buf_put_char(b, '&');
    buf_put(b, name, strlen(name));
    buf_put_char(b, '=');
    http_url_encode(b, value);
}

static Str oauth2_form(Notify *n, const PromOauth2 *o) {
    Buf form = {0}, scopes = {0};
    form_pair(&form, "grant_type", STR("client_credentials"));
    for (size_t i = 0; i < o->scopes.n; i++) buf_printf(&scopes, "%s%" STR_FMT, i ? " " : "", STR_ARG(o->scopes.v[i]));
    if (scopes.n) form_pair(&form, "scope", buf_str(&scopes));
    buf_done(&scopes);
    for (size_t i = 0; i < o->endpoint_params.n; i++)
        if (o->endpoint_params.v[i].n)
            form_pair(&form, notify_cstr(n, "", o->endpoint_params.v[i].name), o->endpoint_params.v[i].values[0]);
    return notify_copy_buf(n, &form);
}

/* The client-credentials grant (RFC 6749, 4.4). */
static bool oauth2_ask(Notify *n, const PromOauth2 *o, Str secret, Str form, Str *ret, int64_t *ret_good_s) {
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", USER_AGENT, NULL};
    HttpClientRequest req = {.method = "POST",
        .url = notify_opt(n, o->token_url),
        .headers = headers,
        .body = form,
        .timeout_ms = MAX(notify_left_ms(n), 1),
        .max_body_bytes = ANSWER_MAX,
        .username = notify_opt(n, o->client_id),
        .password = notify_cstr(n, "", secret)};
    set_proxy(n, &o->proxy, &req);
    set_tls(n, &o->tls, &req);
    Wait w;
    fetch(n, &req, &w);
    JsonValue *json = NULL;
    if (w.code || w.answer.status / 100 != 2)
        return notify_fail(
            n, "authError", true, "oauth2: cannot fetch token: %s (status %d)", w.error, w.answer.status);
    bool parsed = json_parse(w.answer.body, n->arena, &json, NULL) == OK;
    *ret = parsed ? json_get_str(json, STR("access_token")) : STR_NULL;
    if (!ret->n) return notify_fail(n, "authError", false, "oauth2: server response missing access_token");
    if (!json_get_i64(json, STR("expires_in"), ret_good_s) || *ret_good_s <= 0) *ret_good_s = OAUTH2_GOOD_S;
    return true;
}

/* One of before, while it is good. */
static bool oauth2_token(Notify *n, const PromOauth2 *o, Str *ret, OauthUse *use) {
    Str secret;
    if (!text_or_file(n, o->client_secret, o->client_secret_file, &secret)) return false;
    notify_hide(n, secret);
    Str form = oauth2_form(n, o);
    use->key = arena_printf(n->arena, "oauth2\n%" STR_FMT "\n%" STR_FMT "\n%" STR_FMT "\n%" STR_FMT,
        STR_ARG(o->token_url), STR_ARG(o->client_id), STR_ARG(secret), STR_ARG(form));
    use->kept = use->key.p && notify_token_get(n, use->key, ret);
    int64_t good_s = 0;
    if (!use->kept && !oauth2_ask(n, o, secret, form, ret, &good_s)) return false;
    if (!use->kept) notify_token_put(use->key, *ret, good_s - OAUTH2_EARLY_S);
    use->token = *ret;
    notify_hide(n, *ret);
    return true;
}

static bool set_credentials(Notify *n, const PromHttpConfig *h, Outgoing *o) {
    Str user, secret = STR_NULL;
    if (h->username.n || h->username_file.n || h->password.n || h->password_file.n) {
        if (!text_or_file(n, h->username, h->username_file, &user) ||
            !text_or_file(n, h->password, h->password_file, &secret))
            return false;
        o->req.username = notify_cstr(n, "", user);
        o->req.password = notify_cstr(n, "", secret);
    } else if (h->oauth2) {
        if (!oauth2_token(n, h->oauth2, &secret, &o->oauth)) return false;
        o->req.bearer_token = notify_cstr(n, "", secret);
    } else if (h->auth_type.n) {
        if (!text_or_file(n, h->credentials, h->credentials_file, &secret)) return false;
        Str line =
            arena_printf(n->arena, "Authorization: %" STR_FMT " %" STR_FMT, STR_ARG(h->auth_type), STR_ARG(secret));
        if (str_eq_lit(h->auth_type, "Bearer"))
            o->req.bearer_token = notify_cstr(n, "", secret);
        else
            add_header(o, line.p ? line.p : "");
    }
    notify_hide(n, secret);
    return true;
}

static bool set_headers(Notify *n, const PromHttpConfig *h, Outgoing *o) {
    for (size_t i = 0; i < h->n_headers; i++) {
        const PromHttpHeader *x = &h->headers[i];
        const char *name = arena_printf(n->arena, "%" STR_FMT ": ", STR_ARG(x->name)).p;
        if (!name) return false;
        for (size_t k = 0; k < x->values.n; k++) add_header(o, notify_cstr(n, name, x->values.v[k]));
        for (size_t k = 0; k < x->secrets.n; k++) {
            notify_hide(n, x->secrets.v[k]);
            add_header(o, notify_cstr(n, name, x->secrets.v[k]));
        }
        for (size_t k = 0; k < x->files.n; k++) {
            Str text;
            if (!notify_read_file(n, x->files.v[k], &text)) return false;
            notify_hide(n, text);
            add_header(o, notify_cstr(n, name, text));
        }
    }
    return true;
}

/* --- sending --- */

static bool preview(Notify *n, const NotifyHttp *h, NotifyAnswer *ret) {
    if (n->preview.n) buf_put_char(&n->preview, '\n');
    Str url = h->url_is_public ? h->url : STR("<secret>");
    buf_printf(&n->preview, "%s %" STR_FMT "\n", h->method ? h->method : "POST", STR_ARG(url));
    buf_printf(&n->preview, "Content-Type: %s\n\n", h->content_type ? h->content_type : "application/json");
    buf_put_str(&n->preview, h->body);
    if (h->body.n && h->body.p[h->body.n - 1] != '\n') buf_put_char(&n->preview, '\n');
    *ret = (NotifyAnswer){.status = 200};
    return true;
}

/* A receiver that has taken the message and then breaks off, dawdles or talks on without end must not get it again. */
static bool decided(const NotifyHttp *h, const Wait *w) {
    int kind = w->answer.status / 100;
    return !w->code || kind == 4 || kind == 5 || (kind == 2 && !h->reads_answer);
}

static bool judge(Notify *n, const NotifyHttp *h, const Wait *w) {
    const char *context = h->context ? h->context : "", *colon = h->context ? ": " : "";
    const char *method = h->method ? h->method : "POST";
    n->res->status = w->answer.status;
    if (!decided(h, w)) {
        const char *reason = w->code == ERR_TIMEOUT     ? "contextDeadlineExceeded"
                             : w->code == ERR_CANCELLED ? "contextCanceled"
                                                        : "other";
        return notify_fail(n, reason, true, "%s%s%s \"<redacted>\": %s", context, colon, method, w->error);
    }
    int status = w->answer.status;
    if (status / 100 == 2) return true;
    bool retry = status / 100 == 5;
    for (const int *code = h->retry_codes; code && *code; code++) retry = retry || *code == status;
    Buf details = {0};
    if (h->details)
        h->details(status, w->answer.body, &details);
    else
        buf_put_str(&details, w->answer.body);
    notify_fail(n, notify_reason_of(status), retry, "%s%sunexpected status code %d%s%.400s", context, colon, status,
        details.n ? ": " : "", buf_cstr(&details));
    buf_done(&details);
    return false;
}

static bool attempt(Notify *n, const NotifyHttp *h, Outgoing *o, Wait *w) {
    const PromHttpConfig *config = &n->config->http;
    *o = (Outgoing){.req = {.method = h->method ? h->method : "POST",
                        .url = notify_cstr(n, "", h->url),
                        .body = h->body,
                        .timeout_ms = notify_left_ms(n),
                        .max_body_bytes = ANSWER_MAX,
                        .no_follow_redirects = config->no_follow_redirects}};
    add_header(o, USER_AGENT);
    add_header(o, notify_cstr(n, "Content-Type: ", str_cstr(h->content_type ? h->content_type : "application/json")));
    for (size_t i = 0; i < ARRAY_LEN(h->headers) && h->headers[i]; i++) add_header(o, h->headers[i]);
    if (!set_credentials(n, config, o) || !set_headers(n, config, o)) return false;
    set_tls(n, &config->tls, &o->req);
    set_proxy(n, &config->proxy, &o->req);
    o->req.http1_only = config->no_http2;
    o->req.headers = o->headers;
    fetch(n, &o->req, w);
    return true;
}

bool notify_http(Notify *n, const NotifyHttp *h, NotifyAnswer *ret) {
    *ret = (NotifyAnswer){0};
    if (n->failed) return false;
    if (notify_dry(n)) return preview(n, h, ret);
    if (notify_left_ms(n) == 0) return notify_fail(n, "contextDeadlineExceeded", true, "context deadline exceeded");
    Outgoing o;
    Wait w;
    if (!attempt(n, h, &o, &w)) return false;
    if (w.answer.status == 401 && o.oauth.token.n) {
        notify_token_drop(o.oauth.key, o.oauth.token);
        if (o.oauth.kept && notify_left_ms(n) > 0 && !attempt(n, h, &o, &w)) return false;
    }
    *ret = w.answer;
    return judge(n, h, &w);
}

bool notify_post(Notify *n, Str url, Buf *body, const int *retry_codes) {
    NotifyAnswer ignored;
    NotifyHttp h = {.url = url, .body = notify_copy_buf(n, body), .retry_codes = retry_codes};
    return notify_http(n, &h, &ignored);
}
