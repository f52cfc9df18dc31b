/* gotime.c - layouts: "2006-01-02 15:04:05" as a picture of the time; and reading by them. */
#include "lang/gotime_int.h"

#include "base/timefmt.h"
#include "lang/lexer.h"

#include <stdio.h>

/* clang-format off */
typedef enum Piece {
    P_NONE,
    P_LONG_MONTH, P_MONTH, P_NUM_MONTH, P_ZERO_MONTH,
    P_LONG_WEEKDAY, P_WEEKDAY,
    P_DAY, P_UNDER_DAY, P_ZERO_DAY, P_UNDER_YEAR_DAY, P_ZERO_YEAR_DAY,
    P_HOUR, P_HOUR12, P_ZERO_HOUR12, P_MINUTE, P_ZERO_MINUTE, P_SECOND, P_ZERO_SECOND,
    P_LONG_YEAR, P_YEAR, P_PM, P_pm, P_TZ,
    P_ISO_TZ, P_ISO_SECONDS_TZ, P_ISO_SHORT_TZ, P_ISO_COLON_TZ, P_ISO_COLON_SECONDS_TZ,
    P_NUM_TZ, P_NUM_SECONDS_TZ, P_NUM_SHORT_TZ, P_NUM_COLON_TZ, P_NUM_COLON_SECONDS_TZ,
    P_FRACTION_0, P_FRACTION_9,
} Piece;

const char *const go_month_names[12] = {"January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December"};
const char *const go_weekday_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* Longer ones first where one begins with the other. */
static const struct {
    const char *text;
    Piece piece;
} pieces[] = {
    {"January", P_LONG_MONTH}, {"Jan", P_MONTH}, {"Monday", P_LONG_WEEKDAY}, {"Mon", P_WEEKDAY}, {"MST", P_TZ},
    {"002", P_ZERO_YEAR_DAY}, {"01", P_ZERO_MONTH}, {"02", P_ZERO_DAY}, {"03", P_ZERO_HOUR12}, {"04", P_ZERO_MINUTE},
    {"05", P_ZERO_SECOND}, {"06", P_YEAR}, {"15", P_HOUR}, {"1", P_NUM_MONTH}, {"2006", P_LONG_YEAR}, {"2", P_DAY},
    {"_2006", P_NONE}, {"__2", P_UNDER_YEAR_DAY}, {"_2", P_UNDER_DAY}, {"3", P_HOUR12}, {"4", P_MINUTE}, {"5", P_SECOND},
    {"PM", P_PM}, {"pm", P_pm}, {"-070000", P_NUM_SECONDS_TZ}, {"-07:00:00", P_NUM_COLON_SECONDS_TZ},
    {"-0700", P_NUM_TZ}, {"-07:00", P_NUM_COLON_TZ}, {"-07", P_NUM_SHORT_TZ}, {"Z070000", P_ISO_SECONDS_TZ},
    {"Z07:00:00", P_ISO_COLON_SECONDS_TZ}, {"Z0700", P_ISO_TZ}, {"Z07:00", P_ISO_COLON_TZ}, {"Z07", P_ISO_SHORT_TZ},
};
/* clang-format on */

static bool is_digit_at(Str s, size_t i) { return i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; }

/* ".000" or ",999" that no digit follows: a fraction of that many digits. */
static Piece fraction_piece(Str s, size_t *ret_n) {
    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9')) return P_NONE;
    size_t i = 1;
    while (i < s.n && s.p[i] == s.p[1]) i++;
    if (is_digit_at(s, i)) return P_NONE;
    *ret_n = i;
    return s.p[1] == '0' ? P_FRACTION_0 : P_FRACTION_9;
}

/* The piece s begins with, and its length; P_NONE: a character of its own. */
static Piece next_piece(Str s, size_t *ret_n) {
    *ret_n = 1;
    Piece fraction = fraction_piece(s, ret_n);
    if (fraction) return fraction;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        Str t = str_cstr(pieces[i].text);
        if (!str_starts_with(s, t)) continue;
        if (pieces[i].piece == P_MONTH && s.n > 3 && s.p[3] >= 'a' && s.p[3] <= 'z') continue; /* "Janet" */
        if (pieces[i].piece == P_WEEKDAY && s.n > 3 && s.p[3] >= 'a' && s.p[3] <= 'z') continue;
        if (pieces[i].piece == P_NONE) return P_NONE; /* "_2006" is "_" and the year */
        *ret_n = t.n;
        return pieces[i].piece;
    }
    return P_NONE;
}

