/* rule_text.c - labels and annotations: most are plain text, the others go through the template interpreter. */
#include "alert/rule_text.h"

#include "alert/rule_funcs.h"

/* What every rule's template begins with; places in error messages count it, as Prometheus' do. */
#define PRELUDE                                                                                                        \
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
#define OUTPUT_MAX (1u << 20)
#define STEPS_MAX 1000000
#define VALUES_MAX ((size_t)64 << 20) /* of what one expansion makes on its way; its evaluation has far more */

static GoTmpl *parse(Str name, Str text, Err *reterr, ErrCode *ret_code) {
    GoTmpl *t = gotmpl_create(rule_funcs, rule_n_funcs, true);
    Buf all = {0};
    buf_put_lit(&all, PRELUDE);
    buf_put_str(&all, text);
    *ret_code = gotmpl_parse(t, name, buf_str(&all), reterr);
    buf_done(&all);
    return t;
}

ErrCode rule_text_check(Str name, Str text, Err *reterr) {
    if (str_find(text, STR("{{")) == SIZE_MAX) return OK;
    ErrCode code;
    gotmpl_free(parse(name, text, reterr, &code));
    return code;
}

static ErrCode expand(Str name, Str text, const RuleTextData *data, size_t budget, Buf *out, Err *reterr) {
    ErrCode code;
    Arena *arena = arena_create(MIN(budget, VALUES_MAX));
    GoTmpl *t = parse(name, text, reterr, &code);
    if (code) {
        err_prefix(reterr, "error parsing template %" STR_FMT, STR_ARG(name));
    } else {
        GoTmplExec opts = {
            .arena = arena, .ctx = (void *)(uintptr_t)data, .max_output_bytes = OUTPUT_MAX, .max_steps = STEPS_MAX};
        code = gotmpl_exec(t, name, go_of_obj(rule_data_type, data), &opts, out, reterr);
        if (code) err_prefix(reterr, "error executing template %" STR_FMT, STR_ARG(name));
    }
    gotmpl_free(t);
    arena_free(arena);
    return code;
}

bool rule_text_expand(Str name, Str text, const RuleTextData *data, Arena *arena, Str *ret) {
    *ret = text;
    if (str_find(text, STR("{{")) == SIZE_MAX) return true;
    Buf out = {0};
    Err err = {0};
    ErrCode code = expand(name, text, data, arena_left_bytes(arena), &out, &err);
    if (code) {
        buf_clear(&out);
        buf_printf(&out, "<error expanding template: %s>", err.msg);
    }
    *ret = arena_copy(arena, buf_str(&out));
    if (!ret->p) *ret = STR("<error expanding template: out of memory>");
    buf_done(&out);
    return code == OK;
}
