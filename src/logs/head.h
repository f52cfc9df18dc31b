/* head.h - private: rows in memory. One writer (the commit thread), any number of readers.
 *
 * Rows point into the payloads the head keeps. Per stream two chains of chunks: `main`, in time order, and `late`,
 * rows that came behind it, in order of arrival. Chunks never move and are only added to, so that a reader who
 * noted (last chunk, count) under the lock may walk them without it, for as long as it holds a reference. */
#ifndef MEERKAT_LOGS_HEAD_H
#define MEERKAT_LOGS_HEAD_H

#include "base/map.h"
#include "logs/payload.h"
#include "logs/recent.h"
#include "storage/wal.h"
#include "sys/thread.h"

typedef struct HeadRow {
    int64_t t_ns;
    const char *line; /* the values of its metadata follow the line's bytes */
    uint32_t line_n, values_n;
    const LogShape *shape; /* the head's; NULL: no metadata */
} HeadRow;

static inline Str head_row_line(const HeadRow *r) { return str_of(r->line, r->line_n); }
static inline LogMetadata head_row_metadata(const HeadRow *r) {
    return (LogMetadata){r->shape, str_of(r->line + r->line_n, r->values_n)};
}

typedef struct HeadChunk HeadChunk;
struct HeadChunk {
    HeadChunk *prev, *next;
    uint32_t n, cap; /* n == cap for all but the last of a chain */
    HeadRow rows[];
};

typedef struct HeadChain {
    HeadChunk *first, *last;
} HeadChain;

typedef struct HeadStream {
    Labels labels; /* slices of a payload */
    uint64_t hash;
    HeadChain main, late;
    uint64_t n_rows, bytes;
    int64_t min_t, max_t;
    size_t last_run;       /* rows at the end of main with time max_t of main */
    int64_t flushed_max_t; /* newest time of this stream among recently flushed rows; INT64_MIN: none */
} HeadStream;

typedef struct LogHead {
    Mutex lock; /* the stream table and chains' ends */
    _Atomic uint32_t refs;
    Arena *arena; /* streams, chunks, shapes */
    VEC(HeadStream *) streams;
    Map *by_key;
    Map *shapes;  /* bytes of a shape -> LogShape* */
    U64Map *seen; /* hash -> HeadRow*, of rows that share a time with another or came late */
    VEC(char *) payloads;
    VEC(HeadStream *) scratch;
    VEC(const LogShape *) scratch_shapes;
    size_t bytes;
    uint64_t rows;
    int64_t min_t, max_t;
    int64_t created_ns;
    WalPos end;         /* frozen: everything in it stands before */
    uint64_t *part_ids; /* the parts a frozen head becomes, set before they are published */
    size_t n_part_ids;
} LogHead;

LogHead *log_head_create(void);
LogHead *log_head_ref(LogHead *h);
LogHead *log_head_unref(LogHead *h); /* NULL is fine */

/* Adds a payload's rows and takes it over (bytes must be from mem_alloc); older: a frozen head or NULL.
 * ERR_CORRUPT when it does not decode; rows before the bad place are kept. Writer thread only. */
ErrCode log_head_apply(LogHead *h, char *bytes, size_t n, const LogHead *older, LogRecent *recent, uint64_t *ret_rows,
    uint64_t *ret_duplicates);

/* One stream as it was when the view was taken. */
typedef struct HeadStreamView {
    const HeadStream *stream;
    const HeadChunk *main_last, *late_last;
    uint32_t main_n, late_n; /* rows used of the last chunks */
    int64_t min_t, max_t;
} HeadStreamView;
/* All streams; false on exhaustion of the arena. */
ATTR_MUST bool head_view(LogHead *h, Arena *arena, HeadStreamView **ret, size_t *ret_n);

uint64_t head_row_hash(uint64_t stream_hash, const HeadRow *row);

#endif
