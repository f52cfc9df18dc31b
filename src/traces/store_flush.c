#include "base/log.h"
#include "sys/clock.h"
#include "traces/store_int.h"

#include <stdlib.h>

#define FLUSH_ZSTD_LEVEL 1
#define HOURS_MAX 48 /* a head that spreads over more hours is partitioned by day, over more days not at all */
#define DAYS_MAX 60
#define DAY_NS (24 * PARTITION_NS)
#define SINK_BYTES_MAX ((size_t)4 << 20)
#define RETENTION_EVERY_MS 60000
#define RETRY_MS 5000
#define EXPIRED_MAX 256

/* --- the order of a head's traces --- */

typedef struct TraceRef {
    int64_t start_ns;
    uint32_t trace;
} TraceRef;

static int cmp_trace_ref(const void *a, const void *b) {
    const TraceRef *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

/* Traces that are not deleted, by their first start. */
static TraceRef *sorted_traces(const Head *h, size_t *ret_n) {
    TraceRef *v = mem_alloc_array(h->traces.n + 1, sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < h->traces.n; i++) {
        const HeadTrace *t = &h->traces.v[i];
        bool live = t->last != HEAD_NONE && t->last >= t->deleted_before;
        if (live) v[n++] = (TraceRef){t->min_start_ns, (uint32_t)i};
    }
    qsort(v, n, sizeof *v, cmp_trace_ref);
    *ret_n = n;
    return v;
}

static int64_t floor_div(int64_t t, int64_t len) { return t % len < 0 ? t / len - 1 : t / len; }

static size_t count_partitions(const TraceRef *v, size_t n, int64_t len) {
    size_t count = n > 0;
    for (size_t i = 1; i < n; i++) count += floor_div(v[i].start_ns, len) != floor_div(v[i - 1].start_ns, len);
    return count;
}

static int64_t partition_length(const TraceRef *v, size_t n) {
    if (count_partitions(v, n, PARTITION_NS) <= HOURS_MAX) return PARTITION_NS;
    return count_partitions(v, n, DAY_NS) <= DAYS_MAX ? DAY_NS : INT64_MAX;
}

/* --- writing parts --- */

typedef struct FlushJob {
    TraceEngine *e;
    const Head *h;
    TracePartBuilder *builder;
    PartInfo open;
    VEC(PartInfo) done;
    Arena *arena;
    SpansBatch batch;
    SpanSink sink;
    bool sink_open;
} FlushJob;

static void close_sink(FlushJob *j) {
    if (j->sink_open) span_sink_done(&j->sink);
    j->sink_open = false;
}

/* The batch of the next trace: resources and scopes stay from trace to trace until it has grown too large. */
static void next_batch(FlushJob *j) {
    if (j->sink_open && arena_used_bytes(j->arena) < SINK_BYTES_MAX) {
        vec_clear(&j->batch.rows);
        vec_clear(&j->batch.events);
        vec_clear(&j->batch.links);
        return;
    }
    close_sink(j);
    arena_reset(j->arena);
    j->batch = (SpansBatch){.arena = j->arena};
    span_sink_init(&j->sink, &j->batch);
    j->sink_open = true;
}

static ErrCode begin_part(FlushJob *j, Err *reterr) {
    char path[FS_PATH_MAX];
    j->open = (PartInfo){.id = partset_new_id(j->e->parts, path)};
    return trace_part_builder_create(j->e->fs, path, FLUSH_ZSTD_LEVEL, &j->builder, reterr);
}

static ErrCode end_part(FlushJob *j, Err *reterr) {
    if (!j->builder) return OK;
    ErrCode code = trace_part_builder_finish(j->builder, &j->open, reterr);
    j->builder = trace_part_builder_free(j->builder);
    if (code) return code;
    /* The retention goes by arrival; times of spans are in the part itself. */
    j->open.max_t = MAX(j->open.min_t, clock_now_ns());
    vec_push(&j->done, j->open);
    return OK;
}

static ErrCode write_trace(FlushJob *j, const HeadTrace *t, Err *reterr) {
    next_batch(j);
    if (!trace_head_read_chain(j->h, t->last, t->deleted_before, &j->sink)) {
        return err_set(reterr, ERR_INTERNAL, "a span in memory does not hold");
    }
    span_batch_sort_dedupe(&j->batch);
    return trace_part_builder_add(j->builder, &j->batch, reterr);
}

static ErrCode write_parts(FlushJob *j, const TraceRef *v, size_t n, Err *reterr) {
    int64_t len = partition_length(v, n);
    ErrCode code = OK;
    for (size_t i = 0; !code && i < n; i++) {
        bool next = i > 0 && floor_div(v[i].start_ns, len) != floor_div(v[i - 1].start_ns, len);
        if (next) code = end_part(j, reterr);
        if (!code && !j->builder) code = begin_part(j, reterr);
        if (!code) code = write_trace(j, &j->h->traces.v[v[i].trace], reterr);
    }
    return code ? code : end_part(j, reterr);
}

ErrCode trace_engine_flush_head(TraceEngine *e, Head *h, Err *reterr) {
    FlushJob j = {.e = e, .h = h, .arena = arena_create(ARENA_UNLIMITED)}; /* holds one trace of a head in memory */
    size_t n;
    TraceRef *traces = sorted_traces(h, &n);
    ErrCode code = write_parts(&j, traces, n, reterr);
    if (!code) code = partset_publish(e->parts, j.done.v, j.done.n, NULL, 0, h->wal_end, reterr);
    trace_part_builder_free(j.builder);
    close_sink(&j);
    arena_free(j.arena);
    vec_done(&j.done);
    mem_free(traces);
    return code;
}

/* --- the list of frozen heads --- */

typedef struct TruncateTask {
    TraceEngine *e;
    WalPos before;
} TruncateTask;

static void truncate_task(void *ctx) {
    TruncateTask *t = ctx;
    (void)wal_truncate_before(t->e->wal, t->before, NULL); /* what stays is skipped at the next start */
}

static void drop_oldest(TraceEngine *e, Head *h) {
    mutex_lock(&e->head_lock);
    ASSERT(e->n_frozen > 0 && e->frozen[0] == h);
    e->n_frozen--;
    memmove(e->frozen, e->frozen + 1, e->n_frozen * sizeof *e->frozen);
    mutex_unlock(&e->head_lock);
    trace_head_unref(h);
}

ErrCode trace_engine_flush_frozen(TraceEngine *e, Err *reterr) {
    ErrCode code = OK;
    mutex_lock(&e->flush_lock);
    while (!code) {
        mutex_lock(&e->head_lock);
        Head *h = e->n_frozen ? e->frozen[0] : NULL;
        mutex_unlock(&e->head_lock);
        if (!h) break;
        WalPos end = h->wal_end;
        code = trace_engine_save_deletions(e, reterr);
        if (!code) code = trace_engine_flush_head(e, h, reterr);
        if (code) break;
        drop_oldest(e, h); /* readers look at heads first, then at parts: nothing is missed in between */
        TruncateTask task = {e, end};
        commit_run(e->commits, truncate_task, &task);
    }
    atomic_store(&e->flush_error, (int)code);
    mutex_unlock(&e->flush_lock);
    return code;
}

/* --- deletions --- */

#define DELETIONS_FILE "deletions"
#define DELETIONS_BYTES_MAX (64u << 20)

void trace_engine_delete_in_parts(TraceEngine *e, TraceId id, bool *ret_known) {
    PartSnapshot snap;
    uint64_t last = 0, number;
    *ret_known = false;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) {
        last = MAX(last, snap.v[i].info.id);
        if (trace_part_lookup(snap.v[i].obj, id, &number)) *ret_known = true;
    }
    partset_release(e->parts, &snap);
    if (!*ret_known) return;
    mutex_lock(&e->head_lock);
    vec_push(&e->deletions, (TraceDeletion){id, last});
    mutex_unlock(&e->head_lock);
    e->deletions_dirty = true;
}

