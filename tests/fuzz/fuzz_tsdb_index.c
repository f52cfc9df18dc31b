/* A block's index file with any content: every series it claims to have is read. */
#include "metrics/tsdb/tindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    IndexReader r;
    if (index_reader_open(str_of((const char *)data, size), &r, NULL) != OK) return 0;
    Arena *arena = arena_create((size_t)16 << 20);
    for (size_t i = 0; i < r.n_series; i++) {
        Labels labels;
        ChunkMeta *chunks;
        size_t n;
        uint64_t ref;
        arena_reset(arena);
        if (index_reader_series(&r, i, arena, &labels, &chunks, &n, &ref, NULL) != OK) continue;
        for (size_t k = 0; k < labels.n; k++) ASSERT(labels.v[k].name.n <= size && labels.v[k].value.n <= size);
    }
    arena_free(arena);
    index_reader_done(&r);
    return 0;
}
