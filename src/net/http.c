/* http.c - reading a request's headers and body, filling a response. */
#include "net/http.h"

#include "codec/compress.h"
#include "net/net_int.h"

#include <stdarg.h>
#include <stdio.h>

Str http_header(const HttpRequest *req, Str name) {
    for (size_t i = 0; i < req->n_headers; i++) {
        if (str_eq_nocase(req->headers[i].name, name)) return req->headers[i].value;
    }
    return STR_NULL;
}

Str http_path_param(const HttpRequest *req, Str name) {
    for (size_t i = 0; i < req->n_path_params; i++) {
        if (str_eq(req->path_params[i].name, name)) return req->path_params[i].value;
    }
    return STR_NULL;
}

Str http_media_type(const HttpRequest *req) {
    Str v = http_header(req, STR("content-type"));
    size_t semi = str_find_char(v, ';');
    v = str_trim(semi == SIZE_MAX ? v : str_slice(v, 0, semi));
    Str low = arena_copy(req->arena, v);
    if (!low.p) return STR_NULL;
    for (size_t i = 0; i < low.n; i++) {
        char *c = (char *)(uintptr_t)&low.p[i];
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + ('a' - 'A'));
    }
    return low;
}

ErrCode http_body_decoded(HttpRequest *req, size_t max_bytes, Str *ret, Err *reterr) {
    Str name = str_trim(http_header(req, STR("content-encoding")));
    Encoding enc = encoding_parse(name);
    *ret = STR_NULL;
    if (enc == ENCODING_UNKNOWN)
        return err_set(reterr, ERR_UNSUPPORTED, "unsupported Content-Encoding \"%" STR_FMT "\"", STR_ARG(name));
    if (enc == ENCODING_IDENTITY && req->body.n > max_bytes)
        return err_set(reterr, ERR_TOO_LARGE, "request body is larger than %zu bytes", max_bytes);
    return http_decompress(req, enc, req->body, max_bytes, ret, reterr);
}

void http_add_header(HttpResponse *res, Str name, Str value) {
    ASSERT(res->n_headers < ARRAY_LEN(res->headers));
    res->headers[res->n_headers++] = (HttpHeader){name, value};
}

void http_set_header(HttpResponse *res, Str name, Str value) {
    for (size_t i = 0; i < res->n_headers; i++) {
        if (!str_eq_nocase(res->headers[i].name, name)) continue;
        res->headers[i].value = value;
        return;
    }
    http_add_header(res, name, value);
}

void http_add_trailer(HttpResponse *res, Str name, Str value) {
    ASSERT(res->n_trailers < ARRAY_LEN(res->trailers));
    res->trailers[res->n_trailers++] = (HttpHeader){name, value};
}

void http_reply(HttpResponse *res, int status, Str content_type, Str body) {
    res->status = status;
    res->content_type = content_type;
    buf_clear(&res->body);
    buf_put_str(&res->body, body);
}

void http_reply_text(HttpResponse *res, int status, const char *fmt, ...) {
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    http_reply(res, status, STR("text/plain; charset=utf-8"), str_of(line, MIN((size_t)n, sizeof(line) - 1)));
}

void http_reply_error(HttpResponse *res, const Err *err) {
    int status = err_http_status(err->code);
    http_reply_text(res, status, "%s\n", err->msg[0] ? err->msg : http_status_text(status));
    if (status == 429 || status == 503) http_set_header(res, STR("Retry-After"), STR("1"));
}

void http_redirect(HttpResponse *res, Str location) {
    http_reply(res, 302, STR("text/plain; charset=utf-8"), STR("Found\n"));
    http_set_header(res, STR("Location"), location);
}

void http_reply_stream(
    HttpResponse *res, int status, Str content_type, HttpBodyFn fn, void (*free_fn)(void *ctx), void *ctx) {
    ASSERT(fn && !res->stream_fn);
    res->status = status;
    res->content_type = content_type;
    buf_clear(&res->body);
    res->stream_fn = fn;
    res->stream_free = free_fn;
    res->stream_ctx = ctx;
}

typedef struct StatusText {
    int status;
    const char *text;
} StatusText;

/* Source: RFC 9110 section 15, RFC 6585. */
static const StatusText status_texts[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Requested Range Not Satisfiable"},
    {422, "Unprocessable Entity"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status) {
    for (size_t i = 0; i < ARRAY_LEN(status_texts); i++) {
        if (status_texts[i].status == status) return status_texts[i].text;
    }
    return "Unknown";
}

static const struct {
    HttpMethod method;
    const char *name;
} methods[] = {
    {HTTP_GET, "GET"},
    {HTTP_HEAD, "HEAD"},
    {HTTP_POST, "POST"},
    {HTTP_PUT, "PUT"},
    {HTTP_DELETE, "DELETE"},
    {HTTP_OPTIONS, "OPTIONS"},
    {HTTP_PATCH, "PATCH"},
};

const char *http_method_name(HttpMethod m) {
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (methods[i].method == m) return methods[i].name;
    }
    return "";
}

HttpMethod http_method_parse(Str name) {
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (str_eq(name, str_cstr(methods[i].name))) return methods[i].method;
    }
    return (HttpMethod)0;
}
