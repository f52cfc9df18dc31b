/* exchange.c - the life of one request: routing, limits, body, worker, answer. */
#include "base/num.h"
#include "net/grpc_int.h"
#include "net/net_int.h"
#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define HEAD_ARENA_BYTES ((size_t)512 << 10)
#define BODY_MAX_DEFAULT ((size_t)1 << 20)
#define QUERY_ARENA_BYTES ((size_t)256 << 20)
#define INSTANT_ARENA_BYTES ((size_t)16 << 20)
#define BODY_FIRST_RESERVE ((size_t)256 << 10)
#define ANSWER_BYTES_PER_MS 64                /* slower readers than this are cut */
#define ANSWER_BYTES_PER_MS_PRESSED 1024      /* ... when answers fill the memory that is meant for them */
#define ANSWER_WAITS_BYTES ((size_t)32 << 10) /* smaller ones fit into what sockets buffer */
#define DECODE_FREE_BYTES ((size_t)4 << 20)

Exchange *exchange_create(NetServer *s, const Listener *l, const char *peer, bool tls, bool http2) {
    Exchange *x = NEW(Exchange);
    x->server = s;
    x->listener = l;
    x->head = arena_create(HEAD_ARENA_BYTES);
    x->content_length = -1;
    x->start_mono_ns = clock_mono_ns();
    snprintf(x->peer, sizeof(x->peer), "%s", peer);
    x->req.peer = str_cstr(x->peer);
    x->req.listener = str_cstr(l->name);
    x->req.tls = tls;
    x->req.http2 = http2;
    x->req.arena = x->head;
    x->req.impl = x;
    x->res.impl = x;
    atomic_init(&x->gone, false);
    atomic_fetch_add(&s->exchanges, 1);
    return x;
}

bool exchange_add_header(Exchange *x, Str name, Str value) {
    if (x->headers.n >= HEADERS_MAX) return false;
    Str n = arena_copy(x->head, name), v = arena_copy(x->head, value);
    return n.p && v.p && avec_push(x->head, &x->headers, (HttpHeader){n, v});
}

ErrCode exchange_fail(Exchange *x, ErrCode code, int http_status, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    x->answered = true;
    x->res.n_trailers = 0;
    bool again = code == ERR_OVERLOADED || code == ERR_UNAVAILABLE;
    if (x->grpc) {
        int grpc_code = code == ERR_TOO_LARGE ? 8 : err_grpc_code(code);
        grpc_reply_error(&x->res, x->head, grpc_code, str_cstr(text), again ? 1000 : 0);
    } else {
        http_reply_text(&x->res, http_status ? http_status : err_http_status(code), "%s\n", text);
        if (again) http_set_header(&x->res, STR("Retry-After"), STR("1"));
    }
    return code;
}

/* "GET /p?q", "GET http://host/p?q" (proxies send that), "OPTIONS *". */
static void split_target(HttpRequest *req, Str target) {
    size_t scheme = str_find(target, STR("://"));
    if (target.n && target.p[0] != '/' && scheme != SIZE_MAX) {
        target = str_skip(target, scheme + 3);
        size_t slash = str_find_char(target, '/');
        target = slash == SIZE_MAX ? STR("/") : str_skip(target, slash);
    }
    size_t question = str_find_char(target, '?');
    req->raw_path = question == SIZE_MAX ? target : str_slice(target, 0, question);
    req->query = question == SIZE_MAX ? STR("") : str_skip(target, question + 1);
    if (req->raw_path.n == 0) req->raw_path = STR("/");
}

static Str allow_list(Arena *arena, unsigned allowed) {
    Buf b = {0};
    for (unsigned m = HTTP_GET; m <= HTTP_PATCH; m <<= 1) {
        if (!(allowed & m)) continue;
        if (b.n) buf_put_lit(&b, ", ");
        buf_put_str(&b, str_cstr(http_method_name((HttpMethod)m)));
    }
    Str s = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return s;
}

/* The path exists, but not with this method. */
static ErrCode other_method(Exchange *x) {
    Str allow = allow_list(x->head, x->match.allowed_methods | HTTP_OPTIONS);
    http_set_header(&x->res, STR("Allow"), allow);
    if (x->req.method == HTTP_OPTIONS) {
        x->answered = true;
        x->res.status = 204;
        return ERR_NOT_FOUND;
    }
    return exchange_fail(x, ERR_INVALID, 405, "Method Not Allowed");
}

static ErrCode read_content_length(Exchange *x) {
    Str v = http_header(&x->req, STR("content-length"));
    uint64_t n;
    if (!v.p) return OK;
    if (!num_parse_u64(str_trim(v), &n) || n > INT64_MAX)
        return exchange_fail(x, ERR_INVALID, 400, "malformed Content-Length");
    x->content_length = (int64_t)n;
    return OK;
}

