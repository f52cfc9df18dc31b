#include "codec/crc.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/tsdb_int.h"

#define SEGMENTS_MAX 10000
#define PIECE_SAMPLES 20000 /* of a series handed out at once */
#define SERIES_ARENA ((size_t)1 << 30)
#define TOMBSTONES_MAX ((size_t)1 << 30)

struct TsdbBlock {
    Fs *fs;
    Arena *arena;
    FileView index_file;
    IndexReader index;
    FileView *segments;
    size_t n_segments;
    Intervals deleted;
};

static ErrCode map_segments(TsdbBlock *b, const char *dir, Err *reterr) {
    char chunks[FS_PATH_MAX], path[FS_PATH_MAX];
    NameList names;
    fs_path_join(chunks, dir, "chunks");
    ErrCode code = tsdb_names(b->fs, chunks, tsdb_is_segment, b->arena, &names, reterr);
    if (code == OK && names.n > SEGMENTS_MAX) code = err_set(reterr, ERR_TOO_LARGE, "%s: too many segments", chunks);
    if (code != OK) return code;
    b->segments = ARENA_ARRAY(b->arena, FileView, names.n);
    ASSERT(b->segments);
    for (size_t i = 0; i < names.n && code == OK; i++) {
        fs_path_join(path, chunks, names.v[i].p);
        code = b->fs->ops->map(b->fs, path, &b->segments[i], reterr);
        if (code == OK) b->n_segments++;
    }
    return code;
}

static ErrCode read_tombstones(TsdbBlock *b, const char *dir, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, dir, "tombstones");
    if (!b->fs->ops->exists(b->fs, path)) return OK;
    Buf file = {0};
    ErrCode code = fs_read_file(b->fs, path, TOMBSTONES_MAX, &file, reterr);
    if (code == OK) code = tombstones_decode(buf_str(&file), &b->deleted, reterr);
    buf_done(&file);
    return code;
}

ErrCode tsdb_block_open(Fs *fs, const char *dir, TsdbBlock **ret, Err *reterr) {
    char path[FS_PATH_MAX];
    TsdbBlock *b = NEW(TsdbBlock);
    b->fs = fs;
    b->arena = arena_create(ARENA_UNLIMITED);
    fs_path_join(path, dir, "index");
    Err err = {0};
    ErrCode code = fs->ops->map(fs, path, &b->index_file, &err);
    if (code == OK) code = index_reader_open(b->index_file.bytes, &b->index, &err);
    if (code == OK) code = map_segments(b, dir, &err);
    if (code == OK) code = read_tombstones(b, dir, &err);
    if (code == OK) {
        *ret = b;
        return OK;
    }
    tsdb_block_close(b);
    return err_set(reterr, code, "%s: %s", dir, err.msg);
}

TsdbBlock *tsdb_block_close(TsdbBlock *b) {
    if (!b) return NULL;
    index_reader_done(&b->index);
    if (b->index_file.impl) b->fs->ops->unmap(b->fs, &b->index_file);
    for (size_t i = 0; i < b->n_segments; i++) b->fs->ops->unmap(b->fs, &b->segments[i]);
    vec_done(&b->deleted.list);
    arena_free(b->arena);
    mem_free(b);
    return NULL;
}

size_t tsdb_block_series_count(const TsdbBlock *b) { return b->index.n_series; }

/* --- chunks --- */
static bool find_chunk(const TsdbBlock *b, uint64_t ref, uint8_t *ret_encoding, Str *ret_data) {
    uint64_t segment = ref >> 32, offset = ref & UINT32_MAX;
    if (segment >= b->n_segments) return false;
    Str file = b->segments[segment].bytes;
    Cursor head = cursor_of(file);
    if (cursor_u32be(&head) != TSDB_CHUNKS_MAGIC || cursor_u8(&head) != 1 || offset >= file.n) return false;
    Cursor c = cursor_of(str_skip(file, offset));
    uint64_t n = cursor_uvarint(&c);
    if (c.bad || n >= cursor_left(&c)) return false;
    Str checked = cursor_bytes(&c, n + 1);
    uint32_t crc = cursor_u32be(&c);
    if (c.bad || crc != crc32c(0, checked.p, checked.n)) return false;
    *ret_encoding = (uint8_t)checked.p[0];
    *ret_data = str_skip(checked, 1);
    return true;
}

/* --- visiting --- */
typedef struct Visit {
    TsdbBlock *block;
    Arena *arena; /* of one series */
    int64_t min_t, max_t;
    MetricsVisitFn fn;
    void *ctx;
    TsdbProblems *problems;
    ChunkSamples samples;
    uint64_t ref; /* of the series they are of */
} Visit;

static bool wanted(void *ctx, int64_t t) {
    const Visit *v = ctx;
    return t >= v->min_t && t <= v->max_t && !intervals_cover(&v->block->deleted, v->ref, t);
}

/* Chunks of a block do not overlap and stand in order. false: fn wants no more. */
static bool hand_out(Visit *v, Labels labels, uint64_t ref) {
    v->ref = ref;
    chunk_samples_filter(&v->samples, wanted, v);
    SeriesColumn column = chunk_samples_column(&v->samples, labels);
    bool more = column.n + column.n_histograms == 0 || v->fn(v->ctx, &column);
    ChunkSamples *s = &v->samples;
    s->t_ms.n = s->value.n = s->start_ms.n = s->histogram_t_ms.n = s->histograms.n = s->histogram_start_ms.n = 0;
    return more;
}

