#include "metrics/promql/token.h"

static const char *const tok_texts[TOK_COUNT_] = {
    [TOK_LPAREN] = "(",
    [TOK_RPAREN] = ")",
    [TOK_LBRACE] = "{",
    [TOK_RBRACE] = "}",
    [TOK_LBRACKET] = "[",
    [TOK_RBRACKET] = "]",
    [TOK_COMMA] = ",",
    [TOK_EQL] = "=",
    [TOK_COLON] = ":",
    [TOK_ADD] = "+",
    [TOK_SUB] = "-",
    [TOK_MUL] = "*",
    [TOK_DIV] = "/",
    [TOK_MOD] = "%",
    [TOK_POW] = "^",
    [TOK_EQLC] = "==",
    [TOK_NEQ] = "!=",
    [TOK_LTE] = "<=",
    [TOK_LSS] = "<",
    [TOK_GTE] = ">=",
    [TOK_GTR] = ">",
    [TOK_TRIM_UPPER] = "</",
    [TOK_TRIM_LOWER] = ">/",
    [TOK_EQL_REGEX] = "=~",
    [TOK_NEQ_REGEX] = "!~",
    [TOK_AT] = "@",
    [TOK_LAND] = "and",
    [TOK_LOR] = "or",
    [TOK_LUNLESS] = "unless",
    [TOK_ATAN2] = "atan2",
    [TOK_SUM] = "sum",
    [TOK_AVG] = "avg",
    [TOK_COUNT] = "count",
    [TOK_MIN] = "min",
    [TOK_MAX] = "max",
    [TOK_GROUP] = "group",
    [TOK_STDDEV] = "stddev",
    [TOK_STDVAR] = "stdvar",
    [TOK_TOPK] = "topk",
    [TOK_BOTTOMK] = "bottomk",
    [TOK_COUNT_VALUES] = "count_values",
    [TOK_QUANTILE] = "quantile",
    [TOK_LIMITK] = "limitk",
    [TOK_LIMIT_RATIO] = "limit_ratio",
    [TOK_OFFSET] = "offset",
    [TOK_SMOOTHED] = "smoothed",
    [TOK_ANCHORED] = "anchored",
    [TOK_BY] = "by",
    [TOK_WITHOUT] = "without",
    [TOK_ON] = "on",
    [TOK_IGNORING] = "ignoring",
    [TOK_GROUP_LEFT] = "group_left",
    [TOK_GROUP_RIGHT] = "group_right",
    [TOK_FILL] = "fill",
    [TOK_FILL_LEFT] = "fill_left",
    [TOK_FILL_RIGHT] = "fill_right",
    [TOK_BOOL] = "bool",
    [TOK_START] = "start",
    [TOK_END] = "end",
    [TOK_STEP] = "step",
    [TOK_RANGE] = "range",
    [TOK_MAX_OF] = "max_of",
    [TOK_MIN_OF] = "min_of",
};

const char *pql_tok_text(PqlTok t) { return tok_texts[t]; }

bool pql_tok_aggregator_has_param(PqlTok t) {
    return t == TOK_TOPK || t == TOK_BOTTOMK || t == TOK_COUNT_VALUES || t == TOK_QUANTILE || t == TOK_LIMITK ||
           t == TOK_LIMIT_RATIO;
}

static void put_quoted_short(Buf *out, Str s) {
    size_t end = 0, len;
    for (int runes = 0; end < s.n && runes < 10; runes++, end += len) lang_rune_at(s, end, &len);
    lang_put_quoted(out, str_slice(s, 0, s.n > 10 ? end : s.n));
    if (s.n > 10) buf_put_lit(out, "...");
}

void pql_token_describe(Buf *out, const PqlToken *t) {
    static const char *const classes[] = {[TOK_IDENT] = "identifier",
        [TOK_METRIC_IDENT] = "metric identifier",
        [TOK_STRING] = "string",
        [TOK_NUMBER] = "number",
        [TOK_DURATION] = "duration"};
    if (t->tok == TOK_EOF) {
        buf_put_lit(out, "end of input");
    } else if (t->tok <= TOK_DURATION) {
        buf_printf(out, "%s ", classes[t->tok]);
        if (t->tok == TOK_IDENT || t->tok == TOK_METRIC_IDENT)
            lang_put_quoted(out, t->text);
        else
            put_quoted_short(out, t->text);
    } else if (pql_tok_is_keyword(t->tok)) {
        buf_printf(out, "<%" STR_FMT ">", STR_ARG(t->text));
    } else if (pql_tok_is_operator(t->tok)) {
        buf_printf(out, "<op:%" STR_FMT ">", STR_ARG(t->text));
    } else if (pql_tok_is_aggregator(t->tok)) {
        buf_printf(out, "<aggr:%" STR_FMT ">", STR_ARG(t->text));
    } else {
        put_quoted_short(out, t->text);
    }
}

