#include "codec/crc.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/tsdb_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define FLUSH_BYTES ((size_t)1 << 20)
#define SEGMENT_HEADER 8

struct TsdbBlockWriter {
    Fs *fs;
    char parent[FS_PATH_MAX], dir[FS_PATH_MAX]; /* dir: the temporary one */
    TsdbMeta meta;
    IndexWriter *index;
    File *segment;
    uint64_t segment_number, at; /* number counts from 1; at: position in the segment */
    Buf out, chunk;
    VEC(ChunkMeta) chunks; /* of the series in hand */
    bool finished;
};

ErrCode tsdb_block_writer_create(Fs *fs, const char *parent, TsdbBlockWriter **ret, Err *reterr) {
    TsdbBlockWriter *w = NEW(TsdbBlockWriter);
    char name[64], chunks[FS_PATH_MAX];
    w->fs = fs;
    snprintf(w->parent, sizeof w->parent, "%s", parent);
    tsdb_ulid(w->meta.ulid, clock_now_ms());
    snprintf(name, sizeof name, "%s.tmp-for-creation", w->meta.ulid);
    fs_path_join(w->dir, parent, name);
    fs_path_join(chunks, w->dir, "chunks");
    w->meta.level = 1;
    w->meta.min_t = INT64_MAX;
    w->meta.max_t = INT64_MIN;
    w->index = index_writer_create();
    ErrCode code = fs->ops->make_dir(fs, chunks, reterr);
    if (code != OK) {
        tsdb_block_writer_free(w);
        return code;
    }
    *ret = w;
    return OK;
}

TsdbBlockWriter *tsdb_block_writer_free(TsdbBlockWriter *w) {
    if (!w) return NULL;
    file_close(w->segment);
    if (!w->finished) (void)fs_remove_tree(w->fs, w->dir, NULL);
    index_writer_free(w->index);
    buf_done(&w->out);
    buf_done(&w->chunk);
    vec_done(&w->chunks);
    mem_free(w);
    return NULL;
}

/* --- segments --- */
static ErrCode flush(TsdbBlockWriter *w, Err *reterr) {
    if (w->out.n == 0) return OK;
    ErrCode code = file_write(w->segment, buf_str(&w->out), reterr);
    buf_clear(&w->out);
    return code;
}

static ErrCode end_segment(TsdbBlockWriter *w, Err *reterr) {
    if (!w->segment) return OK;
    ErrCode code = flush(w, reterr);
    if (code == OK) code = file_sync(w->segment, reterr);
    w->segment = file_close(w->segment);
    return code;
}

static ErrCode begin_segment(TsdbBlockWriter *w, Err *reterr) {
    char name[32], chunks[FS_PATH_MAX], path[FS_PATH_MAX];
    ErrCode code = end_segment(w, reterr);
    if (code != OK) return code;
    snprintf(name, sizeof name, "%06llu", (unsigned long long)++w->segment_number);
    fs_path_join(chunks, w->dir, "chunks");
    fs_path_join(path, chunks, name);
    code = fs_open(w->fs, path, FILE_CREATE_NEW, &w->segment, reterr);
    if (code != OK) return code;
    buf_put_u32be(&w->out, TSDB_CHUNKS_MAGIC);
    buf_put_u32be(&w->out, 0x01000000); /* version, padding */
    w->at = SEGMENT_HEADER;
    return OK;
}

/* w->chunk holds the data. */
static ErrCode put_chunk(TsdbBlockWriter *w, ChunkEncoding encoding, int64_t min_t, int64_t max_t, Err *reterr) {
    if (!w->segment || w->at + w->chunk.n + 16 > TSDB_SEGMENT_BYTES) {
        ErrCode code = begin_segment(w, reterr);
        if (code != OK) return code;
    }
    size_t before = w->out.n;
    vec_push(&w->chunks, (ChunkMeta){(w->segment_number - 1) << 32 | w->at, min_t, max_t});
    buf_put_uvarint(&w->out, w->chunk.n);
    size_t checked = w->out.n;
    buf_put_char(&w->out, (char)encoding);
    buf_put_str(&w->out, buf_str(&w->chunk));
    buf_put_u32be(&w->out, crc32c(0, w->out.p + checked, w->out.n - checked));
    w->at += w->out.n - before;
    w->meta.chunks++;
    w->meta.min_t = MIN(w->meta.min_t, min_t);
    w->meta.max_t = MAX(w->meta.max_t, max_t + 1);
    return w->out.n >= FLUSH_BYTES ? flush(w, reterr) : OK;
}

