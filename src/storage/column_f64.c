/* column_f64.c - float columns: decimals as integers, bit patterns as integers, or differences of bit patterns. */
#include "storage/column_int.h"

#include "base/num.h"
#include "base/vec.h"

#include <math.h>

/* A first byte with F64_EXACT is a decimal column without exceptions, its way in the bits below. */
enum { F64_RAW, F64_CONST, F64_DECIMAL, F64_BITS, F64_XOR, F64_EXACT = 0x80 };

/* How a decimal's mantissa becomes the value again. All ways are exact for what the encoder let through. */
enum {
    DEC_MULTIPLY = 0x40 /* by 10^-e instead of dividing */,
    DEC_WIDE = 0x20 /* mantissas beyond 2^51 */,
    DEC_EXPONENT = 0x1f,
};

#define EXPONENT_MAX 17
static const double pow10_of[EXPONENT_MAX + 1] = {
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};
static const double pow10_inverse[EXPONENT_MAX + 1] = {
    1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17};

#define SMALL_LIMIT (INT64_C(1) << 51)

static inline double of_bits(uint64_t u) {
    double d;
    memcpy(&d, &u, 8);
    return d;
}

/* --- encode --- */

/* The mantissa of v at 10^-e; false when it does not give v back, bit for bit. */
static inline bool to_decimal(double v, unsigned e, int64_t *ret) {
    double y = v * pow10_of[e];
    if (!(fabs(y) < (e ? 9007199254740992.0 : 9223372036854774784.0))) return false;
    int64_t m = (int64_t)(y < 0 ? y - 0.5 : y + 0.5);
    if (e == 0) m = (int64_t)y;
    *ret = m;
    return f64_bits((double)m / pow10_of[e]) == f64_bits(v);
}

/* The exponent that is cheapest for a sample: a digit costs log2(10) bits a value, an exception ten bytes. */
static bool choose_exponent(const double *v, size_t n, unsigned *ret) {
    double best = 0;
    bool found = false;
    size_t k = MIN(n, 64);
    for (unsigned e = 0; e <= EXPONENT_MAX; e++) {
        size_t fails = 0;
        for (size_t i = 0; i < k; i++) {
            int64_t m;
            if (!to_decimal(v[i * n / k], e, &m)) fails++;
        }
        double cost = (double)fails * 80 + (double)(k - fails) * 3.33 * e;
        if (fails * 4 > k || (found && cost >= best)) continue;
        best = cost;
        found = true;
        *ret = e;
        if (fails == 0) break;
    }
    return found;
}

static size_t decimals_of(const double *v, size_t n, unsigned e, int64_t *m, Buf *exceptions) {
    size_t count = 0, last = 0;
    int64_t prev = 0;
    for (size_t i = 0; i < n; i++) {
        if (!to_decimal(v[i], e, &m[i])) {
            m[i] = prev; /* costs nothing: the difference is 0 */
            buf_put_uvarint(exceptions, i - last);
            buf_put_u64le(exceptions, f64_bits(v[i]));
            last = i;
            count++;
        }
        prev = m[i];
    }
    return count;
}

static uint8_t decimal_way(const double *v, size_t n, unsigned e, const int64_t *m, size_t exceptions) {
    uint8_t way = (uint8_t)e;
    bool multiply = e > 0 && exceptions == 0;
    for (size_t i = 0; i < n; i++) {
        if (m[i] >= SMALL_LIMIT || m[i] <= -SMALL_LIMIT) way |= DEC_WIDE;
        multiply = multiply && f64_bits((double)m[i] * pow10_inverse[e]) == f64_bits(v[i]);
    }
    return multiply ? way | DEC_MULTIPLY : way;
}

static bool encode_decimal(Buf *out, const double *v, size_t n, int64_t *scratch) {
    unsigned e = 0;
    if (!choose_exponent(v, n, &e)) return false;
    Buf exceptions = {0};
    size_t count = decimals_of(v, n, e, scratch, &exceptions);
    bool good = count <= n / 4;
    if (good) {
        unsigned way = decimal_way(v, n, e, scratch, count);
        if (count) {
            buf_put_char(out, F64_DECIMAL);
            buf_put_char(out, (char)way);
            buf_put_uvarint(out, count);
        } else {
            buf_put_char(out, (char)(F64_EXACT | way));
        }
        column_encode_i64(out, scratch, n);
        buf_put_str(out, buf_str(&exceptions));
    }
    buf_done(&exceptions);
    return good;
}

