/* Range aggregations. Counts and bytes are kept as differences per step: a row adds to the first step whose window has
 * it and takes away behind the last, so its cost does not depend on how many windows overlap. Unwrapped values
 * are kept as samples and the windows slide over them. */
#include "base/timefmt.h"
#include "logs/logql_eval_int.h"

#include <stdlib.h>

typedef struct RangeSeries {
    Labels labels;
    double *sum; /* differences, n_steps + 1 */
    int64_t *count;
    AVEC(LqSample) samples;
} RangeSeries;

typedef struct RangeRun {
    LqEval *ev;
    const LqExpr *e;
    const LqGrouping *group; /* NULL: by all labels */
    LqPipeline pipeline;
    LqSeriesIndex index;
    AVEC(RangeSeries) series;
    bool one_series; /* everything falls into one */
    bool samples;
    ErrCode rc;
} RangeRun;

static bool is_bytes(LqRangeOp op) { return op == LQ_BYTES_OVER_TIME || op == LQ_BYTES_RATE; }

static bool fail_memory(RangeRun *r) {
    r->rc = lq_fail_eval_memory(r->ev);
    return false;
}

static RangeSeries *new_series(RangeRun *r, Labels l) {
    Arena *arena = r->ev->req->arena;
    if (r->series.n >= r->ev->series_max) {
        r->rc = lq_fail_series(r->ev);
        return NULL;
    }
    RangeSeries s = {.labels = labels_copy(arena, l)};
    bool ok = l.n == 0 || s.labels.v;
    if (!r->samples) {
        s.sum = arena_alloc_zero(arena, (r->ev->n_steps + 1) * sizeof *s.sum);
        s.count = arena_alloc_zero(arena, (r->ev->n_steps + 1) * sizeof *s.count);
        ok = ok && s.sum && s.count;
    }
    if (!ok || !avec_push(arena, &r->series, s)) {
        fail_memory(r);
        return NULL;
    }
    return &r->series.v[r->series.n - 1];
}

static RangeSeries *series_of(RangeRun *r, Labels l) {
    if (r->one_series) return r->series.n > 0 ? r->series.v : new_series(r, (Labels){0});
    uint64_t *slot = lq_index_slot(&r->index, l);
    if (*slot == 0) {
        if (!new_series(r, l)) return NULL;
        *slot = r->series.n;
    }
    return &r->series.v[*slot - 1];
}

/* Steps whose window (t_k - range, t_k] holds t: [*first, *last), empty when first >= last. */
static void steps_of(const RangeRun *r, int64_t t, size_t *first, size_t *last) {
    const LogqlRequest *req = r->ev->req;
    int64_t from = t + r->e->offset_ns - req->start_ns, to = from + r->e->range_ns;
    int64_t step = req->step_ns > 0 && r->ev->n_steps > 1 ? req->step_ns : INT64_MAX;
    int64_t n = (int64_t)r->ev->n_steps;
    *first = from <= 0 ? 0 : (size_t)MIN(from / step + (from % step != 0), n);
    *last = to <= 0 ? 0 : (size_t)MIN((to - 1) / step + 1, n);
}

static bool add_value(RangeRun *r, Labels l, int64_t t, double v) {
    RangeSeries *s = series_of(r, l);
    if (!s) return false;
    if (r->samples) return avec_push(r->ev->req->arena, &s->samples, (LqSample){t, v}) || fail_memory(r);
    size_t first, last;
    steps_of(r, t, &first, &last);
    if (first >= last) return true;
    s->sum[first] += v;
    s->sum[last] -= v;
    s->count[first]++;
    s->count[last]--;
    return true;
}

static bool unwrap_value(LqLine *l, const LqUnwrap *u, double *ret) {
    Str text = line_get(l, u->name);
    if (text.n == 0) return false;
    bool ok = false;
    int64_t ns;
    if (u->conv == LQ_CONV_BYTES) {
        ok = lq_parse_bytes(text, ret);
    } else if (u->conv == LQ_CONV_DURATION) {
        ok = duration_parse_any(text, &ns);
        *ret = ok ? (double)ns / 1e9 : 0;
    } else {
        ok = lang_parse_number(text, ret);
    }
    if (!ok) {
        *ret = 0;
        line_fail(l, STR("SampleExtractionErr"), STR("the label's value is no number"));
    }
    for (size_t i = 0; i < l->labels.n; i++)
        if (str_eq(l->labels.v[i].name, u->name)) {
            l->labels.v[i] = l->labels.v[--l->labels.n];
            break;
        }
    return true;
}

