/* promtool_web.c - promtool check web-config: the file of --web.config.file, of Prometheus and all exporters.
 * Source: the exporter toolkit's documentation of its configuration; errors are in its words. */
#include "base/diag.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/promtool_int.h"
#include "codec/yaml.h"
#include "net/tls_check.h"
#include "sys/fs.h"

#include <stdio.h>

#define FILE_BYTES_MAX (4u << 20)
#define HASH_BYTES_MIN 59 /* of bcrypt */

typedef struct WebConfig {
    Str dir;
    Arena *arena;
    Str cert, key, client_ca, cert_file, key_file, client_ca_file, client_auth;
    const YamlNode *users, *headers;
    Buf wrong; /* what the types do not allow, a line each */
    Err first; /* a value that is refused by name: nothing else counts then */
    bool refused;
} WebConfig;

/* --- types --- */

typedef enum Type { IS_TEXT, IS_BOOL, IS_INT, IS_DURATION, IS_CIPHERS, IS_CURVES, IS_VERSION, IS_TEXTS, IS_MAP } Type;

typedef struct Key {
    const char *name;
    Type type;
    size_t text; /* offset of its Str in WebConfig; 0: only checked */
} Key;

#define KEPT(member) offsetof(WebConfig, member)
static const Key tls_keys[] = {{"cert", IS_TEXT, KEPT(cert)}, {"key", IS_TEXT, KEPT(key)},
    {"client_ca", IS_TEXT, KEPT(client_ca)}, {"cert_file", IS_TEXT, KEPT(cert_file)},
    {"key_file", IS_TEXT, KEPT(key_file)}, {"client_auth_type", IS_TEXT, KEPT(client_auth)},
    {"client_ca_file", IS_TEXT, KEPT(client_ca_file)}, {"cipher_suites", IS_CIPHERS, 0},
    {"curve_preferences", IS_CURVES, 0}, {"min_version", IS_VERSION, 0}, {"max_version", IS_VERSION, 0},
    {"prefer_server_cipher_suites", IS_BOOL, 0}, {"client_allowed_sans", IS_TEXTS, 0}};
static const Key http_keys[] = {{"http2", IS_BOOL, 0}, {"headers", IS_MAP, 0}};
static const Key limit_keys[] = {{"burst", IS_INT, 0}, {"interval", IS_DURATION, 0}};

