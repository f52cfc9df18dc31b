#include "codec/compress.h"

#include "codec/crc.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <zstd.h>

#define MIB ((size_t)1 << 20)

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        Encoding want;
    } cases[] = {
        {"", ENCODING_IDENTITY},
        {"identity", ENCODING_IDENTITY},
        {"gzip", ENCODING_GZIP},
        {" GZip ", ENCODING_GZIP},
        {"x-gzip", ENCODING_GZIP},
        {"deflate", ENCODING_DEFLATE},
        {"zlib", ENCODING_DEFLATE},
        {"zstd", ENCODING_ZSTD},
        {"snappy", ENCODING_SNAPPY},
        {"x-snappy-framed", ENCODING_SNAPPY},
        {"br", ENCODING_UNKNOWN},
        {"gzip, gzip", ENCODING_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Encoding e = encoding_parse(str_cstr(cases[i].name));
        assert_int_equal(e, cases[i].want);
        if (e != ENCODING_UNKNOWN) assert_int_equal(encoding_parse(str_cstr(encoding_name(e))), e);
    }
    assert_string_equal(encoding_name(ENCODING_UNKNOWN), "unknown");
}

static void fill(char *p, size_t n, unsigned kind) {
    Rng rng;
    rng_seed(&rng, kind);
    for (size_t i = 0; i < n; i++)
        p[i] = kind == 0 ? 0 : kind == 1 && i % 21 < 18 ? "level=info msg=hello "[i % 21] : (char)rng_u64(&rng);
}

/* Decodes a copy of exact size; the outcome's text in *ret is valid until the arena goes. */
static ErrCode decode(Encoding e, Str in, size_t max, Arena *arena, Str *ret) {
    char *copy = malloc(in.n ? in.n : 1);
    if (in.n) memcpy(copy, in.p, in.n);
    Err err = {0};
    ErrCode code = decompress(e, str_of(copy, in.n), max, arena, ret, &err);
    assert_int_equal(code, err.code);
    if (code == OK && e == ENCODING_IDENTITY) *ret = in;
    free(copy);
    return code;
}

static void check_round_trip(Encoding e, Str raw, int level) {
    Buf out = {0};
    buf_put_lit(&out, "head");
    assert_int_equal(compress(e, raw, level, &out), OK);
    Str packed = str_skip(buf_str(&out), 4), got;
    Arena *arena = arena_create(64 * MIB);
    assert_int_equal(decode(e, packed, raw.n, arena, &got), OK);
    assert_true(str_eq(got, raw));
    if (raw.n > 100) assert_int_equal(decode(e, packed, raw.n - 1, arena, &got), ERR_TOO_LARGE);
    if (e != ENCODING_IDENTITY) {
        assert_int_equal(decode(e, str_slice(packed, 0, packed.n - 1), 64 * MIB, arena, &got), ERR_INVALID);
        assert_int_equal(decode(e, str_slice(packed, 0, packed.n / 2), 64 * MIB, arena, &got), ERR_INVALID);
    }
    arena_free(arena);
    buf_done(&out);
}

static void test_round_trip(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 4096, 100000, 3000000};
    static const int levels[] = {0, 1, 9, 99, -1};
    char *raw = malloc(sizes[ARRAY_LEN(sizes) - 1]);
    for (Encoding e = ENCODING_IDENTITY; e <= ENCODING_SNAPPY; e++)
        for (unsigned kind = 1; kind < 3; kind++)
            for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
                fill(raw, sizes[s], kind);
                for (size_t l = 0; l < (sizes[s] > 4096 ? 1 : ARRAY_LEN(levels)); l++)
                    check_round_trip(e, str_of(raw, sizes[s]), levels[l]);
            }
    free(raw);
    Buf out = {0};
    assert_int_equal(compress(ENCODING_UNKNOWN, STR("x"), 0, &out), ERR_UNSUPPORTED);
    Str got;
    assert_int_equal(decode(ENCODING_UNKNOWN, STR("x"), 10, NULL, &got), ERR_UNSUPPORTED);
}

#define ZLIB_ABC "\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27"
#define RAW_ABC "\x4b\x4c\x4a\x06\x00"
#define GZIP_ABC "\x1f\x8b\x08\0\0\0\0\0\0\x03" RAW_ABC "\xc2\x41\x24\x35\x03\0\0\0"
#define SNAPPY_ID "\xff\x06\0\0sNaPpY"

