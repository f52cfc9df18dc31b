/* tls_check.c - see tls_check.h. Errors are worded as Go's tls.X509KeyPair words them: people search for them. */
#include "net/tls_check.h"

#include "base/base.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* The type of the next PEM block ("CERTIFICATE"); rest moves past its first line. */
static bool next_block(Str *rest, Str *ret_type) {
    size_t at = str_find(*rest, STR("-----BEGIN "));
    if (at >= rest->n) return false;
    Str from = str_skip(*rest, at + 11);
    size_t end = str_find(from, STR("-----"));
    if (end >= from.n) return false;
    *ret_type = str_slice(from, 0, end);
    *rest = str_skip(from, end + 5);
    return true;
}

typedef enum Found { FOUND_NOTHING, FOUND_CERTIFICATE, FOUND_KEY, FOUND_OTHER } Found;

static Found kind_of(Str type) {
    if (str_eq_lit(type, "CERTIFICATE")) return FOUND_CERTIFICATE;
    return str_ends_with(type, STR("PRIVATE KEY")) ? FOUND_KEY : FOUND_OTHER;
}

/* The wanted kind when there is such a block, else what the first one is. */
static Found find(Str pem, Found wanted) {
    Found first = FOUND_NOTHING;
    Str type;
    while (next_block(&pem, &type)) {
        Found f = kind_of(type);
        if (f == wanted) return f;
        if (first == FOUND_NOTHING) first = f;
    }
    return first;
}

static ErrCode check_blocks(Str cert, Str key, Err *reterr) {
    Found c = find(cert, FOUND_CERTIFICATE), k = find(key, FOUND_KEY);
    if (c == FOUND_NOTHING)
        return err_set(reterr, ERR_INVALID, "tls: failed to find any PEM data in certificate input");
    if (c == FOUND_KEY)
        return err_set(reterr, ERR_INVALID,
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may "
            "have been switched");
    if (c == FOUND_OTHER)
        return err_set(reterr, ERR_INVALID, "tls: failed to find \"CERTIFICATE\" PEM block in certificate input");
    if (k == FOUND_NOTHING) return err_set(reterr, ERR_INVALID, "tls: failed to find any PEM data in key input");
    if (k == FOUND_CERTIFICATE)
        return err_set(
            reterr, ERR_INVALID, "tls: found a certificate rather than a key in the PEM for the private key");
    if (k == FOUND_OTHER)
        return err_set(
            reterr, ERR_INVALID, "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input");
    return OK;
}

static gnutls_datum_t datum(Str s) {
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)s.p, .size = (unsigned)s.n};
}

/* Digest of a public key, by which a certificate and a key are compared. */
typedef struct KeyId {
    unsigned char bytes[64];
    size_t n;
} KeyId;

static int certificate_key_id(Str pem, KeyId *ret) {
    gnutls_x509_crt_t cert;
    gnutls_datum_t d = datum(pem);
    ret->n = sizeof ret->bytes;
    int r = gnutls_x509_crt_init(&cert);
    if (r < 0) return r;
    r = gnutls_x509_crt_import(cert, &d, GNUTLS_X509_FMT_PEM); /* the first one is the server's own */
    if (r >= 0) r = gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA256, ret->bytes, &ret->n);
    gnutls_x509_crt_deinit(cert);
    return r;
}

static int private_key_id(Str pem, KeyId *ret) {
    gnutls_x509_privkey_t key;
    gnutls_datum_t d = datum(pem);
    ret->n = sizeof ret->bytes;
    int r = gnutls_x509_privkey_init(&key);
    if (r < 0) return r;
    r = gnutls_x509_privkey_import2(key, &d, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r >= 0) r = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, ret->bytes, &ret->n);
    gnutls_x509_privkey_deinit(key);
    return r;
}

/* Not by credentials: of a certificate that is none GnuTLS 3.7 leaves memory behind there. */
ErrCode tls_check_pair(Str cert_pem, Str key_pem, Err *reterr) {
    KeyId of_cert, of_key;
    ErrCode code = check_blocks(cert_pem, key_pem, reterr);
    if (code != OK) return code;
    int r = certificate_key_id(cert_pem, &of_cert);
    if (r < 0) return err_set(reterr, ERR_INVALID, "x509: malformed certificate (%s)", gnutls_strerror(r));
    if (private_key_id(key_pem, &of_key) < 0) return err_set(reterr, ERR_INVALID, "tls: failed to parse private key");
    if (of_cert.n != of_key.n || memcmp(of_cert.bytes, of_key.bytes, of_key.n) != 0)
        return err_set(reterr, ERR_INVALID, "tls: private key does not match public key");
    return OK;
}
