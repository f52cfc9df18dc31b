/* gotmpl_lex.c - template text into items: text between actions, and what stands in actions. */
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

#define RUNE_EOF UINT32_MAX

typedef enum Step { STEP_TEXT, STEP_LEFT, STEP_COMMENT, STEP_RIGHT, STEP_INSIDE, STEP_SPACE, STEP_DONE } Step;

TmplLexer tmpl_lexer(Str input, Arena *arena) {
    return (TmplLexer){.input = input, .line = 1, .start_line = 1, .arena = arena};
}

static bool is_space(uint32_t r) { return r == ' ' || r == '\t' || r == '\r' || r == '\n'; }

/* Letters beyond ASCII: all but the blocks of punctuation and symbols that people paste by mistake. */
static bool is_alnum(uint32_t r) {
    if (r < 0x80) return r == '_' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z');
    if (r == RUNE_EOF || r == 0xFFFD) return false;
    if (r < 0xC0) return r == 0xAA || r == 0xB5 || r == 0xBA;
    if (r == 0xD7 || r == 0xF7) return false;
    if (r >= 0x2000 && r <= 0x2BFF) return (r >= 0x2C00) || (r >= 0x2100 && r < 0x2150);
    if (r >= 0x3000 && r <= 0x3004) return false;
    return !(r >= 0x3008 && r <= 0x3020) && !(r >= 0xD800 && r < 0xF900) && !(r >= 0x1F000 && r < 0x1FB00);
}

static Str rest(const TmplLexer *lx) { return str_skip(lx->input, MIN(lx->pos, lx->input.n)); }

static uint32_t peek(const TmplLexer *lx, size_t *ret_len) {
    *ret_len = 0;
    return lx->pos < lx->input.n ? lang_rune_at(lx->input, lx->pos, ret_len) : RUNE_EOF;
}

static uint32_t advance(TmplLexer *lx) {
    size_t len;
    uint32_t r = peek(lx, &len);
    lx->pos += len;
    if (r == '\n') lx->line++;
    return r;
}

static int count_lines(Str s) {
    int n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n;
}

static TmplItem take(TmplLexer *lx, TmplTok kind) {
    TmplItem it = {kind, (uint32_t)lx->start, lx->start_line, str_slice(lx->input, lx->start, lx->pos)};
    lx->start = lx->pos;
    lx->start_line = lx->line;
    return it;
}

static void ignore(TmplLexer *lx) {
    lx->line += count_lines(str_slice(lx->input, lx->start, lx->pos));
    lx->start = lx->pos;
    lx->start_line = lx->line;
}

static TmplItem fail(TmplLexer *lx, Str msg) {
    TmplItem it = {TOK_ERROR, (uint32_t)lx->start, lx->start_line, msg};
    lx->start = lx->pos = 0;
    lx->input.n = 0;
    return it;
}

static TmplItem fail_rune(TmplLexer *lx, const char *what, uint32_t r) {
    Buf b = {0};
    buf_printf(&b, "%s ", what);
    if (r == RUNE_EOF)
        buf_put_lit(&b, "U+FFFFFFFFFFFFFFFF");
    else
        lang_put_rune_unicode(&b, r);
    Str msg = arena_copy(lx->arena, buf_str(&b));
    buf_done(&b);
    return fail(lx, msg.p ? msg : STR("out of memory"));
}

static bool has_left_trim(Str s) { return s.n >= 2 && s.p[0] == '-' && is_space((unsigned char)s.p[1]); }
static bool has_right_trim(Str s) { return s.n >= 2 && is_space((unsigned char)s.p[0]) && s.p[1] == '-'; }

static size_t blanks_at_start(Str s) {
    size_t n = 0;
    while (n < s.n && is_space((unsigned char)s.p[n])) n++;
    return n;
}

static size_t blanks_at_end(Str s) {
    size_t n = 0;
    while (n < s.n && is_space((unsigned char)s.p[s.n - 1 - n])) n++;
    return n;
}

static bool at_right_delim(const TmplLexer *lx, bool *ret_trim) {
    Str s = rest(lx);
    *ret_trim = has_right_trim(s) && str_starts_with(str_skip(s, 2), STR("}}"));
    return *ret_trim || str_starts_with(s, STR("}}"));
}

/* Text up to the next action. False: there is none, go on with the action. */
static bool lex_text(TmplLexer *lx, TmplItem *ret) {
    size_t x = str_find(rest(lx), STR("{{"));
    if (x == SIZE_MAX) {
        lx->pos = lx->input.n;
        lx->line += count_lines(str_slice(lx->input, lx->start, lx->pos));
        *ret = take(lx, lx->pos > lx->start ? TOK_TEXT : TOK_EOF);
        if (ret->kind == TOK_EOF) ret->val = STR("EOF");
        return true;
    }
    if (x == 0) return false;
    lx->pos += x;
    size_t trim = 0;
    if (has_left_trim(str_skip(lx->input, lx->pos + 2))) trim = blanks_at_end(str_slice(lx->input, lx->start, lx->pos));
    lx->pos -= trim;
    lx->line += count_lines(str_slice(lx->input, lx->start, lx->pos));
    *ret = take(lx, TOK_TEXT);
    lx->pos += trim;
    ignore(lx);
    return ret->val.n > 0;
}

