/* compress_int.h - what the decoders of this folder share: limits, growing output, contexts per thread. */
#ifndef MEERKAT_CODEC_COMPRESS_INT_H
#define MEERKAT_CODEC_COMPRESS_INT_H

#include "codec/compress.h"

#include <libdeflate.h>
#include <zstd.h>

/* Output that grows inside an arena up to a limit. */
typedef struct Output {
    Arena *arena;
    char *p;
    size_t n, cap, limit;
    Err *reterr;
} Output;

/* Makes room for at least cap bytes in all (cut at the limit); ERR_TOO_LARGE when the limit is reached already or
 * the arena has no more. */
ErrCode output_grow(Output *o, size_t cap);
ErrCode output_too_large(const Output *o);

/* Library contexts of the calling thread, made on first use, freed when the thread ends. */
struct libdeflate_decompressor *codec_inflater(void);
struct libdeflate_compressor *codec_deflater(int level);
ZSTD_DCtx *codec_zstd_dctx(void);
ZSTD_CCtx *codec_zstd_cctx(void);

ErrCode zstd_decode(Str in, Output *o);
void zstd_encode(Str in, int level, Buf *out);
ErrCode snappy_decode(Str in, Output *o); /* block or framed, told apart by the stream identifier */
void snappy_encode(Str in, Buf *out);

#endif