GoClock go_time_clock(const GoTime *t) {
    int64_t local = t->unix_s + t->offset_s, days = local / 86400, rest = local % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    GoClock c = {.hour = (int)(rest / 3600), .minute = (int)(rest / 60 % 60), .second = (int)(rest % 60)};
    time_civil_from_days(days, &c.year, &c.month, &c.day);
    c.weekday = (int)(((days % 7) + 11) % 7);
    c.year_day = (int)(days - time_days_from_civil(c.year, 1, 1)) + 1;
    return c;
}

static void put_offset(Buf *out, const GoTime *t, Piece p) {
    bool iso = p >= P_ISO_TZ && p <= P_ISO_COLON_SECONDS_TZ;
    if (iso && t->offset_s == 0) {
        buf_put_char(out, 'Z');
        return;
    }
    int zone = t->offset_s / 60, abs_s = t->offset_s < 0 ? -t->offset_s : t->offset_s;
    buf_put_char(out, zone < 0 ? '-' : '+');
    bool colon =
        p == P_ISO_COLON_TZ || p == P_NUM_COLON_TZ || p == P_ISO_COLON_SECONDS_TZ || p == P_NUM_COLON_SECONDS_TZ;
    bool seconds =
        p == P_ISO_SECONDS_TZ || p == P_NUM_SECONDS_TZ || p == P_NUM_COLON_SECONDS_TZ || p == P_ISO_COLON_SECONDS_TZ;
    buf_printf(out, "%02d", abs_s / 3600);
    if (p == P_NUM_SHORT_TZ || p == P_ISO_SHORT_TZ) return;
    buf_printf(out, "%s%02d", colon ? ":" : "", abs_s / 60 % 60);
    if (seconds) buf_printf(out, "%s%02d", colon ? ":" : "", abs_s % 60);
}

static void put_fraction(Buf *out, const GoTime *t, Piece p, Str piece) {
    char digits[16];
    snprintf(digits, sizeof digits, "%09d", (int)t->ns);
    size_t n = MIN(piece.n - 1, 9);
    if (p == P_FRACTION_9)
        while (n && digits[n - 1] == '0') n--;
    if (!n) return;
    buf_put_char(out, piece.p[0]);
    buf_put(out, digits, n);
}

static int hour12(int hour) { return hour % 12 ? hour % 12 : 12; }

static void put_piece(Buf *out, const GoTime *t, const GoClock *c, Piece p, Str text) {
    switch (p) {
    case P_NONE: buf_put_str(out, text); break;
    case P_LONG_MONTH: buf_put_str(out, str_cstr(go_month_names[c->month - 1])); break;
    case P_MONTH: buf_put(out, go_month_names[c->month - 1], 3); break;
    case P_NUM_MONTH: buf_printf(out, "%d", c->month); break;
    case P_ZERO_MONTH: buf_printf(out, "%02d", c->month); break;
    case P_LONG_WEEKDAY: buf_put_str(out, str_cstr(go_weekday_names[c->weekday])); break;
    case P_WEEKDAY: buf_put(out, go_weekday_names[c->weekday], 3); break;
    case P_DAY: buf_printf(out, "%d", c->day); break;
    case P_UNDER_DAY: buf_printf(out, "%2d", c->day); break;
    case P_ZERO_DAY: buf_printf(out, "%02d", c->day); break;
    case P_UNDER_YEAR_DAY: buf_printf(out, "%3d", c->year_day); break;
    case P_ZERO_YEAR_DAY: buf_printf(out, "%03d", c->year_day); break;
    case P_HOUR: buf_printf(out, "%02d", c->hour); break;
    case P_HOUR12: buf_printf(out, "%d", hour12(c->hour)); break;
    case P_ZERO_HOUR12: buf_printf(out, "%02d", hour12(c->hour)); break;
    case P_MINUTE: buf_printf(out, "%d", c->minute); break;
    case P_ZERO_MINUTE: buf_printf(out, "%02d", c->minute); break;
    case P_SECOND: buf_printf(out, "%d", c->second); break;
    case P_ZERO_SECOND: buf_printf(out, "%02d", c->second); break;
    case P_LONG_YEAR: buf_printf(out, "%04lld", (long long)c->year); break;
    case P_YEAR: buf_printf(out, "%02d", (int)(c->year % 100)); break;
    case P_PM: buf_put_str(out, c->hour >= 12 ? STR("PM") : STR("AM")); break;
    case P_pm: buf_put_str(out, c->hour >= 12 ? STR("pm") : STR("am")); break;
    case P_TZ:
        if (t->zone.n)
            buf_put_str(out, t->zone);
        else
            put_offset(out, t, P_NUM_TZ);
        break;
    case P_FRACTION_0:
    case P_FRACTION_9: put_fraction(out, t, p, text); break;
    default: put_offset(out, t, p);
    }
}

