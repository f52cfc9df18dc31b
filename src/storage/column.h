/* column.h - encodings of one column of one block. Self-describing: the first byte names the scheme.
 *
 * Integers: constant, delta-constant, frame of reference or delta (zigzag) with bit packing, whichever is smallest.
 * Floats: decimal mantissa/exponent (exact round trip checked) through the integer schemes with patched
 * exceptions, constant, XOR for the rest; every bit pattern (NaNs, -0) survives.
 * Strings: constant, dictionary (bit-packed codes), lengths + bytes. Decoders never trust their input:
 * false on malformed bytes, never more than n values. */
#ifndef MEERKAT_STORAGE_COLUMN_H
#define MEERKAT_STORAGE_COLUMN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

void column_encode_i64(Buf *out, const int64_t *v, size_t n);
ATTR_MUST bool column_decode_i64(Str in, int64_t *out, size_t n);
void column_encode_f64(Buf *out, const double *v, size_t n);
ATTR_MUST bool column_decode_f64(Str in, double *out, size_t n);
/* The values [from, to) of the n in the column, without decoding what its scheme can pass over. last: the column's last
 * value if it is known (else NULL): the end of a column of differences is then decoded without its beginning. Malformed
 * bytes of values that are passed over are not noticed. */
ATTR_MUST bool column_decode_f64_range(Str in, size_t n, size_t from, size_t to, const double *last, double *out);
void column_encode_str(Buf *out, const Str *v, size_t n);
/* The same, and what the encoder learned on the way: when it found that values repeat, the distinct ones, in the order
 * of their first occurrence, are put to words (room for n) and counted in *ret_words; else *ret_words is 0. */
void column_encode_str_words(Buf *out, const Str *v, size_t n, Str *words, size_t *ret_words);
/* Slices point into `in`. */
ATTR_MUST bool column_decode_str(Str in, Str *out, size_t n);
/* Small unsigned codes (types, dictionary codes, booleans). */
void column_encode_u32(Buf *out, const uint32_t *v, size_t n);
/* The same bytes for n codes of which all are 0 but the k at the ascending places `at`. */
void column_encode_u32_sparse(Buf *out, const uint32_t *at, const uint32_t *v, size_t k, size_t n);
ATTR_MUST bool column_decode_u32(Str in, uint32_t *out, size_t n);

#endif
