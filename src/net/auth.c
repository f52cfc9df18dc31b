/* auth.c - users, tokens, sessions, throttling. Secrets are found by their keyed hash, so look-ups leak no prefix. */
#include "net/auth.h"

#include "base/map.h"
#include "base/num.h"
#include "net/auth_int.h"
#include "net/password.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <sodium.h>
#include <stdio.h>

#define DIGEST_BYTES 32
#define SESSION_TTL_MS_DEFAULT (INT64_C(7) * 24 * 3600 * 1000)
#define SESSIONS_MAX 10000
#define SEEN_TTL_NS (INT64_C(300) * 1000000000)
#define THROTTLE_NS (INT64_C(60) * 1000000000)
#define THROTTLE_FAILURES 5
#define THROTTLE_PEERS_MAX 4096
#define COOKIE_NAME "meerkat_session"

typedef struct Digest {
    uint8_t b[DIGEST_BYTES];
} Digest;

typedef struct User {
    Role role;
    char hash[PASSWORD_HASH_MAX];
    int default_known; /* -1: not asked yet; else whether the password is the user's name "admin" */
    Digest seen;       /* of the last good password: argon2 need not run for every request of a poller */
    int64_t seen_until_ns;
} User;

typedef struct Identity {
    Role role;
    int64_t expires_ms; /* 0: never */
    char user[128];
} Identity;

typedef struct Failures {
    int64_t since_ns;
    unsigned n;
} Failures;

struct Auth {
    AuthOptions opts;
    Mutex hashing; /* one password at a time; taken before lock */
    Mutex lock;
    uint8_t key[DIGEST_BYTES];
    Map *users, *tokens, *sessions, *failures; /* values are owned */
    char dummy_hash[PASSWORD_HASH_MAX];        /* makes unknown users as slow as known ones */
};

Auth *auth_create(const AuthOptions *opts) {
    int r = sodium_init();
    ASSERT(r >= 0);
    Auth *a = NEW(Auth);
    if (opts) a->opts = *opts;
    if (a->opts.session_ttl_ms <= 0) a->opts.session_ttl_ms = SESSION_TTL_MS_DEFAULT;
    random_bytes(a->key, sizeof(a->key));
    mutex_init(&a->lock);
    mutex_init(&a->hashing);
    a->users = map_create(MAP_COPY_KEYS);
    a->tokens = map_create(MAP_COPY_KEYS);
    a->sessions = map_create(MAP_COPY_KEYS);
    a->failures = map_create(MAP_COPY_KEYS);
    return a;
}

static void map_clear_owned(Map *m) {
    size_t it = 0;
    Str k;
    uint64_t *v;
    while (map_next(m, &it, &k, &v)) mem_free((void *)(uintptr_t)*v);
    map_clear(m);
}

static Map *map_free_owned(Map *m) {
    map_clear_owned(m);
    return map_free(m);
}

Auth *auth_free(Auth *a) {
    if (!a) return NULL;
    map_free_owned(a->users);
    map_free_owned(a->tokens);
    map_free_owned(a->sessions);
    map_free_owned(a->failures);
    mutex_done(&a->lock);
    mutex_done(&a->hashing);
    sodium_memzero(a->key, sizeof(a->key));
    mem_free(a);
    return NULL;
}

static void map_remove_owned(Map *m, Str key) {
    uint64_t v;
    if (map_remove(m, key, &v)) mem_free((void *)(uintptr_t)v);
}

/* Removes the entries for which is_dead says so, a batch at a time because the map must not change under iteration. */
static void map_prune(Map *m, bool (*is_dead)(const void *value, const void *ctx), const void *ctx) {
    for (;;) {
        Str dead[64], k;
        size_t n = 0, it = 0;
        uint64_t *v;
        while (n < ARRAY_LEN(dead) && map_next(m, &it, &k, &v)) {
            if (!is_dead((const void *)(uintptr_t)*v, ctx)) continue;
            char *copy = str_dup_cstr(k);
            dead[n++] = str_of(copy, k.n);
        }
        for (size_t i = 0; i < n; i++) {
            map_remove_owned(m, dead[i]);
            mem_free((void *)(uintptr_t)dead[i].p);
        }
        if (n < ARRAY_LEN(dead)) return;
    }
}

