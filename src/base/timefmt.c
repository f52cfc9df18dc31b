#include "base/timefmt.h"

#include "base/num.h"

#include <math.h>

enum { S_PER_DAY = 86400 };

/* --- the proleptic Gregorian calendar; years start in March so that leap days come last --- */

int64_t time_days_from_civil(int64_t y, int64_t month, int64_t day) {
    y -= month <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void time_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    *ret_day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static int days_in_month(int year, int month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* --- RFC 3339 --- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Exactly `digits` digits with a value up to max, then the byte `then` (0: nothing). */
static bool take_field(Str *s, size_t digits, int max, char then, int *ret) {
    if (s->n < digits + (then != 0)) return false;
    int v = 0;
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit(s->p[i])) return false;
        v = v * 10 + (s->p[i] - '0');
    }
    if (v > max || (then && (s->p[digits] & ~(then == 'T' ? 0x20 : 0)) != then)) return false;
    *s = str_skip(*s, digits + (then != 0));
    *ret = v;
    return true;
}

/* ".5" and so on, or ",5" as Go takes it; digits beyond nanoseconds are dropped. */
static bool take_fraction(Str *s, int64_t *ret_ns) {
    *ret_ns = 0;
    if (s->n == 0 || (s->p[0] != '.' && s->p[0] != ',')) return true;
    size_t i = 1;
    int64_t unit = NS_PER_S / 10;
    for (; i < s->n && is_digit(s->p[i]); i++, unit /= 10) *ret_ns += (s->p[i] - '0') * unit;
    *s = str_skip(*s, i);
    return i > 1;
}

static bool take_offset(Str *s, int64_t *ret_s) {
    *ret_s = 0;
    if (s->n == 0) return false;
    char c = s->p[0];
    *s = str_skip(*s, 1);
    if (c == 'Z' || c == 'z') return true;
    int hours, minutes;
    if ((c != '+' && c != '-') || !take_field(s, 2, 23, ':', &hours) || !take_field(s, 2, 59, 0, &minutes))
        return false;
    *ret_s = (c == '-' ? -1 : 1) * (int64_t)(hours * 60 + minutes) * 60;
    return true;
}

/* Whole seconds since 1970, rounded down, and the nanoseconds above them. */
static bool parse_parts(Str s, int64_t *ret_s, int64_t *ret_ns) {
    int year, month, day, hour, minute, second;
    int64_t offset_s;
    if (!take_field(&s, 4, 9999, '-', &year) || !take_field(&s, 2, 12, '-', &month) ||
        !take_field(&s, 2, 31, 'T', &day) || !take_field(&s, 2, 23, ':', &hour) ||
        !take_field(&s, 2, 59, ':', &minute) || !take_field(&s, 2, 59, 0, &second) || !take_fraction(&s, ret_ns) ||
        !take_offset(&s, &offset_s) || s.n != 0)
        return false;
    if (month < 1 || day < 1 || day > days_in_month(year, month)) return false;
    *ret_s = time_days_from_civil(year, month, day) * S_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
    return true;
}

bool time_parse_rfc3339(Str s, int64_t *ret_ns) {
    int64_t t, fraction_ns, ns;
    if (!parse_parts(s, &t, &fraction_ns)) return false;
    if (t < 0 && fraction_ns > 0) { /* towards zero, so that the first representable nanoseconds do not overflow */
        t++;
        fraction_ns -= NS_PER_S;
    }
    if (__builtin_mul_overflow(t, NS_PER_S, &ns) || __builtin_add_overflow(ns, fraction_ns, &ns)) return false;
    *ret_ns = ns;
    return true;
}

bool time_parse_rfc3339_ms(Str s, int64_t *ret_ms) {
    int64_t t, fraction_ns;
    if (!parse_parts(s, &t, &fraction_ns)) return false;
    *ret_ms = t * 1000 + fraction_ns / NS_PER_MS;
    return true;
}

static void put_padded(Buf *b, uint64_t v, size_t width) {
    buf_reserve(b, width);
    for (size_t i = width; i-- > 0; v /= 10) b->p[b->n + i] = (char)('0' + v % 10);
    b->n += width;
}

