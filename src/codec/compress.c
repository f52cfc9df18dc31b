#include "codec/compress_int.h"

#include <string.h>

/* A bomb is over this size and this ratio. Deflate cannot exceed 1032:1, so only the densest input comes near. */
#define BOMB_FREE_BYTES ((size_t)1 << 20)
#define BOMB_RATIO_MAX ((size_t)1000)
#define GZIP_LEVEL_DEFAULT 6

static const struct {
    Str name;
    Encoding encoding;
} names[] = {
    {STR_INIT("identity"), ENCODING_IDENTITY},
    {STR_INIT("gzip"), ENCODING_GZIP},
    {STR_INIT("deflate"), ENCODING_DEFLATE},
    {STR_INIT("zstd"), ENCODING_ZSTD},
    {STR_INIT("snappy"), ENCODING_SNAPPY},
    /* other names for the same */
    {STR_INIT(""), ENCODING_IDENTITY},
    {STR_INIT("x-gzip"), ENCODING_GZIP},
    {STR_INIT("zlib"), ENCODING_DEFLATE},
    {STR_INIT("x-snappy-framed"), ENCODING_SNAPPY},
};

Encoding encoding_parse(Str name) {
    name = str_trim(name);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, names[i].name)) return names[i].encoding;
    return ENCODING_UNKNOWN;
}

const char *encoding_name(Encoding e) {
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].encoding == e) return names[i].name.p;
    return "unknown";
}

ErrCode output_too_large(const Output *o) {
    return err_set(o->reterr, ERR_TOO_LARGE, "decompressed data is larger than the limit of %zu bytes", o->limit);
}

ErrCode output_grow(Output *o, size_t cap) {
    if (o->p && o->cap >= o->limit) return output_too_large(o);
    cap = MIN(MAX(cap, (size_t)64), o->limit);
    char *p = arena_grow(o->arena, o->p, o->cap, cap);
    if (!p) return err_set(o->reterr, ERR_TOO_LARGE, "decompressed data does not fit in the request's memory budget");
    o->p = p;
    o->cap = cap;
    return OK;
}

typedef enum libdeflate_result (*InflateFn)(
    struct libdeflate_decompressor *, const void *, size_t, void *, size_t, size_t *, size_t *);

/* One gzip member, zlib stream or raw deflate stream. The library decodes whole streams only, so when room is short
 * the stream is begun again in twice the room: at most twice the work in all. */
static ErrCode inflate_stream(InflateFn fn, Str in, Output *o, size_t *ret_used, const char *format) {
    for (;;) {
        size_t got = 0;
        enum libdeflate_result rc = fn(codec_inflater(), in.p, in.n, o->p + o->n, o->cap - o->n, ret_used, &got);
        if (rc == LIBDEFLATE_SUCCESS) {
            o->n += got;
            return OK;
        }
        if (rc != LIBDEFLATE_INSUFFICIENT_SPACE) return err_set(o->reterr, ERR_INVALID, "malformed %s data", format);
        ErrCode code = output_grow(o, o->cap * 2);
        if (code) return code;
    }
}

/* The last four bytes say how long the last member is (modulo 2^32). That is true for nearly all senders, so a good
 * first guess, but no more: it is not believed beyond a likely ratio. Source: RFC 1952. */
static size_t gzip_first_guess(Str in) {
    enum { MEMBER_BYTES_MIN = 18, LIKELY_RATIO_MAX = 64, RATIO_GUESS = 8 };
    if (in.n < MEMBER_BYTES_MIN) return 0;
    const uint8_t *p = (const uint8_t *)in.p + in.n - 4;
    size_t hint = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    return hint > 0 && hint / LIKELY_RATIO_MAX <= in.n ? hint : in.n * RATIO_GUESS;
}

static ErrCode gzip_decode(Str in, Output *o) {
    size_t used;
    ErrCode code = output_grow(o, gzip_first_guess(in));
    if (code) return code;
    do {
        code = inflate_stream(libdeflate_gzip_decompress_ex, in, o, &used, "gzip");
        if (code) return code;
        in = str_skip(in, used);
    } while (in.n > 0);
    return OK;
}