/* what separates the uses of the one key. */
static Digest digest(const Auth *a, char what, Str one, Str two) {
    crypto_generichash_state st;
    Digest d;
    uint64_t n = one.n;
    crypto_generichash_init(&st, a->key, sizeof(a->key), sizeof(d));
    crypto_generichash_update(&st, (const unsigned char *)&what, 1);
    crypto_generichash_update(&st, (const unsigned char *)&n, sizeof(n));
    if (one.n) crypto_generichash_update(&st, (const unsigned char *)one.p, one.n);
    if (two.n) crypto_generichash_update(&st, (const unsigned char *)two.p, two.n);
    crypto_generichash_final(&st, d.b, sizeof(d));
    return d;
}

static Str digest_str(const Digest *d) { return str_of((const char *)d->b, sizeof(d->b)); }

/* --- users and tokens --- */

static bool session_is_of(const void *value, const void *ctx) {
    const Identity *s = value;
    return str_eq(str_cstr(s->user), *(const Str *)ctx);
}

ErrCode auth_set_user(Auth *a, Str name, Str password, const char *hash, Role role, Err *reterr) {
    char made[PASSWORD_HASH_MAX];
    if (name.n == 0 || name.n >= sizeof(((Identity *)NULL)->user) || str_find_char(name, ':') != SIZE_MAX)
        return err_set(reterr, ERR_INVALID, "a user name has 1 to 127 bytes and no colon");
    if (hash && !password_hash_is_valid(hash))
        return err_set(reterr, ERR_INVALID, "user %" STR_FMT ": not an argon2id hash", STR_ARG(name));
    if (!hash && password.n > PASSWORD_BYTES_MAX)
        return err_set(reterr, ERR_INVALID, "a password has at most %d bytes", PASSWORD_BYTES_MAX);
    if (!hash && !password_hash(password, made)) return err_set(reterr, ERR_INTERNAL, "no memory to hash a password");
    mutex_lock(&a->lock);
    User *u = map_get_ptr(a->users, name);
    bool fresh = !u;
    if (fresh) map_set_ptr(a->users, name, u = NEW(User));
    bool changed = strcmp(u->hash, hash ? hash : made) != 0;
    snprintf(u->hash, sizeof(u->hash), "%s", hash ? hash : made);
    u->role = role;
    if (changed) {
        u->default_known = hash ? -1 : str_eq_lit(name, "admin") && str_eq_lit(password, "admin");
        u->seen_until_ns = 0;
        if (!fresh) map_prune(a->sessions, session_is_of, &name);
    }
    mutex_unlock(&a->lock);
    return OK;
}

ErrCode auth_password_hash(const Auth *a, Str user, Buf *out) {
    Auth *w = (Auth *)(uintptr_t)a; /* the lock is not part of the value */
    mutex_lock(&w->lock);
    const User *u = map_get_ptr(a->users, user);
    if (u) buf_put_str(out, str_cstr(u->hash));
    mutex_unlock(&w->lock);
    return u ? OK : ERR_NOT_FOUND;
}

void auth_remove_user(Auth *a, Str name) {
    mutex_lock(&a->lock);
    map_remove_owned(a->users, name);
    map_prune(a->sessions, session_is_of, &name);
    mutex_unlock(&a->lock);
}

static Identity *new_identity(Str user, Role role, int64_t expires_ms) {
    Identity *id = NEW(Identity);
    id->role = role;
    id->expires_ms = expires_ms;
    size_t n = MIN(user.n, sizeof(id->user) - 1);
    if (n) memcpy(id->user, user.p, n);
    return id;
}

void auth_set_token(Auth *a, Str token, Str name, Role role) {
    Digest d = digest(a, 't', token, STR_NULL);
    mutex_lock(&a->lock);
    map_remove_owned(a->tokens, digest_str(&d));
    if (role != ROLE_NONE) map_set_ptr(a->tokens, digest_str(&d), new_identity(name, role, 0));
    mutex_unlock(&a->lock);
}