/* --- series --- */
static ErrCode put_floats(TsdbBlockWriter *w, const int64_t *t, const double *v, size_t n, Err *reterr) {
    ErrCode code = OK;
    for (size_t i = 0, m; i < n && code == OK; i += m) {
        buf_clear(&w->chunk);
        m = chunk_encode_floats(&w->chunk, t + i, v + i, n - i);
        code = put_chunk(w, CHUNK_XOR, t[i], t[i + m - 1], reterr);
    }
    w->meta.float_samples += n;
    return code;
}

static ErrCode put_histograms(TsdbBlockWriter *w, const int64_t *t, const Histogram *h, size_t n, Err *reterr) {
    ErrCode code = OK;
    for (size_t i = 0, m; i < n && code == OK; i += m) {
        ChunkEncoding encoding;
        buf_clear(&w->chunk);
        m = chunk_encode_histograms(&w->chunk, t + i, h + i, n - i, &encoding);
        code = put_chunk(w, encoding, t[i], t[i + m - 1], reterr);
    }
    w->meta.histogram_samples += n;
    return code;
}

/* Floats and histograms of one series take turns: chunks must follow each other in time. */
ErrCode tsdb_block_writer_series(TsdbBlockWriter *w, const SeriesColumn *s, Err *reterr) {
    ErrCode code = OK;
    vec_clear(&w->chunks);
    for (size_t i = 0, k = 0; code == OK && (i < s->n || k < s->n_histograms);) {
        size_t from = i, from_h = k;
        while (i < s->n && (k == s->n_histograms || s->t_ms[i] < s->histogram_t_ms[k])) i++;
        if (i > from) {
            code = put_floats(w, s->t_ms + from, s->value + from, i - from, reterr);
            continue;
        }
        while (k < s->n_histograms && (i == s->n || s->histogram_t_ms[k] <= s->t_ms[i])) {
            if (i < s->n && s->histogram_t_ms[k] == s->t_ms[i]) i++; /* a float at the same time: the histogram wins */
            k++;
        }
        code = put_histograms(w, s->histogram_t_ms + from_h, s->histograms + from_h, k - from_h, reterr);
    }
    if (code == OK && w->chunks.n) index_writer_series(w->index, s->labels, w->chunks.v, w->chunks.n);
    return code;
}

/* --- finishing --- */
static ErrCode write_small(TsdbBlockWriter *w, const char *name, const Buf *b, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, w->dir, name);
    return fs_write_file_atomic(w->fs, path, buf_str(b), reterr);
}

static ErrCode write_rest(TsdbBlockWriter *w, Err *reterr) {
    char path[FS_PATH_MAX];
    ErrCode code = end_segment(w, reterr);
    fs_path_join(path, w->dir, "chunks");
    if (code == OK) code = w->fs->ops->sync_dir(w->fs, path, reterr);
    fs_path_join(path, w->dir, "index");
    w->meta.series = index_writer_count(w->index);
    w->meta.samples = w->meta.float_samples + w->meta.histogram_samples;
    if (code == OK) code = index_writer_finish(w->index, w->fs, path, reterr);
    Buf b = {0};
    tombstones_encode_empty(&b);
    if (code == OK) code = write_small(w, "tombstones", &b, reterr);
    buf_clear(&b);
    tsdb_meta_encode(&b, &w->meta);
    if (code == OK) code = write_small(w, "meta.json", &b, reterr);
    buf_done(&b);
    return code == OK ? w->fs->ops->sync_dir(w->fs, w->dir, reterr) : code;
}

ErrCode tsdb_block_writer_finish(TsdbBlockWriter *w, TsdbMeta *ret, bool *ret_written, Err *reterr) {
    *ret_written = index_writer_count(w->index) > 0;
    if (!*ret_written) return OK;
    char path[FS_PATH_MAX];
    fs_path_join(path, w->parent, w->meta.ulid);
    ErrCode code = write_rest(w, reterr);
    if (code == OK) code = w->fs->ops->rename(w->fs, w->dir, path, reterr);
    if (code == OK) code = w->fs->ops->sync_dir(w->fs, w->parent, reterr);
    w->finished = code == OK;
    *ret = w->meta;
    return code;
}
