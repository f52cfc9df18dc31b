#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num_int.h"

static void assert_text(Buf *b, const char *want) {
    assert_string_equal(buf_cstr(b), want);
    buf_clear(b);
}

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool i64, u64;
        int64_t i;
        uint64_t u;
    } cases[] = {
        {"0", true, true, 0, 0},
        {"-0", true, false, 0, 0},
        {"+7", true, false, 7, 0},
        {"007", true, true, 7, 7},
        {"-1", true, false, -1, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", false, true, 0, UINT64_C(9223372036854775808)},
        {"-9223372036854775808", true, false, INT64_MIN, 0},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", false, true, 0, UINT64_MAX},
        {"18446744073709551616", false, false, 0, 0},
        {"000000000000000000000000000001", true, true, 1, 1},
        {"99999999999999999999", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"1 ", false, false, 0, 0},
        {"--1", false, false, 0, 0},
        {"1.0", false, false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t iv = 0;
        uint64_t uv = 0;
        assert_int_equal(num_parse_i64(str_cstr(cases[i].text), &iv), cases[i].i64);
        assert_int_equal(num_parse_u64(str_cstr(cases[i].text), &uv), cases[i].u64);
        if (cases[i].i64) assert_true(iv == cases[i].i);
        if (cases[i].u64) assert_true(uv == cases[i].u);
    }
}

static void test_print_integers(void **state) {
    (void)state;
    Buf b = {0};
    uint64_t v = 1;
    for (int i = 0; i < 20; i++, v *= 10) {
        char want[32];
        for (int d = -1; d <= 1; d++) {
            snprintf(want, sizeof want, "%llu", (unsigned long long)(v + (uint64_t)d));
            num_put_u64(&b, v + (uint64_t)d);
            assert_text(&b, want);
        }
    }
    num_put_u64(&b, UINT64_MAX), assert_text(&b, "18446744073709551615");
    num_put_i64(&b, INT64_MIN), assert_text(&b, "-9223372036854775808");
    num_put_i64(&b, -42), assert_text(&b, "-42");
    buf_done(&b);
}

/* Every entry of the table anew: 10^k as a big integer of 32-bit limbs, or 2^N / 10^-k by schoolbook division. */
enum { LIMBS = 96 };

static void big_mul_small(uint32_t *v, uint32_t m) {
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)v[i] * m;
        v[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_true(carry == 0);
}

static void big_div_small(uint32_t *v, uint32_t m) {
    uint64_t rest = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        rest = rest << 32 | v[i];
        v[i] = (uint32_t)(rest / m);
        rest %= m;
    }
}

static NumPow10 big_top128(const uint32_t *v) {
    int top = LIMBS * 32 - 1;
    while (!(v[top / 32] >> (top % 32) & 1)) top--;
    NumPow10 r = {0, 0};
    for (int i = 0; i < 128; i++) {
        int at = top - i;
        uint64_t bit = at >= 0 ? v[at / 32] >> (at % 32) & 1 : 0;
        if (i < 64)
            r.hi = r.hi << 1 | bit;
        else
            r.lo = r.lo << 1 | bit;
    }
    return r;
}

static void test_pow10_table(void **state) {
    (void)state;
    uint32_t up[LIMBS] = {1}, down[LIMBS] = {0};
    down[LIMBS - 1] = UINT32_C(1) << 31;
    for (int k = 0; k <= 348; k++) {
        /* Dividing floors by 10 again and again floors the whole: floor(floor(a / b) / c) == floor(a / (b * c)). */
        NumPow10 r = big_top128(down), t = num_pow10(-k);
        assert_true(r.hi == t.hi && r.lo == t.lo);
        if (k <= NUM_POW10_MAX) {
            r = big_top128(up), t = num_pow10(k);
            assert_true(r.hi == t.hi && r.lo == t.lo);
        }
        big_mul_small(up, 10);
        big_div_small(down, 10);
    }
}

