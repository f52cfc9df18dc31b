/* host_read.c - small files of the kernel as words and numbers. */
#include "base/num.h"
#include "metrics/host/host_int.h"

#include <stdarg.h>
#include <stdio.h>

static bool read_at(HostRound *r, Str *ret, const char *path) {
    Buf text = {0};
    bool ok = fs_read_file(r->fs, path, HOST_FILE_MAX, &text, NULL) == OK;
    if (ok) *ret = arena_copy(r->b->arena, buf_str(&text));
    buf_done(&text);
    return ok && ret->p;
}

static bool read_formatted(HostRound *r, Str *ret, const char *fmt, va_list args) ATTR_PRINTF(3, 0);
static bool read_formatted(HostRound *r, Str *ret, const char *fmt, va_list args) {
    char path[FS_PATH_MAX];
    int n = vsnprintf(path, sizeof path, fmt, args);
    return n > 0 && (size_t)n < sizeof path && read_at(r, ret, path);
}

bool host_read(HostRound *r, Str *ret, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    bool ok = read_formatted(r, ret, fmt, args);
    va_end(args);
    return ok;
}

Str host_read_word(HostRound *r, const char *fmt, ...) {
    Str text = STR_NULL;
    va_list args;
    va_start(args, fmt);
    bool ok = read_formatted(r, &text, fmt, args);
    va_end(args);
    return ok ? str_trim(text) : STR_NULL;
}

bool host_read_number(HostRound *r, double *ret, const char *fmt, ...) {
    Str text = STR_NULL;
    va_list args;
    va_start(args, fmt);
    bool ok = read_formatted(r, &text, fmt, args);
    va_end(args);
    return ok && num_parse_f64(str_trim(text), ret);
}

bool host_next_line(Str *rest, Str *ret_line) { return rest->n > 0 && str_split_next(rest, '\n', ret_line); }

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

bool host_next_word(Str *rest, Str *ret_word) {
    size_t i = 0;
    while (i < rest->n && is_blank(rest->p[i])) i++;
    size_t from = i;
    while (i < rest->n && !is_blank(rest->p[i])) i++;
    *ret_word = str_slice(*rest, from, i);
    *rest = str_skip(*rest, i);
    return i > from;
}

double host_next_number(Str *rest) {
    Str word;
    double v;
    return host_next_word(rest, &word) && num_parse_f64(word, &v) ? v : 0;
}

double host_hex(Str word) {
    static const char digits[] = "0123456789abcdef";
    if (str_starts_with(word, STR("0x"))) word = str_skip(word, 2);
    double v = 0;
    for (size_t i = 0; i < word.n; i++) {
        const char *at = memchr(digits, word.p[i], 16);
        if (!at) return 0;
        v = v * 16 + (double)(at - digits);
    }
    return v;
}

Str host_until_colon(Str s) {
    size_t colon = str_find_char(s, ':');
    return colon == SIZE_MAX ? s : str_slice(s, 0, colon);
}

bool host_is_listed(const char *list, Str s) {
    Str rest = str_cstr(list), word;
    while (host_next_word(&rest, &word)) {
        bool prefix = word.p[word.n - 1] == '*';
        if (prefix ? str_starts_with(s, str_slice(word, 0, word.n - 1)) : str_eq(s, word)) return true;
    }
    return false;
}

const char *host_cstr(HostRound *r, Str s) {
    Str copy = arena_copy_utf8(r->b->arena, s);
    return copy.p ? copy.p : "";
}
