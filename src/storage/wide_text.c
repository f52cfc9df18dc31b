/* wide_text.c - string columns whose values are numbers or ids in disguise. Every form is taken only when it
 * gives back each value byte for byte. */
#include "storage/wide_text.h"

#include "storage/column.h"

enum { TEXT_PLAIN, TEXT_INT, TEXT_HEX, TEXT_HEX_UPPER, TEXT_UUID };

#define UUID_CHARS 36
static const uint8_t uuid_dashes[] = {8, 13, 18, 23};

/* "-12", "0", "345": no plus, no leading zeros, no "-0", up to 18 digits. */
static bool canonical_int(Str s, int64_t *ret) {
    size_t i = s.n > 0 && s.p[0] == '-';
    size_t digits = s.n - i;
    if (digits == 0 || digits > 18 || (s.p[i] == '0' && s.n > 1)) return false;
    int64_t v = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *ret = s.p[0] == '-' ? -v : v;
    return true;
}

static int hex_digit(char c, bool upper) {
    if (c >= '0' && c <= '9') return c - '0';
    char a = upper ? 'A' : 'a';
    return c >= a && c <= a + 5 ? c - a + 10 : -1;
}

static bool is_hex(Str s, bool upper) {
    for (size_t i = 0; i < s.n; i++)
        if (hex_digit(s.p[i], upper) < 0) return false;
    return true;
}

static bool is_dash(size_t i) {
    for (size_t k = 0; k < sizeof uuid_dashes; k++)
        if (uuid_dashes[k] == i) return true;
    return false;
}

static bool is_uuid(Str s) {
    if (s.n != UUID_CHARS) return false;
    for (size_t i = 0; i < s.n; i++)
        if (is_dash(i) ? s.p[i] != '-' : hex_digit(s.p[i], false) < 0) return false;
    return true;
}

static bool try_ints(Buf *out, const Str *v, size_t n) {
    int64_t first;
    if (!canonical_int(v[0], &first)) return false;
    int64_t *x = mem_alloc_array(n, sizeof *x);
    bool good = true;
    for (size_t i = 0; i < n && good; i++) good = canonical_int(v[i], &x[i]);
    if (good) {
        buf_put_char(out, TEXT_INT);
        column_encode_i64(out, x, n);
    }
    mem_free(x);
    return good;
}

/* Digits of s as bytes, dashes left out. */
static void put_binary(Buf *out, Str s, bool upper) {
    int high = -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-') continue;
        int d = hex_digit(s.p[i], upper);
        if (high < 0) {
            high = d;
        } else {
            buf_put_char(out, (char)(high << 4 | d));
            high = -1;
        }
    }
}

static int id_form(const Str *v, size_t n) {
    size_t len = v[0].n;
    bool lower = len >= 8 && len <= 128 && len % 2 == 0, upper = lower, uuid = len == UUID_CHARS;
    for (size_t i = 0; i < n && (lower || upper || uuid); i++) {
        lower = lower && v[i].n == len && is_hex(v[i], false);
        upper = upper && v[i].n == len && is_hex(v[i], true);
        uuid = uuid && is_uuid(v[i]);
    }
    return lower ? TEXT_HEX : upper ? TEXT_HEX_UPPER : uuid ? TEXT_UUID : TEXT_PLAIN;
}

static bool try_ids(Buf *out, const Str *v, size_t n) {
    int form = id_form(v, n);
    if (form == TEXT_PLAIN) return false;
    size_t bytes = form == TEXT_UUID ? 16 : v[0].n / 2;
    Buf binary = {0};
    for (size_t i = 0; i < n; i++) put_binary(&binary, v[i], form == TEXT_HEX_UPPER);
    ASSERT(binary.n == bytes * n);
    Str *x = mem_alloc_array(n, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = str_of(binary.p + i * bytes, bytes);
    buf_put_char(out, (char)form);
    column_encode_str(out, x, n);
    mem_free(x);
    buf_done(&binary);
    return true;
}

void wide_text_encode(Buf *out, const Str *v, size_t n) {
    if (n > 0 && (try_ints(out, v, n) || try_ids(out, v, n))) return;
    buf_put_char(out, TEXT_PLAIN);
    column_encode_str(out, v, n);
}

/* --- decode --- */

#define INT_CHARS_MAX 20

static ErrCode decode_ints(Str in, size_t n, Arena *arena, Str *out) {
    int64_t *x = ARENA_ARRAY(arena, int64_t, n);
    if (!x) return ERR_TOO_LARGE;
    if (!column_decode_i64(in, x, n)) return ERR_CORRUPT;
    char *text = arena_alloc_array(arena, n, INT_CHARS_MAX);
    if (!text) return ERR_TOO_LARGE;
    for (size_t i = 0; i < n; i++) {
        char digits[INT_CHARS_MAX], *d = digits + sizeof digits;
        uint64_t u = x[i] < 0 ? 0 - (uint64_t)x[i] : (uint64_t)x[i];
        do *--d = (char)('0' + u % 10);
        while (u /= 10);
        if (x[i] < 0) *--d = '-';
        size_t len = (size_t)(digits + sizeof digits - d);
        memcpy(text, d, len);
        out[i] = str_of(text, len);
        text += len;
    }
    return OK;
}

static char *put_hex_digits(char *to, Str binary, bool upper, bool uuid) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char *start = to;
    for (size_t i = 0; i < binary.n; i++) {
        if (uuid && is_dash((size_t)(to - start))) *to++ = '-';
        *to++ = digits[(uint8_t)binary.p[i] >> 4];
        *to++ = digits[(uint8_t)binary.p[i] & 15];
    }
    return to;
}

static ErrCode decode_ids(Str in, size_t n, Arena *arena, bool upper, bool uuid, Str *out) {
    if (!column_decode_str(in, out, n)) return ERR_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (uuid && out[i].n != 16) return ERR_CORRUPT;
    /* Neighbours are often the same id: a dictionary gives them the same place. */
    Str last_binary = STR_NULL, last_text = STR_NULL;
    for (size_t i = 0; i < n; i++) {
        if (out[i].p != last_binary.p || out[i].n != last_binary.n || i == 0) {
            last_binary = out[i];
            size_t len = out[i].n * 2 + (uuid ? sizeof uuid_dashes : 0);
            char *text = arena_alloc(arena, len);
            if (!text) return ERR_TOO_LARGE;
            put_hex_digits(text, out[i], upper, uuid);
            last_text = str_of(text, len);
        }
        out[i] = last_text;
    }
    return OK;
}

ErrCode wide_text_decode(Str in, size_t n, Arena *arena, Str *out) {
    if (in.n == 0) return ERR_CORRUPT;
    Str body = str_skip(in, 1);
    switch ((uint8_t)in.p[0]) {
    case TEXT_PLAIN: return column_decode_str(body, out, n) ? OK : ERR_CORRUPT;
    case TEXT_INT: return decode_ints(body, n, arena, out);
    case TEXT_HEX: return decode_ids(body, n, arena, false, false, out);
    case TEXT_HEX_UPPER: return decode_ids(body, n, arena, true, false, out);
    case TEXT_UUID: return decode_ids(body, n, arena, false, true, out);
    default: return ERR_CORRUPT;
    }
}
