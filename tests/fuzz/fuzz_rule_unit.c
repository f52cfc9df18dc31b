/* Files of unit tests of any content, up to where their tests would run. */
#include "alert/rule_unit_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create(16u << 20);
    UnitFile file;
    DiagList diags;
    diag_init(&diags, STR("fuzz.yml"), str_of((const char *)data, size));
    ErrCode code = rule_unit_parse(arena, false, &file, &diags);
    ASSERT((code == OK) == (diag_error_count(&diags) == 0));
    for (size_t i = 0; code == OK && i < file.n_tests; i++)
        for (size_t k = 0; k < file.tests[i].n_series; k++) {
            NotedSeries s;
            const UnitSeries *u = &file.tests[i].series[k];
            Str line = arena_printf(arena, "%" STR_FMT " %" STR_FMT, STR_ARG(u->series), STR_ARG(u->values));
            if (line.p) (void)promql_parse_noted(line, arena, &s, NULL);
        }
    diag_done(&diags);
    arena_free(arena);
    return 0;
}
