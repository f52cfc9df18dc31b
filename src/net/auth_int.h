/* auth_int.h - the two-step identification the server uses. Private to net. */
#ifndef MEERKAT_NET_AUTH_INT_H
#define MEERKAT_NET_AUTH_INT_H

#include "net/auth.h"

typedef struct AuthIdentity {
    Role role;
    char user[128];  /* empty: anonymous */
    bool by_cookie;  /* writes need an Origin check */
    bool needs_slow; /* a password that must be hashed: ask again with may_block */
} AuthIdentity;

/* OK with role ROLE_NONE when there is no credential; ERR_UNAUTHENTICATED, ERR_OVERLOADED. Without may_block the
 * answer for a password not seen lately is OK with needs_slow. */
ErrCode auth_identity(Auth *a, const HttpRequest *req, bool may_block, AuthIdentity *ret, Err *reterr);
bool auth_loopback_open(const Auth *a);
/* The address part of "127.0.0.1:1234" or "[::1]:1234". */
Str auth_peer_host(Str peer);
bool auth_peer_is_loopback(Str peer);

#endif