static const struct {
    Encoding encoding;
    Str in;
    ErrCode code;
    const char *want;
} cases[] = {
    {ENCODING_GZIP, STR_INIT(GZIP_ABC), OK, "abc"},
    {ENCODING_GZIP, STR_INIT(GZIP_ABC GZIP_ABC GZIP_ABC), OK, "abcabcabc"},
    {ENCODING_GZIP, STR_INIT(GZIP_ABC "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"), OK, "abc"},
    {ENCODING_GZIP, STR_INIT(GZIP_ABC "x"), ERR_INVALID, NULL},
    {ENCODING_GZIP, STR_INIT("\x1f\x8b\x08\0\0\0\0\0\0\x03" RAW_ABC "\xc2\x41\x24\x36\x03\0\0\0"), ERR_INVALID, NULL},
    {ENCODING_GZIP, STR_INIT("\x1f\x8b\x08\0\0\0\0\0\0\x03" RAW_ABC "\xc2\x41\x24\x35\xff\xff\xff\xff"), ERR_INVALID,
        NULL},
    {ENCODING_GZIP, STR_INIT(""), ERR_INVALID, NULL},
    {ENCODING_GZIP, STR_INIT("abc"), ERR_INVALID, NULL},
    {ENCODING_GZIP, STR_INIT(ZLIB_ABC), ERR_INVALID, NULL},
    {ENCODING_DEFLATE, STR_INIT(ZLIB_ABC), OK, "abc"},
    {ENCODING_DEFLATE, STR_INIT(RAW_ABC), OK, "abc"},
    {ENCODING_DEFLATE, STR_INIT(ZLIB_ABC "x"), ERR_INVALID, NULL},
    {ENCODING_DEFLATE, STR_INIT(RAW_ABC "x"), ERR_INVALID, NULL},
    {ENCODING_DEFLATE, STR_INIT("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x28"), ERR_INVALID, NULL},
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc"), OK, "abc"},
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\x00\x58\x19\0\0abc"), OK, "abc"}, /* size not told */
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc"), OK, "abcabc"},
    {ENCODING_ZSTD, STR_INIT("\x50\x2a\x4d\x18\x01\0\0\0x\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc"), OK, "abc"},
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\x20\x04\x19\0\0abc"), ERR_INVALID, NULL},
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\x00\x58\x19\0\0ab"), ERR_INVALID, NULL},
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\x00\xa8\x19\0\0abc"), ERR_TOO_LARGE, NULL}, /* window of 2 GiB */
    {ENCODING_ZSTD, STR_INIT("\x28\xb5\x2f\xfd\xe0\0\0\0\0\1\0\0\0\x19\0\0abc"), ERR_TOO_LARGE, NULL}, /* "4 GiB" */
    {ENCODING_ZSTD, STR_INIT("abc"), ERR_INVALID, NULL},
    {ENCODING_SNAPPY,
        STR_INIT("\x03\x08"
                 "abc"),
        OK, "abc"},
    {ENCODING_SNAPPY, STR_INIT("\x00"), OK, ""},
    {ENCODING_SNAPPY,
        STR_INIT("\x04\x08"
                 "abc"),
        ERR_INVALID, NULL},
    {ENCODING_SNAPPY,
        STR_INIT("\xff\xff\x03\x08"
                 "abc"),
        ERR_INVALID, NULL}, /* 64 KiB out of 6 bytes */
    {ENCODING_SNAPPY,
        STR_INIT("\xff\xff\xff\xff\x0f\x08"
                 "abc"),
        ERR_TOO_LARGE, NULL}, /* "4 GiB" */
    {ENCODING_SNAPPY,
        STR_INIT("\xff\xff\xff\xff\xff\x08"
                 "abc"),
        ERR_INVALID, NULL},
    {ENCODING_SNAPPY, STR_INIT(SNAPPY_ID), OK, ""},
    {ENCODING_SNAPPY, STR_INIT(SNAPPY_ID "\xfe\x02\0\0xx" SNAPPY_ID), OK, ""},
    {ENCODING_SNAPPY, STR_INIT(SNAPPY_ID "\x02\x02\0\0xx"), ERR_INVALID, NULL},
    {ENCODING_SNAPPY,
        STR_INIT(SNAPPY_ID "\x01\x07\0\0\0\0\0\0"
                           "abc"),
        ERR_INVALID, NULL}, /* checksum */
    {ENCODING_SNAPPY,
        STR_INIT(SNAPPY_ID "\x01\xff\0\0\0\0\0\0"
                           "abc"),
        ERR_INVALID, NULL},
};

