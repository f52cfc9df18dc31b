/* traceql_parse_pipeline.c - what stands outside of braces: spansets, numbers, metrics, and the stages they make. */
#include "traces/traceql_parse_int.h"

/* --- what an operand can be --- */

typedef enum NodeKind { NODE_SPANSET, NODE_SCALAR, NODE_COMPARE, NODE_METRICS } NodeKind;
/* One of them, behind one pointer for the Pratt core. COMPARE: count() > 2, which can only be a stage. */
typedef struct Node {
    NodeKind kind;
    LangSpan span, op_span;
    TqlSpansetExpr *spanset;
    TqlScalar *scalar, *right;
    TqlOp op;
    TqlMetrics *metrics;
    bool in_parens; /* metrics are combined in parentheses only */
} Node;

static Node *new_node(TqlParser *p, NodeKind kind, LangSpan span) {
    Node *n = TQL_NODE(p, Node);
    if (!n) return NULL;
    n->kind = kind;
    n->span = span;
    return n;
}

static Node *spanset_node(TqlParser *p, TqlSpansetExpr *s) {
    Node *n = s ? new_node(p, NODE_SPANSET, s->span) : NULL;
    if (n) n->spanset = s;
    return n;
}

static Node *scalar_node(TqlParser *p, TqlScalar *s) {
    Node *n = s ? new_node(p, NODE_SCALAR, s->span) : NULL;
    if (n) n->scalar = s;
    return n;
}

static Node *metrics_node(TqlParser *p, TqlMetrics *m) {
    Node *n = m ? new_node(p, NODE_METRICS, m->span) : NULL;
    if (n) n->metrics = m;
    return n;
}

static TqlScalar *new_scalar(TqlParser *p, TqlScalarKind kind, LangSpan span) {
    TqlScalar *s = TQL_NODE(p, TqlScalar);
    if (!s) return NULL;
    s->kind = kind;
    s->span = span;
    return s;
}

/* --- operands --- */

static Node *parse_pipeline(TqlParser *p);

static int aggregate_of(const TqlParser *p) {
    for (int i = 0; p->tok.kind == TQL_T_WORD && i < (int)ARRAY_LEN(tql_aggregate_names); i++) {
        if (str_eq(p->tok.text, str_cstr(tql_aggregate_names[i]))) return i;
    }
    return -1;
}

static Node *parse_aggregate(TqlParser *p) {
    TqlScalar *s = new_scalar(p, TQL_C_AGGREGATE, p->tok.span);
    if (!s) return NULL;
    s->aggregate = (TqlAggregate)aggregate_of(p);
    tql_advance(p);
    if (!tql_expect_punct(p, "(")) return NULL;
    if (s->aggregate != TQL_COUNT) {
        s->expr = tql_parse_expr(p);
        if (!s->expr) return NULL;
    }
    s->span.end = p->tok.span.end;
    return tql_expect_punct(p, ")") ? scalar_node(p, s) : NULL;
}

static Node *parse_literal(TqlParser *p) {
    TqlScalar *s = new_scalar(p, TQL_C_STATIC, p->tok.span);
    if (!s) return NULL;
    if (!tql_parse_static(p, &s->value)) return NULL;
    return scalar_node(p, s);
}

/* A pipeline in parentheses: what it is as an operand. */
static Node *parse_parens(TqlParser *p) {
    LangSpan open = p->tok.span;
    tql_advance(p);
    Node *n = parse_pipeline(p);
    if (!n) return NULL;
    n->span = lang_span_join(open, p->tok.span);
    n->in_parens = true;
    return tql_expect_punct(p, ")") ? n : NULL;
}

static void *outer_prefix(void *ctx) {
    TqlParser *p = ctx;
    if (tql_is_punct(p, "{")) return spanset_node(p, tql_parse_filter(p));
    if (tql_is_punct(p, "(")) return parse_parens(p);
    if (aggregate_of(p) >= 0) return parse_aggregate(p);
    if (tql_is_static(p) || tql_is_punct(p, "-")) return parse_literal(p);
    tql_fail_unexpected(p, NULL);
    return NULL;
}

/* --- operators --- */

