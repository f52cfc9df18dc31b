/* rule_lint.c - rules that load and do not do what they seem to. Each warning is one function below; each was found in
 * rules that people ran for years:
 *
 *   ratio          rate(x{code=~"5.."}[5m]) / rate(x[5m]): series match one to one on code, each is divided by itself
 *   limit          memory / memory_limit: a limit of 0 means "none", and +Inf > 0.9 fires
 *   for_state      ALERTS_FOR_STATE{alertstate=...}: that series has no such label
 *   quantile       histogram_quantile(0.9, sum(rate(x_bucket[5m]))): le is gone, the answer is always empty
 *   no_threshold   an alert without a comparison fires for every series, whatever its value
 *   bool           an alert on `x > bool 1` fires always: 0 is a value, too
 *   moving_label   {{ $value }} in a label: every evaluation makes another alert, `for` never passes */
#include "alert/rule_file.h"

#include "metrics/promql/ast.h"
#include "metrics/promql/function.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Lint {
    DiagList *diags;
    const RuleGroupDef *group;
    const RuleDef *rule;
    size_t index;
    const PqlNode *root;
} Lint;

static void ATTR_PRINTF(4, 5) warn(Lint *l, const PqlNode *at, const char *hint, const char *fmt, ...) {
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    int line = l->rule->line, col = l->rule->col, len = 1;
    if (at) {
        const YamlNode *node = l->rule->expr_node;
        rule_locate(l->diags->source, node, (size_t)(l->rule->expr.p - node->text.p) + at->span.start, &line, &col);
        len = (int)(at->span.end - at->span.start);
    }
    diag_add(l->diags, DIAG_WARNING, line, col, len, hint, "group \"%" STR_FMT "\", rule %zu, \"%" STR_FMT "\": %s",
        STR_ARG(l->group->name), l->index, STR_ARG(l->rule->name), msg);
}

/* --- walking --- */

static bool visit(const PqlNode *n, bool (*fn)(const PqlNode *n, void *ctx), void *ctx) {
    if (!n) return false;
    if (fn(n, ctx)) return true;
    switch (n->kind) {
    case PQL_MATRIX: return visit(n->matrix.selector, fn, ctx);
    case PQL_SUBQUERY: return visit(n->subquery.expr, fn, ctx);
    case PQL_UNARY: return visit(n->unary.expr, fn, ctx);
    case PQL_PAREN: return visit(n->paren, fn, ctx);
    case PQL_BINARY: return visit(n->binary.lhs, fn, ctx) || visit(n->binary.rhs, fn, ctx);
    case PQL_AGGREGATE: return visit(n->aggregate.expr, fn, ctx) || visit(n->aggregate.param, fn, ctx);
    case PQL_CALL:
        for (size_t i = 0; i < n->call.args.n; i++)
            if (visit(n->call.args.v[i], fn, ctx)) return true;
        return false;
    default: return false;
    }
}

/* The selector under functions that keep all labels; NULL when something aggregates or there are several. */
static const PqlNode *lone_selector(const PqlNode *n) {
    for (;;) {
        switch (n->kind) {
        case PQL_SELECTOR: return n;
        case PQL_MATRIX: n = n->matrix.selector; break;
        case PQL_PAREN: n = n->paren; break;
        case PQL_UNARY: n = n->unary.expr; break;
        case PQL_CALL:
            if (n->call.args.n == 0) return NULL;
            n = n->call.args.v[n->call.args.n - 1];
            break;
        default: return NULL;
        }
    }
}

static Str metric_of(const PqlNode *selector) {
    for (size_t i = 0; i < selector->selector.matchers.n; i++) {
        const Matcher *m = selector->selector.matchers.v[i];
        if (m->type == MATCH_EQ && str_eq(m->name, LABEL_NAME_METRIC)) return m->value;
    }
    return STR_NULL;
}

/* A label that only a constrains, with something else than equality: it keeps several values. */
static const Matcher *narrowing(const PqlNode *a, const PqlNode *b) {
    for (size_t i = 0; i < a->selector.matchers.n; i++) {
        const Matcher *m = a->selector.matchers.v[i];
        bool there = false;
        for (size_t j = 0; j < b->selector.matchers.n; j++) {
            const Matcher *o = b->selector.matchers.v[j];
            there |= str_eq(o->name, m->name) && o->type == m->type && str_eq(o->value, m->value);
        }
        if (!there && !str_eq(m->name, LABEL_NAME_METRIC)) return m;
    }
    return NULL;
}

