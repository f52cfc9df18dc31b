#include "logs/logql_ast.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <math.h>

static void put_float(Buf *out, double v) { num_put_f64_prom(out, v); }

static void put_matcher(Buf *out, const Matcher *m) {
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    buf_put_str(out, m->name);
    buf_put_str(out, str_cstr(ops[m->type]));
    lang_put_quoted(out, m->value);
}

static void put_names(Buf *out, const Str *v, size_t n) {
    buf_put_char(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_char(out, ',');
        buf_put_str(out, v[i]);
    }
    buf_put_char(out, ')');
}

static void put_alt(Buf *out, const LqLineAlt *a) {
    if (a->is_ip) buf_put_lit(out, "ip(");
    lang_put_quoted(out, a->text);
    if (a->is_ip) buf_put_char(out, ')');
}

static void put_line_filter(Buf *out, const LqStage *st) {
    bool negative = st->line_op == LQ_LINE_NEQ || st->line_op == LQ_LINE_NRE || st->line_op == LQ_LINE_NPAT;
    for (const LqLineAlt *a = st->alts; a; a = a->next) {
        if (a == st->alts || negative) {
            if (a != st->alts) buf_put_char(out, ' ');
            buf_put_str(out, str_cstr(lq_line_names[st->line_op]));
            buf_put_char(out, ' ');
        } else {
            buf_put_lit(out, " or ");
        }
        put_alt(out, a);
    }
}

/* 1500 -> 1.5kB, as go-humanize's SI form without its blank. */
static void put_bytes(Buf *out, double v) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    if (v < 0) {
        buf_put_char(out, '-');
        v = -v;
    }
    size_t u = 0;
    double x = v;
    while (x >= 1000 && u + 1 < ARRAY_LEN(units)) {
        x /= 1000;
        u++;
    }
    x = floor(x * 10 + 0.5) / 10;
    if (v < 10 || x >= 10)
        buf_printf(out, "%.0f%s", v < 10 ? v : x, units[u]);
    else
        buf_printf(out, "%.1f%s", x, units[u]);
}

/* Filters are few levels deep: the parser bounds it. */
static void put_filter(Buf *out, const LqFilter *f) {
    if (f->kind == LQ_F_AND || f->kind == LQ_F_OR) {
        buf_put_lit(out, "( ");
        put_filter(out, f->left);
        buf_put_str(out, f->kind == LQ_F_AND ? STR(" , ") : STR(" or "));
        put_filter(out, f->right);
        buf_put_lit(out, " )");
        return;
    }
    if (f->kind == LQ_F_STRING) {
        put_matcher(out, f->matcher);
        return;
    }
    buf_put_str(out, f->name);
    if (f->kind == LQ_F_IP) {
        buf_put_str(out, f->cmp == LQ_CMP_EQ ? STR("=") : STR("!="));
        buf_put_lit(out, "ip(");
        lang_put_quoted(out, f->ip_text);
        buf_put_char(out, ')');
        return;
    }
    buf_put_str(
        out, f->cmp == LQ_CMP_EQ ? (f->kind == LQ_F_NUMBER ? STR("==") : STR("=")) : str_cstr(lq_cmp_names[f->cmp]));
    if (f->kind == LQ_F_NUMBER)
        put_float(out, f->number);
    else if (f->kind == LQ_F_DURATION)
        duration_put_go(out, f->duration_ns);
    else
        put_bytes(out, f->number);
}

static void put_name_matches(Buf *out, const LqStage *st) {
    for (size_t i = 0; i < st->names.n; i++) {
        if (i) buf_put_char(out, ',');
        if (st->names.v[i].matcher)
            put_matcher(out, st->names.v[i].matcher);
        else
            buf_put_str(out, st->names.v[i].name);
    }
}

