/* tls_test.c - certificates made here; HTTP/1.1 and HTTP/2 over TLS, reload, wrong handshakes. */
#include "net/server_fixture.h"
#include "net/tls_check.h"
#include "sys/fs.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <time.h>

static char dir[64];

static void write_file(const char *name, gnutls_datum_t data) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *fp = fopen(path, "we");
    assert_non_null(fp);
    assert_int_equal(fwrite(data.data, 1, data.size, fp), data.size);
    fclose(fp);
    gnutls_free(data.data);
}

/* A self-signed certificate for "localhost" and one name more. */
static void make_certificate(const char *name) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;
    static unsigned char serial = 1;
    gnutls_x509_privkey_init(&key);
    assert_int_equal(
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, &serial, 1);
    serial++;
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_file("key.pem", pem);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_file("cert.pem", pem);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static char cert[128], key[128];

static void hello(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    http_reply_text(res, 200, "%s %s\n", req->tls ? "tls" : "plain", req->http2 ? "h2" : "h1");
}

static void echo(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    http_reply(res, 200, STR("application/octet-stream"), req->body);
}

static Fixture start(const NetServerOptions *opts) {
    Fixture f = {.router = router_create()};
    router_add(f.router, &(Route){.methods = HTTP_GET, .pattern = "/hello", .handler = hello, .cls = ROUTE_INSTANT});
    router_add(f.router,
        &(Route){
            .methods = HTTP_POST, .pattern = "/echo", .handler = echo, .cls = ROUTE_INGEST, .max_body_bytes = 8 << 20});
    fixture_start(&f, opts, &(NetListen){.tls_cert_file = cert, .tls_key_file = key});
    return f;
}

static ErrCode get(HttpClient *c, const Fixture *f, const char *server_name, bool insecure, Buf *body, Err *err) {
    char url[128];
    int status = 0;
    snprintf(url, sizeof(url), "%s/hello", f->base_url);
    HttpClientRequest req = {.url = url,
        .timeout_ms = WAIT_MS,
        .server_name = server_name,
        .ca_file = cert,
        .insecure_skip_verify = insecure};
    buf_clear(body);
    return http_client_fetch(c, &req, &status, body, err);
}

static void test_requests(void **state) {
    (void)state;
    make_certificate("first.test");
    Fixture f = start(NULL);
    HttpClient *c = http_client_create("test");
    Buf body = {0};
    Err err = {0};
    if (get(c, &f, "first.test", false, &body, &err) != OK) fail_msg("%s", err.msg);
    assert_true(str_starts_with(buf_str(&body), STR("tls h")));
    assert_int_not_equal(get(c, &f, "other.test", false, &body, &err), OK); /* the name does not fit */
    assert_int_equal(get(c, &f, NULL, true, &body, &err), OK);
    buf_done(&body);
    http_client_free(c);
    fixture_stop(&f);
}

/* Speaks TLS by hand: ALPN chooses the engine; a large body goes through the bridge both ways. */
static gnutls_session_t connect_tls(int fd, const char *alpn, gnutls_certificate_credentials_t cred) {
    gnutls_session_t tls;
    gnutls_init(&tls, GNUTLS_CLIENT);
    gnutls_set_default_priority(tls);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, cred);
    gnutls_datum_t proto = {(unsigned char *)(uintptr_t)alpn, alpn ? (unsigned)strlen(alpn) : 0};
    if (alpn) gnutls_alpn_set_protocols(tls, &proto, 1, 0);
    gnutls_transport_set_int(tls, fd);
    int r;
    do r = gnutls_handshake(tls);
    while (r < 0 && !gnutls_error_is_fatal(r));
    assert_int_equal(r, 0);
    return tls;
}

static void test_alpn(void **state) {
    (void)state;
    make_certificate("first.test");
    Fixture f = start(NULL);
    gnutls_certificate_credentials_t cred;
    gnutls_certificate_allocate_credentials(&cred);
    static const char *const protos[] = {NULL, "http/1.1", "h2"};
    for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
        int fd = raw_connect(&f);
        gnutls_session_t tls = connect_tls(fd, protos[i], cred);
        char buf[256] = "";
        if (i < 2) {
            Str req = STR("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
            gnutls_record_send(tls, req.p, req.n);
            ssize_t n = gnutls_record_recv(tls, buf, sizeof(buf) - 1);
            assert_true(n > 12 && memcmp(buf, "HTTP/1.1 200", 12) == 0);
        } else {
            Str req = STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
            gnutls_record_send(tls, req.p, req.n);
            ssize_t n = gnutls_record_recv(tls, buf, sizeof(buf));
            assert_true(n >= 9 && buf[3] == 4); /* SETTINGS */
        }
        gnutls_bye(tls, GNUTLS_SHUT_WR);
        gnutls_deinit(tls);
        close(fd);
    }
    gnutls_certificate_free_credentials(cred);
    fixture_stop(&f);
}

