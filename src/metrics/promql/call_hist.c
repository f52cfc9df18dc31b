/* call_hist.c - histogram_quantile and its kin, over classic buckets (series with le) and native histograms. */
#include "metrics/promql/engine_int.h"

#include "base/num.h"

typedef struct Classic {
    Labels labels; /* without le */
    AVEC(size_t) members;
    AVEC(double) bounds;
    uint64_t *forced; /* steps at which counts had to be made monotonic */
} Classic;

typedef AVEC(Classic) ClassicVec;

typedef struct HistCall {
    Ev *ev;
    const Grid *g;
    PqlNode *n, *arg; /* arg: the vector */
    PqlMatrix in;
    ClassicVec classic;
    Map *by_labels;  /* label set without le -> classic index + 1 */
    bool *is_bucket; /* per series of in: its le is a number */
} HistCall;

static Str anno_metric(const HistCall *c, Labels l) {
    return c->ev->opts.delayed_name_removal ? labels_metric(l) : STR_NULL;
}

static void warn_bad_le(HistCall *c, Labels l) {
    Buf b = {0};
    buf_put_lit(&b, "bucket label \"le\" is missing or has a malformed value of ");
    lang_put_quoted(&b, labels_get(l, STR("le")));
    ev_note_maybe_metric(c->ev, false, c->arg->span, buf_cstr(&b), anno_metric(c, l));
    buf_done(&b);
}

static bool has_floats(const HistCall *c, const PqlSeries *s) {
    FOR_PRESENT(i, s, c->g->n) {
        if (!series_h(s, i)) return true;
    }
    return false;
}

static bool add_bucket_series(HistCall *c, size_t k, Buf *key) {
    Ev *ev = c->ev;
    const PqlSeries *s = &c->in.v[k];
    double upper;
    if (!has_floats(c, s)) return true;
    if (!num_parse_f64(labels_get(s->labels, STR("le")), &upper) || isnan(upper)) {
        warn_bad_le(c, s->labels);
        return true;
    }
    Str name = STR("le");
    StrVec without = {.v = &name, .n = 1};
    bool inserted;
    labels_key(key, s->labels, &without, false, false);
    uint64_t *slot = map_put(c->by_labels, buf_str(key), &inserted);
    if (inserted) {
        Classic one = {.labels = labels_remove(ev, s->labels, &without, false)};
        one.forced = arena_alloc_zero(ev->arena, bitmap_words(c->g->n) * sizeof *one.forced);
        if (!one.forced || !avec_push(ev->arena, &c->classic, one)) return ev_no_memory(ev);
        *slot = c->classic.n;
    }
    Classic *h = &c->classic.v[*slot - 1];
    c->is_bucket[k] = true;
    return (avec_push(ev->arena, &h->members, k) && avec_push(ev->arena, &h->bounds, upper)) || ev_no_memory(ev);
}

/* Where a native histogram has the labels of a classic one at the same step, neither counts. */
static void drop_conflicts(HistCall *c, Buf *key) {
    for (size_t k = 0; k < c->in.n; k++) {
        PqlSeries *s = &c->in.v[k];
        if (!s->h) continue;
        labels_key(key, s->labels, NULL, false, false);
        uint64_t *slot = map_get(c->by_labels, buf_str(key));
        if (!slot) continue;
        Classic *h = &c->classic.v[*slot - 1];
        FOR_PRESENT(i, s, c->g->n) {
            bool clash = false;
            for (size_t j = 0; series_h(s, i) && j < h->members.n; j++) {
                PqlSeries *b = &c->in.v[h->members.v[j]];
                if (!bit_get(b->present, i) || series_h(b, i)) continue;
                bit_clear(b->present, i);
                clash = true;
            }
            if (!clash) continue;
            bit_clear(s->present, i);
            ev_note_maybe_metric(c->ev, false, c->arg->span, "vector contains a mix of classic and native histograms",
                anno_metric(c, s->labels));
        }
    }
}

static bool split(HistCall *c) {
    Buf key = {0};
    bool ok = true;
    c->is_bucket = arena_alloc_zero(c->ev->arena, c->in.n);
    if (!c->is_bucket) return ev_no_memory(c->ev);
    for (size_t k = 0; ok && k < c->in.n; k++) ok = add_bucket_series(c, k, &key);
    if (ok) drop_conflicts(c, &key);
    buf_done(&key);
    return ok;
}

