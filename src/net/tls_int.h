/* tls_int.h - TLS sessions on the loops. Private to net. */
#ifndef MEERKAT_NET_TLS_INT_H
#define MEERKAT_NET_TLS_INT_H

#include "net/net_int.h"
#include "net/transport.h"

/* The newest credentials of k, with a reference. */
TlsCreds *tls_keys_current(TlsKeys *k);
TlsCreds *tls_creds_unref(TlsCreds *c);
gnutls_certificate_credentials_t tls_creds_handle(TlsCreds *c);

/* Carries the plain text of a TLS connection to the HTTP/1.1 engine through a socket pair. On the loop's thread;
 * takes the transport. */
void bridge_start(Loop *loop, NetServer *s, const Accepted *a, Transport t);

#endif
