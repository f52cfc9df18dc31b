/* bits.h - bit streams, the number codes of Prometheus' chunks, and big-endian fields. Private to metrics/tsdb.
 * Source: tsdb/docs/format/chunks.md of Prometheus. */
#ifndef MEERKAT_METRICS_TSDB_BITS_H
#define MEERKAT_METRICS_TSDB_BITS_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/num.h"

/* Most significant bit first. */
typedef struct BitWriter {
    Buf *out;
    unsigned left; /* unused bits of the last byte */
} BitWriter;

void bits_put(BitWriter *w, uint64_t v, unsigned n); /* the low n bits, n <= 64 */
/* Go's varints, byte by byte at any bit position. */
void bits_put_uvarint(BitWriter *w, uint64_t v);
void bits_put_svarint(BitWriter *w, int64_t v);
/* "varbit": 1 bit for 0, then ever longer ranges. */
void bits_put_varbit(BitWriter *w, int64_t v);
void bits_put_varbit_u(BitWriter *w, uint64_t v);

typedef struct BitReader {
    const uint8_t *p;
    size_t n_bits, at;
    bool bad; /* stays true after an overrun; every read gives 0 then */
} BitReader;

static inline BitReader bit_reader(Str s) { return (BitReader){.p = (const uint8_t *)s.p, .n_bits = s.n * 8}; }
uint64_t bits_get(BitReader *r, unsigned n);
uint64_t bits_get_uvarint(BitReader *r);
int64_t bits_get_svarint(BitReader *r);
int64_t bits_get_varbit(BitReader *r);
uint64_t bits_get_varbit_u(BitReader *r);
/* n bits as a number from -(2^(n-1)) + 1 to 2^(n-1): how all ranges of deltas are read. */
int64_t bits_get_signed(BitReader *r, unsigned n);

/* A float as the xor with the one before it (Gorilla). */
typedef struct XorState {
    uint64_t bits;
    uint8_t leading, trailing; /* leading 0xff: no window yet */
} XorState;
void bits_put_xor(BitWriter *w, XorState *s, double v);
double bits_get_xor(BitReader *r, XorState *s);

uint32_t cursor_u32be(Cursor *c);
uint64_t cursor_u64be(Cursor *c);
double cursor_f64be(Cursor *c);
void buf_put_u16be(Buf *b, uint16_t v);
void buf_put_u32be(Buf *b, uint32_t v);
void buf_put_u64be(Buf *b, uint64_t v);

#endif
