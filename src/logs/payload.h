/* payload.h - private: the bytes of one append, as they stand in the WAL and in the head's memory.
 *
 * Version byte 1, then items to the end. Item: uvarint tag. 0 defines the next stream (its key: uvarint bytes, then
 * uvarint count and name/value pairs); k >= 1 is a row of stream k-1: svarint time (difference to the row before),
 * uvarint line bytes, uvarint metadata bytes, line, metadata. Metadata: uvarint count, then key, type byte, value,
 * sorted by key. A row's line and metadata are contiguous so that the head points into these bytes. */
#ifndef MEERKAT_LOGS_PAYLOAD_H
#define MEERKAT_LOGS_PAYLOAD_H

#include "base/buf.h"
#include "base/cursor.h"
#include "logs/log_store.h"

#define LOG_WAL_ROWS 1 /* record type */

typedef struct LogEncoder {
    const LogsBatch *batch;
    int64_t oldest_ns, newest_ns; /* rows outside are counted and left out */
    uint32_t *ordinal;            /* per batch stream: number in this payload + 1; heap */
    const Attr **sorted;          /* scratch; heap */
    size_t n_sorted_cap;
    size_t next_row;
    LogAppendResult *result;
} LogEncoder;

void log_encoder_init(
    LogEncoder *e, const LogsBatch *batch, int64_t oldest_ns, int64_t newest_ns, LogAppendResult *result);
void log_encoder_done(LogEncoder *e);
/* Appends one self-contained payload of about bytes_max to out; false when no row was left. */
bool log_encoder_next(LogEncoder *e, size_t bytes_max, Buf *out);

typedef enum LogItemKind { LOG_ITEM_END, LOG_ITEM_STREAM, LOG_ITEM_ROW, LOG_ITEM_BAD } LogItemKind;
typedef struct LogItem {
    Str stream_key;  /* STREAM */
    uint32_t stream; /* ROW: ordinal */
    int64_t t_ns;
    Str line, metadata;
} LogItem;
typedef struct LogDecoder {
    Cursor c;
    int64_t t_ns;
    uint32_t n_streams;
} LogDecoder;

/* false: not a payload of ours. */
ATTR_MUST bool log_decoder_init(LogDecoder *d, Str payload);
LogItemKind log_decoder_next(LogDecoder *d, LogItem *ret);

/* Stream key <-> labels. The decoded slices point into key. */
void log_stream_key_encode(Buf *out, Labels l);
ATTR_MUST bool log_stream_key_decode(Str key, Arena *arena, Labels *ret);

/* Metadata bytes <-> attributes (any number; sorted by key, unique, without empty ones). */
void log_metadata_encode(Buf *out, const Attr *const *sorted, size_t n);
typedef VEC(Attr) LogAttrVec;
/* Replaces v's contents; slices point into md. false on malformed bytes. */
ATTR_MUST bool log_metadata_decode(Str md, LogAttrVec *v);
/* Sorts by key in place, drops empty names and values and all but the last of equal names. Gives the new count. */
size_t log_metadata_sort(const Attr **v, size_t n);

#endif
