#include "logs/pipeline.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <stdlib.h>

#define LINE_SCRATCH_BYTES (64u << 20)

/* --- line filters --- */

static bool alt_holds(const LqLineAlt *a, LqLineOp op, Str line) {
    if (a->is_ip) return lq_ip_in_line(&a->ip, line);
    switch (op) {
    case LQ_LINE_EQ:
    case LQ_LINE_NEQ: return str_contains(line, a->text);
    case LQ_LINE_RE:
    case LQ_LINE_NRE: return regex_match(a->re, line);
    case LQ_LINE_PAT:
    case LQ_LINE_NPAT: return lq_pattern_match(a->pieces, a->n_pieces, line);
    }
    UNREACHABLE();
}

static bool line_filter_holds(const LqStage *st, Str line) {
    bool any = false;
    for (const LqLineAlt *a = st->alts; a && !any; a = a->next) any = alt_holds(a, st->line_op, line);
    bool negative = st->line_op == LQ_LINE_NEQ || st->line_op == LQ_LINE_NRE || st->line_op == LQ_LINE_NPAT;
    return any != negative;
}

bool pipeline_keep_line(void *pipeline, Str line) {
    const LqPipeline *p = pipeline;
    for (const LqStage *st = p->expr->stages; st != p->rest; st = st->next)
        if (!line_filter_holds(st, line)) return false;
    return true;
}

/* --- set up --- */

static Str needle_of(const LqStage *st) {
    const LqLineAlt *a = st->alts;
    if (a->next || a->is_ip) return STR_NULL;
    if (st->line_op == LQ_LINE_EQ) return a->text;
    if (st->line_op == LQ_LINE_RE) return regex_facts(a->re)->required;
    Str longest = STR_NULL;
    if (st->line_op == LQ_LINE_PAT)
        for (size_t i = 0; i < a->n_pieces; i++)
            if (a->pieces[i].n > longest.n) longest = a->pieces[i];
    return longest;
}

bool pipeline_init(LqPipeline *p, const LqExpr *e, Arena *arena) {
    *p = (LqPipeline){.expr = e, .rest = e->stages};
    AVEC(LogLineHint) hints = {0};
    for (; p->rest && p->rest->kind == LQ_STAGE_LINE; p->rest = p->rest->next) {
        Str needle = needle_of(p->rest);
        if (needle.n > 0 && !avec_push(arena, &hints, (LogLineHint){needle})) return false;
    }
    p->hints = hints.v;
    p->n_hints = hints.n;
    for (const LqStage *st = p->rest; st; st = st->next) {
        p->has_parser |= st->kind == LQ_STAGE_JSON || st->kind == LQ_STAGE_LOGFMT;
        p->needs_labels |= st->kind == LQ_STAGE_FILTER;
    }
    p->line.scratch = arena_create(LINE_SCRATCH_BYTES);
    return true;
}

void pipeline_done(LqPipeline *p) {
    p->line.scratch = arena_free(p->line.scratch);
    vec_done(&p->line.labels);
}

/* --- labels --- */

#define NAME_ERROR STR("__error__")
#define NAME_ERROR_DETAILS STR("__error_details__")

static LqLabel *find_label(const LqLine *l, Str name) {
    for (size_t i = 0; i < l->labels.n; i++)
        if (str_eq(l->labels.v[i].name, name)) return &l->labels.v[i];
    return NULL;
}

Str line_get(const LqLine *l, Str name) {
    const LqLabel *label = find_label(l, name);
    if (label) return label->value;
    if (str_eq(name, NAME_ERROR)) return l->error;
    if (str_eq(name, NAME_ERROR_DETAILS)) return l->error_details;
    return STR_NULL;
}

void line_set(LqLine *l, LqLabelKind kind, Str name, Str value) {
    LqLabel *label = find_label(l, name);
    if (label && label->kind < kind) {
        Str longer = arena_printf(l->scratch, "%" STR_FMT "_extracted", STR_ARG(name));
        if (!longer.p) {
            l->out_of_memory = true;
            return;
        }
        name = longer;
        label = find_label(l, name);
    }
    if (label)
        *label = (LqLabel){label->name, value, kind};
    else
        vec_push(&l->labels, (LqLabel){name, value, kind});
}