static const char *const ciphers[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", NULL};
static const char *const curves[] = {"CurveP256", "CurveP384", "CurveP521", "X25519", NULL};
static const char *const versions[] = {"TLS10", "TLS11", "TLS12", "TLS13", NULL};

static bool among(const char *const *v, Str s) {
    for (; *v; v++)
        if (str_eq(str_cstr(*v), s)) return true;
    return false;
}

static void refuse(WebConfig *w, const char *what, Str value) {
    if (!w->refused) err_set(&w->first, ERR_INVALID, "unknown %s: %" STR_FMT, what, STR_ARG(value));
    w->refused = true;
}

static void want_type(WebConfig *w, const YamlNode *n, const char *type) {
    bool flag;
    int64_t number;
    buf_printf(&w->wrong, "\n  line %d: cannot unmarshal ", n->line);
    if (n->kind == YAML_SEQUENCE)
        buf_put_lit(&w->wrong, "!!seq");
    else if (n->kind == YAML_MAPPING)
        buf_put_lit(&w->wrong, "!!map");
    else
        buf_printf(&w->wrong, "!!%s `%" STR_FMT "%s`",
            !n->quoted && yaml_bool(n, &flag)               ? "bool"
            : !n->quoted && num_parse_i64(n->text, &number) ? "int"
                                                            : "str",
            STR_ARG(str_slice(n->text, 0, n->text.n > 10 ? 7 : n->text.n)), n->text.n > 10 ? "..." : "");
    buf_printf(&w->wrong, " into %s", type);
}

/* Items of a list, each one of names. */
static void check_names(WebConfig *w, const YamlNode *n, const char *type, const char *what, const char *const *names) {
    if (n->kind == YAML_NULL) return;
    if (n->kind == YAML_MAPPING) {
        want_type(w, n, type);
        return;
    }
    for (const YamlNode *i = n->kind == YAML_SEQUENCE ? n->first : n; i;
         i = n->kind == YAML_SEQUENCE ? i->next : NULL) {
        if (i->kind != YAML_SCALAR)
            want_type(w, i, "string");
        else if (names && !among(names, i->text))
            refuse(w, what, i->text);
    }
}

static void check_texts(WebConfig *w, const YamlNode *n, const char *type) {
    if (n->kind == YAML_NULL) return;
    if (n->kind != YAML_MAPPING) want_type(w, n, type);
    for (const YamlNode *i = n->kind == YAML_MAPPING ? n->first : NULL; i; i = i->next)
        if (i->kind == YAML_SEQUENCE || i->kind == YAML_MAPPING) want_type(w, i, "string");
}

static void check_value(WebConfig *w, const Key *k, const YamlNode *n) {
    bool scalar = n->kind == YAML_SCALAR, flag;
    int64_t number;
    switch (k->type) {
    case IS_TEXT:
        if (!scalar && n->kind != YAML_NULL) want_type(w, n, "string");
        break;
    case IS_BOOL:
        if (n->kind != YAML_NULL && (!scalar || n->quoted || !yaml_bool(n, &flag))) want_type(w, n, "bool");
        break;
    case IS_INT:
        if (n->kind != YAML_NULL && (!scalar || !num_parse_i64(n->text, &number))) want_type(w, n, "int");
        break;
    case IS_DURATION:
        if (n->kind != YAML_NULL &&
            (!scalar || !(num_parse_i64(n->text, &number) || duration_parse_go(n->text, &number))))
            want_type(w, n, "time.Duration");
        break;
    case IS_VERSION:
        if (scalar && !among(versions, n->text)) refuse(w, "TLS version", n->text);
        break;
    case IS_CIPHERS: check_names(w, n, "[]web.Cipher", "cipher", ciphers); break;
    case IS_CURVES: check_names(w, n, "[]web.Curve", "curve", curves); break;
    case IS_TEXTS: check_names(w, n, "[]string", "", NULL); break;
    case IS_MAP: check_texts(w, n, "map[string]string"); break;
    }
    if (k->text && scalar) *(Str *)((char *)w + k->text) = n->text;
}

static void unknown(WebConfig *w, const YamlNode *m, const char *type) {
    buf_printf(
        &w->wrong, "\n  line %d: field %" STR_FMT " not found in type %s", m->key->line, STR_ARG(m->key->text), type);
}

static void check_section(WebConfig *w, const YamlNode *n, const Key *keys, size_t n_keys, const char *type) {
    if (n->kind == YAML_NULL) return;
    if (n->kind != YAML_MAPPING) {
        want_type(w, n, type);
        return;
    }
    for (const YamlNode *m = n->first; m; m = m->next) {
        size_t k = 0;
        while (k < n_keys && !str_eq(m->key->text, str_cstr(keys[k].name))) k++;
        if (k < n_keys)
            check_value(w, &keys[k], m);
        else
            unknown(w, m, type);
    }
}

static void check_root(WebConfig *w, const YamlNode *root) {
    if (root->kind == YAML_NULL) return;
    if (root->kind != YAML_MAPPING) {
        want_type(w, root, "web.Config");
        return;
    }
    for (const YamlNode *m = root->first; m; m = m->next) {
        if (str_eq_lit(m->key->text, "tls_server_config")) {
            check_section(w, m, tls_keys, ARRAY_LEN(tls_keys), "web.TLSConfig");
        } else if (str_eq_lit(m->key->text, "http_server_config")) {
            check_section(w, m, http_keys, ARRAY_LEN(http_keys), "web.HTTPConfig");
            w->headers = yaml_get(m, STR("headers"));
        } else if (str_eq_lit(m->key->text, "rate_limit")) {
            check_section(w, m, limit_keys, ARRAY_LEN(limit_keys), "web.RateLimiterConfig");
        } else if (str_eq_lit(m->key->text, "basic_auth_users")) {
            check_texts(w, m, "map[string]config.Secret");
            w->users = m;
        } else {
            unknown(w, m, "web.Config");
        }
    }
}

/* --- values --- */

static ErrCode check_headers(const WebConfig *w, Err *reterr) {
    static const struct {
        const char *name, *values[3];
    } known[] = {{"Strict-Transport-Security", {0}}, {"X-Content-Type-Options", {"nosniff"}},
        {"X-Frame-Options", {"deny", "sameorigin"}}, {"X-XSS-Protection", {0}}, {"Content-Security-Policy", {0}}};
    for (const YamlNode *h = w->headers ? w->headers->first : NULL; h; h = h->next) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) && !str_eq(h->key->text, str_cstr(known[k].name))) k++;
        if (k == ARRAY_LEN(known))
            return err_set(
                reterr, ERR_INVALID, "HTTP header \"%" STR_FMT "\" can not be configured", STR_ARG(h->key->text));
        if (!known[k].values[0] || among(known[k].values, h->text)) continue;
        Buf values = {0};
        for (size_t i = 0; known[k].values[i]; i++) buf_printf(&values, "%s\"%s\"", i ? " " : "", known[k].values[i]);
        err_set(reterr, ERR_INVALID, "invalid value for %s. Expected one of: [%s], but got: \"%" STR_FMT "\"",
            known[k].name, buf_cstr(&values), STR_ARG(h->text));
        buf_done(&values);
        return ERR_INVALID;
    }
    return OK;
}

