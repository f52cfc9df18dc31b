/* traceql_scan.c - a program over the traces of a store. */
#include "traces/traceql_scan_int.h"

#include "sys/thread.h"

#define THREADS_MAX 8u
#define MEMORY_BYTES (256u << 20)
#define PLAN_BYTES (4u << 20)

/* --- what is looked at --- */

static void need_attr(const TqlAttr *a, TraceNeed *n) {
    switch (a->intrinsic) {
    case TQL_STATUS_MESSAGE: n->texts = true; break;
    case TQL_SPAN_ID:
    case TQL_SPAN_PARENT_ID:
    case TQL_PARENT_SPAN: n->ids = true; break;
    case TQL_EVENT_NAME:
    case TQL_EVENT_TIME_SINCE_START: n->events = true; break;
    case TQL_LINK_TRACE_ID:
    case TQL_LINK_SPAN_ID: n->links = true; break;
    case TQL_INSTRUMENTATION_NAME:
    case TQL_INSTRUMENTATION_VERSION: n->scope = true; break;
    default: break;
    }
    if (a->intrinsic != TQL_NOT_INTRINSIC) return;
    n->events |= a->scope == TQL_SCOPE_EVENT;
    n->links |= a->scope == TQL_SCOPE_LINK;
    n->scope |= a->scope == TQL_SCOPE_INSTRUMENTATION;
}

bool tql_need(const TqlProgram *p, Arena *arena, TraceNeed *ret) {
    *ret = (TraceNeed){.everything = p->all_attributes, .ids = !p->local || p->summaries};
    AVEC(Str) keys = {0};
    for (size_t i = 0; i < p->used.n; i++) {
        const TqlAttr *a = &p->used.v[i];
        need_attr(a, ret);
        bool of_span = a->intrinsic == TQL_NOT_INTRINSIC && (a->scope == TQL_SCOPE_ANY || a->scope == TQL_SCOPE_SPAN);
        bool known = false;
        for (size_t k = 0; k < keys.n; k++) known |= str_eq(keys.v[k], a->name);
        if (of_span && !known && !avec_push(arena, &keys, a->name)) return false;
    }
    ret->keys = keys.v;
    ret->n_keys = keys.n;
    return true;
}

/* --- the scan --- */

typedef struct Running {
    const TqlScan *req;
    TqlFoundFn fn;
    void *ctx;
    bool local;
    int64_t start_ns, end_ns; /* clip: [start, end) */
    bool clip;
} Running;

static void clip_sets(const Running *x, const TqlView *v, TqlSpansets *sets) {
    size_t kept = 0;
    for (size_t i = 0; i < sets->n; i++) {
        TqlSpanset *s = &sets->v[i];
        uint32_t n = 0;
        for (uint32_t k = 0; k < s->n; k++) {
            int64_t t = v->batch->rows.v[s->rows[k]].start_ns;
            if (t >= x->start_ns && t < x->end_ns) s->rows[n++] = s->rows[k];
        }
        s->n = n;
        if (n) sets->v[kept++] = *s;
    }
    sets->n = kept;
}

/* Sets may share their rows with the view's order: before rows are taken out they become the sets' own. */
static bool own_rows(TqlSpansets *sets, Arena *arena) {
    for (size_t i = 0; i < sets->n; i++) {
        uint32_t *rows = ARENA_ARRAY(arena, uint32_t, sets->v[i].n + 1);
        if (!rows) return false;
        memcpy(rows, sets->v[i].rows, sets->v[i].n * sizeof *rows);
        sets->v[i].rows = rows;
    }
    return true;
}

static ErrCode on_batch(void *ctx, unsigned worker, SpansBatch *batch, Arena *scratch, Err *reterr) {
    const Running *x = ctx;
    TqlSpansets sets;
    TqlView *v = traceql_view(batch, !x->local, scratch);
    ErrCode e = v ? traceql_run(x->req->program, v, scratch, &sets, reterr) : ERR_TOO_LARGE;
    if (!e && x->clip && sets.n) {
        if (own_rows(&sets, scratch))
            clip_sets(x, v, &sets);
        else
            e = ERR_TOO_LARGE;
    }
    if (e == ERR_TOO_LARGE) return err_set(reterr, e, "the query needs too much memory for one trace");
    return e || sets.n == 0 ? e : x->fn(x->ctx, worker, v, &sets, scratch, reterr);
}

unsigned traceql_scan_threads(const TqlScan *s) {
    unsigned n = s->threads ? s->threads : thread_cpu_count();
    return MAX(1u, MIN(n, THREADS_MAX));
}

ErrCode traceql_scan(const TqlScan *s, TqlFoundFn fn, void *ctx, TqlScanStats *ret_stats, Err *reterr) {
    Arena *arena = arena_create(PLAN_BYTES);
    bool bounded = s->start_ns || s->end_ns;
    Running x = {.req = s,
        .fn = fn,
        .ctx = ctx,
        .local = s->program->local,
        .clip = s->clip && bounded,
        .start_ns = s->start_ns,
        .end_ns = s->end_ns};
    TraceScan scan = {.start_ns = s->start_ns,
        .end_ns = s->end_ns,
        .whole = !s->program->local,
        .threads = traceql_scan_threads(s),
        .memory_bytes = s->memory_bytes ? s->memory_bytes : MEMORY_BYTES,
        .cancel = s->cancel,
        .deadline_mono_ns = s->deadline_mono_ns,
        .floor_ns = s->floor_ns,
        .fn = on_batch,
        .ctx = &x};
    TraceScanStats stats = {0};
    tql_hints(s->program->pipeline, arena, &scan.clauses, &scan.n_clauses);
    ErrCode e = tql_need(s->program, arena, &scan.need)
                    ? s->store->ops->scan(s->store, &scan, &stats, reterr)
                    : err_set(reterr, ERR_TOO_LARGE, "the query needs more memory than it is allowed");
    if (ret_stats)
        *ret_stats = (TqlScanStats){.traces = stats.traces,
            .spans = stats.spans,
            .bytes = stats.bytes,
            .blocks = stats.blocks,
            .skipped = stats.skipped,
            .corrupt_blocks = stats.corrupt_blocks,
            .too_large = stats.too_large};
    arena_free(arena);
    return e;
}
