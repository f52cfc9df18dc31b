#include "traces/traceql_parse_int.h"

#define COMPARE_TOP_MAX 1000

int tql_metrics_func(const TqlParser *p) {
    for (int i = 0; p->tok.kind == TQL_T_WORD && i < TQL_M_FUNCS; i++) {
        if (str_eq(p->tok.text, str_cstr(tql_metrics_names[i]))) return i;
    }
    return -1;
}

double tql_number_of(const TqlValue *v) {
    if (v->type == TQL_FLOAT) return v->d;
    return v->type == TQL_DURATION ? (double)v->i / 1e9 : (double)v->i;
}

/* --- functions --- */

static bool parse_quantiles(TqlParser *p, TqlMetrics *m) {
    while (tql_take_punct(p, ",")) {
        LangSpan span = p->tok.span;
        TqlValue v;
        if (!tql_parse_static(p, &v)) return false;
        if (v.type != TQL_FLOAT && v.type != TQL_INT)
            return lang_fail(&p->error, span, "syntax error: quantiles are numbers");
        double q = tql_number_of(&v);
        if (!(q >= 0 && q <= 1)) return lang_fail(&p->error, span, "quantile must be between 0 and 1: %g", q);
        if (!avec_push(p->arena, &m->quantiles, q)) return tql_fail_memory(p);
    }
    return m->quantiles.n > 0 || tql_fail_unexpected(p, ",");
}

static bool parse_arg(TqlParser *p, TqlMetrics *m) {
    m->arg = tql_parse_expr(p);
    if (!m->arg) return false;
    if (m->arg->kind != TQL_E_ATTR)
        return lang_fail(
            &p->error, m->arg->span, "syntax error: %s takes an attribute or an intrinsic", tql_metrics_names[m->func]);
    return m->func != TQL_M_QUANTILE_OVER_TIME || parse_quantiles(p, m);
}

static bool parse_int(TqlParser *p, int64_t *ret) {
    if (p->tok.kind != TQL_T_INT) return tql_fail_unexpected(p, "INTEGER");
    *ret = p->tok.value.i;
    tql_advance(p);
    return true;
}

/* ({filter} [, topN [, start, end]]) */
static bool parse_compare(TqlParser *p, TqlMetrics *m) {
    m->compare_top_n = 10;
    m->n_compare_args = 1;
    m->compare = tql_parse_filter(p);
    if (!m->compare) return false;
    if (!tql_take_punct(p, ",")) return true;
    LangSpan span = p->tok.span;
    m->n_compare_args = 2;
    if (!parse_int(p, &m->compare_top_n)) return false;
    if (m->compare_top_n <= 0 || m->compare_top_n > COMPARE_TOP_MAX)
        return lang_fail(
            &p->error, span, "compare() top number of values must be an integer between 1 and %d", COMPARE_TOP_MAX);
    if (!tql_take_punct(p, ",")) return true;
    m->n_compare_args = 4;
    if (!parse_int(p, &m->compare_start_ns) || !tql_expect_punct(p, ",") || !parse_int(p, &m->compare_end_ns))
        return false;
    if (m->compare_start_ns <= 0 || m->compare_end_ns <= m->compare_start_ns)
        return lang_fail(
            &p->error, span, "compare() timestamps must be positive integer unix nanoseconds, start before end");
    return true;
}

TqlMetrics *tql_parse_metrics_func(TqlParser *p, TqlPipeline *pipeline) {
    TqlMetrics *m = TQL_NODE(p, TqlMetrics);
    if (!m) return NULL;
    m->kind = TQL_M_PIPELINE;
    m->pipeline = pipeline;
    m->func = (TqlMetricsFunc)tql_metrics_func(p);
    m->span = lang_span_join(pipeline->span, p->tok.span);
    tql_advance(p);
    if (!tql_expect_punct(p, "(")) return NULL;
    bool bare = m->func == TQL_M_RATE || m->func == TQL_M_COUNT_OVER_TIME;
    bool ok = bare || (m->func == TQL_M_COMPARE ? parse_compare(p, m) : parse_arg(p, m));
    m->span.end = p->tok.span.end;
    if (!ok || !tql_expect_punct(p, ")")) return NULL;
    if (tql_is_word(p, "by") && m->func != TQL_M_COMPARE) {
        tql_advance(p);
        if (!tql_parse_exprs(p, &m->by)) return NULL;
    }
    return tql_parse_threshold(p, m) ? m : NULL;
}

/* --- second stages --- */

bool tql_is_second(const TqlParser *p) { return tql_is_word(p, "topk") || tql_is_word(p, "bottomk"); }

static void link_second(TqlMetrics *m, TqlSecond *s) {
    TqlSecond **tail = &m->second;
    while (*tail) tail = &(*tail)->next;
    *tail = s;
}

bool tql_parse_second(TqlParser *p, TqlMetrics *m) {
    TqlSecond *s = TQL_NODE(p, TqlSecond);
    if (!s) return false;
    s->kind = tql_is_word(p, "topk") ? TQL_TOPK : TQL_BOTTOMK;
    s->span = p->tok.span;
    Str name = p->tok.text;
    tql_advance(p);
    if (!tql_expect_punct(p, "(")) return false;
    LangSpan span = p->tok.span;
    if (!parse_int(p, &s->k)) return false;
    if (s->k <= 0) return lang_fail(&p->error, span, "%" STR_FMT "() limit must be greater than 0", STR_ARG(name));
    if (!tql_expect_punct(p, ")")) return false;
    link_second(m, s);
    return tql_parse_threshold(p, m);
}

bool tql_add_threshold(TqlParser *p, TqlMetrics *m, TqlOp op, const TqlValue *literal, LangSpan span) {
    if (literal->type != TQL_INT && literal->type != TQL_FLOAT && literal->type != TQL_DURATION)
        return lang_fail(&p->error, span, "syntax error: metrics compare with numbers and durations only");
    TqlSecond *s = TQL_NODE(p, TqlSecond);
    if (!s) return false;
    *s = (TqlSecond){
        .kind = TQL_THRESHOLD, .span = span, .op = op, .literal = *literal, .value = tql_number_of(literal)};
    link_second(m, s);
    return true;
}

bool tql_parse_threshold(TqlParser *p, TqlMetrics *m) {
    if (p->tok.kind != TQL_T_PUNCT || !tql_is_comparison(p->tok.op)) return true;
    TqlOp op = p->tok.op;
    tql_advance(p);
    LangSpan span = p->tok.span;
    TqlValue v;
    return tql_parse_static(p, &v) && tql_add_threshold(p, m, op, &v, span);
}

/* --- hints --- */

static bool parse_hint(TqlParser *p, TraceQl *q) {
    TqlHint h = {.name = p->tok.text, .span = p->tok.span};
    if (p->tok.kind != TQL_T_WORD) return tql_fail_unexpected(p, "IDENTIFIER");
    tql_advance(p);
    if (!tql_expect_punct(p, "=") || !tql_parse_static(p, &h.value)) return false;
    return avec_push(p->arena, &q->hints, h) || tql_fail_memory(p);
}

bool tql_parse_hints(TqlParser *p, TraceQl *q) {
    if (!tql_is_word(p, "with")) return true;
    tql_advance(p);
    if (!tql_expect_punct(p, "(")) return false;
    do {
        if (!parse_hint(p, q)) return false;
    } while (tql_take_punct(p, ","));
    return tql_expect_punct(p, ")");
}