/* $2y$10$ and 53 more; only the version and the cost are looked at, as bcrypt.Cost does. */
static ErrCode check_hash(Str h, Err *reterr) {
    int64_t cost;
    if (h.n < HASH_BYTES_MIN)
        return err_set(reterr, ERR_INVALID, "crypto/bcrypt: hashedSecret too short to be a bcrypted password");
    if (h.p[0] != '$')
        return err_set(reterr, ERR_INVALID,
            "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with '%c'", h.p[0]);
    if (h.p[1] > '2')
        return err_set(reterr, ERR_INVALID,
            "crypto/bcrypt: bcrypt algorithm version '%c' requested is newer than current version '2'", h.p[1]);
    size_t at = h.p[2] == '$' ? 3 : 4;
    Str digits = str_slice(h, at, at + 2);
    if (!num_parse_i64(digits, &cost))
        return err_set(reterr, ERR_INVALID, "strconv.Atoi: parsing \"%" STR_FMT "\": invalid syntax", STR_ARG(digits));
    if (cost < 4 || cost > 31)
        return err_set(
            reterr, ERR_INVALID, "crypto/bcrypt: cost %d is outside allowed inclusive range 4..31", (int)cost);
    return OK;
}

static ErrCode check_users(const WebConfig *w, Err *reterr) {
    ErrCode code = OK;
    for (const YamlNode *u = w->users && w->users->kind == YAML_MAPPING ? w->users->first : NULL; u && code == OK;
         u = u->next)
        code = check_hash(u->text, reterr);
    return code;
}

/* --- TLS --- */

/* What `name` holds, or the text itself when there is no name. what: "cert_file", NULL: nothing before the error. */
static ErrCode load(const WebConfig *w, const char *what, Str name, Str text, Str *ret, Err *reterr) {
    Buf content = {0};
    Err err = {0};
    *ret = text;
    if (!name.n) return OK;
    Str path = name.p[0] == '/' ? arena_copy(w->arena, name)
               : w->dir.n       ? arena_printf(w->arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(w->dir), STR_ARG(name))
                                : arena_copy(w->arena, name);
    ErrCode code = fs_read_stream(path.p, FILE_BYTES_MAX, &content, &err);
    *ret = arena_copy(w->arena, buf_str(&content));
    buf_done(&content);
    const char *why = code == ERR_NOT_FOUND   ? "no such file or directory"
                      : code == ERR_FORBIDDEN ? "permission denied"
                                              : NULL;
    Buf said = {0};
    if (why)
        buf_printf(&said, "open %s: %s", path.p, why);
    else
        buf_printf(&said, "%s", err.msg);
    if (code != OK && what)
        err_set(reterr, code, "failed to read %s (%s): %s", what, path.p, buf_cstr(&said));
    else if (code != OK)
        err_set(reterr, code, "%s", buf_cstr(&said));
    buf_done(&said);
    return code;
}

