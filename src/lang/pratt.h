/* pratt.h - operator precedence as data.
 *
 * A language gives a table of infix operators with binding powers and three callbacks; the core does the
 * climbing and holds the depth limit. Left-associative: right_bp = left_bp + 1; right-associative:
 * right_bp = left_bp. A prefix operator's callback calls pratt_parse with its own binding power. */
#ifndef MEERKAT_LANG_PRATT_H
#define MEERKAT_LANG_PRATT_H

#include "base/base.h"

#define PRATT_DEPTH_MAX 64
/* Operators in one expression: a chain of left-binding ones makes a tree as deep as it is long, which evaluators walk.
 */
#define PRATT_OPERATORS_MAX 2000

typedef struct PrattInfix {
    int op;                    /* the language's token id, as peek gives it */
    uint8_t left_bp, right_bp; /* > 0 */
} PrattInfix;

typedef struct PrattSyntax {
    const PrattInfix *table;
    size_t n_table;
    /* Id of the current token if it may be an infix operator, else -1. */
    int (*peek)(void *ctx);
    /* Parses a primary or a prefix operator with its operand; NULL on error (already reported). */
    void *(*prefix)(void *ctx);
    /* The current token is op. Consumes it with its modifiers, calls pratt_parse(p, op->right_bp) for the right
     * side, and gives the node; NULL on error. */
    void *(*infix)(void *ctx, void *left, const PrattInfix *op);
    /* Called once when PRATT_DEPTH_MAX or PRATT_OPERATORS_MAX is reached; reports the error. */
    void (*too_deep)(void *ctx);
} PrattSyntax;

typedef struct Pratt {
    const PrattSyntax *syntax;
    void *ctx;
    unsigned depth, operators;
} Pratt;

/* An expression whose operators bind at least as strongly as min_bp (0: all). NULL on error. */
void *pratt_parse(Pratt *p, unsigned min_bp);
/* Callers that recurse without pratt_parse (nested calls) use these. enter is false at the limit, reported. */
ATTR_MUST bool pratt_enter(Pratt *p);
void pratt_leave(Pratt *p);

#endif
