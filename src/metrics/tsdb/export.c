/* export.c - a store's samples as Prometheus blocks: window after window of two hours, series after series. */
#include "metrics/tsdb/tsdb_int.h"

#define WINDOW_MS (INT64_C(2) * 3600 * 1000)
#define LABELS_ARENA ((size_t)8 << 30) /* label sets of one window */

typedef struct Window {
    TsdbBlockWriter *writer;
    const TsdbExport *e;
    TsdbExportResult *result;
    ErrCode code;
    Err *reterr;
} Window;

static bool write_series(void *ctx, const SeriesColumn *s) {
    Window *w = ctx;
    w->code = tsdb_block_writer_series(w->writer, s, w->reterr);
    if (w->code == OK && w->e->cancel && *w->e->cancel) w->code = err_set(w->reterr, ERR_CANCELLED, "cancelled");
    return w->code == OK;
}

static uint64_t block_bytes(Fs *fs, const char *parent, const char *ulid) {
    char path[FS_PATH_MAX];
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TsdbBlockInfo *v;
    size_t n;
    fs_path_join(path, parent, ulid);
    uint64_t bytes = tsdb_blocks(fs, path, arena, &v, &n, NULL, NULL) == OK && n == 1 ? v[0].size_bytes : 0;
    arena_free(arena);
    return bytes;
}

static ErrCode export_window(const TsdbExport *e, int64_t from, int64_t to, TsdbExportResult *result, Err *reterr) {
    Window w = {.e = e, .result = result, .reterr = reterr};
    ErrCode code = tsdb_block_writer_create(e->fs, e->dir, &w.writer, reterr);
    if (code != OK) return code;
    MetricsSelect req = {.matchers = e->matchers, .min_t_ms = from, .max_t_ms = to, .cancel = e->cancel};
    req.arena = arena_create(LABELS_ARENA);
    code = e->store->ops->visit(e->store, &req, e->skip_head, write_series, &w, reterr);
    if (code == OK) code = w.code;
    arena_free(req.arena);
    TsdbMeta meta;
    bool written = false;
    if (code == OK) code = tsdb_block_writer_finish(w.writer, &meta, &written, reterr);
    if (code == OK && written) {
        result->blocks++;
        result->series = MAX(result->series, meta.series);
        result->samples += meta.samples;
        result->bytes += block_bytes(e->fs, e->dir, meta.ulid);
    }
    tsdb_block_writer_free(w.writer);
    return code;
}

static int64_t window_start(int64_t t) {
    int64_t rest = t % WINDOW_MS;
    if (rest < 0) rest += WINDOW_MS;
    return t < INT64_MIN + rest ? INT64_MIN : t - rest;
}

ErrCode tsdb_export(const TsdbExport *e, TsdbExportResult *ret, Err *reterr) {
    *ret = (TsdbExportResult){0};
    MetricsStoreStats stats;
    e->store->ops->stats(e->store, &stats);
    int64_t from = MAX(e->min_t, stats.min_t_ms), to = MIN(e->max_t, stats.max_t_ms);
    ErrCode code = e->fs->ops->make_dir(e->fs, e->dir, reterr);
    if (code != OK || from > to) return code;
    uint64_t total = (uint64_t)(window_start(to) - window_start(from)) / WINDOW_MS + 1, done = 0;
    for (int64_t t = from; code == OK && done < total; t = window_start(t) + WINDOW_MS) {
        if (e->progress) e->progress(e->progress_ctx, done, total);
        int64_t end = window_start(t) > INT64_MAX - WINDOW_MS ? INT64_MAX : window_start(t) + WINDOW_MS - 1;
        code = export_window(e, t, MIN(end, to), ret, reterr);
        done++;
    }
    if (code == OK && e->progress) e->progress(e->progress_ctx, total, total);
    return code;
}
