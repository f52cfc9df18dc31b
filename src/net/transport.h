/* transport.h - a connected socket, plain or under TLS, without blocking. Private to net. */
#ifndef MEERKAT_NET_TRANSPORT_H
#define MEERKAT_NET_TRANSPORT_H

#include "base/base.h"

#include <gnutls/gnutls.h>

typedef struct TlsCreds TlsCreds;

typedef struct Transport {
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    TlsCreds *creds;      /* a reference, kept as long as the session */
} Transport;

#define TRANSPORT_AGAIN ((ptrdiff_t)-1) /* wait for the socket */
#define TRANSPORT_FAILED ((ptrdiff_t)-2)

/* Bytes read, 0 at the end of the peer's stream. */
ptrdiff_t transport_read(Transport *t, void *buf, size_t max);
ptrdiff_t transport_write(Transport *t, const void *buf, size_t n);
void transport_close(Transport *t); /* with TLS' goodbye, without waiting for the peer's */

#endif
