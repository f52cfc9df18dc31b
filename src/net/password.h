/* password.h - argon2id. Private to net. */
#ifndef MEERKAT_NET_PASSWORD_H
#define MEERKAT_NET_PASSWORD_H

#include "base/str.h"

#define PASSWORD_HASH_MAX 128 /* with NUL */
#define PASSWORD_BYTES_MAX 1024

/* Tens of ms and 19 MiB each; one at a time in the process. false: out of memory. */
bool password_hash(Str password, char ret[PASSWORD_HASH_MAX]);
bool password_verify(const char *hash, Str password);
bool password_hash_is_valid(const char *hash);

#endif
