/* traceql_leaf.c - spans | function() by(...): one scan over the store into series. */
#include "traces/traceql_metrics_int.h"

#include <math.h>
#include <stdlib.h>

#define GONE_EVERY 64 /* calls of a worker */

ErrCode tql_out_of_memory(Err *reterr) {
    err_set(reterr, ERR_TOO_LARGE, "the query needs more memory than it may use");
    err_hint(reterr, "fewer labels in by(), a longer step or a shorter range make it smaller");
    return ERR_TOO_LARGE;
}

/* --- what a span adds --- */

/* A number; durations in ns, so that sums of whole numbers stay exact: they become seconds at the end. */
static bool number_of(const TqlValue *v, double *ret) {
    switch (v->type) {
    case TQL_INT:
    case TQL_DURATION: *ret = (double)v->i; return true;
    case TQL_FLOAT: *ret = v->d; return !isnan(v->d);
    case TQL_MANY: return v->n > 0 && number_of(&v->v[0], ret);
    default: return false;
    }
}

/* What the argument's numbers are divided by in the answer. */
static double unit_of(const TqlMetrics *m) {
    switch (m->arg ? m->arg->attr.intrinsic : TQL_NOT_INTRINSIC) {
    case TQL_DURATION_NS:
    case TQL_TRACE_DURATION:
    case TQL_EVENT_TIME_SINCE_START: return 1e9;
    default: return 1;
    }
}

static bool is_bucketed(TqlMetricsFunc f) { return f == TQL_M_QUANTILE_OVER_TIME || f == TQL_M_HISTOGRAM_OVER_TIME; }

static ErrCode add_row(
    const TqlLeaf *leaf, TqlLeafWorker *w, const TqlView *v, uint32_t row, Arena *arena, Err *reterr) {
    const SpanRow *span = &traceql_view_batch(v)->rows.v[row];
    size_t point = tql_grid_point(&leaf->run->grid, span->start_ns);
    double number = NAN;
    TqlValue arg = {0};
    if (point == SIZE_MAX) return OK;
    if (leaf->arg_field != SIZE_MAX) {
        arg = traceql_value(leaf->program, leaf->arg_field, v, row, arena);
        if (!number_of(&arg, &number)) return OK;
    }
    buf_clear(&w->key);
    for (size_t i = 0; i < leaf->m->by.n; i++) {
        TqlValue value = traceql_value(leaf->program, i, v, row, arena);
        tql_key_put(&w->key, &value);
    }
    if (is_bucketed(leaf->m->func)) {
        TqlValue bucket = {.type = TQL_FLOAT, .d = tql_bucket(number) / unit_of(leaf->m)};
        tql_key_put(&w->key, &bucket);
    }
    uint32_t group = tql_cells_group(&w->table, buf_str(&w->key));
    if (group == UINT32_MAX) return tql_out_of_memory(reterr);
    tql_cells_add(&w->table, group, point, number);
    tql_cells_exemplar(&w->table, group, point, span->trace_id, span->start_ns, number / unit_of(leaf->m));
    return OK;
}

/* --- the scan --- */

static ErrCode found(void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *reterr) {
    const TqlLeaf *leaf = ctx;
    TqlLeafWorker *w = &leaf->workers[worker];
    const TqlMetricsRequest *req = leaf->run->req;
    if (w->calls++ % GONE_EVERY == 0 && req->gone && req->gone(req->gone_ctx)) {
        return err_set(reterr, ERR_CANCELLED, "the client has gone");
    }
    ErrCode e = OK;
    for (size_t s = 0; s < sets->n; s++) {
        for (uint32_t i = 0; i < sets->v[s].n && !e; i++) e = leaf->row(leaf, w, v, sets->v[s].rows[i], arena, reterr);
    }
    return e;
}

static void add_stats(TqlScanStats *to, const TqlScanStats *s) {
    to->traces += s->traces;
    to->spans += s->spans;
    to->bytes += s->bytes;
    to->blocks += s->blocks;
    to->skipped += s->skipped;
    to->corrupt_blocks += s->corrupt_blocks;
    to->too_large += s->too_large;
}

