/* store_scan.c - a scan's plan, its threads, its end. */
#include "traces/store_scan_int.h"

#include "sys/clock.h"

#include <stdlib.h>

#define TABLES_BYTES (256u << 20)
#define BLOCK_BYTES (256u << 20)
#define SCRATCH_BYTES (64u << 20)
#define HEAD_ITEM_TRACES 512u

/* --- planning --- */

static ErrCode list_conds(Scan *s, Err *reterr) {
    const TraceScan *req = s->req;
    ASSERT(req->n_clauses <= TRACE_CLAUSES_MAX && req->fn && req->threads > 0);
    s->all = req->n_clauses ? (uint8_t)((1u << req->n_clauses) - 1) : 1;
    for (size_t k = 0; k < req->n_clauses; k++) {
        for (size_t a = 0; a < req->clauses[k].n; a++) {
            for (size_t i = 0; i < req->clauses[k].v[a].n; i++) {
                if (s->n_conds == ARRAY_LEN(s->conds))
                    return err_set(reterr, ERR_TOO_LARGE, "the query has too many conditions");
                s->conds[s->n_conds++] = &req->clauses[k].v[a].v[i];
            }
        }
    }
    return OK;
}

static void copy_head(Scan *s, ScanHead *h, Head *head, bool active) {
    *h = (ScanHead){.head = trace_head_ref(head),
        .active = active,
        .n_traces = (uint32_t)head->traces.n,
        .n_resources = (uint32_t)head->resources.n,
        .n_scopes = (uint32_t)head->scopes.n,
        .min_t_ns = head->min_t_ns,
        .max_t_ns = head->max_t_ns};
    (void)s;
    h->traces = mem_alloc_array(h->n_traces + 1, sizeof *h->traces);
    for (uint32_t i = 0; i < h->n_traces; i++) {
        const HeadTrace *t = &head->traces.v[i];
        h->traces[i] = (ScanHeadTrace){t->id, t->last, t->deleted_before};
    }
    h->resources = mem_alloc_array(h->n_resources + 1, sizeof *h->resources);
    for (uint32_t i = 0; i < h->n_resources; i++) h->resources[i] = head->resources.v[i];
}

/* Heads first, then parts: a head that becomes a part meanwhile is seen twice, which those in several places are ready
 * for, and never not at all. */
static void take_snapshot(Scan *s) {
    TraceEngine *e = s->engine;
    Head *heads[HEADS_MAX];
    mutex_lock(&e->head_lock);
    s->n_heads = (uint32_t)trace_engine_heads(e, heads);
    for (uint32_t i = 0; i < s->n_heads; i++) copy_head(s, &s->heads[i], heads[i], heads[i] == e->active);
    s->deletions = trace_engine_deletions(e);
    mutex_unlock(&e->head_lock);
    for (uint32_t i = 0; i < s->n_heads; i++) trace_head_unref(heads[i]);
    partset_snapshot(e->parts, &s->snap);
}

static void plan_head_items(Scan *s, uint32_t number) {
    const ScanHead *h = &s->heads[number];
    if (h->n_traces == 0 || h->max_t_ns < s->start_ns || h->min_t_ns > s->last_ns) return;
    for (uint32_t to = h->n_traces; to > 0;) {
        uint32_t from = to > HEAD_ITEM_TRACES ? to - HEAD_ITEM_TRACES : 0;
        vec_push(&s->items, (ScanItem){h->max_t_ns, s->n_parts + number, from, to});
        to = from;
    }
}

static void plan_part_items(Scan *s, uint32_t number) {
    const ScanPart *p = &s->parts[number];
    for (uint32_t i = 0; i < p->part->n_blocks; i++) {
        WideBlockInfo info = wide_part_block_info(p->part->wide, i);
        if (info.max_t < s->start_ns || info.min_t > s->last_ns) continue;
        if (scan_block_may_match(s, p, i))
            vec_push(&s->items, (ScanItem){info.max_t, number, i, i + 1});
        else
            s->stats.skipped++;
    }
}

