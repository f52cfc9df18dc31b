/* rule_text.h - the templates in labels and annotations of alerts. */
#ifndef MEERKAT_ALERT_RULE_TEXT_H
#define MEERKAT_ALERT_RULE_TEXT_H

#include "metrics/promql/promql.h"

/* What a template of an alert may ask for. */
typedef struct RuleTextData {
    Labels labels, external_labels;
    Str external_url;
    double value;
    const Histogram *histogram; /* the value, when it is one */
    int64_t t_ms;               /* of the evaluation: queries run at it */
    /* The template's query function; NULL: it fails. */
    ErrCode (*query)(void *ctx, Str expr, int64_t t_ms, Arena *arena, PromqlResult *ret, Err *reterr);
    void *ctx;
} RuleTextData;

/* Whether the template parses; the message is Go's: template: NAME:LINE: ... */
ErrCode rule_text_check(Str name, Str text, Err *reterr);
/* Text without an action is given back as it is. A template that fails gives "<error expanding template: ...>", as
 * Prometheus does, and false. Everything lives in the arena. */
bool rule_text_expand(Str name, Str text, const RuleTextData *data, Arena *arena, Str *ret);

#endif
