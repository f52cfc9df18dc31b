/* wide_int.h - inside of wide-event parts. Private to storage.
 *
 * Part blocks: per event block its times, groups, one block per column, filters. Footer: version u8; names
 * (count, then each with its length); the store's own index (BlockRef); event blocks (count, then each with its
 * length): rows, min_t, max_t, min_group, max_group, refs of times and groups, fields (count, then each):
 * name's number, WideFieldFlag u8, mask of the value types u8, then what the flags say in their order. */
#ifndef MEERKAT_STORAGE_WIDE_INT_H
#define MEERKAT_STORAGE_WIDE_INT_H

#include "storage/wide.h"

#define WIDE_VERSION 1

typedef enum WideFieldFlag {
    WIDE_FIELD_CONST = 1,    /* the same value in every row: stands here, there is no column */
    WIDE_FIELD_OVERFLOW = 2, /* the column is shared with other fields */
    WIDE_FIELD_RANGE = 4,    /* integers: min and max (svarint each) */
    WIDE_FIELD_TOKENS = 8,   /* filter of tokens (BlockRef) */
    WIDE_FIELD_EXACT = 16,   /* filter of whole values (BlockRef) */
} WideFieldFlag;

#define WIDE_TYPE_COUNT 8
#define WIDE_STRINGS_MASK (1u << WIDE_STR | 1u << WIDE_BYTES | 1u << WIDE_JSON_ARRAY | 1u << WIDE_JSON_MAP)
static inline bool wide_type_is_string(WideType t) { return WIDE_STRINGS_MASK >> t & 1; }

/* --- one column: the values of the rows that have the field --- */
typedef struct WideValues {
    const uint32_t *rows; /* ascending; NULL: rows 0 to n - 1 */
    const WideValue *v;   /* none of them WIDE_NULL */
    size_t n;
} WideValues;

/* Memory that encoding reuses from column to column. Zero-initialised is empty. */
typedef struct WideScratch {
    size_t cap;
    void *typed; /* values of one type */
    uint32_t *types;
    Str *words; /* after encoding: every string of the column, repetitions left out where that was for free */
    size_t n_words;
    Buf part;
} WideScratch;
void wide_scratch_done(WideScratch *x);

void wide_column_encode(Buf *out, const WideValues *c, size_t n_rows, WideScratch *x);
/* Strings point into `in` or the arena. ERR_CORRUPT, ERR_TOO_LARGE. */
ErrCode wide_column_decode(Str in, size_t n, Arena *arena, WideValue *out);
void wide_value_encode(Buf *out, const WideValue *v);
bool wide_value_decode(Cursor *c, WideValue *ret);
bool wide_value_eq(const WideValue *a, const WideValue *b); /* bit for bit */

/* --- several fields in one column --- */
typedef struct WideOverflow {
    size_t n;
    const uint32_t *rows;
    const Str *names;
    const WideValue *values;
} WideOverflow;
void wide_overflow_encode(Buf *out, const WideOverflow *o, WideScratch *x);
ErrCode wide_overflow_decode(Str in, size_t rows, Arena *arena, WideOverflow *ret);

/* --- filters: split-block Bloom filters of 64-bit hashes, about 10 bits each, 1 % false positives --- */
typedef struct WideFilter WideFilter;
WideFilter *wide_filter_create(void); /* reusable scratch */
WideFilter *wide_filter_free(WideFilter *f);
void wide_filter_add_tokens(WideFilter *f, Str value);
void wide_filter_add_value(WideFilter *f, Str value);
/* Appends the filter of what was added and empties f. Nothing added: an empty filter, which contains nothing. */
void wide_filter_finish(WideFilter *f, Buf *out);
bool wide_filter_has_value(Str filter, Str value);
/* inside: only tokens with a delimiter on both sides count (a part of a value); else all do (a whole value). */
bool wide_filter_has_tokens(Str filter, Str text, bool inside);

/* --- index entries --- */
typedef struct WideFieldEntry {
    uint32_t name;
    uint8_t flags, types;
    WideValue constant;
    int64_t min, max;
    BlockRef column, tokens, exact;
} WideFieldEntry;
void wide_field_entry_encode(Buf *out, const WideFieldEntry *e);
bool wide_field_entry_decode(Cursor *c, WideFieldEntry *ret);

#endif
