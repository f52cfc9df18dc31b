#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/timefmt.h"

static void assert_text(Buf *b, const char *want) {
    assert_string_equal(buf_cstr(b), want);
    buf_clear(b);
}

static void test_rfc3339(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        const char *back, *ms; /* NULL: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {"2026-11-20T13:41:00.5Z", INT64_C(1795182060500000000), "2026-11-20T13:41:00.5Z", "2026-11-20T13:41:00.500Z"},
        {"2026-11-20T14:41:00.5+01:00", INT64_C(1795182060500000000), "2026-11-20T13:41:00.5Z",
            "2026-11-20T13:41:00.500Z"},
        {"2026-11-20t09:11:00.500000000999-04:30", INT64_C(1795182060500000000), "2026-11-20T13:41:00.5Z",
            "2026-11-20T13:41:00.500Z"},
        {"1969-12-31T23:59:59.999999999z", -1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999Z"},
        {"2026-11-20T13:41:00,5Z", INT64_C(1795182060500000000), "2026-11-20T13:41:00.5Z", "2026-11-20T13:41:00.500Z"},
        {"2000-02-29T12:00:00.001Z", INT64_C(951825600001000000), "2000-02-29T12:00:00.001Z",
            "2000-02-29T12:00:00.001Z"},
        {"1677-09-21T00:12:43.145224192Z", INT64_MIN, "1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43.145Z"},
        {"2262-04-11T23:47:16.854775807Z", INT64_MAX, "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854Z"},
        {"2262-04-11T23:47:16.854775808Z", 0, NULL, NULL},
        {"1677-09-21T00:12:43.145224191Z", 0, NULL, NULL},
        {"9999-12-31T23:59:59Z", 0, NULL, NULL},
        {"2023-02-29T00:00:00Z", 0, NULL, NULL},
        {"1900-02-29T00:00:00Z", 0, NULL, NULL},
        {"2023-13-01T00:00:00Z", 0, NULL, NULL},
        {"2023-00-01T00:00:00Z", 0, NULL, NULL},
        {"2023-01-00T00:00:00Z", 0, NULL, NULL},
        {"2023-01-01T24:00:00Z", 0, NULL, NULL},
        {"2023-01-01T00:60:00Z", 0, NULL, NULL},
        {"2023-01-01T00:00:00", 0, NULL, NULL},
        {"2023-01-01T00:00:00.Z", 0, NULL, NULL},
        {"2023-01-01 00:00:00Z", 0, NULL, NULL},
        {"2023-01-01T00:00:00+1:00", 0, NULL, NULL},
        {"2023-01-01T00:00:00Zx", 0, NULL, NULL},
        {"23-01-01T00:00:00Z", 0, NULL, NULL},
        {"", 0, NULL, NULL},
    };
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 0;
        bool ok = time_parse_rfc3339(str_cstr(cases[i].text), &ns);
        if (ok != (cases[i].back != NULL) || ns != cases[i].ns) fail_msg("%s: %lld", cases[i].text, (long long)ns);
        if (!ok) continue;
        time_put_rfc3339(&b, ns), assert_text(&b, cases[i].back);
        time_put_rfc3339_ms(&b, ns), assert_text(&b, cases[i].ms);
    }
    for (int64_t day = -100000; day < 100000; day += 13) {
        int64_t ns = day * 86400 * NS_PER_S, back;
        time_put_rfc3339(&b, ns);
        assert_true(time_parse_rfc3339(buf_str(&b), &back) && back == ns);
        buf_clear(&b);
    }
    buf_done(&b);
}

static void test_prometheus(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *back; /* NULL: refused */
    } cases[] = {
        {"0", 0, "0s"},
        {"0s", 0, "0s"},
        {"5m", 300000, "5m"},
        {"1h30m", 5400000, "1h30m"},
        {"90s", 90000, "1m30s"},
        {"100ms", 100, "100ms"},
        {"1y2w3d", INT64_C(33004800000), "382d"},
        {"1d", 86400000, "1d"},
        {"7d", 604800000, "1w"},
        {"90d", 7776000000, "90d"},
        {"365d", 31536000000, "1y"},
        {"10d1ms", 864000001, "10d1ms"},
        {"1s500ms", 1500, "1s500ms"},
        {"", 0, NULL},
        {"5", 0, NULL},
        {"m", 0, NULL},
        {"1m1h", 0, NULL},
        {"1m1m", 0, NULL},
        {"1.5h", 0, NULL},
        {"-1m", 0, NULL},
        {"1 m", 0, NULL},
        {"300y", 0, NULL},
        {"99999999999999999999s", 0, NULL},
        {"1us", 0, NULL},
    };
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = 0;
        bool ok = duration_parse_prom(str_cstr(cases[i].text), &ms);
        if (ok != (cases[i].back != NULL) || ms != cases[i].ms) fail_msg("%s: %lld", cases[i].text, (long long)ms);
        if (ok) duration_put_prom(&b, ms), assert_text(&b, cases[i].back);
    }
    duration_put_prom(&b, -90000), assert_text(&b, "-1m30s");
    buf_done(&b);
}

