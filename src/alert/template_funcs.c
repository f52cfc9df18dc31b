/* template_funcs.c - letters, regular expressions, durations. */
#include "alert/template_funcs.h"

#include "base/num.h"
#include "codec/regex.h"
#include "lang/gotime.h"
#include "lang/lexer.h"

#include <math.h>
#include <stdio.h>

ErrCode template_return(GoCall *c, Buf *b, GoValue *ret) {
    Str s = arena_copy(c->arena, buf_str(b));
    buf_done(b);
    if (!s.p) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    *ret = go_of_str(s);
    return OK;
}

ErrCode template_to_float(GoCall *c, GoValue v, double *ret) {
    if (v.type == go_float64) {
        *ret = v.f;
    } else if (v.type == go_int || v.type == go_int64) {
        *ret = (double)v.i;
    } else if (v.type == go_uint64) {
        *ret = (double)v.u;
    } else if (v.type == go_duration) {
        *ret = (double)v.i / 1e9;
    } else if (v.type != go_string) {
        return err_set(c->err, ERR_INVALID, "can't convert %s to float", go_type_name(v));
    } else if (!num_parse_f64(v.s, ret)) {
        Buf b = {0};
        lang_put_quoted(&b, v.s);
        err_set(c->err, ERR_INVALID, "strconv.ParseFloat: parsing %s: invalid syntax", buf_cstr(&b));
        buf_done(&b);
        return ERR_INVALID;
    }
    return OK;
}

void template_put_4g(Buf *out, double v) {
    GoValue value = go_of_f64(v);
    go_sprintf(out, NULL, STR("%.4g"), &value, 1);
}

/* --- letters --- */

/* Blocks where upper and lower case stand in pairs, the upper one at an even (or odd) place. */
static bool pairs(uint32_t r, bool *ret_upper_odd) {
    *ret_upper_odd = false;
    if ((r >= 0x139 && r <= 0x148) || (r >= 0x179 && r <= 0x17E)) {
        *ret_upper_odd = true;
        return true;
    }
    return (r >= 0x100 && r <= 0x137 && r != 0x130 && r != 0x131) || (r >= 0x14A && r <= 0x177) ||
           (r >= 0x460 && r <= 0x481) || (r >= 0x48A && r <= 0x4BF) || (r >= 0x4D0 && r <= 0x52F) ||
           (r >= 0x1E00 && r <= 0x1E95) || (r >= 0x1EA0 && r <= 0x1EFF);
}

static const struct {
    uint32_t from, to; /* lower case */
    uint32_t minus;
} shifts[] = {{'a', 'z', 32}, {0xE0, 0xF6, 32}, {0xF8, 0xFE, 32}, {0x3B1, 0x3C1, 32}, {0x3C3, 0x3CB, 32},
    {0x3AC, 0x3AC, 38}, {0x3AD, 0x3AF, 37}, {0x3CC, 0x3CC, 64}, {0x3CD, 0x3CE, 63}, {0x430, 0x44F, 32},
    {0x450, 0x45F, 80}, {0x561, 0x586, 48}};

static uint32_t upper_rune(uint32_t r) {
    bool upper_odd;
    if (pairs(r, &upper_odd)) return (r & 1) != upper_odd ? r - 1 : r;
    for (size_t i = 0; i < ARRAY_LEN(shifts); i++)
        if (r >= shifts[i].from && r <= shifts[i].to) return r - shifts[i].minus;
    return r == 0xFF ? 0x178 : r == 0x3C2 ? 0x3A3 : r == 0xB5 ? 0x39C : r;
}

static uint32_t lower_rune(uint32_t r) {
    bool upper_odd;
    if (pairs(r, &upper_odd)) return (r & 1) == upper_odd ? r + 1 : r;
    for (size_t i = 0; i < ARRAY_LEN(shifts); i++)
        if (r >= shifts[i].from - shifts[i].minus && r <= shifts[i].to - shifts[i].minus) return r + shifts[i].minus;
    return r == 0x178 ? 0xFF : r;
}

static void map_runes(Buf *out, Str s, uint32_t (*fn)(uint32_t)) {
    size_t len;
    for (size_t i = 0; i < s.n; i += len) lang_put_utf8(out, fn(lang_rune_at(s, i, &len)));
}

void template_put_upper(Buf *out, Str s) { map_runes(out, s, upper_rune); }
void template_put_lower(Buf *out, Str s) { map_runes(out, s, lower_rune); }

