/* relabel.h - Prometheus' relabelling: rules that rewrite, keep or drop a label set. All eleven actions.
 * Source: Prometheus configuration documentation, relabel_config. */
#ifndef MEERKAT_METRICS_RELABEL_H
#define MEERKAT_METRICS_RELABEL_H

#include "base/vec.h"
#include "codec/regex.h"
#include "model/labels.h"

typedef enum RelabelAction {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
} RelabelAction;

typedef struct RelabelRule {
    RelabelAction action;
    const Str *source_labels;
    size_t n_source_labels;
    Str separator, target_label, replacement, regex_text;
    const Regex *regex; /* anchored; freed with the arena of the configuration */
    uint64_t modulus;
} RelabelRule;

typedef struct RelabelRules {
    const RelabelRule *v;
    size_t n;
} RelabelRules;

/* false: no such action. */
ATTR_MUST bool relabel_action_parse(Str name, RelabelAction *ret);
Str relabel_action_name(RelabelAction a); /* "replace" */

/* A label set being rewritten: unsorted, names unique; new strings in the arena. */
typedef struct RelabelSet {
    Arena *arena;
    AVEC(Label) labels;
    bool legacy_names; /* replace makes no label whose name is beyond [a-zA-Z_][a-zA-Z0-9_]* */
} RelabelSet;
Str relabel_get(const RelabelSet *s, Str name); /* STR_NULL when absent */
/* An empty value removes. false: arena exhausted. */
ATTR_MUST bool relabel_set(RelabelSet *s, Str name, Str value);

typedef enum RelabelResult { RELABEL_KEPT, RELABEL_DROPPED, RELABEL_EXHAUSTED } RelabelResult;
RelabelResult relabel_apply(RelabelRules rules, RelabelSet *s);

#endif
