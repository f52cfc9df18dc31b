/* timeinterval.c - parsing and evaluating calendar times. */
#include "alert/timeinterval.h"

#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>

typedef enum Field { F_WEEKDAY, F_DAY, F_MONTH, F_YEAR } Field;

static const Str weekday_names[] = {STR_INIT("sunday"), STR_INIT("monday"), STR_INIT("tuesday"), STR_INIT("wednesday"),
    STR_INIT("thursday"), STR_INIT("friday"), STR_INIT("saturday")};
static const Str month_names[] = {STR_INIT("january"), STR_INIT("february"), STR_INIT("march"), STR_INIT("april"),
    STR_INIT("may"), STR_INIT("june"), STR_INIT("july"), STR_INIT("august"), STR_INIT("september"), STR_INIT("october"),
    STR_INIT("november"), STR_INIT("december")};

static void problem(DiagList *d, const YamlNode *at, const char *hint, const char *fmt, ...) ATTR_PRINTF(4, 5);
static void problem(DiagList *d, const YamlNode *at, const char *hint, const char *fmt, ...) {
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_add(d, DIAG_ERROR, at->line, at->col, at->len, hint, "%s", text);
}

static bool find_name(const Str *names, size_t n, Str s, int base, int *ret) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(names[i], s)) {
            *ret = (int)i + base;
            return true;
        }
    }
    return false;
}

static bool member(Field f, Str s, int *ret) {
    int64_t v;
    if (f == F_WEEKDAY) return find_name(weekday_names, ARRAY_LEN(weekday_names), s, 0, ret);
    if (f == F_MONTH && find_name(month_names, ARRAY_LEN(month_names), s, 1, ret)) return true;
    if (!num_parse_i64(s, &v) || v < -100000 || v > 100000) return false;
    *ret = (int)v;
    return true;
}

static const char *range_problem(Field f, TimeRange r, char text[96]) {
    if (f == F_WEEKDAY && r.begin > r.end) return "start day cannot be before end day";
    if (f == F_MONTH && (r.begin < 1 || r.begin > 12 || r.end < 1 || r.end > 12)) return "a month is a name or 1 to 12";
    if (f == F_MONTH && r.begin > r.end) {
        snprintf(
            text, 96, "end month %s is before start month %s", month_names[r.end - 1].p, month_names[r.begin - 1].p);
        return text;
    }
    if (f == F_YEAR && r.begin > r.end) {
        snprintf(text, 96, "end year %d is before start year %d", r.end, r.begin);
        return text;
    }
    if (f != F_DAY) return NULL;
    for (int i = 0; i < 2; i++) {
        int day = i ? r.end : r.begin;
        if (day == 0 || day < -31 || day > 31) {
            snprintf(text, 96, "%d is not a valid day of the month: out of range", day);
            return text;
        }
    }
    if (r.begin < 0 && r.end > 0) return "end day must be negative if start day is negative";
    if ((r.begin < 0 ? 28 + r.begin : r.begin) > (r.end < 0 ? 28 + r.end : r.end)) {
        snprintf(text, 96, "end day %d is always before start day %d", r.end, r.begin);
        return text;
    }
    return NULL;
}

static bool parse_range(Field f, const YamlNode *n, DiagList *d, TimeRange *ret) {
    static const char *const what[] = {"weekday", "day of the month", "month", "year"};
    char text[96];
    if (n->kind != YAML_SCALAR) {
        problem(d, n, NULL, "%s", "a range is one value or two with a colon between them");
        return false;
    }
    size_t colon = str_find_char(n->text, ':');
    Str parts[2] = {n->text, n->text};
    if (colon != SIZE_MAX) {
        parts[0] = str_slice(n->text, 0, colon);
        parts[1] = str_skip(n->text, colon + 1);
    }
    for (int i = 0; i < 2; i++) {
        if (!member(f, parts[i], i ? &ret->end : &ret->begin)) {
            problem(d, n, f == F_WEEKDAY ? "weekdays are written out: monday, 'monday:friday'" : NULL,
                "%" STR_FMT " is not a valid %s", STR_ARG(parts[i]), what[f]);
            return false;
        }
    }
    const char *bad = range_problem(f, *ret, text);
    if (bad) problem(d, n, NULL, "%s", bad);
    return !bad;
}

static bool parse_clock(Str s, int *ret_minutes) {
    if (s.n != 5 || s.p[2] != ':') return false;
    for (size_t i = 0; i < 5; i++) {
        if (i != 2 && (s.p[i] < '0' || s.p[i] > '9')) return false;
    }
    int h = (s.p[0] - '0') * 10 + s.p[1] - '0', m = (s.p[3] - '0') * 10 + s.p[4] - '0';
    *ret_minutes = h * 60 + m;
    return m < 60 && *ret_minutes <= 1440;
}

static bool parse_times(const YamlNode *n, DiagList *d, TimeRange *ret) {
    if (n->kind != YAML_MAPPING) {
        problem(d, n, NULL, "%s", "a time range has start_time and end_time");
        return false;
    }
    const YamlNode *ends[2] = {yaml_get(n, STR("start_time")), yaml_get(n, STR("end_time"))};
    for (const YamlNode *k = n->first; k; k = k->next) {
        if (!str_eq_lit(k->key->text, "start_time") && !str_eq_lit(k->key->text, "end_time")) {
            problem(d, k->key, "start_time and end_time", "%s", "unknown key in a time range");
            return false;
        }
    }
    if (yaml_is_null(ends[0]) || yaml_is_null(ends[1])) {
        problem(d, n, NULL, "%s", "both start and end times must be provided");
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (ends[i]->kind != YAML_SCALAR || !parse_clock(ends[i]->text, i ? &ret->end : &ret->begin)) {
            problem(d, ends[i], "HH:MM in quotes, 00:00 to 24:00",
                "couldn't parse timestamp %" STR_FMT ", invalid format", STR_ARG(ends[i]->text));
            return false;
        }
    }
    if (ret->begin < ret->end) return true;
    problem(d, n, "split a range over midnight in two", "%s", "start time cannot be equal or greater than end time");
    return false;
}