bool auth_password_is_default(const Auth *a) {
    Auth *w = (Auth *)(uintptr_t)a;
    char hash[PASSWORD_HASH_MAX] = "";
    mutex_lock(&w->lock);
    User *u = map_get_ptr(a->users, STR("admin"));
    int known = u ? u->default_known : 0;
    if (known < 0) memcpy(hash, u->hash, sizeof(hash));
    mutex_unlock(&w->lock);
    if (known >= 0) return known;
    known = password_verify(hash, STR("admin"));
    mutex_lock(&w->lock);
    u = map_get_ptr(a->users, STR("admin"));
    if (u && strcmp(u->hash, hash) == 0) u->default_known = known;
    mutex_unlock(&w->lock);
    return known;
}

/* --- passwords --- */

static bool failures_are_old(const void *value, const void *ctx) {
    return *(const int64_t *)ctx - ((const Failures *)value)->since_ns > THROTTLE_NS;
}

/* Under the lock. */
static bool is_throttled(Auth *a, Str host, int64_t now_ns) {
    const Failures *f = map_get_ptr(a->failures, host);
    return f && f->n >= THROTTLE_FAILURES && now_ns - f->since_ns <= THROTTLE_NS;
}

static void count_failure(Auth *a, Str host, int64_t now_ns) {
    Failures *f = map_get_ptr(a->failures, host);
    if (!f) {
        if (map_count(a->failures) >= THROTTLE_PEERS_MAX) map_prune(a->failures, failures_are_old, &now_ns);
        if (map_count(a->failures) >= THROTTLE_PEERS_MAX) map_clear_owned(a->failures);
        map_set_ptr(a->failures, host, f = NEW(Failures));
    }
    if (f->n == 0 || now_ns - f->since_ns > THROTTLE_NS) *f = (Failures){.since_ns = now_ns};
    f->n++;
}

/* Under the lock: was this password right a moment ago? */
static bool was_seen(const User *u, const Digest *d, int64_t now_ns) {
    return u && now_ns < u->seen_until_ns && sodium_memcmp(u->seen.b, d->b, sizeof(d->b)) == 0;
}

/* What is known without hashing: OK, ERR_OVERLOADED, or ERR_CANCELLED when only a hash can tell; ret_hash is the user's
 * then, empty when there is no such user. */
static ErrCode check_quickly(
    Auth *a, Str user, Str host, const Digest *d, Role *ret_role, char ret_hash[PASSWORD_HASH_MAX], Err *reterr) {
    int64_t now_ns = clock_mono_ns();
    ret_hash[0] = '\0';
    mutex_lock(&a->lock);
    bool throttled = is_throttled(a, host, now_ns);
    const User *u = map_get_ptr(a->users, user);
    bool seen = was_seen(u, d, now_ns);
    if (seen && !throttled) *ret_role = u->role;
    if (u) memcpy(ret_hash, u->hash, PASSWORD_HASH_MAX);
    mutex_unlock(&a->lock);
    if (throttled) return err_set(reterr, ERR_OVERLOADED, "too many failed logins, wait a minute");
    return seen ? OK : ERR_CANCELLED;
}

/* Under hashing, so that guesses sent at once are counted like guesses sent one by one. */
static ErrCode check_slowly(Auth *a, Str user, Str password, Str host, const Digest *d, Role *ret_role, Err *reterr) {
    char hash[PASSWORD_HASH_MAX];
    ErrCode code = check_quickly(a, user, host, d, ret_role, hash, reterr);
    if (code != ERR_CANCELLED) return code;
    bool right = password_verify(hash[0] ? hash : a->dummy_hash, password) && hash[0];
    int64_t now_ns = clock_mono_ns();
    mutex_lock(&a->lock);
    User *now = map_get_ptr(a->users, user); /* may have changed meanwhile */
    right = right && now && strcmp(now->hash, hash) == 0;
    if (right) {
        *ret_role = now->role;
        now->seen = *d;
        now->seen_until_ns = now_ns + SEEN_TTL_NS;
        map_remove_owned(a->failures, host);
    } else {
        count_failure(a, host, now_ns);
    }
    mutex_unlock(&a->lock);
    return right ? OK : err_set(reterr, ERR_UNAUTHENTICATED, "wrong user name or password");
}

