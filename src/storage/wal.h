/* wal.h - write-ahead log: segments of checksummed records. Knows bytes, not signals.
 *
 * Segment file "wal-%016x.log": a header, written twice (either copy will do): magic "MKWAL1\0\0", version u32,
 * flags u32 (1: the segment before was recovered after a crash), segment number u64, number u64 and valid length
 * u64 of the segment before, salt u32, CRC32C u32. Then frames: length u32, type u8, flags u8 (1: zstd), sync
 * epoch u16, raw length u32, CRC32C u32 over these fields and the payload (begun with the segment's salt, so
 * that a payload which contains a frame is never taken for one), payload.
 * Zeros may follow behind the last frame: room made for frames to come, which the segment's end leaves behind.
 *
 * A segment names its predecessor and how much of it counts. That is what makes a failed sync harmless: the bytes
 * of the failed batch may or may not be on disk, the next segment says that they are not part of the log; segments
 * between a segment and the predecessor it names are void. A process never appends to a segment of an earlier one.
 *
 * Reading: a torn tail of the LAST segment is cut off at open and reported (bytes of the last sync epoch cannot be
 * told from a flipped bit in it); a bad frame anywhere else is reported as corrupt, and reading goes on at the next
 * frame whose checksum holds. Not thread-safe: CommitQueue owns it; only wal_size_bytes may be called anywhere. */
#ifndef MEERKAT_STORAGE_WAL_H
#define MEERKAT_STORAGE_WAL_H

#include "base/buf.h"
#include "sys/fs.h"

typedef struct Wal Wal;

/* Position: segment number << 32 | offset; ordered, never 0. */
typedef uint64_t WalPos;

typedef struct WalOptions {
    uint64_t segment_bytes;  /* 0: 64 MiB; at most 1 GiB */
    size_t record_bytes_max; /* 0: 64 MiB, raw; at most 256 MiB */
    bool no_floor; /* the caller truncates and keeps no position: anything may be missing before the first one */
} WalOptions;

typedef struct WalReport { /* what opening found */
    uint64_t segments, records, bytes;
    uint64_t torn_bytes;     /* cut from the tail: never acknowledged */
    uint64_t corrupt_frames; /* checksum failures elsewhere: data that had been acknowledged is lost */
    char detail[256];        /* first problem: file and offset */
} WalReport;

/* pos: of the record. Return other than OK stops the replay with that code, and wal_refused's message. */
typedef ErrCode (*WalReplayFn)(void *ctx, WalPos pos, uint8_t type, Str payload);

/* Replays every record at or after `from` (whole segments before it are not read), then is ready to append.
 * The directory is made when missing. Memory: one record at a time. fn may be NULL (nothing is handed out).
 * New records get positions beyond `from` even when the directory is empty. */
ErrCode wal_open(Fs *fs, const char *dir, const WalOptions *opts, WalPos from, WalReplayFn fn, void *ctx,
    WalReport *ret_report, Wal **ret, Err *reterr);
/* Buffers a record (compressing it when that pays). Not durable before wal_sync. ERR_TOO_LARGE; after a failure
 * of the disk the error of beginning a new segment (ERR_NO_SPACE, ERR_IO): try again later. */
ErrCode wal_append(Wal *wal, uint8_t type, Str payload, WalPos *ret_pos, Err *reterr);
/* Writes the buffer and syncs. After an error the segment is abandoned and a new one begun, records of
 * the failed batch are NOT in it; their submitters get the error. Nothing to do is OK. */
ErrCode wal_sync(Wal *wal, Err *reterr);
/* Writes the buffer without a sync: it survives the process, not the machine. Errors as wal_sync. */
ErrCode wal_write(Wal *wal, Err *reterr);
/* Closes the segment and begins a new one; returns the position where it begins. What is buffered is synced first. */
ErrCode wal_cut(Wal *wal, WalPos *ret_pos, Err *reterr);
/* Removes segments that lie wholly before pos. */
ErrCode wal_truncate_before(Wal *wal, WalPos pos, Err *reterr);
/* The error of a replay that cannot do anything with a record. Its checksum is right, so it is no damage. */
ErrCode wal_refused(const char *dir, WalPos pos, ErrCode code, Err *reterr);
uint64_t wal_size_bytes(const Wal *wal);
/* What is buffered and was never written is dropped: nobody was told that it is safe. NULL is fine; returns NULL. */
Wal *wal_close(Wal *wal);
/* How many bytes of a segment file, which may be written to at this moment, hold what has been written so far, for a
 * copy of it. 0: copy all of it; damage is not judged here. */
uint64_t wal_copy_bytes(Fs *fs, const char *dir, Str name);
/* For `meerkat debug dump-wal`: every frame of every segment with its fate; never fails on bad content. problem is
 * NULL for a good frame; payload is empty for a bad one. */
ErrCode wal_dump(Fs *fs, const char *dir,
    void (*fn)(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem), void *ctx,
    Err *reterr);

#endif
