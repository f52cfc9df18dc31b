#include "metrics/promql/explain_int.h"

#include "sys/clock.h"

struct PlanNode {
    PromqlPlan pub; /* first */
    PlanNode *parent;
    AVEC(PromqlPlan *) children;
    int64_t begin_ns;
};

static const char *op_of(const PqlNode *n) {
    switch (n->kind) {
    case PQL_NUMBER:
    case PQL_STRING: return "literal";
    case PQL_SELECTOR:
    case PQL_MATRIX: return "selector";
    case PQL_SUBQUERY: return "subquery";
    case PQL_UNARY: return "unary";
    case PQL_BINARY: return "binary";
    case PQL_AGGREGATE: return "aggregate";
    case PQL_CALL: return window_fn(n->call.fn->id) ? "window" : "function";
    case PQL_PAREN:
    case PQL_DURATION: break;
    }
    UNREACHABLE();
}

static void put_names(Buf *b, const char *word, const StrVec *names) {
    buf_printf(b, " %s (", word);
    for (size_t i = 0; i < names->n; i++) buf_printf(b, "%s%" STR_FMT, i ? ", " : "", STR_ARG(names->v[i]));
    buf_put_char(b, ')');
}

static void put_binary_name(Buf *b, const PqlNode *n) {
    buf_printf(b, "%s", pql_tok_text(n->binary.op));
    if (n->binary.matching) put_names(b, n->binary.on ? "on" : "ignoring", &n->binary.labels);
    if (n->binary.card == PQL_MANY_TO_ONE) put_names(b, "group_left", &n->binary.include);
    if (n->binary.card == PQL_ONE_TO_MANY) put_names(b, "group_right", &n->binary.include);
}

static void put_name(Buf *b, const PqlNode *n) {
    switch (n->kind) {
    case PQL_CALL: buf_printf(b, "%s", n->call.fn->name); return;
    case PQL_UNARY: buf_printf(b, "%s", pql_tok_text(n->unary.op)); return;
    case PQL_BINARY: put_binary_name(b, n); return;
    case PQL_AGGREGATE:
        buf_printf(b, "%s", pql_tok_text(n->aggregate.op));
        if (n->aggregate.grouping.n || n->aggregate.without)
            put_names(b, n->aggregate.without ? "without" : "by", &n->aggregate.grouping);
        return;
    default: promql_print(b, n);
    }
}

static Str text_of(Ev *ev, const PqlNode *n, void (*put)(Buf *b, const PqlNode *n)) {
    Buf b = {0};
    put(&b, n);
    Str s = arena_copy(ev->arena, buf_str(&b));
    buf_done(&b);
    if (!s.p) ev_no_memory(ev);
    return s;
}

PlanNode *plan_begin(Ev *ev, const PqlNode *n, const char *how, uint64_t steps) {
    if (!ev->explain) return NULL;
    while (n->kind == PQL_PAREN) n = n->paren;
    PlanNode *p = ARENA_NEW(ev->arena, PlanNode);
    if (!p) return ev_no_memory(ev), NULL;
    p->pub = (PromqlPlan){.op = op_of(n), .span = n->span, .how = how, .steps = steps, .threads = 1};
    p->pub.name = text_of(ev, n, put_name);
    p->pub.text = text_of(ev, n, promql_print);
    p->parent = ev->explain;
    p->begin_ns = clock_mono_ns();
    if (!avec_push(ev->arena, &ev->explain->children, &p->pub)) return ev_no_memory(ev), NULL;
    ev->explain = p;
    return p;
}

void plan_end(Ev *ev, PlanNode *p) {
    if (!p) return;
    p->pub.ns = clock_mono_ns() - p->begin_ns;
    p->pub.children = p->children.v;
    p->pub.n_children = p->children.n;
    ev->explain = p->parent;
}

PromqlPlan *plan_of(PlanNode *p) { return p ? &p->pub : NULL; }

bool plan_root(Ev *ev) {
    ev->explain = ARENA_NEW(ev->arena, PlanNode);
    return ev->explain || ev_no_memory(ev);
}

PromqlPlan *plan_result(const Ev *ev) { return ev->explain->children.n ? ev->explain->children.v[0] : NULL; }
