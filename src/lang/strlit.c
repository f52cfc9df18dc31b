/* strlit.c - string literals: scanning, decoding, and Go's quoting for messages and printers. */
#include "lang/lexer.h"

uint32_t lang_rune_at(Str s, size_t pos, size_t *ret_len) {
    const unsigned char *p = (const unsigned char *)s.p + pos;
    size_t left = s.n - pos;
    *ret_len = 1;
    if (p[0] < 0x80) return p[0];
    size_t n = p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : 0;
    if (!n || n > left || !str_is_utf8(str_of(s.p + pos, n))) return 0xFFFD;
    uint32_t r = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) r = r << 6 | (p[i] & 0x3F);
    *ret_len = n;
    return r;
}

void lang_put_utf8(Buf *out, uint32_t r) {
    if (r < 0x80) {
        buf_put_char(out, (char)r);
    } else if (r < 0x800) {
        buf_put_char(out, (char)(0xC0 | r >> 6));
        buf_put_char(out, (char)(0x80 | (r & 0x3F)));
    } else if (r < 0x10000) {
        buf_put_char(out, (char)(0xE0 | r >> 12));
        buf_put_char(out, (char)(0x80 | (r >> 6 & 0x3F)));
        buf_put_char(out, (char)(0x80 | (r & 0x3F)));
    } else {
        buf_put_char(out, (char)(0xF0 | r >> 18));
        buf_put_char(out, (char)(0x80 | (r >> 12 & 0x3F)));
        buf_put_char(out, (char)(0x80 | (r >> 6 & 0x3F)));
        buf_put_char(out, (char)(0x80 | (r & 0x3F)));
    }
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/* src[*pos] is the character behind the backslash. The value of the escape in *ret; *ret_byte: it is one byte. */
static LangStringStatus scan_escape(Str src, size_t *pos, char quote, uint32_t *ret, bool *ret_byte) {
    static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
    *ret_byte = false;
    if (*pos >= src.n) return LANG_STRING_ESCAPE_OPEN;
    char c = src.p[*pos];
    if (c == quote) {
        *ret = (unsigned char)c;
        (*pos)++;
        return LANG_STRING_OK;
    }
    const char *name = c ? memchr(names, c, sizeof names - 1) : NULL;
    if (name) {
        *ret = (unsigned char)values[name - names];
        (*pos)++;
        return LANG_STRING_OK;
    }
    int n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    int base = n == 3 ? 8 : 16;
    if (!n) return LANG_STRING_ESCAPE_UNKNOWN;
    if (n != 3) (*pos)++;
    uint64_t v = 0;
    for (int i = 0; i < n; i++, (*pos)++) {
        if (*pos >= src.n) return LANG_STRING_ESCAPE_OPEN;
        int d = digit_value(src.p[*pos]);
        if (d >= base) return LANG_STRING_ESCAPE_DIGIT;
        v = v * (unsigned)base + (unsigned)d;
    }
    *ret_byte = n <= 3;
    if (v > (*ret_byte ? 255u : 0x10FFFFu) || (v >= 0xD800 && v < 0xE000)) return LANG_STRING_ESCAPE_RANGE;
    *ret = (uint32_t)v;
    return LANG_STRING_OK;
}

LangStringStatus lang_scan_string(Str src, size_t pos, size_t *ret_end) {
    ASSERT(pos < src.n);
    char quote = src.p[pos];
    size_t i = pos + 1;
    while (i < src.n) {
        char c = src.p[i];
        if (c == quote) {
            *ret_end = i + 1;
            return LANG_STRING_OK;
        }
        if (quote != '`' && c == '\n') break;
        i++;
        if (quote == '`' || c != '\\') continue;
        uint32_t value;
        bool byte;
        LangStringStatus st = scan_escape(src, &i, quote, &value, &byte);
        if (st != LANG_STRING_OK) {
            *ret_end = MIN(i, src.n);
            return st;
        }
    }
    *ret_end = i;
    return LANG_STRING_UNTERMINATED;
}

bool lang_unquote(Str literal, Arena *arena, Str *ret) {
    ASSERT(literal.n >= 2);
    char quote = literal.p[0];
    Str body = str_slice(literal, 1, literal.n - 1);
    bool raw = quote == '`';
    if (str_find_char(body, raw ? '\r' : '\\') == SIZE_MAX) {
        *ret = body;
        return true;
    }
    Buf out = {0};
    for (size_t i = 0; i < body.n;) {
        char c = body.p[i++];
        if (raw ? c == '\r' : false) continue; /* Go drops carriage returns in raw strings */
        if (raw || c != '\\') {
            buf_put_char(&out, c);
            continue;
        }
        uint32_t value = 0;
        bool byte;
        LangStringStatus st = scan_escape(body, &i, quote, &value, &byte);
        ASSERT(st == LANG_STRING_OK);
        if (byte)
            buf_put_char(&out, (char)value);
        else
            lang_put_utf8(&out, value);
    }
    *ret = arena_copy(arena, buf_str(&out));
    buf_done(&out);
    return ret->p != NULL;
}

static bool rune_is_printable(uint32_t r) {
    if (r < 0x20 || r == 0x7F) return false;
    if (r < 0x7F) return true;
    if (r <= 0xA0 || r == 0xAD || r == 0xFEFF || (r & 0xFFFE) == 0xFFFE) return false;
    if (r >= 0x2000 && r <= 0x200F) return false;
    if (r >= 0x2028 && r <= 0x202F) return false;
    if (r >= 0x205F && r <= 0x206F) return false;
    return !(r >= 0xD800 && r < 0xF900) && r != 0x3000 && r < 0xF0000; /* no private use */
}

static void put_rune_escaped(Buf *out, uint32_t r, char quote) {
    static const char names[] = "abtnvfr";
    if (r == (unsigned char)quote || r == '\\') {
        buf_put_char(out, '\\');
        buf_put_char(out, (char)r);
    } else if (rune_is_printable(r)) {
        lang_put_utf8(out, r);
    } else if (r >= 7 && r <= 13) {
        buf_put_char(out, '\\');
        buf_put_char(out, names[r - 7]);
    } else if (r < 0x80) {
        buf_printf(out, "\\x%02x", r);
    } else {
        buf_printf(out, r < 0x10000 ? "\\u%04x" : "\\U%08x", r);
    }
}

void lang_put_quoted(Buf *out, Str s) {
    buf_put_char(out, '"');
    for (size_t i = 0; i < s.n;) {
        size_t len;
        uint32_t r = lang_rune_at(s, i, &len);
        if (r == 0xFFFD && len == 1)
            buf_printf(out, "\\x%02x", (unsigned char)s.p[i]);
        else
            put_rune_escaped(out, r, '"');
        i += len;
    }
    buf_put_char(out, '"');
}

void lang_put_rune_quoted(Buf *out, uint32_t rune) {
    buf_put_char(out, '\'');
    put_rune_escaped(out, rune, '\'');
    buf_put_char(out, '\'');
}

void lang_put_rune_unicode(Buf *out, uint32_t rune) {
    buf_printf(out, "U+%04X", rune);
    if (!rune_is_printable(rune)) return;
    buf_put_lit(out, " '");
    lang_put_utf8(out, rune);
    buf_put_char(out, '\'');
}

void lang_string_status_put(Buf *out, LangStringStatus status, Str src, size_t pos) {
    size_t len;
    uint32_t rune = pos < src.n ? lang_rune_at(src, pos, &len) : 0xFFFD;
    switch (status) {
    case LANG_STRING_OK: UNREACHABLE();
    case LANG_STRING_UNTERMINATED: buf_put_lit(out, "unterminated quoted string"); return;
    case LANG_STRING_ESCAPE_OPEN: buf_put_lit(out, "escape sequence not terminated"); return;
    case LANG_STRING_ESCAPE_UNKNOWN:
        buf_put_lit(out, "unknown escape sequence ");
        lang_put_rune_unicode(out, rune);
        return;
    case LANG_STRING_ESCAPE_DIGIT:
        buf_put_lit(out, "illegal character ");
        lang_put_rune_unicode(out, rune);
        buf_put_lit(out, " in escape sequence");
        return;
    case LANG_STRING_ESCAPE_RANGE: buf_put_lit(out, "escape sequence is an invalid Unicode code point"); return;
    }
    UNREACHABLE();
}
