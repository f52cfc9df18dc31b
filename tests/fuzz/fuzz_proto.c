/* The protobuf cursor over any bytes: ends, stays inside, and what it took for fields can be written and read again. */
#include "codec/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(Str part, Str whole) {
    return part.n == 0 || (part.p >= whole.p && part.n <= whole.n && part.p + part.n <= whole.p + whole.n);
}

static void put_field(Buf *b, const ProtoField *f) {
    switch (f->wire) {
    case PROTO_VARINT: proto_put_varint(b, f->number, f->u64); break;
    case PROTO_FIXED64: proto_put_fixed64(b, f->number, f->u64); break;
    case PROTO_FIXED32: proto_put_fixed32(b, f->number, (uint32_t)f->u64); break;
    case PROTO_BYTES: proto_put_bytes(b, f->number, f->bytes); break;
    default: UNREACHABLE(); /* groups never come out */
    }
}

static void read_packed(Str bytes) {
    ProtoReader r = proto_reader(bytes);
    uint64_t v;
    while (proto_packed_varint(&r, &v)) continue;
    ASSERT(r.p == r.end);
    r = proto_reader(bytes);
    while (proto_packed_fixed64(&r, &v)) continue;
    ASSERT(r.p == r.end && (r.error != NULL) == (bytes.n % 8 != 0));
}

/* Reads a message and, as if they were messages, all its byte fields; writes the fields again into out. */
static void read_message(Str in, unsigned depth, Buf *out) {
    ProtoReader r = proto_reader(in);
    ProtoField f;
    const uint8_t *before = r.p;
    while (proto_next(&r, &f)) {
        ASSERT(f.number >= 1 && f.number <= PROTO_NUMBER_MAX && r.p > before && r.p <= r.end && !r.error);
        ASSERT(inside(f.bytes, in));
        before = r.p;
        put_field(out, &f);
        if (f.wire != PROTO_BYTES) continue;
        read_packed(f.bytes);
        if (depth >= PROTO_DEPTH_MAX) continue;
        Buf inner = {0};
        read_message(f.bytes, depth + 1, &inner);
        buf_done(&inner);
    }
    ASSERT(r.p == r.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Buf first = {0}, second = {0};
    read_message(str_of((const char *)data, size), 0, &first);
    read_message(buf_str(&first), PROTO_DEPTH_MAX, &second);
    ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    buf_done(&first);
    buf_done(&second);
    return 0;
}
