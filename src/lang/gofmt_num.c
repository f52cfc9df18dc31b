/* gofmt_num.c - fmt.Sprintf: integers and floats. */
#include "base/num.h"
#include "lang/gofmt_int.h"
#include "lang/lexer.h"

#include <math.h>
#include <stdio.h>

/* --- integers --- */

typedef struct IntStyle {
    unsigned base;
    bool upper, octal_prefix;
} IntStyle;

static size_t put_digits(char *buf, size_t end, uint64_t u, IntStyle st, size_t prec) {
    const char *digits = st.upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t i = end;
    do {
        buf[--i] = digits[u % st.base];
        u /= st.base;
    } while (u);
    while (end - i < prec && i > 8) buf[--i] = '0';
    return i;
}

static void fmt_integer(GoFmt *f, uint64_t u, bool negative, IntStyle st) {
    size_t prec = 0;
    if (f->has_prec) {
        prec = (size_t)f->prec;
        if (prec == 0 && u == 0) {
            f->zero = false;
            gofmt_put_padding(f, f->has_width && f->width > 0 ? (size_t)f->width : 0);
            return;
        }
    } else if (f->zero && !f->minus && f->has_width) {
        prec = f->width > 0 ? (size_t)f->width : 0;
        if (prec && (negative || f->plus || f->space)) prec--;
    }
    size_t cap = 80 + MIN(prec, f->out->n - f->start > GOFMT_PADDED_MAX ? 0 : (size_t)GOFMT_WIDTH_MAX);
    char *buf = mem_alloc(cap);
    size_t i = put_digits(buf, cap, u, st, prec);
    if (f->sharp && st.base == 2) {
        buf[--i] = 'b';
        buf[--i] = '0';
    } else if (f->sharp && st.base == 8) {
        if (buf[i] != '0') buf[--i] = '0';
    } else if (f->sharp && st.base == 16) {
        buf[--i] = st.upper ? 'X' : 'x';
        buf[--i] = '0';
    }
    if (st.octal_prefix) {
        buf[--i] = 'o';
        buf[--i] = '0';
    }
    if (negative || f->plus || f->space) buf[--i] = negative ? '-' : f->plus ? '+' : ' ';
    bool zero = f->zero;
    f->zero = false;
    gofmt_pad(f, str_of(buf + i, cap - i));
    f->zero = zero;
    mem_free(buf);
}

static void fmt_rune(GoFmt *f, uint64_t u, uint32_t verb) {
    uint32_t r = u > 0x10FFFF ? 0xFFFD : (uint32_t)u;
    Buf b = {0};
    if (verb == 'c') {
        lang_put_utf8(&b, r);
    } else if (verb == 'q') {
        lang_put_rune_quoted(&b, r);
    } else if (f->sharp) {
        lang_put_rune_unicode(&b, r);
    } else {
        buf_printf(&b, "U+%04llX", (unsigned long long)u);
    }
    gofmt_pad(f, buf_str(&b));
    buf_done(&b);
}

void gofmt_int(GoFmt *f, GoValue v, uint32_t verb) {
    bool negative = v.type->kind == GO_INT && v.i < 0;
    uint64_t u = v.type->kind == GO_UINT ? v.u : negative ? 0 - (uint64_t)v.i : (uint64_t)v.i;
    switch (verb) {
    case 'v':
    case 'd': fmt_integer(f, u, negative, (IntStyle){10, false, false}); break;
    case 'b': fmt_integer(f, u, negative, (IntStyle){2, false, false}); break;
    case 'o':
    case 'O': fmt_integer(f, u, negative, (IntStyle){8, false, verb == 'O'}); break;
    case 'x': fmt_integer(f, u, negative, (IntStyle){16, false, false}); break;
    case 'X': fmt_integer(f, u, negative, (IntStyle){16, true, false}); break;
    case 'c':
    case 'q':
    case 'U': fmt_rune(f, negative ? UINT64_MAX : u, verb); break;
    default: gofmt_bad_verb(f, v, verb);
    }
}

/* --- floats --- */

