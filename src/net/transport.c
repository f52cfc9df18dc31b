/* transport.c - reading and writing without blocking. */
#include "net/transport.h"

#include "net/tls_int.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static ptrdiff_t tls_result(ssize_t n) {
    if (n >= 0) return n;
    if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) return TRANSPORT_AGAIN;
    return TRANSPORT_FAILED;
}

static ptrdiff_t socket_result(ssize_t n) {
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? TRANSPORT_AGAIN : TRANSPORT_FAILED;
}

ptrdiff_t transport_read(Transport *t, void *buf, size_t max) {
    if (!t->tls) return socket_result(recv(t->fd, buf, max, 0));
    ssize_t n = gnutls_record_recv(t->tls, buf, max);
    /* A renegotiation request (TLS 1.2) is ignored: we never renegotiate. */
    return n == GNUTLS_E_REHANDSHAKE ? TRANSPORT_FAILED : tls_result(n);
}

ptrdiff_t transport_write(Transport *t, const void *buf, size_t n) {
    ASSERT(n > 0);
    if (!t->tls) return socket_result(send(t->fd, buf, n, MSG_NOSIGNAL));
    /* After GNUTLS_E_AGAIN the same bytes must be offered again; callers keep them. */
    return tls_result(gnutls_record_send(t->tls, buf, n));
}

void transport_close(Transport *t) {
    if (t->tls) {
        gnutls_bye(t->tls, GNUTLS_SHUT_WR);
        gnutls_deinit(t->tls);
        tls_creds_unref(t->creds);
    }
    close(t->fd);
}
