/* fuzz_span_payload.c - bytes as a log record of the trace store: whatever passes the check must decode. */
#include "base/base.h"
#include "traces/span_codec.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SpanPayload p;
    if (!span_payload_open(str_of((const char *)data, size), &p)) return 0;
    SpansBatch batch = {.arena = arena_create(ARENA_UNLIMITED)};
    SpanSink sink;
    span_sink_init(&sink, &batch);
    Cursor c = cursor_of(p.rows);
    for (uint32_t i = 0; i < p.n_rows; i++) ASSERT(span_sink_row(&sink, &p, cursor_lenstr(&c)));
    span_batch_sort_dedupe(&batch);
    span_sink_done(&sink);
    span_payload_done(&p);
    arena_free(batch.arena);
    return 0;
}
