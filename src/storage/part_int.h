/* part_int.h - the part file's frame, shared by writing and reading. Private to storage. */
#ifndef MEERKAT_STORAGE_PART_INT_H
#define MEERKAT_STORAGE_PART_INT_H

#include "storage/part.h"

#define PART_VERSION 1
#define PART_MAGIC_BYTES 8
#define PART_TRAILER_BYTES 32
#define PART_CODEC_RAW 0
#define PART_CODEC_ZSTD 1
#define PART_BLOCK_BYTES_MAX (1u << 30)

extern const char part_magic[PART_MAGIC_BYTES];
/* Over everything in the trailer but the magic, so that no flipped bit there goes unseen. */
uint32_t part_footer_crc(Str footer, uint64_t offset, uint32_t body_crc, uint32_t version);

#endif
