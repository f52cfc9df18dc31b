#include "base/str.h"

static unsigned char ascii_lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c; }

static bool bytes_eq_nocase(const char *a, const char *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (ascii_lower((unsigned char)a[i]) != ascii_lower((unsigned char)b[i])) return false;
    return true;
}

bool str_eq_nocase(Str a, Str b) { return a.n == b.n && bytes_eq_nocase(a.p, b.p, a.n); }

int str_cmp(Str a, Str b) {
    size_t n = MIN(a.n, b.n);
    int d = n ? memcmp(a.p, b.p, n) : 0;
    if (d) return d;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts_with(Str s, Str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends_with(Str s, Str suffix) {
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t str_find(Str s, Str needle) {
    if (needle.n == 0) return 0;
    if (needle.n > s.n) return SIZE_MAX;
    const char *hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

bool str_contains(Str s, Str needle) { return str_find(s, needle) != SIZE_MAX; }

bool str_contains_nocase(Str s, Str needle) {
    if (needle.n == 0) return true;
    if (needle.n > s.n) return false;
    unsigned char first = ascii_lower((unsigned char)needle.p[0]);
    for (size_t i = 0; i <= s.n - needle.n; i++) {
        if (ascii_lower((unsigned char)s.p[i]) != first) continue;
        if (bytes_eq_nocase(s.p + i + 1, needle.p + 1, needle.n - 1)) return true;
    }
    return false;
}

size_t str_find_char(Str s, char c) {
    const char *hit = s.n ? memchr(s.p, (unsigned char)c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

size_t str_rfind_char(Str s, char c) {
    const char *hit = s.n ? memrchr(s.p, (unsigned char)c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

Str str_trim(Str s) {
    while (s.n && is_blank(s.p[0])) s.p++, s.n--;
    while (s.n && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

bool str_split_next(Str *rest, char sep, Str *ret_part) {
    if (!rest->p) return false;
    size_t at = str_find_char(*rest, sep);
    if (at == SIZE_MAX) {
        *ret_part = *rest;
        *rest = STR_NULL;
    } else {
        *ret_part = str_of(rest->p, at);
        *rest = str_of(rest->p + at + 1, rest->n - at - 1);
    }
    return true;
}

static bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

/* Length of the well-formed sequence at p (Unicode table 3-7), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t n) {
    unsigned char c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0;
    if (c < 0xE0) return n >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (c < 0xF0) {
        if (n < 3 || !is_continuation(p[1]) || !is_continuation(p[2])) return 0;
        if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] >= 0xA0)) return 0;
        return 3;
    }
    if (c > 0xF4 || n < 4 || !is_continuation(p[1]) || !is_continuation(p[2]) || !is_continuation(p[3])) return 0;
    if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] >= 0x90)) return 0;
    return 4;
}

bool str_is_utf8(Str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        while (s.n - i >= sizeof word && (memcpy(&word, p + i, sizeof word), !(word & UINT64_C(0x8080808080808080))))
            i += sizeof word;
        if (i == s.n) break;
        size_t step = utf8_sequence(p + i, s.n - i);
        if (!step) return false;
        i += step;
    }
    return true;
}

size_t str_rune_count(Str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

size_t str_utf8_step(Str s) {
    ASSERT(s.n > 0);
    return utf8_sequence((const unsigned char *)s.p, s.n);
}

enum { DISTANCE_MAX_BYTES = 64 };

unsigned str_distance(Str a, Str b, unsigned limit) {
    a.n = MIN(a.n, (size_t)DISTANCE_MAX_BYTES);
    b.n = MIN(b.n, (size_t)DISTANCE_MAX_BYTES);
    size_t gap = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (gap > limit) return limit + 1;
    /* Three rows, because two swapped neighbours count as one edit. */
    unsigned rows[3][DISTANCE_MAX_BYTES + 1];
    unsigned *older = rows[0], *old = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.n; j++) old[j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned best = row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned v = old[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            v = MIN(v, MIN(old[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1]) v = MIN(v, older[j - 2] + 1);
            row[j] = v;
            best = MIN(best, v);
        }
        if (best > limit) return limit + 1;
        unsigned *t = older;
        older = old, old = row, row = t;
    }
    return MIN(old[b.n], limit + 1);
}

char *str_dup_cstr(Str s) {
    char *copy = mem_alloc(s.n + 1);
    if (s.n) memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}
