#include "base/num_int.h"

/* Integers and sizes: decimal text to and from machine words. */

static const char digit_pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t v) {
    size_t n = 1;
    for (; v >= 10000; v /= 10000) n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

size_t num_write_u64(char *p, uint64_t v) {
    size_t n = count_digits(v), at = n;
    while (v >= 100) {
        at -= 2;
        memcpy(p + at, digit_pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10)
        memcpy(p, digit_pairs + v * 2, 2);
    else
        p[0] = (char)('0' + v);
    return n;
}

void num_put_u64(Buf *b, uint64_t v) {
    buf_reserve(b, 20);
    b->n += num_write_u64(b->p + b->n, v);
}

void num_put_i64(Buf *b, int64_t v) {
    if (v < 0) buf_put_char(b, '-');
    num_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

bool num_parse_u64(Str s, uint64_t *ret) {
    if (s.n == 0) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9) return false;
        if (UNLIKELY(i >= 19) && (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))) return false;
        if (LIKELY(i < 19)) v = v * 10 + d;
    }
    *ret = v;
    return true;
}

bool num_parse_i64(Str s, int64_t *ret) {
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    uint64_t v;
    if (!num_parse_u64(s, &v) || v > (uint64_t)INT64_MAX + negative) return false;
    *ret = (int64_t)(negative ? 0 - v : v);
    return true;
}

/* Power of 1024 a unit stands for: "", B, K, KB, KiB, ... in any case; -1 for others. */
static int size_unit_power(Str unit) {
    if (unit.n == 0 || str_eq_nocase(unit, STR("B"))) return 0;
    static const char letters[] = "KMGTPE";
    const char *hit = memchr(letters, unit.p[0] & ~0x20, sizeof letters - 1);
    Str tail = str_skip(unit, 1);
    if (!hit ||
        (tail.n && !str_eq_nocase(tail, STR("B")) && !str_eq_nocase(tail, STR("iB")) && !str_eq_nocase(tail, STR("i"))))
        return -1;
    return (int)(hit - letters) + 1;
}

bool num_parse_size(Str s, uint64_t *ret_bytes) {
    size_t i = 0, whole_n, dot;
    while (i < s.n && (unsigned)(s.p[i] - '0') <= 9) i++;
    whole_n = dot = i;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && (unsigned)(s.p[i] - '0') <= 9; i++) {
        }
    if (whole_n == 0 || i == dot + 1) return false; /* ".5" and "1." */
    Str fraction = i > dot ? str_slice(s, dot + 1, i) : STR_NULL;
    if (i + 1 < s.n && s.p[i] == ' ') i++;
    int power = size_unit_power(str_skip(s, i));
    uint64_t whole, unit = UINT64_C(1) << (10 * MAX(power, 0)), bytes, part = 0, scale = 1;
    if (power < 0 || !num_parse_u64(str_slice(s, 0, whole_n), &whole)) return false;
    for (size_t k = 0; k < MIN(fraction.n, (size_t)18); k++) {
        part = part * 10 + (uint64_t)(fraction.p[k] - '0');
        scale *= 10;
    }
    part = (uint64_t)((unsigned __int128)part * unit / scale);
    if (__builtin_mul_overflow(whole, unit, &bytes) || __builtin_add_overflow(bytes, part, &bytes)) return false;
    *ret_bytes = bytes;
    return true;
}
