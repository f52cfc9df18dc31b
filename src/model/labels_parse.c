/* The text form of a label set: {a="b", "quoted name"="c"}, optionally after a bare metric name. */
#include "base/vec.h"
#include "model/labels.h"

#define LABELS_PARSE_MAX 256

typedef struct Parser {
    Str s;
    size_t pos;
    Arena *arena;
    Err *err;
} Parser;

static void skip_space(Parser *p) {
    while (p->pos < p->s.n && (p->s.p[p->pos] == ' ' || p->s.p[p->pos] == '\t' || p->s.p[p->pos] == '\n')) p->pos++;
}

static bool take(Parser *p, char c) {
    skip_space(p);
    if (p->pos >= p->s.n || p->s.p[p->pos] != c) return false;
    p->pos++;
    return true;
}

static ErrCode fail(Parser *p, const char *what) {
    return err_set_at(p->err, ERR_INVALID, 1, (int)p->pos + 1, "malformed label set: %s", what);
}

static bool is_ident(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && c >= '0' && c <= '9');
}

static Str take_ident(Parser *p) {
    skip_space(p);
    size_t from = p->pos;
    while (p->pos < p->s.n && is_ident(p->s.p[p->pos], p->pos == from)) p->pos++;
    return str_slice(p->s, from, p->pos);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static size_t put_utf8(char *out, uint32_t cp) {
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* The escape after a backslash at p->pos; writes at most 4 bytes, gives their number, 0 when malformed.
 * An escape is never shorter than what it decodes to, so the output fits where the input stood. */
static size_t take_escape(Parser *p, char *out) {
    static const char plain[] = "abfnrtv\\\"'", value[] = "\a\b\f\n\r\t\v\\\"'";
    if (p->pos >= p->s.n) return 0;
    char c = p->s.p[p->pos++];
    const char *at = c ? strchr(plain, c) : NULL;
    if (at) {
        out[0] = value[at - plain];
        return 1;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || p->s.n - p->pos < digits) return 0;
    uint32_t cp = 0;
    for (size_t i = 0; i < digits; i++) {
        int d = hex_digit(p->s.p[p->pos++]);
        if (d < 0) return 0;
        cp = cp << 4 | (uint32_t)d;
    }
    if (c == 'x') {
        out[0] = (char)cp;
        return 1;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) return 0;
    return put_utf8(out, cp);
}

/* A string in double quotes or backticks; the opening quote is next. */
static ErrCode take_string(Parser *p, Str *ret) {
    skip_space(p);
    char quote = p->pos < p->s.n ? p->s.p[p->pos] : 0;
    if (quote != '"' && quote != '`') return fail(p, "expected a quoted value");
    size_t from = ++p->pos;
    while (p->pos < p->s.n && p->s.p[p->pos] != quote && (quote == '`' || p->s.p[p->pos] != '\\')) p->pos++;
    if (p->pos < p->s.n && p->s.p[p->pos] == quote) {
        *ret = str_slice(p->s, from, p->pos++);
        return OK;
    }
    char *out = ARENA_ARRAY(p->arena, char, p->s.n - from + 4);
    if (!out) return err_set(p->err, ERR_TOO_LARGE, "label set is too large");
    size_t n = p->pos - from;
    memcpy(out, p->s.p + from, n);
    while (p->pos < p->s.n) {
        char c = p->s.p[p->pos++];
        if (c == quote) {
            *ret = str_of(out, n);
            return OK;
        }
        if (c != '\\') {
            out[n++] = c;
            continue;
        }
        size_t got = take_escape(p, out + n);
        if (got == 0) return fail(p, "bad escape in a quoted value");
        n += got;
    }
    return fail(p, "a quoted value is not closed");
}

static ErrCode take_pair(Parser *p, Label *ret) {
    skip_space(p);
    bool quoted = p->pos < p->s.n && p->s.p[p->pos] == '"';
    if (quoted) {
        ErrCode r = take_string(p, &ret->name);
        if (r != OK) return r;
        skip_space(p);
        /* {"metric.name", ...}: a quoted string without '=' is the metric's name. */
        if (p->pos < p->s.n && (p->s.p[p->pos] == ',' || p->s.p[p->pos] == '}')) {
            *ret = (Label){LABEL_NAME_METRIC, ret->name};
            return OK;
        }
    } else {
        ret->name = take_ident(p);
    }
    if (ret->name.n == 0) return fail(p, "expected a label name");
    if (!take(p, '=')) return fail(p, "expected '=' after a label name");
    return take_string(p, &ret->value);
}

ErrCode labels_parse(Str text, Arena *arena, Labels *ret, Err *reterr) {
    Parser p = {.s = text, .arena = arena, .err = reterr};
    AVEC(Label) v = {0};
    Str metric = take_ident(&p);
    if (metric.n > 0 && !avec_push(arena, &v, (Label){LABEL_NAME_METRIC, metric})) {
        return err_set(reterr, ERR_TOO_LARGE, "label set is too large");
    }
    bool braces = take(&p, '{');
    if (!braces && metric.n == 0) return fail(&p, "expected '{'");
    while (braces && !take(&p, '}')) {
        Label l;
        ErrCode r = take_pair(&p, &l);
        if (r != OK) return r;
        if (v.n >= LABELS_PARSE_MAX) return err_set(reterr, ERR_TOO_LARGE, "more than %d labels", LABELS_PARSE_MAX);
        if (!avec_push(arena, &v, l)) return err_set(reterr, ERR_TOO_LARGE, "label set is too large");
        if (take(&p, ',')) continue;
        if (!take(&p, '}')) return fail(&p, "expected ',' or '}'");
        break;
    }
    skip_space(&p);
    if (p.pos != text.n) return fail(&p, "unexpected text after the label set");
    ErrCode r = labels_normalize(v.v, &v.n, reterr);
    if (r == OK) *ret = (Labels){v.v, v.n};
    return r;
}
