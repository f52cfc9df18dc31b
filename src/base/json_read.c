#include "base/json_int.h"

#include "base/diag.h"

/* What may come next. A key and its colon are read together, so there is no state between them. */
enum State {
    S_VALUE,       /* a value, nothing else */
    S_FIRST_ITEM,  /* after '[' : a value or ']' */
    S_FIRST_KEY,   /* after '{' : a key or '}' */
    S_AFTER_ITEM,  /* ',' or ']' */
    S_AFTER_VALUE, /* ',' or '}' */
    S_DONE,        /* white space until the end */
    S_FAILED,
};

void json_reader_init(JsonReader *r, Str input, Arena *arena, unsigned depth_max) {
    r->input = input;
    r->pos = 0;
    r->arena = arena;
    r->depth = 0;
    r->depth_max = depth_max && depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    r->state = S_VALUE;
    r->skipping = false;
    r->token = JSON_ERROR;
    r->text = STR_NULL;
    r->err.code = OK;
    r->err.line = r->err.col = 0;
    r->err.msg[0] = r->err.hint[0] = '\0';
    if (str_starts_with(input, STR("\xEF\xBB\xBF"))) r->pos = 3; /* RFC 8259 section 8.1 lets parsers ignore it */
}

static JsonToken fail_code(JsonReader *r, ErrCode code, size_t pos, const char *what) {
    int line, col;
    diag_locate(r->input, pos, &line, &col);
    err_set_at(&r->err, code, line, col, "%s", what);
    r->pos = pos;
    r->state = S_FAILED;
    return r->token = JSON_ERROR;
}

static JsonToken fail(JsonReader *r, size_t pos, const char *what) {
    return fail_code(r, ERR_INVALID, pos, pos < r->input.n ? what : "unexpected end of JSON input");
}

static inline void skip_space(JsonReader *r) {
    const char *p = r->input.p;
    size_t i = r->pos, n = r->input.n;
    while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t')) i++;
    r->pos = i;
}

/* --- strings --- */

/* Value of four hex digits at p, or -1. */
static int32_t hex4(const char *p) {
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        unsigned d = c - '0';
        if (d > 9) {
            d = (c | 0x20U) - 'a' + 10;
            if (d < 10 || d > 15) return -1;
        }
        v = v << 4 | (int32_t)d;
    }
    return v;
}

/* Checks the escape at input[pos] == '\\'; gives its length, or 0 when it is none. */
static size_t escape_length(const JsonReader *r, size_t pos) {
    size_t left = r->input.n - pos;
    const char *p = r->input.p + pos;
    if (left < 2) return 0;
    if (p[1] == 'u') return left >= 6 && hex4(p + 2) >= 0 ? 6 : 0;
    return memchr("\"\\/bfnrt", p[1], 8) ? 2 : 0;
}

