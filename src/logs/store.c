#include "logs/store_int.h"

#include "sys/clock.h"

#define PAYLOAD_BYTES (4u << 20)
#define HEAD_BYTES_DEFAULT (64u << 20)
#define RETENTION_MS_DEFAULT (INT64_C(30) * 86400 * 1000)
#define RETENTION_MS_MAX (INT64_C(36500) * 86400 * 1000) /* its nanoseconds fit in 64 bits */
#define HEAD_AGE_MAX_NS (INT64_C(3600) * 1000000000)     /* bounds what a restart must replay */
#define ARRIVING_HEADS_MAX 4 /* heads' worth of rows that may wait for a flush before senders are told to wait */

typedef struct AppendItem {
    char *bytes;
    size_t n;
    bool taken;
    uint64_t rows, duplicates;
} AppendItem;

static void apply_record(void *ctx, WalPos pos, uint8_t type, Str payload, void *arg) {
    (void)pos;
    (void)payload;
    Store *s = ctx;
    AppendItem *item = arg;
    ASSERT(type == LOG_WAL_ROWS && item && !item->taken);
    mutex_lock(&s->lock);
    LogHead *older = s->frozen ? log_head_ref(s->frozen) : NULL;
    mutex_unlock(&s->lock);
    item->taken = true;
    ErrCode rc = log_head_apply(s->active, item->bytes, item->n, older, &s->recent, &item->rows, &item->duplicates);
    ASSERT(rc == OK); /* we wrote it */
    log_head_unref(older);
    atomic_store(&s->head_bytes, s->active->bytes);
}

static void writer_idle(void *ctx) {
    Store *s = ctx;
    bool full = s->active->bytes >= s->opts.head_bytes_max;
    bool old = s->active->rows > 0 && clock_mono_ns() - s->active->created_ns > HEAD_AGE_MAX_NS;
    if (full || old) store_rotate(s);
}

static ErrCode replay_record(void *ctx, WalPos pos, uint8_t type, Str payload) {
    (void)pos;
    Store *s = ctx;
    if (type != LOG_WAL_ROWS) return ERR_CORRUPT;
    char *bytes = mem_alloc(payload.n + 1);
    if (payload.n > 0) memcpy(bytes, payload.p, payload.n);
    uint64_t rows, duplicates;
    return log_head_apply(s->active, bytes, payload.n, NULL, &s->recent, &rows, &duplicates);
}

/* Heads keep payloads: what the buffer has to spare would stay with them. */
static char *take_bytes(Buf *payload, size_t *ret_n) {
    size_t spare = payload->cap - payload->n;
    char *bytes = buf_take(payload, ret_n);
    return spare > *ret_n / 8 ? mem_realloc_array(bytes, *ret_n, 1) : bytes;
}

static ErrCode submit(Store *s, Buf *payload, LogAppendResult *ret, Err *reterr) {
    AppendItem item = {0};
    item.bytes = take_bytes(payload, &item.n);
    ErrCode rc = commit_submit(s->commit, LOG_WAL_ROWS, str_of(item.bytes, item.n), &item, reterr);
    if (!item.taken) mem_free(item.bytes);
    ret->rows += item.rows;
    ret->duplicates += item.duplicates;
    return rc;
}

static ErrCode store_append(LogStore *ls, const LogsBatch *batch, LogAppendResult *ret, Err *reterr) {
    Store *s = CONTAINER_OF(ls, Store, base);
    LogAppendResult local;
    LogAppendResult *result = ret ? ret : &local;
    memset(result, 0, sizeof *result);
    if (atomic_load(&s->frozen_present) &&
        atomic_load(&s->head_bytes) > (uint64_t)s->opts.head_bytes_max * ARRIVING_HEADS_MAX)
        return err_set(reterr, ERR_OVERLOADED, "log store: writing to disk cannot keep up, retry later");
    LogEncoder e;
    log_encoder_init(&e, batch, store_oldest_ns(s), clock_now_ns() + LOG_FUTURE_MAX_MS * INT64_C(1000000), result);
    ErrCode rc = OK;
    Buf payload = {0};
    while (rc == OK && log_encoder_next(&e, PAYLOAD_BYTES, &payload)) rc = submit(s, &payload, result, reterr);
    buf_done(&payload);
    log_encoder_done(&e);
    return rc;
}

typedef struct WalSize {
    Store *s;
    uint64_t bytes;
} WalSize;

static void read_wal_size(void *ctx) {
    WalSize *w = ctx;
    w->bytes = wal_size_bytes(w->s->wal);
}

static void stats_of_view(Store *s, LogStoreStats *ret) {
    StoreView v;
    store_view_take(s, &v);
    for (size_t i = 0; i < v.n_heads; i++) {
        LogHead *h = v.heads[i];
        mutex_lock(&h->lock);
        ret->rows_total += h->rows;
        ret->streams += h->streams.n;
        ret->memory_bytes += h->bytes;
        if (h->rows > 0) {
            ret->min_t_ns = MIN(ret->min_t_ns, h->min_t);
            ret->max_t_ns = MAX(ret->max_t_ns, h->max_t);
        }
        mutex_unlock(&h->lock);
    }
    for (size_t i = 0; i < v.parts.n; i++) {
        const LogPart *p = v.parts.v[i].obj;
        ret->rows_total += v.parts.v[i].info.rows;
        ret->streams = MAX(ret->streams, p->n_streams);
        ret->memory_bytes += arena_used_bytes(p->arena);
        ret->min_t_ns = MIN(ret->min_t_ns, v.parts.v[i].info.min_t);
        ret->max_t_ns = MAX(ret->max_t_ns, v.parts.v[i].info.max_t);
    }
    ret->parts = v.parts.n;
    store_view_release(s, &v);
}