static int cmp_item(const void *a, const void *b) {
    const ScanItem *x = a, *y = b;
    if (x->max_t_ns != y->max_t_ns) return x->max_t_ns > y->max_t_ns ? -1 : 1;
    if (x->place != y->place) return x->place > y->place ? -1 : 1;
    return x->from > y->from ? -1 : x->from < y->from;
}

static ErrCode plan(Scan *s, Err *reterr) {
    s->parts = mem_alloc_zero((s->snap.n + 1) * sizeof(ScanPart));
    for (size_t i = 0; i < s->snap.n; i++) { /* all of them: traces are looked up in those outside the window, too */
        const PartRef *ref = &s->snap.v[i];
        const TracePart *p = ref->obj;
        ScanPart *sp = &s->parts[s->n_parts++];
        *sp = (ScanPart){.part = p, .id = ref->info.id};
        if (p->n_blocks) sp->block_bytes = ref->info.size_bytes / p->n_blocks;
    }
    for (uint32_t i = 0; i < s->n_parts; i++) {
        const TracePart *p = s->parts[i].part;
        if (p->max_t_ns < s->start_ns || p->min_t_ns > s->last_ns) continue;
        ErrCode e = scan_plan_part(s, p, &s->parts[i], reterr);
        if (e) return e;
        plan_part_items(s, i);
    }
    for (uint32_t i = 0; i < s->n_heads; i++) {
        ErrCode e = scan_plan_head(s, &s->heads[i], reterr);
        if (e) return e;
        plan_head_items(s, i);
    }
    if (s->items.n) qsort(s->items.v, s->items.n, sizeof(ScanItem), cmp_item);
    return OK;
}

/* --- workers --- */

ErrCode scan_poll(ScanWorker *w) {
    const TraceScan *req = w->scan->req;
    if (atomic_load_explicit(&w->scan->stop, memory_order_relaxed))
        return err_set(w->err, ERR_CANCELLED, "the query was stopped");
    if (req->cancel && atomic_load(req->cancel)) return err_set(w->err, ERR_CANCELLED, "the query was cancelled");
    if (req->deadline_mono_ns && (++w->ticks & 63) == 0 && clock_mono_ns() > req->deadline_mono_ns)
        return err_set(w->err, ERR_TIMEOUT, "the query took too long");
    return OK;
}

ErrCode scan_hand_out(ScanWorker *w, SpansBatch *b) {
    const TraceScan *req = w->scan->req;
    w->stats.spans += b->rows.n;
    w->stats.traces += req->whole;
    ErrCode e = req->fn(req->ctx, w->number, b, w->scratch, w->err);
    arena_reset(w->scratch);
    return e;
}

static ErrCode walk(ScanWorker *w, const ScanItem *item) {
    if (item->place >= w->scan->n_parts) return scan_walk_head(w, item);
    ErrCode e = scan_walk_block(w, item);
    if (e != ERR_CORRUPT) return e;
    w->stats.corrupt_blocks++; /* the rest of the part keeps working */
    return OK;
}

static void worker_init(ScanWorker *w, Scan *s, unsigned number, Err *err) {
    size_t bytes = s->req->memory_bytes;
    *w = (ScanWorker){.scan = s, .number = number, .err = err};
    w->block_arena = arena_create(BLOCK_BYTES);
    w->batch_arena = arena_create(bytes);
    w->trace_arena = arena_create(bytes);
    w->scratch = arena_create(MAX(bytes, (size_t)SCRATCH_BYTES));
    w->mask = mem_alloc(WIDE_BLOCK_ROWS);
    w->rest = mem_alloc(WIDE_BLOCK_ROWS);
    w->keep = mem_alloc(WIDE_BLOCK_ROWS);
}

static void worker_done(ScanWorker *w) {
    for (size_t i = 0; i < SCAN_CURSORS; i++) {
        if (w->cursors[i].c.part) trace_part_cursor_done(&w->cursors[i].c);
    }
    arena_free(w->block_arena);
    arena_free(w->batch_arena);
    arena_free(w->trace_arena);
    arena_free(w->scratch);
    mem_free(w->mask);
    mem_free(w->rest);
    mem_free(w->keep);
}