/* ERR_CANCELLED: only a slow check could tell and may_block is false. */
static ErrCode check_password(Auth *a, Str user, Str password, Str peer, bool may_block, Role *ret_role, Err *reterr) {
    Str host = auth_peer_host(peer);
    Digest d = digest(a, 'p', user, password);
    char hash[PASSWORD_HASH_MAX];
    *ret_role = ROLE_NONE;
    ErrCode code = check_quickly(a, user, host, &d, ret_role, hash, reterr);
    if (code != ERR_CANCELLED || !may_block) return code;
    mutex_lock(&a->hashing);
    code = check_slowly(a, user, password, host, &d, ret_role, reterr);
    mutex_unlock(&a->hashing);
    return code;
}

static void make_dummy(Auth *a) {
    char made[PASSWORD_HASH_MAX];
    mutex_lock(&a->lock);
    bool have = a->dummy_hash[0];
    mutex_unlock(&a->lock);
    if (have || !password_hash(STR("nobody"), made)) return;
    mutex_lock(&a->lock);
    if (!a->dummy_hash[0]) memcpy(a->dummy_hash, made, sizeof(made));
    mutex_unlock(&a->lock);
}

ErrCode auth_check_password(Auth *a, Str user, Str password, Str peer, Role *ret_role, Err *reterr) {
    make_dummy(a);
    return check_password(a, user, password, peer, true, ret_role, reterr);
}

/* --- sessions --- */

static bool session_is_old(const void *value, const void *ctx) {
    return ((const Identity *)value)->expires_ms <= *(const int64_t *)ctx;
}

void auth_session_create(Auth *a, Str user, Role role, char ret_cookie[65]) {
    uint8_t raw[32];
    random_bytes(raw, sizeof(raw));
    sodium_bin2hex(ret_cookie, 65, raw, sizeof(raw));
    Digest d = digest(a, 's', str_of(ret_cookie, 64), STR_NULL);
    int64_t now_ms = clock_now_ms();
    mutex_lock(&a->lock);
    if (map_count(a->sessions) >= SESSIONS_MAX) map_prune(a->sessions, session_is_old, &now_ms);
    if (map_count(a->sessions) >= SESSIONS_MAX) map_clear_owned(a->sessions); /* everybody logs in again */
    map_set_ptr(a->sessions, digest_str(&d), new_identity(user, role, now_ms + a->opts.session_ttl_ms));
    mutex_unlock(&a->lock);
}

void auth_session_drop(Auth *a, Str cookie) {
    Digest d = digest(a, 's', cookie, STR_NULL);
    mutex_lock(&a->lock);
    map_remove_owned(a->sessions, digest_str(&d));
    mutex_unlock(&a->lock);
}

/* --- requests --- */

static bool find_cookie(const HttpRequest *req, Str *ret) {
    for (size_t i = 0; i < req->n_headers; i++) {
        if (!str_eq_nocase(req->headers[i].name, STR("cookie"))) continue;
        Str rest = req->headers[i].value, part;
        while (str_split_next(&rest, ';', &part)) {
            part = str_trim(part);
            if (!str_starts_with(part, STR(COOKIE_NAME "="))) continue;
            *ret = str_skip(part, sizeof(COOKIE_NAME));
            return true;
        }
    }
    return false;
}

static bool take_identity(Auth *a, Map *from, const Digest *d, AuthIdentity *ret) {
    int64_t now_ms = clock_now_ms();
    mutex_lock(&a->lock);
    const Identity *id = map_get_ptr(from, digest_str(d));
    bool good = id && (id->expires_ms == 0 || now_ms < id->expires_ms);
    if (good) {
        const User *u = map_get_ptr(a->users, str_cstr(id->user));
        ret->role = u && from == a->sessions ? u->role : id->role; /* a changed role counts at once */
        memcpy(ret->user, id->user, sizeof(ret->user));
    } else if (id) {
        map_remove_owned(from, digest_str(d));
    }
    mutex_unlock(&a->lock);
    return good;
}

