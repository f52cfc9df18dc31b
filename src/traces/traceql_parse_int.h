/* traceql_parse_int.h - private: the parser's parts: tokens (traceql_parse_token.c), fields (traceql_parse_field.c),
 * pipelines (traceql_parse_pipeline.c), metrics (traceql_parse_metrics.c), types (traceql_check.c). */
#ifndef MEERKAT_TRACES_TRACEQL_PARSE_INT_H
#define MEERKAT_TRACES_TRACEQL_PARSE_INT_H

#include "lang/langerr.h"
#include "lang/pratt.h"
#include "traces/traceql.h"
#include "traces/traceql_lex.h"

typedef struct TqlParser {
    Str src;
    Arena *arena;
    TqlToken tok;
    LangError error;
    Pratt outer, fields;
} TqlParser;

void tql_advance(TqlParser *p);
/* All give false, so that `return tql_fail...` works. expecting may be NULL. */
bool tql_fail_unexpected(TqlParser *p, const char *expecting);
bool tql_fail_memory(TqlParser *p);
void *tql_alloc(TqlParser *p, size_t size); /* zeroed; NULL: reported */
#define TQL_NODE(p, T) ((T *)tql_alloc((p), sizeof(T)))

static inline bool tql_is_punct(const TqlParser *p, const char *text) {
    return p->tok.kind == TQL_T_PUNCT && str_eq(p->tok.text, str_cstr(text));
}
static inline bool tql_is_word(const TqlParser *p, const char *text) {
    return p->tok.kind == TQL_T_WORD && str_eq(p->tok.text, str_cstr(text));
}
bool tql_take_punct(TqlParser *p, const char *text); /* true: it was there and is consumed */
bool tql_expect_punct(TqlParser *p, const char *text);

/* --- fields --- */
extern const PrattSyntax tql_field_syntax;
TqlExpr *tql_parse_expr(TqlParser *p);             /* NULL: reported */
bool tql_parse_exprs(TqlParser *p, TqlExprs *ret); /* ( a, b ); the current token is the parenthesis */
/* A literal, with a sign where it is a number. */
bool tql_parse_static(TqlParser *p, TqlValue *ret);
bool tql_is_static(const TqlParser *p);
/* The whole of {...}; the current token is its brace. */
TqlSpansetExpr *tql_parse_filter(TqlParser *p);

/* --- pipelines --- */
extern const PrattSyntax tql_outer_syntax;
/* The whole text, into q: a search or metrics. false: reported. */
bool tql_parse_query(TqlParser *p, TraceQl *q);

/* --- metrics --- */
/* The current token is a word: is it a metrics function or second stage? */
int tql_metrics_func(const TqlParser *p); /* TqlMetricsFunc, or -1 */
/* rate() by(a) > 5: behind the pipe; pipeline are the stages before. */
TqlMetrics *tql_parse_metrics_func(TqlParser *p, TqlPipeline *pipeline);
bool tql_is_second(const TqlParser *p);
bool tql_parse_second(TqlParser *p, TqlMetrics *m); /* topk(5), bottomk(5) */
/* op number, when a comparison stands here. */
bool tql_parse_threshold(TqlParser *p, TqlMetrics *m);
bool tql_add_threshold(TqlParser *p, TqlMetrics *m, TqlOp op, const TqlValue *literal, LangSpan span);
double tql_number_of(const TqlValue *v);
bool tql_parse_hints(TqlParser *p, TraceQl *q);

/* --- types --- */
/* Type errors and regular expressions. false: reported. */
bool tql_check(TqlParser *p, const TraceQl *q);

static inline bool tql_is_comparison(TqlOp op) {
    return op == TQL_EQ || op == TQL_NEQ || op == TQL_GT || op == TQL_GE || op == TQL_LT || op == TQL_LE;
}
static inline bool tql_is_arithmetic(TqlOp op) { return op >= TQL_ADD && op <= TQL_POW; }
static inline bool tql_is_structural(TqlOp op) { return op >= TQL_CHILD && op <= TQL_UNION_SIBLING; }

#endif