/* Buckets of h at step i; 0 when there is none. */
static size_t gather(const HistCall *c, const Classic *h, size_t i, ClassicBucket *out) {
    size_t n = 0;
    for (size_t j = 0; j < h->members.n; j++) {
        const PqlSeries *b = &c->in.v[h->members.v[j]];
        if (bit_get(b->present, i) && !series_h(b, i)) out[n++] = (ClassicBucket){h->bounds.v[j], b->v[i]};
    }
    return n;
}

/* fraction: lower and upper; else the quantile q. */
typedef struct HistArgs {
    const double *q, *lower, *upper;
    Str quantile_label; /* histogram_quantiles */
    Str quantile_text;
} HistArgs;

static double classic_value(HistCall *c, const HistArgs *a, const Classic *h, size_t i, ClassicBucket *b, size_t n) {
    if (!a->q) return classic_fraction(a->lower[i], a->upper[i], b, n);
    bool forced;
    double min_b, max_b, max_diff;
    double v = classic_quantile(a->q[i], b, n, &forced, &min_b, &max_b, &max_diff);
    if (forced && !bit_get(h->forced, i)) {
        bit_set(h->forced, i); /* the next quantile of the same buckets finds them in order */
        ev_info_monotonicity(c->ev, c->arg->span, anno_metric(c, h->labels), grid_t(c->g, i), min_b, max_b, max_diff);
    }
    return v;
}

static double native_value(HistCall *c, const HistArgs *a, const PqlSeries *s, size_t i) {
    Str metric = c->ev->opts.delayed_name_removal ? labels_metric(s->labels) : STR_NULL;
    bool nan_result, skew;
    if (!a->q) {
        double v = fh_fraction(s->h[i], a->lower[i], a->upper[i], &skew);
        if (skew)
            ev_note_maybe_metric(c->ev, true, c->arg->span,
                "input to histogram_fraction has NaN observations, which are excluded from all fractions", metric);
        return v;
    }
    double v = fh_quantile(s->h[i], a->q[i], &nan_result, &skew);
    if (nan_result)
        ev_note_maybe_metric(
            c->ev, true, c->arg->span, "input to histogram_quantile has NaN observations, result is NaN", metric);
    if (skew)
        ev_note_maybe_metric(c->ev, true, c->arg->span,
            "input to histogram_quantile has NaN observations, result is skewed higher", metric);
    return v;
}

static bool finish_series(HistCall *c, const HistArgs *a, PqlSeries *out) {
    if (a->quantile_label.n) out->labels = labels_with(c->ev, out->labels, a->quantile_label, a->quantile_text);
    return c->ev->rc == OK && series_drop_name(c->ev, out);
}

static bool eval_histograms(HistCall *c, const HistArgs *a, PqlMatrix *ret) {
    const Grid *g = c->g;
    for (size_t k = 0; k < c->in.n; k++) {
        const PqlSeries *s = &c->in.v[k];
        if (!s->h) continue;
        PqlSeries *out = matrix_add(c->ev, ret, g, s->labels);
        if (!out || !ev_alive(c->ev)) return false;
        FOR_PRESENT(i, s, g->n) {
            if (s->h[i]) series_set(out, i, native_value(c, a, s, i));
        }
        if (!finish_series(c, a, out)) return false;
    }
    for (size_t k = 0; k < c->classic.n; k++) {
        const Classic *h = &c->classic.v[k];
        ClassicBucket *b = mem_alloc_array(h->members.n, sizeof *b);
        PqlSeries *out = matrix_add(c->ev, ret, g, h->labels);
        for (size_t i = 0; out && i < g->n; i++) {
            size_t n = gather(c, h, i, b);
            if (n) series_set(out, i, classic_value(c, a, h, i, b, n));
        }
        mem_free(b);
        if (!out || !ev_alive(c->ev) || !finish_series(c, a, out)) return false;
    }
    return true;
}

static void warn_quantiles(const HistCall *c, const PqlNode *arg, const double *q) {
    for (size_t i = 0; i < c->g->n; i++)
        if (isnan(q[i]) || q[i] < 0 || q[i] > 1) ev_warn_quantile(c->ev, promql_unparen(arg)->span, q[i]);
}

/* As OpenMetrics writes a number: 1.0, 0.5, 1e+21. */
static Str open_metrics_text(Ev *ev, double v) {
    Buf b = {0};
    num_put_f64_go_g(&b, v);
    bool plain =
        isfinite(v) && str_find_char(buf_str(&b), '.') == SIZE_MAX && str_find_char(buf_str(&b), 'e') == SIZE_MAX;
    if (plain) buf_put_lit(&b, ".0");
    Str s = arena_copy(ev->arena, buf_str(&b));
    buf_done(&b);
    if (!s.p) ev_no_memory(ev);
    return s;
}

