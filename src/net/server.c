/* server.c - the server's parts put together: options, listeners, start, drain, end. */
#include "net/server.h"

#include "net/net_int.h"
#include "sys/clock.h"
#include "sys/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define OR_DEFAULT(field, value) ((field) = (field) ? (field) : (value))
#define INSTANT_WORKERS 2
#define TURN_WORKERS 256 /* started as they are needed; most of them wait */
#define TURN_QUEUE 1024
#define INSTANT_QUEUE 1024
#define POLL_MS 5

static void fill_defaults(NetServerOptions *o) {
    unsigned cpus = thread_cpu_count();
    OR_DEFAULT(o->io_threads, MIN(2, cpus));
    OR_DEFAULT(o->ingest_workers, 16);
    OR_DEFAULT(o->query_workers, MAX(2 * cpus, 4));
    OR_DEFAULT(o->ingest_queue, 256);
    OR_DEFAULT(o->query_queue, 128);
    OR_DEFAULT(o->connections_max, 4096);
    OR_DEFAULT(o->body_bytes_max, (size_t)512 << 20);
    OR_DEFAULT(o->header_timeout_ms, 10000);
    OR_DEFAULT(o->idle_timeout_ms, 120000);
    OR_DEFAULT(o->body_timeout_ms, 60000);
}

ErrCode net_server_create(const NetServerOptions *opts, NetServer **ret, Err *reterr) {
    (void)reterr;
    NetServer *s = NEW(NetServer);
    if (opts) s->opts = *opts;
    fill_defaults(&s->opts);
    *ret = s;
    return OK;
}

static ErrCode parse_address(const NetListen *spec, struct sockaddr_storage *ss, socklen_t *ret_n, Err *reterr) {
    struct sockaddr_in *in = (struct sockaddr_in *)ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
    memset(ss, 0, sizeof(*ss));
    const char *address = spec->address && spec->address[0] ? spec->address : "127.0.0.1";
    if (strcmp(address, "localhost") == 0) address = "127.0.0.1";
    if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(spec->port);
        *ret_n = sizeof(*in);
        return OK;
    }
    if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(spec->port);
        *ret_n = sizeof(*in6);
        return OK;
    }
    return err_set(reterr, ERR_INVALID, "%s: \"%s\" is not an IP address", spec->name, address);
}

static ErrCode bind_failed(const NetListen *spec, int error, Err *reterr) {
    if (error != EADDRINUSE) {
        ErrCode code = error == EACCES ? ERR_FORBIDDEN : ERR_IO;
        return err_set(
            reterr, code, "%s: cannot listen on %s port %u: errno %d", spec->name, spec->address, spec->port, error);
    }
    Buf who = {0};
    bool known = process_find_listener(spec->port, &who);
    err_set(reterr, ERR_CONFLICT, "%s: port %u is in use%s%s", spec->name, spec->port, known ? " by " : "",
        known ? buf_cstr(&who) : "");
    err_hint(reterr, "stop the other process, or move all ports with --port-offset");
    buf_done(&who);
    return ERR_CONFLICT;
}

static ErrCode open_socket(const NetListen *spec, int *ret_fd, uint16_t *ret_port, Err *reterr) {
    struct sockaddr_storage ss;
    socklen_t n;
    ErrCode code = parse_address(spec, &ss, &n, reterr);
    if (code != OK) return code;
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return bind_failed(spec, errno, reterr);
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (ss.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&ss, n) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&ss, &n) < 0) {
        int error = errno;
        close(fd);
        return bind_failed(spec, error, reterr);
    }
    *ret_fd = fd;
    *ret_port = ntohs(
        ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port : ((struct sockaddr_in6 *)&ss)->sin6_port);
    return OK;
}

ErrCode net_server_listen(NetServer *s, const NetListen *spec, Err *reterr) {
    ASSERT(!s->started && spec->router && spec->name);
    if (!spec->tls_cert_file != !spec->tls_key_file)
        return err_set(reterr, ERR_INVALID, "%s: TLS needs both a certificate and a key", spec->name);
    TlsKeys *tls = NULL;
    if (spec->tls_cert_file) {
        tls = tls_keys_load(spec->tls_cert_file, spec->tls_key_file, reterr);
        if (!tls) return ERR_INVALID;
    }
    Listener *l = NEW(Listener);
    ErrCode code = open_socket(spec, &l->fd, &l->port, reterr);
    if (code != OK) {
        tls_keys_free(tls);
        mem_free(l);
        return code;
    }
    l->server = s;
    l->router = spec->router;
    snprintf(l->path_prefix, sizeof(l->path_prefix), "%s", spec->path_prefix ? spec->path_prefix : "");
    l->require_role = spec->require_role;
    l->open = spec->open;
    l->cors = spec->cors;
    l->tls = tls;
    snprintf(l->name, sizeof(l->name), "%s", spec->name);
    vec_push(&s->listeners, l);
    return OK;
}

