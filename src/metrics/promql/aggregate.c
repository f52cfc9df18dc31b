/* aggregate.c - sum, avg, min, max, count, group, stddev, stdvar, quantile: series stream into accumulators, one per
 * group and step. */
#include "metrics/promql/groups.h"

#include "base/num.h"

#include <stdlib.h>

/* --- groups --- */

Labels group_labels(Ev *ev, const PqlNode *n, Labels l) {
    const StrVec *names = &n->aggregate.grouping;
    if (n->aggregate.without) return labels_remove(ev, l, names, true);
    return names->n ? labels_keep(ev, l, names) : (Labels){0};
}

bool ev_groups(Ev *ev, const PqlNode *n, const PqlMatrix *in, bool want_labels, Groups *ret) {
    *ret = (Groups){.of = ARENA_ARRAY(ev->arena, size_t, in->n), .labels = ARENA_ARRAY(ev->arena, Labels, in->n)};
    if (!ret->of || !ret->labels) return ev_no_memory(ev);
    bool without = n->aggregate.without;
    GroupMap *map = group_map_create(&n->aggregate.grouping, !without, without);
    for (size_t i = 0; i < in->n; i++) {
        bool is_new;
        ret->of[i] = group_map_find(map, in->v[i].labels, &is_new);
        if (is_new) ret->labels[ret->n++] = want_labels ? group_labels(ev, n, in->v[i].labels) : (Labels){0};
    }
    group_map_free(map);
    return ev->rc == OK;
}

/* --- accumulators --- */

typedef struct Acc {
    double value, mean, c, count;
    FHist *hist;
    bool has_float, has_hist, incompatible, incremental, hist_incremental, reset_yes, reset_no;
} Acc;

typedef struct Aggregation {
    Ev *ev;
    const PqlNode *n;
    PqlTok op;
    LangSpan span; /* of the aggregated expression */
    Labels labels; /* of the series being added */
} Aggregation;

static void info_ignored(const Aggregation *a) {
    ev_info(a->ev, a->span, "ignored histogram in %s aggregation", pql_tok_text(a->op));
}

static bool note_add(const Aggregation *a, Acc *acc, FhNotes notes) {
    if (notes.no_memory) return ev_no_memory(a->ev);
    if (notes.incompatible) {
        ev_warn_metric(a->ev, a->span, WARN_MIXED_SCHEMAS, a->labels);
        acc->incompatible = true;
    }
    if (notes.bounds_reconciled)
        ev_info(a->ev, a->span, "mismatched custom buckets were reconciled during aggregation");
    return true;
}

static bool sum_histogram(const Aggregation *a, Acc *acc, const FHist *h) {
    acc->reset_yes |= h->reset == HISTOGRAM_RESET_YES;
    acc->reset_no |= h->reset == HISTOGRAM_RESET_NO;
    if (acc->hist) return note_add(a, acc, fh_add(a->ev->arena, acc->hist, h, 1, true));
    acc->hist = fh_copy(a->ev->arena, h);
    return acc->hist || ev_no_memory(a->ev);
}

/* count includes h. The sum is kept until it overflows, then the mean. */
static bool mean_histogram(const Aggregation *a, Acc *acc, const FHist *h) {
    Arena *arena = a->ev->arena;
    if (!acc->hist) return sum_histogram(a, acc, h);
    acc->reset_yes |= h->reset == HISTOGRAM_RESET_YES;
    acc->reset_no |= h->reset == HISTOGRAM_RESET_NO;
    if (!acc->hist_incremental) {
        if (fabs(acc->hist->sum) < 1e300 && fabs(h->sum) < 1e300 && fabs(acc->hist->count) < 1e300 &&
            fabs(h->count) < 1e300 && !fh_has_overflow(h) && !fh_has_overflow(acc->hist))
            return note_add(a, acc, fh_add(arena, acc->hist, h, 1, true));
        FHist *next = fh_copy(arena, acc->hist);
        if (!next) return ev_no_memory(a->ev);
        FhNotes notes = fh_add(arena, next, h, 1, true);
        if (notes.incompatible || notes.no_memory) return note_add(a, acc, notes);
        if (!fh_has_overflow(next)) {
            acc->hist = next;
            return note_add(a, acc, notes);
        }
        acc->hist_incremental = true;
        fh_divide(acc->hist, acc->count - 1);
    }
    FHist *part = fh_copy(arena, h);
    if (!part) return ev_no_memory(a->ev);
    fh_divide(part, acc->count);
    fh_scale(acc->hist, (acc->count - 1) / acc->count);
    return note_add(a, acc, fh_add(arena, acc->hist, part, 1, true));
}