static bool parse_ranges(int field, const YamlNode *list, Arena *arena, DiagList *d, TimeRanges *ret) {
    if (yaml_is_null(list)) return true;
    if (list->kind != YAML_SEQUENCE) {
        problem(d, list, NULL, "%s", "expected a list");
        return false;
    }
    TimeRange *v = ARENA_ARRAY(arena, TimeRange, list->n);
    if (!v) return false;
    size_t n = 0;
    for (const YamlNode *i = list->first; i; i = i->next, n++) {
        if (!(field < 0 ? parse_times(i, d, &v[n]) : parse_range((Field)field, i, d, &v[n]))) return false;
    }
    *ret = (TimeRanges){v, n};
    return true;
}

static void free_tz(void *tz) { tz_free(tz); }

static bool parse_location(const YamlNode *n, Arena *arena, DiagList *d, TimeInterval *t) {
    if (yaml_is_null(n)) return true;
    Tz *tz;
    Err err = {0};
    if (n->kind != YAML_SCALAR || tz_load(n->text, &tz, &err)) {
        problem(d, n, "a name of the time zone database, as Europe/Paris, or UTC, or Local", "%s",
            n->kind == YAML_SCALAR ? err.msg : "a location is a name");
        return false;
    }
    arena_defer(arena, free_tz, tz);
    t->tz = tz;
    t->location = n->text;
    return true;
}

static bool parse_one(const YamlNode *n, Arena *arena, DiagList *d, TimeInterval *t) {
    static const Str keys[] = {STR_INIT("times"), STR_INIT("weekdays"), STR_INIT("days_of_month"), STR_INIT("months"),
        STR_INIT("years"), STR_INIT("location")};
    if (n->kind != YAML_MAPPING) {
        problem(d, n, NULL, "%s",
            "a time interval is a mapping of times, weekdays, days_of_month, months, years, location");
        return false;
    }
    TimeRanges *fields[] = {&t->times, &t->weekdays, &t->days_of_month, &t->months, &t->years};
    for (const YamlNode *k = n->first; k; k = k->next) {
        size_t i = 0;
        while (i < ARRAY_LEN(keys) && !str_eq(keys[i], k->key->text)) i++;
        if (i == ARRAY_LEN(keys)) {
            Str near = diag_suggest(k->key->text, keys, ARRAY_LEN(keys));
            char hint[80];
            snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
            problem(d, k->key, near.n ? hint : NULL, "unknown key \"%" STR_FMT "\" in a time interval",
                STR_ARG(k->key->text));
            return false;
        }
        if (i == 5 ? !parse_location(k, arena, d, t) : !parse_ranges((int)i - 1, k, arena, d, fields[i])) return false;
    }
    return true;
}

ErrCode timeintervals_parse(const YamlNode *list, Arena *arena, TimeIntervalSet *ret, DiagList *diags) {
    ret->v = NULL;
    ret->n = 0;
    if (yaml_is_null(list)) return OK;
    if (list->kind != YAML_SEQUENCE) {
        problem(diags, list, NULL, "%s", "time_intervals is a list");
        return ERR_INVALID;
    }
    TimeInterval *v = arena_alloc_zero(arena, list->n * sizeof *v);
    if (!v) return ERR_TOO_LARGE;
    size_t n = 0;
    bool good = true;
    for (const YamlNode *i = list->first; i; i = i->next) good = parse_one(i, arena, diags, &v[n++]) && good;
    ret->v = v;
    ret->n = n;
    return good ? OK : ERR_INVALID;
}

/* --- evaluation --- */

static bool in_ranges(TimeRanges r, int64_t v, bool end_exclusive) {
    if (!r.n) return true;
    for (size_t i = 0; i < r.n; i++) {
        if (v >= r.v[i].begin && v < (int64_t)r.v[i].end + !end_exclusive) return true;
    }
    return false;
}

static bool in_days(TimeRanges r, const TzCivil *c) {
    if (!r.n) return true;
    for (size_t i = 0; i < r.n; i++) {
        int begin = r.v[i].begin < 0 ? c->days_in_month + r.v[i].begin + 1 : r.v[i].begin;
        int end = r.v[i].end < 0 ? c->days_in_month + r.v[i].end + 1 : r.v[i].end;
        if (begin > c->days_in_month) continue;
        if (c->day >= begin && c->day <= MIN(end, c->days_in_month)) return true;
    }
    return false;
}

bool timeinterval_contains(const TimeInterval *t, int64_t unix_s) {
    TzCivil c = tz_civil(t->tz, unix_s);
    return in_ranges(t->times, c.hour * 60 + c.minute, true) && in_days(t->days_of_month, &c) &&
           in_ranges(t->months, c.month, false) && in_ranges(t->weekdays, c.weekday, false) &&
           in_ranges(t->years, c.year, false);
}

bool timeintervals_contain(const TimeIntervalSet *set, int64_t unix_s) {
    for (size_t i = 0; i < set->n; i++) {
        if (timeinterval_contains(&set->v[i], unix_s)) return true;
    }
    return false;
}

int64_t timeintervals_next(const TimeIntervalSet *set, bool want, int64_t from, int64_t until) {
    if (timeintervals_contain(set, from) == want) return from;
    for (int64_t t = from - from % 60 + 60; t <= until; t += 60) {
        if (timeintervals_contain(set, t) == want) return t;
    }
    return INT64_MAX;
}
