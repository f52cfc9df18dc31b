/* diag_secret.c - messages go into logs; the lines they point at may hold secrets. The text need not be YAML that
 * parses: that may be why there is a message. */
#include "base/base.h"
#include "base/diag_int.h"

static bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static bool is_secret(Str key) {
    static const char *const ends[] = {"password", "secret", "secrets", "token", "credentials", "api_key",
        "service_key", "routing_key", "user_key", "secret_key", "webhook_url", "slack_api_url"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends_with(key, str_cstr(ends[i]))) return true;
    return str_eq_lit(key, "key");
}

/* The key whose colon this is. */
static Str key_before(Str line, size_t colon) {
    size_t end = colon, from;
    if (end && (line.p[end - 1] == '"' || line.p[end - 1] == '\'')) end--;
    for (from = end; from && is_name_char(line.p[from - 1]); from--) {
    }
    return str_slice(line, from, end);
}

/* A variable, or lines that follow. */
static bool stands_elsewhere(Str value) {
    if (value.p[0] == '"' || value.p[0] == '\'') value = str_skip(value, 1);
    return str_starts_with(value, STR("${")) || str_starts_with(value, STR("|"));
}

static size_t value_end(Str line, size_t from) {
    char c = line.p[from], close = c == '[' ? ']' : c == '"' || c == '\'' ? c : 0;
    size_t end = from + (close != 0);
    for (; end < line.n; end++) {
        if (close && line.p[end] == close) return end + 1;
        if (!close && (line.p[end] == ',' || line.p[end] == '}')) return end;
    }
    return line.n;
}

/* The next thing to hide at or after *from; false: none. */
static bool next_secret(Str line, size_t *from, size_t *ret_end) {
    for (size_t i = *from; i < line.n; i++) {
        if (line.p[i] != ':') continue;
        size_t v = i + 1;
        if (str_starts_with(str_skip(line, v), STR("//"))) {
            Str rest = str_skip(line, v + 2);
            size_t at = str_find_char(rest, '@'), colon = str_find_char(rest, ':'), path = str_find_char(rest, '/');
            if (at == SIZE_MAX || colon > at || (path != SIZE_MAX && path < at)) continue;
            *from = v + 2 + colon + 1;
            *ret_end = v + 2 + at;
            return true;
        }
        while (v < line.n && line.p[v] == ' ') v++;
        if (v == i + 1 || v == line.n || stands_elsewhere(str_skip(line, v)) || !is_secret(key_before(line, i)))
            continue;
        *from = v;
        *ret_end = value_end(line, v);
        return true;
    }
    return false;
}

static void put_printable(Buf *out, Str text, bool hide) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (hide && (c & 0xC0) == 0x80) continue;
        buf_put_char(out, hide ? '*' : (c < 0x20 && c != '\t') || c == 0x7F ? '?' : (char)c);
    }
}

void diag_put_printable(Buf *out, Str text) { put_printable(out, text, false); }

void diag_put_shown(Buf *out, Str line) {
    size_t at = 0, from = 0, end;
    while (next_secret(line, &from, &end)) {
        put_printable(out, str_slice(line, at, from), false);
        put_printable(out, str_slice(line, from, end), true);
        at = from = end;
    }
    put_printable(out, str_skip(line, at), false);
}