static ErrCode visit_chunks(
    Visit *v, Labels labels, uint64_t ref, const ChunkMeta *chunks, size_t n, bool *ret_more, Err *reterr) {
    *ret_more = true;
    v->samples = (ChunkSamples){0};
    for (size_t i = 0; i < n && *ret_more; i++) {
        uint8_t encoding;
        Str data;
        Err err = {0};
        if (chunks[i].max_t < v->min_t || chunks[i].min_t > v->max_t) continue;
        ErrCode code = find_chunk(v->block, chunks[i].ref, &encoding, &data)
                           ? chunk_decode(encoding, data, v->arena, &v->samples, &err)
                           : err_set(&err, ERR_CORRUPT, "a chunk is damaged");
        if (code == ERR_TOO_LARGE) return err_set(reterr, code, "%s", err.msg);
        if (code != OK) { /* what was decoded of it stays */
            if (v->problems) v->problems->chunks++;
            tsdb_note(v->problems, "%s (segment %llu, offset %llu)", err.msg,
                (unsigned long long)(chunks[i].ref >> 32) + 1, (unsigned long long)(chunks[i].ref & UINT32_MAX));
        }
        if (v->samples.t_ms.n + v->samples.histograms.n >= PIECE_SAMPLES) *ret_more = hand_out(v, labels, ref);
    }
    if (*ret_more) *ret_more = hand_out(v, labels, ref);
    return OK;
}

ErrCode tsdb_block_visit(TsdbBlock *b, Matchers matchers, int64_t min_t, int64_t max_t, MetricsVisitFn fn, void *ctx,
    TsdbProblems *problems, Err *reterr) {
    Visit v = {.block = b, .min_t = min_t, .max_t = max_t, .fn = fn, .ctx = ctx, .problems = problems};
    v.arena = arena_create(SERIES_ARENA);
    ErrCode code = OK;
    bool more = true;
    for (size_t i = 0; i < b->index.n_series && code == OK && more; i++) {
        Labels labels;
        ChunkMeta *chunks;
        size_t n;
        uint64_t ref;
        Err err = {0};
        arena_reset(v.arena);
        code = index_reader_series(&b->index, i, v.arena, &labels, &chunks, &n, &ref, &err);
        if (code == OK && matchers_match(matchers, labels)) {
            code = visit_chunks(&v, labels, ref, chunks, n, &more, reterr);
        } else if (code == ERR_CORRUPT) {
            if (problems) problems->series++;
            tsdb_note(problems, "%s", err.msg);
            code = OK;
        } else if (code != OK) {
            code = err_set(reterr, code, "%s", err.msg);
        }
    }
    arena_free(v.arena);
    return code;
}

/* --- labels and sizes --- */

/* Of the histograms of a chunk, summed up. */
static uint32_t count_buckets(uint8_t encoding, Str data, Arena *arena) {
    ChunkSamples s = {0};
    uint64_t n = 0;
    if (encoding == CHUNK_XOR || encoding == CHUNK_XOR2) return TSDB_CHUNK_FLOATS;
    (void)chunk_decode(encoding, data, arena, &s, NULL);
    vec_foreach(const Histogram, h, &s.histograms) n += h->n_pos + h->n_neg;
    return (uint32_t)MIN(n, TSDB_CHUNK_FLOATS - 1);
}

static bool chunk_sizes(const TsdbBlock *b, Arena *arena, const ChunkMeta *chunks, TsdbSeriesInfo *s) {
    uint32_t *samples = ARENA_ARRAY(arena, uint32_t, s->n_chunks), *bytes = ARENA_ARRAY(arena, uint32_t, s->n_chunks);
    uint32_t *buckets = ARENA_ARRAY(arena, uint32_t, s->n_chunks);
    if (!samples || !bytes || !buckets) return false;
    for (size_t i = 0; i < s->n_chunks; i++) {
        uint8_t encoding;
        Str data = STR_NULL;
        bool ok = find_chunk(b, chunks[i].ref, &encoding, &data) && data.n >= 2;
        samples[i] = ok ? (uint32_t)chunk_count(encoding, data) : 0;
        bytes[i] = (uint32_t)data.n;
        buckets[i] = ok ? count_buckets(encoding, data, arena) : TSDB_CHUNK_FLOATS;
        s->samples += samples[i];
    }
    s->chunk_samples = samples;
    s->chunk_bytes = bytes;
    s->chunk_buckets = buckets;
    return true;
}

ErrCode tsdb_block_series(TsdbBlock *b, bool with_chunks, bool (*fn)(void *ctx, const TsdbSeriesInfo *s), void *ctx,
    TsdbProblems *problems, Err *reterr) {
    Arena *arena = arena_create(SERIES_ARENA);
    ErrCode code = OK;
    for (size_t i = 0; i < b->index.n_series && code == OK; i++) {
        TsdbSeriesInfo s = {0};
        ChunkMeta *chunks;
        uint64_t ref;
        Err err = {0};
        arena_reset(arena);
        code = index_reader_series(&b->index, i, arena, &s.labels, &chunks, &s.n_chunks, &ref, &err);
        if (code == ERR_CORRUPT) {
            if (problems) problems->series++;
            tsdb_note(problems, "%s", err.msg);
            code = OK;
            continue;
        }
        if (code == OK && s.n_chunks > 0) {
            s.min_t = chunks[0].min_t;
            s.max_t = chunks[s.n_chunks - 1].max_t;
        }
        if (code == OK && with_chunks && !chunk_sizes(b, arena, chunks, &s))
            code = err_set(&err, ERR_TOO_LARGE, "too many chunks of one series");
        if (code != OK) code = err_set(reterr, code, "%s", err.msg);
        if (code == OK && !fn(ctx, &s)) break;
    }
    arena_free(arena);
    return code;
}
