/* The queue of remote write: frames, and the records in them, as a broken disk may give them back. */
#include "metrics/remote/spool.h"

#include "metrics/remote/remote_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str rest = str_of((const char *)data, size), payload;
    for (size_t n; (n = spool_frame(rest, &payload)) > 0; rest = str_skip(rest, n)) {
        ASSERT(n <= rest.n && payload.n <= n);
        Arena *arena = arena_create(16u << 20);
        MetricsBatch batch = {.arena = arena};
        if (remote_record_decode(payload, &batch)) ASSERT(batch.t_ms.n == batch.value.n);
        arena_free(arena);
    }
    Arena *arena = arena_create(16u << 20); /* without a frame, so that the checksum does not keep the fuzzer out */
    MetricsBatch batch = {.arena = arena};
    if (remote_record_decode(str_of((const char *)data, size), &batch)) ASSERT(batch.t_ms.n == batch.value.n);
    arena_free(arena);
    return 0;
}