static const PrattInfix outer_table[] = {
    {TQL_OR, 1, 2},
    {TQL_AND, 1, 2},
    {TQL_EQ, 3, 4},
    {TQL_NEQ, 3, 4},
    {TQL_GT, 3, 4},
    {TQL_GE, 3, 4},
    {TQL_LT, 3, 4},
    {TQL_LE, 3, 4},
    {TQL_NRE, 3, 4},
    {TQL_DESCENDANT, 3, 4},
    {TQL_ANCESTOR, 3, 4},
    {TQL_SIBLING, 3, 4},
    {TQL_NOT_CHILD, 3, 4},
    {TQL_NOT_PARENT, 3, 4},
    {TQL_NOT_DESCENDANT, 3, 4},
    {TQL_NOT_ANCESTOR, 3, 4},
    {TQL_UNION_CHILD, 3, 4},
    {TQL_UNION_PARENT, 3, 4},
    {TQL_UNION_DESCENDANT, 3, 4},
    {TQL_UNION_ANCESTOR, 3, 4},
    {TQL_UNION_SIBLING, 3, 4},
    {TQL_ADD, 5, 6},
    {TQL_SUB, 5, 6},
    {TQL_MUL, 7, 8},
    {TQL_DIV, 7, 8},
    {TQL_MOD, 7, 8},
    {TQL_POW, 9, 9},
};

static int outer_peek(void *ctx) {
    const TqlParser *p = ctx;
    return p->tok.kind == TQL_T_PUNCT && p->tok.op < TQL_OPS ? (int)p->tok.op : -1;
}

/* What an operator means between spansets; TQL_OPS: nothing. */
static TqlOp spanset_op(TqlOp op) {
    switch (op) {
    case TQL_GT: return TQL_CHILD;
    case TQL_LT: return TQL_PARENT;
    case TQL_NRE: return TQL_NOT_SIBLING;
    default: return op == TQL_AND || op == TQL_OR || tql_is_structural(op) ? op : TQL_OPS;
    }
}

static Node *join_spansets(TqlParser *p, Node *left, Node *right, TqlOp op) {
    TqlSpansetExpr *s = TQL_NODE(p, TqlSpansetExpr);
    if (!s) return NULL;
    *s = (TqlSpansetExpr){.kind = TQL_S_BINARY,
        .span = lang_span_join(left->span, right->span),
        .op = op,
        .left = left->spanset,
        .right = right->spanset};
    return spanset_node(p, s);
}

static Node *join_scalars(TqlParser *p, Node *left, Node *right, TqlOp op) {
    LangSpan span = lang_span_join(left->span, right->span);
    if (tql_is_comparison(op)) {
        Node *n = new_node(p, NODE_COMPARE, span);
        if (!n) return NULL;
        n->scalar = left->scalar;
        n->right = right->scalar;
        n->op = op;
        return n;
    }
    TqlScalar *s = new_scalar(p, TQL_C_BINARY, span);
    if (!s) return NULL;
    s->op = op;
    s->left = left->scalar;
    s->right = right->scalar;
    return scalar_node(p, s);
}

static bool is_metrics_op(TqlOp op) { return op == TQL_ADD || op == TQL_SUB || op == TQL_MUL || op == TQL_DIV; }

/* A number, or arithmetic of numbers alone. NULL: it is none, or memory is short. */
static TqlMetrics *metrics_of_scalar(TqlParser *p, const TqlScalar *s) {
    const TqlValue *v = &s->value;
    bool number = s->kind == TQL_C_STATIC && (v->type == TQL_INT || v->type == TQL_FLOAT || v->type == TQL_DURATION);
    if (!number && !(s->kind == TQL_C_BINARY && is_metrics_op(s->op))) return NULL;
    TqlMetrics *m = TQL_NODE(p, TqlMetrics);
    if (!m) return NULL;
    if (number) {
        *m = (TqlMetrics){.kind = TQL_M_SCALAR, .span = s->span, .literal = *v, .value = tql_number_of(v)};
        return m;
    }
    *m = (TqlMetrics){.kind = TQL_M_BINARY, .span = s->span, .op = s->op};
    m->left = metrics_of_scalar(p, s->left);
    m->right = m->left ? metrics_of_scalar(p, s->right) : NULL;
    return m->right ? m : NULL;
}

/* What stands beside metrics; NULL: it cannot (reported). */
static TqlMetrics *metrics_of(TqlParser *p, Node *n, LangSpan op_span) {
    if (n->kind == NODE_METRICS && n->in_parens) return n->metrics;
    TqlMetrics *m = n->kind == NODE_SCALAR ? metrics_of_scalar(p, n->scalar) : NULL;
    if (!m && !p->error.set)
        lang_fail(&p->error, op_span, "syntax error: metrics are combined in parentheses, or with numbers");
    return m;
}