PqlLexer pql_lexer(Str src, LangError *err) { return (PqlLexer){.src = src, .err = err}; }

static PqlToken tok_make(PqlLexer *lx, PqlTok tok, size_t start, size_t end) {
    lx->pos = end;
    return (PqlToken){tok, {(uint32_t)start, (uint32_t)end}, str_slice(lx->src, start, end)};
}

static PqlToken tok_error(PqlLexer *lx, size_t start, const char *msg) {
    lang_fail(lx->err, (LangSpan){(uint32_t)start, (uint32_t)lx->src.n}, "%s", msg);
    lx->failed = true;
    return tok_make(lx, TOK_ERROR, start, lx->src.n);
}

/* prefix 'c' suffix, with the character at pos as Go's %q prints it (end of input is %!q(int32=-1)'s rune U+FFFD). */
static PqlToken tok_error_char(PqlLexer *lx, size_t start, const char *prefix, size_t pos, const char *suffix) {
    Buf b = {0};
    size_t len;
    buf_printf(&b, "%s", prefix);
    lang_put_rune_quoted(&b, pos < lx->src.n ? lang_rune_at(lx->src, pos, &len) : 0xFFFD);
    buf_printf(&b, "%s", suffix);
    PqlToken t = tok_error(lx, start, buf_cstr(&b));
    buf_done(&b);
    return t;
}

static char peek_at(const PqlLexer *lx, size_t pos) { return pos < lx->src.n ? lx->src.p[pos] : '\0'; }

static PqlToken lex_string(PqlLexer *lx, size_t start) {
    size_t end;
    LangStringStatus st = lang_scan_string(lx->src, start, &end);
    for (size_t i = start + 1, len; i < end && i < lx->src.n; i += len)
        if (lang_rune_at(lx->src, i, &len) == 0xFFFD) return tok_error(lx, start, "invalid UTF-8 rune");
    if (st == LANG_STRING_OK) return tok_make(lx, TOK_STRING, start, end);
    Buf b = {0};
    if (st == LANG_STRING_UNTERMINATED && lx->src.p[start] == '`')
        buf_put_lit(&b, "unterminated raw string");
    else
        lang_string_status_put(&b, st, lx->src, end);
    PqlToken t = tok_error(lx, start, buf_cstr(&b));
    buf_done(&b);
    return t;
}

static PqlToken lex_number(PqlLexer *lx, size_t start) {
    size_t end;
    LangNumberKind kind = lang_scan_number(lx->src, start, &end);
    lx->in_duration = false;
    if (kind == LANG_NUMBER_FLOAT) return tok_make(lx, TOK_NUMBER, start, end);
    if (kind == LANG_NUMBER_DURATION) return tok_make(lx, TOK_DURATION, start, end);
    Buf b = {0};
    buf_put_lit(&b, "bad number or duration syntax: ");
    lang_put_quoted(&b, str_slice(lx->src, start, end));
    PqlToken t = tok_error(lx, start, buf_cstr(&b));
    buf_done(&b);
    return t;
}

static bool fill_has_paren(const PqlLexer *lx, size_t pos) {
    return peek_at(lx, lang_skip_blank(lx->src, pos, false, false)) == '(';
}

static PqlTok word_tok(const PqlLexer *lx, Str word, size_t end) {
    for (PqlTok t = TOK_LAND; t < TOK_COUNT_; t++) {
        if (!str_eq_nocase(word, str_cstr(tok_texts[t]))) continue;
        bool fill = t == TOK_FILL || t == TOK_FILL_LEFT || t == TOK_FILL_RIGHT;
        return fill && !fill_has_paren(lx, end) ? TOK_IDENT : t;
    }
    if (str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("nan"))) return TOK_NUMBER;
    return str_find_char(word, ':') == SIZE_MAX ? TOK_IDENT : TOK_METRIC_IDENT;
}

