/* notify_token.c - tokens that a service gave for a while (OAuth2, WeChat, AWS STS), kept so that not every
 * notification asks for one. Of what they were asked with only a hash is kept, so a changed secret never meets an old
 * token. */
#include "alert/notify_int.h"
#include "base/timefmt.h"
#include "codec/sha256.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define TOKENS_MAX 64 /* the one that ends first makes room */

typedef struct Token {
    char key[2 * SHA256_BYTES + 1];
    Str text; /* ours; STR_NULL: free */
    int64_t until_mono_ns;
} Token;

static Mutex lock = {PTHREAD_MUTEX_INITIALIZER};
static Token tokens[TOKENS_MAX];

static void forget(Token *t) {
    mem_free((char *)(uintptr_t)t->text.p);
    *t = (Token){0};
}

static Token *find(const char *key) {
    for (size_t i = 0; i < TOKENS_MAX; i++)
        if (tokens[i].text.n && strcmp(tokens[i].key, key) == 0) return &tokens[i];
    return NULL;
}

bool notify_token_get(Notify *n, Str key, Str *ret) {
    char hash[2 * SHA256_BYTES + 1];
    sha256_hex(key, hash);
    mutex_lock(&lock);
    Token *t = find(hash);
    if (t && t->until_mono_ns <= clock_mono_ns()) {
        forget(t);
        t = NULL;
    }
    *ret = t ? arena_copy(n->arena, t->text) : STR_NULL;
    mutex_unlock(&lock);
    return ret->n > 0;
}

void notify_token_put(Str key, Str token, int64_t good_s) {
    char hash[2 * SHA256_BYTES + 1];
    sha256_hex(key, hash);
    if (good_s <= 0 || !token.n) return;
    mutex_lock(&lock);
    Token *t = find(hash);
    for (size_t i = 0; !t && i < TOKENS_MAX; i++)
        if (!tokens[i].text.n) t = &tokens[i];
    if (!t) {
        t = tokens;
        for (size_t i = 1; i < TOKENS_MAX; i++)
            if (tokens[i].until_mono_ns < t->until_mono_ns) t = &tokens[i];
    }
    forget(t);
    t->text = str_of(str_dup_cstr(token), token.n);
    t->until_mono_ns = clock_mono_ns() + MIN(good_s, 86400 * 365) * NS_PER_S;
    memcpy(t->key, hash, sizeof hash);
    mutex_unlock(&lock);
}

void notify_token_drop(Str key, Str token) {
    char hash[2 * SHA256_BYTES + 1];
    sha256_hex(key, hash);
    mutex_lock(&lock);
    Token *t = find(hash);
    if (t && str_eq(t->text, token)) forget(t);
    mutex_unlock(&lock);
}
