/* parse_int.h - the PromQL parser's state, shared by parse.c and parse_sel.c. Private. */
#ifndef MEERKAT_METRICS_PROMQL_PARSE_INT_H
#define MEERKAT_METRICS_PROMQL_PARSE_INT_H

#include "lang/pratt.h"
#include "metrics/promql/ast.h"

typedef struct PqlParser {
    Arena *arena;
    Str src;
    PqlLexer lex;
    PqlToken cur;
    size_t last_end;                                                           /* end of the token before cur */
    enum { DURATION_OF_RANGE, DURATION_OF_STEP, DURATION_OF_OFFSET } duration; /* the one being read, for errors */
    unsigned aggregations;                                                     /* around; likewise */
    LangError err;
    Pratt pratt;
} PqlParser;

void pql_parser_init(PqlParser *p, Arena *arena, Str src);
void pql_advance(PqlParser *p);
/* Consumes cur when it is tok. */
bool pql_accept(PqlParser *p, PqlTok tok);
/* "unexpected X in context, expected Y"; context and expected may be "". Always false. */
bool pql_unexpected(PqlParser *p, const char *context, const char *expected);
bool pql_expect(PqlParser *p, PqlTok tok, const char *context, const char *expected);
/* The arena is used up. Always NULL. */
void *pql_no_memory(PqlParser *p);
PqlNode *pql_node(PqlParser *p, PqlKind kind, size_t start, size_t end);

/* parse_sel.c: selectors and durations */
bool pql_is_metric_name(PqlTok tok);
PqlNode *pql_parse_vector_selector(PqlParser *p);
/* cur is '[', offset, @, anchored or smoothed behind expr. */
PqlNode *pql_parse_postfix(PqlParser *p, PqlNode *expr);
/* Text of a NUMBER or DURATION token. */
bool pql_number_value(PqlParser *p, const PqlToken *t, double *ret);
bool pql_unquote(PqlParser *p, const PqlToken *t, Str *ret);

#endif
