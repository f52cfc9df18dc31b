#include "metrics/store_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define DEFAULT_RETENTION_MS (INT64_C(15) * 24 * 3600 * 1000)
#define DEFAULT_HEAD_BYTES ((size_t)128 << 20)
#define DEFAULT_PARTITION_MS (INT64_C(2) * 3600 * 1000)
#define SETTLE_MS (5 * 60 * 1000) /* so long after a freeze the frozen head tells how many series are active */

static ErrCode part_opened(void *ctx, Part *part, const PartInfo *info, void **ret_obj, Err *reterr) {
    (void)ctx;
    (void)info;
    MPart *p;
    ErrCode code = mpart_open(part, &p, reterr);
    *ret_obj = code == OK ? p : NULL;
    return code;
}

static void part_closed(void *ctx, void *obj) {
    (void)ctx;
    mpart_close(obj);
}

static void store_stats(MetricsStore *base, MetricsStoreStats *ret) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret = (MetricsStoreStats){.min_t_ms = INT64_MAX, .max_t_ms = INT64_MIN};
    uint64_t index_bytes = 0;
    mutex_lock(&s->view_lock);
    for (size_t i = 0; i <= s->frozen.n; i++) {
        HeadStats h;
        head_stats(i < s->frozen.n ? s->frozen.v[i].head : s->active, &h);
        ret->head_samples += h.samples + h.histograms;
        ret->memory_bytes += h.sample_bytes;
        index_bytes = MAX(index_bytes, h.index_bytes); /* shared but when one was given up */
        ret->series_active = h.series;
        ret->min_t_ms = MIN(ret->min_t_ms, h.min_t);
        ret->max_t_ms = MAX(ret->max_t_ms, h.max_t);
    }
    ret->memory_bytes += index_bytes;
    if (clock_now_ms() - s->active_since_ms < SETTLE_MS) ret->series_active = MAX(ret->series_active, s->series_before);
    mutex_unlock(&s->view_lock);
    PartSnapshot snap;
    partset_snapshot(s->parts, &snap);
    ret->parts = snap.n;
    for (size_t i = 0; i < snap.n; i++) {
        ret->min_t_ms = MIN(ret->min_t_ms, snap.v[i].info.min_t);
        ret->max_t_ms = MAX(ret->max_t_ms, snap.v[i].info.max_t);
    }
    partset_release(s->parts, &snap);
    ret->samples_total = s->samples_total;
    ret->bytes_on_disk = partset_size_bytes(s->parts);
    ret->wal_bytes = wal_size_bytes(s->wal);
    ret->corrupt_parts = partset_corrupt_count(s->parts) + s->corrupt_blocks;
    ret->wal_corrupt_frames = s->wal_report.corrupt_frames;
    ret->wal_torn_bytes = s->wal_report.torn_bytes;
    ret->wal_problem = s->wal_report.detail;
    ret->out_of_order = s->late_total;
    ret->rules_parts_rewritten = s->rules_rewritten;
    ret->rules_samples_dropped = s->rules_dropped;
    series_limits_stats(s->limits, ret);
}

static bool store_parts(MetricsStore *base, Arena *arena, MetricsPartInfo **ret, size_t *ret_n) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    PartSnapshot snap;
    partset_snapshot(s->parts, &snap);
    MetricsPartInfo *v = ARENA_ARRAY(arena, MetricsPartInfo, MAX(snap.n, (size_t)1));
    for (size_t i = 0; v && i < snap.n; i++) {
        const PartInfo *p = &snap.v[i].info;
        v[i] = (MetricsPartInfo){.id = p->id,
            .samples = p->rows,
            .size_bytes = p->size_bytes,
            .series = mpart_series_count(snap.v[i].obj),
            .level = p->level,
            .min_t_ms = p->min_t,
            .max_t_ms = p->max_t};
    }
    *ret = v;
    *ret_n = v ? snap.n : 0;
    partset_release(s->parts, &snap);
    return v != NULL;
}

static bool store_refused(MetricsStore *base, Arena *arena, MetricsRefused **ret, size_t *ret_n) {
    return series_limits_refused(CONTAINER_OF(base, EmbeddedStore, base)->limits, arena, ret, ret_n);
}

static void stop_threads(EmbeddedStore *s) {
    mutex_lock(&s->wake_lock);
    s->stop = true;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->wake_lock);
    thread_join(s->flusher);
    thread_join(s->merger);
    s->flusher = s->merger = NULL;
}

