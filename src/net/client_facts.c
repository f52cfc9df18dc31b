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
}

/* Source: blackbox_exporter's ipHash. */
static uint32_t hash_ip(const char *text) {
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
    ret->ip_hash = ret->ip_version ? hash_ip(ip) : 0;
    ret->tls = scheme && str_eq_nocase(str_cstr(scheme), STR("https"));
    ret->content_length = (int64_t)length;
}
