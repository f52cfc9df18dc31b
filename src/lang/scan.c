/* scan.c - the scanners of lexer.h for words, blanks, numbers and durations. */
#include "lang/lexer.h"

#include "base/num.h"

#include <math.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static char at(Str s, size_t i) { return i < s.n ? s.p[i] : '\0'; }

size_t lang_scan_ident(Str src, size_t pos, unsigned flags) {
    size_t i = pos;
    while (i < src.n) {
        char c = src.p[i];
        bool ok = is_alpha(c) || (c == ':' && (flags & LANG_IDENT_COLON)) ||
                  ((unsigned char)c >= 0x80 && (flags & LANG_IDENT_UTF8));
        if (!ok && i > pos)
            ok = is_digit(c) || (c == '.' && (flags & LANG_IDENT_DOT)) || (c == '-' && (flags & LANG_IDENT_DASH));
        if (!ok) break;
        i++;
    }
    return i;
}

size_t lang_skip_blank(Str src, size_t pos, bool hash_comments, bool slash_comments) {
    for (;;) {
        while (pos < src.n && (src.p[pos] == ' ' || src.p[pos] == '\t' || src.p[pos] == '\n' || src.p[pos] == '\r'))
            pos++;
        bool comment = (hash_comments && at(src, pos) == '#') ||
                       (slash_comments && at(src, pos) == '/' && at(src, pos + 1) == '/');
        if (!comment) return pos;
        while (pos < src.n && src.p[pos] != '\n' && src.p[pos] != '\r') pos++;
    }
}

/* [.]digit[digit . _ e]* with no dot, exponent or underscore where Go would not have it. */
static bool scan_float(Str s, size_t *pos) {
    size_t i = *pos, begin = *pos;
    bool hex = at(s, i) == '0' && (at(s, i + 1) == 'x' || at(s, i + 1) == 'X');
    bool dot = false, exponent = false, ok = true;
    if (hex) {
        i += 2;
        begin = i;
        if (at(s, i) == '_') i++;
    }
    while (ok && i < s.n) {
        char c = s.p[i];
        if (hex ? is_hex(c) : is_digit(c)) {
            i++;
        } else if (c == '_' && i > *pos) {
            i++;
            ok = hex ? is_hex(at(s, i)) : is_digit(at(s, i));
        } else if (c == '.' && !dot && !exponent && !hex) {
            dot = true;
            i++;
            ok = at(s, i) != '_' && at(s, i) != '.';
        } else if ((c == 'e' || c == 'E') && !exponent && !hex && i > *pos) {
            exponent = true;
            i++;
            if (at(s, i) == '+' || at(s, i) == '-') i++;
            ok = is_digit(at(s, i));
        } else {
            if (c == '.') {
                ok = false;
                i++;
            }
            break;
        }
    }
    if (!ok && i < s.n && i > begin && s.p[i - 1] != '.' && strchr("._eE", s.p[i])) i++;
    *pos = i;
    return ok && i > begin && !(i - begin == 1 && s.p[begin] == '.');
}

static size_t scan_unit(Str s, size_t i) {
    if (at(s, i) == 'm' && at(s, i + 1) == 's') return 2;
    char c = at(s, i);
    return c == 'y' || c == 'w' || c == 'd' || c == 'h' || c == 'm' || c == 's' ? 1 : 0;
}

/* digits unit (digits unit)*, nothing alphanumeric behind. */
static bool scan_duration(Str s, size_t pos, size_t *ret_end) {
    size_t i = pos;
    while (is_digit(at(s, i))) {
        while (is_digit(at(s, i))) i++;
        size_t unit = scan_unit(s, i);
        if (!unit) {
            *ret_end = i;
            return false;
        }
        i += unit;
    }
    *ret_end = i;
    return i > pos && !is_alpha(at(s, i));
}

LangNumberKind lang_scan_number(Str src, size_t pos, size_t *ret_end) {
    *ret_end = pos;
    if (!is_digit(at(src, pos)) && !(at(src, pos) == '.' && is_digit(at(src, pos + 1)))) return LANG_NUMBER_NONE;
    size_t end = pos;
    if (scan_float(src, &end) && !is_alpha(at(src, end)) && !is_digit(at(src, end))) {
        *ret_end = end;
        return LANG_NUMBER_FLOAT;
    }
    size_t duration_end;
    if (scan_duration(src, pos, &duration_end)) {
        *ret_end = duration_end;
        return LANG_NUMBER_DURATION;
    }
    if (duration_end > end)
        end = duration_end + (is_alpha(at(src, duration_end)) && !is_digit(src.p[duration_end - 1]));
    *ret_end = end;
    return LANG_NUMBER_BAD;
}

/* Go's integer literals: 0x, 0o, 0b and the old leading 0; unsigned digits in s. */
static bool parse_go_int(Str s, double *ret) {
    unsigned base = 10;
    size_t i = 0;
    if (s.n > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        i = c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    uint64_t v = 0;
    size_t digits = 0;
    for (; i < s.n; i++) {
        char c = s.p[i];
        unsigned d = is_digit(c) ? (unsigned)(c - '0') : is_hex(c) ? (unsigned)((c | 0x20) - 'a' + 10) : 99;
        if (d >= base || v > ((uint64_t)INT64_MAX - d) / base) return false;
        v = v * base + d;
        digits++;
    }
    if (!digits) return false;
    *ret = (double)v;
    return true;
}

bool lang_parse_number(Str text, double *ret) {
    char clean[512];
    bool negative = text.n && text.p[0] == '-';
    if (text.n && (text.p[0] == '-' || text.p[0] == '+')) text = str_skip(text, 1);
    if (text.n == 0 || text.n > sizeof clean) return false;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '_') clean[n++] = text.p[i];
    Str s = str_of(clean, n);
    double v;
    if (!parse_go_int(s, &v)) {
        if (!num_parse_f64(s, &v)) return false;
        bool word = is_alpha(clean[0]);
        if (isinf(v) && !word) return false;
    }
    *ret = negative ? -v : v;
    return true;
}

bool lang_parse_duration(Str text, int64_t *ret_ms) {
    static const struct {
        char unit[3];
        int64_t ms;
    } units[] = {{"y", INT64_C(365) * 86400000}, {"w", INT64_C(7) * 86400000}, {"d", 86400000}, {"h", 3600000},
        {"m", 60000}, {"s", 1000}, {"ms", 1}};
    int64_t total = 0;
    size_t i = 0, next_unit = 0;
    bool over = false;
    *ret_ms = 0;
    while (i < text.n) {
        int64_t v = 0;
        size_t digits = i;
        for (; is_digit(at(text, i)); i++)
            over |= __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, at(text, i) - '0', &v);
        size_t len = scan_unit(text, i);
        if (i == digits || !len) return false;
        Str unit = str_of(text.p + i, len);
        while (next_unit < ARRAY_LEN(units) && !str_eq(str_cstr(units[next_unit].unit), unit)) next_unit++;
        if (next_unit == ARRAY_LEN(units)) return false;
        over |= __builtin_mul_overflow(v, units[next_unit++].ms, &v) || __builtin_add_overflow(total, v, &total);
        i += len;
    }
    /* Go's time.Duration holds 2^63 nanoseconds; Prometheus refuses what does not fit. */
    over |= total > INT64_MAX / 1000000;
    *ret_ms = over ? INT64_MAX : total;
    return text.n > 0 && !over;
}
