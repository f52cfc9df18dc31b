/* Any text: parses or is refused with a message; what parses prints, and the print parses to an equal tree. */
#include "traces/traceql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 8192) return 0;
    Arena *arena = arena_create(16 << 20);
    Str src = str_of((const char *)data, size);
    const TraceQl *q, *again;
    TqlAttr attr;
    Err err = {0};
    (void)traceql_parse_attr(src, arena, &attr, NULL);
    ErrCode partial = traceql_parse_partial(src, arena, &again, NULL);
    ASSERT(partial == OK || partial == ERR_TOO_LARGE);
    if (traceql_parse(src, arena, &q, &err) != OK) {
        ASSERT(err.code != OK && err.msg[0]);
        arena_free(arena);
        return 0;
    }
    Buf first = {0}, second = {0};
    traceql_print(&first, q);
    ErrCode rc = traceql_parse(buf_str(&first), arena, &again, &err);
    if (rc == OK) {
        ASSERT(traceql_equal(q, again));
        traceql_print(&second, again);
        ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    } else { /* the canonical form's parentheses may nest too deeply */
        ASSERT(str_contains(str_cstr(err.msg), STR("nested too deeply")) || rc == ERR_TOO_LARGE);
    }
    buf_done(&first);
    buf_done(&second);
    arena_free(arena);
    return 0;
}