static ErrCode make_program(TqlLeaf *leaf, bool all_attributes, Err *reterr) {
    const TqlMetrics *m = leaf->m;
    const TqlExpr **fields = ARENA_ARRAY(leaf->run->arena, const TqlExpr *, m->by.n + 1);
    if (!fields) return tql_out_of_memory(reterr);
    for (size_t i = 0; i < m->by.n; i++) fields[i] = m->by.v[i];
    leaf->arg_field = m->arg ? m->by.n : SIZE_MAX;
    if (m->arg) fields[m->by.n] = m->arg;
    TqlProgramOptions opts = {
        .fields = fields, .n_fields = m->by.n + (m->arg ? 1 : 0), .all_attributes = all_attributes};
    return traceql_program_create(m->pipeline, &opts, leaf->run->arena, &leaf->program, reterr);
}

ErrCode tql_leaf_scan(TqlLeaf *leaf, TqlCellKind kind, bool all_attributes, Err *reterr) {
    const TqlMetricsRequest *req = leaf->run->req;
    const TqlGrid *grid = &leaf->run->grid;
    ErrCode e = make_program(leaf, all_attributes, reterr);
    if (e) return e;
    TqlScan scan = {.store = req->store,
        .program = leaf->program,
        .start_ns = grid->first_ns - grid->step_ns + 1,
        .end_ns = grid->first_ns + (int64_t)(grid->n - 1) * grid->step_ns + 1,
        .clip = true,
        .threads = req->threads,
        .cancel = req->cancel,
        .deadline_mono_ns = req->deadline_mono_ns};
    leaf->n_workers = traceql_scan_threads(&scan);
    leaf->workers = mem_alloc_zero(leaf->n_workers * sizeof *leaf->workers);
    size_t memory = (req->memory_bytes ? req->memory_bytes : 256u << 20) / (leaf->n_workers + 1);
    for (unsigned i = 0; i < leaf->n_workers; i++) {
        /* The first one's takes all the others'. */
        tql_cells_init(&leaf->workers[i].table, kind, grid, i == 0 ? 2 * memory : memory,
            leaf->run->wants_exemplars ? req->exemplars_max : 0);
    }
    TqlScanStats stats = {0};
    e = traceql_scan(&scan, found, leaf, &stats, reterr);
    add_stats(&leaf->run->stats, &stats);
    for (unsigned i = 1; i < leaf->n_workers && !e; i++) {
        if (!tql_cells_merge(&leaf->workers[0].table, &leaf->workers[i].table)) e = tql_out_of_memory(reterr);
    }
    if (!e) tql_cells_finish(&leaf->workers[0].table);
    return e;
}

void tql_leaf_done(TqlLeaf *leaf) {
    for (unsigned i = 0; i < leaf->n_workers; i++) {
        tql_cells_done(&leaf->workers[i].table);
        buf_done(&leaf->workers[i].key);
    }
    mem_free(leaf->workers);
}

/* --- series --- */

/* A group's labels, with room for one more. */
static bool group_labels(TqlRun *run, const TqlMetrics *m, Str key, TqlSeries *ret, double *ret_bucket) {
    Cursor c = cursor_of(key);
    ret->labels = ARENA_ARRAY(run->arena, TqlLabel, m->by.n + 1);
    ret->n_labels = m->by.n;
    for (size_t i = 0; ret->labels && i < m->by.n; i++) {
        Buf name = {0};
        traceql_print_expr(&name, m->by.v[i]);
        TqlValue v = tql_key_next(&c);
        if (v.type == TQL_STRING) v.s = arena_copy(run->arena, v.s);
        ret->labels[i] = (TqlLabel){arena_copy(run->arena, buf_str(&name)), v};
        buf_done(&name);
    }
    if (is_bucketed(m->func)) *ret_bucket = tql_key_next(&c).d;
    return ret->labels && !arena_exhausted(run->arena);
}