static void hex_float(Buf *b, double v, int prec, bool upper) {
    char text[96];
    if (prec < 0)
        snprintf(text, sizeof text, "%a", v);
    else
        snprintf(text, sizeof text, "%.*a", MIN(prec, 60), v);
    char *p = strchr(text, 'p');
    size_t start = b->n;
    if (p && strlen(p) == 3) { /* at least two digits of exponent */
        buf_put(b, text, (size_t)(p - text) + 2);
        buf_put_char(b, '0');
        buf_put_char(b, p[2]);
    } else {
        buf_put(b, text, strlen(text));
    }
    for (size_t i = start; i < b->n && upper; i++)
        if (b->p[i] >= 'a' && b->p[i] <= 'z') b->p[i] = (char)(b->p[i] - 32);
}

/* The shortest digits in exponent or plain notation: what precision -1 means. */
static void shortest_float(Buf *b, double v, char verb) {
    uint64_t digits;
    int exp10;
    bool negative;
    num_shortest_f64(v, &digits, &exp10, &negative);
    char text[32];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)digits);
    if (verb == 'f') {
        int frac = exp10 < 0 ? -exp10 : 0;
        buf_printf(b, "%.*f", frac, v);
        return;
    }
    int exp = v == 0 ? 0 : exp10 + n - 1;
    if (negative) buf_put_char(b, '-');
    buf_put_char(b, text[0]);
    if (n > 1) {
        buf_put_char(b, '.');
        buf_put(b, text + 1, (size_t)n - 1);
    }
    buf_printf(b, "e%c%02d", exp < 0 ? '-' : '+', exp < 0 ? -exp : exp);
}

static void format_float(Buf *b, double v, char verb, int prec) {
    bool upper = verb == 'E' || verb == 'G' || verb == 'X';
    char lower = verb == 'F' ? 'f' : upper ? (char)(verb + 32) : verb;
    size_t start = b->n;
    if (lower == 'x') {
        hex_float(b, v, prec, upper);
        return;
    }
    if (prec < 0 && lower == 'g')
        num_put_f64_go_g(b, v);
    else if (prec < 0)
        shortest_float(b, v, lower);
    else if (lower == 'f')
        buf_printf(b, "%.*f", prec, v);
    else if (lower == 'e')
        buf_printf(b, "%.*e", prec, v);
    else
        buf_printf(b, "%.*g", prec, v);
    for (size_t i = start; i < b->n && upper; i++)
        if (b->p[i] == 'e') b->p[i] = 'E';
}

static void fmt_float(GoFmt *f, double v, char verb, int prec) {
    if (f->has_prec) prec = f->prec;
    Buf b = {0};
    bool special = isnan(v) || isinf(v);
    if (special)
        buf_put_str(&b, isnan(v) ? STR("+NaN") : v < 0 ? STR("-Inf") : STR("+Inf"));
    else {
        if (!signbit(v)) buf_put_char(&b, '+');
        GoFmt flags = *f;
        if (flags.sharp && prec < 0 && verb == 'g') prec = 6;
        if (flags.sharp && (verb == 'g' || verb == 'G'))
            buf_printf(&b, verb == 'g' ? "%#.*g" : "%#.*G", prec < 0 ? 6 : prec, v);
        else
            format_float(&b, v, verb, MIN(prec, 1100));
    }
    if (f->space && b.p[0] == '+' && !f->plus) b.p[0] = ' ';
    Str s = buf_str(&b);
    bool zero = f->zero;
    if (special) {
        f->zero = false;
        if (isnan(v) && !f->space && !f->plus) s = str_skip(s, 1);
        if (isinf(v) && v > 0 && !f->plus && !f->space) s = str_of(s.p, s.n);
        gofmt_pad(f, s);
    } else if (f->plus || s.p[0] != '+') {
        if (f->zero && !f->minus && f->has_width && f->width > (int)s.n) {
            buf_put_char(f->out, s.p[0]);
            gofmt_put_padding(f, (size_t)f->width - s.n);
            buf_put_str(f->out, str_skip(s, 1));
        } else {
            gofmt_pad(f, s);
        }
    } else {
        gofmt_pad(f, str_skip(s, 1));
    }
    f->zero = zero;
    buf_done(&b);
}

void gofmt_float(GoFmt *f, GoValue v, uint32_t verb) {
    switch (verb) {
    case 'v': fmt_float(f, v.f, 'g', -1); break;
    case 'g':
    case 'G':
    case 'x':
    case 'X': fmt_float(f, v.f, (char)verb, -1); break;
    case 'f':
    case 'F':
    case 'e':
    case 'E': fmt_float(f, v.f, (char)verb, 6); break;
    default: gofmt_bad_verb(f, v, verb);
    }
}