static size_t put_utf8(char *p, uint32_t c) {
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (char)(0xC0 | c >> 6);
        p[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (char)(0xE0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 0x3F));
        p[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    p[0] = (char)(0xF0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 0x3F));
    p[2] = (char)(0x80 | (c >> 6 & 0x3F));
    p[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Decodes "\uXXXX" at p, with its second half when it is a surrogate pair; gives the bytes read. */
static size_t decode_unicode(const char *p, const char *end, uint32_t *ret) {
    uint32_t c = (uint32_t)hex4(p + 2);
    *ret = c;
    if (c < 0xD800 || c > 0xDFFF) return 6;
    *ret = 0xFFFD;
    if (c > 0xDBFF || end - p < 12 || p[6] != '\\' || p[7] != 'u') return 6;
    uint32_t low = (uint32_t)hex4(p + 8);
    if (low < 0xDC00 || low > 0xDFFF) return 6;
    *ret = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

/* Escapes are valid; the text only gets shorter by decoding. */
static size_t decode_escapes(Str raw, char *out) {
    const char *p = raw.p, *end = raw.p + raw.n;
    char *o = out;
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((backslash ? backslash : end) - p);
        memcpy(o, p, plain);
        o += plain;
        p += plain;
        if (!backslash) break;
        if (p[1] == 'u') {
            uint32_t c;
            p += decode_unicode(p, end, &c);
            o += put_utf8(o, c);
            continue;
        }
        switch (p[1]) {
        case 'b': *o = '\b'; break;
        case 'f': *o = '\f'; break;
        case 'n': *o = '\n'; break;
        case 'r': *o = '\r'; break;
        case 't': *o = '\t'; break;
        default: *o = p[1];
        }
        o++;
        p += 2;
    }
    return (size_t)(o - out);
}

static bool set_text(JsonReader *r, size_t start, Str raw, bool escaped) {
    if (LIKELY(!escaped) || r->skipping) {
        r->text = raw;
        return true;
    }
    char *decoded = r->arena ? arena_alloc(r->arena, raw.n) : NULL;
    if (!decoded) {
        fail_code(r, ERR_TOO_LARGE, start, "memory limit exceeded while decoding a string");
        return false;
    }
    r->text = str_of(decoded, decode_escapes(raw, decoded));
    return true;
}

/* At the opening quote. */
static bool read_string(JsonReader *r) {
    const char *in = r->input.p;
    size_t start = r->pos + 1, i = start, n = r->input.n;
    bool high = false, escaped = false;
    for (;;) {
        i += json_scan_plain(in + i, n - i, &high);
        if (UNLIKELY(i >= n)) return fail(r, n, ""), false;
        if (LIKELY(in[i] == '"')) break;
        if (in[i] != '\\') return fail(r, i, "control character in string: it has to be escaped"), false;
        size_t step = escape_length(r, i);
        if (!step) return fail(r, i, "invalid escape in string"), false;
        escaped = true;
        i += step;
    }
    Str raw = str_of(in + start, i - start);
    if (UNLIKELY(high) && !str_is_utf8(raw)) return fail(r, start, "string is not valid UTF-8"), false;
    r->pos = i + 1;
    return set_text(r, start, raw, escaped);
}

/* --- numbers and words --- */

static inline size_t digits_end(Str s, size_t i) {
    while (i < s.n && (unsigned char)(s.p[i] - '0') <= 9) i++;
    return i;
}

size_t json_scan_number(Str s, size_t i, const char **ret_problem) {
    *ret_problem = NULL;
    if (i < s.n && s.p[i] == '-') i++;
    size_t from = i;
    i = digits_end(s, i);
    if (i == from) return *ret_problem = "invalid number: digit expected", i;
    if (s.p[from] == '0' && i - from > 1) return *ret_problem = "invalid number: leading zero", from + 1;
    if (i < s.n && s.p[i] == '.') {
        from = ++i;
        i = digits_end(s, i);
        if (i == from) return *ret_problem = "invalid number: digit expected after the point", i;
    }
    if (i < s.n && (s.p[i] | 0x20) == 'e') {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        from = i;
        i = digits_end(s, i);
        if (i == from) return *ret_problem = "invalid number: digit expected in the exponent", i;
    }
    return i;
}

static JsonToken read_number(JsonReader *r) {
    const char *problem;
    size_t start = r->pos, end = json_scan_number(r->input, start, &problem);
    if (UNLIKELY(problem)) return fail(r, end, problem);
    r->text = str_slice(r->input, start, end);
    r->pos = end;
    return r->token = JSON_NUMBER;
}

static JsonToken read_word(JsonReader *r, Str word, JsonToken token) {
    Str rest = str_skip(r->input, r->pos);
    if (!str_starts_with(rest, word)) return fail(r, r->pos, "invalid literal");
    r->text = str_slice(rest, 0, word.n);
    r->pos += word.n;
    return r->token = token;
}

/* --- structure --- */

static inline void value_done(JsonReader *r) {
    if (r->depth == 0)
        r->state = S_DONE;
    else
        r->state = r->stack[r->depth - 1] == '{' ? S_AFTER_VALUE : S_AFTER_ITEM;
}

static JsonToken open_container(JsonReader *r, char bracket) {
    if (r->depth >= r->depth_max) return fail_code(r, ERR_TOO_LARGE, r->pos, "JSON is nested too deeply");
    r->stack[r->depth++] = (uint8_t)bracket;
    r->pos++;
    r->state = bracket == '{' ? S_FIRST_KEY : S_FIRST_ITEM;
    return r->token = bracket == '{' ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
}

static JsonToken close_container(JsonReader *r) {
    ASSERT(r->depth > 0);
    uint8_t open = r->stack[--r->depth];
    r->pos++;
    value_done(r);
    return r->token = open == '{' ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static JsonToken read_value(JsonReader *r) {
    JsonToken t;
    switch (r->input.p[r->pos]) {
    case '"':
        if (!read_string(r)) return JSON_ERROR;
        t = r->token = JSON_STRING;
        break;
    case '{': return open_container(r, '{');
    case '[': return open_container(r, '[');
    case 't': t = read_word(r, STR("true"), JSON_TRUE); break;
    case 'f': t = read_word(r, STR("false"), JSON_FALSE); break;
    case 'n': t = read_word(r, STR("null"), JSON_NULL); break;
    case '-':
    case '0' ... '9': t = read_number(r); break;
    default: return fail(r, r->pos, "value expected");
    }
    if (LIKELY(t != JSON_ERROR)) value_done(r);
    return t;
}

static JsonToken read_key(JsonReader *r) {
    if (r->pos >= r->input.n || r->input.p[r->pos] != '"') return fail(r, r->pos, "object key in quotes expected");
    if (!read_string(r)) return JSON_ERROR;
    skip_space(r);
    if (r->pos >= r->input.n || r->input.p[r->pos] != ':') return fail(r, r->pos, "':' expected after an object key");
    r->pos++;
    r->state = S_VALUE;
    return r->token = JSON_KEY;
}

JsonToken json_next(JsonReader *r) {
    if (UNLIKELY(r->state == S_FAILED)) return JSON_ERROR;
    skip_space(r);
    if (r->pos >= r->input.n) {
        if (r->state != S_DONE) return fail(r, r->input.n, "");
        return r->token = JSON_END;
    }
    char c = r->input.p[r->pos];
    switch ((enum State)r->state) {
    case S_VALUE: return read_value(r);
    case S_FIRST_ITEM: return c == ']' ? close_container(r) : read_value(r);
    case S_FIRST_KEY: return c == '}' ? close_container(r) : read_key(r);
    case S_AFTER_ITEM:
        if (c == ']') return close_container(r);
        if (c != ',') return fail(r, r->pos, "',' or ']' expected");
        r->pos++;
        skip_space(r);
        if (r->pos >= r->input.n) return fail(r, r->pos, "");
        return read_value(r);
    case S_AFTER_VALUE:
        if (c == '}') return close_container(r);
        if (c != ',') return fail(r, r->pos, "',' or '}' expected");
        r->pos++;
        skip_space(r);
        return read_key(r);
    case S_DONE: return fail(r, r->pos, "unexpected text after the JSON value");
    case S_FAILED: break;
    }
    return JSON_ERROR;
}

static void skip_to_depth(JsonReader *r, unsigned depth) {
    r->skipping = true;
    do {
        JsonToken t = json_next(r);
        if (t == JSON_ERROR || t == JSON_END) break;
    } while (r->depth > depth || r->state == S_VALUE);
    r->skipping = false;
}

void json_skip(JsonReader *r) { skip_to_depth(r, r->depth); }

void json_skip_open(JsonReader *r) {
    if (r->state == S_FAILED) return;
    ASSERT(r->depth > 0);
    skip_to_depth(r, r->depth - 1);
}