/* lx is behind "{{" or "{{- ". False: a comment was skipped. */
static bool lex_comment(TmplLexer *lx, TmplItem *ret) {
    lx->pos += 2;
    size_t x = str_find(rest(lx), STR("*/"));
    if (x == SIZE_MAX) {
        *ret = fail(lx, STR("unclosed comment"));
        return true;
    }
    lx->pos += x + 2;
    bool trim;
    if (!at_right_delim(lx, &trim)) {
        *ret = fail(lx, STR("comment ends before closing delimiter"));
        return true;
    }
    lx->pos += trim ? 4 : 2;
    if (trim) lx->pos += blanks_at_start(rest(lx));
    ignore(lx);
    return false;
}

static bool lex_left_delim(TmplLexer *lx, TmplItem *ret) {
    lx->pos += 2;
    size_t marker = has_left_trim(rest(lx)) ? 2 : 0;
    if (str_starts_with(str_skip(rest(lx), marker), STR("/*"))) {
        lx->pos += marker;
        ignore(lx);
        return lex_comment(lx, ret);
    }
    *ret = take(lx, TOK_LEFT_DELIM);
    lx->inside_action = true;
    lx->pos += marker;
    ignore(lx);
    lx->paren_depth = 0;
    return true;
}

static TmplItem lex_right_delim(TmplLexer *lx) {
    bool trim;
    at_right_delim(lx, &trim);
    if (trim) {
        lx->pos += 2;
        ignore(lx);
    }
    lx->pos += 2;
    TmplItem it = take(lx, TOK_RIGHT_DELIM);
    if (trim) {
        lx->pos += blanks_at_start(rest(lx));
        ignore(lx);
    }
    lx->inside_action = false;
    return it;
}

/* At a blank; " -}}" is a delimiter. */
static TmplItem lex_space(TmplLexer *lx) {
    size_t n = blanks_at_start(rest(lx));
    Str last = str_skip(lx->input, lx->pos + n - 1);
    bool delim = has_right_trim(last) && str_starts_with(str_skip(last, 2), STR("}}"));
    if (delim && n == 1) return lex_right_delim(lx);
    if (delim) n--;
    for (size_t i = 0; i < n; i++) advance(lx);
    return take(lx, TOK_SPACE);
}

static bool at_terminator(const TmplLexer *lx) {
    size_t len;
    uint32_t r = peek(lx, &len);
    if (r == RUNE_EOF || is_space(r)) return true;
    if (r < 0x80 && strchr(".,|:)(", (int)r)) return true;
    return str_starts_with(rest(lx), STR("}}"));
}

static TmplTok keyword(Str word) {
    static const struct {
        Str word;
        TmplTok kind;
    } table[] = {{STR_INIT("block"), TOK_BLOCK}, {STR_INIT("break"), TOK_BREAK}, {STR_INIT("continue"), TOK_CONTINUE},
        {STR_INIT("define"), TOK_DEFINE}, {STR_INIT("else"), TOK_ELSE}, {STR_INIT("end"), TOK_END},
        {STR_INIT("if"), TOK_IF}, {STR_INIT("nil"), TOK_NIL}, {STR_INIT("range"), TOK_RANGE},
        {STR_INIT("template"), TOK_TEMPLATE}, {STR_INIT("with"), TOK_WITH}, {STR_INIT("true"), TOK_BOOL},
        {STR_INIT("false"), TOK_BOOL}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_eq(word, table[i].word)) return table[i].kind;
    return TOK_IDENTIFIER;
}

static TmplItem lex_word(TmplLexer *lx, TmplTok kind) {
    size_t len;
    uint32_t r;
    while (is_alnum(r = peek(lx, &len))) lx->pos += len;
    if (!at_terminator(lx)) {
        advance(lx);
        return fail_rune(lx, "bad character", r);
    }
    if (kind == TOK_IDENTIFIER) kind = keyword(str_slice(lx->input, lx->start, lx->pos));
    return take(lx, kind);
}

/* Behind "." or "$". */
static TmplItem lex_field_or_variable(TmplLexer *lx, TmplTok kind) {
    if (at_terminator(lx)) return take(lx, kind == TOK_VARIABLE ? TOK_VARIABLE : TOK_DOT);
    return lex_word(lx, kind);
}

/* Behind an opening quote that allows escapes. */
static TmplItem lex_quoted(TmplLexer *lx, char quote, TmplTok kind, Str open_error) {
    for (;;) {
        uint32_t r = advance(lx);
        if (r == (unsigned char)quote) return take(lx, kind);
        if (r == '\\') {
            r = advance(lx);
            if (r != RUNE_EOF && r != '\n') continue;
        }
        if (r == RUNE_EOF || r == '\n') return fail(lx, open_error);
    }
}

