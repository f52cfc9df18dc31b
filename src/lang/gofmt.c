/* gofmt.c - fmt.Sprintf: formats with their flags and widths, and the words it has for its callers' mistakes. */
#include "lang/gofmt_int.h"
#include "lang/lexer.h"

/* The same long argument may be there a hundred thousand times: what is more than the arena has room for is of no use
 * to anybody, since its copy fails. */
static bool goes_on(const GoFmt *f) { return !f->arena || f->out->n - f->start <= arena_left_bytes(f->arena); }

static void clear_flags(GoFmt *f) {
    *f = (GoFmt){.out = f->out, .arena = f->arena, .start = f->start, .reordered = f->reordered};
}

/* --- formats --- */

static bool parse_number(Str s, size_t *i, int *ret) {
    int n = 0;
    size_t from = *i;
    while (*i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9') {
        n = n * 10 + (s.p[(*i)++] - '0');
        if (n > GOFMT_WIDTH_MAX) return false;
    }
    *ret = n;
    return *i > from;
}

/* "[3]": the next argument's number. */
static bool arg_number(GoFmt *f, Str s, size_t *i, size_t *arg, size_t n_args) {
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
    bool fits = (go_is(v, GO_INT) && v.i >= -GOFMT_WIDTH_MAX && v.i <= GOFMT_WIDTH_MAX) ||
                (go_is(v, GO_UINT) && v.u <= GOFMT_WIDTH_MAX);
    if (fits) *ret = go_is(v, GO_INT) ? (int)v.i : (int)v.u;
    return fits;
}

static void parse_width(GoFmt *f, Str s, size_t *i, const GoValue *args, size_t n, size_t *arg, bool *after_index) {
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

static void parse_precision(GoFmt *f, Str s, size_t *i, const GoValue *args, size_t n, size_t *arg, bool *after_index) {
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

static void parse_flags(GoFmt *f, Str s, size_t *i) {
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

static void print_verb(GoFmt *f, uint32_t verb, const GoValue *args, size_t n, size_t *arg) {
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
    gofmt_value(f, args[(*arg)++], verb, 0);
}

static void put_extra(GoFmt *f, const GoValue *args, size_t from, size_t n) {
    clear_flags(f);
    buf_put_lit(f->out, "%!(EXTRA ");
    for (size_t i = from; i < n && goes_on(f); i++) {
        if (i > from) buf_put_lit(f->out, ", ");
        if (args[i].type) buf_printf(f->out, "%s=", args[i].type->name);
        gofmt_value(f, args[i], 'v', 0);
    }
    buf_put_char(f->out, ')');
}

void go_sprintf(Buf *out, Arena *arena, Str format, const GoValue *args, size_t n) {
    GoFmt f = {.out = out, .arena = arena, .start = out->n};
    size_t arg = 0, i = 0;
    while (i < format.n && goes_on(&f)) {
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
    GoFmt f = {.out = out, .arena = arena, .start = out->n};
    bool prev_string = false;
    for (size_t i = 0; i < n && goes_on(&f); i++) {
        bool is_string = go_is(args[i], GO_STRING);
        if (i && !is_string && !prev_string) buf_put_char(out, ' ');
        gofmt_value(&f, args[i], 'v', 0);
        prev_string = is_string;
    }
}

void go_put_indirect(Buf *out, Arena *arena, GoValue v) {
    GoFmt f = {.out = out, .arena = arena, .start = out->n, .indirect = true};
    gofmt_value(&f, v, 'v', 0);
}

void go_sprintln(Buf *out, Arena *arena, const GoValue *args, size_t n) {
    GoFmt f = {.out = out, .arena = arena, .start = out->n};
    for (size_t i = 0; i < n && goes_on(&f); i++) {
        if (i) buf_put_char(out, ' ');
        gofmt_value(&f, args[i], 'v', 0);
    }
    buf_put_char(out, '\n');
}