static void store_stats(LogStore *ls, LogStoreStats *ret) {
    Store *s = CONTAINER_OF(ls, Store, base);
    *ret = (LogStoreStats){.min_t_ns = INT64_MAX, .max_t_ns = INT64_MIN};
    stats_of_view(s, ret);
    if (ret->rows_total == 0) ret->min_t_ns = ret->max_t_ns = 0;
    WalSize w = {s, 0};
    commit_run(s->commit, read_wal_size, &w);
    ret->wal_bytes = w.bytes;
    ret->bytes_on_disk = partset_size_bytes(s->parts) + w.bytes;
    ret->corrupt_parts = partset_corrupt_count(s->parts);
    ret->wal_corrupt_frames = s->wal_report.corrupt_frames;
    ret->wal_torn_bytes = s->wal_report.torn_bytes;
    ret->wal_problem = s->wal_report.detail;
    ret->flushes = atomic_load(&s->flushes);
    ret->merges = atomic_load(&s->merges);
    ret->maintenance_errors = atomic_load(&s->maintenance_errors);
}

static void store_free(Store *s) {
    if (s->thread) {
        mutex_lock(&s->wake_lock);
        s->stop = true;
        cond_signal(&s->wake);
        mutex_unlock(&s->wake_lock);
        thread_join(s->thread);
    }
    if (s->commit) (void)log_store_flush(&s->base, NULL); /* what cannot be flushed is in the WAL */
    commit_free(s->commit);
    wal_close(s->wal);
    log_head_unref(s->active);
    log_head_unref(s->frozen);
    partset_close(s->parts);
    recent_done(&s->recent);
    vec_done(&s->unreadable);
    mutex_done(&s->lock);
    mutex_done(&s->maintenance);
    mutex_done(&s->wake_lock);
    cond_done(&s->wake);
    mem_free(s);
}

static void store_close(LogStore *ls) { store_free(CONTAINER_OF(ls, Store, base)); }

static const LogStoreOps store_ops = {
    .append = store_append,
    .select = log_store_select,
    .streams = store_streams,
    .label_names = log_store_label_names,
    .label_values = log_store_label_values,
    .delete_rows = store_delete_rows,
    .stats = store_stats,
    .flush = log_store_flush,
    .close = store_close,
    .stream_stats = store_stream_stats,
};

static Store *store_create(Fs *fs, const char *dir, const LogStoreOptions *opts) {
    Store *s = NEW(Store);
    s->base.ops = &store_ops;
    s->fs = fs;
    ASSERT(strlen(dir) + 64 < sizeof s->dir);
    memcpy(s->dir, dir, strlen(dir) + 1);
    s->opts = opts ? *opts : (LogStoreOptions){.durable = true};
    s->opts.retention_ms = MIN(s->opts.retention_ms, RETENTION_MS_MAX);
    if (s->opts.retention_ms <= 0) s->opts.retention_ms = RETENTION_MS_DEFAULT;
    if (s->opts.head_bytes_max == 0) s->opts.head_bytes_max = HEAD_BYTES_DEFAULT;
    mutex_init(&s->lock);
    mutex_init(&s->maintenance);
    mutex_init(&s->wake_lock);
    cond_init(&s->wake);
    recent_init(&s->recent);
    s->active = log_head_create();
    return s;
}

static ErrCode open_files(Store *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "parts");
    ErrCode rc = s->fs->ops->make_dir(s->fs, path, reterr);
    if (rc == OK) rc = partset_open(s->fs, path, &logpart_ops, s, &s->parts, reterr);
    if (rc) return rc;
    fs_path_join(path, s->dir, "wal");
    rc = s->fs->ops->make_dir(s->fs, path, reterr);
    if (rc) return rc;
    return wal_open(s->fs, path, NULL, partset_wal_floor(s->parts), replay_record, s, &s->wal_report, &s->wal, reterr);
}

ErrCode log_store_open(Fs *fs, const char *dir, const LogStoreOptions *opts, LogStore **ret, Err *reterr) {
    Store *s = store_create(fs, dir, opts);
    ErrCode rc = open_files(s, reterr);
    if (rc) {
        store_free(s);
        return rc;
    }
    atomic_store(&s->head_bytes, s->active->bytes);
    CommitOptions co = {.name = "logs-commit", .durable = s->opts.durable};
    s->commit = commit_create(s->wal, &co, apply_record, writer_idle, s);
    s->thread = thread_start("logs-maintain", maintain_main, s);
    if (!s->commit || !s->thread) {
        store_free(s);
        return err_set(reterr, ERR_UNAVAILABLE, "log store: the system refuses another thread");
    }
    *ret = &s->base;
    return OK;
}