uint16_t net_server_port(const NetServer *s, const char *name) {
    for (size_t i = 0; i < s->listeners.n; i++) {
        if (strcmp(s->listeners.v[i]->name, name) == 0) return s->listeners.v[i]->port;
    }
    return 0;
}

ErrCode net_server_start(NetServer *s, Err *reterr) {
    ASSERT(!s->started);
    const NetServerOptions *o = &s->opts;
    s->http1 = http1_create(s, reterr);
    if (!s->http1) return ERR_INTERNAL;
    s->instant = pool_create("net-instant", INSTANT_WORKERS, INSTANT_QUEUE);
    s->ingest = pool_create("net-ingest", o->ingest_workers, o->ingest_queue);
    s->query = pool_create("net-query", o->query_workers, o->query_queue);
    s->turns = pool_create("net-turns", TURN_WORKERS, TURN_QUEUE);
    s->loops = mem_alloc_array(o->io_threads, sizeof(Loop *));
    for (s->n_loops = 0; s->n_loops < o->io_threads; s->n_loops++) {
        char name[24];
        snprintf(name, sizeof(name), "net-io-%u", s->n_loops);
        s->loops[s->n_loops] = loop_create(name);
        loop_start(s->loops[s->n_loops]);
    }
    s->acceptor = acceptor_create(s, s->loops[0]);
    s->started = true;
    acceptor_start(s->acceptor);
    return OK;
}

void net_server_stats(const NetServer *s, NetStats *ret) {
    *ret = (NetStats){
        .requests = atomic_load(&s->stats.requests),
        .responses_4xx = atomic_load(&s->stats.responses_4xx),
        .responses_5xx = atomic_load(&s->stats.responses_5xx),
        .connections = atomic_load(&s->stats.connections),
        .connections_refused = atomic_load(&s->stats.connections_refused),
        .bytes_in = atomic_load(&s->stats.bytes_in),
        .bytes_out = atomic_load(&s->stats.bytes_out),
        .protocol_errors = atomic_load(&s->stats.protocol_errors),
        .timeouts = atomic_load(&s->stats.timeouts),
        .overloaded = atomic_load(&s->stats.overloaded),
    };
}

ErrCode net_server_reload_tls(NetServer *s, Err *reterr) {
    ErrCode first = OK;
    for (size_t i = 0; i < s->listeners.n; i++) {
        Listener *l = s->listeners.v[i];
        ErrCode code = l->tls ? tls_keys_reload(l->tls, first == OK ? reterr : NULL) : OK;
        if (first == OK) first = code;
    }
    return first;
}

void net_server_drain(NetServer *s, int64_t timeout_ms) {
    if (!s->started) return;
    atomic_store(&s->draining, true);
    acceptor_stop(s->acceptor);
    int64_t deadline_ns = clock_mono_ns() + timeout_ms * 1000000;
    while (atomic_load(&s->exchanges) > 0 || atomic_load(&s->connections) > 0) {
        http1_drain(s->http1);
        if (clock_mono_ns() >= deadline_ns) {
            atomic_store(&s->hurried, true);
            return;
        }
        clock_sleep_ms(POLL_MS);
    }
}

static void stop_parts(NetServer *s) {
    net_server_drain(s, 0);
    pool_stop(s->instant);
    pool_stop(s->ingest);
    pool_stop(s->query);
    pool_stop(s->turns);
    while (atomic_load(&s->begun) > 0) clock_sleep_ms(POLL_MS);
    atomic_store(&s->closing, true);
    for (unsigned i = 0; i < s->n_loops; i++) {
        while (loop_open_count(s->loops[i]) > 0) clock_sleep_ms(POLL_MS);
    }
    for (unsigned i = 0; i < s->n_loops; i++) loop_stop(s->loops[i]);
    http1_free(s->http1);
    s->acceptor = acceptor_free(s->acceptor);
    for (unsigned i = 0; i < s->n_loops; i++) loop_free(s->loops[i]);
    pool_free(s->instant);
    pool_free(s->ingest);
    pool_free(s->query);
    pool_free(s->turns);
    mem_free(s->loops);
}

NetServer *net_server_free(NetServer *s) {
    if (!s) return NULL;
    if (s->started)
        stop_parts(s);
    else
        http1_free(s->http1);
    for (size_t i = 0; i < s->listeners.n; i++) {
        Listener *l = s->listeners.v[i];
        if (l->fd >= 0) close(l->fd);
        tls_keys_free(l->tls);
        mem_free(l);
    }
    vec_done(&s->listeners);
    mem_free(s);
    return NULL;
}
