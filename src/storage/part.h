/* part.h - one immutable file of checksummed blocks with a footer. Knows bytes, not signals.
 *
 * File: magic "MKPART1\0", blocks back to back (each 8-byte aligned), footer, trailer {footer offset u64, footer length
 * u32, CRC32C of all before the footer u32, CRC32C of footer and trailer u32, format version u32, magic}. A block:
 * payload bytes; its place, length, raw length, CRC32C and codec stand in its BlockRef, which the caller keeps in its
 * own index (stored in the footer). Verification happens on first use of a block; a bad block is ERR_CORRUPT with file
 * and offset, counted, and the rest of the part keeps working. */
#ifndef MEERKAT_STORAGE_PART_H
#define MEERKAT_STORAGE_PART_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "sys/fs.h"

/* raw_bytes is at most 1 GiB. The encoding is fixed: it stands in footers. */
typedef struct BlockRef {
    uint64_t offset;
    uint32_t stored_bytes, raw_bytes, crc;
    uint8_t codec; /* 0 raw, 1 zstd */
} BlockRef;
void block_ref_encode(Buf *out, const BlockRef *ref);
bool block_ref_decode(Cursor *c, BlockRef *ret);

typedef struct PartWriter PartWriter;
ErrCode part_writer_create(Fs *fs, const char *path, PartWriter **ret, Err *reterr);
/* Writes raw, zstd-compressed at `level` when that saves at least 1/16 (level 0: never). */
ErrCode part_writer_block(PartWriter *w, Str raw, int level, BlockRef *ret, Err *reterr);
/* Writes footer and trailer, syncs the file. The caller publishes it (PartSet). */
ErrCode part_writer_finish(PartWriter *w, Str footer, uint64_t *ret_size_bytes, Err *reterr);
PartWriter *part_writer_free(PartWriter *w); /* unfinished: removes the file */

typedef struct Part Part;
/* Maps the file and checks trailer and footer. */
ErrCode part_open(Fs *fs, const char *path, Part **ret, Err *reterr);
Part *part_close(Part *p);
Str part_footer(const Part *p);
uint64_t part_size_bytes(const Part *p);
const char *part_path(const Part *p);
/* Blocks found bad since the part was opened. */
uint64_t part_corrupt_count(const Part *p);
/* Raw bytes of a block: a slice of the mapping (codec 0) or decompressed into the arena. The checksum
 * is verified the first time a block is read. ERR_TOO_LARGE: the arena's budget. Thread-safe. */
ErrCode part_block(const Part *p, const BlockRef *ref, Arena *arena, Str *ret, Err *reterr);

/* Who has read much of the part in one go, and others hardly will: its pages leave the process. They come back by
 * themselves when they are read again. Thread-safe. */
void part_unload(const Part *p);

/* Reads the whole file once and checks it against the trailer: finds damage that no query has met yet. ERR_CORRUPT. */
ErrCode part_verify(const Part *p, Err *reterr);

#endif
