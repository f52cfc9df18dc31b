/* bitpack.h - fixed-width bit packing of unsigned integers (frame of reference is the caller's).
 *
 * Value i occupies bits [i * width, (i + 1) * width) of a little-endian bit stream (bit 0 is the least
 * significant bit of byte 0); the bits left over in the last byte are zero. */
#ifndef MEERKAT_CODEC_BITPACK_H
#define MEERKAT_CODEC_BITPACK_H

#include "base/buf.h"

/* Most values one call takes: keeps n * width far from overflow. */
#define BITPACK_N_MAX ((size_t)1 << 48)

/* Bits needed for the largest of v[0..n). 0 when all are 0. */
unsigned bitpack_width_u64(const uint64_t *v, size_t n);
/* Appends ceil(n * width / 8) bytes, plus nothing. width 0 appends nothing. width <= 64; every value must fit. */
void bitpack_encode_u64(Buf *out, const uint64_t *v, size_t n, unsigned width);
static inline size_t bitpack_size_bytes(size_t n, unsigned width) { return (n * width + 7) / 8; }
/* in must hold bitpack_size_bytes(n, width) bytes; never reads beyond in_n. false when in_n is too small, or
 * width > 64, or n > BITPACK_N_MAX. */
ATTR_MUST bool bitpack_decode_u64(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out);
/* Value i alone, for point reads; the stream must hold it. */
uint64_t bitpack_get_u64(const uint8_t *in, size_t in_n, size_t i, unsigned width);
/* bitpack_decode_u64 without CPU-specific code; the same results. Tests compare the two. */
ATTR_MUST bool bitpack_decode_portable_u64(const uint8_t *in, size_t in_n, size_t n, unsigned width, uint64_t *out);

#endif
