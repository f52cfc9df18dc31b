/* A chunk of any encoding (the first byte); what decodes is encoded and decoded again. */
#include "metrics/tsdb/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const ChunkSamples *s, Arena *arena) {
    Buf b = {0};
    for (size_t i = 0; i < s->t_ms.n;) {
        ChunkSamples back = {0};
        buf_clear(&b);
        size_t n = chunk_encode_floats(&b, s->t_ms.v + i, s->value.v + i, s->t_ms.n - i);
        ErrCode code = chunk_decode(CHUNK_XOR, buf_str(&b), arena, &back, NULL);
        ASSERT(code == ERR_TOO_LARGE || (code == OK && back.t_ms.n == n));
        ASSERT(code != OK || memcmp(back.t_ms.v, s->t_ms.v + i, n * sizeof *back.t_ms.v) == 0);
        ASSERT(code != OK || memcmp(back.value.v, s->value.v + i, n * sizeof *back.value.v) == 0);
        i += n;
    }
    for (size_t i = 0; i < s->histograms.n;) {
        ChunkSamples back = {0};
        ChunkEncoding encoding;
        buf_clear(&b);
        size_t n =
            chunk_encode_histograms(&b, s->histogram_t_ms.v + i, s->histograms.v + i, s->histograms.n - i, &encoding);
        ErrCode code = chunk_decode((uint8_t)encoding, buf_str(&b), arena, &back, NULL);
        ASSERT(code == ERR_TOO_LARGE || (code == OK && back.histograms.n == n));
        i += n;
    }
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Arena *arena = arena_create((size_t)32 << 20);
    ChunkSamples s = {0};
    if (chunk_decode(data[0], str_of((const char *)data + 1, size - 1), arena, &s, NULL) == OK) again(&s, arena);
    arena_free(arena);
    return 0;
}
