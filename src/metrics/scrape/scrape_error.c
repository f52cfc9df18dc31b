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

/* host:port as curl names where it could not connect to: the proxy, if there is one. */
static bool put_dialled(Buf *b, const char *error) {
    Str rest = str_cstr(error), before = STR("Failed to connect to ");
    size_t port = str_find(rest, STR(" port ")), n = 0;
    if (!str_starts_with(rest, before) || port == SIZE_MAX) return false;
    Str host = str_slice(rest, before.n, port);
    rest = str_skip(rest, port + 6);
    while (n < rest.n && isdigit((unsigned char)rest.p[n])) n++;
    bool v6 = str_find_char(host, ':') != SIZE_MAX;
    buf_printf(
        b, v6 ? "[%" STR_FMT "]:%" STR_FMT : "%" STR_FMT ":%" STR_FMT, STR_ARG(host), STR_ARG(str_slice(rest, 0, n)));
    return true;
}

static void put_with_port(Buf *b, Str url) {
    Str authority = authority_of(url);
    bool tls = str_starts_with(url, STR("https:"));
    buf_put_str(b, authority);
    size_t colon = str_rfind_char(authority, ':'), bracket = str_rfind_char(authority, ']');
    if (colon == SIZE_MAX || (bracket != SIZE_MAX && bracket > colon)) buf_put_str(b, tls ? STR(":443") : STR(":80"));
}

static Str port_of(Str address) { return str_skip(address, MIN(str_rfind_char(address, ':'), address.n)); }

static void put_dial(Buf *b, const HttpClientResponse *res, Str url) {
    Buf dialled = {0}, asked = {0};
    put_with_port(&asked, url);
    bool known = put_dialled(&dialled, res->error);
    if (known && !str_eq(buf_str(&dialled), buf_str(&asked))) buf_put_lit(b, "proxyconnect tcp: ");
    buf_put_lit(b, "dial tcp ");
    /* The address of a name, unless it is the one of a connection before. */
    Str remote = str_cstr(res->remote), dialled_at = buf_str(known ? &dialled : &asked);
    buf_put_str(b, remote.n && str_eq(port_of(remote), port_of(dialled_at)) ? remote : dialled_at);
    buf_put_lit(b, ": connect: ");
    put_os_error(b, res->os_error);
    buf_done(&dialled);
    buf_done(&asked);
}

/* What Go's client refuses before it asks anybody. */
static bool put_refusal(Buf *b, Str url) {
    size_t scheme = str_find(url, STR("://"));
    if (scheme == SIZE_MAX || str_starts_with(url, STR("http://")) || str_starts_with(url, STR("https://")))
        return false;
    buf_printf(b, "unsupported protocol scheme \"%" STR_FMT "\"", STR_ARG(str_slice(url, 0, scheme)));
    return true;
}

/* false: Go's words are not known. */
static bool put_failure(Buf *b, const HttpClientResponse *res, Str url) {
    switch (res->failure) {
    case HTTP_FAILED_TIMEOUT: buf_put_lit(b, "context deadline exceeded"); return true;
    case HTTP_FAILED_CUT: buf_put_lit(b, "unexpected EOF"); return true;
    case HTTP_FAILED_CHUNK: buf_put_lit(b, "invalid byte in chunk length"); return true;
    case HTTP_FAILED_EMPTY: buf_put_lit(b, "EOF"); return true;
    case HTTP_FAILED_REDIRECTS: buf_put_lit(b, "stopped after 10 redirects"); return true;
    case HTTP_FAILED_RESOLVE:
        buf_printf(b, "dial tcp: lookup %" STR_FMT ": no such host", STR_ARG(without_port(authority_of(url))));
        return true;
    case HTTP_FAILED_CONNECT:
        if (!res->os_error) return false;
        put_dial(b, res, url);
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
    bool unasked = res->failure == HTTP_FAILED_CONNECT || res->failure == HTTP_FAILED_RESOLVE;
    if (!res->head_came || unasked || res->failure == HTTP_FAILED_REDIRECTS) /* the head may be one that led on */
        buf_printf(&b, "Get \"%" STR_FMT "\": ", STR_ARG(asked));
    if (!put_refusal(&b, asked) && !put_failure(&b, res, asked)) buf_printf(&b, "%s", res->error);
    snprintf(out, size, "%s", buf_cstr(&b));
    buf_done(&b);
}