static PqlToken lex_word(PqlLexer *lx, size_t start) {
    size_t end = lang_scan_ident(lx->src, start, LANG_IDENT_COLON);
    return tok_make(lx, word_tok(lx, str_slice(lx->src, start, end), end), start, end);
}

/* step, range, min_of, max_of inside brackets; nothing else may begin with a letter there. */
static PqlToken lex_duration_word(PqlLexer *lx, size_t start, const char *prefix, const char *suffix) {
    size_t end = start;
    while (end < lx->src.n && lang_scan_ident(lx->src, end, 0) > end) end++;
    Str word = str_slice(lx->src, start, end);
    for (PqlTok t = TOK_STEP; t <= TOK_MIN_OF; t++)
        if (str_eq_nocase(word, str_cstr(tok_texts[t]))) return tok_make(lx, t, start, end);
    return tok_error_char(lx, start, prefix, start, suffix);
}

static PqlToken lex_paren(PqlLexer *lx, size_t start, bool open) {
    lx->paren_depth += open ? 1 : -1;
    if (lx->paren_depth < 0) return tok_error_char(lx, start + 1, "unexpected right parenthesis ", start, "");
    return tok_make(lx, open ? TOK_LPAREN : TOK_RPAREN, start, start + 1);
}

static PqlToken lex_in_braces(PqlLexer *lx, size_t start) {
    char c = peek_at(lx, start), next = peek_at(lx, start + 1);
    if (start >= lx->src.n) return tok_error(lx, start, "unexpected end of input inside braces");
    if (c == '"' || c == '\'' || c == '`') return lex_string(lx, start);
    size_t end = lang_scan_ident(lx->src, start, 0);
    if (end > start) return tok_make(lx, TOK_IDENT, start, end);
    switch (c) {
    case ',': return tok_make(lx, TOK_COMMA, start, start + 1);
    case '=':
        return next == '~' ? tok_make(lx, TOK_EQL_REGEX, start, start + 2) : tok_make(lx, TOK_EQL, start, start + 1);
    case '!':
        if (next == '~') return tok_make(lx, TOK_NEQ_REGEX, start, start + 2);
        if (next == '=') return tok_make(lx, TOK_NEQ, start, start + 2);
        return tok_error_char(lx, start, "unexpected character after '!' inside braces: ", start + 1, "");
    case '{': return tok_error_char(lx, start, "unexpected left brace ", start, "");
    case '}': lx->in_braces = false; return tok_make(lx, TOK_RBRACE, start, start + 1);
    default: return tok_error_char(lx, start, "unexpected character inside braces: ", start, "");
    }
}

static PqlTok arithmetic_tok(char c) {
    switch (c) {
    case '+': return TOK_ADD;
    case '-': return TOK_SUB;
    case '*': return TOK_MUL;
    case '/': return TOK_DIV;
    case '%': return TOK_MOD;
    case '^': return TOK_POW;
    case ',': return TOK_COMMA;
    default: return TOK_ERROR;
    }
}

/* Behind '[' until the first number; step() and the like are durations, too, but do not end it. */
static PqlToken lex_in_duration(PqlLexer *lx, size_t start) {
    static const char unexpected[] = "unexpected character in duration expression: ";
    char c = peek_at(lx, start);
    if (start >= lx->src.n) return tok_error(lx, start, "unexpected end of input in duration expression");
    if (arithmetic_tok(c) != TOK_ERROR) return tok_make(lx, arithmetic_tok(c), start, start + 1);
    size_t end;
    if (lang_scan_number(lx->src, start, &end) != LANG_NUMBER_NONE) {
        lx->got_duration = true;
        return lex_number(lx, start);
    }
    switch (c) {
    case ']':
        lx->in_brackets = lx->in_duration = lx->got_colon = false;
        return tok_make(lx, TOK_RBRACKET, start, start + 1);
    case ':':
        if (!lx->got_duration)
            return tok_error(lx, start + 1, "unexpected colon before duration in duration expression");
        if (lx->got_colon) return tok_error(lx, start + 1, "unexpected repeated colon in duration expression");
        lx->got_colon = true;
        return tok_make(lx, TOK_COLON, start, start + 1);
    case '(':
    case ')': return lex_paren(lx, start, c == '(');
    default:
        if (lang_scan_ident(lx->src, start, 0) == start) return tok_error_char(lx, start, unexpected, start, "");
        lx->got_duration = true;
        return lex_duration_word(lx, start, unexpected, "");
    }
}

