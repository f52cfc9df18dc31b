/* tz.h - wall-clock time in a zone of the system's time zone database (TZif files, RFC 8536), daylight saving included.
 *
 * Times are seconds since the epoch. Zones are immutable and may be shared between threads. */
#ifndef MEERKAT_ALERT_TZ_H
#define MEERKAT_ALERT_TZ_H

#include "base/err.h"
#include "base/str.h"

typedef struct Tz Tz;

#define TZ_NAME_MAX 12

typedef struct TzCivil {
    int64_t year;
    int month, day; /* 1-12, 1-31 */
    int hour, minute, second;
    int weekday; /* 0 = Sunday */
    int days_in_month;
    int offset_s;           /* east of Greenwich */
    char zone[TZ_NAME_MAX]; /* "CEST", "+03" */
} TzCivil;

/* "" and "UTC", "Local" (TZ of the environment, else the machine's), "Europe/Paris". ERR_NOT_FOUND with Go's words:
 * unknown time zone X. */
ErrCode tz_load(Str name, Tz **ret, Err *reterr);
Tz *tz_free(Tz *tz);
/* tz NULL: UTC. */
TzCivil tz_civil(const Tz *tz, int64_t unix_s);

#endif
