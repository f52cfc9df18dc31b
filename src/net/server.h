/* server.h - all listening sockets of the process: HTTP/1.1 (libmicrohttpd), HTTP/2 and gRPC (nghttp2).
 *
 * One acceptor thread owns every port. It looks at the first bytes: an HTTP/2 preface (or, under TLS, an
 * ALPN offer of h2) goes to the HTTP/2 engine, all else to the HTTP/1.1 engine. */
#ifndef MEERKAT_NET_SERVER_H
#define MEERKAT_NET_SERVER_H

#include "net/auth.h"
#include "net/grpc.h"
#include "net/http.h"

typedef struct NetServer NetServer;

typedef struct NetServerOptions {
    unsigned io_threads;              /* 0: min(2, CPUs) */
    unsigned ingest_workers;          /* 0: 16 */
    unsigned query_workers;           /* 0: 2 x CPUs, at least 4 */
    size_t ingest_queue, query_queue; /* 0: 256 / 128 waiting requests */
    size_t connections_max;           /* 0: 4096 over all ports; beyond it new ones are closed */
    size_t body_bytes_max;            /* 0: 512 MiB of request bodies in memory at once; beyond it 503 */
    unsigned header_timeout_ms;       /* 0: 10000; slow senders are cut */
    unsigned idle_timeout_ms;         /* 0: 120000 */
    unsigned body_timeout_ms;         /* 0: 60000 for a whole body */
    Auth *auth;                       /* borrowed; NULL: everyone is admin (tests) */
    void (*on_access)(void *ctx, const HttpRequest *req, int status, int64_t duration_ns, size_t bytes_out);
    void *on_access_ctx;
} NetServerOptions;

typedef struct NetListen {
    const char *name;        /* "prometheus"; kept by copy */
    const char *address;     /* "127.0.0.1", "0.0.0.0", "::1" */
    uint16_t port;           /* 0: any free one (tests), see net_server_port */
    const Router *router;    /* borrowed */
    const char *path_prefix; /* "/monitoring", kept by copy: paths begin with it, handlers do not see it; "/" leads
                                there. NULL or "": none */
    const char *tls_cert_file, *tls_key_file; /* both or none; reloaded by net_server_reload_tls */
    bool require_role;                        /* enforce Route.role even on loopback (the UI) */
    bool open;                                /* what editors may needs no login, from anywhere: as in the originals */
    bool cors;                                /* answer as Prometheus' API does: Access-Control-Allow-Origin: * */
} NetListen;

typedef struct NetStats {
    uint64_t requests, responses_4xx, responses_5xx, connections, connections_refused, bytes_in, bytes_out;
    uint64_t protocol_errors, timeouts, overloaded;
} NetStats;

ErrCode net_server_create(const NetServerOptions *opts, NetServer **ret, Err *reterr);
/* Binds at once. ERR_CONFLICT with a message that names the port and the process that holds it. */
ErrCode net_server_listen(NetServer *s, const NetListen *spec, Err *reterr);
uint16_t net_server_port(const NetServer *s, const char *name); /* actual port of a listener, 0: unknown */
ErrCode net_server_start(NetServer *s, Err *reterr);
void net_server_stats(const NetServer *s, NetStats *ret);
ErrCode net_server_reload_tls(NetServer *s, Err *reterr);
/* Stops accepting, sends GOAWAY / Connection: close, waits for running requests up to timeout_ms. Those that are not
 * done by then are told that their client is gone. */
void net_server_drain(NetServer *s, int64_t timeout_ms);
NetServer *net_server_free(NetServer *s);

#endif
