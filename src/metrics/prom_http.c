#include "metrics/prom_http_int.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>

#define SECRET_BYTES_MAX 65536

ErrCode prom_http_secret(Str text, Str file, Arena *arena, const char **ret, Err *reterr) {
    *ret = NULL;
    if (!file.n) {
        if (text.n) *ret = arena_copy(arena, text).p;
        return OK;
    }
    Buf raw = {0};
    ErrCode code = fs_read_file(fs_real(), arena_copy(arena, file).p, SECRET_BYTES_MAX, &raw, reterr);
    if (code == OK) *ret = arena_copy(arena, str_trim(buf_str(&raw))).p;
    buf_done(&raw);
    return code;
}

static const char *text(Arena *arena, Str s) { return s.n ? arena_copy(arena, s).p : NULL; }

void prom_http_set_tls(HttpClientRequest *r, const PromTlsConfig *t, Arena *arena) {
    r->insecure_skip_verify = t->insecure_skip_verify;
    r->ca_file = text(arena, t->ca_file);
    r->cert_file = text(arena, t->cert_file);
    r->key_file = text(arena, t->key_file);
    r->server_name = text(arena, t->server_name);
    r->ca_pem = t->ca;
    r->cert_pem = t->cert;
    r->key_pem = t->key;
    r->tls_min_version = t->min_version;
    r->tls_max_version = t->max_version;
}

void prom_http_set_proxy(HttpClientRequest *r, const PromProxyConfig *p, Arena *arena) {
    r->proxy_url = text(arena, p->url);
    r->no_proxy = text(arena, p->no_proxy);
    r->proxy_from_environment = p->from_environment;
    size_t n = 0, k = 0;
    for (size_t i = 0; i < p->connect_headers.n; i++) n += p->connect_headers.v[i].n;
    if (n == 0) return;
    const char **v = ARENA_ARRAY(arena, const char *, n + 1);
    ASSERT(v);
    for (size_t i = 0; i < p->connect_headers.n; i++) {
        const PromParam *h = &p->connect_headers.v[i];
        for (size_t j = 0; j < h->n; j++)
            v[k++] = arena_printf(arena, "%" STR_FMT ": %" STR_FMT, STR_ARG(h->name), STR_ARG(h->values[j])).p;
    }
    v[k] = NULL;
    r->proxy_headers = v;
}

/* --- requests --- */
static const char *copy(Arena *a, const char *s) { return s ? arena_copy(a, str_cstr(s)).p : NULL; }

Prepared *prepared_create(const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    Arena *a = arena_create(ARENA_UNLIMITED); /* our own caller's strings */
    Prepared *p = ARENA_NEW(a, Prepared);
    ASSERT(p);
    *p = (Prepared){.arena = a, .req = *req, .done = done, .ctx = ctx, .start_ns = clock_mono_ns()};
    p->req.method = copy(a, req->method);
    p->req.url = copy(a, req->url);
    p->req.unix_socket = copy(a, req->unix_socket);
    p->req.body = arena_copy(a, req->body);
    size_t n = 0;
    while (req->headers && req->headers[n]) n++;
    const char **lines = ARENA_ARRAY(a, const char *, n + 1);
    ASSERT(lines);
    for (size_t i = 0; i < n; i++) lines[i] = copy(a, req->headers[i]);
    lines[n] = NULL;
    p->req.headers = lines;
    return p;
}

void prepared_free(Prepared *p) { arena_free(p->arena); }

void prepared_fail(Prepared *p, ErrCode code, const char *why) {
    HttpClientResponse res = {.code = code, .duration_ns = clock_mono_ns() - p->start_ns};
    snprintf(res.error, sizeof res.error, "%.255s", why);
    p->done(p->ctx, &res);
    prepared_free(p);
}

typedef AVEC(const char *) Lines;

static void add_raw(Lines *lines, Arena *arena, const char *line) {
    bool ok = avec_push(arena, lines, line);
    ASSERT(ok);
}

static void add_line(Lines *lines, Arena *arena, Str name, const char *value) {
    Str line = arena_printf(arena, "%" STR_FMT ": %s", STR_ARG(name), value);
    add_raw(lines, arena, line.p);
}

