/* gotime_int.h - between layouts and methods of times. Private to lang. */
#ifndef MEERKAT_LANG_GOTIME_INT_H
#define MEERKAT_LANG_GOTIME_INT_H

#include "lang/gotime.h"

typedef struct GoClock {
    int64_t year;
    int month, day, hour, minute, second, weekday, year_day; /* weekday 0: Sunday; the others as written */
} GoClock;

extern const char *const go_month_names[12], *const go_weekday_names[7];
GoClock go_time_clock(const GoTime *t); /* in t's zone */

#endif
