/* acceptor.c - listening sockets and the look at a connection's first bytes. */
#include "net/acceptor_int.h"

#include "sys/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#define ACCEPTS_PER_WAKEUP 64
/* No HTTP/1 method begins like this; the HTTP/2 preface does (RFC 9113 section 3.4). */
#define PREFACE_START "PRI"

void net_connection_closed(NetServer *s) { atomic_fetch_sub(&s->connections, 1); }

void net_format_peer(const struct sockaddr *sa, char out[PEER_MAX]) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, PEER_MAX, "%s:%u", host, ntohs(in->sin_port));
        return;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
    snprintf(out, PEER_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
}

PeekResult peek_classify(Str first) {
    size_t n = MIN(first.n, sizeof(PREFACE_START) - 1);
    if (n == 0 || memcmp(first.p, PREFACE_START, n) != 0) return n ? PEEK_HTTP1 : PEEK_MORE;
    return n == sizeof(PREFACE_START) - 1 ? PEEK_HTTP2 : PEEK_MORE;
}

static void refuse(NetServer *s, int fd) {
    atomic_fetch_add(&s->stats.connections_refused, 1);
    close(fd);
}

static void hand_over(Acceptor *a, const Accepted *c, PeekResult what) {
    if (what == PEEK_HTTP2)
        http2_add(a->server, c);
    else
        http1_add(a->server->http1, c, false);
}

/* PEEK_MORE: not enough yet; PEEK_GONE: closed by the peer. */
static PeekResult peek(int fd) {
    char first[sizeof(PREFACE_START) - 1];
    ssize_t n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) return PEEK_GONE;
    if (n < 0) return errno == EAGAIN || errno == EINTR ? PEEK_MORE : PEEK_GONE;
    return peek_classify(str_of(first, (size_t)n));
}

static void pending_closed(uv_handle_t *handle) { mem_free(handle->data); }

/* The handle leaves the loop before somebody else owns the descriptor: closing it touches epoll once more. */
static void pending_end(Pending *p, PeekResult what) {
    Acceptor *a = p->acceptor;
    Accepted conn = p->conn;
    loop_tick_remove(a->loop, &p->tick);
    uv_poll_stop(&p->poll);
    uv_close((uv_handle_t *)&p->poll, pending_closed);
    if (what == PEEK_GONE) {
        close(conn.fd);
        net_connection_closed(a->server);
    } else {
        hand_over(a, &conn, what);
    }
}

static void pending_readable(uv_poll_t *poll, int status, int events) {
    Pending *p = poll->data;
    (void)events;
    PeekResult what = status < 0 ? PEEK_GONE : peek(p->conn.fd);
    if (what != PEEK_MORE) {
        pending_end(p, what);
        return;
    }
    /* Bytes stay in the socket, so a level-triggered poll would spin: look again at the next tick. */
    uv_poll_stop(poll);
}

static void pending_tick(LoopTick *tick, int64_t now_ns) {
    Pending *p = CONTAINER_OF(tick, Pending, tick);
    NetServer *s = p->acceptor->server;
    if (now_ns >= p->deadline_ns || atomic_load(&s->draining)) {
        if (!atomic_load(&s->draining)) atomic_fetch_add(&s->stats.timeouts, 1);
        pending_end(p, PEEK_GONE);
        return;
    }
    PeekResult what = peek(p->conn.fd);
    if (what != PEEK_MORE) pending_end(p, what);
}

static void wait_for_bytes(Acceptor *a, const Accepted *c) {
    Pending *p = NEW(Pending);
    p->acceptor = a;
    p->conn = *c;
    p->deadline_ns = clock_mono_ns() + (int64_t)a->server->opts.header_timeout_ms * 1000000;
    p->tick.fn = pending_tick;
    int r = uv_poll_init(loop_uv(a->loop), &p->poll, c->fd);
    ASSERT(r == 0);
    p->poll.data = p;
    uv_poll_start(&p->poll, UV_READABLE, pending_readable);
    loop_tick_add(a->loop, &p->tick);
}

