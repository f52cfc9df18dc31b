/* http.h - one request and one response model for HTTP/1.1 and HTTP/2, and the router.
 *
 * Handlers run on worker threads, synchronously: read req, fill res, return. They may block (fsync,
 * queries); classes keep slow queries from starving ingestion. Everything in a request lives until
 * the handler returns; memory for the answer's making comes from req->arena (budgeted). */
#ifndef MEERKAT_NET_HTTP_H
#define MEERKAT_NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

typedef enum HttpMethod {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OPTIONS = 32,
    HTTP_PATCH = 64
} HttpMethod;

typedef struct HttpHeader {
    Str name, value;
} HttpHeader; /* names compare case-insensitively */
typedef struct HttpParam {
    Str name, value;
} HttpParam; /* percent-decoded */

typedef enum Role { ROLE_NONE, ROLE_VIEWER, ROLE_EDITOR, ROLE_ADMIN } Role;

typedef struct HttpRequest {
    HttpMethod method;
    Str path;     /* percent-decoded, without the query */
    Str raw_path; /* as sent, without the query */
    Str query;    /* as sent, without '?' */
    const HttpHeader *headers;
    size_t n_headers;
    Str body; /* as received (still encoded); bounded by the route's max_body_bytes */
    const HttpParam *path_params;
    size_t n_path_params;
    Str peer;     /* "127.0.0.1:51234" */
    Str listener; /* name of the port's service: "prometheus", "ui", ... */
    Str user;     /* authenticated name, empty when anonymous */
    Role role;
    bool tls, http2;
    Arena *arena;
    int64_t deadline_mono_ns; /* 0: none */
    /* Form and query parameters, parsed on first use. */
    HttpParam *params;
    size_t n_params;
    bool params_parsed;
    Str form_error; /* what Go's ParseForm would say of them; empty: nothing */
    void *begun;    /* what Route.start has left for the handler; NULL: nothing */
    void *impl;     /* the engine's; NULL: made by hand (tests) */
} HttpRequest;

typedef struct HttpResponse HttpResponse;

/* A body of unknown length is pulled piece by piece: writes up to max bytes into buf and gives their number,
 * or one of the values below. Runs on an I/O thread, so it must not block: a source that has nothing yet gives
 * HTTP_BODY_WAIT and later calls http_waker_wake from any thread. */
typedef ptrdiff_t (*HttpBodyFn)(void *ctx, char *buf, size_t max);
#define HTTP_BODY_END ((ptrdiff_t)0)
#define HTTP_BODY_ERROR ((ptrdiff_t)-1) /* the connection (HTTP/2: the stream) is cut, so that the client notices */
#define HTTP_BODY_WAIT ((ptrdiff_t)-2)
typedef struct HttpWaker HttpWaker;

struct HttpResponse {
    int status; /* 200 unless set */
    Buf body;
    HttpHeader headers[24];
    size_t n_headers; /* names and values: literals, or in req->arena */
    Str content_type;
    bool no_compress;
    HttpHeader trailers[4]; /* sent after the body over HTTP/2 only (gRPC) */
    size_t n_trailers;
    HttpBodyFn stream_fn; /* set by http_reply_stream; body is ignored then */
    void (*stream_free)(void *ctx);
    void *stream_ctx;
    void *impl; /* the engine's */
};

typedef void (*HttpHandler)(void *ctx, HttpRequest *req, HttpResponse *res);
/* Begins what a handler would do, on an I/O thread, which serves nobody else meanwhile: it must not block, and be done
 * within some 100 us. true: the answer will come, by http_finish. false: the handler is to do it. */
typedef bool (*HttpStart)(void *ctx, HttpRequest *req, HttpResponse *res);

/* --- reading a request --- */
Str http_header(const HttpRequest *req, Str name); /* first one; STR_NULL when absent */
Str http_path_param(const HttpRequest *req, Str name);
/* The body (POST, PUT, PATCH with application/x-www-form-urlencoded) first, then the query string, then the fields of
 * a multipart/form-data body, as Go's r.FormValue merges them. Pairs with a broken escape or a semicolon are left out:
 * proxies disagree about their meaning. */
Str http_param(HttpRequest *req, Str name);                           /* first; STR_NULL when absent */
size_t http_params(HttpRequest *req, Str name, Str *out, size_t max); /* all values of a repeated one */
/* The same, however many: in req->arena; NULL when that is used up. */
Str *http_all_params(HttpRequest *req, Str name, size_t *ret_n);
bool http_has_param(HttpRequest *req, Str name);
/* What is wrong with the form or the query string, in Go's words ("invalid URL escape \"%zz\""); empty when nothing is.
 * Most handlers go on with what is left, as Prometheus' do; some refuse. */