void go_time_format(Buf *out, const GoTime *t, Str layout) {
    GoClock c = go_time_clock(t);
    while (layout.n) {
        size_t n;
        Piece p = next_piece(layout, &n);
        put_piece(out, t, &c, p, str_slice(layout, 0, n));
        layout = str_skip(layout, n);
    }
}

void go_time_put_rfc3339(Buf *out, const GoTime *t) {
    go_time_format(out, t, STR("2006-01-02T15:04:05.999999999Z07:00"));
}

/* --- reading --- */

typedef struct Reading {
    Str rest; /* of the text */
    int64_t year;
    int month, day, hour, minute, second, ns, offset_s, year_day;
    bool pm, pm_set, offset_set, utc;
    Str zone;
    const char *out_of_range;
} Reading;

static bool take_digits(Reading *r, size_t min, size_t max, int *ret) {
    size_t n = 0;
    int v = 0;
    while (n < max && is_digit_at(r->rest, n)) v = v * 10 + (r->rest.p[n++] - '0');
    if (n < min) return false;
    *ret = v;
    r->rest = str_skip(r->rest, n);
    return true;
}

static bool take_name(Reading *r, const char *const *names, size_t n, size_t letters, int *ret) {
    for (size_t i = 0; i < n; i++) {
        size_t len = letters ? letters : strlen(names[i]);
        if (r->rest.n < len || !str_eq_nocase(str_slice(r->rest, 0, len), str_of(names[i], len))) continue;
        *ret = (int)i;
        r->rest = str_skip(r->rest, len);
        return true;
    }
    return false;
}

static bool take_fraction(Reading *r) {
    size_t i = 1;
    int ns = 0, digits = 0;
    for (; is_digit_at(r->rest, i); i++)
        if (digits++ < 9) ns = ns * 10 + (r->rest.p[i] - '0');
    if (i == 1) return false;
    while (digits++ < 9) ns *= 10;
    r->ns = ns;
    r->rest = str_skip(r->rest, i);
    return true;
}

static bool take_offset(Reading *r, Piece p) {
    if (p >= P_ISO_TZ && p <= P_ISO_COLON_SECONDS_TZ && r->rest.n && r->rest.p[0] == 'Z') {
        r->rest = str_skip(r->rest, 1);
        r->offset_set = r->utc = true;
        return true;
    }
    if (!r->rest.n || (r->rest.p[0] != '+' && r->rest.p[0] != '-')) return false;
    int sign = r->rest.p[0] == '-' ? -1 : 1, h, m = 0;
    r->rest = str_skip(r->rest, 1);
    if (!take_digits(r, 2, 2, &h)) return false;
    bool colon = p == P_ISO_COLON_TZ || p == P_NUM_COLON_TZ;
    if (colon && (!r->rest.n || r->rest.p[0] != ':')) return false;
    if (colon) r->rest = str_skip(r->rest, 1);
    if (p != P_NUM_SHORT_TZ && p != P_ISO_SHORT_TZ && !take_digits(r, 2, 2, &m)) return false;
    if (h > 24 || m >= 60) r->out_of_range = "time zone offset";
    r->offset_s = sign * (h * 3600 + m * 60);
    r->offset_set = true;
    return true;
}

