/* bitpack.h - fixed-width bit packing of unsigned integers (frame of reference is the caller's). */
#ifndef MEERKAT_CODEC_BITPACK_H
#define MEERKAT_CODEC_BITPACK_H

#include "base/buf.h"

/* Bits needed for the largest of v[0..n). 0 when all are 0. */
unsigned bitpack_width_u64(const uint64_t *v, size_t n);
/* Appends ceil(n * width / 8) bytes, plus nothing. width 0 appends nothing. width <= 64. */
void bitpack_encode_u64(Buf *out, const uint64_t *v, size_t n, unsigned width);
static inline size_t bitpack_size_bytes(size_t n, unsigned width) { return (n * width + 7) / 8; }
/* in must hold bitpack_size_bytes(n, width) bytes; never reads beyond in_n. false when in_n is too small. */
bool bitpack_decode_u64(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out);

#endif
