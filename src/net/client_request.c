/* client_request.c - a request as curl's options, an outcome as a response. */
#include "net/client_int.h"

#include <stdio.h>

#define BODY_MAX_DEFAULT ((size_t)64 << 20)
#define REDIRECTS_MAX 10L
#define IDLE_CONNECTION_S 300L /* kept for the next request, as Go's client does; scrapes come every few minutes */

static const char *copy(Arena *a, const char *s) { return s ? arena_copy(a, str_cstr(s)).p : NULL; }

Transfer *transfer_create(const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    Transfer *t = NEW(Transfer);
    Arena *a = t->arena = arena_create(ARENA_UNLIMITED); /* our own caller's strings */
    t->req = *req;
    t->done = done;
    t->ctx = ctx;
    HttpClientRequest *r = &t->req;
    r->method = copy(a, req->method ? req->method : "GET");
    r->url = copy(a, req->url);
    r->body = arena_copy(a, req->body);
    r->username = copy(a, req->username);
    r->password = copy(a, req->password);
    r->bearer_token = copy(a, req->bearer_token);
    r->ca_file = copy(a, req->ca_file);
    r->cert_file = copy(a, req->cert_file);
    r->key_file = copy(a, req->key_file);
    r->server_name = copy(a, req->server_name);
    r->proxy_url = copy(a, req->proxy_url);
    r->no_proxy = copy(a, req->no_proxy);
    r->unix_socket = copy(a, req->unix_socket);
    r->ca_pem = arena_copy(a, req->ca_pem);
    r->cert_pem = arena_copy(a, req->cert_pem);
    r->key_pem = arena_copy(a, req->key_pem);
    r->proxy_headers = NULL;
    for (const char *const *h = req->proxy_headers; h && *h; h++) {
        if (strpbrk(*h, "\r\n"))
            t->setup_error = "a proxy header contains a line break";
        else
            t->proxy_headers = curl_slist_append(t->proxy_headers, *h);
    }
    r->headers = NULL;
    for (const char *const *h = req->headers; h && *h; h++) {
        if (strpbrk(*h, "\r\n"))
            t->setup_error = "a header contains a line break";
        else
            t->headers = curl_slist_append(t->headers, *h);
    }
    if (!r->max_body_bytes) r->max_body_bytes = BODY_MAX_DEFAULT;
    return t;
}

void transfer_free(Transfer *t) {
    if (t->easy) curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->proxy_headers);
    curl_tls_done(&t->tls);
    buf_done(&t->body);
    buf_done(&t->head);
    arena_free(t->arena);
    mem_free(t->certificate);
    mem_free(t);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx) {
    Transfer *t = ctx;
    size_t bytes = size * n;
    long status = 0;
    if (t->lane) t->lane->progress++;
    if (t->req.on_data && curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200) {
        t->stopped = !t->req.on_data(t->ctx, str_of(p, bytes));
        return t->stopped ? 0 : bytes;
    }
    if (t->body.n + bytes > t->req.max_body_bytes) {
        t->too_large = true;
        return 0; /* curl stops with CURLE_WRITE_ERROR */
    }
    buf_put(&t->body, p, bytes);
    return bytes;
}

/* Lengths that differ could be read differently by others (RFC 9112 section 6.3); curl takes one of them. */
static bool other_length(const Transfer *t, Str line) {
    static const Str name = STR_INIT("content-length:");
    if (line.n < name.n || !str_eq_nocase(str_slice(line, 0, name.n), name)) return false;
    HttpClientResponse so_far = {.headers = buf_str(&t->head)};
    Str before = http_client_header(&so_far, STR("content-length"));
    return before.p && !str_eq(before, str_trim(str_skip(line, name.n)));
}

/* Keeps the last answer's head (redirects and 1xx come before it) and its trailers. */
static size_t on_head(char *p, size_t size, size_t n, void *ctx) {
    Transfer *t = ctx;
    size_t bytes = size * n;
    if (t->lane) t->lane->progress++;
    if (str_starts_with(str_of(p, bytes), STR("HTTP/"))) {
        buf_clear(&t->head);
        buf_clear(&t->body);
        t->head_came = false;
    }
    t->head_came |= bytes <= 2;
    t->two_lengths = other_length(t, str_of(p, bytes));
    if (t->two_lengths) return 0;
    if (t->req.facts && bytes <= 2) transfer_note_tls(t); /* the empty line at the end */
    if (t->head.n + bytes > HTTP_CLIENT_HEAD_MAX) {
        t->too_large = t->head_too_large = true;
        return 0;
    }
    buf_put(&t->head, p, bytes);
    return bytes;
}

/* Called all the time while there is a connection: the only place from which one that is merely made can be seen. */
static int on_progress(void *ctx, curl_off_t down, curl_off_t downloaded, curl_off_t up, curl_off_t uploaded) {
    Transfer *t = ctx;
    (void)down, (void)downloaded, (void)up, (void)uploaded;
    if (!t->facts.certificate_expiry_s) transfer_note_tls(t);
    return 0;
}

