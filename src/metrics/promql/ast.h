/* ast.h - the syntax tree of a PromQL query (Prometheus 3.x grammar), its parser and its printers.
 *
 * Nodes live in an arena and borrow from the arena's copy of the source; there is nothing to destroy.
 * All experimental functions and modifiers of Prometheus 3.14 are part of the language. */
#ifndef MEERKAT_METRICS_PROMQL_AST_H
#define MEERKAT_METRICS_PROMQL_AST_H

#include "base/vec.h"
#include "lang/langerr.h"
#include "metrics/promql/token.h"
#include "model/labels.h"

typedef enum PqlKind {
    PQL_NUMBER,
    PQL_STRING,
    PQL_SELECTOR, /* instant vector selector */
    PQL_MATRIX,   /* selector[range] */
    PQL_SUBQUERY, /* expr[range:step] */
    PQL_UNARY,
    PQL_BINARY,
    PQL_PAREN,
    PQL_AGGREGATE,
    PQL_CALL,
    PQL_DURATION, /* arithmetic on durations inside [] and offset (); never evaluated as an expression */
} PqlKind;

typedef enum PqlType { PQL_TYPE_NONE, PQL_TYPE_SCALAR, PQL_TYPE_VECTOR, PQL_TYPE_MATRIX, PQL_TYPE_STRING } PqlType;

typedef struct PqlNode PqlNode;
typedef struct PqlFunction PqlFunction;
typedef AVEC(Str) StrVec;
typedef AVEC(PqlNode *) PqlNodeVec;

typedef enum PqlCard { PQL_ONE_TO_ONE, PQL_MANY_TO_ONE, PQL_ONE_TO_MANY, PQL_MANY_TO_MANY } PqlCard;

/* A time span that may be computed: expr is NULL for a literal. */
typedef struct PqlSpan {
    int64_t ms;
    PqlNode *expr;
} PqlSpan;

typedef enum PqlAt { PQL_AT_NONE, PQL_AT_TIME, PQL_AT_START, PQL_AT_END } PqlAt;

/* offset and @, shared by selectors and subqueries. */
typedef struct PqlShift {
    PqlSpan offset;
    PqlAt at;
    int64_t at_ms;
} PqlShift;

struct PqlNode {
    PqlKind kind;
    LangSpan span;
    bool invariant; /* set by the engine: the same at every step (@ everywhere) */
    union {
        struct {
            double value;
            bool is_duration;
        } number;
        Str string;
        struct {
            Str name;          /* metric name outside the braces, else empty */
            Matchers matchers; /* the name's matcher is the last one when name is set */
            PqlShift shift;
            bool anchored, smoothed;
            bool any_ok;        /* second argument of info(): may match the empty label set */
            bool detect_resets; /* set by the engine: only count and sum of native histograms are used */
        } selector;
        struct {
            PqlNode *selector;
            PqlSpan range;
        } matrix;
        struct {
            PqlNode *expr;
            PqlSpan range, step;
            bool has_step;
            PqlShift shift;
        } subquery;
        struct {
            PqlTok op;
            PqlNode *expr;
        } unary;
        struct {
            PqlTok op;
            PqlNode *lhs, *rhs;
            bool return_bool, on, matching; /* matching: on or ignoring was written */
            PqlCard card;
            StrVec labels, include;
            bool has_fill_lhs, has_fill_rhs;
            double fill_lhs, fill_rhs;
        } binary;
        PqlNode *paren;
        struct {
            PqlTok op;
            PqlNode *param, *expr;
            bool without;
            StrVec grouping;
        } aggregate;
        struct {
            const PqlFunction *fn;
            PqlNodeVec args;
        } call;
        struct {
            PqlTok op;
            PqlNode *lhs, *rhs;
            bool wrapped;
        } duration; /* op: + - * / % ^ step range min_of max_of */
    };
};

/* Parses and type-checks. *ret lives in arena. The error's text is Prometheus': "1:5: parse error: ...".
 * ERR_INVALID; ERR_TOO_LARGE for depth, length, and an arena that is used up. */
ErrCode promql_parse(Str source, Arena *arena, PqlNode **ret, Err *reterr);
/* A vector selector alone, as match[] parameters have it. Matchers that match everything are accepted here. */
ErrCode promql_parse_selector(Str source, Arena *arena, Matchers *ret, Err *reterr);

PqlType promql_type(const PqlNode *node);
const char *promql_type_name(PqlType type);       /* "vector": as in API results */
const char *promql_type_documented(PqlType type); /* "instant vector": as in messages */

/* Canonical text on one line; reparsing it gives the same tree. */
void promql_print(Buf *out, const PqlNode *node);
/* The text of /api/v1/format_query: lines over 100 bytes are broken. */
void promql_print_pretty(Buf *out, const PqlNode *node);
/* One matcher as Prometheus prints it: a="b", "utf8 name"=~"x.*". */
void promql_print_matcher(Buf *out, const Matcher *m);

/* A node without the parentheses around it. */
static inline const PqlNode *promql_unparen(const PqlNode *n) {
    while (n->kind == PQL_PAREN) n = n->paren;
    return n;
}

/* --- for the parser's parts --- */
/* Type check; the first error is kept in err. */
bool promql_check(PqlNode *root, Str source, LangError *err);

#endif
