/* amlabel.h - texts of label sets and matchers as Alertmanager writes them: group keys, routes, logs.
 *
 * These texts are identities: the SHA-256 of a group key is what PagerDuty and others join incidents by, so they are
 * the original's, byte for byte. */
#ifndef MEERKAT_ALERT_AMLABEL_H
#define MEERKAT_ALERT_AMLABEL_H

#include "model/labels.h"

/* {a="b", c="d"}: a label set as common/model prints it; names that are no identifiers are quoted. */
void amlabel_put_set(Buf *out, Labels l);
/* a="b", a=~"b": with the value's backslash, newline and quote escaped; a name with reserved characters quotes both. */
void amlabel_put_matcher(Buf *out, const Matcher *m);
/* {a="b",c!="d"} in the given order. */
void amlabel_put_matchers(Buf *out, Matchers ms);
/* common/model's order of label sets: fewer labels first, then name by name. */
int amlabel_cmp_set(Labels a, Labels b);
const char *amlabel_op(MatchType type); /* "=", "!=", "=~", "!~" */
/* By name, value, type: the order of route keys. */
int amlabel_cmp_matcher(const Matcher *a, const Matcher *b);

#endif
