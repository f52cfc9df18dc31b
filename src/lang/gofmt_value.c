/* gofmt_value.c - fmt.Sprintf: what a value looks like under a verb; strings, lists, maps, structs. */
#include "lang/gofmt_int.h"
#include "lang/lexer.h"

#define DEPTH_MAX 64 /* of values in values */

static size_t rune_count(Str s) {
    size_t n = 0, len;
    for (size_t i = 0; i < s.n; i += len, n++) lang_rune_at(s, i, &len);
    return n;
}

void gofmt_put_padding(GoFmt *f, size_t n) {
    if (f->out->n - f->start > GOFMT_PADDED_MAX) return;
    char c = f->zero && !f->minus ? '0' : ' ';
    for (size_t i = 0; i < n; i++) buf_put_char(f->out, c);
}

void gofmt_pad(GoFmt *f, Str s) {
    size_t n = f->has_width ? rune_count(s) : 0, width = f->has_width && f->width > 0 ? (size_t)f->width : 0;
    size_t fill = width > n ? width - n : 0;
    if (!f->minus) gofmt_put_padding(f, fill);
    buf_put_str(f->out, s);
    if (f->minus) gofmt_put_padding(f, fill);
}

/* Flags of the outer verb do not hold for what it prints inside. */
static GoFmt plain(const GoFmt *f) { return (GoFmt){.out = f->out, .arena = f->arena, .start = f->start}; }

void gofmt_bad_verb(GoFmt *f, GoValue v, uint32_t verb) {
    GoFmt inner = plain(f);
    buf_put_lit(f->out, "%!");
    lang_put_utf8(f->out, verb);
    buf_put_char(f->out, '(');
    if (v.type) {
        buf_printf(f->out, "%s=", v.type->name);
        gofmt_value(&inner, v, 'v', 1);
    } else {
        buf_put_lit(f->out, "<nil>");
    }
    buf_put_char(f->out, ')');
}

/* --- strings --- */

static Str truncate_runes(const GoFmt *f, Str s) {
    if (!f->has_prec) return s;
    size_t i = 0, len;
    for (int n = 0; i < s.n && n < f->prec; n++, i += len) lang_rune_at(s, i, &len);
    return str_slice(s, 0, i);
}

static void fmt_quoted(GoFmt *f, Str s) {
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
    gofmt_pad(f, buf_str(&b));
    buf_done(&b);
}

static void fmt_hex_string(GoFmt *f, Str s, bool upper) {
    Buf b = {0};
    size_t n = f->has_prec && (size_t)f->prec < s.n ? (size_t)f->prec : s.n;
    const char *prefix = upper ? "0X" : "0x";
    if (f->sharp && n && !f->space) buf_put(&b, prefix, 2);
    for (size_t i = 0; i < n; i++) {
        if (f->space && i) buf_put_char(&b, ' ');
        if (f->space && f->sharp) buf_put(&b, prefix, 2);
        buf_printf(&b, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
    }
    gofmt_pad(f, buf_str(&b));
    buf_done(&b);
}

static void fmt_string(GoFmt *f, Str s, uint32_t verb, GoValue v) {
    switch (verb) {
    case 'v':
        if (f->sharp_v)
            fmt_quoted(f, s);
        else
            gofmt_pad(f, truncate_runes(f, s));
        break;
    case 's': gofmt_pad(f, truncate_runes(f, s)); break;
    case 'q': fmt_quoted(f, s); break;
    case 'x': fmt_hex_string(f, s, false); break;
    case 'X': fmt_hex_string(f, s, true); break;
    default: gofmt_bad_verb(f, v, verb);
    }
}

/* --- composites --- */

static void print_list(GoFmt *f, GoValue v, uint32_t verb, int depth) {
    if (f->sharp_v && !v.list) {
        buf_printf(f->out, "%s(nil)", v.type->name);
        return;
    }
    if (f->sharp_v)
        buf_printf(f->out, "%s{", v.type->name);
    else
        buf_put_char(f->out, '[');
    for (size_t i = 0; i < go_len(v); i++) {
        if (i) buf_put_str(f->out, f->sharp_v ? STR(", ") : STR(" "));
        gofmt_value(f, v.list->v[i], verb, depth + 1);
    }
    buf_put_char(f->out, f->sharp_v ? '}' : ']');
}

static void print_map(GoFmt *f, GoValue v, uint32_t verb, int depth) {
    if (f->sharp_v)
        buf_printf(f->out, v.map ? "%s{" : "%s(nil)", v.type->name);
    else
        buf_put_lit(f->out, "map[");
    if (f->sharp_v && !v.map) return;
    for (size_t i = 0; i < go_len(v); i++) {
        if (i) buf_put_str(f->out, f->sharp_v ? STR(", ") : STR(" "));
        gofmt_value(f, go_of_str(v.map->v[i].key), verb, depth + 1);
        buf_put_char(f->out, ':');
        gofmt_value(f, v.map->v[i].value, verb, depth + 1);
    }
    buf_put_char(f->out, f->sharp_v ? '}' : ']');
}

static void print_struct(GoFmt *f, GoValue v, uint32_t verb, int depth) {
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
        gofmt_value(f, field->get(v.obj, f->arena), verb, depth + 1);
    }
    buf_put_char(f->out, '}');
}

void gofmt_value(GoFmt *f, GoValue v, uint32_t verb, int depth) {
    if (!v.type) {
        if (verb == 'v' || verb == 'T' || depth > 0)
            gofmt_pad(f, STR("<nil>"));
        else
            gofmt_bad_verb(f, v, verb);
        return;
    }
    if (depth > DEPTH_MAX || f->out->n - f->start > 4 * (size_t)GOFMT_PADDED_MAX) {
        buf_put_lit(f->out, "...");
        return;
    }
    if (verb == 'T') {
        gofmt_pad(f, truncate_runes(f, str_cstr(v.type->name)));
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
            gofmt_pad(f, v.b ? STR("true") : STR("false"));
        else
            gofmt_bad_verb(f, v, verb);
        break;
    case GO_INT:
    case GO_UINT: gofmt_int(f, v, verb); break;
    case GO_FLOAT: gofmt_float(f, v, verb); break;
    case GO_STRING: fmt_string(f, v.s, verb, v); break;
    case GO_LIST: print_list(f, v, verb, depth); break;
    case GO_MAP: print_map(f, v, verb, depth); break;
    case GO_STRUCT: print_struct(f, v, verb, depth); break;
    case GO_FUNC: buf_put_lit(f->out, "0x400000"); break;
    case GO_ANY: UNREACHABLE();
    }
}
