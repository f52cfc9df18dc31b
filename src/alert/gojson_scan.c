/* gojson_scan.c - a walk over JSON that fails where Go's scanner fails, with its words. */
#include "alert/gojson_scan.h"

#include "base/buf.h"

#include <stdio.h>

#define NESTING_MAX 10000 /* as in Go */

typedef struct Scan {
    Str s;
    size_t at;
    Buf open; /* '{' and '[' around */
    bool unmarshal;
    Err *err;
} Scan;

/* The character as strconv.Quote and encoding/json show it. */
static void put_char(Buf *b, uint8_t c) {
    static const char plain[] = "\a\b\f\n\r\t\v", names[] = "abfnrtv";
    const char *p = c ? strchr(plain, (char)c) : NULL;
    if (c == '\'')
        buf_put_lit(b, "\\'");
    else if (c == '\\')
        buf_put_lit(b, "\\\\");
    else if (p)
        buf_printf(b, "\\%c", names[p - plain]);
    else if (c < 0x20 || c == 0x7F)
        buf_printf(b, "\\x%02x", (unsigned)c);
    else if (c < 0x7F)
        buf_put_char(b, (char)c);
    else if (c < 0xA1 || c == 0xAD)
        buf_printf(b, "\\u%04x", (unsigned)c);
    else
        buf_printf(b, "%c%c", 0xC0 | c >> 6, 0x80 | (c & 0x3F));
}

/* At the end of a text json.Unmarshal feeds its scanner one blank more and complains of that one, if it can. */
static bool fail(Scan *x, bool at_end_is_char, const char *context) {
    if (x->at >= x->s.n && !x->unmarshal) {
        err_set(x->err, ERR_INVALID, "unexpected EOF");
    } else if (x->at >= x->s.n && !at_end_is_char) {
        err_set(x->err, ERR_INVALID, "unexpected end of JSON input");
    } else {
        Buf b = {0};
        put_char(&b, x->at < x->s.n ? (uint8_t)x->s.p[x->at] : ' ');
        err_set(x->err, ERR_INVALID, "invalid character '%s' %s", buf_cstr(&b), context);
        buf_done(&b);
    }
    return false;
}

static int peek(const Scan *x) { return x->at < x->s.n ? (uint8_t)x->s.p[x->at] : -1; }

static void skip_blanks(Scan *x) {
    for (int c; (c = peek(x)) == ' ' || c == '\t' || c == '\n' || c == '\r';) x->at++;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static bool is_hex(int c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

static bool scan_string(Scan *x) {
    for (x->at++;; x->at++) {
        int c = peek(x);
        if (c == '"') break;
        if (c < 0x20 && c >= 0) return fail(x, true, "in string literal");
        if (c < 0) return fail(x, false, "in string literal");
        if (c != '\\') continue;
        x->at++;
        c = peek(x);
        if (c < 0 || !strchr("bfnrt\\/\"u", c) || !c) return fail(x, true, "in string escape code");
        for (int i = 0; c == 'u' && i < 4; i++) {
            x->at++;
            if (!is_hex(peek(x))) return fail(x, true, "in \\u hexadecimal character escape");
        }
    }
    x->at++;
    return true;
}

static void skip_digits(Scan *x) {
    while (is_digit(peek(x))) x->at++;
}

static bool scan_number(Scan *x) {
    if (peek(x) == '-') {
        x->at++;
        if (!is_digit(peek(x))) return fail(x, true, "in numeric literal");
    }
    if (peek(x) == '0')
        x->at++;
    else
        skip_digits(x);
    if (peek(x) == '.') {
        x->at++;
        if (!is_digit(peek(x))) return fail(x, true, "after decimal point in numeric literal");
        skip_digits(x);
    }
    if (peek(x) == 'e' || peek(x) == 'E') {
        x->at++;
        if (peek(x) == '+' || peek(x) == '-') x->at++;
        if (!is_digit(peek(x))) return fail(x, true, "in exponent of numeric literal");
        skip_digits(x);
    }
    return true;
}

static bool scan_word(Scan *x, const char *word) {
    char context[64];
    for (size_t i = 0; word[i]; i++, x->at++) {
        if (peek(x) == word[i]) continue;
        snprintf(context, sizeof context, "in literal %s (expecting '%c')", word, word[i]);
        return fail(x, true, context);
    }
    return true;
}

static bool open_value(Scan *x, char kind) {
    buf_put_char(&x->open, kind);
    x->at++;
    if (x->open.n <= NESTING_MAX) return true;
    err_set(x->err, ERR_INVALID, "exceeded max depth");
    return false;
}

/* A key with its colon. */
static bool scan_key(Scan *x) {
    skip_blanks(x);
    if (peek(x) != '"') return fail(x, false, "looking for beginning of object key string");
    if (!scan_string(x)) return false;
    skip_blanks(x);
    if (peek(x) != ':') return fail(x, false, "after object key");
    x->at++;
    return true;
}

/* One value's beginning: all of a simple one. *ret_whole: nothing of it is open. */
static bool begin_value(Scan *x, bool *ret_whole) {
    skip_blanks(x);
    int c = peek(x);
    *ret_whole = true;
    if (c == '{' || c == '[') {
        if (!open_value(x, (char)c)) return false;
        skip_blanks(x);
        if (peek(x) == (c == '{' ? '}' : ']')) {
            x->open.n--;
            x->at++;
            return true;
        }
        *ret_whole = false;
        return c == '[' || scan_key(x);
    }
    if (c == '"') return scan_string(x);
    if (c == '-' || is_digit(c)) return scan_number(x);
    if (c == 't') return scan_word(x, "true");
    if (c == 'f') return scan_word(x, "false");
    if (c == 'n') return scan_word(x, "null");
    return fail(x, false, "looking for beginning of value");
}

/* After a whole value: closes what ends here, up to the next value's place. */
static bool end_values(Scan *x) {
    while (x->open.n) {
        bool object = x->open.p[x->open.n - 1] == '{';
        skip_blanks(x);
        int c = peek(x);
        if (c == (object ? '}' : ']')) {
            x->open.n--;
            x->at++;
        } else if (c == ',') {
            x->at++;
            return !object || scan_key(x);
        } else {
            return fail(x, false, object ? "after object key:value pair" : "after array element");
        }
    }
    return true;
}

static bool scan_document(Scan *x) {
    skip_blanks(x);
    if (x->at >= x->s.n && !x->unmarshal) {
        err_set(x->err, ERR_INVALID, "EOF");
        return false;
    }
    do {
        bool whole;
        if (!begin_value(x, &whole)) return false;
        if (whole && !end_values(x)) return false;
    } while (x->open.n);
    return true;
}

ErrCode gojson_scan(Str text, GojsonMode mode, size_t *ret_end, Err *reterr) {
    Scan x = {.s = text, .unmarshal = mode == GOJSON_UNMARSHAL, .err = reterr};
    bool good = scan_document(&x);
    *ret_end = x.at;
    if (good && x.unmarshal) {
        skip_blanks(&x);
        if (x.at < x.s.n) good = fail(&x, true, "after top-level value");
    }
    buf_done(&x.open);
    return good ? OK : ERR_INVALID;
}
