/* wal.h - write-ahead log: segments of checksummed records. Knows bytes, not signals.
 *
 * Segment file "wal-%016x.log": header (magic "MKWAL1\0\0", version u32, segment number u64, CRC32C), then
 * frames: length u32, type u8, flags u8 (1: zstd), reserved u16, raw length u32, CRC32C u32 over header and
 * payload, payload. A torn tail of the LAST segment is cut off at open and reported; a bad frame anywhere else is
 * reported, and reading goes on at the next segment. Not thread-safe: CommitQueue owns it. */
#ifndef MEERKAT_STORAGE_WAL_H
#define MEERKAT_STORAGE_WAL_H

#include "base/buf.h"
#include "sys/fs.h"

typedef struct Wal Wal;

/* Position: segment number << 32 | offset; ordered. */
typedef uint64_t WalPos;

typedef struct WalOptions {
    uint64_t segment_bytes;   /* 0: 64 MiB */
    size_t record_bytes_max;  /* 0: 64 MiB, raw */
} WalOptions;

typedef struct WalReport {    /* what opening found */
    uint64_t segments, records, bytes;
    uint64_t torn_bytes;      /* cut from the tail: never acknowledged */
    uint64_t corrupt_frames;  /* checksum failures elsewhere: data that had been acknowledged is lost */
    char detail[256];         /* first problem: file and offset */
} WalReport;

/* pos: of the record. Return other than OK stops the replay with that code. */
typedef ErrCode (*WalReplayFn)(void *ctx, WalPos pos, uint8_t type, Str payload);

/* Replays every record at or after `from`, then is ready to append. Memory: one record at a time. */
ErrCode wal_open(Fs *fs, const char *dir, const WalOptions *opts, WalPos from, WalReplayFn fn, void *ctx,
    WalReport *ret_report, Wal **ret, Err *reterr);
/* Buffers a record (compressing it when that pays). Not durable before wal_sync. */
ErrCode wal_append(Wal *wal, uint8_t type, Str payload, WalPos *ret_pos, Err *reterr);
/* Writes the buffer and syncs. After an error the segment is abandoned and a new one begun, records of
 * the failed batch are NOT in it; their submitters get the error. */
ErrCode wal_sync(Wal *wal, Err *reterr);
/* Closes the segment and begins a new one; returns the position where it begins. */
ErrCode wal_cut(Wal *wal, WalPos *ret_pos, Err *reterr);
/* Removes segments that lie wholly before pos. */
ErrCode wal_truncate_before(Wal *wal, WalPos pos, Err *reterr);
uint64_t wal_size_bytes(const Wal *wal);
Wal *wal_close(Wal *wal);
/* For `meerkat debug dump-wal`: every frame of every segment with its fate; never fails on bad content. */
ErrCode wal_dump(Fs *fs, const char *dir, void (*fn)(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem), void *ctx, Err *reterr);

#endif
