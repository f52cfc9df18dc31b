/* auth.h - who is asking: basic authentication, bearer tokens, session cookies, login throttling.
 *
 * Passwords are kept as argon2id hashes, tokens as BLAKE2b hashes; comparisons take constant time.
 * This is the mechanism; users and tokens come from above (dash, configuration). Thread-safe. */
#ifndef MEERKAT_NET_AUTH_H
#define MEERKAT_NET_AUTH_H

#include "net/http.h"

typedef struct Auth Auth;

typedef struct AuthOptions {
    bool loopback_open;     /* wire APIs on loopback connections need no login */
    int64_t session_ttl_ms; /* 0: 7 days */
} AuthOptions;

Auth *auth_create(const AuthOptions *opts);
Auth *auth_free(Auth *a);
/* Adds or replaces a user. password is hashed here (tens of ms); password_hash (a stored argon2id string) instead when
 * it is not NULL. */
ErrCode auth_set_user(Auth *a, Str name, Str password, const char *password_hash, Role role, Err *reterr);
ErrCode auth_password_hash(const Auth *a, Str user, Buf *out); /* for storing */
void auth_remove_user(Auth *a, Str name);
void auth_set_token(Auth *a, Str token, Str name, Role role);
bool auth_password_is_default(const Auth *a); /* admin's password is still "admin" */
/* ERR_UNAUTHENTICATED, or ERR_OVERLOADED after 5 failures per minute and peer address. */
ErrCode auth_check_password(Auth *a, Str user, Str password, Str peer, Role *ret_role, Err *reterr);
/* A new session: 32 random bytes as hex into cookie (65 bytes with NUL). */
void auth_session_create(Auth *a, Str user, Role role, char ret_cookie[65]);
void auth_session_drop(Auth *a, Str cookie);
/* Fills req->user and req->role from Authorization or the cookie "meerkat_session". A wrong credential is an error,
 * none is not. */
ErrCode auth_identify(Auth *a, HttpRequest *req, Err *reterr);
/* For writes with a session cookie: Origin (or Referer) must be this host. */
bool auth_origin_ok(const HttpRequest *req);

#endif