ErrCode trace_engine_save_deletions(TraceEngine *e, Err *reterr) {
    if (!e->deletions_dirty) return OK;
    char path[FS_PATH_MAX];
    fs_path_join(path, e->dir, DELETIONS_FILE);
    Buf out = {0};
    mutex_lock(&e->head_lock);
    vec_foreach(TraceDeletion, d, &e->deletions) {
        buf_put(&out, d->id.b, sizeof d->id.b);
        buf_put_u64le(&out, d->part_id_max);
    }
    mutex_unlock(&e->head_lock);
    ErrCode code = fs_write_file_atomic(e->fs, path, buf_str(&out), reterr);
    buf_done(&out);
    if (!code) e->deletions_dirty = false;
    return code;
}

ErrCode trace_engine_load_deletions(TraceEngine *e, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, e->dir, DELETIONS_FILE);
    if (!e->fs->ops->exists(e->fs, path)) return OK;
    Buf in = {0};
    ErrCode code = fs_read_file(e->fs, path, DELETIONS_BYTES_MAX, &in, reterr);
    Cursor c = cursor_of(buf_str(&in));
    while (!code && cursor_left(&c) >= 24) {
        TraceDeletion d;
        memcpy(d.id.b, cursor_bytes(&c, 16).p, 16);
        d.part_id_max = cursor_u64le(&c);
        vec_push(&e->deletions, d);
    }
    buf_done(&in);
    return code;
}