static void acceptor_tick(LoopTick *tick, int64_t now_ns) {
    Acceptor *a = CONTAINER_OF(tick, Acceptor, tick);
    http1_sweep(a->server->http1, now_ns);
    if (a->paused) {
        a->paused = false;
        for (size_t i = 0; i < a->ports.n && !a->closed; i++)
            uv_poll_start(&a->ports.v[i]->poll, UV_READABLE, acceptor_readable);
    }
    if (atomic_load(&a->server->connections) == 0) loop_tick_remove(a->loop, &a->tick);
}

static void on_accepted(Acceptor *a, const Listener *l, int fd, const struct sockaddr *sa) {
    NetServer *s = a->server;
    if (atomic_fetch_add(&s->connections, 1) >= s->opts.connections_max) {
        atomic_fetch_sub(&s->connections, 1);
        refuse(s, fd);
        return;
    }
    atomic_fetch_add(&s->stats.connections, 1);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    Accepted c = {.listener = l, .fd = fd};
    net_format_peer(sa, c.peer);
    if (!a->tick.next) loop_tick_add(a->loop, &a->tick);
    if (l->tls) {
        tls_add(s, &c);
        return;
    }
    PeekResult what = peek(fd);
    if (what == PEEK_MORE) {
        wait_for_bytes(a, &c);
    } else if (what == PEEK_GONE) {
        close(fd);
        net_connection_closed(s);
    } else {
        hand_over(a, &c, what);
    }
}

void acceptor_readable(uv_poll_t *poll, int status, int events) {
    Port *port = poll->data;
    Acceptor *a = port->acceptor;
    (void)events;
    if (status < 0) return;
    for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
        struct sockaddr_storage ss;
        socklen_t n = sizeof(ss);
        int fd = accept4(port->listener->fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            on_accepted(a, port->listener, fd, (struct sockaddr *)&ss);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return;
        /* Out of descriptors or memory: let the others finish, try again at the next tick. */
        atomic_fetch_add(&a->server->stats.connections_refused, 1);
        a->paused = true;
        for (size_t k = 0; k < a->ports.n; k++) uv_poll_stop(&a->ports.v[k]->poll);
        if (!a->tick.next) loop_tick_add(a->loop, &a->tick);
        return;
    }
}

Acceptor *acceptor_create(NetServer *s, Loop *loop) {
    Acceptor *a = NEW(Acceptor);
    a->server = s;
    a->loop = loop;
    a->tick.fn = acceptor_tick;
    mutex_init(&a->lock);
    cond_init(&a->done);
    return a;
}

static void start_on_loop(void *ctx) {
    Acceptor *a = ctx;
    for (size_t i = 0; i < a->server->listeners.n; i++) {
        Listener *l = a->server->listeners.v[i];
        Port *port = NEW(Port);
        port->acceptor = a;
        port->listener = l;
        int r = uv_poll_init(loop_uv(a->loop), &port->poll, l->fd);
        ASSERT(r == 0);
        port->poll.data = port;
        uv_poll_start(&port->poll, UV_READABLE, acceptor_readable);
        vec_push(&a->ports, port);
    }
}

void acceptor_start(Acceptor *a) { loop_post(a->loop, start_on_loop, a); }

static void port_closed(uv_handle_t *handle) { mem_free(handle->data); }

static void stop_on_loop(void *ctx) {
    Acceptor *a = ctx;
    for (size_t i = 0; i < a->ports.n; i++) {
        Port *port = a->ports.v[i];
        int fd = port->listener->fd;
        port->listener->fd = -1;
        uv_poll_stop(&port->poll);
        uv_close((uv_handle_t *)&port->poll, port_closed);
        close(fd);
    }
    vec_clear(&a->ports);
    mutex_lock(&a->lock);
    a->closed = true;
    cond_broadcast(&a->done);
    mutex_unlock(&a->lock);
}

void acceptor_stop(Acceptor *a) {
    mutex_lock(&a->lock);
    bool ask = !a->stop_asked;
    a->stop_asked = true;
    mutex_unlock(&a->lock);
    if (ask) loop_post(a->loop, stop_on_loop, a);
    mutex_lock(&a->lock);
    while (!a->closed) cond_wait(&a->done, &a->lock);
    mutex_unlock(&a->lock);
}

Acceptor *acceptor_free(Acceptor *a) {
    if (!a) return NULL;
    mutex_done(&a->lock);
    cond_done(&a->done);
    vec_done(&a->ports);
    mem_free(a);
    return NULL;
}
