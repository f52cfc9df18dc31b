/* logql_lex.h - private: tokens of LogQL, over the scanners of room lang. */
#ifndef MEERKAT_LOGS_LOGQL_LEX_H
#define MEERKAT_LOGS_LOGQL_LEX_H

#include "logs/logql_ast.h"

typedef enum LqTok {
    LQ_T_END,
    LQ_T_IDENT,
    LQ_T_STRING,
    LQ_T_NUMBER,
    LQ_T_DURATION,
    LQ_T_BYTES,
    LQ_T_RANGE, /* [5m]: ns holds its length */
    LQ_T_FLAG,  /* --strict */
    LQ_T_WORD,  /* reserved */
    LQ_T_FUNC,  /* a function's name in front of its parenthesis or grouping */
    LQ_T_PUNCT,
    LQ_T_BAD,
} LqTok;

typedef struct LqToken {
    LqTok kind;
    LangSpan span;
    Str text;
    int64_t ns;        /* DURATION, RANGE */
    double number;     /* NUMBER, BYTES */
    const char *error; /* BAD: what is wrong, NULL: the character itself */
} LqToken;

/* The token at or after pos. */
LqToken lq_lex(Str src, size_t pos);

/* Function names: index into the op tables, or -1. */
int lq_range_op_of(Str name);
int lq_agg_op_of(Str name);

#endif
