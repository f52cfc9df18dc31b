/* Any bytes as the body of a push, in both encodings: a batch whose rows stay inside its pools, or an error. */
#include "logs/loki_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(ErrCode rc, const LogsBatch *b, uint64_t rejected, const Err *err) {
    if (rc || rejected) ASSERT(err->msg[0]);
    for (size_t i = 0; rc == OK && i < b->rows.n; i++) {
        const LogRow *r = &b->rows.v[i];
        ASSERT(r->stream < b->streams.n);
        ASSERT((size_t)r->metadata.first + r->metadata.n <= b->attrs.n);
        ASSERT(b->streams.v[r->stream].n > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const LokiPushLimits limits = {.line_bytes_max = 1024, .labels_max = 15};
    Str body = str_of((const char *)data, size);
    for (int proto = 0; proto < 2; proto++) {
        LogsBatch b = {.arena = arena_create(8 << 20)};
        Err err = {0};
        uint64_t rejected = 0;
        ErrCode rc = proto ? loki_push_decode_proto(body, &limits, &b, &rejected, &err)
                           : loki_push_decode_json(body, &limits, &b, &rejected, &err);
        check(rc, &b, rejected, &err);
        arena_free(b.arena);
    }
    return 0;
}
