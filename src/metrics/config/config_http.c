/* config_http.c - <http_config>, <tls_config> and <oauth2>, whose keys lie between a job's own. */
#include "metrics/config/prom_config_int.h"

/* --- TLS --- */
static const Str tls_versions[] = {STR_INIT("TLS10"), STR_INIT("TLS11"), STR_INIT("TLS12"), STR_INIT("TLS13")};

static uint8_t tls_version(ConfigReader *r, const YamlNode *node) {
    int i = config_word(r, node, tls_versions, ARRAY_LEN(tls_versions), "TLS version");
    return i < 0 ? 0 : (uint8_t)(10 + i);
}

static void read_tls_min(ConfigReader *r, const YamlNode *node, void *out) {
    ((PromTlsConfig *)out)->min_version = tls_version(r, node);
}

static void read_tls_max(ConfigReader *r, const YamlNode *node, void *out) {
    ((PromTlsConfig *)out)->max_version = tls_version(r, node);
}

#define TLS(field) offsetof(PromTlsConfig, field)
const ConfigKey config_tls_keys[] = {
    {STR_INIT("ca"), CONFIG_STR, TLS(ca), NULL},
    {STR_INIT("cert"), CONFIG_STR, TLS(cert), NULL},
    {STR_INIT("key"), CONFIG_STR, TLS(key), NULL},
    {STR_INIT("ca_file"), CONFIG_FILE, TLS(ca_file), NULL},
    {STR_INIT("cert_file"), CONFIG_FILE, TLS(cert_file), NULL},
    {STR_INIT("key_file"), CONFIG_FILE, TLS(key_file), NULL},
    {STR_INIT("server_name"), CONFIG_STR, TLS(server_name), NULL},
    {STR_INIT("insecure_skip_verify"), CONFIG_BOOL, TLS(insecure_skip_verify), NULL},
    {STR_INIT("min_version"), CONFIG_CUSTOM, 0, read_tls_min},
    {STR_INIT("max_version"), CONFIG_CUSTOM, 0, read_tls_max},
    {STR_INIT("ca_ref"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("cert_ref"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("key_ref"), CONFIG_UNSUPPORTED, 0, NULL},
};
const size_t config_tls_keys_n = ARRAY_LEN(config_tls_keys);

static void read_tls(ConfigReader *r, const YamlNode *node, PromTlsConfig *t) {
    if (!config_mapping(r, node, STR("tls_config"), config_tls_keys, config_tls_keys_n, t)) return;
    if (t->ca.n && t->ca_file.n)
        config_error_key(r, node, "ca_file", "at most one of ca and ca_file must be configured");
    if (t->cert.n && t->cert_file.n)
        config_error_key(r, node, "cert_file", "at most one of cert and cert_file must be configured");
    if (t->key.n && t->key_file.n)
        config_error_key(r, node, "key_file", "at most one of key and key_file must be configured");
    bool cert = t->cert.n || t->cert_file.n, key = t->key.n || t->key_file.n;
    if (cert && !key)
        config_error_key(r, node, "cert_file",
            "exactly one of key or key_file must be configured when a client certificate is configured");
    if (key && !cert)
        config_error_key(
            r, node, "key_file", "exactly one of cert or cert_file must be configured when a client key is configured");
}

/* --- authentication --- */
#define HTTP(field) offsetof(PromHttpConfig, field)

static void read_basic_auth(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("username"), CONFIG_STR, HTTP(username), NULL},
        {STR_INIT("username_file"), CONFIG_FILE, HTTP(username_file), NULL},
        {STR_INIT("username_ref"), CONFIG_UNSUPPORTED, 0, NULL},
        {STR_INIT("password"), CONFIG_STR, HTTP(password), NULL},
        {STR_INIT("password_file"), CONFIG_FILE, HTTP(password_file), NULL},
        {STR_INIT("password_ref"), CONFIG_UNSUPPORTED, 0, NULL},
    };
    PromHttpConfig *h = out;
    config_mapping(r, node, STR("basic_auth"), keys, ARRAY_LEN(keys), out);
    if (h->username.n && h->username_file.n)
        config_error_key(
            r, node, "username_file", "at most one of basic_auth username & username_file must be configured");
    if (h->password.n && h->password_file.n)
        config_error_key(
            r, node, "password_file", "at most one of basic_auth password & password_file must be configured");
}

