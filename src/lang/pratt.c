#include "lang/pratt.h"

bool pratt_enter(Pratt *p) {
    if (p->depth >= PRATT_DEPTH_MAX) {
        p->syntax->too_deep(p->ctx);
        return false;
    }
    p->depth++;
    return true;
}

void pratt_leave(Pratt *p) {
    ASSERT(p->depth > 0);
    p->depth--;
}

static const PrattInfix *pratt_find(const PrattSyntax *s, int op) {
    for (size_t i = 0; i < s->n_table; i++)
        if (s->table[i].op == op) return &s->table[i];
    return NULL;
}

void *pratt_parse(Pratt *p, unsigned min_bp) {
    const PrattSyntax *s = p->syntax;
    if (!pratt_enter(p)) return NULL;
    void *left = s->prefix(p->ctx);
    while (left) {
        const PrattInfix *op = pratt_find(s, s->peek(p->ctx));
        if (!op || op->left_bp < min_bp) break;
        if (++p->operators > PRATT_OPERATORS_MAX) {
            s->too_deep(p->ctx);
            left = NULL;
            break;
        }
        DASSERT(op->left_bp > 0 && op->right_bp >= op->left_bp);
        left = s->infix(p->ctx, left, op);
    }
    pratt_leave(p);
    return left;
}
