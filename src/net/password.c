/* password.c - argon2id with OWASP's least parameters: 19 MiB, two passes. */
#include "net/password.h"
#include "sys/thread.h"

#include <sodium.h>

#define OPS 2
#define MEM ((size_t)19 << 20)

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES, "hash string must fit");

/* Strangers decide how often this runs, so its memory is spent once, not once per worker. */
static Mutex one_at_a_time = {PTHREAD_MUTEX_INITIALIZER};

bool password_hash(Str password, char ret[PASSWORD_HASH_MAX]) {
    mutex_lock(&one_at_a_time);
    int r =
        crypto_pwhash_str_alg(ret, password.p ? password.p : "", password.n, OPS, MEM, crypto_pwhash_ALG_ARGON2ID13);
    mutex_unlock(&one_at_a_time);
    return r == 0;
}

bool password_verify(const char *hash, Str password) {
    if (password.n > PASSWORD_BYTES_MAX) return false;
    mutex_lock(&one_at_a_time);
    int r = crypto_pwhash_str_verify(hash, password.p ? password.p : "", password.n);
    mutex_unlock(&one_at_a_time);
    return r == 0;
}

bool password_hash_is_valid(const char *hash) {
    return strlen(hash) < PASSWORD_HASH_MAX && strncmp(hash, "$argon2id$", 10) == 0 &&
           crypto_pwhash_str_needs_rehash(hash, OPS, MEM) >= 0;
}