static void add_label(TqlSeries *s, Str name, TqlValue value) { s->labels[s->n_labels++] = (TqlLabel){name, value}; }

static TqlValue float_value(double d) { return (TqlValue){.type = TQL_FLOAT, .d = d}; }

static bool copy_values(TqlRun *run, const TqlCells *c, double unit, TqlSeries *ret) {
    ret->v = ARENA_ARRAY(run->arena, double, run->grid.n);
    for (size_t i = 0; ret->v && i < run->grid.n; i++) ret->v[i] = c->v[i] / unit;
    return ret->v != NULL;
}

static bool take_exemplars(TqlRun *run, const TqlCellTable *t, const uint32_t *groups, size_t n_groups, TqlSeries *s) {
    size_t n = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < t->n_slots; i++) {
            const TqlExemplarSlot *slot = &t->slots[i];
            bool mine = false;
            for (size_t g = 0; slot->seen && g < n_groups && !mine; g++) mine = slot->cells == groups[g];
            if (!mine) continue;
            if (pass == 0) {
                n++;
                continue;
            }
            TqlExemplar x = slot->x;
            if (isnan(x.value)) x.value = s->v[tql_grid_point(&run->grid, x.t_ns)];
            s->exemplars[s->n_exemplars++] = x;
        }
        if (pass == 0 && n == 0) return true;
        if (pass == 0 && !(s->exemplars = ARENA_ARRAY(run->arena, TqlExemplar, n))) return false;
    }
    return true;
}

/* One series for each group; buckets are labels. */
static ErrCode plain_series(const TqlLeaf *leaf, TqlVector *ret, Err *reterr) {
    TqlRun *run = leaf->run;
    const TqlMetrics *m = leaf->m;
    const TqlCellTable *t = &leaf->workers[0].table;
    double unit = m->func == TQL_M_RATE ? (double)run->grid.step_ns / 1e9 : is_bucketed(m->func) ? 1 : unit_of(m);
    ret->v = ARENA_ARRAY(run->arena, TqlSeries, t->cells.n + 1);
    for (size_t i = 0; ret->v && i < t->cells.n; i++) {
        TqlSeries *s = &ret->v[ret->n++];
        uint32_t group = (uint32_t)i;
        double bucket;
        *s = (TqlSeries){0};
        if (!group_labels(run, m, t->cells.v[i].key, s, &bucket) || !copy_values(run, &t->cells.v[i], unit, s) ||
            !take_exemplars(run, t, &group, 1, s)) {
            return tql_out_of_memory(reterr);
        }
        if (m->func == TQL_M_HISTOGRAM_OVER_TIME)
            add_label(s, STR("__bucket"), float_value(bucket));
        else if (m->by.n == 0)
            add_label(s, STR("__name__"), (TqlValue){.type = TQL_STRING, .s = str_cstr(tql_metrics_names[m->func])});
    }
    return ret->v ? OK : tql_out_of_memory(reterr);
}

/* --- quantiles --- */

typedef struct Bucket {
    Str group; /* the key without its bucket */
    double bound;
    uint32_t cells;
} Bucket;

#define BUCKET_KEY_BYTES 9

static int cmp_bucket(const void *a, const void *b) {
    const Bucket *x = a, *y = b;
    int c = str_cmp(x->group, y->group);
    return c ? c : x->bound < y->bound ? -1 : x->bound > y->bound;
}

static double quantile_at(const TqlCellTable *t, const Bucket *b, size_t n, double q, size_t point, double *scratch) {
    for (size_t i = 0; i < n; i++) {
        scratch[i] = b[i].bound;
        scratch[n + i] = t->cells.v[b[i].cells].v[point];
    }
    double v = tql_quantile(q, scratch, scratch + n, n);
    return isnan(v) ? 0 : v; /* no span: 0, as Tempo has it */
}

