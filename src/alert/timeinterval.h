/* timeinterval.h - named sets of calendar times: mute_time_intervals, active_time_intervals, recurring silences.
 *
 * Semantics and error texts are Alertmanager's: the fields of one interval are ANDed, ranges of a field and the
 * intervals of a set ORed; ends of times are exclusive, all else inclusive; days of the month may count from its end.
 */
#ifndef MEERKAT_ALERT_TIMEINTERVAL_H
#define MEERKAT_ALERT_TIMEINTERVAL_H

#include "alert/tz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "codec/yaml.h"

typedef struct TimeRange {
    int begin, end;
} TimeRange;
typedef struct TimeRanges {
    const TimeRange *v;
    size_t n;
} TimeRanges; /* n == 0: any */

typedef struct TimeInterval {
    TimeRanges times /* minutes of the day, end exclusive */, weekdays, days_of_month, months, years;
    const Tz *tz; /* NULL: UTC */
    Str location; /* as written */
} TimeInterval;

typedef struct TimeIntervalSet {
    Str name;
    const TimeInterval *v;
    size_t n;
    int line;
} TimeIntervalSet;

/* A sequence of intervals. Zones are freed with the arena. Problems go into diags. */
ErrCode timeintervals_parse(const YamlNode *list, Arena *arena, TimeIntervalSet *ret, DiagList *diags);
bool timeinterval_contains(const TimeInterval *t, int64_t unix_s);
bool timeintervals_contain(const TimeIntervalSet *set, int64_t unix_s);
/* The first second at or after from, and not after until, at which the answer of timeintervals_contain is want;
 * INT64_MAX when there is none. Calendar times change on whole minutes only. */
int64_t timeintervals_next(const TimeIntervalSet *set, bool want, int64_t from, int64_t until);

#endif