static void test_fixed(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(4 * MIB);
        Str got;
        ErrCode code = decode(cases[i].encoding, cases[i].in, 2 * MIB, arena, &got);
        if (code != cases[i].code) print_message("case %zu\n", i);
        assert_int_equal(code, cases[i].code);
        if (code == OK) assert_true(str_eq(got, str_cstr(cases[i].want)));
        arena_free(arena);
    }
}

static void put_frame(Buf *b, bool plain, Str raw) {
    Buf body = {0};
    uint32_t crc = crc32c(0, raw.p, raw.n);
    buf_put_u32le(&body, ((crc >> 15) | (crc << 17)) + 0xa282ead8);
    if (plain)
        buf_put_str(&body, raw);
    else
        compress(ENCODING_SNAPPY, raw, 0, &body);
    buf_put_u32le(b, (uint32_t)body.n << 8 | plain);
    buf_put_str(b, buf_str(&body));
    buf_done(&body);
}

static void test_snappy_framed(void **state) {
    (void)state;
    enum { CHUNK = 65536, CHUNKS = 20 };
    static char raw[CHUNK * CHUNKS];
    fill(raw, sizeof raw, 1);
    Buf b = {0};
    buf_put_lit(&b, SNAPPY_ID);
    for (int i = 0; i < CHUNKS; i++) put_frame(&b, i % 2, str_of(raw + i * CHUNK, CHUNK));
    Arena *arena = arena_create(16 * MIB);
    Str got;
    assert_int_equal(decode(ENCODING_SNAPPY, buf_str(&b), sizeof raw, arena, &got), OK);
    assert_true(str_eq(got, str_of(raw, sizeof raw)));
    assert_int_equal(decode(ENCODING_SNAPPY, buf_str(&b), sizeof raw - 1, arena, &got), ERR_TOO_LARGE);
    put_frame(&b, true, str_of(raw, CHUNK + 1));
    assert_int_equal(decode(ENCODING_SNAPPY, buf_str(&b), 8 * MIB, arena, &got), ERR_INVALID);
    arena_free(arena);
    buf_done(&b);
}

/* Members and streams by hand: sizes the hint does not tell. */
typedef enum Wrap { WRAP_GZIP, WRAP_ZLIB, WRAP_RAW } Wrap;

static void put_deflated(Buf *b, Str raw, Wrap wrap) {
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(9);
    size_t bound = libdeflate_gzip_compress_bound(c, raw.n);
    buf_reserve(b, bound);
    char *to = b->p + b->n;
    b->n += wrap == WRAP_GZIP   ? libdeflate_gzip_compress(c, raw.p, raw.n, to, bound)
            : wrap == WRAP_ZLIB ? libdeflate_zlib_compress(c, raw.p, raw.n, to, bound)
                                : libdeflate_deflate_compress(c, raw.p, raw.n, to, bound);
    libdeflate_free_compressor(c);
}

static void test_growth(void **state) {
    (void)state;
    enum { N = 700000 };
    char *raw = malloc(N);
    fill(raw, N, 1);
    Arena *arena = arena_create(64 * MIB);
    Str got;
    Buf b = {0};
    put_deflated(&b, str_of(raw, N), WRAP_GZIP);
    put_deflated(&b, str_of(raw, 5), WRAP_GZIP); /* the hint says 5 */
    assert_int_equal(decode(ENCODING_GZIP, buf_str(&b), 4 * MIB, arena, &got), OK);
    assert_int_equal(got.n, N + 5);
    assert_memory_equal(got.p, raw, N);
    assert_int_equal(decode(ENCODING_GZIP, buf_str(&b), N + 5, arena, &got), OK);
    assert_int_equal(decode(ENCODING_GZIP, buf_str(&b), N + 4, arena, &got), ERR_TOO_LARGE);
    static const Wrap wraps[] = {WRAP_ZLIB, WRAP_RAW};
    for (size_t i = 0; i < ARRAY_LEN(wraps); i++) {
        buf_clear(&b);
        put_deflated(&b, str_of(raw, N), wraps[i]);
        assert_int_equal(decode(ENCODING_DEFLATE, buf_str(&b), N, arena, &got), OK);
        assert_true(str_eq(got, str_of(raw, N)));
        assert_int_equal(decode(ENCODING_DEFLATE, buf_str(&b), N - 1, arena, &got), ERR_TOO_LARGE);
    }
    arena_free(arena);
    arena = arena_create(256 * 1024);
    assert_int_equal(decode(ENCODING_DEFLATE, buf_str(&b), 4 * MIB, arena, &got), ERR_TOO_LARGE);
    arena_free(arena);
    buf_done(&b);
    free(raw);
}

