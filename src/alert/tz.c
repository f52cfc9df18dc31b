/* tz.c - reads TZif files and evaluates them, with the POSIX rule of the footer for times behind the last transition.
 */
#include "alert/tz.h"

#include "base/buf.h"
#include "sys/fs.h"

#include <stdlib.h>

#define TZ_FILE_MAX (256 << 10)
#define DAY 86400

/* One day of the year a POSIX rule names, and the second of it (may lie outside the day). */
typedef struct RuleDay {
    char kind; /* 'J': 1-365 without 29 February; 'n': 0-365; 'M': month, week, weekday */
    int month, week, day;
    int32_t time_s;
} RuleDay;

typedef struct Zone {
    int32_t offset;
    char name[TZ_NAME_MAX];
} Zone;

struct Tz {
    size_t n; /* transitions */
    int64_t *at;
    Zone *from;     /* from at[i] on */
    Zone first;     /* before at[0] */
    bool rule, dst; /* the footer is there; it has daylight saving */
    Zone std, summer;
    RuleDay start, end;
};

/* --- civil time: Howard Hinnant's day counts --- */

static int64_t days_from_civil(int64_t y, int m, int d) {
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static bool is_leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

static int month_days(int64_t y, int m) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return m == 2 && is_leap(y) ? 29 : days[m - 1];
}

static void civil_from_days(int64_t z, TzCivil *c) {
    z += 719468;
    int64_t era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c->year = yoe + era * 400 + (c->month <= 2);
}

/* --- POSIX rule of the footer --- */

static bool take_int(Str *s, int max, int *ret) {
    int v = 0;
    size_t i = 0;
    while (i < s->n && i < 4 && s->p[i] >= '0' && s->p[i] <= '9') v = v * 10 + (s->p[i++] - '0');
    if (!i || v > max) return false;
    *s = str_skip(*s, i);
    *ret = v;
    return true;
}

