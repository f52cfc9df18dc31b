/* ammatch_utf8.c - the UTF-8 matcher parser: words, double-quoted strings with Go's escapes, four operators. */
#include "alert/ammatch_int.h"

#include "lang/lexer.h"

typedef enum Kind { T_END, T_OPEN, T_CLOSE, T_COMMA, T_OP, T_WORD, T_QUOTED } Kind;

typedef struct Token {
    Kind kind;
    MatchType op;
    Str text;
    size_t col, end_col; /* characters */
} Token;

typedef struct Parser {
    Str s;
    size_t pos, col;
    Token t; /* the next one */
    Arena *arena;
    Err *err;
} Parser;

bool ammatch_is_space(uint32_t r) {
    return (r >= 9 && r <= 13) || r == ' ' || r == 0x85 || r == 0xA0 || r == 0x1680 || (r >= 0x2000 && r <= 0x200A) ||
           r == 0x2028 || r == 0x2029 || r == 0x202F || r == 0x205F || r == 0x3000;
}

bool ammatch_is_reserved(uint32_t r) {
    return ammatch_is_space(r) || (r > 0 && r < 128 && strchr("{}!=~,\\\"'`", (int)r));
}

static uint32_t rune_here(const Parser *p, size_t *ret_len) { return lang_rune_at(p->s, p->pos, ret_len); }

static void take_rune(Parser *p) {
    size_t len;
    rune_here(p, &len);
    p->pos += len;
    p->col++;
}

static ErrCode finish(Parser *p, size_t start, size_t col, Kind kind) {
    p->t = (Token){.kind = kind, .op = p->t.op, .text = str_slice(p->s, start, p->pos), .col = col, .end_col = p->col};
    return OK;
}

static ErrCode scan_operator(Parser *p, size_t start, size_t col) {
    bool negative = p->s.p[p->pos] == '!';
    take_rune(p);
    char next = p->pos < p->s.n ? p->s.p[p->pos] : 0;
    if (negative && next != '=' && next != '~') {
        if (!next) {
            return err_set(p->err, ERR_INVALID, "%zu:%zu: unexpected end of input, expected one of '=~'", col, p->col);
        }
        return err_set(p->err, ERR_INVALID, "%zu:%zu: %" STR_FMT ": expected one of '=~'", col, p->col,
            STR_ARG(str_slice(p->s, start, p->pos)));
    }
    p->t.op = negative ? next == '=' ? MATCH_NEQ : MATCH_NRE : next == '~' ? MATCH_RE : MATCH_EQ;
    if (negative || next == '~') take_rune(p);
    return finish(p, start, col, T_OP);
}

static ErrCode scan_quoted(Parser *p, size_t start, size_t col) {
    take_rune(p);
    bool escaped = false;
    while (p->pos < p->s.n && (escaped || p->s.p[p->pos] != '"')) {
        escaped = !escaped && p->s.p[p->pos] == '\\';
        take_rune(p);
    }
    if (p->pos == p->s.n) {
        return err_set(
            p->err, ERR_INVALID, "%zu:%zu: %" STR_FMT ": missing end \"", col, p->col, STR_ARG(str_skip(p->s, start)));
    }
    take_rune(p);
    return finish(p, start, col, T_QUOTED);
}

/* Reads the next token into p->t. */
static ErrCode scan(Parser *p) {
    size_t len;
    while (p->pos < p->s.n && ammatch_is_space(rune_here(p, &len))) take_rune(p);
    size_t start = p->pos, col = p->col;
    if (p->pos == p->s.n) return finish(p, start, col, T_END);
    uint32_t r = rune_here(p, &len);
    if (r == '=' || r == '!') return scan_operator(p, start, col);
    if (r == '"') return scan_quoted(p, start, col);
    if (!ammatch_is_reserved(r)) {
        while (p->pos < p->s.n && !ammatch_is_reserved(rune_here(p, &len))) take_rune(p);
        return finish(p, start, col, T_WORD);
    }
    take_rune(p);
    if (r == '{') return finish(p, start, col, T_OPEN);
    if (r == '}') return finish(p, start, col, T_CLOSE);
    if (r == ',') return finish(p, start, col, T_COMMA);
    return err_set(p->err, ERR_INVALID, "%zu:%zu: %" STR_FMT ": invalid input", col, p->col,
        STR_ARG(str_slice(p->s, start, p->pos)));
}

