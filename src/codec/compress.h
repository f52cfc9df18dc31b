/* compress.h - gzip, zlib/deflate, zstd, snappy (block format): whole buffers, with caps.
 *
 * Decoders never write more than max_bytes and refuse bombs: output over max_bytes, or over 1 MiB with a
 * ratio above 1000:1, is ERR_TOO_LARGE; malformed or truncated input is ERR_INVALID. Thread-safe
 * (contexts are per thread). */
#ifndef MEERKAT_CODEC_COMPRESS_H
#define MEERKAT_CODEC_COMPRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef enum Encoding {
    ENCODING_IDENTITY,
    ENCODING_GZIP,
    ENCODING_DEFLATE,
    ENCODING_ZSTD,
    ENCODING_SNAPPY,
    ENCODING_UNKNOWN
} Encoding;

/* Name as in Content-Encoding / grpc-encoding, in any case: "", identity, gzip, x-gzip, deflate, zlib, zstd, snappy,
 * x-snappy-framed. */
Encoding encoding_parse(Str name);
const char *encoding_name(Encoding e);
/* Output from the arena. IDENTITY returns the input slice. Tolerated because clients send them: several gzip members
 * or zstd frames in a row, raw deflate for zlib, framed snappy for blocks (it begins with a stream identifier).
 * ERR_UNSUPPORTED for UNKNOWN. */
ErrCode decompress(Encoding e, Str in, size_t max_bytes, Arena *arena, Str *ret, Err *reterr);
/* Appends to out. level: 0 = the codec's default. DEFLATE writes a zlib stream, SNAPPY a block. ERR_UNSUPPORTED for
 * UNKNOWN, else OK. */
ErrCode encoding_compress(Encoding e, Str in, int level, Buf *out);
/* The short name exists for callers only: as a symbol it would take the place of zlib's function of that name in
 * every library of the process. */
static inline ErrCode compress(Encoding e, Str in, int level, Buf *out) { return encoding_compress(e, in, level, out); }

/* zstd for storage blocks: raw_n is known from the block header; anything else is ERR_CORRUPT. */
ErrCode zstd_block_decode(Str in, void *out, size_t raw_n);
void zstd_block_encode(Str in, int level, Buf *out);

#endif