static ErrCode check_client_auth(const WebConfig *w, Err *reterr) {
    static const char *const types[] = {"", "NoClientCert", "RequestClientCert", "RequireAnyClientCert",
        "RequireClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert", NULL};
    Str ca;
    ErrCode code = w->client_ca_file.n ? load(w, NULL, w->client_ca_file, STR_NULL, &ca, reterr) : OK;
    if (code != OK) return code;
    if (!among(types, w->client_auth))
        return err_set(reterr, ERR_INVALID, "invalid ClientAuth: %" STR_FMT, STR_ARG(w->client_auth));
    bool none = !w->client_auth.n || str_eq_lit(w->client_auth, "NoClientCert");
    if (none && (w->client_ca.n || w->client_ca_file.n))
        return err_set(reterr, ERR_INVALID, "client CA's have been configured without a Client Auth Policy");
    return OK;
}

static ErrCode check_tls(const WebConfig *w, Err *reterr) {
    Str cert, key;
    Err err = {0};
    bool any = w->cert.n || w->key.n || w->client_ca.n || w->cert_file.n || w->key_file.n || w->client_ca_file.n ||
               w->client_auth.n;
    if (!any) return OK;
    if (!w->cert.n && !w->cert_file.n) return err_set(reterr, ERR_INVALID, "missing one of cert or cert_file");
    if (!w->key.n && !w->key_file.n) return err_set(reterr, ERR_INVALID, "missing one of key or key_file");
    ErrCode code = load(w, "cert_file", w->cert_file, w->cert, &cert, reterr);
    if (code == OK) code = load(w, "key_file", w->key_file, w->key, &key, reterr);
    if (code != OK) return code;
    if (tls_check_pair(cert, key, &err) != OK)
        return err_set(reterr, ERR_INVALID, "failed to load X509KeyPair: %s", err.msg);
    return check_client_auth(w, reterr);
}

/* --- the command --- */

static ErrCode check_text(WebConfig *w, Str text, Err *reterr) {
    DiagList diags;
    YamlNode *root;
    diag_init(&diags, STR(""), text);
    ErrCode code = yaml_parse(text, w->arena, &root, &diags);
    if (code != OK) {
        const Diag *d = diags.items.n ? &diags.items.v[0] : NULL;
        err_set(reterr, ERR_INVALID, "yaml: line %d: %s", d ? d->line : 1, d ? d->msg : "not YAML");
    }
    diag_done(&diags);
    if (code != OK) return code;
    check_root(w, root);
    if (w->refused) return err_set(reterr, ERR_INVALID, "%s", w->first.msg);
    if (w->wrong.n) return err_set(reterr, ERR_INVALID, "yaml: unmarshal errors:%s", buf_cstr(&w->wrong));
    code = check_headers(w, reterr);
    if (code == OK) code = check_users(w, reterr);
    return code != OK ? code : check_tls(w, reterr);
}

static ErrCode check_file(const char *name, Err *reterr) {
    WebConfig w = {.arena = arena_create((size_t)64 << 20)};
    Buf text = {0};
    size_t slash = str_rfind_char(str_cstr(name), '/');
    if (slash != SIZE_MAX) w.dir = str_slice(str_cstr(name), 0, MAX(slash, 1));
    ErrCode code = fs_read_stream(name, FILE_BYTES_MAX, &text, reterr);
    if (code == OK) code = check_text(&w, buf_str(&text), reterr);
    buf_done(&text);
    buf_done(&w.wrong);
    arena_free(w.arena);
    return code;
}

int promtool_check_web_config(const PtLine *l) {
    int worst = 0;
    for (size_t i = 0; i < l->args.n; i++) {
        Err err = {0};
        bool ok = check_file(l->args.v[i], &err) == OK;
        if (ok)
            fprintf(stderr, "%s SUCCESS\n", l->args.v[i]);
        else
            fprintf(stderr, "%s FAILED: %s\n", l->args.v[i], err.msg);
        worst |= !ok;
    }
    return worst;
}