void line_fail(LqLine *l, Str error, Str details) {
    if (l->error.n > 0) return;
    l->error = error;
    l->error_details = details;
}

static void drop_label(LqLine *l, size_t i) { l->labels.v[i] = l->labels.v[--l->labels.n]; }

Str attr_text(const AttrValue *v, Arena *arena) {
    if (v->type == ATTR_STR || v->type == ATTR_ARRAY || v->type == ATTR_MAP) return v->s;
    if (v->type == ATTR_BOOL) return v->b ? STR("true") : STR("false");
    Buf b = {0};
    attr_put_text(&b, v);
    Str s = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return s;
}

static int cmp_labels_by_name(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

bool line_labels(const LqLine *l, unsigned kinds, Arena *arena, Labels *ret) {
    Label *v = ARENA_ARRAY(arena, Label, l->labels.n + 2);
    if (!v) return false;
    size_t n = 0;
    for (size_t i = 0; i < l->labels.n; i++) {
        const LqLabel *x = &l->labels.v[i];
        if (!(kinds >> x->kind & 1) || x->value.n == 0) continue;
        v[n++] = (Label){x->name, x->value};
    }
    if ((kinds >> LQ_L_PARSED & 1) && l->error.n > 0) {
        v[n++] = (Label){NAME_ERROR, l->error};
        if (l->error_details.n > 0) v[n++] = (Label){NAME_ERROR_DETAILS, l->error_details};
    }
    if (n > 1) qsort(v, n, sizeof *v, cmp_labels_by_name);
    *ret = (Labels){v, n};
    return true;
}

/* --- label filters --- */

static bool compare(LqCmp cmp, double a, double b) {
    switch (cmp) {
    case LQ_CMP_EQ: return a == b;
    case LQ_CMP_NEQ: return a != b;
    case LQ_CMP_GT: return a > b;
    case LQ_CMP_GE: return a >= b;
    case LQ_CMP_LT: return a < b;
    case LQ_CMP_LE: return a <= b;
    }
    UNREACHABLE();
}

/* Numeric filters: an absent label does not match; one that is no number keeps the line and marks it. */
static bool number_filter(LqLine *l, const LqFilter *f) {
    Str value = line_get(l, f->name);
    if (!value.p && !find_label(l, f->name)) return false;
    if (l->error.n > 0 && !str_eq(l->error, STR("LabelFilterErr"))) return true;
    double v = 0, want = f->number;
    int64_t ns = 0;
    bool ok = false;
    if (f->kind == LQ_F_NUMBER)
        ok = num_parse_f64(value, &v);
    else if (f->kind == LQ_F_BYTES)
        ok = lq_parse_bytes(value, &v);
    else
        ok = duration_parse_any(value, &ns);
    if (!ok) {
        line_fail(l, STR("LabelFilterErr"), STR("the label's value does not parse"));
        return true;
    }
    if (f->kind != LQ_F_DURATION) return compare(f->cmp, v, want);
    switch (f->cmp) {
    case LQ_CMP_EQ: return ns == f->duration_ns;
    case LQ_CMP_NEQ: return ns != f->duration_ns;
    case LQ_CMP_GT: return ns > f->duration_ns;
    case LQ_CMP_GE: return ns >= f->duration_ns;
    case LQ_CMP_LT: return ns < f->duration_ns;
    case LQ_CMP_LE: return ns <= f->duration_ns;
    }
    UNREACHABLE();
}

static bool filter_holds(LqLine *l, const LqFilter *f) {
    switch (f->kind) {
    case LQ_F_AND: return filter_holds(l, f->left) && filter_holds(l, f->right);
    case LQ_F_OR: return filter_holds(l, f->left) || filter_holds(l, f->right);
    case LQ_F_STRING: return matcher_matches(f->matcher, line_get(l, f->name));
    case LQ_F_IP: {
        Str value = line_get(l, f->name);
        return value.n > 0 && lq_ip_is(&f->ip, value) == (f->cmp == LQ_CMP_EQ);
    }
    case LQ_F_NUMBER:
    case LQ_F_DURATION:
    case LQ_F_BYTES: return number_filter(l, f);
    }
    UNREACHABLE();
}

/* --- drop, keep, decolorize --- */

static bool name_matches(const LqLine *l, const LqNameMatch *m, Str name) {
    return str_eq(m->name, name) && (!m->matcher || matcher_matches(m->matcher, line_get(l, name)));
}

static bool any_name_matches(const LqLine *l, const LqStage *st, Str name) {
    for (size_t i = 0; i < st->names.n; i++)
        if (name_matches(l, &st->names.v[i], name)) return true;
    return false;
}

static void drop_labels(LqLine *l, const LqStage *st) {
    for (size_t i = l->labels.n; i-- > 0;)
        if (any_name_matches(l, st, l->labels.v[i].name)) drop_label(l, i);
    bool error = any_name_matches(l, st, NAME_ERROR), details = any_name_matches(l, st, NAME_ERROR_DETAILS);
    if (error) l->error = STR_NULL;
    if (details || error) l->error_details = STR_NULL;
}

static void keep_labels(LqLine *l, const LqStage *st) {
    for (size_t i = l->labels.n; i-- > 0;)
        if (!any_name_matches(l, st, l->labels.v[i].name)) drop_label(l, i);
}

/* Removes ANSI colour sequences: ESC [ digits and semicolons, one letter. */
static void decolorize(LqLine *l) {
    if (str_find_char(l->line, '\x1b') == SIZE_MAX) return;
    char *out = arena_alloc(l->scratch, l->line.n);
    if (!out) {
        l->out_of_memory = true;
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < l->line.n;) {
        size_t end = i + 2;
        if (l->line.p[i] == '\x1b' && i + 1 < l->line.n && l->line.p[i + 1] == '[') {
            while (end < l->line.n && ((l->line.p[end] >= '0' && l->line.p[end] <= '9') || l->line.p[end] == ';'))
                end++;
            if (end < l->line.n) {
                i = end + 1;
                continue;
            }
        }
        out[n++] = l->line.p[i++];
    }
    l->line = str_of(out, n);
}

/* --- running --- */

static bool run_stage(LqPipeline *p, const LqStage *st) {
    LqLine *l = &p->line;
    switch (st->kind) {
    case LQ_STAGE_LINE: return line_filter_holds(st, l->line);
    case LQ_STAGE_FILTER: return filter_holds(l, st->filter);
    case LQ_STAGE_JSON:
        if (!p->skip_parsers) line_parse_json(l);
        return true;
    case LQ_STAGE_LOGFMT:
        if (!p->skip_parsers) line_parse_logfmt(l, st->strict, st->keep_empty);
        return true;
    case LQ_STAGE_DROP: drop_labels(l, st); return true;
    case LQ_STAGE_KEEP: keep_labels(l, st); return true;
    case LQ_STAGE_DECOLORIZE: decolorize(l); return true;
    }
    UNREACHABLE();
}

bool pipeline_filters(LqPipeline *p, const LqStage *st) {
    for (; st; st = st->next)
        if (!run_stage(p, st)) return false;
    return true;
}

bool pipeline_run(LqPipeline *p, const LogView *row) {
    LqLine *l = &p->line;
    if (arena_used_bytes(l->scratch) > 0) arena_reset(l->scratch);
    vec_clear(&l->labels);
    l->t_ns = row->t_ns;
    l->line = row->line;
    l->error = l->error_details = STR_NULL;
    vec_reserve(&l->labels, row->stream.n + row->n_metadata);
    for (size_t i = 0; i < row->stream.n; i++)
        l->labels.v[l->labels.n++] = (LqLabel){row->stream.v[i].name, row->stream.v[i].value, LQ_L_STREAM};
    for (size_t i = 0; i < row->n_metadata; i++)
        line_set(l, LQ_L_META, row->metadata[i].key, attr_text(&row->metadata[i].value, l->scratch));
    return pipeline_filters(p, p->rest);
}