static ErrCode group_quantiles(const TqlLeaf *leaf, const Bucket *b, size_t n, TqlVector *ret, Err *reterr) {
    TqlRun *run = leaf->run;
    const TqlCellTable *t = &leaf->workers[0].table;
    double *scratch = mem_alloc_array(2 * n, sizeof *scratch);
    uint32_t *groups = mem_alloc_array(n, sizeof *groups);
    bool ok = true;
    for (size_t i = 0; i < n; i++) groups[i] = b[i].cells;
    for (size_t q = 0; ok && q < leaf->m->quantiles.n; q++) {
        TqlSeries *s = &ret->v[ret->n++];
        double ignored;
        *s = (TqlSeries){.v = ARENA_ARRAY(run->arena, double, run->grid.n)};
        ok = s->v && group_labels(run, leaf->m, t->cells.v[b->cells].key, s, &ignored);
        for (size_t i = 0; ok && i < run->grid.n; i++) {
            s->v[i] = quantile_at(t, b, n, leaf->m->quantiles.v[q], i, scratch);
        }
        if (ok) add_label(s, STR("p"), float_value(leaf->m->quantiles.v[q]));
        if (ok && q == 0) ok = take_exemplars(run, t, groups, n, s);
    }
    mem_free(scratch);
    mem_free(groups);
    return ok ? OK : tql_out_of_memory(reterr);
}

static ErrCode quantile_series(const TqlLeaf *leaf, TqlVector *ret, Err *reterr) {
    const TqlCellTable *t = &leaf->workers[0].table;
    size_t n = t->cells.n;
    Bucket *b = mem_alloc_array(n + 1, sizeof *b);
    ret->v = ARENA_ARRAY(leaf->run->arena, TqlSeries, n * leaf->m->quantiles.n + 1);
    for (size_t i = 0; i < n; i++) {
        Str key = t->cells.v[i].key;
        Cursor c = cursor_of(str_skip(key, key.n - BUCKET_KEY_BYTES));
        b[i] = (Bucket){str_slice(key, 0, key.n - BUCKET_KEY_BYTES), tql_key_next(&c).d, (uint32_t)i};
    }
    if (n) qsort(b, n, sizeof *b, cmp_bucket);
    ErrCode e = ret->v ? OK : tql_out_of_memory(reterr);
    for (size_t i = 0, end; i < n && !e; i = end) {
        for (end = i + 1; end < n && str_eq(b[end].group, b[i].group);) end++;
        e = group_quantiles(leaf, b + i, end - i, ret, reterr);
    }
    mem_free(b);
    return e;
}

/* --- all --- */

static TqlCellKind cell_kind(TqlMetricsFunc f) {
    switch (f) {
    case TQL_M_MIN_OVER_TIME: return TQL_CELL_MIN;
    case TQL_M_MAX_OVER_TIME: return TQL_CELL_MAX;
    case TQL_M_AVG_OVER_TIME: return TQL_CELL_AVG;
    case TQL_M_SUM_OVER_TIME: return TQL_CELL_SUM;
    default: return TQL_CELL_COUNT;
    }
}

/* Without by() the number of spans is known even if there is none: 0. */
static bool add_zero_group(TqlLeaf *leaf) {
    bool counts = leaf->m->func == TQL_M_RATE || leaf->m->func == TQL_M_COUNT_OVER_TIME;
    return !counts || leaf->m->by.n || tql_cells_group(&leaf->workers[0].table, STR("")) != UINT32_MAX;
}

ErrCode tql_leaf_run(TqlRun *run, const TqlMetrics *m, TqlVector *ret, Err *reterr) {
    if (m->func == TQL_M_COMPARE) return tql_compare_run(run, m, ret, reterr);
    TqlLeaf leaf = {.run = run, .m = m, .row = add_row};
    *ret = (TqlVector){0};
    ErrCode e = tql_leaf_scan(&leaf, cell_kind(m->func), false, reterr);
    if (!e && !add_zero_group(&leaf)) e = tql_out_of_memory(reterr);
    if (!e)
        e = m->func == TQL_M_QUANTILE_OVER_TIME ? quantile_series(&leaf, ret, reterr)
                                                : plain_series(&leaf, ret, reterr);
    tql_leaf_done(&leaf);
    return e;
}