/* Per value a nibble: 0 as before; 1..8 that many low bytes of the difference follow; 9..15 that many less 8 high
 * bytes do. */
static void encode_xor(Buf *out, const double *v, size_t n) {
    buf_put_char(out, F64_XOR);
    size_t nibbles = out->n;
    buf_reserve(out, (n + 1) / 2);
    memset(out->p + out->n, 0, (n + 1) / 2);
    out->n += (n + 1) / 2;
    uint64_t prev = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = f64_bits(v[i]) ^ prev;
        prev ^= x;
        unsigned low = (bit_width(x) + 7) / 8, high = x ? 8 - (unsigned)__builtin_ctzll(x) / 8 : 0;
        unsigned code = high < low ? 8 + high : low;
        out->p[nibbles + i / 2] |= (char)(code << (i % 2 * 4));
        if (code > 8) x >>= 64 - 8 * high;
        char bytes[8];
        memcpy(bytes, &x, 8);
        buf_put(out, bytes, code > 8 ? code - 8 : code);
    }
}

static void encode_bits(Buf *out, const double *v, size_t n, int64_t *scratch) {
    if (n) memcpy(scratch, v, n * 8);
    buf_put_char(out, F64_BITS);
    column_encode_i64(out, scratch, n);
}

static bool all_same_bits(const double *v, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (f64_bits(v[i]) != f64_bits(v[0])) return false;
    return true;
}

static void encode_const(Buf *out, double v) {
    size_t start = out->n;
    int64_t m;
    if (encode_decimal(out, &v, 1, &m) && out->n - start < 9) return;
    out->n = start;
    buf_put_char(out, F64_CONST);
    buf_put_u64le(out, f64_bits(v));
}

void column_encode_f64(Buf *out, const double *v, size_t n) {
    if (n == 0 || all_same_bits(v, n)) {
        encode_const(out, n ? v[0] : 0);
        return;
    }
    int64_t *scratch = mem_alloc_array(n, sizeof *scratch);
    size_t start = out->n;
    if (!encode_decimal(out, v, n, scratch) || (out->n - start) > n * 4) {
        Buf other = {0};
        encode_bits(&other, v, n, scratch);
        if (out->n == start || other.n < out->n - start) {
            out->n = start;
            buf_put_str(out, buf_str(&other));
        }
        buf_clear(&other);
        encode_xor(&other, v, n); /* slower to decode: it must be worth it */
        if (other.n + other.n / 16 < out->n - start) {
            out->n = start;
            buf_put_str(out, buf_str(&other));
        }
        buf_done(&other);
    }
    if (out->n - start > n * 8 + 1) {
        out->n = start;
        buf_put_char(out, F64_RAW);
        buf_put(out, v, n * 8);
    }
    mem_free(scratch);
}

/* --- decode --- */

/* Adding 1.5 * 2^52 as an integer to the bits and taking it away as a double converts small integers exactly,
 * without the scalar conversion instruction: the compiler makes vectors of it. */
#define MAGIC_BITS UINT64_C(0x4338000000000000)
#define MAGIC 6755399441055744.0

static inline double small_of(AliasI64 m) { return of_bits((uint64_t)m + MAGIC_BITS) - MAGIC; }

static inline void put_f64(AliasI64 *v, double d) {
    /* In place: the integers' memory becomes the doubles'. */
    memcpy((void *)v, &d, 8);
}

static void finish_small(const ColumnFinish *f ATTR_UNUSED, AliasI64 *v, size_t n) {
    for (size_t i = 0; i < n; i++) put_f64(v + i, small_of(v[i]));
}

static void finish_small_multiply(const ColumnFinish *f, AliasI64 *v, size_t n) {
    double factor = f->factor;
    for (size_t i = 0; i < n; i++) put_f64(v + i, small_of(v[i]) * factor);
}