static bool is_cased(uint32_t r) { return upper_rune(r) != r || lower_rune(r) != r || r == 0xDF; }
static bool is_word(uint32_t r) { return is_cased(r) || (r >= '0' && r <= '9') || r == '_' || r > 0x2FFF; }
static bool is_mid(uint32_t r) { return r == '.' || r == '\'' || r == ':' || r == 0xB7 || r == 0x2018 || r == 0x2019; }

void template_put_title(Buf *out, Str s, bool lower) {
    bool titled = false, prev_letter = false;
    size_t len;
    for (size_t i = 0; i < s.n; i += len) {
        uint32_t r = lang_rune_at(s, i, &len);
        size_t next_len;
        uint32_t next = i + len < s.n ? lang_rune_at(s, i + len, &next_len) : ' ';
        if (is_cased(r)) {
            lang_put_utf8(out, titled ? (lower ? lower_rune(r) : r) : upper_rune(r));
            titled = true;
        } else {
            buf_put_str(out, str_slice(s, i, i + len));
            bool inside = is_word(r) || (is_mid(r) && prev_letter && is_word(next));
            if (!inside) titled = false;
        }
        prev_letter = is_cased(r);
    }
}

ErrCode template_to_upper(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    Buf b = {0};
    template_put_upper(&b, args[0].s);
    return template_return(c, &b, ret);
}

ErrCode template_to_lower(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    Buf b = {0};
    template_put_lower(&b, args[0].s);
    return template_return(c, &b, ret);
}

/* --- regular expressions --- */

ErrCode template_match(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    Regex *re;
    ErrCode code = regex_compile(args[0].s, 0, &re, c->err);
    if (code) return code;
    *ret = go_of_bool(regex_match(re, args[1].s));
    regex_free(re);
    return OK;
}

ErrCode template_re_replace_all(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    Regex *re;
    ErrCode code = regex_compile(args[0].s, 0, &re, c->err);
    if (code) {
        Buf b = {0};
        buf_put_lit(&b, "regexp: Compile(");
        if (str_find_char(args[0].s, '`') == SIZE_MAX)
            buf_printf(&b, "`%" STR_FMT "`", STR_ARG(args[0].s));
        else
            lang_put_quoted(&b, args[0].s);
        buf_put_char(&b, ')');
        err_prefix(c->err, "%s", buf_cstr(&b));
        buf_done(&b);
        return code;
    }
    Buf b = {0};
    bool fits = regex_replace_all(re, args[2].s, args[1].s, arena_left_bytes(c->arena), &b);
    regex_free(re);
    if (fits) return template_return(c, &b, ret);
    buf_done(&b);
    return err_set(c->err, ERR_TOO_LARGE, "result is too large");
}

ErrCode template_safe_html(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)n;
    *ret = (GoValue){.type = go_html, .s = args[0].s};
    return OK;
}

/* --- durations --- */

static void put_long_duration(Buf *b, double v) {
    int64_t d = v >= 9.2e18 ? INT64_MAX : (int64_t)v, s = d % 60, m = d / 60 % 60, h = d / 3600 % 24, days = d / 86400;
    if (days)
        buf_printf(b, "%lldd %lldh %lldm %llds", (long long)days, (long long)h, (long long)m, (long long)s);
    else if (h)
        buf_printf(b, "%lldh %lldm %llds", (long long)h, (long long)m, (long long)s);
    else if (m)
        buf_printf(b, "%lldm %llds", (long long)m, (long long)s);
    else {
        template_put_4g(b, v);
        buf_put_char(b, 's');
    }
}

ErrCode template_humanize_duration(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    double v;
    ErrCode code = template_to_float(c, args[0], &v);
    if (code) return code;
    Buf b = {0};
    if (isnan(v) || isinf(v)) {
        template_put_4g(&b, v);
    } else if (v == 0) {
        template_put_4g(&b, v);
        buf_put_char(&b, 's');
    } else if (fabs(v) >= 1) {
        if (v < 0) buf_put_char(&b, '-');
        put_long_duration(&b, fabs(v));
    } else {
        const char *units = "munpfazy", *unit = units;
        for (v *= 1000; unit[1] && fabs(v) < 1; unit++) v *= 1000;
        template_put_4g(&b, v);
        buf_printf(&b, "%cs", *unit);
    }
    return template_return(c, &b, ret);
}
