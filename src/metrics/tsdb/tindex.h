/* tindex.h - a block's index file: symbols, series with their chunks, postings. Private to metrics/tsdb.
 * Source: tsdb/docs/format/index.md of Prometheus; format 2 is written, 1 to 3 are read. */
#ifndef MEERKAT_METRICS_TSDB_TINDEX_H
#define MEERKAT_METRICS_TSDB_TINDEX_H

#include "base/vec.h"
#include "model/labels.h"
#include "sys/fs.h"

typedef struct ChunkMeta {
    uint64_t ref; /* segment << 32 | offset */
    int64_t min_t, max_t;
} ChunkMeta;

/* --- writing --- */
typedef struct IndexWriter IndexWriter;
IndexWriter *index_writer_create(void);
/* In labels order; everything is copied. Memory grows with series and chunks, not with samples. */
void index_writer_series(IndexWriter *w, Labels labels, const ChunkMeta *chunks, size_t n);
size_t index_writer_count(const IndexWriter *w);
/* Writes the file and syncs it. ERR_TOO_LARGE: a section over 4 GiB. */
ErrCode index_writer_finish(IndexWriter *w, Fs *fs, const char *path, Err *reterr);
IndexWriter *index_writer_free(IndexWriter *w);

/* --- reading; the bytes are borrowed --- */
typedef struct IndexReader {
    Str file;
    uint8_t version;
    const uint8_t *series; /* references of all series, big-endian, sorted by labels */
    size_t n_series;
    VEC(uint32_t) symbols; /* offsets of the symbols, versions 2 and 3 */
    uint64_t postings_table;
} IndexReader;

/* Checks header, contents and symbols. ERR_CORRUPT, ERR_UNSUPPORTED. */
ErrCode index_reader_open(Str file, IndexReader *ret, Err *reterr);
void index_reader_done(IndexReader *r);
/* The i-th series: labels (strings in the file) and chunks, in the arena; also its reference, as tombstones name it. */
ErrCode index_reader_series(const IndexReader *r, size_t i, Arena *arena, Labels *ret, ChunkMeta **ret_chunks,
    size_t *ret_n, uint64_t *ret_ref, Err *reterr);

#endif
