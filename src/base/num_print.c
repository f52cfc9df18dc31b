#include "base/num_int.h"

#include <math.h>
#include <stdio.h>

/* Shortest decimal digits of a double by Schubfach (Raffaello Giulietti, "The Schubfach way to render
 * doubles", 2020), and Go's ways to lay them out. */

/* g * cp / 2^128 with everything below the binary point squeezed into the lowest bit ("round to odd"). */
static uint64_t mul_round_odd(NumPow10 g, uint64_t cp) {
    unsigned __int128 low = (unsigned __int128)g.lo * cp;
    unsigned __int128 high = (unsigned __int128)g.hi * cp + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The method wants powers rounded up; 10^0 .. 10^55 are exact in 128 bits. */
static NumPow10 pow10_rounded_up(int k) {
    NumPow10 g = num_pow10(k);
    if (k < 0 || k > 55) {
        g.lo++;
        g.hi += g.lo == 0;
    }
    return g;
}

typedef struct Decimal {
    uint64_t digits;
    int exp10;
} Decimal;

/* c * 2^q, c != 0; `closer`: the next double below is only half as far away as the one above. */
static Decimal schubfach(uint64_t c, int q, bool closer) {
    bool odd = c & 1;
    uint64_t cbl = 4 * c - 2 + closer, cb = 4 * c, cbr = 4 * c + 2;
    int k = (q * 1262611 - (closer ? 524031 : 0)) >> 22; /* floor(log10(2^q or 3/4 2^q)) */
    int h = q + num_floor_log2_pow10(-k) + 1;
    DASSERT(h >= 1 && h <= 4);
    NumPow10 g = pow10_rounded_up(-k);
    uint64_t lower = mul_round_odd(g, cbl << h) + odd;
    uint64_t v = mul_round_odd(g, cb << h);
    uint64_t upper = mul_round_odd(g, cbr << h) - odd;
    uint64_t s = v / 4;
    if (s >= 10) { /* one digit fewer, if exactly one such number lies in the interval */
        uint64_t sp = s / 10;
        bool down_in = lower <= 40 * sp, up_in = 40 * sp + 40 <= upper;
        if (down_in != up_in) return (Decimal){sp + up_in, k + 1};
    }
    bool down_in = lower <= 4 * s, up_in = 4 * s + 4 <= upper;
    if (down_in != up_in) return (Decimal){s + up_in, k};
    uint64_t middle = 4 * s + 2;
    bool up = v > middle || (v == middle && (s & 1));
    return (Decimal){s + up, k};
}

static void strip_zeros(Decimal *d) {
    while (d->digits % 10000 == 0) d->digits /= 10000, d->exp10 += 4;
    while (d->digits % 10 == 0) d->digits /= 10, d->exp10++;
}

void num_shortest_f64(double v, uint64_t *ret_digits, int *ret_exp10, bool *ret_negative) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 0x7FF);
    ASSERT(exponent != 0x7FF);
    *ret_negative = bits >> 63;
    Decimal d = {0};
    if (exponent == 0 && fraction == 0) {
        /* zero as it stands */
    } else {
        uint64_t c = exponent ? fraction | UINT64_C(1) << 52 : fraction;
        int q = exponent ? exponent - 1075 : -1074;
        if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0)
            d = (Decimal){c >> -q, 0}; /* an integer below 2^53 */
        else
            d = schubfach(c, q, fraction == 0 && exponent > 1);
        strip_zeros(&d);
    }
    *ret_digits = d.digits;
    *ret_exp10 = d.exp10;
}

/* --- layout; n digits at p, value 0.DIGITS * 10^point --- */

enum { TEXT_MAX_BYTES = 352 }; /* 'f' of the least subnormal: "0." + 323 zeros + 17 digits */

static void put_fixed(Buf *b, const char *digits, size_t n, int point) {
    buf_reserve(b, TEXT_MAX_BYTES);
    char *p = b->p + b->n;
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', (size_t)-point);
        p += -point;
        memcpy(p, digits, n);
        p += n;
    } else if ((size_t)point >= n) {
        memcpy(p, digits, n);
        memset(p + n, '0', (size_t)point - n);
        p += point;
    } else {
        memcpy(p, digits, (size_t)point);
        p[point] = '.';
        memcpy(p + point + 1, digits + point, n - (size_t)point);
        p += n + 1;
    }
    b->n = (size_t)(p - b->p);
}

static void put_scientific(Buf *b, const char *digits, size_t n, int point, bool pad_exponent) {
    buf_reserve(b, 32);
    char *p = b->p + b->n;
    *p++ = digits[0];
    if (n > 1) {
        *p++ = '.';
        memcpy(p, digits + 1, n - 1);
        p += n - 1;
    }
    int e = point - 1;
    *p++ = 'e';
    *p++ = e < 0 ? '-' : '+';
    uint64_t size = (uint64_t)(e < 0 ? -e : e);
    if (size < 10 && pad_exponent) *p++ = '0';
    p += num_write_u64(p, size);
    b->n = (size_t)(p - b->p);
}

/* NaN and infinities; true when v was one. */
static bool put_special(Buf *b, double v) {
    if (LIKELY(__builtin_isfinite(v))) return false;
    if (v != v)
        buf_put_lit(b, "NaN");
    else
        buf_put_str(b, v < 0 ? STR("-Inf") : STR("+Inf"));
    return true;
}

/* Scientific when the exponent d.ddd has is below exp_min or from exp_max up. */
static void put_f64(Buf *b, double v, int exp_min, int exp_max, bool pad_exponent) {
    uint64_t value;
    int exp10;
    bool negative;
    num_shortest_f64(v, &value, &exp10, &negative);
    char digits[20];
    size_t n = num_write_u64(digits, value);
    int point = (int)n + exp10, e = point - 1;
    if (negative) buf_put_char(b, '-');
    if (value != 0 && (e < exp_min || e >= exp_max))
        put_scientific(b, digits, n, point, pad_exponent);
    else
        put_fixed(b, digits, n, point);
}

void num_put_f64_json(Buf *b, double v) { put_f64(b, v, -6, 21, false); }

void num_put_f64_prom(Buf *b, double v) {
    if (!put_special(b, v)) put_f64(b, v, -6, 21, true);
}

void num_put_f64_go_g(Buf *b, double v) {
    if (!put_special(b, v)) put_f64(b, v, -4, 6, true);
}

void num_put_f64_plain(Buf *b, double v) {
    uint64_t digits;
    int exp10;
    bool negative;
    char text[24];
    if (!isfinite(v)) {
        num_put_f64_prom(b, v);
        return;
    }
    num_shortest_f64(v, &digits, &exp10, &negative);
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)digits), point = n + exp10;
    if (negative) buf_put_char(b, '-');
    if (point <= 0) buf_put_lit(b, "0.");
    for (int i = point; i < 0; i++) buf_put_char(b, '0');
    for (int i = 0; i < n; i++) {
        if (i == point && i > 0) buf_put_char(b, '.');
        buf_put_char(b, text[i]);
    }
    for (int i = n; i < point; i++) buf_put_char(b, '0');
}
