/* column_int.h - packed streams of unsigned integers, the floor under every column. Private to storage.
 *
 * A stream: width u8, count of exceptions uvarint, the values' low `width` bits, then the exceptions (distance to
 * the last one uvarint, high bits uvarint). The low bits are packed in groups of 256 values, four interleaved
 * lanes of 64-bit words each, so that unpacking is the same shift for four values at a time; what is left over
 * (fewer than 256) is packed one after the other.
 *
 * Two further kinds stand in the width's place where they are smaller by more than a little:
 *   PACK_RADIX   radix uvarint, exceptions as above (high = value / radix), then the values' remainders as digits: so
 *                many to a word of so many bytes as fill it best (pack_radix_shape). A range of 100 takes 6.67 bits,
 * not 7. PACK_SPARSE  a common value uvarint, how many others uvarint, a bit for each value (1: another), then the
 * others as a stream of one of the other kinds. */
#ifndef MEERKAT_STORAGE_COLUMN_INT_H
#define MEERKAT_STORAGE_COLUMN_INT_H

#include "base/cursor.h"
#include "storage/column.h"

#define PACK_GROUP 256
#define PACK_LANES 4

typedef struct PackPlan {
    unsigned width;
    size_t exceptions;
    size_t cost_bytes;
} PackPlan;

/* The cheapest width for n values of which hist[w] need exactly w bits. */
PackPlan pack_plan(const size_t hist[65], size_t n);
void pack_encode(Buf *out, const uint64_t *v, size_t n, const PackPlan *plan);
/* The same bytes for n values of which all are 0 but the k at the ascending places `at`. */
void pack_encode_sparse(Buf *out, const uint32_t *at, const uint32_t *v, size_t k, size_t n, const PackPlan *plan);

/* Packs v in the kind that is smallest; plan is the cheapest width. scratch: room for n. */
void pack_encode_best(Buf *out, const uint64_t *v, size_t n, const PackPlan *plan, uint64_t *scratch);

enum { PACK_RADIX = 65, PACK_SPARSE = 66 };

/* Digits of `radix` go `digits` to a word of `bytes` bytes. */
typedef struct PackRadix {
    uint64_t radix;
    unsigned digits, bytes;
} PackRadix;
/* False: no such radix (2 to 2^21). */
bool pack_radix_shape(uint64_t radix, PackRadix *ret);
size_t pack_radix_bytes(const PackRadix *x, size_t n);
/* n values from in, of which pack_radix_bytes(n) can be read. n is a multiple of digits but for the stream's end. */
void pack_radix_decode(const PackRadix *x, const uint8_t *in, size_t n, uint64_t *out);

typedef struct PackReader {
    const uint8_t *packed;
    Cursor exceptions;
    uint64_t exceptions_left;
    size_t next_exception; /* index of the next one; SIZE_MAX: none */
    size_t n, at;
    unsigned width;
    PackRadix radix;       /* .radix 0: bits */
    const uint8_t *bitmap; /* not NULL: sparse, and what stands above is the stream of the others */
    uint64_t common;
    size_t n_all, at_all;
    size_t n_rest, at_rest;
    uint64_t rest[PACK_GROUP]; /* last: not initialised */
} PackReader;

/* Takes a stream of n values off c. False when it is cut short or its exceptions do not hold. */
ATTR_MUST bool pack_open(PackReader *r, Cursor *c, size_t n);
/* The next values: at least one and up to 256, as long as some are left. False on bad exceptions. */
ATTR_MUST bool pack_next(PackReader *r, uint64_t out[PACK_GROUP], size_t *ret_n);
/* All values are 0. */
static inline bool pack_is_zero(const PackReader *r) {
    return r->width == 0 && r->exceptions_left == 0 && !r->radix.radix && !r->bitmap;
}

static inline unsigned bit_width(uint64_t v) { return v ? 64 - (unsigned)__builtin_clzll(v) : 0; }

/* The memory may be declared double: hence the alias. */
typedef int64_t AliasI64 __attribute__((may_alias));
typedef uint64_t AliasU64 __attribute__((may_alias));
/* What is done to each run of decoded integers while it is hot in the cache (NULL: nothing). */
typedef struct ColumnFinish {
    void (*fn)(const struct ColumnFinish *self, AliasI64 *v, size_t n);
    double factor;
} ColumnFinish;
/* As column_decode_i64, from a cursor. */
ATTR_MUST bool column_take_i64(Cursor *c, AliasI64 *out, size_t n, const ColumnFinish *finish);
ATTR_MUST bool column_take_u32(Cursor *c, uint32_t *out, size_t n);

/* to[i] = first + the sum of u[0..i] * factor + base each; gives the last one. All modulo 2^64; to may be u. */
uint64_t pack_prefix_sum(const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to);

#endif