/* Up to the seconds; gives the nanoseconds that are left. */
static uint64_t put_seconds(Buf *b, int64_t ns) {
    int64_t t = ns / NS_PER_S, rest = ns % NS_PER_S;
    if (rest < 0) t--, rest += NS_PER_S;
    int64_t days = t / S_PER_DAY, second = t % S_PER_DAY, year;
    if (second < 0) days--, second += S_PER_DAY;
    int month, day;
    time_civil_from_days(days, &year, &month, &day);
    put_padded(b, (uint64_t)year, 4); /* 1677 to 2262 is all that fits in ns */
    buf_put_char(b, '-'), put_padded(b, (uint64_t)month, 2);
    buf_put_char(b, '-'), put_padded(b, (uint64_t)day, 2);
    buf_put_char(b, 'T'), put_padded(b, (uint64_t)(second / 3600), 2);
    buf_put_char(b, ':'), put_padded(b, (uint64_t)(second / 60 % 60), 2);
    buf_put_char(b, ':'), put_padded(b, (uint64_t)(second % 60), 2);
    return (uint64_t)rest;
}

/* ".123" of v / 10^width without trailing zeros; nothing for 0. */
static void put_fraction(Buf *b, uint64_t v, size_t width) {
    if (v == 0) return;
    for (; v % 10 == 0; v /= 10) width--;
    buf_put_char(b, '.');
    put_padded(b, v, width);
}

void time_put_rfc3339(Buf *b, int64_t ns) {
    put_fraction(b, put_seconds(b, ns), 9);
    buf_put_char(b, 'Z');
}

void time_put_rfc3339_ms(Buf *b, int64_t ns) {
    uint64_t rest = put_seconds(b, ns);
    buf_put_char(b, '.');
    put_padded(b, rest / (uint64_t)NS_PER_MS, 3);
    buf_put_char(b, 'Z');
}

/* --- Prometheus durations --- */

static const struct {
    char name[3];
    int64_t ms;
    bool exact; /* printed only when nothing smaller would be left: 90d reads better than 12w6d */
} prom_units[] = {
    {"y", INT64_C(365) * S_PER_DAY * 1000, true},
    {"w", INT64_C(7) * S_PER_DAY * 1000, true},
    {"d", INT64_C(1) * S_PER_DAY * 1000, false},
    {"h", 3600000, false},
    {"m", 60000, false},
    {"s", 1000, false},
    {"ms", 1, false},
};

static size_t letters_at(Str s, size_t from) {
    size_t i = from;
    while (i < s.n && !is_digit(s.p[i]) && s.p[i] != '.') i++;
    return i - from;
}

bool duration_parse_prom(Str s, int64_t *ret_ms) {
    if (str_eq_lit(s, "0")) {
        *ret_ms = 0;
        return true;
    }
    if (s.n == 0) return false;
    int64_t total = 0;
    for (size_t next_unit = 0; s.n > 0;) {
        size_t digits = 0;
        while (digits < s.n && is_digit(s.p[digits])) digits++;
        int64_t v, part;
        if (!is_digit(s.p[0]) || !num_parse_i64(str_slice(s, 0, digits), &v)) return false;
        size_t letters = letters_at(s, digits);
        Str unit = str_slice(s, digits, digits + letters);
        while (next_unit < ARRAY_LEN(prom_units) && !str_eq(unit, str_cstr(prom_units[next_unit].name))) next_unit++;
        if (next_unit == ARRAY_LEN(prom_units)) return false;
        if (__builtin_mul_overflow(v, prom_units[next_unit].ms, &part) || __builtin_add_overflow(total, part, &total))
            return false;
        next_unit++;
        s = str_skip(s, digits + letters);
    }
    if (total > INT64_MAX / NS_PER_MS) return false; /* as Go: it has to fit in ns */
    *ret_ms = total;
    return true;
}

void duration_put_prom(Buf *b, int64_t ms) {
    if (ms == 0) {
        buf_put_lit(b, "0s");
        return;
    }
    if (ms < 0) buf_put_char(b, '-');
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    for (size_t i = 0; i < ARRAY_LEN(prom_units); i++) {
        uint64_t unit = (uint64_t)prom_units[i].ms;
        if (left < unit || (prom_units[i].exact && left % unit != 0)) continue;
        num_put_u64(b, left / unit);
        buf_put_str(b, str_cstr(prom_units[i].name));
        left %= unit;
    }
}

/* --- Go durations --- */

static int64_t go_unit_ns(Str unit) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"\u00b5s", 1000}, {"\u03bcs", 1000}, {"ms", NS_PER_MS}, {"s", NS_PER_S},
        {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_eq(unit, str_cstr(units[i].name))) return units[i].ns;
    return 0;
}