static void add_header(Transfer *t, const char *prefix, const char *value) {
    Str line = arena_printf(t->arena, "%s%s", prefix, value);
    t->headers = curl_slist_append(t->headers, line.p);
}

static bool sets_header(const Transfer *t, const char *name) {
    for (const struct curl_slist *h = t->headers; h; h = h->next) {
        Str line = str_cstr(h->data);
        size_t colon = str_find_char(line, ':');
        if (colon != SIZE_MAX && str_eq_nocase(str_slice(line, 0, colon), str_cstr(name))) return true;
    }
    return false;
}

static void set_method(Transfer *t) {
    const HttpClientRequest *r = &t->req;
    CURL *e = t->easy;
    bool post = strcmp(r->method, "POST") == 0, has_body = r->body.n > 0;
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        return;
    }
    if (post || has_body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, has_body ? r->body.p : "");
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        add_header(t, "Expect:", "");
        if (!sets_header(t, "content-type")) add_header(t, "Content-Type:", "");
    }
    if (!post && strcmp(r->method, "GET") != 0) curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
    if (has_body && strcmp(r->method, "GET") == 0) curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "GET");
}

static const char *override_server_name(Transfer *t) {
    char *host, *port, *full = curl_tls_rename(t->easy, t->req.url, t->req.server_name, &t->tls, &host, &port);
    if (full && !sets_header(t, "host")) add_header(t, "Host: ", arena_printf(t->arena, "%s:%s", host, port).p);
    const char *result = full ? arena_copy(t->arena, str_cstr(full)).p : NULL;
    curl_free(host);
    curl_free(port);
    curl_free(full);
    return result;
}

static void set_tls(Transfer *t) {
    const HttpClientRequest *r = &t->req;
    ClientTls tls = {.ca_file = r->ca_file,
        .cert_file = r->cert_file,
        .key_file = r->key_file,
        .ca_pem = r->ca_pem,
        .cert_pem = r->cert_pem,
        .key_pem = r->key_pem,
        .min_version = r->tls_min_version,
        .max_version = r->tls_max_version,
        .insecure_skip_verify = r->insecure_skip_verify};
    if (!curl_tls_set(t->easy, &tls, &t->tls)) t->setup_error = "no memory for a certificate";
}

static bool is_plain(const Transfer *t) {
    return str_eq_nocase(str_slice(str_cstr(t->req.url ? t->req.url : ""), 0, 7), STR("http://"));
}

/* Without proxy_from_environment the environment says nothing. */
static void set_proxy(Transfer *t) {
    const HttpClientRequest *r = &t->req;
    if (!r->proxy_from_environment) {
        curl_easy_setopt(t->easy, CURLOPT_PROXY, r->proxy_url ? r->proxy_url : "");
        curl_easy_setopt(t->easy, CURLOPT_NOPROXY, r->no_proxy ? r->no_proxy : "");
    }
    if (!t->proxy_headers || is_plain(t)) return; /* without a tunnel the proxy would pass them on */
    curl_easy_setopt(t->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    curl_easy_setopt(t->easy, CURLOPT_PROXYHEADER, t->proxy_headers);
}

static void set_credentials(Transfer *t) {
    const HttpClientRequest *r = &t->req;
    if (r->username) {
        curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(t->easy, CURLOPT_USERNAME, r->username);
        curl_easy_setopt(t->easy, CURLOPT_PASSWORD, r->password ? r->password : "");
    }
    if (!r->bearer_token) return;
    if (strpbrk(r->bearer_token, "\r\n"))
        t->setup_error = "the bearer token contains a line break";
    else
        add_header(t, "Authorization: Bearer ", r->bearer_token); /* curl keeps it from other hosts */
}

ErrCode transfer_setup(Transfer *t, const char *user_agent) {
    const HttpClientRequest *r = &t->req;
    CURL *e = t->easy = curl_easy_init();
    ASSERT(e);
    const char *url = r->url ? r->url : "";
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* A request that ends while its name is looked up leaves the lookup's thread to itself. Else curl waits for it, and
     * so would all other requests, for as long as no server of names answers. */
#if LIBCURL_VERSION_NUM >= 0x075700 /* 7.87 */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(e, CURLOPT_USERAGENT, user_agent);
    /* Names are looked up when a connection is made, as Go's client does. curl's own cache is walked from end to end
     * after every request: with thousands of hosts that is most of the time spent. */
    curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, r->no_follow_redirects ? 0L : 1L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    if (r->unix_socket) curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, r->unix_socket);
    if (r->accept_gzip && r->keep_encoding)
        add_header(t, "Accept-Encoding: ", "gzip");
    else if (r->accept_gzip)
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (r->timeout_ms > 0) curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    if (r->timeout_ms > 0) curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->timeout_ms);
    /* Without TLS there is no HTTP/2 but that asked for at once. curl would believe an answer that says "HTTP/2 200",
     * and send all further requests to that host over its connection without waiting for answers. */
    bool http1 = r->http1_only || (is_plain(t) && !r->http2_prior_knowledge);
    t->may_http2 = !http1;
    if (r->http2_prior_knowledge) {
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
        /* curl 7.88 cannot use such a connection twice ("Error in the HTTP2 framing layer"). */
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    if (r->facts) {
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(e, CURLOPT_XFERINFODATA, t);
    }
    if (r->connect_only) curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
    if (http1) curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_method(t);
    set_proxy(t);
    set_tls(t);
    set_credentials(t);
    if (r->server_name) url = override_server_name(t);
    if (!url)
        t->setup_error = "malformed URL or server name";
    else
        curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    return t->setup_error ? ERR_INVALID : OK;
}

