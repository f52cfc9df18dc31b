/* Entry points of the engine, and queries for lines. */
#include "logs/logql_eval_int.h"

#include "sys/clock.h"

#include <stdatomic.h>

#include <stdlib.h>

#define SERIES_MAX_DEFAULT 100000

ErrCode lq_check(const void *ctx, Err *reterr) {
    const LogqlRequest *req = ctx;
    if ((req->cancel && atomic_load_explicit(req->cancel, memory_order_relaxed)) ||
        (req->gone && req->gone(req->gone_ctx)))
        return err_set(reterr, ERR_CANCELLED, "the query was cancelled");
    if (req->deadline_mono_ns > 0 && clock_mono_ns() > req->deadline_mono_ns)
        return err_set(reterr, ERR_TIMEOUT,
            "request timed out, decrease the duration of the request or add more label matchers (prefer exact match "
            "over regex match) to reduce the amount of data processed");
    return OK;
}

/* --- lines --- */

typedef struct LogRun {
    const LogqlRequest *req;
    LqPipeline pipeline;
    LqSeriesIndex index;
    AVEC(LogqlStream) streams;
    uint64_t n_entries;
    ErrCode rc;
    Err *err;
} LogRun;

static bool log_fail_memory(LogRun *r) {
    r->rc =
        err_set(r->err, ERR_TOO_LARGE, "the query needs more memory than it is allowed: lower the limit or the range");
    return false;
}

static bool copy_labels(Arena *arena, Labels l, Labels *ret) {
    *ret = labels_copy(arena, l);
    return l.n == 0 || ret->v;
}

static LogqlStream *log_stream(LogRun *r, Labels l) {
    uint64_t *slot = lq_index_slot(&r->index, l);
    if (*slot == 0) {
        LogqlStream st = {0};
        if (!copy_labels(r->req->arena, l, &st.labels) || !avec_push(r->req->arena, &r->streams, st)) {
            log_fail_memory(r);
            return NULL;
        }
        *slot = r->streams.n;
    }
    return &r->streams.v[*slot - 1];
}

static bool log_visit(void *ctx, const LogView *row) {
    LogRun *r = ctx;
    if (!pipeline_run(&r->pipeline, row)) return true;
    LqLine *l = &r->pipeline.line;
    Labels labels, metadata = {0}, parsed = {0};
    bool split = r->req->categorize;
    if (l->out_of_memory || !line_labels(l, split ? 1u << LQ_L_STREAM : LQ_KINDS_ALL, l->scratch, &labels))
        return log_fail_memory(r);
    if (split && (!line_labels(l, 1u << LQ_L_META, l->scratch, &metadata) ||
                     !line_labels(l, 1u << LQ_L_PARSED, l->scratch, &parsed)))
        return log_fail_memory(r);
    LogqlStream *st = log_stream(r, labels);
    if (!st) return false;
    LogqlEntry e = {.t_ns = row->t_ns, .line = arena_copy(r->req->arena, l->line)};
    if (!e.line.p || !copy_labels(r->req->arena, metadata, &e.metadata) ||
        !copy_labels(r->req->arena, parsed, &e.parsed) || !avec_push(r->req->arena, &st->entries, e))
        return log_fail_memory(r);
    return ++r->n_entries != r->req->limit;
}

static int cmp_streams(const void *a, const void *b) {
    return labels_cmp(((const LogqlStream *)a)->labels, ((const LogqlStream *)b)->labels);
}

