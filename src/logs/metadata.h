/* metadata.h - private: the metadata of rows, in memory and in payloads.
 *
 * What rows have in common is said once, in their shape: names, types and, where all rows agree, the value. A row then
 * only holds the values of the other fields, one after the other. Names of a shape are sorted and unique.
 *
 * Bytes of a shape: uvarint count, then per field its name, a type byte (LOG_FIELD_CONST set: the value follows), the
 * value. Bytes of values: STR, BYTES, ARRAY, MAP: uvarint length and bytes; BOOL: a byte; I64: svarint; F64: 8 bytes.
 */
#ifndef MEERKAT_LOGS_METADATA_H
#define MEERKAT_LOGS_METADATA_H

#include "base/cursor.h"
#include "model/attrs.h"

#define LOG_FIELD_CONST 0x80

typedef struct LogField {
    Str key;
    uint64_t key_hash;
    AttrValue value; /* its type; the value only of constant ones */
    bool is_const;
} LogField;

typedef struct LogShape {
    uint32_t n;
    uint64_t const_hash; /* of its constant fields */
    LogField fields[];
} LogShape;

/* values: the bytes of the fields that are not constant. shape NULL: a row without metadata. */
typedef struct LogMetadata {
    const LogShape *shape;
    Str values;
} LogMetadata;

/* Slices point into bytes. false: malformed, or the arena is used up. */
ATTR_MUST bool log_shape_decode(Str bytes, Arena *arena, const LogShape **ret);
/* Appends a field of a shape; value: its type, and its value when constant. */
void log_shape_put_field(Buf *out, Str key, const AttrValue *value, bool is_const);
void log_value_put(Buf *out, const AttrValue *v);

/* A shape without constants for attributes sorted by name; borrows the names. NULL when the arena is used up. */
LogShape *log_shape_of(const Attr *attrs, size_t n, Arena *arena);
/* Whether the attributes have exactly the shape's names and types. */
bool log_shape_fits(const LogShape *shape, const Attr *attrs, size_t n);

/* Reads the value of one field (v->type says which) from a row's values; sets c->bad on malformed bytes. */
void log_value_take(Cursor *c, AttrValue *v);

typedef VEC(Attr) LogAttrVec;
/* Replaces v's contents; slices point into shape and values. false on malformed bytes. */
ATTR_MUST bool log_metadata_decode(LogMetadata md, LogAttrVec *v);
/* A total order in which equal means the same names and values, whatever the shapes. */
int log_metadata_cmp(LogMetadata a, LogMetadata b);
/* The same for equal metadata. */
uint64_t log_metadata_hash(LogMetadata md);
bool attr_value_eq(const AttrValue *a, const AttrValue *b); /* bit for bit */

/* Sorts by key in place, drops empty names and values and all but the last of equal names. Gives the new count. */
size_t log_metadata_sort(const Attr **v, size_t n);

#endif
