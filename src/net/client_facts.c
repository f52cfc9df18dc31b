/* client_facts.c - what probes want to know of a request: times, versions, certificates. */
#include "net/client_int.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>

#define CHAIN_MAX 64u

static int64_t expiry_of(const gnutls_datum_t *der) {
    gnutls_x509_crt_t cert;
    if (gnutls_x509_crt_init(&cert) != GNUTLS_E_SUCCESS) return 0;
    time_t t = (time_t)-1;
    if (gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS)
        t = gnutls_x509_crt_get_expiration_time(cert);
    gnutls_x509_crt_deinit(cert);
    return t == (time_t)-1 ? 0 : (int64_t)t;
}

static void put_hex(char *out, size_t max, const unsigned char *p, size_t n) {
    out[0] = 0;
    for (size_t i = 0; i < n && 2 * i + 2 < max; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void put_name(char *out, size_t max, gnutls_x509_crt_t cert,
    int (*get)(gnutls_x509_crt_t cert, gnutls_datum_t *dn, unsigned flags)) {
    gnutls_datum_t dn = {0};
    if (get(cert, &dn, 0) != GNUTLS_E_SUCCESS) return;
    snprintf(out, max, "%.*s", (int)dn.size, (const char *)dn.data);
    gnutls_free(dn.data);
}

static void put_dns_names(char *out, size_t max, gnutls_x509_crt_t cert) {
    size_t at = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char name[256];
        size_t n = sizeof name;
        int type = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &n, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) return;
        if (type != GNUTLS_SAN_DNSNAME || at + n + 2 > max) continue;
        at += (size_t)snprintf(out + at, max - at, "%s%.*s", at ? "," : "", (int)n, name);
    }
}

/* Source: blackbox_exporter's probe_ssl_last_chain_info. */
static void note_certificate(Transfer *t, gnutls_session_t session, const gnutls_datum_t *der) {
    gnutls_x509_crt_t cert;
    unsigned char bytes[64];
    size_t n = sizeof bytes;
    if (gnutls_x509_crt_init(&cert) != GNUTLS_E_SUCCESS) return;
    if (gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS) {
        if (!t->certificate) t->certificate = NEW(HttpClientCertificate);
        HttpClientCertificate *c = t->certificate;
        if (gnutls_fingerprint(GNUTLS_DIG_SHA256, der, bytes, &n) == GNUTLS_E_SUCCESS)
            put_hex(c->fingerprint_sha256, sizeof c->fingerprint_sha256, bytes, n);
        n = sizeof bytes;
        if (gnutls_x509_crt_get_serial(cert, bytes, &n) == GNUTLS_E_SUCCESS) {
            size_t zero = n > 1 && bytes[0] == 0; /* there to keep the number positive */
            put_hex(c->serial, sizeof c->serial, bytes + zero, n - zero);
        }
        put_name(c->subject, sizeof c->subject, cert, gnutls_x509_crt_get_dn3);
        put_name(c->issuer, sizeof c->issuer, cert, gnutls_x509_crt_get_issuer_dn3);
        put_dns_names(c->dns_names, sizeof c->dns_names, cert);
        const char *cipher = gnutls_ciphersuite_get(session);
        snprintf(c->cipher, sizeof c->cipher, "%s", cipher ? cipher : "");
    }
    gnutls_x509_crt_deinit(cert);
}

/* Certificates and version of the session; with another TLS library than ours in curl they stay unknown. */
void transfer_note_tls(Transfer *t) {
    struct curl_tlssessioninfo *info = NULL;
    if (curl_easy_getinfo(t->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info || !info->internals) return;
    if (info->backend != CURLSSLBACKEND_GNUTLS) return;
    gnutls_session_t session = info->internals;
    static const struct {
        gnutls_protocol_t version;
        const char *name;
    } names[] = {
        {GNUTLS_TLS1_0, "TLS 1.0"}, {GNUTLS_TLS1_1, "TLS 1.1"}, {GNUTLS_TLS1_2, "TLS 1.2"}, {GNUTLS_TLS1_3, "TLS 1.3"}};
    gnutls_protocol_t version = gnutls_protocol_get_version(session);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].version == version)
            snprintf(t->facts.tls_version, sizeof t->facts.tls_version, "%s", names[i].name);
    unsigned n = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
    int64_t first = 0;
    for (unsigned i = 0; chain && i < MIN(n, CHAIN_MAX); i++) {
        int64_t at = expiry_of(&chain[i]);
        if (at && (!first || at < first)) first = at;
    }
    t->facts.certificate_expiry_s = first;
    if (chain && n) note_certificate(t, session, &chain[0]);
}

/* Source: blackbox_exporter's ipHash. */
uint32_t ip_text_hash(const char *text) {
    unsigned char bytes[16];
    size_t n = strchr(text, ':') ? 16 : 4;
    uint32_t h = UINT32_C(2166136261);
    if (inet_pton(n == 16 ? AF_INET6 : AF_INET, text, bytes) != 1) return 0;
    for (size_t i = 0; i < n; i++) h = (h ^ bytes[i]) * UINT32_C(16777619);
    return h;
}

static int64_t time_of(CURL *e, CURLINFO what) {
    curl_off_t us = 0;
    return curl_easy_getinfo(e, what, &us) == CURLE_OK ? (int64_t)us * 1000 : 0;
}

void transfer_facts(Transfer *t, HttpClientFacts *ret) {
    CURL *e = t->easy;
    long redirects = 0, version = 0;
    char *ip = NULL, *scheme = NULL;
    curl_off_t length = -1;
    *ret = t->facts;
    ret->certificate = t->certificate;
    ret->resolve_ns = time_of(e, CURLINFO_NAMELOOKUP_TIME_T);
    ret->connect_ns = time_of(e, CURLINFO_CONNECT_TIME_T);
    ret->tls_ns = time_of(e, CURLINFO_APPCONNECT_TIME_T);
    ret->sent_ns = time_of(e, CURLINFO_PRETRANSFER_TIME_T);
    ret->first_byte_ns = time_of(e, CURLINFO_STARTTRANSFER_TIME_T);
    ret->total_ns = time_of(e, CURLINFO_TOTAL_TIME_T);
    curl_easy_getinfo(e, CURLINFO_REDIRECT_COUNT, &redirects);
    curl_easy_getinfo(e, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(e, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(e, CURLINFO_SCHEME, &scheme);
    curl_easy_getinfo(e, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    ret->redirects = (int)redirects;
    ret->http_version = version == CURL_HTTP_VERSION_1_0   ? 1
                        : version == CURL_HTTP_VERSION_1_1 ? 1.1
                        : version == CURL_HTTP_VERSION_2_0 ? 2
                                                           : 0;
    ret->ip_version = !ip || !*ip ? 0 : strchr(ip, ':') ? 6 : 4;
    ret->ip_hash = ret->ip_version ? ip_text_hash(ip) : 0;
    ret->tls = scheme && str_eq_nocase(str_cstr(scheme), STR("https"));
    ret->content_length = (int64_t)length;
}