static void mean_float(Acc *acc, double v) {
    if (!acc->incremental) {
        double next = acc->value, c = acc->c;
        kahan_add(v, &next, &c);
        if (!isinf(next)) {
            acc->value = next;
            acc->c = c;
            return;
        }
        acc->incremental = true;
        acc->mean = acc->value / (acc->count - 1);
        acc->c /= acc->count - 1;
    }
    double q = (acc->count - 1) / acc->count;
    acc->mean *= q;
    acc->c *= q;
    kahan_add(v / acc->count, &acc->mean, &acc->c);
}

static bool add_sum_avg(const Aggregation *a, Acc *acc, double v, const FHist *h) {
    bool avg = a->op == TOK_AVG, first = acc->count == 0;
    acc->count++;
    if (acc->incompatible) return true;
    if (h) {
        acc->has_hist = true;
        if (acc->has_float && !acc->hist) return true; /* mixed: there will be no result, but warnings */
        return avg ? mean_histogram(a, acc, h) : sum_histogram(a, acc, h);
    }
    acc->has_float = true;
    if (first)
        acc->value = v;
    else if (avg)
        mean_float(acc, v);
    else
        kahan_add(v, &acc->value, &acc->c);
    return true;
}

/* A sample of the series that a describes. */
static bool accumulate(const Aggregation *a, Acc *acc, double v, const FHist *h) {
    switch (a->op) {
    case TOK_SUM:
    case TOK_AVG: return add_sum_avg(a, acc, v, h);
    case TOK_COUNT:
    case TOK_GROUP: acc->count++; return true;
    default: break;
    }
    if (h) {
        info_ignored(a);
        return true;
    }
    bool first = acc->count++ == 0;
    if (a->op == TOK_MAX || a->op == TOK_MIN) {
        bool better = a->op == TOK_MAX ? acc->value < v : acc->value > v;
        if (first || better || isnan(acc->value)) acc->value = v;
        return true;
    }
    ASSERT(a->op == TOK_STDDEV || a->op == TOK_STDVAR);
    if (first) {
        acc->mean = v;
        acc->value = isfinite(v) ? 0 : NAN;
        return true;
    }
    double delta = v - acc->mean;
    acc->mean += delta / acc->count;
    acc->value += delta * (v - acc->mean);
    return true;
}

static bool finish_sum_avg(const Aggregation *a, const Grid *g, Acc *acc, size_t step, PqlSeries *out) {
    if (acc->has_float && acc->has_hist) {
        ev_warn(a->ev, a->span, "encountered a mix of histograms and floats for aggregation");
        return true;
    }
    if (acc->incompatible) return true;
    if (acc->reset_yes && acc->reset_no)
        ev_warn(a->ev, a->span, "conflicting counter resets during histogram aggregation");
    bool avg = a->op == TOK_AVG;
    if (acc->hist) {
        if (avg && !acc->hist_incremental) fh_divide(acc->hist, acc->count);
        fh_fold(acc->hist);
        fh_compact(acc->hist);
        return series_set_h(a->ev, out, g, step, acc->hist);
    }
    double v = acc->value + acc->c;
    if (avg) v = acc->incremental ? acc->mean + acc->c : acc->value / acc->count + acc->c / acc->count;
    series_set(out, step, v);
    return true;
}

