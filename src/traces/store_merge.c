#include "base/log.h"
#include "sys/clock.h"
#include "traces/store_int.h"

#include <stdlib.h>

#define MERGE_PARTS_MAX 6                 /* bounds the memory: one decoded block each */
#define SCRUB_BYTES ((uint64_t)256 << 20) /* read per round at start, to find damage */
#define MERGE_BYTES_MAX (UINT64_C(1) << 30)
#define MERGE_ZSTD_LEVEL 3
#define MERGE_EVERY_MS 5000

/* A trace of one of the inputs. */
typedef struct MergeItem {
    TraceId id;
    int64_t start_ns; /* first start over all inputs, after grouping */
    uint32_t input;
    uint64_t number;
} MergeItem;

typedef struct MergeJob {
    TraceEngine *e;
    PartSnapshot snap;
    const PartRef *inputs[MERGE_PARTS_MAX];
    TracePartCursor cursors[MERGE_PARTS_MAX];
    size_t n;
    VEC(MergeItem) items;
    TraceDeletions deletions;
    TracePartBuilder *builder;
    PartInfo out;
} MergeJob;

static int cmp_item_id(const void *a, const void *b) {
    const MergeItem *x = a, *y = b;
    int c = memcmp(x->id.b, y->id.b, 16);
    if (c) return c;
    return x->input < y->input ? -1 : x->input > y->input;
}

static int cmp_item_start(const void *a, const void *b) {
    const MergeItem *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
    return cmp_item_id(a, b);
}

static bool collect_items(MergeJob *j) {
    for (uint32_t i = 0; i < j->n; i++) {
        const TracePart *p = j->inputs[i]->obj;
        Cursor c = cursor_of(p->starts);
        uint64_t start = 0;
        for (uint64_t k = 0; k < p->n_traces; k++) {
            start += (uint64_t)cursor_svarint(&c);
            TraceId id = trace_part_id(p, k);
            if (trace_is_deleted(j->deletions, id, j->inputs[i]->info.id)) continue;
            vec_push(&j->items, (MergeItem){id, (int64_t)start, i, k});
        }
        if (c.bad) return false;
    }
    return true;
}

/* Pieces of one trace get the first of their starts, so that they come together in the order of the new part. */
static void group_items(MergeJob *j) {
    if (j->items.n == 0) return;
    qsort(j->items.v, j->items.n, sizeof(MergeItem), cmp_item_id);
    for (size_t i = 0; i < j->items.n;) {
        size_t end = i;
        int64_t start = INT64_MAX;
        for (; end < j->items.n && trace_id_eq(j->items.v[end].id, j->items.v[i].id); end++) {
            start = MIN(start, j->items.v[end].start_ns);
        }
        for (; i < end; i++) j->items.v[i].start_ns = start;
    }
    qsort(j->items.v, j->items.n, sizeof(MergeItem), cmp_item_start);
}

static ErrCode write_group(MergeJob *j, const MergeItem *v, size_t n, Arena *arena, Err *reterr) {
    arena_reset(arena);
    SpansBatch batch = {.arena = arena};
    SpanSink sink;
    span_sink_init(&sink, &batch);
    ErrCode code = OK;
    for (size_t i = 0; !code && i < n; i++) code = trace_part_read(&j->cursors[v[i].input], v[i].number, &sink, reterr);
    span_sink_done(&sink);
    if (code || batch.rows.n == 0) return code;
    span_batch_sort_dedupe(&batch);
    return trace_part_builder_add(j->builder, &batch, reterr);
}

