/* fuzz_otlp_logs.c - an ExportLogsServiceRequest; the first byte chooses the memory it may use. */
#include "collect/otlp_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stream(Labels l) {
    ASSERT(l.n > 0);
    for (size_t i = 0; i < l.n; i++) {
        ASSERT(l.v[i].name.n > 0 && l.v[i].value.n > 0);
        ASSERT(i == 0 || str_cmp(l.v[i - 1].name, l.v[i].name) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Arena *arena = arena_create(data[0] == 0 ? ARENA_UNLIMITED : (size_t)data[0] * 1024);
    LogsBatch batch = {.arena = arena};
    OtlpRejects rejects = {0};
    Err err = {0};
    ErrCode r = otlp_decode_logs(str_of((const char *)data + 1, size - 1), 1, &batch, &rejects, &err);
    ASSERT(r == OK || r == ERR_INVALID || (r == ERR_TOO_LARGE && data[0] != 0));
    ASSERT(r == err.code && (r == OK || err.msg[0] != 0));
    ASSERT((rejects.count > 0) == (rejects.message[0] != 0));
    if (r == OK) ASSERT(rejects.accepted == batch.rows.n);
    for (size_t i = 0; r == OK && i < batch.rows.n; i++) {
        const LogRow *row = &batch.rows.v[i];
        ASSERT(row->stream < batch.streams.n && row->t_ns >= 0 && str_is_utf8(row->line));
        ASSERT((size_t)row->metadata.first + row->metadata.n <= batch.attrs.n);
        for (uint32_t j = 0; j < row->metadata.n; j++) {
            const Attr *a = &batch.attrs.v[row->metadata.first + j];
            ASSERT(a->value.type != ATTR_EMPTY && a->value.type <= ATTR_MAP && str_is_utf8(a->key));
        }
        check_stream(batch.streams.v[row->stream]);
    }
    arena_free(arena);
    return 0;
}
