#include "codec/proto.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width fields are read with little-endian loads");

enum { VARINT_BYTES_MAX = 10 };

bool proto_fail_(ProtoReader *r, const char *error) {
    if (!r->error) r->error = error;
    r->p = r->end;
    return false;
}

bool proto_varint_slow_(ProtoReader *r, uint64_t *ret) {
    const uint8_t *p = r->p;
    size_t left = (size_t)(r->end - p), max = MIN(left, (size_t)VARINT_BYTES_MAX);
    uint64_t v = 0;
    for (size_t i = 0; i < max; i++) {
        v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (p[i] >= 0x80) continue;
        if (i == VARINT_BYTES_MAX - 1 && p[i] > 1) break; /* bits 65 and up */
        r->p = p + i + 1;
        *ret = v;
        return true;
    }
    return proto_fail_(r, left < VARINT_BYTES_MAX ? "truncated varint" : "varint of more than 64 bits");
}

bool proto_tag_slow_(ProtoReader *r, uint32_t *ret_tag) {
    uint64_t tag;
    if (!proto_varint_(r, &tag)) return false;
    if (tag >> 3 == 0) return proto_fail_(r, "field number 0");
    if (tag >> 3 > PROTO_NUMBER_MAX) return proto_fail_(r, "field number above 2^29 - 1");
    *ret_tag = (uint32_t)tag;
    return true;
}

/* Skips the value of a field that is no group. */
static bool skip_value(ProtoReader *r, uint32_t wire) {
    ProtoField f;
    switch (wire) {
    case PROTO_VARINT: return proto_varint_(r, &f.u64);
    case PROTO_FIXED64: return proto_fixed64_(r, &f.u64);
    case PROTO_BYTES: return proto_bytes_(r, &f);
    case PROTO_FIXED32: return proto_fixed32_(r, &f.u64);
    default: return proto_fail_(r, "unknown wire type");
    }
}

/* The start tag of group `number` has been read; leaves r behind its end tag. */
bool proto_skip_group_(ProtoReader *r, uint32_t number) {
    uint32_t open[PROTO_DEPTH_MAX], depth = 0, tag;
    open[depth++] = number;
    while (depth > 0) {
        if (r->p >= r->end) return proto_fail_(r, "group without an end");
        if (!proto_tag_slow_(r, &tag)) return false;
        switch (tag & 7) {
        case PROTO_GROUP:
            if (depth == PROTO_DEPTH_MAX) return proto_fail_(r, "groups nest too deep");
            open[depth++] = tag >> 3;
            break;
        case PROTO_GROUP_END:
            if (open[--depth] != tag >> 3) return proto_fail_(r, "end of another group");
            break;
        default:
            if (!skip_value(r, tag & 7)) return false;
        }
    }
    return true;
}

static inline size_t put_varint(uint8_t *p, uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}

/* Room for the largest tag and value; the caller adds what it wrote to b->n. */
static inline uint8_t *begin_field(Buf *b, uint32_t number, ProtoWire wire, size_t *ret_n) {
    ASSERT(number >= 1 && number <= PROTO_NUMBER_MAX);
    buf_reserve(b, 2 * VARINT_BYTES_MAX);
    uint8_t *p = (uint8_t *)b->p + b->n;
    *ret_n = put_varint(p, number << 3 | (uint32_t)wire);
    return p;
}

void proto_put_varint(Buf *b, uint32_t number, uint64_t v) {
    size_t n;
    uint8_t *p = begin_field(b, number, PROTO_VARINT, &n);
    b->n += n + put_varint(p + n, v);
}

void proto_put_sint(Buf *b, uint32_t number, int64_t v) {
    proto_put_varint(b, number, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

void proto_put_fixed64(Buf *b, uint32_t number, uint64_t v) {
    size_t n;
    uint8_t *p = begin_field(b, number, PROTO_FIXED64, &n);
    memcpy(p + n, &v, 8);
    b->n += n + 8;
}

void proto_put_f64(Buf *b, uint32_t number, double v) {
    uint64_t bits;
    memcpy(&bits, &v, 8);
    proto_put_fixed64(b, number, bits);
}

void proto_put_fixed32(Buf *b, uint32_t number, uint32_t v) {
    size_t n;
    uint8_t *p = begin_field(b, number, PROTO_FIXED32, &n);
    memcpy(p + n, &v, 4);
    b->n += n + 4;
}

void proto_put_bytes(Buf *b, uint32_t number, Str s) {
    size_t n;
    uint8_t *p = begin_field(b, number, PROTO_BYTES, &n);
    b->n += n + put_varint(p + n, s.n);
    if (s.n) buf_put_str(b, s);
}

/* The mark is the place of the first content byte; the byte before it is kept for the length. */
size_t proto_begin(Buf *b, uint32_t number) {
    size_t n;
    uint8_t *p = begin_field(b, number, PROTO_BYTES, &n);
    p[n] = 0;
    b->n += n + 1;
    return b->n;
}

void proto_end(Buf *b, size_t mark) {
    ASSERT(mark > 0 && mark <= b->n);
    size_t content = b->n - mark;
    uint8_t len[VARINT_BYTES_MAX];
    size_t len_n = put_varint(len, content);
    if (len_n > 1) {
        buf_reserve(b, len_n - 1);
        memmove(b->p + mark + len_n - 1, b->p + mark, content);
        b->n += len_n - 1;
    }
    memcpy(b->p + mark - 1, len, len_n);
}