static bool take_char(Str *s, char c) {
    if (!s->n || s->p[0] != c) return false;
    *s = str_skip(*s, 1);
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(Str *s, int32_t *ret) {
    int sign = take_char(s, '-') ? -1 : 1, h, m = 0, sec = 0;
    if (sign > 0) take_char(s, '+');
    if (!take_int(s, 167, &h)) return false;
    if (take_char(s, ':') && !take_int(s, 59, &m)) return false;
    if (take_char(s, ':') && !take_int(s, 59, &sec)) return false;
    *ret = sign * (h * 3600 + m * 60 + sec);
    return true;
}

static void set_name(Zone *z, Str name) {
    size_t n = MIN(name.n, sizeof z->name - 1);
    if (n) memcpy(z->name, name.p, n);
    z->name[n] = 0;
}

static bool take_name(Str *s, Zone *z) {
    size_t i = 0;
    if (s->n && s->p[0] == '<') {
        i = str_find_char(*s, '>');
        if (i == SIZE_MAX) return false;
        set_name(z, str_slice(*s, 1, i));
        *s = str_skip(*s, i + 1);
        return true;
    }
    while (i < s->n && ((s->p[i] | 0x20) >= 'a' && (s->p[i] | 0x20) <= 'z')) i++;
    set_name(z, str_slice(*s, 0, i));
    *s = str_skip(*s, i);
    return i >= 3;
}

static bool take_day(Str *s, RuleDay *r) {
    *r = (RuleDay){.kind = 'n', .time_s = 7200};
    if (!take_char(s, ',')) return false;
    if (take_char(s, 'M')) {
        r->kind = 'M';
        if (!take_int(s, 12, &r->month) || !r->month || !take_char(s, '.') || !take_int(s, 5, &r->week) || !r->week ||
            !take_char(s, '.') || !take_int(s, 6, &r->day)) {
            return false;
        }
    } else {
        if (take_char(s, 'J')) r->kind = 'J';
        if (!take_int(s, r->kind == 'J' ? 365 : 366, &r->day)) return false;
    }
    return !take_char(s, '/') || take_time(s, &r->time_s);
}

static bool parse_rule(Tz *tz, Str s) {
    int32_t west;
    if (!take_name(&s, &tz->std) || !take_time(&s, &west)) return false;
    tz->std.offset = -west;
    if (!s.n) return true;
    if (!take_name(&s, &tz->summer)) return false;
    tz->summer.offset = tz->std.offset + 3600;
    if (s.n && s.p[0] != ',') {
        if (!take_time(&s, &west)) return false;
        tz->summer.offset = -west;
    }
    tz->dst = take_day(&s, &tz->start) && take_day(&s, &tz->end) && !s.n;
    return tz->dst;
}

/* Local second of the year's beginning at which the rule's day comes. */
static int64_t rule_second(const RuleDay *r, int64_t year) {
    int64_t jan1 = days_from_civil(year, 1, 1), day;
    if (r->kind == 'M') {
        int64_t first = days_from_civil(year, r->month, 1);
        int weekday = (int)((first % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
        int d = 1 + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
        while (d > month_days(year, r->month)) d -= 7;
        day = first + d - 1;
    } else if (r->kind == 'J') {
        day = jan1 + r->day - 1 + (is_leap(year) && r->day >= 60);
    } else {
        day = jan1 + r->day;
    }
    return day * DAY + r->time_s;
}

static const Zone *rule_zone(const Tz *tz, int64_t t) {
    if (!tz->dst) return &tz->std;
    TzCivil c;
    civil_from_days(floor_div(t + tz->std.offset, DAY), &c);
    int64_t start = rule_second(&tz->start, c.year) - tz->std.offset,
            end = rule_second(&tz->end, c.year) - tz->summer.offset;
    bool in = start < end ? t >= start && t < end : !(t >= end && t < start);
    return in ? &tz->summer : &tz->std;
}

/* --- TZif --- */

static uint32_t be32(const char *p) {
    const uint8_t *u = (const uint8_t *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}
static int64_t be64(const char *p) { return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4)); }

typedef struct Header {
    uint32_t isut, isstd, leap, time, type, chars;
} Header;

static bool read_header(Str *s, Header *h) {
    if (s->n < 44 || memcmp(s->p, "TZif", 4) != 0) return false;
    *h = (Header){be32(s->p + 20), be32(s->p + 24), be32(s->p + 28), be32(s->p + 32), be32(s->p + 36), be32(s->p + 40)};
    *s = str_skip(*s, 44);
    return h->time <= 8192 && h->type > 0 && h->type <= 256 && h->chars <= 8192 && h->leap <= 1024 && h->isut <= 256 &&
           h->isstd <= 256;
}

static size_t block_size(const Header *h, size_t word) {
    return h->time * (word + 1) + h->type * 6u + h->chars + h->leap * (word + 4) + h->isstd + h->isut;
}

static Zone zone_of(const char *types, const Header *h, uint32_t i) {
    const char *type = types + i * 6u;
    Zone z = {.offset = (int32_t)be32(type)};
    Str names = str_of(types + h->type * 6u, h->chars), name = str_skip(names, MIN((uint8_t)type[5], names.n));
    set_name(&z, str_slice(name, 0, MIN(str_find_char(name, 0), name.n)));
    return z;
}

static bool read_block(Tz *tz, Str s, const Header *h, size_t word) {
    const char *types = s.p + h->time * (word + 1);
    tz->at = mem_alloc_array(h->time + 1, sizeof *tz->at);
    tz->from = mem_alloc_array(h->time + 1, sizeof *tz->from);
    tz->first = zone_of(types, h, 0);
    for (uint32_t i = 0; i < h->type; i++) {
        if (!types[i * 6 + 4]) {
            tz->first = zone_of(types, h, i);
            break;
        }
    }
    for (uint32_t i = 0; i < h->time; i++) {
        uint8_t type = (uint8_t)s.p[h->time * word + i];
        if (type >= h->type) return false;
        tz->at[i] = word == 8 ? be64(s.p + i * 8) : (int32_t)be32(s.p + i * 4);
        tz->from[i] = zone_of(types, h, type);
        if (i && tz->at[i] <= tz->at[i - 1]) return false;
    }
    tz->n = h->time;
    return true;
}

static bool parse(Tz *tz, Str s) {
    Header h;
    if (s.n < 44) return false;
    char version = s.p[4];
    if (!read_header(&s, &h) || s.n < block_size(&h, 4)) return false;
    if (version < '2') return read_block(tz, s, &h, 4);
    s = str_skip(s, block_size(&h, 4));
    if (!read_header(&s, &h) || s.n < block_size(&h, 8) || !read_block(tz, s, &h, 8)) return false;
    Str footer = str_trim(str_skip(s, block_size(&h, 8)));
    tz->rule = footer.n > 0 && parse_rule(tz, footer);
    return true;
}

static bool name_is_safe(Str name) {
    if (!name.n || name.n > 200 || name.p[0] == '/' || name.p[0] == '\\' || str_contains(name, STR(".."))) return false;
    for (size_t i = 0; i < name.n; i++) {
        if (!name.p[i]) return false;
    }
    return true;
}

ErrCode tz_load(Str name, Tz **ret, Err *reterr) {
    static const char *const dirs[] = {
        "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"};
    Tz *tz = NEW(Tz);
    *ret = tz;
    set_name(&tz->first, STR("UTC"));
    bool local = str_eq_lit(name, "Local"), found = false;
    const char *own = local ? getenv("TZ") : NULL;
    if (own) {
        name = str_cstr(*own == ':' ? own + 1 : own);
        local = !name_is_safe(name);
    }
    if (!name.n || str_eq_lit(name, "UTC")) return OK;
    if (local || name_is_safe(name)) {
        Buf path = {0}, bytes = {0};
        for (size_t i = 0; i < ARRAY_LEN(dirs) && !found; i++) {
            buf_clear(&path);
            buf_clear(&bytes);
            if (local)
                buf_put_lit(&path, "/etc/localtime");
            else
                buf_printf(&path, "%s/%" STR_FMT, dirs[i], STR_ARG(name));
            found =
                fs_read_file(fs_real(), buf_cstr(&path), TZ_FILE_MAX, &bytes, NULL) == OK && parse(tz, buf_str(&bytes));
            if (!found) {
                mem_free(tz->at);
                mem_free(tz->from);
                *tz = (Tz){.first.name = "UTC"};
            }
        }
        buf_done(&path);
        buf_done(&bytes);
    }
    if (found || local || own) return OK;
    *ret = tz_free(tz);
    return err_set(reterr, ERR_NOT_FOUND, "unknown time zone %" STR_FMT, STR_ARG(name));
}

Tz *tz_free(Tz *tz) {
    if (tz) {
        mem_free(tz->at);
        mem_free(tz->from);
        mem_free(tz);
    }
    return NULL;
}

static const Zone *zone_at(const Tz *tz, int64_t t) {
    static const Zone utc = {.name = "UTC"};
    if (!tz) return &utc;
    if (!tz->n) return tz->rule ? rule_zone(tz, t) : &tz->first;
    if (t < tz->at[0]) return &tz->first;
    if (tz->rule && t >= tz->at[tz->n - 1]) return rule_zone(tz, t);
    size_t lo = 0, hi = tz->n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (tz->at[mid] <= t)
            lo = mid;
        else
            hi = mid;
    }
    return &tz->from[lo];
}

TzCivil tz_civil(const Tz *tz, int64_t t) {
    const Zone *z = zone_at(tz, t);
    TzCivil c = {.offset_s = z->offset};
    memcpy(c.zone, z->name, sizeof c.zone);
    int64_t local = t + c.offset_s, days = floor_div(local, DAY);
    int second = (int)(local - days * DAY);
    civil_from_days(days, &c);
    c.hour = second / 3600;
    c.minute = second / 60 % 60;
    c.second = second % 60;
    c.weekday = (int)(((days % 7) + 11) % 7);
    c.days_in_month = month_days(c.year, c.month);
    return c;
}