static ErrCode unexpected(Parser *p, const char *expected) {
    if (p->t.kind == T_END) return err_set(p->err, ERR_INVALID, "end of input: %s", expected);
    return err_set(p->err, ERR_INVALID, "%zu:%zu: unexpected %" STR_FMT ": %s", p->t.col, p->t.end_col,
        STR_ARG(p->t.text), expected);
}

static ErrCode take_text(Parser *p, const char *expected, Str *ret) {
    if (p->t.kind != T_WORD && p->t.kind != T_QUOTED) return unexpected(p, expected);
    *ret = p->t.text;
    bool good = str_is_utf8(p->t.text);
    if (good && p->t.kind == T_QUOTED) {
        size_t end;
        good = str_find_char(p->t.text, '\n') == SIZE_MAX && lang_scan_string(p->t.text, 0, &end) == LANG_STRING_OK &&
               end == p->t.text.n && lang_unquote(p->t.text, p->arena, ret);
    }
    if (!good) {
        return err_set(
            p->err, ERR_INVALID, "%zu:%zu: %" STR_FMT ": invalid input", p->t.col, p->t.end_col, STR_ARG(p->t.text));
    }
    return scan(p);
}

static ErrCode parse_matcher(Parser *p, AmMatcherTexts *out) {
    AmMatcherText m;
    ErrCode rc = take_text(p, "expected label name", &m.name);
    if (rc) return rc;
    if (p->t.kind != T_OP) return unexpected(p, "expected an operator such as '=', '!=', '=~' or '!~'");
    m.type = p->t.op;
    rc = scan(p);
    if (!rc) rc = take_text(p, "expected label value", &m.value);
    if (rc) return rc;
    return avec_push(p->arena, out, m) ? OK : err_set(p->err, ERR_TOO_LARGE, "too many matchers");
}

static ErrCode parse_end(Parser *p, bool open) {
    if (open && p->t.kind != T_CLOSE) {
        if (p->t.kind == T_END) {
            return err_set(p->err, ERR_INVALID, "0:%zu: end of input: expected close brace", p->col);
        }
        return unexpected(p, "expected close brace");
    }
    if (!open && p->t.kind == T_CLOSE) {
        return err_set(p->err, ERR_INVALID, "0:%zu: }: expected opening brace", p->t.end_col);
    }
    ErrCode rc = open ? scan(p) : OK;
    if (rc) return rc;
    if (p->t.kind == T_END) return OK;
    return err_set(p->err, ERR_INVALID, "%zu:%zu: %" STR_FMT ": expected end of input", p->t.col, p->t.end_col,
        STR_ARG(p->t.text));
}

ErrCode ammatch_utf8(Str text, Arena *arena, AmMatcherTexts *out, Err *reterr) {
    Parser p = {.s = text, .arena = arena, .err = reterr};
    ErrCode rc = scan(&p);
    if (rc) return rc;
    if (p.t.kind == T_END) return OK;
    bool open = p.t.kind == T_OPEN;
    if (open && (rc = scan(&p))) return rc;
    while (p.t.kind != T_CLOSE && p.t.kind != T_END) {
        rc = parse_matcher(&p, out);
        if (rc) return rc;
        if (p.t.kind == T_CLOSE || p.t.kind == T_END) break;
        if (p.t.kind != T_COMMA) return unexpected(&p, "expected a comma or close brace");
        rc = scan(&p);
        if (rc) return rc;
        if (p.t.kind != T_CLOSE && p.t.kind != T_END && p.t.kind != T_WORD && p.t.kind != T_QUOTED) {
            return unexpected(&p, "expected a matcher or close brace after comma");
        }
    }
    return parse_end(&p, open);
}
