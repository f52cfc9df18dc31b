/* print.c - PromQL as text: the canonical line, and format_query's broken lines. */
#include "metrics/promql/function.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PRETTY_LINE_MAX 100

void promql_print_matcher(Buf *out, const Matcher *m) {
    static const char *const ops[] = {[MATCH_EQ] = "=", [MATCH_NEQ] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    if (label_name_is_legacy(m->name))
        buf_put_str(out, m->name);
    else
        lang_put_quoted(out, m->name);
    buf_printf(out, "%s", ops[m->type]);
    lang_put_quoted(out, m->value);
}

static void print_labels(Buf *out, const StrVec *labels) {
    buf_put_lit(out, "(");
    for (size_t i = 0; i < labels->n; i++) {
        if (i) buf_put_lit(out, ", ");
        if (label_name_is_legacy(labels->v[i]))
            buf_put_str(out, labels->v[i]);
        else
            lang_put_quoted(out, labels->v[i]);
    }
    buf_put_lit(out, ")");
}

/* Digits without an exponent, as many as needed to read the number back. */
static void print_f64_plain(Buf *out, double v) {
    if (isnan(v)) {
        buf_put_lit(out, "NaN");
    } else if (isinf(v)) {
        buf_printf(out, "%cInf", v < 0 ? '-' : '+');
    } else {
        uint64_t digits;
        int exp10;
        bool negative;
        num_shortest_f64(v, &digits, &exp10, &negative);
        if (negative) buf_put_char(out, '-');
        char text[24];
        int n = snprintf(text, sizeof text, "%llu", (unsigned long long)digits);
        int point = n + exp10;
        if (point <= 0) buf_put_lit(out, "0.");
        for (int i = point; i < 0; i++) buf_put_char(out, '0');
        for (int i = 0; i < n; i++) {
            if (i == point && i > 0) buf_put_char(out, '.');
            buf_put_char(out, text[i]);
        }
        for (int i = n; i < point && digits != 0; i++) buf_put_char(out, '0');
    }
}

static void print_duration_ms(Buf *out, int64_t ms) {
    if (ms < 0) buf_put_char(out, '-');
    duration_put_prom(out, ms < 0 ? -ms : ms);
}

static void print_number(Buf *out, const PqlNode *n) {
    double v = n->number.value;
    if (n->number.is_duration && fabs(v) < 9e15)
        print_duration_ms(out, (int64_t)(v * 1000 + (v < 0 ? -0.5 : 0.5)));
    else
        print_f64_plain(out, v);
}

static void print_duration_expr(Buf *out, const PqlNode *n) {
    if (n->kind == PQL_NUMBER) {
        print_number(out, n);
        return;
    }
    PqlTok op = n->duration.op;
    if (n->duration.wrapped) buf_put_char(out, '(');
    if (op >= TOK_STEP) {
        buf_printf(out, "%s(", pql_tok_text(op));
        if (n->duration.lhs) {
            print_duration_expr(out, n->duration.lhs);
            buf_put_lit(out, ", ");
            print_duration_expr(out, n->duration.rhs);
        }
        buf_put_char(out, ')');
    } else if (!n->duration.lhs) {
        if (op == TOK_SUB) buf_put_char(out, '-');
        print_duration_expr(out, n->duration.rhs);
    } else {
        print_duration_expr(out, n->duration.lhs);
        buf_printf(out, " %s ", pql_tok_text(op));
        print_duration_expr(out, n->duration.rhs);
    }
    if (n->duration.wrapped) buf_put_char(out, ')');
}

static void print_span(Buf *out, const PqlSpan *s) {
    if (s->expr)
        print_duration_expr(out, s->expr);
    else
        print_duration_ms(out, s->ms);
}

static void print_at(Buf *out, const PqlShift *s) {
    if (s->at == PQL_AT_START) buf_put_lit(out, " @ start()");
    if (s->at == PQL_AT_END) buf_put_lit(out, " @ end()");
    if (s->at == PQL_AT_TIME) buf_printf(out, " @ %.3f", (double)s->at_ms / 1000);
}

static void print_offset(Buf *out, const PqlShift *s) {
    if (!s->offset.expr && s->offset.ms == 0) return;
    buf_put_lit(out, " offset ");
    print_span(out, &s->offset);
}

static int matcher_text_cmp(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

/* name{matchers}; the matchers are sorted by their text. */
static void print_selector_head(Buf *out, const PqlNode *n) {
    Matchers ms = n->selector.matchers;
    Str name = n->selector.name;
    buf_put_str(out, name);
    Buf text = {0};
    VEC(size_t) ends = {0};
    for (size_t i = 0; i < ms.n; i++) {
        const Matcher *m = ms.v[i];
        if (name.n && m->type == MATCH_EQ && str_eq(m->name, LABEL_NAME_METRIC) && str_eq(m->value, name)) continue;
        promql_print_matcher(&text, m);
        vec_push(&ends, text.n);
    }
    VEC(Str) parts = {0};
    for (size_t i = 0; i < ends.n; i++) {
        size_t start = i ? ends.v[i - 1] : 0;
        vec_push(&parts, str_of(text.p + start, ends.v[i] - start));
    }
    if (parts.n > 1) qsort(parts.v, parts.n, sizeof(Str), matcher_text_cmp);
    for (size_t i = 0; i < parts.n; i++) {
        buf_put_char(out, i ? ',' : '{');
        buf_put_str(out, parts.v[i]);
    }
    if (parts.n)
        buf_put_char(out, '}');
    else if (!name.n)
        buf_put_lit(out, "{}");
    vec_done(&parts);
    vec_done(&ends);
    buf_done(&text);
}

static void print_extended(Buf *out, const PqlNode *selector) {
    if (selector->selector.anchored) buf_put_lit(out, " anchored");
    if (selector->selector.smoothed) buf_put_lit(out, " smoothed");
}

static void print_matrix(Buf *out, const PqlNode *n) {
    const PqlNode *vs = n->matrix.selector;
    print_selector_head(out, vs);
    buf_put_char(out, '[');
    print_span(out, &n->matrix.range);
    buf_put_char(out, ']');
    print_extended(out, vs);
    print_at(out, &vs->selector.shift);
    print_offset(out, &vs->selector.shift);
}

static void print_subquery_suffix(Buf *out, const PqlNode *n) {
    buf_put_char(out, '[');
    print_span(out, &n->subquery.range);
    buf_put_char(out, ':');
    if (n->subquery.has_step) print_span(out, &n->subquery.step);
    buf_put_char(out, ']');
    print_at(out, &n->subquery.shift);
    print_offset(out, &n->subquery.shift);
}

static void print_fill(Buf *out, const PqlNode *n) {
    bool l = n->binary.has_fill_lhs, r = n->binary.has_fill_rhs;
    if (l && r && n->binary.fill_lhs == n->binary.fill_rhs) {
        buf_put_lit(out, " fill (");
        num_put_f64_go_g(out, n->binary.fill_lhs);
        buf_put_char(out, ')');
        return;
    }
    if (l) {
        buf_put_lit(out, " fill_left (");
        num_put_f64_go_g(out, n->binary.fill_lhs);
        buf_put_char(out, ')');
    }
    if (r) {
        buf_put_lit(out, " fill_right (");
        num_put_f64_go_g(out, n->binary.fill_rhs);
        buf_put_char(out, ')');
    }
}

/* The operator with its modifiers. */
static void print_binary_op(Buf *out, const PqlNode *n) {
    bool group = n->binary.card == PQL_MANY_TO_ONE || n->binary.card == PQL_ONE_TO_MANY;
    bool vectors = promql_type(n->binary.lhs) == PQL_TYPE_VECTOR && promql_type(n->binary.rhs) == PQL_TYPE_VECTOR;
    buf_printf(out, "%s%s", pql_tok_text(n->binary.op), n->binary.return_bool ? " bool" : "");
    if (!vectors) return;
    if (n->binary.labels.n > 0 || n->binary.on || group) {
        buf_printf(out, " %s ", n->binary.on ? "on" : "ignoring");
        print_labels(out, &n->binary.labels);
    }
    if (group) {
        buf_printf(out, " group_%s ", n->binary.card == PQL_MANY_TO_ONE ? "left" : "right");
        print_labels(out, &n->binary.include);
    }
    print_fill(out, n);
}

static void print_aggregate_op(Buf *out, const PqlNode *n) {
    buf_printf(out, "%s", pql_tok_text(n->aggregate.op));
    if (!n->aggregate.without && n->aggregate.grouping.n == 0) return;
    buf_printf(out, " %s ", n->aggregate.without ? "without" : "by");
    print_labels(out, &n->aggregate.grouping);
    buf_put_char(out, ' ');
}

static void print_call(Buf *out, const PqlNode *n) {
    buf_printf(out, "%s(", n->call.fn->name);
    for (size_t i = 0; i < n->call.args.n; i++) {
        if (i) buf_put_lit(out, ", ");
        promql_print(out, n->call.args.v[i]);
    }
    buf_put_char(out, ')');
}

void promql_print(Buf *out, const PqlNode *n) {
    switch (n->kind) {
    case PQL_NUMBER: print_number(out, n); return;
    case PQL_STRING: lang_put_quoted(out, n->string); return;
    case PQL_SELECTOR:
        print_selector_head(out, n);
        print_at(out, &n->selector.shift);
        print_extended(out, n);
        print_offset(out, &n->selector.shift);
        return;
    case PQL_MATRIX: print_matrix(out, n); return;
    case PQL_SUBQUERY:
        promql_print(out, n->subquery.expr);
        print_subquery_suffix(out, n);
        return;
    case PQL_UNARY:
        buf_printf(out, "%s", pql_tok_text(n->unary.op));
        promql_print(out, n->unary.expr);
        return;
    case PQL_BINARY:
        promql_print(out, n->binary.lhs);
        buf_put_char(out, ' ');
        print_binary_op(out, n);
        buf_put_char(out, ' ');
        promql_print(out, n->binary.rhs);
        return;
    case PQL_PAREN:
        buf_put_char(out, '(');
        promql_print(out, n->paren);
        buf_put_char(out, ')');
        return;
    case PQL_AGGREGATE:
        print_aggregate_op(out, n);
        buf_put_char(out, '(');
        if (n->aggregate.param) {
            promql_print(out, n->aggregate.param);
            buf_put_lit(out, ", ");
        }
        promql_print(out, n->aggregate.expr);
        buf_put_char(out, ')');
        return;
    case PQL_CALL: print_call(out, n); return;
    case PQL_DURATION: print_duration_expr(out, n); return;
    }
    UNREACHABLE();
}

/* --- pretty --- */

static void indent(Buf *out, unsigned level) {
    for (unsigned i = 0; i < level; i++) buf_put_lit(out, "  ");
}

static bool needs_split(const PqlNode *n) {
    Buf b = {0};
    promql_print(&b, n);
    bool split = b.n > PRETTY_LINE_MAX;
    buf_done(&b);
    return split;
}

static void pretty(Buf *out, const PqlNode *n, unsigned level);

static void pretty_aggregate(Buf *out, const PqlNode *n, unsigned level) {
    indent(out, level);
    print_aggregate_op(out, n);
    buf_put_lit(out, "(\n");
    if (n->aggregate.param) {
        pretty(out, n->aggregate.param, level + 1);
        buf_put_lit(out, ",\n");
    }
    pretty(out, n->aggregate.expr, level + 1);
    buf_put_char(out, '\n');
    indent(out, level);
    buf_put_char(out, ')');
}

static void pretty_call(Buf *out, const PqlNode *n, unsigned level) {
    indent(out, level);
    buf_printf(out, "%s(\n", n->call.fn->name);
    for (size_t i = 0; i < n->call.args.n; i++) {
        if (i) buf_put_lit(out, ",\n");
        pretty(out, n->call.args.v[i], level + 1);
    }
    buf_put_char(out, '\n');
    indent(out, level);
    buf_put_char(out, ')');
}

static void pretty_unary(Buf *out, const PqlNode *n, unsigned level) {
    Buf child = {0};
    pretty(&child, n->unary.expr, level);
    indent(out, level);
    buf_printf(out, "%s", pql_tok_text(n->unary.op));
    buf_put_str(out, str_trim(buf_str(&child)));
    buf_done(&child);
}

static void pretty(Buf *out, const PqlNode *n, unsigned level) {
    bool split = needs_split(n);
    if (n->kind == PQL_SUBQUERY && split) {
        pretty(out, n->subquery.expr, level);
        print_subquery_suffix(out, n);
    } else if (n->kind == PQL_UNARY) {
        pretty_unary(out, n, level);
    } else if (n->kind == PQL_AGGREGATE && split) {
        pretty_aggregate(out, n, level);
    } else if (n->kind == PQL_CALL && split) {
        pretty_call(out, n, level);
    } else if (n->kind == PQL_BINARY && split) {
        pretty(out, n->binary.lhs, level + 1);
        buf_put_char(out, '\n');
        indent(out, level);
        print_binary_op(out, n);
        buf_put_char(out, '\n');
        pretty(out, n->binary.rhs, level + 1);
    } else if (n->kind == PQL_PAREN && split) {
        indent(out, level);
        buf_put_lit(out, "(\n");
        pretty(out, n->paren, level + 1);
        buf_put_char(out, '\n');
        indent(out, level);
        buf_put_char(out, ')');
    } else {
        if (n->kind != PQL_SUBQUERY) indent(out, level);
        promql_print(out, n);
    }
}

void promql_print_pretty(Buf *out, const PqlNode *node) { pretty(out, node, 0); }