static size_t arena_budget(const Route *r, size_t body_max) {
    if (r->arena_bytes) return r->arena_bytes;
    if (r->cls == ROUTE_QUERY || r->cls == ROUTE_TURNS) return QUERY_ARENA_BYTES;
    if (r->cls == ROUTE_INSTANT) return INSTANT_ARENA_BYTES;
    return MAX(4 * body_max, (size_t)1 << 20);
}

static void read_grpc_timeout(Exchange *x) {
    int64_t timeout_ns;
    if (!grpc_timeout_parse(http_header(&x->req, STR("grpc-timeout")), &timeout_ns)) return;
    if (__builtin_add_overflow(x->start_mono_ns, timeout_ns, &x->req.deadline_mono_ns)) x->req.deadline_mono_ns = 0;
}

/* RFC 9112 section 3.2: a Host that is none is refused; others read it differently than we do. */
static bool is_host(Str host) {
    for (size_t i = 0; i < host.n; i++) {
        if ((unsigned char)host.p[i] <= ' ' || memchr("/?#@\\,<>\"", host.p[i], 9)) return false;
    }
    return true;
}

/* As Prometheus and Alertmanager with --web.route-prefix: "/" leads to the prefix, nothing else is outside of it. */
static ErrCode strip_prefix(Exchange *x) {
    HttpRequest *req = &x->req;
    Str prefix = str_cstr(x->listener->path_prefix), rest = str_skip(req->raw_path, MIN(prefix.n, req->raw_path.n));
    if (prefix.n == 0) return OK;
    if (str_starts_with(req->raw_path, prefix) && (rest.n == 0 || rest.p[0] == '/')) {
        req->raw_path = rest.n ? rest : STR("/");
        return OK;
    }
    if (!str_eq_lit(req->raw_path, "/")) return exchange_fail(x, ERR_NOT_FOUND, 404, "404 page not found");
    x->answered = true;
    http_redirect(&x->res, arena_printf(x->head, "%" STR_FMT "/", STR_ARG(prefix)));
    return ERR_NOT_FOUND;
}

/* Slashes that stand together become one, by a redirect that keeps method and body, as Go's servers do: addresses that
 * were put together carelessly work. */
static ErrCode clean_path(Exchange *x) {
    const HttpRequest *req = &x->req;
    if (!x->listener->cors || x->grpc || str_find(req->raw_path, STR("//")) == SIZE_MAX) return OK;
    Buf to = {0};
    buf_put_str(&to, str_cstr(x->listener->path_prefix));
    for (size_t i = 0; i < req->raw_path.n; i++)
        if (req->raw_path.p[i] != '/' || i == 0 || req->raw_path.p[i - 1] != '/') buf_put_char(&to, req->raw_path.p[i]);
    if (req->query.n) buf_put_char(&to, '?');
    buf_put_str(&to, req->query);
    x->answered = true;
    http_redirect(&x->res, arena_copy(x->head, buf_str(&to)));
    x->res.status = 307;
    buf_done(&to);
    return ERR_NOT_FOUND;
}

ErrCode exchange_begin(Exchange *x, Str method, Str target) {
    HttpRequest *req = &x->req;
    atomic_fetch_add(&x->server->stats.requests, 1);
    req->method = http_method_parse(method);
    req->headers = x->headers.v;
    req->n_headers = x->headers.n;
    split_target(req, target);
    ErrCode code = strip_prefix(x);
    if (code != OK) return code;
    req->path = http_url_decode(x->head, req->raw_path, false);
    x->grpc = grpc_is_request(req);
    if (!req->path.p) return exchange_fail(x, ERR_TOO_LARGE, 431, "request head is too large");
    if (!is_host(http_header(req, STR("host")))) return exchange_fail(x, ERR_INVALID, 400, "malformed Host");
    code = read_content_length(x);
    if (code == OK) code = clean_path(x);
    if (code != OK) return code;
    if (!router_match(x->listener->router, req->method, req->raw_path, x->head, &x->match)) {
        if (x->grpc) return exchange_fail(x, ERR_NOT_IMPLEMENTED, 0, "unknown method %" STR_FMT, STR_ARG(req->path));
        if (req->method == HTTP_OPTIONS && str_eq_lit(req->raw_path, "*")) return other_method(x);
        return exchange_fail(x, ERR_NOT_FOUND, 404, "404 page not found");
    }
    if (!x->match.route) return other_method(x);
    req->path_params = x->match.params;
    req->n_path_params = x->match.n_params;
    if (x->grpc) read_grpc_timeout(x);
    x->body_max = x->match.route->max_body_bytes ? x->match.route->max_body_bytes : BODY_MAX_DEFAULT;
    if (x->content_length > 0 && (uint64_t)x->content_length > x->body_max)
        return exchange_fail(x, ERR_TOO_LARGE, 413, "request body is larger than %zu bytes", x->body_max);
    return exchange_authorize(x, false);
}

