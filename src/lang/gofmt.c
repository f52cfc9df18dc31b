/* gofmt.c - fmt.Sprintf: verbs, flags, widths and the words it has for its callers' mistakes. */
#include "base/num.h"
#include "lang/govalue.h"
#include "lang/lexer.h"

#include <math.h>
#include <stdio.h>

#define DEPTH_MAX 64               /* of values in values */
#define WIDTH_MAX 1000000          /* as in Go */
#define PADDED_MAX (4u << 20)      /* output beyond which widths are ignored: formats come from strangers */

typedef struct Fmt {
    Buf *out;
    Arena *arena;
    size_t start;
    int width, prec;
    bool has_width, has_prec, minus, plus, sharp, space, zero, plus_v, sharp_v;
    bool bad_index, reordered;
    bool indirect; /* a pointer prints as what it points to */
} Fmt;

static void print_value(Fmt *f, GoValue v, uint32_t verb, int depth);

static size_t rune_count(Str s) {
    size_t n = 0, len;
    for (size_t i = 0; i < s.n; i += len, n++) lang_rune_at(s, i, &len);
    return n;
}

static void put_padding(Fmt *f, size_t n) {
    if (f->out->n - f->start > PADDED_MAX) return;
    char c = f->zero && !f->minus ? '0' : ' ';
    for (size_t i = 0; i < n; i++) buf_put_char(f->out, c);
}

static void pad(Fmt *f, Str s) {
    size_t n = f->has_width ? rune_count(s) : 0, width = f->has_width && f->width > 0 ? (size_t)f->width : 0;
    size_t fill = width > n ? width - n : 0;
    if (!f->minus) put_padding(f, fill);
    buf_put_str(f->out, s);
    if (f->minus) put_padding(f, fill);
}

static void clear_flags(Fmt *f) {
    *f = (Fmt){.out = f->out, .arena = f->arena, .start = f->start, .reordered = f->reordered};
}

/* Flags of the outer verb do not hold for what it prints inside. */
static Fmt plain(const Fmt *f) { return (Fmt){.out = f->out, .arena = f->arena, .start = f->start}; }

static void bad_verb(Fmt *f, GoValue v, uint32_t verb) {
    Fmt inner = plain(f);
    buf_put_lit(f->out, "%!");
    lang_put_utf8(f->out, verb);
    buf_put_char(f->out, '(');
    if (v.type) {
        buf_printf(f->out, "%s=", v.type->name);
        print_value(&inner, v, 'v', 1);
    } else {
        buf_put_lit(f->out, "<nil>");
    }
    buf_put_char(f->out, ')');
}

/* --- strings --- */

static Str truncate_runes(const Fmt *f, Str s) {
    if (!f->has_prec) return s;
    size_t i = 0, len;
    for (int n = 0; i < s.n && n < f->prec; n++, i += len) lang_rune_at(s, i, &len);
    return str_slice(s, 0, i);
}

static void fmt_quoted(Fmt *f, Str s) {
    s = truncate_runes(f, s);
    Buf b = {0};
    bool raw = f->sharp && str_find_char(s, '`') == SIZE_MAX && str_is_utf8(s);
    for (size_t i = 0; i < s.n && raw; i++) raw = (unsigned char)s.p[i] >= 0x20 || s.p[i] == '\t';
    if (raw) {
        buf_put_char(&b, '`');
        buf_put_str(&b, s);
        buf_put_char(&b, '`');
    } else {
        lang_put_quoted(&b, s);
    }
    pad(f, buf_str(&b));
    buf_done(&b);
}