/* One "1.5h". The fraction is scaled in floating point because Go does so and the last digit shows it. */
static bool take_go_part(Str *s, uint64_t *total) {
    const uint64_t limit = UINT64_C(1) << 63;
    uint64_t whole = 0, fraction = 0;
    double scale = 1;
    size_t i = 0, digits = 0;
    for (; i < s->n && is_digit(s->p[i]); i++, digits++) {
        if (whole > limit / 10) return false;
        whole = whole * 10 + (uint64_t)(s->p[i] - '0');
    }
    if (i < s->n && s->p[i] == '.') {
        bool full = false;
        for (i++; i < s->n && is_digit(s->p[i]); i++, digits++) {
            uint64_t next = fraction * 10 + (uint64_t)(s->p[i] - '0');
            full = full || fraction > (limit - 1) / 10 || next > limit;
            if (full) continue;
            fraction = next;
            scale *= 10;
        }
    }
    size_t letters = letters_at(*s, i);
    uint64_t unit = (uint64_t)go_unit_ns(str_slice(*s, i, i + letters));
    if (digits == 0 || unit == 0 || whole > limit / unit) return false;
    whole = whole * unit + (uint64_t)((double)fraction * ((double)unit / scale));
    if (whole > limit || *total + whole > limit) return false;
    *total += whole;
    *s = str_skip(*s, i + letters);
    return true;
}

bool duration_parse_go(Str s, int64_t *ret_ns) {
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    uint64_t total = 0;
    if (s.n == 0) return false;
    if (!str_eq_lit(s, "0"))
        while (s.n > 0)
            if (!take_go_part(&s, &total)) return false;
    if (total > (uint64_t)INT64_MAX + negative) return false;
    *ret_ns = (int64_t)(negative ? 0 - total : total);
    return true;
}

void duration_put_go(Buf *b, int64_t ns) {
    if (ns == 0) {
        buf_put_lit(b, "0s");
        return;
    }
    if (ns < 0) buf_put_char(b, '-');
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, second = (uint64_t)NS_PER_S;
    if (u < second) {
        size_t width = u < 1000 ? 0 : u < 1000000 ? 3 : 6;
        uint64_t unit = u < 1000 ? 1 : u < 1000000 ? 1000 : 1000000;
        num_put_u64(b, u / unit);
        put_fraction(b, u % unit, width);
        buf_put_str(b, width == 0 ? STR("ns") : width == 3 ? STR("\u00b5s") : STR("ms"));
        return;
    }
    uint64_t s = u / second;
    if (s >= 3600) num_put_u64(b, s / 3600), buf_put_char(b, 'h');
    if (s >= 60) num_put_u64(b, s / 60 % 60), buf_put_char(b, 'm');
    num_put_u64(b, s % 60);
    put_fraction(b, u % second, 9);
    buf_put_char(b, 's');
}

bool duration_parse_any(Str s, int64_t *ret_ns) {
    int64_t ms, ns;
    if (duration_parse_go(s, ret_ns)) return true;
    if (!duration_parse_prom(s, &ms) || __builtin_mul_overflow(ms, NS_PER_MS, &ns)) return false;
    *ret_ns = ns;
    return true;
}

/* --- parameters --- */

#define SECONDS_MAX 9.2e9 /* in nanoseconds they fit into int64 */

bool time_parse_param(Str s, int64_t *ret_ns) {
    int64_t n, ns;
    double f;
    if (num_parse_i64(s, &n)) {
        if (s.n > 10)
            ns = n;
        else if (__builtin_mul_overflow(n, NS_PER_S, &ns))
            return false;
        *ret_ns = ns;
        return true;
    }
    if (str_find_char(s, '.') == SIZE_MAX || !num_parse_f64(s, &f)) return time_parse_rfc3339(s, ret_ns);
    if (!(fabs(f) < SECONDS_MAX)) return false; /* NaN too */
    double whole = floor(f);
    *ret_ns = (int64_t)whole * NS_PER_S + (int64_t)floor((f - whole) * 1e3 + 0.5) * NS_PER_MS;
    return true;
}

bool duration_parse_param(Str s, int64_t *ret_ns) {
    double f;
    if (!num_parse_f64(s, &f)) return duration_parse_any(s, ret_ns);
    if (!(fabs(f) < SECONDS_MAX)) return false; /* NaN too */
    *ret_ns = (int64_t)(f * 1e9);
    return true;
}
