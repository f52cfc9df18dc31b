/* net_int.h - what the engines share: listeners, exchanges, I/O loops. Private to net.
 *
 * Threads: loop 0 accepts and looks at first bytes; loops 0..n-1 run HTTP/2 and TLS connections; libmicrohttpd's
 * threads run HTTP/1.1; pools run handlers. An Exchange belongs to its engine's thread, is lent to one pool thread
 * between exchange_submit and on_done, and comes back. */
#ifndef MEERKAT_NET_NET_INT_H
#define MEERKAT_NET_NET_INT_H

#include "base/vec.h"
#include "codec/compress.h"
#include "net/server.h"
#include "sys/thread.h"

#include <netinet/in.h>
#include <sys/socket.h>

typedef struct Loop Loop;
typedef struct Http1 Http1;
typedef struct Acceptor Acceptor;
typedef struct TlsKeys TlsKeys;

#define PEER_MAX 64
#define HEADER_BYTES_MAX ((size_t)16 << 10) /* HTTP/2 header list, also announced */
#define HEADERS_MAX 128

typedef struct Listener {
    NetServer *server;
    char name[48];
    int fd;
    uint16_t port;
    const Router *router;
    char path_prefix[256]; /* "": none */
    bool require_role, open, cors;
    TlsKeys *tls; /* NULL: plain */
} Listener;

/* A client's connection between accept and an engine. */
typedef struct Accepted {
    const Listener *listener;
    int fd;
    char peer[PEER_MAX];
} Accepted;

struct NetServer {
    NetServerOptions opts; /* defaults filled in */
    VEC(Listener *) listeners;
    Loop **loops;
    unsigned n_loops;
    Acceptor *acceptor;
    Http1 *http1;
    Pool *instant, *ingest, *query, *turns;
    bool started;
    atomic_bool draining, hurried; /* hurried: what still runs when the drain's time is over shall end */
    atomic_bool closing;           /* connections of the loops end at their next tick */
    atomic_uint next_loop;
    atomic_size_t connections, body_bytes, exchanges;
    atomic_size_t begun;        /* exchanges that Route.start has taken and that are not finished */
    atomic_size_t answer_bytes; /* answers made and not yet taken by their clients */
    struct {
        _Atomic uint64_t requests, responses_4xx, responses_5xx, connections, connections_refused, bytes_in, bytes_out;
        _Atomic uint64_t protocol_errors, timeouts, overloaded;
    } stats;
};

/* --- exchange.c: one request and its answer, whichever engine carries it --- */
typedef struct Exchange {
    HttpRequest req;
    HttpResponse res;
    NetServer *server;
    const Listener *listener;
    Arena *head, *arena; /* head: header strings, parameters; arena: the handler's */
    AVEC(HttpHeader) headers;
    RouteMatch match;
    char peer[PEER_MAX];
    Buf body;
    size_t body_max;
    int64_t content_length; /* -1: not given */
    int64_t start_mono_ns;
    bool grpc, answered, finished, needs_slow_auth, running;
    atomic_bool gone; /* the client has left; a stream should end */
    size_t bytes_out;
    size_t answer_bytes;  /* counted in the server's */
    size_t decoded_bytes; /* counted in the server's body_bytes */
    HttpWaker *waker;
    void (*on_done)(struct Exchange *x);       /* on the worker: res is complete */
    void (*resume_stream)(struct Exchange *x); /* any thread: pull the body again */
    void *engine;
} Exchange;

Exchange *exchange_create(NetServer *s, const Listener *l, const char *peer, bool tls, bool http2);
/* Copies. false: the budget for headers is used up (431). */
bool exchange_add_header(Exchange *x, Str name, Str value);
/* All headers are there: routes, checks rights and limits. Not OK: res holds the final answer. target: path?query. */
ErrCode exchange_begin(Exchange *x, Str method, Str target);
/* More body. Not OK: res holds the final answer; further data is to be thrown away. */
ErrCode exchange_add_body(Exchange *x, Str data);
/* Hands the exchange to its pool: true, on_done will run. false: res holds the final answer (overload). */
bool exchange_submit(Exchange *x);
/* Answers without a handler: text/plain, or a gRPC status. */
ErrCode exchange_fail(Exchange *x, ErrCode code, int http_status, const char *fmt, ...) ATTR_PRINTF(4, 5);
/* Next piece of a streaming body, see HttpBodyFn; WAIT only after the waker has been armed. suspend (may be NULL)
 * runs under the waker's lock, so that a wake cannot fall between WAIT and it. */
