/* timefmt.h - points in time and durations as text. Times are int64 ns or ms since the epoch, UTC. */
#ifndef MEERKAT_BASE_TIMEFMT_H
#define MEERKAT_BASE_TIMEFMT_H

#include "base/buf.h"
#include "base/str.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define MS_PER_S INT64_C(1000)

/* The proleptic Gregorian calendar; days since 1970-01-01, months and days from 1. */
int64_t time_days_from_civil(int64_t year, int64_t month, int64_t day);
void time_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

/* RFC 3339 with any fraction and offset; "2026-11-20T13:41:00.5Z". */
ATTR_MUST bool time_parse_rfc3339(Str s, int64_t *ret_ns);
/* The same in milliseconds, rounded down: any year from 0000 to 9999. */
ATTR_MUST bool time_parse_rfc3339_ms(Str s, int64_t *ret_ms);
void time_put_rfc3339(Buf *b, int64_t ns);    /* trailing zeros of the fraction dropped, as Go's RFC3339Nano */
void time_put_rfc3339_ms(Buf *b, int64_t ns); /* always three digits, for logs */
/* Prometheus duration: 1h30m, 5m, 100ms, 1y2w3d; units long to short, each once; "0" is fine. */
ATTR_MUST bool duration_parse_prom(Str s, int64_t *ret_ms);
void duration_put_prom(Buf *b, int64_t ms); /* 90000 -> 1m30s, as Prometheus prints it */
/* Go duration: 1.5s, 1h2m3.4s, 300us, 300\u00b5s, -2m. */
ATTR_MUST bool duration_parse_go(Str s, int64_t *ret_ns);
void duration_put_go(Buf *b, int64_t ns);                  /* as time.Duration.String */
ATTR_MUST bool duration_parse_any(Str s, int64_t *ret_ns); /* Go's notation or Prometheus' */

/* What Loki's and Tempo's clients send as parameters. False: *ret_ns is as before.
 * A point in time: up to ten digits are seconds since the epoch, more are nanoseconds, with a decimal point seconds to
 * the millisecond; else RFC 3339. */
ATTR_MUST bool time_parse_param(Str s, int64_t *ret_ns);
ATTR_MUST bool duration_parse_param(Str s, int64_t *ret_ns); /* a number of seconds, or any duration */

#endif