static void test_large_body(void **state) {
    (void)state;
    make_certificate("first.test");
    Fixture f = start(NULL);
    gnutls_certificate_credentials_t cred;
    gnutls_certificate_allocate_credentials(&cred);
    int fd = raw_connect(&f);
    gnutls_session_t tls = connect_tls(fd, "http/1.1", cred);
    Buf req = {0}, res = {0};
    size_t n = 3 << 20;
    buf_printf(&req, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", n);
    size_t head = req.n;
    for (size_t i = 0; i < n; i++) buf_put_char(&req, (char)('a' + i % 23));
    for (size_t off = 0; off < req.n;) {
        ssize_t k = gnutls_record_send(tls, req.p + off, req.n - off);
        assert_true(k > 0);
        off += (size_t)k;
    }
    for (;;) {
        buf_reserve(&res, 65536);
        ssize_t k = gnutls_record_recv(tls, res.p + res.n, 65536);
        if (k <= 0) break;
        res.n += (size_t)k;
    }
    assert_true(str_ends_with(buf_str(&res), str_skip(buf_str(&req), head)));
    gnutls_deinit(tls);
    close(fd);
    buf_done(&req);
    buf_done(&res);
    gnutls_certificate_free_credentials(cred);
    fixture_stop(&f);
}

static void test_reload(void **state) {
    (void)state;
    make_certificate("first.test");
    Fixture f = start(NULL);
    HttpClient *c = http_client_create("test");
    Buf body = {0};
    Err err = {0};
    make_certificate("second.test");
    assert_int_not_equal(get(c, &f, "second.test", false, &body, &err), OK);
    assert_int_equal(net_server_reload_tls(f.server, &err), OK);
    if (get(c, &f, "second.test", false, &body, &err) != OK) fail_msg("%s", err.msg);
    write_file("cert.pem", (gnutls_datum_t){(unsigned char *)gnutls_strdup("rubbish"), 7});
    assert_int_equal(net_server_reload_tls(f.server, &err), ERR_INVALID); /* the old one stays in use */
    buf_done(&body);
    http_client_free(c);
    fixture_stop(&f);
}

static void test_not_tls(void **state) {
    (void)state;
    make_certificate("first.test");
    Fixture f = start(&(NetServerOptions){.header_timeout_ms = 300});
    static const char *const sends[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02", ""};
    for (size_t i = 0; i < ARRAY_LEN(sends); i++) {
        int fd = raw_connect(&f);
        Buf out = {0};
        raw_send(fd, str_cstr(sends[i]));
        raw_read_all(fd, &out);
        assert_false(str_contains(buf_str(&out), STR("HTTP/1.1 200")));
        close(fd);
        buf_done(&out);
    }
    fixture_stop(&f);
}

static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/meerkat-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    unlink(cert);
    unlink(key);
    rmdir(dir);
    return 0;
}

/* A certificate and a key, each by its file; the error's beginning, NULL: they are a pair. */
static void test_pairs(void **state) {
    (void)state;
    static const struct {
        const char *cert, *key, *error;
    } cases[] = {
        {"cert.pem", "key.pem", NULL},
        {"cert.pem", "other.pem", "tls: private key does not match public key"},
        {"none", "key.pem", "tls: failed to find any PEM data in certificate input"},
        {"cert.pem", "none", "tls: failed to find any PEM data in key input"},
        {"key.pem", "key.pem", "tls: failed to find certificate PEM data in certificate input, but did find"},
        {"cert.pem", "cert.pem", "tls: found a certificate rather than a key"},
        {"csr", "key.pem", "tls: failed to find \"CERTIFICATE\" PEM block"},
        {"cert.pem", "csr", "tls: failed to find PEM block with type ending in \"PRIVATE KEY\""},
        {"cert.pem", "broken", "tls: failed to parse private key"},
        {"broken-cert", "key.pem", "x509: malformed certificate"},
    };
    static const char *const texts[][2] = {{"none", "hello"},
        {"csr", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"},
        {"broken", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
        {"broken-cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}};
    char path[2][160];
    make_certificate("second.test");
    snprintf(path[0], sizeof path[0], "%s/key.pem", dir);
    snprintf(path[1], sizeof path[1], "%s/other.pem", dir);
    assert_int_equal(rename(path[0], path[1]), 0);
    make_certificate("first.test");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        snprintf(path[0], sizeof path[0], "%s/%s", dir, texts[i][0]);
        assert_int_equal(fs_write_file_atomic(fs_real(), path[0], str_cstr(texts[i][1]), NULL), OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf pem[2] = {{0}, {0}};
        const char *names[] = {cases[i].cert, cases[i].key};
        Err err = {0};
        for (int k = 0; k < 2; k++) {
            snprintf(path[k], sizeof path[k], "%s/%s", dir, names[k]);
            assert_int_equal(fs_read_file(fs_real(), path[k], 1 << 20, &pem[k], NULL), OK);
        }
        ErrCode code = tls_check_pair(buf_str(&pem[0]), buf_str(&pem[1]), &err);
        assert_int_equal(code, cases[i].error ? ERR_INVALID : OK);
        if (cases[i].error) assert_true(str_starts_with(str_cstr(err.msg), str_cstr(cases[i].error)));
        buf_done(&pem[0]);
        buf_done(&pem[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