static bool finish(const Aggregation *a, const Grid *g, Acc *acc, size_t step, PqlSeries *out) {
    if (acc->count == 0) return true;
    switch (a->op) {
    case TOK_SUM:
    case TOK_AVG: return finish_sum_avg(a, g, acc, step, out);
    case TOK_COUNT: series_set(out, step, acc->count); return true;
    case TOK_GROUP: series_set(out, step, 1); return true;
    case TOK_STDVAR: series_set(out, step, acc->value / acc->count); return true;
    case TOK_STDDEV: series_set(out, step, sqrt(acc->value / acc->count)); return true;
    default: series_set(out, step, acc->value); return true;
    }
}

static bool stream(Aggregation *a, const Grid *g, const PqlMatrix *in, const Groups *groups, PqlMatrix *ret) {
    Ev *ev = a->ev;
    Acc *acc = arena_alloc_array(ev->arena, groups->n, g->n * sizeof *acc);
    if (!acc) return ev_no_memory(ev);
    memset(acc, 0, groups->n * g->n * sizeof *acc);
    for (size_t k = 0; k < in->n; k++) {
        const PqlSeries *s = &in->v[k];
        Acc *row = acc + groups->of[k] * g->n;
        a->labels = s->labels;
        ret->v[groups->of[k]].drop_name |= s->drop_name;
        if (!ev_alive(ev)) return false;
        FOR_PRESENT(i, s, g->n) {
            if (!accumulate(a, &row[i], s->v[i], series_h(s, i))) return false;
        }
    }
    for (size_t j = 0; j < groups->n; j++)
        for (size_t i = 0; i < g->n; i++)
            if (!finish(a, g, &acc[j * g->n + i], i, &ret->v[j])) return false;
    return true;
}

/* --- quantile: all values of a group at a step are needed at once --- */

static void warn_bad_quantiles(Ev *ev, const Grid *g, const PqlNode *param, const double *q) {
    bool nan = false;
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < g->n; i++) {
        nan |= isnan(q[i]);
        if (q[i] < min) min = q[i];
        if (q[i] > max) max = q[i];
    }
    if (nan) ev_warn_quantile(ev, param->span, NAN);
    if (max > 1) ev_warn_quantile(ev, param->span, max);
    if (min < 0) ev_warn_quantile(ev, param->span, min);
}

static bool quantiles(
    Aggregation *a, const Grid *g, const PqlMatrix *in, const Groups *groups, const double *q, PqlMatrix *ret) {
    Ev *ev = a->ev;
    size_t *size = arena_alloc_zero(ev->arena, (groups->n + 1) * sizeof *size);
    size_t *fill = ARENA_ARRAY(ev->arena, size_t, groups->n + 1);
    double *values = ARENA_ARRAY(ev->arena, double, in->n);
    if (!size || !fill || !values) return ev_no_memory(ev);
    for (size_t k = 0; k < in->n; k++) {
        size[groups->of[k] + 1]++;
        ret->v[groups->of[k]].drop_name |= in->v[k].drop_name;
    }
    for (size_t j = 0; j < groups->n; j++) size[j + 1] += size[j];
    for (size_t i = 0; i < g->n; i++) {
        if (!ev_alive(ev)) return false;
        memcpy(fill, size, (groups->n + 1) * sizeof *fill);
        for (size_t k = 0; k < in->n; k++) {
            if (!bit_get(in->v[k].present, i)) continue;
            if (series_h(&in->v[k], i))
                info_ignored(a);
            else
                values[fill[groups->of[k]]++] = in->v[k].v[i];
        }
        for (size_t j = 0; j < groups->n; j++)
            if (fill[j] > size[j]) series_set(&ret->v[j], i, quantile_of(q[i], values + size[j], fill[j] - size[j]));
    }
    return true;
}

/* --- count_values --- */