static ErrCode write_all(MergeJob *j, Err *reterr) {
    char path[FS_PATH_MAX];
    j->out.id = partset_new_id(j->e->parts, path);
    ErrCode code = trace_part_builder_create(j->e->fs, path, MERGE_ZSTD_LEVEL, &j->builder, reterr);
    Arena *arena = arena_create(ARENA_UNLIMITED); /* one trace at a time */
    for (size_t i = 0; !code && i < j->items.n;) {
        size_t end = i + 1;
        while (end < j->items.n && trace_id_eq(j->items.v[end].id, j->items.v[i].id)) end++;
        code = write_group(j, j->items.v + i, end - i, arena, reterr);
        i = end;
        if (!code && j->e->stopping) code = err_set(reterr, ERR_CANCELLED, "the store is shutting down");
    }
    arena_free(arena);
    if (!code) code = trace_part_builder_finish(j->builder, &j->out, reterr);
    return code;
}

static ErrCode run(MergeJob *j, const uint64_t *ids, Err *reterr) {
    if (!collect_items(j)) return err_set(reterr, ERR_CORRUPT, "the trace table of a part does not hold");
    group_items(j);
    for (size_t i = 0; i < j->n; i++) {
        j->out.level = MAX(j->out.level, j->inputs[i]->info.level + 1);
        j->out.order = MAX(j->out.order, j->inputs[i]->info.order);
        j->out.max_t = MAX(j->out.max_t, j->inputs[i]->info.max_t);
    }
    int64_t arrived = j->out.max_t;
    if (j->items.n == 0) return partset_publish(j->e->parts, NULL, 0, ids, j->n, 0, reterr);
    ErrCode code = write_all(j, reterr);
    j->builder = trace_part_builder_free(j->builder);
    if (code) return code;
    j->out.max_t = arrived;
    return partset_publish(j->e->parts, &j->out, 1, ids, j->n, 0, reterr);
}

static void find_inputs(MergeJob *j, const uint64_t *ids, size_t n) {
    for (size_t i = 0; i < j->snap.n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (j->snap.v[i].info.id == ids[k]) j->inputs[j->n++] = &j->snap.v[i];
        }
    }
}

ErrCode trace_engine_merge_once(TraceEngine *e, bool *ret_done, Err *reterr) {
    uint64_t ids[MERGE_PARTS_MAX];
    *ret_done = false;
    mutex_lock(&e->merge_lock);
    size_t n = partset_pick_merge(e->parts, PARTITION_NS, MERGE_BYTES_MAX, ids, MERGE_PARTS_MAX);
    ErrCode code = OK;
    if (n) {
        MergeJob j = {.e = e, .out = {.max_t = INT64_MIN}};
        mutex_lock(&e->head_lock);
        j.deletions = trace_engine_deletions(e);
        mutex_unlock(&e->head_lock);
        partset_snapshot(e->parts, &j.snap);
        find_inputs(&j, ids, n);
        for (size_t i = 0; i < j.n; i++) trace_part_cursor_init(&j.cursors[i], j.inputs[i]->obj);
        /* A part that was removed meanwhile: the next choice is made without it. */
        code = j.n == n ? run(&j, ids, reterr) : OK;
        *ret_done = j.n == n && !code;
        for (size_t i = 0; i < j.n; i++) trace_part_cursor_done(&j.cursors[i]);
        partset_release(e->parts, &j.snap);
        /* Inputs with a bad block stay marked, or they would be chosen again for ever. */
        if (!*ret_done && code != ERR_CORRUPT) partset_unmark_merge(e->parts, ids, n);
        vec_done(&j.items);
        mem_free((void *)(uintptr_t)j.deletions.v);
    }
    mutex_unlock(&e->merge_lock);
    return code;
}

void trace_engine_merger(void *ctx) {
    TraceEngine *e = ctx;
    while (trace_engine_wait(e, 0) && !partset_scrub(e->parts, SCRUB_BYTES)) {
    }
    while (trace_engine_wait(e, MERGE_EVERY_MS)) {
        Err err = {0};
        bool done = true;
        while (done && !e->stopping) {
            ErrCode code = trace_engine_merge_once(e, &done, &err);
            if (code && code != ERR_CANCELLED) log_warn("parts cannot be merged", "error", err.msg, NULL);
        }
    }
}