static void test_parse_f64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double want;
    } good[] = {
        {"0", 0},
        {"-0", -0.0},
        {"1", 1},
        {"+1.5", 1.5},
        {".5", .5},
        {"5.", 5},
        {"-.5e1", -5},
        {"1e23", 1e23},
        {"1E+2", 100},
        {"1e-2", .01},
        {"0.1", .1},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000001", 9007199254740994.0},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"1.7976931348623158e308", 1.7976931348623157e308},
        {"1.7976931348623159e308", __builtin_inf()},
        {"1e309", __builtin_inf()},
        {"-1e99999999999999999999999", -__builtin_inf()},
        {"1e-99999999999999999999999", 0},
        {"0e99999999999999999999999", 0},
        {"4.9e-324", 4.9406564584124654e-324},
        {"2.4703282292062328e-324", 4.9406564584124654e-324},
        {"2.4703282292062327e-324", 0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"2.2250738585072014e-308", 2.2250738585072014e-308},
        {"0.000000000000000000000000000000000000000000000001", 1e-48},
        {"100000000000000000000000000000000000000000000000e-47", 1},
        {"0x1p-2", .25},
        {"0X1.8P1", 3},
        {"-0x.8p0", -.5},
        {"0x1.fffffffffffff8p0", 2},
        {"0x1.fffffffffffff7ffffffffffffp0", 1.9999999999999998},
        {"0x1p-1075", 0},
        {"0x1.00000000000000000001p-1075", 4.9406564584124654e-324},
        {"0x100000000000000000000000p0", 4951760157141521099596496896.0},
        {"0x0p999999999999999999", 0},
        {"inf", __builtin_inf()},
        {"-Inf", -__builtin_inf()},
        {"+INFINITY", __builtin_inf()},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        double v = -1;
        assert_true(num_parse_f64(str_cstr(good[i].text), &v));
        if (f64_bits(v) != f64_bits(good[i].want)) fail_msg("%s gave %.17g", good[i].text, v);
    }
    static const char *const bad[] = {"", "+", "-", ".", "e5", "1e", "1e+", "1 ", " 1", "1_0", "0x", "0x1", "0x1.8",
        "0xp1", "0x1p", "infin", "in", "--1", "1.2.3", "1e5.5", "+nan", "-NaN", "nanx", "0x1.1.1p0", "1f", "\xc2\xb2"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        double v;
        if (num_parse_f64(str_cstr(bad[i]), &v)) fail_msg("took %s", bad[i]);
    }
    double nan;
    assert_true(num_parse_f64(STR("NaN"), &nan));
    assert_true(f64_bits(nan) == NUM_NAN_BITS);
}

static void test_parse_long(void **state) {
    (void)state;
    /* Half way between 1 and its successor, far beyond 768 digits, then a hair above. */
    char text[4096];
    int n = snprintf(text, sizeof text, "1.00000000000000011102230246251565404236316680908203125");
    memset(text + n, '0', 3000);
    double v;
    assert_true(num_parse_f64(str_of(text, (size_t)n + 3000), &v) && v == 1);
    text[n + 2999] = '1';
    assert_true(num_parse_f64(str_of(text, (size_t)n + 3000), &v) && v == 1.0000000000000002);
    memset(text, '9', 4000);
    assert_true(num_parse_f64(str_of(text, 4000), &v) && v == __builtin_inf());
    memset(text, '0', 4000);
    text[3999] = '3';
    assert_true(num_parse_f64(str_of(text, 4000), &v) && v == 3);
}

static void check_round_trip(Buf *b, uint64_t bits) {
    double v = f64_of(bits), back, c_back;
    if (!__builtin_isfinite(v)) return;
    buf_clear(b);
    num_put_f64_prom(b, v);
    if (!num_parse_f64(buf_str(b), &back) || f64_bits(back) != bits) fail_msg("%.17g printed %s", v, buf_cstr(b));
    c_back = strtod(buf_cstr(b), NULL);
    if (f64_bits(c_back) != bits) fail_msg("strtod read %s as %.17g, not %.17g", buf_cstr(b), c_back, v);
}