static Node *join_metrics(TqlParser *p, Node *left, Node *right, TqlOp op, LangSpan op_span) {
    if (tql_is_comparison(op) && left->kind == NODE_METRICS && left->in_parens && right->kind == NODE_SCALAR &&
        right->scalar->kind == TQL_C_STATIC) {
        left->span = lang_span_join(left->span, right->span);
        return tql_add_threshold(p, left->metrics, op, &right->scalar->value, right->span) ? left : NULL;
    }
    if (!is_metrics_op(op)) {
        lang_fail(&p->error, op_span, "syntax error: unexpected %s between metrics", tql_op_names[op]);
        return NULL;
    }
    TqlMetrics *l = metrics_of(p, left, op_span), *r = l ? metrics_of(p, right, op_span) : NULL;
    TqlMetrics *m = r ? TQL_NODE(p, TqlMetrics) : NULL;
    if (!m) return NULL;
    *m = (TqlMetrics){.kind = TQL_M_BINARY, .span = lang_span_join(l->span, r->span), .op = op, .left = l, .right = r};
    Node *n = metrics_node(p, m);
    if (n) n->in_parens = true; /* so that a further operator takes it */
    return n;
}

static void *outer_infix(void *ctx, void *left_node, const PrattInfix *infix) {
    TqlParser *p = ctx;
    Node *left = left_node;
    TqlOp op = (TqlOp)infix->op;
    LangSpan op_span = p->tok.span;
    TqlToken op_token = p->tok;
    tql_advance(p);
    Node *right = pratt_parse(&p->outer, infix->right_bp);
    if (!right) return NULL;
    Node *n = NULL;
    if (left->kind == NODE_METRICS || right->kind == NODE_METRICS) {
        n = join_metrics(p, left, right, op, op_span);
    } else if (left->kind == NODE_SPANSET && right->kind == NODE_SPANSET && spanset_op(op) != TQL_OPS) {
        n = join_spansets(p, left, right, spanset_op(op));
    } else if (left->kind == NODE_SCALAR && right->kind == NODE_SCALAR &&
               (tql_is_comparison(op) || tql_is_arithmetic(op))) {
        n = join_scalars(p, left, right, op);
    } else {
        p->tok = op_token;
        tql_fail_unexpected(p, NULL);
    }
    return n;
}

static void outer_too_deep(void *ctx) {
    TqlParser *p = ctx;
    lang_fail(&p->error, p->tok.span, "the query is nested too deeply or has too many operators");
}

const PrattSyntax tql_outer_syntax = {
    outer_table, ARRAY_LEN(outer_table), outer_peek, outer_prefix, outer_infix, outer_too_deep};

/* --- pipelines --- */

static TqlStage *new_stage(TqlParser *p, TqlStageKind kind, LangSpan span) {
    TqlStage *s = TQL_NODE(p, TqlStage);
    if (!s) return NULL;
    s->kind = kind;
    s->span = span;
    return s;
}

static TqlStage *parse_word_stage(TqlParser *p) {
    TqlStageKind kind = tql_is_word(p, "by") ? TQL_ST_BY : tql_is_word(p, "coalesce") ? TQL_ST_COALESCE : TQL_ST_SELECT;
    TqlStage *s = new_stage(p, kind, p->tok.span);
    if (!s) return NULL;
    tql_advance(p);
    if (kind == TQL_ST_SELECT) return tql_parse_exprs(p, &s->exprs) ? s : NULL;
    if (!tql_expect_punct(p, "(")) return NULL;
    if (kind == TQL_ST_BY) {
        TqlExpr *e = tql_parse_expr(p);
        if (!e) return NULL;
        if (!avec_push(p->arena, &s->exprs, e)) {
            tql_fail_memory(p);
            return NULL;
        }
    }
    s->span.end = p->tok.span.end;
    return tql_expect_punct(p, ")") ? s : NULL;
}

/* An expression as a stage; *ret_metrics instead when it is metrics, which only a pipeline of its own can be. */
static TqlStage *stage_of(TqlParser *p, Node *n, TqlMetrics **ret_metrics) {
    static const TqlStageKind kinds[] = {
        [NODE_SPANSET] = TQL_ST_SPANSET, [NODE_SCALAR] = TQL_ST_SCALAR, [NODE_COMPARE] = TQL_ST_COMPARE};
    if (n->kind == NODE_METRICS) {
        *ret_metrics = n->metrics;
        return NULL;
    }
    TqlStage *s = new_stage(p, kinds[n->kind], n->span);
    if (!s) return NULL;
    s->spanset = n->spanset;
    s->left = n->scalar;
    s->right = n->right;
    s->op = n->op;
    return s;
}

