/* rule_funcs.h - the functions of rule templates, as Prometheus documents them ("Template reference"). */
#ifndef MEERKAT_ALERT_RULE_FUNCS_H
#define MEERKAT_ALERT_RULE_FUNCS_H

#include "alert/rule_text.h"
#include "lang/gotmpl.h"

/* They are called with a RuleTextData as context. */
extern const GoFunc rule_funcs[];
extern const size_t rule_n_funcs;
extern const GoType rule_data_type[1];             /* obj: RuleTextData: .Labels .ExternalLabels .ExternalURL .Value */
GoValue rule_labels_value(Labels l, Arena *arena); /* map[string]string */

#endif