static void read_authorization(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("type"), CONFIG_STR, HTTP(auth_type), NULL},
        {STR_INIT("credentials"), CONFIG_STR, HTTP(credentials), NULL},
        {STR_INIT("credentials_file"), CONFIG_FILE, HTTP(credentials_file), NULL},
        {STR_INIT("credentials_ref"), CONFIG_UNSUPPORTED, 0, NULL},
    };
    PromHttpConfig *h = out;
    config_mapping(r, node, STR("authorization"), keys, ARRAY_LEN(keys), out);
    h->auth_type = str_trim(h->auth_type);
    if (h->auth_type.n == 0) h->auth_type = STR("Bearer");
    if (str_eq_nocase(h->auth_type, STR("basic")))
        config_error_key(r, node, "type", "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    if (h->credentials.n && h->credentials_file.n)
        config_error_key(r, node, "credentials_file",
            "at most one of authorization credentials & credentials_file must be configured");
}

static void read_proxy_headers(ConfigReader *r, const YamlNode *node, void *out) {
    config_params(r, node, false, &((PromProxyConfig *)out)->connect_headers);
}

#define PROXY(field) offsetof(PromProxyConfig, field)
static const ConfigKey proxy_keys[] = {
    {STR_INIT("proxy_url"), CONFIG_STR, PROXY(url), NULL},
    {STR_INIT("no_proxy"), CONFIG_STR, PROXY(no_proxy), NULL},
    {STR_INIT("proxy_from_environment"), CONFIG_BOOL, PROXY(from_environment), NULL},
    {STR_INIT("proxy_connect_header"), CONFIG_CUSTOM, 0, read_proxy_headers},
};

