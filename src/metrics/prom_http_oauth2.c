/* prom_http_oauth2.c - the client credentials grant. The client authenticates with HTTP Basic first and, where the
 * server does not take that, in the request's body (RFC 6749, 2.3.1); what worked is not remembered: tokens are rare.
 */
#include "base/json.h"
#include "base/timefmt.h"
#include "metrics/prom_http_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define TOKEN_TIMEOUT_MS 30000
#define TOKEN_BODY_MAX ((size_t)1 << 20)
#define TOKEN_EARLY_NS (10 * NS_PER_S) /* it is renewed that long before it ends */
#define TOKEN_FOREVER_NS (INT64_MAX / 2)

typedef struct TokenFetch {
    PromHttp *http;
    bool in_body; /* the second try */
} TokenFetch;

static void begin(PromHttp *h, bool in_body);

/* Takes the waiting requests off: with a token they are sent, else they fail. */
static void release(PromHttp *h, const char *token, ErrCode code, const char *why) {
    mutex_lock(&h->lock);
    Prepared *list = h->waiting;
    h->waiting = NULL;
    h->waiting_tail = &h->waiting;
    h->fetching = false;
    mutex_unlock(&h->lock);
    while (list) {
        Prepared *p = list;
        Err err = {0};
        list = p->next;
        if (!token) {
            prepared_fail(p, code, why);
        } else if (prepared_fill(p, h->config, token, &err) != OK) {
            prepared_fail(p, err.code, err.msg);
        } else {
            http_client_start(h->client, &p->req, p->done, p->ctx);
            prepared_free(p);
        }
    }
}

/* false: no usable token in the answer. */
static bool take_token(PromHttp *h, Str body, char **ret) {
    Arena *arena = arena_create(4 * TOKEN_BODY_MAX);
    JsonValue *root;
    int64_t seconds = 0;
    *ret = NULL;
    if (json_parse(body, arena, &root, NULL) == OK) {
        Str token = json_get_str(root, STR("access_token"));
        if (token.n) *ret = str_dup_cstr(token);
        double d;
        if (json_get_f64(root, STR("expires_in"), &d) && d > 0 && d < 1e10) seconds = (int64_t)d;
    }
    arena_free(arena);
    if (!*ret) return false;
    mutex_lock(&h->lock);
    mem_free(h->token);
    h->token = str_dup_cstr(str_cstr(*ret));
    h->token_until_ns = seconds ? clock_mono_ns() + seconds * NS_PER_S - TOKEN_EARLY_NS : TOKEN_FOREVER_NS;
    mutex_unlock(&h->lock);
    return true;
}

/* "401 Unauthorized", and the beginning of what else it says. */
static void put_answer(const HttpClientResponse *res, char *out, size_t size) {
    const char *text = http_status_text(res->status);
    Str body = str_slice(res->body, 0, MIN(res->body.n, 100));
    snprintf(out, size, "oauth2: cannot fetch token: %d %s\nResponse: %" STR_FMT, res->status, text, STR_ARG(body));
}

static void token_done(void *ctx, const HttpClientResponse *res) {
    TokenFetch *f = ctx;
    PromHttp *h = f->http;
    bool retry = res->code == OK && (res->status == 400 || res->status == 401) && !f->in_body;
    char *token = NULL, why[256] = "";
    mem_free(f);
    if (retry) {
        begin(h, true);
        return;
    }
    if (res->code != OK)
        snprintf(why, sizeof why, "oauth2: cannot fetch token: %.200s", res->error);
    else if (res->status < 200 || res->status > 299)
        put_answer(res, why, sizeof why);
    else if (!take_token(h, res->body, &token))
        snprintf(why, sizeof why, "oauth2: server response missing access_token");
    release(h, token, res->code != OK ? res->code : ERR_UNAUTHENTICATED, why);
    mem_free(token);
    prom_http_unref(h);
}

static void put_field(Buf *b, const char *name, Str value) {
    if (b->n) buf_put_char(b, '&');
    http_url_encode(b, str_cstr(name));
    buf_put_char(b, '=');
    http_url_encode(b, value);
}

static void put_form(Buf *b, const PromOauth2 *o, const char *secret, bool in_body, Arena *arena) {
    put_field(b, "grant_type", STR("client_credentials"));
    if (o->scopes.n) {
        Buf scopes = {0};
        for (size_t i = 0; i < o->scopes.n; i++) {
            if (i) buf_put_char(&scopes, ' ');
            buf_put_str(&scopes, o->scopes.v[i]);
        }
        put_field(b, "scope", buf_str(&scopes));
        buf_done(&scopes);
    }
    for (size_t i = 0; i < o->endpoint_params.n; i++)
        put_field(b, arena_copy(arena, o->endpoint_params.v[i].name).p, o->endpoint_params.v[i].values[0]);
    if (!in_body) return;
    put_field(b, "client_id", o->client_id);
    put_field(b, "client_secret", str_cstr(secret));
}

/* Names and secrets are form-encoded inside HTTP Basic, too (RFC 6749, 2.3.1). */
static const char *encoded(Arena *arena, Str s) {
    Buf b = {0};
    http_url_encode(&b, s);
    const char *copy = arena_copy(arena, buf_str(&b)).p;
    buf_done(&b);
    return copy;
}

/* Owns one reference to h, which token_done gives back. */
static void begin(PromHttp *h, bool in_body) {
    static const char *const headers[] = {
        "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL};
    const PromOauth2 *o = h->config->oauth2;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const char *secret = NULL;
    Err err = {0};
    Buf form = {0};
    if (prom_http_secret(o->client_secret, o->client_secret_file, arena, &secret, &err) != OK) {
        release(h, NULL, err.code, err.msg);
        prom_http_unref(h);
        arena_free(arena);
        return;
    }
    if (!secret) secret = "";
    put_form(&form, o, secret, in_body, arena);
    HttpClientRequest req = {.method = "POST",
        .url = arena_copy(arena, o->token_url).p,
        .headers = headers,
        .body = buf_str(&form),
        .timeout_ms = TOKEN_TIMEOUT_MS,
        .max_body_bytes = TOKEN_BODY_MAX};
    if (!in_body) {
        req.username = encoded(arena, o->client_id);
        req.password = encoded(arena, str_cstr(secret));
    }
    prom_http_set_tls(&req, &o->tls, arena);
    prom_http_set_proxy(&req, &o->proxy, arena);
    TokenFetch *f = NEW(TokenFetch);
    *f = (TokenFetch){h, in_body};
    http_client_start(h->client, &req, token_done, f);
    buf_done(&form);
    arena_free(arena);
}

void oauth2_wait(PromHttp *h, Prepared *p) {
    *h->waiting_tail = p;
    h->waiting_tail = &p->next;
    bool first = !h->fetching;
    h->fetching = true;
    if (first) atomic_fetch_add(&h->refs, 1);
    mutex_unlock(&h->lock);
    if (first) begin(h, false);
}
