/* client.h - HTTP client on libcurl's multi interface: one thread, tens of thousands of connections kept, thousands of
 * requests in flight. What a request costs does not depend on how many there are. */
#ifndef MEERKAT_NET_CLIENT_H
#define MEERKAT_NET_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

typedef struct HttpClient HttpClient;

typedef struct HttpClientRequest {
    const char *method; /* "GET" */
    const char *url;
    const char *const *headers; /* "Name: value" strings, NULL-terminated; may be NULL */
    Str body;                   /* copied */
    int64_t timeout_ms;
    size_t max_body_bytes;                          /* of the answer after decoding; 0: 64 MiB */
    const char *username, *password, *bearer_token; /* NULL: none */
    const char *ca_file, *cert_file, *key_file, *server_name, *proxy_url;
    Str ca_pem, cert_pem, key_pem;            /* instead of the files */
    uint8_t tls_min_version, tls_max_version; /* 10 to 13; 0: TLS 1.2 and the newest */
    const char *no_proxy;                     /* hosts, domains, networks: reached without the proxy */
    bool proxy_from_environment;              /* http_proxy, https_proxy, no_proxy */
    const char *const *proxy_headers;         /* "Name: value" for CONNECT, NULL-terminated; may be NULL */
    const char *unix_socket;                  /* path: connect there; the URL's host is only a name */
    bool insecure_skip_verify, no_follow_redirects, accept_gzip;
    bool keep_encoding;         /* with accept_gzip: the body is given as it came, max_body_bytes counts that */
    bool http1_only;            /* do not offer HTTP/2 */
    bool http2_prior_knowledge; /* HTTP/2 without TLS: gRPC to a plain port */
    bool facts;                 /* fill HttpClientResponse.facts: a connection of its own, used once */
    bool connect_only;          /* of an http URL the TCP connection, of https the TLS one; nothing is sent */
    /* Streams the answer: called with each piece of the body of a 200, on the client's thread; false ends the request
     * (code ERR_CANCELLED). The body is then not collected and max_body_bytes does not count it. NULL: collect. */
    bool (*on_data)(void *ctx, Str data);
} HttpClientRequest;

/* The first certificate a server sent, and how it is spoken to. Texts are cut where they are longer. */
typedef struct HttpClientCertificate {
    char fingerprint_sha256[65], serial[65]; /* hex, lower case */
    char subject[512], issuer[512];          /* "CN=example.com,O=Example" */
    char dns_names[1024];                    /* separated by commas */
    char cipher[64];                         /* "TLS_AES_256_GCM_SHA384" */
} HttpClientCertificate;

/* What a request has shown of the way to the server, for probes. Times count from its start, each at the end of the
 * step; with redirects, of the last request but counted on. 0: there was no such step. */
typedef struct HttpClientFacts {
    int64_t resolve_ns, connect_ns, tls_ns, sent_ns, first_byte_ns, total_ns;
    int redirects;
    double http_version;          /* 1, 1.1, 2; 0: no answer */
    int ip_version;               /* 4 or 6; 0: no connection */
    uint32_t ip_hash;             /* FNV-1a of the address' bytes: tells that it changed; 0: no connection */
    bool tls;                     /* the last connection was under TLS */
    char tls_version[16];         /* "TLS 1.3" */
    int64_t certificate_expiry_s; /* of the certificates that were sent, the first to expire; 0: none */
    int64_t content_length;       /* -1: not said */
    const HttpClientCertificate *certificate; /* while the answer is looked at; NULL: none came */
} HttpClientFacts;

#define HTTP_CLIENT_HEAD_MAX ((size_t)256 << 10)
/* Why no whole answer came, for those who tell it in words of their own. */
typedef enum HttpFailure {
    HTTP_FAILED_NOT,
    HTTP_FAILED_OTHERWISE, /* also: cancelled, too large, a request that could not be made */
    HTTP_FAILED_TIMEOUT,
    HTTP_FAILED_RESOLVE,
    HTTP_FAILED_CONNECT, /* os_error */
    HTTP_FAILED_RECEIVE, /* os_error */
    HTTP_FAILED_EMPTY,   /* closed without an answer */
    HTTP_FAILED_CUT,     /* closed before the end of the body */
    HTTP_FAILED_CHUNK,   /* a chunk's length is none */
    HTTP_FAILED_NOT_HTTP,
    HTTP_FAILED_LENGTH,   /* Content-Length is no number */
    HTTP_FAILED_LENGTHS,  /* it is there twice and differs */
    HTTP_FAILED_HEAD,     /* larger than HTTP_CLIENT_HEAD_MAX */
    HTTP_FAILED_REDIRECTS /* more than ten */
} HttpFailure;

typedef struct HttpClientResponse {
    ErrCode code; /* OK: an HTTP answer came (any status) */
    char error[256];
    HttpFailure failure;
    int os_error;   /* errno; 0: not known */
    bool head_came; /* the failure came after the whole head */
    Str last_url;   /* the one that was asked last: of the last redirect. Valid during the callback; may be empty */
    char local[64], remote[64]; /* "127.0.0.1:8080" of the connection; may be empty */
    int status;
    Str body, content_type; /* valid during the callback */
    int64_t duration_ns;
    Str headers;           /* the status line and the "Name: value\r\n" lines of the last answer, then its trailers */
    int64_t retry_after_s; /* of Retry-After, 0 when absent */
    HttpClientFacts facts;
} HttpClientResponse;

/* Runs on the client's thread: must not block; hand heavy work to a pool. */
typedef void (*HttpClientDone)(void *ctx, const HttpClientResponse *res);

HttpClient *http_client_create(const char *user_agent);
HttpClient *http_client_free(HttpClient *c); /* pending requests end with ERR_CANCELLED */
/* Ends all pending requests with ERR_CANCELLED, and from now on every new one at once. Before _free when other threads
 * may still begin requests. */
void http_client_stop(HttpClient *c);
/* How many idle connections are kept (256 at first); for those who talk to many hosts all the time. As hosts do not
 * spread evenly over what they are shared out to, it may become twice as many, but never more than `most`. */
void http_client_keep(HttpClient *c, size_t connections, size_t most);
void http_client_start(HttpClient *c, const HttpClientRequest *req, HttpClientDone done, void *ctx);
/* First header or trailer of that name (case-insensitive), trimmed; STR_NULL when absent. */
Str http_client_header(const HttpClientResponse *res, Str name);
/* What http_client_wait copies out of the answer; NULL: not wanted. Callers: buf_done. */
typedef struct HttpFetched {
    int status;
    Buf *body, *content_type;
    Buf *header; /* the first of the name header_name */
    Str header_name;
} HttpFetched;
/* Something that begins requests as http_client_start does. */
typedef void (*HttpClientStart)(void *starter, const HttpClientRequest *req, HttpClientDone done, void *ctx);
/* Begins the request and waits for its end. Not from the client's thread. */
ErrCode http_client_wait(
    HttpClientStart start, void *starter, const HttpClientRequest *req, HttpFetched *ret, Err *reterr);
/* Waits for the answer; body is copied to *ret_body (caller: buf_done). Not from the client's thread. */
ErrCode http_client_fetch(HttpClient *c, const HttpClientRequest *req, int *ret_status, Buf *ret_body, Err *reterr);

#endif
