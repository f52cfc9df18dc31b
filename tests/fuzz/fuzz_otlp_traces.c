/* fuzz_otlp_traces.c - an ExportTraceServiceRequest; the first byte chooses the memory it may use. */
#include "collect/otlp_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_attrs(const SpansBatch *b, AttrRange r) {
    ASSERT((size_t)r.first + r.n <= b->attrs.n);
    for (uint32_t i = r.first; i < r.first + r.n; i++) ASSERT(b->attrs.v[i].value.type <= ATTR_MAP);
}

static void check_row(const SpansBatch *b, const SpanRow *row) {
    ASSERT(row->resource < b->resources.n && row->scope < b->scopes.n);
    ASSERT(!trace_id_is_zero(row->trace_id) && !span_id_is_zero(row->span_id));
    ASSERT(row->start_ns >= 0 && row->end_ns >= row->start_ns);
    ASSERT(row->kind <= SPAN_CONSUMER && row->status <= SPAN_STATUS_ERROR);
    check_attrs(b, row->attrs);
    check_attrs(b, b->resources.v[row->resource].attrs);
    check_attrs(b, b->scopes.v[row->scope].attrs);
    ASSERT((size_t)row->events.first + row->events.n <= b->events.n);
    ASSERT((size_t)row->links.first + row->links.n <= b->links.n);
    for (uint32_t i = 0; i < row->events.n; i++) check_attrs(b, b->events.v[row->events.first + i].attrs);
    for (uint32_t i = 0; i < row->links.n; i++) check_attrs(b, b->links.v[row->links.first + i].attrs);
    ASSERT(str_is_utf8(row->name) && str_is_utf8(spans_batch_service(b, row)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Arena *arena = arena_create(data[0] == 0 ? ARENA_UNLIMITED : (size_t)data[0] * 1024);
    SpansBatch batch = {.arena = arena};
    OtlpRejects rejects = {0};
    Err err = {0};
    ErrCode r = otlp_decode_traces(str_of((const char *)data + 1, size - 1), &batch, &rejects, &err);
    ASSERT(r == OK || r == ERR_INVALID || (r == ERR_TOO_LARGE && data[0] != 0));
    ASSERT(r == err.code && (r == OK || err.msg[0] != 0));
    ASSERT((rejects.count > 0) == (rejects.message[0] != 0));
    if (r == OK) ASSERT(rejects.accepted == batch.rows.n);
    for (size_t i = 0; r == OK && i < batch.rows.n; i++) check_row(&batch, &batch.rows.v[i]);
    arena_free(arena);
    return 0;
}
