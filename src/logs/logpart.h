/* logpart.h - private: log rows in wide parts.
 *
 * Order of rows: the part is a sequence of slices, each a stretch of time of about LOG_SLICE_ROWS rows; inside a
 * slice rows stand by (stream, time), streams by their labels. So newest-first over all streams reads the last
 * slices and stops, and one stream costs a block or two per slice instead of all of it; lines of one stream lie
 * together, which is what compresses them. Blocks never span two slices.
 * The line is the field with the empty name (metadata keys are never empty).
 * User blob: version 2, uvarint streams; per stream uvarint rows, bytes, svarint min and (max - min) time;
 * uvarint names, per name its text, uvarint values, per value its text, uvarint count and delta-coded stream
 * numbers: postings, from which the streams' labels are put together again at open. */
#ifndef MEERKAT_LOGS_LOGPART_H
#define MEERKAT_LOGS_LOGPART_H

#include "logs/payload.h"
#include "storage/partset.h"
#include "storage/wide.h"

#define LOG_SLICE_ROWS 65536
#define LOG_SLICE_BYTES (32u << 20)
#define LOG_LINE_FIELD STR("")

typedef struct LogPartRow {
    int64_t t_ns;
    uint32_t stream; /* number in the writer's streams */
    Str line;
    LogMetadata metadata;
} LogPartRow;

typedef struct LogPartWriter LogPartWriter;
/* streams: sorted by labels_cmp, unique; borrowed until the writer is freed. */
ErrCode logpart_writer_create(
    Fs *fs, const char *path, int level, const Labels *streams, size_t n, LogPartWriter **ret, Err *reterr);
/* One slice, later than all before it (equal times may touch). Sorts rows; equal rows are written once. */
ErrCode logpart_writer_slice(LogPartWriter *w, LogPartRow *rows, size_t n, Err *reterr);
/* Fills ret_info's times, rows and size. ERR_NOT_FOUND when there was no row (no file is left). */
ErrCode logpart_writer_finish(LogPartWriter *w, PartInfo *ret_info, Err *reterr);
LogPartWriter *logpart_writer_free(LogPartWriter *w);

typedef struct LogPartValue {
    Str value;
    const uint32_t *groups;
    uint32_t n;
} LogPartValue;
typedef struct LogPartName {
    Str name;
    const LogPartValue *values; /* sorted */
    size_t n;
} LogPartName;
typedef struct LogPartStream {
    Labels labels;
    uint64_t hash, rows, bytes;
    int64_t min_t, max_t; /* min > max: no rows */
} LogPartStream;

typedef struct LogPart {
    Arena *arena;
    WidePart *wide;
    const LogPartStream *streams;
    size_t n_streams;
    const LogPartName *names; /* sorted */
    size_t n_names;
} LogPart;

extern const PartOps logpart_ops; /* for partset_open; objects are LogPart* */

/* A bit per stream: those that match and have rows in [start, end). NULL on exhaustion. */
uint64_t *logpart_match(const LogPart *p, Matchers ms, int64_t start_ns, int64_t end_ns, Arena *arena, size_t *ret_n);
static inline bool bit_get(const uint64_t *bits, size_t i) { return bits[i / 64] >> (i % 64) & 1; }

WideValue wide_of_attr(const AttrValue *v);
AttrValue attr_of_wide(const WideValue *v);

#endif
