/* Templates from strangers: parse, execute over a little data, escaped and not. */
#include "lang/gotmpl_fixture_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    Arena *arena = arena_create(4u << 20);
    GoTmpl *t = gotmpl_create(fx_funcs, ARRAY_LEN(fx_funcs), data[0] & 1);
    Err err = {0};
    if (!gotmpl_parse(t, STR("t"), str_of((const char *)data + 1, size - 1), &err)) {
        GoTmplExec opts = {.arena = arena, .html = data[0] & 2, .max_output_bytes = 1u << 20, .max_steps = 20000};
        Buf out = {0};
        gotmpl_exec(t, STR("t"), go_of_obj(data_type, "data"), &opts, &out, &err);
        buf_done(&out);
    }
    gotmpl_free(t);
    arena_free(arena);
    return 0;
}
