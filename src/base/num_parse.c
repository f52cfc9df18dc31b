#include "base/num_int.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

/* Text to double in three steps: exact machine arithmetic (Clinger, 1990), 128-bit products (Eisel and
 * Lemire, "Number Parsing at a Gigabyte per Second", 2021), and for the few that are left the C library. */

/* --- the C library, on a bounded copy in the C locale --- */

static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ASSERT(c_locale != (locale_t)0);
}

static double parse_in_c_locale(const char *text) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return strtod_l(text, NULL, c_locale);
}

/* A number taken apart: digits without leading zeros, w of the first 19 of them. */
typedef struct Scanned {
    uint64_t w;
    int64_t exp10; /* value is w * 10^exp10, and more when cut */
    bool cut;      /* cut: there were non-zero digits after those in w */
    Str mantissa;  /* digits with perhaps one point */
} Scanned;

/* No double needs more than 768 significant digits to be told from its neighbours' midpoints; what follows
 * matters only by not being zero. */
enum { SLOW_DIGITS_MAX = 780 };

static double parse_slow(const Scanned *sc) {
    char text[SLOW_DIGITS_MAX + 32];
    size_t n = 0;
    bool sticky = false;
    for (size_t i = 0; i < sc->mantissa.n; i++) {
        char c = sc->mantissa.p[i];
        if (c == '.' || (n == 0 && c == '0')) continue;
        if (n < SLOW_DIGITS_MAX)
            text[n++] = c;
        else
            sticky |= c != '0';
    }
    /* exp10 counts from the end of w, which has the first 19 of these digits or all. */
    int64_t exp10 = sc->exp10 - (int64_t)(n - MIN(n, (size_t)19));
    if (sticky) {
        text[n++] = '1';
        exp10--;
    }
    exp10 = MAX(MIN(exp10, 20000), -20000);
    text[n++] = 'e';
    if (exp10 < 0) text[n++] = '-';
    n += num_write_u64(text + n, (uint64_t)(exp10 < 0 ? -exp10 : exp10));
    text[n] = '\0';
    return parse_in_c_locale(text);
}

/* --- Eisel-Lemire --- */

bool num_eisel_lemire(uint64_t w, int exp10, double *ret) {
    DASSERT(w != 0);
    if (exp10 < NUM_POW10_MIN || exp10 > NUM_POW10_MAX) return false;
    unsigned lz = (unsigned)__builtin_clzll(w);
    w <<= lz;
    /* Biased exponent of the product's top bit, were the product to fill 128 bits. */
    int64_t exp2 = num_floor_log2_pow10(exp10) + 64 + 1023 - (int64_t)lz;
    NumPow10 g = num_pow10(exp10);
    unsigned __int128 x = (unsigned __int128)w * g.hi;
    uint64_t hi = (uint64_t)(x >> 64), lo = (uint64_t)x;
    if ((hi & 0x1FF) == 0x1FF && lo + w < lo) { /* the lower half of the power may carry into the result */
        unsigned __int128 y = (unsigned __int128)w * g.lo;
        uint64_t y_hi = (uint64_t)(y >> 64), y_lo = (uint64_t)y;
        uint64_t merged = lo + y_hi;
        if (merged < lo) hi++;
        if ((hi & 0x1FF) == 0x1FF && merged == UINT64_MAX && y_lo + w < y_lo) return false;
        lo = merged;
    }
    uint64_t top = hi >> 63;
    uint64_t m = hi >> (top + 9); /* 54 bits: the mantissa and one to round by */
    exp2 -= (int64_t)(1 ^ top);
    if (lo == 0 && (hi & 0x1FF) == 0 && (m & 3) == 1) return false; /* perhaps exactly half way */
    m = (m + (m & 1)) >> 1;
    if (m >> 53) {
        m >>= 1;
        exp2++;
    }
    if (exp2 < 1 || exp2 >= 0x7FF) return false; /* subnormal, overflow */
    uint64_t bits = (uint64_t)exp2 << 52 | (m & ((UINT64_C(1) << 52) - 1));
    memcpy(ret, &bits, sizeof *ret);
    return true;
}

static double to_double(const Scanned *sc) {
    static const double small[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t w = sc->w;
    if (w == 0) return 0;
    if (!sc->cut && w <= UINT64_C(1) << 53 && sc->exp10 >= -22 && sc->exp10 <= 22)
        return sc->exp10 < 0 ? (double)w / small[-sc->exp10] : (double)w * small[sc->exp10];
    if (sc->exp10 > 310) return __builtin_inf(); /* w >= 1 */
    if (sc->exp10 < -345) return 0;              /* w < 10^19.3 and 10^-325 is below half the least subnormal */
    double v, above;
    if (num_eisel_lemire(w, (int)sc->exp10, &v) &&
        (!sc->cut || (num_eisel_lemire(w + 1, (int)sc->exp10, &above) && above == v)))
        return v;
    return parse_slow(sc);
}

/* --- scanning --- */

static inline bool is_digit(char c) { return (unsigned)(unsigned char)c - '0' <= 9; }

/* True when all 8 bytes are digits: each nibble check catches one side of '0'..'9'. */
static inline bool eight_digits(uint64_t x) {
    return ((x & UINT64_C(0xF0F0F0F0F0F0F0F0)) | ((x + UINT64_C(0x0606060606060606)) & UINT64_C(0xF0F0F0F0F0F0F0F0)) >>
                                                     4) == UINT64_C(0x3333333333333333);
}

/* Value of 8 digits, the first in the lowest byte: pairs, then fours, then all. */
static inline uint32_t eight_value(uint64_t x) {
    x = (x & UINT64_C(0x0F0F0F0F0F0F0F0F)) * (1 + (10 << 8)) >> 8 & UINT64_C(0x00FF00FF00FF00FF);
    x = x * (1 + (100 << 16)) >> 16 & UINT64_C(0x0000FFFF0000FFFF);
    x = x * (1 + (UINT64_C(10000) << 32)) >> 32;
    return (uint32_t)x;
}

static const char *scan_digits(const char *p, const char *end, uint64_t *w) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t x;
    while (end - p >= 8 && (memcpy(&x, p, 8), eight_digits(x))) {
        *w = *w * 100000000 + eight_value(x);
        p += 8;
    }
#endif
    for (; p < end && is_digit(*p); p++) *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
}

