/* tls_check.h - whether a certificate and a key could serve, without serving. */
#ifndef MEERKAT_NET_TLS_CHECK_H
#define MEERKAT_NET_TLS_CHECK_H

#include "base/err.h"
#include "base/str.h"

/* Both as PEM. ERR_INVALID says, in the words of Go's crypto/tls, which of them is none or that they are no pair. */
ErrCode tls_check_pair(Str cert_pem, Str key_pem, Err *reterr);

#endif
