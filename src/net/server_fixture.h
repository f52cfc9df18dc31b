/* server_fixture.h - a server on a free port, raw sockets against it. For tests only. */
#ifndef MEERKAT_NET_SERVER_FIXTURE_H
#define MEERKAT_NET_SERVER_FIXTURE_H

#include "net/client.h"
#include "net/server.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_S 100 /* for an answer: longer than a busy machine takes, shorter than a test may */
#define WAIT_MS (WAIT_S * 1000)

typedef struct Fixture {
    Router *router;
    NetServer *server;
    uint16_t port;
    char base_url[64];
} Fixture;

static inline void fixture_start(Fixture *f, const NetServerOptions *opts, const NetListen *like) {
    NetListen spec = like ? *like : (NetListen){0};
    Err err = {0};
    spec.name = "test";
    spec.address = "127.0.0.1";
    spec.router = f->router;
    assert_int_equal(net_server_create(opts, &f->server, &err), OK);
    if (net_server_listen(f->server, &spec, &err) != OK) fail_msg("listen: %s", err.msg);
    assert_int_equal(net_server_start(f->server, &err), OK);
    f->port = net_server_port(f->server, "test");
    assert_true(f->port > 0);
    snprintf(f->base_url, sizeof(f->base_url), "%s://127.0.0.1:%u", spec.tls_cert_file ? "https" : "http", f->port);
}

static inline void fixture_stop(Fixture *f) {
    f->server = net_server_free(f->server);
    f->router = router_free(f->router);
}

static inline int raw_connect(const Fixture *f) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    struct timeval tv = {.tv_sec = WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    return fd;
}

static inline bool raw_send(int fd, Str s) {
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0) return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

/* Reads until the peer closes (or WAIT_S). */
static inline void raw_read_all(int fd, Buf *out) {
    for (;;) {
        buf_reserve(out, 4096);
        ssize_t n = recv(fd, out->p + out->n, 4096, 0);
        if (n <= 0) return;
        out->n += (size_t)n;
    }
}

/* Reads until out contains text (or the end). */
static inline bool raw_read_until(int fd, Buf *out, Str text) {
    while (!str_contains(buf_str(out), text)) {
        buf_reserve(out, 4096);
        ssize_t n = recv(fd, out->p + out->n, 4096, 0);
        if (n <= 0) return false;
        out->n += (size_t)n;
    }
    return true;
}

static inline void expect_contains(const Buf *b, const char *text) {
    if (!str_contains(buf_str(b), str_cstr(text)))
        fail_msg("expected \"%s\" in:\n%" STR_FMT "\n", text, STR_ARG(buf_str(b)));
}

#endif
