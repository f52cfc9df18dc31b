/* proto.h - protobuf wire format: a cursor over bytes and a writer. No tree, no allocation.
 *
 * Fields come as slices of the input. Nested messages are read by a new cursor over the field's bytes;
 * whoever recurses passes depth on and stops at PROTO_DEPTH_MAX. Source: the Protocol Buffers encoding
 * specification. Groups (wire types 3, 4) are skipped like unknown fields, with the depth limit.
 *
 * Malformed, with a text in `error`: a varint of more than 64 bits or cut short, field number 0 or above 2^29 - 1,
 * wire types 6 and 7, a length beyond the end, groups that nest too deep, do not end or end what was not begun. */
#ifndef MEERKAT_CODEC_PROTO_H
#define MEERKAT_CODEC_PROTO_H

#include "base/buf.h"
#include "base/str.h"

#define PROTO_DEPTH_MAX 32
#define PROTO_NUMBER_MAX ((UINT32_C(1) << 29) - 1)

typedef enum ProtoWire {
    PROTO_VARINT = 0,
    PROTO_FIXED64 = 1,
    PROTO_BYTES = 2,
    PROTO_GROUP = 3,
    PROTO_GROUP_END = 4,
    PROTO_FIXED32 = 5
} ProtoWire;

typedef struct ProtoReader {
    const uint8_t *p, *end;
    const char *error; /* NULL, or what is malformed (a static string); set once */
} ProtoReader;

typedef struct ProtoField {
    uint32_t number;
    ProtoWire wire;
    uint64_t u64; /* VARINT, FIXED64, FIXED32; the length of BYTES */
    Str bytes;    /* BYTES; empty for all others */
} ProtoField;

static inline ProtoReader proto_reader(Str s) {
    return (ProtoReader){(const uint8_t *)s.p, s.n ? (const uint8_t *)s.p + s.n : (const uint8_t *)s.p, NULL};
}

/* The rare paths of the inline readers below; not for callers. */
bool proto_fail_(ProtoReader *r, const char *error); /* sets the error, moves to the end, gives false */
bool proto_varint_slow_(ProtoReader *r, uint64_t *ret);
bool proto_skip_group_(ProtoReader *r, uint32_t number);
bool proto_tag_slow_(ProtoReader *r, uint32_t *ret_tag);

/* One bare varint; false at the end or on malformed input. */
static inline bool proto_varint_(ProtoReader *r, uint64_t *ret) {
    if (LIKELY(r->end - r->p >= 2)) {
        uint64_t a = r->p[0], b = r->p[1];
        if (a < 0x80) {
            r->p += 1;
            *ret = a;
            return true;
        }
        if (b < 0x80) {
            r->p += 2;
            *ret = (a & 0x7f) | b << 7;
            return true;
        }
    }
    return proto_varint_slow_(r, ret);
}

static inline bool proto_fixed64_(ProtoReader *r, uint64_t *ret) {
    if (UNLIKELY(r->end - r->p < 8)) return proto_fail_(r, "truncated 64-bit value");
    memcpy(ret, r->p, 8);
    r->p += 8;
    return true;
}

static inline bool proto_fixed32_(ProtoReader *r, uint64_t *ret) {
    uint32_t v;
    if (UNLIKELY(r->end - r->p < 4)) return proto_fail_(r, "truncated 32-bit value");
    memcpy(&v, r->p, 4);
    r->p += 4;
    *ret = v;
    return true;
}

static inline bool proto_bytes_(ProtoReader *r, ProtoField *ret) {
    if (UNLIKELY(!proto_varint_(r, &ret->u64))) return false;
    if (UNLIKELY(ret->u64 > (size_t)(r->end - r->p))) return proto_fail_(r, "length beyond the end of the message");
    ret->bytes = str_of((const char *)r->p, (size_t)ret->u64);
    r->p += ret->u64;
    return true;
}

/* Next field; false at the end or on malformed input (then r->error is set). Groups are skipped inside. */
static inline bool proto_next(ProtoReader *r, ProtoField *ret) {
    while (r->p < r->end) {
        uint32_t tag = *r->p;
        if (LIKELY(tag - 8 < 0x78))
            r->p++; /* field numbers 1 to 15 */
        else if (UNLIKELY(!proto_tag_slow_(r, &tag)))
            return false;
        ret->number = tag >> 3;
        ret->wire = (ProtoWire)(tag & 7);
        ret->bytes = STR_NULL;
        switch (ret->wire) {
        case PROTO_VARINT: return proto_varint_(r, &ret->u64);
        case PROTO_FIXED64: return proto_fixed64_(r, &ret->u64);
        case PROTO_BYTES: return proto_bytes_(r, ret);
        case PROTO_FIXED32: return proto_fixed32_(r, &ret->u64);
        case PROTO_GROUP:
            if (!proto_skip_group_(r, ret->number)) return false;
            continue;
        case PROTO_GROUP_END: return proto_fail_(r, "end of a group that was not begun");
        default: return proto_fail_(r, "unknown wire type");
        }
    }
    return false;
}

static inline double proto_f64(const ProtoField *f) {
    double d;
    memcpy(&d, &f->u64, 8);
    return d;
}
static inline float proto_f32(const ProtoField *f) {
    uint32_t bits = (uint32_t)f->u64;
    float v;
    memcpy(&v, &bits, 4);
    return v;
}
static inline int64_t proto_i64(const ProtoField *f) { return (int64_t)f->u64; } /* int64, sfixed64 */
static inline int64_t proto_s64(const ProtoField *f) {                           /* sint64 */
    return (int64_t)(f->u64 >> 1) ^ -(int64_t)(f->u64 & 1);
}

/* Packed repeated scalars: iterate over f->bytes with these (false at the end or on error). Decoders
 * must accept packed and unpacked alike. */
static inline bool proto_packed_varint(ProtoReader *r, uint64_t *ret) { return r->p < r->end && proto_varint_(r, ret); }
static inline bool proto_packed_fixed64(ProtoReader *r, uint64_t *ret) {
    return r->p < r->end && proto_fixed64_(r, ret);
}

/* Writer: appends to a Buf. Zero values are written too: leaving defaults out is the caller's choice. */
void proto_put_varint(Buf *b, uint32_t number, uint64_t v); /* also bool, enum, int64 */
void proto_put_sint(Buf *b, uint32_t number, int64_t v);
void proto_put_fixed64(Buf *b, uint32_t number, uint64_t v);
void proto_put_f64(Buf *b, uint32_t number, double v);
void proto_put_fixed32(Buf *b, uint32_t number, uint32_t v);
void proto_put_bytes(Buf *b, uint32_t number, Str s);
/* Nested message: begin returns a mark; end patches the length in (moves the bytes when the length needs more than
 * the one byte kept for it). Marks are ended innermost first. */
ATTR_MUST size_t proto_begin(Buf *b, uint32_t number);
void proto_end(Buf *b, size_t mark);

#endif
