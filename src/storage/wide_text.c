/* wide_text.c - string columns whose values are numbers or ids in disguise. Every form is taken only when it
 * gives back each value byte for byte. TEXT_AFFIX: "pod-17", "pod-4": lengths of prefix and suffix and the two,
 * then the numbers between them. */
#include "storage/wide_text.h"

#include "base/cursor.h"
#include "storage/column.h"

enum { TEXT_PLAIN, TEXT_INT, TEXT_HEX, TEXT_HEX_UPPER, TEXT_UUID, TEXT_AFFIX };

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

/* What a character can be part of, as bits; a form is possible when every character has its bit. */
enum { CH_LOWER = 1, CH_UPPER = 2, CH_DASH = 4 };
/* clang-format off */
static const uint8_t char_class[256] = {
    ['0'] = 3, ['1'] = 3, ['2'] = 3, ['3'] = 3, ['4'] = 3, ['5'] = 3, ['6'] = 3, ['7'] = 3, ['8'] = 3, ['9'] = 3,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
    ['A'] = 2, ['B'] = 2, ['C'] = 2, ['D'] = 2, ['E'] = 2, ['F'] = 2, ['-'] = 4,
};
/* clang-format on */

static unsigned classes_of(const char *p, size_t n) {
    unsigned all = CH_LOWER | CH_UPPER;
    for (size_t i = 0; i < n && all; i++) all &= char_class[(uint8_t)p[i]];
    return all;
}

static bool is_dash(size_t i) {
    for (size_t k = 0; k < sizeof uuid_dashes; k++)
        if (uuid_dashes[k] == i) return true;
    return false;
}

static bool is_uuid(Str s) {
    if (s.n != UUID_CHARS) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!(char_class[(uint8_t)s.p[i]] & (is_dash(i) ? CH_DASH : CH_LOWER))) return false;
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

/* Both cases: which one it was is in the form. */
static inline unsigned hex_value(char c) { return ((unsigned)c & 15) + ((unsigned)c >> 6 & 1) * 9; }

/* Digits of s as bytes, dashes left out. */
static char *put_binary(char *to, Str s) {
    for (size_t i = 0; i < s.n; i += 2) {
        if (s.p[i] == '-') i++;
        *to++ = (char)(hex_value(s.p[i]) << 4 | hex_value(s.p[i + 1]));
    }
    return to;
}

static int id_form(const Str *v, size_t n) {
    size_t len = v[0].n;
    unsigned hex = len >= 8 && len <= 128 && len % 2 == 0 ? CH_LOWER | CH_UPPER : 0;
    bool uuid = is_uuid(v[0]);
    for (size_t i = 0; i < n && (hex || uuid); i++) {
        if (hex) hex = v[i].n == len ? hex & classes_of(v[i].p, len) : 0;
        uuid = uuid && is_uuid(v[i]);
    }
    return hex & CH_LOWER ? TEXT_HEX : hex ? TEXT_HEX_UPPER : uuid ? TEXT_UUID : TEXT_PLAIN;
}

static bool try_ids(Buf *out, const Str *v, size_t n) {
    int form = id_form(v, n);
    if (form == TEXT_PLAIN) return false;
    size_t bytes = form == TEXT_UUID ? 16 : v[0].n / 2;
    char *binary = mem_alloc_array(n, bytes), *to = binary;
    for (size_t i = 0; i < n; i++) to = put_binary(to, v[i]);
    ASSERT((size_t)(to - binary) == bytes * n);
    Str *x = mem_alloc_array(n, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = str_of(binary + i * bytes, bytes);
    buf_put_char(out, (char)form);
    column_encode_str(out, x, n);
    mem_free(x);
    mem_free(binary);
    return true;
}

/* --- numbers between a prefix and a suffix that all values share --- */

static size_t common_prefix(Str a, Str b, size_t max) {
    size_t n = MIN(max, MIN(a.n, b.n)), i = 0;
    while (i < n && a.p[i] == b.p[i]) i++;
    return i;
}

static size_t common_suffix(Str a, Str b, size_t max) {
    size_t n = MIN(max, MIN(a.n, b.n)), i = 0;
    while (i < n && a.p[a.n - 1 - i] == b.p[b.n - 1 - i]) i++;
    return i;
}

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The shared ends of all values, without digits that belong to the numbers. */
static bool find_affixes(const Str *v, size_t n, Str *prefix, Str *suffix) {
    size_t head = v[0].n, tail = v[0].n;
    for (size_t i = 1; i < n && head + tail > 0; i++) {
        head = common_prefix(v[0], v[i], head);
        tail = common_suffix(v[0], v[i], tail);
    }
    while (head > 0 && is_digit(v[0].p[head - 1])) head--;
    while (tail > 0 && is_digit(v[0].p[v[0].n - tail])) tail--;
    *prefix = str_of(v[0].p, head);
    *suffix = str_of(v[0].p + v[0].n - tail, tail);
    return head + tail > 0 && head + tail < v[0].n;
}

static bool take_numbers(const Str *v, size_t n, size_t head, size_t tail, int64_t *x) {
    for (size_t i = 0; i < n; i++) {
        if (v[i].n <= head + tail || !is_digit(v[i].p[head])) return false; /* "a--5" would be another "a-" */
        if (!canonical_int(str_of(v[i].p + head, v[i].n - head - tail), &x[i])) return false;
    }
    return true;
}

/* Values whose number is there for the first time; 0: too few repeat to be worth the looking. */
static size_t first_occurrences(const Str *v, size_t n, const int64_t *x, Str *words) {
    int64_t min = x[0], max = x[0];
    for (size_t i = 1; i < n; i++) {
        min = MIN(min, x[i]);
        max = MAX(max, x[i]);
    }
    if ((uint64_t)(max - min) >= n) return 0;
    uint8_t *seen = mem_alloc_zero((size_t)(max - min) + 1);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!seen[x[i] - min]) words[count++] = v[i];
        seen[x[i] - min] = 1;
    }
    mem_free(seen);
    return count;
}

