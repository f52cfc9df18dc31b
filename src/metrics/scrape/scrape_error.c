/* scrape_error.c - why no answer came, in the words of Go's HTTP client: what people know from Prometheus' targets page
 * and look for. What has no such words keeps curl's. */
#include "metrics/scrape/scrape_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Go's names of system errors are those of the C library in small letters. */
static void put_os_error(Buf *b, int error) {
    size_t from = b->n;
    buf_put_str(b, str_cstr(strerror(error)));
    for (size_t i = from; i < b->n; i++) b->p[i] = (char)tolower((unsigned char)b->p[i]);
}

/* "tcp 127.0.0.1:4711->127.0.0.1:8080: " as far as it is known. */
static void put_connection(Buf *b, const HttpClientResponse *res) {
    if (res->local[0] && res->remote[0]) buf_printf(b, " tcp %s->%s", res->local, res->remote);
    buf_put_lit(b, ": ");
}

/* host:port of a URL. */
static Str authority_of(Str url) {
    size_t scheme = str_find(url, STR("://"));
    Str rest = scheme == SIZE_MAX ? url : str_skip(url, scheme + 3);
    size_t n = 0;
    while (n < rest.n && !memchr("/?#", rest.p[n], 3)) n++;
    return str_slice(rest, 0, n);
}

static Str without_port(Str authority) {
    size_t colon = str_rfind_char(authority, ':');
    return colon == SIZE_MAX || str_find_char(authority, ']') != SIZE_MAX ? authority : str_slice(authority, 0, colon);
}

/* false: Go's words are not known. */
static bool put_failure(Buf *b, const HttpClientResponse *res, Str authority) {
    switch (res->failure) {
    case HTTP_FAILED_TIMEOUT: buf_put_lit(b, "context deadline exceeded"); return true;
    case HTTP_FAILED_CUT: buf_put_lit(b, "unexpected EOF"); return true;
    case HTTP_FAILED_CHUNK: buf_put_lit(b, "invalid byte in chunk length"); return true;
    case HTTP_FAILED_EMPTY: buf_put_lit(b, "EOF"); return true;
    case HTTP_FAILED_REDIRECTS: buf_put_lit(b, "stopped after 10 redirects"); return true;
    case HTTP_FAILED_RESOLVE:
        buf_printf(b, "dial tcp: lookup %" STR_FMT ": no such host", STR_ARG(without_port(authority)));
        return true;
    case HTTP_FAILED_CONNECT:
        if (!res->os_error) return false;
        if (res->remote[0])
            buf_printf(b, "dial tcp %s: connect: ", res->remote);
        else
            buf_printf(b, "dial tcp %" STR_FMT ": connect: ", STR_ARG(authority));
        put_os_error(b, res->os_error);
        return true;
    case HTTP_FAILED_RECEIVE: {
        bool reset = !res->os_error && strstr(res->error, "reset by peer");
        if (!res->os_error && !reset) return false;
        buf_put_lit(b, "read");
        put_connection(b, res);
        buf_put_lit(b, "read: ");
        put_os_error(b, reset ? ECONNRESET : res->os_error);
        return true;
    }
    case HTTP_FAILED_NOT_HTTP:
        buf_put_lit(b, "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
        return true;
    case HTTP_FAILED_LENGTH:
        buf_put_lit(b, "net/http: HTTP/1.x transport connection broken: bad Content-Length");
        return true;
    case HTTP_FAILED_LENGTHS:
        buf_put_lit(b, "net/http: HTTP/1.x transport connection broken: "
                       "http: message cannot contain multiple Content-Length headers");
        return true;
    case HTTP_FAILED_HEAD:
        buf_printf(b,
            "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded %zu bytes; "
            "aborted",
            HTTP_CLIENT_HEAD_MAX);
        return true;
    case HTTP_FAILED_NOT:
    case HTTP_FAILED_OTHERWISE: break;
    }
    return false;
}

void scrape_put_error(const HttpClientResponse *res, const char *url, char *out, size_t size) {
    Buf b = {0};
    Str asked = res->last_url.n ? res->last_url : str_cstr(url);
    if (res->code == ERR_TOO_LARGE && res->failure != HTTP_FAILED_HEAD) {
        snprintf(out, size, SCRAPE_BODY_LIMIT);
        return;
    }
    if (!res->head_came || res->failure == HTTP_FAILED_REDIRECTS)
        buf_printf(&b, "Get \"%" STR_FMT "\": ", STR_ARG(asked));
    if (!put_failure(&b, res, authority_of(asked))) buf_printf(&b, "%s", res->error);
    snprintf(out, size, "%s", buf_cstr(&b));
    buf_done(&b);
}
