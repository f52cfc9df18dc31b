/* payload.h - private: the bytes of one append, as they stand in the WAL and in the head's memory.
 *
 * Version byte 2, then items to the end. Item: uvarint tag. 0 defines the next stream (its key: uvarint bytes, then
 * uvarint count and name/value pairs); 1 defines the next shape (uvarint bytes, then as in metadata.h); k >= 2 is a row
 * of stream k - 2: uvarint shape (0: no metadata, else its number + 1), svarint time (difference to the row before),
 * uvarint line bytes, uvarint value bytes, line, values. A row's line and values are contiguous so that the head
 * points into these bytes. */
#ifndef MEERKAT_LOGS_PAYLOAD_H
#define MEERKAT_LOGS_PAYLOAD_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/map.h"
#include "logs/log_store.h"
#include "logs/metadata.h"

#define LOG_WAL_ROWS 1 /* record type */

/* A field of a batch's rows: which attribute it is, and whether rows differ in it. */
typedef struct LogEncField {
    uint32_t attr; /* from the row's first */
    bool varies;
} LogEncField;

typedef struct LogEncShape {
    const Attr *sample; /* of the first row */
    uint32_t n_attrs, n_fields;
    size_t first_field; /* in LogEncoder.fields, by name */
    uint32_t rows;
    uint32_t ordinal; /* number in this payload + 1 */
} LogEncShape;

#define LOG_ENC_NEAR 4 /* shapes looked at before the table is asked */

typedef struct LogEncoder {
    const LogsBatch *batch;
    int64_t oldest_ns, newest_ns; /* rows outside are counted and left out */
    uint32_t *ordinal;            /* per batch stream: number in this payload + 1; heap */
    uint32_t *row_shape;          /* per batch row: its shape + 1, 0: none; heap */
    VEC(LogEncShape) shapes;
    VEC(LogEncField) fields;
    U64Map *by_hash; /* NULL while there are few */
    uint32_t near[LOG_ENC_NEAR];
    VEC(const Attr *) sorted; /* scratch */
    Buf scratch;
    size_t next_row;
    LogAppendResult *result;
} LogEncoder;

/* result: zeroed by the caller. batch must stay as it is until log_encoder_done. */
void log_encoder_init(
    LogEncoder *e, const LogsBatch *batch, int64_t oldest_ns, int64_t newest_ns, LogAppendResult *result);
void log_encoder_done(LogEncoder *e);
/* Appends one self-contained payload of about bytes_max to out; false when no row was left. */
bool log_encoder_next(LogEncoder *e, size_t bytes_max, Buf *out);

typedef enum LogItemKind { LOG_ITEM_END, LOG_ITEM_STREAM, LOG_ITEM_SHAPE, LOG_ITEM_ROW, LOG_ITEM_BAD } LogItemKind;
typedef struct LogItem {
    Str key;         /* STREAM, SHAPE: its bytes */
    uint32_t stream; /* ROW: ordinal */
    uint32_t shape;  /* ROW: ordinal + 1, 0: none */
    int64_t t_ns;
    Str line, values;
} LogItem;
typedef struct LogDecoder {
    Cursor c;
    int64_t t_ns;
    uint32_t n_streams, n_shapes;
} LogDecoder;

/* false: not a payload of ours. */
ATTR_MUST bool log_decoder_init(LogDecoder *d, Str payload);
LogItemKind log_decoder_next(LogDecoder *d, LogItem *ret);

/* Stream key <-> labels. The decoded slices point into key. */
void log_stream_key_encode(Buf *out, Labels l);
ATTR_MUST bool log_stream_key_decode(Str key, Arena *arena, Labels *ret);

#endif
