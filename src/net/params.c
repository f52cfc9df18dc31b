/* params.c - percent coding and form parameters. Source: WHATWG URL (application/x-www-form-urlencoded). */
#include "net/params_int.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes into out (room for s.n bytes) and gives the length. */
static size_t url_decode_into(char *out, Str s, bool plus_is_space) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%' && i + 2 < s.n) {
            int hi = hex_value(s.p[i + 1]), lo = hex_value(s.p[i + 2]);
            if (hi >= 0 && lo >= 0) {
                c = (char)(hi << 4 | lo);
                i += 2;
            }
        }
        out[n++] = c;
    }
    return n;
}

Str http_url_decode(Arena *arena, Str s, bool plus_is_space) {
    if (str_find_char(s, '%') == SIZE_MAX && (!plus_is_space || str_find_char(s, '+') == SIZE_MAX)) return s;
    char *out = arena_alloc(arena, s.n + 1);
    if (!out) return STR_NULL;
    size_t n = url_decode_into(out, s, plus_is_space);
    out[n] = '\0';
    return str_of(out, n);
}

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~';
}

void http_url_encode(Buf *out, Str s) {
    static const char digits[] = "0123456789ABCDEF";
    buf_reserve(out, s.n);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_unreserved((char)c)) {
            buf_put_char(out, (char)c);
        } else if (c == ' ') {
            buf_put_char(out, '+');
        } else {
            buf_put_char(out, '%');
            buf_put_char(out, digits[c >> 4]);
            buf_put_char(out, digits[c & 15]);
        }
    }
}

Str http_url_redact(Arena *arena, Str url) {
    size_t scheme = str_find(url, STR("://"));
    if (scheme == SIZE_MAX) return url;
    size_t from = scheme + 3, to = from, at;
    while (to < url.n && !strchr("/?#", url.p[to])) to++;
    at = str_rfind_char(str_slice(url, from, to), '@');
    size_t colon = at == SIZE_MAX ? SIZE_MAX : str_find_char(str_slice(url, from, from + at), ':');
    if (colon == SIZE_MAX) return url;
    return arena_printf(arena, "%" STR_FMT "xxxxx%" STR_FMT, STR_ARG(str_slice(url, 0, from + colon + 1)),
        STR_ARG(str_skip(url, from + at)));
}

char *http_url_redacted(Str url) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    char *ret = str_dup_cstr(http_url_redact(arena, url));
    arena_free(arena);
    return ret;
}

static size_t count_pairs(Str s) {
    size_t n = s.n > 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '&';
    return n;
}

static void note_error(HttpRequest *req, Str text) {
    if (req->form_error.n == 0) req->form_error = text;
}

/* Whether all escapes of s are whole; notes the first that is not. */
static bool escapes_are_good(HttpRequest *req, Str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') continue;
        if (i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0) continue;
        Str bad = str_of(s.p + i, MIN(s.n - i, (size_t)3));
        note_error(req, arena_printf(req->arena, "invalid URL escape \"%" STR_FMT "\"", STR_ARG(bad)));
        return false;
    }
    return true;
}

/* Appends the pairs of s that can be read. */
static void parse_pairs(HttpRequest *req, Str s) {
    Str part;
    while (str_split_next(&s, '&', &part)) {
        if (part.n == 0) continue;
        if (str_find_char(part, ';') != SIZE_MAX) {
            note_error(req, STR("invalid semicolon separator in query"));
            continue;
        }
        size_t eq = str_find_char(part, '=');
        Str name = eq == SIZE_MAX ? part : str_slice(part, 0, eq);
        Str value = eq == SIZE_MAX ? STR("") : str_skip(part, eq + 1);
        if (!escapes_are_good(req, name) || !escapes_are_good(req, value)) continue;
        name = http_url_decode(req->arena, name, true);
        value = http_url_decode(req->arena, value, true);
        if (!name.p || !value.p) return; /* budget used up: arena_exhausted() tells */
        req->params[req->n_params++] = (HttpParam){name, value};
    }
}

static void parse_params(HttpRequest *req) {
    if (req->params_parsed) return;
    req->params_parsed = true;
    Str form = STR_NULL, type = STR_NULL;
    bool may_have_form = req->method == HTTP_POST || req->method == HTTP_PUT || req->method == HTTP_PATCH;
    if (may_have_form) type = http_media_type(req);
    if (str_eq_lit(type, "application/x-www-form-urlencoded")) form = req->body;
    size_t n_parts = str_eq_lit(type, "multipart/form-data") ? multipart_count(req) : 0;
    size_t n = count_pairs(form) + count_pairs(req->query) + n_parts;
    req->params = ARENA_ARRAY(req->arena, HttpParam, MAX(n, (size_t)1));
    if (!req->params) return;
    if (form.n) parse_pairs(req, form);
    if (may_have_form) note_error(req, media_type_error(http_header(req, STR("content-type"))));
    if (req->query.n) parse_pairs(req, req->query);
    if (n_parts) req->n_params += multipart_fields(req, req->params + req->n_params, n_parts);
    ASSERT(req->n_params <= n);
}

Str http_form_error(HttpRequest *req) {
    parse_params(req);
    return req->form_error;
}

Str http_param(HttpRequest *req, Str name) {
    parse_params(req);
    for (size_t i = 0; i < req->n_params; i++) {
        if (str_eq(req->params[i].name, name)) return req->params[i].value;
    }
    return STR_NULL;
}

size_t http_params(HttpRequest *req, Str name, Str *out, size_t max) {
    parse_params(req);
    size_t n = 0;
    for (size_t i = 0; i < req->n_params && n < max; i++) {
        if (str_eq(req->params[i].name, name)) out[n++] = req->params[i].value;
    }
    return n;
}

static size_t count_params(HttpRequest *req, Str name) {
    parse_params(req);
    size_t n = 0;
    for (size_t i = 0; i < req->n_params; i++) n += str_eq(req->params[i].name, name);
    return n;
}

bool http_has_param(HttpRequest *req, Str name) { return count_params(req, name) > 0; }

Str *http_all_params(HttpRequest *req, Str name, size_t *ret_n) {
    *ret_n = count_params(req, name);
    Str *v = ARENA_ARRAY(req->arena, Str, *ret_n);
    if (v) (void)http_params(req, name, v, *ret_n);
    return v;
}
