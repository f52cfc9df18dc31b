/* str.h - Str: a borrowed slice of bytes, passed by value. Never assume a terminating NUL. */
#ifndef MEERKAT_BASE_STR_H
#define MEERKAT_BASE_STR_H

#include "base/base.h"

#include <string.h>

typedef struct Str {
    const char *p; /* may be NULL when n == 0 */
    size_t n;      /* bytes */
} Str;

#define STR(lit) ((Str){("" lit), sizeof(lit) - 1})
#define STR_INIT(lit)                                                                                                  \
    { ("" lit), sizeof(lit) - 1 } /* for static initialisers */
#define STR_NULL ((Str){NULL, 0})
/* printf("%" STR_FMT, STR_ARG(s)) */
#define STR_FMT ".*s"
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline Str str_of(const char *p, size_t n) { return (Str){p, n}; }
static inline Str str_cstr(const char *c) { return c ? (Str){c, strlen(c)} : STR_NULL; }
static inline bool str_eq(Str a, Str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
#define str_eq_lit(s, lit) str_eq((s), STR(lit))
static inline Str str_slice(Str s, size_t from, size_t to) {
    ASSERT(from <= to && to <= s.n);
    return (Str){from ? s.p + from : s.p, to - from}; /* NULL + 0 is undefined in C */
}
static inline Str str_skip(Str s, size_t n) { return str_slice(s, n, s.n); }

bool str_eq_nocase(Str a, Str b); /* ASCII */
int str_cmp(Str a, Str b);        /* bytewise, as Go compares strings: <0, 0, >0 */
bool str_starts_with(Str s, Str prefix);
bool str_ends_with(Str s, Str suffix);
bool str_contains(Str s, Str needle);
bool str_contains_nocase(Str s, Str needle); /* ASCII */
/* Index of the first occurrence, or SIZE_MAX. */
size_t str_find(Str s, Str needle);
size_t str_find_char(Str s, char c);
size_t str_rfind_char(Str s, char c);
Str str_trim(Str s); /* ASCII space, \t, \r, \n on both ends */
/* Takes the part before the next sep off *rest; false when *rest is used up (rest->p == NULL).
 * "a,,b" yields "a", "", "b"; "" yields "" once. */
bool str_split_next(Str *rest, char sep, Str *ret_part);
bool str_is_utf8(Str s); /* strict: no overlongs, no surrogates, <= U+10FFFF */
/* Length in bytes of the well-formed UTF-8 sequence s starts with (s is not empty), or 0. */
size_t str_utf8_step(Str s);
size_t str_rune_count(Str s); /* characters of UTF-8: bytes that begin one */
/* Edit distance (insert, delete, replace, swap neighbours) for "did you mean"; gives limit + 1 as soon as it is
 * exceeded. Inputs are cut at 64 bytes. */
unsigned str_distance(Str a, Str b, unsigned limit);
/* NUL-terminated copy on the heap; the caller frees with mem_free. */
ATTR_MUST char *str_dup_cstr(Str s);

#endif