static void test_go(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        const char *back; /* NULL: refused */
    } cases[] = {
        {"0", 0, "0s"},
        {"1.5s", 1500000000, "1.5s"},
        {"1h2m3.4s", INT64_C(3723400000000), "1h2m3.4s"},
        {"300us", 300000, "300\u00b5s"},
        {"1.5\u00b5s", 1500, "1.5\u00b5s"},
        {"2\u03bcs", 2000, "2\u00b5s"},
        {"-2m", INT64_C(-120000000000), "-2m0s"},
        {"+5ns", 5, "5ns"},
        {"100ms", 100000000, "100ms"},
        {".5s", 500000000, "500ms"},
        {"5.s", INT64_C(5000000000), "5s"},
        {"1h", INT64_C(3600000000000), "1h0m0s"},
        {"1.000000001s", 1000000001, "1.000000001s"},
        {"10ms5us", 10005000, "10.005ms"},
        {"0.33333333333333333333h", INT64_C(1200000000000), "20m0s"},
        {"-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s"},
        {"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"},
        {"9223372036854775808ns", 0, NULL},
        {"9223372036854775809ns", 0, NULL},
        {"3000000h", 0, NULL},
        {"", 0, NULL},
        {"-", 0, NULL},
        {"s", 0, NULL},
        {".s", 0, NULL},
        {"1", 0, NULL},
        {"1d", 0, NULL},
        {"1h 2m", 0, NULL},
        {"00", 0, NULL},
    };
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 0;
        bool ok = duration_parse_go(str_cstr(cases[i].text), &ns);
        if (ok != (cases[i].back != NULL) || ns != cases[i].ns) fail_msg("%s: %lld", cases[i].text, (long long)ns);
        if (ok) duration_put_go(&b, ns), assert_text(&b, cases[i].back);
    }
    buf_done(&b);
}

static void test_any(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* 0: refused */
    } cases[] = {{"1.5s", 1500000000}, {"2d", INT64_C(172800000000000)}, {"1h30m", INT64_C(5400000000000)},
        {"-2m", INT64_C(-120000000000)}, {"293y", 0}, {"2", 0}, {"", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 7;
        bool ok = duration_parse_any(str_cstr(cases[i].text), &ns);
        if (ok != (cases[i].ns != 0) || ns != (ok ? cases[i].ns : 7))
            fail_msg("%s: %lld", cases[i].text, (long long)ns);
    }
}

static void test_params(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t time_ns, duration_ns; /* 7: refused */
    } cases[] = {{"1700000000", INT64_C(1700000000000000000), INT64_C(1700000000000000000)},
        {"17000000000", INT64_C(17000000000), 7}, {"-5", -5 * NS_PER_S, -5 * NS_PER_S},
        {"1700000000123456789", INT64_C(1700000000123456789), 7},
        {"1700000000.001", INT64_C(1700000000001000000), INT64_C(1700000000000999936)},
        {"-0.5", -500000000, -500000000}, {"1e3", 7, INT64_C(1000000000000)}, {"9999999999", 7, 7}, {"9.3e9", 7, 7},
        {"NaN", 7, 7}, {"1.nan", 7, 7}, {"2023-11-14T22:13:20.5Z", INT64_C(1700000000500000000), 7},
        {"90s", 7, INT64_C(90000000000)}, {"1d", 7, INT64_C(86400000000000)}, {"1.5m", 7, INT64_C(90000000000)},
        {"", 7, 7}, {"yesterday", 7, 7}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t t = 7, d = 7;
        bool time_ok = time_parse_param(str_cstr(cases[i].text), &t),
             duration_ok = duration_parse_param(str_cstr(cases[i].text), &d);
        if (t != cases[i].time_ns || d != cases[i].duration_ns || time_ok != (t != 7) || duration_ok != (d != 7))
            fail_msg("%s: %lld, %lld", cases[i].text, (long long)t, (long long)d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc3339), cmocka_unit_test(test_prometheus),
        cmocka_unit_test(test_go), cmocka_unit_test(test_any), cmocka_unit_test(test_params)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