static bool fail_pipeline(RangeRun *r, Labels l) {
    Buf b = {0};
    labels_put_text(&b, l);
    Str error = r->pipeline.line.error;
    r->rc = err_set(r->ev->err, ERR_INVALID,
        "pipeline error: '%" STR_FMT "' for series: '%" STR_FMT
        "'.\nUse a label filter to intentionally skip this error. "
        "(e.g | __error__!=\"%" STR_FMT "\").",
        STR_ARG(error), STR_ARG(buf_str(&b)), STR_ARG(error));
    buf_done(&b);
    return false;
}

static bool range_visit(void *ctx, const LogView *row) {
    RangeRun *r = ctx;
    if (r->one_series && !r->pipeline.rest && !r->samples) {
        r->ev->stats->lines_kept++;
        return add_value(r, (Labels){0}, row->t_ns, is_bytes(r->e->range_op) ? (double)row->line.n : 1);
    }
    if (!pipeline_run(&r->pipeline, row)) return true;
    LqLine *l = &r->pipeline.line;
    double v = is_bytes(r->e->range_op) ? (double)l->line.n : 1;
    if (r->e->unwrap.set && !unwrap_value(l, &r->e->unwrap, &v)) return true;
    if (!pipeline_filters(&r->pipeline, r->e->unwrap.filters)) return true;
    r->ev->stats->lines_kept++;
    Labels labels = {0};
    if (l->out_of_memory) return fail_memory(r);
    if (!r->one_series || l->error.n > 0) {
        if (!line_labels(l, LQ_KINDS_ALL, l->scratch, &labels)) return fail_memory(r);
        if (l->error.n > 0 && line_get(l, STR("__preserve_error__")).n == 0) return fail_pipeline(r, labels);
        if (r->group && !lq_group_labels(r->group, labels, l->scratch, &labels)) return fail_memory(r);
    }
    return add_value(r, labels, row->t_ns, v);
}

/* --- results --- */

static ErrCode finish_counts(RangeRun *r, const RangeSeries *in, LogqlSeries *out) {
    if (!lq_series_new(r->ev, in->labels, out)) return lq_fail_eval_memory(r->ev);
    double sum = 0, per = 1;
    int64_t count = 0;
    if (r->e->range_op == LQ_RATE || r->e->range_op == LQ_BYTES_RATE) per = (double)r->e->range_ns / 1e9;
    for (size_t k = 0; k < r->ev->n_steps; k++) {
        sum += in->sum[k];
        count += in->count[k];
        out->present[k] = count > 0;
        out->v[k] = count > 0 ? sum / per : 0;
    }
    return OK;
}

static ErrCode finish_samples(RangeRun *r, const RangeSeries *in, LogqlSeries *out) {
    if (!lq_series_new(r->ev, in->labels, out)) return lq_fail_eval_memory(r->ev);
    double *scratch = ARENA_ARRAY(r->ev->req->arena, double, in->samples.n);
    if (!scratch) return lq_fail_eval_memory(r->ev);
    size_t lo = 0, hi = 0;
    for (size_t k = 0; k < r->ev->n_steps; k++) {
        int64_t end = lq_step_time(r->ev, k) - r->e->offset_ns;
        while (hi < in->samples.n && in->samples.v[hi].t_ns <= end) hi++;
        while (lo < hi && in->samples.v[lo].t_ns <= end - r->e->range_ns) lo++;
        if (lo == hi) continue;
        bool present = true;
        out->v[k] = lq_window_value(r->e, in->samples.v + lo, hi - lo, end, scratch, &present);
        out->present[k] = present;
    }
    return OK;
}