/* No shorter decimal reads back, and of the shortest ones this is the nearest: the C library says so. */
static void check_shortest(uint64_t bits) {
    double v = f64_of(bits);
    if (!__builtin_isfinite(v) || v == 0) return;
    uint64_t digits;
    int exp10;
    bool negative;
    char text[40], mine[24];
    num_shortest_f64(v, &digits, &exp10, &negative);
    assert_true(digits % 10 != 0);
    int n = snprintf(mine, sizeof mine, "%llu", (unsigned long long)digits);
    if (n > 1) {
        snprintf(text, sizeof text, "%.*e", n - 2, v);
        if (strtod(text, NULL) == v) fail_msg("%.17g has a shorter form %s", v, text);
    }
    snprintf(text, sizeof text, "%.*e", n - 1, v);
    if (strtod(text, NULL) != v) return; /* the nearest of n digits is not in the interval, ours is (round trip) */
    const char *first = text[0] == '-' ? text + 1 : text;
    bool same = first[0] == mine[0] && (n == 1 || memcmp(first + 2, mine + 1, (size_t)n - 1) == 0);
    if (!same) fail_msg("%s instead of %s", mine, text);
}

static void test_random_bits(void **state) {
    (void)state;
    Buf b = {0};
    uint64_t x = UINT64_C(0x5EED);
    for (int i = 0; i < 1000000; i++) {
        x = hash_u64(x + UINT64_C(0x9E3779B97F4A7C15));
        check_round_trip(&b, x);
        if (i % 4 == 0) check_shortest(x);
    }
    for (int e = 0; e < 2047; e++) /* each binade: its first numbers and its last */
        for (uint64_t d = 0; d < 4; d++) {
            check_round_trip(&b, ((uint64_t)e << 52) + d), check_shortest(((uint64_t)e << 52) + d);
            check_round_trip(&b, ((uint64_t)(e + 1) << 52) - 1 - d);
        }
    buf_done(&b);
}

/* Texts that are not the shortest form of anything: random digits and exponents, and exact midpoints. */
static void test_random_text(void **state) {
    (void)state;
    uint64_t x = 99;
    char text[900];
    for (int i = 0; i < 600000; i++) {
        x = hash_u64(x + UINT64_C(0x9E3779B97F4A7C15));
        uint64_t y = hash_u64(x ^ 1), z = hash_u64(x ^ 2);
        int n = 0;
        switch (i % 4) {
        case 0:
            n = snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)(x >> (y & 63)), (unsigned long long)z,
                (int)(y >> 32) % 340);
            break;
        case 1:
            n = snprintf(text, sizeof text, "%llu.%03u", (unsigned long long)(x >> 30), (unsigned)(y % 1000));
            break;
        case 2: n = snprintf(text, sizeof text, "%llue-%u", (unsigned long long)x, (unsigned)(y % 345)); break;
        default:
            if (i % 64 != 3) continue;
            double v = f64_of(x & ~(UINT64_C(1) << 63)), next = f64_of((x & ~(UINT64_C(1) << 63)) + 1);
            if (!__builtin_isfinite(next)) continue;
            long double half = ((long double)v + (long double)next) / 2; /* exact in 64 bits of mantissa */
            n = snprintf(text, sizeof text, "%.*Le", z & 1 ? 800 : 17 + (int)(z % 30), half);
        }
        double mine, theirs = strtod(text, NULL);
        if (!num_parse_f64(str_of(text, (size_t)n), &mine) || f64_bits(mine) != f64_bits(theirs))
            fail_msg("%s read as %.17g, not %.17g", text, mine, theirs);
    }
}

