/* fuzz_jaeger_query.c - query strings through the parameter parsers of both Jaeger APIs, and trace ids. */
#include "base/base.h"
#include "traces/jaeger_query.h"
#include "traces/jaeger_trace.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create(4u << 20);
    Str input = str_of((const char *)data, size);
    for (int v3 = 0; v3 < 2; v3++) {
        HttpRequest req = {.method = HTTP_GET, .path = STR("/api/traces"), .query = input, .arena = arena};
        JaegerQuery q;
        Err err = {0};
        ErrCode e = v3 ? jaeger_parse_search_v3(&req, &q, &err)
                       : jaeger_parse_search(&req, INT64_C(1700000000000000000), &q, &err);
        ASSERT(e ? err.msg[0] != 0 : q.find.limit > 0);
    }
    TraceId id;
    Err err = {0};
    ErrCode e = jaeger_parse_trace_id(input, true, &id, &err);
    if (!e) {
        Buf text = {0};
        TraceId again;
        jaeger_put_trace_id(&text, id);
        ASSERT(jaeger_parse_trace_id(buf_str(&text), false, &again, NULL) == OK && trace_id_eq(id, again));
        buf_done(&text);
    }
    arena_free(arena);
    return 0;
}