ptrdiff_t exchange_pull(Exchange *x, char *buf, size_t max, void (*suspend)(Exchange *x));
/* How long the client may take to receive a whole answer: the idle time, and more for a long one. 0: no limit. */
int64_t exchange_answer_limit_ms(const Exchange *x);
void exchange_free(Exchange *x); /* counts, reports, releases; not while a worker has it */
/* As decompress, into the request's arena; what is large is counted with the bodies in memory. ERR_UNAVAILABLE when it
 * does not fit there. */
ErrCode http_decompress(HttpRequest *req, Encoding enc, Str in, size_t max_bytes, Str *ret, Err *reterr);
/* --- stream.c --- */
void exchange_waker_detach(Exchange *x);
HttpWaker *exchange_waker_ref(Exchange *x);
Exchange *waker_exchange(HttpWaker *w); /* NULL: ended; stays valid on the engine's own thread only */

/* --- reply.c --- */
void reply_finish(Exchange *x); /* defaults, CORS, compression, gRPC translation */

/* --- authorize.c --- */
/* OK, or the answer is in res. may_block: password hashing is allowed (worker threads). */
ErrCode exchange_authorize(Exchange *x, bool may_block);

/* --- loop.c: a libuv loop with its thread --- */
Loop *loop_create(const char *name);
void loop_start(Loop *l);
/* Runs fn(ctx) on the loop's thread. Thread-safe. */
void loop_post(Loop *l, void (*fn)(void *ctx), void *ctx);
struct uv_loop_s *loop_uv(Loop *l);
/* fn runs every 100 ms on the loop's thread; it may remove itself. */
typedef struct LoopTick {
    struct LoopTick *prev, *next;
    void (*fn)(struct LoopTick *t, int64_t now_ns);
} LoopTick;
void loop_tick_add(Loop *l, LoopTick *t);
void loop_tick_remove(Loop *l, LoopTick *t);
/* Posts fn as the last job, then joins. Everything registered must be closed by then. */
void loop_stop(Loop *l);
Loop *loop_free(Loop *l);
size_t loop_open_count(const Loop *l);
void loop_open_add(Loop *l, int delta); /* connections alive on this loop; own thread only */

/* --- acceptor.c --- */
Acceptor *acceptor_create(NetServer *s, Loop *loop);
void acceptor_start(Acceptor *a); /* from any thread */
void acceptor_stop(Acceptor *a);  /* closes the listening sockets; waits until done */
Acceptor *acceptor_free(Acceptor *a);
void net_connection_closed(NetServer *s);
void net_format_peer(const struct sockaddr *sa, char out[PEER_MAX]);

/* --- http1.c --- */
Http1 *http1_create(NetServer *s, Err *reterr);
/* Takes the socket. tls: it is the plain end of a TLS bridge, and counted there. */
void http1_add(Http1 *h, const Accepted *a, bool tls);
void http1_drain(Http1 *h);                 /* idle connections are closed */
void http1_sweep(Http1 *h, int64_t now_ns); /* cuts those who are too slow */
Http1 *http1_free(Http1 *h);

/* --- http2.c --- */
/* From any thread: the connection goes to one of the loops. */
void http2_add(NetServer *s, const Accepted *a);

/* --- tls.c --- */
TlsKeys *tls_keys_load(const char *cert_file, const char *key_file, Err *reterr);
ErrCode tls_keys_reload(TlsKeys *k, Err *reterr); /* running connections keep the old certificate */
TlsKeys *tls_keys_free(TlsKeys *k);
void tls_add(NetServer *s, const Accepted *a);

#endif
