/* All four decoders under a cap of 1 MiB, over the same bytes; what one of them accepts survives a round trip. */
#include "codec/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP ((size_t)1 << 20)

static void check_round_trip(Encoding e, Str raw) {
    Buf packed = {0};
    Str again;
    Arena *arena = arena_create(4 * CAP);
    ASSERT(compress(e, raw, 1, &packed) == OK);
    ASSERT(decompress(e, buf_str(&packed), CAP, arena, &again, NULL) == OK);
    ASSERT(str_eq(raw, again));
    arena_free(arena);
    buf_done(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str in = str_of((const char *)data, size), out;
    for (Encoding e = ENCODING_GZIP; e <= ENCODING_SNAPPY; e++) {
        Arena *arena = arena_create(4 * CAP);
        Err err = {0};
        ErrCode code = decompress(e, in, CAP, arena, &out, &err);
        ASSERT(code == OK || code == ERR_INVALID || code == ERR_TOO_LARGE);
        ASSERT(code == err.code && (code == OK || err.msg[0]));
        if (code == OK) {
            ASSERT(out.n <= CAP);
            check_round_trip(e, out);
        }
        arena_free(arena);
    }
    char block[512];
    (void)zstd_block_decode(in, block, sizeof block);
    return 0;
}
