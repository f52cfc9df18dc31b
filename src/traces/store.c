#include "base/log.h"
#include "sys/clock.h"
#include "traces/store_int.h"

#define RETENTION_DEFAULT_MS (INT64_C(7) * 24 * 3600 * 1000)
#define HEAD_BYTES_DEFAULT ((size_t)64 << 20)
#define HEAD_AGE_MAX_NS (INT64_C(30) * 60 * 1000000000)
#define PAYLOAD_MAX ((size_t)60 << 20) /* below the log's own limit */

/* --- heads --- */

size_t trace_engine_heads(const TraceEngine *e, Head *ret[HEADS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_frozen; i++) ret[n++] = trace_head_ref(e->frozen[i]);
    ret[n++] = trace_head_ref(e->active);
    return n;
}

TraceDeletions trace_engine_deletions(const TraceEngine *e) {
    TraceDeletion *v = mem_alloc_array(e->deletions.n + 1, sizeof *v);
    if (e->deletions.n) memcpy(v, e->deletions.v, e->deletions.n * sizeof *v);
    return (TraceDeletions){v, e->deletions.n};
}

/* On the writer thread, between batches: everything before the cut is in the head that is frozen here. */
static bool freeze_active(TraceEngine *e) {
    if (e->active->n_spans == 0 && e->active->bytes == 0) return true;
    mutex_lock(&e->head_lock);
    bool no_place = e->n_frozen == FROZEN_MAX; /* others only take away */
    mutex_unlock(&e->head_lock);
    if (no_place) return false;
    WalPos end;
    if (wal_cut(e->wal, &end, NULL) != OK) return false; /* tried again at the next turn */
    mutex_lock(&e->head_lock);
    e->active->wal_end = end;
    e->frozen[e->n_frozen++] = e->active;
    e->active = trace_head_create();
    atomic_store(&e->active_bytes, 0);
    mutex_unlock(&e->head_lock);
    trace_engine_wake(e);
    return true;
}

static void on_idle(void *ctx) {
    TraceEngine *e = ctx;
    bool full = e->active->bytes >= e->opts.head_bytes_max;
    bool old = e->active->n_spans && clock_mono_ns() - e->active->created_mono_ns > HEAD_AGE_MAX_NS;
    if (full || old) freeze_active(e);
}

typedef struct FreezeTask {
    TraceEngine *e;
    bool done;
} FreezeTask;

static void freeze_task(void *ctx) {
    FreezeTask *t = ctx;
    t->done = freeze_active(t->e);
}

/* --- append --- */

typedef struct AppendItem {
    HeadChunk *chunk;
    uint32_t duplicates;
} AppendItem;

static void delete_in_heads(TraceEngine *e, Str payload) {
    TraceId id;
    if (payload.n != sizeof id.b) return;
    memcpy(id.b, payload.p, sizeof id.b);
    for (size_t i = 0; i < e->n_frozen; i++) trace_head_delete_trace(e->frozen[i], id);
    trace_head_delete_trace(e->active, id);
}

static void on_apply(void *ctx, WalPos pos, uint8_t type, Str payload, void *item) {
    TraceEngine *e = ctx;
    (void)pos;
    mutex_lock(&e->head_lock);
    if (type == WAL_SPANS) {
        AppendItem *a = item;
        a->duplicates = trace_head_apply(e->active, a->chunk);
        a->chunk = NULL;
        atomic_store(&e->active_bytes, e->active->bytes);
    } else {
        delete_in_heads(e, payload);
    }
    mutex_unlock(&e->head_lock);
}

