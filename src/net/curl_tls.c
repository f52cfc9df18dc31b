#include "net/curl_tls_int.h"

#include "base/base.h"
#include "base/buf.h"

/* The file's name, or one for the text. NULL: neither. */
static const char *pem_file(CurlTls *held, const char *file, Str pem, bool *fits) {
    Err err;
    if (pem.n == 0) return file;
    if (memfile_create(pem, &held->pem[held->n_pem], &err) != OK) {
        *fits = false;
        return NULL;
    }
    return held->pem[held->n_pem++].path;
}

static long versions(const ClientTls *t) {
    static const long min[] = {
        CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
    static const long max[] = {CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
        CURL_SSLVERSION_MAX_TLSv1_3};
    unsigned lo = t->min_version ? t->min_version : t->max_version ? MIN(t->max_version, 12u) : 12u;
    long v = min[MIN(MAX(lo, 10u), 13u) - 10];
    return t->max_version ? v | max[MIN(MAX(t->max_version, (uint8_t)10), (uint8_t)13) - 10] : v;
}

bool curl_tls_set(CURL *e, const ClientTls *t, CurlTls *held) {
    bool fits = true;
    const char *ca = pem_file(held, t->ca_file, t->ca_pem, &fits),
               *cert = pem_file(held, t->cert_file, t->cert_pem, &fits),
               *key = pem_file(held, t->key_file, t->key_pem, &fits);
    /* A CA file is the only trust then, as Go's RootCAs. */
    if (ca || t->insecure_skip_verify) curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    if (ca || t->insecure_skip_verify) curl_easy_setopt(e, CURLOPT_CAINFO, ca);
    if (cert) curl_easy_setopt(e, CURLOPT_SSLCERT, cert);
    if (key) curl_easy_setopt(e, CURLOPT_SSLKEY, key);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, versions(t));
    if (held->n_pem) { /* curl tells connections apart by the files' names, and names of texts come again */
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    }
    if (t->insecure_skip_verify) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return fits;
}

char *curl_tls_rename(
    CURL *e, const char *url, const char *server_name, CurlTls *held, char **ret_host, char **ret_port) {
    CURLU *u = curl_url();
    char *full = NULL;
    *ret_host = *ret_port = NULL;
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, ret_host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, ret_port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_HOST, server_name, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &full, 0) == CURLUE_OK) {
        Buf to = {0};
        buf_printf(&to, "%s:%s:%s:%s", server_name, *ret_port, *ret_host, *ret_port);
        held->connect_to = curl_slist_append(NULL, buf_cstr(&to));
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, held->connect_to);
        buf_done(&to);
    }
    curl_url_cleanup(u);
    return full;
}

void curl_tls_done(CurlTls *held) {
    for (unsigned i = 0; i < held->n_pem; i++) memfile_close(&held->pem[i]);
    curl_slist_free_all(held->connect_to);
    *held = (CurlTls){0};
}