/* Not for values that repeat a lot: a dictionary packs as well and reads faster. */
static bool try_affix(Buf *out, const Str *v, size_t n, Str *words, size_t *ret_words) {
    Str prefix, suffix;
    if (!find_affixes(v, n, &prefix, &suffix)) return false;
    int64_t *x = mem_alloc_array(n, sizeof *x);
    bool good = take_numbers(v, n, prefix.n, suffix.n, x);
    size_t count = good ? first_occurrences(v, n, x, words) : 0;
    good = good && (count == 0 || count > n / 4);
    if (good) {
        buf_put_char(out, TEXT_AFFIX);
        buf_put_lenstr(out, prefix);
        buf_put_lenstr(out, suffix);
        column_encode_i64(out, x, n);
        *ret_words = count;
    }
    mem_free(x);
    return good;
}

void wide_text_encode(Buf *out, const Str *v, size_t n, Str *words, size_t *ret_words) {
    *ret_words = 0;
    if (n > 0 && (try_ints(out, v, n) || try_ids(out, v, n) || try_affix(out, v, n, words, ret_words))) return;
    buf_put_char(out, TEXT_PLAIN);
    column_encode_str_words(out, v, n, words, ret_words);
}

/* --- decode --- */

#define INT_CHARS_MAX 20

static char *put_int(char *to, int64_t v) {
    char digits[INT_CHARS_MAX], *d = digits + sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do *--d = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0) *--d = '-';
    size_t len = (size_t)(digits + sizeof digits - d);
    memcpy(to, d, len);
    return to + len;
}

static ErrCode decode_ints(Str in, size_t n, Arena *arena, Str prefix, Str suffix, Str *out) {
    int64_t *x = ARENA_ARRAY(arena, int64_t, n);
    if (!x) return ERR_TOO_LARGE;
    if (!column_decode_i64(in, x, n)) return ERR_CORRUPT;
    char *to = arena_alloc_array(arena, n, prefix.n + INT_CHARS_MAX + suffix.n);
    if (!to) return ERR_TOO_LARGE;
    for (size_t i = 0; i < n; i++) {
        char *start = to;
        if (prefix.n) memcpy(to, prefix.p, prefix.n);
        to = put_int(to + prefix.n, x[i]);
        if (suffix.n) memcpy(to, suffix.p, suffix.n);
        to += suffix.n;
        out[i] = str_of(start, (size_t)(to - start));
    }
    return OK;
}

static ErrCode decode_affix(Str in, size_t n, Arena *arena, Str *out) {
    Cursor c = cursor_of(in);
    Str prefix = cursor_lenstr(&c), suffix = cursor_lenstr(&c);
    if (c.bad) return ERR_CORRUPT;
    return decode_ints(str_of((const char *)c.p, cursor_left(&c)), n, arena, prefix, suffix, out);
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
    case TEXT_INT: return decode_ints(body, n, arena, STR_NULL, STR_NULL, out);
    case TEXT_AFFIX: return decode_affix(body, n, arena, out);
    case TEXT_HEX: return decode_ids(body, n, arena, false, false, out);
    case TEXT_HEX_UPPER: return decode_ids(body, n, arena, true, false, out);
    case TEXT_UUID: return decode_ids(body, n, arena, false, true, out);
    default: return ERR_CORRUPT;
    }
}