/* What of a store is there is torn down; for half-opened ones too. */
static void store_free(EmbeddedStore *s) {
    commit_free(s->commit);
    if (s->wal) wal_close(s->wal);
    head_unref(s->active);
    for (size_t i = 0; i < s->frozen.n; i++) head_unref(s->frozen.v[i].head);
    vec_done(&s->frozen);
    tombs_unref(s->tombs);
    rules_unref(s->rules);
    side_done(&s->side);
    series_limits_free(s->limits);
    if (s->parts) partset_close(s->parts);
    u64map_free(s->rules_checked);
    mutex_done(&s->merge_lock);
    cond_done(&s->wake);
    mutex_done(&s->wake_lock);
    mutex_done(&s->flush_lock);
    mutex_done(&s->view_lock);
    undo_done(&s->undo);
    cond_done(&s->gate.changed);
    mutex_done(&s->gate.lock);
    mem_free(s);
}

static void store_close(MetricsStore *base) {
    if (!base) return;
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    stop_threads(s);
    /* So that the next start replays almost nothing. When it fails, the log still has everything. */
    (void)store_flush(base, NULL);
    store_free(s);
}

static const MetricsStoreOps embedded_ops = {
    .takes_wire_labels = true,
    .set_tap = store_set_tap,
    .append_soon = store_append_soon,
    .append = store_append,
    .select = store_select,
    .series = store_series,
    .label_names = store_label_names,
    .label_values = store_label_values,
    .metadata = store_metadata,
    .exemplars = store_exemplars,
    .visit = store_visit,
    .delete_series = store_delete_series,
    .clean_tombstones = store_clean_tombstones,
    .set_rules = store_set_rules,
    .stats = store_stats,
    .flush = store_flush,
    .close = store_close,
    .parts = store_parts,
    .refused = store_refused,
    .open = store_open_set,
    .count = store_count,
};

static EmbeddedStore *store_new(Fs *fs, const char *dir, const MetricsStoreOptions *opts) {
    EmbeddedStore *s = NEW(EmbeddedStore);
    s->base.ops = &embedded_ops;
    s->fs = fs;
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    if (opts) s->opts = *opts;
    if (s->opts.retention_ms <= 0) s->opts.retention_ms = DEFAULT_RETENTION_MS;
    if (s->opts.head_bytes_max == 0) s->opts.head_bytes_max = DEFAULT_HEAD_BYTES;
    if (s->opts.partition_ms <= 0) s->opts.partition_ms = DEFAULT_PARTITION_MS;
    mutex_init(&s->gate.lock);
    cond_init(&s->gate.changed);
    mutex_init(&s->view_lock);
    undo_init(&s->undo);
    mutex_init(&s->merge_lock);
    s->rules_checked = u64map_create();
    mutex_init(&s->flush_lock);
    mutex_init(&s->wake_lock);
    cond_init(&s->wake);
    side_init(&s->side);
    s->limits = series_limits_create(&s->opts.limits);
    s->active = head_create(1);
    s->active_since_ms = clock_now_ms();
    return s;
}

static void idle(void *ctx) { (void)ctx; }

static ErrCode open_files(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "parts");
    static const PartOps part_ops = {part_opened, part_closed};
    ErrCode code = s->fs->ops->make_dir(s->fs, path, reterr);
    if (code == OK) code = partset_open(s->fs, path, &part_ops, s, &s->parts, reterr);
    if (code == OK) code = tombs_load(s, reterr);
    if (code == OK) code = side_load(s, reterr);
    if (code == OK) code = store_replay_wal(s, reterr);
    return code;
}

ErrCode metrics_store_open(Fs *fs, const char *dir, const MetricsStoreOptions *opts, MetricsStore **ret, Err *reterr) {
    ASSERT(strlen(dir) + 32 < FS_PATH_MAX);
    EmbeddedStore *s = store_new(fs, dir, opts);
    ErrCode code = rules_create(&s->opts.rules, &s->rules, reterr);
    s->opts.rules = (MetricsRules){0}; /* the caller's memory */
    if (code == OK) code = open_files(s, reterr);
    if (code != OK) {
        store_free(s);
        return code;
    }
    CommitOptions commit = {.name = "metrics-wal", .durable = s->opts.durable};
    s->commit = commit_create(s->wal, &commit, store_apply, idle, s);
    s->flusher = thread_start("metrics-flush", store_flusher_main, s);
    s->merger = thread_start("metrics-merge", store_merger_main, s);
    if (!s->commit || !s->flusher || !s->merger) {
        stop_threads(s);
        store_free(s);
        return err_set(reterr, ERR_UNAVAILABLE, "metrics store: the system refuses another thread");
    }
    *ret = &s->base;
    return OK;
}
