/* Modules and targets; what is probed over the wire is in tests/e2e/probe.test.ts. */
#include "metrics/probe/probe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_modules(void **state) {
    (void)state;
    static const struct {
        const char *name;
        ErrCode code;
        ProbeModule module;
    } cases[] = {
        {"http_2xx", OK, PROBE_HTTP_2XX},
        {"http_post_2xx", OK, PROBE_HTTP_POST_2XX},
        {"tcp_connect", OK, PROBE_TCP_CONNECT},
        {"tls_connect", OK, PROBE_TLS_CONNECT},
        {"tls", OK, PROBE_TLS_CONNECT},
        {"icmp", OK, PROBE_ICMP},
        {"dns", ERR_UNSUPPORTED, 0},
        {"http", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ProbeModule m = 0;
        Err err = {0};
        assert_int_equal(probe_module_parse(str_cstr(cases[i].name), &m, &err), cases[i].code);
        if (cases[i].code == OK) assert_int_equal(m, cases[i].module);
        if (cases[i].code != OK) assert_true(err.msg[0]);
    }
}

static void test_targets(void **state) {
    (void)state;
    static const struct {
        ProbeModule module;
        const char *target;
        bool ok;
    } cases[] = {
        {PROBE_HTTP_2XX, "example.com", true},
        {PROBE_HTTP_2XX, "example.com:8080/path?x=y", true},
        {PROBE_HTTP_2XX, "HTTPS://example.com", true},
        {PROBE_HTTP_2XX, "", false},
        {PROBE_HTTP_2XX, "file:///etc/passwd", false},
        {PROBE_HTTP_2XX, "gopher://example.com", false},
        {PROBE_TCP_CONNECT, "db:5432", true},
        {PROBE_TCP_CONNECT, "[::1]:5432", true},
        {PROBE_TCP_CONNECT, "db", false},
        {PROBE_TCP_CONNECT, "db:", false},
        {PROBE_TCP_CONNECT, ":80", false},
        {PROBE_TCP_CONNECT, "db:0", false},
        {PROBE_TCP_CONNECT, "db:65536", false},
        {PROBE_TCP_CONNECT, "user@db:80", false},
        {PROBE_TCP_CONNECT, "http://db:80", false},
        {PROBE_TLS_CONNECT, "db:443/x", false},
        {PROBE_TLS_CONNECT, "db:443", true},
        {PROBE_ICMP, "db", true},
        {PROBE_ICMP, "fe80::1%eth0", true},
        {PROBE_ICMP, "db/x", false},
        {PROBE_ICMP, "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(probe_check_target(cases[i].module, str_cstr(cases[i].target), NULL) == OK, cases[i].ok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