static void add_stats(TraceScanStats *to, const TraceScanStats *x) {
    to->traces += x->traces;
    to->spans += x->spans;
    to->blocks += x->blocks;
    to->skipped += x->skipped;
    to->bytes += x->bytes;
    to->corrupt_blocks += x->corrupt_blocks;
    to->too_large += x->too_large;
}

static ErrCode work(ScanWorker *w) {
    Scan *s = w->scan;
    for (;;) {
        size_t i = atomic_fetch_add(&s->next, 1);
        if (i >= s->items.n) return OK;
        const ScanItem *item = &s->items.v[i];
        if (s->req->floor_ns && item->max_t_ns < atomic_load(s->req->floor_ns)) return OK; /* all that follow, too */
        ErrCode e = scan_poll(w);
        if (!e) e = walk(w, item);
        if (e) return e;
    }
}

typedef struct WorkerStart {
    Scan *scan;
    unsigned number;
} WorkerStart;

static void run_worker(void *ctx) {
    WorkerStart *start = ctx;
    Scan *s = start->scan;
    ScanWorker w;
    Err err = {0};
    worker_init(&w, s, start->number, &err);
    ErrCode e = work(&w);
    mutex_lock(&s->lock);
    add_stats(&s->stats, &w.stats);
    if (e && !s->code) {
        s->code = e;
        s->err = err;
        atomic_store(&s->stop, true);
    }
    mutex_unlock(&s->lock);
    worker_done(&w);
}

static void run_threads(Scan *s) {
    unsigned n = (unsigned)MIN((size_t)s->req->threads, MAX(s->items.n, (size_t)1));
    WorkerStart *starts = mem_alloc_array(n, sizeof *starts);
    Thread **threads = mem_alloc_zero(n * sizeof *threads);
    for (unsigned i = 0; i < n; i++) starts[i] = (WorkerStart){s, i};
    for (unsigned i = 1; i < n; i++) threads[i] = thread_start("trace-scan", run_worker, &starts[i]); /* NULL: fewer */
    run_worker(&starts[0]);
    for (unsigned i = 1; i < n; i++) thread_join(threads[i]);
    mem_free(threads);
    mem_free(starts);
}

/* --- the whole --- */

static void scan_done(Scan *s) {
    for (uint32_t i = 0; i < s->n_heads; i++) {
        mem_free(s->heads[i].traces);
        mem_free(s->heads[i].resources);
        trace_head_unref(s->heads[i].head);
    }
    partset_release(s->engine->parts, &s->snap);
    mem_free((void *)(uintptr_t)s->deletions.v);
    mem_free(s->parts);
    vec_done(&s->items);
    map_free(s->seen);
    arena_free(s->tables);
    mutex_done(&s->lock);
}

ErrCode trace_engine_scan(TraceStore *store, const TraceScan *req, TraceScanStats *ret, Err *reterr) {
    Scan s = {.engine = engine_of(store), .req = req, .start_ns = req->start_ns};
    s.last_ns = req->end_ns || req->start_ns ? req->end_ns - 1 : INT64_MAX;
    if (!req->end_ns && !req->start_ns) s.start_ns = INT64_MIN;
    mutex_init(&s.lock);
    s.tables = arena_create(TABLES_BYTES);
    s.seen = map_create(MAP_COPY_KEYS);
    take_snapshot(&s);
    ErrCode e = list_conds(&s, reterr);
    if (!e) e = plan(&s, reterr);
    if (!e) run_threads(&s);
    if (!e && s.code) {
        e = s.code;
        if (reterr) *reterr = s.err;
    }
    if (ret) *ret = s.stats;
    atomic_fetch_add(&s.engine->corrupt_blocks, s.stats.corrupt_blocks);
    scan_done(&s);
    return e;
}