ErrCode logql_run_log(const LogqlRequest *req, const LqExpr *e, LogqlStreams *ret, LogqlStats *ret_stats, Err *reterr) {
    ASSERT(e->kind == LQ_LOG);
    *ret = (LogqlStreams){0};
    LogRun r = {.req = req, .err = reterr};
    if (!pipeline_init(&r.pipeline, e, req->arena)) return err_set(reterr, ERR_TOO_LARGE, "out of query memory");
    lq_index_init(&r.index);
    LogSelect sel = {
        .matchers = {e->matchers.v, e->matchers.n},
        .start_ns = req->start_ns,
        .end_ns = req->end_ns,
        .backward = req->backward,
        .hints = r.pipeline.hints,
        .n_hints = r.pipeline.n_hints,
        .arena = req->arena,
        .check = lq_check,
        .check_ctx = req,
        .keep_line = e->stages != r.pipeline.rest ? pipeline_keep_line : NULL,
        .keep_ctx = &r.pipeline,
    };
    ErrCode rc = req->store->ops->select(req->store, &sel, log_visit, &r, &ret_stats->scan, reterr);
    if (rc == OK) rc = r.rc;
    ret_stats->lines_kept += r.n_entries;
    if (r.streams.n > 1) qsort(r.streams.v, r.streams.n, sizeof *r.streams.v, cmp_streams);
    *ret = (LogqlStreams){r.streams.v, r.streams.n, r.n_entries};
    lq_index_done(&r.index);
    pipeline_done(&r.pipeline);
    return rc;
}

/* --- numbers --- */

static ErrCode eval_constant(LqEval *ev, const LqExpr *e, LogqlMatrix *ret) {
    LogqlSeries *s = ARENA_NEW(ev->req->arena, LogqlSeries);
    if (!s || !lq_series_new(ev, (Labels){0}, s)) return lq_fail_eval_memory(ev);
    for (size_t k = 0; k < ev->n_steps; k++) {
        s->v[k] = e->literal;
        s->present[k] = 1;
    }
    *ret = (LogqlMatrix){.v = s, .n = 1, .n_steps = ev->n_steps, .is_scalar = e->kind == LQ_LITERAL};
    return OK;
}

ErrCode lq_eval(LqEval *ev, const LqExpr *e, LogqlMatrix *ret) {
    switch (e->kind) {
    case LQ_LITERAL:
    case LQ_VECTOR: return eval_constant(ev, e, ret);
    case LQ_RANGE: return lq_eval_range(ev, e, NULL, ret);
    case LQ_AGG: return lq_eval_agg(ev, e, ret);
    case LQ_BINARY: return lq_eval_binary(ev, e, ret);
    case LQ_LOG: break;
    }
    UNREACHABLE();
}

static bool has_value(const LogqlSeries *s, size_t n) { return memchr(s->present, 1, n) != NULL; }

static int cmp_series(const void *a, const void *b) {
    return labels_cmp(((const LogqlSeries *)a)->labels, ((const LogqlSeries *)b)->labels);
}

ErrCode logql_run_metric(
    const LogqlRequest *req, const LqExpr *e, LogqlMatrix *ret, LogqlStats *ret_stats, Err *reterr) {
    *ret = (LogqlMatrix){0};
    if (e->kind == LQ_LOG) return err_set(reterr, ERR_INVALID, "the query gives lines, not numbers");
    LqEval ev = {.req = req, .n_steps = 1, .stats = ret_stats, .err = reterr};
    ev.series_max = req->series_max ? req->series_max : SERIES_MAX_DEFAULT;
    if (req->step_ns > 0 && req->end_ns > req->start_ns) {
        uint64_t n = ((uint64_t)req->end_ns - (uint64_t)req->start_ns) / (uint64_t)req->step_ns + 1;
        if (n > LOGQL_STEPS_MAX + 1)
            return err_set(reterr, ERR_INVALID,
                "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step "
                "parameter");
        ev.n_steps = n;
    }
    LogqlMatrix m;
    ErrCode rc = lq_eval(&ev, e, &m);
    if (rc) return rc;
    size_t n = 0;
    for (size_t i = 0; i < m.n; i++)
        if (has_value(&m.v[i], m.n_steps)) m.v[n++] = m.v[i];
    m.n = n;
    if (n > 1 && !(m.ordered && ev.n_steps == 1)) qsort(m.v, n, sizeof *m.v, cmp_series);
    *ret = m;
    return OK;
}