static int cmp_by_name(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

/* 1 where nothing is, with the labels the selector pins down. */
static ErrCode finish_absent(RangeRun *r, LogqlMatrix *ret) {
    LqEval *ev = r->ev;
    LogqlSeries *out = ARENA_NEW(ev->req->arena, LogqlSeries);
    Label *v = ARENA_ARRAY(ev->req->arena, Label, r->e->matchers.n);
    if (!out || !v) return lq_fail_eval_memory(ev);
    size_t n = 0;
    for (size_t i = 0; i < r->e->matchers.n; i++) {
        const Matcher *m = r->e->matchers.v[i];
        bool twice = false;
        for (size_t k = 0; k < r->e->matchers.n; k++) twice |= k != i && str_eq(r->e->matchers.v[k]->name, m->name);
        if (m->type == MATCH_EQ && !twice && m->value.n > 0) v[n++] = (Label){m->name, m->value};
    }
    if (n > 1) qsort(v, n, sizeof *v, cmp_by_name);
    if (!lq_series_new(ev, (Labels){v, n}, out)) return lq_fail_eval_memory(ev);
    int64_t count = 0;
    for (size_t k = 0; k < ev->n_steps; k++) {
        if (r->series.n > 0) count += r->series.v[0].count[k];
        out->present[k] = count == 0;
        out->v[k] = 1;
    }
    *ret = (LogqlMatrix){.v = out, .n = 1, .n_steps = ev->n_steps};
    return OK;
}

static ErrCode finish(RangeRun *r, LogqlMatrix *ret) {
    if (r->e->range_op == LQ_ABSENT_OVER_TIME) return finish_absent(r, ret);
    LogqlSeries *v = ARENA_ARRAY(r->ev->req->arena, LogqlSeries, r->series.n);
    if (!v) return lq_fail_eval_memory(r->ev);
    for (size_t i = 0; i < r->series.n; i++) {
        ErrCode rc = r->samples ? finish_samples(r, &r->series.v[i], &v[i]) : finish_counts(r, &r->series.v[i], &v[i]);
        if (rc) return rc;
    }
    *ret = (LogqlMatrix){.v = v, .n = r->series.n, .n_steps = r->ev->n_steps};
    return OK;
}

static int64_t saturating_sub(int64_t a, int64_t b) {
    int64_t out;
    if (__builtin_sub_overflow(a, b, &out)) return b > 0 ? INT64_MIN : INT64_MAX;
    return out;
}

static ErrCode scan(RangeRun *r) {
    const LqExpr *e = r->e;
    const LogqlRequest *req = r->ev->req;
    LogSelect sel = {
        .matchers = {e->matchers.v, e->matchers.n},
        .hints = r->pipeline.hints,
        .n_hints = r->pipeline.n_hints,
        .arena = req->arena,
        .check = lq_check,
        .check_ctx = req,
        .keep_line = e->stages != r->pipeline.rest ? pipeline_keep_line : NULL,
        .keep_ctx = &r->pipeline,
        .any_order = !r->samples,
        .skip_metadata = r->one_series && !r->samples && !r->pipeline.needs_labels && !r->pipeline.has_parser,
    };
    sel.skip_line = !r->samples && !r->pipeline.rest && !is_bytes(e->range_op);
    int64_t last = lq_step_time(r->ev, r->ev->n_steps - 1);
    sel.start_ns = saturating_sub(saturating_sub(req->start_ns, e->range_ns), e->offset_ns);
    if (sel.start_ns < INT64_MAX) sel.start_ns++;
    sel.end_ns = saturating_sub(saturating_sub(last, e->offset_ns), -1);
    ErrCode rc = req->store->ops->select(req->store, &sel, range_visit, r, &r->ev->stats->scan, r->ev->err);
    return rc ? rc : r->rc;
}

ErrCode lq_eval_range(LqEval *ev, const LqExpr *e, const LqGrouping *sum, LogqlMatrix *ret) {
    RangeRun r = {.ev = ev, .e = e, .group = sum ? sum : e->by.set ? &e->by : NULL};
    if (!pipeline_init(&r.pipeline, e, ev->req->arena)) return lq_fail_eval_memory(ev);
    bool by_nothing = r.group && !r.group->without && r.group->names.n == 0;
    r.one_series = by_nothing || (sum && !sum->set) || e->range_op == LQ_ABSENT_OVER_TIME;
    r.samples = e->unwrap.set && e->range_op != LQ_ABSENT_OVER_TIME;
    /* Nobody reads the parsed labels: do not parse, and let no parse error fail the query. */
    r.pipeline.skip_parsers = r.one_series && !r.pipeline.needs_labels && !e->unwrap.set;
    lq_index_init(&r.index);
    ErrCode rc = scan(&r);
    if (rc == OK) rc = finish(&r, ret);
    lq_index_done(&r.index);
    pipeline_done(&r.pipeline);
    return rc;
}