ErrCode exchange_add_body(Exchange *x, Str data) {
    NetServer *s = x->server;
    if (x->answered) return ERR_CANCELLED;
    atomic_fetch_add(&s->stats.bytes_in, data.n);
    if (x->body.n + data.n > x->body_max)
        return exchange_fail(x, ERR_TOO_LARGE, 413, "request body is larger than %zu bytes", x->body_max);
    if (atomic_fetch_add(&s->body_bytes, data.n) + data.n > s->opts.body_bytes_max) {
        atomic_fetch_sub(&s->body_bytes, data.n);
        atomic_fetch_add(&s->stats.overloaded, 1);
        return exchange_fail(x, ERR_UNAVAILABLE, 503, "too many request bodies in memory");
    }
    if (x->body.n == 0 && x->content_length > 0)
        buf_reserve(&x->body, MIN((size_t)x->content_length, BODY_FIRST_RESERVE));
    buf_put_str(&x->body, data);
    return OK;
}

static void use_arena(Exchange *x) {
    if (!x->arena) x->arena = arena_create(arena_budget(x->match.route, x->body_max));
    x->req.arena = x->arena;
}

/* Clients that ask and do not read: their answers are bounded like request bodies are. What waited for a worker is
 * looked at again, or a queue full of such questions would be answered all the same. false: res holds the final answer.
 */
static bool answers_fit(Exchange *x) {
    NetServer *s = x->server;
    RouteClass cls = x->match.route->cls;
    if (cls != ROUTE_QUERY && cls != ROUTE_TURNS) return true;
    if (atomic_load(&s->answer_bytes) <= s->opts.body_bytes_max) return true;
    atomic_fetch_add(&s->stats.overloaded, 1);
    exchange_fail(x, ERR_UNAVAILABLE, 503, "too many answers wait for their readers, retry later");
    return false;
}

static void run_handler(Exchange *x) {
    HttpRequest *req = &x->req;
    const Route *route = x->match.route;
    if (!answers_fit(x)) return;
    use_arena(x);
    if (x->needs_slow_auth && exchange_authorize(x, true) != OK) return;
    if (req->deadline_mono_ns && clock_mono_ns() >= req->deadline_mono_ns) {
        exchange_fail(x, ERR_TIMEOUT, 0, "deadline exceeded before the call began");
        return;
    }
    route->handler(route->ctx, req, &x->res);
}

static bool keep_str(Exchange *x, Str *s) {
    Str copy = s->n ? arena_copy(x->head, *s) : *s;
    if (s->n && !copy.p) return false;
    *s = copy;
    return true;
}

static bool keep_headers(Exchange *x, HttpHeader *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!keep_str(x, &v[i].name) || !keep_str(x, &v[i].value)) return false;
    return true;
}

/* The client may take its time to read: until then no more is kept than the answer, neither what the handler worked
 * with nor views of a store. A stream goes on working; a small answer leaves at once, and all with it. */
static void release_arena(Exchange *x) {
    HttpResponse *res = &x->res;
    if (!x->arena || res->stream_fn || res->body.n < ANSWER_WAITS_BYTES) return;
    if (!keep_str(x, &res->content_type) || !keep_headers(x, res->headers, res->n_headers) ||
        !keep_headers(x, res->trailers, res->n_trailers))
        return;
    x->arena = arena_free(x->arena);
    x->req.arena = x->head;
    x->req.params = NULL;
    x->req.n_params = 0;
    x->req.params_parsed = false;
    x->req.form_error = STR_NULL;
}

static void complete(Exchange *x) {
    reply_finish(x);
    release_arena(x);
    x->answer_bytes = x->res.body.n;
    atomic_fetch_add(&x->server->answer_bytes, x->answer_bytes);
    x->on_done(x);
}

static void exchange_run(void *ctx) {
    Exchange *x = ctx;
    if (!atomic_load(&x->gone)) run_handler(x);
    complete(x);
}

/* A server that ends waits for those that have begun, and then no other may. */
static bool try_start(Exchange *x) {
    NetServer *s = x->server;
    const Route *route = x->match.route;
    if (!route->start || x->body.n > HTTP_START_BODY_MAX || x->needs_slow_auth || x->req.deadline_mono_ns) return false;
    atomic_fetch_add(&s->begun, 1);
    use_arena(x);
    if (!atomic_load(&s->draining) && route->start(route->ctx, &x->req, &x->res)) return true;
    atomic_fetch_sub(&s->begun, 1);
    return false;
}