/* zstd frames without a size, two in a row; and all zeros, which make a bomb. */
static void test_zstd_stream(void **state) {
    (void)state;
    enum { N = 700000 };
    char *raw = malloc(N);
    fill(raw, N, 1);
    Buf b = {0};
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 0);
    for (int i = 0; i < 2; i++) {
        buf_reserve(&b, ZSTD_compressBound(N));
        b.n += ZSTD_compress2(cctx, b.p + b.n, ZSTD_compressBound(N), raw, N);
    }
    ZSTD_freeCCtx(cctx);
    Arena *arena = arena_create(64 * MIB);
    Str got;
    assert_int_equal(decode(ENCODING_ZSTD, buf_str(&b), 2 * N, arena, &got), OK);
    assert_int_equal(got.n, 2 * N);
    assert_memory_equal(got.p + N, raw, N);
    assert_int_equal(decode(ENCODING_ZSTD, buf_str(&b), 2 * N - 1, arena, &got), ERR_TOO_LARGE);
    assert_int_equal(decode(ENCODING_ZSTD, str_slice(buf_str(&b), 0, b.n - 3), 2 * N, arena, &got), ERR_INVALID);
    arena_free(arena);
    buf_done(&b);
    free(raw);
}

static void test_bombs(void **state) {
    (void)state;
    size_t n = 32 * MIB;
    char *zeros = calloc(n, 1);
    Arena *arena = arena_create(256 * MIB);
    static const Encoding encodings[] = {ENCODING_GZIP, ENCODING_DEFLATE, ENCODING_ZSTD};
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        Buf b = {0};
        Str got;
        assert_int_equal(compress(encodings[i], str_of(zeros, n), 0, &b), OK);
        ErrCode code = decode(encodings[i], buf_str(&b), 64 * MIB, arena, &got);
        assert_int_equal(code, n / b.n >= 1000 ? ERR_TOO_LARGE : OK);
        buf_done(&b);
        /* one MiB is no bomb, however dense */
        assert_int_equal(compress(encodings[i], str_of(zeros, MIB), 0, &b), OK);
        assert_int_equal(decode(encodings[i], buf_str(&b), 64 * MIB, arena, &got), OK);
        assert_int_equal(got.n, MIB);
        buf_done(&b);
    }
    arena_free(arena);
    free(zeros);
}

static void test_blocks(void **state) {
    (void)state;
    char raw[5000], got[5001];
    fill(raw, sizeof raw, 1);
    Buf b = {0};
    zstd_block_encode(str_of(raw, sizeof raw), 0, &b);
    assert_int_equal(zstd_block_decode(buf_str(&b), got, sizeof raw), OK);
    assert_memory_equal(got, raw, sizeof raw);
    assert_int_equal(zstd_block_decode(buf_str(&b), got, sizeof raw - 1), ERR_CORRUPT);
    assert_int_equal(zstd_block_decode(buf_str(&b), got, sizeof raw + 1), ERR_CORRUPT);
    assert_int_equal(zstd_block_decode(str_skip(buf_str(&b), 1), got, sizeof raw), ERR_CORRUPT);
    assert_int_equal(zstd_block_decode(STR_NULL, got, 0), ERR_CORRUPT);
    buf_clear(&b);
    zstd_block_encode(STR_NULL, 3, &b);
    assert_int_equal(zstd_block_decode(buf_str(&b), got, 0), OK);
    buf_done(&b);
}

static void round_trips(void *ctx) {
    (void)ctx;
    for (int i = 0; i < 20; i++)
        for (Encoding e = ENCODING_GZIP; e <= ENCODING_SNAPPY; e++) {
            Buf b = {0};
            Str got;
            Arena *arena = arena_create(MIB);
            ASSERT(compress(e, STR("the same in every thread"), 0, &b) == OK);
            ASSERT(decompress(e, buf_str(&b), 1000, arena, &got, NULL) == OK);
            ASSERT(str_eq_lit(got, "the same in every thread"));
            arena_free(arena);
            buf_done(&b);
        }
}

static void test_threads(void **state) {
    (void)state;
    Thread *threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) threads[i] = thread_start("codec", round_trips, NULL);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) thread_join(threads[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_snappy_framed),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_zstd_stream),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