/* Exponent digits with sign; clamped far beyond any double. */
static bool scan_exponent(const char **pp, const char *end, int64_t *ret) {
    const char *p = *pp;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end || !is_digit(*p)) return false;
    int64_t e = 0;
    for (; p < end && is_digit(*p); p++)
        if (e < INT64_C(1) << 50) e = e * 10 + (*p - '0');
    *ret = negative ? -e : e;
    *pp = p;
    return true;
}

/* More than 19 digits: w again from the first 19 significant ones. */
static void scan_long(Scanned *sc) {
    uint64_t w = 0;
    int digits = 0;
    int64_t exp10 = 0;
    bool point = false;
    for (size_t i = 0; i < sc->mantissa.n; i++) {
        char c = sc->mantissa.p[i];
        if (c == '.') {
            point = true;
        } else if (digits < 19) {
            w = w * 10 + (uint64_t)(c - '0');
            digits += w != 0;
            exp10 -= point;
        } else {
            sc->cut |= c != '0';
            exp10 += !point;
        }
    }
    sc->w = w;
    sc->exp10 += exp10;
}

static bool parse_decimal(const char *p, const char *end, bool negative, double *ret) {
    Scanned sc = {0};
    const char *start = p, *point = NULL;
    p = scan_digits(p, end, &sc.w);
    size_t digits = (size_t)(p - start);
    if (p < end && *p == '.') {
        point = p++;
        p = scan_digits(p, end, &sc.w);
        digits += (size_t)(p - point - 1);
    }
    if (digits == 0) return false;
    sc.mantissa = str_of(start, (size_t)(p - start));
    int64_t point_exp = point ? -(int64_t)(p - point - 1) : 0;
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (!scan_exponent(&p, end, &sc.exp10)) return false;
    }
    if (p != end) return false;
    if (LIKELY(digits <= 19))
        sc.exp10 += point_exp;
    else
        scan_long(&sc);
    double v = to_double(&sc);
    *ret = negative ? -v : v;
    return true;
}

static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "0x": at least one digit, at most one point, and the exponent that Go insists on. */
static bool parse_hex_float(const char *p, const char *end, bool negative, double *ret) {
    char text[64] = "0x";
    size_t n = 2;
    int64_t exp2 = 0, written;
    bool point = false, sticky = false, any = false;
    for (; p < end; p++) {
        int d = hex_value(*p);
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (d < 0) break;
        any = true;
        if (n > 2 || d) {
            if (n < 18)
                text[n++] = *p;
            else {
                sticky |= d != 0;
                exp2 += 4;
            }
        }
        if (point) exp2 -= 4;
    }
    if (!any || p == end || (*p | 0x20) != 'p') return false;
    p++;
    if (!scan_exponent(&p, end, &written) || p != end) return false;
    exp2 += written;
    if (n == 2) text[n++] = '0';
    if (sticky) {
        text[n++] = '1';
        exp2 -= 4;
    }
    exp2 = MAX(MIN(exp2, 20000), -20000);
    text[n++] = 'p';
    if (exp2 < 0) text[n++] = '-';
    n += num_write_u64(text + n, (uint64_t)(exp2 < 0 ? -exp2 : exp2));
    text[n] = '\0';
    double v = parse_in_c_locale(text);
    *ret = negative ? -v : v;
    return true;
}

static bool parse_special(Str s, bool has_sign, bool negative, double *ret) {
    if (str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity"))) {
        *ret = negative ? -__builtin_inf() : __builtin_inf();
        return true;
    }
    if (has_sign || !str_eq_nocase(s, STR("nan"))) return false;
    uint64_t bits = NUM_NAN_BITS;
    memcpy(ret, &bits, sizeof bits);
    return true;
}

bool num_parse_f64(Str s, double *ret) {
    if (UNLIKELY(s.n == 0)) return false;
    const char *p = s.p, *end = p + s.n;
    bool negative = *p == '-', has_sign = negative || *p == '+';
    p += has_sign;
    if (UNLIKELY(p == end)) return false;
    if (UNLIKELY(!is_digit(*p) && *p != '.'))
        return parse_special(str_of(p, (size_t)(end - p)), has_sign, negative, ret);
    if (UNLIKELY(end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')) return parse_hex_float(p + 2, end, negative, ret);
    return parse_decimal(p, end, negative, ret);
}

bool num_parse_bool(Str s, bool *ret) {
    static const Str yes[] = {
        STR_INIT("1"), STR_INIT("t"), STR_INIT("T"), STR_INIT("true"), STR_INIT("TRUE"), STR_INIT("True")};
    static const Str no[] = {
        STR_INIT("0"), STR_INIT("f"), STR_INIT("F"), STR_INIT("false"), STR_INIT("FALSE"), STR_INIT("False")};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq(s, yes[i])) return *ret = true, true;
        if (str_eq(s, no[i])) return *ret = false, true;
    }
    return false;
}