static ErrCode code_of(CURLcode result) {
    switch (result) {
    case CURLE_OK: return OK;
    case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return ERR_INVALID;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_BAD_CONTENT_ENCODING: return ERR_UNPROCESSABLE;
    default: return ERR_UNAVAILABLE;
    }
}

static HttpFailure failure_of(const Transfer *t, CURLcode result) {
    if (t->two_lengths) return HTTP_FAILED_LENGTHS;
    if (t->head_too_large) return HTTP_FAILED_HEAD;
    if (result == CURLE_OK) return HTTP_FAILED_NOT;
    if (t->too_large || t->stopped || t->setup_error) return HTTP_FAILED_OTHERWISE;
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return HTTP_FAILED_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST: return HTTP_FAILED_RESOLVE;
    case CURLE_COULDNT_CONNECT: return HTTP_FAILED_CONNECT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return strstr(t->curl_error, "chunked-encoding") ? HTTP_FAILED_CHUNK : HTTP_FAILED_RECEIVE;
    case CURLE_GOT_NOTHING: return HTTP_FAILED_EMPTY;
    case CURLE_PARTIAL_FILE: return HTTP_FAILED_CUT;
    case CURLE_WEIRD_SERVER_REPLY:
        return strstr(t->curl_error, "Content-Length") ? HTTP_FAILED_LENGTH : HTTP_FAILED_NOT_HTTP;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return strstr(t->curl_error, "HTTP/0.9") ? HTTP_FAILED_NOT_HTTP : HTTP_FAILED_OTHERWISE;
    case CURLE_TOO_MANY_REDIRECTS: return HTTP_FAILED_REDIRECTS;
    default: return HTTP_FAILED_OTHERWISE;
    }
}

static void put_endpoint(char out[64], const char *ip, long port) {
    if (ip && *ip) snprintf(out, 64, strchr(ip, ':') ? "[%.45s]:%ld" : "%.45s:%ld", ip, port);
}

static void describe_failure(Transfer *t, CURLcode result, HttpClientResponse *ret) {
    long os_error = 0, local_port = 0, remote_port = 0;
    char *local = NULL, *remote = NULL, *url = NULL;
    ret->failure = failure_of(t, result);
    ret->head_came = t->head_came;
    if (ret->failure == HTTP_FAILED_NOT || !t->easy) return;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
    curl_easy_getinfo(t->easy, CURLINFO_LOCAL_IP, &local);
    curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &local_port);
    curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &remote);
    curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &remote_port);
    ret->os_error = (int)os_error;
    ret->last_url = str_cstr(url);
    put_endpoint(ret->local, local, local_port);
    put_endpoint(ret->remote, remote, remote_port);
}

void transfer_result(Transfer *t, CURLcode result, HttpClientResponse *ret) {
    long status = 0;
    char *type = NULL;
    curl_off_t retry_s = 0;
    describe_failure(t, result, ret);
    ret->code = t->too_large     ? ERR_TOO_LARGE
                : t->stopped     ? ERR_CANCELLED
                : t->setup_error ? ERR_INVALID
                                 : code_of(result);
    if (t->head_too_large) {
        snprintf(ret->error, sizeof(ret->error), "the answer's head is larger than %zu bytes", HTTP_CLIENT_HEAD_MAX);
    } else if (t->too_large) {
        snprintf(ret->error, sizeof(ret->error), "the answer is larger than %zu bytes", t->req.max_body_bytes);
    } else if (t->two_lengths) {
        snprintf(ret->error, sizeof(ret->error), "the answer has more than one Content-Length");
    } else if (ret->code != OK) {
        const char *text = t->curl_error[0] ? t->curl_error : curl_easy_strerror(result);
        snprintf(ret->error, sizeof(ret->error), "%.255s", t->setup_error ? t->setup_error : text);
    }
    if (!t->easy) return;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_s);
    ret->status = (int)status;
    ret->content_type = str_cstr(type);
    ret->retry_after_s = (int64_t)retry_s;
    ret->body = buf_str(&t->body);
    ret->headers = buf_str(&t->head);
    if (t->req.facts) transfer_facts(t, &ret->facts);
}
