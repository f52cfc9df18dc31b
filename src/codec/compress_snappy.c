#include "base/cursor.h"
#include "codec/compress_int.h"
#include "codec/crc.h"

#include <snappy-c.h>
#include <string.h>

/* A copy element of 3 bytes gives at most 64, so no block expands more than this. */
#define SNAPPY_RATIO_MAX 22

/* The framing format: chunks of a type byte, three length bytes, and data. Source: framing_format.txt of snappy. */
enum { CHUNK_COMPRESSED = 0x00, CHUNK_PLAIN = 0x01, CHUNK_SKIPPABLE = 0x80, CHUNK_IDENTIFIER = 0xff };
#define CHUNK_BYTES_MAX ((size_t)65536)
static const Str identifier = STR_INIT("\xff\x06\x00\x00sNaPpY");

static ErrCode malformed(const Output *o) { return err_set(o->reterr, ERR_INVALID, "malformed snappy data"); }

/* Appends one block; the claimed length is checked before room is made for it. */
static ErrCode decode_block(Str in, size_t block_max, Output *o) {
    size_t size;
    if (snappy_uncompressed_length(in.p, in.n, &size) != SNAPPY_OK) return malformed(o);
    if (size > o->limit - o->n) return output_too_large(o);
    if (size / SNAPPY_RATIO_MAX > in.n || size > block_max) return malformed(o);
    if (!o->p || o->cap - o->n < size) {
        ErrCode code = output_grow(o, MAX(o->n + size, o->n ? o->cap * 2 : 0));
        if (code) return code;
    }
    if (snappy_uncompress(in.p, in.n, o->p + o->n, &size) != SNAPPY_OK) return malformed(o);
    o->n += size;
    return OK;
}

static ErrCode append_plain(Str in, Output *o) {
    if (in.n > CHUNK_BYTES_MAX) return malformed(o);
    if (in.n > o->limit - o->n) return output_too_large(o);
    if (!o->p || o->cap - o->n < in.n) {
        ErrCode code = output_grow(o, MAX(o->n + in.n, o->cap * 2));
        if (code) return code;
    }
    if (in.n) memcpy(o->p + o->n, in.p, in.n);
    o->n += in.n;
    return OK;
}

/* Checksums are rotated and offset, so that a checksum of checksums stays useful. */
static uint32_t masked_crc(const char *p, size_t n) {
    uint32_t crc = crc32c(0, p, n);
    return ((crc >> 15) | (crc << 17)) + UINT32_C(0xa282ead8);
}

static ErrCode decode_chunk(uint8_t type, Str data, Output *o) {
    if (type == CHUNK_IDENTIFIER) return str_eq(data, str_skip(identifier, 4)) ? OK : malformed(o);
    if (type >= CHUNK_SKIPPABLE) return OK;
    if (type > CHUNK_PLAIN || data.n < 4) return malformed(o);
    Cursor c = cursor_of(data);
    uint32_t crc = cursor_u32le(&c);
    size_t before = o->n;
    Str body = str_skip(data, 4);
    ErrCode code = type == CHUNK_PLAIN ? append_plain(body, o) : decode_block(body, CHUNK_BYTES_MAX, o);
    if (code) return code;
    return masked_crc(o->p + before, o->n - before) == crc ? OK : malformed(o);
}

static ErrCode decode_frames(Str in, Output *o) {
    ErrCode code = output_grow(o, MIN(in.n * 2, CHUNK_BYTES_MAX));
    Cursor c = cursor_of(in);
    while (!code && cursor_left(&c) > 0) {
        uint32_t head = cursor_u32le(&c);
        Str data = cursor_bytes(&c, head >> 8);
        code = c.bad ? malformed(o) : decode_chunk(head & 0xff, data, o);
    }
    return code;
}

ErrCode snappy_decode(Str in, Output *o) {
    return str_starts_with(in, identifier) ? decode_frames(in, o) : decode_block(in, SIZE_MAX, o);
}

void snappy_encode(Str in, Buf *out) {
    size_t n = snappy_max_compressed_length(in.n);
    buf_reserve(out, n);
    ASSERT(snappy_compress(in.n ? in.p : "", in.n, out->p + out->n, &n) == SNAPPY_OK);
    out->n += n;
}