void http_finish(HttpRequest *req) {
    Exchange *x = req->impl;
    NetServer *s = x->server;
    complete(x);
    atomic_fetch_sub(&s->begun, 1);
}

int64_t exchange_answer_limit_ms(const Exchange *x) {
    if (x->res.stream_fn) return 0;
    const NetServerOptions *o = &x->server->opts;
    if (atomic_load(&x->server->answer_bytes) > o->body_bytes_max)
        return (int64_t)o->header_timeout_ms + (int64_t)(x->answer_bytes / ANSWER_BYTES_PER_MS_PRESSED);
    return (int64_t)o->idle_timeout_ms + (int64_t)(x->answer_bytes / ANSWER_BYTES_PER_MS);
}

/* What a body will be is known only afterwards, so a large one is counted with the most it may be. Its batch takes
 * about as much again. */
static bool reserve_decoded(Exchange *x, size_t n) {
    NetServer *s = x->server;
    if (atomic_fetch_add(&s->body_bytes, n) + n > s->opts.body_bytes_max) {
        atomic_fetch_sub(&s->body_bytes, n);
        atomic_fetch_add(&s->stats.overloaded, 1);
        return false;
    }
    x->decoded_bytes += n;
    return true;
}

ErrCode http_decompress(HttpRequest *req, Encoding enc, Str in, size_t max_bytes, Str *ret, Err *reterr) {
    Exchange *x = req->impl;
    if (enc == ENCODING_IDENTITY || max_bytes <= DECODE_FREE_BYTES || !x)
        return decompress(enc, in, max_bytes, req->arena, ret, reterr);
    ErrCode code = decompress(enc, in, DECODE_FREE_BYTES, req->arena, ret, reterr);
    if (code != ERR_TOO_LARGE) return code;
    size_t reserved = 2 * max_bytes;
    if (2 * reserved > x->server->opts.body_bytes_max) reserved = x->server->opts.body_bytes_max / 2;
    if (!reserve_decoded(x, reserved))
        return err_set(reterr, ERR_UNAVAILABLE, "too many large request bodies in memory, retry later");
    if (reterr) *reterr = (Err){0};
    return decompress(enc, in, max_bytes, req->arena, ret, reterr);
}

bool exchange_submit(Exchange *x) {
    NetServer *s = x->server;
    ASSERT(!x->running && !x->answered && x->match.route);
    x->req.body = buf_str(&x->body);
    RouteClass cls = x->match.route->cls;
    if (!answers_fit(x)) return false;
    Pool *pool = cls == ROUTE_INGEST  ? s->ingest
                 : cls == ROUTE_QUERY ? s->query
                 : cls == ROUTE_TURNS ? s->turns
                                      : s->instant;
    x->running = true;
    if (try_start(x)) return true;
    if (pool_submit(pool, exchange_run, x) == OK) return true;
    x->running = false;
    atomic_fetch_add(&s->stats.overloaded, 1);
    int status = x->match.route->overloaded_status;
    if (!status) status = cls == ROUTE_INGEST ? 429 : 503;
    exchange_fail(x, ERR_OVERLOADED, status, "too many requests waiting, retry later");
    return false;
}

void exchange_free(Exchange *x) {
    NetServer *s = x->server;
    int status = x->res.status;
    if (status >= 500)
        atomic_fetch_add(&s->stats.responses_5xx, 1);
    else if (status >= 400)
        atomic_fetch_add(&s->stats.responses_4xx, 1);
    atomic_fetch_add(&s->stats.bytes_out, x->bytes_out);
    if (s->opts.on_access && status)
        s->opts.on_access(s->opts.on_access_ctx, &x->req, status, clock_mono_ns() - x->start_mono_ns, x->bytes_out);
    exchange_waker_detach(x);
    if (x->res.stream_free) x->res.stream_free(x->res.stream_ctx);
    atomic_fetch_sub(&s->body_bytes, x->body.n + x->decoded_bytes);
    atomic_fetch_sub(&s->answer_bytes, x->answer_bytes);
    buf_done(&x->body);
    buf_done(&x->res.body);
    arena_free(x->arena);
    arena_free(x->head);
    mem_free(x);
    atomic_fetch_sub(&s->exchanges, 1);
}

bool http_client_gone(const HttpRequest *req) {
    Exchange *x = req->impl;
    return x && (atomic_load(&x->gone) || atomic_load(&x->server->hurried));
}