static bool starts_word_stage(const TqlParser *p) {
    return tql_is_word(p, "by") || tql_is_word(p, "coalesce") || tql_is_word(p, "select");
}

static TqlStage *parse_stage(TqlParser *p, TqlMetrics **ret_metrics) {
    if (starts_word_stage(p)) return parse_word_stage(p);
    Node *n = pratt_parse(&p->outer, 0);
    return n ? stage_of(p, n, ret_metrics) : NULL;
}

/* What follows metrics: | topk(5) | bottomk(2). */
static Node *parse_seconds(TqlParser *p, TqlMetrics *m) {
    while (m && tql_is_punct(p, "|")) {
        tql_advance(p);
        if (!tql_is_second(p)) {
            tql_fail_unexpected(p, "topk or bottomk");
            return NULL;
        }
        if (!tql_parse_second(p, m)) return NULL;
    }
    return metrics_node(p, m);
}

/* A finished pipeline: a single spanset or scalar stands for itself. */
static Node *pipeline_node(TqlParser *p, TqlPipeline *pl, const TqlStage *last) {
    bool single = last == pl->stages;
    if (single && last->kind == TQL_ST_SPANSET) return spanset_node(p, last->spanset);
    if (single && last->kind == TQL_ST_SCALAR) return scalar_node(p, last->left);
    if (last->kind == TQL_ST_SCALAR) {
        TqlScalar *s = new_scalar(p, TQL_C_PIPELINE, pl->span);
        if (s) s->pipeline = pl;
        return scalar_node(p, s);
    }
    TqlSpansetExpr *s = TQL_NODE(p, TqlSpansetExpr);
    if (!s) return NULL;
    *s = (TqlSpansetExpr){.kind = TQL_S_PIPELINE, .span = pl->span, .pipeline = pl};
    return spanset_node(p, s);
}

static bool push_stage(TqlPipeline *pl, TqlStage **last, TqlStage *s) {
    if (*last)
        (*last)->next = s;
    else
        pl->stages = s;
    *last = s;
    pl->span = lang_span_join(pl->span, s->span);
    return true;
}

/* stage { "|" stage } [ "|" metrics ] up to something else. */
static Node *parse_pipeline(TqlParser *p) {
    TqlPipeline *pl = TQL_NODE(p, TqlPipeline);
    if (!pl) return NULL;
    pl->span = p->tok.span;
    TqlStage *last = NULL;
    unsigned n = 0;
    for (;;) {
        if (last && tql_metrics_func(p) >= 0) return parse_seconds(p, tql_parse_metrics_func(p, pl));
        TqlMetrics *metrics = NULL;
        TqlStage *s = parse_stage(p, &metrics);
        if (metrics && !last) return parse_seconds(p, metrics);
        if (metrics) lang_fail(&p->error, metrics->span, "syntax error: metrics are no stage of a pipeline");
        if (metrics || !s) return NULL;
        if (++n > PRATT_OPERATORS_MAX) {
            outer_too_deep(p);
            return NULL;
        }
        push_stage(pl, &last, s);
        if (!tql_take_punct(p, "|")) return pipeline_node(p, pl, last);
        if (s->kind == TQL_ST_SCALAR) {
            lang_fail(&p->error, s->span, "syntax error: a number must be compared with something");
            return NULL;
        }
    }
}

/* --- whole queries --- */

static bool as_search(TqlParser *p, Node *n, TraceQl *q) {
    if (n->kind == NODE_SCALAR) return tql_fail_unexpected(p, "a comparison");
    ASSERT(n->kind == NODE_SPANSET);
    q->pipeline = n->spanset->kind == TQL_S_PIPELINE ? n->spanset->pipeline : TQL_NODE(p, TqlPipeline);
    if (!q->pipeline || q->pipeline->stages) return q->pipeline != NULL;
    TqlStage *s = new_stage(p, TQL_ST_SPANSET, n->span);
    if (!s) return false;
    s->spanset = n->spanset;
    q->pipeline->span = n->span;
    q->pipeline->stages = s;
    return true;
}

bool tql_parse_query(TqlParser *p, TraceQl *q) {
    Node *n = parse_pipeline(p);
    if (!n) return false;
    q->is_metrics = n->kind == NODE_METRICS;
    if (q->is_metrics)
        q->metrics = n->metrics;
    else if (!as_search(p, n, q))
        return false;
    if (!tql_parse_hints(p, q)) return false;
    return p->tok.kind == TQL_T_END || tql_fail_unexpected(p, NULL);
}