static bool take_zone(Reading *r) {
    size_t n = 0;
    while (n < r->rest.n && n < 5 && r->rest.p[n] >= 'A' && r->rest.p[n] <= 'Z') n++;
    if (n < 3) return false;
    r->zone = str_slice(r->rest, 0, n);
    r->utc = str_eq_lit(r->zone, "UTC");
    r->rest = str_skip(r->rest, n);
    return true;
}

static bool take_year(Reading *r, size_t digits) {
    int v;
    if (!take_digits(r, digits, digits, &v)) return false;
    r->year = digits == 4 ? v : v >= 69 ? v + 1900 : v + 2000;
    return true;
}

static bool take_half(Reading *r, Str am, Str pm) {
    r->pm_set = true;
    r->pm = str_starts_with(r->rest, pm);
    if (!r->pm && !str_starts_with(r->rest, am)) return false;
    r->rest = str_skip(r->rest, 2);
    return true;
}

static bool check(Reading *r, int v, int min, int max, const char *what) {
    if ((v < min || v > max) && !r->out_of_range) r->out_of_range = what;
    return true;
}

static bool take_second(Reading *r, size_t min, Str layout_rest) {
    if (!take_digits(r, min, 2, &r->second)) return false;
    size_t n;
    bool fraction_follows = layout_rest.n && fraction_piece(layout_rest, &n) != P_NONE;
    if (r->rest.n > 1 && (r->rest.p[0] == '.' || r->rest.p[0] == ',') && is_digit_at(r->rest, 1) && !fraction_follows)
        take_fraction(r);
    return check(r, r->second, 0, 59, "second");
}

static bool take_piece(Reading *r, Piece p, Str text, Str layout_rest) {
    int ignored;
    switch (p) {
    case P_NONE:
        if (!str_starts_with(r->rest, text)) return false;
        r->rest = str_skip(r->rest, text.n);
        return true;
    case P_LONG_MONTH:
    case P_MONTH:
        if (!take_name(r, go_month_names, 12, p == P_MONTH ? 3 : 0, &r->month)) return false;
        r->month++;
        return true;
    case P_NUM_MONTH:
    case P_ZERO_MONTH:
        return take_digits(r, p == P_ZERO_MONTH ? 2 : 1, 2, &r->month) && check(r, r->month, 1, 12, "month");
    case P_LONG_WEEKDAY:
    case P_WEEKDAY: return take_name(r, go_weekday_names, 7, p == P_WEEKDAY ? 3 : 0, &ignored);
    case P_UNDER_DAY:
        if (r->rest.n && r->rest.p[0] == ' ') r->rest = str_skip(r->rest, 1);
        return take_digits(r, 1, 2, &r->day);
    case P_DAY:
    case P_ZERO_DAY: return take_digits(r, p == P_ZERO_DAY ? 2 : 1, 2, &r->day);
    case P_UNDER_YEAR_DAY:
    case P_ZERO_YEAR_DAY: return take_digits(r, 3, 3, &r->year_day);
    case P_HOUR: return take_digits(r, 2, 2, &r->hour) && check(r, r->hour, 0, 23, "hour");
    case P_HOUR12:
    case P_ZERO_HOUR12: return take_digits(r, p == P_HOUR12 ? 1 : 2, 2, &r->hour) && check(r, r->hour, 0, 12, "hour");
    case P_MINUTE:
    case P_ZERO_MINUTE:
        return take_digits(r, p == P_MINUTE ? 1 : 2, 2, &r->minute) && check(r, r->minute, 0, 59, "minute");
    case P_SECOND: return take_second(r, 1, layout_rest);
    case P_ZERO_SECOND: return take_second(r, 2, layout_rest);
    case P_LONG_YEAR: return take_year(r, 4);
    case P_YEAR: return take_year(r, 2);
    case P_PM: return take_half(r, STR("AM"), STR("PM"));
    case P_pm: return take_half(r, STR("am"), STR("pm"));
    case P_TZ: return take_zone(r);
    case P_FRACTION_0:
    case P_FRACTION_9:
        if (!r->rest.n || (r->rest.p[0] != '.' && r->rest.p[0] != ',') || !is_digit_at(r->rest, 1))
            return p == P_FRACTION_9;
        return take_fraction(r);
    default: return take_offset(r, p);
    }
}