static void test_print_forms(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *prom, *json, *go_g;
    } cases[] = {
        {0, "0", "0", "0"},
        {-0.0, "-0", "-0", "-0"},
        {1, "1", "1", "1"},
        {0.25, "0.25", "0.25", "0.25"},
        {-1.5, "-1.5", "-1.5", "-1.5"},
        {100000, "100000", "100000", "100000"},
        {1e6, "1000000", "1000000", "1e+06"},
        {1234567, "1234567", "1234567", "1.234567e+06"},
        {123456.5, "123456.5", "123456.5", "123456.5"},
        {1e20, "100000000000000000000", "100000000000000000000", "1e+20"},
        {1e21, "1e+21", "1e+21", "1e+21"},
        {1.5e300, "1.5e+300", "1.5e+300", "1.5e+300"},
        {0.0001, "0.0001", "0.0001", "0.0001"},
        {0.00001, "0.00001", "0.00001", "1e-05"},
        {1e-6, "0.000001", "0.000001", "1e-06"},
        {1e-7, "1e-07", "1e-7", "1e-07"},
        {1.25e-9, "1.25e-09", "1.25e-9", "1.25e-09"},
        {1e-10, "1e-10", "1e-10", "1e-10"},
        {5e-324, "5e-324", "5e-324", "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992", "9007199254740992", "9.007199254740992e+15"},
        {123456789012345680.0, "123456789012345680", "123456789012345680", "1.2345678901234568e+17"},
        {0.1 + 0.2, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004"},
        {2e-44, "2e-44", "2e-44", "2e-44"},
    };
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        num_put_f64_prom(&b, cases[i].v), assert_text(&b, cases[i].prom);
        num_put_f64_json(&b, cases[i].v), assert_text(&b, cases[i].json);
        num_put_f64_go_g(&b, cases[i].v), assert_text(&b, cases[i].go_g);
    }
    num_put_f64_prom(&b, __builtin_nan("")), assert_text(&b, "NaN");
    num_put_f64_prom(&b, __builtin_inf()), assert_text(&b, "+Inf");
    num_put_f64_go_g(&b, -__builtin_inf()), assert_text(&b, "-Inf");
    buf_done(&b);
}

static void test_sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t want;
    } cases[] = {
        {"0", true, 0},
        {"512", true, 512},
        {"10KB", true, 10240},
        {"64MiB", true, 64 << 20},
        {"1g", true, 1 << 30},
        {"1.5GB", true, 3 << 29},
        {"2 kb", true, 2048},
        {"7B", true, 7},
        {"0.0001B", true, 0},
        {"15EB", true, UINT64_C(15) << 60},
        {"16EB", false, 0},
        {"1.B", false, 0},
        {".5K", false, 0},
        {"-1", false, 0},
        {"1KBs", false, 0},
        {"1 ", false, 0},
        {"KB", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t v = 0;
        if (num_parse_size(str_cstr(cases[i].text), &v) != cases[i].ok || v != cases[i].want)
            fail_msg("%s: %llu", cases[i].text, (unsigned long long)v);
    }
}

static void test_hex(void **state) {
    (void)state;
    Buf b = {0};
    num_put_hex(&b, "\x00\x9f\xff", 3), assert_text(&b, "009fff");
    uint8_t out[3];
    assert_true(num_parse_hex(STR("009FfF"), out, 3));
    assert_memory_equal(out, "\x00\x9f\xff", 3);
    assert_false(num_parse_hex(STR("009fff"), out, 2));
    assert_false(num_parse_hex(STR("009fg0"), out, 3));
    assert_true(num_parse_hex(STR(""), out, 0));
    buf_done(&b);
}

static void test_base64(void **state) {
    (void)state;
    static const struct {
        const char *plain, *text;
    } good[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+"}};
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        num_put_base64(&b, good[i].plain, strlen(good[i].plain)), assert_text(&b, good[i].text);
        assert_true(num_parse_base64(str_cstr(good[i].text), &b)), assert_text(&b, good[i].plain);
    }
    assert_true(num_parse_base64(STR("Zm9vYg"), &b)), assert_text(&b, "foob");
    assert_true(num_parse_base64(STR("-__-"), &b)), assert_text(&b, "\xfb\xff\xfe");
    static const char *const bad[] = {"Z", "Zg=", "Zg===", "====", "=", "Zm9v=", "Zm\n9", "Z*==", "Zm9vY"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) assert_false(num_parse_base64(str_cstr(bad[i]), &b));
    assert_true(b.n == 0);
    buf_done(&b);
}

static void test_plain(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"}, {-0.0, "-0"}, {1, "1"}, {-12.5, "-12.5"}, {1e21, "1000000000000000000000"},
        {1e-7, "0.0000001"}, {1795912430.02, "1795912430.02"}, {123456, "123456"}, {0.1, "0.1"}, {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"}, {NAN, "NaN"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf b = {0};
        num_put_f64_plain(&b, cases[i].v);
        assert_string_equal(buf_cstr(&b), cases[i].text);
        buf_done(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_print_integers),
        cmocka_unit_test(test_pow10_table),
        cmocka_unit_test(test_parse_f64),
        cmocka_unit_test(test_parse_long),
        cmocka_unit_test(test_random_bits),
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_print_forms),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