static ErrCode identify_basic(
    Auth *a, const HttpRequest *req, Str b64, bool may_block, AuthIdentity *ret, Err *reterr) {
    Buf pair = {0};
    ErrCode code = ERR_UNAUTHENTICATED;
    size_t colon = num_parse_base64(b64, &pair) ? str_find_char(buf_str(&pair), ':') : SIZE_MAX;
    if (colon == SIZE_MAX || colon >= sizeof(ret->user)) {
        err_set(reterr, code, "malformed basic authentication");
    } else {
        Str user = str_slice(buf_str(&pair), 0, colon), password = str_skip(buf_str(&pair), colon + 1);
        if (may_block) make_dummy(a);
        code = check_password(a, user, password, req->peer, may_block, &ret->role, reterr);
        ret->needs_slow = code == ERR_CANCELLED;
        if (code == ERR_CANCELLED) code = OK;
        if (code == OK && !ret->needs_slow && user.n) memcpy(ret->user, user.p, user.n);
    }
    if (pair.n) sodium_memzero(pair.p, pair.n);
    buf_done(&pair);
    return code;
}

ErrCode auth_identity(Auth *a, const HttpRequest *req, bool may_block, AuthIdentity *ret, Err *reterr) {
    memset(ret, 0, sizeof(*ret));
    Str authorization = str_trim(http_header(req, STR("authorization"))), cookie;
    size_t space = str_find_char(authorization, ' ');
    if (space != SIZE_MAX) {
        Str scheme = str_slice(authorization, 0, space), rest = str_trim(str_skip(authorization, space));
        if (str_eq_nocase(scheme, STR("basic"))) return identify_basic(a, req, rest, may_block, ret, reterr);
        Digest d = digest(a, 't', rest, STR_NULL);
        if (str_eq_nocase(scheme, STR("bearer")) && take_identity(a, a->tokens, &d, ret)) return OK;
        return err_set(reterr, ERR_UNAUTHENTICATED, "unknown token");
    }
    if (authorization.n) return err_set(reterr, ERR_UNAUTHENTICATED, "malformed Authorization header");
    if (!find_cookie(req, &cookie)) return OK;
    Digest d = digest(a, 's', cookie, STR_NULL);
    ret->by_cookie = take_identity(a, a->sessions, &d, ret);
    return ret->by_cookie ? OK : err_set(reterr, ERR_UNAUTHENTICATED, "the session has ended, log in again");
}

ErrCode auth_identify(Auth *a, HttpRequest *req, Err *reterr) {
    AuthIdentity id;
    ErrCode code = auth_identity(a, req, true, &id, reterr);
    req->role = code == OK ? id.role : ROLE_NONE;
    req->user = code == OK && id.user[0] ? arena_copy(req->arena, str_cstr(id.user)) : STR_NULL;
    return code;
}

bool auth_loopback_open(const Auth *a) { return a->opts.loopback_open; }

Str auth_peer_host(Str peer) {
    size_t colon = str_rfind_char(peer, ':');
    return colon == SIZE_MAX ? peer : str_slice(peer, 0, colon);
}

bool auth_peer_is_loopback(Str peer) {
    Str host = auth_peer_host(peer);
    return str_starts_with(host, STR("127.")) || str_eq_lit(host, "[::1]") ||
           str_starts_with(host, STR("[::ffff:127."));
}

/* "http://host:port/path" -> "host:port". */
static Str url_authority(Str url) {
    size_t scheme = str_find(url, STR("://"));
    if (scheme == SIZE_MAX) return STR_NULL;
    url = str_skip(url, scheme + 3);
    size_t slash = str_find_char(url, '/');
    return slash == SIZE_MAX ? url : str_slice(url, 0, slash);
}

bool auth_origin_ok(const HttpRequest *req) {
    Str origin = http_header(req, STR("origin"));
    if (!origin.p) origin = http_header(req, STR("referer"));
    Str from = url_authority(origin);
    if (from.n == 0) return false;
    /* A page of another site cannot set X-Forwarded-Host on a simple request; a proxy before us does. */
    return str_eq_nocase(from, http_header(req, STR("host"))) ||
           str_eq_nocase(from, http_header(req, STR("x-forwarded-host")));
}