static bool quantiles(HistCall *c, PqlMatrix *ret) {
    Ev *ev = c->ev;
    PqlNode **args = c->n->call.args.v;
    for (size_t k = 2; k < c->n->call.args.n; k++) {
        HistArgs a = {.quantile_label = promql_unparen(args[1])->string};
        if (!ev_scalar_arg(ev, c->g, args[k], &a.q)) return false;
        warn_quantiles(c, args[k], a.q);
        /* A quantile that changes from step to step makes a series per value. */
        for (size_t i = 0; i < c->g->n; i++) {
            if (i > 0 && (a.q[i] == a.q[i - 1] || (isnan(a.q[i]) && isnan(a.q[i - 1])))) continue;
            size_t from = ret->n;
            a.quantile_text = open_metrics_text(ev, a.q[i]);
            if (ev->rc != OK || !eval_histograms(c, &a, ret)) return false;
            for (size_t s = from; s < ret->n; s++)
                for (size_t j = 0; j < c->g->n; j++)
                    if (!(a.q[j] == a.q[i] || (isnan(a.q[j]) && isnan(a.q[i])))) bit_clear(ret->v[s].present, j);
        }
    }
    return true;
}

static bool quantile_family(HistCall *c, PqlMatrix *ret) {
    Ev *ev = c->ev;
    PqlFn id = c->n->call.fn->id;
    PqlNode **args = c->n->call.args.v;
    HistArgs a = {0};
    c->arg = args[id == FN_HISTOGRAM_QUANTILES ? 0 : id == FN_HISTOGRAM_QUANTILE ? 1 : 2];
    if (id == FN_HISTOGRAM_QUANTILE) {
        if (!ev_scalar_arg(ev, c->g, args[0], &a.q)) return false;
        warn_quantiles(c, args[0], a.q);
    } else if (id == FN_HISTOGRAM_FRACTION) {
        if (!ev_scalar_arg(ev, c->g, args[0], &a.lower) || !ev_scalar_arg(ev, c->g, args[1], &a.upper)) return false;
    }
    PqlNode *vector = c->arg;
    while (c->arg->kind == PQL_PAREN) c->arg = c->arg->paren;
    if (!ev_eval(ev, c->g, vector, &c->in) || !split(c)) return false;
    bool ok = id == FN_HISTOGRAM_QUANTILES ? quantiles(c, ret) : eval_histograms(c, &a, ret);
    if (!ok) return false;
    matrix_drop_empty(ret, c->g);
    return matrix_merge_same(ev, ret, c->g, false);
}

static double statistic(PqlFn id, const FHist *h) {
    switch (id) {
    case FN_HISTOGRAM_COUNT: return h->count;
    case FN_HISTOGRAM_SUM: return h->sum;
    case FN_HISTOGRAM_AVG: return h->sum / h->count;
    case FN_HISTOGRAM_STDVAR: return fh_variance(h);
    case FN_HISTOGRAM_STDDEV: return sqrt(fh_variance(h));
    default: UNREACHABLE();
    }
}

static bool statistics(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlMatrix in = {0};
    if (!ev_eval(ev, g, n->call.args.v[0], &in)) return false;
    for (size_t k = 0; k < in.n; k++) {
        const PqlSeries *s = &in.v[k];
        if (!s->h) continue;
        PqlSeries *out = matrix_add(ev, ret, g, s->labels);
        if (!out) return false;
        FOR_PRESENT(i, s, g->n) {
            if (s->h[i]) series_set(out, i, statistic(n->call.fn->id, s->h[i]));
        }
        if (!series_drop_name(ev, out)) return false;
    }
    matrix_drop_empty(ret, g);
    return matrix_merge_same(ev, ret, g, false);
}

bool ev_histogram_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlFn id = n->call.fn->id;
    if (id != FN_HISTOGRAM_QUANTILE && id != FN_HISTOGRAM_QUANTILES && id != FN_HISTOGRAM_FRACTION)
        return statistics(ev, g, n, ret);
    HistCall c = {.ev = ev, .g = g, .n = n, .by_labels = map_create(MAP_COPY_KEYS)};
    bool ok = quantile_family(&c, ret);
    map_free(c.by_labels);
    return ok;
}
