/* amconfig_show_http.c - http_config and tls_config as the original shows them. */
#include "alert/amconfig_show.h"
#include "net/http.h"

#include <stdio.h>

static bool tls_is_empty(const PromTlsConfig *t) {
    return !t->ca.n && !t->cert.n && !t->key.n && !t->ca_file.n && !t->cert_file.n && !t->key_file.n &&
           !t->server_name.n && !t->insecure_skip_verify && !t->min_version && !t->max_version;
}

static void put_version(AmShow *s, const char *key, uint8_t v) {
    char text[8];
    if (!v) return;
    snprintf(text, sizeof text, "TLS%d", v);
    amshow_str(s, key, str_cstr(text));
}

void amshow_tls(AmShow *s, const char *key, const PromTlsConfig *t, bool always) {
    static const PromTlsConfig none = {0};
    if (!t) t = &none;
    if (!always && tls_is_empty(t)) return;
    amshow_key(s, key);
    yaml_emit_begin_mapping(s->e);
    amshow_str(s, "ca", t->ca);
    amshow_str(s, "cert", t->cert);
    amshow_secret(s, "key", t->key);
    amshow_str(s, "ca_file", t->ca_file);
    amshow_str(s, "cert_file", t->cert_file);
    amshow_str(s, "key_file", t->key_file);
    amshow_str(s, "server_name", t->server_name);
    amshow_bool(s, "insecure_skip_verify", t->insecure_skip_verify);
    put_version(s, "min_version", t->min_version);
    put_version(s, "max_version", t->max_version);
    yaml_emit_end_mapping(s->e);
}

static void put_list(AmShow *s, const char *key, PromStrings v, bool secret) {
    if (!v.n) return;
    amshow_key(s, key);
    yaml_emit_begin_sequence(s->e, false);
    for (size_t i = 0; i < v.n; i++) yaml_emit_text(s->e, secret ? STR("<secret>") : v.v[i]);
    yaml_emit_end_sequence(s->e);
}

static void put_proxy(AmShow *s, const PromProxyConfig *p) {
    amshow_str(s, "proxy_url", http_url_redact(s->arena, p->url));
    amshow_str(s, "no_proxy", p->no_proxy);
    if (p->from_environment) amshow_bool(s, "proxy_from_environment", true);
    if (!p->connect_headers.n) return;
    amshow_key(s, "proxy_connect_header");
    yaml_emit_begin_mapping(s->e);
    for (size_t i = 0; i < p->connect_headers.n; i++) {
        yaml_emit_text(s->e, p->connect_headers.v[i].name);
        yaml_emit_begin_sequence(s->e, false);
        for (size_t k = 0; k < p->connect_headers.v[i].n; k++) yaml_emit_text(s->e, STR("<secret>"));
        yaml_emit_end_sequence(s->e);
    }
    yaml_emit_end_mapping(s->e);
}

static void put_oauth2(AmShow *s, const PromOauth2 *o) {
    amshow_key(s, "oauth2");
    yaml_emit_begin_mapping(s->e);
    amshow_key(s, "client_id");
    yaml_emit_text(s->e, o->client_id);
    amshow_key(s, "client_secret");
    yaml_emit_text(s->e, o->client_secret.n ? STR("<secret>") : STR(""));
    amshow_key(s, "client_secret_file");
    yaml_emit_text(s->e, o->client_secret_file);
    put_list(s, "scopes", o->scopes, false);
    amshow_key(s, "token_url");
    yaml_emit_text(s->e, o->token_url);
    if (o->endpoint_params.n) {
        amshow_key(s, "endpoint_params");
        yaml_emit_begin_mapping(s->e);
        for (size_t i = 0; i < o->endpoint_params.n; i++)
            amshow_str(s, arena_printf(s->arena, "%" STR_FMT, STR_ARG(o->endpoint_params.v[i].name)).p,
                o->endpoint_params.v[i].n ? o->endpoint_params.v[i].values[0] : STR(""));
        yaml_emit_end_mapping(s->e);
    }
    amshow_tls(s, "tls_config", &o->tls, false);
    put_proxy(s, &o->proxy);
    yaml_emit_end_mapping(s->e);
}

static void put_headers(AmShow *s, const PromHttpConfig *h) {
    if (!h->n_headers) return;
    amshow_key(s, "http_headers");
    yaml_emit_begin_mapping(s->e);
    for (size_t i = 0; i < h->n_headers; i++) {
        yaml_emit_text(s->e, h->headers[i].name);
        yaml_emit_begin_mapping(s->e);
        put_list(s, "values", h->headers[i].values, false);
        put_list(s, "secrets", h->headers[i].secrets, true);
        put_list(s, "files", h->headers[i].files, false);
        yaml_emit_end_mapping(s->e);
    }
    yaml_emit_end_mapping(s->e);
}

void amshow_http(AmShow *s, const PromHttpConfig *h) {
    static const PromHttpConfig none = {0};
    if (!h) h = &none;
    amshow_key(s, "http_config");
    yaml_emit_begin_mapping(s->e);
    if (h->username.n || h->username_file.n || h->password.n || h->password_file.n) {
        amshow_key(s, "basic_auth");
        yaml_emit_begin_mapping(s->e);
        if (!h->username_file.n) {
            amshow_key(s, "username");
            yaml_emit_text(s->e, h->username);
        }
        amshow_str(s, "username_file", h->username_file);
        amshow_secret(s, "password", h->password);
        amshow_str(s, "password_file", h->password_file);
        yaml_emit_end_mapping(s->e);
    }
    if (h->auth_type.n && !h->oauth2) {
        amshow_key(s, "authorization");
        yaml_emit_begin_mapping(s->e);
        amshow_str(s, "type", h->auth_type);
        amshow_secret(s, "credentials", h->credentials);
        amshow_str(s, "credentials_file", h->credentials_file);
        yaml_emit_end_mapping(s->e);
    }
    if (h->oauth2) put_oauth2(s, h->oauth2);
    amshow_tls(s, "tls_config", &h->tls, false);
    amshow_bool(s, "follow_redirects", !h->no_follow_redirects);
    amshow_bool(s, "enable_http2", !h->no_http2);
    put_proxy(s, &h->proxy);
    put_headers(s, h);
    yaml_emit_end_mapping(s->e);
}
