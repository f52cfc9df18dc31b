/* http_config.h - how to reach an HTTP server: Prometheus' http_config, which scrape jobs, service discovery, remote
 * write and read, and Alertmanagers share. Source: Prometheus' configuration documentation, <http_config>.
 *
 * Files are read at every use, so that rotated secrets are picked up. A Str that is empty is not configured. */
#ifndef MEERKAT_METRICS_CONFIG_HTTP_CONFIG_H
#define MEERKAT_METRICS_CONFIG_HTTP_CONFIG_H

#include "base/diag.h"
#include "base/str.h"
#include "base/vec.h"
#include "codec/yaml.h"

typedef struct PromStrings {
    const Str *v;
    size_t n;
} PromStrings;

typedef struct PromParam {
    Str name;
    const Str *values;
    size_t n;
} PromParam;
typedef struct PromParams {
    const PromParam *v;
    size_t n;
} PromParams;

typedef struct PromTlsConfig {
    Str ca, cert, key; /* PEM in the file itself */
    Str ca_file, cert_file, key_file, server_name;
    uint8_t min_version, max_version; /* 10 to 13 for TLS 1.0 to 1.3; 0: the library's */
    bool insecure_skip_verify;
} PromTlsConfig;

typedef struct PromProxyConfig {
    Str url, no_proxy;
    bool from_environment;
    PromParams connect_headers;
} PromProxyConfig;

typedef struct PromOauth2 {
    Str client_id, client_secret, client_secret_file, token_url;
    PromStrings scopes;
    PromParams endpoint_params; /* one value each */
    PromTlsConfig tls;          /* for token_url */
    PromProxyConfig proxy;
} PromOauth2;

/* A header may come several times: literal values, secrets, contents of files. */
typedef struct PromHttpHeader {
    Str name;
    PromStrings values, secrets, files;
} PromHttpHeader;

typedef struct PromHttpConfig {
    Str username, username_file, password, password_file;
    Str auth_type, credentials, credentials_file; /* Authorization: <type> <credentials>; bearer_token too */
    const PromOauth2 *oauth2;                     /* NULL: none */
    PromTlsConfig tls;
    PromProxyConfig proxy;
    bool no_follow_redirects, no_http2;
    const PromHttpHeader *headers;
    size_t n_headers;
} PromHttpConfig;

/* Reads such a mapping where it stands alone (Alertmanager's http_config and tls_config). Problems go into diags. */
void prom_http_config_read(const YamlNode *node, Str base_dir, Arena *arena, PromHttpConfig *ret, DiagList *diags);
void prom_tls_config_read(const YamlNode *node, Str base_dir, Arena *arena, PromTlsConfig *ret, DiagList *diags);

#endif