static PqlToken lex_comparison(PqlLexer *lx, size_t start) {
    char c = peek_at(lx, start), next = peek_at(lx, start + 1);
    switch (c) {
    case '=':
        if (next == '=') return tok_make(lx, TOK_EQLC, start, start + 2);
        if (next == '~') return tok_error_char(lx, start, "unexpected character after '=': ", start + 1, "");
        return tok_make(lx, TOK_EQL, start, start + 1);
    case '!':
        if (next == '=') return tok_make(lx, TOK_NEQ, start, start + 2);
        return tok_error_char(lx, start, "unexpected character after '!': ", start + 1, "");
    case '<':
        if (next == '=') return tok_make(lx, TOK_LTE, start, start + 2);
        if (next == '/') return tok_make(lx, TOK_TRIM_UPPER, start, start + 2);
        return tok_make(lx, TOK_LSS, start, start + 1);
    default:
        ASSERT(c == '>');
        if (next == '=') return tok_make(lx, TOK_GTE, start, start + 2);
        if (next == '/') return tok_make(lx, TOK_TRIM_LOWER, start, start + 2);
        return tok_make(lx, TOK_GTR, start, start + 1);
    }
}

static PqlToken lex_bracket(PqlLexer *lx, size_t start, bool open) {
    if (open == lx->in_brackets)
        return tok_error_char(lx, start, open ? "unexpected left bracket " : "unexpected right bracket ", start, "");
    lx->in_brackets = lx->in_duration = open;
    lx->got_colon = false;
    lx->got_duration = lx->got_duration && !open;
    return tok_make(lx, open ? TOK_LBRACKET : TOK_RBRACKET, start, start + 1);
}

/* A letter or a colon behind the first number of a range. */
static PqlToken lex_word_in_brackets(PqlLexer *lx, size_t start) {
    if (peek_at(lx, start) != ':') return lex_duration_word(lx, start, "unexpected character: ", ", expected ':'");
    if (lx->got_colon) return tok_error_char(lx, start, "unexpected colon ", start, "");
    lx->got_colon = true;
    return tok_make(lx, TOK_COLON, start, start + 1);
}

static PqlToken lex_statement(PqlLexer *lx, size_t start) {
    if (start >= lx->src.n) {
        if (lx->paren_depth != 0) return tok_error(lx, start, "unclosed left parenthesis");
        if (lx->in_brackets) return tok_error(lx, start, "unclosed left bracket");
        return tok_make(lx, TOK_EOF, start, start);
    }
    char c = lx->src.p[start];
    size_t end;
    if (arithmetic_tok(c) != TOK_ERROR) return tok_make(lx, arithmetic_tok(c), start, start + 1);
    if (lang_scan_number(lx->src, start, &end) != LANG_NUMBER_NONE) return lex_number(lx, start);
    if (lang_scan_ident(lx->src, start, LANG_IDENT_COLON) > start)
        return lx->in_brackets ? lex_word_in_brackets(lx, start) : lex_word(lx, start);
    switch (c) {
    case '=':
    case '!':
    case '<':
    case '>': return lex_comparison(lx, start);
    case '"':
    case '\'':
    case '`': return lex_string(lx, start);
    case '(':
    case ')': return lex_paren(lx, start, c == '(');
    case '{': lx->in_braces = true; return tok_make(lx, TOK_LBRACE, start, start + 1);
    case '[':
    case ']': return lex_bracket(lx, start, c == '[');
    case '@': return tok_make(lx, TOK_AT, start, start + 1);
    default: return tok_error_char(lx, start, "unexpected character: ", start, "");
    }
}

PqlToken pql_lex(PqlLexer *lx) {
    if (lx->failed) return tok_make(lx, TOK_ERROR, lx->src.n, lx->src.n);
    /* Prometheus knows no comments between '[' and the first duration. */
    size_t start = lang_skip_blank(lx->src, lx->pos, !lx->in_duration, false);
    if (lx->in_braces) return lex_in_braces(lx, start);
    return lx->in_duration ? lex_in_duration(lx, start) : lex_statement(lx, start);
}
