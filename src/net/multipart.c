/* multipart.c - fields of multipart/form-data (curl -F), and what is wrong with a media type. Source: RFC 7578, RFC
 * 2046. */
#include "net/params_int.h"

/* The value of a parameter of a header: form-data; name="x". Quotes are taken off, escapes within are not known. */
static Str header_param(Str header, Str name) {
    Str part;
    str_split_next(&header, ';', &part);
    while (str_split_next(&header, ';', &part)) {
        part = str_trim(part);
        size_t eq = str_find_char(part, '=');
        if (eq == SIZE_MAX || !str_eq_nocase(str_slice(part, 0, eq), name)) continue;
        Str v = str_skip(part, eq + 1);
        return v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"' ? str_slice(v, 1, v.n - 1) : v;
    }
    return STR_NULL;
}

static Str boundary_of(const HttpRequest *req) {
    Str b = header_param(http_header(req, STR("content-type")), STR("boundary"));
    return b.n && b.n <= 70 ? b : STR_NULL;
}

/* Where the next delimiter ("--" boundary at the start of a line) begins; SIZE_MAX: nowhere. */
static size_t find_delimiter(Str body, size_t from, Str boundary) {
    for (size_t i = from; i + 2 + boundary.n <= body.n; i++) {
        const char *dash = memchr(body.p + i, '-', body.n - i);
        if (!dash) break;
        i = (size_t)(dash - body.p);
        if (i + 2 + boundary.n > body.n || body.p[i + 1] != '-' || (i && body.p[i - 1] != '\n')) continue;
        if (memcmp(body.p + i + 2, boundary.p, boundary.n) == 0) return i;
    }
    return SIZE_MAX;
}

size_t multipart_count(const HttpRequest *req) {
    Str boundary = boundary_of(req);
    size_t n = 0, at = 0;
    if (boundary.n)
        for (; (at = find_delimiter(req->body, at, boundary)) != SIZE_MAX; at += boundary.n) n++;
    return n;
}

/* A part without its delimiters: headers, an empty line, the value. */
static bool parse_part(Str part, HttpParam *ret) {
    Str line, name = STR_NULL;
    bool is_file = false;
    while (str_split_next(&part, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0) {
            *ret = (HttpParam){name, part.p ? part : STR("")};
            return name.p && !is_file;
        }
        size_t colon = str_find_char(line, ':');
        if (colon == SIZE_MAX || !str_eq_nocase(str_slice(line, 0, colon), STR("content-disposition"))) continue;
        Str value = str_skip(line, colon + 1);
        name = header_param(value, STR("name"));
        is_file = header_param(value, STR("filename")).p != NULL;
    }
    return false;
}

size_t multipart_fields(const HttpRequest *req, HttpParam *out, size_t max) {
    Str boundary = boundary_of(req), body = req->body;
    size_t n = 0, at = boundary.n ? find_delimiter(body, 0, boundary) : SIZE_MAX;
    while (at != SIZE_MAX && n < max) {
        size_t start = at + 2 + boundary.n, end = find_delimiter(body, start, boundary);
        if (end == SIZE_MAX) break; /* the last one, or a body that was cut */
        while (start < end && body.p[start] != '\n') start++;
        size_t stop = end > start && body.p[end - 1] == '\n' ? end - 1 : end;
        if (stop > start && body.p[stop - 1] == '\r') stop--;
        if (start < stop && parse_part(str_slice(body, start + 1, stop), &out[n])) n++;
        at = end;
    }
    return n;
}

static bool is_token_char(char c) { return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c); }

static size_t token_len(Str s) {
    size_t n = 0;
    while (n < s.n && is_token_char(s.p[n])) n++;
    return n;
}

Str media_type_error(Str type) {
    size_t semi = str_find_char(type, ';');
    bool absent = type.n == 0;
    type = str_trim(semi == SIZE_MAX ? type : str_slice(type, 0, semi));
    if (absent) return STR_NULL;
    size_t n = token_len(type);
    if (n == 0) return STR("mime: no media type");
    type = str_skip(type, n);
    if (type.n == 0) return STR_NULL;
    if (type.p[0] != '/') return STR("mime: expected slash after first token");
    type = str_skip(type, 1);
    n = token_len(type);
    if (n == 0) return STR("mime: expected token after slash");
    return n < type.n ? STR("mime: unexpected content after media subtype") : STR_NULL;
}
