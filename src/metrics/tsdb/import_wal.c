/* import_wal.c - what Prometheus still had in memory: its logs (checkpoint, wal, wbl) and head chunk files.
 *
 * Two passes over the logs: the first collects series and deletions, which may stand behind the samples they concern;
 * the second takes samples. Samples that head chunks held already are not taken twice. */
#include "base/map.h"
#include "base/num.h"
#include "metrics/head.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/import_int.h"
#include "metrics/tsdb/twal.h"

#include <stdlib.h>

#define SERIES_ARENA ((size_t)16 << 30)
#define RECORD_ARENA ((size_t)1 << 30)
#define PENDING_MAX 50000
#define CHUNKS_ARENA ((size_t)256 << 20)

typedef struct HeadRef {
    Labels labels;
    int64_t chunks_max_t; /* up to here head chunks had everything */
} HeadRef;

typedef struct Pending {
    uint32_t series, order;
    int64_t t, start;
    double v;
} Pending;

typedef struct HeadImport {
    const TsdbImport *im;
    TsdbImportResult *ret;
    Arena *arena; /* labels of all series */
    U64Map *ids;  /* reference -> index in series */
    VEC(HeadRef) series;
    Intervals deleted;
    Batcher batcher;
    VEC(Pending) pending;
    SampleBuf column;
    uint64_t unknown; /* samples of series no record names */
    bool first_pass;
    uint64_t done_bytes, total_bytes;
    Arena *scratch;
    bool full;
} HeadImport;

/* --- first pass --- */
static bool note_series(void *ctx, uint64_t ref, Labels labels) {
    HeadImport *h = ctx;
    bool is_new;
    uint64_t *id = u64map_put(h->ids, ref, &is_new);
    if (!is_new) return true; /* checkpoint and log repeat them */
    Labels copy = labels_copy(h->arena, labels);
    h->full = labels.n && !copy.v;
    *id = h->series.n;
    if (!h->full) vec_push(&h->series, (HeadRef){copy, INT64_MIN});
    return !h->full;
}

static bool note_deleted(void *ctx, const Interval *i) {
    HeadImport *h = ctx;
    vec_push(&h->deleted.list, *i);
    return true;
}

