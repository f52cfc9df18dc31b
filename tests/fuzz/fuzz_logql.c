/* Any text: parses or is refused with a message; what parses prints, and the print parses to the same print. */
#include "logs/logql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 8192) return 0;
    Arena *arena = arena_create(16 << 20);
    const LqExpr *e;
    Err err = {0};
    if (logql_parse(str_of((const char *)data, size), arena, &e, &err) != OK) {
        ASSERT(err.code != OK && err.msg[0]);
        arena_free(arena);
        return 0;
    }
    Buf first = {0}, second = {0};
    logql_print(&first, e);
    const LqExpr *again;
    ErrCode rc = logql_parse(buf_str(&first), arena, &again, &err);
    if (rc == OK) {
        logql_print(&second, again);
        ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    } else {
        /* Folded numbers may have become what has no literal; the canonical form's parentheses may nest too deeply. */
        bool no_literal = str_contains(buf_str(&first), STR("Inf")) || str_contains(buf_str(&first), STR("NaN"));
        ASSERT(no_literal || str_contains(str_cstr(err.msg), STR("nested too deeply")) || rc == ERR_TOO_LARGE);
    }
    buf_done(&first);
    buf_done(&second);
    arena_free(arena);
    return 0;
}
