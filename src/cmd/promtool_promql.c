/* promtool_promql.c - promtool promql: expressions, printed and changed. */
#include "cmd/promtool_int.h"
#include "metrics/promql/ast.h"

#define EXPRESSION_BYTES (64u << 20)

static PqlNode *parse(const char *text, Arena *arena) {
    PqlNode *n;
    Err err = {0};
    if (promql_parse(str_cstr(text), arena, &n, &err) == OK) return n;
    fprintf(stderr, "%s\n", err.msg);
    return NULL;
}

static int print(const PqlNode *n) {
    Buf out = {0};
    promql_print_pretty(&out, n);
    buf_put_char(&out, '\n');
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    return 0;
}

int promtool_format(const PtLine *l) {
    Arena *arena = arena_create(EXPRESSION_BYTES);
    PqlNode *n = parse(pt_arg(l, 0), arena);
    int code = n ? print(n) : 1;
    arena_free(arena);
    return code;
}

/* What is done to each selector; m NULL: the label's matchers go. */
typedef struct Change {
    Arena *arena;
    Str name;
    const Matcher *m;
} Change;

static void change_selector(const Change *c, PqlNode *n) {
    Matchers old = n->selector.matchers;
    if (!c->m && str_eq_lit(c->name, "__name__")) return; /* the name stays, as it does with promtool */
    const Matcher **v = ARENA_ARRAY(c->arena, const Matcher *, old.n + 1);
    size_t k = 0;
    bool set = !c->m;
    for (size_t i = 0; v && i < old.n; i++) {
        bool same = str_eq(old.v[i]->name, c->name);
        if (!same)
            v[k++] = old.v[i];
        else if (c->m)
            v[k++] = c->m, set = true;
    }
    if (v && !set) v[k++] = c->m;
    if (v) n->selector.matchers = (Matchers){v, k};
    if (str_eq_lit(c->name, "__name__")) n->selector.name = STR_NULL; /* it is printed as a matcher */
}

static void change(const Change *c, PqlNode *n) {
    if (!n) return;
    switch (n->kind) {
    case PQL_SELECTOR: change_selector(c, n); break;
    case PQL_MATRIX: change_selector(c, n->matrix.selector); break;
    case PQL_SUBQUERY: change(c, n->subquery.expr); break;
    case PQL_UNARY: change(c, n->unary.expr); break;
    case PQL_PAREN: change(c, n->paren); break;
    case PQL_BINARY: change(c, n->binary.lhs), change(c, n->binary.rhs); break;
    case PQL_AGGREGATE: change(c, n->aggregate.param), change(c, n->aggregate.expr); break;
    case PQL_CALL:
        for (size_t i = 0; i < n->call.args.n; i++) change(c, n->call.args.v[i]);
        break;
    case PQL_NUMBER:
    case PQL_STRING:
    case PQL_DURATION: break;
    }
}

static int change_and_print(const char *query, const char *name, const char *value, MatchType type) {
    Arena *arena = arena_create(EXPRESSION_BYTES);
    PqlNode *n = parse(query, arena);
    Change c = {.arena = arena, .name = str_cstr(name)};
    Err err = {0};
    int code = n ? 0 : 1;
    if (n && value && matcher_create(arena, type, c.name, str_cstr(value), &c.m, &err) != OK)
        code = fprintf(stderr, "%s\n", err.msg) ? 1 : 1;
    if (code == 0) {
        change(&c, n);
        code = print(n);
    }
    arena_free(arena);
    return code;
}

int promtool_matchers_set(const PtLine *l) {
    static const char *const types[] = {[MATCH_EQ] = "=", [MATCH_NEQ] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    size_t type = 0;
    while (strcmp(types[type], pt_text(l, "type")) != 0) type++;
    return change_and_print(pt_arg(l, 0), pt_arg(l, 1), pt_arg(l, 2), (MatchType)type);
}

int promtool_matchers_delete(const PtLine *l) { return change_and_print(pt_arg(l, 0), pt_arg(l, 1), NULL, MATCH_EQ); }
