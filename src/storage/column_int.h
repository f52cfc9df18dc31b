/* column_int.h - packed streams of unsigned integers, the floor under every column. Private to storage.
 *
 * A stream: width u8, with 0x80 when there are no exceptions, else their count as a uvarint; the values' low `width`
 * bits, then the exceptions (distance to the last one uvarint, high bits uvarint). The low bits are packed in groups of
 * 256 values, four interleaved lanes of 64-bit words each, so that unpacking is the same shift for four values at a
 * time; what is left over (fewer than 256) is packed one after the other.
 *
 * Further kinds stand in the width's place where they are smaller by more than a little:
 *   PACK_DIGITS  radix u8, low bits u8, exceptions as above (high = value / (radix << low bits)); the values' low bits
 *                one after the other; then what is above them as digits of the radix, so many to a word of so many
 *                bytes as fill it best (column_digits.c). A range of 100 takes 6.67 bits, not 7.
 *   PACK_SPARSE  a common value uvarint, how many others uvarint, a bit for each value (1: another), then the others as
 *                a stream of one of the other kinds. */
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

enum { PACK_SPARSE = 66, PACK_DIGITS = 67, PACK_EXACT = 0x80 /* added: no exceptions */ };

/* The kind and how many exceptions come. */
void pack_put_kind(Buf *out, unsigned kind, size_t exceptions);

/* --- digits --- */
#define PACK_DIGITS_RADIX_MAX 255
#define PACK_DIGITS_LOW_MAX 48

/* Values below radix << low_bits; `digits` of them share a word of `bytes` bytes. */
typedef struct PackDigits {
    unsigned radix, low_bits, digits, bytes;
} PackDigits;
/* False: no such radix (3 to 255, but no power of two), or too many bits. */
bool pack_digits_shape(unsigned radix, unsigned low_bits, PackDigits *ret);
static inline uint64_t pack_digits_limit(const PackDigits *x) { return (uint64_t)x->radix << x->low_bits; }
size_t pack_digits_bytes(const PackDigits *x, size_t n);
/* The whole stream. */
void pack_digits_encode(Buf *out, const uint64_t *v, size_t n, const PackDigits *x, size_t exceptions);

typedef struct PackDigitsReader {
    PackDigits shape;
    size_t n, at;
    const uint8_t *low, *low_end, *words, *words_end;
} PackDigitsReader;
/* in: pack_digits_bytes(shape, n) bytes. */
void pack_digits_open(PackDigitsReader *r, const PackDigits *shape, const uint8_t *in, size_t n);
/* Before the first pack_digits_next: goes on to a place at or not far before `to`, which it gives. */
size_t pack_digits_seek(PackDigitsReader *r, size_t to);
/* The next values, how many: up to 256, 0 at the end. */
size_t pack_digits_next(PackDigitsReader *r, uint64_t out[PACK_GROUP]);

/* --- column_sparse.c --- */
uint64_t pack_count_bits(const uint8_t *bits, size_t n); /* ones among the first n */
/* 64 values: the common one where the word has zeros, where it has ones the others in their order; how many of these.
 * Four more than that are read. */
size_t pack_expand(uint64_t word, uint64_t common, const uint64_t *others, uint64_t *out);
/* Others that are at hand: a group, fewer than 64 of the one before, what pack_expand reads behind. */
#define PACK_REST_MAX (PACK_GROUP + 64 + 4)

typedef struct PackReader {
    const uint8_t *packed;
    Cursor exceptions;
    uint64_t exceptions_left;
    size_t next_exception; /* index of the next one; SIZE_MAX: none */
    size_t n, at;
    unsigned width;
    uint64_t unit;           /* what one of an exception's high part is worth; 0: 1 << width */
    PackDigitsReader digits; /* .shape.radix 0: not this kind */
    const uint8_t *bitmap;   /* not NULL: sparse, and what stands above is the stream of the others */
    uint64_t common;
    size_t n_all, at_all;
    size_t n_rest, at_rest;
    uint64_t rest[PACK_REST_MAX]; /* last: not initialised */
} PackReader;

/* Takes a stream of n values off c. False when it is cut short or its exceptions do not hold. */
ATTR_MUST bool pack_open(PackReader *r, Cursor *c, size_t n);
/* The next values: at least one and up to 256, as long as some are left. False on bad exceptions. */
ATTR_MUST bool pack_next(PackReader *r, uint64_t out[PACK_GROUP], size_t *ret_n);
/* Before the first pack_next: goes on to a place at or not far before `to`, without unpacking what is skipped. */
ATTR_MUST bool pack_seek(PackReader *r, size_t to, size_t *ret_at);
/* All values are 0. */
static inline bool pack_is_zero(const PackReader *r) {
    return r->width == 0 && r->exceptions_left == 0 && r->unit == 0 && !r->bitmap;
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
/* The values [from, to) of n; last: the last of all, or NULL when it is not known. c ends behind the column. */
ATTR_MUST bool column_take_i64_range(
    Cursor *c, AliasI64 *out, size_t n, size_t from, size_t to, const int64_t *last, const ColumnFinish *finish);
ATTR_MUST bool column_take_u32(Cursor *c, uint32_t *out, size_t n);

/* to[i] = first + the sum of u[0..i] * factor + base each; gives the last one. All modulo 2^64; to may be u. */
uint64_t pack_prefix_sum(const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to);

#endif