Str http_form_error(HttpRequest *req);
/* Body after Content-Encoding (gzip, deflate, zstd, snappy block), at most max_bytes, in req->arena.
 * ERR_UNSUPPORTED for an unknown encoding, ERR_TOO_LARGE, ERR_INVALID; ERR_UNAVAILABLE when a large one does not fit
 * into what the server has for all of them. */
ErrCode http_body_decoded(HttpRequest *req, size_t max_bytes, Str *ret, Err *reterr);
/* Whether the client has left meanwhile, or the server ends and has waited long enough: whoever works for long asks now
 * and then, and gives up. Thread-safe. */
bool http_client_gone(const HttpRequest *req);
/* The response of a request that Route.start has taken is complete. Once, from any thread; the request may be gone when
 * it returns. */
void http_finish(HttpRequest *req);
/* Media type of Content-Type without parameters, lower case. */
Str http_media_type(const HttpRequest *req);

/* --- answering --- */
void http_set_header(HttpResponse *res, Str name, Str value); /* replaces one of the same name */
void http_add_header(HttpResponse *res, Str name, Str value); /* repeats it (Set-Cookie); at most 24 in all */
void http_add_trailer(HttpResponse *res, Str name, Str value);
void http_reply(HttpResponse *res, int status, Str content_type, Str body); /* copies body */
void http_reply_text(HttpResponse *res, int status, const char *fmt, ...)
    ATTR_PRINTF(3, 4); /* text/plain; charset=utf-8 */
/* The edge's standard error: err_http_status(err->code), plain text; 429/503 get Retry-After: 1. */
void http_reply_error(HttpResponse *res, const Err *err);
/* A chunked body pulled from fn; free_fn(ctx) runs once at its end or when the client has gone. The request and its
 * arena live until then. */
void http_reply_stream(
    HttpResponse *res, int status, Str content_type, HttpBodyFn fn, void (*free_fn)(void *ctx), void *ctx);
/* For a source that may give HTTP_BODY_WAIT: a handle that outlives the request (unref it when the source ends).
 * Call it inside the handler. Waking after the end does nothing. Thread-safe. */
HttpWaker *http_response_waker(HttpResponse *res);
void http_waker_wake(HttpWaker *w);
HttpWaker *http_waker_unref(HttpWaker *w);
/* A redirect (302) to location. */
void http_redirect(HttpResponse *res, Str location);

Str http_url_decode(Arena *arena, Str s, bool plus_is_space); /* malformed escapes stay as they are */
/* url for people's eyes: a password in it becomes xxxxx. Source: Go's URL.Redacted. */
Str http_url_redact(Arena *arena, Str url);
/* The same in memory of its own. */
char *http_url_redacted(Str url);
void http_url_encode(Buf *out, Str s); /* query component */
const char *http_status_text(int status);
const char *http_method_name(HttpMethod m); /* "GET"; "" for 0 */
HttpMethod http_method_parse(Str name);     /* 0: one we do not know */

/* --- routing --- */
typedef enum RouteClass {
    ROUTE_INSTANT, /* cheap, never blocks: health, metadata */
    ROUTE_INGEST,  /* own workers; a full queue answers 429 with Retry-After */
    ROUTE_QUERY,   /* own workers; a full queue answers 503 */
    ROUTE_TURNS, /* the same for handlers that take turns among themselves: so many workers that all of them may wait */
} RouteClass;

#define HTTP_START_BODY_MAX ((size_t)32 << 10)

typedef struct Route {
    unsigned methods; /* HttpMethod bits; HEAD is answered wherever GET is */
    /* "/api/v1/label/{name}/values"; a trailing "{rest...}" takes the remaining path, also an empty one. Parameters
     * are decoded: whoever opens files with them has to look out for "..". */
    const char *pattern;
    HttpHandler handler;
    void *ctx;
    RouteClass cls;
    size_t max_body_bytes; /* 0: 1 MiB */
    Role role;             /* least role on non-loopback listeners and on the UI port; ROLE_NONE: open */
    int overloaded_status; /* when its queue is full; 0: 429 for writes, 503 for queries */
    size_t arena_bytes;    /* budget of req->arena; 0: 256 MiB for queries, 4 x max_body for ingest */
    HttpStart start;       /* tried first with bodies up to HTTP_START_BODY_MAX; NULL: none */
} Route;

typedef struct Router Router;
Router *router_create(void);
Router *router_free(Router *r);
/* Pattern and ctx are borrowed for the router's life. Panics on a duplicate route. */
void router_add(Router *r, const Route *route);
/* Falls through to another router (shared by several ports) when nothing matched here. */
void router_set_fallback(Router *r, Router *fallback);
typedef struct RouteMatch {
    const Route *route;
    HttpParam params[8];
    size_t n_params;
    unsigned allowed_methods;
} RouteMatch;
/* false: nothing matches the path. route == NULL: the path exists with other methods (405, Allow). Literal segments win
 * over parameters. */
bool router_match(const Router *r, HttpMethod method, Str raw_path, Arena *arena, RouteMatch *ret);

#endif