/* Rows a store cannot keep: without ids they belong to no trace. NULL: all are fine. */
static SpanRow *keep_valid_rows(const SpansBatch *batch, size_t *ret_n, TraceAppendResult *ret) {
    size_t bad = 0;
    vec_foreach(const SpanRow, r, &batch->rows) bad += trace_id_is_zero(r->trace_id) || span_id_is_zero(r->span_id);
    if (bad == 0) return NULL;
    SpanRow *rows = mem_alloc_array(batch->rows.n, sizeof(SpanRow));
    size_t n = 0;
    vec_foreach(const SpanRow, r, &batch->rows) {
        if (!trace_id_is_zero(r->trace_id) && !span_id_is_zero(r->span_id)) rows[n++] = *r;
    }
    static const char why[] = "a span without a trace id or a span id";
    memcpy(ret->first_error, why, sizeof why);
    ret->refused = bad;
    *ret_n = n;
    return rows;
}

static ErrCode check_room(const TraceEngine *e, size_t n_rows, Err *reterr) {
    if (n_rows > HEAD_SEGMENT_SPANS * 16) return err_set(reterr, ERR_TOO_LARGE, "%zu spans in one request", n_rows);
    if (atomic_load(&e->active_bytes) < e->opts.head_bytes_max * 2) return OK;
    ErrCode flush = (ErrCode)atomic_load(&e->flush_error);
    if (flush) return err_set(reterr, ERR_OVERLOADED, "spans cannot be written to disk: %s", err_name(flush));
    return err_set(reterr, ERR_OVERLOADED, "spans come faster than they can be written to disk");
}

static ErrCode append_payload(TraceEngine *e, Buf *payload, TraceAppendResult *ret, Err *reterr) {
    if (payload->n > PAYLOAD_MAX) return err_set(reterr, ERR_TOO_LARGE, "a request of %zu bytes of spans", payload->n);
    AppendItem item = {.chunk = trace_head_chunk_create(payload)};
    ASSERT(item.chunk); /* our own encoder wrote it */
    Str bytes = str_of(item.chunk->bytes, item.chunk->n_bytes);
    uint32_t n = item.chunk->payload.n_rows;
    ErrCode code = commit_submit(e->commits, WAL_SPANS, bytes, &item, reterr);
    if (code) {
        trace_head_chunk_free(item.chunk);
        return code;
    }
    ret->duplicates = item.duplicates;
    ret->spans = n - item.duplicates;
    return OK;
}

static ErrCode engine_append(TraceStore *s, const SpansBatch *batch, TraceAppendResult *ret, Err *reterr) {
    TraceEngine *e = engine_of(s);
    TraceAppendResult ignored;
    if (!ret) ret = &ignored;
    *ret = (TraceAppendResult){0};
    ErrCode code = check_room(e, batch->rows.n, reterr);
    if (code) return code;
    SpansBatch valid = *batch;
    size_t n = 0;
    SpanRow *rows = keep_valid_rows(batch, &n, ret);
    if (rows) {
        valid.rows.v = rows;
        valid.rows.n = n;
    }
    if (valid.rows.n) {
        Buf payload = {0};
        span_payload_encode(&payload, &valid);
        code = append_payload(e, &payload, ret, reterr);
        buf_done(&payload);
    }
    mem_free(rows);
    return code;
}

/* --- opening --- */

/* While the log is read there is no writer thread yet: a full head goes to disk at once, so memory stays bounded. */
static ErrCode replay_flush(TraceEngine *e, WalPos end) {
    e->active->wal_end = end;
    ErrCode code = trace_engine_flush_head(e, e->active, NULL);
    if (code) return code;
    trace_head_unref(e->active);
    e->active = trace_head_create();
    return OK;
}

static ErrCode on_replay(void *ctx, WalPos pos, uint8_t type, Str payload) {
    TraceEngine *e = ctx;
    if (type == WAL_DELETE) {
        delete_in_heads(e, payload);
        TraceId id;
        bool known;
        if (payload.n == sizeof id.b) { /* all parts of now are older than this record */
            memcpy(id.b, payload.p, sizeof id.b);
            trace_engine_delete_in_parts(e, id, &known);
        }
        return OK;
    }
    if (type != WAL_SPANS) return OK;
    Buf copy = {0};
    buf_put_str(&copy, payload);
    HeadChunk *c = trace_head_chunk_create(&copy);
    buf_done(&copy);
    if (!c) {
        atomic_fetch_add(&e->refused_payloads, 1);
        return OK;
    }
    ErrCode code = OK;
    bool full = e->active->bytes >= e->opts.head_bytes_max || !trace_head_has_room(e->active, c->payload.n_rows);
    if (full) code = replay_flush(e, pos);
    if (code) {
        trace_head_chunk_free(c);
        return code;
    }
    trace_head_apply(e->active, c);
    return OK;
}