static Str value_text(Ev *ev, const PqlSeries *s, size_t i) {
    Buf b = {0};
    FHist *h = series_h(s, i);
    if (h) {
        Histogram *m = fh_to_model(ev->arena, h);
        if (m) promql_put_histogram_text(&b, m);
    } else {
        PqlNode number = {.kind = PQL_NUMBER, .number = {.value = s->v[i]}};
        promql_print(&b, &number);
    }
    Str text = arena_copy(ev->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

bool ev_count_values(Ev *ev, const Grid *g, PqlNode *n, const PqlMatrix *in, PqlMatrix *ret) {
    Str label = promql_unparen(n->aggregate.param)->string;
    if (label.n == 0 || !str_is_utf8(label)) {
        Buf b = {0};
        lang_put_quoted(&b, label);
        ev_fail(ev, "invalid label name %s", buf_cstr(&b));
        buf_done(&b);
        return false;
    }
    PqlNode by = *n; /* the value's label belongs to the grouping */
    if (!n->aggregate.without) {
        by.aggregate.grouping = (StrVec){0};
        for (size_t i = 0; i < n->aggregate.grouping.n; i++)
            if (!avec_push(ev->arena, &by.aggregate.grouping, n->aggregate.grouping.v[i])) return ev_no_memory(ev);
        if (!avec_push(ev->arena, &by.aggregate.grouping, label)) return ev_no_memory(ev);
    }
    Map *map = map_create(MAP_COPY_KEYS);
    Buf key = {0};
    bool ok = true;
    for (size_t k = 0; ok && k < in->n; k++) {
        for (size_t i = bitmap_next(in->v[k].present, 0, g->n); ok && i < g->n;
             i = bitmap_next(in->v[k].present, i + 1, g->n)) {
            Str text = value_text(ev, &in->v[k], i);
            Labels labels = text.p ? group_labels(ev, &by, labels_with(ev, in->v[k].labels, label, text)) : (Labels){0};
            bool inserted;
            labels_key(&key, labels, NULL, false, false);
            uint64_t *slot = map_put(map, buf_str(&key), &inserted);
            if (inserted) *slot = ret->n;
            ok = text.p ? ev_alive(ev) && (!inserted || matrix_add(ev, ret, g, labels)) : ev_no_memory(ev);
            if (!ok) break;
            PqlSeries *s = &ret->v[*slot];
            series_set(s, i, bit_get(s->present, i) ? s->v[i] + 1 : 1);
        }
    }
    buf_done(&key);
    map_free(map);
    return ok && matrix_merge_same(ev, ret, g, false);
}

static bool count_points(Ev *ev, const Grid *g, const PqlMatrix *m) {
    uint64_t points = 0;
    for (size_t j = 0; j < m->n; j++) points += bitmap_count(m->v[j].present, g->n);
    return ev_count_samples(ev, points);
}

bool ev_aggregate(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlTok op = n->aggregate.op;
    PqlMatrix in = {0};
    const double *param = NULL;
    if (n->aggregate.param && op != TOK_COUNT_VALUES && !ev_scalar_arg(ev, g, n->aggregate.param, &param)) return false;
    uint64_t held = ev->samples;
    bool done = false;
    if (!ev_aggregate_stream(ev, g, n, ret, &done)) return false;
    ev->samples = held;
    if (done) return count_points(ev, g, ret);
    *ret = (PqlMatrix){0};
    if (!ev_eval(ev, g, n->aggregate.expr, &in)) return false;
    if (op == TOK_COUNT_VALUES) return ev_count_values(ev, g, n, &in, ret);
    if (aggregate_is_k(op)) return ev_aggregate_k(ev, g, n, &in, param, ret);
    Groups groups;
    if (!ev_groups(ev, n, &in, true, &groups)) return false;
    for (size_t j = 0; j < groups.n; j++)
        if (!matrix_add(ev, ret, g, groups.labels[j])) return false;
    Aggregation a = {.ev = ev, .n = n, .op = op, .span = promql_unparen(n->aggregate.expr)->span};
    if (op == TOK_QUANTILE) {
        warn_bad_quantiles(ev, g, promql_unparen(n->aggregate.param), param);
        if (!quantiles(&a, g, &in, &groups, param, ret)) return false;
    } else if (!stream(&a, g, &in, &groups, ret)) {
        return false;
    }
    ev->samples = held;
    matrix_drop_empty(ret, g);
    return count_points(ev, g, ret);
}
