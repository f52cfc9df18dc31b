/* wal_int.h - the log's file format, shared by writing (wal.c) and reading (wal_scan.c). Private to storage. */
#ifndef MEERKAT_STORAGE_WAL_INT_H
#define MEERKAT_STORAGE_WAL_INT_H

#include "base/vec.h"
#include "storage/wal.h"

#define WAL_VERSION 1
#define WAL_HEADER_COPY_BYTES 48
#define WAL_HEADER_BYTES (2 * WAL_HEADER_COPY_BYTES)
#define WAL_FRAME_BYTES 16
#define WAL_FLAG_ZSTD 1
#define WAL_HEADER_FLAG_RECOVERED 1
#define WAL_RECORD_HARD_MAX (256u << 20)
#define WAL_NAME_MAX 32

typedef struct WalSegment {
    uint64_t number, size_bytes;
    bool header_ok;
    bool dead;               /* a later segment names a predecessor before this one: not part of the log */
    bool limited, recovered; /* a later segment says where this one ends, and whether that was after a crash */
    uint64_t limit;          /* bytes of it that count */
    uint64_t missing_bytes;  /* that count as well, by the later segment, and are not there */
    uint64_t prev_number, prev_end;
    uint32_t flags, salt;
} WalSegment;
typedef VEC(WalSegment) WalSegmentVec;

typedef struct WalFrame {
    uint64_t offset;
    uint8_t type;
    Str payload;         /* raw; empty when skipped or bad */
    const char *problem; /* NULL: a good frame */
} WalFrame;
typedef ErrCode (*WalFrameFn)(void *ctx, const WalFrame *frame);

typedef struct WalScanResult {
    uint64_t frames, end; /* good ones; offset after the last good one (at least the header's length) */
    uint64_t corrupt, torn_bytes;
    uint64_t problem_offset; /* of the first problem; UINT64_MAX: none */
} WalScanResult;

void wal_segment_name(char out[WAL_NAME_MAX], uint64_t number);
void wal_header_encode(Buf *out, const WalSegment *seg);
uint32_t wal_frame_crc(uint32_t salt, const void *fields12, Str payload);
/* Segments of a directory by number, with headers read and the chain applied. */
ErrCode wal_list_segments(Fs *fs, const char *dir, WalSegmentVec *out, Err *reterr);
/* Every frame in order. Payloads of frames before from_offset are not decompressed and not handed out. Bad places
 * are handed out (problem set) and stepped over. fn may be NULL. Fails on I/O errors and with what fn returns. */
ErrCode wal_scan_segment(Fs *fs, const char *dir, const WalSegment *seg, uint64_t from_offset, WalFrameFn fn, void *ctx,
    WalScanResult *ret, Err *reterr);

#endif
