/* wide.h - wide events (logs, spans): rows of named, typed fields, stored as columns in parts.
 *
 * The writer takes rows in their final order (the store sorts); it cuts blocks of up to WIDE_BLOCK_ROWS rows or
 * WIDE_BLOCK_BYTES raw bytes. Per block: time and group min/max, one column per field that occurs (absent in
 * a row: null), a constant stored once, hex ids as binary where every value allows, and per string column a
 * token filter (false positives, no false negatives). Order of a row's fields is not kept; names are unique per row. */
#ifndef MEERKAT_STORAGE_WIDE_H
#define MEERKAT_STORAGE_WIDE_H

#include "storage/part.h"

#define WIDE_BLOCK_ROWS 8192
#define WIDE_BLOCK_BYTES (2u << 20)
#define WIDE_COLUMNS_MAX 512 /* further fields of a block share one overflow column; readers do not notice */

typedef enum WideType {
    WIDE_NULL,
    WIDE_STR,
    WIDE_I64,
    WIDE_F64,
    WIDE_BOOL,
    WIDE_BYTES,
    WIDE_JSON_ARRAY,
    WIDE_JSON_MAP
} WideType;
typedef struct WideValue {
    WideType type;
    union {
        Str s;
        int64_t i;
        double d;
        bool b;
    };
} WideValue;
typedef struct WideField {
    Str name;
    WideValue value;
} WideField;

typedef struct WideWriter WideWriter;
/* After an error of any writer call only wide_writer_free is left (it removes the file). */
ErrCode wide_writer_create(Fs *fs, const char *path, int zstd_level, WideWriter **ret, Err *reterr);
/* Before the first row: this string field gets an exact-value filter in addition to its token filter (ids). */
void wide_writer_filter_field(WideWriter *w, Str name);
/* t: the row's time; group: the store's ordinal (stream, trace), blocks keep its min and max. Strings are copied.
 * A field of type WIDE_NULL is the same as none. ERR_TOO_LARGE: a row over 256 MiB (the writer goes on). */
ErrCode wide_writer_row(WideWriter *w, int64_t t, uint64_t group, const WideField *fields, size_t n, Err *reterr);
/* Ends the current block early (a trace or stream boundary); no-op when it is empty. */
ErrCode wide_writer_cut(WideWriter *w, Err *reterr);
size_t wide_writer_block_rows(const WideWriter *w); /* rows in the open block */
/* user: the store's own index (dictionaries, stream labels, trace table), read back by wide_part_user. */
ErrCode wide_writer_finish(WideWriter *w, Str user, uint64_t *ret_size_bytes, Err *reterr);
WideWriter *wide_writer_free(WideWriter *w);

typedef struct WidePart WidePart;
/* The Part stays the caller's and must outlive it. */
ErrCode wide_part_open(Part *part, WidePart **ret, Err *reterr);
WidePart *wide_part_close(WidePart *p);
Str wide_part_user(const WidePart *p);
size_t wide_part_block_count(const WidePart *p);
typedef struct WideBlockInfo {
    uint32_t rows;
    int64_t min_t, max_t;
    uint64_t min_group, max_group;
} WideBlockInfo;
WideBlockInfo wide_part_block_info(const WidePart *p, size_t block);
/* Whether a row of the block may have `needle` inside the string field. Words are runs of ASCII letters, digits and
 * bytes over 0x7f; only those that are whole within the needle can be looked up. False: certainly not. A field that
 * occurs with bytes (text: base64) always may. */
bool wide_part_may_contain(const WidePart *p, size_t block, Str field, Str needle);
/* Whether a row may have exactly this value as text: strings as they are, numbers in decimal, bytes in base64 (their
 * raw form is found as well). The empty value always may: absent fields read as it. */
bool wide_part_may_equal(const WidePart *p, size_t block, Str field, Str value);
/* The types of a field's values in a block: bit 1 << WideType; 0: the block does not have the field. All bits when the
 * index cannot be read: reading the column will say what is wrong. */
unsigned wide_part_field_types(const WidePart *p, size_t block, Str field);
/* Names of the block's fields. */
size_t wide_part_field_count(const WidePart *p, size_t block);
Str wide_part_field_name(const WidePart *p, size_t block, size_t i);

/* Decoded lazily, column by column, into the arena. */
typedef struct WideBlock WideBlock;
ErrCode wide_block_open(const WidePart *p, size_t block, Arena *arena, WideBlock **ret, Err *reterr);
ErrCode wide_block_times(WideBlock *b, const int64_t **ret_t, Err *reterr);
ErrCode wide_block_groups(WideBlock *b, const uint64_t **ret_group, Err *reterr);
/* One value per row (WIDE_NULL where absent); an unknown field gives OK and *ret == NULL. Cached per block. */
ErrCode wide_block_column(WideBlock *b, Str field, const WideValue **ret, Err *reterr);
/* All fields of one row. */
ErrCode wide_block_row(WideBlock *b, uint32_t row, const WideField **ret, size_t *ret_n, Err *reterr);

#endif
