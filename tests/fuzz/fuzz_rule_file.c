/* Rule files of any content: rules or diagnostics; what was read can be linted, counted and written as YAML that reads
 * back to the same text. */
#include "alert/rule_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const RuleGroupDef *g) {
    Buf first = {0}, second = {0};
    Arena *arena = arena_create(16u << 20);
    DiagList diags;
    RuleGroupDef again;
    rule_group_put_yaml(&first, g, 0);
    diag_init(&diags, STR("again.yml"), buf_str(&first));
    if (rule_group_parse(&(RuleFileOptions){0}, arena, &again, &diags) == OK) {
        rule_group_put_yaml(&second, &again, 0);
        ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    }
    diag_done(&diags);
    arena_free(arena);
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create(16u << 20);
    RuleFile file;
    DiagList diags;
    Buf out = {0};
    diag_init(&diags, STR("fuzz.yml"), str_of((const char *)data, size));
    ErrCode code = rule_file_parse(&(RuleFileOptions){0}, arena, &file, &diags);
    ASSERT((code == OK) == (diag_error_count(&diags) == 0));
    if (code == OK) {
        rule_file_lint(&file, &diags);
        (void)rule_file_duplicates(&file, &out);
        for (size_t i = 0; i < file.n_groups; i++) read_back(&file.groups[i]);
    }
    diag_render(&diags, &out, false);
    buf_done(&out);
    diag_done(&diags);
    arena_free(arena);
    return 0;
}
