/* proto.h - protobuf wire format: a cursor over bytes and a writer. No tree, no allocation.
 *
 * Fields come as slices of the input. Nested messages are read by a new cursor over the field's bytes;
 * whoever recurses passes depth on and stops at PROTO_DEPTH_MAX. Source: the Protocol Buffers encoding
 * specification. Groups (wire types 3, 4) are skipped like unknown fields, with the depth limit. */
#ifndef MEERKAT_CODEC_PROTO_H
#define MEERKAT_CODEC_PROTO_H

#include "base/buf.h"
#include "base/str.h"

#define PROTO_DEPTH_MAX 32

typedef enum ProtoWire { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_GROUP = 3, PROTO_GROUP_END = 4, PROTO_FIXED32 = 5 } ProtoWire;

typedef struct ProtoReader {
    const uint8_t *p, *end;
    const char *error; /* NULL, or what is malformed (a static string); set once */
} ProtoReader;

typedef struct ProtoField {
    uint32_t number;
    ProtoWire wire;
    uint64_t u64;  /* VARINT, FIXED64, FIXED32 */
    Str bytes;     /* BYTES */
} ProtoField;

static inline ProtoReader proto_reader(Str s) {
    return (ProtoReader){(const uint8_t *)s.p, s.n ? (const uint8_t *)s.p + s.n : (const uint8_t *)s.p, NULL};
}
/* Next field; false at the end or on malformed input (then r->error is set). Groups are skipped inside. */
bool proto_next(ProtoReader *r, ProtoField *ret);
static inline double proto_f64(const ProtoField *f) { double d; memcpy(&d, &f->u64, 8); return d; }
static inline int64_t proto_i64(const ProtoField *f) { return (int64_t)f->u64; }           /* int64, sfixed64 */
static inline int64_t proto_s64(const ProtoField *f) { return (int64_t)(f->u64 >> 1) ^ -(int64_t)(f->u64 & 1); } /* sint64 */
/* Packed repeated scalars: iterate over f->bytes with these (false at the end or on error). Decoders
 * must accept packed and unpacked alike. */
bool proto_packed_varint(ProtoReader *r, uint64_t *ret);
bool proto_packed_fixed64(ProtoReader *r, uint64_t *ret);

/* Writer: appends to a Buf. */
void proto_put_varint(Buf *b, uint32_t number, uint64_t v);      /* also bool, enum, int64 */
void proto_put_sint(Buf *b, uint32_t number, int64_t v);
void proto_put_fixed64(Buf *b, uint32_t number, uint64_t v);
void proto_put_f64(Buf *b, uint32_t number, double v);
void proto_put_fixed32(Buf *b, uint32_t number, uint32_t v);
void proto_put_bytes(Buf *b, uint32_t number, Str s);
/* Nested message: begin returns a mark; end patches the length in (moves the bytes by the length's size). */
size_t proto_begin(Buf *b, uint32_t number);
void proto_end(Buf *b, size_t mark);

#endif