static ErrCode parse_error(Str layout, Str text, Str piece, Str rest, Err *reterr) {
    Buf b = {0};
    buf_put_lit(&b, "parsing time ");
    lang_put_quoted(&b, text);
    buf_put_lit(&b, " as ");
    lang_put_quoted(&b, layout);
    buf_put_lit(&b, ": cannot parse ");
    lang_put_quoted(&b, rest);
    buf_put_lit(&b, " as ");
    lang_put_quoted(&b, piece);
    err_set(reterr, ERR_INVALID, "%s", buf_cstr(&b));
    buf_done(&b);
    return ERR_INVALID;
}

static ErrCode note_error(Str text, const char *fmt, Str what, Err *reterr) {
    Buf b = {0};
    buf_put_lit(&b, "parsing time ");
    lang_put_quoted(&b, text);
    buf_put_lit(&b, ": ");
    if (what.p) {
        buf_put_lit(&b, "extra text: ");
        lang_put_quoted(&b, what);
    } else {
        buf_printf(&b, "%s out of range", fmt);
    }
    err_set(reterr, ERR_INVALID, "%s", buf_cstr(&b));
    buf_done(&b);
    return ERR_INVALID;
}

ErrCode go_time_parse(Str layout, Str text, GoTime *ret, Err *reterr) {
    Reading r = {.rest = text, .year = 0, .month = 1, .day = 1};
    Str left = layout;
    while (left.n) {
        size_t n;
        Piece p = next_piece(left, &n);
        Str piece = str_slice(left, 0, n), before = r.rest;
        left = str_skip(left, n);
        if (!take_piece(&r, p, piece, left)) return parse_error(layout, text, piece, before, reterr);
        if (r.out_of_range) return note_error(text, r.out_of_range, STR_NULL, reterr);
    }
    if (r.rest.n) return note_error(text, "", r.rest, reterr);
    if (r.pm_set && r.pm && r.hour < 12) r.hour += 12;
    if (r.pm_set && !r.pm && r.hour == 12) r.hour = 0;
    int64_t next_year = r.month == 12 ? r.year + 1 : r.year, next_month = r.month == 12 ? 1 : r.month + 1;
    int64_t first = time_days_from_civil(r.year, r.month, 1);
    if (r.day < 1 || r.day > time_days_from_civil(next_year, next_month, 1) - first)
        return note_error(text, "day", STR_NULL, reterr);
    *ret = (GoTime){.unix_s = (first + r.day - 1) * 86400 + r.hour * 3600 + r.minute * 60 + r.second - r.offset_s,
        .ns = r.ns,
        .offset_s = r.offset_s};
    ret->zone = r.offset_s == 0 && (r.utc || !r.offset_set) && !r.zone.n ? STR("UTC") : r.zone;
    return OK;
}

/* --- what the methods need --- */

int64_t go_time_ns(const GoTime *t) {
    int64_t ns;
    if (__builtin_mul_overflow(t->unix_s, NS_PER_S, &ns) || __builtin_add_overflow(ns, t->ns, &ns))
        return t->unix_s < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

GoValue go_of_gotime(Arena *arena, GoTime t) {
    GoTime *copy = ARENA_NEW(arena, GoTime);
    if (!copy) return go_nil();
    *copy = t;
    return go_of_obj(go_time, copy);
}

GoValue go_of_time(Arena *arena, int64_t ns) {
    int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
    if (rest < 0) {
        rest += NS_PER_S;
        s--;
    }
    return go_of_gotime(arena, (GoTime){.unix_s = s, .ns = (int32_t)rest, .zone = STR("UTC")});
}

GoValue go_of_time_zero(Arena *arena) {
    return go_of_gotime(arena, (GoTime){.unix_s = GO_TIME_ZERO_S, .zone = STR("UTC")});
}
