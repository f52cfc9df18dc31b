#include "lang/lexer.h"

static LangToken token_make(const LangLexer *lx, LangTokenKind kind, size_t start, size_t end) {
    return (LangToken){
        .kind = kind, .punct = -1, .span = {(uint32_t)start, (uint32_t)end}, .text = str_slice(lx->src, start, end)};
}

static LangToken token_string(LangLexer *lx, size_t start) {
    size_t end;
    LangStringStatus st = lang_scan_string(lx->src, start, &end);
    LangToken t = token_make(lx, st == LANG_STRING_OK ? LANG_STRING : LANG_BAD, start, end);
    t.string_status = st;
    lx->pos = end;
    return t;
}

static bool token_punct(LangLexer *lx, size_t start, LangToken *ret) {
    Str rest = str_skip(lx->src, start);
    for (size_t i = 0; i < lx->syntax->n_puncts; i++) {
        if (!str_starts_with(rest, lx->syntax->puncts[i])) continue;
        lx->pos = start + lx->syntax->puncts[i].n;
        *ret = token_make(lx, LANG_PUNCT, start, lx->pos);
        ret->punct = (int)i;
        return true;
    }
    return false;
}

LangToken lang_next(LangLexer *lx) {
    const LangSyntax *sx = lx->syntax;
    ASSERT(lx->src.n <= LANG_SOURCE_MAX);
    size_t start = lx->pos = lang_skip_blank(lx->src, lx->pos, sx->hash_comments, sx->slash_comments);
    if (start >= lx->src.n) return token_make(lx, LANG_END, lx->src.n, lx->src.n);
    char c = lx->src.p[start];
    if (c == '"' || c == '`' || (c == '\'' && sx->single_quotes)) return token_string(lx, start);

    size_t end;
    LangNumberKind number = lang_scan_number(lx->src, start, &end);
    if (number != LANG_NUMBER_NONE) {
        LangTokenKind kind = number == LANG_NUMBER_FLOAT                       ? LANG_NUMBER
                             : number == LANG_NUMBER_DURATION && sx->durations ? LANG_DURATION
                                                                               : LANG_BAD;
        lx->pos = end;
        return token_make(lx, kind, start, end);
    }
    end = lang_scan_ident(lx->src, start, sx->ident_flags);
    if (end > start) {
        lx->pos = end;
        return token_make(lx, LANG_IDENT, start, end);
    }
    LangToken t;
    if (token_punct(lx, start, &t)) return t;
    lang_rune_at(lx->src, start, &end);
    lx->pos = start + end;
    return token_make(lx, LANG_BAD, start, lx->pos);
}
