/* token.h - PromQL tokens: what the lexer gives, with the descriptions Prometheus' messages use. */
#ifndef MEERKAT_METRICS_PROMQL_TOKEN_H
#define MEERKAT_METRICS_PROMQL_TOKEN_H

#include "lang/langerr.h"

typedef enum PqlTok {
    TOK_EOF,
    TOK_ERROR,
    TOK_IDENT,
    TOK_METRIC_IDENT, /* contains a colon */
    TOK_STRING,
    TOK_NUMBER,
    TOK_DURATION,
    /* punctuation */
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACE,
    TOK_RBRACE,
    TOK_LBRACKET,
    TOK_RBRACKET,
    TOK_COMMA,
    TOK_EQL,
    TOK_COLON,
    /* operators */
    TOK_OP_FIRST,
    TOK_ADD = TOK_OP_FIRST,
    TOK_SUB,
    TOK_MUL,
    TOK_DIV,
    TOK_MOD,
    TOK_POW,
    TOK_EQLC,
    TOK_NEQ,
    TOK_LTE,
    TOK_LSS,
    TOK_GTE,
    TOK_GTR,
    TOK_TRIM_UPPER,
    TOK_TRIM_LOWER,
    TOK_EQL_REGEX,
    TOK_NEQ_REGEX,
    TOK_AT,
    TOK_LAND,
    TOK_LOR,
    TOK_LUNLESS,
    TOK_ATAN2,
    TOK_OP_LAST = TOK_ATAN2,
    /* aggregations */
    TOK_AGGR_FIRST,
    TOK_SUM = TOK_AGGR_FIRST,
    TOK_AVG,
    TOK_COUNT,
    TOK_MIN,
    TOK_MAX,
    TOK_GROUP,
    TOK_STDDEV,
    TOK_STDVAR,
    TOK_TOPK,
    TOK_BOTTOMK,
    TOK_COUNT_VALUES,
    TOK_QUANTILE,
    TOK_LIMITK,
    TOK_LIMIT_RATIO,
    TOK_AGGR_LAST = TOK_LIMIT_RATIO,
    /* keywords */
    TOK_KEYWORD_FIRST,
    TOK_OFFSET = TOK_KEYWORD_FIRST,
    TOK_SMOOTHED,
    TOK_ANCHORED,
    TOK_BY,
    TOK_WITHOUT,
    TOK_ON,
    TOK_IGNORING,
    TOK_GROUP_LEFT,
    TOK_GROUP_RIGHT,
    TOK_FILL,
    TOK_FILL_LEFT,
    TOK_FILL_RIGHT,
    TOK_BOOL,
    TOK_KEYWORD_LAST = TOK_BOOL,
    /* words that are functions as well */
    TOK_START,
    TOK_END,
    TOK_STEP,
    TOK_RANGE,
    TOK_MAX_OF,
    TOK_MIN_OF,
    TOK_COUNT_,
} PqlTok;

static inline bool pql_tok_is_operator(PqlTok t) { return t >= TOK_OP_FIRST && t <= TOK_OP_LAST; }
static inline bool pql_tok_is_aggregator(PqlTok t) { return t >= TOK_AGGR_FIRST && t <= TOK_AGGR_LAST; }
static inline bool pql_tok_is_keyword(PqlTok t) { return t >= TOK_KEYWORD_FIRST && t <= TOK_KEYWORD_LAST; }
static inline bool pql_tok_is_comparison(PqlTok t) { return t >= TOK_EQLC && t <= TOK_GTR; }
static inline bool pql_tok_is_set_op(PqlTok t) { return t == TOK_LAND || t == TOK_LOR || t == TOK_LUNLESS; }
bool pql_tok_aggregator_has_param(PqlTok t);
/* "sum", "==", "group_left"; NULL for classes such as TOK_IDENT. */
const char *pql_tok_text(PqlTok t);

typedef struct PqlToken {
    PqlTok tok;
    LangSpan span;
    Str text; /* as written */
} PqlToken;

typedef struct PqlLexer {
    Str src;
    size_t pos;
    int paren_depth;
    bool in_braces, in_brackets, in_duration, got_colon, got_duration, failed;
    LangError *err; /* gets lexical errors */
} PqlLexer;

PqlLexer pql_lexer(Str src, LangError *err);
/* TOK_ERROR after the error was put into err; TOK_EOF for ever at the end. */
PqlToken pql_lex(PqlLexer *lx);
/* As Prometheus describes a token in "unexpected ...". */
void pql_token_describe(Buf *out, const PqlToken *t);

#endif
