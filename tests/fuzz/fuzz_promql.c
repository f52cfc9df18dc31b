/* Parses arbitrary text as PromQL; what parses must print, and the print must parse to the same print. */
#include "metrics/promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create((size_t)16 << 20);
    PqlNode *node;
    Matchers matchers;
    Err err = {0};
    Buf first = {0}, second = {0}, pretty = {0};
    Str text = {(const char *)data, size};
    if (promql_parse(text, arena, &node, &err) == OK) {
        promql_print(&first, node);
        promql_print_pretty(&pretty, node);
        ErrCode rc = promql_parse(buf_str(&first), arena, &node, &err);
        ASSERT(rc == OK || rc == ERR_TOO_LARGE);
        if (rc == OK) {
            promql_print(&second, node);
            ASSERT(str_eq(buf_str(&first), buf_str(&second)));
        }
    }
    if (promql_parse_selector(text, arena, &matchers, &err) == OK) ASSERT(matchers.n == 0 || matchers.v);
    buf_done(&first);
    buf_done(&second);
    buf_done(&pretty);
    arena_free(arena);
    return 0;
}