static void put_stage(Buf *out, const LqStage *st) {
    if (st->kind == LQ_STAGE_LINE) {
        put_line_filter(out, st);
        return;
    }
    buf_put_lit(out, "| ");
    switch (st->kind) {
    case LQ_STAGE_FILTER: put_filter(out, st->filter); break;
    case LQ_STAGE_JSON: buf_put_lit(out, "json"); break;
    case LQ_STAGE_LOGFMT:
        buf_put_lit(out, "logfmt");
        if (st->strict) buf_put_lit(out, " --strict");
        if (st->keep_empty) buf_put_lit(out, " --keep-empty");
        break;
    case LQ_STAGE_DROP:
    case LQ_STAGE_KEEP:
        buf_put_str(out, st->kind == LQ_STAGE_DROP ? STR("drop ") : STR("keep "));
        put_name_matches(out, st);
        break;
    case LQ_STAGE_DECOLORIZE: buf_put_lit(out, "decolorize"); break;
    case LQ_STAGE_LINE: UNREACHABLE();
    }
}

static void put_log(Buf *out, const LqExpr *e) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < e->matchers.n; i++) {
        if (i) buf_put_lit(out, ", ");
        put_matcher(out, e->matchers.v[i]);
    }
    buf_put_char(out, '}');
    for (const LqStage *st = e->stages; st; st = st->next) {
        buf_put_char(out, ' ');
        put_stage(out, st);
    }
}

static void put_grouping(Buf *out, const LqGrouping *g) {
    if (!g->set) return;
    buf_put_str(out, g->without ? STR(" without ") : STR(" by "));
    put_names(out, g->names.v, g->names.n);
}

static void put_range(Buf *out, const LqExpr *e) {
    buf_put_str(out, str_cstr(lq_range_names[e->range_op]));
    buf_put_char(out, '(');
    if (e->range_op == LQ_QUANTILE_OVER_TIME) {
        put_float(out, e->param);
        buf_put_char(out, ',');
    }
    put_log(out, e);
    if (e->unwrap.set) {
        buf_put_lit(out, " | unwrap ");
        buf_put_str(out, e->unwrap.conv_text);
        if (e->unwrap.conv) buf_put_char(out, '(');
        buf_put_str(out, e->unwrap.name);
        if (e->unwrap.conv) buf_put_char(out, ')');
        for (const LqStage *st = e->unwrap.filters; st; st = st->next) {
            buf_put_char(out, ' ');
            put_stage(out, st);
        }
    }
    buf_put_char(out, '[');
    duration_put_prom(out, e->range_ns / NS_PER_MS);
    buf_put_char(out, ']');
    if (e->offset_ns) {
        buf_put_lit(out, " offset ");
        duration_put_go(out, e->offset_ns);
    }
    buf_put_char(out, ')');
    put_grouping(out, &e->by);
}

static void put_agg(Buf *out, const LqExpr *e) {
    buf_put_str(out, str_cstr(lq_agg_names[e->agg_op]));
    put_grouping(out, &e->by);
    buf_put_char(out, '(');
    if (e->agg_op == LQ_TOPK || e->agg_op == LQ_BOTTOMK) {
        put_float(out, e->param);
        buf_put_char(out, ',');
    }
    logql_print(out, e->left);
    buf_put_char(out, ')');
}

static void put_binary(Buf *out, const LqExpr *e) {
    const LqMatching *m = &e->match;
    buf_put_char(out, '(');
    logql_print(out, e->left);
    buf_put_char(out, ' ');
    buf_put_str(out, str_cstr(lq_bin_names[e->bin_op]));
    if (m->return_bool) buf_put_lit(out, " bool");
    if (m->set) {
        buf_put_str(out, m->on ? STR(" on ") : STR(" ignoring "));
        put_names(out, m->names.v, m->names.n);
    }
    if (m->group_left || m->group_right) {
        buf_put_str(out, m->group_left ? STR(" group_left ") : STR(" group_right "));
        put_names(out, m->include.v, m->include.n);
    }
    buf_put_char(out, ' ');
    logql_print(out, e->right);
    buf_put_char(out, ')');
}

void logql_print(Buf *out, const LqExpr *e) {
    switch (e->kind) {
    case LQ_LOG: put_log(out, e); return;
    case LQ_RANGE: put_range(out, e); return;
    case LQ_AGG: put_agg(out, e); return;
    case LQ_BINARY: put_binary(out, e); return;
    case LQ_LITERAL: put_float(out, e->literal); return;
    case LQ_VECTOR:
        buf_put_lit(out, "vector(");
        buf_printf(out, "%f", e->literal);
        buf_put_char(out, ')');
        return;
    }
    UNREACHABLE();
}