static TmplItem lex_raw_quote(TmplLexer *lx) {
    for (;;) {
        uint32_t r = advance(lx);
        if (r == RUNE_EOF) return fail(lx, STR("unterminated raw quoted string"));
        if (r == '`') return take(lx, TOK_RAW_STRING);
    }
}

static bool accept(TmplLexer *lx, const char *set) {
    if (lx->pos >= lx->input.n || !lx->input.p[lx->pos] || !strchr(set, lx->input.p[lx->pos])) return false;
    lx->pos++;
    return true;
}

static bool scan_number(TmplLexer *lx) {
    const char *digits = "0123456789_";
    int base = 10;
    accept(lx, "+-");
    if (accept(lx, "0")) {
        if (accept(lx, "xX")) {
            digits = "0123456789abcdefABCDEF_";
            base = 16;
        } else if (accept(lx, "oO")) {
            digits = "01234567_";
            base = 8;
        } else if (accept(lx, "bB")) {
            digits = "01_";
            base = 2;
        }
    }
    while (accept(lx, digits)) {
    }
    if (accept(lx, "."))
        while (accept(lx, digits)) {
        }
    if ((base == 10 && accept(lx, "eE")) || (base == 16 && accept(lx, "pP"))) {
        accept(lx, "+-");
        while (accept(lx, "0123456789_")) {
        }
    }
    accept(lx, "i");
    size_t len;
    if (!is_alnum(peek(lx, &len))) return true;
    lx->pos += len;
    return false;
}

static TmplItem lex_number(TmplLexer *lx) {
    TmplTok kind = TOK_NUMBER;
    bool ok = scan_number(lx);
    if (ok && lx->pos < lx->input.n && (lx->input.p[lx->pos] == '+' || lx->input.p[lx->pos] == '-')) {
        ok = scan_number(lx) && lx->input.p[lx->pos - 1] == 'i';
        kind = TOK_COMPLEX;
    }
    if (ok) return take(lx, kind);
    Buf b = {0};
    buf_put_lit(&b, "bad number syntax: ");
    lang_put_quoted(&b, str_slice(lx->input, lx->start, lx->pos));
    Str msg = arena_copy(lx->arena, buf_str(&b));
    buf_done(&b);
    return fail(lx, msg.p ? msg : STR("out of memory"));
}

static TmplItem lex_paren(TmplLexer *lx, uint32_t r) {
    lx->paren_depth += r == '(' ? 1 : -1;
    if (lx->paren_depth < 0) return fail(lx, STR("unexpected right paren"));
    return take(lx, r == '(' ? TOK_LEFT_PAREN : TOK_RIGHT_PAREN);
}

static TmplItem lex_inside(TmplLexer *lx) {
    bool trim;
    if (at_right_delim(lx, &trim)) {
        if (lx->paren_depth == 0) return lex_right_delim(lx);
        return fail(lx, STR("unclosed left paren"));
    }
    size_t len;
    uint32_t r = peek(lx, &len);
    if (r == RUNE_EOF) return fail(lx, STR("unclosed action"));
    if (is_space(r)) return lex_space(lx);
    char next = lx->pos + 1 < lx->input.n ? lx->input.p[lx->pos + 1] : 0;
    bool digit_next = next >= '0' && next <= '9';
    if (r == '+' || r == '-' || (r >= '0' && r <= '9') || (r == '.' && (digit_next || lx->pos + 1 >= lx->input.n)))
        return lex_number(lx);
    if (is_alnum(r)) return lex_word(lx, TOK_IDENTIFIER);
    advance(lx);
    switch (r) {
    case '=': return take(lx, TOK_ASSIGN);
    case ':':
        if (next != '=') return fail(lx, STR("expected :="));
        lx->pos++;
        return take(lx, TOK_DECLARE);
    case '|': return take(lx, TOK_PIPE);
    case '"': return lex_quoted(lx, '"', TOK_STRING, STR("unterminated quoted string"));
    case '\'': return lex_quoted(lx, '\'', TOK_CHAR_CONSTANT, STR("unterminated character constant"));
    case '`': return lex_raw_quote(lx);
    case '$': return lex_field_or_variable(lx, TOK_VARIABLE);
    case '.': return lex_field_or_variable(lx, TOK_FIELD);
    case '(':
    case ')': return lex_paren(lx, r);
    default:
        if (r > 0x20 && r < 0x7F) return take(lx, TOK_CHAR);
        return fail_rune(lx, "unrecognized character in action:", r);
    }
}

TmplItem tmpl_next(TmplLexer *lx) {
    if (lx->inside_action && lx->input.n) return lex_inside(lx);
    for (;;) {
        TmplItem it;
        if (lx->pos >= lx->input.n) return (TmplItem){TOK_EOF, (uint32_t)lx->pos, lx->start_line, STR("EOF")};
        if (lex_text(lx, &it)) return it;
        if (lex_left_delim(lx, &it)) return it;
    }
}