static void check_proxy(ConfigReader *r, const YamlNode *mapping, const PromProxyConfig *p) {
    if (p->from_environment && p->url.n)
        config_error_key(
            r, mapping, "proxy_url", "if proxy_from_environment is configured, proxy_url must not be configured");
    if (p->from_environment && p->no_proxy.n)
        config_error_key(
            r, mapping, "no_proxy", "if proxy_from_environment is configured, no_proxy must not be configured");
    if (!p->from_environment && p->no_proxy.n && !p->url.n)
        config_error_key(r, mapping, "no_proxy", "if no_proxy is configured, proxy_url must also be configured");
    if (p->connect_headers.n && !p->url.n && !p->from_environment)
        config_error_key(r, mapping, "proxy_connect_header",
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
}

static void read_oauth2_params(ConfigReader *r, const YamlNode *node, void *out) {
    config_params(r, node, true, &((PromOauth2 *)out)->endpoint_params);
}

static void read_oauth2_tls(ConfigReader *r, const YamlNode *node, void *out) {
    read_tls(r, node, &((PromOauth2 *)out)->tls);
}

static void read_oauth2(ConfigReader *r, const YamlNode *node, void *out) {
#define OAUTH2(field) offsetof(PromOauth2, field)
    static const ConfigKey keys[] = {
        {STR_INIT("client_id"), CONFIG_STR, OAUTH2(client_id), NULL},
        {STR_INIT("client_secret"), CONFIG_STR, OAUTH2(client_secret), NULL},
        {STR_INIT("client_secret_file"), CONFIG_FILE, OAUTH2(client_secret_file), NULL},
        {STR_INIT("client_secret_ref"), CONFIG_UNSUPPORTED, 0, NULL},
        {STR_INIT("scopes"), CONFIG_STRINGS, OAUTH2(scopes), NULL},
        {STR_INIT("token_url"), CONFIG_STR, OAUTH2(token_url), NULL},
        {STR_INIT("endpoint_params"), CONFIG_CUSTOM, 0, read_oauth2_params},
        {STR_INIT("tls_config"), CONFIG_CUSTOM, 0, read_oauth2_tls},
    };
    const ConfigTable tables[] = {{keys, ARRAY_LEN(keys), 0}, {proxy_keys, ARRAY_LEN(proxy_keys), OAUTH2(proxy)}};
    PromOauth2 *o = ARENA_NEW(r->arena, PromOauth2);
    if (!o) return config_exhausted(r);
    ((PromHttpConfig *)out)->oauth2 = o;
    if (!config_mapping_of(r, node, STR("oauth2"), tables, ARRAY_LEN(tables), o)) return;
    check_proxy(r, node, &o->proxy);
    if (o->client_id.n == 0) config_error_key(r, node, "client_id", "oauth2 client_id must be configured");
    if (o->token_url.n == 0) config_error_key(r, node, "token_url", "oauth2 token_url must be configured");
    if (o->client_secret.n && o->client_secret_file.n)
        config_error_key(r, node, "client_secret_file",
            "at most one of oauth2 client_secret & client_secret_file must be configured");
}

/* --- headers --- */
static bool is_reserved(Str name, bool remote) {
    static const char *const reserved[] = {"Authorization", "Host", "Content-Encoding", "Content-Length",
        "Content-Type", "User-Agent", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
        "Www-Authenticate", "Accept-Encoding", "X-Prometheus-Remote-Write-Version", "X-Prometheus-Remote-Read-Version",
        "X-Prometheus-Scrape-Timeout-Seconds", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"};
    /* remote_write's own headers may set the host. */
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (str_eq_nocase(name, str_cstr(reserved[i]))) return !(remote && i == 1);
    }
    return false;
}

void config_check_headers(ConfigReader *r, const YamlNode *node, const PromParams *headers, bool remote) {
    for (size_t i = 0; i < headers->n; i++) {
        Str name = headers->v[i].name;
        if (!is_reserved(name, remote)) continue;
        const YamlNode *key = node->kind == YAML_MAPPING && yaml_get(node, name) ? yaml_get(node, name)->key : node;
        config_error(r, key->line, key->col, key->len, NULL,
            "%" STR_FMT " is a reserved header. It must not be changed", STR_ARG(name));
    }
}

static void read_http_headers(ConfigReader *r, const YamlNode *node, void *out) {
#define HEADER(field) offsetof(PromHttpHeader, field)
    static const ConfigKey keys[] = {
        {STR_INIT("values"), CONFIG_STRINGS, HEADER(values), NULL},
        {STR_INIT("secrets"), CONFIG_STRINGS, HEADER(secrets), NULL},
        {STR_INIT("files"), CONFIG_FILES, HEADER(files), NULL},
    };
    PromHttpConfig *h = out;
    if (!config_expect(r, node, YAML_MAPPING, "a mapping of headers")) return;
    PromHttpHeader *v = ARENA_ARRAY(r->arena, PromHttpHeader, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next) {
        PromHttpHeader *x = &v[h->n_headers++];
        *x = (PromHttpHeader){.name = it->key->text};
        if (is_reserved(x->name, false))
            config_error(r, it->key->line, it->key->col, it->key->len, NULL,
                "setting header \"%" STR_FMT "\" is not allowed", STR_ARG(x->name));
        if (!yaml_is_null(it)) config_mapping(r, it, STR("http_headers"), keys, ARRAY_LEN(keys), x);
    }
    h->headers = v;
}

/* --- all --- */
static void read_http_tls(ConfigReader *r, const YamlNode *node, void *out) {
    read_tls(r, node, &((PromHttpConfig *)out)->tls);
}

static void read_http_proxy_headers(ConfigReader *r, const YamlNode *node, void *out) {
    config_params(r, node, false, &((PromHttpConfig *)out)->proxy.connect_headers);
}

const ConfigKey config_http_keys[] = {
    {STR_INIT("basic_auth"), CONFIG_CUSTOM, 0, read_basic_auth},
    {STR_INIT("authorization"), CONFIG_CUSTOM, 0, read_authorization},
    {STR_INIT("oauth2"), CONFIG_CUSTOM, 0, read_oauth2},
    {STR_INIT("bearer_token"), CONFIG_STR, HTTP(credentials), NULL},
    {STR_INIT("bearer_token_file"), CONFIG_FILE, HTTP(credentials_file), NULL},
    {STR_INIT("tls_config"), CONFIG_CUSTOM, 0, read_http_tls},
    {STR_INIT("proxy_url"), CONFIG_STR, HTTP(proxy.url), NULL},
    {STR_INIT("no_proxy"), CONFIG_STR, HTTP(proxy.no_proxy), NULL},
    {STR_INIT("proxy_from_environment"), CONFIG_BOOL, HTTP(proxy.from_environment), NULL},
    {STR_INIT("proxy_connect_header"), CONFIG_CUSTOM, 0, read_http_proxy_headers},
    {STR_INIT("follow_redirects"), CONFIG_NOT_BOOL, HTTP(no_follow_redirects), NULL},
    {STR_INIT("enable_http2"), CONFIG_NOT_BOOL, HTTP(no_http2), NULL},
    {STR_INIT("http_headers"), CONFIG_CUSTOM, 0, read_http_headers},
};
const size_t config_http_keys_n = ARRAY_LEN(config_http_keys);

static bool has(const YamlNode *mapping, const char *key) { return !yaml_is_null(yaml_get(mapping, str_cstr(key))); }

bool config_http_authenticates(const PromHttpConfig *h) {
    return h->username.n || h->username_file.n || h->auth_type.n || h->credentials.n || h->credentials_file.n ||
           h->oauth2;
}

void config_check_http(ConfigReader *r, const YamlNode *mapping, PromHttpConfig *h) {
    if (h->auth_type.n == 0 && (h->credentials.n || h->credentials_file.n)) h->auth_type = STR("Bearer");
    if (mapping->kind != YAML_MAPPING) return;
    bool basic = has(mapping, "basic_auth"), auth = has(mapping, "authorization"), oauth2 = has(mapping, "oauth2");
    bool token = has(mapping, "bearer_token"), token_file = has(mapping, "bearer_token_file");
    if (token && token_file)
        config_error_key(
            r, mapping, "bearer_token_file", "at most one of bearer_token & bearer_token_file must be configured");
    if ((basic || oauth2) && (token || token_file))
        config_error_key(r, mapping, token ? "bearer_token" : "bearer_token_file",
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
    if (auth && (token || token_file))
        config_error_key(
            r, mapping, "authorization", "authorization is not compatible with bearer_token & bearer_token_file");
    if (basic + auth + oauth2 > 1)
        config_error_key(r, mapping, auth ? "authorization" : "oauth2",
            "at most one of basic_auth, oauth2 & authorization must be configured");
    check_proxy(r, mapping, &h->proxy);
}

void prom_http_config_read(const YamlNode *node, Str base_dir, Arena *arena, PromHttpConfig *ret, DiagList *diags) {
    ConfigReader r = {.arena = arena, .diags = diags, .base_dir = base_dir};
    *ret = (PromHttpConfig){0};
    if (!config_mapping(&r, node, STR("http_config"), config_http_keys, config_http_keys_n, ret)) return;
    config_check_http(&r, node, ret);
}

void prom_tls_config_read(const YamlNode *node, Str base_dir, Arena *arena, PromTlsConfig *ret, DiagList *diags) {
    ConfigReader r = {.arena = arena, .diags = diags, .base_dir = base_dir};
    *ret = (PromTlsConfig){0};
    read_tls(&r, node, ret);
}
