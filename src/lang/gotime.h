/* gotime.h - time.Time and time.Duration for templates: their methods, their text, layouts of Format and Parse. */
#ifndef MEERKAT_LANG_GOTIME_H
#define MEERKAT_LANG_GOTIME_H

#include "lang/govalue.h"

typedef struct GoTime {
    int64_t unix_s;
    int32_t ns;
    int32_t offset_s; /* east of Greenwich */
    Str zone;         /* "UTC", "CEST" */
} GoTime;

#define GO_TIME_ZERO_S INT64_C(-62135596800) /* January 1, year 1: time.Time{} */

extern const GoType go_time[1];     /* obj: GoTime */
extern const GoType go_duration[1]; /* i: ns */
extern const GoType go_month[1], go_weekday[1];

/* In UTC; ns since the epoch. No value when the arena is used up. */
GoValue go_of_time(Arena *arena, int64_t ns);
GoValue go_of_time_zero(Arena *arena);
GoValue go_of_gotime(Arena *arena, GoTime t);
static inline GoValue go_of_duration(int64_t ns) { return (GoValue){.type = go_duration, .i = ns}; }
/* ns since the epoch, INT64_MIN or INT64_MAX when it does not fit. */
int64_t go_time_ns(const GoTime *t);
void go_time_format(Buf *out, const GoTime *t, Str layout);
void go_time_put_rfc3339(Buf *out, const GoTime *t); /* RFC3339Nano, as in JSON */
/* time.Parse; the message is Go's. */
ErrCode go_time_parse(Str layout, Str text, GoTime *ret, Err *reterr);

#endif