/* --- second pass --- */
static int by_series(const void *a, const void *b) {
    const Pending *x = a, *y = b;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    if (x->t != y->t) return x->t < y->t ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool flush_pending(HeadImport *h) {
    if (h->pending.n) qsort(h->pending.v, h->pending.n, sizeof *h->pending.v, by_series);
    for (size_t i = 0, end; i < h->pending.n; i = end) {
        sample_buf_clear(&h->column);
        for (end = i; end < h->pending.n && h->pending.v[end].series == h->pending.v[i].series; end++)
            sample_buf_add(&h->column, &h->pending.v[end].t, &h->pending.v[end].v, 1, INT64_MIN, INT64_MAX);
        int64_t *starts = NULL;
        for (size_t k = i; k < end && !starts; k++)
            if (h->pending.v[k].start) starts = sample_buf_starts(&h->column, 0);
        for (size_t k = i; starts && k < end; k++) starts[k - i] = h->pending.v[k].start;
        SeriesColumn s = {.labels = h->series.v[h->pending.v[i].series].labels, .start_ms = starts};
        s.n = h->column.n;
        s.t_ms = h->column.t;
        s.value = h->column.v;
        if (!batcher_add(&h->batcher, &s, NULL, 0)) return false;
    }
    vec_clear(&h->pending);
    return batcher_flush(&h->batcher);
}

/* NULL: not wanted, or of a series nobody knows. */
static const HeadRef *wanted(HeadImport *h, uint64_t ref, int64_t t, uint32_t *ret_id) {
    const uint64_t *id = u64map_get(h->ids, ref);
    if (!id) {
        h->unknown++;
        return NULL;
    }
    const HeadRef *s = &h->series.v[*id];
    if (t < h->im->min_t || t > h->im->max_t || t <= s->chunks_max_t || intervals_cover(&h->deleted, ref, t))
        return NULL;
    *ret_id = (uint32_t)*id;
    return s;
}

static bool take_sample(void *ctx, uint64_t ref, int64_t t, int64_t start, double v) {
    HeadImport *h = ctx;
    uint32_t id;
    if (!wanted(h, ref, t, &id)) return true;
    vec_push(&h->pending, (Pending){id, (uint32_t)h->pending.n, t, start, v});
    return h->pending.n < PENDING_MAX || flush_pending(h);
}

static bool take_histogram(void *ctx, uint64_t ref, int64_t t, int64_t start, const Histogram *v) {
    HeadImport *h = ctx;
    uint32_t id;
    const HeadRef *s = wanted(h, ref, t, &id);
    if (!s) return true;
    SeriesColumn column = {.labels = s->labels,
        .n_histograms = 1,
        .histogram_t_ms = &t,
        .histograms = v,
        .histogram_start_ms = start ? &start : NULL};
    return batcher_add(&h->batcher, &column, NULL, 0);
}

static bool take_exemplar(void *ctx, uint64_t ref, const Exemplar *e) {
    HeadImport *h = ctx;
    const uint64_t *id = u64map_get(h->ids, ref);
    if (!id || e->t_ms < h->im->min_t || e->t_ms > h->im->max_t) return true;
    SeriesColumn column = {.labels = h->series.v[*id].labels};
    return batcher_add(&h->batcher, &column, e, 1);
}

static bool take_metadata(void *ctx, uint64_t ref, const MetricMetadata *m) {
    HeadImport *h = ctx;
    const uint64_t *id = u64map_get(h->ids, ref);
    if (!id) return true;
    MetricMetadata whole = *m;
    whole.metric = labels_get(h->series.v[*id].labels, LABEL_NAME_METRIC);
    return whole.metric.n == 0 || batcher_add_metadata(&h->batcher, &whole);
}

/* --- logs --- */
static ErrCode take_record(void *ctx, Str record, Err *reterr) {
    HeadImport *h = ctx;
    WalHandler first = {.series = note_series, .tombstone = note_deleted, .ctx = h};
    WalHandler second = {.sample = take_sample,
        .histogram = take_histogram,
        .exemplar = take_exemplar,
        .metadata = take_metadata,
        .ctx = h};
    bool stopped;
    Err err = {0};
    arena_reset(h->scratch);
    ErrCode code = wal_record_decode(record, h->scratch, h->first_pass ? &first : &second, &stopped, &err);
    if (code == OK && stopped) {
        if (h->full) return err_set(reterr, ERR_TOO_LARGE, "the series of the log do not fit into memory");
        return h->batcher.code; /* the batcher has said why */
    }
    if (code != OK && h->first_pass) { /* said once */
        h->ret->problems.records++;
        tsdb_note(&h->ret->problems, "%s", err.msg);
    }
    return OK;
}

static ErrCode read_segments(HeadImport *h, const char *dir, uint64_t from, Err *reterr) {
    NameList names;
    Arena *arena = arena_create(CHUNKS_ARENA);
    ErrCode code = tsdb_names(h->im->fs, dir, tsdb_is_segment, arena, &names, reterr);
    for (size_t i = 0; code == OK && i < names.n; i++) {
        char path[FS_PATH_MAX];
        FileView file;
        uint64_t number;
        if (!num_parse_u64(names.v[i], &number) || number < from) continue;
        fs_path_join(path, dir, names.v[i].p);
        code = h->im->fs->ops->map(h->im->fs, path, &file, reterr);
        if (code != OK) break;
        if (h->im->progress) h->im->progress(h->im->ctx, "write-ahead log", h->done_bytes, h->total_bytes);
        TsdbProblems again = {0};
        code = wal_segment_read(
            file.bytes, i + 1 == names.n, take_record, h, h->first_pass ? &h->ret->problems : &again, reterr);
        h->done_bytes += file.bytes.n;
        if (h->first_pass) h->ret->wal_segments++;
        h->im->fs->ops->unmap(h->im->fs, &file);
    }
    arena_free(arena);
    return code;
}

static bool is_checkpoint(Str name, bool is_dir) {
    return is_dir && str_starts_with(name, STR("checkpoint.")) && tsdb_is_segment(str_skip(name, 11), false);
}

static ErrCode read_log(HeadImport *h, const char *name, Err *reterr) {
    char dir[FS_PATH_MAX], path[FS_PATH_MAX];
    NameList checkpoints;
    uint64_t from = 0;
    fs_path_join(dir, h->im->dir, name);
    if (!h->im->fs->ops->exists(h->im->fs, dir)) return OK;
    Arena *arena = arena_create(CHUNKS_ARENA);
    ErrCode code = tsdb_names(h->im->fs, dir, is_checkpoint, arena, &checkpoints, reterr);
    if (code == OK && checkpoints.n > 0) {
        Str newest = checkpoints.v[checkpoints.n - 1];
        if (num_parse_u64(str_skip(newest, 11), &from)) from++; /* segments up to its number are in it */
        fs_path_join(path, dir, newest.p);
        code = read_segments(h, path, 0, reterr);
    }
    if (code == OK) code = read_segments(h, dir, from, reterr);
    arena_free(arena);
    return code;
}

static ErrCode read_logs(HeadImport *h, bool first_pass, Err *reterr) {
    h->first_pass = first_pass;
    ErrCode code = read_log(h, "wal", reterr);
    return code == OK ? read_log(h, "wbl", reterr) : code;
}

/* --- head chunks --- */
typedef struct ChunkFile {
    HeadImport *h;
    Err *reterr;
    ErrCode code;
} ChunkFile;

typedef struct Wanted {
    const HeadImport *h;
    uint64_t ref;
} Wanted;

static bool is_kept(void *ctx, int64_t t) {
    const Wanted *w = ctx;
    return t >= w->h->im->min_t && t <= w->h->im->max_t && !intervals_cover(&w->h->deleted, w->ref, t);
}

static bool take_chunk(void *ctx, const HeadChunk *c) {
    ChunkFile *f = ctx;
    HeadImport *h = f->h;
    const uint64_t *id = u64map_get(h->ids, c->series);
    if (!id) return true; /* a series that has left the head: its samples are in blocks */
    ChunkSamples s = {0};
    Err err = {0};
    arena_reset(h->scratch);
    if (chunk_decode(c->encoding, c->data, h->scratch, &s, &err) != OK) { /* the log has these samples, too */
        h->ret->problems.chunks++;
        tsdb_note(&h->ret->problems, "head chunk: %s", err.msg);
        return true;
    }
    chunk_samples_filter(&s, is_kept, &(Wanted){h, c->series});
    HeadRef *ref = &h->series.v[*id];
    SeriesColumn column = chunk_samples_column(&s, ref->labels);
    if (!batcher_add(&h->batcher, &column, NULL, 0)) {
        f->code = h->batcher.code;
        return false;
    }
    if (!c->out_of_order) ref->chunks_max_t = MAX(ref->chunks_max_t, c->max_t);
    return true;
}

static ErrCode read_chunk_file(HeadImport *h, const char *path, bool *ret_damaged, Err *reterr) {
    FileView file;
    ErrCode code = h->im->fs->ops->map(h->im->fs, path, &file, reterr);
    if (code != OK) return code;
    ChunkFile f = {.h = h, .reterr = reterr};
    Err err = {0};
    *ret_damaged = head_chunks_read(file.bytes, take_chunk, &f, &err) != OK;
    if (*ret_damaged) tsdb_note(&h->ret->problems, "%s: %s", path, err.msg);
    h->ret->problems.chunks += *ret_damaged;
    h->im->fs->ops->unmap(h->im->fs, &file);
    return f.code;
}

static ErrCode read_head_chunks(HeadImport *h, Err *reterr) {
    char dir[FS_PATH_MAX], path[FS_PATH_MAX];
    NameList names;
    uint64_t chunks_before = h->ret->problems.chunks;
    fs_path_join(dir, h->im->dir, "chunks_head");
    if (!h->im->fs->ops->exists(h->im->fs, dir)) return OK;
    Arena *arena = arena_create(CHUNKS_ARENA);
    ErrCode code = tsdb_names(h->im->fs, dir, tsdb_is_segment, arena, &names, reterr);
    for (size_t i = 0; code == OK && i < names.n; i++) {
        bool damaged;
        fs_path_join(path, dir, names.v[i].p);
        if (h->im->progress) h->im->progress(h->im->ctx, "head chunks", i, names.n);
        code = read_chunk_file(h, path, &damaged, reterr);
    }
    if (code == OK) (void)batcher_flush(&h->batcher);
    if (code == OK) code = h->batcher.code;
    /* After damage the log is asked for everything. */
    if (h->ret->problems.chunks != chunks_before) {
        vec_foreach(HeadRef, s, &h->series) s->chunks_max_t = INT64_MIN;
    }
    arena_free(arena);
    return code;
}

static ErrCode run(HeadImport *h, Err *reterr) {
    ErrCode code = read_logs(h, true, reterr);
    h->total_bytes = h->done_bytes * 2;
    intervals_sort(&h->deleted);
    if (code == OK) code = read_head_chunks(h, reterr);
    if (code == OK) code = read_logs(h, false, reterr);
    if (code == OK && !flush_pending(h)) code = h->batcher.code;
    if (code == OK && h->unknown)
        tsdb_note(&h->ret->problems, "write-ahead log: %llu samples of series that are not in it",
            (unsigned long long)h->unknown);
    return code;
}

ErrCode import_head(const TsdbImport *im, TsdbImportResult *ret, Err *reterr) {
    HeadImport h = {.im = im, .ret = ret, .arena = arena_create(SERIES_ARENA), .ids = u64map_create()};
    h.scratch = arena_create(RECORD_ARENA);
    batcher_init(&h.batcher, im, &ret->appended, reterr);
    ErrCode code = run(&h, reterr);
    batcher_done(&h.batcher);
    arena_free(h.scratch);
    arena_free(h.arena);
    u64map_free(h.ids);
    vec_done(&h.series);
    vec_done(&h.deleted.list);
    vec_done(&h.pending);
    sample_buf_done(&h.column);
    return code;
}