static void finish_small_divide(const ColumnFinish *f, AliasI64 *v, size_t n) {
    double factor = f->factor;
    for (size_t i = 0; i < n; i++) put_f64(v + i, small_of(v[i]) / factor);
}

static void finish_wide(const ColumnFinish *f ATTR_UNUSED, AliasI64 *v, size_t n) {
    for (size_t i = 0; i < n; i++) put_f64(v + i, (double)v[i]);
}

static void finish_wide_multiply(const ColumnFinish *f, AliasI64 *v, size_t n) {
    for (size_t i = 0; i < n; i++) put_f64(v + i, (double)v[i] * f->factor);
}

static void finish_wide_divide(const ColumnFinish *f, AliasI64 *v, size_t n) {
    for (size_t i = 0; i < n; i++) put_f64(v + i, (double)v[i] / f->factor);
}

#ifdef __x86_64__
/* Division by a constant without the divider: a quotient from the rounded reciprocal, corrected once by its exact
 * remainder, is the correctly rounded quotient (Markstein 1990; no overflow or underflow is possible here, and
 * the powers of ten up to 10^17 have correctly rounded reciprocals in pow10_inverse). Same bits, a third of the time.
 */
__attribute__((target("avx2,fma"))) static void finish_small_divide_fma(const ColumnFinish *f, AliasI64 *v, size_t n) {
    double d = f->factor, inverse = 1 / d;
    for (size_t i = 0; i < n; i++) {
        double m = small_of(v[i]), q = m * inverse;
        put_f64(v + i, __builtin_fma(__builtin_fma(-q, d, m), inverse, q));
    }
}
static bool has_fma(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define finish_small_divide_fma finish_small_divide
static bool has_fma(void) { return false; }
#endif

static ColumnFinish finish_of(uint8_t way) {
    unsigned e = way & DEC_EXPONENT;
    bool multiply = way & DEC_MULTIPLY, wide = way & DEC_WIDE;
    if (e == 0) return (ColumnFinish){wide ? finish_wide : finish_small, 1};
    if (multiply) return (ColumnFinish){wide ? finish_wide_multiply : finish_small_multiply, pow10_inverse[e]};
    if (wide) return (ColumnFinish){finish_wide_divide, pow10_of[e]};
    return (ColumnFinish){has_fma() ? finish_small_divide_fma : finish_small_divide, pow10_of[e]};
}

static bool patch_exceptions(Cursor *c, double *out, size_t n, uint64_t count) {
    uint64_t at = 0;
    for (uint64_t k = 0; k < count; k++) {
        uint64_t step = cursor_uvarint(c), bits = cursor_u64le(c);
        if (c->bad || step >= n - at || (k > 0 && step == 0)) return false;
        at += step;
        out[at] = of_bits(bits);
    }
    return true;
}

/* What stands before the mantissas; false: malformed. */
static bool take_way(Cursor *c, uint8_t scheme, size_t n, uint8_t *ret_way, uint64_t *ret_exceptions) {
    uint64_t count = 0;
    uint8_t way = scheme & (uint8_t)~F64_EXACT;
    if (scheme == F64_DECIMAL) {
        way = cursor_u8(c);
        count = cursor_uvarint(c);
        if (c->bad || way & 0x80) return false;
    }
    *ret_way = way;
    *ret_exceptions = count;
    return (way & DEC_EXPONENT) <= EXPONENT_MAX && count <= n;
}

static bool take_decimal(Cursor *c, uint8_t scheme, double *out, size_t n) {
    uint64_t count;
    uint8_t way;
    if (!take_way(c, scheme, n, &way, &count)) return false;
    ColumnFinish finish = finish_of(way);
    if (!column_take_i64(c, (AliasI64 *)(void *)out, n, &finish)) return false;
    return patch_exceptions(c, out, n, count);
}

/* The values [from, to) of n. */
static bool take_xor(Cursor *c, double *out, size_t n, size_t from, size_t to) {
    Str nibbles = cursor_bytes(c, n / 2 + n % 2);
    if (c->bad) return false;
    const uint8_t *p = c->p, *end = c->end;
    uint64_t prev = 0;
    for (size_t i = 0; i < to; i++) {
        unsigned code = (uint8_t)nibbles.p[i / 2] >> (i % 2 * 4) & 15;
        unsigned bytes = code > 8 ? code - 8 : code;
        uint64_t x = 0;
        if ((size_t)(end - p) >= 8) {
            memcpy(&x, p, 8);
            x = bytes ? x << (64 - 8 * bytes) : 0;
            x = code > 8 || !bytes ? x : x >> (64 - 8 * bytes);
        } else {
            if ((size_t)(end - p) < bytes) return false;
            memcpy(&x, p, bytes);
            if (code > 8) x <<= 64 - 8 * bytes;
        }
        p += bytes;
        prev ^= x;
        if (i >= from) out[i - from] = of_bits(prev);
    }
    c->p = p;
    return true;
}

bool column_decode_f64(Str in, double *out, size_t n) {
    Cursor c = cursor_of(in);
    uint8_t scheme = cursor_u8(&c);
    if (c.bad || n > SIZE_MAX / 8) return false;
    bool good = false;
    if (scheme & F64_EXACT) return take_decimal(&c, scheme, out, n) && cursor_left(&c) == 0;
    switch (scheme) {
    case F64_RAW: {
        Str raw = cursor_bytes(&c, n * 8);
        good = !c.bad;
        if (good && n) memcpy(out, raw.p, n * 8);
        break;
    }
    case F64_CONST: {
        double v = of_bits(cursor_u64le(&c));
        for (size_t i = 0; i < n; i++) out[i] = v;
        good = !c.bad;
        break;
    }
    case F64_DECIMAL: good = take_decimal(&c, scheme, out, n); break;
    case F64_BITS: good = column_take_i64(&c, (AliasI64 *)(void *)out, n, NULL); break;
    case F64_XOR: good = take_xor(&c, out, n, 0, n); break;
    default: break;
    }
    return good && cursor_left(&c) == 0;
}

/* --- a range --- */

static bool range_decimal(
    Cursor *c, uint8_t scheme, double *out, size_t n, size_t from, size_t to, const double *last) {
    uint64_t count, at = 0;
    uint8_t way;
    if (!take_way(c, scheme, n, &way, &count)) return false;
    ColumnFinish finish = finish_of(way);
    int64_t mantissa;
    bool known = last && count == 0 && to_decimal(*last, way & DEC_EXPONENT, &mantissa);
    if (!column_take_i64_range(c, (AliasI64 *)(void *)out, n, from, to, known ? &mantissa : NULL, &finish))
        return false;
    for (uint64_t k = 0; k < count; k++) {
        uint64_t step = cursor_uvarint(c), bits = cursor_u64le(c);
        if (c->bad || step >= n - at) return false;
        at += step;
        if (at >= from && at < to) out[at - from] = of_bits(bits);
    }
    return true;
}

bool column_decode_f64_range(Str in, size_t n, size_t from, size_t to, const double *last, double *out) {
    ASSERT(from <= to && to <= n);
    if (from == 0 && to == n) return column_decode_f64(in, out, n);
    if (from == to) return true;
    Cursor c = cursor_of(in);
    uint8_t scheme = cursor_u8(&c);
    if (c.bad || n > SIZE_MAX / 8) return false;
    if (scheme & F64_EXACT) return range_decimal(&c, scheme, out, n, from, to, last);
    switch (scheme) {
    case F64_RAW: {
        Str raw = cursor_bytes(&c, n * 8);
        if (!c.bad) memcpy(out, raw.p + from * 8, (to - from) * 8);
        return !c.bad;
    }
    case F64_CONST: {
        double v = of_bits(cursor_u64le(&c));
        for (size_t i = 0; i < to - from; i++) out[i] = v;
        return !c.bad;
    }
    case F64_DECIMAL: return range_decimal(&c, scheme, out, n, from, to, last);
    case F64_BITS: {
        int64_t bits = last ? (int64_t)f64_bits(*last) : 0;
        return column_take_i64_range(&c, (AliasI64 *)(void *)out, n, from, to, last ? &bits : NULL, NULL);
    }
    case F64_XOR: return take_xor(&c, out, n, from, to);
    default: return false;
    }
}
