/* rule_packs.h - rule files that come with the program, by name: examples/rules in the source. */
#ifndef MEERKAT_ALERT_RULE_PACKS_H
#define MEERKAT_ALERT_RULE_PACKS_H

#include "alert/rules.h"

/* "llm", "node", ... ret: name ("pack:llm") and text, both static. false: none of that name; ret_near is the nearest
 * one or empty. */
bool rule_pack_find(Str name, RuleText *ret, Str *ret_near);
/* All of them, sorted. */
const RuleText *rule_packs(size_t *ret_n);

#endif