static bool label_is_matched(const PqlNode *binary, Str label) {
    bool listed = false;
    for (size_t i = 0; i < binary->binary.labels.n; i++) listed |= str_eq(binary->binary.labels.v[i], label);
    if (!binary->binary.matching) return true;
    return binary->binary.on ? listed : !listed;
}

/* --- the warnings --- */

static bool lint_ratio(const PqlNode *n, void *ctx) {
    if (n->kind != PQL_BINARY || n->binary.op != TOK_DIV) return false;
    const PqlNode *a = lone_selector(n->binary.lhs), *b = lone_selector(n->binary.rhs);
    if (!a || !b || metric_of(a).n == 0 || !str_eq(metric_of(a), metric_of(b))) return false;
    const Matcher *m = narrowing(a, b);
    if (!m || !label_is_matched(n, m->name)) return false;
    warn(ctx, n, "sum both sides: sum(...) / sum(...), or sum by (...) with the labels the alert shall have",
        "series match one to one with their label \"%" STR_FMT
        "\", so each is divided by itself and the ratio is always 1",
        STR_ARG(m->name));
    return false;
}

typedef struct Guard {
    Str metric;
    bool found;
} Guard;

/* metric > 0, metric != 0, clamp_min(metric, ...) anywhere in the expression. */
static bool is_guard(const PqlNode *n, void *ctx) {
    Guard *g = ctx;
    const PqlNode *s = NULL;
    if (n->kind == PQL_BINARY && (n->binary.op == TOK_GTR || n->binary.op == TOK_NEQ || n->binary.op == TOK_GTE))
        s = lone_selector(n->binary.lhs);
    if (n->kind == PQL_CALL && str_starts_with(str_cstr(n->call.fn->name), STR("clamp")))
        s = lone_selector(n->call.args.v[0]);
    g->found |= s && str_eq(metric_of(s), g->metric);
    return g->found;
}

static bool lint_limit(const PqlNode *n, void *ctx) {
    Lint *l = ctx;
    if (n->kind != PQL_BINARY || n->binary.op != TOK_DIV) return false;
    const PqlNode *s = lone_selector(n->binary.rhs);
    if (!s) return false;
    Guard g = {.metric = metric_of(s)};
    if (!str_contains(g.metric, STR("limit")) && !str_contains(g.metric, STR("quota"))) return false;
    (void)visit(l->root, is_guard, &g);
    if (g.found) return false;
    char hint[200];
    snprintf(hint, sizeof hint, "divide by (%.*s > 0)", (int)MIN(g.metric.n, 150), g.metric.p);
    warn(l, n->binary.rhs, hint,
        "%" STR_FMT " is 0 where there is no limit: the division gives +Inf, which is over any "
        "threshold",
        STR_ARG(g.metric));
    return false;
}

static bool lint_for_state(const PqlNode *n, void *ctx) {
    if (n->kind != PQL_SELECTOR || !str_eq_lit(metric_of(n), "ALERTS_FOR_STATE")) return false;
    for (size_t i = 0; i < n->selector.matchers.n; i++) {
        if (!str_eq_lit(n->selector.matchers.v[i]->name, "alertstate")) continue;
        warn(ctx, n, "ALERTS has it; the value of ALERTS_FOR_STATE is the time since when, in Unix seconds",
            "ALERTS_FOR_STATE has no label alertstate: this matches nothing");
    }
    return false;
}

static bool lint_quantile(const PqlNode *n, void *ctx) {
    if (n->kind != PQL_CALL || n->call.fn->id != FN_HISTOGRAM_QUANTILE || n->call.args.n < 2) return false;
    const PqlNode *arg = promql_unparen(n->call.args.v[1]);
    if (arg->kind != PQL_AGGREGATE || arg->aggregate.op != TOK_SUM || arg->aggregate.without) return false;
    const PqlNode *s = lone_selector(arg->aggregate.expr);
    if (!s || !str_ends_with(metric_of(s), STR("_bucket"))) return false;
    for (size_t i = 0; i < arg->aggregate.grouping.n; i++)
        if (str_eq_lit(arg->aggregate.grouping.v[i], "le")) return false;
    warn(ctx, arg, "sum by (le) (...)", "the buckets' label le is summed away: the quantile is always empty");
    return false;
}

