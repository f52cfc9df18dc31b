/* spool.h - the queue of remote write on disk: records are appended once and read by every endpoint at its own pace.
 *
 * Segment file "%016x.queue": magic "MKRQ0001", number u64, then frames: length u32, CRC-32C u32 (over length and
 * payload), payload. Appends are committed in groups with one sync. A process never appends to a segment of an earlier
 * one, so that a torn tail ends a segment and nothing else; a reader that meets a bad frame goes on with the next
 * segment and counts what it skipped. All calls are thread-safe; a SpoolReader belongs to one thread. */
#ifndef MEERKAT_METRICS_REMOTE_SPOOL_H
#define MEERKAT_METRICS_REMOTE_SPOOL_H

#include "base/cursor.h"
#include "sys/fs.h"

#define SPOOL_RECORD_MAX (128u << 20)
#define SPOOL_HEADER_BYTES 16
#define SPOOL_FRAME_BYTES 8

typedef struct Spool Spool;

/* Segment number << 32 | offset; ordered. */
typedef uint64_t SpoolPos;

typedef struct SpoolOptions {
    uint64_t segment_bytes;   /* 0: 32 MiB */
    bool durable;             /* sync before an append returns */
    size_t pending_bytes_max; /* 0: 64 MiB; more waiting appends: ERR_OVERLOADED */
} SpoolOptions;

/* The directory is made when missing. min: positions of new records lie beyond it, even in an empty directory. */
ErrCode spool_open(Fs *fs, const char *dir, const SpoolOptions *opts, SpoolPos min, Spool **ret, Err *reterr);
Spool *spool_close(Spool *s); /* no append or reader may be under way; NULL is fine */
/* Returns when the record is on disk and readers see it. ERR_TOO_LARGE, ERR_OVERLOADED, ERR_NO_SPACE, ERR_IO: it is
 * not in the queue. */
ErrCode spool_append(Spool *s, Str payload, Err *reterr);
SpoolPos spool_first(Spool *s); /* of the oldest record that is kept */
SpoolPos spool_end(Spool *s);   /* where the next record will be, or before it */
uint64_t spool_bytes_from(Spool *s, SpoolPos pos);
/* The beginning of the oldest segment from which on at most max_bytes are kept; never beyond spool_end. */
SpoolPos spool_within(Spool *s, uint64_t max_bytes);
/* Removes segments that lie wholly before pos. */
void spool_trim(Spool *s, SpoolPos pos);
/* Waits until there is something at or after pos, spool_wake was called, or the time is over. */
void spool_wait(Spool *s, SpoolPos pos, int64_t timeout_ms);
void spool_wake(Spool *s);

typedef struct SpoolReader {
    Spool *spool;
    SpoolPos pos; /* of the next record */
    File *file;
    uint64_t number;    /* of file's segment */
    uint64_t bad_bytes; /* skipped so far */
} SpoolReader;
SpoolReader spool_reader(Spool *s, SpoolPos pos);
void spool_reader_done(SpoolReader *r);
/* 1: a record (out is cleared first), pos is behind it; 0: nothing there yet; -1: the disk refuses, try again later. */
int spool_read(SpoolReader *r, Buf *out, Err *reterr);

/* One frame at the beginning of bytes; 0: bad or cut short, else its length as a whole. For spool_read and the fuzzer.
 */
size_t spool_frame(Str bytes, Str *ret_payload);

#endif
