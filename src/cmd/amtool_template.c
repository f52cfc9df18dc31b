/* amtool_template.c - `meerkat alert template render`: a notification template against an example, or data of one's
 * own. */
#include "cmd/amtool_int.h"

#include "alert/notify.h"

#include "sys/clock.h"

#include <stdio.h>

#define DATA_MAX ((size_t)64 << 20)

/* The templates of all globs; NULL after a message. */
static NotifyTemplates *load(Amtool *a) {
    NotifyTemplates *t = NULL;
    DiagList diags;
    Str globs[AMTOOL_REPEATS_MAX];
    for (size_t i = 0; i < a->n_globs; i++) globs[i] = str_cstr(a->globs[i]);
    diag_init(&diags, STR("--template.glob"), STR_NULL);
    (void)notify_templates_load(globs, NULL, a->n_globs, STR_NULL, &t, &diags);
    vec_foreach(Diag, d, &diags.items) {
        const char *own = strstr(d->msg, "template: "); /* it says the file itself */
        if (d->level == DIAG_ERROR) amtool_error("%s", own ? own : d->msg);
    }
    diag_done(&diags);
    return t;
}

int amtool_template(Amtool *a) {
    if (a->n_args != 1 || strcmp(a->args[0], "render") != 0) return command_usage("alert template wants render");
    if (!a->n_globs) return amtool_usage("required flag(s) '--template.glob' not provided");
    if (!a->template_text) return amtool_usage("required flag(s) '--template.text' not provided");
    bool html = a->template_type && strcmp(a->template_type, "html") == 0;
    if (a->template_type && !html && strcmp(a->template_type, "text") != 0)
        return amtool_usage("enum value must be one of html,text, got '%s'", a->template_type);
    Str data = STR_NULL, text;
    if (a->template_data && !amtool_read_file(a, a->template_data, DATA_MAX, &data)) return 1;
    NotifyTemplates *t = load(a);
    if (!t) return 1;
    Err err = {0};
    ErrCode rc = notify_render(t, str_cstr(a->template_text), html, data, clock_now_ns(), a->arena, &text, &err);
    if (rc == OK) fwrite(text.p ? text.p : "", 1, text.n, stdout);
    notify_templates_free(t);
    return rc == OK ? 0 : amtool_error("%s", err.msg);
}