static bool has_threshold(const PqlNode *n, void *ctx) {
    (void)ctx;
    if (n->kind == PQL_BINARY) return pql_tok_is_comparison(n->binary.op) || n->binary.op == TOK_LUNLESS;
    if (n->kind != PQL_CALL) return false;
    PqlFn id = n->call.fn->id;
    return id == FN_ABSENT || id == FN_ABSENT_OVER_TIME || id == FN_VECTOR;
}

static void lint_alert(Lint *l) {
    const PqlNode *top = promql_unparen(l->root);
    if (!visit(l->root, has_threshold, NULL))
        warn(l, l->root, "compare with a threshold: ... > 0",
            "the expression has no comparison: the alert fires for every series, whatever its value");
    if (top->kind == PQL_BINARY && top->binary.return_bool)
        warn(l, l->root, "leave out bool: without it only the series over the threshold are left",
            "with bool the comparison gives 0 or 1, and both make an alert");
    for (size_t i = 0; i < l->rule->labels.n; i++)
        if (str_contains(l->rule->labels.v[i].value, STR("$value")) ||
            str_contains(l->rule->labels.v[i].value, STR(".Value")))
            warn(l, NULL, "put the value into an annotation",
                "label \"%" STR_FMT "\" holds the value: whenever it changes this is another alert, and starts anew",
                STR_ARG(l->rule->labels.v[i].name));
}

static void lint_rule(Lint *l) {
    static bool (*const checks[])(const PqlNode *n, void *ctx) = {
        lint_ratio, lint_limit, lint_for_state, lint_quantile};
    if (l->rule->datasource.n || !l->rule->expr_node) return;
    Arena *arena = arena_create(32u << 20);
    PqlNode *root;
    if (promql_parse(l->rule->expr, arena, &root, NULL) == OK) {
        l->root = root;
        for (size_t i = 0; i < ARRAY_LEN(checks); i++) (void)visit(root, checks[i], l);
        if (l->rule->alerting) lint_alert(l);
    }
    arena_free(arena);
}

void rule_file_lint(const RuleFile *file, DiagList *diags) {
    for (size_t i = 0; i < file->n_groups; i++)
        for (size_t k = 0; k < file->groups[i].n_rules; k++) {
            Lint l = {.diags = diags, .group = &file->groups[i], .rule = &file->groups[i].rules[k], .index = k + 1};
            lint_rule(&l);
        }
}

/* --- duplicates --- */

static int rule_cmp(const void *a, const void *b) {
    const RuleDef *x = *(const RuleDef *const *)a, *y = *(const RuleDef *const *)b;
    int c = str_cmp(x->name, y->name);
    return c ? c : labels_cmp(x->labels, y->labels);
}

static void put_duplicate(Buf *out, const RuleDef *r) {
    buf_printf(out, "Metric: %" STR_FMT "\nLabel(s):\n", STR_ARG(r->name));
    for (size_t i = 0; i < r->labels.n; i++)
        buf_printf(out, "\t%" STR_FMT ": %" STR_FMT "\n", STR_ARG(r->labels.v[i].name), STR_ARG(r->labels.v[i].value));
}

size_t rule_file_duplicates(const RuleFile *file, Buf *out) {
    VEC(const RuleDef *) all = {0};
    size_t found = 0;
    for (size_t i = 0; i < file->n_groups; i++)
        for (size_t k = 0; k < file->groups[i].n_rules; k++) vec_push(&all, &file->groups[i].rules[k]);
    if (all.n > 1) qsort(all.v, all.n, sizeof *all.v, rule_cmp);
    for (size_t i = 1; i < all.n; i++) {
        bool same = rule_cmp(&all.v[i - 1], &all.v[i]) == 0;
        bool told = i > 1 && rule_cmp(&all.v[i - 2], &all.v[i - 1]) == 0;
        if (!same || told) continue;
        found++;
        put_duplicate(out, all.v[i]);
    }
    vec_done(&all);
    return found;
}
