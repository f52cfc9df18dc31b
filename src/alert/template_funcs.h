/* template_funcs.h - functions that templates of rules and of notifications share. */
#ifndef MEERKAT_ALERT_TEMPLATE_FUNCS_H
#define MEERKAT_ALERT_TEMPLATE_FUNCS_H

#include "lang/gotmpl.h"

/* Numbers, texts of numbers and durations; else "can't convert T to float". */
ErrCode template_to_float(GoCall *c, GoValue v, double *ret);
/* A result of its own in the call's arena; empties b. */
ErrCode template_return(GoCall *c, Buf *b, GoValue *ret);
/* %.4g and a unit: what the humanize functions are made of. */
void template_put_4g(Buf *out, double v);
/* First letters of words in upper case; lower: all others in lower case, else they stay. */
void template_put_title(Buf *out, Str s, bool lower);
void template_put_upper(Buf *out, Str s);
void template_put_lower(Buf *out, Str s);

typedef ErrCode TemplateFn(GoCall *c, const GoValue *args, size_t n, GoValue *ret);
TemplateFn template_to_upper, template_to_lower, template_match, template_re_replace_all, template_safe_html,
    template_humanize_duration;

#endif