static void fmt_hex_string(Fmt *f, Str s, bool upper) {
    Buf b = {0};
    size_t n = f->has_prec && (size_t)f->prec < s.n ? (size_t)f->prec : s.n;
    const char *prefix = upper ? "0X" : "0x";
    if (f->sharp && n && !f->space) buf_put(&b, prefix, 2);
    for (size_t i = 0; i < n; i++) {
        if (f->space && i) buf_put_char(&b, ' ');
        if (f->space && f->sharp) buf_put(&b, prefix, 2);
        buf_printf(&b, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
    }
    pad(f, buf_str(&b));
    buf_done(&b);
}

static void fmt_string(Fmt *f, Str s, uint32_t verb, GoValue v) {
    switch (verb) {
    case 'v':
        if (f->sharp_v)
            fmt_quoted(f, s);
        else
            pad(f, truncate_runes(f, s));
        break;
    case 's': pad(f, truncate_runes(f, s)); break;
    case 'q': fmt_quoted(f, s); break;
    case 'x': fmt_hex_string(f, s, false); break;
    case 'X': fmt_hex_string(f, s, true); break;
    default: bad_verb(f, v, verb);
    }
}

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

static void fmt_integer(Fmt *f, uint64_t u, bool negative, IntStyle st) {
    size_t prec = 0;
    if (f->has_prec) {
        prec = (size_t)f->prec;
        if (prec == 0 && u == 0) {
            f->zero = false;
            put_padding(f, f->has_width && f->width > 0 ? (size_t)f->width : 0);
            return;
        }
    } else if (f->zero && !f->minus && f->has_width) {
        prec = f->width > 0 ? (size_t)f->width : 0;
        if (prec && (negative || f->plus || f->space)) prec--;
    }
    size_t cap = 80 + MIN(prec, f->out->n - f->start > PADDED_MAX ? 0 : (size_t)WIDTH_MAX);
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
    pad(f, str_of(buf + i, cap - i));
    f->zero = zero;
    mem_free(buf);
}

static void fmt_rune(Fmt *f, uint64_t u, uint32_t verb) {
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
    pad(f, buf_str(&b));
    buf_done(&b);
}

static void fmt_int_verb(Fmt *f, GoValue v, uint32_t verb) {
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
    default: bad_verb(f, v, verb);
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

static void fmt_float(Fmt *f, double v, char verb, int prec) {
    if (f->has_prec) prec = f->prec;
    Buf b = {0};
    bool special = isnan(v) || isinf(v);
    if (special)
        buf_put_str(&b, isnan(v) ? STR("+NaN") : v < 0 ? STR("-Inf") : STR("+Inf"));
    else {
        if (!signbit(v)) buf_put_char(&b, '+');
        Fmt flags = *f;
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
        pad(f, s);
    } else if (f->plus || s.p[0] != '+') {
        if (f->zero && !f->minus && f->has_width && f->width > (int)s.n) {
            buf_put_char(f->out, s.p[0]);
            put_padding(f, (size_t)f->width - s.n);
            buf_put_str(f->out, str_skip(s, 1));
        } else {
            pad(f, s);
        }
    } else {
        pad(f, str_skip(s, 1));
    }
    f->zero = zero;
    buf_done(&b);
}

static void fmt_float_verb(Fmt *f, GoValue v, uint32_t verb) {
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
    default: bad_verb(f, v, verb);
    }
}

/* --- composites --- */

static void print_list(Fmt *f, GoValue v, uint32_t verb, int depth) {
    if (f->sharp_v && !v.list) {
        buf_printf(f->out, "%s(nil)", v.type->name);
        return;
    }
    if (f->sharp_v) buf_printf(f->out, "%s{", v.type->name);
    else buf_put_char(f->out, '[');
    for (size_t i = 0; i < go_len(v); i++) {
        if (i) buf_put_str(f->out, f->sharp_v ? STR(", ") : STR(" "));
        print_value(f, v.list->v[i], verb, depth + 1);
    }
    buf_put_char(f->out, f->sharp_v ? '}' : ']');
}

static void print_map(Fmt *f, GoValue v, uint32_t verb, int depth) {
    if (f->sharp_v)
        buf_printf(f->out, v.map ? "%s{" : "%s(nil)", v.type->name);
    else
        buf_put_lit(f->out, "map[");
    if (f->sharp_v && !v.map) return;
    for (size_t i = 0; i < go_len(v); i++) {
        if (i) buf_put_str(f->out, f->sharp_v ? STR(", ") : STR(" "));
        print_value(f, go_of_str(v.map->v[i].key), verb, depth + 1);
        buf_put_char(f->out, ':');
        print_value(f, v.map->v[i].value, verb, depth + 1);
    }
    buf_put_char(f->out, f->sharp_v ? '}' : ']');
}

static void print_struct(Fmt *f, GoValue v, uint32_t verb, int depth) {
    if (v.type->pointer && !v.obj) {
        buf_put_lit(f->out, "<nil>");
        return;
    }
    if (v.type->pointer && depth > 0) {
        buf_put_lit(f->out, "0xc000000000"); /* an address: none of ours is anybody's business */
        return;
    }
    if (v.type->pointer && !f->indirect) buf_put_char(f->out, '&');
    if (f->sharp_v) buf_printf(f->out, "%s", v.type->name + (v.type->name[0] == '*'));
    buf_put_char(f->out, '{');
    for (size_t i = 0; i < v.type->n_fields; i++) {
        const GoField *field = &v.type->fields[i];
        if (i) buf_put_str(f->out, f->sharp_v ? STR(", ") : STR(" "));
        if (f->plus_v || f->sharp_v) {
            buf_put_str(f->out, field->name);
            buf_put_char(f->out, ':');
        }
        print_value(f, field->get(v.obj, f->arena), verb, depth + 1);
    }
    buf_put_char(f->out, '}');
}

static void print_value(Fmt *f, GoValue v, uint32_t verb, int depth) {
    if (!v.type) {
        if (verb == 'v' || verb == 'T' || depth > 0)
            pad(f, STR("<nil>"));
        else
            bad_verb(f, v, verb);
        return;
    }
    if (depth > DEPTH_MAX || f->out->n - f->start > 4 * (size_t)PADDED_MAX) {
        buf_put_lit(f->out, "...");
        return;
    }
    if (verb == 'T') {
        pad(f, truncate_runes(f, str_cstr(v.type->name)));
        return;
    }
    if (v.type->string && !f->sharp_v && memchr("vsxXq", (int)verb, 5) && verb < 128) {
        Buf b = {0};
        v.type->string(v, &b);
        fmt_string(f, buf_str(&b), verb, v);
        buf_done(&b);
        return;
    }
    switch (v.type->kind) {
    case GO_BOOL:
        if (verb == 't' || verb == 'v')
            pad(f, v.b ? STR("true") : STR("false"));
        else
            bad_verb(f, v, verb);
        break;
    case GO_INT:
    case GO_UINT: fmt_int_verb(f, v, verb); break;
    case GO_FLOAT: fmt_float_verb(f, v, verb); break;
    case GO_STRING: fmt_string(f, v.s, verb, v); break;
    case GO_LIST: print_list(f, v, verb, depth); break;
    case GO_MAP: print_map(f, v, verb, depth); break;
    case GO_STRUCT: print_struct(f, v, verb, depth); break;
    case GO_FUNC: buf_put_lit(f->out, "0x400000"); break;
    case GO_ANY: UNREACHABLE();
    }
}

/* --- formats --- */

static bool parse_number(Str s, size_t *i, int *ret) {
    int n = 0;
    size_t from = *i;
    while (*i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9') {
        n = n * 10 + (s.p[(*i)++] - '0');
        if (n > WIDTH_MAX) return false;
    }
    *ret = n;
    return *i > from;
}

/* "[3]": the next argument's number. */
static bool arg_number(Fmt *f, Str s, size_t *i, size_t *arg, size_t n_args) {
    if (*i >= s.n || s.p[*i] != '[') return false;
    f->reordered = true;
    size_t close = str_find_char(str_skip(s, *i), ']');
    if (close == SIZE_MAX) {
        f->bad_index = true;
        (*i)++;
        return false;
    }
    size_t at = *i + 1;
    int n;
    bool ok = parse_number(s, &at, &n) && at == *i + close && n >= 1 && (size_t)n <= n_args;
    *i += close + 1;
    if (ok)
        *arg = (size_t)n - 1;
    else
        f->bad_index = true;
    return ok;
}

/* The argument for a '*'. */
static bool int_arg(const GoValue *args, size_t n_args, size_t *arg, int *ret) {
    if (*arg >= n_args) return false;
    GoValue v = args[(*arg)++];
    bool fits = (go_is(v, GO_INT) && v.i >= -WIDTH_MAX && v.i <= WIDTH_MAX) || (go_is(v, GO_UINT) && v.u <= WIDTH_MAX);
    if (fits) *ret = go_is(v, GO_INT) ? (int)v.i : (int)v.u;
    return fits;
}

static void parse_width(Fmt *f, Str s, size_t *i, const GoValue *args, size_t n, size_t *arg, bool *after_index) {
    if (*i < s.n && s.p[*i] == '*') {
        (*i)++;
        f->has_width = int_arg(args, n, arg, &f->width);
        if (!f->has_width) buf_put_lit(f->out, "%!(BADWIDTH)");
        if (f->width < 0) {
            f->width = -f->width;
            f->minus = true;
            f->zero = false;
        }
        *after_index = false;
        return;
    }
    f->has_width = parse_number(s, i, &f->width);
    if (*after_index && f->has_width) f->bad_index = true;
}

static void parse_precision(Fmt *f, Str s, size_t *i, const GoValue *args, size_t n, size_t *arg, bool *after_index) {
    if (*i >= s.n || s.p[*i] != '.') return;
    (*i)++;
    if (*after_index) f->bad_index = true;
    *after_index = arg_number(f, s, i, arg, n);
    if (*i < s.n && s.p[*i] == '*') {
        (*i)++;
        f->has_prec = int_arg(args, n, arg, &f->prec);
        if (f->has_prec && f->prec < 0) {
            f->prec = 0;
            f->has_prec = false;
        }
        if (!f->has_prec) buf_put_lit(f->out, "%!(BADPREC)");
        *after_index = false;
        return;
    }
    f->has_prec = parse_number(s, i, &f->prec);
    if (!f->has_prec) f->prec = 0;
    f->has_prec = true;
}

static void parse_flags(Fmt *f, Str s, size_t *i) {
    for (; *i < s.n; (*i)++) {
        switch (s.p[*i]) {
        case '#': f->sharp = true; continue;
        case '0': f->zero = true; continue;
        case '+': f->plus = true; continue;
        case '-': f->minus = true; continue;
        case ' ': f->space = true; continue;
        default: return;
        }
    }
}

static void print_verb(Fmt *f, uint32_t verb, const GoValue *args, size_t n, size_t *arg) {
    if (verb == '%') {
        buf_put_char(f->out, '%');
        return;
    }
    if (f->bad_index || *arg >= n) {
        buf_put_lit(f->out, "%!");
        lang_put_utf8(f->out, verb);
        buf_put_str(f->out, f->bad_index ? STR("(BADINDEX)") : STR("(MISSING)"));
        return;
    }
    if (verb == 'v') {
        f->sharp_v = f->sharp;
        f->sharp = false;
        f->plus_v = f->plus;
        f->plus = false;
    }
    print_value(f, args[(*arg)++], verb, 0);
}

static void put_extra(Fmt *f, const GoValue *args, size_t from, size_t n) {
    clear_flags(f);
    buf_put_lit(f->out, "%!(EXTRA ");
    for (size_t i = from; i < n; i++) {
        if (i > from) buf_put_lit(f->out, ", ");
        if (args[i].type) buf_printf(f->out, "%s=", args[i].type->name);
        print_value(f, args[i], 'v', 0);
    }
    buf_put_char(f->out, ')');
}

void go_sprintf(Buf *out, Arena *arena, Str format, const GoValue *args, size_t n) {
    Fmt f = {.out = out, .arena = arena, .start = out->n};
    size_t arg = 0, i = 0;
    while (i < format.n) {
        Str rest = str_skip(format, i);
        size_t percent = str_find_char(rest, '%');
        size_t plain_n = percent == SIZE_MAX ? rest.n : percent;
        buf_put(out, rest.p, plain_n);
        i += plain_n;
        if (i >= format.n) break;
        i++;
        clear_flags(&f);
        parse_flags(&f, format, &i);
        bool after_index = arg_number(&f, format, &i, &arg, n);
        parse_width(&f, format, &i, args, n, &arg, &after_index);
        parse_precision(&f, format, &i, args, n, &arg, &after_index);
        if (!after_index) arg_number(&f, format, &i, &arg, n);
        if (i >= format.n) {
            buf_put_lit(out, "%!(NOVERB)");
            break;
        }
        size_t len;
        uint32_t verb = lang_rune_at(format, i, &len);
        i += len;
        print_verb(&f, verb, args, n, &arg);
    }
    if (!f.reordered && arg < n) put_extra(&f, args, arg, n);
}

void go_sprint(Buf *out, Arena *arena, const GoValue *args, size_t n) {
    Fmt f = {.out = out, .arena = arena, .start = out->n};
    bool prev_string = false;
    for (size_t i = 0; i < n; i++) {
        bool is_string = go_is(args[i], GO_STRING);
        if (i && !is_string && !prev_string) buf_put_char(out, ' ');
        print_value(&f, args[i], 'v', 0);
        prev_string = is_string;
    }
}

void go_put_indirect(Buf *out, Arena *arena, GoValue v) {
    Fmt f = {.out = out, .arena = arena, .start = out->n, .indirect = true};
    print_value(&f, v, 'v', 0);
}

void go_sprintln(Buf *out, Arena *arena, const GoValue *args, size_t n) {
    Fmt f = {.out = out, .arena = arena, .start = out->n};
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_char(out, ' ');
        print_value(&f, args[i], 'v', 0);
    }
    buf_put_char(out, '\n');
}
