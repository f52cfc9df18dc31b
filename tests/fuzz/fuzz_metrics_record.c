/* Write-ahead records of the metrics store with any content. */
#include "metrics/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create((size_t)16 << 20);
    RecordReader r;
    RecordItem item;
    if (record_reader_init(&r, str_of((const char *)data, size), arena)) {
        while (record_next(&r, &item) > 0) ASSERT(item.kind != RECORD_SAMPLES || item.n == 0 || item.t_ms);
    }
    arena_free(arena);
    return 0;
}