static ErrCode open_part(void *ctx, Part *part, const PartInfo *info, void **ret_obj, Err *reterr) {
    (void)ctx;
    (void)info;
    TracePart *p;
    ErrCode code = trace_part_open(part, &p, reterr);
    if (!code) *ret_obj = p;
    return code;
}

static void close_part(void *ctx, void *obj) {
    (void)ctx;
    trace_part_close(obj);
}

static ErrCode open_storage(TraceEngine *e, Err *reterr) {
    static const PartOps ops = {open_part, close_part};
    char parts[FS_PATH_MAX], wal[FS_PATH_MAX];
    fs_path_join(parts, e->dir, "parts");
    fs_path_join(wal, e->dir, "wal");
    ErrCode code = e->fs->ops->make_dir(e->fs, parts, reterr);
    if (!code) code = e->fs->ops->make_dir(e->fs, wal, reterr);
    if (!code) code = e->fs->ops->sync_dir(e->fs, e->dir, reterr);
    if (!code) code = partset_open(e->fs, parts, &ops, e, &e->parts, reterr);
    if (!code) code = trace_engine_load_deletions(e, reterr);
    if (code) return code;
    return wal_open(e->fs, wal, NULL, partset_wal_floor(e->parts), on_replay, e, &e->wal_report, &e->wal, reterr);
}

static ErrCode start_threads(TraceEngine *e, Err *reterr) {
    CommitOptions opts = {.name = "traces-wal", .durable = e->opts.durable};
    e->commits = commit_create(e->wal, &opts, on_apply, on_idle, e);
    if (e->commits) e->flusher = thread_start("traces-flush", trace_engine_flusher, e);
    if (e->flusher) e->merger = thread_start("traces-merge", trace_engine_merger, e);
    if (e->merger) return OK;
    return err_set(reterr, ERR_UNAVAILABLE, "%s: no more threads", e->dir);
}

static void free_engine(TraceEngine *e) {
    e->commits = commit_free(e->commits);
    trace_head_unref(e->active);
    for (size_t i = 0; i < e->n_frozen; i++) trace_head_unref(e->frozen[i]);
    if (e->wal) wal_close(e->wal);
    if (e->parts) partset_close(e->parts);
    vec_done(&e->deletions);
    mutex_done(&e->head_lock);
    mutex_done(&e->flush_lock);
    mutex_done(&e->merge_lock);
    mutex_done(&e->wake_lock);
    cond_done(&e->wake);
    mem_free(e);
}

static void stop_threads(TraceEngine *e) {
    mutex_lock(&e->wake_lock);
    e->stopping = true;
    cond_broadcast(&e->wake);
    mutex_unlock(&e->wake_lock);
    thread_join(e->flusher);
    thread_join(e->merger);
    e->flusher = e->merger = NULL;
}

/* --- the interface --- */

static ErrCode engine_flush(TraceStore *s, Err *reterr) {
    TraceEngine *e = engine_of(s);
    FreezeTask task = {.e = e};
    ErrCode code = OK;
    commit_run(e->commits, freeze_task, &task);
    code = trace_engine_flush_frozen(e, reterr);
    if (!code && !task.done) { /* there was no place for the active one: now there is */
        commit_run(e->commits, freeze_task, &task);
        if (!task.done) return err_set(reterr, ERR_IO, "the log cannot be cut");
        code = trace_engine_flush_frozen(e, reterr);
    }
    return code;
}

