/* rule_text.c - labels and annotations: most are plain text, the others go through the template interpreter. */
#include "alert/rule_text.h"

#include "base/num.h"

ErrCode rule_text_check(Str name, Str text, Err *reterr) {
    (void)name;
    size_t open = str_find(text, STR("{{"));
    if (open == SIZE_MAX || str_find(str_skip(text, open), STR("}}")) != SIZE_MAX) return OK;
    return err_set(reterr, ERR_INVALID, "template: %" STR_FMT ":1: unclosed action", STR_ARG(name));
}

static void put_action(Buf *out, Str action, const RuleTextData *d) {
    if (str_eq_lit(action, "$value")) {
        num_put_f64_go_g(out, d->value);
    } else if (str_starts_with(action, STR("$labels."))) {
        buf_put_str(out, labels_get(d->labels, str_skip(action, 8)));
    }
}

bool rule_text_expand(Str name, Str text, const RuleTextData *data, Arena *arena, Str *ret) {
    (void)name;
    *ret = text;
    if (str_find(text, STR("{{")) == SIZE_MAX) return true;
    Buf out = {0};
    size_t at;
    while ((at = str_find(text, STR("{{"))) != SIZE_MAX) {
        buf_put_str(&out, str_slice(text, 0, at));
        text = str_skip(text, at + 2);
        size_t end = str_find(text, STR("}}"));
        if (end == SIZE_MAX) break;
        put_action(&out, str_trim(str_slice(text, 0, end)), data);
        text = str_skip(text, end + 2);
    }
    buf_put_str(&out, text);
    *ret = arena_copy(arena, buf_str(&out));
    buf_done(&out);
    return ret->p != NULL;
}
