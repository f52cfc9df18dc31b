/* ammatch.h - the matcher languages of Alertmanager: routes, inhibition, silences, the API's filter.
 *
 * Two parsers: the UTF-8 one (0.27 and later: a="b", "with space"=~"x", braces optional) and the classic one (names are
 * identifiers, values may be unquoted or empty). Fallback, the default, tries both: UTF-8 first, classic when that
 * fails or when the two disagree. Error texts are the original's. */
#ifndef MEERKAT_ALERT_AMMATCH_H
#define MEERKAT_ALERT_AMMATCH_H

#include "base/json.h"
#include "model/labels.h"

typedef enum AmMatchMode { AM_MATCH_FALLBACK, AM_MATCH_UTF8, AM_MATCH_CLASSIC } AmMatchMode;

#define AM_MATCHER_TEXT_MAX 16384 /* bytes of one text */

/* Any number of matchers: {a="b",c!="d"} with or without braces. What they refer to lives in the arena. suggestion (may
 * be NULL): what to write instead when only the classic parser understood it, else empty. */
ErrCode ammatch_parse_list(Str text, AmMatchMode mode, Arena *arena, Matchers *ret, Str *ret_suggestion, Err *reterr);
/* Exactly one, without braces: the API's filter, arguments of the command line. */
ErrCode ammatch_parse_one(Str text, AmMatchMode mode, Arena *arena, const Matcher **ret, Err *reterr);
/* Label names of routes, silences, alerts: any UTF-8 that is not empty, or identifiers in classic mode. */
bool ammatch_label_name_ok(Str name, AmMatchMode mode);
/* How the API's filter looks at an alert: as a matcher, but that an absent label and a!="" are told apart from an empty
 * one (the original's matchFilterLabels). */
bool ammatch_filter(Matchers ms, Labels l);
/* {"isEqual","isRegex","name","value"}, as API v2 has it. */
void ammatch_put_json(JsonWriter *w, const Matcher *m);

#endif