/* Deletions for which no part is left. Under flush_lock. */
static void prune_deletions(TraceEngine *e) {
    PartSnapshot snap;
    uint64_t oldest = UINT64_MAX;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) oldest = MIN(oldest, snap.v[i].info.id);
    partset_release(e->parts, &snap);
    mutex_lock(&e->head_lock);
    size_t n = 0;
    vec_foreach(TraceDeletion, d, &e->deletions) {
        if (d->part_id_max >= oldest) e->deletions.v[n++] = *d;
    }
    if (n != e->deletions.n) e->deletions_dirty = true;
    e->deletions.n = n;
    mutex_unlock(&e->head_lock);
}

/* --- retention, the thread --- */

ErrCode trace_engine_apply_retention(TraceEngine *e, Err *reterr) {
    uint64_t ids[EXPIRED_MAX];
    int64_t cutoff, age_ns;
    if (__builtin_mul_overflow(e->opts.retention_ms, INT64_C(1000000), &age_ns)) age_ns = INT64_MAX;
    if (__builtin_sub_overflow(clock_now_ns(), age_ns, &cutoff)) cutoff = INT64_MIN;
    size_t n = partset_pick_expired(e->parts, cutoff, e->opts.retention_bytes, ids, EXPIRED_MAX);
    if (n == 0) return OK;
    ErrCode code = partset_publish(e->parts, NULL, 0, ids, n, 0, reterr);
    mutex_lock(&e->flush_lock);
    if (!code) prune_deletions(e);
    mutex_unlock(&e->flush_lock);
    return code;
}

void trace_engine_wake(TraceEngine *e) {
    mutex_lock(&e->wake_lock);
    cond_broadcast(&e->wake);
    mutex_unlock(&e->wake_lock);
}

bool trace_engine_wait(TraceEngine *e, int64_t ms) {
    mutex_lock(&e->wake_lock);
    if (!e->stopping && ms > 0) (void)cond_wait_ms(&e->wake, &e->wake_lock, ms);
    bool go_on = !e->stopping;
    mutex_unlock(&e->wake_lock);
    return go_on;
}

static bool has_frozen(TraceEngine *e) {
    mutex_lock(&e->head_lock);
    bool some = e->n_frozen > 0;
    mutex_unlock(&e->head_lock);
    return some;
}

void trace_engine_flusher(void *ctx) {
    TraceEngine *e = ctx;
    int64_t next_retention = 0;
    ErrCode code = OK;
    for (;;) {
        /* A head that was frozen meanwhile has woken nobody. */
        int64_t wait_ms = code ? RETRY_MS : has_frozen(e) ? 0 : 1000;
        if (!trace_engine_wait(e, wait_ms)) return;
        Err err = {0};
        code = has_frozen(e) ? trace_engine_flush_frozen(e, &err) : OK;
        if (code) log_error("spans cannot be written to disk", "dir", e->dir, "error", err.msg, NULL);
        int64_t now_ms = clock_mono_ns() / 1000000;
        if (code || now_ms < next_retention) continue;
        next_retention = now_ms + RETENTION_EVERY_MS;
        if (trace_engine_apply_retention(e, &err)) log_error("old spans cannot be removed", "error", err.msg, NULL);
    }
}