static void engine_close(TraceStore *s) {
    TraceEngine *e = engine_of(s);
    stop_threads(e);
    Err err = {0};
    if (engine_flush(s, &err)) log_warn("spans stay in the log until the next start", "error", err.msg, NULL);
    free_engine(e);
}

static void add_head_stats(const Head *h, TraceStoreStats *ret) {
    ret->traces_head += h->traces.n;
    ret->spans_total += h->n_spans;
    ret->memory_bytes += h->bytes;
    if (h->n_spans == 0) return;
    ret->min_t_ns = MIN(ret->min_t_ns, h->min_t_ns);
    ret->max_t_ns = MAX(ret->max_t_ns, h->max_t_ns);
}

static void engine_stats(TraceStore *s, TraceStoreStats *ret) {
    TraceEngine *e = engine_of(s);
    *ret = (TraceStoreStats){.min_t_ns = INT64_MAX, .max_t_ns = INT64_MIN};
    mutex_lock(&e->head_lock);
    for (size_t i = 0; i < e->n_frozen; i++) add_head_stats(e->frozen[i], ret);
    add_head_stats(e->active, ret);
    mutex_unlock(&e->head_lock);
    PartSnapshot snap;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) {
        const TracePart *p = snap.v[i].obj;
        ret->spans_total += snap.v[i].info.rows;
        ret->memory_bytes += arena_used_bytes(p->arena);
        ret->min_t_ns = MIN(ret->min_t_ns, p->min_t_ns);
        ret->max_t_ns = MAX(ret->max_t_ns, p->max_t_ns);
    }
    ret->parts = snap.n;
    partset_release(e->parts, &snap);
    ret->bytes_on_disk = partset_size_bytes(e->parts);
    ret->wal_bytes = wal_size_bytes(e->wal);
    ret->corrupt_parts = partset_corrupt_count(e->parts);
    ret->corrupt_blocks = atomic_load(&e->corrupt_blocks);
    ret->wal_corrupt_frames = e->wal_report.corrupt_frames + atomic_load(&e->refused_payloads);
    ret->wal_torn_bytes = e->wal_report.torn_bytes;
    ret->wal_problem = e->wal_report.detail;
    if (ret->min_t_ns > ret->max_t_ns) ret->min_t_ns = ret->max_t_ns = 0;
}

static const TraceStoreOps engine_ops = {.append = engine_append,
    .get = trace_engine_get,
    .find = trace_engine_find,
    .scan = trace_engine_scan,
    .services = trace_engine_services,
    .operations = trace_engine_operations,
    .red = trace_engine_red,
    .red_series = trace_engine_red_series,
    .dependencies = trace_engine_dependencies,
    .tag_names = trace_engine_tag_names,
    .delete_trace = trace_engine_delete_trace,
    .stats = engine_stats,
    .flush = engine_flush,
    .close = engine_close};

ErrCode trace_store_open(Fs *fs, const char *dir, const TraceStoreOptions *opts, TraceStore **ret, Err *reterr) {
    ASSERT(fs && dir && opts && strlen(dir) < FS_PATH_MAX - 64);
    TraceEngine *e = NEW(TraceEngine);
    e->base.ops = &engine_ops;
    e->fs = fs;
    memcpy(e->dir, dir, strlen(dir) + 1);
    e->opts = *opts;
    if (!e->opts.retention_ms) e->opts.retention_ms = RETENTION_DEFAULT_MS;
    if (!e->opts.head_bytes_max) e->opts.head_bytes_max = HEAD_BYTES_DEFAULT;
    mutex_init(&e->head_lock);
    mutex_init(&e->flush_lock);
    mutex_init(&e->merge_lock);
    mutex_init(&e->wake_lock);
    cond_init(&e->wake);
    e->active = trace_head_create();
    ErrCode code = open_storage(e, reterr);
    if (!code) code = start_threads(e, reterr);
    if (code) {
        stop_threads(e);
        free_engine(e);
        return code;
    }
    *ret = &e->base;
    return OK;
}