/* "deflate" is a zlib stream (RFC 9110), but there have always been clients that send a raw one. */
static ErrCode deflate_decode(Str in, Output *o) {
    ErrCode code = output_grow(o, in.n * 4);
    if (code) return code;
    size_t used = 0;
    Err *reterr = o->reterr;
    o->reterr = NULL;
    code = inflate_stream(libdeflate_zlib_decompress_ex, in, o, &used, "zlib");
    o->reterr = reterr;
    if (code == ERR_TOO_LARGE) return output_too_large(o);
    if (code) code = inflate_stream(libdeflate_deflate_decompress_ex, in, o, &used, "deflate");
    if (code) return code;
    return used == in.n ? OK : err_set(o->reterr, ERR_INVALID, "bytes after the end of the deflate data");
}

ErrCode decompress(Encoding e, Str in, size_t max_bytes, Arena *arena, Str *ret, Err *reterr) {
    ErrCode code;
    *ret = STR_NULL;
    if (e == ENCODING_IDENTITY) {
        if (in.n > max_bytes)
            return err_set(reterr, ERR_TOO_LARGE, "data is larger than the limit of %zu bytes", max_bytes);
        *ret = in;
        return OK;
    }
    if (in.n == 0 && e < ENCODING_UNKNOWN) return err_set(reterr, ERR_INVALID, "empty %s data", encoding_name(e));
    size_t bomb = in.n > SIZE_MAX / BOMB_RATIO_MAX ? SIZE_MAX : in.n * BOMB_RATIO_MAX;
    Output o = {.arena = arena, .limit = MIN(max_bytes, MAX(bomb, BOMB_FREE_BYTES)), .reterr = reterr};
    switch (e) {
    case ENCODING_GZIP: code = gzip_decode(in, &o); break;
    case ENCODING_DEFLATE: code = deflate_decode(in, &o); break;
    case ENCODING_ZSTD: code = zstd_decode(in, &o); break;
    case ENCODING_SNAPPY: code = snappy_decode(in, &o); break;
    default: return err_set(reterr, ERR_UNSUPPORTED, "unknown content encoding");
    }
    if (code) return code;
    ASSERT(o.n <= o.limit && o.n <= o.cap);
    *ret = str_of(o.p, o.n);
    return OK;
}

typedef size_t (*DeflateBoundFn)(struct libdeflate_compressor *, size_t);
typedef size_t (*DeflateFn)(struct libdeflate_compressor *, const void *, size_t, void *, size_t);

static void deflate_encode(DeflateBoundFn bound_fn, DeflateFn fn, Str in, int level, Buf *out) {
    enum { LEVEL_MIN = 1, LEVEL_MAX = 12 };
    level = level == 0 ? GZIP_LEVEL_DEFAULT : level < LEVEL_MIN ? LEVEL_MIN : MIN(level, (int)LEVEL_MAX);
    struct libdeflate_compressor *c = codec_deflater(level);
    size_t bound = bound_fn(c, in.n);
    buf_reserve(out, bound);
    size_t n = fn(c, in.n ? in.p : "", in.n, out->p + out->n, bound);
    ASSERT(n > 0 && n <= bound);
    out->n += n;
}

ErrCode encoding_compress(Encoding e, Str in, int level, Buf *out) {
    switch (e) {
    case ENCODING_IDENTITY: buf_put_str(out, in); return OK;
    case ENCODING_GZIP:
        deflate_encode(libdeflate_gzip_compress_bound, libdeflate_gzip_compress, in, level, out);
        return OK;
    case ENCODING_DEFLATE:
        deflate_encode(libdeflate_zlib_compress_bound, libdeflate_zlib_compress, in, level, out);
        return OK;
    case ENCODING_ZSTD: zstd_encode(in, level, out); return OK;
    case ENCODING_SNAPPY: snappy_encode(in, out); return OK;
    default: return ERR_UNSUPPORTED;
    }
}