static ErrCode add_headers(Lines *lines, Arena *arena, const PromHttpConfig *c, Err *reterr) {
    for (size_t i = 0; i < c->n_headers; i++) {
        const PromHttpHeader *h = &c->headers[i];
        for (size_t k = 0; k < h->values.n; k++) add_line(lines, arena, h->name, arena_copy(arena, h->values.v[k]).p);
        for (size_t k = 0; k < h->secrets.n; k++) add_line(lines, arena, h->name, arena_copy(arena, h->secrets.v[k]).p);
        for (size_t k = 0; k < h->files.n; k++) {
            const char *value;
            ErrCode code = prom_http_secret(STR_NULL, h->files.v[k], arena, &value, reterr);
            if (code != OK) return code;
            add_line(lines, arena, h->name, value);
        }
    }
    return OK;
}

ErrCode prepared_fill(Prepared *p, const PromHttpConfig *c, const char *token, Err *reterr) {
    HttpClientRequest *r = &p->req;
    const char *credentials;
    Lines lines = {0};
    for (const char *const *h = r->headers; *h; h++) add_raw(&lines, p->arena, *h);
    ErrCode code = prom_http_secret(c->username, c->username_file, p->arena, &r->username, reterr);
    if (code == OK) code = prom_http_secret(c->password, c->password_file, p->arena, &r->password, reterr);
    if (code == OK) code = prom_http_secret(c->credentials, c->credentials_file, p->arena, &credentials, reterr);
    if (code == OK) code = add_headers(&lines, p->arena, c, reterr);
    if (code != OK) return code;
    if (!r->username && r->password) r->username = "";
    if (token)
        r->bearer_token = copy(p->arena, token);
    else if (credentials && str_eq_nocase(c->auth_type, STR("Bearer")))
        r->bearer_token = credentials;
    else if (credentials)
        add_line(&lines, p->arena, STR("Authorization"),
            arena_printf(p->arena, "%" STR_FMT " %s", STR_ARG(c->auth_type), credentials).p);
    add_raw(&lines, p->arena, NULL);
    r->headers = lines.v;
    r->no_follow_redirects = r->no_follow_redirects || c->no_follow_redirects;
    r->http1_only = r->http1_only || c->no_http2;
    prom_http_set_tls(r, &c->tls, p->arena);
    prom_http_set_proxy(r, &c->proxy, p->arena);
    return OK;
}

/* --- the object --- */
PromHttp *prom_http_create(HttpClient *client, const PromHttpConfig *config) {
    static const PromHttpConfig none;
    PromHttp *h = NEW(PromHttp);
    atomic_init(&h->refs, 1);
    h->client = client;
    h->config = config ? config : &none;
    h->waiting_tail = &h->waiting;
    mutex_init(&h->lock);
    return h;
}

void prom_http_unref(PromHttp *h) {
    if (atomic_fetch_sub(&h->refs, 1) != 1) return;
    ASSERT(!h->waiting);
    mutex_done(&h->lock);
    mem_free(h->token);
    mem_free(h);
}

PromHttp *prom_http_ref(PromHttp *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

PromHttp *prom_http_free(PromHttp *h) {
    if (h) prom_http_unref(h);
    return NULL;
}

void prom_http_start(PromHttp *h, const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    Prepared *p = prepared_create(req, done, ctx);
    Err err = {0};
    char *token = NULL;
    if (h->config->oauth2) {
        mutex_lock(&h->lock);
        if (!h->token || clock_mono_ns() >= h->token_until_ns) {
            oauth2_wait(h, p);
            return;
        }
        token = str_dup_cstr(str_cstr(h->token));
        mutex_unlock(&h->lock);
    }
    if (prepared_fill(p, h->config, token, &err) == OK) {
        http_client_start(h->client, &p->req, done, ctx);
        prepared_free(p);
    } else {
        prepared_fail(p, err.code, err.msg);
    }
    mem_free(token);
}

/* --- waiting for the answer --- */
static void start_here(void *h, const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    prom_http_start(h, req, done, ctx);
}

ErrCode prom_http_fetch_header(PromHttp *h, const HttpClientRequest *req, int *ret_status, Str header_name,
    Buf *ret_header, Buf *ret_type, Buf *ret_body, Err *reterr) {
    HttpFetched out = {.header_name = header_name, .header = ret_header, .content_type = ret_type, .body = ret_body};
    ErrCode code = http_client_wait(start_here, h, req, &out, reterr);
    if (ret_status) *ret_status = out.status;
    return code;
}

ErrCode prom_http_fetch(
    PromHttp *h, const HttpClientRequest *req, int *ret_status, Buf *ret_type, Buf *ret_body, Err *reterr) {
    return prom_http_fetch_header(h, req, ret_status, STR(""), NULL, ret_type, ret_body, reterr);
}
